/*
 * What the driver measures and what it measures against: the fleet, the bare server, the master.
 *
 * Addresses: all out of 127.61.0.0/16, one port number for everything, as the range has it.
 *     fleet 127.61.0.1 ..     bare server 127.61.8.1 ..     masters 127.61.255.x     client
 * 127.61.254.1 Ownership: a struct systems is the driver's one; what it started is ended with the
 * driver.
 */
#ifndef BENCH_SYSTEMS_H
#define BENCH_SYSTEMS_H

#include "tests/bench/children.h"

#define TARGETS 1000

struct systems {
	const char *emu;            /* the program under test */
	char bin_dir[256];          /* of the bare programs, the logs and the results */
	int server_cpu, client_cpu; /* -1: not pinned */
	uint16_t port;
	bool leanest;             /* bare server --edge, bare client --eager */
	size_t answer_len, slack; /* of the fleet's answers: usual length, and how much it varies */
	struct child fleet_master, fleet, bare, master;
};

/* Finds a free port from `port` on and two processors. */
void systems_init(struct systems *systems, uint16_t port);

/* "127.61.8.1:18081" of the i-th address of each. buf of 32 bytes. Return buf. */
const char *fleet_at(const struct systems *systems, char *buf);
const char *bare_at(const struct systems *systems, char *buf);
const char *client_source(void);

/*
 * The fleet, its targets registered and each asked once (which sets answer_len and slack), and the
 * bare server with the same answer length.
 */
void systems_start(struct systems *systems);
void systems_stop(struct systems *systems);

/* Our master, on the client's processor, in rounds over the bare server's addresses; stopped. */
void master_start(struct systems *systems, unsigned concurrency);
/* Lets it run for so long. Returns commands answered a second, and the CPU time that each took. */
struct master_slice {
	double per_s, cpu_us;
};
struct master_slice master_slice(struct systems *systems, int warm_ms, int ms);

#endif

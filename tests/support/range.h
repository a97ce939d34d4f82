/*
 * A range in memory: targets, a master, and anybody else, on one simulated loop and one pipe_net.
 *
 * Purpose: flow tests say who there is, let time pass, and compare what happened, line by line.
 * Units: milliseconds in the tests' own words.
 * Ownership: range_init() and range_release() on the test's storage (static: it is large).
 * Errors: fail the test. Threads: one.
 */
#ifndef TEST_RANGE_H
#define TEST_RANGE_H

#include "emulator/base/units.h"
#include "emulator/master/master.h"
#include "emulator/target/target.h"
#include "tests/support/pipe_net.h"

#define RANGE_TARGETS 16
#define RANGE_QUEUE 16
#define RANGE_PORT 8081
#define RANGE_MASTER_IP UINT32_C(0x7f000001)
/* Of target number i, from 0. */
#define RANGE_IP(i) (UINT32_C(0x7f010001) + (uint32_t)(i))
#define RANGE_WALL_NS INT64_C(1795274924522913700)

struct range {
	struct loop loop;
	struct net *net;
	struct events events;
	struct event_sink sink;
	struct target_env env;
	struct target_group_run run;
	bool group_open;
	struct target_group group; /* as the firmware is; change it before range_target() */
	struct target targets[RANGE_TARGETS];
	struct target_move queues[RANGE_TARGETS][RANGE_QUEUE];
	char names[RANGE_TARGETS][32];
	uint32_t n_targets;
	struct master *master;
	struct master_options options; /* change it before range_master() */
	char trace[1 << 16];
	size_t trace_len;
	char taken[1 << 16];
};

void range_init(struct range *range, enum qn_snyper_profile_id profile);
void range_release(struct range *range);

/* A target named target_1, target_2, ..., switched off. */
struct target *range_target(struct range *range);
void range_master(struct range *range);

/* Lets time pass up to an instant, or by so much; sees that the master's totals add up. */
void range_until(struct range *range, double ms);
void range_pass(struct range *range, double ms);

/*
 * What happened since it was asked last, a line an event: "500 target_1 standing". Commands and
 * answers name their type, refusals their reason, hits and answers to the master their ms.
 */
const char *range_trace(struct range *range);
void range_expect(struct range *range, const char *expected, const char *file, int line);
#define EXPECT_TRACE(range, expected) range_expect(range, expected, __FILE__, __LINE__)

/* ---- somebody else ---- */

struct guest {
	struct net_conn *conn; /* NULL when it is gone */
	char got[1 << 15];     /* terminated */
	size_t got_len;
	unsigned reads;
	bool opened, ended, closed;
	int error;
};

void guest_connect(struct range *range, struct guest *guest, uint32_t from, struct net_addr to);
/* To target number i's port, from the master's address. */
void guest_call(struct range *range, struct guest *guest, uint32_t i);
void guest_send(struct guest *guest, const char *text);
void guest_send_bytes(struct guest *guest, const char *bytes, size_t len);
void guest_shutdown(struct guest *guest);
void guest_close(struct guest *guest);
void guest_reset(struct guest *guest);
/* What it received since it was asked last. */
const char *guest_take(struct guest *guest);

/* Listens, and makes a guest of who connects, in order. */
struct stranger {
	struct net_listener *listener;
	struct guest guests[8];
	uint32_t n;
};
void stranger_listen(struct range *range, struct stranger *stranger, struct net_addr at);
void stranger_stop(struct stranger *stranger);

#endif

/*
 * A master: takes registrations, sends commands, knows who answered.
 *
 * Purpose: the other side of a fleet, and a master for real boards. It remembers a target by its id
 * and by the source address of its registration; a command goes to that address on the master's own
 * port number, over a connection of its own, all targets at the same time up to a cap. That is the
 * range's own wire; wire.h says what other wires may do otherwise.
 * Every command ends in exactly one of ok, failed, lost: sent = ok + failed + lost + under way.
 * Units: nanoseconds; latencies are measured from when a command was due.
 * Ownership: master_new() reserves everything by the config's limits; master_free() closes all.
 * Errors: 0 or -errno. Threads: its loop's.
 * Source: proto/PROTOCOL.md "snyper", "The master".
 */
#ifndef MASTER_H
#define MASTER_H

#include "emulator/base/event.h"
#include "emulator/base/hist.h"
#include "emulator/base/net.h"
#include "emulator/base/word.h"
#include "emulator/master/wire.h"

struct master_limits {
	uint32_t targets;       /* how many it can know */
	uint32_t concurrency;   /* commands under way at the same time */
	uint32_t registrations; /* connections that register, at the same time; 0: no limit */
};

#define MASTER_LISTENERS_MAX 16

/*
 * What a rig measures of each command beside the events; every member may be NULL. `number` is the
 * target's.
 */
struct master_tap {
	/* The kernel gave the request to the device, or had the answer from it, at wall_ns
	 * (CLOCK_REALTIME). The answer's stamp comes before answered(). */
	void (*stamped)(struct master_tap *tap, uint32_t number, enum range_word command,
			enum net_stamped what, int64_t wall_ns);
	/* A read of what should be the answer, before it is judged. */
	void (*answered)(struct master_tap *tap, uint32_t number, enum range_word command,
			 const char *bytes, size_t len);
};

struct master_options {
	struct master_listener_options listen;
	/* And there as well; up to MASTER_LISTENERS_MAX - 1. */
	const struct master_listener_options *more;
	size_t n_more;
	bool forget_failed; /* after a round: who did not answer must register anew */
	int64_t connect_timeout_ns, answer_timeout_ns;
	struct master_limits limits;
	uint64_t seed;
	struct master_tap *tap; /* NULL: none; else it outlives the master */
};

enum master_outcome { MASTER_OK, MASTER_FAILED, MASTER_LOST };

struct master_command_stats {
	uint64_t sent, ok, failed, lost;
	struct hist latency; /* due to answer, of those that were answered as asked */
	struct hist service; /* connect or write to answer */
};

struct master_totals {
	uint64_t sent, ok, failed, lost;
	uint64_t registrations, registrations_rejected, forgotten;
	uint64_t under_way, waiting;
	/* Of those that failed: why. */
	uint64_t refused, reset, closed, timed_out_connecting, bad_answers, no_resources;
	uint64_t hits; /* that targets reported */
};

/* A target as the master knows it. */
struct remote {
	char id[64]; /* terminated; longer ids are rejected */
	uint32_t hash;
	uint32_t ip;
	uint8_t id_len;
	uint8_t last; /* enum master_outcome + 1 of its last command; 0: none yet */
	bool known;   /* false: forgotten; the slot stays and its number too */
	bool ever_registered;
	bool spoke;       /* its last command was answered by a message, if not as asked */
	uint8_t listener; /* by which it registered last */
	uint16_t under_way;
	uint64_t commands;
	struct net_conn *kept; /* at rest, or asking; of a wire that is dialled: its link */
};

struct master;

int master_new(struct loop *loop, struct net *net, struct events *events,
	       const struct master_options *options, struct master **ret);
void master_free(struct master *master);
/* Releases what its wires laid over the net: before the net is freed, where that goes first. */
void master_shut(struct master *master);
/* Opens its ports, all or none: master_address_of() then says where it failed. */
int master_listen(struct master *master);
/*
 * As a master whose program ends: its port is closed and it knows nobody any more. Commands under
 * way end by themselves. master_listen() brings it back, with everything to learn again.
 */
void master_stop(struct master *master);
struct net_addr master_address(const struct master *master); /* of its first port */
/* Of port i; as asked while it does not listen. i == master_listeners(): of the one that failed. */
size_t master_listeners(const struct master *master);
struct net_addr master_address_of(const struct master *master, size_t i);

/* The remotes, by number, in the order of their first registration; forgotten ones are !known. */
uint32_t master_count(const struct master *master);
const struct remote *master_remote(const struct master *master, uint32_t number);
uint32_t master_known(const struct master *master);
/* -1 where there is none. */
int64_t master_find(const struct master *master, const char *id, size_t len);

/*
 * Sends a command to one target, or queues it behind the cap. `due_ns` is when it should have gone
 * out (now, or earlier). duration: a JSON number as text for activate; it must outlive the command.
 * done(), where set, is called once with the outcome. 0; -ENOENT: not known; -ENOBUFS: the queue of
 * waiting commands is full (not counted as sent).
 */
typedef void master_done(struct master *master, uint32_t number, enum range_word command,
			 enum master_outcome outcome, void *context);
int master_command(struct master *master, uint32_t number, enum range_word command, int64_t due_ns,
		   struct qn_text duration, master_done *done, void *context);

/*
 * Forgets those whose last command was answered by no message: refused, closed, lost, rubbish. Who
 * answered an error, another type or no data stays known, as at the real master. Returns how many.
 */
uint32_t master_forget_failed(struct master *master);
/* Knows a target that has not registered: it did so with somebody else, earlier. Its number, or
 * -ENOSPC. */
int64_t master_adopt(struct master *master, const char *id, size_t len, uint32_t ip);
void master_forget(struct master *master, uint32_t number);

/* Forgets what was measured of commands so far; of those under way nothing may be. */
void master_reset_stats(struct master *master);
const struct master_totals *master_totals(const struct master *master);
/* Of ping, stand_up, lay_down, activate. */
const struct master_command_stats *master_stats(const struct master *master,
						enum range_word command);
/* Had registered and did not answer as asked in their last command. */
uint32_t master_lost_targets(const struct master *master);

#endif

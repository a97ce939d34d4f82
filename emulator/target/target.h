/*
 * One virtual target: registers, listens, answers, moves, feels hits.
 *
 * Purpose: what a board with today's firmware does, in the order in which it does it: it registers
 * before it listens, answers before it moves, moves strictly one after the other, answers pings at
 * any time. An idle target is this struct and its listener.
 * Units: nanoseconds. Ownership: target_init() on the caller's storage (an array, for a fleet); the
 * shared parts (env, group) outlive all targets. target_release() ends everything it has open.
 * Errors: what goes wrong in a target's life is an event and a counter, not a result.
 * Threads: a target belongs to its loop's thread.
 * Source: proto/PROTOCOL.md "A target's life".
 */
#ifndef TARGET_H
#define TARGET_H

#include "emulator/base/event.h"
#include "emulator/base/hist.h"
#include "emulator/base/net.h"
#include "emulator/base/pool.h"
#include "emulator/base/units.h"
#include "emulator/target/faults.h"
#include "emulator/target/wire.h"
#include "proto/snyper/profile.h"

enum target_state {
	TARGET_OFF,     /* no power */
	TARGET_BOOTING, /* power, not registered yet (or trying again) */
	TARGET_DOWN,    /* in service; lies */
	TARGET_RISING,
	TARGET_UP,
	TARGET_ACTIVE, /* stands and polls its sensor */
	TARGET_FALLING,
	TARGET_GONE, /* crashed, or gave up: only a reboot helps */
	TARGET_STATES,
};
const char *target_state_name(enum target_state state);

enum target_reply { TARGET_REPLY_QUEUED, TARGET_REPLY_DONE };
enum target_report { TARGET_REPORT_NONE, TARGET_REPORT_HTTP, TARGET_REPORT_WIRE };

/* What the targets of a group have in common. */
struct target_group {
	const char *name; /* of the group, for selectors and results */
	const struct target_wire *wire;
	struct target_group_run *run; /* target_group_open() fills it */
	const void *wire_options;     /* the wire's own settings; NULL: it has none */
	const struct qn_snyper_profile *profile;
	struct net_addr master;
	uint16_t port;
	enum target_reply reply;
	struct dist boot, rise, fall;
	int64_t answer_timeout_ns; /* of a registration: connect, then answer */
	/* Registration: attempts 0: for ever. */
	int64_t attempts, retry_first_ns, retry_max_ns;
	int64_t reregister_every_ns, reregister_silence_ns; /* 0: never */
	double hit_probability;
	struct dist hit_after;
	int64_t poll_ns;
	enum target_report report_hit;
	struct net_addr report_to;
	int64_t hit_value;
	uint32_t line_limit;
	uint16_t connections_max, queue_max;
	uint32_t first_number; /* of its first target in the fleet */
	uint32_t count;        /* its targets */
};

/* Counters of all targets of a process together. */
struct target_totals {
	uint64_t by_state[TARGET_STATES];
	uint64_t registered; /* targets that hold a registration */
	uint64_t lost;       /* had one, and are gone without anybody's wish */
	uint64_t registrations, register_failures;
	uint64_t commands[RANGE_WORDS];
	uint64_t answers, errors_answered, bad_lines, queue_full, conn_refused, listen_failed;
	uint64_t moves, activations, hits, misses, hits_reported, hit_reports_failed;
	uint64_t faults_struck;
	uint64_t disconnects; /* connections that were lost, and nobody here had wished it */
	/* Messages of framed_talk.h. */
	uint64_t talk_sent, talk_answered, talk_lost, talk_wrong, talk_unconnected;
};

struct target_env {
	struct loop *loop;
	struct net *net;
	struct events *events;
	uint64_t seed;
	struct target_totals totals;
	struct hist talk_latency; /* counts NULL: nobody talks */
	struct pool late_replies; /* of reply = "done" */
	int last_listen_error;    /* for the one message that explains it */
	/* Of faults; empty until target_env_reserve_faults(). */
	struct pool faults, held;
	struct buffers buffers;
	char scratch[65536];
};

struct target_late_reply;
struct target_faults;

struct target_move {
	uint8_t command; /* enum range_word */
	bool answered;   /* once already, when it was queued */
	struct target_late_reply *reply;
	int64_t duration_ns; /* activate */
};

#define CACHE_LINE 64

struct target {
	/* What a ping touches stands in one line: a fleet is larger than a cache. */
	_Alignas(CACHE_LINE) struct target_env *env;
	const struct target_group *group;
	const char *name;
	struct target_faults *faults; /* NULL: it never had any */
	int64_t heard_ns;             /* the last command */
	uint32_t name_len, number;
	uint8_t state;
	bool registered, up, busy;
	bool register_now; /* whatever the silence says */
	bool felt_hit;     /* in the activation under way */
	uint16_t queue_head, queue_len, connections;
	struct net_listener *listener;
	struct net_conn *registering;
	struct net_conn *serving;  /* list of connections that it serves */
	struct target_move *queue; /* ring of group->queue_max */
	struct timer life;         /* boot, registration retry, re-registration */
	struct timer mechanics;
	struct net_conn *link; /* of a wire that stays: its registration; in `serving` too */
	uint32_t ip;
	uint32_t tries;    /* of the registration under way */
	uint32_t draws[4]; /* boots, rises, falls, activations so far */
	int64_t active_since_ns;
	int64_t registered_ns; /* when it last tried to register */
};

/* 0 or -ENOMEM. `name` stays the caller's. */
int target_env_init(struct target_env *env, struct loop *loop, struct net *net,
		    struct events *events, uint64_t seed, size_t late_replies);
/* Room for faults of so many targets: before the first target_fault_on(). 0 or -ENOMEM. */
int target_env_reserve_faults(struct target_env *env, size_t targets);
void target_env_release(struct target_env *env);

/*
 * Makes what the group's targets share (group->run): before the first of them, for at most so many
 * connections at a time. 0 or -errno. target_group_close() after the last has been released.
 */
int target_group_open(struct target_env *env, const struct target_group *group, size_t connections);
void target_group_close(struct target_env *env, const struct target_group *group);

/* `queue` holds group->queue_max moves. The target is off. */
void target_init(struct target *target, struct target_env *env, const struct target_group *group,
		 uint32_t number, const char *name, uint32_t ip, struct target_move *queue);
void target_release(struct target *target);

/* Boots: after group->boot it registers, then listens. Harmless where it is on. */
void target_power_on(struct target *target);
/* Everything it had open is reset, its listener is closed. Harmless where it is off. */
void target_power_off(struct target *target);
/* Dies as the firmware does: gone, until it is powered off and on. */
void target_crash(struct target *target, const char *why);
/* Moves to another address: registers from there anew, listens there. */
void target_move_to(struct target *target, uint32_t ip);
/* The activation under way ends as a miss. False where none is. */
bool target_miss(struct target *target);
/* The sensor feels a hit; counts only while the target is active. False where it does not count. */
bool target_hit(struct target *target);

#endif

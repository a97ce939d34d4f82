/*
 * What the files of a target share among themselves; nobody else includes this.
 *
 * life.c: power and states. registration.c: when to register, and over what. serve.c: connections,
 * commands, answers. wire_*.c: what all that is in bytes (wire.h). mechanics.c: moves and sensor.
 * report.c: telling a hit by HTTP. faults.c: which faults a target has. fault_answer.c: its faulty
 * answers; spoil.c: what faults do to JSON. Ownership, errors, threads: as target.h says.
 */
#ifndef TARGET_PARTS_H
#define TARGET_PARTS_H

#include "emulator/base/rng.h"
#include "emulator/target/target.h"

#include <stddef.h>
#include <string.h>

enum { DRAW_BOOT, DRAW_RISE, DRAW_FALL, DRAW_ACTIVATION };

/* The longest line that it writes: a name, or what a fault says instead, and a peer's id. */
#define TARGET_LINE_MAX 4096

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* What an answer and a registration take as a rule, and what a fault remembers of one. */
#define TARGET_UNIT_TYPICAL 512

/* An answer that waits for its movement. */
struct target_late_reply {
	struct net_conn *conn; /* NULL once it is gone */
	uint8_t id_len, duration_len;
	char id[96], duration[32];
};

#define SERVED_WIRE_BYTES 48

/* What a connection of a target carries, be it for registering or for serving. */
struct served {
	struct target *target;
	struct held *held; /* units that a fault keeps back */
	uint16_t late;     /* answers that are still to come */
	bool ended;        /* the peer sends no more */
	bool silent;       /* a fault: whatever comes is taken and forgotten */
	bool gone;         /* closed, though its memory stands to the end of the turn */
	bool last;         /* the wire's: the connection is closed behind the answer that is sent */
	/* Of one that registers: what happened while its program stood still, or it was off the
	 * air. */
	bool opened, expired;
	_Alignas(8) unsigned char wire[SERVED_WIRE_BYTES];
	struct net_conn *next, *prev; /* last: no message looks at them */
};
_Static_assert(sizeof(struct served) <= NET_SESSION_BYTES, "a session fits its connection");

/* The faults of a target, and what they remember. */
struct target_faults {
	uint64_t armed, resting, active;
	struct timer timer;
	struct target *target;
	const struct fault_spec *spec[FAULT_KIND_COUNT];
	int64_t due_ns[FAULT_KIND_COUNT];   /* of the next change; 0: none */
	int64_t until_ns[FAULT_KIND_COUNT]; /* of moments */
	int64_t since_ns[FAULT_KIND_COUNT];
	uint32_t draws[FAULT_KIND_COUNT];
	int64_t clock_shift_ns;
	uint32_t commands, moves, storm_left, bounces_left;
	bool registered_twice, jammed;
	/* What waits for the end of a hang. */
	bool parked_life, parked_mechanics, failed_meanwhile;
	uint16_t last_len;
	char last[TARGET_UNIT_TYPICAL]; /* the answer before this one, as it should have been */
};

static inline int64_t ns_plus(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static inline struct served *served_of(struct net_conn *conn)
{
	return (struct served *)(void *)conn->session;
}

/* The adapter's own part of a connection: in place, or out of the pool (conn_bytes > 0). */
static inline void *served_wire(struct net_conn *conn)
{
	return served_of(conn)->wire;
}

static inline void *served_state(struct net_conn *conn)
{
	return *(void **)(void *)served_of(conn)->wire;
}

static inline struct net *target_net(const struct target *target)
{
	return target->group->run->net;
}

static inline void target_tell(struct target *target, enum event_kind kind, uint8_t type,
			       int64_t value, const char *text, size_t text_len)
{
	struct target_env *env = target->env;

	if (!events_wanted(env->events, kind))
		return;
	struct event event = { .t_ns = env->loop->now_ns,
			       .kind = kind,
			       .target = target->number,
			       .name = target->name,
			       .type = type,
			       .value = value,
			       .text = text,
			       .text_len = text_len };
	events_deliver(env->events, &event);
}

static inline void target_say(struct target *target, enum event_kind kind, const char *text)
{
	target_tell(target, kind, 0, 0, text, text != NULL ? strlen(text) : 0);
}

/* Something that its peer may want to know, too. */
static inline void target_news(struct target *target, enum event_kind kind, int64_t value)
{
	target_tell(target, kind, 0, value, NULL, 0);
	if (target->group->wire->news != NULL &&
	    (target->link != NULL || target->group->wire->listens))
		target->group->wire->news(target, (int)kind, value);
}

static inline uint64_t target_draw(struct target *target, enum rng_purpose purpose, int counter)
{
	return rng_draw(target->env->seed, target->number, purpose, target->draws[counter]++);
}

/* faults.c */
static inline bool fault_active(const struct target *target, enum fault_kind kind)
{
	return target->faults != NULL && (target->faults->active & FAULT_BIT(kind)) != 0;
}
/* The draw, and the event where it strikes. */
const struct fault_spec *fault_strike(struct target *target, enum fault_kind kind);
/* Does it act on this occasion? NULL: no. */
static inline const struct fault_spec *fault_strikes(struct target *target, enum fault_kind kind)
{
	return fault_active(target, kind) ? fault_strike(target, kind) : NULL;
}
/* 64 bits of the fault's own dice, for one of its purposes. */
enum fault_purpose { FAULT_WHETHER = 0, FAULT_WHEN = 64, FAULT_HOW_LONG = 128, FAULT_WHAT = 192 };
uint64_t fault_bits(struct target *target, const struct fault_spec *spec,
		    enum fault_purpose purpose);
/* A draw of its `time`. */
int64_t fault_time(struct target *target, const struct fault_spec *spec);
int64_t fault_drift(const struct target *target, const struct fault_spec *spec);
int64_t fault_wall_ns(const struct target *target);
void target_faults_release(struct target *target);
/* The target's own clock. */
static inline int64_t target_wall_ns(const struct target *target)
{
	return target->faults == NULL ? target->env->loop->wall_ns : fault_wall_ns(target);
}

/* fault_answer.c */
/* False: the answer is longer than any may be; nothing was sent. */
bool target_answer_faulty(struct net_conn *conn, const struct target_answer *answer);
/* A unit that is no answer, through the faults of the network alone. */
void target_send_faulty(struct net_conn *conn, const char *bytes, size_t len);
void target_drop_held(struct net_conn *conn);
/* An outage is over: what it kept back goes out. */
void target_resume_held(struct net_conn *conn);

/* spoil.c */
/* As target_wire.spoil, for a unit that is one JSON object; what stands behind it stays. */
size_t target_spoil_json(struct target *target, const struct fault_spec *spec, char *unit,
			 size_t len, size_t cap);

/* life.c */
void target_become(struct target *target, enum target_state state);
void target_give_up(struct target *target, const char *why);
void target_start_listening(struct target *target);
void target_stop_listening(struct target *target);
void target_resume_listening(struct target *target);
static inline bool target_in_service(const struct target *target)
{
	return target->state >= TARGET_DOWN && target->state <= TARGET_FALLING;
}

/* registration.c */
void target_life_goes_on(struct timer *timer, int64_t now_ns);
void target_register_again(struct target *target);
void target_may_register(struct target *target);
/* Gives up the one under way. */
void target_stop_registering(struct target *target);
/* A hang or an outage is over. */
void target_wake_registration(struct target *target);
/* Of a wire that stays: the connection that was its registration is gone. */
void target_link_lost(struct target *target, int error);

/* serve.c, for wires */
/* A fault keeps it from reading: return *ret_taken from received() at once. */
static inline bool target_deaf(struct net_conn *conn, size_t len, size_t *ret_taken)
{
	const struct served *served = served_of(conn);

	*ret_taken = served->silent ? len : 0;
	/* What comes during a hang is read when it wakes up. */
	return served->silent || fault_active(served->target, FAULT_HANG);
}
/* Does what was asked, and answers: now, or when it is done. */
void target_serve(struct net_conn *conn, const struct target_request *request);
/* What came is no command: counted, told, and answered by an error. */
void target_refuse(struct net_conn *conn, struct qn_text id, const char *what,
		   struct qn_text error);
/* The same without an answer. */
void target_bad_line(struct net_conn *conn, const char *what);
/* A unit that answers nothing: a ping of the wire's own, a piece of news. */
void target_send(struct net_conn *conn, const char *bytes, size_t len);
void served_ended(struct net_conn *conn, const char *rest, size_t len);
void served_closed(struct net_conn *conn, int error);
/* Closes it, now. */
void target_leave(struct net_conn *conn, bool reset);

/* serve.c */
static inline void target_count_answer(struct target *target, enum range_word word)
{
	if (word == RANGE_ERROR)
		target->env->totals.errors_answered++;
	else
		target->env->totals.answers++;
}
/* What an event says of a unit. */
static inline struct qn_text target_unit_text(const struct target *target, const char *unit,
					      size_t len, char *space, size_t cap)
{
	const struct target_wire *wire = target->group->wire;

	return wire->describe != NULL ? wire->describe(unit, len, space, cap)
				      : (struct qn_text){ unit, len };
}
bool target_accept(struct net_listener *listener, struct net_conn *conn);
/* The adapter's state of a new connection. False: there is no room. */
bool served_init(struct net_conn *conn, struct target *target);
void served_release(struct net_conn *conn);
/* A connection over which it registered is served from now on. */
void target_stay(struct net_conn *conn);
void target_drop_connections(struct target *target);
void target_answer_late(struct target *target, const struct target_move *move);
void target_forget_reply(struct target *target, struct target_late_reply *reply);
void target_leave_if_done(struct net_conn *conn);
void target_poke_connections(struct target *target);

/* mechanics.c */
/* False: the queue is full. */
bool target_enqueue(struct target *target, const struct target_move *move);
void target_mechanics_init(struct target *target);
/* Servo off, queue empty: the target lies. */
void target_mechanics_reset(struct target *target);
void target_feel_hit_down(struct target *target);

/* report.c */
void target_report_hit(struct target *target);

#endif

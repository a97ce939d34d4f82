/*
 * What the files of a target share among themselves; nobody else includes this.
 *
 * life.c: power, registration, states. serve.c: connections and answers. mechanics.c: moves and
 * sensor. report.c: telling a hit by HTTP. Ownership, errors, threads: as target.h says.
 */
#ifndef TARGET_PARTS_H
#define TARGET_PARTS_H

#include "emulator/base/rng.h"
#include "emulator/target/target.h"

#include <string.h>

enum { DRAW_BOOT, DRAW_RISE, DRAW_FALL, DRAW_ACTIVATION };

#define OF(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* An answer that waits for its movement (reply = "done"). */
struct target_late_reply {
	struct net_conn *conn; /* NULL once it is gone */
	uint8_t id_len, duration_len;
	char id[96], duration[32];
};

/* What a served connection carries. */
struct served {
	struct qn_snyper_answerer answerer;
	struct target *target;
	struct net_conn *next, *prev;
	uint16_t late; /* answers that are still to come */
	bool ended;    /* the peer sends no more */
};
_Static_assert(sizeof(struct served) <= NET_SESSION_BYTES, "a session fits its connection");

static inline struct served *served_of(struct net_conn *conn)
{
	return (struct served *)(void *)conn->session;
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

static inline uint64_t target_draw(struct target *target, enum rng_purpose purpose, int counter)
{
	return rng_draw(target->env->seed, target->number, purpose, target->draws[counter]++);
}

/* life.c */
void target_become(struct target *target, enum target_state state);
static inline bool target_in_service(const struct target *target)
{
	return target->state >= TARGET_DOWN && target->state <= TARGET_FALLING;
}

/* serve.c */
bool target_accept(struct net_listener *listener, struct net_conn *conn);
void target_drop_connections(struct target *target);
void target_answer_late(struct target *target, const struct target_move *move);
void target_forget_reply(struct target *target, struct target_late_reply *reply);

/* mechanics.c */
/* False: the queue is full. */
bool target_enqueue(struct target *target, const struct target_move *move);
void target_mechanics_init(struct target *target);
/* Servo off, queue empty: the target lies. */
void target_mechanics_reset(struct target *target);

/* report.c */
void target_report_hit(struct target *target);

#endif

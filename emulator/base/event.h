/*
 * Events: what happened, told once, to whoever listens.
 *
 * Purpose: targets and master tell each message and change of state here; the log, the live view,
 * the result files, triggers and expectations listen. Where nobody listens to a kind, telling costs
 * one test of a bit.
 * Units: t_ns on the loop's clock.
 * Ownership: an event and its texts live during the call alone: copy what is to stay.
 * Errors: none: a listener that cannot keep up counts what it drops.
 * Threads: one bus, one thread.
 */
#ifndef EVENT_H
#define EVENT_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_KINDS(X)                                                                             \
	/* one target's life */                                                                    \
	X(REGISTERING, "registering")                                                              \
	X(REGISTERED, "registered")                                                                \
	X(REGISTER_FAILED, "register_failed") /* text: why; value: ns to the next try, -1: none */ \
	X(LISTENING, "listening")                                                                  \
	X(LISTEN_FAILED, "listen_failed")                                                          \
	X(CRASHED, "crashed")                                                                      \
	X(GAVE_UP, "gave_up")                                                                      \
	X(POWER_OFF, "power_off")                                                                  \
	X(POWER_ON, "power_on")                                                                    \
	X(MOVED, "moved")               /* to another address */                                   \
	X(DISCONNECTED, "disconnected") /* what was its registration is lost; text: why */         \
	/* its messages; text: the line */                                                         \
	X(COMMAND, "command")           /* type: what was asked */                                 \
	X(ANSWER, "answer")             /* type: what was answered */                              \
	X(BAD_LINE, "bad_line")         /* text: what is wrong with it */                          \
	X(CONN_REFUSED, "conn_refused") /* one connection too many */                              \
	/* its mechanics */                                                                        \
	X(RISING, "rising")                                                                        \
	X(STANDING, "standing")                                                                    \
	X(FALLING, "falling")                                                                      \
	X(DOWN, "down")                                                                            \
	X(ACTIVE, "active") /* value: duration in ns */                                            \
	X(HIT, "hit")       /* value: ns since it became active */                                 \
	X(MISS, "miss")                                                                            \
	X(QUEUE_FULL, "queue_full")                                                                \
	X(HIT_REPORTED, "hit_reported")                                                            \
	X(HIT_REPORT_FAILED, "hit_report_failed")                                                  \
	/* faults; text: its name */                                                               \
	X(FAULT_ON, "fault_on")                                                                    \
	X(FAULT_OFF, "fault_off")                                                                  \
	X(FAULT_STRUCK, "fault_struck")                                                            \
	/* the master */                                                                           \
	X(M_REGISTERED, "m_registered") /* text: the address */                                    \
	X(M_REJECTED, "m_rejected")                                                                \
	X(M_SENT, "m_sent")                                                                        \
	X(M_OK, "m_ok")         /* value: ns since it was due */                                   \
	X(M_FAILED, "m_failed") /* text: why */                                                    \
	X(M_LOST, "m_lost")                                                                        \
	X(M_FORGOTTEN, "m_forgotten")                                                              \
	X(M_HIT, "m_hit")             /* a target reports one; value: hit_value */                 \
	X(M_ROUND, "m_round")         /* type: command; value: targets */                          \
	X(M_ROUND_END, "m_round_end") /* value: ns that it took */                                 \
	/* the run */                                                                              \
	X(NOTE, "note")

enum event_kind {
#define X(kind, name) EVENT_##kind,
	EVENT_KINDS(X)
#undef X
		EVENT_KIND_COUNT
};
_Static_assert(EVENT_KIND_COUNT <= 64, "a mask holds one bit a kind");

#define EVENT_NO_TARGET UINT32_MAX
#define EVENT_BIT(kind) (UINT64_C(1) << (kind))
#define EVENT_ALL (~UINT64_C(0))

struct event {
	int64_t t_ns;
	enum event_kind kind;
	uint32_t target;  /* its number in the fleet, or EVENT_NO_TARGET */
	const char *name; /* of the target, terminated; NULL where there is none */
	uint8_t type;     /* enum range_word, or 0 */
	int64_t value;
	const char *text;
	size_t text_len;
};

struct event_sink {
	void (*event)(struct event_sink *sink, const struct event *event);
	uint64_t mask;
	struct event_sink *next;
};

struct events {
	uint64_t mask; /* of all sinks together */
	struct event_sink *sinks;
};

const char *event_name(enum event_kind kind);
/* -1 where there is none of that name. */
int event_of(const char *name, size_t len);

/* Sinks are called in the order in which they were added. */
void events_add(struct events *events, struct event_sink *sink);
void events_deliver(const struct events *events, const struct event *event);

static inline int events_wanted(const struct events *events, enum event_kind kind)
{
	return (events->mask & EVENT_BIT(kind)) != 0;
}

#endif

/*
 * Timers: a hierarchical wheel in front of a small heap, exact to the nanosecond.
 *
 * Purpose: a million timers, most of which are cancelled before they are due (deadlines). Arming
 * and cancelling in the wheel is O(1); what comes due within the open slot (65 us) stands in a
 * pairing heap, ordered by (due, order of arming), so that runs under simulated time are exact and
 * repeatable.
 * Units: int64_t nanoseconds on whatever clock the caller keeps.
 * Ownership: a struct timer is embedded in its owner; it must be cancelled before that goes away.
 * No allocation at all.
 * Errors: none. Threads: one.
 */
#ifndef TIMERS_H
#define TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERS_NEVER INT64_MAX

struct timer {
	int64_t due_ns;
	uint64_t order;
	void (*fire)(struct timer *timer, int64_t now_ns);
	/* In the wheel: a list. In the heap: next sibling, previous sibling or parent, first child.
	 */
	struct timer *next, *prev, *child;
	uint8_t where; /* 0: idle */
	uint8_t level, slot;
};

#define TIMERS_LEVELS 6
#define TIMERS_SLOTS 256

struct timers {
	struct timer *heap;
	uint64_t armed_total; /* the order of arming */
	uint64_t position;    /* the last slot that was opened, in units of level 0 */
	size_t count;
	uint64_t busy[TIMERS_LEVELS][TIMERS_SLOTS / 64];
	struct timer *slots[TIMERS_LEVELS][TIMERS_SLOTS];
};

void timers_init(struct timers *timers, int64_t now_ns);
static inline bool timer_armed(const struct timer *timer)
{
	return timer->where != 0;
}
/* Arms, or arms anew. A time that has passed is due at once, TIMERS_NEVER not at all. timer->fire
 * must be set. */
void timer_arm(struct timers *timers, struct timer *timer, int64_t due_ns);
/* Harmless on an idle timer. */
void timer_cancel(struct timers *timers, struct timer *timer);
/* When the next timer is due, or TIMERS_NEVER. */
int64_t timers_next(struct timers *timers);
/*
 * Fires what is due at now_ns, in order; a timer is idle when its fire() is called. Timers armed by
 * those calls fire too if they are due. At most `limit` of them, so that a loop can look at its
 * sockets in between. Returns how many.
 */
size_t timers_run(struct timers *timers, int64_t now_ns, size_t limit);
/* Takes the next timer out if it is due by now_ns; NULL otherwise. For a simulated clock. */
struct timer *timers_pop(struct timers *timers, int64_t now_ns);

#endif

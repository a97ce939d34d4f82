/*
 * The loop: one thread's clocks, timers, descriptors and the things it puts off to the turn's end.
 *
 * Purpose: everything that runs, runs in a turn of a loop. The clocks are read once a turn and
 * handed down; a simulated loop has the same face and a clock that jumps to the next timer.
 * Units: nanoseconds; now_ns is CLOCK_MONOTONIC, wall_ns since 1970.
 * Ownership: loop_release() does not close the descriptors that others registered.
 * Errors: 0 or -errno. Threads: one loop, one thread; loop_stop() may be called by its own handlers
 * only.
 * Source: epoll(7), timerfd_create(2). One timerfd, set anew only when something is due earlier
 * than what it is set to: a loop that only serves messages makes no timer calls at all.
 */
#ifndef LOOP_H
#define LOOP_H

#include "emulator/base/timers.h"

struct loop_watch {
	void (*ready)(struct loop_watch *watch, uint32_t events); /* EPOLL* bits */
};

/* Work for the end of the turn, when no handler stands on the objects that it frees. */
struct loop_deferred {
	struct loop_deferred *next;
	void (*run)(struct loop_deferred *deferred);
};

struct loop {
	struct timers timers;
	int64_t now_ns, wall_ns;
	/* What this turn reports as ready, and the turn before did not, was not ready at this time:
	 * the earliest moment at which its bytes can have come. (Level-triggered descriptors.) */
	int64_t unready_ns;
	bool simulated;
	volatile bool stopping; /* a signal handler may set it */
	int epoll_fd, timer_fd;
	int64_t timer_fd_due_ns; /* what the timerfd is set to; TIMERS_NEVER: not at all */
	int64_t wall_offset_ns, wall_read_ns;
	struct loop_watch timer_watch;
	struct loop_deferred *deferred, *soon, *after;
	uint64_t turns, timer_late_max_ns;
};

int loop_init(struct loop *loop);
/* A loop without descriptors whose clock starts at now_ns = 0 and only timers move. */
void loop_init_simulated(struct loop *loop, int64_t wall_start_ns);
void loop_release(struct loop *loop);
/* Reads the clocks between turns: after a long preparation, before times are counted from now_ns.
 */
void loop_read_clocks(struct loop *loop);

/* Level-triggered. */
int loop_add(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch);
int loop_change(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch);
void loop_remove(struct loop *loop, int fd);

void loop_defer(struct loop *loop, struct loop_deferred *deferred);
/* The same, for right after the handler that is running now. */
void loop_soon(struct loop *loop, struct loop_deferred *deferred);
/* The same, for when all handlers of this turn have run, before anything that was put off. */
void loop_after(struct loop *loop, struct loop_deferred *deferred);
/* What was to be done soon, now: for who calls handlers of its own. */
void loop_run_soon(struct loop *loop);
/* Does now what was put off: for those whose memory is about to go. */
void loop_settle(struct loop *loop);

/* Runs until loop_stop(), or, simulated, until no timer is left or the clock passes until_ns. */
int loop_run(struct loop *loop, int64_t until_ns);
void loop_stop(struct loop *loop);

static inline void loop_timer(struct loop *loop, struct timer *timer, int64_t in_ns)
{
	int64_t due_ns;

	if (__builtin_add_overflow(loop->now_ns, in_ns, &due_ns))
		due_ns = TIMERS_NEVER;
	timer_arm(&loop->timers, timer, due_ns);
}

#endif

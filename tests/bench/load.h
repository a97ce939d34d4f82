/*
 * The load generator's parts: the plan of a run, the meter of one slice, the two kinds of load.
 *
 * A slice loads one side for a warm-up and a measured window, then lets what is in flight come
 * home. Two sides are loaded slice by slice out of one process, so that both see the same client
 * and nearly the same moment of the machine.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "tests/bench/common.h"

#define LOAD_EVENTS 1024
#define LOAD_SILENCE_MS 5000 /* no event for so long: the side is dead */

struct side {
	struct endpoint at;
	pid_t watch;       /* whose CPU time is sampled; 0: nobody's */
	size_t answer_len; /* 0: any */
};

struct plan {
	struct side sides[2];
	size_t n_sides;
	uint32_t addresses;   /* of each side */
	uint32_t connections; /* kept, or at once */
	uint32_t source;      /* connect: bind to this address; 0: the kernel chooses */
	bool eager;           /* connect: send at once, not when epoll reports "connected" */
	size_t slack;         /* an answer's length may differ by so much */
	int64_t warm_ns, measured_ns;
};

/* Counters that a load keeps; the meter takes their difference over the window. */
struct counters {
	uint64_t answers, answer_bytes;
	uint64_t failed; /* refused, reset, closed early */
	uint64_t wrong;  /* answers of another length than expected */
};

struct meter {
	enum { METER_WARMING, METER_MEASURING, METER_DRAINING } phase;
	pid_t watch;
	int64_t warm_until, start, end, measured_ns;
	int64_t cpu_watched, cpu_own; /* at start; after the window: used in it */
	struct counters counters;     /* running */
	struct counters window;       /* at start; after the window: its difference */
	struct hist latency;
};

/* A slice begins. */
void meter_start(struct meter *meter, const struct plan *plan, const struct side *side);
/* Once per turn of a load's loop. */
void meter_turn(struct meter *meter);

/* Whether `n` more bytes end an answer whose first `*got` bytes came before; counts it if so. */
bool answer_ends(struct meter *meter, const struct plan *plan, const struct side *side,
		 const char *bytes, size_t n, size_t *got);

/* One message in flight on each of plan->connections kept connections. */
struct kept;
struct kept *kept_new(const struct plan *plan, const struct side *side);
/* Opens the i-th connection. Each is opened once, before the first slice. */
void kept_connect(struct kept *kept, uint32_t i);
void kept_slice(struct kept *kept, struct meter *meter);

/* connect, ask, answer, close: plan->connections at once. */
struct cycles;
struct cycles *cycles_new(const struct plan *plan, const struct side *side);
void cycles_slice(struct cycles *cycles, struct meter *meter);

#endif

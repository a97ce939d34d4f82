/*
 * Calibration: an output joined to an input tells what the bench itself adds.
 *
 * Purpose: an output is toggled, the input's edges are read, and each toggle is matched with its
 * edge: latency from the call to the kernel's stamp, its jitter, edges lost or wrong; then bursts
 * of toggles closer and closer together, for the edge rate that this machine can be trusted with.
 * Units: nanoseconds, CLOCK_MONOTONIC; hertz of edges.
 * Ownership: the caller's lines (output and edges), not watched by anything else meanwhile.
 * Errors: 0 or -errno: -ENOTCONN when no edge comes at all (they are not joined), -ENODEV when a
 * chip is gone, -ECANCELED when *stop became true, -EINVAL for lines or counts of the wrong kind.
 * Threads: blocks its caller for about `toggles` * `spacing_ns` + 1 s: call it before the loop runs
 * anything that matters.
 *
 * What the numbers are: the level changes between two readings of the clock, just before and just
 * after the call that sets it. `latency` counts from the first: it holds the system call, the wire
 * and the interrupt, and is the bound that is wanted. `call` is the time between the two. What one
 * stamp may be wrong by is stamp_u_ns: half of the spread of the latencies, for what they have in
 * common cancels out in every difference of two stamps.
 */
#ifndef GPIO_LOOPBACK_H
#define GPIO_LOOPBACK_H

#include <signal.h>

#include "hil/gpio/gpio.h"

struct loopback_stats { /* of n values in nanoseconds; all 0 when n is 0 */
	size_t n;
	int64_t min_ns, median_ns, p95_ns, p99_ns, max_ns;
	double mean_ns, stddev_ns;
};

struct loopback_params {
	size_t toggles;     /* 200; at most LOOPBACK_TOGGLES_MAX */
	int64_t spacing_ns; /* 5 ms, jittered by a quarter so that it locks on to nothing */
	unsigned bursts;    /* 10 at each rate */
	int64_t wait_ns;    /* 100 ms: how long an edge may take before it is lost */
};
extern const struct loopback_params loopback_params_default;

#define LOOPBACK_TOGGLES_MAX 10000
#define LOOPBACK_BURST 12 /* edges: fewer than the 16 that a v1 interface buffers */
#define LOOPBACK_RATES 8

struct loopback_rate {
	int64_t spacing_ns;          /* between two toggles, as it was asked for */
	double rate_hz;              /* as it came out */
	size_t toggles, lost, wrong; /* wrong: impossible level, backwards, extra */
};

struct loopback_result {
	struct loopback_stats latency, rise, fall, call;
	int64_t stamp_u_ns;    /* (max - min) / 2 of the latencies */
	int64_t width_bias_ns; /* median of fall - median of rise: a pulse measures this much too
				  wide */
	size_t toggles, lost, extra; /* edges without a toggle: a floating or noisy wire */
	struct edge_counts counts;
	struct loopback_rate rates[LOOPBACK_RATES];
	size_t rates_count;
	double usable_hz; /* the highest rate at which nothing was lost or wrong; 0: none */
};

int loopback_run(struct gpio_line *output, struct gpio_line *input,
		 const struct loopback_params *params, const volatile sig_atomic_t *stop,
		 struct loopback_result *ret_result, struct gpio_fault *fault);

/* --- the same without a line: toggles and edges in, statistics out ------------------------------
 */

struct loopback_toggle {
	int64_t before_ns, after_ns; /* the clock around the call */
	bool level;
};

struct loopback_match {
	size_t matched, lost, extra;
};

/* Matches in order: a toggle takes the first edge of its level that is stamped after it and before
 * the next toggle of that level. ret_latency_ns has room for `toggles` and gets -1 where the edge
 * is lost. */
struct loopback_match loopback_match(const struct loopback_toggle *toggles, size_t count,
				     const struct edge *edges, size_t edge_count,
				     int64_t *ret_latency_ns);
/* Sorts values. */
struct loopback_stats loopback_stats(int64_t *values, size_t count);

#endif

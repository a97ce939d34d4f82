/*
 * Rates: so many a second, along a shape, open loop.
 *
 * Purpose: calls back for each sending with the moment when it was due, however late the loop is:
 * latencies measured from there leave nothing out.
 * Units: ns. Ownership: embedded in its owner; rate_stop() before that goes. Errors: none.
 * Threads: its loop's.
 */
#ifndef RATE_H
#define RATE_H

#include "emulator/scenario/timeline.h"

struct rate {
	struct timer timer;
	struct loop *loop;
	const struct rate_config *config;
	const int64_t *paused_until_ns;
	void (*send)(struct rate *rate, int64_t due_ns);
	int64_t start_ns, for_ns, next_ns;
};

void rate_start(struct rate *rate, struct loop *loop, const struct rate_config *config,
		int64_t for_ns, const int64_t *paused_until_ns,
		void (*send)(struct rate *rate, int64_t due_ns));
void rate_stop(struct rate *rate);
/* The rate at this time since the start, a second. */
double rate_at(const struct rate_config *config, int64_t for_ns, int64_t t_ns);

#endif

/*
 * The sampler: how a run went, in a bounded number of samples.
 *
 * Purpose: what the report's timelines are drawn from: targets by state, commands, latencies by
 * command, each at regular intervals. It starts at SAMPLE_FIRST_NS; when SAMPLES_MAX are taken,
 * neighbours are merged and the interval doubles, so a run of any length ends with 300 to 600.
 * A value costs an index and an increment.
 * Units: ns since the run began. Ownership: all memory is reserved at the start; the fleet and the
 * master outlive it.
 * Errors: sampler_new() 0 or -ENOMEM. Threads: the loop's.
 */
#ifndef SAMPLER_H
#define SAMPLER_H

#include "emulator/base/loop.h"
#include "emulator/fleet/fleet.h"
#include "emulator/master/master.h"
#include "emulator/results/marks.h"

#define SAMPLES_MAX 600
#define SAMPLE_FIRST_NS INT64_C(100000000)

/* The commands that a master sends, in the order of all results. */
#define COMMANDS 4
extern const enum range_word results_commands[COMMANDS];

/* Latencies of one interval: eight buckets an octave from 1 us to an hour, 12 % wide. */
#define SAMPLE_BUCKETS 256

struct sample_latency {
	uint32_t n;
	int64_t max_ns;
	uint32_t buckets[SAMPLE_BUCKETS];
};

/* What holds at the end of an interval, and what happened in it. */
struct sample {
	int64_t t_ns;
	uint32_t by_state[TARGET_STATES];
	uint32_t registered;
	uint64_t sent, ok, failed, lost; /* since the run began */
	struct sample_latency latency[COMMANDS];
};

struct sampler {
	struct event_sink sink;
	struct timer timer;
	struct loop *loop;
	const struct fleet *fleet;   /* NULL: none */
	const struct master *master; /* NULL: none */
	int64_t start_ns, interval_ns;
	uint32_t count;
	/* SAMPLES_MAX and the one that is being filled. The first is taken at 0. */
	struct sample *samples;
	struct marks marks;
};

int sampler_init(struct sampler *sampler, struct loop *loop, const struct fleet *fleet,
		 const struct master *master);
void sampler_release(struct sampler *sampler);
/* Takes the first sample and goes on by itself. */
void sampler_start(struct sampler *sampler);
/* Takes the last one. */
void sampler_finish(struct sampler *sampler);

/* Of one interval's latencies; 0 where there is none. Below 12 % off, never above the max. */
int64_t sample_percentile(const struct sample_latency *latency, double percent);

#endif

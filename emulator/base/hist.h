/*
 * Latency histograms in the manner of HdrHistogram: bounded memory, bounded error, any percentile.
 *
 * Purpose: values from 0 ns to an hour (others count as 0 or an hour) in log-linear buckets of
 * three significant digits: the error of any percentile is below 0.1 %. A recording is an index and
 * an increment. Keep one per command or group, never per target (270 kB each, touched as used).
 * Units: nanoseconds. Ownership: hist_release() what hist_init() took.
 * Errors: hist_init 0 or -ENOMEM. Threads: one.
 * Source: the percentile text is HdrHistogram's classic format (outputPercentileDistribution).
 */
#ifndef HIST_H
#define HIST_H

#include <stdint.h>
#include <stdio.h>

#define HIST_SUB_BITS 11 /* 2048 linear steps: three digits */
#define HIST_MAX_NS INT64_C(3600000000000)
#define HIST_BUCKETS ((43 - HIST_SUB_BITS) * 1024 + 2048)

struct hist {
	uint64_t *counts;
	uint64_t n;
	int64_t min, max;
	double sum, sum_squares;
};

int hist_init(struct hist *hist);
void hist_release(struct hist *hist);
void hist_reset(struct hist *hist);
void hist_add(struct hist *into, const struct hist *from);

static inline unsigned hist_index(int64_t ns)
{
	uint64_t v = ns < 0 ? 0 : ns > HIST_MAX_NS ? (uint64_t)HIST_MAX_NS : (uint64_t)ns;
	unsigned magnitude = 63u - (unsigned)__builtin_clzll(v | ((1u << HIST_SUB_BITS) - 1));
	unsigned shift = magnitude - (HIST_SUB_BITS - 1);

	return shift * 1024 + (unsigned)(v >> shift);
}

static inline void hist_record(struct hist *hist, int64_t ns)
{
	ns = ns < 0 ? 0 : ns > HIST_MAX_NS ? HIST_MAX_NS : ns;
	hist->counts[hist_index(ns)]++;
	hist->n++;
	hist->sum += (double)ns;
	hist->sum_squares += (double)ns * (double)ns;
	if (ns < hist->min)
		hist->min = ns;
	if (ns > hist->max)
		hist->max = ns;
}

/* The value below or at which `percent` of all values lie (as the middle of its bucket, but never
 * past the exact max); 0 when nothing was recorded. */
int64_t hist_percentile(const struct hist *hist, double percent);
double hist_mean(const struct hist *hist);
double hist_stddev(const struct hist *hist);
/* The percentile distribution as text, values in milliseconds; `ticks` steps a half distance. */
void hist_print(const struct hist *hist, int ticks, FILE *out);
/* Walks the buckets that hold something, in order: fn(low, high, count). */
void hist_each(const struct hist *hist,
	       void (*fn)(int64_t low, int64_t high, uint64_t count, void *context), void *context);

#endif

#include "emulator/base/hist.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int hist_init(struct hist *hist)
{
	memset(hist, 0, sizeof(*hist));
	hist->counts = calloc(HIST_BUCKETS, sizeof(*hist->counts));
	hist->min = INT64_MAX;
	return hist->counts != NULL ? 0 : -ENOMEM;
}

void hist_release(struct hist *hist)
{
	free(hist->counts);
	hist->counts = NULL;
}

void hist_reset(struct hist *hist)
{
	memset(hist->counts, 0, HIST_BUCKETS * sizeof(*hist->counts));
	hist->n = 0;
	hist->min = INT64_MAX;
	hist->max = 0;
	hist->sum = hist->sum_squares = 0;
}

void hist_add(struct hist *into, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->n += from->n;
	into->sum += from->sum;
	into->sum_squares += from->sum_squares;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
}

static int64_t bucket_low(unsigned index)
{
	if (index < 2048)
		return index;
	unsigned shift = index / 1024 - 1;
	return (int64_t)(index - shift * 1024) << shift;
}

static int64_t bucket_high(unsigned index)
{
	return index < 2047 ? (int64_t)index : bucket_low(index + 1) - 1;
}

static int64_t bucket_value(const struct hist *hist, unsigned index)
{
	int64_t middle = (bucket_low(index) + bucket_high(index)) / 2;

	return middle > hist->max ? hist->max : middle < hist->min ? hist->min : middle;
}

int64_t hist_percentile(const struct hist *hist, double percent)
{
	uint64_t seen = 0;

	if (hist->n == 0)
		return 0;
	/* In binary 99.9 % of 1000 is a little above 999: that must not become rank 1000. */
	uint64_t rank = (uint64_t)ceil(nextafter(percent, 0) / 100.0 * (double)hist->n);
	if (rank >= hist->n)
		return hist->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += hist->counts[i];
		if (seen >= rank && hist->counts[i] > 0)
			return bucket_value(hist, i);
	}
	return hist->max;
}

double hist_mean(const struct hist *hist)
{
	return hist->n > 0 ? hist->sum / (double)hist->n : 0;
}

double hist_stddev(const struct hist *hist)
{
	if (hist->n < 2)
		return 0;
	double mean = hist_mean(hist);
	double variance = hist->sum_squares / (double)hist->n - mean * mean;
	return variance > 0 ? sqrt(variance) : 0;
}

static uint64_t count_up_to(const struct hist *hist, int64_t value)
{
	unsigned last = hist_index(value);
	uint64_t seen = 0;

	for (unsigned i = 0; i <= last; i++)
		seen += hist->counts[i];
	return seen;
}

void hist_print(const struct hist *hist, int ticks, FILE *out)
{
	double percent = 0;

	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	while (hist->n > 0) {
		int64_t value = hist_percentile(hist, percent);
		uint64_t seen = value >= hist->max ? hist->n : count_up_to(hist, value);
		if (percent >= 100 || seen >= hist->n)
			break;
		fprintf(out, "%12.3f %2.12f %10llu %14.2f\n", (double)value / 1e6, percent / 100.0,
			(unsigned long long)seen, 1.0 / (1.0 - percent / 100.0));
		/* Each halving of the distance to 100 % gets `ticks` steps. */
		double half = pow(2, floor(log2(100.0 / (100.0 - percent))) + 1);
		percent += 100.0 / (half * ticks);
	}
	if (hist->n > 0)
		fprintf(out, "%12.3f %2.12f %10llu\n", (double)hist->max / 1e6, 1.0,
			(unsigned long long)hist->n);
	fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", hist_mean(hist) / 1e6,
		hist_stddev(hist) / 1e6);
	fprintf(out, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)hist->max / 1e6,
		(unsigned long long)hist->n);
	fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", 43 - HIST_SUB_BITS + 1, 2048);
}

void hist_each(const struct hist *hist,
	       void (*fn)(int64_t low, int64_t high, uint64_t count, void *context), void *context)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		if (hist->counts[i] > 0)
			fn(bucket_low(i), bucket_high(i), hist->counts[i], context);
}

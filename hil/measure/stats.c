#include "hil/measure/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define SHAPE_MIN 8 /* of Anderson-Darling's correction for small n */

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t stats_percentile(const int64_t *sorted, size_t n, double percent)
{
	assert(n > 0 && percent > 0 && percent <= 100);
	/* 95 % of 20 is 19.000000000000004 in doubles: that is rank 19. */
	size_t rank = (size_t)ceil(percent / 100 * (double)n - 1e-9);

	return sorted[(rank > 0 ? rank : 1) - 1];
}

static int64_t middle(const int64_t *sorted, size_t n)
{
	if (n % 2 == 1)
		return sorted[n / 2];
	return (int64_t)(((__int128)sorted[n / 2 - 1] + sorted[n / 2]) / 2);
}

/* Mean and sd in two passes, around the median: times since boot are large, their spread is not. */
static void moments(const int64_t *values, size_t n, int64_t around, double *mean, double *sd)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)values[i] - (double)around;
	double offset = sum / (double)n;
	for (size_t i = 0; i < n; i++) {
		double d = (double)values[i] - (double)around - offset;
		squares += d * d;
	}
	*mean = (double)around + offset;
	*sd = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
}

/* ln of the normal distribution's lower tail, exact far out too. */
static double log_below(double z)
{
	return log(0.5 * erfc(-z / sqrt(2)));
}

double stats_shape(const int64_t *sorted, size_t n, double mean, double sd)
{
	double sum = 0;

	if (n < SHAPE_MIN || sd <= 0)
		return HUGE_VAL;
	for (size_t i = 0; i < n; i++) {
		double low = ((double)sorted[i] - mean) / sd;
		double high = ((double)sorted[n - 1 - i] - mean) / sd;
		sum += (2 * (double)i + 1) * (log_below(low) + log_below(-high));
	}
	double a2 = -(double)n - sum / (double)n;
	return a2 * (1 + 0.75 / (double)n + 2.25 / ((double)n * (double)n));
}

static const char *why_no_cpk(const struct stats *stats, const struct limit *limit)
{
	if (limit == NULL || (!limit->has_min && !limit->has_max))
		return "no limit";
	if (stats->missing > 0)
		return "some never came";
	if (stats->n < STATS_CPK_MIN)
		return "n below 30";
	if (stats->sd <= 0)
		return "all the same";
	return "";
}

static void add_cpk(const int64_t *sorted, const struct limit *limit, struct stats *stats)
{
	stats->no_cpk = why_no_cpk(stats, limit);
	if (stats->no_cpk[0] != '\0')
		return;
	stats->shape = stats_shape(sorted, (size_t)stats->n, stats->mean, stats->sd);
	/* Not the negation: a NaN is no normal shape either. */
	if (!(stats->shape <= STATS_SHAPE_MAX)) {
		stats->no_cpk = "not normally distributed";
		return;
	}
	double up = limit->has_max ? ((double)limit->max - stats->mean) / (3 * stats->sd)
				   : HUGE_VAL;
	double down = limit->has_min ? (stats->mean - (double)limit->min) / (3 * stats->sd)
				     : HUGE_VAL;
	stats->cpk = up < down ? up : down;
	stats->has_cpk = true;
}

void stats_compute(int64_t *values, size_t n, uint64_t missing, const struct limit *limit,
		   struct stats *ret)
{
	*ret = (struct stats){ .n = n, .missing = missing, .no_cpk = "no values" };
	if (n == 0)
		return;
	qsort(values, n, sizeof(*values), ascending);
	ret->min = values[0];
	ret->max = values[n - 1];
	ret->median = middle(values, n);
	ret->p95 = stats_percentile(values, n, 95);
	ret->p99 = stats_percentile(values, n, 99);
	ret->p95_shown = n >= 20;
	ret->p99_shown = n >= 100;
	moments(values, n, ret->median, &ret->mean, &ret->sd);
	add_cpk(values, limit, ret);
}

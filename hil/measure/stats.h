/*
 * Statistics of a sample: plain numbers that can be checked by hand.
 *
 * Purpose: n, min, median, p95, p99, max, mean, standard deviation (n - 1), and Cpk where n and
 * shape allow. Percentiles are nearest-rank: values that were really seen; the median of an even n
 * is the mean of the middle two. A percentile that n cannot show (p99 of fewer than 100) is still
 * the nearest rank, that is the maximum, and `p95_shown`/`p99_shown` say so.
 * Units: those of the values. Ownership: the caller's array, sorted in place. Errors: none.
 * Threads: no state.
 */
#ifndef STATS_H
#define STATS_H

#include "hil/measure/verdict.h"

#define STATS_CPK_MIN 30 /* fewer values show no shape */

struct stats {
	uint64_t n;
	uint64_t missing; /* lost, timed out: not in any figure below */
	int64_t min, median, p95, p99, max;
	bool p95_shown, p99_shown;
	double mean, sd;
	bool has_cpk;
	double cpk;
	const char *no_cpk; /* why not: a static text; "" where has_cpk */
	double shape;       /* Anderson-Darling's A*2 against the normal; 0 where not asked */
};

/* Sorts `values`. limit may be NULL. */
void stats_compute(int64_t *values, size_t n, uint64_t missing, const struct limit *limit,
		   struct stats *ret);
/* Nearest rank of sorted values; percent in (0, 100]; n > 0. */
int64_t stats_percentile(const int64_t *sorted, size_t n, double percent);
/*
 * Anderson-Darling against a normal distribution of unknown mean and sd (Stephens' case 3,
 * A*2 = A2 (1 + 0.75/n + 2.25/n^2)); above STATS_SHAPE_MAX it is none at the 5 % level. n >= 8.
 */
double stats_shape(const int64_t *sorted, size_t n, double mean, double sd);
#define STATS_SHAPE_MAX 0.752

#endif

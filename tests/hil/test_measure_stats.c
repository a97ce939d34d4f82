/*
 * Statistics against values worked out by hand, and by SciPy 1.10.1 where the test says so.
 */
#include "hil/measure/stats.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void near(double got, double wanted, double tolerance, const char *what)
{
	cr_expect(fabs(got - wanted) <= tolerance, "%s is %.17g, expected %.17g", what, got,
		  wanted);
}

Test(stats, eight_values_by_hand)
{
	int64_t values[] = { 9, 4, 5, 2, 4, 7, 4, 5 };
	struct stats stats;

	stats_compute(values, N(values), 3, NULL, &stats);
	cr_expect(stats.n == 8 && stats.missing == 3);
	cr_expect(stats.min == 2 && stats.max == 9);
	/* Sorted: 2 4 4 4 5 5 7 9; the middle two are 4 and 5, and half is cut. */
	cr_expect(stats.median == 4);
	cr_expect(stats.p95 == 9 && stats.p99 == 9 && !stats.p95_shown && !stats.p99_shown);
	near(stats.mean, 5, 0, "mean");
	/* Squares of the distances: 9+1+1+1+0+0+4+16 = 32; sqrt(32 / 7). */
	near(stats.sd, sqrt(32.0 / 7), 1e-15, "sd");
	cr_expect(!stats.has_cpk && strcmp(stats.no_cpk, "no limit") == 0);
}

Test(stats, none_and_one)
{
	int64_t one = 42;
	struct stats stats;

	stats_compute(NULL, 0, 7, NULL, &stats);
	cr_expect(stats.n == 0 && stats.missing == 7 && !stats.has_cpk);
	stats_compute(&one, 1, 0, NULL, &stats);
	cr_expect(stats.min == 42 && stats.median == 42 && stats.p99 == 42 && stats.max == 42);
	cr_expect(stats.sd == 0 && stats.mean == 42);
}

Test(stats, percentiles_are_nearest_rank)
{
	int64_t values[200];

	for (int i = 0; i < 200; i++)
		values[i] = i + 1;
	cr_expect(stats_percentile(values, 20, 95) == 19);
	cr_expect(stats_percentile(values, 21, 95) == 20);
	cr_expect(stats_percentile(values, 100, 99) == 99);
	cr_expect(stats_percentile(values, 101, 99) == 100);
	cr_expect(stats_percentile(values, 200, 99) == 198);
	cr_expect(stats_percentile(values, 5, 100) == 5);
	cr_expect(stats_percentile(values, 5, 0.001) == 1);
}

Test(stats, when_a_percentile_is_more_than_the_maximum)
{
	int64_t values[100];
	struct stats stats;

	for (int i = 0; i < 100; i++)
		values[i] = i;
	stats_compute(values, 19, 0, NULL, &stats);
	cr_expect(!stats.p95_shown);
	stats_compute(values, 20, 0, NULL, &stats);
	cr_expect(stats.p95_shown && !stats.p99_shown && stats.p95 == 18);
	stats_compute(values, 100, 0, NULL, &stats);
	cr_expect(stats.p99_shown && stats.p99 == 98);
}

/* A clock that runs for years: the squares of such values have no digit left for their spread. */
Test(stats, large_values_keep_their_spread)
{
	int64_t base = INT64_C(4000000000000000000);
	int64_t values[] = { base + 1024, base + 3072, base + 1024, base + 3072 };
	struct stats stats;

	stats_compute(values, 4, 0, NULL, &stats);
	near(stats.sd, sqrt(4 * 1024.0 * 1024.0 / 3), 1, "sd");
	cr_expect(stats.median == base + 2048);
}

Test(stats, median_of_the_farthest_does_not_wrap)
{
	int64_t values[] = { INT64_MAX - 1, INT64_MAX };
	int64_t apart[] = { INT64_MIN, INT64_MAX };
	struct stats stats;

	stats_compute(values, 2, 0, NULL, &stats);
	cr_expect(stats.median == INT64_MAX - 1);
	stats_compute(apart, 2, 0, NULL, &stats);
	cr_expect(stats.median == 0);
}

/* norm.ppf((i - 0.5) / 40) * 1000 + 5000, and -log(1 - (i - 0.5) / 40) * 1000. */
static int64_t normal[] = { 2759, 3220, 3466, 3644, 3787, 3908, 4016, 4113, 4202, 4286,
			    4364, 4439, 4511, 4581, 4648, 4714, 4779, 4843, 4906, 4969,
			    5031, 5094, 5157, 5221, 5286, 5352, 5419, 5489, 5561, 5636,
			    5714, 5798, 5887, 5984, 6092, 6213, 6356, 6534, 6780, 7241 };
static int64_t exponential[] = { 13,   38,   65,   92,   119,  148,  177,  208,  239,  271,
				 304,  339,  375,  412,  450,  490,  532,  575,  621,  668,
				 718,  771,  827,  886,  948,  1015, 1086, 1163, 1247, 1338,
				 1438, 1549, 1674, 1817, 1984, 2185, 2436, 2773, 3283, 4382 };

/* scipy.stats.anderson(v).statistic * (1 + 0.75/40 + 2.25/1600) */
Test(stats, shape_as_scipy_has_it)
{
	struct stats stats;

	stats_compute(normal, 40, 0, NULL, &stats);
	near(stats_shape(normal, 40, stats.mean, stats.sd), 0.02554161093330859, 1e-9, "A*2");
	stats_compute(exponential, 40, 0, NULL, &stats);
	near(stats_shape(exponential, 40, stats.mean, stats.sd), 1.8586418902830082, 1e-9, "A*2");
}

Test(stats, cpk_of_a_normal_sample)
{
	struct limit up = { .has_max = true, .max = 8000 };
	struct limit both = { .has_min = true, .min = 3000, .has_max = true, .max = 8000 };
	struct limit down = { .has_min = true, .min = 1000 };
	struct stats stats;

	stats_compute(normal, 40, 0, &up, &stats);
	cr_assert(stats.has_cpk && stats.no_cpk[0] == '\0');
	near(stats.cpk, 3000 / (3 * 996.6795385499306), 1e-12, "Cpk");
	stats_compute(normal, 40, 0, &both, &stats);
	near(stats.cpk, 2000 / (3 * 996.6795385499306), 1e-12, "Cpk");
	stats_compute(normal, 40, 0, &down, &stats);
	near(stats.cpk, 4000 / (3 * 996.6795385499306), 1e-12, "Cpk");
}

Test(stats, no_cpk_where_it_would_lie)
{
	struct limit up = { .has_max = true, .max = 8000 }, none = { .max = 1 };
	int64_t same[40];
	struct stats stats;

	for (int i = 0; i < 40; i++)
		same[i] = 7;
	stats_compute(exponential, 40, 0, &up, &stats);
	cr_expect(!stats.has_cpk && strcmp(stats.no_cpk, "not normally distributed") == 0);
	stats_compute(normal, 29, 0, &up, &stats);
	cr_expect(!stats.has_cpk && strcmp(stats.no_cpk, "n below 30") == 0);
	stats_compute(normal, 40, 1, &up, &stats);
	cr_expect(!stats.has_cpk && strcmp(stats.no_cpk, "some never came") == 0);
	stats_compute(same, 40, 0, &up, &stats);
	cr_expect(!stats.has_cpk && strcmp(stats.no_cpk, "all the same") == 0);
	stats_compute(normal, 40, 0, &none, &stats);
	cr_expect(!stats.has_cpk && strcmp(stats.no_cpk, "no limit") == 0);
}

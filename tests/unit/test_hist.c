/*
 * Histograms against the sorted values themselves, and their text read back.
 */
#include "emulator/base/hist.h"
#include "emulator/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t draws;

static double unit(void)
{
	return rng_unit(rng_draw(2, 0, RNG_GENERATE, draws++));
}

/* ---- distributions, each a shape that latencies have ---- */

static int64_t linear_steps(void)
{
	return (int64_t)(unit() * 2048);
}

static int64_t uniform_wide(void)
{
	return (int64_t)(unit() * 3.6e12);
}

static int64_t exponential(void)
{
	return (int64_t)(-log(1 - unit()) * 5e6);
}

static int64_t every_magnitude(void)
{
	return (int64_t)exp2(unit() * 41.7);
}

static int64_t two_humps(void)
{
	return unit() < 0.97 ? 100000 + (int64_t)(unit() * 50000)
			     : 40000000 + (int64_t)(unit() * 1e7);
}

static int64_t constant(void)
{
	return 123456789;
}

static const struct {
	const char *name;
	int64_t (*draw)(void);
} shapes[] = {
	{ "linear steps", linear_steps }, { "uniform", uniform_wide },
	{ "exponential", exponential },   { "every magnitude", every_magnitude },
	{ "two humps", two_humps },       { "constant", constant },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* In thousandths of a percent: their ranks are then whole numbers, without rounding. */
static const uint64_t percents[] = { 0,     1,     10,    1000,  5000,  25000, 50000, 75000,
				     90000, 95000, 99000, 99500, 99900, 99990, 99999, 100000 };

static void compare(const char *shape, const struct hist *hist, const int64_t *sorted, uint64_t n)
{
	for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
		uint64_t rank = (percents[i] * n + 99999) / 100000;
		int64_t exact = sorted[rank > 0 ? rank - 1 : 0];
		int64_t got = hist_percentile(hist, (double)percents[i] / 1000);
		cr_expect(llabs(got - exact) <= exact / 1000,
			  "%s of %llu: percentile %.3f is %lld, exactly %lld", shape,
			  (unsigned long long)n, (double)percents[i] / 1000, (long long)got,
			  (long long)exact);
		cr_expect(got >= sorted[0] && got <= sorted[n - 1]);
	}
}

Test(hist, percentiles_within_a_thousandth)
{
	static const uint64_t sizes[] = { 1, 2, 3, 10, 999, 1000, 1001, 100000 };
	int64_t *values = calloc(100000, sizeof(*values));
	struct hist hist;

	cr_assert_eq(hist_init(&hist), 0);
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
			hist_reset(&hist);
			for (uint64_t i = 0; i < sizes[s]; i++) {
				values[i] = shapes[shape].draw();
				hist_record(&hist, values[i]);
			}
			qsort(values, sizes[s], sizeof(*values), by_value);
			compare(shapes[shape].name, &hist, values, sizes[s]);
		}
	hist_release(&hist);
	free(values);
}

/* In binary, 99.9 % of 1000 is a little more than 999: that must not become the maximum. */
Test(hist, percentile_that_binary_fractions_miss)
{
	struct hist hist;

	cr_assert_eq(hist_init(&hist), 0);
	for (int i = 0; i < 999; i++)
		hist_record(&hist, 1000);
	hist_record(&hist, 1000000000);
	cr_expect_eq(hist_percentile(&hist, 99.9), 1000);
	cr_expect_eq(hist_percentile(&hist, 99.91), 1000000000);
	hist_release(&hist);
}

/* ---- buckets ---- */

static void check_bucket(int64_t low, int64_t high, uint64_t count, void *context)
{
	int64_t value = *(const int64_t *)context;

	cr_expect_eq(count, 1);
	cr_expect(low <= value && value <= high, "%lld is not in %lld .. %lld", (long long)value,
		  (long long)low, (long long)high);
	cr_expect(high - low <= low / 1000, "%lld .. %lld is too wide", (long long)low,
		  (long long)high);
	cr_expect_eq(hist_index(low), hist_index(high));
	cr_expect_eq(hist_index(high + 1), hist_index(high) + (high < HIST_MAX_NS),
		     "a gap behind %lld", (long long)high);
}

Test(hist, every_value_lies_in_its_bucket)
{
	struct hist hist;

	cr_assert_eq(hist_init(&hist), 0);
	for (unsigned bit = 0; bit < 42; bit++)
		for (int64_t off = -2; off <= 2; off++) {
			int64_t value = (INT64_C(1) << bit) + off;
			if (value < 0 || value > HIST_MAX_NS)
				continue;
			hist_reset(&hist);
			hist_record(&hist, value);
			hist_each(&hist, check_bucket, &value);
			cr_expect_eq(hist_percentile(&hist, 50), value, "a single value is exact");
		}
	cr_expect(hist_index(HIST_MAX_NS) < HIST_BUCKETS);
	hist_release(&hist);
}

Test(hist, extremes)
{
	struct hist hist;

	cr_assert_eq(hist_init(&hist), 0);
	cr_expect_eq(hist_percentile(&hist, 50), 0, "nothing was recorded");
	cr_expect_eq(hist_mean(&hist), 0);
	cr_expect_eq(hist_stddev(&hist), 0);
	hist_record(&hist, -5); /* a clock that stepped back */
	cr_expect_eq(hist_percentile(&hist, 50), 0);
	cr_expect(hist.min == 0 && hist.max == 0 && hist_mean(&hist) == 0);
	hist_record(&hist, INT64_MAX);
	hist_record(&hist, HIST_MAX_NS + 1);
	cr_expect_eq(hist.n, 3);
	cr_expect_eq(hist.max, HIST_MAX_NS, "longer ones count as an hour");
	cr_expect_eq(hist_percentile(&hist, 100), HIST_MAX_NS);
	cr_expect_eq(hist_percentile(&hist, 99.999), HIST_MAX_NS);
	cr_expect_float_eq(hist_mean(&hist), 2.0 * HIST_MAX_NS / 3, 1);
	hist_reset(&hist);
	cr_expect_eq(hist.n, 0);
	cr_expect_eq(hist_percentile(&hist, 100), 0);
	hist_record(&hist, 7);
	cr_expect(hist.min == 7 && hist.max == 7 && hist_stddev(&hist) == 0);
	hist_release(&hist);
}

Test(hist, mean_and_standard_deviation)
{
	double sum = 0, squares = 0;
	int64_t values[5000];
	struct hist hist;

	for (size_t shape = 0; shape < SHAPES; shape++) {
		cr_assert_eq(hist_init(&hist), 0);
		sum = squares = 0;
		for (int i = 0; i < 5000; i++) {
			values[i] = shapes[shape].draw();
			hist_record(&hist, values[i]);
			sum += (double)values[i];
		}
		for (int i = 0; i < 5000; i++)
			squares += pow((double)values[i] - sum / 5000, 2);
		double deviation = sqrt(squares / 5000);
		cr_expect_float_eq(hist_mean(&hist), sum / 5000, 1e-9 * sum / 5000);
		cr_expect_float_eq(hist_stddev(&hist), deviation,
				   1e-6 * deviation + 1e-6 * sum / 5000, "%s", shapes[shape].name);
		hist_release(&hist);
	}
}

/* ---- merging ---- */

Test(hist, merged_is_as_recorded_together)
{
	struct hist whole, parts[2];

	cr_assert(hist_init(&whole) == 0 && hist_init(&parts[0]) == 0 && hist_init(&parts[1]) == 0);
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (int i = 0; i < 3000; i++) {
			int64_t value = shapes[shape].draw();
			hist_record(&whole, value);
			hist_record(&parts[shape % 2], value);
		}
	hist_add(&parts[0], &parts[1]);
	cr_expect_eq(parts[0].n, whole.n);
	cr_expect(parts[0].min == whole.min && parts[0].max == whole.max);
	cr_expect_arr_eq(parts[0].counts, whole.counts, HIST_BUCKETS * sizeof(*whole.counts));
	cr_expect_float_eq(hist_mean(&parts[0]), hist_mean(&whole), 1e-9 * hist_mean(&whole));
	cr_expect_float_eq(hist_stddev(&parts[0]), hist_stddev(&whole), 1e-6 * hist_stddev(&whole));
	hist_reset(&parts[1]);
	hist_add(&parts[0], &parts[1]);
	cr_expect(parts[0].min == whole.min && parts[0].n == whole.n, "an empty one adds nothing");
	hist_release(&whole);
	hist_release(&parts[0]);
	hist_release(&parts[1]);
}

/* ---- the text ---- */

struct row {
	double value, percentile, inverse;
	unsigned long long count;
};

static char *printed(const struct hist *hist, int ticks)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	hist_print(hist, ticks, out);
	fclose(out);
	return text;
}

static void check_row(const struct hist *hist, struct row row, struct row before)
{
	cr_expect(row.value >= before.value && row.percentile > before.percentile &&
			  row.count >= before.count,
		  "not ascending at %.12f", row.percentile);
	cr_expect_float_eq(row.inverse, 1 / (1 - row.percentile), 0.006 + 1e-9 * row.inverse);
	cr_expect((double)row.count >= row.percentile * (double)hist->n - 1e-6,
		  "%llu values are not %.12f of all", row.count, row.percentile);
	double value = (double)hist_percentile(hist, row.percentile * 100) / 1e6;
	/* Twelve decimals of the percentile may round over a value's edge: a bucket's width. */
	cr_expect_float_eq(row.value, value, value * 0.001 + 0.001);
}

static void check_footer(const char *at, const struct hist *hist)
{
	double mean, deviation, max;
	unsigned long long total;

	cr_assert_eq(sscanf(at,
			    "#[Mean    = %lf, StdDeviation   = %lf]\n"
			    "#[Max     = %lf, Total count    = %llu]\n#[Buckets = ",
			    &mean, &deviation, &max, &total),
		     4, "%s", at);
	cr_expect_float_eq(mean, hist_mean(hist) / 1e6, 0.001);
	cr_expect_float_eq(deviation, hist_stddev(hist) / 1e6, 0.001);
	cr_expect_float_eq(max, (double)hist->max / 1e6, 0.001);
	cr_expect_eq(total, hist->n);
}

/* Returns how many rows it has. */
static int check_text(const char *text, const struct hist *hist)
{
	static const char heading[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
	struct row row = { -1, -1, 0, 0 }, before;
	int rows = 0, used;

	cr_assert(strncmp(text, heading, strlen(heading)) == 0, "%s", text);
	const char *at = text + strlen(heading);
	for (; *at != '#'; at = strchr(at, '\n') + 1, rows++) {
		before = row;
		int fields = sscanf(at, "%lf %lf %llu%n %lf", &row.value, &row.percentile,
				    &row.count, &used, &row.inverse);
		cr_assert_geq(fields, 3, "%s", at);
		if (at[used] == '\n') {
			cr_expect_eq(row.percentile, 1.0);
			cr_expect_eq(row.count, hist->n);
			cr_expect_float_eq(row.value, (double)hist->max / 1e6, 0.0006);
			cr_expect_eq(at[used + 1], '#', "the last row comes last");
		} else {
			cr_assert_eq(fields, 4);
			check_row(hist, row, before);
		}
	}
	cr_expect(hist->n == 0 || row.percentile == 1.0, "a last row");
	check_footer(at, hist);
	return rows;
}

Test(hist, text_reads_back)
{
	struct hist hist;

	cr_assert_eq(hist_init(&hist), 0);
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (int n = 0; n <= 100000; n = n * 10 + 1)
			for (int ticks = 1; ticks <= 10; ticks += 3) {
				hist_reset(&hist);
				for (int i = 0; i < n; i++)
					hist_record(&hist, shapes[shape].draw());
				char *text = printed(&hist, ticks);
				int rows = check_text(text, &hist);
				cr_expect(n > 0 || rows == 0);
				free(text);
			}
	hist_release(&hist);
}

Test(hist, text_of_known_values)
{
	struct hist hist;

	cr_assert_eq(hist_init(&hist), 0);
	for (int i = 1; i <= 4; i++)
		hist_record(&hist, i * 1000);
	char *text = printed(&hist, 1);
	cr_expect_str_eq(text, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
			       "       0.001 0.000000000000          1           1.00\n"
			       "       0.002 0.500000000000          2           2.00\n"
			       "       0.003 0.750000000000          3           4.00\n"
			       "       0.004 1.000000000000          4\n"
			       "#[Mean    =        0.003, StdDeviation   =        0.001]\n"
			       "#[Max     =        0.004, Total count    =            4]\n"
			       "#[Buckets =           33, SubBuckets     =         2048]\n");
	free(text);
	hist_release(&hist);
}

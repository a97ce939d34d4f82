/* Durations and distributions: text both ways, and draws against theory. */
#include "emulator/base/units.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEC NS_PER_S

Test(units, durations_that_are_taken)
{
	static const struct {
		const char *text;
		int64_t ns;
	} CASES[] = {
		{ "250ms", 250000000 },
		{ "1.5s", 1500000000 },
		{ "2m", 120 * SEC },
		{ "1h", 3600 * SEC },
		{ "40us", 40000 },
		{ "10ns", 10 },
		{ "0", 0 },
		{ "0.00", 0 },
		{ " 0 ", 0 },
		{ "0h", 0 },
		{ "1m30s", 90 * SEC },
		{ "1h1m1s1ms1us1ns", 3661001001001 },
		{ "\t 7ms  ", 7000000 },
		{ "007ms", 7000000 },
		{ "0.4ns", 0 },
		{ "0.5ns", 1 },
		{ "1.4999ns", 1 },
		{ "0.0000000005s", 1 },
		{ "0.000000000277777h", 1000 },
		{ "1.00000000000000000000000000000001s", SEC },
		{ "9223372036854775807ns", INT64_MAX },
		{ "9223372036.854775807s", INT64_MAX },
		{ "2562047h47m16.854775807s", INT64_MAX },
	};

	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		int64_t ns = -1;

		cr_expect(units_duration(CASES[i].text, false, &ns), "%s", CASES[i].text);
		cr_expect(ns == CASES[i].ns, "%s gave %" PRId64, CASES[i].text, ns);
	}
}

Test(units, durations_that_are_refused)
{
	static const char *const CASES[] = {
		"",
		" ",
		"ms",
		"5",
		"1.s",
		".5s",
		"5 ms",
		"5sec",
		"5S",
		"-5ms",
		"+5ms",
		"--5",
		"1s1s",
		"1s1m",
		"1m0",
		"1s 5ms",
		"0x5s",
		"1e3s",
		"1,5s",
		"5ms.",
		"5ms;",
		"soon",
		"inf",
		"nan",
		"1.2.3s",
		"\n5ms",
		"5\xc2\xb5s",
		"1d",
		"9223372036854775808ns",
		"9223372036.8547758075s",
		"2562048h",
		"99999999999999999999s",
		"1m.5s",
	};

	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		int64_t ns = 4711;

		cr_expect(!units_duration(CASES[i], false, &ns), "\"%s\" was taken", CASES[i]);
		cr_expect(ns == 4711, "\"%s\" touched the result", CASES[i]);
	}
}

Test(units, negative_durations)
{
	int64_t ns = 0;

	cr_expect(units_duration("-5ms", true, &ns) && ns == -5000000);
	cr_expect(units_duration("-1m30s", true, &ns) && ns == -90 * SEC);
	cr_expect(units_duration("5ms", true, &ns) && ns == 5000000);
	cr_expect(!units_duration("- 5ms", true, &ns));
	cr_expect(!units_duration("-", true, &ns));
	cr_expect(!units_duration("1m-30s", true, &ns));
}

Test(units, duration_text)
{
	static const struct {
		int64_t ns;
		const char *text;
	} CASES[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 250000000, "250ms" },
		{ 500000000, "500ms" },
		{ 1500000000, "1.5s" },
		{ 60 * SEC, "1m" },
		{ 90 * SEC, "90s" },
		{ 150 * SEC, "150s" },
		{ 3600 * SEC, "1h" },
		{ 5400 * SEC, "90m" },
		{ 36000 * SEC, "10h" },
		{ 86400 * SEC, "24h" },
		{ 100 * SEC, "100s" },
		{ 100 * 60 * SEC, "100m" },
		{ 40000, "40us" },
		{ 1234567, "1234567ns" },
		{ 1230000, "1230us" },
		{ 1200000000, "1.2s" },
		{ 1000000001, "1000000001ns" },
		{ 10000000001, "10000000001ns" },
		{ -1500000000, "-1.5s" },
		{ -1, "-1ns" },
		{ INT64_MAX, "9223372036854775807ns" },
		{ INT64_MIN, "-9223372036854775808ns" },
	};
	char buf[32];

	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++)
		cr_expect_str_eq(units_duration_text(CASES[i].ns, buf, sizeof(buf)), CASES[i].text);
}

/* A generator that the tests own: splitmix64. */
static uint64_t next_bits(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

Test(units, duration_text_reads_back)
{
	uint64_t state = 1;
	char buf[32];

	for (int i = 0; i < 200000; i++) {
		int64_t ns = (int64_t)(next_bits(&state) >> (1 + next_bits(&state) % 62));
		int64_t back = -1;

		if (i % 3 == 0)
			ns -= ns % NS_PER_MS;
		if (i % 3 == 1)
			ns -= ns % (60 * SEC);
		units_duration_text(ns, buf, sizeof(buf));
		cr_assert(units_duration(buf, false, &back) && back == ns, "%" PRId64 ": %s", ns,
			  buf);
	}
}

Test(units, distributions_that_are_taken)
{
	static const struct {
		const char *text;
		struct dist dist;
		const char *back;
	} CASES[] = {
		{ "500ms", { DIST_FIXED, 500000000, 0 }, "500ms" },
		{ "0", { DIST_FIXED, 0, 0 }, "0s" },
		{ "uniform(400ms, 600ms)", { DIST_UNIFORM, 400000000, 600000000 }, NULL },
		{ "uniform(1s,1s)", { DIST_UNIFORM, SEC, SEC }, "uniform(1s, 1s)" },
		{ "normal(500ms, 20ms)", { DIST_NORMAL, 500000000, 20000000 }, NULL },
		{ " normal ( 0 , 0 ) ", { DIST_NORMAL, 0, 0 }, "normal(0s, 0s)" },
		{ "longtail(5ms, 100ms)", { DIST_LONGTAIL, 5000000, 100000000 }, NULL },
		{ "exponential(20ms)", { DIST_EXP, 20000000, 0 }, NULL },
	};
	char buf[96];

	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct dist dist = { .kind = DIST_EXP, .a = -1, .b = -1 };

		cr_assert(units_dist(CASES[i].text, &dist), "%s", CASES[i].text);
		cr_expect(dist.kind == CASES[i].dist.kind && dist.a == CASES[i].dist.a &&
				  dist.b == CASES[i].dist.b,
			  "%s", CASES[i].text);
		cr_expect_str_eq(units_dist_text(&dist, buf, sizeof(buf)),
				 CASES[i].back ? CASES[i].back : CASES[i].text);
	}
}

Test(units, distributions_that_are_refused)
{
	static const char *const CASES[] = {
		"",
		"soon",
		"-5ms",
		"uniform",
		"uniform(",
		"uniform()",
		"uniform(1s)",
		"uniform(2s, 1s)",
		"uniform(1s, 2s, 3s)",
		"uniform(1s, 2s",
		"uniform(1s, 2s) x",
		"uniform(1s; 2s)",
		"uniform(-1s, 2s)",
		"Uniform(1s, 2s)",
		"uniformly(1s, 2s)",
		"normal(5, 1ms)",
		"normal(5ms, -1ms)",
		"longtail(0, 5ms)",
		"longtail(6ms, 5ms)",
		"exponential(1s, 2s)",
		"exponential(,)",
		"(1s, 2s)",
		"normal(500ms, 20ms)normal(500ms, 20ms)",
	};

	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct dist dist = { .kind = DIST_EXP, .a = 4711, .b = 4712 };

		cr_expect(!units_dist(CASES[i], &dist), "\"%s\" was taken", CASES[i]);
		cr_expect(dist.kind == DIST_EXP && dist.a == 4711 && dist.b == 4712);
	}
}

/* ---- draws ---- */

#define N_DRAWS 400000

static int64_t draws[N_DRAWS];

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sorted draws, and their mean. */
static double draw_all(const char *text)
{
	struct dist dist;
	uint64_t state = 42;
	double sum = 0;

	cr_assert(units_dist(text, &dist), "%s", text);
	for (size_t i = 0; i < N_DRAWS; i++) {
		draws[i] = dist_draw(&dist, next_bits(&state));
		sum += (double)draws[i];
	}
	qsort(draws, N_DRAWS, sizeof(*draws), by_value);
	return sum / N_DRAWS;
}

static double percentile(double p)
{
	return (double)draws[(size_t)(p / 100 * (N_DRAWS - 1))];
}

static void expect_near(const char *what, double is, double should, double tolerance)
{
	cr_expect(fabs(is - should) <= tolerance * should, "%s: %.6g, should be %.6g", what, is,
		  should);
}

Test(units, draws_follow_theory)
{
	expect_near("fixed", draw_all("5ms"), 5e6, 0);
	cr_expect(draws[0] == 5000000 && draws[N_DRAWS - 1] == 5000000);

	expect_near("uniform mean", draw_all("uniform(400ms, 600ms)"), 500e6, 0.001);
	expect_near("uniform p10", percentile(10), 420e6, 0.002);
	expect_near("uniform p99", percentile(99), 598e6, 0.002);
	cr_expect(draws[0] >= 400000000 && draws[N_DRAWS - 1] <= 600000000);

	expect_near("normal mean", draw_all("normal(500ms, 20ms)"), 500e6, 0.0005);
	expect_near("normal p50", percentile(50), 500e6, 0.0005);
	expect_near("normal p84", percentile(84.134), 520e6, 0.001);
	expect_near("normal p2.275", percentile(2.275), 460e6, 0.001);
	expect_near("normal p99.865", percentile(99.865), 560e6, 0.003);

	/* The mean of a log-normal: median * exp(sigma^2 / 2), sigma = ln(20) / 2.326. */
	expect_near("longtail mean", draw_all("longtail(5ms, 100ms)"), 11.456e6, 0.02);
	expect_near("longtail p50", percentile(50), 5e6, 0.01);
	expect_near("longtail p99", percentile(99), 100e6, 0.03);
	expect_near("longtail p1", percentile(1), 0.25e6, 0.03);

	expect_near("exponential mean", draw_all("exponential(20ms)"), 20e6, 0.01);
	expect_near("exponential p50", percentile(50), 20e6 * 0.693147, 0.01);
	expect_near("exponential p99", percentile(99), 20e6 * 4.605170, 0.02);
}

Test(units, normal_is_cut_at_zero)
{
	draw_all("normal(10ms, 20ms)");
	cr_expect(draws[0] == 0);
	/* P(z < -0.5) = 0.3085 */
	cr_expect(percentile(30.5) == 0 && percentile(31.2) > 0);
}

/* Exactly these, in every build: a simulated run depends on each nanosecond. The values were
 * computed with 40 digits as well. */
Test(units, draws_are_the_same_everywhere)
{
	static const uint64_t BITS[] = { 0,
					 UINT64_MAX,
					 UINT64_C(1) << 63,
					 0x0123456789abcdef,
					 0xfedcba9876543210,
					 0x1000,
					 0xd1b54a32d192ed03,
					 0x7fffffffffffffff };
	static const struct {
		const char *text;
		int64_t ns[8];
	} CASES[] = {
		{ "uniform(400ms, 600ms)",
		  { 400000000, 600000000, 500000000, 400888888, 599111112, 400000000, 563834503,
		    500000000 } },
		{ "normal(500ms, 20ms)",
		  { 335809277, 664190723, 500000000, 447674036, 552325964, 338468580, 518244322,
		    500000000 } },
		{ "longtail(5ms, 100ms)",
		  { 128, 195084825371, 5000000, 172101, 145263736, 152, 16185819, 5000000 } },
		{ "exponential(20ms)",
		  { 0, 734736011, 13862944, 89087, 108322008, 0, 34204236, 13862944 } },
	};

	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct dist dist;

		cr_assert(units_dist(CASES[i].text, &dist));
		for (size_t k = 0; k < 8; k++) {
			int64_t ns = dist_draw(&dist, BITS[k]);

			cr_expect(ns == CASES[i].ns[k], "%s, draw %zu: %" PRId64, CASES[i].text, k,
				  ns);
		}
	}
}

/* A hash of many draws of each kind: one that differs shows. */
Test(units, a_long_run_is_the_same_everywhere)
{
	static const char *const TEXTS[] = { "uniform(1ns, 2h)", "normal(500ms, 100ms)",
					     "longtail(5ms, 1s)", "exponential(20ms)" };
	static const uint64_t HASHES[] = { 0x4c2b12394264edcc, 0x085119bd0af30663,
					   0x53b0918b3e28b3a4, 0x35d77f7f88b8bbad };

	for (size_t i = 0; i < 4; i++) {
		struct dist dist;
		uint64_t state = i, hash = UINT64_C(14695981039346656037);

		cr_assert(units_dist(TEXTS[i], &dist));
		for (int k = 0; k < 1000000; k++)
			hash = (hash ^ (uint64_t)dist_draw(&dist, next_bits(&state))) *
			       UINT64_C(1099511628211);
		cr_expect(hash == HASHES[i], "%s: 0x%016" PRIx64, TEXTS[i], hash);
	}
}

Test(units, more_bits_never_give_less)
{
	static const char *const TEXTS[] = { "uniform(3ns, 1h)", "normal(5ms, 5ms)",
					     "longtail(5ms, 1s)", "exponential(20ms)" };

	for (size_t i = 0; i < 4; i++) {
		struct dist dist;
		int64_t last = 0;

		cr_assert(units_dist(TEXTS[i], &dist));
		for (uint64_t k = 0; k < 100000; k++) {
			int64_t ns = dist_draw(&dist, k * (UINT64_MAX / 99999));

			cr_assert(ns >= last, "%s at %" PRIu64, TEXTS[i], k);
			last = ns;
		}
	}
}

Test(units, uniform_reaches_both_ends)
{
	static const struct dist COIN = { DIST_UNIFORM, 7, 8 };
	static const struct dist ALL = { DIST_UNIFORM, 0, INT64_MAX };

	cr_expect(dist_draw(&COIN, 0) == 7);
	cr_expect(dist_draw(&COIN, UINT64_MAX / 2) == 7);
	cr_expect(dist_draw(&COIN, UINT64_MAX / 2 + 1) == 8);
	cr_expect(dist_draw(&COIN, UINT64_MAX) == 8);
	cr_expect(dist_draw(&ALL, 0) == 0);
	cr_expect(dist_draw(&ALL, UINT64_MAX) == INT64_MAX);
}

Test(units, huge_draws_stay_in_range)
{
	static const struct dist CASES[] = {
		{ DIST_NORMAL, INT64_MAX, INT64_MAX },
		{ DIST_LONGTAIL, 1, INT64_MAX },
		{ DIST_EXP, INT64_MAX, 0 },
		{ DIST_FIXED, INT64_MAX, 0 },
	};

	for (size_t i = 0; i < 4; i++) {
		cr_expect(dist_draw(&CASES[i], UINT64_MAX) == INT64_MAX);
		cr_expect(dist_draw(&CASES[i], 0) >= 0);
		cr_expect(dist_high(&CASES[i]) == INT64_MAX);
	}
}

Test(units, high_is_the_999th_permille)
{
	static const struct {
		const char *text;
		int64_t ns;
	} CASES[] = {
		{ "5ms", 5000000 },
		{ "uniform(1ms, 2ms)", 2000000 },
		{ "normal(500ms, 20ms)", 561804646 },
		{ "longtail(5ms, 100ms)", 267429257 },
		{ "exponential(20ms)", 138155106 },
	};

	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct dist dist;

		cr_assert(units_dist(CASES[i].text, &dist));
		cr_expect(dist_high(&dist) == CASES[i].ns, "%s: %" PRId64, CASES[i].text,
			  dist_high(&dist));
		draw_all(CASES[i].text);
		expect_near(CASES[i].text, percentile(99.9), (double)CASES[i].ns, 0.06);
	}
}

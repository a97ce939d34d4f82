/*
 * The comparison of two samples: against SciPy 1.10.1, and against every way to deal the values.
 */
#include "hil/measure/compare.h"

#include "emulator/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct comparison compare(const int64_t *base, size_t n_base, const int64_t *now,
				 size_t n_now)
{
	int64_t a[100], b[100];
	struct comparison out;

	cr_assert(n_base <= N(a) && n_now <= N(b));
	memcpy(a, base, n_base * sizeof(*a));
	memcpy(b, now, n_now * sizeof(*b));
	cr_assert(compare_samples(a, n_base, b, n_now, COMPARE_ALPHA, &out) == 0);
	return out;
}

static void expect(const struct comparison *got, double u, double p, double delta, int64_t shift)
{
	cr_expect(got->u == u, "U is %g, expected %g", got->u, u);
	cr_expect(fabs(got->p - p) < 1e-12, "p is %.17g, expected %.17g", got->p, p);
	cr_expect(fabs(got->delta - delta) < 1e-12, "delta is %g, expected %g", got->delta, delta);
	cr_expect(got->shift == shift, "shift is %lld", (long long)got->shift);
}

Test(compare, apart)
{
	struct comparison c = compare((int64_t[]){ 1, 2, 3, 4 }, 4, (int64_t[]){ 5, 6, 7, 8 }, 4);

	/* 2 of the 70 ways to deal are as far out. */
	expect(&c, 16, 2.0 / 70, 1, 4);
	cr_expect(c.exact && c.word == COMPARE_SAME, "p of 0.029 is not below 0.01");
}

Test(compare, without_ties_as_scipy)
{
	struct comparison c = compare((int64_t[]){ 19, 22, 16, 29, 24 }, 5,
				      (int64_t[]){ 20, 11, 17, 12 }, 4);
	expect(&c, 3, 0.1111111111111111, -0.7, -7);
	int64_t base[30], now[30];
	for (int i = 0; i < 30; i++) {
		base[i] = i * 37 % 101 * 10;
		now[i] = i * 53 % 103 * 10 + 125;
	}
	c = compare(base, 30, now, 30);
	cr_expect(c.exact);
	expect(&c, 548, 0.1504155159485435, 2 * 548.0 / 900 - 1, 115);
}

Test(compare, with_ties)
{
	struct comparison c = compare((int64_t[]){ 1, 2, 2, 3, 3, 3 }, 6,
				      (int64_t[]){ 2, 3, 4, 4, 5 }, 5);
	/* All 462 ways to deal, by a program in another language. */
	expect(&c, 24.5, 0.11255411255411256, 0.6333333333333333, 1);
	c = compare((int64_t[]){ 7, 7, 7, 7 }, 4, (int64_t[]){ 7, 7, 7, 7 }, 4);
	expect(&c, 8, 1, 0, 0);
	cr_expect(c.word == COMPARE_SAME);
}

Test(compare, many_with_ties_as_scipy)
{
	int64_t base[40], now[41];

	for (int i = 0; i < 40; i++)
		base[i] = i * 37 % 17;
	for (int i = 0; i < 41; i++)
		now[i] = i * 53 % 19 + 2;
	struct comparison c = compare(base, 40, now, 41);
	cr_expect(!c.exact);
	expect(&c, 1073, 0.01692553507272128, 2 * 1073.0 / 1640 - 1, 3);
}

/* ---- every way to deal, by brute force: no ranks, no table ---- */

static double u_of(const int64_t *values, unsigned n, unsigned is_new)
{
	double u = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < n; k++)
			if ((is_new >> i & 1) != 0 && (is_new >> k & 1) == 0)
				u += values[i] > values[k] ? 1 : values[i] == values[k] ? 0.5 : 0;
	return u;
}

static double brute_force(const int64_t *values, unsigned n, unsigned n_new, double u)
{
	unsigned all = 0, below = 0, above = 0;

	for (unsigned deal = 0; deal < 1u << n; deal++) {
		if ((unsigned)__builtin_popcount(deal) != n_new)
			continue;
		double other = u_of(values, n, deal);
		all++;
		below += other <= u;
		above += other >= u;
	}
	return fmin(1, 2.0 * (below < above ? below : above) / all);
}

Test(compare, exact_p_is_that_of_every_deal)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		unsigned n_base = 3 + (unsigned)(seed % 4), n_new = 3 + (unsigned)(seed / 4 % 4);
		/* Few different values: many ties. Or many: none. */
		uint64_t range = seed % 3 == 0 ? 3 : seed % 3 == 1 ? 10 : 100000;
		int64_t values[12];
		for (unsigned i = 0; i < n_base + n_new; i++)
			values[i] = (int64_t)rng_below(rng_draw(seed, i, RNG_GENERATE, 0), range);
		unsigned dealt = ((1u << n_new) - 1) << n_base;
		double u = u_of(values, n_base + n_new, dealt);
		double p = brute_force(values, n_base + n_new, n_new, u);
		struct comparison c = compare(values, n_base, values + n_base, n_new);
		cr_expect(c.exact && c.u == u && fabs(c.p - p) < 1e-12,
			  "seed %llu: U %g and %g, p %.15g and %.15g", (unsigned long long)seed,
			  c.u, u, c.p, p);
	}
}

/* ---- words ---- */

Test(compare, too_few_is_said)
{
	struct comparison c = compare((int64_t[]){ 1, 2, 3 }, 3, (int64_t[]){ 9, 9, 9, 9 }, 4);

	cr_expect(c.word == COMPARE_TOO_FEW);
	c = compare((int64_t[]){ 0 }, 0, (int64_t[]){ 1 }, 1);
	cr_expect(c.word == COMPARE_TOO_FEW && c.p == 1 && c.delta == 0);
}

Test(compare, slower_and_faster)
{
	int64_t base[20], now[20];

	for (int i = 0; i < 20; i++) {
		base[i] = 100 + i;
		now[i] = 115 + i;
	}
	struct comparison c = compare(base, 20, now, 20);
	cr_expect(c.word == COMPARE_GREATER && c.shift == 15 && c.p < 1e-6);
	cr_expect_str_eq(compare_magnitude(c.delta), "large");
	c = compare(now, 20, base, 20);
	cr_expect(c.word == COMPARE_SMALLER && c.shift == -15 && c.delta < -0.9);
}

/* Significant, and of no interest: with enough values any difference is. */
Test(compare, a_negligible_difference_is_none)
{
	struct comparison c = { .n_base = 100000, .n_new = 100000, .p = 1e-9, .delta = 0.1 };

	cr_expect(compare_judge(&c, COMPARE_ALPHA) == COMPARE_SAME);
	c.delta = 0.147;
	cr_expect(compare_judge(&c, COMPARE_ALPHA) == COMPARE_GREATER);
	c.p = 0.0101;
	cr_expect(compare_judge(&c, COMPARE_ALPHA) == COMPARE_SAME);
	cr_expect_str_eq(compare_magnitude(0.146), "negligible");
	cr_expect_str_eq(compare_magnitude(-0.2), "small");
	cr_expect_str_eq(compare_magnitude(0.4), "medium");
	cr_expect_str_eq(compare_magnitude(-0.474), "large");
}

/* Holm's own steps by hand: 0.01*4, 0.02*3, max(0.06, 0.03*2), max(.., 0.5). */
Test(compare, holm)
{
	double p[] = { 0.03, 0.5, 0.01, 0.02 };

	cr_assert(compare_holm(p, 4) == 0);
	cr_expect(fabs(p[2] - 0.04) < 1e-15 && fabs(p[3] - 0.06) < 1e-15);
	cr_expect(fabs(p[0] - 0.06) < 1e-15 && fabs(p[1] - 0.5) < 1e-15);
	double sure[] = { 0.9, 0.9 };
	cr_assert(compare_holm(sure, 2) == 0);
	cr_expect(sure[0] == 1 && sure[1] == 1);
	cr_expect(compare_holm(sure, 0) == 0);
}

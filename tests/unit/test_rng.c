/*
 * Draws by counter: the same on every machine, even, and without ties between their arguments.
 */
#include "emulator/base/rng.h"

#include <criterion/criterion.h>

#include <math.h>

/* What a seed gave once it gives for ever: recorded runs are replayed by it. */
Test(rng, known_draws)
{
	cr_expect_eq(rng_draw(0, 0, 0, 0), UINT64_C(0x94a0292e4c3e2ae7), "%llx",
		     (unsigned long long)rng_draw(0, 0, 0, 0));
	cr_expect_eq(rng_draw(1, 2, RNG_HIT, 3), UINT64_C(0xc384edb46b18f4d9), "%llx",
		     (unsigned long long)rng_draw(1, 2, RNG_HIT, 3));
	cr_expect_eq(
		rng_draw(UINT64_MAX, UINT32_MAX, RNG_FAULT + 7, UINT64_MAX),
		UINT64_C(0x739f07fd7a29df6e), "%llx",
		(unsigned long long)rng_draw(UINT64_MAX, UINT32_MAX, RNG_FAULT + 7, UINT64_MAX));
}

/* Chi-squared over 256 cells; 255 degrees of freedom exceed 350 once in 30,000 times. */
static double chi_squared(uint64_t (*draw)(uint64_t), unsigned shift)
{
	double cells[256] = { 0 }, chi = 0;
	const double n = 256 * 400;

	for (uint64_t i = 0; i < (uint64_t)n; i++)
		cells[draw(i) >> shift & 255]++;
	for (int i = 0; i < 256; i++)
		chi += (cells[i] - n / 256) * (cells[i] - n / 256) / (n / 256);
	return chi;
}

static uint64_t by_count(uint64_t i)
{
	return rng_draw(7, 1, RNG_HIT, i);
}

static uint64_t by_who(uint64_t i)
{
	return rng_draw(7, i, RNG_HIT, 0);
}

static uint64_t by_seed(uint64_t i)
{
	return rng_draw(i, 1, RNG_HIT, 0);
}

static uint64_t by_purpose(uint64_t i)
{
	return rng_draw(7, 1, i, 0);
}

/* How the draws of two neighbours differ: related arguments must not give related draws. */
static uint64_t neighbours(uint64_t i)
{
	return rng_draw(7, i, RNG_HIT, 5) ^ rng_draw(7, i + 1, RNG_HIT, 5);
}

Test(rng, even_in_every_argument)
{
	uint64_t (*const draws[])(uint64_t) = { by_count, by_who, by_seed, by_purpose, neighbours };

	for (size_t i = 0; i < sizeof(draws) / sizeof(*draws); i++)
		for (unsigned shift = 0; shift < 64; shift += 8) {
			double chi = chi_squared(draws[i], shift);
			cr_expect(chi < 350 && chi > 170, "draw %zu, bits from %u: %.0f", i, shift,
				  chi);
		}
}

Test(rng, unit_and_below)
{
	uint64_t counts[7] = { 0 };
	double sum = 0;

	cr_expect_eq(rng_unit(0), 0);
	cr_expect(rng_unit(UINT64_MAX) < 1 && rng_unit(UINT64_MAX) > 0.999999);
	cr_expect(rng_below(UINT64_MAX, 1) == 0 && rng_below(0, 5) == 0);
	cr_expect_eq(rng_below(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
	for (uint64_t i = 0; i < 70000; i++) {
		uint64_t value = rng_below(by_count(i), 7);
		cr_assert(value < 7);
		counts[value]++;
		sum += rng_unit(by_count(i));
	}
	for (int i = 0; i < 7; i++)
		cr_expect_float_eq((double)counts[i], 10000, 400, "%d came %llu times", i,
				   (unsigned long long)counts[i]);
	cr_expect_float_eq(sum / 70000, 0.5, 0.005);
}

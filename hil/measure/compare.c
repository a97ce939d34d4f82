#include "hil/measure/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pairs for the Hodges-Lehmann shift; above, every k-th value of each sorted sample stands for its
 * neighbours. */
#define PAIRS_MAX 1000000

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int ascending_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

const char *compare_word_name(enum compare_word word)
{
	static const char *const names[] = { "too few", "same", "greater", "smaller" };

	return (unsigned)word < 4 ? names[word] : "unknown";
}

const char *compare_magnitude(double delta)
{
	double size = fabs(delta);

	return size < COMPARE_DELTA ? "negligible"
	       : size < 0.33        ? "small"
	       : size < 0.474       ? "medium"
				    : "large";
}

/* ---- ranks ---- */

struct ranks {
	size_t n_base, n_new, n;
	uint64_t sum2;   /* twice the new sample's sum of ranks: mean ranks of ties are halves */
	double ties;     /* sum of t^3 - t */
	uint32_t *twice; /* twice the rank of each value, in order; n of them */
};

/* Walks both sorted samples at once, a group of equal values at a time. */
static void rank(const int64_t *base, const int64_t *now, struct ranks *ranks)
{
	size_t i = 0, k = 0;

	while (i < ranks->n_base || k < ranks->n_new) {
		int64_t value = k == ranks->n_new || (i < ranks->n_base && base[i] <= now[k])
					? base[i]
					: now[k];
		size_t before = i + k, of_new = 0;
		for (; i < ranks->n_base && base[i] == value; i++)
			;
		for (; k < ranks->n_new && now[k] == value; k++)
			of_new++;
		size_t t = i + k - before;
		uint64_t twice = 2 * before + t + 1;
		ranks->sum2 += twice * of_new;
		ranks->ties += (double)t * (double)t * (double)t - (double)t;
		if (ranks->twice != NULL)
			for (size_t at = before; at < before + t; at++)
				ranks->twice[at] = (uint32_t)twice;
	}
}

/* ---- p ---- */

/*
 * Exact, ties included: of all ways to pick n_new of the ranks, how many have a sum as far out?
 * ways[k * width + s]: how many picks of k ranks sum up to s (all twice). Beyond 2^53 doubles round
 * these counts, which costs digits that do not matter.
 */
static int p_exact(const struct ranks *ranks, double *ret)
{
	size_t few = ranks->n_new, width = ranks->n * (ranks->n + 1) + 1;
	double *ways = calloc((few + 1) * width, sizeof(*ways)), below = 0, above = 0, all = 0;

	if (ways == NULL)
		return -ENOMEM;
	ways[0] = 1;
	for (size_t i = 0; i < ranks->n; i++) {
		size_t r = ranks->twice[i], most = i + 1 < few ? i + 1 : few;
		for (size_t k = most; k > 0; k--)
			for (size_t s = width - 1; s >= r; s--)
				ways[k * width + s] += ways[(k - 1) * width + s - r];
	}
	for (size_t s = 0; s < width; s++) {
		double n = ways[few * width + s];
		all += n;
		below += s <= ranks->sum2 ? n : 0;
		above += s >= ranks->sum2 ? n : 0;
	}
	free(ways);
	*ret = fmin(1, 2 * fmin(below, above) / all);
	return 0;
}

static double p_normal(const struct ranks *ranks, double u)
{
	double a = (double)ranks->n_base, b = (double)ranks->n_new, n = a + b;
	double variance = a * b / 12 * (n + 1 - ranks->ties / (n * (n - 1)));
	double distance = fabs(u - a * b / 2) - 0.5;

	if (variance <= 0)
		return 1;
	return distance <= 0 ? 1 : fmin(1, erfc(distance / sqrt(variance) / sqrt(2)));
}

/* ---- the shift ---- */

static int shift(const int64_t *base, size_t n_base, const int64_t *now, size_t n_now, int64_t *ret)
{
	size_t step = 1;

	while ((n_base / step + 1) * (n_now / step + 1) > PAIRS_MAX)
		step++;
	size_t cap = (n_base / step + 1) * (n_now / step + 1), n = 0;
	int64_t *differences = malloc(cap * sizeof(*differences));
	if (differences == NULL)
		return -ENOMEM;
	/* From the middle of each group of `step`, so that thinning favours neither end. */
	for (size_t i = (step - 1) / 2; i < n_base; i += step)
		for (size_t k = (step - 1) / 2; k < n_now; k += step)
			differences[n++] = now[k] - base[i];
	qsort(differences, n, sizeof(*differences), ascending);
	*ret = n % 2 == 1 ? differences[n / 2]
			  : (int64_t)(((__int128)differences[n / 2 - 1] + differences[n / 2]) / 2);
	free(differences);
	return 0;
}

/* ---- all of it ---- */

enum compare_word compare_judge(const struct comparison *comparison, double alpha)
{
	if (comparison->n_base < COMPARE_N_MIN || comparison->n_new < COMPARE_N_MIN)
		return COMPARE_TOO_FEW;
	if (comparison->p > alpha || fabs(comparison->delta) < COMPARE_DELTA)
		return COMPARE_SAME;
	return comparison->delta > 0 ? COMPARE_GREATER : COMPARE_SMALLER;
}

int compare_samples(int64_t *base, size_t n_base, int64_t *now, size_t n_now, double alpha,
		    struct comparison *ret)
{
	struct comparison out = { .n_base = n_base, .n_new = n_now, .p = 1 };
	struct ranks ranks = { .n_base = n_base, .n_new = n_now, .n = n_base + n_now };
	uint32_t room[COMPARE_EXACT_MAX];
	int rc = 0;

	if (n_base == 0 || n_now == 0) {
		*ret = out;
		return 0;
	}
	qsort(base, n_base, sizeof(*base), ascending);
	qsort(now, n_now, sizeof(*now), ascending);
	out.exact = ranks.n <= COMPARE_EXACT_MAX;
	ranks.twice = out.exact ? room : NULL;
	rank(base, now, &ranks);
	out.u = (double)ranks.sum2 / 2 - (double)n_now * ((double)n_now + 1) / 2;
	out.delta = 2 * out.u / ((double)n_base * (double)n_now) - 1;
	if (out.exact)
		rc = p_exact(&ranks, &out.p);
	else
		out.p = p_normal(&ranks, out.u);
	if (rc == 0)
		rc = shift(base, n_base, now, n_now, &out.shift);
	if (rc < 0)
		return rc;
	out.word = compare_judge(&out, alpha);
	*ret = out;
	return 0;
}

int compare_holm(double *p, size_t n)
{
	if (n == 0)
		return 0;
	double *sorted = malloc(2 * n * sizeof(*sorted));
	if (sorted == NULL)
		return -ENOMEM;
	double *adjusted = sorted + n;
	memcpy(sorted, p, n * sizeof(*p));
	qsort(sorted, n, sizeof(*sorted), ascending_double);
	/* Each by how many are still in question, and never below one that is smaller. */
	for (size_t i = 0; i < n; i++) {
		double value = fmin(1, sorted[i] * (double)(n - i));
		adjusted[i] = i > 0 ? fmax(value, adjusted[i - 1]) : value;
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		while (at + 1 < n && sorted[at] != p[i])
			at++;
		p[i] = adjusted[at];
	}
	free(sorted);
	return 0;
}

/*
 * Did it get slower? Two samples compared by a test and an effect size, not by eye.
 *
 * Purpose: the Mann-Whitney U test (ranks, so no shape is assumed and an outlier weighs no more
 * than another) says whether a difference can be chance; Cliff's delta says how large it is, from
 * -1 to 1; the Hodges-Lehmann shift says how much in the values' own unit. Ties get mean ranks.
 * The p value is exact, ties included, up to COMPARE_EXACT_MAX values in all; above that it is the
 * normal approximation with tie and continuity correction. It is two-sided.
 * Units: those of the values. Ownership: the caller's arrays are sorted in place.
 * Errors: compare_samples() 0, or -ENOMEM. Threads: no state.
 * Source: Mann, Whitney 1947; Cliff 1993; magnitudes after Romano et al. 2006; Holm 1979.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMPARE_EXACT_MAX 60
#define COMPARE_N_MIN 4 /* fewer on either side cannot reach a p of 0.05 */
#define COMPARE_ALPHA 0.01
#define COMPARE_DELTA 0.147 /* below it a difference is negligible */

enum compare_word {
	COMPARE_TOO_FEW,
	COMPARE_SAME,    /* none that could be shown, or a negligible one */
	COMPARE_GREATER, /* the second sample is greater: slower */
	COMPARE_SMALLER,
};
/* "too few", "same", "greater", "smaller". */
const char *compare_word_name(enum compare_word word);

struct comparison {
	size_t n_base, n_new;
	double u; /* pairs in which the new value is greater, ties as a half */
	double p; /* two-sided; 1 where nothing can be said */
	bool exact;
	double delta;  /* Cliff's, > 0: the new one is greater */
	int64_t shift; /* Hodges-Lehmann: the median of all differences new - base */
	enum compare_word word;
};

int compare_samples(int64_t *base, size_t n_base, int64_t *now, size_t n_now, double alpha,
		    struct comparison *ret);
/* "negligible", "small", "medium", "large". */
const char *compare_magnitude(double delta);
/* Holm's correction of n p values in place: of many comparisons some would be odd by chance. */
int compare_holm(double *p, size_t n);
/* The word again, after p was corrected. */
enum compare_word compare_judge(const struct comparison *comparison, double alpha);

#endif

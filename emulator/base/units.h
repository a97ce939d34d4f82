/*
 * Values with units, as a config writes them: durations and distributions of durations.
 *
 * Purpose: "250ms" means the same in every setting. All times are int64_t nanoseconds.
 * Errors: false, *ret untouched. Threads: no state.
 */
#ifndef UNITS_H
#define UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/*
 * "250ms", "1.5s", "2m", "1h", "40us", "10ns", "0": a decimal number and a unit (a bare 0 needs
 * none); "1m30s" adds up, larger units first. Spaces around are allowed. Negative ("-5ms") only
 * with allow_negative. Rounded to whole nanoseconds; what 64 bits do not hold is no duration.
 */
bool units_duration(const char *text, bool allow_negative, int64_t *ret_ns);

/* The shortest exact text that does not begin with "0.": "250ms", "1.5s", "0s". buf of 32 bytes
 * always suffices. Returns buf. */
const char *units_duration_text(int64_t ns, char *buf, size_t cap);

/* The shortest JSON number that reads back as the same double: "5", "0.1". buf of 32 bytes
 * suffices; not for infinities. Returns buf. */
const char *units_number_text(double value, char *buf, size_t cap);

enum dist_kind {
	DIST_FIXED,    /* "500ms" */
	DIST_UNIFORM,  /* "uniform(400ms, 600ms)": low, high inclusive */
	DIST_NORMAL,   /* "normal(500ms, 20ms)": mean, standard deviation; cut at 0 */
	DIST_LONGTAIL, /* "longtail(5ms, 100ms)": median, 99th percentile (log-normal) */
	DIST_EXP,      /* "exponential(20ms)": mean */
};

/* How long something takes. a and b as the kind's comment lists them, nanoseconds. */
struct dist {
	enum dist_kind kind;
	int64_t a, b;
};

/* Also false for low above high, a median of 0 or above the 99th percentile, and negative times. */
bool units_dist(const char *text, struct dist *ret);
/* As a config writes it. buf of 96 bytes always suffices. Returns buf. */
const char *units_dist_text(const struct dist *dist, char *buf, size_t cap);
/* One draw: `bits` is 64 uniformly random bits; more bits never give less. Never negative.
 * Deterministic: debug and release builds and both compilers agree (one libm assumed). */
int64_t dist_draw(const struct dist *dist, uint64_t bits);
/* The largest value that a draw has in practice (the 99.9th percentile; of a uniform one its high),
 * for time-outs and checks. */
int64_t dist_high(const struct dist *dist);

#endif

/*
 * The figures of a run: samples by key; medians to the terminal and to a flat JSON object.
 *
 * A key's figure is the median of its samples, and a ratio's is the median of the ratios of the
 * single pairs (never the ratio of two medians): what drifts from pair to pair cancels.
 */
#ifndef BENCH_BOOK_H
#define BENCH_BOOK_H

#include <stdbool.h>
#include <stddef.h>

#define BOOK_KEY_MAX 64

void book_add(double sample, const char *key_format, ...) __attribute__((format(printf, 2, 3)));
/* share 0.5: the median. NaN when the key has no samples. */
double book_quantile(const char *key, double share);
/* Adds every numeric member of a flat JSON object, as one sample each. Returns how many. */
size_t book_add_json(const char *json);
/* Dies when it cannot be written. Ratios have their quartiles beside them, as KEY_q1 and KEY_q3. */
void book_write(const char *path);
/* The table. Returns how many floors are missed; what was to be measured and was not is a miss. */
unsigned book_verdicts(bool kept, bool connect, bool json);

/* The number at "key" in a flat JSON object. NaN when it is not there. */
double json_number(const char *json, const char *key);

#endif

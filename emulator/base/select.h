/*
 * Selectors: which targets something is meant for, as a config writes it.
 *
 * Purpose: one small language for rounds, timelines and expectations:
 *     all                    everybody
 *     target_3  target_*     a name; '*' stands for any run of characters
 *     target_[1-10]          names whose number lies in a range
 *     group:west  tag:new    by group, by tag
 *     state:up               by state
 *     25%  random(10)        a share, or a number, of what stands so far, drawn by the seed
 *     a & b                  both, from left to right:  group:west & state:up & random(3)
 *     a, b                   either
 * Ownership: a parsed selector points into its text, which must outlive it.
 * Errors: selector_parse() false, with what was expected. Threads: no state.
 */
#ifndef SELECT_H
#define SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECTOR_FACTORS_MAX 24

enum selector_factor_kind {
	SELECT_ALL,
	SELECT_NAME,  /* text; '*' matches anything */
	SELECT_RANGE, /* text [low-high] suffix */
	SELECT_GROUP,
	SELECT_TAG,
	SELECT_STATE,
	SELECT_PERCENT,
	SELECT_RANDOM,
};

struct selector_factor {
	enum selector_factor_kind kind;
	bool starts_term; /* preceded by ',' */
	const char *text, *suffix;
	uint32_t text_len, suffix_len;
	uint64_t low, high; /* SELECT_RANGE; SELECT_RANDOM: low */
	double percent;
};

struct selector {
	const char *source;
	size_t count;
	struct selector_factor factors[SELECTOR_FACTORS_MAX];
};

/* The targets that a selector picks from. A NULL question answers no. */
struct selector_subject {
	uint32_t count;
	bool (*present)(const void *context, uint32_t i); /* NULL: all are */
	const char *(*name)(const void *context, uint32_t i);
	bool (*in_group)(const void *context, uint32_t i, const char *group, size_t len);
	bool (*has_tag)(const void *context, uint32_t i, const char *tag, size_t len);
	bool (*in_state)(const void *context, uint32_t i, const char *state, size_t len);
	const void *context;
};

bool selector_parse(const char *text, struct selector *ret, const char **expected);
/* Does it ask for something that this subject cannot answer? Its name ("group"), or NULL. */
const char *selector_lacks(const struct selector *selector, const struct selector_subject *subject);
/*
 * Writes the numbers of the chosen into out[subject->count], ascending, each once, and returns how
 * many. `marks`: subject->count bytes of scratch. `bits` decides what is drawn.
 */
uint32_t selector_apply(const struct selector *selector, const struct selector_subject *subject,
			uint64_t bits, uint32_t *out, uint8_t *marks);
/* Does a name match (a selector of names, ranges and "all" alone)? For events. */
bool selector_matches_name(const struct selector *selector, const char *name);

#endif

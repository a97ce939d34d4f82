/*
 * A scenario out of a seed: a config text that is valid and as nasty as the language allows.
 *
 * Ownership: text belongs to the caller. Errors: false where it did not fit. Threads: no state.
 */
#ifndef SOAK_GENERATE_H
#define SOAK_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct generated {
	bool names_are_true; /* nobody registers as or from somebody else */
};

bool soak_generate(uint64_t seed, char *text, size_t cap, struct generated *ret);

#endif

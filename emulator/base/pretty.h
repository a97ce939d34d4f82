/*
 * JSON for people: line breaks where a value does not fit into one line.
 *
 * Purpose: small objects read as rows, large ones are indented. Ownership: nothing is kept.
 * Errors: false where the text is no JSON, and nothing is written then; else those of the FILE.
 * Threads: no state.
 */
#ifndef PRETTY_H
#define PRETTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

bool pretty_put(FILE *out, const char *text, size_t len);

#endif

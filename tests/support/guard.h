/*
 * A copy of some bytes that ends exactly at a page nobody may touch: reading one byte too far is a
 * crash, with or without a sanitizer.
 *
 * Ownership: guard_free() what guard_copy() gave. Errors: aborts; this is test code.
 */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stddef.h>

char *guard_copy(const void *bytes, size_t len);
void guard_free(char *copy, size_t len);

#endif

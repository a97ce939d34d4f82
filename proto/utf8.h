/*
 * UTF-8 (RFC 3629): checked, never repaired.
 *
 * Purpose: tell valid text from bytes; overlong forms, surrogates and what lies past U+10FFFF are
 * refused. Errors: by result. Threads: no state.
 */
#ifndef QN_UTF8_H
#define QN_UTF8_H

#include <stddef.h>

/* How many bytes from the start are whole valid characters; == len when all of it is valid. */
size_t qn_utf8_valid_len(const char *text, size_t len);

/*
 * Passes over valid characters outside ASCII from `at` on. Returns where it stopped: at `end`, at
 * an ASCII byte, or at the first byte (0x80 or more) of what is no character.
 */
const char *qn_utf8_skip(const char *at, const char *end);

#endif

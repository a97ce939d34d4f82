/*
 * Frames of the wire `framed`: 4 bytes of length, big-endian, then that many bytes of text.
 *
 * Purpose: finds a frame's text in what was read, puts a length in front of what is written.
 * Ownership: texts point into the caller's bytes. Errors: enum qn_code. Threads: no state.
 * Source: PROTOCOL.md "framed", "Frames".
 */
#ifndef QN_FRAMED_FRAME_H
#define QN_FRAMED_FRAME_H

#include "proto/fault.h"

#include <stdbool.h>
#include <stdint.h>

#define QN_FRAMED_HEAD 4
/* The real server has no limit; this is ours where a config says nothing. */
#define QN_FRAMED_LIMIT_DEFAULT (1u << 20)

/*
 * The first frame of bytes[0, len). QN_OK: *text is its text (0 bytes are one), *taken what it
 * took. QN_MORE: it is not whole yet. QN_E_TOO_LONG: its text would be longer than `limit`: what
 * follows cannot be told from text, the connection is to be closed.
 */
enum qn_code qn_framed_next(const char *bytes, size_t len, uint32_t limit, struct qn_text *text,
			    size_t *taken);

/*
 * The same where packed texts were agreed on: the top bit of the length says that this one is, and
 * is no part of the length. *packed is set with *text.
 */
enum qn_code qn_framed_next_packed(const char *bytes, size_t len, uint32_t limit,
				   struct qn_text *text, size_t *taken, bool *packed);
#define QN_FRAMED_PACKED UINT32_C(0x80000000)

void qn_framed_put_head(char head[QN_FRAMED_HEAD], uint32_t text_len);

#endif

/*
 * Lines out of a stream: the framing of JSON Lines (PROTOCOL.md "Lines").
 *
 * Purpose: cut the bytes that a caller holds at '\n'; nothing is copied.
 * Ownership: a line points into the caller's bytes.
 * Errors: QN_MORE: no whole line yet; QN_E_TOO_LONG: the limit was passed, the stream is of no use.
 * Threads: no state.
 */
#ifndef QN_LINE_H
#define QN_LINE_H

#include "proto/fault.h"

/*
 * The first line of bytes[0, len), which hold no '\n' before `scanned` (what was looked through
 * before; so a line that trickles in is searched once). On QN_OK *line is the line without its end
 * ("\n" or "\r\n") and *taken counts the bytes up to and with '\n'. A line of more than `limit`
 * bytes, whole or not, is QN_E_TOO_LONG.
 */
enum qn_code qn_line_next(const char *bytes, size_t len, size_t scanned, size_t limit,
			  struct qn_text *line, size_t *taken);

#endif

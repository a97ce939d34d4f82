/*
 * Packed messages of the wire `framed`: one zlib stream a message, behind a head whose top bit is
 * set.
 *
 * Purpose: what a server, or the targets of a group, share: two streams of zlib that are reset for
 * each message (RFC 1950: nothing is carried from one to the next), and room for one unpacked
 * text. 270 kB and the longest text, however many connections; no memory is taken per message.
 * Units: bytes. Ownership: an unpacked text is the object's, until its next call.
 * Errors: enum qn_code; framed_zip_new() 0 or -errno. Threads: one at a time.
 * Format: PROTOCOL.md "framed", "Packed messages".
 */
#ifndef FRAMED_ZIP_H
#define FRAMED_ZIP_H

#include "proto/framed/frame.h"

struct framed_zip;

/* Texts of up to `limit` bytes; those shorter than `from` are not worth packing. */
int framed_zip_new(uint32_t limit, uint32_t from, struct framed_zip **ret);
void framed_zip_free(struct framed_zip *zip);

/*
 * As qn_framed_next(). zip NULL: nothing was agreed on, and a packed frame is one that is too long.
 * QN_E_TOO_LONG also where more than `limit` bytes would come out of it: nothing beyond them is
 * unpacked. QN_E_SYNTAX: no zlib stream, or something behind it.
 */
enum qn_code framed_zip_next(struct framed_zip *zip, const char *bytes, size_t len, uint32_t limit,
			     struct qn_text *text, size_t *taken);
/* What is wrong, for people. */
const char *framed_zip_why(enum qn_code code);

/* Packs the frame unit[0, len) where it is, if it is long enough and becomes shorter; zip may be
 * NULL. Returns its length. */
size_t framed_zip_pack(struct framed_zip *zip, char *unit, size_t len);

#endif

/*
 * A JSON text written again as CPython's json.dumps(json.loads(text)) would write it.
 *
 * Purpose: the real server of the wire `framed` gives contents back through a parser and a writer:
 * ", " and ": " between things, every character outside printable ASCII as \uXXXX.
 * Differences: numbers stay as they were written (1e5 is not turned into 100000.0), and members of
 * the same name all stay. Errors: the reader's code. Threads: no state.
 * Source: PROTOCOL.md "framed", "Contents".
 */
#ifndef QN_FRAMED_AGAIN_H
#define QN_FRAMED_AGAIN_H

#include "proto/json/json.h"

/* QN_OK, or why `text` is no JSON (something may have been written by then). A buffer that is too
 * small shows as writer->full. */
enum qn_code qn_framed_put_again(struct qn_json_writer *writer, struct qn_text text);
/* The same for a string that a reader gave back with its quotes, not `escaped`. */
void qn_framed_put_simple(struct qn_json_writer *writer, struct qn_text raw);

#endif

/*
 * JSON and MessagePack: the same message in the other's bytes.
 *
 * Purpose: a binary frame carries MessagePack; inside there is one reader of messages, and it reads
 * JSON. An id keeps its type on the way there and back: integers stay integers, a float stays one.
 * Ownership: nothing is kept. Errors: false or 0: no value of that format, one that the other has
 * no word for (an extension), or no room.
 * Threads: no state. Source: PROTOCOL.md "jsonrpc".
 */
#ifndef QN_JSONRPC_TRANSCODE_H
#define QN_JSONRPC_TRANSCODE_H

#include "proto/json/json.h"

/* Bytes become base64; what is no number (NaN) null. Appends nothing unless all of it fits. */
bool qn_msgpack_to_json(struct qn_text bytes, struct qn_json_writer *w);
/* Minimal encodings; an integer that fits no 64 bits becomes a float. Returns the length. */
size_t qn_json_to_msgpack(struct qn_text text, char *buffer, size_t cap);

#endif

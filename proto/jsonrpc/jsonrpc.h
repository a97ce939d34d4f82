/*
 * JSON-RPC 2.0: messages and batches out of texts, and back.
 *
 * Purpose: which of a text's parts is what, to the letter of the specification. Values stay as
 * they were written: an id goes back byte for byte, params are handed on as JSON.
 * Ownership: all that a message holds points into the caller's text.
 * Errors: a text that is no JSON is QN_JSONRPC_PARSE; a part of it that is no request is a message
 * of kind QN_JSONRPC_INVALID, to be answered by an error.
 * Threads: no state. Source: the JSON-RPC 2.0 specification; PROTOCOL.md "jsonrpc".
 */
#ifndef QN_JSONRPC_H
#define QN_JSONRPC_H

#include "proto/json/json.h"

enum qn_jsonrpc_code {
	QN_JSONRPC_PARSE = -32700,
	QN_JSONRPC_INVALID_REQUEST = -32600,
	QN_JSONRPC_NO_METHOD = -32601,
	QN_JSONRPC_BAD_PARAMS = -32602,
	QN_JSONRPC_INTERNAL = -32603,
	/* Of the range that is left to servers. */
	QN_JSONRPC_QUEUE_FULL = -32000,
	QN_JSONRPC_UNAUTHORIZED = -32001,
	QN_JSONRPC_RATE_LIMITED = -32002,
	QN_JSONRPC_NO_ROOM = -32003,
	QN_JSONRPC_CANCELLED = -32800, /* as the Language Server Protocol, whence cancelling is */
};

/* The specification's words; those of ours; "Server error" for others. */
const char *qn_jsonrpc_code_text(int64_t code);

enum qn_jsonrpc_kind {
	QN_JSONRPC_REQUEST,
	QN_JSONRPC_NOTIFICATION,
	QN_JSONRPC_RESULT, /* the answer to a request of ours */
	QN_JSONRPC_ERROR,
	QN_JSONRPC_INVALID, /* to be answered by QN_JSONRPC_INVALID_REQUEST with `id` */
};

struct qn_jsonrpc_message {
	enum qn_jsonrpc_kind kind;
	struct qn_text id;     /* as written; empty: absent, or of no type that an id may have */
	struct qn_text method; /* inside its quotes, as written */
	bool method_escaped;   /* qn_json_unescape() before use */
	bool msgpack;          /* "format": "msgpack" beside the method */
	struct qn_text params; /* as written: an array or an object; empty: absent */
	struct qn_text result; /* of RESULT, as written */
	/* Of ERROR. */
	int64_t error_code;
	struct qn_text error_message; /* inside its quotes, as written */
	struct qn_text error_data;    /* as written; empty: absent */
};

enum qn_jsonrpc_shape {
	QN_JSONRPC_SINGLE,
	QN_JSONRPC_BATCH,
	QN_JSONRPC_BATCH_EMPTY, /* answered by one INVALID_REQUEST with id null */
	QN_JSONRPC_BATCH_LONG,  /* more than the limit: likewise */
	QN_JSONRPC_BROKEN,      /* no JSON: answered by one PARSE with id null */
};

struct qn_jsonrpc_reader {
	struct qn_json_reader json;
	bool batch, done;
	struct qn_fault fault; /* of BROKEN */
};

/* Looks at all of the text: from then on nothing in it can be no JSON. */
enum qn_jsonrpc_shape qn_jsonrpc_open(struct qn_jsonrpc_reader *reader, const char *text,
				      size_t len, size_t batch_max);
/* The next message, or the only one. False: there are no more. */
bool qn_jsonrpc_next(struct qn_jsonrpc_reader *reader, struct qn_jsonrpc_message *ret);

/*
 * The member `name` of an object as it is written in `json`: its first token's type, and *ret set
 * to all of its value. QN_JSON_END where there is none. Of several the last counts. Names are
 * compared as they are written.
 */
enum qn_json_token qn_jsonrpc_member(struct qn_text json, const char *name, struct qn_text *ret);
/* Element `index` of an array, likewise. */
enum qn_json_token qn_jsonrpc_element(struct qn_text json, size_t index, struct qn_text *ret);
/* Without its quotes: a string's value, as qn_json_value() gives it. */
static inline struct qn_text qn_jsonrpc_unquoted(struct qn_text string)
{
	return (struct qn_text){ string.at + 1, string.len - 2 };
}

/* ---- writing: compact, members in the order in which everybody writes them ---- */

void qn_jsonrpc_put_request(struct qn_json_writer *w, const char *method, struct qn_text params,
			    struct qn_text id);
void qn_jsonrpc_put_notification(struct qn_json_writer *w, const char *method,
				 struct qn_text params);
/* Between the two: the result, as JSON. It is always there, be it null. */
void qn_jsonrpc_begin_result(struct qn_json_writer *w);
void qn_jsonrpc_end_result(struct qn_json_writer *w, struct qn_text id);
/* message NULL: the code's own. data: JSON, or empty. An empty id is written as null. */
void qn_jsonrpc_put_error(struct qn_json_writer *w, struct qn_text id, int64_t code,
			  const char *message, struct qn_text data);
/* {"code":...,"message":...} alone. */
void qn_jsonrpc_put_error_object(struct qn_json_writer *w, int64_t code, const char *message,
				 struct qn_text data);

#endif

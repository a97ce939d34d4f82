/*
 * The messages of the range: one JSON object each (PROTOCOL.md "snyper").
 *
 * Purpose: a line to a struct and back. Nothing is copied: texts point into the line.
 * Ownership: a parsed message lives as long as the bytes of its line.
 * Errors: parsing tells what is wrong by code (see qn_snyper_parse); writing returns 0 where the
 * buffer is too small.
 * Threads: no state.
 */
#ifndef QN_SNYPER_MESSAGE_H
#define QN_SNYPER_MESSAGE_H

#include "proto/snyper/profile.h"

enum qn_snyper_type {
	QN_SNYPER_UNKNOWN,
	QN_SNYPER_REGISTER,
	QN_SNYPER_REGISTERED,
	QN_SNYPER_PING,
	QN_SNYPER_PONG,
	QN_SNYPER_STAND_UP,
	QN_SNYPER_STANDING,
	QN_SNYPER_LAY_DOWN,
	QN_SNYPER_DOWN,
	QN_SNYPER_ACTIVATE,
	QN_SNYPER_ACTIVATED,
	QN_SNYPER_ERROR,
	QN_SNYPER_TYPES,
};

/* "ping" and so on; "unknown" for QN_SNYPER_UNKNOWN. */
const char *qn_snyper_type_name(enum qn_snyper_type type);
/* By name in any case; QN_SNYPER_UNKNOWN where there is none. */
enum qn_snyper_type qn_snyper_type_of(const char *name, size_t len);
/* What answers a request: ping -> pong. QN_SNYPER_UNKNOWN for what is no request. */
enum qn_snyper_type qn_snyper_answer_to(enum qn_snyper_type request);

/* A parsed line. Texts of strings stand without quotes, escapes not undone; absent: .at == NULL. */
struct qn_snyper_message {
	enum qn_snyper_type type;
	struct qn_text type_text;
	struct qn_text id; /* as written, quotes included; absent too where it is null, "" or 0 */
	struct qn_text target_id;
	bool has_data; /* data is an object with at least one member */
	/* Members of data. */
	struct qn_text client_id, status, error;
	struct qn_text duration; /* as written */
	double duration_s;       /* 5 (the protocol's default) where it is absent or no number */
};

/*
 * Reads one line. QN_OK; QN_E_SYNTAX, QN_E_UTF8, QN_E_DEPTH: no JSON in this profile's dialect;
 * QN_E_TYPE: no object, or `type` is no string; QN_E_MISSING: no type or no id; QN_E_UNKNOWN: a
 * type that nobody defined (the message is filled). The last of duplicate keys wins.
 */
enum qn_code qn_snyper_parse(const struct qn_snyper_profile *profile, const char *line, size_t len,
			     struct qn_snyper_message *message, struct qn_fault *fault);

/* A message to write. Members that its type has no use for are ignored. */
struct qn_snyper_out {
	enum qn_snyper_type type;
	struct qn_text id;        /* a JSON value as written; empty: a fresh one */
	struct qn_text target_id; /* plain UTF-8; empty: left out */
	struct qn_text client_id; /* register */
	struct qn_text error;     /* error */
	struct qn_text duration;  /* activate, activated: a JSON number as written; empty: 5 */
	int64_t wall_ns;          /* the sender's clock, since 1970 */
	bool done; /* standing, down, activated: the movement is over (reply = "done") */
};

/* Every message but those with long ids, names or errors fits in this. */
#define QN_SNYPER_TYPICAL 512

/* Writes the line with its '\n'. Returns its length, 0 where cap is too small. */
size_t qn_snyper_write(const struct qn_snyper_profile *profile, const struct qn_snyper_out *out,
		       char *buffer, size_t cap);

#endif

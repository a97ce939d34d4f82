/*
 * How a peer of the range's protocol writes and what it forgives: named profiles.
 *
 * Purpose: the firmware exists as MicroPython on the board, MicroPython on Unix and CPython; each
 * writes its fields in another order and answers bad input in its own way. Where a peer is laxer
 * than the protocol, that is a profile's entry here, never a hole in the parser.
 * Ownership: constants. Threads: no state.
 * Source: PROTOCOL.md "Profiles".
 */
#ifndef QN_SNYPER_PROFILE_H
#define QN_SNYPER_PROFILE_H

#include "proto/json/json.h"

enum qn_snyper_order {
	QN_SNYPER_ORDER_CPYTHON, /* type, id, timestamp, target_id, data */
	QN_SNYPER_ORDER_UNIX,    /* target_id, timestamp, data, id, type */
	QN_SNYPER_ORDER_PICO,    /* timestamp, type, data, id, target_id */
};

enum qn_snyper_clock {
	QN_SNYPER_CLOCK_SECONDS, /* whole seconds: the Pico's time.time() */
	QN_SNYPER_CLOCK_US,      /* microseconds, zeros at the end left out */
	QN_SNYPER_CLOCK_100NS,   /* as CPython prints its float */
};

/* What an answering side does with a line that is no request. */
enum qn_snyper_reaction {
	QN_SNYPER_IGNORE, /* nothing; the connection stays */
	QN_SNYPER_CLOSE,  /* closes without an answer */
	QN_SNYPER_TELL,   /* answers an error line; the connection stays */
};

struct qn_snyper_profile {
	const char *name;
	enum qn_json_dialect dialect;
	enum qn_snyper_order order;
	enum qn_snyper_clock clock;
	bool ascii;            /* non-ASCII goes out as \uXXXX */
	bool values_last;      /* data: message before status, duration first (MicroPython) */
	bool decode_each_read; /* every read must be UTF-8 by itself */
	bool one_read_answer;  /* asking side: one read of answer_max bytes is the answer */
	size_t answer_max;
	enum qn_snyper_reaction not_json;    /* no JSON; no type or id; an unknown type */
	enum qn_snyper_reaction wrong_shape; /* no object; a type that is no string; no UTF-8 */
};

/* "pico", "unix", "cpython", "strict"; ends with NULL. The order is enum qn_snyper_profile_id. */
extern const char *const qn_snyper_profile_names[];

enum qn_snyper_profile_id {
	QN_SNYPER_PICO,
	QN_SNYPER_UNIX,
	QN_SNYPER_CPYTHON,
	QN_SNYPER_STRICT,
	QN_SNYPER_PROFILES,
};

const struct qn_snyper_profile *qn_snyper_profile(enum qn_snyper_profile_id id);

#endif

/*
 * Messages of the wire `framed`: what a server and its clients say to each other.
 *
 * Purpose: the eight answers of the real server, exactly; what clients ask; and what a virtual
 * target and its master make of it: a command is a broadcast, a report a message of its own.
 * Ownership: what is read points into the caller's text; what is written goes to the caller's
 * buffer, with its frame's head.
 * Errors: readers return enum qn_code; writers the length of the whole frame, 0 where it does not
 * fit. Threads: no state.
 * Source: PROTOCOL.md "framed".
 */
#ifndef QN_FRAMED_MESSAGE_H
#define QN_FRAMED_MESSAGE_H

#include "proto/framed/frame.h"
#include "proto/framed/stamp.h"
#include "proto/json/json.h"

/* ---- reading ---- */

enum qn_framed_type {
	QN_FRAMED_TEXT,  /* no JSON at all: plain text */
	QN_FRAMED_VALUE, /* JSON, but no object */
	QN_FRAMED_OTHER, /* an object of a type that nobody defined, or of none */
	/* A client asks. */
	QN_FRAMED_PING,
	QN_FRAMED_ECHO,      /* the server answers plain text under the same name */
	QN_FRAMED_BROADCAST, /* and passes it on under the same name */
	QN_FRAMED_GET_STATS,
	/* The server says. */
	QN_FRAMED_WELCOME,
	QN_FRAMED_PONG,
	QN_FRAMED_ECHO_RESPONSE,
	QN_FRAMED_BROADCAST_SENT,
	QN_FRAMED_SERVER_STATS,
	QN_FRAMED_RESPONSE,
	QN_FRAMED_TYPES,
};
/* "ping", ...; of the first three a word in brackets. */
const char *qn_framed_type_name(enum qn_framed_type type);

struct qn_framed_message {
	enum qn_framed_type type;
	struct qn_text text;      /* the whole */
	struct qn_text type_text; /* the type inside its quotes, as written; empty: none */
	/* Values as they were written; of several of one name the last. Empty: absent. */
	struct qn_text content, timestamp;
	/* Is that a string without a backslash? Then it was checked byte by byte, and all that is
	 * left to ask before it is written again is whether it is ASCII. */
	bool content_is_simple, timestamp_is_simple;
};

/*
 * QN_OK, also for plain text. QN_E_UTF8: bad UTF-8; QN_E_DEPTH: nested too deep: the real server
 * closes on both.
 */
enum qn_code qn_framed_read(struct qn_text text, struct qn_framed_message *message,
			    struct qn_fault *fault);

/* A member of the message's object: its value as it was written; empty where there is none. */
struct qn_text qn_framed_member(const struct qn_framed_message *message, const char *name);
/* The same of a string: what stands inside its quotes, as written; empty where it is none. */
struct qn_text qn_framed_string(const struct qn_framed_message *message, const char *name);

/* ---- the server writes ---- */

/* What a server knows about itself at the moment of an answer. Zeroed; then the time is set. */
struct qn_framed_server {
	struct qn_framed_clock now;
	char stamp[QN_FRAMED_STAMP_ROOM]; /* the same as text */
	uint8_t stamp_len;
	int64_t started_ns; /* wall clock */
	uint64_t clients;   /* connected, with the one that asks */
	uint64_t delivered; /* broadcasts to each of their receivers, since the start */
};

/* Sets the time; costs next to nothing where it is the same. */
void qn_framed_server_time(struct qn_framed_server *server, const struct qn_framed_clock *now);

size_t qn_framed_welcome(const struct qn_framed_server *server, struct qn_text client_id,
			 char *buffer, size_t cap);

/*
 * The answer to whoever sent `message`. To a broadcast that is "broadcast_sent": the others get
 * theirs first, by qn_framed_pass_on(). `client_id` is "ip:port" of the sender.
 */
size_t qn_framed_answer(const struct qn_framed_server *server,
			const struct qn_framed_message *message, struct qn_text client_id,
			char *buffer, size_t cap);
size_t qn_framed_pass_on(const struct qn_framed_server *server,
			 const struct qn_framed_message *message, struct qn_text client_id,
			 char *buffer, size_t cap);
/* An answer is never longer than its message by more than this many times, plus 512 bytes: a
 * byte outside ASCII may become \uXXXX, and a pair of them two. */
#define QN_FRAMED_GROWTH 6

/* ---- clients write ---- */

size_t qn_framed_ping(const struct qn_framed_clock *clock, struct qn_text client_info, char *buffer,
		      size_t cap);
/* ECHO or BROADCAST of a text, which is quoted here. */
size_t qn_framed_say(enum qn_framed_type type, const struct qn_framed_clock *clock,
		     struct qn_text content, char *buffer, size_t cap);
size_t qn_framed_get_stats(const struct qn_framed_clock *clock, char *buffer, size_t cap);
/* {"type": TYPE, "timestamp": NOW, more}: `more` is JSON as `"data": 1, "b": 2`, or empty. */
size_t qn_framed_custom(struct qn_text type, const struct qn_framed_clock *clock,
			struct qn_text more, char *buffer, size_t cap);
/* A frame of plain text. */
size_t qn_framed_plain(struct qn_text text, char *buffer, size_t cap);

#endif

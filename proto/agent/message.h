/*
 * The messages of the wire `agent`: a length of 4 bytes, then a map in MessagePack with `t`.
 *
 * Purpose: cut frames out of a stream, read a message out of a frame, write a message as one write
 * unit. Reading takes any order of fields, any width, unknown fields; writing has the original's
 * order and the least width, so that a replay of its transcripts is equal byte for byte.
 * Units: bytes. Ownership: messages point into the caller's bytes.
 * Errors: enum qn_code and a fault; the writers return 0 where the buffer is too small.
 * Threads: no state.
 * Source: PROTOCOL.md "agent"; RedPepper 0.3.4.
 */
#ifndef QN_AGENT_MESSAGE_H
#define QN_AGENT_MESSAGE_H

#include "proto/fault.h"
#include "proto/msgpack/msgpack.h"

#define QN_AGENT_HEAD 4
/* Of a payload: what the original takes. */
#define QN_AGENT_PAYLOAD_MAX 1048576
#define QN_AGENT_VERSION "0.3.4"
#define QN_AGENT_PORT 7051

enum qn_agent_t {
	QN_AGENT_HELLO = 10,
	QN_AGENT_MANAGER_HELLO = 11,
	QN_AGENT_PING = 12,
	QN_AGENT_PONG = 13,
	QN_AGENT_BYE = 14,
	QN_AGENT_REQUEST = 20,
	QN_AGENT_RESPONSE = 21,
	QN_AGENT_NOTIFICATION = 22,
};
/* "AgentHello", "Ping", ...; "?" where there is none. */
const char *qn_agent_t_name(unsigned t);

/* An integer of up to 64 bits, of either sign. */
struct qn_agent_int {
	uint64_t bits; /* two's complement where it is negative */
	bool negative;
};

struct qn_agent_message {
	uint8_t t;
	bool success;             /* RESPONSE */
	struct qn_agent_int ping; /* PING, PONG */
	struct qn_text id;        /* HELLO, REQUEST, RESPONSE */
	struct qn_text version;   /* HELLO, MANAGER_HELLO */
	struct qn_text word;      /* HELLO: credentials; BYE: reason; REQUEST: method;
				     NOTIFICATION: type */
	/* As they were written; checked. */
	struct qn_text args;   /* REQUEST: an array of strings */
	struct qn_text kwargs; /* REQUEST: a map */
	struct qn_text data;   /* RESPONSE, NOTIFICATION: any value */
};

/*
 * The next frame. QN_OK: *payload is whole and *taken bytes are done with. QN_MORE: not whole yet.
 * QN_E_TOO_LONG: it says more than `limit`, be the rest there or not; the stream is of no use.
 */
enum qn_code qn_agent_frame(const char *bytes, size_t len, size_t limit, struct qn_text *payload,
			    size_t *taken, struct qn_fault *fault);

/* Reads a payload. QN_E_UNKNOWN: a `t` that nobody defined; else as the fault says. */
enum qn_code qn_agent_read(struct qn_text payload, struct qn_agent_message *message,
			   struct qn_fault *fault);

/* ---- writing: each is one frame, and so one write unit ---- */

/* Opens a frame for a map of so many fields, `t` included, which is written. */
void qn_agent_begin(struct qn_mp_writer *writer, char *buffer, size_t cap, enum qn_agent_t t,
		    uint32_t fields);
/* Closes it. Bytes of the whole unit, or 0. */
size_t qn_agent_end(struct qn_mp_writer *writer);

size_t qn_agent_write_hello(char *buffer, size_t cap, struct qn_text id, struct qn_text version,
			    struct qn_text credentials);
size_t qn_agent_write_manager_hello(char *buffer, size_t cap, struct qn_text version);
/* t: PING or PONG. 32 bytes of buffer suffice. */
size_t qn_agent_write_ping(char *buffer, size_t cap, enum qn_agent_t t, struct qn_agent_int data);
size_t qn_agent_write_bye(char *buffer, size_t cap, struct qn_text reason);
/* data: a value in MessagePack as it stands. */
size_t qn_agent_write_response(char *buffer, size_t cap, struct qn_text id, bool success,
			       struct qn_text data);
/* A failure's text. */
size_t qn_agent_write_failure(char *buffer, size_t cap, struct qn_text id, struct qn_text text);

#endif

/*
 * Both ends of the wire `agent`: hello, pings, and who closes when.
 *
 *     agent    NEW -> GREETED -> OPEN -> CLOSED        says hello, waits for the manager's
 *     manager  NEW -> JUDGING -> OPEN -> CLOSED        waits for a hello, its owner judges it
 *
 * Purpose: sans-IO: handed the bytes that were read, the time and random bits, a session says what
 * follows: a unit to write, a message for its owner, a reason to close, and when to call again.
 * One write unit is one message is one TLS record: the original reads its stream before it looks
 * into its buffer, so a second message in a record would wait there.
 * Bytes: bytes[0, len) is all that was read and not taken; *taken says how many are done with.
 * Units: nanoseconds on the caller's clock.
 * Ownership: messages point into the caller's bytes; options outlive the session.
 * Errors: by step; after BYE and CLOSE the session is closed and takes no more.
 * Threads: one session, one thread.
 * Source: PROTOCOL.md "agent"; RedPepper 0.3.4.
 */
#ifndef QN_AGENT_SESSION_H
#define QN_AGENT_SESSION_H

#include "proto/agent/message.h"

#define QN_AGENT_NEVER INT64_MAX
#define QN_AGENT_PING_RANDOM_MAX 1000000
/* What a session writes on its own fits this: Ping, Pong. */
#define QN_AGENT_OWN_UNIT 32

struct qn_agent_options {
	struct qn_text version;   /* what it says and compares: "0.3.4" */
	int64_t hello_timeout_ns; /* for the peer's hello; 0: for ever */
	int64_t ping_interval_ns; /* from the end of one to the next; 0: never */
	int64_t ping_timeout_ns;
	size_t payload_max;
};
/* As the original: 3 s, 30 s, 5 s, 1 MiB. */
extern const struct qn_agent_options qn_agent_original;

enum qn_agent_role { QN_AGENT_ROLE_AGENT, QN_AGENT_ROLE_MANAGER };
enum qn_agent_state {
	QN_AGENT_NEW,
	QN_AGENT_GREETED,
	QN_AGENT_JUDGING,
	QN_AGENT_OPEN,
	QN_AGENT_CLOSED,
};

struct qn_agent_session {
	const struct qn_agent_options *options;
	int64_t due_ns; /* call qn_agent_session_time() then; QN_AGENT_NEVER: not at all */
	uint32_t ping;  /* what the Pong must say */
	uint8_t role, state;
	bool pinged; /* a Ping is out */
};

/* A unit that the session wants written. */
struct qn_agent_unit {
	size_t len;
	char bytes[QN_AGENT_OWN_UNIT];
};

enum qn_agent_step {
	QN_AGENT_STEP_MORE,    /* nothing whole is left: read on */
	QN_AGENT_STEP_PASSED,  /* a message that changes nothing for the owner */
	QN_AGENT_STEP_SEND,    /* write *unit */
	QN_AGENT_STEP_HELLO,   /* manager: *message is a hello: accept() or refuse() it */
	QN_AGENT_STEP_OPENED,  /* agent: the manager's hello was good */
	QN_AGENT_STEP_MESSAGE, /* Request, Response or Notification, for the owner */
	QN_AGENT_STEP_BYE,     /* the peer said Bye (message->word): close */
	QN_AGENT_STEP_CLOSE,   /* close without a word; *fault says why */
};

/* The connection is there (its TLS handshake too). An agent then writes the unit of greet(). */
void qn_agent_session_init(struct qn_agent_session *session, enum qn_agent_role role,
			   const struct qn_agent_options *options, int64_t now_ns);
/* The agent's hello: the unit's length, 0 where it does not fit (the state stays). */
size_t qn_agent_session_greet(struct qn_agent_session *session, struct qn_text id,
			      struct qn_text credentials, int64_t now_ns, char *buffer, size_t cap);
/* The manager's answer to a hello; refuse() is a Bye, after which its owner closes. */
size_t qn_agent_session_accept(struct qn_agent_session *session, int64_t now_ns, char *buffer,
			       size_t cap);
size_t qn_agent_session_refuse(struct qn_agent_session *session, char *buffer, size_t cap);
/* A Bye of our own, from either side; its owner closes after it. */
size_t qn_agent_session_bye(struct qn_agent_session *session, struct qn_text reason, char *buffer,
			    size_t cap);

/*
 * The next step. Call it until MORE, BYE or CLOSE; after every step drop *taken bytes.
 */
enum qn_agent_step qn_agent_session_next(struct qn_agent_session *session, const char *bytes,
					 size_t len, int64_t now_ns, size_t *taken,
					 struct qn_agent_message *message,
					 struct qn_agent_unit *unit, struct qn_fault *fault);
/* The time came: MORE (too early), SEND (a Ping), CLOSE (no hello, no Pong). */
enum qn_agent_step qn_agent_session_time(struct qn_agent_session *session, int64_t now_ns,
					 uint64_t random, struct qn_agent_unit *unit,
					 struct qn_fault *fault);

#endif

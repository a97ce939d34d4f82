/*
 * The two ends of one connection: who answers, and who asks.
 *
 * Purpose: a target answers commands and a master answers registrations; a master asks commands and
 * a target asks for its registration. So there are two machines, each used by both programs:
 *
 *     answerer   OPEN -> CLOSED                       lines in, requests out
 *     asker      IDLE -> ASKED -> ANSWERED | BAD | CLOSED | EXPIRED
 *                ANSWERED -> ASKED                    (a connection that is kept)
 *
 * Both are sans-IO: they are handed the bytes that were read and the time, and say what follows.
 * Bytes: `bytes[0, len)` is all that was read and not taken yet; the last read unit starts at
 * `fresh`. *taken says how many bytes are done with; the caller keeps the rest and hands it in
 * again, with more behind it.
 * Ownership: messages point into the caller's bytes.
 * Errors: by result; after a closing result the machine is in a closed state and takes no more.
 * Threads: one session, one thread.
 * Source: PROTOCOL.md "snyper", "Profiles".
 */
#ifndef QN_SNYPER_SESSION_H
#define QN_SNYPER_SESSION_H

#include "proto/snyper/message.h"

/* Longest line that an answering side takes by default; real ones take 20 kB and more. */
#define QN_SNYPER_LINE_DEFAULT 32768

/* ---- answering ---- */

enum qn_snyper_role {
	QN_SNYPER_TARGET, /* answers ping, stand_up, lay_down, activate */
	QN_SNYPER_MASTER, /* answers register */
};

struct qn_snyper_answerer {
	const struct qn_snyper_profile *profile;
	uint32_t limit; /* bytes a line */
	uint8_t role;
	bool closed;
	bool checked; /* the fresh bytes were checked as UTF-8 */
};

enum qn_snyper_step {
	QN_SNYPER_STEP_MORE,    /* nothing whole is left: read on */
	QN_SNYPER_STEP_REQUEST, /* *message is a request of this role: answer it */
	QN_SNYPER_STEP_IGNORED, /* a bad line that this profile passes over; *fault says what */
	QN_SNYPER_STEP_REFUSE,  /* answer an error line with fault->text (or the type: see below) */
	QN_SNYPER_STEP_CLOSE,   /* close without an answer; *fault says why */
};

void qn_snyper_answerer_init(struct qn_snyper_answerer *answerer,
			     const struct qn_snyper_profile *profile, enum qn_snyper_role role,
			     uint32_t limit);

/*
 * The next step. Call it until MORE or CLOSE; after every other step drop `*taken` bytes first
 * (`*taken` is set by every step). REFUSE with fault->code QN_OK: the message is well-formed but of
 * a type that this role does not serve: the error text is qn_snyper_unsupported().
 */
enum qn_snyper_step qn_snyper_answerer_next(struct qn_snyper_answerer *answerer, const char *bytes,
					    size_t len, size_t fresh, size_t *taken,
					    struct qn_snyper_message *message,
					    struct qn_fault *fault);

/* "Unsupported command: registered" (target), "Unsupported message type: ping" (master). */
struct qn_text qn_snyper_unsupported(enum qn_snyper_role role, enum qn_snyper_type type,
				     char *space, size_t cap);

/* ---- asking ---- */

enum qn_snyper_asker_state {
	QN_SNYPER_IDLE,
	QN_SNYPER_ASKED,
	QN_SNYPER_ANSWERED, /* as asked */
	QN_SNYPER_BAD,      /* an answer that is none: see reason */
	QN_SNYPER_CLOSED,   /* refused, reset, or closed before the answer */
	QN_SNYPER_EXPIRED,  /* no answer by the deadline */
};

enum qn_snyper_reason {
	QN_SNYPER_REASON_NONE,
	QN_SNYPER_REASON_ERROR,         /* the peer answered an error line */
	QN_SNYPER_REASON_WRONG_TYPE,    /* a message, but not the answer to what was asked */
	QN_SNYPER_REASON_NO_DATA,       /* the right type without data: status "unknown" */
	QN_SNYPER_REASON_NOT_A_MESSAGE, /* no JSON, no object, two lines, cut short */
	QN_SNYPER_REASON_TOO_LONG,
	QN_SNYPER_REASONS,
};
const char *qn_snyper_reason_name(enum qn_snyper_reason reason);

struct qn_snyper_asker {
	const struct qn_snyper_profile *profile;
	int64_t deadline_ns; /* of the answer, on the caller's clock; while ASKED */
	uint32_t limit;
	uint8_t state, reason;
	uint8_t asked; /* enum qn_snyper_type */
};

void qn_snyper_asker_init(struct qn_snyper_asker *asker, const struct qn_snyper_profile *profile,
			  uint32_t limit);

/*
 * Asks: writes the request into buffer and returns its length; the state is ASKED. Legal in IDLE
 * and ANSWERED. 0 where the buffer is too small (the state stays).
 */
size_t qn_snyper_asker_ask(struct qn_snyper_asker *asker, const struct qn_snyper_out *request,
			   int64_t deadline_ns, char *buffer, size_t cap);

/*
 * Bytes were read. Returns the new state: still ASKED where the answer is not whole yet. *answer is
 * filled in ANSWERED, and in BAD when the reason is ERROR, WRONG_TYPE or NO_DATA. Bytes that nobody
 * asked for (IDLE, ANSWERED) are taken and change nothing.
 */
enum qn_snyper_asker_state qn_snyper_asker_read(struct qn_snyper_asker *asker, const char *bytes,
						size_t len, size_t fresh, size_t *taken,
						struct qn_snyper_message *answer);

/*
 * The peer closed, refused or reset; `rest` bytes that were not taken stand at `bytes`. A strict
 * asker still takes a last line without its newline.
 */
enum qn_snyper_asker_state qn_snyper_asker_closed(struct qn_snyper_asker *asker, const char *bytes,
						  size_t len, struct qn_snyper_message *answer);

/* The time came: EXPIRED when `now_ns` has reached the deadline of a request under way. */
enum qn_snyper_asker_state qn_snyper_asker_time(struct qn_snyper_asker *asker, int64_t now_ns);

#endif

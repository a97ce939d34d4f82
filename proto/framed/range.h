/*
 * The range's words on the wire `framed`: what a virtual target and its master say to each other
 * by means of a server that knows nothing of targets.
 *
 * Purpose: a target is a client. It says who it is by a message of its own, and the server's
 * `response`, which any server of this wire gives, is its registration. A command is a broadcast
 * whose content is {command, target, duration}; a report is again a message of its own.
 * Ownership and errors: as message.h. Threads: no state.
 * Source: PROTOCOL.md "framed", "Targets".
 */
#ifndef QN_FRAMED_RANGE_H
#define QN_FRAMED_RANGE_H

#include "proto/framed/message.h"

/* Message types of targets. */
#define QN_FRAMED_REGISTER "target_register"
#define QN_FRAMED_REPORT "target_report"
#define QN_FRAMED_HIT "target_hit"
bool qn_framed_type_is(const struct qn_framed_message *message, const char *type);

/* {"type": "target_register", "timestamp": NOW, "target": NAME} */
size_t qn_framed_register(const struct qn_framed_clock *clock, struct qn_text name, char *buffer,
			  size_t cap);
/* Is it the server's response to that? */
bool qn_framed_registered(const struct qn_framed_message *message);

/* Texts inside their quotes, as written; duration as a JSON number, or empty. */
struct qn_framed_command {
	struct qn_text command, target, duration;
	double duration_s; /* 5 where it has none that is a number */
};
/*
 * The command in a broadcast's content; `space` of `cap` bytes is for one that a person typed: a
 * string which holds the object. False: it is talk.
 */
bool qn_framed_read_command(const struct qn_framed_message *message,
			    struct qn_framed_command *command, char *space, size_t cap);
size_t qn_framed_command(const struct qn_framed_server *server, struct qn_text from_client,
			 const char *command, struct qn_text target, struct qn_text duration,
			 char *buffer, size_t cap);

struct qn_framed_report {
	struct qn_text command; /* inside its quotes, as it was written */
	struct qn_text target;  /* plain UTF-8 when written, inside its quotes when read */
	const char *status;     /* "command_queued", "done", "alive"; NULL: an error */
	struct qn_text duration, error;
};
size_t qn_framed_report(const struct qn_framed_clock *clock, const struct qn_framed_report *report,
			char *buffer, size_t cap);
/* What a report says: the command, the target, and whether it is an error. False: it is none. */
bool qn_framed_read_report(const struct qn_framed_message *message, struct qn_text *command,
			   struct qn_text *target, bool *error);

/* {"type": "target_hit", "timestamp": NOW, "target": NAME, "hit_value": N} */
size_t qn_framed_hit(const struct qn_framed_clock *clock, struct qn_text name, int64_t value,
		     char *buffer, size_t cap);

#endif

/*
 * Commands over the wire `agent`: a Request "command", then progress and result as Notifications.
 *
 * Purpose: what the agent reads out of such a Request and says about it, what the manager sends and
 * reads; the operations themselves as far as they are words (noop, echo).
 * Units: seconds in a duration. Ownership: everything points into the caller's bytes.
 * Errors: enum qn_code; where Python would have raised, `why` is what its exception says.
 * Threads: no state.
 * Source: PROTOCOL.md "agent", "Commands"; RedPepper 0.3.4.
 */
#ifndef QN_AGENT_COMMAND_H
#define QN_AGENT_COMMAND_H

#include "proto/agent/message.h"

/* ---- the agent reads ---- */

struct qn_agent_command {
	struct qn_text id; /* any value, as it was written: repeated, never understood */
	struct qn_text cmdtype;
	struct qn_text args, kwargs; /* any values, as they were written */
};

/*
 * A Request's command. QN_E_UNKNOWN: another method; QN_E_TYPE, QN_E_MISSING: no such call. *why is
 * then what the Response says, in the caller's space of `cap` bytes.
 */
enum qn_code qn_agent_read_command(const struct qn_agent_message *request,
				   struct qn_agent_command *command, struct qn_text *why,
				   char *space, size_t cap);

enum qn_agent_op {
	QN_AGENT_OP_NOOP,
	QN_AGENT_OP_ECHO,
	QN_AGENT_OP_STAND_UP,
	QN_AGENT_OP_LAY_DOWN,
	QN_AGENT_OP_ACTIVATE,
	QN_AGENT_OP_PING,
	QN_AGENT_OPS,
};
/* "noop.Noop", "target.StandUp", ... */
const char *qn_agent_op_name(enum qn_agent_op op);

struct qn_agent_operation {
	enum qn_agent_op op;
	bool condition;         /* `if`, where it was there: false, nothing is done */
	struct qn_text message; /* ECHO */
	bool reverse;
	double duration_s; /* ACTIVATE; 5 where none was given */
};

/* What a command asks for; else *why, as an exception has it: "ValueError: Invalid ...". */
enum qn_code qn_agent_read_operation(const struct qn_agent_command *command,
				     struct qn_agent_operation *operation, struct qn_text *why,
				     char *space, size_t cap);

/* ---- the agent writes ---- */

/* "Running noop.Noop..." with 0 of 1, "Finished noop.Noop" with 1 of 1. */
size_t qn_agent_write_progress(char *buffer, size_t cap, struct qn_text id, bool finished,
			       struct qn_text cmdtype);

struct qn_agent_outcome {
	bool success, changed;
	struct qn_text output; /* terminated lines or not: white space at its end is dropped */
};
/* "Operation NAME succeeded (changed):" and the output. */
size_t qn_agent_write_result(char *buffer, size_t cap, struct qn_text id,
			     const struct qn_agent_operation *operation,
			     const struct qn_agent_outcome *outcome);
/* Of what could not be run: why, as qn_agent_read_operation() has it. */
size_t qn_agent_write_broken(char *buffer, size_t cap, struct qn_text id, struct qn_text cmdtype,
			     struct qn_text why);

/*
 * A unit in words, for a log: "Notification command_progress; Notification command_result". Bytes
 * that are no message are counted. What a peer wrote stands in it: to be escaped where it is shown.
 */
struct qn_text qn_agent_describe(const char *unit, size_t len, char *space, size_t cap);

/* ---- the manager ---- */

#define QN_AGENT_ID_LEN 32
/* 32 hexadecimal digits, as a random UUID has them. */
void qn_agent_id(uint64_t high, uint64_t low, char id[QN_AGENT_ID_LEN]);

/* args, kwargs: values in MessagePack; empty: [] and {}. */
size_t qn_agent_write_command(char *buffer, size_t cap, struct qn_text request_id,
			      struct qn_text command_id, struct qn_text cmdtype,
			      struct qn_text args, struct qn_text kwargs);

struct qn_agent_result {
	struct qn_text id;
	bool success, changed;
	struct qn_text output;
};
struct qn_agent_progress {
	struct qn_text id;
	uint64_t current, total;
	struct qn_text message;
};
/* QN_E_UNKNOWN: another type of Notification (passed over); else the data is none. */
enum qn_code qn_agent_read_result(const struct qn_agent_message *notification,
				  struct qn_agent_result *result);
enum qn_code qn_agent_read_progress(const struct qn_agent_message *notification,
				    struct qn_agent_progress *progress);

#endif

#include "emulator/target/parts.h"

#include "proto/snyper/session.h"

#include <assert.h>

/*
 * The range's own wire (PROTOCOL.md "snyper"): one JSON object a line. The target registers as a
 * client and is commanded as a server, over a connection each.
 */

/* The words of the range are this wire's types: no table is looked up for each message. */
#define SAME(word, type) _Static_assert((int)RANGE_##word == (int)QN_SNYPER_##type, "one order")
SAME(NOTHING, UNKNOWN);
SAME(REGISTER, REGISTER);
SAME(REGISTERED, REGISTERED);
SAME(PING, PING);
SAME(PONG, PONG);
SAME(STAND_UP, STAND_UP);
SAME(STANDING, STANDING);
SAME(LAY_DOWN, LAY_DOWN);
SAME(DOWN, DOWN);
SAME(ACTIVATE, ACTIVATE);
SAME(ACTIVATED, ACTIVATED);
SAME(ERROR, ERROR);

_Static_assert(sizeof(struct qn_snyper_asker) <= SERVED_WIRE_BYTES, "in place");
_Static_assert(sizeof(struct qn_snyper_answerer) <= SERVED_WIRE_BYTES, "in place");

static const struct qn_snyper_profile *profile_of(const struct target *target)
{
	return target->group->profile;
}

/* ---- registering ---- */

static void hello(struct net_conn *conn, struct qn_text name)
{
	struct target *target = served_of(conn)->target;
	struct qn_snyper_asker *asker = served_wire(conn);
	struct qn_snyper_out request = { .type = QN_SNYPER_REGISTER,
					 .target_id = name,
					 .client_id = name,
					 .wall_ns = target_wall_ns(target) };
	char line[TARGET_LINE_MAX];

	qn_snyper_asker_init(asker, profile_of(target), 0);
	size_t len = qn_snyper_asker_ask(asker, &request, INT64_MAX, line, sizeof(line));
	assert(len > 0); /* names are bounded by the config, and so is what a fault says instead */
	net_send(conn, line, len);
}

static enum target_heard heard_as(const struct qn_snyper_asker *asker,
				  enum qn_snyper_asker_state state, const char **ret_why)
{
	switch (state) {
	case QN_SNYPER_ANSWERED: return TARGET_HEARD_YES;
	case QN_SNYPER_BAD:
		*ret_why = qn_snyper_reason_name((enum qn_snyper_reason)asker->reason);
		return TARGET_HEARD_NO;
	case QN_SNYPER_CLOSED: return TARGET_HEARD_NO;
	default: return TARGET_HEARD_MORE;
	}
}

static enum target_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, const char **ret_why)
{
	struct qn_snyper_asker *asker = served_wire(conn);
	struct qn_snyper_message answer;

	return heard_as(asker, qn_snyper_asker_read(asker, bytes, len, fresh, ret_taken, &answer),
			ret_why);
}

static enum target_heard heard_end(struct net_conn *conn, const char *rest, size_t len,
				   const char **ret_why)
{
	struct qn_snyper_asker *asker = served_wire(conn);
	struct qn_snyper_message answer;

	return heard_as(asker, qn_snyper_asker_closed(asker, rest, len, &answer), ret_why);
}

/* ---- serving ---- */

static void begin(struct net_conn *conn)
{
	const struct target_group *group = served_of(conn)->target->group;

	qn_snyper_answerer_init(served_wire(conn), group->profile, QN_SNYPER_TARGET,
				group->line_limit);
}

static void refuse(struct net_conn *conn, const struct qn_snyper_message *message,
		   const struct qn_fault *fault)
{
	char space[64];

	if (fault->code == QN_OK)
		target_refuse(conn, message->id, fault->text,
			      qn_snyper_unsupported(QN_SNYPER_TARGET, message->type, space,
						    sizeof(space)));
	else
		target_refuse(conn, (struct qn_text){ NULL, 0 }, fault->text,
			      (struct qn_text){ fault->text, strlen(fault->text) });
}

static void serve(struct net_conn *conn, const struct qn_snyper_message *message,
		  struct qn_text line)
{
	struct target_request request = { .word = (enum range_word)message->type,
					  .id = message->id,
					  .duration = message->duration,
					  .duration_s = message->duration_s,
					  .text = line };

	target_serve(conn, &request);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct qn_snyper_answerer *answerer = served_wire(conn);
	struct qn_snyper_message message;
	struct qn_fault fault;
	size_t done = 0;

	if (target_deaf(conn, len, &done))
		return done;
	for (;;) {
		size_t taken;
		size_t from = fresh > done ? fresh - done : 0;
		enum qn_snyper_step step = qn_snyper_answerer_next(
			answerer, bytes + done, len - done, from, &taken, &message, &fault);
		struct qn_text line = { bytes + done, taken };
		done += taken;
		switch (step) {
		case QN_SNYPER_STEP_MORE: return done;
		case QN_SNYPER_STEP_REQUEST: serve(conn, &message, line); break;
		case QN_SNYPER_STEP_IGNORED: target_bad_line(conn, fault.text); break;
		case QN_SNYPER_STEP_REFUSE: refuse(conn, &message, &fault); break;
		case QN_SNYPER_STEP_CLOSE:
			target_bad_line(conn, fault.text);
			target_leave(conn, false);
			return done;
		}
		/* A command can end the target, a fault this connection. */
		if (served_of(conn)->gone)
			return done;
	}
}

static size_t write_answer(struct net_conn *conn, const struct target_answer *answer, char *unit,
			   size_t cap)
{
	struct qn_snyper_out out = { .type = (enum qn_snyper_type)answer->word,
				     .id = answer->id,
				     .target_id = answer->target_id,
				     .error = answer->error,
				     .duration = answer->duration,
				     .wall_ns = answer->wall_ns,
				     .done = answer->done };

	return qn_snyper_write(profile_of(served_of(conn)->target), &out, unit, cap);
}

static size_t spoil(struct target *target, const struct fault_spec *spec, char *unit, size_t len,
		    size_t cap)
{
	switch (spec->kind) {
	case FAULT_CUT_JSON:
		if (len > 1) {
			len = (size_t)((double)(len - 1) * spec->factor);
			unit[len++] = '\n';
		}
		return len;
	case FAULT_NO_NEWLINE: return len > 0 && unit[len - 1] == '\n' ? len - 1 : len;
	default: return target_spoil_json(target, spec, unit, len, cap);
	}
}

const struct target_wire target_wire_snyper = {
	.id = WIRE_SNYPER,
	.listens = true,
	.hello = hello,
	.heard = heard,
	.heard_end = heard_end,
	.served = { .received = received, .ended = served_ended, .closed = served_closed },
	.begin = begin,
	.write = write_answer,
	.wrong_id = "\"msg_0\"",
	.spoil = spoil,
};

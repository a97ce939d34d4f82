#include "emulator/master/parts.h"

#include "proto/snyper/session.h"

#include <string.h>

/*
 * The range's own wire (PROTOCOL.md "snyper", "The master"): a line `register` a connection as a
 * rule, answered, closed by the target; a connection a command, to the target's address.
 */

_Static_assert((int)RANGE_PING == (int)QN_SNYPER_PING, "one order: target/wire_snyper.c has all");
_Static_assert((int)RANGE_WORDS == (int)QN_SNYPER_TYPES, "one order");
_Static_assert(sizeof(struct qn_snyper_asker) <= TALK_WIRE_BYTES, "in place");
_Static_assert(sizeof(struct qn_snyper_answerer) <= TALK_WIRE_BYTES, "in place");

static const struct qn_snyper_profile *profile_of(struct net_conn *conn)
{
	return talk_of(conn)->listener->options.profile;
}

/* ---- registrations ---- */

static void begin(struct net_conn *conn)
{
	qn_snyper_answerer_init(talk_wire(conn), profile_of(conn), QN_SNYPER_MASTER, 0);
}

static void answer(struct net_conn *conn, struct qn_snyper_out *out)
{
	char line[4096];

	out->wall_ns = conn->net->loop->wall_ns;
	size_t len = qn_snyper_write(profile_of(conn), out, line, sizeof(line));
	if (len > 0)
		net_send(conn, line, len);
}

static void reject(struct net_conn *conn, struct qn_text id, struct qn_text why)
{
	struct qn_snyper_out out = { .type = QN_SNYPER_ERROR, .id = id, .error = why };

	master_reject(conn, why.at, why.len);
	answer(conn, &out);
}

static void register_target(struct net_conn *conn, const struct qn_snyper_message *message)
{
	char id[sizeof(((struct remote *)0)->id)];
	const char *why;

	size_t len = qn_json_unescape(message->client_id, profile_of(conn)->dialect, id,
				      sizeof(id));
	struct remote *remote = master_enter(conn, id, len, &why);
	if (remote == NULL) {
		reject(conn, message->id, (struct qn_text){ why, strlen(why) });
		return;
	}
	struct qn_snyper_out out = { .type = QN_SNYPER_REGISTERED,
				     .id = message->id,
				     .target_id = { remote->id, remote->id_len } };
	answer(conn, &out);
}

static void refuse(struct net_conn *conn, const struct qn_snyper_message *message,
		   const struct qn_fault *fault)
{
	char space[64];

	if (fault->code == QN_OK)
		reject(conn, message->id,
		       qn_snyper_unsupported(QN_SNYPER_MASTER, message->type, space,
					     sizeof(space)));
	else
		reject(conn, (struct qn_text){ NULL, 0 },
		       (struct qn_text){ fault->text, strlen(fault->text) });
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct qn_snyper_answerer *answerer = talk_wire(conn);
	struct qn_snyper_message message;
	struct qn_fault fault;
	size_t done = 0;

	master_alive(conn);
	for (;;) {
		size_t taken;
		enum qn_snyper_step step = qn_snyper_answerer_next(
			answerer, bytes + done, len - done, fresh > done ? fresh - done : 0, &taken,
			&message, &fault);
		done += taken;
		switch (step) {
		case QN_SNYPER_STEP_MORE: return done;
		case QN_SNYPER_STEP_REQUEST: register_target(conn, &message); break;
		case QN_SNYPER_STEP_IGNORED:
			talk_master(conn)->totals.registrations_rejected++;
			break;
		case QN_SNYPER_STEP_REFUSE: refuse(conn, &message, &fault); break;
		case QN_SNYPER_STEP_CLOSE:
			master_reject(conn, fault.text, strlen(fault.text));
			talk_close(conn);
			return done;
		}
	}
}

/* ---- commands ---- */

static size_t ask(struct net_conn *conn, const struct master_request *request, char *unit,
		  size_t cap)
{
	struct qn_snyper_asker *asker = talk_wire(conn);
	struct qn_snyper_out out = { .type = (enum qn_snyper_type)request->word,
				     .target_id = request->target_id,
				     .duration = request->duration,
				     .wall_ns = request->wall_ns };

	if (asker->profile == NULL)
		qn_snyper_asker_init(asker, profile_of(conn), 0);
	return qn_snyper_asker_ask(asker, &out, INT64_MAX, unit, cap);
}

static enum master_heard heard_as(const struct qn_snyper_asker *asker,
				  enum qn_snyper_asker_state state, struct master_flaw *ret_flaw)
{
	enum qn_snyper_reason reason = (enum qn_snyper_reason)asker->reason;

	if (state == QN_SNYPER_ANSWERED)
		return MASTER_HEARD_OK;
	if (state != QN_SNYPER_BAD)
		return MASTER_HEARD_MORE;
	ret_flaw->why = qn_snyper_reason_name(reason);
	ret_flaw->spoke = reason == QN_SNYPER_REASON_ERROR ||
			  reason == QN_SNYPER_REASON_WRONG_TYPE ||
			  reason == QN_SNYPER_REASON_NO_DATA;
	return MASTER_HEARD_BAD;
}

static enum master_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, struct master_flaw *ret_flaw)
{
	struct qn_snyper_asker *asker = talk_wire(conn);
	struct qn_snyper_message message;

	return heard_as(asker, qn_snyper_asker_read(asker, bytes, len, fresh, ret_taken, &message),
			ret_flaw);
}

static enum master_heard heard_end(struct net_conn *conn, const char *rest, size_t len,
				   struct master_flaw *ret_flaw)
{
	struct qn_snyper_asker *asker = talk_wire(conn);
	struct qn_snyper_message message;

	return heard_as(asker, qn_snyper_asker_closed(asker, rest, len, &message), ret_flaw);
}

const struct master_wire master_wire_snyper = {
	.id = WIRE_SNYPER,
	.accepted = { .received = received, .closed = talk_closed },
	.begin = begin,
	.ask = ask,
	.heard = heard,
	.heard_end = heard_end,
};

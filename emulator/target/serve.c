#include "emulator/target/parts.h"

#include <assert.h>

#define ACTIVATE_MAX_S 1e9

/* ---- answers ---- */

static void send_answer(struct net_conn *conn, const struct qn_snyper_out *answer)
{
	struct target *target = served_of(conn)->target;
	char line[QN_SNYPER_TYPICAL], long_line[TARGET_LINE_MAX];
	char *at = line;
	size_t len;

	/* Nor may it overtake what a fault, now over, still holds. */
	if (target->faults != NULL &&
	    (target->faults->active != 0 || served_of(conn)->held != NULL)) {
		if (!target_answer_faulty(conn, answer))
			target_say(target, EVENT_BAD_LINE, "an id too long to be answered");
		return;
	}
	len = qn_snyper_write(target->group->profile, answer, line, sizeof(line));
	if (len == 0) { /* a long id or name */
		at = long_line;
		len = qn_snyper_write(target->group->profile, answer, at, sizeof(long_line));
	}
	if (len == 0) {
		target_say(target, EVENT_BAD_LINE, "an id too long to be answered");
		return;
	}
	target_count_answer(target, answer->type);
	target_tell(target, EVENT_ANSWER, (uint8_t)answer->type, 0, at, len);
	net_send(conn, at, len);
}

static struct qn_snyper_out answer_of(const struct target *target, enum qn_snyper_type type,
				      struct qn_text id)
{
	return (struct qn_snyper_out){ .type = type,
				       .id = id,
				       .target_id = { target->name, target->name_len },
				       .wall_ns = target_wall_ns(target) };
}

static void answer_error(struct net_conn *conn, struct qn_text id, struct qn_text error)
{
	struct qn_snyper_out answer = answer_of(served_of(conn)->target, QN_SNYPER_ERROR, id);

	answer.error = error;
	send_answer(conn, &answer);
}

/* ---- answers that wait for their movement ---- */

static struct target_late_reply *keep_reply(struct net_conn *conn,
					    const struct qn_snyper_message *request)
{
	struct target_late_reply *reply;

	if (request->id.len > sizeof(reply->id) || request->duration.len > sizeof(reply->duration))
		return NULL;
	reply = pool_get(&served_of(conn)->target->env->late_replies);
	if (reply == NULL)
		return NULL;
	reply->conn = conn;
	reply->id_len = (uint8_t)request->id.len;
	reply->duration_len = (uint8_t)request->duration.len;
	if (reply->id_len > 0)
		memcpy(reply->id, request->id.at, reply->id_len);
	if (reply->duration_len > 0)
		memcpy(reply->duration, request->duration.at, reply->duration_len);
	served_of(conn)->late++;
	return reply;
}

void target_forget_reply(struct target *target, struct target_late_reply *reply)
{
	if (reply->conn != NULL)
		served_of(reply->conn)->late--;
	pool_put(&target->env->late_replies, reply);
}

void target_answer_late(struct target *target, const struct target_move *move)
{
	struct target_late_reply *reply = move->reply;

	if (reply == NULL)
		return;
	struct net_conn *conn = reply->conn;
	struct qn_snyper_out answer =
		answer_of(target, qn_snyper_answer_to((enum qn_snyper_type)move->command),
			  (struct qn_text){ reply->id, reply->id_len });
	answer.duration = (struct qn_text){ reply->duration, reply->duration_len };
	answer.done = true;
	/* The ring's own copy must not be forgotten a second time. */
	target->queue[target->queue_head].reply = NULL;
	if (conn != NULL)
		send_answer(conn, &answer);
	target_forget_reply(target, reply);
	if (conn != NULL)
		target_leave_if_done(conn);
}

/* ---- requests ---- */

static int64_t duration_ns(double seconds)
{
	if (!(seconds > 0)) /* zero and less: it stands up and lies down again */
		return 0;
	return (int64_t)((seconds < ACTIVATE_MAX_S ? seconds : ACTIVATE_MAX_S) * 1e9);
}

static void serve_move(struct net_conn *conn, const struct qn_snyper_message *request)
{
	struct target *target = served_of(conn)->target;
	struct target_move move = { .command = (uint8_t)request->type,
				    .duration_ns = duration_ns(request->duration_s) };

	if (target->queue_len == target->group->queue_max) {
		target->env->totals.queue_full++;
		target_say(target, EVENT_QUEUE_FULL, NULL);
		answer_error(conn, request->id, (struct qn_text){ "Command queue full", 18 });
		return;
	}
	bool moves = fault_strikes(target, FAULT_NO_MOVE) == NULL;
	bool answers = fault_strikes(target, FAULT_SILENT_MOVE) == NULL;
	if (target->group->reply == TARGET_REPLY_DONE && moves) {
		move.reply = answers ? keep_reply(conn, request) : NULL;
		if (answers && move.reply == NULL) {
			answer_error(conn, (struct qn_text){ NULL, 0 },
				     (struct qn_text){ "Out of memory", 13 });
			return;
		}
		target_enqueue(target, &move);
		return;
	}
	struct qn_snyper_out answer = answer_of(target, qn_snyper_answer_to(request->type),
						request->id);
	answer.duration = request->duration;
	answer.done = target->group->reply == TARGET_REPLY_DONE;
	/* It answers, then moves. */
	if (answers)
		send_answer(conn, &answer);
	if (moves)
		target_enqueue(target, &move);
}

static void serve(struct net_conn *conn, const struct qn_snyper_message *request,
		  struct qn_text line)
{
	struct target *target = served_of(conn)->target;

	target->env->totals.commands[request->type]++;
	target->heard_ns = target->env->loop->now_ns;
	target_tell(target, EVENT_COMMAND, (uint8_t)request->type, 0, line.at, line.len);
	if (fault_active(target, FAULT_OUT_OF_MEMORY) &&
	    ++target->faults->commands > target->faults->spec[FAULT_OUT_OF_MEMORY]->count) {
		fault_strike(target, FAULT_OUT_OF_MEMORY);
		target_crash(target, "out of memory");
		return;
	}
	if (request->type != QN_SNYPER_PING) {
		serve_move(conn, request);
		return;
	}
	struct qn_snyper_out answer = answer_of(target, QN_SNYPER_PONG, request->id);
	send_answer(conn, &answer);
}

static void refuse(struct net_conn *conn, const struct qn_snyper_message *message,
		   const struct qn_fault *fault)
{
	char space[64];
	struct qn_text error = fault->code == QN_OK
				       ? qn_snyper_unsupported(QN_SNYPER_TARGET, message->type,
							       space, sizeof(space))
				       : (struct qn_text){ fault->text, strlen(fault->text) };

	answer_error(conn, fault->code == QN_OK ? message->id : (struct qn_text){ NULL, 0 }, error);
}

static void bad_line(struct net_conn *conn, const struct qn_fault *fault)
{
	struct target *target = served_of(conn)->target;

	target->env->totals.bad_lines++;
	target_say(target, EVENT_BAD_LINE, fault->text);
}

/* ---- connections ---- */

static void unlink_conn(struct net_conn *conn)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;

	if (served->prev != NULL)
		served_of(served->prev)->next = served->next;
	else
		target->serving = served->next;
	if (served->next != NULL)
		served_of(served->next)->prev = served->prev;
	target->connections--;
	served->gone = true;
	target_drop_held(conn);
	for (uint16_t i = 0; served->late > 0 && i < target->queue_len; i++) {
		struct target_move *move =
			&target->queue[(target->queue_head + i) % target->group->queue_max];
		if (move->reply != NULL && move->reply->conn == conn) {
			move->reply->conn = NULL;
			served->late--;
		}
	}
}

void target_leave(struct net_conn *conn, bool reset)
{
	if (served_of(conn)->gone)
		return;
	unlink_conn(conn);
	if (reset)
		net_reset(conn);
	else
		net_close(conn);
}

/* The peer has said its last; do we still owe it something, or were we not there to read it? */
void target_leave_if_done(struct net_conn *conn)
{
	const struct served *served = served_of(conn);

	if (!served->gone && served->ended && served->late == 0 && served->held == NULL &&
	    !fault_active(served->target, FAULT_HANG))
		target_leave(conn, false);
}

/* What came while the program stood still is read now. */
void target_poke_connections(struct target *target)
{
	struct net_conn *conn = target->serving;

	while (conn != NULL) {
		struct net_conn *next = served_of(conn)->next;
		net_poke(conn);
		if (!served_of(conn)->gone)
			target_leave_if_done(conn);
		conn = next;
	}
}

void target_drop_connections(struct target *target)
{
	while (target->serving != NULL) {
		struct net_conn *conn = target->serving;
		unlink_conn(conn);
		net_reset(conn);
	}
}

static size_t served_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;
	struct qn_snyper_message message;
	struct qn_fault fault;
	size_t done = 0;

	if (served->silent)
		return len;
	if (fault_active(target, FAULT_HANG))
		return 0; /* read when it wakes up */
	for (;;) {
		size_t taken;
		size_t from = fresh > done ? fresh - done : 0;
		enum qn_snyper_step step = qn_snyper_answerer_next(&served->answerer, bytes + done,
								   len - done, from, &taken,
								   &message, &fault);
		struct qn_text line = { bytes + done, taken };
		done += taken;
		switch (step) {
		case QN_SNYPER_STEP_MORE: return done;
		case QN_SNYPER_STEP_REQUEST: serve(conn, &message, line); break;
		case QN_SNYPER_STEP_IGNORED: bad_line(conn, &fault); break;
		case QN_SNYPER_STEP_REFUSE:
			bad_line(conn, &fault);
			refuse(conn, &message, &fault);
			break;
		case QN_SNYPER_STEP_CLOSE:
			bad_line(conn, &fault);
			target_leave(conn, false);
			return done;
		}
		/* A command can end the target, a fault this connection. */
		if (served->gone)
			return done;
	}
}

static void served_ended(struct net_conn *conn, const char *rest, size_t len)
{
	struct served *served = served_of(conn);

	(void)rest; /* a line without its newline gets no answer */
	(void)len;
	served->ended = true;
	target_leave_if_done(conn);
}

static void served_closed(struct net_conn *conn, int error)
{
	(void)error;
	unlink_conn(conn);
}

static const struct net_handler served_handler = {
	.received = served_received,
	.ended = served_ended,
	.closed = served_closed,
};

bool target_accept(struct net_listener *listener, struct net_conn *conn)
{
	struct target *target = listener->owner;
	struct served *served = served_of(conn);

	if (target->connections >= target->group->connections_max) {
		target->env->totals.conn_refused++;
		target_say(target, EVENT_CONN_REFUSED, NULL);
		return false;
	}
	/* It had connected before the outage began, and was not accepted yet. */
	if (fault_active(target, FAULT_OUTAGE))
		net_hole_conn(conn, true);
	conn->handler = &served_handler;
	served->target = target;
	conn->soon = target;
	served->silent = fault_strikes(target, FAULT_SILENT) != NULL;
	qn_snyper_answerer_init(&served->answerer, target->group->profile, QN_SNYPER_TARGET,
				target->group->line_limit);
	served->next = target->serving;
	if (target->serving != NULL)
		served_of(target->serving)->prev = conn;
	target->serving = conn;
	target->connections++;
	return true;
}

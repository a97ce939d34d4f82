#include "emulator/target/parts.h"

#include <errno.h>

/* Connections that a target serves: what is asked of it, and what it answers, on any wire. */

#define ACTIVATE_MAX_S 1e9

/* ---- answers ---- */

static void send_answer(struct net_conn *conn, const struct target_answer *answer)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;
	const struct target_wire *wire = target->group->wire;
	char line[TARGET_UNIT_TYPICAL], long_line[TARGET_LINE_MAX];
	char *at = line;

	/* Nor may it overtake what a fault, now over, still holds. */
	if (target->faults != NULL && (target->faults->active != 0 || served->held != NULL)) {
		if (!target_answer_faulty(conn, answer))
			target_say(target, EVENT_BAD_LINE, "an id too long to be answered");
		return;
	}
	size_t len = wire->write(conn, answer, line, sizeof(line));
	if (len == 0) { /* a long id or name */
		at = long_line;
		len = wire->write(conn, answer, at, sizeof(long_line));
	}
	if (len == 0) {
		target_say(target, EVENT_BAD_LINE, "an id too long to be answered");
		return;
	}
	target_count_answer(target, answer->word);
	if (events_wanted(target->env->events, EVENT_ANSWER)) {
		char space[TARGET_LINE_MAX];
		struct qn_text text = target_unit_text(target, at, len, space, sizeof(space));
		target_tell(target, EVENT_ANSWER, (uint8_t)answer->word, 0, text.at, text.len);
	}
	if (wire->take != NULL && wire->take(conn, at, len))
		return;
	net_send(conn, at, len);
	if (wire->sent != NULL)
		wire->sent(conn);
	if (served->last && !served->gone)
		target_leave(conn, false);
}

void target_send(struct net_conn *conn, const char *bytes, size_t len)
{
	const struct served *served = served_of(conn);
	const struct target *target = served->target;

	if (target->faults != NULL && (target->faults->active != 0 || served->held != NULL))
		target_send_faulty(conn, bytes, len);
	else
		net_send(conn, bytes, len);
}

static struct target_answer answer_of(const struct target *target, enum range_word word,
				      struct qn_text id)
{
	return (struct target_answer){ .word = word,
				       .id = id,
				       .target_id = { target->name, target->name_len },
				       .wall_ns = target_wall_ns(target) };
}

static void answer_error(struct net_conn *conn, struct qn_text id, struct qn_text error)
{
	struct target_answer answer = answer_of(served_of(conn)->target, RANGE_ERROR, id);

	answer.error = error;
	send_answer(conn, &answer);
}

/* ---- answers that wait for their movement ---- */

static struct target_late_reply *keep_reply(struct net_conn *conn,
					    const struct target_request *request)
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
	struct target_answer answer = answer_of(target,
						range_answer_to((enum range_word)move->command),
						(struct qn_text){ reply->id, reply->id_len });
	answer.duration = (struct qn_text){ reply->duration, reply->duration_len };
	answer.done = true;
	/* The ring's own copy must not be forgotten a second time. */
	target->queue[target->queue_head].reply = NULL;
	if (conn != NULL)
		send_answer(conn, &answer);
	/* The connection may have gone, and its memory stands. */
	if (conn != NULL && served_of(conn)->gone)
		reply->conn = NULL;
	target_forget_reply(target, reply);
	if (conn != NULL)
		target_leave_if_done(conn);
	if (conn != NULL && !served_of(conn)->gone && target->group->wire->in_order)
		net_poke(conn);
}

/* ---- requests ---- */

static int64_t duration_ns(double seconds)
{
	if (!(seconds > 0)) /* zero and less: it stands up and lies down again */
		return 0;
	return (int64_t)((seconds < ACTIVATE_MAX_S ? seconds : ACTIVATE_MAX_S) * 1e9);
}

/* True: it has been answered, or never will be. */
static bool queue_is_full(struct net_conn *conn, const struct target_request *request)
{
	struct target *target = served_of(conn)->target;

	if (target->queue_len < target->group->queue_max)
		return false;
	target->env->totals.queue_full++;
	target_say(target, EVENT_QUEUE_FULL, NULL);
	answer_error(conn, request->id, (struct qn_text){ "Command queue full", 18 });
	return true;
}

static void serve_move(struct net_conn *conn, const struct target_request *request)
{
	struct target *target = served_of(conn)->target;
	bool at_the_end = target->group->reply == TARGET_REPLY_DONE;
	bool twice = target->group->wire->answers_twice;
	struct target_move move = { .command = (uint8_t)request->word,
				    .duration_ns = duration_ns(request->duration_s) };

	if (queue_is_full(conn, request))
		return;
	bool moves = fault_strikes(target, FAULT_NO_MOVE) == NULL;
	bool answers = fault_strikes(target, FAULT_SILENT_MOVE) == NULL;
	if ((at_the_end || twice) && moves) {
		move.reply = answers ? keep_reply(conn, request) : NULL;
		if (answers && move.reply == NULL) {
			answer_error(conn, (struct qn_text){ NULL, 0 },
				     (struct qn_text){ "Out of memory", 13 });
			return;
		}
		if (!twice) {
			target_enqueue(target, &move);
			return;
		}
	}
	struct target_answer answer = answer_of(target, range_answer_to(request->word),
						request->id);
	answer.duration = request->duration;
	answer.done = at_the_end && !twice;
	/* It answers, then moves. */
	if (answers)
		send_answer(conn, &answer);
	/* Nothing will be over that never began: where two answers belong to a move, both come. */
	if (answers && twice && !moves && !served_of(conn)->gone) {
		answer.done = true;
		send_answer(conn, &answer);
	}
	if (move.reply != NULL && served_of(conn)->gone)
		move.reply->conn = NULL;
	if (moves)
		target_enqueue(target, &move);
}

void target_serve(struct net_conn *conn, const struct target_request *request)
{
	struct target *target = served_of(conn)->target;

	target->env->totals.commands[request->word]++;
	target->heard_ns = target->env->loop->now_ns;
	target_tell(target, EVENT_COMMAND, (uint8_t)request->word, 0, request->text.at,
		    request->text.len);
	if (fault_active(target, FAULT_OUT_OF_MEMORY) &&
	    ++target->faults->commands > target->faults->spec[FAULT_OUT_OF_MEMORY]->count) {
		fault_strike(target, FAULT_OUT_OF_MEMORY);
		target_crash(target, "out of memory");
		return;
	}
	if (request->word != RANGE_PING) {
		serve_move(conn, request);
		return;
	}
	struct target_answer answer = answer_of(target, RANGE_PONG, request->id);
	send_answer(conn, &answer);
}

void target_bad_line(struct net_conn *conn, const char *what)
{
	struct target *target = served_of(conn)->target;

	target->env->totals.bad_lines++;
	target_say(target, EVENT_BAD_LINE, what);
}

void target_refuse(struct net_conn *conn, struct qn_text id, const char *what, struct qn_text error)
{
	target_bad_line(conn, what);
	answer_error(conn, id, error);
}

/* ---- connections ---- */

bool served_init(struct net_conn *conn, struct target *target)
{
	struct served *served = served_of(conn);
	size_t bytes = target->group->wire->conn_bytes;

	served->target = target;
	if (bytes == 0)
		return true;
	void *state = pool_get(&target->group->run->conns);
	if (state == NULL)
		return false;
	memset(state, 0, bytes);
	memcpy(served->wire, &state, sizeof(state));
	return true;
}

void served_release(struct net_conn *conn)
{
	const struct target_group *group = served_of(conn)->target->group;

	if (group->wire->drop != NULL)
		group->wire->drop(conn);
	if (group->wire->conn_bytes > 0)
		pool_put(&group->run->conns, served_state(conn));
}

static void link_conn(struct net_conn *conn)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;

	served->prev = NULL;
	served->next = target->serving;
	if (target->serving != NULL)
		served_of(target->serving)->prev = conn;
	target->serving = conn;
	target->connections++;
	conn->soon = target;
}

static void unlink_conn(struct net_conn *conn)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;

	if (target->group->wire->end != NULL)
		target->group->wire->end(conn);
	if (served->prev != NULL)
		served_of(served->prev)->next = served->next;
	else
		target->serving = served->next;
	if (served->next != NULL)
		served_of(served->next)->prev = served->prev;
	target->connections--;
	served->gone = true;
	target_drop_held(conn);
	served_release(conn);
	for (uint16_t i = 0; served->late > 0 && i < target->queue_len; i++) {
		struct target_move *move =
			&target->queue[(target->queue_head + i) % target->group->queue_max];
		if (move->reply != NULL && move->reply->conn == conn) {
			move->reply->conn = NULL;
			served->late--;
		}
	}
}

/* It is gone already; was it what the target lives by? */
static void miss_link(struct target *target, const struct net_conn *conn, int error)
{
	if (target->link != conn)
		return;
	target->link = NULL;
	target_link_lost(target, error);
}

void target_leave(struct net_conn *conn, bool reset)
{
	struct target *target = served_of(conn)->target;

	if (served_of(conn)->gone)
		return;
	bool ended = served_of(conn)->ended;
	unlink_conn(conn);
	if (reset)
		net_reset(conn);
	else
		net_close(conn);
	miss_link(target, conn, ended ? 0 : -ECONNABORTED);
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
		if (!served_of(conn)->gone && target->group->wire->woke != NULL)
			target->group->wire->woke(conn);
		if (!served_of(conn)->gone)
			target_leave_if_done(conn);
		conn = next;
	}
}

void target_drop_connections(struct target *target)
{
	target->link = NULL; /* it is not lost: it is given up */
	while (target->serving != NULL) {
		struct net_conn *conn = target->serving;
		unlink_conn(conn);
		net_reset(conn);
	}
}

void served_ended(struct net_conn *conn, const char *rest, size_t len)
{
	struct served *served = served_of(conn);

	(void)rest; /* half a message gets no answer */
	(void)len;
	served->ended = true;
	target_leave_if_done(conn);
}

void served_closed(struct net_conn *conn, int error)
{
	struct target *target = served_of(conn)->target;

	unlink_conn(conn);
	miss_link(target, conn, error);
}

bool target_accept(struct net_listener *listener, struct net_conn *conn)
{
	struct target *target = listener->owner;
	struct served *served = served_of(conn);

	if (target->connections >= target->group->connections_max || !served_init(conn, target)) {
		target->env->totals.conn_refused++;
		target_say(target, EVENT_CONN_REFUSED, NULL);
		return false;
	}
	/* It had connected before the outage began, and was not accepted yet. */
	if (fault_active(target, FAULT_OUTAGE))
		net_hole_conn(conn, true);
	conn->handler = &target->group->wire->served;
	served->silent = fault_strikes(target, FAULT_SILENT) != NULL;
	link_conn(conn);
	if (target->group->wire->begin != NULL)
		target->group->wire->begin(conn);
	return true;
}

void target_stay(struct net_conn *conn)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;

	struct net_conn *old = target->link;

	/* It has another one by now: the old one says nothing any more. */
	target->link = NULL;
	if (old != NULL)
		target_leave(old, false);
	timer_cancel(&target->env->loop->timers, &conn->timer);
	target->registering = NULL;
	conn->handler = &target->group->wire->served;
	served->silent = fault_strikes(target, FAULT_SILENT) != NULL;
	link_conn(conn);
	target->link = conn;
	if (target->group->wire->begin != NULL)
		target->group->wire->begin(conn);
}

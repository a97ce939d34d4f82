#include "emulator/target/parts.h"

#include <assert.h>
#include <stdlib.h>

/*
 * The faulty way out of a target. Message faults change what is written; network faults change how:
 * they hold units back, cut them, or end the connection. Units of one connection keep their order.
 */

#define BUFFERS_MAX ((size_t)256 << 20)

/* A write unit that waits, or goes out piece by piece. */
struct held {
	struct timer timer;
	struct net_conn *conn;
	struct held *next;
	struct buffer data;
	uint32_t sent, piece; /* piece 0: all at once */
	int64_t delay_ns, gap_ns;
	bool coalescing;
};

/* ---- holding ---- */

static void send_held(struct timer *timer, int64_t now_ns);

static void start_held(struct held *held)
{
	loop_timer(held->conn->net->loop, &held->timer, held->delay_ns);
}

static void free_held(struct target_env *env, struct held *held)
{
	timer_cancel(&env->loop->timers, &held->timer);
	buffer_free(&env->buffers, &held->data);
	pool_put(&env->held, held);
}

void target_drop_held(struct net_conn *conn)
{
	struct served *served = served_of(conn);

	while (served->held != NULL) {
		struct held *held = served->held;
		served->held = held->next;
		free_held(served->target->env, held);
	}
}

static void send_held(struct timer *timer, int64_t now_ns)
{
	struct held *held = OF(timer, struct held, timer);
	struct net_conn *conn = held->conn;
	struct served *served = served_of(conn);
	struct target_env *env = served->target->env;
	uint32_t left = held->data.len - held->sent;
	uint32_t n = held->piece > 0 && held->piece < left ? held->piece : left;

	(void)now_ns;
	net_send(conn, held->data.at + held->sent, n);
	held->sent += n;
	if (held->sent < held->data.len) {
		loop_timer(env->loop, &held->timer, held->gap_ns);
		return;
	}
	served->held = held->next;
	free_held(env, held);
	if (served->held != NULL)
		start_held(served->held);
	else
		target_leave_if_done(conn);
}

static void hold(struct net_conn *conn, const char *bytes, size_t len, const struct held *how)
{
	struct served *served = served_of(conn);
	struct target_env *env = served->target->env;
	struct held *held = pool_get(&env->held), **end = &served->held;

	if (held == NULL || (*held = *how, buffer_reserve(&env->buffers, &held->data, len)) < 0) {
		if (held != NULL)
			pool_put(&env->held, held);
		net_send(conn, bytes, len); /* no room to misbehave: better right than lost */
		return;
	}
	memcpy(held->data.at, bytes, len);
	held->data.len = (uint32_t)len;
	held->timer.fire = send_held;
	held->conn = conn;
	while (*end != NULL)
		end = &(*end)->next;
	*end = held;
	if (served->held == held)
		start_held(held);
}

/* The second of two answers joins the first, and both go out in one write. */
static bool join_coalescing(struct net_conn *conn, const char *bytes, size_t len)
{
	struct served *served = served_of(conn);
	struct held *held = served->held;

	if (held == NULL || !held->coalescing || held->next != NULL ||
	    buffer_reserve(&served->target->env->buffers, &held->data, len) < 0)
		return false;
	memcpy(held->data.at + held->data.len, bytes, len);
	held->data.len += (uint32_t)len;
	held->coalescing = false;
	timer_arm(&conn->net->loop->timers, &held->timer, conn->net->loop->now_ns);
	return true;
}

/* ---- the network ---- */

/* How long and in what pieces; true where anything is to be held at all. */
static bool pace(struct target *target, size_t len, struct held *how)
{
	const struct fault_spec *spec;
	bool any = false;

	if ((spec = fault_strikes(target, FAULT_DELAY)) != NULL) {
		how->delay_ns = fault_time(target, spec);
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_COALESCE)) != NULL) {
		how->delay_ns = fault_time(target, spec);
		how->coalescing = true;
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_SPLIT)) != NULL) {
		how->piece = (uint32_t)((len + (size_t)spec->count - 1) / (size_t)spec->count);
		how->gap_ns = fault_time(target, spec);
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_BANDWIDTH)) != NULL) {
		how->piece = (uint32_t)(spec->bytes / 50 > 0 ? spec->bytes / 50 : 1);
		how->gap_ns = (int64_t)how->piece * NS_PER_S / spec->bytes;
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_TRICKLE)) != NULL) {
		how->piece = (uint32_t)spec->bytes;
		how->gap_ns = fault_time(target, spec);
		any = true;
	}
	return any;
}

static void send_unit(struct net_conn *conn, const char *bytes, size_t len)
{
	struct served *served = served_of(conn);
	struct held how = { .coalescing = false };
	bool held = pace(served->target, len, &how);

	if (join_coalescing(conn, bytes, len))
		return;
	if (held || served->held != NULL)
		hold(conn, bytes, len, &how);
	else
		net_send(conn, bytes, len);
}

static void send_faulty(struct net_conn *conn, const char *bytes, size_t len)
{
	struct target *target = served_of(conn)->target;
	const struct fault_spec *spec;

	if (fault_strikes(target, FAULT_DROP))
		return;
	if (fault_strikes(target, FAULT_RESET)) {
		target_leave(conn, true);
		return;
	}
	if (fault_strikes(target, FAULT_CLOSE_BEFORE)) {
		target_leave(conn, false);
		return;
	}
	if ((spec = fault_strikes(target, FAULT_CLOSE_MIDDLE)) != NULL) {
		net_send(conn, bytes, (size_t)((double)len * spec->factor));
		target_leave(conn, false);
		return;
	}
	send_unit(conn, bytes, len);
	if (fault_strikes(target, FAULT_DUPLICATE))
		send_unit(conn, bytes, len);
}

/* ---- the message ---- */

static void change_message(struct target *target, struct qn_snyper_out *answer)
{
	const struct fault_spec *spec;

	if ((spec = fault_strikes(target, FAULT_ERROR_LINE)) != NULL) {
		answer->type = QN_SNYPER_ERROR;
		answer->error = (struct qn_text){ spec->text, strlen(spec->text) };
	}
	if (fault_strikes(target, FAULT_WRONG_TYPE))
		answer->type = answer->type == QN_SNYPER_PONG ? QN_SNYPER_STANDING : QN_SNYPER_PONG;
	if (fault_strikes(target, FAULT_WRONG_ID))
		answer->id = (struct qn_text){ "\"msg_0\"", 7 };
	if ((spec = fault_strikes(target, FAULT_WRONG_TARGET_ID)) != NULL)
		answer->target_id = (struct qn_text){ spec->text, strlen(spec->text) };
	if (fault_strikes(target, FAULT_STALE) && target->faults->last_type != 0) {
		answer->type = (enum qn_snyper_type)target->faults->last_type;
		answer->id = (struct qn_text){ target->faults->last_id,
					       target->faults->last_id_len };
	}
}

static void remember(struct target *target, const struct qn_snyper_out *answer)
{
	struct target_faults *faults = target->faults;

	if (answer->id.len > sizeof(faults->last_id) || answer->type == QN_SNYPER_ERROR)
		return;
	faults->last_type = (uint8_t)answer->type;
	faults->last_id_len = (uint8_t)answer->id.len;
	if (answer->id.len > 0)
		memcpy(faults->last_id, answer->id.at, answer->id.len);
}

static char *find(char *line, size_t len, const char *what)
{
	return memmem(line, len, what, strlen(what));
}

static void upper_type(char *line, size_t len)
{
	char *at = find(line, len, "\"type\": \"");

	for (at = at != NULL ? at + 9 : line + len; at < line + len && *at != '"'; at++)
		if (*at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
}

static void put_bad_utf8(char *line, size_t len)
{
	char *at = find(line, len, "\"status\": \"");

	if (at == NULL)
		at = find(line, len, "\"error\": \"");
	at = at != NULL ? strchr(at + 9, '"') : NULL;
	if (at != NULL && at + 2 < line + len)
		at[1] = (char)0xff; /* the first letter of the value */
}

/* Puts `what` where data's closing brace stands, `open` before it. */
static size_t grow_data(char *line, size_t len, size_t cap, size_t more,
			void (*fill)(char *at, size_t more))
{
	char *data = find(line, len, "\"data\": {");

	if (data == NULL || len + more > cap)
		return len;
	char *at = data + 9;
	memmove(at + more, at, len - (size_t)(at - line));
	fill(at, more);
	return len + more;
}

static void fill_padding(char *at, size_t more)
{
	static const char head[] = "\"padding\": \"", tail[] = "\", ";

	memset(at, 'x', more);
	memcpy(at, head, sizeof(head) - 1);
	memcpy(at + more - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

static void fill_nesting(char *at, size_t more)
{
	static const char head[] = "\"deep\": ", tail[] = ", ";
	size_t depth = (more - (sizeof(head) - 1) - (sizeof(tail) - 1)) / 2;

	memcpy(at, head, sizeof(head) - 1);
	memset(at + sizeof(head) - 1, '[', depth);
	memset(at + sizeof(head) - 1 + depth, ']', depth);
	memcpy(at + more - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

static size_t garbage(struct target *target, const struct fault_spec *spec, char *line, size_t cap)
{
	size_t len = (size_t)spec->bytes < cap ? (size_t)spec->bytes : cap;

	for (size_t i = 0; i < len; i++)
		line[i] = (char)rng_draw(target->env->seed, target->number,
					 RNG_FAULT + 192 + FAULT_GARBAGE,
					 target->faults->draws[FAULT_GARBAGE]++);
	return len;
}

static size_t change_bytes(struct target *target, char *line, size_t len, size_t cap)
{
	const struct fault_spec *spec;

	if (fault_strikes(target, FAULT_UPPER_TYPE))
		upper_type(line, len);
	if (fault_strikes(target, FAULT_BAD_UTF8))
		put_bad_utf8(line, len);
	if ((spec = fault_strikes(target, FAULT_DEEP)) != NULL)
		len = grow_data(line, len, cap, (size_t)spec->count * 2 + 10, fill_nesting);
	if ((spec = fault_strikes(target, FAULT_OVERSIZED)) != NULL &&
	    (size_t)spec->bytes > len + 15)
		len = grow_data(line, len, cap, (size_t)spec->bytes - len, fill_padding);
	if ((spec = fault_strikes(target, FAULT_GARBAGE)) != NULL)
		len = garbage(target, spec, line, cap);
	if ((spec = fault_strikes(target, FAULT_CUT_JSON)) != NULL && len > 1) {
		len = (size_t)((double)(len - 1) * spec->factor);
		line[len++] = '\n';
	}
	if (fault_strikes(target, FAULT_NO_NEWLINE) && len > 0 && line[len - 1] == '\n')
		len--;
	return len;
}

void target_answer_faulty(struct net_conn *conn, const struct qn_snyper_out *original)
{
	struct target *target = served_of(conn)->target;
	struct target_env *env = target->env;
	struct qn_snyper_out answer = *original;

	change_message(target, &answer);
	remember(target, original);
	size_t len = qn_snyper_write(target->group->profile, &answer, env->scratch,
				     sizeof(env->scratch) - 1);
	env->scratch[len] = '\0';
	len = change_bytes(target, env->scratch, len, sizeof(env->scratch) - 1);
	env->totals.answers++;
	target_tell(target, EVENT_ANSWER, (uint8_t)answer.type, 0, env->scratch, len);
	send_faulty(conn, env->scratch, len);
}

int target_env_reserve_faults(struct target_env *env, size_t targets)
{
	size_t bytes = (targets * 2 + 4096) * 4096;
	int rc = pool_init(&env->faults, sizeof(struct target_faults), targets);

	if (rc == 0)
		rc = pool_init(&env->held, sizeof(struct held), targets * 2 + 4096);
	if (rc == 0)
		rc = buffers_init(&env->buffers, bytes < BUFFERS_MAX ? bytes : BUFFERS_MAX);
	return rc;
}

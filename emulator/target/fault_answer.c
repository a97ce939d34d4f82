#include "emulator/target/parts.h"

#include <assert.h>
#include <stdlib.h>

/*
 * The faulty way out of a target. Message faults change what is written; network faults change how:
 * they hold units back, cut them, or end the connection. Units of one connection keep their order.
 */

#define BUFFERS_MAX ((size_t)256 << 20)

/* How the connection goes on once a unit has left. */
enum then { THEN_STAY, THEN_CLOSE, THEN_RESET };

/* A write unit that waits, or goes out piece by piece. */
struct held {
	struct timer timer;
	struct net_conn *conn;
	struct held *next;
	struct buffer data;
	uint32_t sent;
	uint32_t piece, pieces; /* so many bytes at a time, or so many times; both 0: all at once */
	int64_t due_ns, gap_ns;
	enum then then;
	bool coalescing;
};

/* ---- holding ---- */

static void send_held(struct timer *timer, int64_t now_ns);

static void start_held(struct held *held)
{
	timer_arm(&held->conn->net->loop->timers, &held->timer, held->due_ns);
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

void target_resume_held(struct net_conn *conn)
{
	struct held *held = served_of(conn)->held;

	if (held != NULL && !timer_armed(&held->timer))
		start_held(held);
}

static uint32_t next_piece(struct held *held)
{
	uint32_t left = held->data.len - held->sent;

	if (held->piece > 0)
		return held->piece < left ? held->piece : left;
	if (held->pieces <= 1)
		return left;
	uint32_t pieces = held->pieces--;
	return left / pieces + (left % pieces > 0);
}

static void send_held(struct timer *timer, int64_t now_ns)
{
	struct held *held = OF(timer, struct held, timer);
	struct net_conn *conn = held->conn;
	struct served *served = served_of(conn);
	struct target_env *env = served->target->env;
	enum then then = held->then;

	(void)now_ns;
	if (fault_active(served->target, FAULT_OUTAGE))
		return; /* target_resume_held() goes on */
	uint32_t n = next_piece(held);
	if (n > 0)
		net_send(conn, held->data.at + held->sent, n);
	held->sent += n;
	if (held->sent < held->data.len) {
		loop_timer(env->loop, &held->timer, held->gap_ns);
		return;
	}
	served->held = held->next;
	free_held(env, held);
	if (then != THEN_STAY)
		target_leave(conn, then == THEN_RESET);
	else if (served->held != NULL)
		start_held(served->held);
	else
		target_leave_if_done(conn);
}

/* False: there was no room. */
static bool hold(struct net_conn *conn, const char *bytes, size_t len, const struct held *how)
{
	struct served *served = served_of(conn);
	struct target_env *env = served->target->env;
	struct held *held = pool_get(&env->held), **end = &served->held;

	if (held == NULL)
		return false;
	*held = *how;
	if (len > 0 && buffer_reserve(&env->buffers, &held->data, len) < 0) {
		pool_put(&env->held, held);
		return false;
	}
	if (len > 0)
		memcpy(held->data.at, bytes, len);
	held->data.len = (uint32_t)len;
	held->timer.fire = send_held;
	held->conn = conn;
	while (*end != NULL)
		end = &(*end)->next;
	*end = held;
	if (served->held == held)
		start_held(held);
	return true;
}

/* The second of two answers joins the first, and both go out in one write. */
static bool join_coalescing(struct net_conn *conn, const char *bytes, size_t len, enum then then)
{
	struct served *served = served_of(conn);
	struct held *held = served->held;

	if (held == NULL || len == 0 || !held->coalescing || held->next != NULL ||
	    buffer_reserve(&served->target->env->buffers, &held->data, len) < 0)
		return false;
	memcpy(held->data.at + held->data.len, bytes, len);
	held->data.len += (uint32_t)len;
	held->coalescing = false;
	held->then = then;
	held->due_ns = conn->net->loop->now_ns;
	start_held(held);
	return true;
}

/* ---- the network ---- */

/* How long and in what pieces; true where anything is to be held at all. */
static bool pace(struct target *target, struct held *how)
{
	const struct fault_spec *spec;
	bool any = false;

	if ((spec = fault_strikes(target, FAULT_DELAY)) != NULL) {
		how->due_ns = ns_plus(how->due_ns, fault_time(target, spec));
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_COALESCE)) != NULL) {
		how->due_ns = ns_plus(how->due_ns, fault_time(target, spec));
		how->coalescing = true;
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_SPLIT)) != NULL) {
		how->pieces = (uint32_t)spec->count;
		how->gap_ns = fault_time(target, spec);
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_BANDWIDTH)) != NULL) {
		how->piece = (uint32_t)(spec->bytes / 50 > 0 ? spec->bytes / 50 : 1);
		how->gap_ns = (int64_t)how->piece * NS_PER_S / spec->bytes;
		how->due_ns = ns_plus(how->due_ns,
				      how->gap_ns); /* the first piece takes its time too */
		any = true;
	}
	if ((spec = fault_strikes(target, FAULT_TRICKLE)) != NULL) {
		how->piece = (uint32_t)spec->bytes;
		how->gap_ns = fault_time(target, spec);
		any = true;
	}
	return any;
}

static void send_unit(struct net_conn *conn, const char *bytes, size_t len, enum then then)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;
	struct held how = { .due_ns = target->env->loop->now_ns, .then = then };
	bool held = pace(target, &how) || served->held != NULL ||
		    fault_active(target, FAULT_OUTAGE);

	if (join_coalescing(conn, bytes, len, then))
		return;
	if (held && hold(conn, bytes, len, &how))
		return;
	if (held && (served->held != NULL || fault_active(target, FAULT_OUTAGE))) {
		/* It cannot wait, and must not overtake: as where a socket has no buffer left. */
		conn->net->stats.buffers_short++;
		target_leave(conn, true);
		return;
	}
	if (len > 0)
		net_send(conn, bytes, len);
	if (then != THEN_STAY)
		target_leave(conn, then == THEN_RESET);
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
}

/* The answer before this one, where there is one; this one takes its place. */
static size_t put_stale(struct target *target, const struct qn_snyper_out *original, char *line,
			size_t len)
{
	struct target_faults *faults = target->faults;

	if (!(faults->armed & FAULT_BIT(FAULT_STALE)))
		return len;
	if (faults->last_len > 0 && fault_strikes(target, FAULT_STALE)) {
		memcpy(line, faults->last, faults->last_len);
		len = faults->last_len;
	}
	faults->last_len = (uint16_t)qn_snyper_write(target->group->profile, original, faults->last,
						     sizeof(faults->last));
	return len;
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
		line[i] = (char)fault_bits(target, spec, FAULT_WHAT);
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

/* An answer's place is taken by something else, or by nothing. */
static bool keep_quiet(struct net_conn *conn)
{
	struct target *target = served_of(conn)->target;

	if (fault_strikes(target, FAULT_DROP))
		return true;
	if (fault_strikes(target, FAULT_RESET)) {
		send_unit(conn, NULL, 0, THEN_RESET);
		return true;
	}
	if (fault_strikes(target, FAULT_CLOSE_BEFORE)) {
		send_unit(conn, NULL, 0, THEN_CLOSE);
		return true;
	}
	return false;
}

bool target_answer_faulty(struct net_conn *conn, const struct qn_snyper_out *original)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;
	struct target_env *env = target->env;
	struct qn_snyper_out answer = *original;
	const struct fault_spec *spec;
	char *line = env->scratch;

	change_message(target, &answer);
	size_t len = qn_snyper_write(target->group->profile, &answer, line, TARGET_LINE_MAX);
	if (len == 0)
		return false;
	len = put_stale(target, original, line, len);
	line[len] = '\0';
	len = change_bytes(target, line, len, sizeof(env->scratch) - 1);
	if (keep_quiet(conn))
		return true;
	target_count_answer(target, original->type);
	target_tell(target, EVENT_ANSWER, (uint8_t)answer.type, 0, line, len);
	if ((spec = fault_strikes(target, FAULT_CLOSE_MIDDLE)) != NULL) {
		send_unit(conn, line, (size_t)((double)len * spec->factor), THEN_CLOSE);
		return true;
	}
	send_unit(conn, line, len, THEN_STAY);
	if (!served->gone && fault_strikes(target, FAULT_DUPLICATE))
		send_unit(conn, line, len, THEN_STAY);
	return true;
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

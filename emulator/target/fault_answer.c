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

static void change_message(struct target *target, struct target_answer *answer)
{
	const char *wrong_id = target->group->wire->wrong_id;
	const struct fault_spec *spec;

	if ((spec = fault_strikes(target, FAULT_ERROR_LINE)) != NULL) {
		answer->word = RANGE_ERROR;
		answer->error = (struct qn_text){ spec->text, strlen(spec->text) };
	}
	if (fault_strikes(target, FAULT_WRONG_TYPE))
		answer->word = answer->word == RANGE_PONG ? RANGE_STANDING : RANGE_PONG;
	if (fault_strikes(target, FAULT_WRONG_ID))
		answer->id = (struct qn_text){ wrong_id, strlen(wrong_id) };
	if ((spec = fault_strikes(target, FAULT_WRONG_TARGET_ID)) != NULL)
		answer->target_id = (struct qn_text){ spec->text, strlen(spec->text) };
}

/* The answer before this one, where there is one; this one takes its place. */
static size_t put_stale(struct net_conn *conn, const struct target_answer *original, char *line,
			size_t len)
{
	struct target *target = served_of(conn)->target;
	struct target_faults *faults = target->faults;

	if (!(faults->armed & FAULT_BIT(FAULT_STALE)))
		return len;
	if (faults->last_len > 0 && fault_strikes(target, FAULT_STALE)) {
		memcpy(line, faults->last, faults->last_len);
		len = faults->last_len;
	}
	faults->last_len = (uint16_t)target->group->wire->write(conn, original, faults->last,
								sizeof(faults->last));
	return len;
}

static size_t garbage(struct target *target, const struct fault_spec *spec, char *line, size_t cap)
{
	size_t len = (size_t)spec->bytes < cap ? (size_t)spec->bytes : cap;

	for (size_t i = 0; i < len; i++)
		line[i] = (char)fault_bits(target, spec, FAULT_WHAT);
	return len;
}

/* In this order: each acts on what those before it left. */
static const enum fault_kind spoilers[] = { FAULT_UPPER_TYPE, FAULT_BAD_UTF8, FAULT_DEEP,
					    FAULT_OVERSIZED,  FAULT_GARBAGE,  FAULT_CUT_JSON,
					    FAULT_NO_NEWLINE };

static size_t change_bytes(struct target *target, char *line, size_t len, size_t cap)
{
	const struct target_wire *wire = target->group->wire;
	const struct fault_spec *spec;

	for (size_t i = 0; i < sizeof(spoilers) / sizeof(spoilers[0]); i++) {
		if ((spec = fault_strikes(target, spoilers[i])) == NULL)
			continue;
		len = spec->kind == FAULT_GARBAGE ? garbage(target, spec, line, cap)
						  : wire->spoil(target, spec, line, len, cap);
		line[len] = '\0';
	}
	for (uint64_t own = wire->faults_own & target->faults->active; own != 0; own &= own - 1) {
		enum fault_kind kind = (enum fault_kind)__builtin_ctzll(own);
		if (fault_info(kind)->category == FAULT_CATEGORY_MESSAGE &&
		    (spec = fault_strikes(target, kind)) != NULL)
			len = wire->spoil(target, spec, line, len, cap);
	}
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

bool target_answer_faulty(struct net_conn *conn, const struct target_answer *original)
{
	struct served *served = served_of(conn);
	struct target *target = served->target;
	struct target_env *env = target->env;
	const struct target_wire *wire = target->group->wire;
	struct target_answer answer = *original;
	enum then then = served->last ? THEN_CLOSE : THEN_STAY;
	const struct fault_spec *spec;
	char *line = env->scratch, space[TARGET_LINE_MAX];

	change_message(target, &answer);
	size_t len = wire->write(conn, &answer, line, TARGET_LINE_MAX);
	if (len == 0)
		return false;
	len = put_stale(conn, original, line, len);
	line[len] = '\0';
	len = change_bytes(target, line, len, sizeof(env->scratch) - 1);
	if (keep_quiet(conn)) {
		if (!served->gone && wire->take != NULL)
			wire->take(conn, NULL, 0);
		return true;
	}
	target_count_answer(target, original->word);
	if (events_wanted(env->events, EVENT_ANSWER)) {
		struct qn_text text = target_unit_text(target, line, len, space, sizeof(space));
		target_tell(target, EVENT_ANSWER, (uint8_t)answer.word, 0, text.at, text.len);
	}
	if (wire->take != NULL && wire->take(conn, line, len))
		return true;
	if ((spec = fault_strikes(target, FAULT_CLOSE_MIDDLE)) != NULL) {
		send_unit(conn, line, (size_t)((double)len * spec->factor), THEN_CLOSE);
		return true;
	}
	/* Before one that ends the connection it must be known whether another one follows. */
	if (then == THEN_CLOSE && !fault_strikes(target, FAULT_DUPLICATE)) {
		send_unit(conn, line, len, then);
		return true;
	}
	send_unit(conn, line, len, THEN_STAY);
	if (!served->gone && wire->sent != NULL)
		wire->sent(conn);
	if (!served->gone && (then == THEN_CLOSE || fault_strikes(target, FAULT_DUPLICATE)))
		send_unit(conn, line, len, then);
	return true;
}

void target_send_faulty(struct net_conn *conn, const char *bytes, size_t len)
{
	send_unit(conn, bytes, len, THEN_STAY);
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

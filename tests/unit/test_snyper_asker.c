/*
 * The asking side against fixtures/snyper/asking.jsonl, in every profile: what was asked, what each
 * read returned, and how it ended. Every read unit stands right up to a guard page. One-read
 * profiles take the first read for the whole answer; the strict one reads to the newline, so there
 * any cut of the same bytes must end the same.
 */
#include "proto/snyper/session.h"
#include "tests/support/guard.h"
#include "tests/support/jsonl.h"
#include "tests/support/require.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define VECTORS "fixtures/snyper/asking.jsonl"
#define BYTES_MAX 65536
#define DEADLINE 5000

static char *at_guard(const char *bytes, size_t len)
{
	static char zeros[BYTES_MAX], *room;

	if (room == NULL)
		room = guard_copy(zeros, sizeof(zeros));
	return memcpy(room + sizeof(zeros) - len, bytes, len);
}

struct end {
	struct qn_snyper_asker asker;
	char kept[BYTES_MAX];
	size_t kept_len;
	struct qn_snyper_message answer;
};

static void start(struct end *end, enum qn_snyper_profile_id profile, enum qn_snyper_type type)
{
	struct qn_snyper_out request = { .type = type, .wall_ns = 1 };
	char line[QN_SNYPER_TYPICAL];

	qn_snyper_asker_init(&end->asker, qn_snyper_profile(profile), 0);
	REQUIRE(qn_snyper_asker_ask(&end->asker, &request, DEADLINE, line, sizeof(line)) > 0);
	REQUIRE(end->asker.state == QN_SNYPER_ASKED);
	end->kept_len = 0;
}

static void feed(struct end *end, const char *unit, size_t len)
{
	size_t fresh = end->kept_len, taken = SIZE_MAX;

	if (len == 0)
		return;
	memcpy(end->kept + fresh, unit, len);
	len += fresh;
	char *bytes = at_guard(end->kept, len);
	enum qn_snyper_asker_state state = qn_snyper_asker_read(&end->asker, bytes, len, fresh,
								&taken, &end->answer);
	REQUIRE(taken <= len);
	REQUIRE(state == (enum qn_snyper_asker_state)end->asker.state);
	end->kept_len = len - taken;
	memcpy(end->kept, bytes + taken, end->kept_len);
}

static const char *outcome_of(const struct end *end, char *text, size_t cap)
{
	static const char *const states[] = {
		[QN_SNYPER_IDLE] = "idle",         [QN_SNYPER_ASKED] = "waiting",
		[QN_SNYPER_ANSWERED] = "answered", [QN_SNYPER_BAD] = "bad",
		[QN_SNYPER_CLOSED] = "closed",     [QN_SNYPER_EXPIRED] = "expired",
	};

	snprintf(text, cap, "%s", states[end->asker.state]);
	if (end->asker.state == QN_SNYPER_BAD)
		snprintf(text, cap, "bad %s",
			 qn_snyper_reason_name((enum qn_snyper_reason)end->asker.reason));
	return text;
}

/* The end of a vector: the peer closes, or the time comes. */
static void finish(struct end *end, const char *how)
{
	if (how == NULL)
		return;
	if (strcmp(how, "closed") == 0) {
		qn_snyper_asker_closed(&end->asker, at_guard(end->kept, end->kept_len),
				       end->kept_len, &end->answer);
		return;
	}
	qn_snyper_asker_time(&end->asker, DEADLINE - 1);
	REQUIRE(end->asker.state != QN_SNYPER_EXPIRED);
	qn_snyper_asker_time(&end->asker, DEADLINE);
}

struct vector {
	const char *name, *end;
	enum qn_snyper_profile_id profile;
	enum qn_snyper_type asked;
	struct qn_text reads[4];
	size_t n;
	const char *expected;
};

static struct end end;

static bool expect(const struct vector *vector, const char *how, size_t at)
{
	char text[64];
	bool same = strcmp(outcome_of(&end, text, sizeof(text)), vector->expected) == 0;

	if (!same)
		cr_expect_fail("%s, %s, %s %zu: is %s, should be %s", vector->name,
			       qn_snyper_profile_names[vector->profile], how, at, text,
			       vector->expected);
	return same;
}

/* All bytes of the vector in two reads, at every cut, and one by one. */
static void cut_everywhere(const struct vector *vector)
{
	static char whole[BYTES_MAX];
	size_t len = 0;

	for (size_t i = 0; i < vector->n; i++) {
		memcpy(whole + len, vector->reads[i].at, vector->reads[i].len);
		len += vector->reads[i].len;
	}
	for (size_t cut = 0; cut <= len; cut += len < 2000 ? 1 : 499) {
		start(&end, vector->profile, vector->asked);
		feed(&end, whole, cut);
		feed(&end, whole + cut, len - cut);
		finish(&end, vector->end);
		if (!expect(vector, "cut at", cut))
			return;
	}
	start(&end, vector->profile, vector->asked);
	for (size_t i = 0; i < len && len < 2000; i++)
		feed(&end, whole + i, 1);
	finish(&end, vector->end);
	if (len < 2000)
		expect(vector, "byte by byte", 0);
}

static void run_vector(const struct vector *vector)
{
	start(&end, vector->profile, vector->asked);
	for (size_t i = 0; i < vector->n; i++)
		feed(&end, vector->reads[i].at, vector->reads[i].len);
	finish(&end, vector->end);
	if (expect(vector, "as read", 0) && vector->profile == QN_SNYPER_STRICT)
		cut_everywhere(vector);
}

Test(snyper_asker, vectors)
{
	static const char *const columns[QN_SNYPER_PROFILES] = {
		[QN_SNYPER_PICO] = "micropython",
		[QN_SNYPER_UNIX] = "micropython",
		[QN_SNYPER_CPYTHON] = "cpython",
		[QN_SNYPER_STRICT] = "strict",
	};
	struct jsonl *jsonl = jsonl_open(VECTORS);
	struct vector vector;
	unsigned count = 0;

	while (jsonl_next(jsonl)) {
		struct qn_text asked = jsonl_must(jsonl, "asked");
		vector.name = jsonl_must(jsonl, "name").at;
		vector.end = jsonl_text(jsonl, "end").at;
		vector.asked = qn_snyper_type_of(asked.at, asked.len);
		vector.n = jsonl_pieces(jsonl, "reads", vector.reads, 4);
		for (int profile = 0; profile < QN_SNYPER_PROFILES; profile++) {
			vector.profile = (enum qn_snyper_profile_id)profile;
			vector.expected = jsonl_must(jsonl, columns[profile]).at;
			run_vector(&vector);
		}
		count++;
	}
	jsonl_close(jsonl);
	cr_expect(count > 50, "%u vectors", count);
}

#define PONG "{\"type\": \"pong\", \"id\": \"1\", \"data\": {\"status\": \"alive\"}}"

/* Every answer that comes in two pieces fails, wherever it is cut, save for its last newline. */
Test(snyper_asker, one_read_takes_no_second_piece)
{
	static const char line[] = PONG "\n";
	size_t len = sizeof(line) - 1;

	for (size_t cut = 1; cut < len; cut++) {
		start(&end, QN_SNYPER_CPYTHON, QN_SNYPER_PING);
		feed(&end, line, cut);
		REQUIRE(end.asker.state == (cut < len - 1 ? QN_SNYPER_BAD : QN_SNYPER_ANSWERED));
		/* MicroPython does without the last brace. */
		start(&end, QN_SNYPER_PICO, QN_SNYPER_PING);
		feed(&end, line, cut);
		REQUIRE(end.asker.state == (cut < len - 2 ? QN_SNYPER_BAD : QN_SNYPER_ANSWERED));
	}
}

/* In the board's own order the id comes late: what is cut off before it is no answer. */
Test(snyper_asker, one_read_cut_before_the_id)
{
	static const char line[] = "{\"timestamp\": 1, \"type\": \"pong\", \"data\": {\"status\": "
				   "\"alive\"}, \"id\": \"msg_0\", \"target_id\": \"t\"}\n";
	size_t id = (size_t)(strstr(line, "\"id\": ") - line) + sizeof("\"id\": \"msg_0\"") - 1;

	for (size_t cut = 1; cut < id; cut++) {
		start(&end, QN_SNYPER_PICO, QN_SNYPER_PING);
		feed(&end, line, cut);
		REQUIRE(end.asker.state == QN_SNYPER_BAD);
	}
}

/* ---- the machine ---- */

static size_t ask(struct qn_snyper_asker *asker, char *line, size_t cap)
{
	struct qn_snyper_out request = { .type = QN_SNYPER_PING, .wall_ns = 1 };

	return qn_snyper_asker_ask(asker, &request, DEADLINE, line, cap);
}

static struct qn_snyper_asker in_state(enum qn_snyper_asker_state state,
				       enum qn_snyper_profile_id profile)
{
	struct qn_snyper_asker asker;
	struct qn_snyper_message answer;
	char line[QN_SNYPER_TYPICAL];
	size_t taken;

	qn_snyper_asker_init(&asker, qn_snyper_profile(profile), 0);
	if (state != QN_SNYPER_IDLE)
		ask(&asker, line, sizeof(line));
	switch (state) {
	case QN_SNYPER_ANSWERED:
		qn_snyper_asker_read(&asker, PONG "\n", sizeof(PONG), 0, &taken, &answer);
		break;
	case QN_SNYPER_BAD: qn_snyper_asker_read(&asker, "x\n", 2, 0, &taken, &answer); break;
	case QN_SNYPER_CLOSED: qn_snyper_asker_closed(&asker, NULL, 0, &answer); break;
	case QN_SNYPER_EXPIRED: qn_snyper_asker_time(&asker, DEADLINE); break;
	default: break;
	}
	cr_assert_eq(asker.state, state);
	return asker;
}

Test(snyper_asker, a_kept_connection_asks_again)
{
	struct qn_snyper_asker asker = in_state(QN_SNYPER_ANSWERED, QN_SNYPER_STRICT);
	struct qn_snyper_message answer;
	char line[QN_SNYPER_TYPICAL];
	size_t taken;

	/* Bytes that nobody asked for are taken and change nothing. */
	cr_expect_eq(qn_snyper_asker_read(&asker, "x\n", 2, 0, &taken, &answer),
		     QN_SNYPER_ANSWERED);
	cr_expect_eq(taken, 2);
	cr_expect_eq(qn_snyper_asker_time(&asker, DEADLINE), QN_SNYPER_ANSWERED);
	cr_expect_gt(ask(&asker, line, sizeof(line)), 0);
	cr_expect_eq(asker.state, QN_SNYPER_ASKED);
	cr_expect_eq(qn_snyper_asker_read(&asker, "[]\n", 3, 0, &taken, &answer), QN_SNYPER_BAD);
	cr_expect_eq(asker.reason, QN_SNYPER_REASON_NOT_A_MESSAGE);
}

Test(snyper_asker, idle_takes_what_comes)
{
	struct qn_snyper_asker asker = in_state(QN_SNYPER_IDLE, QN_SNYPER_PICO);
	struct qn_snyper_message answer;
	size_t taken;

	cr_expect_eq(qn_snyper_asker_read(&asker, PONG, sizeof(PONG) - 1, 0, &taken, &answer),
		     QN_SNYPER_IDLE);
	cr_expect_eq(taken, sizeof(PONG) - 1);
	cr_expect_eq(qn_snyper_asker_closed(&asker, NULL, 0, &answer), QN_SNYPER_CLOSED);
}

Test(snyper_asker, what_is_over_stays_over)
{
	static const enum qn_snyper_asker_state over[] = { QN_SNYPER_BAD, QN_SNYPER_CLOSED,
							   QN_SNYPER_EXPIRED };

	for (size_t i = 0; i < 3; i++) {
		struct qn_snyper_asker asker = in_state(over[i], QN_SNYPER_STRICT);
		struct qn_snyper_message answer;
		size_t taken;

		cr_expect_eq(
			qn_snyper_asker_read(&asker, PONG "\n", sizeof(PONG), 0, &taken, &answer),
			over[i]);
		cr_expect_eq(taken, sizeof(PONG));
		cr_expect_eq(qn_snyper_asker_closed(&asker, PONG, sizeof(PONG) - 1, &answer),
			     over[i]);
		cr_expect_eq(qn_snyper_asker_time(&asker, INT64_MAX), over[i]);
	}
}

Test(snyper_asker, a_request_that_does_not_fit_changes_nothing)
{
	struct qn_snyper_asker asker = in_state(QN_SNYPER_IDLE, QN_SNYPER_PICO);
	char line[QN_SNYPER_TYPICAL];
	size_t len = ask(&asker, line, sizeof(line));

	asker = in_state(QN_SNYPER_IDLE, QN_SNYPER_PICO);
	cr_expect_eq(ask(&asker, line, len - 1), 0);
	cr_expect_eq(asker.state, QN_SNYPER_IDLE);
	cr_expect_eq(ask(&asker, line, len), len);
	cr_expect_eq(asker.state, QN_SNYPER_ASKED);
}

Test(snyper_asker, names_of_reasons)
{
	for (int a = 0; a < QN_SNYPER_REASONS; a++)
		for (int b = 0; b < a; b++)
			cr_expect_str_neq(qn_snyper_reason_name((enum qn_snyper_reason)a),
					  qn_snyper_reason_name((enum qn_snyper_reason)b));
}

static void ask_in(enum qn_snyper_asker_state state)
{
	struct qn_snyper_asker asker = in_state(state, QN_SNYPER_STRICT);
	char line[QN_SNYPER_TYPICAL];

	ask(&asker, line, sizeof(line));
}

/* ---- our own bugs ---- */

Test(snyper_asker, asks_once_at_a_time, .signal = SIGABRT)
{
	ask_in(QN_SNYPER_ASKED);
}

Test(snyper_asker, asks_no_more_after_a_bad_answer, .signal = SIGABRT)
{
	ask_in(QN_SNYPER_BAD);
}

Test(snyper_asker, asks_no_more_when_closed, .signal = SIGABRT)
{
	ask_in(QN_SNYPER_CLOSED);
}

Test(snyper_asker, asks_no_more_when_expired, .signal = SIGABRT)
{
	ask_in(QN_SNYPER_EXPIRED);
}

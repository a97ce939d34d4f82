/*
 * The answering side against fixtures/snyper/answering.jsonl, in every profile: whole, byte by
 * byte, and cut in two at every byte, always right up to a guard page.
 *
 * A trace is what the steps say, joined by "; ":
 *     ping "1"                        a request: type, id as written ("-": the answer needs a fresh
 * one) activate "1" 2.50 (2.5 s)       with its duration as written ("-": none) and as a number
 *     register "1" target_1           with its client_id ("-": none)
 *     unsupported registered "1"      a message that this role does not serve
 *     ignored CODE; tell CODE; close CODE
 */
#include "proto/snyper/session.h"
#include "tests/support/guard.h"
#include "tests/support/jsonl.h"
#include "tests/support/require.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VECTORS "fixtures/snyper/answering.jsonl"
#define BYTES_MAX 65536

struct trace {
	char text[BYTES_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct trace *trace, const char *format, ...)
{
	va_list args;

	if (trace->len > 0) {
		memcpy(trace->text + trace->len, "; ", 2);
		trace->len += 2;
	}
	va_start(args, format);
	int len = vsnprintf(trace->text + trace->len, sizeof(trace->text) - trace->len, format,
			    args);
	va_end(args);
	REQUIRE(len >= 0 && (size_t)len < sizeof(trace->text) - trace->len);
	trace->len += (size_t)len;
}

/* For "%.*s". */
#define SHOWN(given) (int)((given).len > 0 ? (given).len : 1), (given).len > 0 ? (given).at : "-"

static void say_request(struct trace *trace, const struct qn_snyper_message *message)
{
	const char *type = qn_snyper_type_name(message->type);

	switch (message->type) {
	case QN_SNYPER_ACTIVATE:
		say(trace, "%s %.*s %.*s (%g s)", type, SHOWN(message->id),
		    SHOWN(message->duration), message->duration_s);
		break;
	case QN_SNYPER_REGISTER:
		say(trace, "%s %.*s %.*s", type, SHOWN(message->id), SHOWN(message->client_id));
		break;
	default: say(trace, "%s %.*s", type, SHOWN(message->id)); break;
	}
}

static void say_step(struct trace *trace, enum qn_snyper_step step,
		     const struct qn_snyper_message *message, const struct qn_fault *fault)
{
	const char *code = qn_code_name(fault->code);

	if (step != QN_SNYPER_STEP_REQUEST)
		REQUIRE(fault->text != NULL && fault->text[0] != '\0');
	switch (step) {
	case QN_SNYPER_STEP_MORE: break;
	case QN_SNYPER_STEP_REQUEST: say_request(trace, message); break;
	case QN_SNYPER_STEP_IGNORED: say(trace, "ignored %s", code); break;
	case QN_SNYPER_STEP_CLOSE: say(trace, "close %s", code); break;
	case QN_SNYPER_STEP_REFUSE:
		if (fault->code != QN_OK)
			say(trace, "tell %s", code);
		else
			say(trace, "unsupported %s %.*s", qn_snyper_type_name(message->type),
			    SHOWN(message->id));
		break;
	}
}

/* A connection's end: what was read and not taken, and the machine. */
struct end {
	struct qn_snyper_answerer answerer;
	char kept[BYTES_MAX];
	size_t kept_len;
	bool closed;
	struct trace *trace;
};

/* guard_copy() for the many: one page for all of them. */
static char *at_guard(const char *bytes, size_t len)
{
	static char zeros[BYTES_MAX], *room;

	if (room == NULL)
		room = guard_copy(zeros, sizeof(zeros));
	return memcpy(room + sizeof(zeros) - len, bytes, len);
}

/* One read unit, as a net hands it over. */
static void feed(struct end *end, const char *unit, size_t len)
{
	size_t fresh = end->kept_len, done = 0;

	if (end->closed)
		return;
	memcpy(end->kept + fresh, unit, len);
	len += fresh;
	char *bytes = at_guard(end->kept, len);
	for (enum qn_snyper_step step = QN_SNYPER_STEP_IGNORED; step != QN_SNYPER_STEP_MORE;) {
		struct qn_snyper_message message;
		struct qn_fault fault = { QN_OK, 0, "untouched" };
		size_t taken = SIZE_MAX;

		step = qn_snyper_answerer_next(&end->answerer, bytes + done, len - done,
					       fresh > done ? fresh - done : 0, &taken, &message,
					       &fault);
		REQUIRE(taken <= len - done);
		say_step(end->trace, step, &message, &fault);
		done += taken;
		if (step == QN_SNYPER_STEP_CLOSE) {
			end->closed = true;
			break;
		}
		REQUIRE(step == QN_SNYPER_STEP_MORE || taken > 0);
	}
	end->kept_len = len - done;
	memcpy(end->kept, bytes + done, end->kept_len);
}

static void start(struct end *end, enum qn_snyper_profile_id profile, enum qn_snyper_role role,
		  uint32_t limit, struct trace *trace)
{
	qn_snyper_answerer_init(&end->answerer, qn_snyper_profile(profile), role, limit);
	end->kept_len = 0;
	end->closed = false;
	end->trace = trace;
	trace->len = 0;
	trace->text[0] = '\0';
}

static bool inside_character(struct qn_text bytes, size_t at)
{
	return at < bytes.len && (bytes.at[at] & 0xc0) == 0x80;
}

static bool has_characters(struct qn_text bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if ((bytes.at[i] & 0x80) != 0)
			return true;
	return false;
}

struct vector {
	const char *name;
	enum qn_snyper_role role;
	enum qn_snyper_profile_id profile;
	struct qn_text bytes;
	const char *expected;
};

static struct end end;
static struct trace trace;

/* One failure of a vector tells enough. */
static bool expect(const struct vector *vector, const char *expected, const char *how, size_t at)
{
	bool same = strcmp(trace.text, expected) == 0;

	if (!same)
		cr_expect_fail("%s, %s, %s %zu:\n  is %.300s\n  should %.300s", vector->name,
			       qn_snyper_profile_names[vector->profile], how, at, trace.text,
			       expected);
	return same;
}

static void begin(const struct vector *vector)
{
	start(&end, vector->profile, vector->role, 0, &trace);
}

/* Profiles that decode each read by itself close where a cut goes through a character. */
static void run_vector(const struct vector *vector)
{
	struct qn_text bytes = vector->bytes;
	bool each = qn_snyper_profile(vector->profile)->decode_each_read;
	bool bad_text = strstr(vector->expected, "utf8") != NULL;

	begin(vector);
	feed(&end, bytes.at, bytes.len);
	if (!expect(vector, vector->expected, "whole", 0))
		return;
	/* What was good before bad bytes is answered when it comes in a read of its own. */
	if (each && bad_text)
		return;

	for (size_t cut = 1; cut < bytes.len; cut += bytes.len < 1000 ? 1 : 997) {
		begin(vector);
		feed(&end, bytes.at, cut);
		feed(&end, bytes.at + cut, bytes.len - cut);
		const char *expected = each && inside_character(bytes, cut) ? "close utf8"
									    : vector->expected;
		if (!expect(vector, expected, "cut at", cut))
			return;
	}
	begin(vector);
	for (size_t i = 0; i < bytes.len && bytes.len < 5000; i++)
		feed(&end, bytes.at + i, 1);
	if (bytes.len < 5000)
		expect(vector, each && has_characters(bytes) ? "close utf8" : vector->expected,
		       "byte by byte", 0);
}

Test(snyper_answerer, vectors)
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
		vector.name = jsonl_must(jsonl, "name").at;
		vector.role = jsonl_text(jsonl, "role").at != NULL ? QN_SNYPER_MASTER
								   : QN_SNYPER_TARGET;
		cr_assert_eq(jsonl_pieces(jsonl, "bytes", &vector.bytes, 1), 1);
		for (int profile = 0; profile < QN_SNYPER_PROFILES; profile++) {
			vector.profile = (enum qn_snyper_profile_id)profile;
			vector.expected = jsonl_must(jsonl, columns[profile]).at;
			run_vector(&vector);
		}
		count++;
	}
	jsonl_close(jsonl);
	cr_expect(count > 100, "%u vectors", count);
}

/* ---- what needs more than one read ---- */

#define PING "{\"type\": \"ping\", \"id\": \"1\"}\n"

Test(snyper_answerer, a_good_line_before_bad_text_is_answered_when_it_came_alone)
{
	start(&end, QN_SNYPER_PICO, QN_SNYPER_TARGET, 0, &trace);
	feed(&end, PING, sizeof(PING) - 1);
	feed(&end, "\xff\n", 2);
	cr_expect_str_eq(trace.text, "ping \"1\"; close utf8");
}

Test(snyper_answerer, each_read_is_decoded_once_and_the_next_one_anew)
{
	static const char line[] = "{\"type\": \"ping\", \"id\": \"\xc3\xa9\"}\n";

	/* A character at the very end of a read, and one at the start of the next. */
	start(&end, QN_SNYPER_UNIX, QN_SNYPER_TARGET, 0, &trace);
	feed(&end, line, 24);
	feed(&end, line + 24, sizeof(line) - 25);
	feed(&end, line, sizeof(line) - 1);
	cr_expect_str_eq(trace.text, "ping \"\xc3\xa9\"; ping \"\xc3\xa9\"");
}

Test(snyper_answerer, longest_line)
{
	/* 24 bytes, with what pads it up to the limit. */
	static const char *const lines[] = {
		"{\"type\":\"ping\",\"id\":1}         \n",   /* 31: just fits */
		"{\"type\":\"ping\",\"id\":1}          \n",  /* 32 */
		"{\"type\":\"ping\",\"id\":1}        \r\n",  /* 31 with its CR */
		"{\"type\":\"ping\",\"id\":1}         \r\n", /* 32 with its CR */
	};
	static const char *const expected[] = { "ping 1", "close too_long", "ping 1",
						"close too_long" };

	for (size_t i = 0; i < 4; i++) {
		size_t len = strlen(lines[i]);
		for (int profile = 0; profile < QN_SNYPER_PROFILES; profile++)
			for (size_t cut = 0; cut <= len; cut++) {
				start(&end, (enum qn_snyper_profile_id)profile, QN_SNYPER_TARGET,
				      31, &trace);
				feed(&end, lines[i], cut);
				feed(&end, lines[i] + cut, len - cut);
				cr_expect_str_eq(trace.text, expected[i], "line %zu cut at %zu: %s",
						 i, cut, trace.text);
			}
	}
}

Test(snyper_answerer, a_flood_without_a_newline_ends_at_the_limit)
{
	static char flood[QN_SNYPER_LINE_DEFAULT];

	memset(flood, 'x', sizeof(flood));
	start(&end, QN_SNYPER_CPYTHON, QN_SNYPER_TARGET, 0, &trace);
	for (size_t i = 0; i < sizeof(flood); i += 4096)
		feed(&end, flood + i, 4096);
	cr_expect_str_empty(trace.text);
	feed(&end, "x", 1);
	cr_expect_str_eq(trace.text, "close too_long");
}

Test(snyper_answerer, text_of_a_refusal)
{
	char space[64];
	struct qn_text text = qn_snyper_unsupported(QN_SNYPER_TARGET, QN_SNYPER_REGISTERED, space,
						    sizeof(space));

	cr_expect_eq(text.len, strlen("Unsupported command: registered"));
	cr_expect_eq(memcmp(text.at, "Unsupported command: registered", text.len), 0);
	text = qn_snyper_unsupported(QN_SNYPER_MASTER, QN_SNYPER_PING, space, sizeof(space));
	cr_expect_eq(text.len, strlen("Unsupported message type: ping"));
	cr_expect_eq(memcmp(text.at, "Unsupported message type: ping", text.len), 0);
}

/* ---- our own bugs ---- */

Test(snyper_answerer, closed_takes_no_more, .signal = SIGABRT)
{
	struct qn_snyper_answerer answerer;
	struct qn_snyper_message message;
	struct qn_fault fault;
	size_t taken;

	qn_snyper_answerer_init(&answerer, qn_snyper_profile(QN_SNYPER_PICO), QN_SNYPER_TARGET, 0);
	cr_assert_eq(qn_snyper_answerer_next(&answerer, "[]\n", 3, 0, &taken, &message, &fault),
		     QN_SNYPER_STEP_CLOSE);
	qn_snyper_answerer_next(&answerer, PING, sizeof(PING) - 1, 0, &taken, &message, &fault);
}

Test(snyper_answerer, a_refusal_needs_room, .signal = SIGABRT)
{
	char space[8];

	qn_snyper_unsupported(QN_SNYPER_TARGET, QN_SNYPER_REGISTERED, space, sizeof(space));
}

/*
 * The wire `framed`: frames cut anywhere, the server's eight answers, and what the real server and
 * its clients said to each other, said again by ours.
 */
#include "proto/framed/message.h"
#include "proto/framed/again.h"
#include "tests/support/guard.h"
#include "tests/support/jsonl.h"
#include "tests/support/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define S INT64_C(1000000000)
#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })
#define ME TEXT("127.0.0.1:54226")

/* 2026-11-21T15:48:36.075890 */
static const struct qn_framed_server server = { .now = { 1795276116 * S + 75890000, 0 },
						.stamp = "2026-11-21T15:48:36.075890",
						.stamp_len = 26,
						.started_ns = 1795276110 * S + 5000,
						.clients = 3,
						.delivered = 2 };
#define NOW "\"2026-11-21T15:48:36.075890\""

static char buffer[65536];

static struct qn_text read_answer(const char *text, size_t len)
{
	struct qn_framed_message message;
	char *copy = guard_copy(text, len);
	struct qn_text answer;
	size_t taken;

	REQUIRE(qn_framed_read((struct qn_text){ copy, len }, &message, NULL) == QN_OK);
	size_t out = qn_framed_answer(&server, &message, ME, buffer, sizeof(buffer));
	guard_free(copy, len);
	REQUIRE(qn_framed_next(buffer, out, UINT32_MAX, &answer, &taken) == QN_OK);
	REQUIRE(taken == out);
	return answer;
}

static void expect_text(struct qn_text is, const char *should, const char *of)
{
	cr_assert(is.len == strlen(should) && memcmp(is.at, should, is.len) == 0,
		  "%s\n  is     %.*s\n  should %s", of, (int)is.len, is.at, should);
}

/* ---- frames ---- */

Test(framed, a_frame_cut_anywhere)
{
	static const char bytes[] = "\0\0\0\5hello\0\0\0\0\0\0\0\1x";
	size_t ends[] = { 9, 13, sizeof(bytes) - 1 }, start = 0;

	for (int frame = 0; frame < 3; frame++) {
		for (size_t len = 0; start + len <= sizeof(bytes) - 1; len++) {
			struct qn_text text = { NULL, 99 };
			size_t taken = 99;
			char *copy = guard_copy(bytes + start, len);
			enum qn_code code = qn_framed_next(copy, len, 5, &text, &taken);
			bool whole = start + len >= ends[frame];
			REQUIRE(code == (whole ? QN_OK : QN_MORE));
			REQUIRE(taken == (whole ? ends[frame] - start : 99));
			REQUIRE(text.len == (whole ? taken - 4 : 99));
			guard_free(copy, len);
		}
		start = ends[frame];
	}
}

Test(framed, a_length_over_the_limit_is_seen_by_its_head)
{
	static const char heads[][4] = { { 0, 0, 0, 6 },
					 { 0x7f, (char)0xff, (char)0xff, (char)0xff },
					 { (char)0x80, 0, 0, 0 },
					 { (char)0xff, (char)0xff, (char)0xff, (char)0xff } };
	struct qn_text text;
	size_t taken;

	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(qn_framed_next(heads[i], 4, 5, &text, &taken), QN_E_TOO_LONG);
	cr_expect_eq(qn_framed_whole(heads[1], false), UINT64_C(4) + INT32_MAX);
	cr_expect_eq(qn_framed_whole(heads[3], false), UINT64_C(4) + UINT32_MAX);
	cr_expect_eq(qn_framed_whole(heads[3], true), UINT64_C(4) + INT32_MAX);
	cr_expect_eq(qn_framed_next(heads[0], 3, 5, &text, &taken), QN_MORE);
	cr_expect_eq(qn_framed_next(heads[0], 4, 6, &text, &taken), QN_MORE);
}

/* ---- time ---- */

struct stamp_case {
	struct qn_framed_clock clock;
	const char *stamp;
};

static const struct stamp_case stamps[] = {
	{ { 0, 0 }, "1970-01-01T00:00:00" },
	{ { 999, 0 }, "1970-01-01T00:00:00" },
	{ { 1000, 0 }, "1970-01-01T00:00:00.000001" },
	{ { -1, 0 }, "1969-12-31T23:59:59.999999" },
	{ { 951782400 * S, 0 }, "2000-02-29T00:00:00" },
	{ { 951868799 * S + S - 1, 0 }, "2000-02-29T23:59:59.999999" },
	{ { 4107542399 * S, 0 }, "2100-02-28T23:59:59" },
	{ { 4107542400 * S, 0 }, "2100-03-01T00:00:00" },
	{ { 1795276116 * S + 75890000, 3600 }, "2026-11-21T16:48:36.075890" },
	{ { 1795276116 * S + 75890000, -16200 }, "2026-11-21T11:18:36.075890" },
	{ { INT64_MAX, 0 }, "2262-04-11T23:47:16.854775" },
	{ { INT64_MIN, 0 }, "1677-09-21T00:12:43.145224" },
};

Test(framed, times_as_python_writes_them)
{
	for (size_t i = 0; i < sizeof(stamps) / sizeof(*stamps); i++) {
		char out[QN_FRAMED_STAMP_MAX];
		size_t len = qn_framed_stamp(&stamps[i].clock, out);
		expect_text((struct qn_text){ out, len }, stamps[i].stamp, "stamp");
	}
}

Test(framed, every_quarter_of_a_day_for_200_years_against_the_c_library)
{
	for (int64_t day = -200000; day < 100000; day++) {
		struct qn_framed_clock clock = { day * 21600 * S, 0 };
		time_t s = (time_t)(day * 21600);
		char out[QN_FRAMED_STAMP_MAX], should[32];
		struct tm tm;
		gmtime_r(&s, &tm);
		size_t len = strftime(should, sizeof(should), "%Y-%m-%dT%H:%M:%S", &tm);
		REQUIRE(qn_framed_stamp(&clock, out) == len && memcmp(out, should, len) == 0);
	}
}

/* ---- answers ---- */

struct answer_case {
	const char *text, *answer;
};

#define RESPONSE(original)                                                                         \
	"{\"type\": \"response\", \"original_message\": " original ", \"timestamp\": " NOW         \
	", \"from_server\": true}"
#define ECHO(original)                                                                             \
	"{\"type\": \"echo\", \"original_text\": " original ", \"timestamp\": " NOW                \
	", \"from_server\": true}"
#define CONTENT(content)                                                                           \
	"{\"type\": \"echo_response\", \"content\": " content ", \"timestamp\": " NOW              \
	", \"echoed_by\": \"TCP Server\"}"
#define PONG(stamp)                                                                                \
	"{\"type\": \"pong\", \"ping_timestamp\": " stamp ", \"pong_timestamp\": " NOW             \
	", \"client_id\": \"127.0.0.1:54226\"}"

static const struct answer_case answers[] = {
	{ "{\"type\": \"ping\"}", PONG("null") },
	{ "{\"type\":\"ping\",\"timestamp\":\"T\"}", PONG("\"T\"") },
	{ "{\"timestamp\": 1.0, \"type\": \"ping\"}", PONG("1.0") },
	{ "{\"type\": \"\\u0070ing\"}", PONG("null") },
	{ "{\"\\u0074ype\": \"ping\"}", PONG("null") },
	{ "{\"type\": \"x\", \"type\": \"ping\"}", PONG("null") },
	{ "{\"type\": \"PING\"}", RESPONSE("{\"type\": \"PING\"}") },
	{ "{\"type\": \"ping\", \"type\": 1}", RESPONSE("{\"type\": \"ping\", \"type\": 1}") },
	{ "{\"type\": [\"ping\"]}", RESPONSE("{\"type\": [\"ping\"]}") },
	{ "{\"type\": \"echo\"}", CONTENT("\"\"") },
	{ "{\"type\": \"echo\", \"content\": null}", CONTENT("null") },
	/* The last one counts, whatever the others were. */
	{ "{\"type\": \"echo\", \"content\": \"a\", \"content\": [1,2]}", CONTENT("[1, 2]") },
	{ "{\"type\": \"echo\", \"content\": [1,2], \"content\": \"a\"}", CONTENT("\"a\"") },
	{ "{\"type\": \"echo\", \"content\": \"a\", \"content\": \"\\/\"}", CONTENT("\"/\"") },
	{ "{\"type\": \"echo\", \"c\\u006fntent\": \"a\"}", CONTENT("\"a\"") },
	{ "{\"type\": \"echo\", \"content\": \"1234567\x7f\"}", CONTENT("\"1234567\\u007f\"") },
	{ "{\"type\": \"echo\", \"content\": \"12345678\xc3\xbc\"}",
	  CONTENT("\"12345678\\u00fc\"") },
	{ "{\"type\": \"echo\", \"content\": \"\"}", CONTENT("\"\"") },
	{ "{\"type\": \"echo\", \"content\": [1,{\"a\":null},[],{}]}",
	  CONTENT("[1, {\"a\": null}, [], {}]") },
	{ "{\"type\": \"echo\", \"content\": 123456789012345678901234567890}",
	  CONTENT("123456789012345678901234567890") },
	{ "{\"type\": \"echo\", \"content\": -0.50e+7}", CONTENT("-0.50e+7") },
	{ "{\"type\": \"echo\", \"content\": [NaN, -Infinity, true, false]}",
	  CONTENT("[NaN, -Infinity, true, false]") },
	{ "{\"type\": \"echo\", \"content\": \"\xc3\xbc \xf0\x9f\x91\x8d\"}",
	  CONTENT("\"\\u00fc \\ud83d\\udc4d\"") },
	{ "{\"type\": \"echo\", \"content\": \"\\/\\b\\f\\n\\r\\t\\\"\\\\\\u001F\\u007f\"}",
	  CONTENT("\"/\\b\\f\\n\\r\\t\\\"\\\\\\u001f\\u007f\"") },
	{ "{\"type\": \"echo\", \"content\": \"\\uD83D\\uDC4D\\ud83d!\\u0041\"}",
	  CONTENT("\"\\ud83d\\udc4d\\ud83d!A\"") },
	{ "{\"type\": \"broadcast\"}",
	  "{\"type\": \"broadcast_sent\", \"recipients\": 2, \"timestamp\": " NOW "}" },
	{ "{\"type\": \"get_stats\"}",
	  "{\"type\": \"server_stats\", \"connected_clients\": 3, \"uptime_seconds\": 6, "
	  "\"total_messages\": 2, \"server_start_time\": \"2026-11-21T15:48:30.000005\", "
	  "\"current_time\": " NOW "}" },
	{ "{}", RESPONSE("{}") },
	{ " { \"a\" : [ 1 , 2 ] } ", RESPONSE("{\"a\": [1, 2]}") },
	{ "{\"type\": \"welcome\"}", RESPONSE("{\"type\": \"welcome\"}") },
	{ "", ECHO("\"\"") },
	{ "[1,2]", ECHO("[1, 2]") },
	{ "12", ECHO("12") },
	{ "\"a\\u00e9\"", ECHO("\"a\\u00e9\"") },
	{ "null", ECHO("null") },
	{ "{\"type\": \"ping\"} x", ECHO("\"{\\\"type\\\": \\\"ping\\\"} x\"") },
	{ "{\"type\": \"ping\"", ECHO("\"{\\\"type\\\": \\\"ping\\\"\"") },
	{ "\xc3\xbcml\xc3\xa4ut {", ECHO("\"\\u00fcml\\u00e4ut {\"") },
	{ "/ping", ECHO("\"/ping\"") },
};

Test(framed, the_eight_answers)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		expect_text(read_answer(answers[i].text, strlen(answers[i].text)),
			    answers[i].answer, answers[i].text);
}

Test(framed, others_get_a_broadcast_as_it_is)
{
	struct qn_framed_message message;
	struct qn_text text = TEXT("{\"type\": \"broadcast\", \"content\": {\"a\":1}}");

	cr_assert_eq(qn_framed_read(text, &message, NULL), QN_OK);
	size_t len = qn_framed_pass_on(&server, &message, ME, buffer, sizeof(buffer));
	expect_text((struct qn_text){ buffer + 4, len - 4 },
		    "{\"type\": \"broadcast\", \"from_client\": \"127.0.0.1:54226\", \"content\": "
		    "{\"a\": 1}, \"timestamp\": " NOW "}",
		    "broadcast");
	for (size_t cap = 0; cap < len; cap++)
		REQUIRE(qn_framed_pass_on(&server, &message, ME, buffer, cap) == 0);
}

Test(framed, what_is_no_utf8_or_too_deep_closes)
{
	struct qn_framed_message message;
	struct qn_fault fault;
	char deep[QN_JSON_DEPTH_MAX + 1];

	cr_expect_eq(qn_framed_read(TEXT("ab\xff"), &message, &fault), QN_E_UTF8);
	cr_expect_eq(fault.offset, 2);
	cr_expect_eq(qn_framed_read(TEXT("{\"type\": \"\xed\xa0\x80\"}"), &message, &fault),
		     QN_E_UTF8);
	memset(deep, '[', sizeof(deep));
	cr_expect_eq(qn_framed_read((struct qn_text){ deep, sizeof(deep) }, &message, &fault),
		     QN_E_DEPTH);
}

Test(framed, a_member_is_found_by_its_last_value)
{
	struct qn_framed_message message;

	cr_assert_eq(qn_framed_read(TEXT("{\"a\": 1, \"b\": [2], \"\\u0061\": 3}"), &message, NULL),
		     QN_OK);
	expect_text(qn_framed_member(&message, "a"), "3", "a");
	expect_text(qn_framed_member(&message, "b"), "[2]", "b");
	cr_expect_eq(qn_framed_member(&message, "c").len, 0);
}

/* ---- the real ones ---- */

static int64_t wall_of(const char *stamp)
{
	struct tm tm = { 0 };
	unsigned us = 0;

	cr_assert_eq(sscanf(stamp, "%d-%d-%dT%d:%d:%d.%6u", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us),
		     7, "%s", stamp);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm) * S + us * INT64_C(1000);
}

/* The value of a member whose value is a string, in `out`. */
static const char *string_of(const struct qn_framed_message *message, const char *name, char *out)
{
	struct qn_text value = qn_framed_member(message, name);

	REQUIRE(value.len >= 2 && value.len < 64);
	memcpy(out, value.at + 1, value.len - 2);
	out[value.len - 2] = '\0';
	return out;
}

/* What a real server knew, read from its own answer: its clock and its counters. */
static struct qn_framed_server known_by(const struct qn_framed_message *said, uint64_t clients)
{
	struct qn_framed_server known = { .clients = clients };
	char stamp[64];
	const char *name = said->type == QN_FRAMED_PONG           ? "pong_timestamp"
			   : said->type == QN_FRAMED_SERVER_STATS ? "current_time"
								  : "timestamp";

	struct qn_framed_clock clock = { wall_of(string_of(said, name, stamp)), 0 };

	qn_framed_server_time(&known, &clock);
	if (said->type == QN_FRAMED_SERVER_STATS) {
		int64_t delivered;
		known.started_ns = wall_of(string_of(said, "server_start_time", stamp));
		REQUIRE(qn_json_int64(qn_framed_member(said, "total_messages"), &delivered));
		known.delivered = (uint64_t)delivered;
	}
	return known;
}

enum { CONNS = 8, STREAM = 1 << 17 };

struct stream {
	char bytes[STREAM];
	size_t len, taken;
};

static struct stream asked[CONNS], said[CONNS];
static uint64_t clients;
static char client_id[CONNS][64];

static bool next_of(struct stream *stream, struct qn_framed_message *message)
{
	struct qn_text text;
	size_t taken;

	if (qn_framed_next(stream->bytes + stream->taken, stream->len - stream->taken, UINT32_MAX,
			   &text, &taken) != QN_OK)
		return false;
	stream->taken += taken;
	REQUIRE(qn_framed_read(text, message, NULL) == QN_OK);
	return true;
}

static void expect_said(const struct qn_framed_message *real, size_t len)
{
	cr_assert(len == real->text.len + 4 && memcmp(buffer + 4, real->text.at, len - 4) == 0,
		  "real %.*s\nours %.*s", (int)real->text.len, real->text.at, (int)len - 4,
		  buffer + 4);
}

/* One message of the real server: a greeting, somebody's broadcast, or the answer that is due. */
static void replay(int conn, const struct qn_framed_message *real, unsigned *seen)
{
	struct qn_framed_message request;
	struct qn_framed_server known = known_by(real, clients);
	struct qn_text id = { client_id[conn], strlen(client_id[conn]) };
	size_t len;

	seen[real->type]++;
	if (real->type == QN_FRAMED_WELCOME) {
		id.at = string_of(real, "client_id", client_id[conn]);
		id.len = strlen(id.at);
		len = qn_framed_welcome(&known, id, buffer, sizeof(buffer));
	} else if (real->type == QN_FRAMED_BROADCAST) {
		struct stream from = asked[2]; /* who broadcast while others were there */
		REQUIRE(next_of(&from, &request) && request.type == QN_FRAMED_BROADCAST);
		id = (struct qn_text){ client_id[2], strlen(client_id[2]) };
		len = qn_framed_pass_on(&known, &request, id, buffer, sizeof(buffer));
	} else {
		REQUIRE(next_of(&asked[conn], &request));
		len = qn_framed_answer(&known, &request, id, buffer, sizeof(buffer));
	}
	expect_said(real, len);
}

static size_t append(struct stream *stream, struct qn_text hex)
{
	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		char digits[3] = { hex.at[i], hex.at[i + 1], '\0' };
		REQUIRE(stream->len < STREAM);
		stream->bytes[stream->len++] = (char)strtoul(digits, NULL, 16);
	}
	return hex.len / 2;
}

Test(framed, our_server_says_what_the_real_one_said)
{
	struct jsonl *jsonl = jsonl_open("fixtures/transcripts/tcp_example.jsonl");
	unsigned seen[QN_FRAMED_TYPES] = { 0 };

	while (jsonl_next(jsonl)) {
		if (jsonl_text(jsonl, "meta").at != NULL)
			continue;
		int conn = (int)jsonl_double(jsonl, "conn");
		REQUIRE(conn > 0 && conn < CONNS);
		struct qn_text event = jsonl_text(jsonl, "ev");
		if (event.at != NULL) {
			clients += strcmp(event.at, "open") == 0;
			clients -= strcmp(event.at, "close") == 0;
			continue;
		}
		bool ours = strcmp(jsonl_must(jsonl, "dir").at, "s>c") == 0;
		struct stream *stream = ours ? &said[conn] : &asked[conn];
		append(stream, jsonl_must(jsonl, "bytes_hex"));
		struct qn_framed_message real;
		while (ours && next_of(stream, &real))
			replay(conn, &real, seen);
	}
	jsonl_close(jsonl);
	cr_expect_eq(seen[QN_FRAMED_WELCOME], 4);
	cr_expect_eq(seen[QN_FRAMED_BROADCAST], 2);
	cr_expect_eq(seen[QN_FRAMED_BROADCAST_SENT], 2);
	cr_expect_eq(seen[QN_FRAMED_PONG], 2);
	cr_expect_eq(seen[QN_FRAMED_SERVER_STATS], 2);
	cr_expect_eq(seen[QN_FRAMED_RESPONSE], 2);
	cr_expect_eq(seen[QN_FRAMED_ECHO], 5);
	cr_expect_eq(seen[QN_FRAMED_ECHO_RESPONSE], 69);
}

Test(framed, our_client_asks_what_the_real_one_asked)
{
	struct qn_framed_clock at = { wall_of("2026-11-21T15:48:36.273938"), 0 };
	size_t len = qn_framed_ping(&at, TEXT("TCP Client 127.77.0.8:29999"), buffer,
				    sizeof(buffer));

	expect_text((struct qn_text){ buffer + 4, len - 4 },
		    "{\"type\": \"ping\", \"timestamp\": \"2026-11-21T15:48:36.273938\", "
		    "\"client_info\": \"TCP Client 127.77.0.8:29999\"}",
		    "ping");
	len = qn_framed_say(QN_FRAMED_BROADCAST, &at,
			    TEXT("Gr\xc3\xbc\xc3\x9f"
				 "e \xf0\x9f\x91\x8d an alle"),
			    buffer, sizeof(buffer));
	expect_text((struct qn_text){ buffer + 4, len - 4 },
		    "{\"type\": \"broadcast\", \"content\": \"Gr\\u00fc\\u00dfe \\ud83d\\udc4d an "
		    "alle\", \"timestamp\": \"2026-11-21T15:48:36.273938\"}",
		    "broadcast");
	len = qn_framed_get_stats(&at, buffer, sizeof(buffer));
	expect_text((struct qn_text){ buffer + 4, len - 4 },
		    "{\"type\": \"get_stats\", \"timestamp\": \"2026-11-21T15:48:36.273938\"}",
		    "get_stats");
	len = qn_framed_custom(TEXT("custom_test"), &at,
			       TEXT("\"data\": \"custom payload\", \"test_id\": 123"), buffer,
			       sizeof(buffer));
	expect_text((struct qn_text){ buffer + 4, len - 4 },
		    "{\"type\": \"custom_test\", \"timestamp\": \"2026-11-21T15:48:36.273938\", "
		    "\"data\": \"custom payload\", \"test_id\": 123}",
		    "custom");
	len = qn_framed_plain(TEXT("This is a plain text message"), buffer, sizeof(buffer));
	cr_expect_eq(memcmp(buffer, "\0\0\0\x1cThis is a plain text message", len), 0);
}

/*
 * What is written, byte for byte: fixtures/snyper/written.jsonl for each type and profile, into a
 * buffer that ends at a guard page and is just large enough; one byte less must give nothing.
 */
#include "proto/snyper/message.h"
#include "tests/support/guard.h"
#include "tests/support/jsonl.h"
#include "tests/support/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct qn_snyper_profile *profile_of(const char *name)
{
	for (int i = 0; i < QN_SNYPER_PROFILES; i++)
		if (strcmp(qn_snyper_profile_names[i], name) == 0)
			return qn_snyper_profile((enum qn_snyper_profile_id)i);
	cr_assert_fail("no profile %s", name);
	return NULL;
}

static void check_line(const struct qn_snyper_profile *profile, const struct qn_snyper_out *out,
		       struct qn_text expected, unsigned number)
{
	char *room = guard_copy(expected.at, expected.len);

	memset(room, '#', expected.len);
	size_t len = qn_snyper_write(profile, out, room, expected.len);
	if (len != expected.len || memcmp(room, expected.at, len) != 0)
		cr_expect_fail("line %u:\n  is %.*s  should %s", number, (int)len, room,
			       expected.at);
	guard_free(room, expected.len);

	room = guard_copy(expected.at, expected.len - 1);
	if (qn_snyper_write(profile, out, room, expected.len - 1) != 0)
		cr_expect_fail("line %u: written where it does not fit", number);
	guard_free(room, expected.len - 1);
}

Test(snyper_write, vectors)
{
	struct jsonl *jsonl = jsonl_open("fixtures/snyper/written.jsonl");
	unsigned count = 0;

	for (; jsonl_next(jsonl); count++) {
		struct qn_text type = jsonl_must(jsonl, "type");
		struct qn_snyper_out out = {
			.type = qn_snyper_type_of(type.at, type.len),
			.id = jsonl_text(jsonl, "id"),
			.target_id = jsonl_text(jsonl, "target_id"),
			.client_id = jsonl_text(jsonl, "client_id"),
			.error = jsonl_text(jsonl, "error"),
			.duration = jsonl_text(jsonl, "duration"),
			.wall_ns = strtoll(jsonl_must(jsonl, "wall_ns").at, NULL, 10),
			.done = jsonl_text(jsonl, "done").at != NULL,
		};
		check_line(profile_of(jsonl_must(jsonl, "profile").at), &out,
			   jsonl_must(jsonl, "line"), jsonl_number(jsonl));
	}
	jsonl_close(jsonl);
	cr_expect(count > 100, "%u vectors", count);
}

static const char *written(enum qn_snyper_profile_id profile, const struct qn_snyper_out *out)
{
	static char line[1024];
	size_t len = qn_snyper_write(qn_snyper_profile(profile), out, line, sizeof(line) - 1);

	line[len] = '\0';
	return line;
}

/* A board knows whole seconds: all its ids of one second are the same, and end in 000. */
Test(snyper_write, ids_of_a_board_repeat_within_the_second)
{
	struct qn_snyper_out first = { .type = QN_SNYPER_PING, .wall_ns = 1795274924000000000 };
	struct qn_snyper_out last = { .type = QN_SNYPER_PING, .wall_ns = 1795274924999999999 };

	const char *line = written(QN_SNYPER_PICO, &first);
	cr_expect(strstr(line, "\"id\": \"msg_1795274924000\"") != NULL, "%s", line);
	line = written(QN_SNYPER_PICO, &last);
	cr_expect(strstr(line, "\"id\": \"msg_1795274924000\"") != NULL, "%s", line);
	line = written(QN_SNYPER_UNIX, &last);
	cr_expect(strstr(line, "\"id\": \"msg_1795274924999\"") != NULL, "%s", line);
}

Test(snyper_write, no_time_before_1970)
{
	struct qn_snyper_out out = { .type = QN_SNYPER_PING, .wall_ns = -1 };

	for (int i = 0; i < QN_SNYPER_PROFILES; i++) {
		const char *line = written((enum qn_snyper_profile_id)i, &out);
		cr_expect(strstr(line, "\"id\": \"msg_0\"") != NULL, "%s", line);
		cr_expect(strstr(line, "\"timestamp\": 0") != NULL, "%s", line);
	}
}

/* Whatever is written reads back as what it was, in the profile's own dialect. */
Test(snyper_write, what_is_written_is_read)
{
	char line[QN_SNYPER_TYPICAL];
	struct qn_snyper_message message;

	for (int i = 0; i < QN_SNYPER_PROFILES; i++) {
		const struct qn_snyper_profile *profile =
			qn_snyper_profile((enum qn_snyper_profile_id)i);
		for (int type = QN_SNYPER_REGISTER; type < QN_SNYPER_TYPES; type++) {
			struct qn_snyper_out out = { .type = (enum qn_snyper_type)type,
						     .target_id = { "t", 1 },
						     .client_id = { "t", 1 },
						     .error = { "e", 1 },
						     .duration = { "2.5", 3 },
						     .wall_ns = 1 };
			size_t len = qn_snyper_write(profile, &out, line, sizeof(line));
			REQUIRE(len > 0 && line[len - 1] == '\n');
			REQUIRE(memchr(line, '\n', len) == line + len - 1);
			REQUIRE(qn_snyper_parse(profile, line, len - 1, &message, NULL) == QN_OK);
			REQUIRE(message.type == out.type && message.has_data);
			REQUIRE(message.target_id.len == 1 && *message.target_id.at == 't');
			bool timed = type == QN_SNYPER_ACTIVATE || type == QN_SNYPER_ACTIVATED;
			REQUIRE(message.duration_s == (timed ? 2.5 : 5));
		}
	}
}

Test(snyper_write, types)
{
	static const struct {
		enum qn_snyper_type request, answer;
	} pairs[] = {
		{ QN_SNYPER_REGISTER, QN_SNYPER_REGISTERED },
		{ QN_SNYPER_PING, QN_SNYPER_PONG },
		{ QN_SNYPER_STAND_UP, QN_SNYPER_STANDING },
		{ QN_SNYPER_LAY_DOWN, QN_SNYPER_DOWN },
		{ QN_SNYPER_ACTIVATE, QN_SNYPER_ACTIVATED },
		{ QN_SNYPER_PONG, QN_SNYPER_UNKNOWN },
		{ QN_SNYPER_ERROR, QN_SNYPER_UNKNOWN },
		{ QN_SNYPER_UNKNOWN, QN_SNYPER_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		cr_expect_eq(qn_snyper_answer_to(pairs[i].request), pairs[i].answer, "%zu", i);
	for (int type = QN_SNYPER_REGISTER; type < QN_SNYPER_TYPES; type++) {
		const char *name = qn_snyper_type_name((enum qn_snyper_type)type);
		cr_expect_eq((int)qn_snyper_type_of(name, strlen(name)), type);
		/* Up to its length and no further: the end stands at a guard page. */
		char *copy = guard_copy(name, strlen(name));
		cr_expect_eq((int)qn_snyper_type_of(copy, strlen(name)), type);
		if (type != QN_SNYPER_ACTIVATED) /* "activate" is one too */
			cr_expect_eq(qn_snyper_type_of(copy, strlen(name) - 1), QN_SNYPER_UNKNOWN);
		guard_free(copy, strlen(name));
	}
	cr_expect_eq(qn_snyper_type_of("PiNg", 4), QN_SNYPER_PING);
	cr_expect_eq(qn_snyper_type_of("stand-up", 8), QN_SNYPER_UNKNOWN);
	cr_expect_eq(qn_snyper_type_of("p\xc4\xb1ng", 5), QN_SNYPER_UNKNOWN); /* a dotless i */
	cr_expect_eq(qn_snyper_type_of(NULL, 0), QN_SNYPER_UNKNOWN);
	cr_expect_eq(qn_snyper_type_of("unknown", 7), QN_SNYPER_UNKNOWN);
}

Test(snyper_write, profiles_and_their_names)
{
	for (int i = 0; i < QN_SNYPER_PROFILES; i++)
		cr_expect_str_eq(qn_snyper_profile((enum qn_snyper_profile_id)i)->name,
				 qn_snyper_profile_names[i]);
	cr_expect_null(qn_snyper_profile_names[QN_SNYPER_PROFILES]);
}

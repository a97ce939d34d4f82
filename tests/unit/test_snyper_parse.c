/*
 * What a message is made of, and where a fault is said to be; texts end at a guard page.
 */
#include "proto/snyper/message.h"
#include "tests/support/guard.h"

#include <criterion/criterion.h>
#include <string.h>

static enum qn_code parse(enum qn_snyper_profile_id profile, const char *text,
			  struct qn_snyper_message *message, struct qn_fault *fault)
{
	/* The copy stays: the message points into it. */
	char *copy = guard_copy(text, strlen(text));

	return qn_snyper_parse(qn_snyper_profile(profile), copy, strlen(text), message, fault);
}

#define EXPECT_TEXT(text, expected)                                                                \
	cr_expect((text).len == strlen(expected) && memcmp((text).at, expected, (text).len) == 0,  \
		  "%.*s", (int)(text).len, (text).at)

Test(snyper_parse, every_member)
{
	struct qn_snyper_message m;

	cr_assert_eq(parse(QN_SNYPER_STRICT,
			   "{\"timestamp\": [1], \"type\": \"Activated\", \"id\": \"a\\u0062\", "
			   "\"data\": "
			   "{\"error\": \"e\\n\", \"status\": \"s\", \"client_id\": \"c\", "
			   "\"duration\": 2.50}, \"target_id\": \"t\"}",
			   &m, NULL),
		     QN_OK);
	cr_expect_eq(m.type, QN_SNYPER_ACTIVATED);
	EXPECT_TEXT(m.type_text, "Activated");
	EXPECT_TEXT(m.id, "\"a\\u0062\"");
	EXPECT_TEXT(m.target_id, "t");
	EXPECT_TEXT(m.client_id, "c");
	EXPECT_TEXT(m.status, "s");
	EXPECT_TEXT(m.error, "e\\n");
	EXPECT_TEXT(m.duration, "2.50");
	cr_expect_eq(m.duration_s, 2.5);
	cr_expect(m.has_data);
}

Test(snyper_parse, nothing_but_what_must_be)
{
	struct qn_snyper_message m;

	memset(&m, 0xff, sizeof(m));
	cr_assert_eq(parse(QN_SNYPER_PICO, "{\"type\": \"pong\", \"id\": null}", &m, NULL), QN_OK);
	cr_expect_null(m.id.at);
	cr_expect_null(m.target_id.at);
	cr_expect_null(m.client_id.at);
	cr_expect_null(m.status.at);
	cr_expect_null(m.error.at);
	cr_expect_null(m.duration.at);
	cr_expect_eq(m.duration_s, 5);
	cr_expect_not(m.has_data);
}

Test(snyper_parse, texts_that_are_none)
{
	struct qn_snyper_message m;

	cr_assert_eq(parse(QN_SNYPER_STRICT,
			   "{\"type\": \"pong\", \"id\": 1, \"target_id\": 1, \"data\": "
			   "{\"error\": null, "
			   "\"status\": {}, \"client_id\": [], \"duration\": \"1\"}}",
			   &m, NULL),
		     QN_OK);
	cr_expect_null(m.target_id.at);
	cr_expect_null(m.client_id.at);
	cr_expect_null(m.status.at);
	cr_expect_null(m.error.at);
	cr_expect_null(m.duration.at);
	cr_expect(m.has_data, "it has members, of whatever kind");
}

Test(snyper_parse, an_unknown_type_is_filled_in_all_the_same)
{
	struct qn_snyper_message m;

	cr_expect_eq(parse(QN_SNYPER_STRICT,
			   "{\"type\": \"fly\", \"id\": 7, \"data\": {\"status\": \"s\"}}", &m,
			   NULL),
		     QN_E_UNKNOWN);
	cr_expect_eq(m.type, QN_SNYPER_UNKNOWN);
	EXPECT_TEXT(m.type_text, "fly");
	EXPECT_TEXT(m.id, "7");
	EXPECT_TEXT(m.status, "s");
}

struct fault_case {
	enum qn_snyper_profile_id profile;
	const char *text;
	enum qn_code code;
	size_t offset;
};

static const struct fault_case faults[] = {
	{ QN_SNYPER_STRICT, "", QN_E_SYNTAX, 0 },
	{ QN_SNYPER_STRICT, "{\"type\": ping}", QN_E_SYNTAX, 9 },
	{ QN_SNYPER_STRICT, "{\"type\": \"ping\", \"id\": \"1\"", QN_E_SYNTAX, 26 },
	{ QN_SNYPER_STRICT, "{\"type\": \"ping\", \"id\": \"1\"} x", QN_E_SYNTAX, 28 },
	{ QN_SNYPER_STRICT, "[1, 2", QN_E_SYNTAX, 5 },
	{ QN_SNYPER_STRICT, "[1, 2]", QN_E_TYPE, 0 },
	{ QN_SNYPER_STRICT, "7", QN_E_TYPE, 0 },
	{ QN_SNYPER_STRICT, "7 x", QN_E_SYNTAX, 2 },
	{ QN_SNYPER_STRICT, "{}", QN_E_MISSING, 0 },
	{ QN_SNYPER_STRICT, "{\"id\": 1}", QN_E_MISSING, 0 },
	{ QN_SNYPER_STRICT, "{\"type\": 1}", QN_E_TYPE, 0 },
	{ QN_SNYPER_STRICT, "{\"type\": \"fly\"}", QN_E_MISSING, 0 },
	{ QN_SNYPER_STRICT, "{\"id\": \"\xff\"}", QN_E_UTF8, 8 },
	{ QN_SNYPER_STRICT, "{\"data\": {\"duration\": 1e999}}", QN_E_SYNTAX, 22 },
	{ QN_SNYPER_PICO, "{\"id\": 01}", QN_E_SYNTAX, 7 },
	{ QN_SNYPER_CPYTHON, "{\"id\": [1, NaN]}", QN_E_SYNTAX, 7 },
	{ QN_SNYPER_CPYTHON, "{\"data\": {\"duration\": Infinity}}", QN_E_SYNTAX, 22 },
};

Test(snyper_parse, where_the_fault_is)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct qn_snyper_message m;
		struct qn_fault fault = { QN_OK, 99, NULL };
		enum qn_code code = parse(faults[i].profile, faults[i].text, &m, &fault);

		cr_expect_eq(code, faults[i].code, "%s: %s", faults[i].text, qn_code_name(code));
		cr_expect_eq(fault.code, code, "%s", faults[i].text);
		cr_expect_eq(fault.offset, faults[i].offset, "%s: %zu", faults[i].text,
			     fault.offset);
		cr_expect_not_null(fault.text);
		/* Nobody need ask for it. */
		cr_expect_eq(parse(faults[i].profile, faults[i].text, &m, NULL), code);
	}
}

Test(snyper_parse, a_fault_that_is_none_is_left_alone)
{
	struct qn_snyper_message m;
	struct qn_fault fault = { QN_E_DEPTH, 99, "untouched" };

	cr_assert_eq(parse(QN_SNYPER_STRICT, "{\"type\": \"ping\", \"id\": 1}", &m, &fault), QN_OK);
	cr_expect_eq(fault.offset, 99u);
	cr_expect_str_eq(fault.text, "untouched");
}

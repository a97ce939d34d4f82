/*
 * Lines: what is whole, what is too long, what was looked at before; always up to a guard page.
 */
#include "proto/line/line.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <string.h>

struct line_case {
	const char *bytes;
	size_t limit;
	enum qn_code code;
	const char *line;
	size_t taken;
};

static const struct line_case cases[] = {
	{ "", 10, QN_MORE, NULL, 0 },
	{ "abc", 10, QN_MORE, NULL, 0 },
	{ "\n", 10, QN_OK, "", 1 },
	{ "\r\n", 10, QN_OK, "", 2 },
	{ "abc\n", 10, QN_OK, "abc", 4 },
	{ "abc\r\n", 10, QN_OK, "abc", 5 },
	{ "abc\r\r\n", 10, QN_OK, "abc\r", 6 }, /* one CR belongs to the end, another does not */
	{ "a\rb\n", 10, QN_OK, "a\rb", 4 },
	{ "abc\r", 10, QN_MORE, NULL, 0 },
	{ "a\nb\n", 10, QN_OK, "a", 2 },
	{ "\n\n", 10, QN_OK, "", 1 },
	{ "abc\n", 3, QN_OK, "abc", 4 },
	{ "abcd\n", 3, QN_E_TOO_LONG, NULL, 0 },
	{ "abc", 3, QN_MORE, NULL, 0 },
	{ "abcd", 3, QN_E_TOO_LONG, NULL, 0 },
	{ "abc\r\n", 3, QN_E_TOO_LONG, NULL, 0 }, /* the CR counts */
	{ "\n", 0, QN_OK, "", 1 },
	{ "a", 0, QN_E_TOO_LONG, NULL, 0 },
};

/* `scanned` may be anything up to the first newline: the result is the same. */
static void check_case(const struct line_case *c)
{
	size_t len = strlen(c->bytes);
	const char *end = strchr(c->bytes, '\n');
	size_t scanned_max = end != NULL ? (size_t)(end - c->bytes) : len;
	char *bytes = guard_copy(c->bytes, len);

	for (size_t scanned = 0; scanned <= scanned_max; scanned++) {
		struct qn_text line = { "untouched", 9 };
		size_t taken = 99;
		REQUIRE(qn_line_next(bytes, len, scanned, c->limit, &line, &taken) == c->code);
		if (c->code == QN_OK) {
			REQUIRE(taken == c->taken && line.len == strlen(c->line));
			REQUIRE(line.at == bytes && memcmp(line.at, c->line, line.len) == 0);
		} else {
			REQUIRE(taken == 99 && line.len == 9);
		}
	}
	guard_free(bytes, len);
}

Test(line, cases)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_case(&cases[i]);
}

Test(line, holds_zero_bytes)
{
	struct qn_text line;
	size_t taken;

	cr_assert_eq(qn_line_next("a\0b\nc", 5, 0, 10, &line, &taken), QN_OK);
	cr_expect_eq(line.len, 3);
	cr_expect_eq(taken, 4);
}

Test(line, nothing_at_all)
{
	struct qn_text line;
	size_t taken;

	cr_expect_eq(qn_line_next(NULL, 0, 0, 10, &line, &taken), QN_MORE);
}

/* What was searched is not searched again: a newline there is not seen. */
Test(line, scanned_is_believed)
{
	struct qn_text line;
	size_t taken;

	cr_expect_eq(qn_line_next("a\nb", 3, 2, 10, &line, &taken), QN_MORE);
	cr_assert_eq(qn_line_next("a\nb\n", 4, 2, 10, &line, &taken), QN_OK);
	cr_expect_eq(taken, 4);
}

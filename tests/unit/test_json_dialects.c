/* Where the dialects part: what each makes of the same bytes (proto/json/DIALECTS.md). */
#include "tests/support/json_trace.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define TEXT(literal) literal, sizeof(literal) - 1

struct row {
	const char *text;
	size_t len;
	const char *strict, *cpython, *micropython;
};

static void check_row(const struct row *row)
{
	const char *expected[] = { row->strict, row->cpython, row->micropython };
	static const char *const names[] = { "strict", "cpython", "micropython" };
	char got[1024];

	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_MICROPYTHON; dialect++) {
		json_trace(row->text, row->len, dialect, 0, got, sizeof(got));
		cr_expect(strcmp(got, expected[dialect]) == 0,
			  "%s, %s\n  gave     %s\n  expected %s", row->text, names[dialect], got,
			  expected[dialect]);
	}
}

#define CHECK_ROWS(rows)                                                                           \
	do {                                                                                       \
		for (size_t i = 0; i < sizeof(rows) / sizeof(*(rows)); i++)                        \
			check_row(&(rows)[i]);                                                     \
	} while (0)

Test(json_dialects, numbers_that_are_none)
{
	static const struct row rows[] = {
		{ TEXT("NaN"), "!syntax@0", "nNaN .", "!syntax@0" },
		{ TEXT("[Infinity,-Infinity]"), "[ !syntax@1", "[ nInfinity n-Infinity ] .",
		  "[ !syntax@1" },
		{ TEXT("{\"a\": NaN}"), "{ k\"a\" !syntax@6", "{ k\"a\" nNaN } .",
		  "{ k\"a\" !syntax@6" },
		{ TEXT("-NaN"), "!syntax@1", "!syntax@1", "!syntax@1" },
		{ TEXT("-Infinit"), "!syntax@1", "!syntax@8", "!syntax@1" },
		{ TEXT("nan"), "!syntax@1", "!syntax@1", "!syntax@1" },
		{ TEXT("Inf"), "!syntax@0", "!syntax@3", "!syntax@0" },
		{ TEXT("1e-Infinity"), "!syntax@3", "!syntax@3", "!syntax@3" },
		{ TEXT("{NaN: 1}"), "{ !syntax@1", "{ !syntax@1", "{ !syntax@1" },
	};
	CHECK_ROWS(rows);
}

Test(json_dialects, separators)
{
	static const struct row rows[] = {
		{ TEXT("[1,]"), "[ n1 !syntax@3", "[ n1 !syntax@3", "[ n1 ] ." },
		{ TEXT("[1 2:3]"), "[ n1 !syntax@3", "[ n1 !syntax@3", "[ n1 n2 n3 ] ." },
		{ TEXT(",:[1]"), "!syntax@0", "!syntax@0", "[ n1 ] ." },
		{ TEXT(":1"), "!syntax@0", "!syntax@0", "n1 ." },
		{ TEXT("{\"a\" 1 \"b\" 2}"), "{ k\"a\" !syntax@5", "{ k\"a\" !syntax@5",
		  "{ k\"a\" n1 k\"b\" n2 } ." },
		{ TEXT("{,,\"a\",1:,}"), "{ !syntax@1", "{ !syntax@1", "{ k\"a\" n1 } ." },
		{ TEXT("[1],"), "[ n1 ] !syntax@3", "[ n1 ] !syntax@3", "[ n1 ] !syntax@3" },
		{ TEXT("1:"), "n1 !syntax@1", "n1 !syntax@1", "n1 !syntax@1" },
		{ TEXT("[1]\v\f "), "[ n1 ] !syntax@3", "[ n1 ] !syntax@3", "[ n1 ] ." },
		{ TEXT("\v1"), "!syntax@0", "!syntax@0", "!syntax@0" },
		{ TEXT("[\f1]"), "[ !syntax@1", "[ !syntax@1", "[ !syntax@1" },
		{ TEXT(",: "), "!syntax@0", "!syntax@0", "!syntax@3" },
	};
	CHECK_ROWS(rows);
}

Test(json_dialects, brackets)
{
	static const struct row rows[] = {
		{ TEXT("[1}"), "[ n1 !syntax@2", "[ n1 !syntax@2", "[ n1 ] ." },
		{ TEXT("{\"a\":[1}]"), "{ k\"a\" [ n1 !syntax@7", "{ k\"a\" [ n1 !syntax@7",
		  "{ k\"a\" [ n1 ] } ." },
		{ TEXT("{\"a\":1"), "{ k\"a\" n1 !syntax@6", "{ k\"a\" n1 !syntax@6",
		  "{ k\"a\" n1 } ." },
		{ TEXT("["), "[ !syntax@1", "[ !syntax@1", "[ ] ." },
		{ TEXT("{ ,"), "{ !syntax@2", "{ !syntax@2", "{ } ." },
		{ TEXT("[[1]"), "[ [ n1 ] !syntax@4", "[ [ n1 ] !syntax@4", "[ [ n1 ] ] ." },
		{ TEXT("[[1"), "[ [ n1 !syntax@3", "[ [ n1 !syntax@3", "[ [ n1 !syntax@3" },
		{ TEXT("{\"a\":{\"b\":1"), "{ k\"a\" { k\"b\" n1 !syntax@11",
		  "{ k\"a\" { k\"b\" n1 !syntax@11", "{ k\"a\" { k\"b\" n1 !syntax@11" },
		{ TEXT("]"), "!syntax@0", "!syntax@0", "!syntax@0" },
		{ TEXT("[]]"), "[ ] !syntax@2", "[ ] !syntax@2", "[ ] !syntax@2" },
		{ TEXT("[tru"), "[ !syntax@4", "[ !syntax@4", "[ !syntax@4" },
		{ TEXT("[\"a"), "[ !syntax@3", "[ !syntax@3", "[ !syntax@3" },
	};
	CHECK_ROWS(rows);
}

Test(json_dialects, keys)
{
	static const struct row rows[] = {
		{ TEXT("{1:2,null:3,true:4,-1.5:5}"), "{ !syntax@1", "{ !syntax@1",
		  "{ k1 n2 knull n3 ktrue n4 k-1.5 n5 } ." },
		{ TEXT("{[]:1}"), "{ !syntax@1", "{ !syntax@1", "{ !syntax@1" },
		{ TEXT("{{}:1}"), "{ !syntax@1", "{ !syntax@1", "{ !syntax@1" },
		{ TEXT("{\"a\":1,{\"b\":2}}"), "{ k\"a\" n1 !syntax@7", "{ k\"a\" n1 !syntax@7",
		  "{ k\"a\" n1 !syntax@7" },
		{ TEXT("{\"a\"}"), "{ k\"a\" !syntax@4", "{ k\"a\" !syntax@4", "{ } ." },
		{ TEXT("{\"a\": }"), "{ k\"a\" !syntax@6", "{ k\"a\" !syntax@6", "{ } ." },
		{ TEXT("{\"a\":1,\"b\""), "{ k\"a\" n1 k\"b\" !syntax@10",
		  "{ k\"a\" n1 k\"b\" !syntax@10", "{ k\"a\" n1 } ." },
		{ TEXT("{\"a\":{\"b\""), "{ k\"a\" { k\"b\" !syntax@9",
		  "{ k\"a\" { k\"b\" !syntax@9", "{ k\"a\" { !syntax@9" },
	};
	CHECK_ROWS(rows);
}

/* The board has one place for a key without a value, for all levels: the next object takes it. */
Test(json_dialects, a_key_without_a_value_is_carried_on)
{
	static const struct row rows[] = {
		{ TEXT("{\"a\":{\"b\"},\"c\":1}"), "{ k\"a\" { k\"b\" !syntax@9",
		  "{ k\"a\" { k\"b\" !syntax@9", "{ k\"a\" { } k\"b\" s\"c\" } ." },
		{ TEXT("[{\"a\"},{\"b\":1}]"), "[ { k\"a\" !syntax@5", "[ { k\"a\" !syntax@5",
		  "[ { } { k\"a\" s\"b\" } ] ." },
		{ TEXT("[{\"a\\u0062\"},{[{\"x\",2}]}]"), "[ { k\"a\\u0062\" !syntax@11",
		  "[ { k\"a\\u0062\" !syntax@11", "[ { } { k\"a\\u0062\" [ { k\"x\" n2 } ] } ] ." },
		{ TEXT("{\"a\":[{7}],\"c\"}"), "{ k\"a\" [ { !syntax@7", "{ k\"a\" [ { !syntax@7",
		  "{ k\"a\" [ { } ] k7 s\"c\" } ." },
		{ TEXT("[{\"a\"},1]"), "[ { k\"a\" !syntax@5", "[ { k\"a\" !syntax@5",
		  "[ { } n1 ] ." },
	};
	struct qn_json_reader reader;
	const char *text = "[{\"a\\u0062\"},{1}]";

	CHECK_ROWS(rows);
	qn_json_open(&reader, text, strlen(text), QN_JSON_MICROPYTHON, 0);
	enum qn_json_token token;
	while ((token = qn_json_next(&reader)) != QN_JSON_KEY)
		cr_assert(token > QN_JSON_END);
	cr_expect(reader.escaped && reader.text.at == text + 3 && reader.text.len == 7);
	cr_expect(qn_json_next(&reader) == QN_JSON_NUMBER && !reader.escaped);
}

Test(json_dialects, keys_that_are_no_strings_have_no_text)
{
	struct qn_json_reader reader;

	qn_json_open(&reader, "{12:1}", 6, QN_JSON_MICROPYTHON, 0);
	cr_assert(qn_json_next(&reader) == QN_JSON_OBJECT);
	cr_assert(qn_json_next(&reader) == QN_JSON_KEY);
	cr_expect(reader.text.len == 0 && reader.raw.len == 2);
}

Test(json_dialects, numbers)
{
	static const struct row rows[] = {
		{ TEXT("01"), "n0 !syntax@1", "n0 !syntax@1", "n01 ." },
		{ TEXT("-007"), "n-0 !syntax@2", "n-0 !syntax@2", "n-007 ." },
		{ TEXT("1."), "!syntax@2", "!syntax@2", "n1. ." },
		{ TEXT("-.5"), "!syntax@1", "!syntax@1", "n-.5 ." },
		{ TEXT("1.e5"), "!syntax@2", "!syntax@2", "n1.e5 ." },
		{ TEXT("-."), "!syntax@1", "!syntax@1", "n-. ." },
		{ TEXT("-e5"), "!syntax@1", "!syntax@1", "n-e5 ." },
		{ TEXT(".5"), "!syntax@0", "!syntax@0", "!syntax@0" },
		{ TEXT("+1"), "!syntax@0", "!syntax@0", "!syntax@0" },
		{ TEXT("-"), "!syntax@1", "!syntax@1", "!syntax@1" },
		{ TEXT("--1"), "!syntax@1", "!syntax@1", "!syntax@1" },
		{ TEXT("1-2"), "n1 !syntax@1", "n1 !syntax@1", "!syntax@1" },
		{ TEXT("1e"), "!syntax@2", "!syntax@2", "!syntax@2" },
		{ TEXT("1e+"), "!syntax@3", "!syntax@3", "!syntax@3" },
		{ TEXT("1e5e5"), "n1e5 !syntax@3", "n1e5 !syntax@3", "!syntax@3" },
		{ TEXT("1.2.3"), "n1.2 !syntax@3", "n1.2 !syntax@3", "!syntax@3" },
		{ TEXT("[1\"a\"]"), "[ n1 !syntax@2", "[ n1 !syntax@2", "[ n1 s\"a\" ] ." },
		{ TEXT("[1true]"), "[ n1 !syntax@2", "[ n1 !syntax@2", "[ n1 T ] ." },
	};
	CHECK_ROWS(rows);
}

Test(json_dialects, strings)
{
	static const struct row rows[] = {
		{ TEXT("\"a\tb\x01\x1f\n\""), "!syntax@2", "!syntax@2", "s\"a\tb\x01\x1f\n\" ." },
		{ TEXT("\"\\x41\""), "!syntax@2", "!syntax@2", "s\"\\x41\" ." },
		{ TEXT("\"\\\xc3\xa9\""), "!syntax@2", "!syntax@2", "s\"\\\xc3\xa9\" ." },
		{ TEXT("\"\\u12\"34\""), "!syntax@5", "!syntax@5", "s\"\\u12\"34\" ." },
		{ TEXT("\"\\u12\""), "!syntax@5", "!syntax@5", "!syntax@6" },
		{ TEXT("\"\\uzzzz\""), "!syntax@3", "!syntax@3", "s\"\\uzzzz\" ." },
		{ TEXT("\"\\u00\xc3\xa9\""), "!syntax@5", "!syntax@5", "s\"\\u00\xc3\xa9\" ." },
		{ TEXT("\"\\u000\xc3\xa9\""), "!syntax@6", "!syntax@6", "!utf8@7" },
		{ TEXT("\"\\u\xff...\""), "!syntax@3", "!syntax@3", "!utf8@3" },
		{ TEXT("\"\\u123\xff\""), "!syntax@6", "!syntax@6", "!utf8@6" },
		{ TEXT("\"\\u123\xc3\""), "!syntax@6", "!syntax@6", "!utf8@6" },
		{ TEXT("\"\xff\""), "!utf8@1", "!utf8@1", "!utf8@1" },
		{ TEXT("\"\\\xff\""), "!syntax@2", "!syntax@2", "!utf8@2" },
		{ TEXT("\"\\"), "!syntax@2", "!syntax@2", "!syntax@2" },
		{ TEXT("\"\\ud800\""), "s\"\\ud800\" .", "s\"\\ud800\" .", "s\"\\ud800\" ." },
	};
	CHECK_ROWS(rows);
}

Test(json_dialects, word_pieces)
{
	static const struct row rows[] = {
		{ TEXT("[nulltrue]"), "[ N !syntax@5", "[ N !syntax@5", "[ N T ] ." },
		{ TEXT("[nul]"), "[ !syntax@4", "[ !syntax@4", "[ !syntax@4" },
		{ TEXT("True"), "!syntax@0", "!syntax@0", "!syntax@0" },
	};
	CHECK_ROWS(rows);
}

/* json_trace() stops at a NUL in what it prints: these look at the verdict alone. */
static void check_nul(const char *text, size_t len, const char *expected)
{
	struct qn_fault fault = { QN_OK, 0, "" };
	char *copy = guard_copy(text, len);
	char got[32];

	cr_expect(qn_json_check(copy, len, QN_JSON_STRICT, 0, NULL) == QN_E_SYNTAX);
	cr_expect(qn_json_check(copy, len, QN_JSON_CPYTHON, 0, NULL) == QN_E_SYNTAX);
	enum qn_code code = qn_json_check(copy, len, QN_JSON_MICROPYTHON, 0, &fault);
	snprintf(got, sizeof(got), "%s %zu", qn_code_name(code), fault.offset);
	cr_expect(strcmp(got, expected) == 0, "%s\\0...: %s, expected %s", text, got, expected);
	guard_free(copy, len);
}

Test(json_dialects, nul_is_the_end_to_the_board)
{
	check_nul(TEXT("\0"), "syntax 0");
	check_nul(TEXT("[1]\0x"), "ok 0");
	check_nul(TEXT("{\"a\":1\0}"), "ok 0");
	check_nul(TEXT("{\"a\"\0:1}"), "ok 0");
	check_nul(TEXT("1\0"), "ok 0");
	check_nul(TEXT("1 \0,,,"), "ok 0");
	check_nul(TEXT("[[1\0]]"), "syntax 3");
	check_nul(TEXT("{\"a\":{\"b\"\0:1}}"), "syntax 9");
	check_nul(TEXT("\"a\0b\""), "syntax 2");
	check_nul(TEXT("tr\0ue"), "syntax 2");
	check_nul(TEXT("\"\\\0\""), "ok 0");
	check_nul(TEXT("\"\\u0\0\0\0\""), "ok 0");
	check_nul(TEXT("1\0\xff"), "utf8 2");
	check_nul(TEXT("1\0ab\xc3\xa9"), "ok 0");
}

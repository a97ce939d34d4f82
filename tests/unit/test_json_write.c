/* The writer: what it writes byte for byte, what it does when it is full, and the way back. */
#include "proto/json/json.h"
#include "tests/support/guard.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT(literal)                                                                              \
	(struct qn_text)                                                                           \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

static void expect_string(struct qn_text plain, bool ascii, const char *expected)
{
	size_t expected_len = strlen(expected);
	char *in = guard_copy(plain.at, plain.len);
	char space[512];
	struct qn_json_writer writer;

	qn_json_writer_init(&writer, space, sizeof(space));
	qn_json_put_string(&writer, in, plain.len, ascii);
	size_t len = qn_json_written(&writer);
	cr_expect(!writer.full && len == expected_len && memcmp(space, expected, len) == 0,
		  "gave %.*s, expected %s", (int)len, space, expected);

	/* One byte too few, at every size: nothing of it stays, nothing beyond the end is touched.
	 */
	for (size_t cap = 0; cap < expected_len; cap++) {
		char *out = guard_copy(space, cap);
		qn_json_writer_init(&writer, out, cap);
		qn_json_put_string(&writer, in, plain.len, ascii);
		cr_expect(writer.full && qn_json_written(&writer) == 0, "%s in %zu", expected, cap);
		qn_json_put_int(&writer, -1);
		qn_json_put_literal(&writer, "");
		cr_expect(writer.full && qn_json_written(&writer) == 0);
		guard_free(out, cap);
	}
	guard_free(in, plain.len);
}

Test(json_write, strings_as_cpython)
{
	expect_string(TEXT(""), true, "\"\"");
	expect_string(TEXT("Target reporting for duty!"), true, "\"Target reporting for duty!\"");
	expect_string(TEXT("\"\\/\b\f\n\r\t"), true, "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
	expect_string(TEXT("\0\x01\x1f\x7f"), true, "\"\\u0000\\u0001\\u001f\\u007f\"");
	expect_string(TEXT("caf\xc3\xa9 \xe2\x82\xac"), true, "\"caf\\u00e9 \\u20ac\"");
	expect_string(TEXT("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"), true,
		      "\"\\ud83d\\ude00\\udbff\\udfff\"");
	expect_string(TEXT("\xed\xa0\xbd\xed\xb8\x80"), true, "\"\\ud83d\\ude00\"");
	expect_string(TEXT("a\xff\xc3(\xe2\x82"), true, "\"a\\ufffd\\ufffd(\\ufffd\\ufffd\"");
	expect_string(TEXT("\xc0\x80\xed\xa0"), true, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

Test(json_write, strings_as_micropython)
{
	expect_string(TEXT(""), false, "\"\"");
	expect_string(TEXT("\"\\/\b\f\n\r\t"), false, "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\"");
	expect_string(TEXT("\0\x01\x1f\x7f"), false, "\"\\u0000\\u0001\\u001f\x7f\"");
	expect_string(TEXT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), false,
		      "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	expect_string(TEXT("12345\xc3\xa9\n\xc3\xa9\"6789012345"), false,
		      "\"12345\xc3\xa9\\n\xc3\xa9\\\"6789012345\"");
}

/* The one byte that needs care stands at each place of the eight that are looked at together. */
Test(json_write, every_byte_at_every_place)
{
	for (int byte = 0; byte < 0x80; byte++) {
		for (size_t place = 0; place < 20; place++) {
			char text[20], plain[20], escaped[160];
			struct qn_json_writer writer;
			memset(text, 'x', sizeof(text));
			text[place] = (char)byte;
			for (int ascii = 0; ascii < 2; ascii++) {
				qn_json_writer_init(&writer, escaped, sizeof(escaped));
				qn_json_put_string(&writer, text, sizeof(text), ascii);
				size_t len = qn_json_written(&writer);
				cr_assert(qn_json_check(escaped, len, QN_JSON_STRICT, 0, NULL) ==
					  QN_OK);
				struct qn_text inner = { escaped + 1, len - 2 };
				cr_assert(qn_json_unescape(inner, QN_JSON_STRICT, plain, 20) == 20);
				cr_assert(memcmp(plain, text, 20) == 0, "%02x at %zu", byte, place);
			}
		}
	}
}

/* Every character goes out and comes back, in both ways of writing and in every dialect. */
Test(json_write, every_character_comes_back)
{
	for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x3000 || c > 0x10ff00 ? 1 : 37) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		char escape[16], text[8], plain[8], out[32];
		if (c < 0x10000)
			snprintf(escape, sizeof(escape), "\\u%04" PRIx32, c);
		else
			snprintf(escape, sizeof(escape), "\\u%04" PRIX32 "\\u%04" PRIX32,
				 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
		size_t len = qn_json_unescape((struct qn_text){ escape, strlen(escape) },
					      QN_JSON_STRICT, text, sizeof(text));
		cr_assert(len >= 1 && len <= 4);
		for (int ascii = 0; ascii < 2; ascii++) {
			struct qn_json_writer writer;
			qn_json_writer_init(&writer, out, sizeof(out));
			qn_json_put_string(&writer, text, len, ascii);
			struct qn_text inner = { out + 1, qn_json_written(&writer) - 2 };
			cr_assert(qn_json_unescape(inner, QN_JSON_CPYTHON, plain, 8) == len &&
					  memcmp(plain, text, len) == 0,
				  "U+%04" PRIX32, c);
			if (!ascii)
				cr_assert(qn_json_unescape(inner, QN_JSON_MICROPYTHON, plain, 8) ==
						  len &&
					  memcmp(plain, text, len) == 0);
			for (size_t i = 0; ascii && i < inner.len; i++)
				cr_assert(inner.at[i] >= ' ' && inner.at[i] < 0x7f);
		}
	}
}

static void expect_int(int64_t value)
{
	char expected[32], out[32];
	struct qn_json_writer writer;
	int64_t back;
	int len = snprintf(expected, sizeof(expected), "%" PRId64, value);

	qn_json_writer_init(&writer, out, sizeof(out));
	qn_json_put_int(&writer, value);
	cr_expect(qn_json_written(&writer) == (size_t)len && memcmp(out, expected, len) == 0, "%s",
		  expected);
	cr_expect(qn_json_int64((struct qn_text){ out, (size_t)len }, &back) && back == value);
	for (int cap = 0; cap < len; cap++) {
		qn_json_writer_init(&writer, out, (size_t)cap);
		qn_json_put_int(&writer, value);
		cr_expect(writer.full && qn_json_written(&writer) == 0, "%s in %d", expected, cap);
	}
}

static void expect_uint(uint64_t value)
{
	char expected[32], out[32];
	struct qn_json_writer writer;

	snprintf(expected, sizeof(expected), "%" PRIu64, value);
	qn_json_writer_init(&writer, out, sizeof(out));
	qn_json_put_uint(&writer, value);
	cr_expect(qn_json_written(&writer) == strlen(expected) &&
			  memcmp(out, expected, strlen(expected)) == 0,
		  "%s", expected);
}

Test(json_write, integers)
{
	uint64_t power = 1;

	for (int digits = 0; digits < 20; digits++, power *= 10) {
		for (int64_t off = -1; off <= 1; off++) {
			expect_uint(power + (uint64_t)off);
			if (digits < 19) {
				expect_int((int64_t)power + off);
				expect_int(-(int64_t)power + off);
			}
		}
	}
	expect_uint(0);
	expect_uint(UINT64_MAX);
	expect_int(INT64_MAX);
	expect_int(INT64_MIN);
	expect_int(0);
}

Test(json_write, full_is_final)
{
	char out[8];
	struct qn_json_writer writer;

	memset(out, '#', sizeof(out));
	qn_json_writer_init(&writer, out, 6);
	qn_json_put_literal(&writer, "[1, ");
	qn_json_put_literal(&writer, "234]");
	cr_expect(writer.full && qn_json_written(&writer) == 4);
	qn_json_put_literal(&writer, "]");
	qn_json_put_string(&writer, "", 0, true);
	qn_json_put_uint(&writer, 1);
	cr_expect(writer.full && qn_json_written(&writer) == 4);
	cr_expect(memcmp(out, "[1, ####", 8) == 0);

	qn_json_writer_init(&writer, out, 4);
	qn_json_put_literal(&writer, "[12]");
	qn_json_put_literal(&writer, "");
	cr_expect(!writer.full && qn_json_written(&writer) == 4);
}

/* A whole message through reader and writer: numbers come back as they were written. */
Test(json_write, numbers_are_not_touched)
{
	static const char text[] =
		"[1795274926.0974042, 1e5, -0.0, 1.50, 100000000000000000000001]";
	struct qn_json_reader reader;
	struct qn_json_writer writer;
	enum qn_json_token token;
	char out[128];
	bool first = true;

	qn_json_open(&reader, text, strlen(text), QN_JSON_STRICT, 0);
	qn_json_writer_init(&writer, out, sizeof(out));
	cr_assert(qn_json_next(&reader) == QN_JSON_ARRAY);
	qn_json_put_literal(&writer, "[");
	while ((token = qn_json_next(&reader)) == QN_JSON_NUMBER) {
		if (!first)
			qn_json_put_literal(&writer, ", ");
		first = false;
		qn_json_put(&writer, reader.raw.at, reader.raw.len);
	}
	cr_assert(token == QN_JSON_ARRAY_END);
	qn_json_put_literal(&writer, "]");
	cr_expect(qn_json_written(&writer) == strlen(text) && memcmp(out, text, strlen(text)) == 0);
}

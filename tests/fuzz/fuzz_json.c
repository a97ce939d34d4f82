/*
 * The JSON reader and writer on any bytes, in every dialect. What must hold whatever comes:
 * tokens are well formed and lie inside the text; what is strict is taken by all dialects and told
 * the same; undoing escapes stays within its buffer; a strict text written anew, token by token, is
 * strict again and says the same; a fault lies inside the text and stays.
 */
#include "proto/json/json.h"
#include "proto/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Exactly as many bytes as asked for: one more is the sanitizer's. */
static char *exact(size_t len)
{
	char *bytes = malloc(len);

	REQUIRE(bytes != NULL || len == 0);
	return bytes;
}

static void check_string(struct qn_text text, bool escaped, enum qn_json_dialect dialect)
{
	size_t len = qn_json_unescape(text, dialect, NULL, 0);
	char *whole = exact(len), *half = exact(len / 2);

	REQUIRE(len <= text.len);
	REQUIRE(escaped == (text.len > 0 && memchr(text.at, '\\', text.len) != NULL));
	REQUIRE(escaped || len == text.len);
	REQUIRE(qn_json_unescape(text, dialect, whole, len) == len);
	REQUIRE(qn_json_unescape(text, dialect, half, len / 2) == len);
	REQUIRE(len < 2 || memcmp(whole, half, len / 2) == 0);
	REQUIRE(dialect == QN_JSON_MICROPYTHON || qn_utf8_valid_len(whole, len) == len);
	free(whole);
	free(half);
}

static void check_number(struct qn_text raw, enum qn_json_dialect dialect)
{
	double value, expected;
	int64_t whole;
	char *text = exact(raw.len + 1), back[24];

	memcpy(text, raw.at, raw.len);
	text[raw.len] = '\0';
	if (dialect == QN_JSON_STRICT) {
		expected = strtod(text, NULL);
		if (qn_json_double(raw, &value))
			REQUIRE(memcmp(&value, &expected, sizeof(value)) == 0);
		else
			REQUIRE(expected > 1e308 || expected < -1e308);
	}
	if (qn_json_int64(raw, &whole)) {
		struct qn_json_writer writer;
		qn_json_writer_init(&writer, back, sizeof(back));
		qn_json_put_int(&writer, whole);
		size_t len = qn_json_written(&writer);
		REQUIRE(!writer.full);
		REQUIRE(dialect == QN_JSON_MICROPYTHON || whole == 0 ||
			(len == raw.len && memcmp(back, raw.at, len) == 0));
	}
	free(text);
}

/* What the tokens of a text must be like; one of these for each dialect. */
struct watch {
	enum qn_json_dialect dialect;
	const char *start, *end;
	unsigned depth;
	bool key_waits;
	bool object[QN_JSON_DEPTH_MAX + 1];
};

static void check_shape(struct watch *watch, enum qn_json_token token)
{
	bool value = token == QN_JSON_OBJECT || token == QN_JSON_ARRAY || token >= QN_JSON_STRING;

	if (token == QN_JSON_KEY) {
		REQUIRE(watch->depth > 0 && watch->object[watch->depth] && !watch->key_waits);
		watch->key_waits = true;
	} else if (value) {
		REQUIRE(watch->depth == 0 || watch->object[watch->depth] == watch->key_waits);
		watch->key_waits = false;
	} else {
		REQUIRE(!watch->key_waits);
	}
	if (token == QN_JSON_OBJECT || token == QN_JSON_ARRAY) {
		REQUIRE(watch->depth < QN_JSON_DEPTH_DEFAULT);
		watch->object[++watch->depth] = token == QN_JSON_OBJECT;
	} else if (token == QN_JSON_OBJECT_END || token == QN_JSON_ARRAY_END) {
		REQUIRE(watch->depth > 0);
		REQUIRE(watch->object[watch->depth--] == (token == QN_JSON_OBJECT_END));
	}
}

static void check_token(struct watch *watch, enum qn_json_token token,
			const struct qn_json_reader *reader)
{
	struct qn_text raw = reader->raw, text = reader->text;

	REQUIRE(raw.at >= watch->start && raw.at + raw.len <= watch->end);
	REQUIRE(text.at >= raw.at && text.at + text.len <= raw.at + raw.len);
	REQUIRE(qn_utf8_valid_len(raw.at, raw.len) == raw.len);
	check_shape(watch, token);
	REQUIRE(reader->depth == watch->depth);
	if (token == QN_JSON_STRING || (token == QN_JSON_KEY && *raw.at == '"')) {
		REQUIRE(raw.len == text.len + 2 && raw.at[raw.len - 1] == '"');
		check_string(text, reader->escaped, watch->dialect);
	} else {
		REQUIRE(text.len == 0 && !reader->escaped);
	}
	if (token == QN_JSON_NUMBER)
		check_number(raw, watch->dialect);
}

static enum qn_code check_text(const char *text, size_t len, enum qn_json_dialect dialect)
{
	static struct watch watch;
	struct qn_json_reader reader;
	enum qn_json_token token;

	watch.dialect = dialect;
	watch.start = text;
	watch.end = text + len;
	watch.depth = 0;
	watch.key_waits = false;
	qn_json_open(&reader, text, len, dialect, 0);
	while ((token = qn_json_next(&reader)) > QN_JSON_END)
		check_token(&watch, token, &reader);
	REQUIRE(qn_json_next(&reader) == token);
	if (token == QN_JSON_END) {
		REQUIRE(watch.depth == 0 && reader.fault.code == QN_OK);
		return QN_OK;
	}
	enum qn_code code = reader.fault.code;
	REQUIRE(code == QN_E_SYNTAX || code == QN_E_UTF8 || code == QN_E_DEPTH);
	REQUIRE(reader.fault.offset <= len && reader.fault.text != NULL);
	return code;
}

/* Two dialects that both take a text must tell the same of it. */
static void check_same(const char *text, size_t len, enum qn_json_dialect dialect)
{
	struct qn_json_reader strict, other;
	enum qn_json_token token;

	qn_json_open(&strict, text, len, QN_JSON_STRICT, 0);
	qn_json_open(&other, text, len, dialect, 0);
	do {
		token = qn_json_next(&strict);
		REQUIRE(qn_json_next(&other) == token);
		REQUIRE(token == QN_JSON_END ||
			(strict.raw.at == other.raw.at && strict.raw.len == other.raw.len));
	} while (token != QN_JSON_END);
}

static void put_plain(struct qn_json_writer *writer, const struct qn_json_reader *reader,
		      bool ascii)
{
	char *plain = exact(reader->text.len);
	size_t len = qn_json_unescape(reader->text, reader->dialect, plain, reader->text.len);

	qn_json_put_string(writer, plain, len, ascii);
	free(plain);
}

static size_t rewrite(const char *text, size_t len, bool ascii, char *out, size_t cap)
{
	struct qn_json_reader reader;
	struct qn_json_writer writer;
	enum qn_json_token token, last = QN_JSON_ARRAY;

	qn_json_open(&reader, text, len, QN_JSON_STRICT, 0);
	qn_json_writer_init(&writer, out, cap);
	while ((token = qn_json_next(&reader)) > QN_JSON_END) {
		bool ends = token == QN_JSON_OBJECT_END || token == QN_JSON_ARRAY_END;
		bool first = last == QN_JSON_OBJECT || last == QN_JSON_ARRAY;
		if (last == QN_JSON_KEY)
			qn_json_put_literal(&writer, ": ");
		else if (!first && !ends)
			qn_json_put_literal(&writer, ", ");
		if (token == QN_JSON_KEY || token == QN_JSON_STRING)
			put_plain(&writer, &reader, ascii);
		else
			qn_json_put(&writer, reader.raw.at, reader.raw.len);
		last = token;
	}
	REQUIRE(token == QN_JSON_END);
	return writer.full ? 0 : qn_json_written(&writer);
}

static void check_rewriting(const char *text, size_t len, bool ascii)
{
	/* A byte grows to six at most, a comma or colon to two. */
	size_t cap = len * 6 + 2;
	char *once = exact(cap);
	size_t once_len = rewrite(text, len, ascii, once, cap);

	REQUIRE(once_len > 0);
	REQUIRE(qn_json_check(once, once_len, QN_JSON_STRICT, 0, NULL) == QN_OK);
	/* What was written once is written the same again, into just as many bytes. */
	char *twice = exact(once_len);
	REQUIRE(rewrite(once, once_len, ascii, twice, once_len) == once_len);
	REQUIRE(memcmp(once, twice, once_len) == 0);
	REQUIRE(rewrite(once, once_len, ascii, twice, once_len - 1) == 0);
	free(twice);
	free(once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	enum qn_code codes[3];

	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_MICROPYTHON; dialect++) {
		codes[dialect] = check_text(text, size, dialect);
		REQUIRE(qn_json_check(text, size, dialect, 0, NULL) == codes[dialect]);
	}
	if (codes[QN_JSON_STRICT] == QN_OK) {
		struct qn_json_reader reader;
		struct qn_text value;
		check_same(text, size, QN_JSON_CPYTHON);
		check_same(text, size, QN_JSON_MICROPYTHON);
		check_rewriting(text, size, true);
		check_rewriting(text, size, false);
		qn_json_open(&reader, text, size, QN_JSON_STRICT, 0);
		REQUIRE(qn_json_value(&reader, &value) > QN_JSON_END);
		REQUIRE(qn_json_next(&reader) == QN_JSON_END);
		REQUIRE(qn_json_check(value.at, value.len, QN_JSON_STRICT, 0, NULL) == QN_OK);
	}
	return 0;
}

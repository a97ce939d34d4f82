#include "proto/framed/again.h"

#include "proto/swar.h"

static void put_unit(struct qn_json_writer *writer, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char escape[6] = { '\\',
			   'u',
			   digits[unit >> 12 & 15],
			   digits[unit >> 8 & 15],
			   digits[unit >> 4 & 15],
			   digits[unit & 15] };

	for (const char *at = shorts; *at != '\0'; at += 2) {
		if (unit == (unsigned char)*at) {
			escape[1] = at[1];
			qn_json_put(writer, escape, 2);
			return;
		}
	}
	if (unit >= ' ' && unit <= '~') {
		char byte = (char)unit;
		qn_json_put(writer, &byte, 1);
		return;
	}
	qn_json_put(writer, escape, sizeof(escape));
}

static void put_character(struct qn_json_writer *writer, uint32_t c)
{
	if (c < 0x10000) {
		put_unit(writer, c);
		return;
	}
	put_unit(writer, 0xd800 + ((c - 0x10000) >> 10));
	put_unit(writer, 0xdc00 + ((c - 0x10000) & 0x3ff));
}

static uint32_t hex4(const char *at)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)at[i];
		unsigned digit = c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* The escape behind a backslash; returns what follows it. The reader has checked it. */
static const char *put_escape(struct qn_json_writer *writer, const char *at)
{
	static const char names[] = "b\bf\fn\nr\rt\t";

	if (*at == 'u') {
		/* By units, not characters: a lone surrogate goes out as it came in. */
		put_unit(writer, hex4(at + 1));
		return at + 5;
	}
	uint32_t unit = (unsigned char)*at; /* quote, backslash, slash */
	for (const char *name = names; *name != '\0'; name += 2)
		if (*at == *name)
			unit = (unsigned char)name[1];
	put_unit(writer, unit);
	return at + 1;
}

/* The character at `at`, which is valid UTF-8; returns what follows it. */
static const char *put_utf8(struct qn_json_writer *writer, const char *at)
{
	const unsigned char *byte = (const unsigned char *)at;
	int more = byte[0] >= 0xf0 ? 3 : byte[0] >= 0xe0 ? 2 : 1;
	uint32_t c = byte[0] & (0x3fu >> more);

	for (int i = 1; i <= more; i++)
		c = c << 6 | (byte[i] & 0x3fu);
	put_character(writer, c);
	return at + more + 1;
}

/* Of a string that was read and holds no backslash: does it go out as it is? */
static bool stays(struct qn_text text)
{
	const char *at = text.at, *end = at + text.len;

	/* All but what is not ASCII, and DEL. (A borrow may find more: then it goes the long way.)
	 */
	for (; end - at >= 8; at += 8) {
		uint64_t word = qn_swar_load(at), del = word ^ QN_SWAR_EACH(0x7f);
		if ((word | (del - QN_SWAR_EACH(1))) & QN_SWAR_TOPS)
			return false;
	}
	for (; at < end; at++)
		if ((unsigned char)*at >= 0x7f)
			return false;
	return true;
}

static void put_string(struct qn_json_writer *writer, const struct qn_json_reader *reader)
{
	const char *at = reader->text.at, *end = at + reader->text.len;

	if (!reader->escaped && stays(reader->text)) {
		qn_json_put(writer, reader->raw.at, reader->raw.len);
		return;
	}
	qn_json_put_literal(writer, "\"");
	while (at < end) {
		if (*at == '\\')
			at = put_escape(writer, at + 1);
		else if ((unsigned char)*at >= 0x80)
			at = put_utf8(writer, at);
		else
			put_unit(writer, (unsigned char)*at++);
	}
	qn_json_put_literal(writer, "\"");
}

enum qn_code qn_framed_put_again(struct qn_json_writer *writer, struct qn_text text)
{
	struct qn_json_reader reader;
	bool comma = false; /* something stands before it in the same container */

	qn_json_open(&reader, text.at, text.len, QN_JSON_CPYTHON, QN_JSON_DEPTH_MAX);
	for (;;) {
		enum qn_json_token token = qn_json_next(&reader);
		if (token == QN_JSON_END)
			return QN_OK;
		if (token == QN_JSON_ERROR)
			return reader.fault.code;
		bool closes = token == QN_JSON_OBJECT_END || token == QN_JSON_ARRAY_END;
		if (comma && !closes)
			qn_json_put_literal(writer, ", ");
		if (token == QN_JSON_STRING || token == QN_JSON_KEY)
			put_string(writer, &reader);
		else
			qn_json_put(writer, reader.raw.at, reader.raw.len);
		if (token == QN_JSON_KEY)
			qn_json_put_literal(writer, ": ");
		comma = token != QN_JSON_KEY && token != QN_JSON_OBJECT && token != QN_JSON_ARRAY;
	}
}

void qn_framed_put_simple(struct qn_json_writer *writer, struct qn_text raw)
{
	if (stays(raw))
		qn_json_put(writer, raw.at, raw.len);
	else
		qn_framed_put_again(writer, raw);
}

#include "proto/json/json.h"
#include "proto/swar.h"
#include "proto/utf8.h"

static void put_byte(struct qn_json_writer *writer, char byte)
{
	if (writer->full || writer->at == writer->end) {
		writer->full = true;
		return;
	}
	*writer->at++ = byte;
}

static void put_unicode(struct qn_json_writer *writer, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";
	char escape[6] = { '\\',
			   'u',
			   digits[unit >> 12],
			   digits[unit >> 8 & 15],
			   digits[unit >> 4 & 15],
			   digits[unit & 15] };

	qn_json_put(writer, escape, sizeof(escape));
}

/* One ASCII byte that cannot stand in a string as it is. */
static void put_escaped(struct qn_json_writer *writer, unsigned char byte, bool ascii)
{
	char escape[2] = { '\\', (char)byte };

	switch (byte) {
	case '"':
	case '\\': break;
	case '\n': escape[1] = 'n'; break;
	case '\r': escape[1] = 'r'; break;
	case '\t': escape[1] = 't'; break;
	/* CPython has these two, MicroPython has not. */
	case '\b':
	case '\f':
		if (ascii) {
			escape[1] = byte == '\b' ? 'b' : 'f';
			break;
		}
		/* fall through */
	default: put_unicode(writer, byte); return;
	}
	qn_json_put(writer, escape, sizeof(escape));
}

/*
 * A surrogate that was written as three bytes, as MicroPython leaves them in its strings: in
 * CPython's it would be a lone surrogate, written as \udXXX.
 */
static bool is_surrogate(const unsigned char *byte, size_t len)
{
	return len >= 3 && byte[0] == 0xed && byte[1] >= 0xa0 && byte[1] <= 0xbf &&
	       (byte[2] & 0xc0) == 0x80;
}

/* The character outside ASCII at `at` as one or two \uXXXX. Returns where the next one starts. */
static const char *put_non_ascii(struct qn_json_writer *writer, const char *at, const char *end)
{
	const unsigned char *byte = (const unsigned char *)at;
	size_t left = (size_t)(end - at);
	size_t len = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
	bool valid = left >= len && qn_utf8_skip(at, at + len) == at + len;

	if (!valid && !is_surrogate(byte, left)) {
		put_unicode(writer, 0xfffd);
		return at + 1;
	}
	if (len == 2) {
		put_unicode(writer, (byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu));
	} else if (len == 3) {
		put_unicode(writer,
			    (byte[0] & 0x0fu) << 12 | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu));
	} else {
		uint32_t c = (byte[0] & 0x07u) << 18 | (byte[1] & 0x3fu) << 12 |
			     (byte[2] & 0x3fu) << 6 | (byte[3] & 0x3fu);
		put_unicode(writer, 0xd800 + ((c - 0x10000) >> 10));
		put_unicode(writer, 0xdc00 + (c & 0x3ff));
	}
	return at + len;
}

static bool is_plain(unsigned char byte, bool ascii)
{
	if (byte >= 0x7f)
		return !ascii;
	return byte >= 0x20 && byte != '"' && byte != '\\';
}

/* Past the bytes that stand in a string as they are. */
static const char *skip_plain(const char *at, const char *end, bool ascii)
{
	while (end - at >= 8) {
		uint64_t word = qn_swar_load(at);
		uint64_t mask = qn_swar_special(word);
		/* DEL is not printable ASCII: CPython escapes it, as it does all after it. */
		if (ascii)
			mask |= (word + QN_SWAR_EACH(1)) & QN_SWAR_TOPS;
		else
			mask &= ~word;
		if (mask != 0) {
			at += qn_swar_first(mask);
			break;
		}
		at += 8;
	}
	while (at < end && is_plain((unsigned char)*at, ascii))
		at++;
	return at;
}

void qn_json_put_string(struct qn_json_writer *writer, const char *text, size_t len, bool ascii)
{
	if (len == 0)
		text = "";

	const char *at = text, *end = text + len;
	char *start = writer->at;
	put_byte(writer, '"');
	while (at < end && !writer->full) {
		const char *next = skip_plain(at, end, ascii);
		qn_json_put(writer, at, (size_t)(next - at));
		if (next == end)
			break;
		if ((unsigned char)*next >= 0x80) {
			at = put_non_ascii(writer, next, end);
		} else {
			put_escaped(writer, (unsigned char)*next, ascii);
			at = next + 1;
		}
	}
	put_byte(writer, '"');
	if (writer->full)
		writer->at = start;
}

void qn_json_put_uint(struct qn_json_writer *writer, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	qn_json_put(writer, digits + at, sizeof(digits) - at);
}

void qn_json_put_int(struct qn_json_writer *writer, int64_t value)
{
	char *start = writer->at;

	if (value >= 0) {
		qn_json_put_uint(writer, (uint64_t)value);
		return;
	}
	put_byte(writer, '-');
	qn_json_put_uint(writer, 0 - (uint64_t)value);
	if (writer->full)
		writer->at = start;
}

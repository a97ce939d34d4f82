#include "proto/json/json.h"

#include <string.h>

#define REPLACEMENT 0xfffdu

/* Output that stops at its end but goes on counting. */
struct sink {
	char *out;
	size_t cap, len;
};

static void put(struct sink *sink, const char *bytes, size_t len)
{
	size_t room = sink->len < sink->cap ? sink->cap - sink->len : 0;

	if (len > 0 && room > 0)
		memcpy(sink->out + sink->len, bytes, len < room ? len : room);
	sink->len += len;
}

/* UTF-8 of any number up to 0x1fffff, surrogates as well: what is allowed is the caller's affair.
 */
static void put_char(struct sink *sink, uint32_t c)
{
	char bytes[4];
	size_t len;

	if (c < 0x80) {
		bytes[0] = (char)c;
		len = 1;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		bytes[1] = (char)(0x80 | (c & 0x3f));
		len = 2;
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (c & 0x3f));
		len = 3;
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[3] = (char)(0x80 | (c & 0x3f));
		len = 4;
	}
	put(sink, bytes, len);
}

/*
 * The board's arithmetic on four bytes, digits or not: each is shifted in and or-ed as eight bits,
 * so that what is no digit spills over.
 */
static uint32_t lax_hex(const char *at)
{
	uint32_t sum = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char digit = (unsigned char)((at[i] | 0x20) - '0');
		if (digit > 9)
			digit = (unsigned char)(digit - ('a' - '9' - 1));
		sum = sum << 4 | digit;
	}
	return sum;
}

static uint32_t hex(const char *at)
{
	return lax_hex(at) & 0xffff;
}

/* The character of the \u whose digits are at `at`; passes over its second half as well. */
static uint32_t unicode_escape(const char *at, const char *end, const char **ret_next)
{
	uint32_t high = hex(at);

	*ret_next = at + 4;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || end - at < 10 || at[4] != '\\' || at[5] != 'u')
		return REPLACEMENT;
	uint32_t low = hex(at + 6);
	if (low < 0xdc00 || low > 0xdfff)
		return REPLACEMENT;
	*ret_next = at + 10;
	return 0x10000 + ((high & 0x3ff) << 10 | (low & 0x3ff));
}

static char control(char letter)
{
	switch (letter) {
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	default: return letter;
	}
}

size_t qn_json_unescape(struct qn_text text, enum qn_json_dialect dialect, char *out, size_t cap)
{
	struct sink sink = { out, cap, 0 };

	if (text.len == 0)
		return 0;
	const char *at = text.at, *end = text.at + text.len;

	while (at < end) {
		const char *backslash = memchr(at, '\\', (size_t)(end - at));
		if (backslash == NULL || backslash + 1 == end) {
			put(&sink, at, (size_t)(end - at));
			break;
		}
		put(&sink, at, (size_t)(backslash - at));
		at = backslash + 1;
		if (*at != 'u' || end - at < 5) {
			char plain = control(*at++);
			put(&sink, &plain, 1);
		} else if (dialect == QN_JSON_MICROPYTHON) {
			put_char(&sink, lax_hex(at + 1));
			at += 5;
		} else {
			put_char(&sink, unicode_escape(at + 1, end, &at));
		}
	}
	return sink.len;
}

#include "proto/utf8.h"
#include "proto/swar.h"

#include <stdbool.h>

static bool is_tail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/*
 * The bytes of the character outside ASCII that starts at `at`, 0 where none does. The second byte
 * carries what RFC 3629 forbids: overlong forms, surrogates, what lies past U+10FFFF.
 */
static size_t char_len(const char *at, const char *end)
{
	const unsigned char *byte = (const unsigned char *)at;
	size_t left = (size_t)(end - at);

	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	if (byte[0] < 0xe0)
		return left >= 2 && is_tail(byte[1]) ? 2 : 0;
	if (left < 3 || !is_tail(byte[1]) || !is_tail(byte[2]))
		return 0;
	if (byte[0] < 0xf0) {
		if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] > 0x9f))
			return 0;
		return 3;
	}
	if ((byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f))
		return 0;
	return left >= 4 && is_tail(byte[3]) ? 4 : 0;
}

const char *qn_utf8_skip(const char *at, const char *end)
{
	while (at < end && (unsigned char)*at >= 0x80) {
		size_t len = char_len(at, end);
		if (len == 0)
			break;
		at += len;
	}
	return at;
}

size_t qn_utf8_valid_len(const char *text, size_t len)
{
	if (len == 0)
		return 0;

	const char *at = text, *end = text + len;
	for (;;) {
		while (end - at >= 8) {
			uint64_t mask = qn_swar_load(at) & QN_SWAR_TOPS;
			if (mask != 0) {
				at += qn_swar_first(mask);
				break;
			}
			at += 8;
		}
		while (at < end && (unsigned char)*at < 0x80)
			at++;
		if (at == end)
			return len;
		const char *next = qn_utf8_skip(at, end);
		if (next == at)
			return (size_t)(at - text);
		at = next;
	}
}

#include "proto/utf8.h"
#include "tests/support/guard.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

static size_t valid_at_guard(const char *bytes, size_t len)
{
	char *copy = guard_copy(bytes, len);
	size_t valid = qn_utf8_valid_len(copy, len);

	guard_free(copy, len);
	return valid;
}

/* RFC 3629 section 3, the table, written the other way round: from number to bytes. */
static size_t encode(uint32_t c, unsigned char *out)
{
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len; --i > 0; c >>= 6)
		out[i] = (unsigned char)(0x80 | (c & 0x3f));
	out[0] = (unsigned char)((0xf00 >> len) | c);
	return len;
}

Test(utf8, every_character)
{
	unsigned char bytes[4];

	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		size_t len = encode(c, bytes);
		size_t valid = qn_utf8_valid_len((const char *)bytes, len);
		cr_assert(valid == (surrogate ? 0 : len), "U+%04X", c);
		if (c < 0x80)
			continue;
		for (size_t cut = 1; cut < len; cut++)
			cr_assert(qn_utf8_valid_len((const char *)bytes, cut) == 0, "U+%04X", c);
	}
}

/* What is valid among all runs of one to three bytes is just as much as there are characters. */
Test(utf8, nothing_but_characters)
{
	unsigned found[4] = { 0, 0, 0, 0 };
	char bytes[4];

	for (uint32_t word = 0; word < 1 << 24; word++) {
		bytes[0] = (char)(word >> 16);
		bytes[1] = (char)(word >> 8);
		bytes[2] = (char)word;
		if ((unsigned char)bytes[0] < 0x80)
			continue;
		size_t len = qn_utf8_valid_len(bytes, 3);
		if (len == 3 && (unsigned char)bytes[2] >= 0x80)
			found[3]++;
		else if (len >= 2 && word % 256 == 0)
			found[2]++;
	}
	cr_expect(found[2] == 0x800 - 0x80, "%u of two bytes", found[2]);
	cr_expect(found[3] == 0x10000 - 0x800 - 0x800, "%u of three bytes", found[3]);

	for (uint32_t lead = 0xf0; lead <= 0xff; lead++) {
		for (uint32_t second = 0; second < 256; second++) {
			bool within = (lead == 0xf0 && second >= 0x90 && second <= 0xbf) ||
				      (lead >= 0xf1 && lead <= 0xf3 && second >= 0x80 &&
				       second <= 0xbf) ||
				      (lead == 0xf4 && second >= 0x80 && second <= 0x8f);
			bytes[0] = (char)lead;
			bytes[1] = (char)second;
			for (uint32_t third = 0x7f; third <= 0xc0; third++) {
				for (uint32_t fourth = 0x7f; fourth <= 0xc0; fourth++) {
					bool tails = third >= 0x80 && third <= 0xbf &&
						     fourth >= 0x80 && fourth <= 0xbf;
					bytes[2] = (char)third;
					bytes[3] = (char)fourth;
					cr_assert(qn_utf8_valid_len(bytes, 4) ==
						  (within && tails ? 4u : 0u));
				}
			}
		}
	}
}

/* The fault stands at each place of words of eight bytes, and near the end. */
Test(utf8, tells_where_it_ends)
{
	char bytes[64];

	for (size_t len = 0; len < 40; len++) {
		memset(bytes, 'a', sizeof(bytes));
		cr_expect(valid_at_guard(bytes, len) == len);
		for (size_t at = 0; at < len; at++) {
			bytes[at] = (char)0xff;
			cr_expect(valid_at_guard(bytes, len) == at, "%zu of %zu", at, len);
			bytes[at] = (char)0xc3;
			cr_expect(valid_at_guard(bytes, len) == at, "%zu of %zu", at, len);
			if (at + 1 < len) {
				bytes[at + 1] = (char)0xa9;
				cr_expect(valid_at_guard(bytes, len) == len);
				cr_expect(valid_at_guard(bytes, at + 1) == at);
				bytes[at + 1] = 'a';
			}
			bytes[at] = 'a';
		}
	}
}

Test(utf8, zeros_and_nothing)
{
	cr_expect(valid_at_guard("\0\0\0", 3) == 3);
	cr_expect(valid_at_guard("", 0) == 0);
	cr_expect(qn_utf8_valid_len(NULL, 0) == 0);
}

Test(utf8, skip_stops_at_ascii_and_at_faults)
{
	const char *text = "\xc3\xa9\xe2\x82\xac-\xc3\xa9";
	const char *end = text + strlen(text);

	cr_expect(qn_utf8_skip(text, end) == text + 5);
	cr_expect(qn_utf8_skip(text + 5, end) == text + 5);
	cr_expect(qn_utf8_skip(text + 6, end) == end);
	cr_expect(qn_utf8_skip(text, text + 1) == text);
	cr_expect(qn_utf8_skip(text, text + 4) == text + 2);
	cr_expect(qn_utf8_skip(text + 1, end) == text + 1);
	cr_expect(qn_utf8_skip(end, end) == end);
}

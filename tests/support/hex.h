/*
 * Bytes written as hexadecimal digits, as tests state them; spaces do not count.
 *
 * Errors: aborts on anything else; this is test code.
 */
#ifndef TEST_HEX_H
#define TEST_HEX_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns how many bytes; out must have room for half the digits. */
static inline size_t hex_bytes(const char *hex, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	int high = -1;

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		const char *digit = strchr(digits, *hex);
		if (digit == NULL)
			abort();
		int value = (int)(digit - digits);
		if (high < 0) {
			high = value;
		} else {
			out[n++] = (char)(high << 4 | value);
			high = -1;
		}
	}
	if (high >= 0)
		abort();
	return n;
}

/* Into a static buffer: one result at a time. */
static inline const char *hex_text(const char *bytes, size_t len)
{
	static char text[1 << 16];

	for (size_t i = 0; i < len && 2 * i + 2 < sizeof(text); i++)
		snprintf(text + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
	if (len == 0)
		text[0] = '\0';
	return text;
}

#endif

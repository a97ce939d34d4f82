#include "emulator/base/markup.h"

#include "proto/utf8.h"

#include <stdbool.h>
#include <string.h>

#define NBSP "\xc2\xa0"
#define THIN_NBSP "\xe2\x80\xaf"

static uint32_t code_point(const unsigned char *at, size_t len)
{
	switch (len) {
	case 2: return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
	case 3: return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
	default:
		return (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 |
		       (at[3] & 0x3fu);
	}
}

/* Characters that are no characters, C1 controls, line separators, marks that reorder text. */
static bool is_hidden(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

/* One character outside ASCII, or one byte of what is none. Returns its bytes. */
static size_t put_wide(FILE *out, const char *at, size_t left)
{
	unsigned char byte = (unsigned char)*at;
	size_t len = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;

	if (len > left || qn_utf8_skip(at, at + len) != at + len) {
		fprintf(out, "\\x%02x", byte);
		return 1;
	}
	uint32_t c = code_point((const unsigned char *)at, len);
	if (is_hidden(c))
		fprintf(out, "\\u%04x", (unsigned)c);
	else
		fwrite(at, 1, len, out);
	return len;
}

static void put_ascii(FILE *out, char c)
{
	switch (c) {
	case '&': fputs("&amp;", out); break;
	case '<': fputs("&lt;", out); break;
	case '>': fputs("&gt;", out); break;
	case '"': fputs("&quot;", out); break;
	case '\'': fputs("&#39;", out); break;
	/* As they are, an attribute would lose them. */
	case '\n': fputs("&#10;", out); break;
	case '\t': fputs("&#9;", out); break;
	default:
		if ((unsigned char)c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)c);
		else
			fputc(c, out);
	}
}

void markup_put_len(FILE *out, const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		if ((unsigned char)text[i] >= 0x80)
			i += put_wide(out, text + i, len - i);
		else
			put_ascii(out, text[i++]);
	}
}

void markup_put(FILE *out, const char *text)
{
	if (text != NULL)
		markup_put_len(out, text, strlen(text));
}

const char *markup_time(int64_t ns, char *buf, size_t cap)
{
	static const struct {
		double ns;
		const char *unit;
	} units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "µs" } };

	if (ns >= INT64_C(120000000000)) {
		int64_t s = ns / INT64_C(1000000000);
		snprintf(buf, cap, "%lld" NBSP "min" NBSP "%02lld" NBSP "s", (long long)(s / 60),
			 (long long)(s % 60));
		return buf;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double value = (double)ns / units[i].ns;
		/* 999.6 would be shown as 1000 of the smaller unit. */
		if (value < 0.9995)
			continue;
		snprintf(buf, cap,
			 value < 9.995   ? "%.2f" NBSP "%s"
			 : value < 99.95 ? "%.1f" NBSP "%s"
					 : "%.0f" NBSP "%s",
			 value, units[i].unit);
		return buf;
	}
	snprintf(buf, cap, "%lld" NBSP "%s", (long long)ns, ns == 0 ? "s" : "ns");
	return buf;
}

const char *markup_count(uint64_t n, char *buf, size_t cap)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	size_t at = 0;

	buf[0] = '\0';
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			at += (size_t)snprintf(buf + at, cap - at, "%s", THIN_NBSP);
		at += (size_t)snprintf(buf + at, cap - at, "%c", digits[i]);
	}
	return buf;
}

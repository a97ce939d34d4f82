/* What the slices mean: escapes undone, numbers as numbers. */
#include "proto/json/json.h"
#include "tests/support/guard.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal)                                                                              \
	(struct qn_text)                                                                           \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

/* ---- a locale with a decimal comma, on every machine ---- */

static unsigned strtod_calls;

/*
 * Stands before the C library's: reads as in a locale whose decimal point is a comma. Whoever hands
 * it a point loses all that follows.
 */
double strtod(const char *text, char **end)
{
	char cut[2048];
	size_t len = strcspn(text, ".");

	strtod_calls++;
	cr_assert(len < sizeof(cut));
	memcpy(cut, text, len);
	cut[len] = '\0';
	if (end != NULL)
		*end = (char *)text + len;
	locale_t c = newlocale(LC_ALL_MASK, "C", 0);
	double value = strtod_l(cut, NULL, c);
	freelocale(c);
	return value;
}

static double right_double(const char *text)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", 0);
	double value = strtod_l(text, NULL, c);

	freelocale(c);
	return value;
}

/* ---- escapes ---- */

static void expect_plain(struct qn_text text, enum qn_json_dialect dialect, struct qn_text plain)
{
	char *in = guard_copy(text.at, text.len);
	char out[256], cut[256];
	struct qn_text guarded = { in, text.len };

	size_t len = qn_json_unescape(guarded, dialect, out, sizeof(out));
	cr_expect(len == plain.len && memcmp(out, plain.at, len) == 0, "%.*s gave %.*s",
		  (int)text.len, text.at, (int)len, out);
	cr_expect(len <= text.len, "%.*s grew", (int)text.len, text.at);
	for (size_t cap = 0; cap <= plain.len; cap++) {
		memset(cut, '#', sizeof(cut));
		cr_expect(qn_json_unescape(guarded, dialect, cut, cap) == plain.len);
		cr_expect(memcmp(cut, plain.at, cap) == 0 && cut[cap] == '#', "%.*s cut to %zu",
			  (int)text.len, text.at, cap);
	}
	cr_expect(qn_json_unescape(guarded, dialect, NULL, 0) == plain.len);
	guard_free(in, text.len);
}

Test(json_unescape, what_all_dialects_share)
{
	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_MICROPYTHON; dialect++) {
		expect_plain(TEXT(""), dialect, TEXT(""));
		expect_plain(TEXT("plain"), dialect, TEXT("plain"));
		expect_plain(TEXT("\\\"\\\\\\/\\b\\f\\n\\r\\t"), dialect, TEXT("\"\\/\b\f\n\r\t"));
		expect_plain(TEXT("a\\nb\\nc"), dialect, TEXT("a\nb\nc"));
		expect_plain(TEXT("\\\\u0061"), dialect, TEXT("\\u0061"));
		expect_plain(TEXT("\\u0061\\u00e9\\u20aC\\uFFFD"), dialect,
			     TEXT("a\xc3\xa9\xe2\x82\xac\xef\xbf\xbd"));
		expect_plain(TEXT("\\u0000x"), dialect, TEXT("\0x"));
		expect_plain(TEXT("\\u007f\\u0080\\u07ff\\u0800\\uffff"), dialect,
			     TEXT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"));
		expect_plain(TEXT("\xc3\xa9\\n\xc3\xa9"), dialect, TEXT("\xc3\xa9\n\xc3\xa9"));
	}
}

Test(json_unescape, surrogates)
{
	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_CPYTHON; dialect++) {
		expect_plain(TEXT("\\ud83d\\ude00!"), dialect, TEXT("\xf0\x9f\x98\x80!"));
		expect_plain(TEXT("\\uD800\\uDC00\\uDBFF\\uDFFF"), dialect,
			     TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
		expect_plain(TEXT("\\ud83d"), dialect, TEXT("\xef\xbf\xbd"));
		expect_plain(TEXT("\\ude00"), dialect, TEXT("\xef\xbf\xbd"));
		expect_plain(TEXT("\\ud83dx\\n"), dialect, TEXT("\xef\xbf\xbdx\n"));
		expect_plain(TEXT("\\ud83d\\n"), dialect, TEXT("\xef\xbf\xbd\n"));
		expect_plain(TEXT("\\ud83d\\u0061"), dialect,
			     TEXT("\xef\xbf\xbd"
				  "a"));
		expect_plain(TEXT("\\ud83d\\ud83d\\ude00"), dialect,
			     TEXT("\xef\xbf\xbd\xf0\x9f\x98\x80"));
		expect_plain(TEXT("\\ude00\\ude01"), dialect, TEXT("\xef\xbf\xbd\xef\xbf\xbd"));
		expect_plain(TEXT("\\ude00\\ud83d"), dialect, TEXT("\xef\xbf\xbd\xef\xbf\xbd"));
	}
	expect_plain(TEXT("\\ud83d\\ude00"), QN_JSON_MICROPYTHON, TEXT("\xed\xa0\xbd\xed\xb8\x80"));
	expect_plain(TEXT("\\udfff"), QN_JSON_MICROPYTHON, TEXT("\xed\xbf\xbf"));
}

Test(json_unescape, what_only_the_board_takes)
{
	expect_plain(TEXT("\\x41\\q\\ \\\xc3\xa9"), QN_JSON_MICROPYTHON, TEXT("x41q \xc3\xa9"));
	expect_plain(TEXT("\\\0"), QN_JSON_MICROPYTHON, TEXT("\0"));
	expect_plain(TEXT("\\u12\"34"), QN_JSON_MICROPYTHON,
		     TEXT("\xe1\xba\xb3"
			  "4"));
	expect_plain(TEXT("\\uzzzz"), QN_JSON_MICROPYTHON, TEXT("\xf0\xa3\x8c\xb3"));
	expect_plain(TEXT("\\uGHIJ"), QN_JSON_MICROPYTHON, TEXT("\xf0\x91\x84\xb3"));
}

/* A slice that no reader gave: nothing may be read past it. */
Test(json_unescape, cut_escapes)
{
	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_MICROPYTHON; dialect++) {
		expect_plain(TEXT("a\\"), dialect, TEXT("a\\"));
		expect_plain(TEXT("\\u12"), dialect, TEXT("u12"));
		expect_plain(TEXT("\\u"), dialect, TEXT("u"));
	}
	expect_plain(TEXT("\\ud83d\\ude0"), QN_JSON_STRICT, TEXT("\xef\xbf\xbdude0"));
}

/* ---- doubles ---- */

static void expect_double(const char *text)
{
	size_t len = strlen(text);
	char *copy = guard_copy(text, len);
	double got = 42, expected = right_double(text);
	bool fits = qn_json_double((struct qn_text){ copy, len }, &got);

	if (isinf(expected))
		cr_expect(!fits && got == 42, "%s", text);
	else
		cr_expect(fits && memcmp(&got, &expected, sizeof(got)) == 0, "%s: %a, not %a", text,
			  got, expected);
	guard_free(copy, len);
}

Test(json_double, known_hard_ones)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"0.0",
		"-0.0e5",
		"0e999999999999999999999",
		"1",
		"-1",
		"123456789",
		"0.1",
		"0.2",
		"0.3",
		"1e22",
		"1e23",
		"1e-22",
		"1e-23",
		"9007199254740992",
		"9007199254740993",
		"9007199254740993.0000000000000000000000000000001",
		"9007199254740992e22",
		"1795274926.0974042",
		"17976931348623157e292",
		"1.7976931348623157e308",
		"1.7976931348623158e308",
		"1.7976931348623159e308",
		"1.797693134862315807e308",
		"1e308",
		"1e309",
		"-1e309",
		"1e999",
		"-1e99999999999999",
		"4.9406564584124654e-324",
		"2.4703282292062327e-324",
		"2.4703282292062328e-324",
		"2.2250738585072011e-308",
		"2.2250738585072014e-308",
		"1e-400",
		"1e-99999999999999",
		"100000000000000000000",
		"18446744073709551616",
		"0.000000000000000000000001e24",
		"6.02214076e23",
		"3.141592653589793238462643383279",
		"7.2057594037927933e16",
		"8.5e-1",
		"1E5",
		"1e+5",
		"1E-5",
		"5e0",
		"00000000000000000000000000001.5",
		"1.",
		"-1.e3",
		"8.589934592e9",
		"123456789012345678",
		"1234567890123456789",
		"9999999999999999999",
		"12345678901234567890",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		expect_double(texts[i]);
	cr_expect(strtod_calls > 10, "the comma's strtod() was called %u times", strtod_calls);
}

static uint64_t next_random(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = *state;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

Test(json_double, every_double_comes_back)
{
	uint64_t state = 1;
	char text[64];

	for (int i = 0; i < 20000; i++) {
		uint64_t bits = next_random(&state);
		double value;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		snprintf(text, sizeof(text), i % 2 ? "%.17g" : "%.16e", value);
		expect_double(text);
	}
}

Test(json_double, shapes_at_random)
{
	uint64_t state = 2;
	char text[128];

	for (int i = 0; i < 20000; i++) {
		uint64_t draw = next_random(&state);
		int at = 0;
		for (unsigned digits = 1 + draw % 30; digits > 0; digits--) {
			text[at++] = (char)('0' + next_random(&state) % 10);
			if (digits == draw / 32 % 31)
				text[at++] = '.';
		}
		if (text[at - 1] == '.')
			text[at++] = '0';
		if (draw >> 63)
			snprintf(text + at, sizeof(text) - (size_t)at, "e%d",
				 (int)(draw >> 20 & 1023) - 512);
		else
			text[at] = '\0';
		expect_double(text);
	}
}

/* Longer than any buffer: halves between two doubles, decided by a digit far behind. */
Test(json_double, very_long_numbers)
{
	static char text[12000];

	for (size_t zeros = 700; zeros < 900; zeros++) {
		int at = snprintf(text, sizeof(text), "9007199254740993.");
		memset(text + at, '0', zeros);
		text[(size_t)at + zeros] = '\0';
		expect_double(text);
		text[(size_t)at + zeros] = '1';
		text[(size_t)at + zeros + 1] = '\0';
		expect_double(text);
	}
	/* The point and the exponent undo each other. */
	memset(text, '0', 10000);
	text[1] = '.';
	snprintf(text + 10000, 100, "125e10000");
	expect_double(text);
	memset(text, '0', 10000);
	text[0] = '7';
	snprintf(text + 10000, 100, "e-9999");
	expect_double(text);
	snprintf(text + 10000, 100, "e-10400");
	expect_double(text);
	snprintf(text + 10000, 100, ".5e-18446744073709551617");
	expect_double(text);

	/* Six digits of exponent. */
	static const char tail[] = "125e200001";
	char *huge = malloc(200002 + sizeof(tail));
	memset(huge, '0', 200002);
	huge[1] = '.';
	memcpy(huge + 200002, tail, sizeof(tail));
	expect_double(huge);
	free(huge);
}

/*
 * Exactly half-way between two of the smallest doubles: no decimals need more digits (767). As it
 * stands it goes to the even one, a trifle more or less decides otherwise.
 */
Test(json_double, ties_with_the_most_digits)
{
	static const double odd[] = { 1, 3, 5, 4503599627370497., 9007199254740991. };
	char text[2048];

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		/* A long double holds more bits and smaller exponents than this needs. */
		long double tie = ldexpl((long double)odd[i], -1075);
		int len = snprintf(text, sizeof(text), "%.1075Lf", tie);
		expect_double(text);
		for (int zeros = 0; zeros < 40; zeros++) {
			memset(text + len, '0', (size_t)zeros);
			strcpy(text + len + zeros, "1");
			expect_double(text);
		}
		cr_assert(text[len - 1] == '5');
		strcpy(text + len - 1, "49999999999");
		expect_double(text);
		snprintf(text, sizeof(text), "%.1075Lfe25", tie);
		expect_double(text);
	}
}

Test(json_double, of_the_board)
{
	double value;

	cr_expect(qn_json_double(TEXT("-."), &value) && value == 0 && signbit(value));
	cr_expect(qn_json_double(TEXT("-e5"), &value) && value == 0);
	cr_expect(qn_json_double(TEXT("-.5"), &value) && value == -0.5);
	cr_expect(qn_json_double(TEXT("1.e2"), &value) && value == 100);
	cr_expect(qn_json_double(TEXT("007"), &value) && value == 7);
}

Test(json_double, what_is_none)
{
	static const char *const texts[] = { "",    "-",    "NaN",   "Infinity", "-Infinity",
					     "inf", "true", "null",  "\"1\"",    "1e",
					     "1e+", "1e5x", "1x",    "1.2.3",    "0x10",
					     " 1",  "1 ",   "1e999", "-1e400",   "1e5.",
					     "+1",  "[1]",  "1e5e5", "--1",      "1,5" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		double value = 42;
		int64_t whole = 42;
		struct qn_text text = { texts[i], strlen(texts[i]) };
		cr_expect(!qn_json_double(text, &value) && value == 42, "%s", texts[i]);
		cr_expect(!qn_json_int64(text, &whole) && whole == 42, "%s", texts[i]);
	}
	cr_expect(!qn_json_double((struct qn_text){ NULL, 0 }, &(double){ 0 }));
	cr_expect(!qn_json_int64((struct qn_text){ NULL, 0 }, &(int64_t){ 0 }));
}

/* ---- integers ---- */

static void expect_int(const char *text, int64_t expected)
{
	size_t len = strlen(text);
	char *copy = guard_copy(text, len);
	int64_t got = 42;

	cr_expect(qn_json_int64((struct qn_text){ copy, len }, &got) && got == expected, "%s",
		  text);
	guard_free(copy, len);
}

Test(json_int64, the_whole_range_and_no_more)
{
	static const char *const outside[] = { "9223372036854775808",
					       "-9223372036854775809",
					       "9223372036854775810",
					       "92233720368547758070",
					       "18446744073709551616",
					       "99999999999999999999999",
					       "1.0",
					       "1e2",
					       "1E2",
					       "0.5",
					       "-0.0" };
	int64_t value = 42;

	expect_int("0", 0);
	expect_int("-0", 0);
	expect_int("7", 7);
	expect_int("-7", -7);
	expect_int("007", 7);
	expect_int("9223372036854775807", INT64_MAX);
	expect_int("-9223372036854775808", INT64_MIN);
	expect_int("9223372036854775799", INT64_MAX - 8);
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		struct qn_text text = { outside[i], strlen(outside[i]) };
		cr_expect(!qn_json_int64(text, &value) && value == 42, "%s", outside[i]);
	}
}

#include "proto/json/json.h"
#include "proto/json/scan.h"

#include <math.h>
#include <stdlib.h>

/*
 * 768 digits and one that says whether more follow are enough to round any decimal to the nearest
 * double: a tie between two doubles has at most 767 of them.
 */
#define DIGITS_MAX 768
/* Beyond this an exponent says no more than "too large" or "too small". */
#define EXPONENT_MAX 100000

/* digits * 10^exponent, without leading zeros. */
struct decimal {
	bool negative;
	unsigned count;
	uint64_t small; /* its value where count <= 19 */
	int64_t exponent;
	char digits[DIGITS_MAX + 1];
};

static void add_digit(struct decimal *decimal, char digit, bool fraction)
{
	bool kept = decimal->count < DIGITS_MAX;

	if (decimal->count == 0 && digit == '0') {
		decimal->exponent -= fraction;
		return;
	}
	if (kept) {
		decimal->digits[decimal->count++] = digit;
		if (decimal->count <= 19)
			decimal->small = decimal->small * 10 + (uint64_t)(digit - '0');
	} else if (digit != '0') {
		/* Whatever follows, it is more than nothing. */
		decimal->digits[DIGITS_MAX] = '1';
	}
	decimal->exponent += kept ? -(int64_t)fraction : !fraction;
}

/* Takes a number of any dialect apart; false where the token is none. */
static bool take_apart(struct qn_text raw, struct decimal *decimal)
{
	bool fraction = false;

	decimal->negative = false;
	decimal->count = 0;
	decimal->small = 0;
	decimal->exponent = 0;
	decimal->digits[DIGITS_MAX] = '0';
	if (raw.len == 0)
		return false;
	const char *at = raw.at, *end = raw.at + raw.len;
	if (*at == '-') {
		decimal->negative = true;
		at++;
	}
	const char *first = at;
	for (; at < end; at++) {
		if (qn_json_is_digit(*at))
			add_digit(decimal, *at, fraction);
		else if (*at == '.' && !fraction)
			fraction = true;
		else
			break;
	}
	if (at == end)
		return at > first;
	if ((*at++ | 0x20) != 'e' || at == end)
		return false;

	bool negative = *at == '-';
	int64_t exponent = 0;
	if (*at == '-' || *at == '+')
		at++;
	if (at == end)
		return false;
	for (; at < end && qn_json_is_digit(*at); at++) {
		/* Saturates far above any count of digits that could make up for it. */
		if (exponent < INT64_MAX / 100)
			exponent = exponent * 10 + (*at - '0');
	}
	decimal->exponent += negative ? -exponent : exponent;
	return at == end;
}

/*
 * No decimal point goes to strtod(), only an exponent: so the locale has no say. Its rounding is
 * correct for any length (glibc).
 */
static double slow_double(struct decimal *decimal)
{
	char text[DIGITS_MAX + 1 + sizeof("e-100000")];
	int64_t exponent = decimal->exponent;
	unsigned len = decimal->count;

	memcpy(text, decimal->digits, len);
	if (len == DIGITS_MAX) {
		text[len++] = decimal->digits[DIGITS_MAX];
		exponent--;
	}
	text[len++] = 'e';
	if (exponent < 0) {
		text[len++] = '-';
		exponent = -exponent;
	}
	if (exponent > EXPONENT_MAX)
		exponent = EXPONENT_MAX;
	for (int64_t unit = EXPONENT_MAX; unit > 0; unit /= 10)
		text[len++] = (char)('0' + exponent / unit % 10);
	text[len] = '\0';
	return strtod(text, NULL);
}

bool qn_json_double(struct qn_text raw, double *value)
{
	/* Powers of ten that a double holds exactly: one operation on exact numbers rounds once. */
	static const double exact[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
					1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	struct decimal decimal;
	double result;

	if (!take_apart(raw, &decimal))
		return false;
	if (decimal.count == 0)
		result = 0;
	else if (decimal.count <= 19 && decimal.small <= UINT64_C(1) << 53 &&
		 decimal.exponent >= -22 && decimal.exponent <= 22)
		result = decimal.exponent < 0 ? (double)decimal.small / exact[-decimal.exponent]
					      : (double)decimal.small * exact[decimal.exponent];
	else
		result = slow_double(&decimal);
	if (isinf(result))
		return false;
	*value = decimal.negative ? -result : result;
	return true;
}

bool qn_json_int64(struct qn_text raw, int64_t *value)
{
	if (raw.len == 0)
		return false;

	bool negative = *raw.at == '-';
	const char *at = raw.at + negative, *end = raw.at + raw.len;
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, sum = 0;
	if (at == end)
		return false;
	for (; at < end; at++) {
		if (!qn_json_is_digit(*at))
			return false;
		unsigned digit = (unsigned)(*at - '0');
		if (sum > (limit - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	/* The most negative number has no positive counterpart. */
	*value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

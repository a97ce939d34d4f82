#include "emulator/base/units.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Largest first: a duration adds up parts in this order, each unit once. */
static const struct unit {
	const char *name;
	int64_t ns;
} UNITS[] = {
	{ "h", 3600 * NS_PER_S }, { "m", 60 * NS_PER_S }, { "s", NS_PER_S },
	{ "ms", NS_PER_MS },      { "us", NS_PER_US },    { "ns", 1 },
};
#define N_UNITS (sizeof(UNITS) / sizeof(*UNITS))

/* Below a nanosecond a fraction is counted in steps of 1/10000 ns: the digits of every unit down to
 * those steps come out exact, and an hour of them still fits 64 bits. */
#define SUB_NS 10000

/* Fraction digits that the text of a whole number of ns can have: an hour has 36 * 10^11 ns. */
#define FRACTION_DIGITS 11

struct number {
	int64_t whole;
	const char *fraction; /* the digits behind the point */
	size_t n_fraction;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

/* "12", "12.5": digits on both sides of a point. Returns what follows, or NULL. */
static const char *read_number(const char *at, struct number *number)
{
	if (!is_digit(*at))
		return NULL;
	number->whole = 0;
	for (; is_digit(*at); at++)
		if (__builtin_mul_overflow(number->whole, 10, &number->whole) ||
		    __builtin_add_overflow(number->whole, *at - '0', &number->whole))
			return NULL;
	number->n_fraction = 0;
	if (*at != '.')
		return at;
	number->fraction = ++at;
	while (is_digit(*at))
		at++;
	number->n_fraction = (size_t)(at - number->fraction);
	return number->n_fraction ? at : NULL;
}

/* number * unit, rounded to whole nanoseconds. False when it does not fit. */
static bool scale(const struct number *number, int64_t unit, int64_t *ret_ns)
{
	int64_t step = unit * SUB_NS;
	int64_t sub = 0;

	for (size_t i = 0; i < number->n_fraction && step % 10 == 0; i++) {
		step /= 10;
		sub += step * (number->fraction[i] - '0');
	}
	int64_t ns;
	if (__builtin_mul_overflow(number->whole, unit, &ns) ||
	    __builtin_add_overflow(ns, (sub + SUB_NS / 2) / SUB_NS, &ns))
		return false;
	*ret_ns = ns;
	return true;
}

static bool is_zero(const struct number *number)
{
	return number->whole == 0 &&
	       (number->n_fraction == 0 || strspn(number->fraction, "0") >= number->n_fraction);
}

/* The unit at `at`, an index not below `from`; N_UNITS when there is none. */
static size_t find_unit(const char *at, size_t from, size_t *ret_len)
{
	size_t len = 0;

	while (isalpha((unsigned char)at[len]))
		len++;
	for (size_t i = from; i < N_UNITS; i++)
		if (strlen(UNITS[i].name) == len && memcmp(at, UNITS[i].name, len) == 0) {
			*ret_len = len;
			return i;
		}
	return N_UNITS;
}

bool units_duration(const char *text, bool allow_negative, int64_t *ret_ns)
{
	const char *at = skip_blanks(text);
	bool negative = allow_negative && *at == '-';
	size_t unit = 0;
	int64_t total = 0;
	bool first = true;

	if (negative)
		at++;
	do {
		struct number number;
		size_t len = 0;
		int64_t part = 0;

		at = read_number(at, &number);
		if (!at)
			return false;
		if (first && is_zero(&number) && *skip_blanks(at) == '\0')
			break;
		unit = find_unit(at, unit, &len);
		if (unit == N_UNITS || !scale(&number, UNITS[unit].ns, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return false;
		unit++;
		at += len;
		first = false;
	} while (is_digit(*at));
	if (*skip_blanks(at) != '\0')
		return false;
	*ret_ns = negative ? -total : total;
	return true;
}

/* The digits of rest/unit behind the point, without trailing zeros. False when they do not end. */
static bool fraction_text(uint64_t rest, uint64_t unit, char digits[FRACTION_DIGITS + 1])
{
	size_t n = 0;

	while (rest && n < FRACTION_DIGITS) {
		rest *= 10;
		digits[n++] = (char)('0' + rest / unit);
		rest %= unit;
	}
	digits[n] = '\0';
	return rest == 0;
}

const char *units_duration_text(int64_t ns, char *buf, size_t cap)
{
	uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	const char *sign = ns < 0 ? "-" : "";
	bool best_whole = false;

	snprintf(buf, cap, "%s%llu%s", sign, (unsigned long long)size, ns ? "ns" : "s");
	size_t best = strlen(buf);
	for (size_t i = N_UNITS; i-- > 0;) {
		uint64_t unit = (uint64_t)UNITS[i].ns;
		char digits[FRACTION_DIGITS + 1], text[48];

		assert(unit > 0);
		/* Nobody writes "0.5s" for "500ms". */
		if (size < unit || !fraction_text(size % unit, unit, digits))
			continue;
		bool whole = digits[0] == '\0';
		size_t len = (size_t)snprintf(text, sizeof(text), "%s%llu%s%s%s", sign,
					      (unsigned long long)(size / unit), whole ? "" : ".",
					      digits, UNITS[i].name);
		if (len > best || (len == best && best_whole && !whole))
			continue;
		snprintf(buf, cap, "%s", text);
		best = len;
		best_whole = whole;
	}
	return buf;
}

const char *units_number_text(double value, char *buf, size_t cap)
{
	double back;

	for (int digits = 6; digits <= 17; digits++) {
		snprintf(buf, cap, "%.*g", digits, value);
		if (sscanf(buf, "%lf", &back) == 1 && back == value)
			break;
	}
	return buf;
}

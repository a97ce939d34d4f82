#include "emulator/scenario/expect_parts.h"

#include <stdarg.h>
#include <string.h>

/* ---- words ---- */

void verdict_say(struct verdict *verdict, const char *format, ...)
{
	size_t cap = sizeof(verdict->seen), len = strlen(verdict->seen);
	va_list args;

	if (len + sizeof("...") + 3 > cap && strcmp(verdict->seen + len - 3, "...") == 0)
		return; /* cut already */
	va_start(args, format);
	int more = vsnprintf(verdict->seen + len, cap - len, format, args);
	va_end(args);
	if (more < 0 || (size_t)more < cap - len)
		return;
	/* Cut, but not within a character of many bytes. */
	size_t cut = cap - sizeof("...");
	while (cut > 0 && ((unsigned char)verdict->seen[cut] & 0xc0) == 0x80)
		cut--;
	memcpy(verdict->seen + cut, "...", sizeof("..."));
}

static const char *time_text(double ns, int digits, char *buf, size_t cap)
{
	static const struct {
		double ns;
		const char *name;
	} units[] = { { 1, "ns" }, { 1e3, "us" }, { 1e6, "ms" }, { 1e9, "s" } };
	size_t i = 0;

	while (i < 3 && ns >= units[i + 1].ns * 0.99995)
		i++;
	/* From 10000 s on four digits would turn into an exponent. */
	if (ns >= 9999.5e9)
		snprintf(buf, cap, "%.0fs", ns / 1e9);
	else
		snprintf(buf, cap, "%.*g%s", digits, ns / units[i].ns, units[i].name);
	return buf;
}

const char *expect_time_text(double ns, char *buf, size_t cap)
{
	return time_text(ns, 4, buf, cap);
}

static const char *value_text(enum dimension dimension, double value, bool exact, char *buf,
			      size_t cap)
{
	switch (dimension) {
	case DIMENSION_DURATION:
		if (value < 0)
			snprintf(buf, cap, "%.0fns", value);
		else
			time_text(value, exact ? 13 : 4, buf, cap);
		break;
	case DIMENSION_SHARE: snprintf(buf, cap, exact ? "%.12g%%" : "%.4g%%", value); break;
	case DIMENSION_COUNT: snprintf(buf, cap, "%.15g", value); break;
	}
	return buf;
}

/* ---- values ---- */

static bool value_of(const struct operand *operand, const struct gauge *gauge, double *ret)
{
	double value = 0;

	if (gauge != NULL && !gauge_value(gauge, operand, &value))
		return false;
	*ret = operand->addend;
	if (gauge != NULL)
		*ret += operand->factor * value / operand->divisor;
	return true;
}

static bool holds(enum comparator comparator, double left, double right)
{
	switch (comparator) {
	case LESS: return left < right;
	case LESS_EQUAL: return left <= right;
	case GREATER: return left > right;
	case GREATER_EQUAL: return left >= right;
	case EQUAL: return left == right;
	case NOT_EQUAL: break;
	}
	return left != right;
}

static bool has_percentile(const struct comparison *comparison)
{
	const struct operand *left = &comparison->left, *right = &comparison->right;

	return (left->spec.kind == GAUGE_LATENCY && left->statistic == STATISTIC_PERCENTILE) ||
	       (right->spec.kind == GAUGE_LATENCY && right->statistic == STATISTIC_PERCENTILE);
}

enum truth judge(const struct expectation *expectation, bool cheap, size_t *ret_which)
{
	const struct condition *condition = expectation->condition;
	enum truth all = TRUTH_YES;
	double left, right;

	for (size_t i = 0; i < condition->count; i++) {
		const struct comparison *comparison = &condition->comparisons[i];
		if (cheap && has_percentile(comparison))
			continue;
		if (!value_of(&comparison->left, expectation->gauges[i][0], &left) ||
		    !value_of(&comparison->right, expectation->gauges[i][1], &right)) {
			all = TRUTH_UNKNOWN;
			*ret_which = i;
			continue;
		}
		if (!holds(comparison->comparator, left, right)) {
			*ret_which = i;
			return TRUTH_NO;
		}
	}
	return all;
}

/* ---- what was seen ---- */

static const char *limit_word(enum comparator comparator)
{
	switch (comparator) {
	case EQUAL: return "expected";
	case NOT_EQUAL: return "expected any but";
	default: return "limit";
	}
}

static void say_value(const struct operand *operand, const struct gauge *gauge, double other,
		      struct verdict *verdict)
{
	char text[64], limit[64];
	double value;

	verdict_say(verdict, "%.*s ", (int)operand->text_len, operand->text);
	if (!value_of(operand, gauge, &value)) {
		verdict_say(verdict, operand->spec.kind == GAUGE_LATENCY
					     ? "has no samples"
					     : "is unknown: no command has ended");
		return;
	}
	value_text(operand->dimension, value, false, text, sizeof(text));
	value_text(operand->dimension, other, false, limit, sizeof(limit));
	/* Rounded, it would look like the limit that it is not. */
	if (value != other && strcmp(text, limit) == 0)
		value_text(operand->dimension, value, true, text, sizeof(text));
	verdict_say(verdict, "was %s", text);
}

void judge_say(const struct expectation *expectation, size_t which, struct verdict *verdict)
{
	const struct comparison *comparison = &expectation->condition->comparisons[which];
	const struct operand *operands[] = { &comparison->left, &comparison->right };
	const struct gauge *const *gauges = expectation->gauges[which];
	double values[2] = { 0, 0 };

	for (int i = 0; i < 2; i++)
		if (!value_of(operands[i], gauges[i], &values[i]))
			values[i] = -1;
	for (int i = 0; i < 2; i++) {
		const struct operand *other = operands[1 - i];
		if (gauges[i] == NULL)
			continue;
		say_value(operands[i], gauges[i], values[1 - i], verdict);
		if (gauges[1 - i] == NULL)
			verdict_say(verdict, ", %s %.*s", limit_word(comparison->comparator),
				    (int)other->text_len, other->text);
		else if (i == 0)
			verdict_say(verdict, ", ");
	}
}

void judge_say_all(const struct expectation *expectation, struct verdict *verdict)
{
	for (size_t i = 0; i < expectation->condition->count; i++) {
		if (i > 0)
			verdict_say(verdict, "; ");
		judge_say(expectation, i, verdict);
	}
}

static bool operand_lacks(const struct operand *operand, const struct gauge *gauge, int64_t end_ns,
			  struct verdict *verdict)
{
	char end[32];
	double value;

	if (gauge == NULL)
		return false;
	if (end_ns < gauge->spec->from_ns) {
		verdict_say(verdict, "the run ended at %s, before the window of %.*s began",
			    expect_time_text((double)end_ns, end, sizeof(end)),
			    (int)operand->text_len, operand->text);
		return true;
	}
	if (gauge_value(gauge, operand, &value))
		return false;
	say_value(operand, gauge, 0, verdict);
	return true;
}

bool judge_lacks(const struct expectation *expectation, int64_t end_ns, struct verdict *verdict)
{
	const struct condition *condition = expectation->condition;

	for (size_t i = 0; i < condition->count; i++)
		if (operand_lacks(&condition->comparisons[i].left, expectation->gauges[i][0],
				  end_ns, verdict) ||
		    operand_lacks(&condition->comparisons[i].right, expectation->gauges[i][1],
				  end_ns, verdict))
			return true;
	return false;
}

/* ---- blame ---- */

void judge_blame(const struct gauges *gauges, const struct expectation *expectation, size_t which,
		 struct verdict *verdict)
{
	const struct comparison *comparison = &expectation->condition->comparisons[which];
	bool of_left = expectation->gauges[which][0] != NULL;
	const struct operand *operand = of_left ? &comparison->left : &comparison->right;
	double left, right;

	if (!value_of(&comparison->left, expectation->gauges[which][0], &left) ||
	    !value_of(&comparison->right, expectation->gauges[which][1], &right))
		return;
	double own = of_left ? left : right, other = of_left ? right : left;
	enum comparator comparator = comparison->comparator;
	bool too_large = own > other;
	if (own == other)
		too_large = comparator == NOT_EQUAL || comparator == (of_left ? LESS : GREATER);
	double limit = other - operand->addend;
	if (operand->factor > 0)
		limit = limit * operand->divisor / operand->factor;
	/* What equals a limit that must not be reached is beyond it. */
	if (comparator == LESS || comparator == GREATER)
		limit -= 1;
	gauge_blame(gauges, expectation->gauges[which][of_left ? 0 : 1], too_large, limit, verdict);
}

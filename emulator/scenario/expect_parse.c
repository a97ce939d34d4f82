#include "emulator/scenario/expect_parts.h"

#include "emulator/base/units.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

/*
 * condition  := order | comparison { "and" comparison }
 * order      := EVENT [ "within" DURATION ] "after" EVENT
 * comparison := operand ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) operand
 * operand    := value | [ ( NUMBER | PERCENT ) "*" ] metric [ ( "+" | "-" ) value ]
 * value      := NUMBER | DURATION | PERCENT
 */

#define DIGITS_MAX 15 /* so many a double holds exactly */
#define VALUE_BYTES 64

static const char *const comparators[] = {
	[LESS] = "<",           [LESS_EQUAL] = "<=", [GREATER] = ">",
	[GREATER_EQUAL] = ">=", [EQUAL] = "==",      [NOT_EQUAL] = "!=",
};

static const char *const dimension_names[] = {
	[DIMENSION_COUNT] = "a number",
	[DIMENSION_DURATION] = "a duration",
	[DIMENSION_SHARE] = "a percentage",
};

static const char *const dimension_examples[] = {
	[DIMENSION_COUNT] = "e.g. 10",
	[DIMENSION_DURATION] = "e.g. 50ms",
	[DIMENSION_SHARE] = "e.g. 1%",
};

/* ---- tools ---- */

bool parser_fail(struct parser *parser, const char *where, const char *format, ...)
{
	va_list args;

	parser->fault->position = (size_t)(where - parser->text);
	va_start(args, format);
	vsnprintf(parser->fault->text, sizeof(parser->fault->text), format, args);
	va_end(args);
	return false;
}

void parser_space(struct parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

static bool starts_name(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

size_t parser_name(const struct parser *parser)
{
	size_t len = 0;

	if (!starts_name(*parser->at))
		return 0;
	while (starts_name(parser->at[len]) || isdigit((unsigned char)parser->at[len]))
		len++;
	return len;
}

const char *parser_found(const char *at, char *buf, size_t cap)
{
	size_t len = 0;

	if (*at == '\0') {
		snprintf(buf, cap, "the end");
		return buf;
	}
	if (starts_name(*at) || isdigit((unsigned char)*at))
		while (isalnum((unsigned char)at[len]) ||
		       (at[len] != '\0' && strchr("_.%", at[len])))
			len++;
	else
		len = 1;
	/* Not half a character of many bytes. */
	while (((unsigned char)at[len] & 0xc0) == 0x80)
		len++;
	if (len > 24)
		len = 24;
	snprintf(buf, cap, "\"%.*s\"", (int)len, at);
	return buf;
}

const char *parser_nearest(const char *name, size_t len, const char *const *known, char *buf,
			   size_t cap)
{
	char copy[32];

	buf[0] = '\0';
	if (len >= sizeof(copy))
		return buf;
	memcpy(copy, name, len);
	copy[len] = '\0';
	const char *near = settings_nearest(copy, known);
	if (near != NULL)
		snprintf(buf, cap, " (did you mean \"%s\"?)", near);
	return buf;
}

bool parser_duration(const char *text, size_t len, int64_t *ret_ns)
{
	char copy[VALUE_BYTES];
	int64_t ns;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!units_duration(copy, false, &ns) || ns > EXPECT_TIME_MAX_NS)
		return false;
	*ret_ns = ns;
	return true;
}

static bool word_is(const struct parser *parser, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(parser->at, word, len) == 0;
}

/* ---- values ---- */

static size_t value_len(const char *at)
{
	size_t len = 0;

	while (isalnum((unsigned char)at[len]) || at[len] == '.' || at[len] == '%')
		len++;
	return len;
}

/* Digits with at most one point among them: the number is factor / divisor, both exact. */
static bool plain_number(const char *text, size_t len, struct operand *ret)
{
	double factor = 0, divisor = 1;
	size_t digits = 0;
	bool fraction = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && !fraction && digits > 0) {
			fraction = true;
			continue;
		}
		if (!isdigit((unsigned char)text[i]) || ++digits > DIGITS_MAX)
			return false;
		factor = factor * 10 + (text[i] - '0');
		divisor *= fraction ? 10 : 1;
	}
	if (digits == 0 || text[len - 1] == '.')
		return false;
	ret->factor = factor;
	ret->divisor = divisor;
	ret->addend = factor / divisor;
	return true;
}

/* A number, duration or percentage, which stands here: fills dimension, bare_zero, addend and, of
 * the first and the last, factor and divisor. */
static bool parse_value(struct parser *parser, struct operand *ret)
{
	size_t len = value_len(parser->at);
	char found[48];
	int64_t ns;

	if (len > 0 && parser->at[len - 1] == '%' && plain_number(parser->at, len - 1, ret)) {
		ret->dimension = DIMENSION_SHARE;
		ret->divisor *= 100;
	} else if (plain_number(parser->at, len, ret)) {
		ret->dimension = DIMENSION_COUNT;
		ret->bare_zero = ret->factor == 0;
	} else if (parser_duration(parser->at, len, &ns)) {
		ret->dimension = DIMENSION_DURATION;
		ret->addend = (double)ns;
	} else {
		return parser_fail(parser, parser->at,
				   "%s is no number (up to 15 digits), duration (up to 168h) "
				   "or percentage; expected e.g. 10, 50ms or 1%%",
				   parser_found(parser->at, found, sizeof(found)));
	}
	parser->at += len;
	return true;
}

static bool same_dimension(const struct operand *a, const struct operand *b)
{
	return a->dimension == b->dimension || a->bare_zero || b->bare_zero;
}

static bool parse_addend(struct parser *parser, struct operand *ret)
{
	bool minus = *parser->at == '-';
	struct operand value = { .metric = false };
	char found[48];

	parser->at++;
	parser_space(parser);
	const char *where = parser->at;
	if (!isdigit((unsigned char)*where))
		return parser_fail(parser, where,
				   "expected a number, duration or percentage, found %s",
				   parser_found(where, found, sizeof(found)));
	if (!parse_value(parser, &value))
		return false;
	if (!same_dimension(ret, &value))
		return parser_fail(parser, where, "%.*s is %s; expected one to add, %s",
				   (int)ret->text_len, ret->text, dimension_names[ret->dimension],
				   dimension_examples[ret->dimension]);
	ret->addend = minus ? -value.addend : value.addend;
	return true;
}

static bool parse_factor(struct parser *parser, const struct operand *value, const char *where)
{
	char found[48];

	if (value->dimension == DIMENSION_DURATION)
		return parser_fail(parser, where,
				   "a duration cannot be a factor; expected e.g. 1.5 or 90%%");
	parser->at++;
	parser_space(parser);
	if (parser_name(parser) == 0)
		return parser_fail(parser, parser->at, "expected a metric after *, found %s",
				   parser_found(parser->at, found, sizeof(found)));
	return true;
}

static bool parse_operand(struct parser *parser, struct operand *ret)
{
	const char *start = parser->at;
	char found[48];
	struct operand factor = { .factor = 1, .divisor = 1 };

	*ret = (struct operand){ .text = start };
	if (isdigit((unsigned char)*start)) {
		if (!parse_value(parser, ret))
			return false;
		ret->text_len = (size_t)(parser->at - start);
		parser_space(parser);
		if (*parser->at != '*')
			return true;
		if (!parse_factor(parser, ret, start))
			return false;
		factor = *ret;
		*ret = (struct operand){ .text = start };
	} else if (parser_name(parser) == 0) {
		return parser_fail(parser, start, "expected a metric or a value, found %s",
				   parser_found(start, found, sizeof(found)));
	}
	if (!parser_metric(parser, ret))
		return false;
	ret->metric = true;
	ret->factor = factor.factor;
	ret->divisor = factor.divisor;
	ret->text_len = (size_t)(parser->at - start);
	parser_space(parser);
	if (*parser->at != '+' && *parser->at != '-')
		return true;
	if (!parse_addend(parser, ret))
		return false;
	ret->text_len = (size_t)(parser->at - start);
	return true;
}

/* ---- comparisons ---- */

static bool parse_comparator(struct parser *parser, enum comparator *ret)
{
	size_t len = strspn(parser->at, "<>=!");
	char found[48];

	for (size_t i = 0; i < sizeof(comparators) / sizeof(*comparators); i++)
		if (word_is(parser, len, comparators[i])) {
			*ret = (enum comparator)i;
			parser->at += len;
			return true;
		}
	if (len > 1)
		snprintf(found, sizeof(found), "\"%.*s\"", (int)(len < 24 ? len : 24), parser->at);
	else
		parser_found(parser->at, found, sizeof(found));
	return parser_fail(parser, parser->at, "expected one of < <= > >= == !=, found %s", found);
}

static bool check_dimensions(struct parser *parser, const struct comparison *comparison)
{
	const struct operand *left = &comparison->left, *right = &comparison->right;
	const struct operand *metric = left->metric ? left : right;
	const struct operand *other = left->metric ? right : left;

	if (!left->metric && !right->metric)
		return parser_fail(parser, left->text,
				   "compares two constants; expected a metric on one side");
	if (same_dimension(left, right))
		return true;
	return parser_fail(parser, other->text, "%.*s is %s; expected one to compare with, %s",
			   (int)metric->text_len, metric->text, dimension_names[metric->dimension],
			   dimension_examples[metric->dimension]);
}

static bool parse_comparison(struct parser *parser, struct comparison *ret)
{
	if (!parse_operand(parser, &ret->left))
		return false;
	parser_space(parser);
	if (!parse_comparator(parser, &ret->comparator))
		return false;
	parser_space(parser);
	return parse_operand(parser, &ret->right) && check_dimensions(parser, ret);
}

static bool parse_comparisons(struct parser *parser, struct condition *ret)
{
	char found[48];

	for (;;) {
		if (ret->count == COMPARISONS_MAX)
			return parser_fail(parser, parser->at,
					   "a condition has at most %d comparisons",
					   COMPARISONS_MAX);
		if (!parse_comparison(parser, &ret->comparisons[ret->count++]))
			return false;
		parser_space(parser);
		if (*parser->at == '\0')
			return true;
		if (!word_is(parser, parser_name(parser), "and"))
			return parser_fail(parser, parser->at,
					   "expected \"and\" or the end, found %s",
					   parser_found(parser->at, found, sizeof(found)));
		parser->at += strlen("and");
		parser_space(parser);
	}
}

/* ---- events in order ---- */

/* Does "within" or "after" follow the first name? */
static bool is_order(struct parser ahead)
{
	size_t len = parser_name(&ahead);

	if (len == 0)
		return false;
	ahead.at += len;
	parser_space(&ahead);
	len = parser_name(&ahead);
	return word_is(&ahead, len, "within") || word_is(&ahead, len, "after");
}

static bool parse_event(struct parser *parser, enum event_kind *ret)
{
	size_t len = parser_name(parser);
	char found[48];

	if (len == 0)
		return parser_fail(parser, parser->at, "expected an event, found %s",
				   parser_found(parser->at, found, sizeof(found)));
	if (!parser_event(parser, parser->at, len, false, ret))
		return false;
	parser->at += len;
	parser_space(parser);
	return true;
}

static bool parse_within(struct parser *parser, int64_t *ret)
{
	char found[48];

	parser->at += strlen("within");
	parser_space(parser);
	size_t len = value_len(parser->at);
	if (!parser_duration(parser->at, len, ret))
		return parser_fail(parser, parser->at,
				   "expected a duration (up to 168h), e.g. 900ms, found %s",
				   parser_found(parser->at, found, sizeof(found)));
	parser->at += len;
	parser_space(parser);
	return true;
}

static bool parse_order(struct parser *parser, struct order_spec *ret)
{
	char found[48];

	ret->within_ns = NEVER;
	if (!parse_event(parser, &ret->then))
		return false;
	if (word_is(parser, parser_name(parser), "within") &&
	    !parse_within(parser, &ret->within_ns))
		return false;
	if (!word_is(parser, parser_name(parser), "after"))
		return parser_fail(parser, parser->at, "expected \"after\", found %s",
				   parser_found(parser->at, found, sizeof(found)));
	parser->at += strlen("after");
	parser_space(parser);
	if (!parse_event(parser, &ret->first))
		return false;
	if (*parser->at != '\0')
		return parser_fail(parser, parser->at, "expected the end, found %s",
				   parser_found(parser->at, found, sizeof(found)));
	return true;
}

bool expect_parse(const char *text, const struct expect_scope *scope, struct condition *ret,
		  struct expect_fault *fault)
{
	struct parser parser = { .text = text, .at = text, .scope = scope, .fault = fault };
	struct condition condition = { .ordered = false };
	bool ok;

	parser_space(&parser);
	condition.ordered = is_order(parser);
	if (condition.ordered)
		ok = parse_order(&parser, &condition.order);
	else
		ok = parse_comparisons(&parser, &condition);
	if (ok)
		*ret = condition;
	return ok;
}

#include "emulator/base/select.h"

#include "emulator/base/rng.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at)
{
	while (isspace((unsigned char)*at))
		at++;
	return at;
}

static bool parse_number(const char **at, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	*ret = strtoull(*at, &end, 10);
	*at = end;
	return true;
}

static bool is_plain(const char *at, const char *end, const char *special)
{
	for (; at < end; at++)
		if (isspace((unsigned char)*at) || strchr(special, *at) != NULL)
			return false;
	return true;
}

/* target_[1-10]suffix. A '*' beside a range would be read as itself: nobody means that. */
static bool parse_range(const char *bracket, const char *end, struct selector_factor *factor)
{
	const char *at = bracket + 1;

	if (!parse_number(&at, &factor->low) || *at++ != '-' || !parse_number(&at, &factor->high) ||
	    *at++ != ']' || factor->low > factor->high)
		return false;
	factor->kind = SELECT_RANGE;
	factor->text_len = (uint32_t)(bracket - factor->text);
	factor->suffix = at;
	factor->suffix_len = (uint32_t)(end - at);
	return is_plain(factor->text, bracket, ":*") && is_plain(at, end, ":*[]");
}

static bool parse_prefixed(struct selector_factor *factor, const char *prefix,
			   enum selector_factor_kind kind)
{
	const char *start = factor->text;
	size_t len = strlen(prefix);

	if (factor->text_len <= len || memcmp(factor->text, prefix, len) != 0)
		return false;
	factor->kind = kind;
	factor->text = skip_space(factor->text + len);
	factor->text_len -= (uint32_t)(factor->text - start);
	return true;
}

static bool parse_share(struct selector_factor *factor, const char *end)
{
	const char *at = factor->text;
	char *stop;

	if (factor->text_len > 8 && memcmp(at, "random(", 7) == 0 && end[-1] == ')') {
		at += 7;
		factor->kind = SELECT_RANDOM;
		return parse_number(&at, &factor->low) && at == end - 1;
	}
	if (end[-1] == '%' && isdigit((unsigned char)*at)) {
		factor->kind = SELECT_PERCENT;
		factor->percent = strtod(at, &stop);
		/* strtod() would take exponents and hexadecimal. */
		return stop == end - 1 && strspn(at, "0123456789.") == (size_t)(stop - at) &&
		       factor->percent <= 100;
	}
	return false;
}

static bool parse_factor(const char *start, const char *end, struct selector_factor *factor)
{
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	if (end == start)
		return false;
	factor->text = start;
	factor->text_len = (uint32_t)(end - start);
	if (factor->text_len == 3 && memcmp(start, "all", 3) == 0) {
		factor->kind = SELECT_ALL;
		return true;
	}
	if (parse_prefixed(factor, "group:", SELECT_GROUP) ||
	    parse_prefixed(factor, "tag:", SELECT_TAG) ||
	    parse_prefixed(factor, "state:", SELECT_STATE))
		return true;
	if (parse_share(factor, end))
		return true;
	if (end[-1] == '%' || memchr(start, '(', (size_t)(end - start)) != NULL)
		return false;
	const char *bracket = memchr(start, '[', (size_t)(end - start));
	if (bracket != NULL)
		return parse_range(bracket, end, factor);
	factor->kind = SELECT_NAME;
	return is_plain(start, end, ":");
}

bool selector_parse(const char *text, struct selector *ret, const char **expected)
{
	struct selector selector = { .source = text };
	const char *at = text;
	bool starts_term = true;

	*expected = "expected a selector such as \"all\", \"target_[1-10]\", "
		    "\"group:west & state:up & random(3)\"";
	for (;;) {
		at = skip_space(at);
		const char *end = at + strcspn(at, ",&");
		if (selector.count == SELECTOR_FACTORS_MAX) {
			*expected = "a selector has at most 24 parts";
			return false;
		}
		struct selector_factor *factor = &selector.factors[selector.count++];
		if (!parse_factor(at, end, factor))
			return false;
		factor->starts_term = starts_term;
		if (*end == '\0')
			break;
		starts_term = *end == ',';
		at = end + 1;
	}
	*ret = selector;
	return true;
}

const char *selector_lacks(const struct selector *selector, const struct selector_subject *subject)
{
	for (size_t i = 0; i < selector->count; i++) {
		switch (selector->factors[i].kind) {
		case SELECT_GROUP:
			if (subject->in_group == NULL)
				return "group";
			break;
		case SELECT_TAG:
			if (subject->has_tag == NULL)
				return "tag";
			break;
		case SELECT_STATE:
			if (subject->in_state == NULL)
				return "state";
			break;
		default: break;
		}
	}
	return NULL;
}

static bool glob(const char *pattern, size_t len, const char *name)
{
	const char *end = pattern + len, *star = NULL, *retry = NULL;

	while (*name != '\0') {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			retry = name;
		} else if (pattern < end && *pattern == *name) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

static bool in_range(const struct selector_factor *factor, const char *name)
{
	size_t len = strlen(name), beside = (size_t)factor->text_len + factor->suffix_len;

	if (len <= beside || memcmp(name, factor->text, factor->text_len) != 0)
		return false;
	/* By the suffix's length first: its own digits are no part of the number. */
	const char *at = name + factor->text_len, *end = name + len - factor->suffix_len;
	if (memcmp(end, factor->suffix, factor->suffix_len) != 0)
		return false;
	uint64_t number = 0;
	for (; at < end; at++)
		if (!isdigit((unsigned char)*at) || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *at - '0', &number))
			return false;
	return number >= factor->low && number <= factor->high;
}

static bool fits(const struct selector_factor *factor, const struct selector_subject *subject,
		 uint32_t i)
{
	const void *context = subject->context;

	switch (factor->kind) {
	case SELECT_NAME: return glob(factor->text, factor->text_len, subject->name(context, i));
	case SELECT_RANGE: return in_range(factor, subject->name(context, i));
	case SELECT_GROUP:
		return subject->in_group != NULL &&
		       subject->in_group(context, i, factor->text, factor->text_len);
	case SELECT_TAG:
		return subject->has_tag != NULL &&
		       subject->has_tag(context, i, factor->text, factor->text_len);
	case SELECT_STATE:
		return subject->in_state != NULL &&
		       subject->in_state(context, i, factor->text, factor->text_len);
	default: return true;
	}
}

/* Keeps `wanted` of the `count` numbers in list, each with the same chance, in order (Knuth's S).
 */
static uint32_t draw(uint32_t *list, uint32_t count, uint64_t wanted, uint64_t bits)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count && kept < wanted; i++) {
		uint64_t left = count - i;
		if (rng_below(rng_draw(bits, 0, RNG_SELECT, i), left) < wanted - kept)
			list[kept++] = list[i];
	}
	return kept;
}

static uint32_t narrow(const struct selector_factor *factor, const struct selector_subject *subject,
		       uint32_t *list, uint32_t count, uint64_t bits)
{
	uint32_t kept = 0;

	if (factor->kind == SELECT_ALL)
		return count;
	if (factor->kind == SELECT_RANDOM)
		return draw(list, count, factor->low, bits);
	if (factor->kind == SELECT_PERCENT)
		return draw(list, count, (uint64_t)(factor->percent * count / 100 + 0.5), bits);
	for (uint32_t i = 0; i < count; i++)
		if (fits(factor, subject, list[i]))
			list[kept++] = list[i];
	return kept;
}

uint32_t selector_apply(const struct selector *selector, const struct selector_subject *subject,
			uint64_t bits, uint32_t *out, uint8_t *marks)
{
	uint32_t count = 0;

	memset(marks, 0, subject->count);
	for (size_t f = 0; f < selector->count; f++) {
		if (selector->factors[f].starts_term) {
			count = 0;
			for (uint32_t i = 0; i < subject->count; i++)
				if (subject->present == NULL ||
				    subject->present(subject->context, i))
					out[count++] = i;
		}
		count = narrow(&selector->factors[f], subject, out, count, bits + f);
		if (f + 1 == selector->count || selector->factors[f + 1].starts_term)
			for (uint32_t i = 0; i < count; i++)
				marks[out[i]] = 1;
	}
	count = 0;
	for (uint32_t i = 0; i < subject->count; i++)
		if (marks[i])
			out[count++] = i;
	return count;
}

static const char *itself(const void *context, uint32_t i)
{
	(void)i;
	return context;
}

bool selector_matches_name(const struct selector *selector, const char *name)
{
	const struct selector_subject subject = { .count = 1, .name = itself, .context = name };
	uint32_t out;
	uint8_t mark;

	return selector_apply(selector, &subject, 0, &out, &mark) == 1;
}

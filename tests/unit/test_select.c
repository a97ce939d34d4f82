/*
 * Selectors: what the language means, what it refuses, and that its draws are fair and repeatable.
 */
#include "emulator/base/select.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- twenty targets: target_1 .. target_12, west_01 .. west_06, "all-hands", "last" ---- */

enum { TARGETS = 20 };

static char names[TARGETS][32];
static uint32_t absent = UINT32_MAX;

static void setup(void)
{
	for (int i = 0; i < 12; i++)
		sprintf(names[i], "target_%d", i + 1);
	for (int i = 0; i < 6; i++)
		sprintf(names[12 + i], "west_%02d", i + 1);
	strcpy(names[18], "all-hands");
	strcpy(names[19], "last");
}

TestSuite(select, .init = setup);

static bool present(const void *context, uint32_t i)
{
	(void)context;
	return i != absent;
}

static const char *name_of(const void *context, uint32_t i)
{
	(void)context;
	return names[i];
}

static bool is(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool in_group(const void *context, uint32_t i, const char *group, size_t len)
{
	(void)context;
	return is(group, len, i < 12 ? "east" : i < 18 ? "the west" : "rest");
}

static bool has_tag(const void *context, uint32_t i, const char *tag, size_t len)
{
	(void)context;
	return is(tag, len, "odd") ? i % 2 == 0 : is(tag, len, "new") && i < 3;
}

static bool in_state(const void *context, uint32_t i, const char *state, size_t len)
{
	(void)context;
	return is(state, len, i % 3 == 0 ? "up" : "down");
}

static struct selector_subject subject_of(uint32_t count)
{
	return (struct selector_subject){ .count = count,
					  .present = present,
					  .name = name_of,
					  .in_group = in_group,
					  .has_tag = has_tag,
					  .in_state = in_state };
}

static struct selector parsed(const char *text)
{
	struct selector selector;
	const char *expected;

	cr_assert(selector_parse(text, &selector, &expected), "\"%s\": %s", text, expected);
	return selector;
}

/* Applies to all twenty; checks that what comes is ascending, each once, and inside. */
static uint32_t apply(const char *text, uint64_t bits, uint32_t *out)
{
	struct selector selector = parsed(text);
	struct selector_subject subject = subject_of(TARGETS);
	uint8_t marks[TARGETS];

	memset(marks, 0xff, sizeof(marks)); /* scratch: what it holds before does not matter */
	uint32_t n = selector_apply(&selector, &subject, bits, out, marks);
	cr_assert_leq(n, TARGETS);
	for (uint32_t i = 0; i < n; i++)
		cr_assert(out[i] < TARGETS && (i == 0 || out[i] > out[i - 1]), "\"%s\"", text);
	return n;
}

/* The chosen as letters: a is the first target. */
static const char *chosen(const char *text)
{
	static char letters[TARGETS + 1];
	uint32_t out[TARGETS], n = apply(text, 0, out);

	for (uint32_t i = 0; i < n; i++)
		letters[i] = (char)('a' + out[i]);
	letters[n] = '\0';
	return letters;
}

/* ---- the language ---- */

static const struct {
	const char *text, *chosen;
} meanings[] = {
	{ "all", "abcdefghijklmnopqrst" },
	{ "target_3", "c" },
	{ "target_", "" },
	{ "arget_3", "" },
	{ "target_*", "abcdefghijkl" },
	{ "*", "abcdefghijklmnopqrst" },
	{ "**", "abcdefghijklmnopqrst" },
	{ "*_1", "a" },
	{ "*1*", "ajklm" },
	{ "t*t*1", "ak" },
	{ "w*_*6", "r" },
	{ "*a*a*s", "s" },
	{ "last*", "t" },
	{ "all-hands", "s" },
	{ "target_[1-3]", "abc" },
	{ "target_[10-10]", "j" },
	{ "target_[11-99999999999999999999999]", "kl" },
	{ "target_[0-0]", "" },
	{ "[1-3]", "" },
	{ "west_[2-4]", "nop" }, /* by the number, whatever its zeros */
	{ "west_0[2-4]", "nop" },
	{ "target_[1-2]1", "k" }, /* a suffix of digits is not part of the number */
	{ "target_[1-9]2", "l" },
	{ "target_[1-3]x", "" },
	{ "group:the west", "mnopqr" },
	{ "group: the west ", "mnopqr" },
	{ "group:wes", "" },
	{ "tag:new", "abc" },
	{ "tag:new & tag:odd", "ac" },
	{ "state:up&group:east", "adgj" },
	{ "target_1, west_01", "am" },
	{ "west_01, target_1,target_1", "am" },
	{ "tag:new & tag:odd, group:rest & last", "act" },
	{ "all & target_2 , all & target_1", "ab" },
	{ " \t all \t ", "abcdefghijklmnopqrst" },
	{ "\n last \n", "t" },
	{ "100%", "abcdefghijklmnopqrst" },
	{ "0%", "" },
	{ "random(0)", "" },
	{ "random(20)", "abcdefghijklmnopqrst" },
	{ "random(99999999999999999999999)", "abcdefghijklmnopqrst" },
	{ "target_5 & random(1)", "e" },
	{ "target_5 & 50%", "e" },
	{ "target_5 & 49.9%", "" },
	{ "last & 100% & random(1) & *", "t" },
};

Test(select, what_it_means)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		cr_expect_str_eq(chosen(meanings[i].text), meanings[i].chosen, "\"%s\" is %s",
				 meanings[i].text, chosen(meanings[i].text));
}

static const char *const refused[] = {
	"",         " ",          ",",           "all,",         ",all",     "all & ",
	"& all",    "all,,all",   "a b",         "a:b",          "group:",   "tag:",
	"state: ",  "random()",   "random(x)",   "random(-1)",   "random(1", "random(1)x",
	"random 1", "random( 1)", "(",           "x(1)",         "101%",     "-1%",
	"%",        "1e9%",       "5 %",         "5%%",          "x%",       "nan%",
	"t_[",      "t_[]",       "t_[1]",       "t_[1-]",       "t_[-1]",   "t_[1-2",
	"t_[2-1]",  "t_[a-b]",    "t_[1 - 2]",   "t_[1-2][3-4]", "t_*[1-2]", "t_[1-2]*",
	"t _[1-2]", "t_[1-2] x",  "group:a & (", "t_[+1-2]",     "0x10%",
};

Test(select, what_it_refuses)
{
	struct selector selector, before;
	const char *expected;

	memset(&selector, 0x5a, sizeof(selector));
	before = selector;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		expected = NULL;
		cr_expect(!selector_parse(refused[i], &selector, &expected), "\"%s\"", refused[i]);
		cr_expect(expected != NULL &&
				  strncmp(expected, "expected a selector such as ", 28) == 0,
			  "\"%s\"", refused[i]);
		cr_expect(memcmp(&selector, &before, sizeof(selector)) == 0, "untouched");
	}
}

Test(select, as_many_parts_as_it_takes)
{
	char text[256] = "";
	struct selector selector;
	const char *expected;

	for (int i = 0; i < SELECTOR_FACTORS_MAX; i++)
		strcat(text, i % 2 != 0 ? "&*" : i > 0 ? ",*" : "*");
	cr_expect(selector_parse(text, &selector, &expected));
	cr_expect_eq(selector.count, SELECTOR_FACTORS_MAX);
	cr_expect_eq(selector.source, text);
	strcat(text, ",*");
	cr_expect(!selector_parse(text, &selector, &expected));
	cr_expect_str_eq(expected, "a selector has at most 24 parts");
}

Test(select, who_is_not_there_is_not_chosen)
{
	absent = 4;
	cr_expect_str_eq(chosen("all"), "abcdfghijklmnopqrst");
	cr_expect_str_eq(chosen("target_[4-6]"), "df");
	cr_expect_str_eq(chosen("target_5, target_6"), "f");
}

Test(select, questions_that_nobody_answers)
{
	struct selector_subject bare = { .count = TARGETS, .name = name_of };
	struct selector selector;
	uint32_t out[TARGETS];
	uint8_t marks[TARGETS];
	static const char *const lacking[][2] = { { "all, tag:x", "tag" },
						  { "all & state:up", "state" },
						  { "group:a, tag:b", "group" },
						  { "target_[1-3], *, 5%, random(1)", NULL } };

	for (size_t i = 0; i < 4; i++) {
		selector = parsed(lacking[i][0]);
		const char *lacks = selector_lacks(&selector, &bare);
		cr_expect((lacks == NULL) == (lacking[i][1] == NULL));
		cr_expect(lacks == NULL || strcmp(lacks, lacking[i][1]) == 0, "%s", lacks);
		struct selector_subject whole = subject_of(TARGETS);
		cr_expect_null(selector_lacks(&selector, &whole));
	}
	selector = parsed("group:east, tag:new, state:up");
	cr_expect_eq(selector_apply(&selector, &bare, 0, out, marks), 0);
	bare.count = 0;
	selector = parsed("all, 50%, random(3)");
	cr_expect_eq(selector_apply(&selector, &bare, 0, out, marks), 0);
}

Test(select, a_name_alone)
{
	static const struct {
		const char *text, *name;
		bool matches;
	} cases[] = {
		{ "target_[1-3], west_*", "target_2", true },
		{ "target_[1-3], west_*", "west_", true },
		{ "target_[1-3], west_*", "target_4", false },
		{ "all", "", true },
		{ "*", "", true },
		{ "x", "", false },
		{ "target_[1-3]", "", false },
		{ "target_[1-3]s", "target_", false },
		{ "a[1-1]a", "a", false }, /* prefix and suffix must not overlap */
		{ "a[1-1]a", "aa", false },
		{ "a[1-1]a", "a1a", true },
		{ "group:west", "west", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct selector selector = parsed(cases[i].text);
		cr_expect_eq(selector_matches_name(&selector, cases[i].name), cases[i].matches,
			     "\"%s\" and \"%s\"", cases[i].text, cases[i].name);
	}
}

/* ---- draws ---- */

Test(select, draws_have_their_size)
{
	static const struct {
		const char *text;
		uint32_t n;
	} cases[] = {
		{ "random(7)", 7 },
		{ "25%", 5 },
		{ "33%", 7 },
		{ "2.5%", 1 },
		{ "2.4%", 0 },
		{ "group:east & random(5)", 5 },
		{ "group:east & 50%", 6 },
		{ "group:the west & random(9)", 6 },
		{ "50% & 50%", 5 },
		{ "random(10) & random(3)", 3 },
		{ "99.9%", 20 },
		{ "group:rest & 25%, group:east & 100%", 13 },
	};
	uint32_t out[TARGETS];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (uint64_t bits = 0; bits < 500; bits++)
			cr_assert_eq(apply(cases[i].text, bits * UINT64_C(0x123456789abcdef), out),
				     cases[i].n, "\"%s\"", cases[i].text);
}

Test(select, draws_are_repeatable_and_differ)
{
	uint32_t a[TARGETS], b[TARGETS];
	int same = 0;

	for (uint64_t bits = 0; bits < 200; bits++) {
		uint32_t n = apply("random(10)", bits, a);
		cr_assert_eq(apply("random(10)", bits, b), n);
		cr_assert_arr_eq(a, b, n * sizeof(*a), "the same bits draw the same");
		apply("random(10)", bits + 1000, b);
		same += memcmp(a, b, n * sizeof(*a)) == 0;
	}
	cr_expect_leq(same, 1); /* of 184,756 possible draws */
}

/* Both parts of a selector draw on their own: else the second would always keep or lose the same.
 */
Test(select, two_draws_of_one_selector_are_independent)
{
	uint32_t out[TARGETS], both = 0;

	for (uint64_t bits = 0; bits < 4000; bits++) {
		uint32_t n = apply("target_1 & random(1), group:east & random(6), "
				   "group:the west & random(3)",
				   bits * 7919, out);
		bool east = false, west = false;
		for (uint32_t i = 0; i < n; i++) {
			east |= out[i] == 1;
			west |= out[i] == 13;
		}
		both += east && west;
	}
	cr_expect_float_eq((double)both, 1000, 150, "%u of 4000", both);
}

Test(select, draws_are_even)
{
	enum { DRAWS = 20000 };
	uint32_t out[TARGETS], times[TARGETS] = { 0 };
	double pairs[TARGETS] = { 0 };

	for (uint64_t bits = 0; bits < DRAWS; bits++) {
		uint32_t n = apply("random(5)", bits << 20, out);
		for (uint32_t i = 0; i < n; i++)
			times[out[i]]++;
		for (uint32_t i = 1; i < n; i++)
			if (out[0] == 0)
				pairs[out[i]]++;
	}
	/* A quarter each: the standard deviation is 61. */
	for (uint32_t i = 0; i < TARGETS; i++)
		cr_expect_float_eq((double)times[i], DRAWS / 4.0, 310, "%u came %u times", i,
				   times[i]);
	/* With the first, each other: 5/20 * 4/19. */
	for (uint32_t i = 1; i < TARGETS; i++)
		cr_expect_float_eq(pairs[i], DRAWS / 19.0, 170, "%u came with the first %.0f times",
				   i, pairs[i]);
}

/*
 * Selectors and addresses out of any text. What must hold: what is parsed points into its text; the
 * chosen are ascending, each once, and the same again for the same bits; a selector of names says
 * of one name what it says of it among others; an address lies in its range and counts once.
 */
#include "emulator/base/net.h"
#include "emulator/base/select.h"
#include "emulator/fleet/addresses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static const char *const names[] = {
	"target_1",  "target_2", "target_10", "t1",  "west_01", "1",
	"all-hands", "*",        "a[1-2]b",   "a1b", "",        "a11"
};
#define NAMES (sizeof(names) / sizeof(*names))

static const char *name_of(const void *context, uint32_t i)
{
	(void)context;
	return names[i];
}

/* Every word names a group, a tag and a state: the targets whose number fits its length. */
static bool belongs(const void *context, uint32_t i, const char *word, size_t len)
{
	(void)context;
	REQUIRE(len > 0 && memchr(word, '\0', len) == NULL);
	return i % 4 == len % 4;
}

static bool inside(const char *at, size_t len, const char *text)
{
	return at >= text && at + len <= text + strlen(text);
}

/* Returns whether it is of names alone. */
static bool check_factors(const struct selector *selector, const char *text)
{
	bool of_names = true;

	REQUIRE(selector->count > 0 && selector->count <= SELECTOR_FACTORS_MAX);
	REQUIRE(selector->source == text && selector->factors[0].starts_term);
	for (size_t i = 0; i < selector->count; i++) {
		const struct selector_factor *factor = &selector->factors[i];
		if (factor->kind != SELECT_ALL && factor->kind != SELECT_PERCENT &&
		    factor->kind != SELECT_RANDOM)
			REQUIRE(inside(factor->text, factor->text_len, text));
		if (factor->kind == SELECT_RANGE) {
			REQUIRE(factor->low <= factor->high);
			REQUIRE(inside(factor->suffix, factor->suffix_len, text));
		}
		if (factor->kind == SELECT_PERCENT)
			REQUIRE(factor->percent >= 0 && factor->percent <= 100);
		of_names &= factor->kind <= SELECT_RANGE;
	}
	return of_names;
}

static void check_selector(const char *text)
{
	const struct selector_subject subject = { .count = NAMES,
						  .name = name_of,
						  .in_group = belongs,
						  .has_tag = belongs,
						  .in_state = belongs };
	uint32_t out[NAMES], again[NAMES];
	uint8_t marks[NAMES];
	struct selector selector;
	const char *expected = NULL;

	if (!selector_parse(text, &selector, &expected)) {
		REQUIRE(expected != NULL);
		return;
	}
	bool of_names = check_factors(&selector, text);
	REQUIRE(selector_lacks(&selector, &subject) == NULL);
	for (uint64_t bits = 0; bits < 3; bits++) {
		uint32_t n = selector_apply(&selector, &subject, bits, out, marks);
		REQUIRE(n <= NAMES);
		for (uint32_t i = 0; i < n; i++)
			REQUIRE(out[i] < NAMES && (i == 0 || out[i] > out[i - 1]));
		REQUIRE(selector_apply(&selector, &subject, bits, again, marks) == n);
		REQUIRE(memcmp(out, again, n * sizeof(*out)) == 0);
		uint32_t next = 0;
		for (uint32_t i = 0; of_names && i < NAMES; i++) {
			bool chosen = next < n && out[next] == i;
			REQUIRE(selector_matches_name(&selector, names[i]) == chosen);
			next += chosen;
		}
		if (selector.count == 1 && selector.factors[0].kind == SELECT_RANDOM)
			REQUIRE(n == (selector.factors[0].low < NAMES ? selector.factors[0].low
								      : NAMES));
	}
}

static void check_addresses(const char *text)
{
	struct address_list list = { 0 };
	const char *expected = NULL;
	char back[24];

	if (!addresses_add(&list, text, &expected)) {
		REQUIRE(expected != NULL && list.count == 0);
		return;
	}
	REQUIRE(list.count == 1 && list.ranges[0].first <= list.ranges[0].last);
	uint64_t total = addresses_total(&list);
	REQUIRE(total >= 1 && total <= UINT64_C(1) << 32);
	REQUIRE(addresses_at(&list, 0) == list.ranges[0].first);
	REQUIRE(addresses_at(&list, total - 1) == list.ranges[0].last);
	/* Its own text names it again. */
	uint32_t ip;
	net_addr_text((struct net_addr){ list.ranges[0].last, 65535 }, back, sizeof(back));
	REQUIRE(net_ip_parse(back, strlen(back) - 6, &ip) && ip == list.ranges[0].last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exactly: one byte more is the sanitizer's */

	REQUIRE(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_selector(text);
	check_addresses(text);
	free(text);
	return 0;
}

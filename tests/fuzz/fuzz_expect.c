/*
 * Any text as a condition of an expectation.
 *
 * The first byte says what there is (1: a fleet, 2: a master); the rest is the condition, up to a
 * NUL. What is taken must be whole, and is judged on a run that has just begun; what is refused
 * must say why, and where.
 */
#include "emulator/scenario/expect_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fault(const struct expect_fault *fault, const char *text)
{
	assert(fault->position <= strlen(text));
	assert(fault->text[0] != '\0');
	assert(memchr(fault->text, '\0', sizeof(fault->text)) != NULL);
}

static void check_operand(const struct operand *operand, const char *text)
{
	const struct gauge_spec *spec = &operand->spec;
	struct selector selector;
	const char *expected;

	assert(operand->text >= text && operand->text_len > 0);
	assert(operand->text + operand->text_len <= text + strlen(text));
	assert(operand->addend >= -1e18 && operand->addend <= 1e18);
	if (!operand->metric)
		return;
	assert(operand->factor >= 0 && operand->factor < 1e15 && operand->divisor >= 1);
	assert(spec->from_ns >= 0 && spec->from_ns < spec->to_ns);
	assert((spec->kind == GAUGE_COUNT) == (spec->events != 0));
	assert((spec->kind == GAUGE_POPULATION) == (spec->status != 0));
	assert(spec->selector[0] == '\0' || selector_parse(spec->selector, &selector, &expected));
	if (spec->kind == GAUGE_LATENCY && operand->statistic == STATISTIC_PERCENTILE)
		assert(operand->percent > 0 && operand->percent <= 100);
}

static void check_condition(const struct condition *condition, const char *text)
{
	if (condition->ordered) {
		assert(condition->count == 0);
		assert(condition->order.within_ns >= 0);
		assert(((EVENT_BIT(condition->order.then) | EVENT_BIT(condition->order.first)) &
			NOBODY_KINDS) == 0);
		return;
	}
	assert(condition->count >= 1 && condition->count <= COMPARISONS_MAX);
	for (size_t i = 0; i < condition->count; i++) {
		const struct comparison *one = &condition->comparisons[i];
		assert(one->left.metric || one->right.metric);
		check_operand(&one->left, text);
		check_operand(&one->right, text);
	}
}

/* Without a fleet and a master in the process: only the words of the verdict are of interest. */
static void judge_it(struct condition *condition, char *text)
{
	struct loop loop;
	struct events events = { .mask = 0 };
	char all[] = "all";
	struct expect_config config = { .name = text, .that = text, .targets = all };
	struct setting_list list = { .at = &config, .count = 1 };
	struct expect *expect;

	config.parsed = condition;
	loop_init_simulated(&loop, 0);
	if (expect_new(&loop, &events, &list, NULL, NULL, &expect) < 0)
		abort();
	expect_start(expect);
	expect_finish(expect);
	const struct verdict *verdict = expect_verdict(expect, 0);
	assert(verdict->seen[0] != '\0' && strlen(verdict->seen) < sizeof(verdict->seen));
	expect_free(expect);
	loop_release(&loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expect_scope scope = { .has_fleet = true, .has_master = true };
	struct condition condition;
	struct expect_fault fault;

	if (size == 0)
		return 0;
	if (data[0] & 3) {
		scope.has_fleet = data[0] & 1;
		scope.has_master = data[0] & 2;
	}
	char *text = malloc(size);
	if (text == NULL)
		abort();
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (!expect_parse(text, &scope, &condition, &fault)) {
		check_fault(&fault, text);
	} else {
		check_condition(&condition, text);
		judge_it(&condition, text);
	}
	free(text);
	return 0;
}

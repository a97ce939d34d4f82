#include "emulator/scenario/expect_parts.h"

#include "emulator/base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/*
 * Time: what happens in one nanosecond belongs together. A moment (the begin of a span, a deadline)
 * comes after every event of its nanosecond, so that a span includes both its ends: its timer
 * stands one nanosecond later, and an event that comes late finds it overdue and lets it go first.
 */

#define TICK_NS INT64_C(100000000) /* how often percentiles are looked at */

struct expect {
	struct event_sink sink;
	struct timer timer;
	struct loop *loop;
	struct events *events;
	struct people people;
	struct gauges gauges;
	struct expectation *at;
	uint32_t count, failed;
	bool running, finished;
	int64_t start_ns;
	int64_t next_ns; /* the next moment */
	int64_t tick_ns; /* when percentiles are looked at; NEVER: no sample came since */
};

/* ---- decisions ---- */

static void decide(struct expect *expect, struct expectation *x, enum verdict_outcome outcome,
		   int64_t at_ns)
{
	x->verdict.outcome = outcome;
	x->verdict.at_ns = at_ns;
	x->phase = PHASE_DECIDED;
	x->moment_ns = NEVER;
	expect->failed += outcome == VERDICT_FAIL;
}

static void pass(struct expect *expect, struct expectation *x, int64_t at_ns)
{
	judge_say_all(x, &x->verdict);
	decide(expect, x, VERDICT_PASS, at_ns);
}

static void fail(struct expect *expect, struct expectation *x, size_t which, int64_t at_ns)
{
	judge_say(x, which, &x->verdict);
	judge_blame(&expect->gauges, x, which, &x->verdict);
	decide(expect, x, VERDICT_FAIL, at_ns);
}

/* While it is open. `cheap`: on an event, when percentiles are not looked at. */
static void look(struct expect *expect, struct expectation *x, bool cheap, int64_t at_ns)
{
	size_t which = 0;

	if (x->mode == MODE_END || (x->mode == MODE_WITHIN && cheap && x->sampled))
		return;
	enum truth truth = judge(x, cheap, &which);
	if (x->mode == MODE_WITHIN && truth == TRUTH_YES)
		pass(expect, x, at_ns);
	if (x->mode == MODE_THROUGHOUT && truth == TRUTH_NO)
		fail(expect, x, which, at_ns);
}

/* Its time is over, as it was to be. */
static void judge_in_time(struct expect *expect, struct expectation *x, int64_t at_ns)
{
	size_t which = 0;

	if (x->condition->ordered) {
		order_judge(&x->order, &expect->people, at_ns, &x->verdict);
		decide(expect, x, x->verdict.outcome, x->verdict.at_ns);
		return;
	}
	enum truth truth = judge(x, false, &which);
	if (truth == TRUTH_NO)
		fail(expect, x, which, at_ns);
	else if (judge_lacks(x, at_ns, &x->verdict))
		decide(expect, x, VERDICT_ERROR, at_ns);
	else
		pass(expect, x, at_ns);
}

static void ended_before(struct expect *expect, struct expectation *x, int64_t end_ns,
			 const char *what, int64_t of_ns)
{
	char end[32], when[32];

	verdict_say(&x->verdict, "the run ended at %s, before %s%s",
		    expect_time_text((double)end_ns, end, sizeof(end)), what,
		    units_duration_text(of_ns, when, sizeof(when)));
	if (x->phase == PHASE_OPEN && !x->condition->ordered) {
		verdict_say(&x->verdict, ": ");
		judge_say_all(x, &x->verdict);
	}
	decide(expect, x, VERDICT_ERROR, end_ns);
}

/* The run is over before its time is. */
static void judge_early(struct expect *expect, struct expectation *x, int64_t end_ns)
{
	if (x->phase == PHASE_WAITING) {
		ended_before(expect, x, end_ns, "from = ", x->config->from_ns);
		return;
	}
	if (x->condition->ordered) {
		struct verdict early = x->verdict;
		order_judge(&x->order, &expect->people, end_ns, &early);
		if (early.outcome == VERDICT_FAIL) { /* what is late stays late */
			x->verdict = early;
			decide(expect, x, VERDICT_FAIL, early.at_ns);
			return;
		}
	} else if (x->mode != MODE_END) {
		look(expect, x, false, end_ns);
		if (x->phase == PHASE_DECIDED)
			return;
	}
	if (x->mode == MODE_WITHIN)
		ended_before(expect, x, end_ns, "it had to be true at ", x->moment_ns);
	else
		ended_before(expect, x, end_ns, "until = ", x->config->until_ns);
}

/* ---- moments ---- */

static void begin(struct expect *expect, struct expectation *x)
{
	const struct expect_config *config = x->config;

	x->phase = PHASE_OPEN;
	x->moment_ns = x->mode == MODE_WITHIN ? config->from_ns + config->within_ns
		       : config->has_until    ? config->until_ns
					      : NEVER;
	if (x->mode != MODE_END)
		look(expect, x, false, config->from_ns);
}

static void arm(struct expect *expect)
{
	expect->next_ns = expect->tick_ns;
	for (uint32_t i = 0; i < expect->count; i++)
		if (expect->at[i].moment_ns < expect->next_ns)
			expect->next_ns = expect->at[i].moment_ns;
	if (expect->next_ns == NEVER)
		timer_cancel(&expect->loop->timers, &expect->timer);
	else
		timer_arm(&expect->loop->timers, &expect->timer,
			  expect->start_ns + expect->next_ns + 1);
}

static void tick(struct expect *expect)
{
	int64_t at_ns = expect->tick_ns;

	expect->tick_ns = NEVER;
	for (uint32_t i = 0; i < expect->count; i++)
		if (expect->at[i].phase == PHASE_OPEN && expect->at[i].sampled)
			look(expect, &expect->at[i], false, at_ns);
}

/* All moments before `before_ns`, in order. */
static void run_moments(struct expect *expect, int64_t before_ns)
{
	while (expect->next_ns < before_ns) {
		int64_t at_ns = expect->next_ns;
		if (expect->tick_ns == at_ns)
			tick(expect);
		for (uint32_t i = 0; i < expect->count; i++) {
			struct expectation *x = &expect->at[i];
			if (x->moment_ns != at_ns)
				continue;
			if (x->phase == PHASE_WAITING)
				begin(expect, x);
			else
				judge_in_time(expect, x, at_ns);
		}
		arm(expect);
	}
}

static void on_time(struct timer *timer, int64_t now_ns)
{
	struct expect *expect = OF(timer, struct expect, timer);

	run_moments(expect, now_ns - expect->start_ns);
}

/* ---- events ---- */

static bool wants_tick(const struct expect *expect)
{
	for (uint32_t i = 0; i < expect->count; i++)
		if (expect->at[i].sampled && expect->at[i].mode != MODE_END &&
		    expect->at[i].phase != PHASE_DECIDED)
			return true;
	return false;
}

static void on_event(struct event_sink *sink, const struct event *event)
{
	struct expect *expect = OF(sink, struct expect, sink);
	uint64_t bit = EVENT_BIT(event->kind);
	bool open = false;

	if (!expect->running)
		return;
	struct sighting sighting = { event, event->t_ns - expect->start_ns,
				     people_who(&expect->people, event) };
	run_moments(expect, sighting.since_ns);
	gauges_note(&expect->gauges, &sighting);
	for (uint32_t i = 0; i < expect->count; i++) {
		struct expectation *x = &expect->at[i];
		if (x->phase != PHASE_OPEN || !(x->kinds & bit))
			continue;
		if (x->condition->ordered)
			order_note(&x->order, &expect->people, &sighting);
		else
			look(expect, x, true, sighting.since_ns);
		open |= x->phase == PHASE_DECIDED;
	}
	if (expect->gauges.sampled) {
		expect->gauges.sampled = false;
		if (expect->tick_ns == NEVER && wants_tick(expect)) {
			expect->tick_ns = (sighting.since_ns / TICK_NS + 1) * TICK_NS;
			open = true;
		}
	}
	if (open)
		arm(expect);
}

/* ---- life ---- */

static int build_condition(struct expect *expect, struct expectation *x)
{
	const struct condition *condition = x->condition;
	int rc = 0;

	if (condition->ordered) {
		const struct chosen *chosen;
		rc = people_choose(&expect->people, x->config->targets, &chosen);
		if (rc == 0)
			rc = order_init(&x->order, &condition->order, &expect->people, chosen);
		x->order.from_ns = x->config->from_ns;
		x->kinds = EVENT_BIT(condition->order.first) | EVENT_BIT(condition->order.then);
		return rc;
	}
	for (size_t i = 0; rc == 0 && i < condition->count; i++) {
		const struct operand *operands[] = { &condition->comparisons[i].left,
						     &condition->comparisons[i].right };
		for (int side = 0; rc == 0 && side < 2; side++) {
			const struct operand *operand = operands[side];
			if (!operand->metric)
				continue;
			rc = gauges_of(&expect->gauges, &operand->spec, &x->gauges[i][side]);
			if (rc < 0)
				break;
			x->kinds |= x->gauges[i][side]->kinds;
			x->sampled |= operand->spec.kind == GAUGE_LATENCY &&
				      operand->statistic == STATISTIC_PERCENTILE;
		}
	}
	return rc;
}

static int build(struct expect *expect, struct expectation *x, const struct expect_config *config)
{
	x->config = config;
	x->condition = config->parsed;
	x->mode = expect_mode(config, x->mode_text, sizeof(x->mode_text));
	x->moment_ns = NEVER;
	x->verdict = (struct verdict){ .name = config->name,
				       .that = config->that,
				       .mode = x->mode_text,
				       .outcome = VERDICT_ERROR,
				       .file = config->origin.file,
				       .line = config->origin.line };
	verdict_say(&x->verdict, "not judged yet");
	int rc = build_condition(expect, x);
	expect->sink.mask |= x->kinds;
	return rc;
}

int expect_new(struct loop *loop, struct events *events, const struct setting_list *list,
	       const struct fleet *fleet, const struct master *master, struct expect **ret)
{
	const struct expect_config *configs = list->at;
	struct expect *expect = calloc(1, sizeof(*expect));
	size_t metrics = list->count * COMPARISONS_MAX * 2;
	int rc = -ENOMEM;

	if (expect == NULL)
		return rc;
	expect->loop = loop;
	expect->events = events;
	expect->timer.fire = on_time;
	expect->next_ns = expect->tick_ns = NEVER;
	expect->at = calloc(list->count + 1, sizeof(*expect->at));
	if (expect->at == NULL)
		goto fail;
	expect->count = (uint32_t)list->count;
	rc = people_init(&expect->people, fleet, master, metrics);
	if (rc == 0)
		rc = gauges_init(&expect->gauges, &expect->people, metrics);
	for (uint32_t i = 0; rc == 0 && i < expect->count; i++)
		rc = build(expect, &expect->at[i], &configs[i]);
	if (rc < 0)
		goto fail;
	expect->sink.event = on_event;
	if (expect->count > 0)
		events_add(events, &expect->sink);
	*ret = expect;
	return 0;
fail:
	expect_free(expect);
	return rc;
}

void expect_start(struct expect *expect)
{
	expect->start_ns = expect->loop->now_ns;
	expect->running = true;
	gauges_start(&expect->gauges);
	for (uint32_t i = 0; i < expect->count; i++) {
		struct expectation *x = &expect->at[i];
		x->verdict.seen[0] = '\0';
		if (x->mode == MODE_END) {
			begin(expect, x);
			continue;
		}
		x->moment_ns = x->config->from_ns;
	}
	arm(expect);
}

void expect_finish(struct expect *expect)
{
	if (expect->finished)
		return;
	expect->finished = true;
	timer_cancel(&expect->loop->timers, &expect->timer);
	if (!expect->running)
		return;
	int64_t end_ns = expect->loop->now_ns - expect->start_ns;
	run_moments(expect, end_ns + 1);
	expect->running = false;
	for (uint32_t i = 0; i < expect->count; i++) {
		struct expectation *x = &expect->at[i];
		if (x->phase == PHASE_DECIDED)
			continue;
		if (x->phase == PHASE_WAITING || x->moment_ns != NEVER)
			judge_early(expect, x, end_ns);
		else
			judge_in_time(expect, x, end_ns);
	}
	timer_cancel(&expect->loop->timers, &expect->timer);
}

uint32_t expect_count(const struct expect *expect)
{
	return expect->count;
}

const struct verdict *expect_verdict(const struct expect *expect, uint32_t i)
{
	return &expect->at[i].verdict;
}

uint32_t expect_failed(const struct expect *expect)
{
	uint32_t late = 0;

	for (uint32_t i = 0; i < expect->count; i++)
		late += expect->at[i].phase == PHASE_OPEN && expect->at[i].order.late.total > 0;
	return expect->failed + late;
}

static void leave(struct expect *expect)
{
	struct event_sink **at = &expect->events->sinks;

	expect->events->mask = 0;
	while (*at != NULL) {
		if (*at == &expect->sink) {
			*at = expect->sink.next;
			continue;
		}
		expect->events->mask |= (*at)->mask;
		at = &(*at)->next;
	}
}

void expect_free(struct expect *expect)
{
	if (expect == NULL)
		return;
	timer_cancel(&expect->loop->timers, &expect->timer);
	leave(expect);
	for (uint32_t i = 0; expect->at != NULL && i < expect->count; i++)
		order_release(&expect->at[i].order);
	gauges_release(&expect->gauges);
	people_release(&expect->people);
	free(expect->at);
	free(expect);
}

#include "emulator/scenario/timeline.h"

#include "emulator/base/rng.h"
#include "emulator/scenario/rate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define FIRINGS_MAX 65536

/* A step that is due at a moment. */
struct firing {
	struct timer timer;
	struct timeline *timeline;
	struct step *step;
};

/* A step, and what it needs while the run goes on. */
struct step {
	const struct step_config *config;
	struct timeline *timeline;
	uint64_t fired, drawn, selections;
	/* Of `over`: who is left. Of rate: who is chosen from. */
	uint32_t *list, list_len, list_next;
	int64_t spread_start_ns;
	struct timer spread;
	struct rate rate;
};

struct timeline {
	struct event_sink sink;
	struct loop *loop;
	struct events *events;
	struct fleet *fleet;
	struct master *master;
	uint64_t seed;
	struct step *steps;
	size_t count;
	struct pool firings;
	int64_t start_ns, paused_until_ns;
	uint32_t *chosen;
	uint8_t *marks;
	uint64_t done, dropped;
};

static uint64_t step_number(const struct step *step)
{
	return (uint64_t)(step - step->timeline->steps);
}

static void note(struct timeline *timeline, const char *text)
{
	struct event event = { .t_ns = timeline->loop->now_ns,
			       .kind = EVENT_NOTE,
			       .target = EVENT_NO_TARGET,
			       .text = text,
			       .text_len = strlen(text) };

	if (events_wanted(timeline->events, EVENT_NOTE))
		events_deliver(timeline->events, &event);
}

static void snapshot(struct timeline *timeline, const char *name)
{
	const struct target_totals *totals = &timeline->fleet->env.totals;
	char text[320];
	size_t len = (size_t)snprintf(text, sizeof(text), "snapshot %.100s: registered %llu", name,
				      (unsigned long long)totals->registered);

	for (int state = 0; state < TARGET_STATES; state++)
		if (totals->by_state[state] > 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, ", %s %llu",
						target_state_name((enum target_state)state),
						(unsigned long long)totals->by_state[state]);
	note(timeline, text);
}

/* ---- what a step does to one target ---- */

static void send_command(struct step *step, struct target *target, int64_t due_ns)
{
	struct timeline *timeline = step->timeline;
	const struct step_config *config = step->config;
	struct qn_text duration = { config->duration_text, strlen(config->duration_text) };
	int64_t number = master_find(timeline->master, target->name, target->name_len);

	if (number < 0 || master_command(timeline->master, (uint32_t)number, config->command_type,
					 due_ns, duration, NULL, NULL) < 0)
		timeline->dropped++;
}

static void clear_faults(struct target *target, const struct step_config *config)
{
	if (config->has_fault) {
		target_fault_off(target, (enum fault_kind)config->fault.kind);
		return;
	}
	for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
		target_fault_off(target, (enum fault_kind)kind);
}

static void act_on(struct step *step, struct target *target, uint32_t nth)
{
	struct timeline *timeline = step->timeline;
	const struct step_config *config = step->config;

	switch ((enum step_action)config->action) {
	case STEP_SPAWN:
	case STEP_POWER_ON: target_power_on(target); break;
	case STEP_RETIRE:
	case STEP_POWER_OFF: target_power_off(target); break;
	case STEP_COMMAND: send_command(step, target, timeline->loop->now_ns); break;
	case STEP_HIT: target_hit(target); break;
	case STEP_MISS: target_miss(target); break;
	case STEP_FAULT:
		if (!target_fault_on(target, &config->fault))
			timeline->dropped++;
		break;
	case STEP_CLEAR: clear_faults(target, config); break;
	case STEP_REBOOT:
		target_power_off(target);
		target_power_on(target);
		break;
	case STEP_MOVE:
		if (nth < addresses_total(&config->list))
			target_move_to(target, addresses_at(&config->list, nth));
		else
			timeline->dropped++;
		break;
	default: break;
	}
}

/* ---- who ---- */

static uint32_t choose(struct step *step, uint32_t *out)
{
	struct timeline *timeline = step->timeline;
	uint64_t bits = rng_draw(timeline->seed, step_number(step), RNG_TIMELINE,
				 UINT64_C(1) << 32 | step->selections++);
	uint32_t n = selector_apply(&step->config->selector, &timeline->fleet->subject, bits, out,
				    timeline->marks);

	if (step->config->action != STEP_SPAWN)
		return n;
	/* Of those that are off, as many as are asked for. */
	uint32_t kept = 0, most = step->config->count > 0 ? (uint32_t)step->config->count : n;
	for (uint32_t i = 0; i < n && kept < most; i++)
		if (timeline->fleet->targets[out[i]].state == TARGET_OFF)
			out[kept++] = out[i];
	return kept;
}

static void spread_next(struct timer *timer, int64_t now_ns)
{
	struct step *step = OF(timer, struct step, spread);
	struct timeline *timeline = step->timeline;
	int64_t gap_count = step->list_len > 1 ? (int64_t)step->list_len - 1 : 1;

	while (step->list_next < step->list_len) {
		int64_t due = step->spread_start_ns +
			      (int64_t)((double)step->config->over_ns * step->list_next /
					(double)gap_count);
		if (due > now_ns) {
			timer_arm(&timeline->loop->timers, timer, due);
			return;
		}
		uint32_t nth = step->list_next++;
		act_on(step, &timeline->fleet->targets[step->list[nth]], nth);
	}
}

/* ---- rates ---- */

static void rate_send(struct rate *rate, int64_t due_ns)
{
	struct step *step = OF(rate, struct step, rate);
	struct timeline *timeline = step->timeline;

	if (step->list_len == 0)
		return;
	uint64_t bits = rng_draw(timeline->seed, step_number(step), RNG_TIMELINE,
				 UINT64_C(2) << 32 | step->drawn++);
	uint32_t number = step->list[rng_below(bits, step->list_len)];
	send_command(step, &timeline->fleet->targets[number], due_ns);
}

/* ---- steps ---- */

static void do_step(struct step *step)
{
	struct timeline *timeline = step->timeline;
	const struct step_config *config = step->config;

	timeline->done++;
	switch ((enum step_action)config->action) {
	case STEP_PAUSE: {
		int64_t until = timeline->loop->now_ns + config->for_ns;
		if (until > timeline->paused_until_ns)
			timeline->paused_until_ns = until;
		return;
	}
	case STEP_MASTER_STOP: master_stop(timeline->master); return;
	case STEP_MASTER_START:
		if (master_listen(timeline->master) < 0)
			timeline->dropped++;
		return;
	case STEP_LOG: note(timeline, config->text); return;
	case STEP_SNAPSHOT: snapshot(timeline, config->text); return;
	case STEP_RATE:
		step->list_len = choose(step, step->list);
		rate_start(&step->rate, timeline->loop, &config->rate, config->for_ns,
			   &timeline->paused_until_ns, rate_send);
		return;
	default: break;
	}
	if (config->over_ns > 0) {
		step->list_len = choose(step, step->list);
		step->list_next = 0;
		step->spread_start_ns = timeline->loop->now_ns;
		loop_timer(timeline->loop, &step->spread, 0);
		return;
	}
	uint32_t n = choose(step, timeline->chosen);
	for (uint32_t i = 0; i < n; i++)
		act_on(step, &timeline->fleet->targets[timeline->chosen[i]], i);
}

static void schedule(struct step *step, int64_t due_ns);

static void fire(struct timer *timer, int64_t now_ns)
{
	struct firing *firing = OF(timer, struct firing, timer);
	struct timeline *timeline = firing->timeline;
	struct step *step = firing->step;
	const struct step_config *config = step->config;

	if (now_ns < timeline->paused_until_ns) {
		/* What falls due in a pause is done at its end, in the same order. */
		timer_arm(&timeline->loop->timers, timer, timeline->paused_until_ns);
		return;
	}
	pool_put(&timeline->firings, firing);
	do_step(step);
	if (config->has_every)
		schedule(step, timeline->start_ns + config->from_ns +
				       (int64_t)step->fired * config->every_ns);
}

/* Enters a firing, jitter included, unless the step has had all its times. */
static void schedule(struct step *step, int64_t due_ns)
{
	struct timeline *timeline = step->timeline;
	const struct step_config *config = step->config;
	uint64_t most = config->times > 0   ? (uint64_t)config->times
			: config->has_every ? UINT64_MAX
					    : 1;

	if (step->fired >= most || (config->has_every && config->has_until &&
				    due_ns > timeline->start_ns + config->until_ns))
		return;
	struct firing *firing = pool_get(&timeline->firings);
	if (firing == NULL) {
		timeline->dropped++;
		return;
	}
	uint64_t bits = rng_draw(timeline->seed, step_number(step), RNG_TIMELINE, step->fired++);
	*firing = (struct firing){ .timer.fire = fire, .timeline = timeline, .step = step };
	timer_arm(&timeline->loop->timers, &firing->timer,
		  due_ns + dist_draw(&config->jitter, bits));
}

/* ---- after an event ---- */

static bool concerns(const struct timeline *timeline, const struct step_config *config,
		     uint32_t number)
{
	struct selector_subject one = timeline->fleet->subject;
	uint32_t out;
	uint8_t mark;

	if (config->after_selector.count == 1 &&
	    config->after_selector.factors[0].kind == SELECT_ALL)
		return true;
	/* The question for one target: the same subject, begun at that target. */
	one.count = 1;
	one.context = NULL;
	const struct target *target = &timeline->fleet->targets[number];
	struct fleet alone = { .targets = (struct target *)target, .count = 1 };
	one.context = &alone;
	return selector_apply(&config->after_selector, &one, 0, &out, &mark) == 1;
}

static void on_event(struct event_sink *sink, const struct event *event)
{
	struct timeline *timeline = OF(sink, struct timeline, sink);

	if (event->target >= timeline->fleet->count)
		return;
	for (size_t i = 0; i < timeline->count; i++) {
		struct step *step = &timeline->steps[i];
		const struct step_config *config = step->config;
		if (config->has_after && (int)event->kind == config->after_event &&
		    concerns(timeline, config, event->target))
			schedule(step, event->t_ns + config->wait_ns);
	}
}

/* ---- */

static bool needs_list(const struct step_config *config)
{
	return config->over_ns > 0 || config->action == STEP_RATE;
}

int timeline_new(struct loop *loop, struct events *events, const struct setting_list *steps,
		 struct fleet *fleet, struct master *master, uint64_t seed, struct timeline **ret)
{
	const struct step_config *configs = steps->at;
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	uint64_t mask = 0;

	if (timeline == NULL)
		return -ENOMEM;
	timeline->loop = loop;
	timeline->events = events;
	timeline->fleet = fleet;
	timeline->master = master;
	timeline->seed = seed;
	timeline->count = steps->count;
	timeline->steps = calloc(steps->count + 1, sizeof(*timeline->steps));
	timeline->chosen = calloc(fleet->count, sizeof(*timeline->chosen));
	timeline->marks = calloc(fleet->count, 1);
	int rc = pool_init(&timeline->firings, sizeof(struct firing), FIRINGS_MAX);
	if (timeline->steps == NULL || timeline->chosen == NULL || timeline->marks == NULL)
		rc = -ENOMEM;
	for (size_t i = 0; rc == 0 && i < steps->count; i++) {
		struct step *step = &timeline->steps[i];
		step->config = &configs[i];
		step->timeline = timeline;
		step->spread.fire = spread_next;
		if (needs_list(step->config)) {
			step->list = calloc(fleet->count, sizeof(*step->list));
			rc = step->list != NULL ? 0 : -ENOMEM;
		}
		if (step->config->has_after)
			mask |= EVENT_BIT(step->config->after_event);
	}
	if (rc < 0) {
		timeline_free(timeline);
		return rc;
	}
	timeline->sink = (struct event_sink){ .event = on_event, .mask = mask };
	if (mask != 0)
		events_add(events, &timeline->sink);
	*ret = timeline;
	return 0;
}

void timeline_start(struct timeline *timeline)
{
	timeline->start_ns = timeline->loop->now_ns;
	for (size_t i = 0; i < timeline->count; i++) {
		struct step *step = &timeline->steps[i];
		if (step->config->has_at)
			schedule(step, timeline->start_ns + step->config->at_ns);
		else if (step->config->has_every)
			schedule(step, timeline->start_ns + step->config->from_ns);
	}
}

void timeline_free(struct timeline *timeline)
{
	if (timeline == NULL)
		return;
	for (size_t i = 0; timeline->steps != NULL && i < timeline->count; i++) {
		timer_cancel(&timeline->loop->timers, &timeline->steps[i].spread);
		rate_stop(&timeline->steps[i].rate);
		free(timeline->steps[i].list);
	}
	for (size_t i = 0; i < timeline->firings.fresh; i++) {
		struct firing *firing = pool_at(&timeline->firings, i);
		timer_cancel(&timeline->loop->timers, &firing->timer); /* harmless where it fired */
	}
	free(timeline->steps);
	free(timeline->chosen);
	free(timeline->marks);
	pool_release(&timeline->firings);
	free(timeline);
}

uint64_t timeline_done(const struct timeline *timeline)
{
	return timeline->done;
}

uint64_t timeline_dropped(const struct timeline *timeline)
{
	return timeline->dropped;
}

#include "emulator/scenario/expect_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATE_KINDS                                                                                \
	(EVENT_BIT(EVENT_RISING) | EVENT_BIT(EVENT_STANDING) | EVENT_BIT(EVENT_FALLING) |          \
	 EVENT_BIT(EVENT_DOWN) | EVENT_BIT(EVENT_ACTIVE) | EVENT_BIT(EVENT_LISTENING) |            \
	 EVENT_BIT(EVENT_CRASHED) | EVENT_BIT(EVENT_GAVE_UP) | EVENT_BIT(EVENT_POWER_OFF) |        \
	 EVENT_BIT(EVENT_POWER_ON) | EVENT_BIT(EVENT_REGISTERED))
#define ENDED_KINDS (EVENT_BIT(EVENT_M_OK) | EVENT_BIT(EVENT_M_FAILED) | EVENT_BIT(EVENT_M_LOST))
#define REMOTE_KINDS (EVENT_BIT(EVENT_M_REGISTERED) | EVENT_BIT(EVENT_M_FORGOTTEN) | ENDED_KINDS)

/* ---- building ---- */

static uint64_t kinds_of(const struct gauge_spec *spec)
{
	switch (spec->kind) {
	case GAUGE_POPULATION:
		return spec->status & (STATUS_M_EVER | STATUS_M_KNOWN | STATUS_M_LOST)
			       ? REMOTE_KINDS
			       : STATE_KINDS;
	case GAUGE_COUNT: return spec->events;
	case GAUGE_LOSS: return ENDED_KINDS;
	case GAUGE_LATENCY: break;
	}
	return EVENT_BIT(EVENT_M_OK);
}

int gauges_init(struct gauges *gauges, struct people *people, size_t max)
{
	*gauges = (struct gauges){ .people = people };
	gauges->at = calloc(max + 1, sizeof(*gauges->at));
	return gauges->at != NULL ? 0 : -ENOMEM;
}

void gauges_release(struct gauges *gauges)
{
	for (size_t i = 0; i < gauges->count; i++) {
		crowd_release(&gauges->at[i].crowd);
		hist_release(&gauges->at[i].hist);
	}
	free(gauges->at);
	free(gauges->status);
	*gauges = (struct gauges){ .people = NULL };
}

static bool same_spec(const struct gauge_spec *a, const struct gauge_spec *b)
{
	return a->kind == b->kind && a->status == b->status && a->command == b->command &&
	       a->events == b->events && a->from_ns == b->from_ns && a->to_ns == b->to_ns &&
	       strcmp(a->selector, b->selector) == 0;
}

static int build(struct gauges *gauges, struct gauge *gauge)
{
	const struct people *people = gauges->people;
	const uint64_t of_master = gauge->kinds & (REMOTE_KINDS | EVENT_BIT(EVENT_M_SENT));
	uint32_t cap = of_master ? people->capacity : people->fleet_count;

	switch (gauge->spec->kind) {
	case GAUGE_LATENCY: return hist_init(&gauge->hist);
	case GAUGE_COUNT:
	case GAUGE_LOSS: return crowd_init(&gauge->crowd, gauge->kinds & NOBODY_KINDS ? 0 : cap);
	case GAUGE_POPULATION: break;
	}
	gauges->status_kinds |= gauge->kinds;
	if (gauges->status == NULL)
		gauges->status = calloc((size_t)people->capacity + 1, sizeof(*gauges->status));
	return gauges->status != NULL ? 0 : -ENOMEM;
}

int gauges_of(struct gauges *gauges, const struct gauge_spec *spec, const struct gauge **ret)
{
	for (size_t i = 0; i < gauges->count; i++)
		if (same_spec(gauges->at[i].spec, spec)) {
			*ret = &gauges->at[i];
			return 0;
		}
	struct gauge *gauge = &gauges->at[gauges->count];
	*gauge = (struct gauge){ .spec = spec, .kinds = kinds_of(spec) };
	int rc = people_choose(gauges->people, spec->selector, &gauge->chosen);
	if (rc < 0)
		return rc;
	gauges->count++;
	*ret = gauge;
	return build(gauges, gauge);
}

/* ---- populations ---- */

_Static_assert(STATUS_M_LOST <= UINT16_MAX, "a status has 16 bits");

static uint16_t status_of_target(const struct target *target, uint16_t before, bool gives_up)
{
	uint16_t status = before & (STATUS_M_EVER | STATUS_M_KNOWN | STATUS_M_LOST);

	status |= STATUS_EXISTS;
	/* A target says that it gives up, and is gone right after. */
	unsigned state = gives_up ? TARGET_GONE : target->state;
	status |= (uint16_t)(1 << state);
	if (target->registered && state != TARGET_GONE)
		status |= STATUS_REGISTERED;
	if (state == TARGET_GONE && (before & (STATUS_REGISTERED | STATUS_LOST)))
		status |= STATUS_LOST;
	return status;
}

static uint16_t status_of_remote(enum event_kind kind, uint16_t before)
{
	before |= STATUS_M_EVER;
	switch (kind) {
	case EVENT_M_REGISTERED: return before | STATUS_M_KNOWN;
	case EVENT_M_FORGOTTEN: return (uint16_t)(before & ~STATUS_M_KNOWN);
	case EVENT_M_OK: return (uint16_t)(before & ~STATUS_M_LOST);
	default: return before | STATUS_M_LOST;
	}
}

static void set_status(struct gauges *gauges, uint32_t who, const char *name, uint16_t status)
{
	uint16_t before = gauges->status[who];

	if (status == before)
		return;
	gauges->status[who] = status;
	for (size_t i = 0; i < gauges->count; i++) {
		struct gauge *gauge = &gauges->at[i];
		bool was = (before & gauge->spec->status) != 0;
		bool is = (status & gauge->spec->status) != 0;
		if (was != is && people_chosen(gauges->people, gauge->chosen, who, name))
			gauge->count = is ? gauge->count + 1 : gauge->count - 1;
	}
}

static void note_status(struct gauges *gauges, const struct sighting *sighting)
{
	enum event_kind kind = sighting->event->kind;
	uint32_t who = sighting->who;
	uint16_t status;

	if (who == NOBODY)
		return;
	status = gauges->status[who];
	if (expect_kind_of_master(kind))
		status = status_of_remote(kind, status);
	else
		status = status_of_target(&gauges->people->fleet->targets[who], status,
					  kind == EVENT_GAVE_UP);
	set_status(gauges, who, sighting->event->name, status);
}

void gauges_start(struct gauges *gauges)
{
	const struct people *people = gauges->people;
	uint32_t remotes = people->master != NULL ? master_count(people->master) : 0;

	if (gauges->status == NULL)
		return;
	for (uint32_t i = 0; i < people->fleet_count; i++) {
		const struct target *target = &people->fleet->targets[i];
		set_status(gauges, i, target->name,
			   status_of_target(target, gauges->status[i], false));
	}
	for (uint32_t i = 0; i < remotes; i++) {
		const struct remote *remote = master_remote(people->master, i);
		struct event event = { .kind = EVENT_M_REGISTERED,
				       .target = i,
				       .name = remote->id };
		uint32_t who = people_who(people, &event);
		if (who == NOBODY)
			continue;
		uint16_t status = gauges->status[who];
		if (remote->ever_registered)
			status |= STATUS_M_EVER;
		if (remote->known)
			status |= STATUS_M_KNOWN;
		if (remote->last > MASTER_OK + 1)
			status |= STATUS_M_LOST;
		set_status(gauges, who, remote->id, status);
	}
}

/* ---- events ---- */

/* Each target stands once among the slowest, with its worst. */
static void note_slow(struct gauge *gauge, const struct sighting *sighting)
{
	struct slow *slowest = gauge->slowest;
	int64_t ns = sighting->event->value;
	uint32_t i = 0;

	if (sighting->who == NOBODY)
		return;
	if (gauge->slowest_count == VERDICT_TARGETS_MAX &&
	    ns <= slowest[VERDICT_TARGETS_MAX - 1].ns)
		return;
	while (i < gauge->slowest_count && slowest[i].who != sighting->who)
		i++;
	if (i < gauge->slowest_count && slowest[i].ns >= ns)
		return;
	if (i == VERDICT_TARGETS_MAX)
		i--; /* the least slow makes room */
	else if (i == gauge->slowest_count)
		gauge->slowest_count++;
	for (; i > 0 && slowest[i - 1].ns < ns; i--)
		slowest[i] = slowest[i - 1];
	slowest[i].ns = ns;
	slowest[i].who = sighting->who;
	snprintf(slowest[i].name, sizeof(slowest[i].name), "%s", sighting->event->name);
}

static void note(struct gauges *gauges, struct gauge *gauge, const struct sighting *sighting)
{
	const struct event *event = sighting->event;
	const struct gauge_spec *spec = gauge->spec;

	if (spec->command != 0 && spec->command != event->type)
		return;
	/* A command counts where it was due: or those that waited longest would leave the window.
	 */
	int64_t when = sighting->since_ns;
	if (EVENT_BIT(event->kind) & ENDED_KINDS)
		when = when > event->value ? when - event->value : 0;
	if (when < spec->from_ns || when >= spec->to_ns)
		return;
	if (!people_chosen(gauges->people, gauge->chosen, sighting->who, event->name))
		return;
	gauge->count++;
	if (spec->kind == GAUGE_LATENCY) {
		hist_record(&gauge->hist, event->value);
		gauges->sampled = true;
		note_slow(gauge, sighting);
		return;
	}
	if (spec->kind == GAUGE_LOSS) {
		if (event->kind == EVENT_M_OK)
			return;
		gauge->bad++;
	}
	crowd_add(&gauge->crowd, sighting->who, event->name);
}

void gauges_note(struct gauges *gauges, const struct sighting *sighting)
{
	uint64_t bit = EVENT_BIT(sighting->event->kind);

	if (gauges->status_kinds & bit)
		note_status(gauges, sighting);
	for (size_t i = 0; i < gauges->count; i++)
		if ((gauges->at[i].kinds & bit) && gauges->at[i].spec->kind != GAUGE_POPULATION)
			note(gauges, &gauges->at[i], sighting);
}

/* ---- values ---- */

static double latency_value(const struct gauge *gauge, const struct operand *operand)
{
	switch (operand->statistic) {
	case STATISTIC_PERCENTILE: return (double)hist_percentile(&gauge->hist, operand->percent);
	case STATISTIC_MIN: return (double)gauge->hist.min;
	case STATISTIC_MEAN: return hist_mean(&gauge->hist);
	case STATISTIC_MAX: break;
	}
	return (double)gauge->hist.max;
}

bool gauge_value(const struct gauge *gauge, const struct operand *operand, double *ret)
{
	switch (gauge->spec->kind) {
	case GAUGE_LATENCY:
		if (gauge->hist.n == 0)
			return false;
		*ret = latency_value(gauge, operand);
		return true;
	case GAUGE_LOSS:
		if (gauge->count == 0)
			return false;
		/* In percent: 100 * bad is exact, so 1 of 1000 is the very number that "0.1%" is.
		 */
		*ret = 100 * (double)gauge->bad / (double)gauge->count;
		return true;
	default: *ret = (double)gauge->count; return true;
	}
}

/* ---- blame ---- */

struct blame {
	const struct gauges *gauges;
	const struct gauge *gauge;
	bool wanted; /* those that count, or those that do not */
	struct verdict *verdict;
};

static void accuse(struct verdict *verdict, const char *name)
{
	if (verdict->targets_count < VERDICT_TARGETS_MAX)
		snprintf(verdict->targets[verdict->targets_count++], sizeof(verdict->targets[0]),
			 "%s", name);
	verdict->targets_total++;
}

static void blame_status(uint32_t who, const char *name, void *context)
{
	const struct blame *blame = context;
	uint16_t status = blame->gauges->status[who];
	/* Of those that the gauge can count at all. */
	uint16_t there = blame->gauge->kinds == STATE_KINDS ? STATUS_EXISTS : STATUS_M_EVER;

	if ((status & there) && ((status & blame->gauge->spec->status) != 0) == blame->wanted)
		accuse(blame->verdict, name);
}

static void blame_absent(uint32_t who, const char *name, void *context)
{
	const struct blame *blame = context;

	if (!crowd_has(&blame->gauge->crowd, who))
		accuse(blame->verdict, name);
}

static void blame_crowd(const struct crowd *crowd, struct verdict *verdict)
{
	for (uint32_t i = 0; i < crowd->total && i < VERDICT_TARGETS_MAX; i++)
		accuse(verdict, crowd->names[i]);
	verdict->targets_total = crowd->total;
}

void gauge_blame(const struct gauges *gauges, const struct gauge *gauge, bool too_large,
		 double limit_ns, struct verdict *verdict)
{
	struct blame blame = { gauges, gauge, too_large, verdict };

	switch (gauge->spec->kind) {
	case GAUGE_POPULATION:
		people_each(gauges->people, gauge->chosen, blame_status, &blame);
		break;
	case GAUGE_COUNT:
		if (too_large)
			blame_crowd(&gauge->crowd, verdict);
		else if (gauge->crowd.cap > 0)
			people_each(gauges->people, gauge->chosen, blame_absent, &blame);
		break;
	case GAUGE_LOSS:
		if (too_large)
			blame_crowd(&gauge->crowd, verdict);
		break;
	case GAUGE_LATENCY:
		for (uint32_t i = 0; too_large && i < gauge->slowest_count; i++)
			if ((double)gauge->slowest[i].ns > limit_ns)
				accuse(verdict, gauge->slowest[i].name);
		break;
	}
}

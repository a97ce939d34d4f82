#include "emulator/scenario/timeline.h"

#include <stdio.h>
#include <string.h>

static const char *const action_words[] = { "spawn",        "retire",   "command",  "hit",
					    "miss",         "fault",    "clear",    "reboot",
					    "power_off",    "power_on", "move",     "rate",
					    "pause",        "log",      "snapshot", "master_stop",
					    "master_start", NULL };
static const char *const shape_words[] = { "steady", "linear", "steps", "sine", "burst", NULL };

#define DAYS_NS(n) ((int64_t)(n)*24 * 3600 * NS_PER_S)

#define RATE(member) offsetof(struct rate_config, member)
static const struct setting rate_settings[] = {
	{ .name = "shape",
	  .kind = SETTING_WORD,
	  .offset = RATE(shape),
	  .def = "steady",
	  .words = shape_words,
	  .help = "how the rate goes from per_s to to_per_s" },
	{ .name = "per_s",
	  .kind = SETTING_FLOAT,
	  .offset = RATE(per_s),
	  .required = true,
	  .fmin = 0,
	  .fmax = 1e7,
	  .help = "commands a second, at the start or at least" },
	{ .name = "to_per_s",
	  .kind = SETTING_FLOAT,
	  .offset = RATE(to_per_s),
	  .def = "0",
	  .fmin = 0,
	  .fmax = 1e7,
	  .help = "at the end, or at most (linear, steps, sine, burst)" },
	{ .name = "steps",
	  .kind = SETTING_INT,
	  .offset = RATE(steps),
	  .def = "5",
	  .min = 2,
	  .max = 1000,
	  .help = "of steps: how many levels" },
	{ .name = "period",
	  .kind = SETTING_DURATION,
	  .offset = RATE(period_ns),
	  .def = "10s",
	  .min = NS_PER_MS,
	  .max = DAYS_NS(1),
	  .help = "of sine and burst; a burst lasts a tenth of it" },
	{ .name = NULL },
};
static const struct setting_table rate_table = { .title = "a rate of commands",
						 .size = sizeof(struct rate_config),
						 .settings = rate_settings,
						 .origin_offset = SIZE_MAX };

#define STEP(member) offsetof(struct step_config, member)
static const struct setting step_settings[] = {
	{ .name = "do",
	  .kind = SETTING_WORD,
	  .offset = STEP(action),
	  .required = true,
	  .words = action_words,
	  .help = "what is done" },
	{ .name = "at",
	  .kind = SETTING_DURATION,
	  .offset = STEP(at_ns),
	  .min = 0,
	  .max = DAYS_NS(1000),
	  .present_offset = STEP(has_at),
	  .help = "once, at this time" },
	{ .name = "every",
	  .kind = SETTING_DURATION,
	  .offset = STEP(every_ns),
	  .min = NS_PER_US,
	  .max = DAYS_NS(1000),
	  .present_offset = STEP(has_every),
	  .help = "again and again" },
	{ .name = "from",
	  .kind = SETTING_DURATION,
	  .offset = STEP(from_ns),
	  .min = 0,
	  .max = DAYS_NS(1000),
	  .present_offset = STEP(has_from),
	  .help = "with every: the first time; absent: after one period" },
	{ .name = "until",
	  .kind = SETTING_DURATION,
	  .offset = STEP(until_ns),
	  .min = 0,
	  .max = DAYS_NS(1000),
	  .present_offset = STEP(has_until),
	  .help = "with every: not later than this" },
	{ .name = "after",
	  .kind = SETTING_STRING,
	  .offset = STEP(after),
	  .present_offset = STEP(has_after),
	  .help = "when this happens: \"target_3 stands\", \"group:west hit\"" },
	{ .name = "wait",
	  .kind = SETTING_DURATION,
	  .offset = STEP(wait_ns),
	  .def = "0s",
	  .min = 0,
	  .max = DAYS_NS(1000),
	  .help = "with after: so long after it" },
	{ .name = "times",
	  .kind = SETTING_INT,
	  .offset = STEP(times),
	  .def = "0",
	  .min = 0,
	  .max = INT64_C(1000000000),
	  .help = "at most so often; 0: with after once, with every no limit" },
	{ .name = "jitter",
	  .kind = SETTING_DIST,
	  .offset = STEP(jitter),
	  .def = "0s",
	  .help = "a drawn delay on top" },
	{ .name = "targets",
	  .kind = SETTING_STRING,
	  .offset = STEP(targets),
	  .def = "all",
	  .help = "to whom: a selector" },
	{ .name = "count",
	  .kind = SETTING_INT,
	  .offset = STEP(count),
	  .def = "0",
	  .min = 0,
	  .max = 10000000,
	  .help = "of spawn: how many of those that are off; 0: all" },
	{ .name = "over",
	  .kind = SETTING_DURATION,
	  .offset = STEP(over_ns),
	  .def = "0s",
	  .min = 0,
	  .max = DAYS_NS(1),
	  .help = "one after the other, spread over this time" },
	{ .name = "command",
	  .kind = SETTING_WORD,
	  .offset = STEP(command),
	  .def = "ping",
	  .words = range_command_names,
	  .present_offset = STEP(has_command),
	  .help = "of command and rate: what the master sends" },
	{ .name = "duration",
	  .kind = SETTING_FLOAT,
	  .offset = STEP(duration_s),
	  .def = "5",
	  .fmin = -1e9,
	  .fmax = 1e9,
	  .help = "of activate, in seconds" },
	{ .name = "fault",
	  .kind = SETTING_GROUP,
	  .offset = STEP(fault),
	  .sub = &fault_table,
	  .present_offset = STEP(has_fault),
	  .help = "of fault: which; of clear: which kind, absent: all" },
	{ .name = "rate",
	  .kind = SETTING_GROUP,
	  .offset = STEP(rate),
	  .sub = &rate_table,
	  .present_offset = STEP(has_rate),
	  .help = "of rate" },
	{ .name = "for",
	  .kind = SETTING_DURATION,
	  .offset = STEP(for_ns),
	  .def = "0s",
	  .min = 0,
	  .max = DAYS_NS(1000),
	  .help = "of rate and pause: how long; of power_off: until it is on again" },
	{ .name = "addresses",
	  .kind = SETTING_STRINGS,
	  .offset = STEP(addresses),
	  .help = "of move: where to" },
	{ .name = "text",
	  .kind = SETTING_STRING,
	  .offset = STEP(text),
	  .def = "",
	  .help = "of log and snapshot" },
	{ .name = NULL },
};
const struct setting_table step_table = { .title = "one step of the timeline",
					  .size = sizeof(struct step_config),
					  .settings = step_settings,
					  .origin_offset = STEP(origin) };

const char *step_action_name(enum step_action action)
{
	return action_words[action];
}

/* What people say for what events are called. */
static const struct {
	const char *word;
	enum event_kind kind;
} said[] = {
	{ "registers", EVENT_REGISTERED }, { "listens", EVENT_LISTENING },
	{ "stands", EVENT_STANDING },      { "rises", EVENT_RISING },
	{ "falls", EVENT_FALLING },        { "lies", EVENT_DOWN },
	{ "is hit", EVENT_HIT },           { "misses", EVENT_MISS },
	{ "activates", EVENT_ACTIVE },     { "crashes", EVENT_CRASHED },
	{ "gives up", EVENT_GAVE_UP },     { "answers", EVENT_ANSWER },
	{ "is commanded", EVENT_COMMAND },
};

static int event_said(const char *text)
{
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (strcmp(said[i].word, text) == 0)
			return said[i].kind;
	return event_of(text, strlen(text));
}

/* "SELECTOR EVENT": the event is the longest tail that is one. */
static bool parse_after(struct settings *settings, struct step_config *step)
{
	char *copy = settings_alloc(settings, strlen(step->after) + 1);
	const char *expected = NULL;

	strcpy(copy, step->after);
	for (char *space = strchr(copy, ' '); space != NULL; space = strchr(space + 1, ' ')) {
		int kind = event_said(space + 1);
		if (kind < 0)
			continue;
		*space = '\0';
		step->after_event = kind;
		if (selector_parse(copy, &step->after_selector, &expected))
			return true;
		settings_error(settings, &step->origin, "after", "\"%s\": %s", copy, expected);
		return false;
	}
	settings_error(settings, &step->origin, "after",
		       "\"%s\" is no event of targets; expected one such as \"target_3 stands\" or "
		       "\"all hit\"",
		       step->after);
	return false;
}

static void check_when(struct settings *settings, struct step_config *step)
{
	int ways = step->has_at + step->has_every + step->has_after;

	if (ways != 1) {
		settings_error(settings, &step->origin, NULL,
			       "%s; expected exactly one of `at`, `every`, `after`",
			       ways == 0 ? "this step says not when" : "this step says twice when");
		return;
	}
	if (step->has_after)
		parse_after(settings, step);
	if (!step->has_every && (step->has_from || step->has_until))
		settings_error(settings, &step->origin, step->has_from ? "from" : "until",
			       "belongs to `every`");
	if (step->has_every && !step->has_from)
		step->from_ns = step->every_ns;
	if (step->has_every && step->has_until && step->until_ns < step->from_ns)
		settings_error(settings, &step->origin, "until", "lies before the first time");
}

static void check_what(struct settings *settings, struct step_config *step, bool has_master)
{
	const char *name = action_words[step->action], *expected;
	bool commands = step->action == STEP_COMMAND || step->action == STEP_RATE;

	bool master = step->action == STEP_MASTER_STOP || step->action == STEP_MASTER_START;

	if ((commands || master) && !has_master)
		settings_error(settings, &step->origin, "do",
			       "\"%s\" needs a master in this config: a group `master`", name);
	if (!commands && step->has_command)
		settings_error(settings, &step->origin, "command", "\"%s\" takes none", name);
	if (step->action == STEP_COMMAND && !step->has_command)
		settings_error(settings, &step->origin, "do", "\"command\" needs `command`");
	if (step->action == STEP_FAULT && !step->has_fault)
		settings_error(settings, &step->origin, "do",
			       "\"fault\" needs `fault = { kind = ...; }`");
	if (step->has_fault && step->action != STEP_FAULT && step->action != STEP_CLEAR)
		settings_error(settings, &step->origin, "fault", "\"%s\" takes none", name);
	if (step->has_fault && (step->action == STEP_FAULT || step->action == STEP_CLEAR))
		fault_spec_check(settings, &step->fault);
	if ((step->action == STEP_RATE) != step->has_rate)
		settings_error(settings, &step->origin, step->has_rate ? "rate" : "do",
			       step->has_rate ? "belongs to \"rate\""
					      : "\"rate\" needs `rate = { per_s = ...; }`");
	if ((step->action == STEP_RATE || step->action == STEP_PAUSE) && step->for_ns == 0)
		settings_error(settings, &step->origin, "do", "\"%s\" needs `for`: how long", name);
	if (step->over_ns > 0 && step->has_every && step->over_ns > step->every_ns)
		settings_error(settings, &step->origin, "over", "is longer than `every`");
	if ((step->action == STEP_MOVE) != (step->addresses.count > 0))
		settings_error(settings, &step->origin, "do",
			       step->action == STEP_MOVE ? "\"move\" needs `addresses`"
							 : "only \"move\" takes `addresses`");
	for (size_t i = 0; i < step->addresses.count; i++)
		if (!addresses_add(&step->list, step->addresses.at[i], &expected))
			settings_error(settings, &step->origin, "addresses", "\"%s\": %s",
				       step->addresses.at[i], expected);
}

/* Its targets are chosen when it happens: it must make sense to some of them. */
static void check_fault_wires(struct settings *settings, const struct step_config *step,
			      const struct fleet_config *fleet)
{
	const struct group_config *groups = fleet->groups.at;

	for (size_t i = 0; i < fleet->groups.count; i++)
		if (target_wire_has_fault(groups[i].shared.wire, (enum fault_kind)step->fault.kind))
			return;
	if (fleet->groups.count > 0)
		fault_spec_check_wire(settings, &step->fault, groups[0].shared.wire);
}

void timeline_config_check(struct settings *settings, struct setting_list *steps,
			   const struct fleet_config *fleet, bool has_master, int64_t duration_ns)
{
	struct step_config *all = steps->at;
	const char *expected;

	(void)duration_ns;
	if (steps->count > 0 && !fleet->present) {
		settings_error(settings, &all[0].origin, NULL,
			       "a timeline needs a fleet in this config: a group `fleet`");
		return;
	}
	for (size_t i = 0; i < steps->count; i++) {
		struct step_config *step = &all[i];
		step->command_type = range_commands[step->command];
		units_number_text(step->duration_s, step->duration_text,
				  sizeof(step->duration_text));
		if (!selector_parse(step->targets, &step->selector, &expected))
			settings_error(settings, &step->origin, "targets", "\"%s\": %s",
				       step->targets, expected);
		check_when(settings, step);
		check_what(settings, step, has_master);
		if (step->has_fault)
			check_fault_wires(settings, step, fleet);
	}
}

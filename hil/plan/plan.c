#include "hil/plan/plan.h"

#include "emulator/base/units.h"

#include <math.h>
#include <regex.h>
#include <string.h>

/* Of each command: what is measured, from where to where. run's measure.c has the points. */
#define COMMAND_MEASUREMENTS(command)                                                              \
	{ command ".sent", UNIT_NS, "due until the kernel gave it to the network", false },        \
		{ command ".answer", UNIT_NS, "sent until answered", false },                      \
		{ command ".servo", UNIT_NS, "sent until the first servo frame of a new width",    \
		  true },                                                                          \
		{ command ".done", UNIT_NS, "sent until the servo has its last width", true },     \
		{ command ".switch", UNIT_NS, "sent until the limit switch", false },              \
		{ command ".travel", UNIT_NS, "first new servo frame until the limit switch",      \
		  false },                                                                         \
		{ command ".console", UNIT_NS, "sent until the line on the console", false },      \
		{ command ".angle", UNIT_MDEG, "of the servo in the end", false },                 \
	{                                                                                          \
		command ".bounces", UNIT_COUNT, "of the limit switch", false                       \
	}

const struct plan_measurement plan_measurements[] = {
	{ "ping.sent", UNIT_NS, "due until the kernel gave it to the network", false },
	{ "ping.answer", UNIT_NS, "sent until answered", false },
	COMMAND_MEASUREMENTS("stand_up"),
	COMMAND_MEASUREMENTS("lay_down"),
	COMMAND_MEASUREMENTS("activate"),
	{ "activate.fall", UNIT_NS, "sent until the servo goes down again", true },
	{ "hit.servo", UNIT_NS, "hit until the first servo frame of going down", true },
	{ "hit.switch", UNIT_NS, "hit until the limit switch of lying", false },
	{ "hit.result", UNIT_NS, "hit until the line on the console", false },
	{ "proxy.forward", UNIT_NS, "the real master's message in until out to the board", false },
	{ "proxy.back", UNIT_NS, "the board's answer in until out to the real master", false },
	{ "reset.registered", UNIT_NS, "reset until registered", false },
	{ "power_cycle.registered", UNIT_NS, "power on until registered", false },
	{ "exec.time", UNIT_NS, "code sent until its output is whole", false },
	{ "expect.time", UNIT_NS, "from the step's begin until it came", false },
	{ NULL, UNIT_NS, NULL, false },
};

const struct plan_measurement *plan_measurement(const char *name)
{
	for (const struct plan_measurement *m = plan_measurements; m->name != NULL; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

const char *plan_step_name(const struct plan_step *step)
{
	return step->name[0] != '\0' ? step->name : plan_action_names[step->action];
}

int64_t plan_step_timeout(const struct plan *plan, const struct plan_step *step)
{
	int64_t timeout_ns = step->has_timeout ? step->timeout_ns : plan->step_timeout_ns;

	if (step->has_timeout)
		return timeout_ns;
	/* What takes its time by itself gets that on top. */
	if (step->action == PLAN_ACTIVATE && step->until == PLAN_UNTIL_DONE && step->duration_s > 0)
		timeout_ns += (int64_t)(step->duration_s * 1e9);
	if (step->action == PLAN_WAIT || step->action == PLAN_POWER_CYCLE)
		timeout_ns += step->for_ns;
	return timeout_ns;
}

uint64_t plan_count_steps(const struct setting_list *steps)
{
	uint64_t n = 0;

	for (size_t i = 0; i < steps->count; i++) {
		const struct plan_step *step = plan_step_at(steps, i);
		if (step->action == PLAN_GROUP || step->action == PLAN_REPEAT) {
			uint64_t times = step->action == PLAN_REPEAT ? (uint64_t)step->times : 1;
			uint64_t inner = plan_count_steps(&step->steps);
			n += inner > 0 && times > UINT32_MAX / inner ? UINT32_MAX : times * inner;
		} else {
			n++;
		}
	}
	return n;
}

bool plan_test_wanted(const struct plan_test *test, const char *const *tags, size_t n_tags)
{
	for (size_t i = 0; i < n_tags; i++)
		for (size_t j = 0; j < test->tags.count; j++)
			if (strcmp(tags[i], test->tags.at[j]) == 0)
				return true;
	return n_tags == 0;
}

/* ---- boards ---- */

static const char *board_name(const void *context, uint32_t i)
{
	return bench_board_at(context, i)->name;
}

static bool board_has_tag(const void *context, uint32_t i, const char *tag, size_t len)
{
	const struct setting_strings *tags = &bench_board_at(context, i)->tags;

	for (size_t j = 0; j < tags->count; j++)
		if (strlen(tags->at[j]) == len && memcmp(tags->at[j], tag, len) == 0)
			return true;
	return false;
}

static struct selector_subject subject_of(const struct bench *bench)
{
	return (struct selector_subject){ .count = bench != NULL ? (uint32_t)bench->boards.count
								 : 0,
					  .name = board_name,
					  .has_tag = board_has_tag,
					  .context = bench };
}

uint32_t plan_boards(const struct selector *selector, const struct bench *bench, uint32_t *out)
{
	struct selector_subject subject = subject_of(bench);
	uint8_t marks[BENCH_BOARDS_MAX];

	return selector_apply(selector, &subject, 0, out, marks);
}

const struct limit *plan_limit_for(const struct plan *plan, const struct plan_step *step,
				   const struct bench *bench, unsigned board, const char *name)
{
	const struct setting_list *lists[] = { step != NULL ? &step->limits : NULL, &plan->limits };
	uint32_t boards[BENCH_BOARDS_MAX];

	for (size_t l = 0; l < 2; l++) {
		for (size_t i = 0; lists[l] != NULL && i < lists[l]->count; i++) {
			const struct plan_limit *limit = (const struct plan_limit *)lists[l]->at +
							 i;
			if (limit->stat != PLAN_EACH || strcmp(limit->of, name) != 0)
				continue;
			uint32_t n = plan_boards(&limit->selector, bench, boards);
			for (uint32_t b = 0; b < n; b++)
				if (boards[b] == board)
					return &limit->limit;
		}
	}
	return NULL;
}

/* ---- what a plan must be by itself ---- */

static void prepare_selector(struct settings *settings, const struct setting_origin *origin,
			     const char *text, struct selector *ret)
{
	struct selector_subject subject = subject_of(NULL);
	const char *expected;

	if (!selector_parse(text, ret, &expected)) {
		settings_error(settings, origin, "boards", "\"%.80s\": %s", text, expected);
		return;
	}
	const char *lacks = selector_lacks(ret, &subject);
	for (size_t i = 0; lacks == NULL && i < ret->count; i++)
		if (ret->factors[i].kind == SELECT_PERCENT || ret->factors[i].kind == SELECT_RANDOM)
			lacks = "drawn share: a plan must pick the same boards each time";
	if (lacks != NULL)
		settings_error(settings, origin, "boards", "\"%.80s\": boards have no %s", text,
			       lacks);
}

static void check_unit(struct settings *settings, const struct plan_limit *limit,
		       const char *setting, const struct plan_value *value,
		       const struct plan_measurement *measurement)
{
	static const char *const examples[] = { [UNIT_NS] = "a duration (\"60ms\")",
						[UNIT_COUNT] = "a number (\"3\")",
						[UNIT_MDEG] = "an angle (\"90deg\")" };

	/* A bare 0 is 0 of anything. */
	if (value->given && value->unit != measurement->unit && value->value != 0)
		settings_error(settings, &limit->origin, setting, "%s is %s; expected %s",
			       limit->of,
			       measurement->unit == UNIT_NS      ? "a time"
			       : measurement->unit == UNIT_COUNT ? "a number"
								 : "an angle",
			       examples[measurement->unit]);
}

static void prepare_limit(struct settings *settings, const struct plan *plan,
			  struct plan_limit *limit)
{
	const struct plan_measurement *m = plan_measurement(limit->of);

	prepare_selector(settings, &limit->origin, limit->boards, &limit->selector);
	if (m == NULL) {
		const char *names[sizeof(plan_measurements) / sizeof(plan_measurements[0])];
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			names[i] = plan_measurements[i].name;
		const char *near = settings_nearest(limit->of, names);
		settings_error(settings, &limit->origin, "of", "nothing is called \"%.60s\"%s%s%s",
			       limit->of, near != NULL ? " (did you mean \"" : "",
			       near != NULL ? near : "", near != NULL ? "\"?)" : "");
		return;
	}
	if (!limit->min.given && !limit->max.given)
		settings_error(settings, &limit->origin, NULL, "has neither min nor max");
	check_unit(settings, limit, "min", &limit->min, m);
	check_unit(settings, limit, "max", &limit->max, m);
	check_unit(settings, limit, "margin", &limit->margin, m);
	if (limit->min.given && limit->max.given && limit->min.value > limit->max.value)
		settings_error(settings, &limit->origin, "min", "is above max");
	if (limit->without_frame && !m->servo)
		settings_error(settings, &limit->origin, "without_frame",
			       "%s does not end in a servo frame", limit->of);
	limit->limit = (struct limit){
		.has_min = limit->min.given,
		.has_max = limit->max.given,
		.min = limit->min.value,
		.max = limit->max.value,
		.margin = limit->margin.value,
		.share_percent = (unsigned)(limit->share_percent > 0 ? limit->share_percent
								     : plan->share_percent),
		.without_frame = limit->without_frame,
	};
}

static void prepare_limits(struct settings *settings, const struct plan *plan,
			   struct setting_list *limits)
{
	for (size_t i = 0; i < limits->count; i++)
		prepare_limit(settings, plan, (struct plan_limit *)limits->at + i);
}

static void check_regex(struct settings *settings, const struct plan_step *step,
			const char *setting, const char *text)
{
	regex_t regex;
	char why[120];

	if (text[0] == '\0')
		return;
	int rc = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
	if (rc == 0) {
		regfree(&regex);
		return;
	}
	regerror(rc, &regex, why, sizeof(why));
	settings_error(settings, &step->origin, setting,
		       "\"%.80s\" is no extended regular expression: %s", text, why);
}

static void check_step(struct settings *settings, const struct plan_step *step)
{
	const struct setting_origin *at = &step->origin;
	bool nests = step->action == PLAN_GROUP || step->action == PLAN_REPEAT;

	check_regex(settings, step, "console", step->console);
	check_regex(settings, step, "output", step->output);
	if (nests != (step->steps.count > 0))
		settings_error(settings, at, "steps",
			       nests ? "is missing: a %s of nothing" : "does not go with %s",
			       plan_action_names[step->action]);
	if (step->action == PLAN_WAIT && !step->has_for)
		settings_error(settings, at, "for", "is missing: how long does it wait?");
	if (step->action == PLAN_EXEC && step->code[0] == '\0')
		settings_error(settings, at, "code", "is missing: what shall the board do?");
	if (step->action == PLAN_EXPECT && (step->line == 0) == (step->console[0] == '\0'))
		settings_error(settings, at, NULL,
			       "expects either a line (line = \"up\") or one on the console "
			       "(console = \"ready\")");
	if (step->action == PLAN_EXPECT && step->line != 0 && step->line - 1 != BENCH_UP &&
	    step->line - 1 != BENCH_DOWN)
		settings_error(settings, at, "line", "only \"up\" and \"down\" are switches");
	if (step->action == PLAN_SET && step->line - 1 < BENCH_HIT)
		settings_error(settings, at, "line",
			       "is an input or missing; expected hit, run, bootsel or power");
	if (step->action == PLAN_EXPECT && step->level == PLAN_RELEASE)
		settings_error(settings, at, "level", "a switch is active or inactive");
	if (step->has_timeout && step->timeout_ns == 0)
		settings_error(settings, at, "timeout", "every step has an end; expected e.g. 2s");
	if (step->has_timeout && step->action == PLAN_WAIT && step->timeout_ns < step->for_ns)
		settings_error(settings, at, "timeout", "is shorter than the wait itself");
}

static void prepare_steps(struct settings *settings, const struct plan *plan,
			  struct setting_list *steps, unsigned depth)
{
	for (size_t i = 0; i < steps->count; i++) {
		struct plan_step *step = (struct plan_step *)steps->at + i;
		if (depth == PLAN_DEPTH_MAX) {
			settings_error(settings, &step->origin, NULL, "is nested too deeply");
			return;
		}
		units_number_text(step->duration_s, step->duration_text,
				  sizeof(step->duration_text));
		check_step(settings, step);
		prepare_limits(settings, plan, &step->limits);
		prepare_steps(settings, plan, &step->steps, depth + 1);
	}
}

static void prepare(struct settings *settings, struct plan *plan)
{
	struct plan_test *tests = plan->tests.at;

	prepare_limits(settings, plan, &plan->limits);
	prepare_steps(settings, plan, &plan->setup, 0);
	prepare_steps(settings, plan, &plan->teardown, 0);
	for (size_t i = 0; i < plan->tests.count; i++) {
		prepare_selector(settings, &tests[i].origin, tests[i].boards, &tests[i].selector);
		prepare_steps(settings, plan, &tests[i].steps, 0);
		prepare_steps(settings, plan, &tests[i].teardown, 0);
		for (size_t j = 0; j < i; j++)
			if (strcmp(tests[i].name, tests[j].name) == 0)
				settings_error(settings, &tests[i].origin, "name",
					       "\"%.60s\" is another test's already",
					       tests[i].name);
	}
}

struct settings *plan_load(const char *path, const char *const *overrides, size_t n_overrides,
			   struct plan_file *ret)
{
	struct settings *settings = settings_load(path, overrides, n_overrides, &plan_file_table,
						  ret);

	if (settings_errors(settings) == 0)
		prepare(settings, &ret->plan);
	return settings;
}

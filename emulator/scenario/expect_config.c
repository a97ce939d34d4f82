#include "emulator/scenario/expect_parts.h"

#include "emulator/base/units.h"

#include <stdlib.h>
#include <string.h>

#define EXPECT(member) offsetof(struct expect_config, member)
static const struct setting expect_settings[] = {
	{ .name = "name",
	  .kind = SETTING_STRING,
	  .offset = EXPECT(name),
	  .def = "",
	  .help = "what it is about, for people; empty: the condition" },
	{ .name = "that",
	  .kind = SETTING_STRING,
	  .offset = EXPECT(that),
	  .required = true,
	  .min = 1,
	  .max = 1000,
	  .help = "the condition" },
	{ .name = "targets",
	  .kind = SETTING_STRING,
	  .offset = EXPECT(targets),
	  .def = "all",
	  .min = 1,
	  .max = SELECTOR_BYTES - 1,
	  .help = "a selector: of whom, where the condition does not say it itself" },
	{ .name = "within",
	  .kind = SETTING_DURATION,
	  .offset = EXPECT(within_ns),
	  .min = 1,
	  .max = EXPECT_TIME_MAX_NS,
	  .present_offset = EXPECT(has_within),
	  .help = "it must become true so long after `from` at the latest" },
	{ .name = "from",
	  .kind = SETTING_DURATION,
	  .offset = EXPECT(from_ns),
	  .min = 0,
	  .max = EXPECT_TIME_MAX_NS,
	  .present_offset = EXPECT(has_from),
	  .help = "counts from here, since the start of the run; absent: from its start" },
	{ .name = "until",
	  .kind = SETTING_DURATION,
	  .offset = EXPECT(until_ns),
	  .min = 1,
	  .max = EXPECT_TIME_MAX_NS,
	  .present_offset = EXPECT(has_until),
	  .help = "is judged here, since the start of the run; absent: at its end" },
	{ .name = "throughout",
	  .kind = SETTING_BOOL,
	  .offset = EXPECT(throughout),
	  .def = "false",
	  .help = "it must hold at every moment from `from` to `until`" },
	{ .name = NULL },
};
const struct setting_table expect_table = { .title = "one expectation",
					    .size = sizeof(struct expect_config),
					    .settings = expect_settings,
					    .origin_offset = EXPECT(origin) };

/* ---- selectors ---- */

static const char *name_of(const void *context, uint32_t i)
{
	return ((const struct fleet_config *)context)->names[i];
}

static const struct group_config *group_of(const struct fleet_config *fleet, uint32_t i)
{
	const struct group_config *group = fleet->groups.at;

	for (; i >= group->count; group++)
		i -= (uint32_t)group->count;
	return group;
}

static bool is(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && memcmp(word, text, len) == 0;
}

static bool in_group(const void *context, uint32_t i, const char *group, size_t len)
{
	return is(group_of(context, i)->label, group, len);
}

static bool has_tag(const void *context, uint32_t i, const char *tag, size_t len)
{
	const struct group_config *group = group_of(context, i);

	for (size_t t = 0; t < group->tags.count; t++)
		if (is(group->tags.at[t], tag, len))
			return true;
	return false;
}

static bool picks_none(const struct selector *selector, const struct fleet_config *fleet)
{
	const struct selector_subject subject = { .count = fleet->targets,
						  .name = name_of,
						  .in_group = in_group,
						  .has_tag = has_tag,
						  .context = fleet };
	uint32_t *picked = malloc(fleet->targets * sizeof(*picked));
	uint8_t *marks = malloc(fleet->targets);
	bool none = picked != NULL && marks != NULL &&
		    selector_apply(selector, &subject, 0, picked, marks) == 0;

	free(picked);
	free(marks);
	return none;
}

static bool changes_over_time(const struct selector *selector)
{
	for (size_t i = 0; i < selector->count; i++)
		switch (selector->factors[i].kind) {
		case SELECT_STATE:
		case SELECT_PERCENT:
		case SELECT_RANDOM: return true;
		default: break;
		}
	return false;
}

bool expect_selector_check(const char *text, const struct expect_scope *scope, struct selector *ret,
			   char *why, size_t cap)
{
	static const struct selector_subject names_only = { .count = 0 };
	int shown = (int)(strlen(text) < 48 ? strlen(text) : 48);
	const char *expected;

	if (!selector_parse(text, ret, &expected)) {
		snprintf(why, cap,
			 "\"%.*s\" is no selector; expected names, ranges, group: or tag:, e.g. "
			 "target_[1-10], group:west & tag:new",
			 shown, text);
		return false;
	}
	if (changes_over_time(ret)) {
		snprintf(why, cap,
			 "\"%.*s\" picks others at other times; expected names, ranges, group: or "
			 "tag: alone",
			 shown, text);
		return false;
	}
	const char *lacks = scope->has_fleet ? NULL : selector_lacks(ret, &names_only);
	if (lacks != NULL) {
		snprintf(why, cap, "\"%.*s\": without a fleet targets have names, but no %s", shown,
			 text, lacks);
		return false;
	}
	if (scope->fleet != NULL && scope->fleet->targets > 0 && scope->fleet->names != NULL &&
	    picks_none(ret, scope->fleet)) {
		snprintf(why, cap, "\"%.*s\" picks no target of the fleet", shown, text);
		return false;
	}
	return true;
}

/* ---- checks ---- */

static int64_t judged_at_latest(const struct expect_config *config)
{
	if (config->has_within)
		return config->from_ns + config->within_ns;
	return config->has_until ? config->until_ns : NEVER;
}

static void check_window(struct settings *settings, const struct expect_config *config,
			 const struct operand *operand)
{
	if (operand->metric && operand->spec.from_ns >= judged_at_latest(config))
		settings_error(settings, &config->origin, "that",
			       "the window of %.*s begins when the expectation is already judged",
			       (int)operand->text_len, operand->text);
}

static void check_times(struct settings *settings, const struct expect_config *config)
{
	const struct condition *condition = config->parsed;
	const struct setting_origin *origin = &config->origin;

	if (config->has_within && config->throughout)
		settings_error(settings, origin, "within",
			       "within and throughout exclude each other");
	if (config->has_within && config->has_until)
		settings_error(settings, origin, "until",
			       "within ends at from + within; expected no until");
	if (config->has_until && config->until_ns < config->from_ns)
		settings_error(settings, origin, "until", "until is before from");
	if (condition == NULL)
		return;
	if (condition->ordered && config->has_within)
		settings_error(settings, origin, "within",
			       "events in order have their time in the condition: "
			       "\"EVENT within DURATION after EVENT\"");
	if (condition->ordered && config->throughout)
		settings_error(settings, origin, "throughout",
			       "events in order are always looked at throughout; expected none");
	if (!condition->ordered && config->has_from && !config->has_within && !config->throughout)
		settings_error(settings, origin, "from",
			       "from needs within or throughout; to count from there, give the "
			       "metric a window, e.g. lost(20s..)");
	for (size_t i = 0; i < condition->count; i++) {
		check_window(settings, config, &condition->comparisons[i].left);
		check_window(settings, config, &condition->comparisons[i].right);
	}
}

static bool concerns_targets(const struct operand *operand)
{
	return operand->metric &&
	       !(operand->spec.kind == GAUGE_COUNT && (operand->spec.events & NOBODY_KINDS));
}

static void restrict_to(struct operand *operand, const char *targets)
{
	if (concerns_targets(operand) && operand->spec.selector[0] == '\0')
		memcpy(operand->spec.selector, targets, strlen(targets) + 1);
}

static void check_targets(struct settings *settings, const struct expect_config *config,
			  const struct expect_scope *scope)
{
	struct condition *condition = config->parsed;
	struct selector selector;
	char why[200];

	if (!expect_selector_check(config->targets, scope, &selector, why, sizeof(why))) {
		settings_error(settings, &config->origin, "targets", "%s", why);
		return;
	}
	if (condition == NULL || strcmp(config->targets, "all") == 0)
		return;
	for (size_t i = 0; i < condition->count; i++) {
		restrict_to(&condition->comparisons[i].left, config->targets);
		restrict_to(&condition->comparisons[i].right, config->targets);
	}
}

void expect_config_check(struct settings *settings, struct setting_list *list, bool has_fleet,
			 bool has_master, const struct fleet_config *fleet)
{
	const struct expect_scope scope = { has_fleet, has_master, fleet };
	struct expect_config *configs = list->at;
	struct expect_fault fault;
	struct condition condition;

	for (size_t i = 0; i < list->count; i++) {
		struct expect_config *config = &configs[i];
		if (config->that == NULL)
			continue; /* missing, and told as such */
		if (config->name[0] == '\0')
			config->name = config->that;
		if (expect_parse(config->that, &scope, &condition, &fault)) {
			config->parsed = settings_alloc(settings, sizeof(condition));
			memcpy(config->parsed, &condition, sizeof(condition));
		} else {
			settings_error(settings, &config->origin, "that",
				       "\"%s\", character %zu: %s", config->that,
				       fault.position + 1, fault.text);
		}
		check_targets(settings, config, &scope);
		check_times(settings, config);
	}
}

/* ---- words ---- */

enum mode expect_mode(const struct expect_config *config, char *buf, size_t cap)
{
	char a[32], b[32];

	units_duration_text(config->from_ns, a, sizeof(a));
	if (config->has_within) {
		units_duration_text(config->within_ns, b, sizeof(b));
		if (config->has_from)
			snprintf(buf, cap, "within %s from %s", b, a);
		else
			snprintf(buf, cap, "within %s", b);
		return MODE_WITHIN;
	}
	units_duration_text(config->until_ns, b, sizeof(b));
	if (config->throughout || config->has_from) {
		const char *what = config->throughout ? "throughout" : "at the end of";
		if (config->has_from || config->has_until)
			snprintf(buf, cap, "%s %s..%s", what, a, config->has_until ? b : "");
		else
			snprintf(buf, cap, "throughout");
		return config->throughout ? MODE_THROUGHOUT : MODE_END;
	}
	if (config->has_until)
		snprintf(buf, cap, "at %s", b);
	else
		snprintf(buf, cap, "at the end");
	return MODE_END;
}

void expect_describe(const struct expect_config *config, FILE *out)
{
	char mode[80];

	expect_mode(config, mode, sizeof(mode));
	if (strcmp(config->name, config->that) != 0)
		fprintf(out, "%s: ", config->name);
	fprintf(out, "%s, %s", config->that, mode);
	if (strcmp(config->targets, "all") != 0)
		fprintf(out, ", of %s", config->targets);
	fputc('\n', out);
}

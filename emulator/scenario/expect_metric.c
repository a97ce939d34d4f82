#include "emulator/scenario/expect_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ARGUMENTS: separated by commas, in the order of the table below, the bracketed ones optional. */

#define ARGUMENTS_MAX 6

enum metric_id {
	M_TARGETS,
	M_REGISTERED,
	M_LOST_TARGETS,
	M_STATE,
	M_SENT,
	M_OK,
	M_FAILED,
	M_LOST,
	M_LOSS,
	M_COUNT,
	M_HITS,
	M_MISSES,
	M_CRASHES,
	M_LATENCY,
	METRICS,
};

static const char *const metric_names[] = {
	[M_TARGETS] = "targets",
	[M_REGISTERED] = "registered",
	[M_LOST_TARGETS] = "lost_targets",
	[M_STATE] = "state",
	[M_SENT] = "sent",
	[M_OK] = "ok",
	[M_FAILED] = "failed",
	[M_LOST] = "lost",
	[M_LOSS] = "loss",
	[M_COUNT] = "count",
	[M_HITS] = "hits",
	[M_MISSES] = "misses",
	[M_CRASHES] = "crashes",
	[M_LATENCY] = "latency",
	[METRICS] = NULL,
};

enum needs { NEEDS_EITHER, NEEDS_FLEET, NEEDS_MASTER };

static const struct {
	enum needs needs;
	bool command, window; /* takes one */
	const char *usage;
} metrics[METRICS] = {
	[M_TARGETS] = { NEEDS_EITHER, false, false, "targets([SELECTOR])" },
	[M_REGISTERED] = { NEEDS_EITHER, false, false, "registered([SELECTOR])" },
	[M_LOST_TARGETS] = { NEEDS_EITHER, false, false, "lost_targets([SELECTOR])" },
	[M_STATE] = { NEEDS_FLEET, false, false, "state(STATE[, SELECTOR])" },
	[M_SENT] = { NEEDS_MASTER, true, true, "sent([COMMAND][, SELECTOR][, WINDOW])" },
	[M_OK] = { NEEDS_MASTER, true, true, "ok([COMMAND][, SELECTOR][, WINDOW])" },
	[M_FAILED] = { NEEDS_MASTER, true, true, "failed([COMMAND][, SELECTOR][, WINDOW])" },
	[M_LOST] = { NEEDS_MASTER, true, true, "lost([COMMAND][, SELECTOR][, WINDOW])" },
	[M_LOSS] = { NEEDS_MASTER, true, true, "loss([COMMAND][, SELECTOR][, WINDOW])" },
	[M_COUNT] = { NEEDS_EITHER, false, true, "count(EVENT[, SELECTOR][, WINDOW])" },
	[M_HITS] = { NEEDS_FLEET, false, true, "hits([SELECTOR][, WINDOW])" },
	[M_MISSES] = { NEEDS_FLEET, false, true, "misses([SELECTOR][, WINDOW])" },
	[M_CRASHES] = { NEEDS_FLEET, false, true, "crashes([SELECTOR][, WINDOW])" },
	[M_LATENCY] = { NEEDS_MASTER, true, true,
			"latency(COMMAND, [SELECTOR,] pNN|min|mean|max[, WINDOW])" },
};

static const char *const commands[] = { "ping", "stand_up", "lay_down", "activate", "any", NULL };

struct argument {
	const char *at;
	size_t len;
};

struct arguments {
	struct argument at[ARGUMENTS_MAX];
	size_t count, next;
	const char *end; /* where the next one would stand */
};

/* ---- arguments ---- */

/* Up to a comma or the closing parenthesis; one of random(3) is the argument's own. */
static const char *argument_end(const char *at)
{
	int depth = 0;

	for (; *at != '\0'; at++) {
		if (depth == 0 && (*at == ',' || *at == ')'))
			return at;
		depth += (*at == '(') - (*at == ')');
	}
	return at;
}

static bool split_arguments(struct parser *parser, struct arguments *ret)
{
	const char *open = parser->at;
	const char *end = open;

	do {
		const char *start = end + 1;
		while (isspace((unsigned char)*start))
			start++;
		end = argument_end(start);
		if (*end == '\0')
			return parser_fail(parser, open, "this \"(\" is never closed");
		size_t len = (size_t)(end - start);
		while (len > 0 && isspace((unsigned char)start[len - 1]))
			len--;
		if (len == 0 && ret->count == 0 && *end == ')')
			break; /* lost() */
		if (len == 0)
			return parser_fail(parser, end, "an argument is empty");
		if (ret->count == ARGUMENTS_MAX)
			return parser_fail(parser, start, "too many arguments");
		ret->at[ret->count++] = (struct argument){ start, len };
	} while (*end == ',');
	ret->end = end;
	parser->at = end + 1;
	return true;
}

static bool is(const struct argument *argument, const char *word)
{
	return strlen(word) == argument->len && memcmp(word, argument->at, argument->len) == 0;
}

/* The next argument, or NULL. */
static const struct argument *peek(const struct arguments *arguments)
{
	return arguments->next < arguments->count ? &arguments->at[arguments->next] : NULL;
}

static int quoted(const struct argument *argument)
{
	return (int)(argument->len < 48 ? argument->len : 48);
}

static bool missing(struct parser *parser, const struct arguments *arguments, const char *what,
		    enum metric_id id)
{
	return parser_fail(parser, arguments->end, "expected %s: %s", what, metrics[id].usage);
}

/* ---- kinds of arguments ---- */

static int command_of(const struct argument *argument)
{
	for (int i = 0; commands[i] != NULL; i++)
		if (is(argument, commands[i]))
			return i;
	return -1;
}

static void take_command(struct arguments *arguments, int command, struct gauge_spec *spec)
{
	if (strcmp(commands[command], "any") != 0)
		spec->command = (uint8_t)range_word_of(commands[command],
						       strlen(commands[command]));
	arguments->next++;
}

static bool is_window(const struct argument *argument)
{
	return memmem(argument->at, argument->len, "..", 2) != NULL;
}

static bool parse_window(struct parser *parser, const struct argument *argument,
			 struct gauge_spec *spec)
{
	const char *dots = memmem(argument->at, argument->len, "..", 2);
	size_t left = (size_t)(dots - argument->at);
	size_t right = argument->len - left - 2;
	int64_t from = 0, to = NEVER;

	if ((left == 0 && right == 0) ||
	    (left > 0 && !parser_duration(argument->at, left, &from)) ||
	    (right > 0 && !parser_duration(dots + 2, right, &to)))
		return parser_fail(parser, argument->at,
				   "\"%.*s\" is no window; expected e.g. 20s..40s, 20s.. or ..40s",
				   quoted(argument), argument->at);
	if (from >= to)
		return parser_fail(parser, argument->at, "the window %.*s ends before it begins",
				   quoted(argument), argument->at);
	spec->from_ns = from;
	spec->to_ns = to;
	return true;
}

static bool is_statistic(const struct argument *argument)
{
	return is(argument, "min") || is(argument, "mean") || is(argument, "max") ||
	       (argument->len > 1 && argument->at[0] == 'p' &&
		isdigit((unsigned char)argument->at[1]));
}

static bool parse_statistic(struct parser *parser, const struct argument *argument,
			    struct operand *ret)
{
	size_t digits = 0, points = 0;

	if (argument->at[0] != 'p') {
		ret->statistic = is(argument, "min")    ? STATISTIC_MIN
				 : is(argument, "mean") ? STATISTIC_MEAN
							: STATISTIC_MAX;
		return true;
	}
	for (size_t i = 1; i < argument->len; i++) {
		digits += isdigit((unsigned char)argument->at[i]) != 0;
		points += argument->at[i] == '.';
	}
	double percent = strtod(argument->at + 1, NULL);
	if (digits + points + 1 != argument->len || points > 1 || !(percent > 0) || percent > 100)
		return parser_fail(parser, argument->at,
				   "\"%.*s\" is no percentile; expected e.g. p50, p99, p99.9",
				   quoted(argument), argument->at);
	ret->statistic = STATISTIC_PERCENTILE;
	ret->percent = percent;
	return true;
}

static bool parse_selector(struct parser *parser, const struct argument *argument,
			   struct gauge_spec *spec)
{
	struct selector selector;
	char why[200];

	if (argument->len >= SELECTOR_BYTES)
		return parser_fail(parser, argument->at, "a selector has at most %d bytes",
				   SELECTOR_BYTES - 1);
	memcpy(spec->selector, argument->at, argument->len);
	spec->selector[argument->len] = '\0';
	if (!expect_selector_check(spec->selector, parser->scope, &selector, why, sizeof(why)))
		return parser_fail(parser, argument->at, "%s", why);
	return true;
}

/* ---- events ---- */

static bool concerns_nobody(enum event_kind kind)
{
	return (EVENT_BIT(kind) & NOBODY_KINDS) != 0;
}

bool parser_event(struct parser *parser, const char *name, size_t len, bool alone,
		  enum event_kind *ret)
{
	static const char *const known[] = {
#define X(kind, word) word,
		EVENT_KINDS(X)
#undef X
			NULL
	};
	int kind = event_of(name, len);
	char near[64];

	if (kind < 0)
		return parser_fail(parser, name,
				   "\"%.*s\" is no event%s; expected e.g. hit, standing, down",
				   (int)(len < 48 ? len : 48), name,
				   parser_nearest(name, len, known, near, sizeof(near)));
	bool of_master = expect_kind_of_master((enum event_kind)kind);
	if (kind != EVENT_NOTE &&
	    !(of_master ? parser->scope->has_master : parser->scope->has_fleet))
		return parser_fail(parser, name, "%s is an event of a %s, and this config has none",
				   event_name((enum event_kind)kind),
				   of_master ? "master" : "fleet");
	if (!alone && concerns_nobody((enum event_kind)kind))
		return parser_fail(parser, name, "%s concerns no target; it cannot be put in order",
				   event_name((enum event_kind)kind));
	*ret = (enum event_kind)kind;
	return true;
}

/* ---- metrics ---- */

static bool state_bits(const char *word, size_t len, uint16_t *ret)
{
	for (int state = 0; state < TARGET_STATES; state++) {
		const char *name = target_state_name((enum target_state)state);
		if (strlen(name) == len && memcmp(name, word, len) == 0) {
			*ret = (uint16_t)(1 << state);
			return true;
		}
	}
	if (len == strlen("standing") && memcmp(word, "standing", len) == 0) {
		*ret = 1 << TARGET_UP | 1 << TARGET_ACTIVE;
		return true;
	}
	if (len == strlen("in_service") && memcmp(word, "in_service", len) == 0) {
		*ret = 1 << TARGET_DOWN | 1 << TARGET_RISING | 1 << TARGET_UP | 1 << TARGET_ACTIVE |
		       1 << TARGET_FALLING;
		return true;
	}
	return false;
}

static bool parse_state(struct parser *parser, struct arguments *arguments, struct gauge_spec *spec)
{
	const struct argument *argument = peek(arguments);

	if (argument == NULL)
		return missing(parser, arguments, "a state", M_STATE);
	if (!state_bits(argument->at, argument->len, &spec->status))
		return parser_fail(parser, argument->at,
				   "\"%.*s\" is no state; expected off, booting, down, rising, up, "
				   "active, falling, gone, standing (up or active) or in_service",
				   quoted(argument), argument->at);
	arguments->next++;
	return true;
}

static bool parse_counted_event(struct parser *parser, struct arguments *arguments,
				struct gauge_spec *spec)
{
	const struct argument *argument = peek(arguments);
	enum event_kind kind = EVENT_NOTE;

	if (argument == NULL)
		return missing(parser, arguments, "an event", M_COUNT);
	if (!parser_event(parser, argument->at, argument->len, true, &kind))
		return false;
	spec->events = EVENT_BIT(kind);
	arguments->next++;
	argument = peek(arguments);
	if (argument != NULL && concerns_nobody(kind) && !is_window(argument))
		return parser_fail(parser, argument->at,
				   "%s concerns no target; expected no selector", event_name(kind));
	return true;
}

/* What is counted, as far as the name alone tells. */
static void set_kind(enum metric_id id, const struct expect_scope *scope, struct operand *ret)
{
	struct gauge_spec *spec = &ret->spec;

	ret->dimension = DIMENSION_COUNT;
	spec->to_ns = NEVER;
	spec->kind = GAUGE_COUNT;
	switch (id) {
	case M_TARGETS: spec->status = scope->has_fleet ? STATUS_EXISTS : STATUS_M_EVER; break;
	case M_REGISTERED:
		spec->status = scope->has_fleet ? STATUS_REGISTERED : STATUS_M_KNOWN;
		break;
	case M_LOST_TARGETS: spec->status = scope->has_master ? STATUS_M_LOST : STATUS_LOST; break;
	case M_SENT: spec->events = EVENT_BIT(EVENT_M_SENT); break;
	case M_OK: spec->events = EVENT_BIT(EVENT_M_OK); break;
	case M_FAILED: spec->events = EVENT_BIT(EVENT_M_FAILED); break;
	case M_LOST: spec->events = EVENT_BIT(EVENT_M_LOST); break;
	case M_HITS: spec->events = EVENT_BIT(EVENT_HIT); break;
	case M_MISSES: spec->events = EVENT_BIT(EVENT_MISS); break;
	case M_CRASHES: spec->events = EVENT_BIT(EVENT_CRASHED); break;
	case M_LOSS:
		spec->kind = GAUGE_LOSS;
		ret->dimension = DIMENSION_SHARE;
		break;
	case M_LATENCY:
		spec->kind = GAUGE_LATENCY;
		ret->dimension = DIMENSION_DURATION;
		break;
	default: break;
	}
	if (spec->status != 0 || id == M_STATE)
		spec->kind = GAUGE_POPULATION;
}

static bool parse_arguments(struct parser *parser, enum metric_id id, struct arguments *arguments,
			    struct operand *ret)
{
	struct gauge_spec *spec = &ret->spec;
	const struct argument *next;

	if (id == M_STATE && !parse_state(parser, arguments, spec))
		return false;
	if (id == M_COUNT && !parse_counted_event(parser, arguments, spec))
		return false;
	next = peek(arguments);
	int command = next != NULL && metrics[id].command ? command_of(next) : -1;
	if (command >= 0)
		take_command(arguments, command, spec);
	else if (id == M_LATENCY)
		return parser_fail(parser, next != NULL ? next->at : arguments->end,
				   "expected ping, stand_up, lay_down, activate or any: %s",
				   metrics[id].usage);
	next = peek(arguments);
	if (next != NULL && !is_window(next) && !(id == M_LATENCY && is_statistic(next))) {
		if (!parse_selector(parser, next, spec))
			return false;
		arguments->next++;
	}
	next = peek(arguments);
	if (id == M_LATENCY) {
		if (next == NULL || !is_statistic(next))
			return parser_fail(parser, next != NULL ? next->at : arguments->end,
					   "expected p50, p99, p99.9, min, mean or max: %s",
					   metrics[id].usage);
		if (!parse_statistic(parser, next, ret))
			return false;
		arguments->next++;
		next = peek(arguments);
	}
	if (next != NULL && metrics[id].window && is_window(next)) {
		if (!parse_window(parser, next, spec))
			return false;
		arguments->next++;
		next = peek(arguments);
	}
	if (next != NULL)
		return parser_fail(parser, next->at, "\"%.*s\" is one argument too many: %s",
				   quoted(next), next->at, metrics[id].usage);
	return true;
}

/* METRICS: there is none of that name. */
static enum metric_id find_metric(struct parser *parser, size_t len)
{
	const struct argument name = { parser->at, len };
	char near[64];

	for (int id = 0; id < METRICS; id++)
		if (is(&name, metric_names[id]))
			return (enum metric_id)id;
	if (event_of(name.at, name.len) >= 0)
		parser_fail(parser, name.at,
			    "%.*s is an event; expected count(%.*s), or \"%.*s after EVENT\"",
			    quoted(&name), name.at, quoted(&name), name.at, quoted(&name), name.at);
	else
		parser_fail(parser, name.at,
			    "\"%.*s\" is no metric%s; expected targets, registered, lost_targets, "
			    "state, sent, ok, failed, lost, loss, count, hits, misses, crashes or "
			    "latency",
			    quoted(&name), name.at,
			    parser_nearest(name.at, len, metric_names, near, sizeof(near)));
	return METRICS;
}

bool parser_metric(struct parser *parser, struct operand *ret)
{
	size_t len = parser_name(parser);
	struct arguments arguments = { .count = 0 };
	enum metric_id id = find_metric(parser, len);

	if (id == METRICS)
		return false;
	const struct expect_scope *scope = parser->scope;
	if ((metrics[id].needs == NEEDS_FLEET && !scope->has_fleet) ||
	    (metrics[id].needs == NEEDS_MASTER && !scope->has_master))
		return parser_fail(
			parser, parser->at, "%s is known of a %s, and this config has none",
			metric_names[id], metrics[id].needs == NEEDS_FLEET ? "fleet" : "master");
	parser->at += len;
	const char *after_name = parser->at;
	parser_space(parser);
	if (*parser->at == '(') {
		if (!split_arguments(parser, &arguments))
			return false;
	} else {
		parser->at = after_name;
		arguments.end = after_name;
	}
	set_kind(id, scope, ret);
	return parse_arguments(parser, id, &arguments, ret);
}

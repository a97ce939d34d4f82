#include "emulator/target/faults.h"

#include "emulator/base/net.h"
#include "emulator/target/wire.h"

#include <stdio.h>
#include <string.h>

static const struct fault_info infos[FAULT_KIND_COUNT] = {
#define X(kind, name, category, params, time, count, bytes, factor, help)                          \
	[FAULT_##kind] = {                                                                         \
		name, FAULT_CATEGORY_##category, params, time, count, bytes, factor, help          \
	},
	FAULT_KINDS(X)
#undef X
};

const char *const fault_names[] = {
#define X(kind, name, category, params, time, count, bytes, factor, help) name,
	FAULT_KINDS(X)
#undef X
		NULL
};

const struct fault_info *fault_info(enum fault_kind kind)
{
	return &infos[kind];
}

const char *fault_name(enum fault_kind kind)
{
	return infos[kind].name;
}

#define FAULT(member) offsetof(struct fault_spec, member)
static const struct setting fault_settings[] = {
	{ .name = "kind",
	  .kind = SETTING_WORD,
	  .offset = FAULT(kind),
	  .required = true,
	  .words = fault_names,
	  .help = "which fault: docs/FAULTS.md" },
	{ .name = "probability",
	  .kind = SETTING_FLOAT,
	  .offset = FAULT(probability),
	  .def = "1",
	  .fmin = 0,
	  .fmax = 1,
	  .help = "at each occasion; of a condition: once, when it is turned on" },
	{ .name = "for",
	  .kind = SETTING_DURATION,
	  .offset = FAULT(for_ns),
	  .def = "0s",
	  .min = 0,
	  .max = 1000 * 24 * 3600 * NS_PER_S,
	  .help = "how long; 0: until it is turned off" },
	{ .name = "every",
	  .kind = SETTING_DIST,
	  .offset = FAULT(every),
	  .present_offset = FAULT(has_every),
	  .help = "comes again so often, each time `for`" },
	{ .name = "seed",
	  .kind = SETTING_INT,
	  .offset = FAULT(seed),
	  .def = "0",
	  .min = 0,
	  .max = INT64_MAX,
	  .help = "of its draws; 0: the run's" },
	{ .name = "time",
	  .kind = SETTING_DIST,
	  .offset = FAULT(time),
	  .present_offset = FAULT(has_time),
	  .help = "a time, as the fault has it" },
	{ .name = "count",
	  .kind = SETTING_INT,
	  .offset = FAULT(count),
	  .min = 1,
	  .max = 1000000000,
	  .present_offset = FAULT(has_count),
	  .help = "a number, as the fault has it" },
	{ .name = "bytes",
	  .kind = SETTING_INT,
	  .offset = FAULT(bytes),
	  .min = 1,
	  .max = 60000,
	  .present_offset = FAULT(has_bytes),
	  .help = "a size, as the fault has it" },
	{ .name = "factor",
	  .kind = SETTING_FLOAT,
	  .offset = FAULT(factor),
	  .fmin = -1e6,
	  .fmax = 1e6,
	  .present_offset = FAULT(has_factor),
	  .help = "a factor, as the fault has it" },
	{ .name = "text",
	  .kind = SETTING_STRING,
	  .offset = FAULT(text),
	  .present_offset = FAULT(has_text),
	  .help = "a text, as the fault has it" },
	{ .name = "address",
	  .kind = SETTING_STRING,
	  .offset = FAULT(address),
	  .present_offset = FAULT(has_address),
	  .help = "an IPv4 address" },
	{ .name = "by",
	  .kind = SETTING_DURATION,
	  .offset = FAULT(by_ns),
	  .min = -1000 * 24 * 3600 * NS_PER_S,
	  .max = 1000 * 24 * 3600 * NS_PER_S,
	  .present_offset = FAULT(has_by),
	  .help = "a step of a clock, may be negative" },
	{ .name = NULL },
};
const struct setting_table fault_table = { .title = "a fault",
					   .size = sizeof(struct fault_spec),
					   .settings = fault_settings,
					   .origin_offset = FAULT(origin) };

struct param {
	const char *name;
	unsigned bit;
	bool given;
};

static void list_params(unsigned params, char *text, size_t cap)
{
	static const char *const names[] = { "time", "count",   "bytes", "factor",
					     "text", "address", "by" };
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < 7; i++)
		if (params & (1u << i))
			len += (size_t)snprintf(text + len, cap - len, "%s%s", len > 0 ? ", " : "",
						names[i]);
	if (len == 0)
		snprintf(text, cap, "none of its own");
}

static void check_params(struct settings *settings, const struct fault_spec *spec)
{
	const struct param given[] = {
		{ "time", FAULT_TIME, spec->has_time },
		{ "count", FAULT_COUNT, spec->has_count },
		{ "bytes", FAULT_BYTES, spec->has_bytes },
		{ "factor", FAULT_FACTOR, spec->has_factor },
		{ "text", FAULT_TEXT, spec->has_text },
		{ "address", FAULT_ADDRESS, spec->has_address },
		{ "by", FAULT_BY, spec->has_by },
	};
	const struct fault_info *info = &infos[spec->kind];
	char takes[80];

	list_params(info->params, takes, sizeof(takes));
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (given[i].given && !(info->params & given[i].bit))
			settings_error(settings, &spec->origin, given[i].name,
				       "the fault \"%s\" has no such parameter; it takes: %s",
				       info->name, takes);
}

/* Kinds that happen at moments: `every` says how far these are apart. */
static bool happens_at_moments(int kind)
{
	return kind == FAULT_REBOOT || kind == FAULT_HIT_DOWN || kind == FAULT_CLOCK_JUMP;
}

static const char *default_text(int kind)
{
	switch (kind) {
	case FAULT_ERROR_LINE: return "memory allocation failed";
	case FAULT_BAD_CERTIFICATE: return "stranger";
	case FAULT_WRONG_SECRET: return "wrong";
	case FAULT_WRONG_VERSION: return "99.0.0";
	case FAULT_LENGTH_LIE: return "long";
	default: return "target_0";
	}
}

const char *const fault_lengths[] = { "long", "short", "negative", "huge", NULL };

static bool is_length(const char *text)
{
	for (int i = 0; fault_lengths[i] != NULL; i++)
		if (strcmp(text, fault_lengths[i]) == 0)
			return true;
	return false;
}

static void fill_defaults(struct fault_spec *spec)
{
	const struct fault_info *info = &infos[spec->kind];

	if (!spec->has_time && info->time != NULL)
		units_dist(info->time, &spec->time);
	if (!spec->has_count)
		spec->count = info->count;
	if (!spec->has_bytes)
		spec->bytes = info->bytes;
	if (!spec->has_factor)
		spec->factor = info->factor;
	if ((info->params & FAULT_BY) && !spec->has_by)
		spec->by_ns = 3600 * NS_PER_S;
	if (spec->text == NULL)
		spec->text = default_text(spec->kind);
	if (happens_at_moments(spec->kind) && !spec->has_every) {
		spec->has_every = true;
		spec->every = (struct dist){ DIST_EXP, 60 * NS_PER_S, 0 };
	}
}

static void check_every(struct settings *settings, const struct fault_spec *spec)
{
	if (!spec->has_every)
		return;
	if (dist_high(&spec->every) == 0)
		settings_error(settings, &spec->origin, "every", "expected more than 0");
	if (!happens_at_moments(spec->kind) && spec->for_ns == 0)
		settings_error(settings, &spec->origin, "every",
			       "a fault that comes again needs `for`: how long it stays each time");
}

static void check_address(struct settings *settings, struct fault_spec *spec)
{
	if (!spec->has_address)
		settings_error(settings, &spec->origin, NULL,
			       "the fault \"register_from\" needs `address`");
	else if (!net_ip_parse(spec->address, strlen(spec->address), &spec->ip))
		settings_error(settings, &spec->origin, "address", "\"%s\" is no IPv4 address",
			       spec->address);
}

void fault_spec_check(struct settings *settings, struct fault_spec *spec)
{
	check_params(settings, spec);
	fill_defaults(spec);
	check_every(settings, spec);
	if ((spec->kind == FAULT_CLOSE_MIDDLE || spec->kind == FAULT_CUT_JSON) &&
	    (spec->factor < 0 || spec->factor > 1))
		settings_error(settings, &spec->origin, "factor", "expected a share, 0 .. 1");
	if (spec->kind == FAULT_SLOW && spec->factor < 0)
		settings_error(settings, &spec->origin, "factor", "expected 0 or more");
	if (spec->kind == FAULT_DEEP && spec->count > FAULT_DEEP_MAX)
		settings_error(settings, &spec->origin, "count", "expected at most %d",
			       FAULT_DEEP_MAX);
	if (spec->kind == FAULT_HTTP_STATUS && (spec->count < 100 || spec->count > 999))
		settings_error(settings, &spec->origin, "count", "expected a status, 100 .. 999");
	if (strlen(spec->text) > FAULT_TEXT_MAX)
		settings_error(settings, &spec->origin, "text", "expected at most %d bytes",
			       FAULT_TEXT_MAX);
	if (spec->kind == FAULT_UNKNOWN_T && spec->count > 127)
		settings_error(settings, &spec->origin, "count", "expected at most 127");
	if (spec->kind == FAULT_LENGTH_LIE && !is_length(spec->text))
		settings_error(settings, &spec->origin, "text",
			       "\"%s\" is no lie about a length; expected \"long\", \"short\", "
			       "\"negative\" or \"huge\"",
			       spec->text);
	if (spec->kind == FAULT_REGISTER_FROM)
		check_address(settings, spec);
}

void fault_spec_check_wire(struct settings *settings, const struct fault_spec *spec,
			   const struct target_wire *wire)
{
	enum fault_kind kind = (enum fault_kind)spec->kind;
	char wires[80];

	if (!target_wire_has_fault(wire, kind))
		settings_error(settings, &spec->origin, "kind",
			       "\"%s\" makes no sense on the wire \"%s\"; it does on: %s",
			       infos[kind].name, wire_names[wire->id],
			       target_wires_with_fault(kind, wires, sizeof(wires)));
}

const char *fault_spec_text(const struct fault_spec *spec, char *buf, size_t cap)
{
	const struct fault_info *info = &infos[spec->kind];
	char text[96];
	size_t len = (size_t)snprintf(buf, cap, "%s", info->name);

#define ADD(...)                                                                                   \
	do {                                                                                       \
		if (len < cap)                                                                     \
			len += (size_t)snprintf(buf + len, cap - len, __VA_ARGS__);                \
	} while (0)
	if (info->params & FAULT_TIME)
		ADD(", time %s", units_dist_text(&spec->time, text, sizeof(text)));
	if (info->params & FAULT_COUNT)
		ADD(", count %lld", (long long)spec->count);
	if (info->params & FAULT_BYTES)
		ADD(", bytes %lld", (long long)spec->bytes);
	if (info->params & FAULT_FACTOR)
		ADD(", factor %g", spec->factor);
	if (info->params & FAULT_TEXT)
		ADD(", text \"%s\"", spec->text);
	if (info->params & FAULT_ADDRESS)
		ADD(", address %s", spec->address);
	if (info->params & FAULT_BY)
		ADD(", by %s", units_duration_text(spec->by_ns, text, sizeof(text)));
	if (spec->probability < 1)
		ADD(", probability %g", spec->probability);
	if (spec->has_every)
		ADD(", every %s", units_dist_text(&spec->every, text, sizeof(text)));
	if (spec->for_ns > 0)
		ADD(", for %s", units_duration_text(spec->for_ns, text, sizeof(text)));
#undef ADD
	return buf;
}

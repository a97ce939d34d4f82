/* --set PATH=VALUE: finds the path in the tables and marks its place in the parsed file. The value
 * itself is read where the file's values are. */
#include "emulator/base/settings_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One name of a path: "groups[0]". */
struct step {
	const char *name;
	size_t len;
	size_t index; /* SIZE_MAX: none */
	const struct setting *setting;
};

/* An override on its way: the steps in front of `n` are understood. */
struct route {
	struct settings *settings;
	struct settings_override *override;
	struct step steps[SETTINGS_DEPTH_MAX];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static bool fail(const struct route *route,
						       const char *format, ...)
{
	struct settings_at at = {
		.pos = { .set = route->override },
		.group = route->override->path ? route->override->path : "",
		.element = SIZE_MAX,
	};
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	settings_fail(route->settings, &at, "%s", text);
	free(text);
	return false;
}

/* ---- the text ---- */

static char *trim(char *from, char *to)
{
	while (from < to && isspace((unsigned char)*from))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	*to = '\0';
	return from;
}

/* PATH and VALUE of PATH=VALUE. */
static bool split(struct route *route)
{
	struct settings_override *override = route->override;
	size_t len = strlen(override->written);
	char *copy = settings_alloc(route->settings, len + 1);
	char *equals = strchr(strcpy(copy, override->written), '=');

	if (!equals)
		return fail(route, "expected PATH=VALUE, e.g. fleet.port=8081");
	override->value = trim(equals + 1, copy + len);
	override->path = trim(copy, equals);
	return *override->path || fail(route, "expected a path before '='");
}

/* "name" or "name[3]" at *at; moves behind it and its dot. False: it is neither. */
static bool read_step(const char **at, struct step *step)
{
	const char *from = *at;

	*step = (struct step){ .name = from, .len = strcspn(from, ".[]"), .index = SIZE_MAX };
	from += step->len;
	if (*from == '[') {
		size_t digits = strspn(from + 1, "0123456789");

		if (digits == 0 || digits > 9 || from[1 + digits] != ']')
			return false;
		step->index = (size_t)strtoul(from + 1, NULL, 10);
		from += digits + 2;
	}
	bool more = *from == '.' && from[1];

	*at = more ? from + 1 : from;
	return step->len && (more || *from == '\0');
}

/* ---- the path in the tables ---- */

/* Keeps of the path what was understood, for errors. */
static void cut_path(struct route *route, const struct step *to, bool with_index)
{
	struct settings_override *override = route->override;
	size_t len = (size_t)(to->name - override->path) + to->len;
	char *path = settings_alloc(route->settings, len + 24);

	memcpy(path, override->path, len);
	if (with_index)
		snprintf(path + len, 24, "[%zu]", to->index);
	override->path = path;
}

static bool fail_step(struct route *route, const struct setting_table *table,
		      const struct step *step)
{
	size_t len = (size_t)(step->name - route->override->path);
	char *group = settings_format("%.*s", len ? (int)len - 1 : 0, route->override->path);
	char *name = settings_format("%.*s", (int)step->len, step->name);
	struct settings_at at = {
		.pos = { .set = route->override },
		.group = group,
		.name = name,
		.element = SIZE_MAX,
	};

	settings_fail_unknown(route->settings, &at, table);
	free(group);
	free(name);
	return false;
}

/* Does the last step name a value? */
static bool check_last(struct route *route, const struct step *step)
{
	const struct setting *setting = step->setting;
	const char *name = setting->sub ? setting->sub->settings[0].name : "";

	if (setting->kind == SETTING_LIST && step->index == SIZE_MAX)
		return fail(route,
			    "a list of groups cannot be set whole; set one setting of an element, "
			    "e.g. %s[0].%s",
			    route->override->path, name);
	if (setting->sub)
		return fail(route,
			    "a group cannot be set whole; set one of its settings, e.g. %s.%s",
			    route->override->path, name);
	if (step->index != SIZE_MAX) {
		cut_path(route, step, false);
		return fail(route, "is no list of groups: it can only be set whole");
	}
	return true;
}

/* Can something stand below this step? */
static bool check_inner(struct route *route, const struct step *step)
{
	const struct setting *setting = step->setting;

	if (setting->kind == SETTING_GROUP && step->index == SIZE_MAX)
		return true;
	if (setting->kind == SETTING_LIST && step->index != SIZE_MAX)
		return true;
	cut_path(route, step, false);
	if (setting->kind == SETTING_LIST)
		return fail(route, "is a list: say which element, e.g. %s[0]",
			    route->override->path);
	if (setting->kind == SETTING_GROUP)
		return fail(route, "is a group, not a list: leave out the [%zu]", step->index);
	return fail(route, "is a single setting: nothing stands below it");
}

static bool find_route(struct route *route)
{
	const struct setting_table *table = route->settings->table;
	const char *at = route->override->path;

	for (;;) {
		struct step *step = &route->steps[route->n];

		if (!read_step(&at, step) || ++route->n == SETTINGS_DEPTH_MAX)
			return fail(route, "is no path; expected e.g. fleet.groups[0].count");
		step->setting = settings_find(table, step->name, step->len);
		if (!step->setting)
			return fail_step(route, table, step);
		if (*at == '\0')
			return check_last(route, step);
		if (!check_inner(route, step))
			return false;
		table = step->setting->sub;
	}
}

/* ---- the path in the tree ---- */

static config_setting_t *add(config_setting_t *parent, const struct route *route,
			     const struct setting *setting, int type)
{
	config_setting_t *node = config_setting_add(parent, setting->name, type);

	if (!node)
		abort(); /* its name is the table's, and nothing else there has it */
	config_setting_set_hook(node, route->override);
	return node;
}

/* The group that step leads to from `from`. NULL: an error, or the file has something else there,
 * which is reported with the file. */
static config_setting_t *descend(struct route *route, config_setting_t *from,
				 const struct step *step)
{
	config_setting_t *node = config_setting_get_member(from, step->setting->name);

	if (step->setting->kind == SETTING_GROUP) {
		if (!node)
			return add(from, route, step->setting, CONFIG_TYPE_GROUP);
		return config_setting_is_group(node) ? node : NULL;
	}
	size_t n = node && config_setting_is_list(node) ? (size_t)config_setting_length(node) : 0;

	if (node && !config_setting_is_list(node))
		return NULL;
	if (step->index >= n) {
		cut_path(route, step, true);
		if (n == 0)
			fail(route, "does not exist; the file's list has no elements");
		else
			fail(route, "does not exist; the file's list ends with [%zu]", n - 1);
		return NULL;
	}
	node = config_setting_get_elem(node, (unsigned)step->index);
	return config_setting_is_group(node) ? node : NULL;
}

/* Are all list elements there? Before anything is added, so that a bad path leaves no trace. */
static bool check_elements(struct route *route)
{
	config_setting_t *node = route->settings->root;

	for (size_t i = 0; i + 1 < route->n; i++) {
		const struct step *step = &route->steps[i];

		if (step->setting->kind == SETTING_GROUP && node &&
		    !config_setting_get_member(node, step->setting->name))
			node = NULL;
		if (!node && step->setting->kind == SETTING_LIST) {
			cut_path(route, step, true);
			return fail(route, "does not exist; the file has no such list");
		}
		if (node)
			node = descend(route, node, step);
		if (!node && step->setting->kind == SETTING_LIST)
			return false;
	}
	return true;
}

static void apply(struct route *route)
{
	config_setting_t *node = route->settings->root;
	const struct setting *last = route->steps[route->n - 1].setting;

	for (size_t i = 0; i + 1 < route->n && node; i++)
		node = descend(route, node, &route->steps[i]);
	if (!node)
		return;
	config_setting_t *old = config_setting_get_member(node, last->name);

	if (old)
		config_setting_remove_elem(node, (unsigned)config_setting_index(old));
	add(node, route, last, CONFIG_TYPE_BOOL);
}

void settings_apply_overrides(struct settings *settings)
{
	for (size_t i = 0; i < settings->n_overrides; i++) {
		struct route route = {
			.settings = settings,
			.override = &settings->overrides[i],
		};

		if (split(&route) && find_route(&route) && check_elements(&route))
			apply(&route);
	}
}

/* Walks the tables and the parsed file together, and fills the structs. */
#include "emulator/base/settings_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELSEWHERE_DEPTH_MAX 6

/* One group on its way from the file to its struct. */
struct walk {
	struct settings *settings;
	const struct setting_table *table;
	const config_setting_t *node; /* NULL: the file lacks it; only defaults */
	char *base;
	const char *path;
	struct settings_pos pos;
};

static void fill_group(const struct walk *walk);

const struct setting *settings_find(const struct setting_table *table, const char *name, size_t len)
{
	for (const struct setting *at = table->settings; at->name; at++)
		if (strlen(at->name) == len && memcmp(at->name, name, len) == 0)
			return at;
	return NULL;
}

/* ---- unknown settings ---- */

/* The path of a setting called name in any table under `table` but not in `not_here`; NULL when
 * there is none. The caller frees it. */
static char *find_elsewhere(const struct setting_table *table, const char *path, const char *name,
			    const struct setting_table *not_here, unsigned depth)
{
	const char *dot = *path ? "." : "";
	char *found = NULL;

	if (table != not_here && settings_find(table, name, strlen(name)))
		return settings_format("%s%s%s", path, dot, name);
	if (depth == ELSEWHERE_DEPTH_MAX)
		return NULL;
	for (const struct setting *at = table->settings; at->name && !found; at++) {
		if (!at->sub)
			continue;
		char *below = settings_format("%s%s%s%s", path, dot, at->name,
					      at->kind == SETTING_LIST ? "[]" : "");

		found = find_elsewhere(at->sub, below, name, not_here, depth + 1);
		free(below);
	}
	return found;
}

static char *names_of(const struct setting_table *table, const char ***ret_names)
{
	size_t n = 0;

	while (table->settings[n].name)
		n++;
	const char **names = calloc(n + 1, sizeof(*names));

	if (!names)
		abort();
	for (size_t i = 0; i < n; i++)
		names[i] = table->settings[i].name;
	*ret_names = names;
	return n ? settings_words(names, " and ") : settings_format("none");
}

void settings_fail_unknown(struct settings *settings, const struct settings_at *at,
			   const struct setting_table *table)
{
	for (const struct setting_foreign *foreign = table->foreign; foreign && foreign->name;
	     foreign++) {
		if (strcmp(foreign->name, at->name) == 0) {
			settings_fail(settings, at, "unknown setting here; try %s", foreign->try);
			return;
		}
	}
	const char **names;
	char *all = names_of(table, &names);
	const char *nearest = settings_nearest(at->name, names);
	char *elsewhere = find_elsewhere(settings->table, "", at->name, table, 0);

	if (nearest && elsewhere)
		settings_fail(settings, at,
			      "unknown setting (did you mean \"%s\"? Or does it belong at %s?)",
			      nearest, elsewhere);
	else if (nearest)
		settings_fail(settings, at, "unknown setting (did you mean \"%s\"?)", nearest);
	else if (elsewhere)
		settings_fail(settings, at, "unknown setting here (it belongs at %s)", elsewhere);
	else
		settings_fail(settings, at, "unknown setting; known here: %s", all);
	free(elsewhere);
	free(all);
	free(names);
}

static void check_known(const struct walk *walk)
{
	int n = walk->node ? config_setting_length(walk->node) : 0;

	for (int i = 0; i < n; i++) {
		const config_setting_t *node = config_setting_get_elem(walk->node, (unsigned)i);
		const char *name = config_setting_name(node);
		struct settings_at at = {
			.pos = settings_pos_of(node),
			.group = walk->path,
			.name = name,
			.element = SIZE_MAX,
		};

		if (!settings_find(walk->table, name, strlen(name)))
			settings_fail_unknown(walk->settings, &at, walk->table);
	}
}

/* ---- settings, groups, lists ---- */

static const char *join(struct settings *settings, const char *path, const char *name)
{
	size_t size = strlen(path) + strlen(name) + 2;
	char *joined = settings_alloc(settings, size);

	snprintf(joined, size, "%s%s%s", path, *path ? "." : "", name);
	return joined;
}

static const char *index_path(struct settings *settings, const char *path, size_t i)
{
	char number[24];
	size_t n = (size_t)snprintf(number, sizeof(number), "[%zu]", i);
	char *indexed = settings_alloc(settings, strlen(path) + n + 1);

	return strcat(strcpy(indexed, path), number);
}

static void fail_kind(struct settings *settings, const struct settings_at *at,
		      const struct setting *setting, const config_setting_t *node)
{
	struct settings_value value;

	settings_value_of_node(settings, setting, node, &value);
	settings_store(settings, at, setting, &value, NULL);
}

static void fill_sub(const struct walk *walk, const struct setting *setting,
		     const config_setting_t *node, const struct settings_at *at)
{
	struct walk below = {
		.settings = walk->settings,
		.table = setting->sub,
		.node = node,
		.base = walk->base + setting->offset,
		.path = join(walk->settings, walk->path, setting->name),
		.pos = at->pos,
	};

	if (node && !config_setting_is_group(node)) {
		fail_kind(walk->settings, at, setting, node);
		below.node = NULL;
	}
	fill_group(&below);
}

static void fill_list(const struct walk *walk, const struct setting *setting,
		      const config_setting_t *node, const struct settings_at *at)
{
	static const struct setting ELEMENT = { .kind = SETTING_GROUP };
	struct settings *settings = walk->settings;
	struct setting_list *list = (struct setting_list *)(walk->base + setting->offset);

	if (!node)
		return;
	if (!config_setting_is_list(node)) {
		fail_kind(settings, at, setting, node);
		return;
	}
	size_t count = (size_t)config_setting_length(node);
	const char *path = join(settings, walk->path, setting->name);

	if (!settings_check_count(settings, at, setting, count))
		return;
	list->at = settings_alloc(settings, count * setting->sub->size);
	list->count = count;
	for (size_t i = 0; i < count; i++) {
		const config_setting_t *element = config_setting_get_elem(node, (unsigned)i);
		struct walk below = {
			.settings = settings,
			.table = setting->sub,
			.node = element,
			.base = (char *)list->at + i * setting->sub->size,
			.path = index_path(settings, path, i),
			.pos = settings_pos_of(element),
		};

		if (!config_setting_is_group(element)) {
			struct settings_at wrong = *at;

			wrong.pos = below.pos;
			wrong.element = i;
			fail_kind(settings, &wrong, &ELEMENT, element);
			below.node = NULL;
		}
		fill_group(&below);
	}
}

static void fill_setting(const struct walk *walk, const struct setting *setting)
{
	struct settings *settings = walk->settings;
	const config_setting_t *node =
		walk->node ? config_setting_get_member(walk->node, setting->name) : NULL;
	struct settings_at at = {
		.pos = node ? settings_pos_of(node) : walk->pos,
		.group = walk->path,
		.name = setting->name,
		.element = SIZE_MAX,
	};
	struct settings_value value;

	if (setting->present_offset)
		*(bool *)(walk->base + setting->present_offset) = node != NULL;
	if (!node && walk->node && setting->required) {
		char *expected = settings_expected(setting);

		settings_fail(settings, &at, "required, but missing; expected %s", expected);
		free(expected);
	}
	if (setting->kind == SETTING_GROUP) {
		fill_sub(walk, setting, node, &at);
		return;
	}
	if (setting->kind == SETTING_LIST) {
		fill_list(walk, setting, node, &at);
		return;
	}
	void *field = walk->base + setting->offset;

	/* The default also where the file's value is wrong: a later check of the module may read
	 * it. A module's own parser is called once. */
	if (setting->def && !(node && setting->kind == SETTING_CUSTOM)) {
		struct settings_at built_in = at;

		built_in.built_in = true;
		settings_value_of_text(settings, setting, setting->def, &value);
		settings_store(settings, &built_in, setting, &value, field);
	}
	if (node) {
		settings_value_of_node(settings, setting, node, &value);
		settings_store(settings, &at, setting, &value, field);
	}
}

static void fill_group(const struct walk *walk)
{
	struct settings *settings = walk->settings;
	const struct setting_table *table = walk->table;

	settings->groups = settings_grow(settings->groups, settings->n_groups,
					 &settings->cap_groups, sizeof(*settings->groups));
	settings->groups[settings->n_groups++] = (struct settings_group){
		.path = walk->path,
		.node = walk->node,
		.pos = walk->pos,
	};
	if (table->origin_offset != SIZE_MAX) {
		struct setting_origin *origin =
			(struct setting_origin *)(walk->base + table->origin_offset);

		*origin = settings_origin_of(settings, &walk->pos);
		origin->path = walk->path;
	}
	for (const struct setting *at = table->settings; at->name; at++)
		fill_setting(walk, at);
	check_known(walk);
}

void settings_fill(struct settings *settings, void *root)
{
	struct walk walk = {
		.settings = settings,
		.table = settings->table,
		.node = settings->root,
		.base = root,
		.path = settings_alloc(settings, 1), /* "", but this file's own */
		.pos = { .line = 0 },
	};

	memset(root, 0, settings->table->size);
	fill_group(&walk);
}

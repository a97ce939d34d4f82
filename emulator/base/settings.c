/* Loading from start to end, memory, and the list of errors. */
#include "emulator/base/settings_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings_block {
	struct settings_block *next;
	max_align_t bytes[];
};

void *settings_alloc(struct settings *settings, size_t size)
{
	struct settings_block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		abort();
	block->next = settings->blocks;
	settings->blocks = block;
	return block->bytes;
}

void *settings_grow(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	size_t larger = *cap ? *cap * 2 : 32;
	void *moved = reallocarray(array, larger, size);

	if (!moved)
		abort();
	*cap = larger;
	return moved;
}

char *settings_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	return text;
}

/* ---- libconfig ---- */

bool settings_parse(struct settings *settings, const struct settings_source *source,
		    config_setting_t **ret_root, const char **ret_error, size_t *ret_line)
{
	struct settings_parsed *parsed = settings_alloc(settings, sizeof(*parsed));
	char *text = settings_source_text(source);

	config_init(&parsed->config);
	parsed->next = settings->parsed;
	settings->parsed = parsed;
	bool ok = config_read_string(&parsed->config, text) == CONFIG_TRUE;

	free(text);
	if (ok) {
		*ret_root = config_root_setting(&parsed->config);
		return true;
	}
	const char *error = config_error_text(&parsed->config);
	int line = config_error_line(&parsed->config);

	*ret_error = error ? error : "";
	*ret_line = line > 0 ? (size_t)line : 0;
	return false;
}

const config_setting_t *settings_parse_value(struct settings *settings, const char *text)
{
	struct settings_source source = { .includes = false };
	char *assignment = settings_format("value = %s", text);
	config_setting_t *root = NULL;
	const char *error;
	size_t token, line;

	if (settings_source_add_text(&source, assignment, strlen(assignment), "") == 0) {
		settings_lex(&source, 0);
		if (source.n_faults || !settings_check_syntax(&source, &token) ||
		    !settings_parse(settings, &source, &root, &error, &line))
			root = NULL;
	}
	settings_source_release(&source);
	free(assignment);
	/* More than one: text such as `1; other = 2`. */
	return root && config_setting_length(root) == 1 ? config_setting_get_elem(root, 0) : NULL;
}

/* ---- positions and errors ---- */

struct settings_pos settings_pos_of(const config_setting_t *node)
{
	const config_setting_t *parent = config_setting_parent(node);
	const struct settings_override *set = config_setting_get_hook(node);
	struct settings_pos pos = { .set = set, .line = config_setting_source_line(node) };

	/* libconfig knows that a string ends when it has read the token after it. */
	if (!set && config_setting_type(node) == CONFIG_TYPE_STRING && parent &&
	    !config_setting_is_group(parent) && pos.line > 1)
		pos.line--;
	return pos;
}

static const struct settings_token *token_at(const struct settings *settings,
					     const struct settings_pos *pos)
{
	size_t n = settings->source.n_tokens;

	if (pos->set || pos->line == 0 || n == 0)
		return NULL;
	return &settings->source.tokens[pos->line <= n ? pos->line - 1 : n - 1];
}

struct setting_origin settings_origin_of(const struct settings *settings,
					 const struct settings_pos *pos)
{
	const struct settings_token *token = token_at(settings, pos);

	if (pos->set)
		return (struct setting_origin){ .file = "--set" };
	return (struct setting_origin){
		.file = settings->source.files[token ? token->file : 0].name,
		.line = token ? token->line : 1,
	};
}

static bool stands_before(const struct settings_pos *a, const struct settings_pos *b)
{
	if (!a->set || !b->set)
		return a->set || b->set ? !a->set : a->line < b->line;
	return a->set->index < b->set->index;
}

/* Takes text. File names and comments of others may hold anything: an error stays one line. */
static void add_error(struct settings *settings, const struct settings_pos *pos, char *text)
{
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	if (settings->n_errors == SETTINGS_ERRORS_MAX) {
		settings->n_unshown++;
		snprintf(settings->unshown, sizeof(settings->unshown),
			 "%zu more errors are not shown", settings->n_unshown);
		free(text);
		return;
	}
	settings->errors = settings_grow(settings->errors, settings->n_errors,
					 &settings->cap_errors, sizeof(*settings->errors));
	size_t i = settings->n_errors++;

	for (; i > 0 && stands_before(pos, &settings->errors[i - 1].pos); i--)
		settings->errors[i] = settings->errors[i - 1];
	settings->errors[i] = (struct settings_message){ .pos = *pos, .text = text };
}

/* "FILE:LINE: PATH: TEXT". Takes text. */
static void add_located(struct settings *settings, const struct settings_pos *pos, const char *path,
			char *text)
{
	struct setting_origin origin = settings_origin_of(settings, pos);
	const char *colon = *path ? ": " : "";
	char shown[2 * SETTINGS_SHOWN];
	char *line;

	if (pos->set)
		line = settings_format("--set %s: %s%s%s",
				       settings_show(pos->set->written, strlen(pos->set->written),
						     0, shown, sizeof(shown)),
				       path, colon, text);
	else
		line = settings_format("%s:%u: %s%s%s", origin.file, origin.line, path, colon,
				       text);
	free(text);
	add_error(settings, pos, line);
}

static char *path_of(const struct settings_at *at)
{
	const char *dot = *at->group && at->name && *at->name ? "." : "";
	char *path = settings_format("%s%s%s", at->group, dot, at->name ? at->name : "");

	if (at->element != SIZE_MAX) {
		char *longer = settings_format("%s[%zu]", path, at->element);

		free(path);
		path = longer;
	}
	return path;
}

void settings_fail(struct settings *settings, const struct settings_at *at, const char *format, ...)
{
	va_list args;
	char *text, *path = path_of(at);

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	if (at->built_in) {
		fprintf(stderr, "the built-in default of %s is wrong: %s\n", path, text);
		assert(!"a setting's built-in default is wrong");
	}
	add_located(settings, &at->pos, path, text);
	free(path);
}

void settings_error(struct settings *settings, const struct setting_origin *origin,
		    const char *setting, const char *format, ...)
{
	static const struct setting_origin FILE_ORIGIN = { .path = "" };
	struct settings_at at = { .name = setting, .element = SIZE_MAX };
	const struct settings_group *group = NULL;
	va_list args;
	char *text;

	if (!origin)
		origin = &FILE_ORIGIN;
	for (size_t i = 0; i < settings->n_groups && !group; i++)
		if (settings->groups[i].path == origin->path)
			group = &settings->groups[i];
	at.group = origin->path ? origin->path : "";
	if (!group && settings->n_groups)
		group = &settings->groups[0];
	if (group)
		at.pos = group->pos;
	if (group && group->node && setting) {
		const config_setting_t *node = config_setting_get_member(group->node, setting);

		if (node)
			at.pos = settings_pos_of(node);
	}
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	char *path = path_of(&at);

	add_located(settings, &at.pos, path, text);
	free(path);
}

size_t settings_errors(const struct settings *settings)
{
	return settings->n_errors + (settings->n_unshown > 0);
}

const char *settings_error_text(const struct settings *settings, size_t i)
{
	assert(i < settings_errors(settings));
	return i < settings->n_errors ? settings->errors[i].text : settings->unshown;
}

/* ---- loading ---- */

static struct settings *new_settings(const char *const *overrides, size_t n_overrides,
				     const struct setting_table *table)
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (!settings)
		abort();
	settings->table = table;
	settings->source.includes = true;
	settings->n_overrides = n_overrides;
	settings->overrides = settings_alloc(settings, n_overrides * sizeof(*settings->overrides));
	for (size_t i = 0; i < n_overrides; i++)
		settings->overrides[i] = (struct settings_override){
			.written = strcpy(settings_alloc(settings, strlen(overrides[i]) + 1),
					  overrides[i]),
			.index = i,
		};
	return settings;
}

/* What the lexer found wrong. */
static void report_faults(struct settings *settings)
{
	const struct settings_source *source = &settings->source;
	char path[4 * SETTINGS_SHOWN];

	for (size_t i = 0; i < source->n_faults; i++) {
		const struct settings_fault *fault = &source->faults[i];
		struct settings_pos pos = { .line = fault->token + 1 };

		settings_token_path(source, fault->token, path, sizeof(path));
		add_error(settings, &pos,
			  settings_format("%s:%u: %s%s%s", source->files[fault->file].name,
					  fault->line, path, *path ? ": " : "", fault->text));
	}
	if (source->n_faults == SETTINGS_FAULTS_MAX) {
		struct settings_pos end = { .line = SIZE_MAX };

		add_error(settings, &end,
			  settings_format("%s: too many errors; reading stopped",
					  source->files[0].name));
	}
}

/* What stands wrong at token i; n_tokens: at the end. */
static void report_syntax(struct settings *settings, size_t i, const char *error)
{
	const struct settings_source *source = &settings->source;
	struct settings_pos pos = { .line = i + 1 };
	char path[4 * SETTINGS_SHOWN];
	/* A duplicate name is itself the end of its path. */
	size_t to = *error && i < source->n_tokens ? i + 1 : i;

	settings_token_path(source, to, path, sizeof(path));
	add_located(settings, &pos, path, settings_explain(source, i, error));
}

static void parse(struct settings *settings)
{
	const struct settings_source *source = &settings->source;
	const char *error;
	size_t token, line;

	if (!settings_check_syntax(source, &token))
		report_syntax(settings, token, "");
	else if (!settings_parse(settings, source, &settings->root, &error, &line))
		report_syntax(settings, line ? line - 1 : 0, error);
}

/* The file as a whole is no good. Later errors still find its name. */
static void fail_file(struct settings *settings, const char *name, const char *why)
{
	struct settings_pos start = { .line = 0 };

	if (settings->source.n_files == 0)
		settings_source_add_text(&settings->source, "", 0, name);
	add_error(settings, &start, settings_format("%s: %s", name, why));
}

static void load(struct settings *settings, void *root)
{
	if (settings->n_errors == 0) {
		settings_lex(&settings->source, 0);
		report_faults(settings);
		if (settings->source.n_faults == 0)
			parse(settings);
	}
	if (settings->root)
		settings_apply_overrides(settings);
	settings_fill(settings, root);
}

struct settings *settings_load_text(const char *text, const char *name,
				    const char *const *overrides, size_t n_overrides,
				    const struct setting_table *table, void *root)
{
	struct settings *settings = new_settings(overrides, n_overrides, table);
	int ret = settings_source_add_text(&settings->source, text, strlen(text), name);

	if (ret < 0)
		fail_file(settings, name, settings_source_error(ret));
	load(settings, root);
	return settings;
}

struct settings *settings_load(const char *path, const char *const *overrides, size_t n_overrides,
			       const struct setting_table *table, void *root)
{
	struct settings *settings = new_settings(overrides, n_overrides, table);
	const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
	struct settings_source *source = &settings->source;
	int ret = settings_source_open(source, path, name, 0);

	if (ret < 0)
		fail_file(settings, name, settings_source_error(ret));
	else if (strspn(source->files[0].text, " \t\r\n") == source->files[0].len)
		fail_file(settings, name, "the file is empty");
	load(settings, root);
	return settings;
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	for (struct settings_parsed *at = settings->parsed; at; at = at->next)
		config_destroy(&at->config);
	settings_source_release(&settings->source);
	for (size_t i = 0; i < settings->n_errors; i++)
		free(settings->errors[i].text);
	free(settings->errors);
	free(settings->groups);
	for (struct settings_block *block = settings->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	free(settings);
}

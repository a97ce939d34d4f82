/* The reference of every setting, as Markdown, out of the tables that also load them. */
#include "emulator/base/settings_internal.h"

#include <stdlib.h>
#include <string.h>

/* A table and the path under which the reference has it. */
struct section {
	const struct setting_table *table;
	char *path;
};

struct reference {
	FILE *out;
	struct section *sections;
	size_t n, cap;
};

static const struct section *find_section(const struct reference *reference,
					  const struct setting_table *table)
{
	for (size_t i = 0; i < reference->n; i++)
		if (reference->sections[i].table == table)
			return &reference->sections[i];
	return NULL;
}

/* Takes path. A table that has its section already, as the same group in several places or a group
 * inside itself, keeps that one. */
static void add_section(struct reference *reference, const struct setting_table *table, char *path)
{
	if (find_section(reference, table)) {
		free(path);
		return;
	}
	reference->sections = settings_grow(reference->sections, reference->n, &reference->cap,
					    sizeof(*reference->sections));
	reference->sections[reference->n++] = (struct section){ .table = table, .path = path };
}

/* Text of a cell: a bar would end it. */
static void put(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
}

static const char *type_name(enum setting_kind kind)
{
	switch (kind) {
	case SETTING_BOOL: return "bool";
	case SETTING_INT: return "integer";
	case SETTING_FLOAT: return "number";
	case SETTING_STRING:
	case SETTING_CUSTOM: return "string";
	case SETTING_WORD: return "word";
	case SETTING_DURATION: return "duration";
	case SETTING_DIST: return "distribution";
	case SETTING_STRINGS: return "strings";
	case SETTING_GROUP: return "group";
	case SETTING_LIST: return "list of groups";
	}
	abort();
}

/* What zero bytes mean where a table names no default. */
static const char *zero_default(const struct setting *setting)
{
	switch (setting->kind) {
	case SETTING_BOOL: return "false";
	case SETTING_INT:
	case SETTING_FLOAT: return "0";
	case SETTING_WORD: return setting->words[0];
	case SETTING_DURATION:
	case SETTING_DIST: return "0s";
	default: return NULL;
	}
}

static void put_default(FILE *out, const struct setting *setting)
{
	const char *text = setting->def ? setting->def : zero_default(setting);
	bool quote = text && settings_takes_text(setting->kind) && !strchr("\"", *text);

	if (setting->kind == SETTING_STRINGS && text && strchr("[(", *text))
		quote = false;
	if (text && !*text)
		quote = true;
	if (setting->required)
		fputs("required", out);
	else if (!text)
		fputs(setting->kind == SETTING_GROUP ? "" : "none", out);
	else {
		fputs(quote ? "`\"" : "`", out);
		put(out, text);
		fputs(quote ? "\"`" : "`", out);
	}
}

static void put_allowed(FILE *out, const struct setting *setting)
{
	char range[96];
	const char *unit = "";

	if (setting->kind == SETTING_WORD) {
		for (size_t i = 0; setting->words[i]; i++) {
			fputs(i ? ", `\"" : "`\"", out);
			put(out, setting->words[i]);
			fputs("\"`", out);
		}
		return;
	}
	if (setting->kind == SETTING_BOOL) {
		fputs("`true`, `false`", out);
		return;
	}
	if (setting->kind == SETTING_STRING)
		unit = " bytes";
	if (setting->kind == SETTING_STRINGS || setting->kind == SETTING_LIST)
		unit = " elements";
	if (*settings_range(setting, range, sizeof(range)))
		fprintf(out, "%s%s", range, unit);
}

static void put_row(struct reference *reference, const struct setting *setting, const char *path)
{
	FILE *out = reference->out;

	fprintf(out, "| `%s` | %s | ", setting->name, type_name(setting->kind));
	put_default(out, setting);
	fputs(" | ", out);
	put_allowed(out, setting);
	fputs(" | ", out);
	put(out, setting->help ? setting->help : "");
	if (setting->sub) {
		char *below = settings_format("%s%s%s%s", path, *path ? "." : "", setting->name,
					      setting->kind == SETTING_LIST ? "[]" : "");

		add_section(reference, setting->sub, below);
		fprintf(out, "%ssee `%s`", setting->help ? "; " : "",
			find_section(reference, setting->sub)->path);
	}
	fputs(" |\n", out);
}

void settings_reference(const struct setting_table *table, const char *root_name, FILE *out)
{
	struct reference reference = { .out = out };

	add_section(&reference, table, settings_format("%s", root_name ? root_name : ""));
	/* Sections are added on the way: breadth first. */
	for (size_t i = 0; i < reference.n; i++) {
		const struct section section = reference.sections[i];
		const char *title = section.table->title;
		bool top = *section.path == '\0';

		if (top)
			fprintf(out, "### Top level\n\n");
		else
			fprintf(out, "%s### `%s`\n\n", i ? "\n" : "", section.path);
		if (title) {
			put(out, title);
			fputs("\n\n", out);
		}
		fputs("| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n",
		      out);
		for (const struct setting *at = section.table->settings; at->name; at++)
			put_row(&reference, at, section.path);
	}
	for (size_t i = 0; i < reference.n; i++)
		free(reference.sections[i].path);
	free(reference.sections);
}

/* One value: out of the tree or out of text, checked, and stored in the struct. */
#include "emulator/base/settings_internal.h"
#include "emulator/base/units.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- out of the tree, out of text ---- */

static void show_text(struct settings_value *value, const char *text, size_t len, char quote)
{
	settings_show(text, len, quote, value->written, sizeof(value->written));
}

/* A number as the file has it, which "131071" for 0x1ffff would not show. */
static void show_number(const struct settings *settings, const config_setting_t *node,
			struct settings_value *value)
{
	const struct settings_source *source = &settings->source;
	/* In a group the line is the name's, and '=' comes between. */
	size_t i = config_setting_source_line(node) - 1 + (config_setting_name(node) ? 2 : 0);

	if (i < source->n_tokens && source->tokens[i].kind == TOKEN_NUMBER)
		show_text(value, source->tokens[i].text, source->tokens[i].len, 0);
}

static void read_node(const config_setting_t *node, struct settings_value *value)
{
	const char *text;

	*value = (struct settings_value){ .type = config_setting_type(node), .node = node };
	switch (value->type) {
	case CONFIG_TYPE_BOOL:
		value->integer = config_setting_get_bool(node);
		snprintf(value->written, sizeof(value->written), "%s",
			 value->integer ? "true" : "false");
		break;
	case CONFIG_TYPE_INT:
		value->integer = config_setting_get_int(node);
		snprintf(value->written, sizeof(value->written), "%" PRId64, value->integer);
		break;
	case CONFIG_TYPE_INT64:
		value->integer = config_setting_get_int64(node);
		snprintf(value->written, sizeof(value->written), "%" PRId64, value->integer);
		break;
	case CONFIG_TYPE_FLOAT:
		value->real = config_setting_get_float(node);
		snprintf(value->written, sizeof(value->written), "%g", value->real);
		break;
	case CONFIG_TYPE_STRING:
		text = config_setting_get_string(node);
		value->text = text ? text : "";
		show_text(value, value->text, strlen(value->text), '"');
		break;
	default: snprintf(value->written, sizeof(value->written), "this"); break;
	}
}

void settings_value_of_node(struct settings *settings, const struct setting *setting,
			    const config_setting_t *node, struct settings_value *value)
{
	const struct settings_override *set = config_setting_get_hook(node);

	if (set && set->value) {
		settings_value_of_text(settings, setting, set->value, value);
		return;
	}
	read_node(node, value);
	if (config_setting_is_number(node) && !set)
		show_number(settings, node, value);
}

/* Whatever the program's locale, as the file's numbers are read. */
static double read_real(const char *text)
{
	locale_t locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);

	if (!locale)
		abort();
	double real = strtod_l(text, NULL, locale);

	freelocale(locale);
	return real;
}

/* A number or a bool without quotes. False: it is neither. */
static bool read_bare(const struct setting *setting, const char *text, struct settings_value *value)
{
	size_t len = strlen(text);

	if (setting->kind == SETTING_BOOL) {
		value->integer = strcasecmp(text, "true") == 0;
		value->type = CONFIG_TYPE_BOOL;
		return value->integer || strcasecmp(text, "false") == 0;
	}
	if (setting->kind != SETTING_INT && setting->kind != SETTING_FLOAT)
		return false;
	enum settings_number number = settings_number(text, len, &value->integer);

	value->large = number == NUMBER_LARGE;
	value->type = number == NUMBER_FLOAT ? CONFIG_TYPE_FLOAT : CONFIG_TYPE_INT64;
	if (number == NUMBER_FLOAT)
		value->real = read_real(text);
	return number != NUMBER_BAD;
}

void settings_value_of_text(struct settings *settings, const struct setting *setting,
			    const char *text, struct settings_value *value)
{
	bool list = setting->kind == SETTING_STRINGS && (*text == '[' || *text == '(');

	*value = (struct settings_value){ .type = CONFIG_TYPE_STRING, .text = text };
	if (*text == '"' || list) {
		const config_setting_t *node = settings_parse_value(settings, text);

		if (node) {
			read_node(node, value);
			return;
		}
		value->type = CONFIG_TYPE_NONE;
		show_text(value, text, strlen(text), 0);
	} else if (read_bare(setting, text, value)) {
		show_text(value, text, strlen(text), 0);
	} else {
		value->type = CONFIG_TYPE_STRING;
		show_text(value, text, strlen(text), '"');
	}
}

/* ---- checks ---- */

static const char *type_name(int type)
{
	switch (type) {
	case CONFIG_TYPE_BOOL: return "a bool";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64: return "an integer";
	case CONFIG_TYPE_FLOAT: return "a decimal number";
	case CONFIG_TYPE_STRING: return "a string";
	case CONFIG_TYPE_GROUP: return "a group";
	case CONFIG_TYPE_ARRAY: return "an array";
	case CONFIG_TYPE_LIST: return "a list";
	default: return "no value that the config's syntax knows";
	}
}

static void fail_type(struct settings *settings, const struct settings_at *at,
		      const struct setting *setting, const struct settings_value *value)
{
	char *expected = settings_expected(setting);

	settings_fail(settings, at, "%s is %s; expected %s", value->written, type_name(value->type),
		      expected);
	free(expected);
}

static void fail_range(struct settings *settings, const struct settings_at *at,
		       const struct setting *setting, const struct settings_value *value)
{
	char range[96];

	settings_fail(settings, at, "%s is out of range; expected %s", value->written,
		      settings_range(setting, range, sizeof(range)));
}

static bool in_range(const struct setting *setting, int64_t number)
{
	return (setting->min == 0 && setting->max == 0) ||
	       (number >= setting->min && number <= setting->max);
}

bool settings_check_count(struct settings *settings, const struct settings_at *at,
			  const struct setting *setting, size_t count)
{
	char range[96];

	if (count == 0 && (setting->required || setting->min > 0)) {
		char *expected = settings_expected(setting);

		settings_fail(settings, at, "is empty; expected %s", expected);
		free(expected);
		return false;
	}
	if (in_range(setting, (int64_t)count))
		return true;
	settings_fail(settings, at, "has %zu elements; expected %s", count,
		      settings_range(setting, range, sizeof(range)));
	return false;
}

/* ---- one function a kind; each stores or fails ---- */

static void store_int(struct settings *settings, const struct settings_at *at,
		      const struct setting *setting, const struct settings_value *value,
		      int64_t *field)
{
	if (value->large)
		settings_fail(settings, at, "%s is too large for an integer (64 bits)",
			      value->written);
	else if (value->type != CONFIG_TYPE_INT && value->type != CONFIG_TYPE_INT64)
		fail_type(settings, at, setting, value);
	else if (!in_range(setting, value->integer))
		fail_range(settings, at, setting, value);
	else
		*field = value->integer;
}

static void store_float(struct settings *settings, const struct settings_at *at,
			const struct setting *setting, const struct settings_value *value,
			double *field)
{
	bool integer = value->type == CONFIG_TYPE_INT || value->type == CONFIG_TYPE_INT64;
	bool limited = setting->fmin != 0 || setting->fmax != 0;
	double real = integer ? (double)value->integer : value->real;

	if (!integer && value->type != CONFIG_TYPE_FLOAT)
		fail_type(settings, at, setting, value);
	else if (value->large || !isfinite(real))
		settings_fail(settings, at, "%s is too large for a number", value->written);
	else if (limited && !(real >= setting->fmin && real <= setting->fmax))
		fail_range(settings, at, setting, value);
	else
		*field = real;
}

static void store_string(struct settings *settings, const struct settings_at *at,
			 const struct setting *setting, const struct settings_value *value,
			 const char **field)
{
	char range[96];

	if (value->type != CONFIG_TYPE_STRING)
		fail_type(settings, at, setting, value);
	else if (!*value->text && setting->min > 0)
		settings_fail(settings, at, "is empty; expected some text");
	else if (!in_range(setting, (int64_t)strlen(value->text)))
		settings_fail(settings, at, "%s has %zu bytes; expected %s", value->written,
			      strlen(value->text), settings_range(setting, range, sizeof(range)));
	else
		*field = value->text;
}

#define WORDS_TOLD_MAX 16

static void store_word(struct settings *settings, const struct settings_at *at,
		       const struct setting *setting, const struct settings_value *value,
		       int *field)
{
	if (value->type != CONFIG_TYPE_STRING) {
		fail_type(settings, at, setting, value);
		return;
	}
	for (int i = 0; setting->words[i]; i++)
		if (strcmp(setting->words[i], value->text) == 0) {
			*field = i;
			return;
		}
	const char *nearest = settings_nearest(value->text, setting->words);
	size_t n = 0;

	while (setting->words[n] != NULL)
		n++;
	/* A wall of words would hide the one that was meant. */
	if (nearest != NULL && n > WORDS_TOLD_MAX) {
		settings_fail(settings, at,
			      "%s is unknown (did you mean \"%s\"?); expected one of %zu words",
			      value->written, nearest, n);
		return;
	}
	char *words = settings_words(setting->words, " or ");

	settings_fail(settings, at, "%s is unknown; expected %s%s%s%s", value->written, words,
		      nearest ? " (did you mean \"" : "", nearest ? nearest : "",
		      nearest ? "\"?)" : "");
	free(words);
}

static void store_duration(struct settings *settings, const struct settings_at *at,
			   const struct setting *setting, const struct settings_value *value,
			   int64_t *field)
{
	int64_t ns;

	if (value->type != CONFIG_TYPE_STRING)
		fail_type(settings, at, setting, value);
	else if (!units_duration(value->text, true, &ns))
		settings_fail(settings, at, "%s is no duration; expected e.g. \"250ms\"",
			      value->written);
	else if (ns < 0 && setting->min == 0 && setting->max == 0)
		settings_fail(settings, at, "%s is out of range; expected 0s or more",
			      value->written);
	else if (!in_range(setting, ns))
		fail_range(settings, at, setting, value);
	else
		*field = ns;
}

static void store_dist(struct settings *settings, const struct settings_at *at,
		       const struct setting *setting, const struct settings_value *value,
		       struct dist *field)
{
	struct dist dist;

	if (value->type != CONFIG_TYPE_STRING) {
		fail_type(settings, at, setting, value);
		return;
	}
	if (!units_dist(value->text, &dist)) {
		settings_fail(settings, at,
			      "%s is no duration; expected e.g. \"500ms\" or "
			      "\"normal(500ms, 20ms)\"",
			      value->written);
		return;
	}
	/* b is a place on the same scale as a for these two, and a width for a normal one. */
	bool b_too = dist.kind == DIST_UNIFORM || dist.kind == DIST_LONGTAIL;

	if (!in_range(setting, dist.a) || (b_too && !in_range(setting, dist.b)))
		fail_range(settings, at, setting, value);
	else
		*field = dist;
}

static void store_strings(struct settings *settings, const struct settings_at *at,
			  const struct setting *setting, const struct settings_value *value,
			  struct setting_strings *field)
{
	bool one = value->type == CONFIG_TYPE_STRING;
	bool ok = true;

	if (!one && value->type != CONFIG_TYPE_ARRAY && value->type != CONFIG_TYPE_LIST) {
		fail_type(settings, at, setting, value);
		return;
	}
	size_t count = one ? 1 : (size_t)config_setting_length(value->node);

	if (!settings_check_count(settings, at, setting, count))
		return;
	const char **strings = settings_alloc(settings, count * sizeof(*strings));

	if (one)
		strings[0] = value->text;
	for (size_t i = 0; i < count && !one; i++) {
		const config_setting_t *node = config_setting_get_elem(value->node, (unsigned)i);
		struct settings_at element = *at;
		struct settings_value text;

		read_node(node, &text);
		element.element = i;
		if (!at->pos.set && !at->built_in) {
			element.pos = settings_pos_of(node);
			if (config_setting_is_number(node))
				show_number(settings, node, &text);
		}
		strings[i] = text.text;
		if (text.type == CONFIG_TYPE_STRING)
			continue;
		settings_fail(settings, &element, "%s is %s; expected a string", text.written,
			      type_name(text.type));
		ok = false;
	}
	if (ok)
		*field = (struct setting_strings){ .at = strings, .count = count };
}

/* A number may stand for itself: `ports = 8081`. */
static const char *custom_text(struct settings *settings, const struct settings_value *value)
{
	bool integer = value->type == CONFIG_TYPE_INT || value->type == CONFIG_TYPE_INT64;

	if (value->type == CONFIG_TYPE_STRING)
		return value->text;
	if (!integer && value->type != CONFIG_TYPE_FLOAT && value->type != CONFIG_TYPE_BOOL)
		return NULL;
	char *text = settings_alloc(settings, sizeof(value->written));

	if (integer)
		snprintf(text, sizeof(value->written), "%" PRId64, value->integer);
	else
		memcpy(text, value->written, sizeof(value->written));
	return text;
}

static void store_custom(struct settings *settings, const struct settings_at *at,
			 const struct setting *setting, const struct settings_value *value,
			 void *field)
{
	const char *expected = NULL;
	const char *text = custom_text(settings, value);

	if (!text)
		fail_type(settings, at, setting, value);
	else if (!setting->custom(text, field, &expected))
		settings_fail(settings, at, "%s is not valid%s%s", value->written,
			      expected ? "; " : "", expected ? expected : "");
}

void settings_store(struct settings *settings, const struct settings_at *at,
		    const struct setting *setting, const struct settings_value *value, void *field)
{
	switch (setting->kind) {
	case SETTING_BOOL:
		if (value->type == CONFIG_TYPE_BOOL)
			*(bool *)field = value->integer != 0;
		else
			fail_type(settings, at, setting, value);
		break;
	case SETTING_INT: store_int(settings, at, setting, value, field); break;
	case SETTING_FLOAT: store_float(settings, at, setting, value, field); break;
	case SETTING_STRING: store_string(settings, at, setting, value, field); break;
	case SETTING_WORD: store_word(settings, at, setting, value, field); break;
	case SETTING_DURATION: store_duration(settings, at, setting, value, field); break;
	case SETTING_DIST: store_dist(settings, at, setting, value, field); break;
	case SETTING_STRINGS: store_strings(settings, at, setting, value, field); break;
	case SETTING_CUSTOM: store_custom(settings, at, setting, value, field); break;
	case SETTING_GROUP:
	case SETTING_LIST: fail_type(settings, at, setting, value); break;
	}
}

/*
 * Config files: libconfig text into C structs, by tables, with every setting checked.
 *
 * Purpose: a module describes its settings in a table (name, kind, where it goes, default, limits,
 * one line of help); this one reads the file, applies --set overrides, and checks everything before
 * anything starts. The same table prints the reference of all settings, so that documentation and
 * program cannot differ.
 * Ownership: a struct settings owns the parsed file and every string that a loaded struct points
 * to: release it last. Out of memory ends the program, as in libconfig.
 * Errors: collected, not thrown: every fault of the file is reported, in the file's order, then
 * those of the overrides:
 *     x.cfg:12: fleet.groups[0].cuont: unknown setting (did you mean "count"?)
 *     x.cfg:14: fleet.groups[0].rise: "soon" is no duration; expected e.g. "250ms"
 *     --set fleet.port=99999: fleet.port: 99999 is out of range; expected 1 .. 65535
 * A file that libconfig cannot parse has only its syntax errors. Text from the file is cut and
 * escaped in errors, so that each stays one line.
 * Threads: load before threads start; no global state.
 *
 * Format: libconfig's (its manual, "Configuration Files"), with these differences: an integer up to
 * 64 bits needs no L, and one that does not fit is an error; a leading 0 is no octal; a list or
 * array may end in a comma, a file in a comment; @include is relative to the file that includes,
 * may stand inside a group, and must name a regular file. Bounds: 16 MiB and 256 files in all, 32
 * levels of groups and lists.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum setting_kind {
	SETTING_BOOL,     /* bool */
	SETTING_INT,      /* int64_t, min..max */
	SETTING_FLOAT,    /* double, fmin..fmax; an integer is accepted */
	SETTING_STRING,   /* const char *, never NULL unless the default is NULL; min..max bytes */
	SETTING_WORD,     /* int: the index in `words` */
	SETTING_DURATION, /* int64_t ns, min..max in ns, negative only if min is; "250ms" */
	SETTING_DIST,     /* struct dist; min..max of its value, mean, median, low and high */
	SETTING_STRINGS,  /* struct setting_strings: one string, or an array or list of strings */
	SETTING_GROUP,    /* a nested struct at offset, described by `sub` */
	SETTING_LIST,     /* a list of groups: struct setting_list, elements described by `sub` */
	SETTING_CUSTOM,   /* parsed by `custom` (a small language of its own in a string) */
};

struct setting_strings {
	const char **at;
	size_t count;
};

/* `count` elements of sub->size bytes each, at `at`. */
struct setting_list {
	void *at;
	size_t count;
};

/* Where a setting or group stands, for errors found after loading. In every loaded group that has a
 * member of this type at sub->origin_offset. */
struct setting_origin {
	const char *file; /* or "--set" */
	unsigned line;    /* a group that the file lacks has its parent's; "--set" has 0 */
	const char *path; /* "fleet.groups[0]" */
};

struct setting;

struct setting_table {
	const char *title;              /* for the reference: "one group of targets" */
	size_t size;                    /* of the struct that it fills */
	const struct setting *settings; /* ends with .name == NULL */
	size_t origin_offset;           /* SIZE_MAX: the struct has no struct setting_origin */
	const struct setting_foreign *foreign; /* NULL: none; ends with .name == NULL */
};

/* A name that stands in other files than this table is for, and what one may try with those. */
struct setting_foreign {
	const char *name, *try;
};

struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset;
	/* The default, as a config would write it; quotes may be left out. NULL: zero bytes. It
	 * must pass the setting's own checks: one that does not ends the program. */
	const char *def;
	bool required;            /* of a list or strings: and not empty */
	int64_t min, max;         /* both 0: unlimited; of a list or strings: how many elements */
	double fmin, fmax;        /* both 0: unlimited */
	const char *const *words; /* NULL-terminated, for SETTING_WORD */
	const struct setting_table *sub;
	/* SETTING_CUSTOM: fill *field from text, which lives as long as settings; a number or bool
	 * comes as text too. On failure return false with a phrase in *expected ("expected a range
	 * such as 127.1.0.1-127.1.3.255"). The default is applied only where the file has no value.
	 */
	bool (*custom)(const char *text, void *field, const char **expected);
	size_t present_offset; /* 0: none. Else a bool in the struct: is it in the file or set? */
	const char *help;      /* one line, for the reference */
};

struct settings; /* opaque */

/*
 * Reads `path` ("-": standard input), with @include relative to the file's folder, then the
 * overrides ("fleet.groups[0].count=20"; the value in libconfig's syntax, quotes may be left out of
 * a string; a path that the file lacks is created where its parents exist or can be groups).
 * Of two overrides of one setting the later wins. Lists of groups get no elements that way.
 * Fills *root (table->size bytes) from the table: defaults first, also where the file's value is
 * wrong. A group that the file lacks has its defaults, and misses nothing. Always returns an
 * object; settings_errors() says how it went. An unreadable or empty file is an error like any
 * other.
 */
struct settings *settings_load(const char *path, const char *const *overrides, size_t n_overrides,
			       const struct setting_table *table, void *root);
/* The same for text in memory, which may be empty; `name` stands for the file in errors, and its
 * folder is where @include looks. */
struct settings *settings_load_text(const char *text, const char *name,
				    const char *const *overrides, size_t n_overrides,
				    const struct setting_table *table, void *root);
void settings_free(struct settings *settings);

/* Adds an error that a module found in values that are each fine but do not fit together. `setting`
 * (may be NULL) is a name in the group at origin: its own line is then used, or its --set. origin
 * (NULL: the whole file) is one that loading filled. It takes its place in the file's order. */
void settings_error(struct settings *settings, const struct setting_origin *origin,
		    const char *setting, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
size_t settings_errors(const struct settings *settings);
/* The i-th error, one line without newline, in the file's order. */
const char *settings_error_text(const struct settings *settings, size_t i);

/* Zeroed memory that lives as long as settings: for what a module expands out of its config. */
void *settings_alloc(struct settings *settings, size_t size);

/* The reference of every setting as Markdown: a section a table, with a row a setting (name, type,
 * default, allowed, meaning). root_name is the path of `table`, "" for the top of a file. */
void settings_reference(const struct setting_table *table, const char *root_name, FILE *out);

/* The known name (they end with NULL) nearest to `name` by edit distance, or NULL when none is
 * near. */
const char *settings_nearest(const char *name, const char *const *known);

#endif

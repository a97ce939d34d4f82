/*
 * What the files settings_*.c share; nobody else includes it.
 *
 * Purpose: one load goes through these steps, a file each: settings_source.c reads the file and
 * what it includes; settings_lex.c cuts them into tokens; libconfig parses the tokens
 * (settings_syntax.c explains what it refuses); settings_override.c marks what --set replaces;
 * settings_fill.c walks tables and parsed file together; settings_value.c checks each value.
 *
 * Why tokens of our own before libconfig: 1.5 cuts large integers without a word, refuses a comment
 * that ends the file, reads every include relative to one folder, and in a syntax error names no
 * token and leaks. So libconfig is given one token a line: each of its line numbers is then the
 * number of a token, whose file, line and text we know.
 */
#ifndef SETTINGS_INTERNAL_H
#define SETTINGS_INTERNAL_H

#include "emulator/base/settings.h"

#include <libconfig.h>
#include <sys/types.h>

#define SETTINGS_BYTES_MAX (16u << 20) /* of a file with all its includes */
#define SETTINGS_FILES_MAX 256u
#define SETTINGS_DEPTH_MAX 32u  /* groups and lists inside each other */
#define SETTINGS_FAULTS_MAX 20u /* then a file is no config at all */
#define SETTINGS_ERRORS_MAX 1000u

/* ---- tokens: settings_lex.c ---- */

enum settings_token_kind {
	TOKEN_NAME,
	TOKEN_BOOL,
	TOKEN_NUMBER,
	TOKEN_STRING, /* text with its quotes, escapes not undone */
	TOKEN_SIGN,   /* one of = : ; , { } ( ) [ ] */
	TOKEN_OTHER,  /* nothing that libconfig knows */
};

struct settings_token {
	const char *text; /* in its file's text */
	uint32_t len, line;
	uint16_t file;
	uint8_t kind;
};

struct settings_file {
	const char *name; /* as errors show it */
	char *text;       /* NUL-terminated; owned */
	size_t len;
	dev_t device; /* with inode: to find a file that includes itself; both 0 for text */
	ino_t inode;
	uint16_t parent; /* the file that includes it */
};

/* Something that is wrong before libconfig sees it. */
struct settings_fault {
	size_t token; /* it stands before this one */
	uint32_t line;
	uint16_t file;
	char *text; /* owned */
};

struct settings_source {
	struct settings_file *files; /* [0]: the file itself */
	size_t n_files;
	struct settings_token *tokens;
	size_t n_tokens, cap_tokens;
	struct settings_fault faults[SETTINGS_FAULTS_MAX];
	size_t n_faults;
	size_t bytes;
	char open[SETTINGS_DEPTH_MAX]; /* brackets that are open where the lexer stands */
	unsigned depth;
	bool includes; /* @include is understood */
};

void settings_source_release(struct settings_source *source);
/* Cuts files[file] into tokens; what it includes comes in between. */
void settings_lex(struct settings_source *source, uint16_t file);
/* The tokens for libconfig: each on its line. The caller frees it. */
char *settings_source_text(const struct settings_source *source);
void settings_fault(struct settings_source *source, uint16_t file, uint32_t line,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

enum settings_number { NUMBER_BAD, NUMBER_INT, NUMBER_FLOAT, NUMBER_LARGE };
/* How libconfig writes numbers. NUMBER_LARGE: an integer that 64 bits do not hold. */
enum settings_number settings_number(const char *text, size_t len, int64_t *ret);

/* ---- files: settings_source.c ---- */

/* Adds the file at path, or, path "-", standard input; or text. 0 or -errno: -EFBIG too large. */
int settings_source_open(struct settings_source *source, const char *path, const char *name,
			 uint16_t parent);
int settings_source_add_text(struct settings_source *source, const char *text, size_t len,
			     const char *name);
/* Reads and cuts what `@include "path"` in line `line` of files[file] names. */
void settings_source_include(struct settings_source *source, uint16_t file, uint32_t line,
			     const char *path);
/* What an errno of the two above means to a user. */
const char *settings_source_error(int error);

/* ---- syntax: settings_syntax.c ---- */

/* The path that stands before token i ("fleet.groups[0].rise"), in buf, cut where it is too long.
 * Returns buf. */
const char *settings_token_path(const struct settings_source *source, size_t i, char *buf,
				size_t cap);
/* False: *ret_token is the first that does not fit (n_tokens: the end). */
bool settings_check_syntax(const struct settings_source *source, size_t *ret_token);
/* What an error at token i means: libconfig's, or "" for the syntax. The caller frees it. */
char *settings_explain(const struct settings_source *source, size_t i, const char *error);

/* ---- errors and positions: settings.c ---- */

/* One --set PATH=VALUE. A tree's setting that it replaced has it as libconfig's hook. */
struct settings_override {
	const char *written, *path, *value;
	size_t index;
};

struct settings_pos {
	const struct settings_override *set; /* NULL: in the file */
	size_t line; /* libconfig's: the token's number plus one; 0: the whole file */
};

/* A setting, for errors: its group's path and its name; element: of its list, or SIZE_MAX. */
struct settings_at {
	struct settings_pos pos;
	const char *group, *name;
	size_t element;
	bool built_in; /* a default: an error is our own bug */
};

struct settings_pos settings_pos_of(const config_setting_t *node);
/* The same for a module; path is not set. */
struct setting_origin settings_origin_of(const struct settings *settings,
					 const struct settings_pos *pos);
void settings_fail(struct settings *settings, const struct settings_at *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A libconfig object that lives as long as settings. */
struct settings_parsed {
	config_t config;
	struct settings_parsed *next;
};

struct settings_group {
	const char *path;
	const config_setting_t *node; /* NULL: the file lacks the group */
	struct settings_pos pos;
};

struct settings_message {
	struct settings_pos pos;
	char *text;
};

struct settings {
	struct settings_block *blocks; /* of settings_alloc() */
	struct settings_parsed *parsed;
	struct settings_source source;
	const struct setting_table *table;
	config_setting_t *root; /* NULL: nothing was parsed */
	struct settings_override *overrides;
	size_t n_overrides;
	struct settings_group *groups;
	size_t n_groups, cap_groups;
	struct settings_message *errors;
	size_t n_errors, cap_errors, n_unshown;
	char unshown[64];
};

/* realloc that doubles when count has reached *cap; out of memory ends the program, as in
 * libconfig. */
void *settings_grow(void *array, size_t count, size_t *cap, size_t size);
char *settings_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Parses text that stands outside the file, as `value = TEXT`. NULL when it is no value. */
const config_setting_t *settings_parse_value(struct settings *settings, const char *text);
/* Parses a source into a new object of settings->parsed. False: *ret_error names why, *ret_line
 * where, in libconfig's lines. */
bool settings_parse(struct settings *settings, const struct settings_source *source,
		    config_setting_t **ret_root, const char **ret_error, size_t *ret_line);

/* ---- the walk: settings_fill.c ---- */

void settings_fill(struct settings *settings, void *root);
void settings_apply_overrides(struct settings *settings);
/* Fails with "unknown setting" and what may have been meant. */
void settings_fail_unknown(struct settings *settings, const struct settings_at *at,
			   const struct setting_table *table);
const struct setting *settings_find(const struct setting_table *table, const char *name,
				    size_t len);

/* ---- one value: settings_value.c ---- */

#define SETTINGS_SHOWN 96

struct settings_value {
	int type;        /* CONFIG_TYPE_* */
	int64_t integer; /* and bool */
	double real;
	const char *text;             /* lives as long as settings */
	const config_setting_t *node; /* of an array, list or group */
	bool large;
	char written[SETTINGS_SHOWN]; /* for errors */
};

void settings_value_of_node(struct settings *settings, const struct setting *setting,
			    const config_setting_t *node, struct settings_value *value);
void settings_value_of_text(struct settings *settings, const struct setting *setting,
			    const char *text, struct settings_value *value);
/* Checks value and stores it at field. An error is settings_fail()'s. */
void settings_store(struct settings *settings, const struct settings_at *at,
		    const struct setting *setting, const struct settings_value *value, void *field);
/* Is count in the setting's min..max (and not 0 if it is required)? Else an error. */
bool settings_check_count(struct settings *settings, const struct settings_at *at,
			  const struct setting *setting, size_t count);

/* ---- words: settings_words.c ---- */

/* text, cut, with control characters escaped; quoted when quote is '"'. Returns buf. */
const char *settings_show(const char *text, size_t len, char quote, char *buf, size_t cap);
/* The limits as text, "" when there are none. Returns buf. */
const char *settings_range(const struct setting *setting, char *buf, size_t cap);
/* What a setting takes, behind "expected". The caller frees it. */
char *settings_expected(const struct setting *setting);
/* `"a", "b" or "c"`, with `last` before the last. The caller frees it. */
char *settings_words(const char *const *words, const char *last);
bool settings_takes_text(enum setting_kind kind);

#endif

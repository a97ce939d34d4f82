/* Syntax errors: where, and what they mean in the words of somebody who writes a config. libconfig
 * would find them too, but 1.5 leaks the strings that it holds then. */
#include "emulator/base/settings_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bracket that is open; [0] is the whole file. */
struct level {
	const struct settings_token *bracket; /* NULL: the file */
	const struct settings_token *name;    /* the setting that was begun last, in a group */
	size_t element;                       /* in a list */
};

struct nesting {
	struct level level[SETTINGS_DEPTH_MAX + 1];
	size_t depth;
};

static bool is_sign(const struct settings_token *token, const char *signs)
{
	return token && token->kind == TOKEN_SIGN && strchr(signs, *token->text);
}

static bool is_list(const struct level *level)
{
	return level->bracket && *level->bracket->text != '{';
}

/* What is open in front of token i. */
static void find_nesting(const struct settings_source *source, size_t i, struct nesting *nesting)
{
	*nesting = (struct nesting){ 0 };
	for (size_t k = 0; k < i; k++) {
		const struct settings_token *at = source->tokens + k;
		struct level *level = &nesting->level[nesting->depth];
		bool value = k > 0 && is_sign(at - 1, "=:");

		if (is_sign(at, "{[(")) {
			nesting->level[++nesting->depth] = (struct level){ .bracket = at };
		} else if (is_sign(at, "}])")) {
			if (nesting->depth)
				nesting->depth--;
		} else if (is_list(level)) {
			level->element += is_sign(at, ",");
		} else if (at->kind == TOKEN_NAME && !value) {
			level->name = at;
		} else if (is_sign(at, ";,")) {
			level->name = NULL;
		}
	}
}

const char *settings_token_path(const struct settings_source *source, size_t i, char *buf,
				size_t cap)
{
	struct nesting nesting;
	size_t len = 0;

	find_nesting(source, i, &nesting);
	*buf = '\0';
	for (size_t d = 0; d <= nesting.depth && len < cap; d++) {
		const struct level *level = &nesting.level[d];

		if (is_list(level))
			len += (size_t)snprintf(buf + len, cap - len, "[%zu]", level->element);
		else if (level->name)
			len += (size_t)snprintf(buf + len, cap - len, "%s%.*s", len ? "." : "",
						(int)level->name->len, level->name->text);
	}
	return buf;
}

static char closing(char opening)
{
	return opening == '{' ? '}' : opening == '(' ? ')' : ']';
}

static bool is_value(const struct settings_token *token)
{
	return token && (token->kind == TOKEN_BOOL || token->kind == TOKEN_NUMBER ||
			 token->kind == TOKEN_STRING || is_sign(token, "}])"));
}

static bool begins_value(const struct settings_token *token)
{
	return is_sign(token, "{[(") || (is_value(token) && token->kind != TOKEN_SIGN);
}

/* What the grammar takes next. */
enum expect {
	EXPECT_NAME, /* or the end of the group */
	EXPECT_EQUALS,
	EXPECT_VALUE,
	EXPECT_FIRST, /* a value, or the end of the list */
	EXPECT_AFTER, /* what may stand behind a value */
};

struct checker {
	char open[SETTINGS_DEPTH_MAX]; /* brackets */
	size_t depth;
	enum expect expect;
};

static char innermost(const struct checker *checker)
{
	return checker->depth ? checker->open[checker->depth - 1] : '{';
}

static bool take_value(struct checker *checker, const struct settings_token *token)
{
	if (is_sign(token, "{[(")) {
		if (innermost(checker) == '[' || checker->depth == SETTINGS_DEPTH_MAX)
			return false;
		checker->open[checker->depth++] = *token->text;
		checker->expect = *token->text == '{' ? EXPECT_NAME : EXPECT_FIRST;
		return true;
	}
	checker->expect = EXPECT_AFTER;
	return token->kind == TOKEN_BOOL || token->kind == TOKEN_NUMBER ||
	       token->kind == TOKEN_STRING;
}

static bool take_closing(struct checker *checker, const struct settings_token *token)
{
	if (!checker->depth || closing(innermost(checker)) != *token->text)
		return false;
	checker->depth--;
	checker->expect = EXPECT_AFTER;
	return true;
}

static bool take_name(struct checker *checker, const struct settings_token *token)
{
	checker->expect = EXPECT_EQUALS;
	return token->kind == TOKEN_NAME && *token->text != '_';
}

static bool take_after(struct checker *checker, const struct settings_token *token)
{
	if (innermost(checker) == '{' && is_sign(token, ";,")) {
		checker->expect = EXPECT_NAME;
		return true;
	}
	if (innermost(checker) == '{')
		return take_name(checker, token); /* a separator is not required */
	checker->expect = EXPECT_FIRST;           /* a list may end in a comma */
	return is_sign(token, ",");
}

static bool take(struct checker *checker, const struct settings_token *token)
{
	/* "one " "string": the next one belongs to it. */
	if (checker->expect == EXPECT_AFTER && token->kind == TOKEN_STRING &&
	    token[-1].kind == TOKEN_STRING)
		return true;
	if (is_sign(token, "}])") && checker->expect != EXPECT_EQUALS &&
	    checker->expect != EXPECT_VALUE)
		return take_closing(checker, token);
	switch (checker->expect) {
	case EXPECT_NAME: return take_name(checker, token);
	case EXPECT_EQUALS: checker->expect = EXPECT_VALUE; return is_sign(token, "=:");
	case EXPECT_VALUE:
	case EXPECT_FIRST: return take_value(checker, token);
	case EXPECT_AFTER: return take_after(checker, token);
	}
	return false;
}

bool settings_check_syntax(const struct settings_source *source, size_t *ret_token)
{
	struct checker checker = { .expect = EXPECT_NAME };
	size_t i = 0;

	while (i < source->n_tokens && take(&checker, source->tokens + i))
		i++;
	if (i == source->n_tokens && checker.depth == 0 &&
	    (checker.expect == EXPECT_NAME || checker.expect == EXPECT_AFTER))
		return true;
	*ret_token = i;
	return false;
}

static char *explain_end(const struct settings_source *source, const struct level *level)
{
	const struct settings_token *open = level->bracket;

	if (!open && !level->name)
		return settings_format("the file ends too early");
	if (!open)
		return settings_format("the file ends before %.*s has its value",
				       (int)level->name->len, level->name->text);
	return settings_format("the file ends, but the '%c' of %s:%u is still open (a '%c' is "
			       "missing)",
			       *open->text, source->files[open->file].name, open->line,
			       closing(*open->text));
}

/* A closing bracket that libconfig did not expect, or NULL. */
static char *explain_closing(const struct settings_token *token, const struct level *level)
{
	const struct settings_token *open = level->bracket;

	if (!is_sign(token, "}])"))
		return NULL;
	if (!open)
		return settings_format("nothing is open that it could close");
	if (closing(*open->text) != *token->text)
		return settings_format("the '%c' of line %u is still open, and closed by '%c'",
				       *open->text, open->line, closing(*open->text));
	return NULL;
}

/* The hint for token i, or NULL. */
static char *hint(const struct settings_source *source, size_t i, const struct nesting *nesting)
{
	const struct settings_token *token = source->tokens + i;
	const struct settings_token *before = i > 0 ? token - 1 : NULL;
	const struct level *level = &nesting->level[nesting->depth];
	bool list = is_list(level);
	char *text = explain_closing(token, level);

	if (text)
		return text;
	if (token->kind == TOKEN_NAME && (list || is_sign(before, "=:")))
		return settings_format("text needs quotes: \"%.*s\"", (int)token->len, token->text);
	if (token->kind == TOKEN_OTHER && strchr("'`\xe2", *token->text))
		return settings_format("text stands in plain double quotes: \"text\"");
	if (list && is_value(before) && begins_value(token))
		return settings_format("a ',' is missing before it");
	if (list && *level->bracket->text == '[' && is_sign(token, "{[("))
		return settings_format("a list of groups or lists stands in ( ), not in [ ]");
	if (before && before->kind == TOKEN_NAME && before == level->name)
		return settings_format("a '=' is missing after %.*s", (int)before->len,
				       before->text);
	if (is_sign(before, "=:"))
		return settings_format("a value is missing before it");
	if (list && is_sign(token, ";"))
		return settings_format("the elements of a list stand between commas");
	if (is_sign(token, ";,"))
		return settings_format("one '%c' too many", *token->text);
	if (*token->text == '_')
		return settings_format("a name begins with a letter");
	if (!list && begins_value(token))
		return settings_format("a name and '=' are missing before it");
	return NULL;
}

/* An earlier setting of the same name in the same group as token i, or NULL. */
static const struct settings_token *find_first(const struct settings_source *source, size_t i)
{
	const struct settings_token *name = source->tokens + i;
	const struct settings_token *first = NULL;
	int depth = 0;

	for (const struct settings_token *at = name; at-- > source->tokens && depth >= 0;) {
		depth += is_sign(at, "}])") - is_sign(at, "{[(");
		if (depth == 0 && at->kind == TOKEN_NAME && at->len == name->len &&
		    memcmp(at->text, name->text, at->len) == 0)
			first = at;
	}
	return first;
}

static char *explain_duplicate(const struct settings_source *source, size_t i)
{
	const struct settings_token *first = find_first(source, i);

	if (!first)
		return settings_format("set twice in this group");
	return settings_format("set twice in this group; first in %s:%u",
			       source->files[first->file].name, first->line);
}

/* The source line of token i, without the blanks around it. */
static void show_line(const struct settings_source *source, size_t i, char *buf, size_t cap)
{
	const struct settings_token *token = source->tokens + i;
	const struct settings_file *file = &source->files[token->file];
	const char *from = token->text, *to = token->text;

	while (from > file->text && from[-1] != '\n')
		from--;
	while (to < file->text + file->len && *to != '\n')
		to++;
	while (from < to && strchr(" \t\r", *from))
		from++;
	while (to > from && strchr(" \t\r", to[-1]))
		to--;
	settings_show(from, (size_t)(to - from), 0, buf, cap);
}

/* A string that runs over lines, just before token i: what follows it is often the text between two
 * others ("b" may be taken for a name, so two tokens back). NULL: none. */
static const struct settings_token *find_swallowed(const struct settings_source *source, size_t i)
{
	for (size_t back = 1; back <= 2 && back <= i; back++) {
		const struct settings_token *token = source->tokens + i - back;

		if (token->kind == TOKEN_STRING && memchr(token->text, '\n', token->len))
			return token;
	}
	return NULL;
}

char *settings_explain(const struct settings_source *source, size_t i, const char *error)
{
	struct nesting nesting;
	char shown[SETTINGS_SHOWN], line[SETTINGS_SHOWN];

	if (i < source->n_tokens && strstr(error, "duplicate"))
		return explain_duplicate(source, i);
	if (i < source->n_tokens && strstr(error, "mismatched"))
		return settings_format("the elements of an array in [ ] must all be of one type; a "
				       "list in ( ) may mix them");
	find_nesting(source, i, &nesting);
	if (i >= source->n_tokens)
		return explain_end(source, &nesting.level[nesting.depth]);

	const struct settings_token *token = source->tokens + i;
	char *why = hint(source, i, &nesting);
	bool string = token->kind == TOKEN_STRING;

	settings_show(token->text, token->len, string ? 0 : '"', shown, sizeof(shown));
	show_line(source, i, line, sizeof(line));
	const struct settings_token *swallowed = find_swallowed(source, i);

	if (swallowed) {
		free(why);
		why = settings_format("a string begins in line %u and runs over lines: is its "
				      "closing '\"' missing?",
				      swallowed->line);
	}
	char *text = settings_format("syntax error at %s%s%s; the line is: %s", shown,
				     why ? ": " : "", why ? why : "", line);

	free(why);
	return text;
}

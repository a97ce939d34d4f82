/* The text of a config, cut into tokens, and the tokens as text for libconfig. */
#include "emulator/base/settings_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct lexer {
	struct settings_source *source;
	uint16_t file;
	const char *at, *end;
	uint32_t line;
};

void settings_fault(struct settings_source *source, uint16_t file, uint32_t line,
		    const char *format, ...)
{
	va_list args;

	if (source->n_faults == SETTINGS_FAULTS_MAX)
		return;
	struct settings_fault *fault = &source->faults[source->n_faults++];

	*fault = (struct settings_fault){ .token = source->n_tokens, .line = line, .file = file };
	va_start(args, format);
	if (vasprintf(&fault->text, format, args) < 0)
		abort();
	va_end(args);
}

static bool starts_name(char c)
{
	return isalpha((unsigned char)c) || c == '*' || c == '_';
}

static bool continues_name(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("*_-", c));
}

static bool starts_number(const char *at, const char *end)
{
	if (isdigit((unsigned char)*at))
		return true;
	return strchr("+-.", *at) && at + 1 < end &&
	       (isdigit((unsigned char)at[1]) || at[1] == '.');
}

/* The end of what looks like one number to a reader, "250ms" and "5%" included. */
static const char *number_end(const char *at, const char *end)
{
	bool hex = end - at > 1 && at[0] == '0' && (at[1] | 0x20) == 'x';
	const char *from = at++;

	for (; at < end; at++) {
		bool exponent = !hex && at > from && (at[-1] | 0x20) == 'e';

		if (!isalnum((unsigned char)*at) && (unsigned char)*at < 0x80 &&
		    !strchr("._%", *at) && !(exponent && strchr("+-", *at)))
			break;
	}
	return at;
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && isdigit((unsigned char)*at))
		at++;
	return at;
}

static bool is_float(const char *at, const char *end)
{
	if (at < end && (*at == '+' || *at == '-'))
		at++;
	const char *whole = at;

	at = skip_digits(at, end);
	size_t digits = (size_t)(at - whole);
	bool point = at < end && *at == '.';

	if (point) {
		const char *fraction = ++at;

		at = skip_digits(at, end);
		digits += (size_t)(at - fraction);
	}
	if (digits == 0 || at == end)
		return digits && point;
	if ((*at | 0x20) != 'e')
		return false;
	at++;
	if (at < end && (*at == '+' || *at == '-'))
		at++;
	return at < end && skip_digits(at, end) == end;
}

enum settings_number settings_number(const char *text, size_t len, int64_t *ret)
{
	const char *at = text, *end = text + len;
	bool negative = len && *at == '-';
	bool hex = len > 2 && at[0] == '0' && (at[1] | 0x20) == 'x';
	bool large = false;
	int64_t value = 0;

	if (is_float(text, end))
		return NUMBER_FLOAT;
	if (hex)
		at += 2;
	else if (len && (*at == '-' || *at == '+'))
		at++;
	for (int i = 0; i < 2 && end > at && end[-1] == 'L'; i++)
		end--;
	if (at == end)
		return NUMBER_BAD;
	for (; at < end; at++) {
		int digit = isdigit((unsigned char)*at) ? *at - '0' : (*at | 0x20) - 'a' + 10;

		if (!(hex ? isxdigit((unsigned char)*at) : isdigit((unsigned char)*at)))
			return NUMBER_BAD;
		if (__builtin_mul_overflow(value, hex ? 16 : 10, &value) ||
		    __builtin_add_overflow(value, negative ? -digit : digit, &value))
			large = true;
	}
	if (large)
		return NUMBER_LARGE;
	*ret = value;
	return NUMBER_INT;
}

static void add_token(struct lexer *lexer, const char *end, enum settings_token_kind kind)
{
	struct settings_source *source = lexer->source;
	size_t len = (size_t)(end - lexer->at);

	source->tokens = settings_grow(source->tokens, source->n_tokens, &source->cap_tokens,
				       sizeof(*source->tokens));
	source->tokens[source->n_tokens++] = (struct settings_token){
		.text = lexer->at,
		.len = (uint32_t)len,
		.line = lexer->line,
		.file = lexer->file,
		.kind = (uint8_t)kind,
	};
	lexer->at = end;
}

static void lex_number(struct lexer *lexer)
{
	const char *end = number_end(lexer->at, lexer->end);
	size_t len = (size_t)(end - lexer->at);
	int64_t value;
	char plain[SETTINGS_SHOWN];
	enum settings_number number = settings_number(lexer->at, len, &value);

	settings_show(lexer->at, len, 0, plain, sizeof(plain));
	if (number == NUMBER_BAD)
		settings_fault(lexer->source, lexer->file, lexer->line,
			       "%s is no number; a value with a unit needs quotes: \"%s\"", plain,
			       plain);
	if (number == NUMBER_LARGE)
		settings_fault(lexer->source, lexer->file, lexer->line,
			       "%s is too large for an integer (64 bits)", plain);
	add_token(lexer, end, TOKEN_NUMBER);
}

static bool is_zero_escape(const char *at, const char *end)
{
	return end - at > 3 && (at[1] | 0x20) == 'x' && at[2] == '0' && at[3] == '0';
}

/* The first string that swallowed the text up to the next one's quote is the likely culprit. */
static void fault_open_string(struct lexer *lexer)
{
	struct settings_source *source = lexer->source;

	for (size_t i = 0; i < source->n_tokens; i++) {
		const struct settings_token *token = source->tokens + i;

		if (token->kind != TOKEN_STRING || token->file != lexer->file ||
		    !memchr(token->text, '\n', token->len))
			continue;
		settings_fault(source, lexer->file, lexer->line,
			       "the string that begins here never ends; is the closing '\"' of "
			       "the one in line %u missing?",
			       token->line);
		return;
	}
	settings_fault(source, lexer->file, lexer->line,
		       "the string that begins here never ends (a '\"' is missing)");
}

static void lex_string(struct lexer *lexer)
{
	uint32_t line = lexer->line;
	const char *at = lexer->at + 1;

	for (; at < lexer->end && *at != '"'; at++) {
		if (*at == '\n')
			line++;
		if (*at != '\\')
			continue;
		/* libconfig would end the string there, silently. */
		if (is_zero_escape(at, lexer->end))
			settings_fault(lexer->source, lexer->file, line,
				       "\\x00 cannot stand in a string");
		if (at + 1 < lexer->end && (at[1] == '\\' || at[1] == '"'))
			at++;
	}
	if (at == lexer->end)
		fault_open_string(lexer);
	add_token(lexer, at == lexer->end ? at : at + 1, TOKEN_STRING);
	lexer->line = line;
}

static void lex_name(struct lexer *lexer)
{
	const char *end = lexer->at;

	while (end < lexer->end && continues_name(*end))
		end++;
	size_t len = (size_t)(end - lexer->at);
	bool word = (len == 4 && strncasecmp(lexer->at, "true", 4) == 0) ||
		    (len == 5 && strncasecmp(lexer->at, "false", 5) == 0);

	if (len > UINT8_MAX)
		settings_fault(lexer->source, lexer->file, lexer->line,
			       "a name of %zu characters is too long", len);
	add_token(lexer, end, word ? TOKEN_BOOL : TOKEN_NAME);
}

/* Counts brackets. False when they go deeper than libconfig's and our recursion should. */
static bool track_depth(struct lexer *lexer)
{
	struct settings_source *source = lexer->source;

	if (strchr("{[(", *lexer->at)) {
		if (source->depth == SETTINGS_DEPTH_MAX) {
			settings_fault(source, lexer->file, lexer->line,
				       "groups and lists stand inside each other too deep; at most "
				       "%u levels are taken",
				       SETTINGS_DEPTH_MAX);
			return false;
		}
		source->open[source->depth++] = *lexer->at;
	} else if (strchr("}])", *lexer->at) && source->depth) {
		source->depth--;
	}
	return true;
}

/* Behind "@include": the path, and what it names. False when there is no path. */
static bool lex_include(struct lexer *lexer)
{
	static const char WORD[] = "@include";
	const char *at = lexer->at;
	size_t len = 0;

	if ((size_t)(lexer->end - at) < sizeof(WORD) - 1 || memcmp(at, WORD, sizeof(WORD) - 1) != 0)
		return false;
	at += sizeof(WORD) - 1;
	while (at < lexer->end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == lexer->end || *at++ != '"')
		return false;
	char *path = malloc((size_t)(lexer->end - at) + 1);

	if (!path)
		abort();
	for (; at < lexer->end && *at != '"' && *at != '\n'; at++) {
		if (*at == '\\' && at + 1 < lexer->end && (at[1] == '\\' || at[1] == '"'))
			at++;
		path[len++] = *at;
	}
	path[len] = '\0';
	bool closed = at < lexer->end && *at == '"';

	if (closed) {
		lexer->at = at + 1;
		settings_source_include(lexer->source, lexer->file, lexer->line, path);
	}
	free(path);
	return closed;
}

static void lex_comment(struct lexer *lexer)
{
	uint32_t first = lexer->line;

	lexer->at += 2;
	for (; lexer->end - lexer->at >= 2; lexer->at++) {
		if (lexer->at[0] == '*' && lexer->at[1] == '/') {
			lexer->at += 2;
			return;
		}
		if (*lexer->at == '\n')
			lexer->line++;
	}
	lexer->at = lexer->end;
	settings_fault(lexer->source, lexer->file, first,
		       "the comment that begins here never ends (a '*/' is missing)");
}

/* What is neither blank nor comment. False: stop. */
static bool lex_token(struct lexer *lexer)
{
	const char *at = lexer->at;

	if (*at == '"') {
		lex_string(lexer);
	} else if (starts_name(*at)) {
		lex_name(lexer);
	} else if (starts_number(at, lexer->end)) {
		lex_number(lexer);
	} else if (strchr("=:;,{}()[]", *at)) {
		if (!track_depth(lexer))
			return false;
		add_token(lexer, at + 1, TOKEN_SIGN);
	} else if (*at == '@' && lexer->source->includes) {
		if (!lex_include(lexer)) {
			settings_fault(lexer->source, lexer->file, lexer->line,
				       "expected @include \"FILE\"");
			while (lexer->at < lexer->end && *lexer->at != '\n')
				lexer->at++;
		}
	} else {
		for (at++; at < lexer->end && (unsigned char)*at >= 0x80; at++)
			;
		add_token(lexer, at, TOKEN_OTHER);
	}
	return lexer->source->n_faults < SETTINGS_FAULTS_MAX;
}

void settings_lex(struct settings_source *source, uint16_t file)
{
	const struct settings_file *text = &source->files[file];
	struct lexer lexer = {
		.source = source,
		.file = file,
		.at = text->text,
		.end = text->text + text->len,
		.line = 1,
	};
	const char *nul = memchr(text->text, '\0', text->len);

	if (nul) {
		for (const char *at = text->text; at < nul; at++)
			lexer.line += *at == '\n';
		settings_fault(source, file, lexer.line, "a NUL byte: this is no text file");
		return;
	}
	if (text->len >= 3 && memcmp(lexer.at, "\xef\xbb\xbf", 3) == 0)
		lexer.at += 3; /* a byte order mark */
	while (lexer.at < lexer.end) {
		char next = lexer.at + 1 < lexer.end ? lexer.at[1] : '\0';

		if (strchr(" \t\r\f", *lexer.at)) {
			lexer.at++;
		} else if (*lexer.at == '\n') {
			lexer.line++;
			lexer.at++;
		} else if (*lexer.at == '#' || (*lexer.at == '/' && next == '/')) {
			while (lexer.at < lexer.end && *lexer.at != '\n')
				lexer.at++;
		} else if (*lexer.at == '/' && next == '*') {
			lex_comment(&lexer);
		} else if (!lex_token(&lexer)) {
			return;
		}
	}
}

/* ---- for libconfig ---- */

/* On one line, and with each backslash that escapes nothing doubled: libconfig 1.5 and 1.7 know
 * different escapes. */
static void put_string(FILE *out, const struct settings_token *token)
{
	for (uint32_t i = 0; i < token->len; i++) {
		const char *at = token->text + i;
		bool last = i + 1 == token->len;

		if (*at == '\n') {
			fputs("\\n", out);
		} else if (*at != '\\') {
			fputc(*at, out);
		} else if (!last && strchr("nrtf\\\"", at[1])) {
			fprintf(out, "\\%c", at[1]);
			i++;
		} else if (i + 3 < token->len && (at[1] | 0x20) == 'x' &&
			   isxdigit((unsigned char)at[2]) && isxdigit((unsigned char)at[3])) {
			fprintf(out, "\\x%c%c", at[2], at[3]);
			i += 3;
		} else {
			fputs("\\\\", out);
		}
	}
}

static void put_number(FILE *out, const struct settings_token *token)
{
	int64_t value;

	if (settings_number(token->text, token->len, &value) != NUMBER_INT)
		fwrite(token->text, 1, token->len, out);
	else if (value >= INT32_MIN && value <= INT32_MAX)
		fprintf(out, "%" PRId64, value);
	else
		fprintf(out, "%" PRId64 "L", value); /* without L, 1.5 cuts it to 32 bits */
}

static bool is_sign(const struct settings_token *token, const char *signs)
{
	return token->kind == TOKEN_SIGN && strchr(signs, *token->text);
}

/* A comma behind a list's last element, which 1.5 refuses and 1.7 takes. */
static bool is_trailing_comma(const struct settings_source *source, size_t i)
{
	const struct settings_token *token = source->tokens + i;

	return is_sign(token, ",") && i > 0 && i + 1 < source->n_tokens &&
	       is_sign(token + 1, ")]") && !is_sign(token - 1, "([,=:");
}

char *settings_source_text(const struct settings_source *source)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < source->n_tokens; i++) {
		const struct settings_token *token = source->tokens + i;
		const struct settings_token *before = i > 0 ? token - 1 : NULL;

		if (is_trailing_comma(source, i))
			fputc(*token[1].text, out); /* the bracket, a line early */
		else if (before && is_trailing_comma(source, i - 1))
			;
		else if (token->kind == TOKEN_STRING)
			put_string(out, token);
		else if (token->kind == TOKEN_NUMBER)
			put_number(out, token);
		else
			fwrite(token->text, 1, token->len, out);
		fputc('\n', out);
	}
	if (fclose(out) != 0 || !text)
		abort();
	return text;
}

void settings_source_release(struct settings_source *source)
{
	for (size_t i = 0; i < source->n_files; i++) {
		free(source->files[i].text);
		free((char *)source->files[i].name);
	}
	for (size_t i = 0; i < source->n_faults; i++)
		free(source->faults[i].text);
	free(source->files);
	free(source->tokens);
	*source = (struct settings_source){ 0 };
}

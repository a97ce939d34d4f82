#include "tests/support/jsonl.h"

#include "proto/json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct jsonl {
	FILE *file;
	char path[512];
	char *line;
	size_t size, len;
	unsigned number;
	char *space; /* of unescaped texts */
	size_t space_size, space_used;
};

static void die(const struct jsonl *jsonl, const char *what, const char *detail)
{
	fprintf(stderr, "%s:%u: %s %s\n", jsonl->path, jsonl->number, what, detail);
	abort();
}

struct jsonl *jsonl_open(const char *path)
{
	struct jsonl *jsonl = calloc(1, sizeof(*jsonl));
	const char *source = getenv("QN_SOURCE_DIR");

	snprintf(jsonl->path, sizeof(jsonl->path), "%s/%s", source != NULL ? source : ".", path);
	jsonl->file = fopen(jsonl->path, "rb");
	if (jsonl->file == NULL)
		die(jsonl, "cannot be opened", "(is QN_SOURCE_DIR set?)");
	return jsonl;
}

bool jsonl_next(struct jsonl *jsonl)
{
	struct qn_fault fault;
	ssize_t got = getline(&jsonl->line, &jsonl->size, jsonl->file);

	if (got < 0)
		return false;
	jsonl->number++;
	jsonl->len = (size_t)got;
	if (qn_json_check(jsonl->line, jsonl->len, QN_JSON_STRICT, 0, &fault) != QN_OK)
		die(jsonl, "is no JSON:", fault.text);
	/* Every text is there at most three times, and hexadecimal digits shrink. */
	if (jsonl->space_size < 4 * jsonl->len + 64) {
		jsonl->space_size = 4 * jsonl->len + 64;
		free(jsonl->space);
		jsonl->space = malloc(jsonl->space_size);
	}
	jsonl->space_used = 0;
	return true;
}

void jsonl_close(struct jsonl *jsonl)
{
	if (jsonl->number == 0)
		die(jsonl, "holds", "nothing");
	fclose(jsonl->file);
	free(jsonl->line);
	free(jsonl->space);
	free(jsonl);
}

unsigned jsonl_number(const struct jsonl *jsonl)
{
	return jsonl->number;
}

/* Stands before the member's value; false where there is none. */
static bool find(struct jsonl *jsonl, const char *member, struct qn_json_reader *reader)
{
	struct qn_text value;

	qn_json_open(reader, jsonl->line, jsonl->len, QN_JSON_STRICT, 0);
	if (qn_json_next(reader) != QN_JSON_OBJECT)
		die(jsonl, "is", "no object");
	while (qn_json_next(reader) == QN_JSON_KEY) {
		if (reader->text.len == strlen(member) &&
		    memcmp(reader->text.at, member, reader->text.len) == 0)
			return true;
		qn_json_value(reader, &value);
	}
	return false;
}

static char *space_for(struct jsonl *jsonl, size_t len)
{
	char *at = jsonl->space + jsonl->space_used;

	if (jsonl->space_used + len + 1 > jsonl->space_size)
		die(jsonl, "was", "asked for too often");
	jsonl->space_used += len + 1;
	at[len] = '\0';
	return at;
}

static struct qn_text plain(struct jsonl *jsonl, struct qn_text escaped)
{
	size_t len = qn_json_unescape(escaped, QN_JSON_STRICT, NULL, 0);
	char *at = space_for(jsonl, len);

	qn_json_unescape(escaped, QN_JSON_STRICT, at, len);
	return (struct qn_text){ at, len };
}

struct qn_text jsonl_text(struct jsonl *jsonl, const char *member)
{
	struct qn_json_reader reader;

	if (!find(jsonl, member, &reader) || qn_json_next(&reader) != QN_JSON_STRING)
		return (struct qn_text){ NULL, 0 };
	return plain(jsonl, reader.text);
}

struct qn_text jsonl_must(struct jsonl *jsonl, const char *member)
{
	struct qn_text text = jsonl_text(jsonl, member);

	if (text.at == NULL)
		die(jsonl, "lacks", member);
	return text;
}

double jsonl_double(struct jsonl *jsonl, const char *member)
{
	struct qn_json_reader reader;
	double value = 0;

	if (!find(jsonl, member, &reader) || qn_json_next(&reader) != QN_JSON_NUMBER ||
	    !qn_json_double(reader.raw, &value))
		die(jsonl, "lacks a number", member);
	return value;
}

static struct qn_text unhex(struct jsonl *jsonl, struct qn_text hex)
{
	char *at = space_for(jsonl, hex.len / 2);

	for (size_t i = 0; i < hex.len / 2; i++) {
		char digits[3] = { hex.at[2 * i], hex.at[2 * i + 1], '\0' }, *end;
		at[i] = (char)strtoul(digits, &end, 16);
		if (*end != '\0')
			die(jsonl, "holds what is not hexadecimal:", digits);
	}
	return (struct qn_text){ at, hex.len / 2 };
}

size_t jsonl_pieces(struct jsonl *jsonl, const char *member, struct qn_text *pieces, size_t cap)
{
	struct qn_json_reader reader;
	char hex_member[64];
	bool hex = false;
	size_t n = 0;

	if (!find(jsonl, member, &reader)) {
		snprintf(hex_member, sizeof(hex_member), "%s_hex", member);
		hex = true;
		if (!find(jsonl, hex_member, &reader))
			die(jsonl, "lacks", member);
	}
	enum qn_json_token token = qn_json_next(&reader);
	bool list = token == QN_JSON_ARRAY;
	if (list)
		token = qn_json_next(&reader);
	for (; token == QN_JSON_STRING; token = list ? qn_json_next(&reader) : QN_JSON_END) {
		if (n == cap)
			die(jsonl, "has too many", member);
		pieces[n] = plain(jsonl, reader.text);
		if (hex)
			pieces[n] = unhex(jsonl, pieces[n]);
		n++;
	}
	return n;
}

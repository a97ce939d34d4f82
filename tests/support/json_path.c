#include "tests/support/json_path.h"

#include "proto/json/json.h"

#include <criterion/criterion.h>
#include <string.h>

/* Moves the reader behind the key `name` of the object that it stands in. */
static bool enter(struct qn_json_reader *reader, const char *name, size_t len)
{
	struct qn_text skipped;

	if (qn_json_next(reader) != QN_JSON_OBJECT)
		return false;
	while (qn_json_next(reader) == QN_JSON_KEY) {
		if (reader->text.len == len && memcmp(reader->text.at, name, len) == 0)
			return true;
		qn_json_value(reader, &skipped);
	}
	return false;
}

static enum qn_json_token find(const char *json, const char *path, struct qn_text *value)
{
	struct qn_json_reader reader;
	const char *at = path;

	qn_json_open(&reader, json, strlen(json), QN_JSON_STRICT, 0);
	for (;;) {
		size_t len = strcspn(at, ".");
		cr_assert(enter(&reader, at, len), "%s: not in %s", path, json);
		if (at[len] == '\0')
			return qn_json_value(&reader, value);
		at += len + 1;
	}
}

double json_number(const char *json, const char *path)
{
	struct qn_text raw;
	double value = 0;

	cr_assert(find(json, path, &raw) == QN_JSON_NUMBER && qn_json_double(raw, &value),
		  "%s: no number in %s", path, json);
	return value;
}

bool json_is(const char *json, const char *path, const char *text)
{
	struct qn_text raw;

	cr_assert(find(json, path, &raw) == QN_JSON_STRING, "%s: no string in %s", path, json);
	return raw.len == strlen(text) + 2 && memcmp(raw.at + 1, text, raw.len - 2) == 0;
}

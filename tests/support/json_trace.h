/*
 * What a JSON reader tells about a text, as one line that a test compares.
 *
 * Purpose: { } [ ] for the containers, k s n with the bytes as written for a key, string or number,
 * T F N for the words, then "." for the end or "!CODE@OFFSET" for a fault, separated by spaces.
 * Ownership: the caller's buffer. The text is read from a copy that ends at a guard page.
 * Errors: aborts where the buffer is too small; this is test code.
 */
#ifndef TEST_JSON_TRACE_H
#define TEST_JSON_TRACE_H

#include "proto/json/json.h"
#include "tests/support/guard.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static inline size_t trace_token(enum qn_json_token token, const struct qn_json_reader *reader,
				 char *out, size_t cap)
{
	static const char *const marks[] = {
		[QN_JSON_OBJECT] = "{",    [QN_JSON_OBJECT_END] = "}", [QN_JSON_ARRAY] = "[",
		[QN_JSON_ARRAY_END] = "]", [QN_JSON_KEY] = "k",        [QN_JSON_STRING] = "s",
		[QN_JSON_NUMBER] = "n",    [QN_JSON_TRUE] = "T",       [QN_JSON_FALSE] = "F",
		[QN_JSON_NULL] = "N"
	};
	bool show = token == QN_JSON_KEY || token == QN_JSON_STRING || token == QN_JSON_NUMBER;
	size_t len = show ? reader->raw.len : 0;

	assert(len + 3 < cap);
	out[0] = *marks[token];
	if (len > 0)
		memcpy(out + 1, reader->raw.at, len);
	out[1 + len] = ' ';
	return 2 + len;
}

static inline const char *json_trace(const char *text, size_t len, enum qn_json_dialect dialect,
				     unsigned max_depth, char *out, size_t cap)
{
	struct qn_json_reader reader;
	enum qn_json_token token;
	size_t used = 0;
	char *copy = guard_copy(text, len);

	qn_json_open(&reader, copy, len, dialect, max_depth);
	while ((token = qn_json_next(&reader)) > QN_JSON_END)
		used += trace_token(token, &reader, out + used, cap - used);
	if (token == QN_JSON_END)
		snprintf(out + used, cap - used, ".");
	else
		snprintf(out + used, cap - used, "!%s@%zu", qn_code_name(reader.fault.code),
			 reader.fault.offset);
	guard_free(copy, len);
	return out;
}

#endif

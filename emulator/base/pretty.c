#include "emulator/base/pretty.h"

#include "proto/json/json.h"

#include <string.h>

/*
 * JSON with line breaks: what fits into one line stays in one, so that small objects read as rows.
 */
#define WIDTH 120
#define STEP 2

/* The value on one line with a space behind ',' and ':'; false where it is wider than the buffer.
 */
static bool flatten(struct qn_text value, struct qn_json_writer *writer)
{
	struct qn_json_reader reader;
	enum qn_json_token before = QN_JSON_OBJECT, token;

	qn_json_open(&reader, value.at, value.len, QN_JSON_STRICT, 0);
	while ((token = qn_json_next(&reader)) > QN_JSON_END) {
		bool closes = token == QN_JSON_OBJECT_END || token == QN_JSON_ARRAY_END;
		if (before == QN_JSON_KEY)
			qn_json_put_literal(writer, ": ");
		else if (before != QN_JSON_OBJECT && before != QN_JSON_ARRAY && !closes)
			qn_json_put_literal(writer, ", ");
		qn_json_put(writer, reader.raw.at, reader.raw.len);
		before = token;
	}
	return !writer->full;
}

static void put_value(FILE *out, struct qn_text value, unsigned indent, unsigned column);

/* The members of an object, or the elements of an array, a line each. */
static void put_lines(FILE *out, struct qn_text value, unsigned indent)
{
	struct qn_json_reader reader;
	struct qn_text part;
	bool first = true;

	qn_json_open(&reader, value.at, value.len, QN_JSON_STRICT, 0);
	bool object = qn_json_next(&reader) == QN_JSON_OBJECT;
	fputc(object ? '{' : '[', out);
	for (;;) {
		unsigned column = indent + STEP;
		enum qn_json_token token = object ? qn_json_next(&reader)
						  : qn_json_value(&reader, &part);
		if (token == QN_JSON_OBJECT_END || token == QN_JSON_ARRAY_END)
			break;
		fprintf(out, "%s\n%*s", first ? "" : ",", (int)column, "");
		first = false;
		if (object) {
			fwrite(reader.raw.at, 1, reader.raw.len, out);
			fputs(": ", out);
			column += (unsigned)reader.raw.len + 2;
			qn_json_value(&reader, &part);
		}
		put_value(out, part, indent + STEP, column);
	}
	fprintf(out, "\n%*s%c", (int)indent, "", object ? '}' : ']');
}

static void put_value(FILE *out, struct qn_text value, unsigned indent, unsigned column)
{
	char line[WIDTH];
	struct qn_json_writer writer;

	qn_json_writer_init(&writer, line, column < WIDTH ? WIDTH - column : 0);
	if (flatten(value, &writer))
		fwrite(line, 1, qn_json_written(&writer), out);
	else if (*value.at == '{' || *value.at == '[')
		put_lines(out, value, indent);
	else
		fwrite(value.at, 1, value.len, out);
}

bool pretty_put(FILE *out, const char *text, size_t len)
{
	struct qn_json_reader reader;
	struct qn_text value;

	if (qn_json_check(text, len, QN_JSON_STRICT, 0, NULL) != QN_OK)
		return false;
	qn_json_open(&reader, text, len, QN_JSON_STRICT, 0);
	if (qn_json_value(&reader, &value) == QN_JSON_OBJECT && value.len > 2)
		put_lines(out, value, 0);
	else
		put_value(out, value, 0, 0);
	fputc('\n', out);
	return true;
}

#include "emulator/results/parts.h"

#include "emulator/base/pretty.h"

#include "proto/json/json.h"
#include "proto/utf8.h"

#include <stdlib.h>
#include <string.h>

/* The object that is built: members are added unless the caller's summary has them already. */
struct object {
	FILE *out;
	struct qn_text given; /* the caller's, or empty */
	bool started;
};

static bool given_has(const struct object *object, const char *name)
{
	struct qn_json_reader reader;
	struct qn_text value;

	qn_json_open(&reader, object->given.at, object->given.len, QN_JSON_STRICT, 0);
	if (object->given.len == 0 || qn_json_next(&reader) != QN_JSON_OBJECT)
		return false;
	while (qn_json_next(&reader) == QN_JSON_KEY) {
		if (reader.text.len == strlen(name) &&
		    memcmp(reader.text.at, name, reader.text.len) == 0)
			return true;
		qn_json_value(&reader, &value);
	}
	return false;
}

/* Begins a member; false: it is there. */
static bool member(struct object *object, const char *name)
{
	if (given_has(object, name))
		return false;
	fprintf(object->out, "%s\"%s\": ", object->started ? ", " : "", name);
	object->started = true;
	return true;
}

/* Bytes that are no UTF-8 become U+FFFD: here it is for reading; the config has the bytes. */
static void put_string(FILE *out, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	char *space = malloc(len * 6 + 2);
	struct qn_json_writer writer;

	if (space == NULL) {
		fputs("null", out);
		return;
	}
	qn_json_writer_init(&writer, space, len * 6 + 2);
	qn_json_put_string(&writer, text, len, qn_utf8_valid_len(text, len) != len);
	fwrite(space, 1, qn_json_written(&writer), out);
	free(space);
}

static void put_named(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\"%s\": ", name);
	put_string(out, text);
	fputs(", ", out);
}

static void put_verdict(const struct results *results, const struct verdict *verdict, FILE *out)
{
	fputc('{', out);
	put_named(out, "name", verdict->name);
	put_named(out, "that", verdict->that);
	put_named(out, "mode", verdict->mode);
	put_named(out, "outcome", verdict_outcome_name(verdict->outcome));
	put_named(out, "seen", verdict->seen);
	fprintf(out, "\"at_seconds\": %.6f, \"targets_total\": %u, \"targets\": [",
		(double)verdict->at_ns / 1e9, verdict->targets_total);
	for (uint32_t i = 0; i < verdict->targets_count; i++) {
		fputs(i > 0 ? ", " : "", out);
		put_string(out, verdict->targets[i]);
	}
	fputs("], ", out);
	put_named(out, "file", results_file_name(results, verdict->file));
	fprintf(out, "\"line\": %u}", verdict->line);
}

static void put_verdicts(const struct results *results, const struct results_end *end, FILE *out)
{
	fputc('[', out);
	for (uint32_t i = 0; i < end->verdict_count; i++) {
		fputs(i > 0 ? ", " : "", out);
		put_verdict(results, end->verdicts[i], out);
	}
	fputc(']', out);
}

/* ---- the caller's object: all of its members, without the braces ---- */

static struct qn_text trimmed(char *text, size_t len)
{
	static const char blanks[] = " \t\r\n";

	while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
		len--;
	while (len > 0 && strchr(blanks, *text) != NULL) {
		text++;
		len--;
	}
	return (struct qn_text){ text, len };
}

static void put_given(struct object *object)
{
	struct qn_text given = object->given;

	if (given.len <= 2)
		return;
	fwrite(given.at + 1, 1, given.len - 2, object->out);
	struct qn_json_reader reader;
	qn_json_open(&reader, given.at, given.len, QN_JSON_STRICT, 0);
	qn_json_next(&reader);
	object->started = qn_json_next(&reader) == QN_JSON_KEY;
}

static void build(const struct results *results, const struct results_end *end,
		  struct object *object)
{
	FILE *out = object->out;
	char when[32];

	fputc('{', out);
	put_given(object);
	if (member(object, "verdict"))
		put_string(out, end->verdict);
	if (member(object, "why"))
		put_string(out, end->why);
	if (member(object, "seconds"))
		fprintf(out, "%.3f", (double)(results->end_ns - results->start_ns) / 1e9);
	if (member(object, "title"))
		put_string(out, results_title(results));
	if (member(object, "config"))
		put_string(out, results_config_name(results));
	if (member(object, "seed"))
		fprintf(out, "%llu", (unsigned long long)results->options.seed);
	if (member(object, "simulated"))
		fputs(results->options.simulated ? "true" : "false", out);
	if (!results->options.simulated && member(object, "started"))
		put_string(out, results_started(results, when, sizeof(when)));
	if (member(object, "version"))
		put_string(out, QN_VERSION);
	if (results->stream != NULL && member(object, "events"))
		fprintf(out, "%llu", (unsigned long long)stream_written(results->stream));
	if (member(object, "dropped"))
		fprintf(out, "%llu", (unsigned long long)results_dropped(results));
	if (member(object, "verdicts"))
		put_verdicts(results, end, out);
	fputc('}', out);
}

/* A stream into memory; *ret_text is the caller's to free. */
static char *given_summary(const struct results_end *end, size_t *ret_len)
{
	char *text = NULL;
	FILE *memory = end->summary != NULL ? open_memstream(&text, ret_len) : NULL;

	if (memory == NULL)
		return NULL;
	end->summary(end->context, memory);
	if (fclose(memory) == 0)
		return text;
	free(text);
	return NULL;
}

void summary_write(const struct results *results, const struct results_end *end, FILE *out)
{
	char *built = NULL;
	size_t given_len = 0, built_len = 0;
	char *given = given_summary(end, &given_len);
	struct object object = { .out = open_memstream(&built, &built_len) };

	if (object.out == NULL) {
		free(given);
		return;
	}
	if (given != NULL)
		object.given = trimmed(given, given_len);
	/* No object: better ours alone than a file that nobody can read. */
	if (object.given.len == 0 || object.given.at[0] != '{' ||
	    qn_json_check(object.given.at, object.given.len, QN_JSON_STRICT, 0, NULL) != QN_OK)
		object.given = (struct qn_text){ "", 0 };
	build(results, end, &object);
	if (fclose(object.out) == 0)
		pretty_put(out, built, built_len);
	free(built);
	free(given);
}

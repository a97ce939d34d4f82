/*
 * What one request costs to understand and to answer: our reader and writer against jansson and
 * cJSON, which do the same work the way their manuals show it.
 *
 * The work: parse a stand_up request, take out type, id, target_id and data.duration, write a pong
 * with the id echoed. Rounds of the three are interleaved, so that a slow moment of the machine
 * hits all of them; the figures are medians of the thread's own processor time, which others on the
 * machine do not add to. One line of flat JSON goes to standard output.
 */
#include "proto/json/json.h"

#include <cjson/cJSON.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 31

static const char request[] = "{\"type\": \"stand_up\", \"id\": \"msg_1795274926097\", "
			      "\"timestamp\": 1795274926.0974042, "
			      "\"target_id\": \"target_1\", \"data\": {\"from\": \"master\"}}";
#define STAMP_NS INT64_C(1795274926098000000)

static char answer[512];
static volatile size_t sink;

static void fail(const char *who)
{
	fprintf(stderr, "json_bench: %s could not do the work\n", who);
	exit(1);
}

/* ---- ours ---- */

struct wanted {
	struct qn_text type, id, target_id, duration;
};

static bool is(struct qn_text text, const char *name, size_t len)
{
	return text.len == len && memcmp(text.at, name, len) == 0;
}
#define IS(text, literal) is(text, literal, sizeof(literal) - 1)

static bool read_data(struct qn_json_reader *json, struct wanted *wanted)
{
	struct qn_text value;
	enum qn_json_token token;

	if (qn_json_next(json) != QN_JSON_OBJECT)
		return false;
	while ((token = qn_json_next(json)) == QN_JSON_KEY) {
		bool duration = IS(json->text, "duration");
		if (qn_json_value(json, &value) == QN_JSON_ERROR)
			return false;
		if (duration)
			wanted->duration = value;
	}
	return token == QN_JSON_OBJECT_END;
}

static bool read_request(const char *text, size_t len, struct wanted *wanted)
{
	struct qn_json_reader json;
	struct qn_text value;
	enum qn_json_token token;

	qn_json_open(&json, text, len, QN_JSON_STRICT, 0);
	if (qn_json_next(&json) != QN_JSON_OBJECT)
		return false;
	while ((token = qn_json_next(&json)) == QN_JSON_KEY) {
		struct qn_text key = json.text;
		if (IS(key, "data")) {
			if (!read_data(&json, wanted))
				return false;
			continue;
		}
		if (qn_json_value(&json, &value) == QN_JSON_ERROR)
			return false;
		if (IS(key, "type"))
			wanted->type = value;
		else if (IS(key, "id"))
			wanted->id = value;
		else if (IS(key, "target_id"))
			wanted->target_id = value;
	}
	return token == QN_JSON_OBJECT_END && qn_json_next(&json) == QN_JSON_END;
}

static size_t ours(const char *text, size_t len)
{
	struct wanted wanted = { .duration = { "5", 1 } };
	struct qn_json_writer out;
	double duration;

	if (!read_request(text, len, &wanted) || wanted.type.len == 0 ||
	    !qn_json_double(wanted.duration, &duration))
		fail("ours");
	qn_json_writer_init(&out, answer, sizeof(answer));
	qn_json_put_literal(&out, "{\"type\": \"pong\", \"id\": ");
	qn_json_put(&out, wanted.id.at, wanted.id.len);
	qn_json_put_literal(&out, ", \"timestamp\": ");
	qn_json_put_int(&out, STAMP_NS / 1000000000);
	qn_json_put_literal(&out, ", \"target_id\": ");
	qn_json_put_string(&out, wanted.target_id.at + 1, wanted.target_id.len - 2, true);
	qn_json_put_literal(&out, ", \"data\": {\"status\": \"alive\", "
				  "\"message\": \"Target reporting for duty!\"}}\n");
	if (out.full)
		fail("ours");
	return qn_json_written(&out);
}

/* ---- jansson ---- */

static size_t with_jansson(const char *text, size_t len)
{
	json_error_t error;
	json_t *root = json_loadb(text, len, 0, &error);
	const char *type = json_string_value(json_object_get(root, "type"));
	const char *id = json_string_value(json_object_get(root, "id"));
	const char *target_id = json_string_value(json_object_get(root, "target_id"));
	json_t *wait = json_object_get(json_object_get(root, "data"), "duration");
	double duration = wait != NULL ? json_number_value(wait) : 5;

	if (type == NULL || id == NULL || target_id == NULL || duration != 5)
		fail("jansson");
	json_t *pong = json_pack("{s:s, s:s, s:I, s:s, s:{s:s, s:s}}", "type", "pong", "id", id,
				 "timestamp", (json_int_t)(STAMP_NS / 1000000000), "target_id",
				 target_id, "data", "status", "alive", "message",
				 "Target reporting for duty!");
	size_t written = json_dumpb(pong, answer, sizeof(answer), JSON_ENSURE_ASCII);
	if (written == 0 || written >= sizeof(answer))
		fail("jansson");
	answer[written++] = '\n';
	json_decref(pong);
	json_decref(root);
	return written;
}

/* ---- cJSON ---- */

static size_t with_cjson(const char *text, size_t len)
{
	cJSON *root = cJSON_ParseWithLength(text, len);
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "type"));
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "id"));
	const char *target_id =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "target_id"));
	cJSON *wait = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(root, "data"), "duration");
	double duration = wait != NULL ? cJSON_GetNumberValue(wait) : 5;

	if (type == NULL || id == NULL || target_id == NULL || duration != 5)
		fail("cJSON");
	cJSON *pong = cJSON_CreateObject();
	cJSON_AddStringToObject(pong, "type", "pong");
	cJSON_AddStringToObject(pong, "id", id);
	cJSON_AddNumberToObject(pong, "timestamp", (double)(STAMP_NS / 1000000000));
	cJSON_AddStringToObject(pong, "target_id", target_id);
	cJSON *data = cJSON_AddObjectToObject(pong, "data");
	cJSON_AddStringToObject(data, "status", "alive");
	cJSON_AddStringToObject(data, "message", "Target reporting for duty!");
	if (!cJSON_PrintPreallocated(pong, answer, (int)sizeof(answer) - 1, 0))
		fail("cJSON");
	size_t written = strlen(answer);
	answer[written++] = '\n';
	cJSON_Delete(pong);
	cJSON_Delete(root);
	return written;
}

/* ---- measuring ---- */

static int64_t spent_ns(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return spent.tv_sec * INT64_C(1000000000) + spent.tv_nsec;
}

/* Repeats are chosen so that each takes a few milliseconds a round. */
static const struct subject {
	size_t (*work)(const char *text, size_t len);
	int repeats;
} subjects[] = { { ours, 20000 }, { with_jansson, 1000 }, { with_cjson, 2000 } };

static double one_round(const struct subject *subject)
{
	size_t sum = 0;
	int64_t start = spent_ns();

	for (int i = 0; i < subject->repeats; i++)
		sum += subject->work(request, sizeof(request) - 1);
	sink += sum;
	return (double)(spent_ns() - start) / subject->repeats;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *figures)
{
	qsort(figures, ROUNDS, sizeof(*figures), compare);
	return figures[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	double ns[3][ROUNDS], result[3];

	if (argc > 1 && strcmp(argv[1], "--show") == 0) {
		for (int i = 0; i < 3; i++)
			fwrite(answer, 1, subjects[i].work(request, sizeof(request) - 1), stdout);
		return 0;
	}
	for (int i = 0; i < 3; i++)
		one_round(&subjects[i]);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 3; i++)
			ns[i][round] = one_round(&subjects[i]);
	}
	for (int i = 0; i < 3; i++)
		result[i] = median(ns[i]);
	printf("{\"json_ns\": %.1f, \"json_jansson_ns\": %.1f, \"json_cjson_ns\": %.1f, "
	       "\"json_jansson_ratio\": %.2f, \"json_cjson_ratio\": %.2f}\n",
	       result[0], result[1], result[2], result[1] / result[0], result[2] / result[0]);
	return 0;
}

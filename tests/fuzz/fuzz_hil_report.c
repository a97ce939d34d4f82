/*
 * Any bytes as the JSON of a history that somebody changed, and as every text of a run. What must
 * hold: nothing negative comes out of a history, and what it wrote it reads back; the reports are
 * JSON, UTF-8 without control characters, and lines of printable ASCII.
 */
#include "hil/report/history_parts.h"
#include "hil/report/json_parts.h"
#include "hil/report/writers.h"

#include "proto/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static char *written(void (*put)(const struct record *record, FILE *out),
		     const struct record *record, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	REQUIRE(out != NULL);
	put(record, out);
	REQUIRE(fclose(out) == 0);
	return text;
}

static void check_history(const char *text, size_t len)
{
	struct uncertainty u, again;
	struct calibration calibration;
	char buf[1024] = "";

	calibration_read(text, len, &calibration);
	uncertainty_read(text, len, &u);
	for (int i = 0; i < U_PARTS; i++)
		REQUIRE(u.sigma_ns[i] >= 0 && u.half_ns[i] >= 0);
	REQUIRE(u_total(&u, true) >= u_total(&u, false) && u_total(&u, false) >= 0);
	FILE *out = fmemopen(buf, sizeof(buf), "w");
	REQUIRE(out != NULL);
	json_uncertainty(out, &u);
	REQUIRE(fclose(out) == 0);
	uncertainty_read(buf, strlen(buf), &again);
	REQUIRE(memcmp(&u, &again, sizeof(u)) == 0);
}

static void fill(struct record *record, const char *text, size_t len)
{
	static struct step_room room;
	struct record_board board = { .steps = { 0 } };
	struct limit limit = { .has_max = true, .max = 10 };

	snprintf(board.name, sizeof(board.name), "%s", text);
	snprintf(board.serial, sizeof(board.serial), "%s", text);
	snprintf(record->run.title, sizeof(record->run.title), "%s", text);
	REQUIRE(record_add_board(record, &board) == 0);
	int channel = record_add_channel(record, 0, CHANNEL_CONSOLE, text);
	step_begin(&room, 0, text, text, 0, 0, 10);
	record_event(record, TIMELINE_CONSOLE, channel, 20, 0, text, len);
	step_measure(&room, text, UNIT_NS, (int64_t)len, NULL, 0, &limit);
	step_verdict(&room, VERDICT_ERROR, "%s", text);
	record_step(record, &room.step);
	record_end(record, 30);
}

static void check_reports(const struct record *record)
{
	size_t len;
	char *text = written(json_put, record, &len);

	REQUIRE(qn_json_check(text, len, QN_JSON_STRICT, 0, NULL) == QN_OK);
	free(text);
	text = written(vcd_put, record, &len);
	for (size_t i = 0; i < len; i++)
		REQUIRE((unsigned char)text[i] < 0x7f && (text[i] >= ' ' || text[i] == '\n'));
	free(text);
	void (*const markup[])(const struct record *, FILE *) = { junit_put, html_put };
	for (size_t k = 0; k < 2; k++) {
		text = written(markup[k], record, &len);
		REQUIRE(qn_utf8_valid_len(text, len) == len);
		for (size_t i = 0; i < len; i++)
			REQUIRE((unsigned char)text[i] >= ' ' || text[i] == '\n');
		REQUIRE(strstr(text, "<script") == NULL);
		free(text);
	}
	free(written(csv_put, record, &len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record record;
	struct record_limits small = { 2, 2, 2, 10, 1000, 2 };
	char *text = malloc(size + 1);

	REQUIRE(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_history((const char *)data, size);
	REQUIRE(record_init(&record, &small, 0, 1) == 0);
	fill(&record, text, size);
	record_sort_events(&record);
	check_reports(&record);
	record_release(&record);
	free(text);
	return 0;
}

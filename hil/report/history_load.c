#include "hil/report/history_parts.h"

#include "proto/json/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the JSON that history_write.c wrote, or that somebody changed ---- */

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

static int64_t number(const struct qn_json_reader *reader)
{
	int64_t value;

	return qn_json_int64(reader->raw, &value) && value > 0 ? value : 0;
}

void uncertainty_read(const char *text, size_t len, struct uncertainty *ret)
{
	struct qn_json_reader reader;
	enum qn_json_token token;
	int part = -1, seen = 0;

	memset(ret, 0, sizeof(*ret));
	qn_json_open(&reader, text, len, QN_JSON_STRICT, 4);
	while ((token = qn_json_next(&reader)) > QN_JSON_END) {
		if (token == QN_JSON_KEY) {
			seen = 0;
			for (part = U_PARTS - 1; part >= 0; part--)
				if (is(reader.text, u_part_name((enum u_part)part)))
					break;
		} else if (token == QN_JSON_NUMBER && part >= 0) {
			int64_t *into = seen == 0 ? ret->sigma_ns : ret->half_ns;
			into[part] = number(&reader);
			seen++;
		}
	}
}

static struct latency *latency_of(struct calibration *calibration, struct qn_text key)
{
	return is(key, "edge") ? &calibration->edge : is(key, "send") ? &calibration->send : NULL;
}

static void set_number(struct calibration *calibration, struct latency *latency, struct qn_text key,
		       const struct qn_json_reader *reader)
{
	int64_t value;

	if (!qn_json_int64(reader->raw, &value))
		return;
	if (latency != NULL) {
		if (is(key, "n"))
			latency->n = (uint32_t)value;
		int64_t *into = is(key, "mean_ns")  ? &latency->mean_ns
				: is(key, "sd_ns")  ? &latency->sd_ns
				: is(key, "min_ns") ? &latency->min_ns
				: is(key, "max_ns") ? &latency->max_ns
						    : NULL;
		if (into != NULL)
			*into = value;
		return;
	}
	if (is(key, "edges"))
		calibration->edges = (uint64_t)value;
	if (is(key, "edges_lost"))
		calibration->edges_lost = (uint64_t)value;
	int64_t *into = is(key, "wall_ns")       ? &calibration->wall_ns
			: is(key, "clock_ns")    ? &calibration->clock_ns
			: is(key, "realtime_ns") ? &calibration->realtime_ns
			: is(key, "usb_ns")      ? &calibration->usb_ns
						 : NULL;
	if (into != NULL)
		*into = value;
}

void calibration_read(const char *text, size_t len, struct calibration *ret)
{
	struct qn_json_reader reader;
	struct latency *latency = NULL;
	struct qn_text key = { .len = 0 };
	enum qn_json_token token;

	memset(ret, 0, sizeof(*ret));
	qn_json_open(&reader, text, len, QN_JSON_STRICT, 4);
	while ((token = qn_json_next(&reader)) > QN_JSON_END) {
		if (token == QN_JSON_KEY)
			key = reader.text;
		else if (token == QN_JSON_OBJECT && reader.depth == 2)
			latency = latency_of(ret, key);
		else if (token == QN_JSON_OBJECT_END)
			latency = NULL;
		else if (token == QN_JSON_NUMBER)
			set_number(ret, latency, key, &reader);
	}
}

/* ---- the run ---- */

static const char *keep(struct record *record, sqlite3_stmt *statement, int column)
{
	const void *text = sqlite3_column_blob(statement, column);

	return text == NULL ? NULL
			    : record_keep_text(record, text,
					       (size_t)sqlite3_column_bytes(statement, column));
}

/* "versions" goes into other JSON as it is. */
static const char *checked(const char *json)
{
	return json != NULL && qn_json_check(json, strlen(json), QN_JSON_STRICT, 0, NULL) == QN_OK
		       ? json
		       : NULL;
}

static void read_run_info(sqlite3_stmt *statement, struct record *record)
{
	struct run_info *run = &record->run;
	char word[24];

	history_text(statement, 0, run->id, sizeof(run->id));
	history_text(statement, 1, run->title, sizeof(run->title));
	history_text(statement, 2, run->plan_path, sizeof(run->plan_path));
	run->plan_text = keep(record, statement, 3);
	history_text(statement, 4, run->bench_path, sizeof(run->bench_path));
	run->bench_text = keep(record, statement, 5);
	run->versions = checked(keep(record, statement, 6));
	const char *calibration = (const char *)sqlite3_column_text(statement, 7);
	if (calibration != NULL)
		calibration_read(calibration, strlen(calibration), &run->calibration);
	history_text(statement, 8, run->host, sizeof(run->host));
	run->seed = (uint64_t)sqlite3_column_int64(statement, 9);
	run->synthetic = sqlite3_column_int(statement, 10) != 0;
	run->virtual_bench = sqlite3_column_int(statement, 11) != 0;
	run->start_wall_ns = sqlite3_column_int64(statement, 12);
	run->start_ns = 0;
	run->steps_planned = (uint32_t)sqlite3_column_int64(statement, 13);
	run->end_ns = sqlite3_column_int64(statement, 14);
	run->interrupted = sqlite3_column_int(statement, 15) != 0;
	history_text(statement, 16, word, sizeof(word));
	int verdict = verdict_from_name(word);
	if (verdict > 0)
		record->worst = (enum verdict)verdict;
	history_text(statement, 17, record->error, sizeof(record->error));
	record->steps_left_out = (uint64_t)sqlite3_column_int64(statement, 18);
}

static int query(struct history *history, const char *sql, int64_t key, sqlite3_stmt **ret)
{
	int rc = history_prepare(history, sql, ret);

	if (rc == 0)
		sqlite3_bind_int64(*ret, 1, key);
	return rc;
}

static int load_run(struct history *history, int64_t run, struct record *record)
{
	sqlite3_stmt *statement;
	int rc = query(history,
		       "SELECT id, title, plan_path, plan_text, bench_path, bench_text, versions,"
		       " calibration, host, seed, synthetic, virtual_bench, start_wall_ns,"
		       " steps_planned, end_ns, interrupted, verdict, error, steps_left_out"
		       " FROM run WHERE number=?",
		       run, &statement);

	if (rc < 0)
		return rc;
	int code = sqlite3_step(statement);
	rc = code == SQLITE_DONE ? -ENOENT : history_result(history, code, "reading the history");
	if (rc == 0)
		read_run_info(statement, record);
	sqlite3_finalize(statement);
	return rc;
}

/* ---- boards and channels ---- */

static int load_boards(struct history *history, int64_t run, struct record *record)
{
	sqlite3_stmt *statement;
	int rc = query(history,
		       "SELECT name, serial, usb_path, address, firmware FROM board WHERE run=?"
		       " ORDER BY idx",
		       run, &statement);
	int code = SQLITE_DONE;

	if (rc < 0)
		return rc;
	while (rc >= 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct record_board board = { .steps = { 0 } };
		history_text(statement, 0, board.name, sizeof(board.name));
		history_text(statement, 1, board.serial, sizeof(board.serial));
		history_text(statement, 2, board.usb_path, sizeof(board.usb_path));
		history_text(statement, 3, board.address, sizeof(board.address));
		history_text(statement, 4, board.firmware, sizeof(board.firmware));
		rc = record_add_board(record, &board);
	}
	if (rc >= 0)
		rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	return rc;
}

/* Boards brought channels of their own: those of the run take their places. */
static int load_channels(struct history *history, int64_t run, struct record *record)
{
	sqlite3_stmt *statement;
	int rc = query(history, "SELECT board, kind, name FROM channel WHERE run=? ORDER BY idx",
		       run, &statement);
	int code = SQLITE_DONE;

	if (rc < 0)
		return rc;
	record->channel_count = 0;
	while (rc >= 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		char name[48];
		int board = sqlite3_column_int(statement, 0),
		    kind = sqlite3_column_int(statement, 1);
		history_text(statement, 2, name, sizeof(name));
		if (board >= (int)record->board_count || kind < 0 || kind > CHANNEL_STEP)
			rc = -EINVAL;
		else
			rc = record_add_channel(record, board, (enum channel_kind)kind, name);
	}
	if (rc >= 0)
		rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	return rc;
}

/* ---- steps ---- */

static int load_hops(struct history *history, int64_t id, struct measurement *m)
{
	sqlite3_stmt *statement;
	int rc = query(history,
		       "SELECT from_point, to_point, value_ns, u, suspect FROM hop"
		       " WHERE measurement=? ORDER BY seq",
		       id, &statement);
	int code = SQLITE_DONE;

	if (rc < 0)
		return rc;
	while (m->hop_count < CHAIN_HOPS_MAX && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct hop *hop = &m->hops[m->hop_count];
		char from[24], to[24];
		history_text(statement, 0, from, sizeof(from));
		history_text(statement, 1, to, sizeof(to));
		if (point_from_name(from) < 0 || point_from_name(to) < 0)
			continue;
		*hop = (struct hop){ .from = (enum point)point_from_name(from),
				     .to = (enum point)point_from_name(to),
				     .value_ns = sqlite3_column_int64(statement, 2),
				     .suspect = (unsigned)sqlite3_column_int(statement, 4) };
		const char *u = (const char *)sqlite3_column_text(statement, 3);
		if (u != NULL)
			uncertainty_read(u, strlen(u), &hop->u);
		m->hop_count++;
	}
	rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	return rc;
}

static void read_limit(sqlite3_stmt *statement, int column, struct limit *limit)
{
	limit->has_min = sqlite3_column_type(statement, column) != SQLITE_NULL;
	limit->min = sqlite3_column_int64(statement, column);
	limit->has_max = sqlite3_column_type(statement, column + 1) != SQLITE_NULL;
	limit->max = sqlite3_column_int64(statement, column + 1);
	limit->margin = sqlite3_column_int64(statement, column + 2);
	limit->share_percent = (unsigned)sqlite3_column_int(statement, column + 3);
	limit->without_frame = sqlite3_column_int(statement, column + 4) != 0;
	limit->accept = (unsigned)sqlite3_column_int(statement, column + 5);
}

static void read_measurement(sqlite3_stmt *statement, struct measurement *m)
{
	char word[24];

	history_text(statement, 1, m->name, sizeof(m->name));
	history_text(statement, 2, word, sizeof(word));
	m->unit = UNIT_NS;
	for (int i = 0; i < UNITS; i++)
		if (strcmp(word, unit_name((enum value_unit)i)) == 0)
			m->unit = (enum value_unit)i;
	m->missing = sqlite3_column_int(statement, 3) != 0;
	m->value = sqlite3_column_int64(statement, 4);
	const char *u = (const char *)sqlite3_column_text(statement, 5);
	if (u != NULL)
		uncertainty_read(u, strlen(u), &m->u);
	read_limit(statement, 6, &m->limit);
	m->suspect = (unsigned)sqlite3_column_int(statement, 12);
	history_text(statement, 13, word, sizeof(word));
	int verdict = verdict_from_name(word);
	m->judged.verdict = verdict < 0 ? VERDICT_NONE : (enum verdict)verdict;
	m->judged.value = sqlite3_column_int64(statement, 14);
	m->judged.u = sqlite3_column_int64(statement, 15);
	history_text(statement, 16, m->judged.why, sizeof(m->judged.why));
	char from[24], to[24];
	history_text(statement, 17, from, sizeof(from));
	history_text(statement, 18, to, sizeof(to));
	m->of_chain = point_from_name(from) >= 0 && point_from_name(to) >= 0;
	if (m->of_chain) {
		m->from = (enum point)point_from_name(from);
		m->to = (enum point)point_from_name(to);
	}
}

static int load_measurements(struct history *history, int64_t step, struct step_room *room)
{
	sqlite3_stmt *statement;
	int rc = query(history,
		       "SELECT id, name, unit, missing, value, u, min, max, margin, share_percent,"
		       " without_frame, accept, suspect, verdict, judged_value, judged_u, why,"
		       " from_point, to_point"
		       " FROM measurement WHERE step=? ORDER BY id",
		       step, &statement);
	int code = SQLITE_DONE;

	if (rc < 0)
		return rc;
	while (rc == 0 && room->step.measurement_count < STEP_MEASUREMENTS_MAX &&
	       (code = sqlite3_step(statement)) == SQLITE_ROW) {
		unsigned i = room->step.measurement_count++;
		struct measurement *m = &room->measurements[i];
		memset(m, 0, sizeof(*m));
		m->hops = room->hops[i];
		read_measurement(statement, m);
		rc = load_hops(history, sqlite3_column_int64(statement, 0), m);
	}
	if (rc == 0)
		rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	return rc;
}

static int load_events(struct history *history, int64_t step, uint32_t index, uint32_t left_out,
		       struct record *record)
{
	struct timeline_event events[EXCERPT_EVENTS_MAX];
	static char texts[EXCERPT_EVENTS_MAX][TIMELINE_TEXT_MAX];
	uint32_t n = 0;
	sqlite3_stmt *statement;
	int rc = query(
		history,
		"SELECT t_ns, kind, channel, value, text FROM event WHERE step=? ORDER BY seq",
		step, &statement);
	int code = SQLITE_DONE;

	if (rc < 0)
		return rc;
	while (n < EXCERPT_EVENTS_MAX && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		int kind = sqlite3_column_int(statement, 1),
		    channel = sqlite3_column_int(statement, 2);
		const void *text = sqlite3_column_blob(statement, 4);
		int len = sqlite3_column_bytes(statement, 4);
		if (kind < 0 || kind >= TIMELINE_KINDS || channel >= (int)record->channel_count)
			continue;
		len = text == NULL ? 0 : len > TIMELINE_TEXT_MAX ? TIMELINE_TEXT_MAX : len;
		if (len > 0)
			memcpy(texts[n], text, (size_t)len);
		events[n] =
			(struct timeline_event){ .t_ns = sqlite3_column_int64(statement, 0),
						 .value = sqlite3_column_int64(statement, 3),
						 .channel = (int16_t)(channel < 0 ? -1 : channel),
						 .kind = (uint8_t)kind,
						 .text_len = (uint16_t)len,
						 .text = len > 0 ? texts[n] : NULL };
		n++;
	}
	rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	if (rc == 0 && n > 0)
		record_add_excerpt(record, index, events, n, left_out);
	return rc;
}

static void read_step(sqlite3_stmt *statement, const struct record *record, struct step_room *room)
{
	char path[sizeof(room->step.plan_path)], name[sizeof(room->step.name)], word[24];
	int board = sqlite3_column_int(statement, 1);

	history_text(statement, 2, path, sizeof(path));
	history_text(statement, 3, name, sizeof(name));
	step_begin(room, board >= 0 && board < (int)record->board_count ? board : RECORD_NO_BOARD,
		   path, name, (uint32_t)sqlite3_column_int64(statement, 4),
		   (uint32_t)sqlite3_column_int64(statement, 5),
		   sqlite3_column_int64(statement, 6));
	room->step.end_ns = sqlite3_column_int64(statement, 7);
	history_text(statement, 8, word, sizeof(word));
	int verdict = verdict_from_name(word);
	room->step.verdict = verdict < 0 ? VERDICT_NONE : (enum verdict)verdict;
	history_text(statement, 9, room->step.why, sizeof(room->step.why));
}

static int load_steps(struct history *history, int64_t run, struct record *record)
{
	static struct step_room room;
	sqlite3_stmt *statement;
	int rc = query(history,
		       "SELECT id, board, plan_path, name, repeat, attempt, begin_ns, end_ns,"
		       " verdict, why, events_left_out FROM step WHERE run=? ORDER BY id",
		       run, &statement);
	int code = SQLITE_DONE;

	if (rc < 0)
		return rc;
	while (rc == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(statement, 0);
		read_step(statement, record, &room);
		rc = load_measurements(history, id, &room);
		if (rc == 0 && record_restore_step(record, &room.step) != NULL)
			rc = load_events(history, id, record->step_count - 1,
					 (uint32_t)sqlite3_column_int64(statement, 10), record);
	}
	if (rc == 0)
		rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	return rc;
}

/* ---- all of it ---- */

static int count(struct history *history, const char *sql, int64_t run, uint32_t *ret)
{
	sqlite3_stmt *statement;
	int rc = query(history, sql, run, &statement);

	if (rc < 0)
		return rc;
	int code = sqlite3_step(statement);
	rc = history_result(history, code, "reading the history");
	int64_t n = rc == 0 ? sqlite3_column_int64(statement, 0) : 0;
	*ret = n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
	sqlite3_finalize(statement);
	return rc;
}

static int size_up(struct history *history, int64_t run, struct record_limits *limits)
{
	int rc = count(history, "SELECT count(*) FROM step WHERE run=?", run, &limits->steps);

	if (rc == 0)
		rc = count(history,
			   "SELECT count(*) FROM measurement JOIN step ON step.id=step WHERE run=?",
			   run, &limits->measurements);
	if (rc == 0)
		rc = count(history,
			   "SELECT count(*) FROM hop JOIN measurement ON measurement.id=measurement"
			   " JOIN step ON step.id=step WHERE run=?",
			   run, &limits->hops);
	if (rc == 0)
		rc = count(history,
			   "SELECT count(DISTINCT step) FROM event JOIN step ON step.id=step"
			   " WHERE run=?",
			   run, &limits->excerpts);
	limits->events = 1;
	limits->text_bytes = 1;
	return rc;
}

int history_load(struct history *history, int64_t run, struct record *ret)
{
	struct record_limits limits = { 0 };
	int rc = size_up(history, run, &limits);

	if (rc == 0)
		rc = record_init(ret, &limits, 0, 0);
	if (rc < 0)
		return rc;
	rc = load_run(history, run, ret);
	if (rc == 0)
		rc = load_boards(history, run, ret);
	if (rc == 0)
		rc = load_channels(history, run, ret);
	if (rc == 0)
		rc = load_steps(history, run, ret);
	if (rc < 0)
		record_release(ret);
	return rc;
}

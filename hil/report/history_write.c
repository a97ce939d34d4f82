#include "hil/report/history_parts.h"

#include "hil/report/json_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts of several parts ---- */

static char *calibration_text(const struct calibration *calibration)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	json_calibration(out, calibration);
	return fclose(out) == 0 ? text : (free(text), NULL);
}

#define U_TEXT_MAX (U_PARTS * 64)

static const char *u_text(const struct uncertainty *u, char *buf)
{
	FILE *out = fmemopen(buf, U_TEXT_MAX, "w");

	if (out == NULL)
		return "{}";
	json_uncertainty(out, u);
	return fclose(out) == 0 ? buf : "{}";
}

/* NULL is no limit, in SQL too. */
static void bind_limit(sqlite3_stmt *statement, int column, bool has, int64_t value)
{
	if (has)
		sqlite3_bind_int64(statement, column, value);
	else
		sqlite3_bind_null(statement, column);
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	sqlite3_bind_text(statement, column, text, -1, SQLITE_TRANSIENT);
}

/* ---- a transaction ---- */

static int begin(struct history *history)
{
	return history_execute(history, "BEGIN IMMEDIATE", "the history");
}

/* All of it, on the disk, or nothing. */
static int end(struct history *history, int rc, const char *what)
{
	if (rc == 0)
		rc = history_execute(history, "COMMIT", what);
	if (rc < 0 && sqlite3_get_autocommit(history->db) == 0)
		sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* ---- a run ---- */

static int insert_run(struct history *history, const struct run_info *run)
{
	char *calibration = calibration_text(&run->calibration);
	sqlite3_stmt *statement;
	int rc = history_prepare(history,
				 "INSERT INTO run(id, title, plan_path, plan_text, bench_path,"
				 " bench_text, versions, calibration, host, seed, synthetic,"
				 " virtual_bench, start_wall_ns, steps_planned)"
				 " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
				 &statement);

	if (rc < 0)
		goto out;
	const char *texts[] = { run->id,        run->title,      run->plan_path,
				run->plan_text, run->bench_path, run->bench_text,
				run->versions,  calibration,     run->host };
	for (int i = 0; i < 9; i++)
		bind_text(statement, i + 1, texts[i]);
	sqlite3_bind_int64(statement, 10, (int64_t)run->seed);
	sqlite3_bind_int(statement, 11, run->synthetic);
	sqlite3_bind_int(statement, 12, run->virtual_bench);
	sqlite3_bind_int64(statement, 13, run->start_wall_ns);
	sqlite3_bind_int64(statement, 14, run->steps_planned);
	rc = history_run_out(history, statement, "a run into the history");
	history->run = sqlite3_last_insert_rowid(history->db);
	history->start_ns = run->start_ns;
out:
	free(calibration);
	return rc;
}

static int insert_board(struct history *history, int index, const struct record_board *board)
{
	sqlite3_stmt *statement;
	int rc = history_prepare(history, "INSERT INTO board VALUES(?,?,?,?,?,?,?)", &statement);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(statement, 1, history->run);
	sqlite3_bind_int(statement, 2, index);
	bind_text(statement, 3, board->name);
	bind_text(statement, 4, board->serial);
	bind_text(statement, 5, board->usb_path);
	bind_text(statement, 6, board->address);
	bind_text(statement, 7, board->firmware);
	return history_run_out(history, statement, "a board into the history");
}

static int insert_channel(struct history *history, int index, const struct channel *channel)
{
	sqlite3_stmt *statement;
	int rc = history_prepare(history, "INSERT INTO channel VALUES(?,?,?,?,?)", &statement);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(statement, 1, history->run);
	sqlite3_bind_int(statement, 2, index);
	sqlite3_bind_int(statement, 3, channel->board);
	sqlite3_bind_int(statement, 4, (int)channel->kind);
	bind_text(statement, 5, channel->name);
	return history_run_out(history, statement, "a channel into the history");
}

int history_begin(struct history *history, const struct record *record)
{
	int rc = begin(history);

	if (rc == 0)
		rc = insert_run(history, &record->run);
	for (unsigned i = 0; i < record->board_count && rc == 0; i++)
		rc = insert_board(history, (int)i, &record->boards[i]);
	for (unsigned i = 0; i < record->channel_count && rc == 0; i++)
		rc = insert_channel(history, (int)i, &record->channels[i]);
	rc = end(history, rc, "a run into the history");
	if (rc < 0)
		history->run = 0;
	return rc;
}

int history_end(struct history *history, const struct record *record)
{
	sqlite3_stmt *statement;

	if (history->run == 0)
		return -EINVAL;
	int rc = history_prepare(history,
				 "UPDATE run SET end_ns=?, interrupted=?, verdict=?, error=?,"
				 " steps_left_out=? WHERE number=?",
				 &statement);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(statement, 1, record->run.end_ns - record->run.start_ns);
	sqlite3_bind_int(statement, 2, record->run.interrupted);
	bind_text(statement, 3, verdict_name(record->worst));
	bind_text(statement, 4, record->error);
	sqlite3_bind_int64(statement, 5, (int64_t)record->steps_left_out);
	sqlite3_bind_int64(statement, 6, history->run);
	return history_run_out(history, statement, "the run's end into the history");
}

/* ---- a step ---- */

static int insert_hops(struct history *history, int64_t measurement, const struct measurement *m)
{
	sqlite3_stmt *statement;
	char u[U_TEXT_MAX];
	int rc = m->hop_count == 0
			 ? 0
			 : history_prepare(history, "INSERT INTO hop VALUES(?,?,?,?,?,?,?)",
					   &statement);

	if (rc < 0 || m->hop_count == 0)
		return rc;
	for (unsigned i = 0; i < m->hop_count && rc == 0; i++) {
		const struct hop *hop = &m->hops[i];
		sqlite3_bind_int64(statement, 1, measurement);
		sqlite3_bind_int(statement, 2, (int)i);
		bind_text(statement, 3, point_name(hop->from));
		bind_text(statement, 4, point_name(hop->to));
		sqlite3_bind_int64(statement, 5, hop->value_ns);
		bind_text(statement, 6, u_text(&hop->u, u));
		sqlite3_bind_int(statement, 7, (int)hop->suspect);
		rc = history_result(history, sqlite3_step(statement), "a hop into the history");
		sqlite3_reset(statement);
	}
	sqlite3_finalize(statement);
	return rc;
}

static int insert_measurement(struct history *history, int64_t step, const struct measurement *m)
{
	sqlite3_stmt *statement;
	char u[U_TEXT_MAX];
	int rc = history_prepare(history,
				 "INSERT INTO measurement(step, name, unit, missing, value, u, min,"
				 " max, margin, share_percent, without_frame, accept, suspect,"
				 " verdict, judged_value, judged_u, why, from_point, to_point)"
				 " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
				 &statement);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(statement, 1, step);
	bind_text(statement, 2, m->name);
	bind_text(statement, 3, unit_name(m->unit));
	sqlite3_bind_int(statement, 4, m->missing);
	sqlite3_bind_int64(statement, 5, m->value);
	bind_text(statement, 6, u_text(&m->u, u));
	bind_limit(statement, 7, m->limit.has_min, m->limit.min);
	bind_limit(statement, 8, m->limit.has_max, m->limit.max);
	sqlite3_bind_int64(statement, 9, m->limit.margin);
	sqlite3_bind_int(statement, 10, (int)m->limit.share_percent);
	sqlite3_bind_int(statement, 11, m->limit.without_frame);
	sqlite3_bind_int(statement, 12, (int)m->limit.accept);
	sqlite3_bind_int(statement, 13, (int)m->suspect);
	bind_text(statement, 14, verdict_name(m->judged.verdict));
	sqlite3_bind_int64(statement, 15, m->judged.value);
	sqlite3_bind_int64(statement, 16, m->judged.u);
	bind_text(statement, 17, m->judged.why);
	bind_text(statement, 18, m->of_chain ? point_name(m->from) : NULL);
	bind_text(statement, 19, m->of_chain ? point_name(m->to) : NULL);
	rc = history_run_out(history, statement, "a measurement into the history");
	return rc < 0 ? rc : insert_hops(history, sqlite3_last_insert_rowid(history->db), m);
}

static int insert_events(struct history *history, int64_t step, const struct excerpt *excerpt)
{
	sqlite3_stmt *statement;
	int rc = history_prepare(history, "INSERT INTO event VALUES(?,?,?,?,?,?,?)", &statement);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < excerpt->event_count && rc == 0; i++) {
		const struct timeline_event *event = &excerpt->events[i];
		sqlite3_bind_int64(statement, 1, step);
		sqlite3_bind_int64(statement, 2, i);
		sqlite3_bind_int64(statement, 3, event->t_ns - history->start_ns);
		sqlite3_bind_int(statement, 4, event->kind);
		sqlite3_bind_int(statement, 5, event->channel);
		sqlite3_bind_int64(statement, 6, event->value);
		sqlite3_bind_blob(statement, 7, event->text, event->text_len, SQLITE_TRANSIENT);
		rc = history_result(history, sqlite3_step(statement), "an event into the history");
		sqlite3_reset(statement);
	}
	sqlite3_finalize(statement);
	return rc;
}

static int insert_step(struct history *history, const struct step_result *step, uint32_t left_out)
{
	sqlite3_stmt *statement;
	int rc = history_prepare(history,
				 "INSERT INTO step(run, board, plan_path, name, repeat, attempt,"
				 " begin_ns, end_ns, verdict, why, events_left_out)"
				 " VALUES(?,?,?,?,?,?,?,?,?,?,?)",
				 &statement);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(statement, 1, history->run);
	sqlite3_bind_int(statement, 2, step->board);
	bind_text(statement, 3, step->plan_path);
	bind_text(statement, 4, step->name);
	sqlite3_bind_int64(statement, 5, step->repeat);
	sqlite3_bind_int64(statement, 6, step->attempt);
	sqlite3_bind_int64(statement, 7, step->begin_ns - history->start_ns);
	sqlite3_bind_int64(statement, 8, step->end_ns - history->start_ns);
	bind_text(statement, 9, verdict_name(step->verdict));
	bind_text(statement, 10, step->why);
	sqlite3_bind_int64(statement, 11, left_out);
	return history_run_out(history, statement, "a step into the history");
}

int history_step(struct history *history, const struct step_result *step,
		 const struct excerpt *excerpt)
{
	if (history->run == 0)
		return -EINVAL;
	int rc = begin(history);
	if (rc == 0)
		rc = insert_step(history, step, excerpt != NULL ? excerpt->left_out : 0);
	int64_t id = sqlite3_last_insert_rowid(history->db);
	for (unsigned i = 0; i < step->measurement_count && rc == 0; i++)
		rc = insert_measurement(history, id, &step->measurements[i]);
	if (rc == 0 && excerpt != NULL)
		rc = insert_events(history, id, excerpt);
	return end(history, rc, "a step into the history");
}

#include "hil/report/history_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- runs ---- */

static int count_steps(struct history *history, struct history_run *run)
{
	sqlite3_stmt *statement;
	int rc = history_prepare(history,
				 "SELECT verdict, count(*), max(end_ns) FROM step WHERE run=?"
				 " GROUP BY verdict",
				 &statement);
	int code;

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(statement, 1, run->number);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		char word[24];
		history_text(statement, 0, word, sizeof(word));
		int verdict = verdict_from_name(word);
		if (verdict < 0)
			continue;
		run->steps[verdict] = (uint32_t)sqlite3_column_int64(statement, 1);
		if (!run->ended) {
			run->verdict = verdict_worse(run->verdict, (enum verdict)verdict);
			if (sqlite3_column_int64(statement, 2) > run->duration_ns)
				run->duration_ns = sqlite3_column_int64(statement, 2);
		}
	}
	rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	return rc;
}

#define RUN_COLUMNS                                                                                \
	"number, id, title, plan_path, host, start_wall_ns, end_ns, interrupted, synthetic,"       \
	" virtual_bench, verdict, (SELECT count(*) FROM board WHERE board.run=run.number)"

static void read_run(sqlite3_stmt *statement, struct history_run *run)
{
	char word[24];

	*run = (struct history_run){ .number = sqlite3_column_int64(statement, 0) };
	history_text(statement, 1, run->id, sizeof(run->id));
	history_text(statement, 2, run->title, sizeof(run->title));
	history_text(statement, 3, run->plan_path, sizeof(run->plan_path));
	history_text(statement, 4, run->host, sizeof(run->host));
	run->start_wall_ns = sqlite3_column_int64(statement, 5);
	run->ended = sqlite3_column_type(statement, 6) != SQLITE_NULL;
	run->duration_ns = sqlite3_column_int64(statement, 6);
	run->interrupted = sqlite3_column_int(statement, 7) != 0;
	run->synthetic = sqlite3_column_int(statement, 8) != 0;
	run->virtual_bench = sqlite3_column_int(statement, 9) != 0;
	history_text(statement, 10, word, sizeof(word));
	int verdict = verdict_from_name(word);
	run->verdict = verdict < 0 ? VERDICT_NONE : (enum verdict)verdict;
	run->boards = (uint32_t)sqlite3_column_int(statement, 11);
}

int history_runs(struct history *history, bool (*fn)(const struct history_run *, void *context),
		 void *context)
{
	sqlite3_stmt *statement;
	int rc = history_prepare(history, "SELECT " RUN_COLUMNS " FROM run ORDER BY number DESC",
				 &statement);
	int code = SQLITE_DONE;
	bool more = true;

	if (rc < 0)
		return rc;
	while (more && rc == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct history_run run;
		read_run(statement, &run);
		rc = count_steps(history, &run);
		if (rc == 0)
			more = fn(&run, context);
	}
	if (rc == 0)
		rc = history_result(history, code, "reading the history");
	sqlite3_finalize(statement);
	return rc;
}

/* ---- by name ---- */

/* "last", "last-2" as an offset from the newest; else -1. */
static int64_t offset_of(const char *name)
{
	char *end;

	if (strncmp(name, "last", 4) != 0)
		return -1;
	if (name[4] == '\0')
		return 0;
	if (name[4] != '-' || name[5] < '0' || name[5] > '9')
		return -1;
	long long offset = strtoll(name + 5, &end, 10);
	return *end == '\0' && offset < 1000000000 ? offset : -1;
}

static int prepare_find(struct history *history, const char *name, sqlite3_stmt **ret)
{
	char *end;
	int64_t offset = offset_of(name);
	long long number = strtoll(name, &end, 10);
	bool by_number = name[0] >= '0' && name[0] <= '9' && *end == '\0' && end - name < 10;
	const char *sql = offset >= 0 ? "SELECT " RUN_COLUMNS
					" FROM run ORDER BY number DESC LIMIT 1 OFFSET ?"
			  : by_number ? "SELECT " RUN_COLUMNS " FROM run WHERE number=?"
				      : "SELECT " RUN_COLUMNS
					" FROM run WHERE substr(id, 1, length(?1))=?1 LIMIT 2";
	int rc = history_prepare(history, sql, ret);

	if (rc < 0)
		return rc;
	if (offset >= 0 || by_number)
		sqlite3_bind_int64(*ret, 1, offset >= 0 ? offset : number);
	else
		sqlite3_bind_text(*ret, 1, name, -1, SQLITE_TRANSIENT);
	return 0;
}

int history_find(struct history *history, const char *name, struct history_run *ret)
{
	struct history_run run;
	sqlite3_stmt *statement;
	int rc = name[0] != '\0' ? prepare_find(history, name, &statement) : -ENOENT;

	if (rc < 0)
		return rc;
	int code = sqlite3_step(statement);
	rc = code == SQLITE_DONE ? -ENOENT : history_result(history, code, "reading the history");
	if (rc == 0) {
		read_run(statement, &run);
		if (sqlite3_step(statement) == SQLITE_ROW)
			rc = -EEXIST;
	}
	sqlite3_finalize(statement);
	if (rc == 0)
		rc = count_steps(history, &run);
	if (rc == 0)
		*ret = run;
	else if (rc == -ENOENT || rc == -EEXIST)
		snprintf(history->error, sizeof(history->error), "%s \"%.60s\"",
			 rc == -ENOENT ? "there is no run" : "more than one run begins with", name);
	return rc;
}

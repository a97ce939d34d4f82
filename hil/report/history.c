#include "hil/report/history_parts.h"

#include "emulator/base/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 5000
#define APPLICATION_ID "0x51484c31" /* "QHL1" */

/* ---- errors ---- */

static int from_system(struct history *history)
{
	int error = sqlite3_system_errno(history->db);

	return error > 0 ? -error : -EIO;
}

static int as_errno(struct history *history, int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH: return -EACCES;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: return -EINVAL;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR: return from_system(history);
	default: return -EIO;
	}
}

int history_result(struct history *history, int code, const char *what)
{
	if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
		return 0;
	int rc = as_errno(history, code);
	/* A generic error has its reason in the message alone: "no such column: ..." */
	if ((code & 0xff) == SQLITE_ERROR) {
		snprintf(history->error, sizeof(history->error), "%s: %s", what,
			 sqlite3_errmsg(history->db));
		return rc;
	}
	snprintf(history->error, sizeof(history->error), "%s: %s%s%s", what, sqlite3_errstr(code),
		 rc == -EIO ? "" : ": ", rc == -EIO ? "" : strerror(-rc));
	return rc;
}

const char *history_error(const struct history *history)
{
	return history->error;
}

/* ---- statements ---- */

int history_prepare(struct history *history, const char *sql, sqlite3_stmt **ret)
{
	return history_result(history, sqlite3_prepare_v2(history->db, sql, -1, ret, NULL),
			      "the history's tables");
}

int history_run_out(struct history *history, sqlite3_stmt *statement, const char *what)
{
	int code = sqlite3_step(statement);
	int rc = history_result(history, code, what);

	sqlite3_finalize(statement);
	return rc;
}

int history_execute(struct history *history, const char *sql, const char *what)
{
	return history_result(history, sqlite3_exec(history->db, sql, NULL, NULL, NULL), what);
}

void history_text(sqlite3_stmt *statement, int column, char *buf, size_t cap)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	snprintf(buf, cap, "%s", text != NULL ? (const char *)text : "");
}

/* ---- the schema ---- */

static const char schema[] =
	"CREATE TABLE run(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
	" title TEXT, plan_path TEXT, plan_text TEXT, bench_path TEXT, bench_text TEXT,"
	" versions TEXT, calibration TEXT, host TEXT, seed INTEGER, synthetic INTEGER,"
	" virtual_bench INTEGER, start_wall_ns INTEGER NOT NULL, steps_planned INTEGER,"
	" end_ns INTEGER, interrupted INTEGER, verdict TEXT, error TEXT, steps_left_out INTEGER);"
	"CREATE TABLE board(run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
	" idx INTEGER NOT NULL, name TEXT NOT NULL, serial TEXT, usb_path TEXT, address TEXT,"
	" firmware TEXT, PRIMARY KEY(run, idx)) WITHOUT ROWID;"
	"CREATE TABLE channel(run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
	" idx INTEGER NOT NULL, board INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY(run, idx)) WITHOUT ROWID;"
	/* board -1: the bench itself. */
	"CREATE TABLE step(id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run"
	" ON DELETE CASCADE, board INTEGER NOT NULL, plan_path TEXT, name TEXT NOT NULL,"
	" repeat INTEGER NOT NULL, attempt INTEGER NOT NULL, begin_ns INTEGER NOT NULL,"
	" end_ns INTEGER NOT NULL, verdict TEXT NOT NULL, why TEXT, events_left_out INTEGER);"
	"CREATE INDEX step_of_run ON step(run);"
	"CREATE TABLE measurement(id INTEGER PRIMARY KEY, step INTEGER NOT NULL REFERENCES step"
	" ON DELETE CASCADE, name TEXT NOT NULL, unit TEXT NOT NULL, missing INTEGER NOT NULL,"
	" value INTEGER NOT NULL, u TEXT NOT NULL, min INTEGER, max INTEGER, margin INTEGER,"
	" share_percent INTEGER, without_frame INTEGER, accept INTEGER, suspect INTEGER NOT NULL,"
	" verdict TEXT NOT NULL, judged_value INTEGER, judged_u INTEGER, why TEXT,"
	" from_point TEXT, to_point TEXT);"
	"CREATE INDEX measurement_of_step ON measurement(step);"
	"CREATE TABLE hop(measurement INTEGER NOT NULL REFERENCES measurement ON DELETE CASCADE,"
	" seq INTEGER NOT NULL, from_point TEXT NOT NULL, to_point TEXT NOT NULL,"
	" value_ns INTEGER NOT NULL, u TEXT NOT NULL, suspect INTEGER NOT NULL,"
	" PRIMARY KEY(measurement, seq)) WITHOUT ROWID;"
	"CREATE TABLE event(step INTEGER NOT NULL REFERENCES step ON DELETE CASCADE,"
	" seq INTEGER NOT NULL, t_ns INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" channel INTEGER NOT NULL, value INTEGER NOT NULL, text BLOB,"
	" PRIMARY KEY(step, seq)) WITHOUT ROWID;"
	"PRAGMA application_id=" APPLICATION_ID "; PRAGMA user_version=1;";

static int pragma_number(struct history *history, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement;
	int rc = history_prepare(history, sql, &statement);

	if (rc < 0)
		return rc;
	int code = sqlite3_step(statement);
	rc = history_result(history, code, "the history");
	if (rc == 0)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc;
}

/* A newer schema, or the database of somebody else, is left as it is. *ret_empty: nothing in it. */
static int check_schema(struct history *history, bool *ret_empty)
{
	int64_t version = 0, tables = 0, application = 0;
	int rc = pragma_number(history, "PRAGMA user_version", &version);

	if (rc == 0)
		rc = pragma_number(history, "SELECT count(*) FROM sqlite_master", &tables);
	if (rc == 0)
		rc = pragma_number(history, "PRAGMA application_id", &application);
	if (rc < 0)
		return rc;
	*ret_empty = tables == 0 && version == 0;
	if (*ret_empty)
		return 0;
	if (application != strtol(APPLICATION_ID, NULL, 0)) {
		snprintf(history->error, sizeof(history->error),
			 "the file is a database of another program");
		return -EINVAL;
	}
	if (version > HISTORY_SCHEMA) {
		snprintf(history->error, sizeof(history->error),
			 "the history has schema %lld, this quintain-hil knows %d: it is too old",
			 (long long)version, HISTORY_SCHEMA);
		return -EPROTO;
	}
	return 0;
}

static int make_schema(struct history *history)
{
	bool empty;
	/* Two rigs may find the same empty file. */
	int rc = history_execute(history, "BEGIN IMMEDIATE", "the history");

	if (rc < 0)
		return rc;
	rc = check_schema(history, &empty);
	if (rc == 0 && empty)
		rc = history_execute(history, schema, "making the history's tables");
	if (rc == 0)
		rc = history_execute(history, "COMMIT", "making the history's tables");
	if (rc < 0)
		sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* ---- open and close ---- */

static int open_file(const char *path, int flags, struct history **ret)
{
	struct history *history = calloc(1, sizeof(*history));

	if (history == NULL)
		return -ENOMEM;
	/* Handed out even where it failed: it has the error in words. */
	*ret = history;
	int code = sqlite3_open_v2(path, &history->db, flags, NULL);
	if (code != SQLITE_OK)
		return history_result(history, code, path);
	sqlite3_extended_result_codes(history->db, 1);
	sqlite3_busy_timeout(history->db, BUSY_MS);
	return history_execute(history, "PRAGMA foreign_keys=ON", path);
}

static int make_folder_of(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	if ((size_t)(slash - path) >= sizeof(folder))
		return -ENAMETOOLONG;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	return folder_make(folder);
}

int history_open(const char *path, struct history **ret)
{
	struct history *history = NULL;
	int rc = make_folder_of(path);

	if (rc == 0)
		rc = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &history);
	if (rc == 0)
		rc = history_execute(history, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
				     path);
	if (rc == 0)
		rc = make_schema(history);
	*ret = history;
	return rc;
}

int history_open_read(const char *path, struct history **ret)
{
	struct history *history = NULL;
	bool empty;

	*ret = NULL;
	if (access(path, F_OK) < 0)
		return -errno;
	int rc = open_file(path, SQLITE_OPEN_READONLY, &history);
	if (rc == 0)
		rc = check_schema(history, &empty);
	if (rc == 0 && empty) {
		snprintf(history->error, sizeof(history->error), "%s is empty", path);
		rc = -EINVAL;
	}
	*ret = history;
	return rc;
}

void history_close(struct history *history)
{
	if (history == NULL)
		return;
	sqlite3_close(history->db);
	free(history);
}

/*
 * What the files of the history share; nobody but history*.c includes this.
 *
 * Ownership, errors, threads: as history.h says.
 */
#ifndef HISTORY_PARTS_H
#define HISTORY_PARTS_H

#include "hil/report/history.h"

#include <sqlite3.h>

struct history {
	sqlite3 *db;
	int64_t run; /* its number, once it began */
	int64_t start_ns;
	char error[256];
};

/* The last result of SQLite as -errno, said in words. 0 for SQLITE_OK, ROW, DONE. */
int history_result(struct history *history, int code, const char *what);
/* -errno for a statement that cannot be made. */
int history_prepare(struct history *history, const char *sql, sqlite3_stmt **ret);
/* Steps a statement that gives no rows, and frees it. */
int history_run_out(struct history *history, sqlite3_stmt *statement, const char *what);
int history_execute(struct history *history, const char *sql, const char *what);

/* U as the JSON of json_uncertainty(); what is no such text reads as 0. */
void uncertainty_read(const char *text, size_t len, struct uncertainty *ret);
void calibration_read(const char *text, size_t len, struct calibration *ret);

/* A column into a field, cut to its size. */
void history_text(sqlite3_stmt *statement, int column, char *buf, size_t cap);

#endif

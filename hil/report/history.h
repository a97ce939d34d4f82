/*
 * The history: every run in one SQLite file, a step at a time.
 *
 * Purpose: a run is there from its first moment, with plan, bench, versions and calibration; each
 * finished step is one transaction that is on the disk when history_step() is back (WAL,
 * synchronous=FULL). Killed at any moment the file opens, with every step that was committed; a run
 * without an end is shown as "did not end".
 * Units: ns since the run began, wall time as ns since 1970. Ownership: history_close() what an
 * open gave; texts of a loaded record belong to it. Errors: 0 or -errno: -ENOSPC full disk or
 * quota, -EFBIG, -EROFS, -EACCES, -EBUSY (another program holds it for longer than 5 s), -EPROTO a
 * schema newer than ours, -EINVAL no database of ours, -EIO. history_error() has it in words. After
 * an error the next step is tried again: a disk may get space. Threads: one at a time. Source of
 * the schema: README.md.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "hil/measure/record.h"

#define HISTORY_SCHEMA 1

struct history;

/* To write: made where it is not there, folders too. */
int history_open(const char *path, struct history **ret);
/* To read, while others write. -ENOENT where there is none. */
int history_open_read(const char *path, struct history **ret);
void history_close(struct history *history);
/* Of the last error: a line for people. */
const char *history_error(const struct history *history);

/* Boards are known by now. */
int history_begin(struct history *history, const struct record *record);
/* `excerpt` may be NULL. begin of the run: history_begin()'s. */
int history_step(struct history *history, const struct step_result *step,
		 const struct excerpt *excerpt);
int history_end(struct history *history, const struct record *record);

/* ---- reading ---- */

struct history_run {
	int64_t number; /* 1, 2, 3: what people type */
	char id[40], title[128], plan_path[256], host[64];
	int64_t start_wall_ns, duration_ns; /* of one that did not end: until its last step */
	bool ended, interrupted, synthetic, virtual_bench;
	enum verdict verdict; /* of one that did not end: the worst so far */
	uint32_t steps[VERDICTS];
	uint32_t boards;
};
/* Newest first; fn returns false to stop. */
int history_runs(struct history *history, bool (*fn)(const struct history_run *, void *context),
		 void *context);
/* "12", "last", "last-1", or the beginning of an id. -ENOENT; -EEXIST: more than one. */
int history_find(struct history *history, const char *name, struct history_run *ret);
/* The whole run as a record, without timeline but with excerpts. record_release() it. */
int history_load(struct history *history, int64_t number, struct record *ret);

#endif

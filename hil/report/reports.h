/*
 * The reports of a run, behind one door: what quintain-hil run calls.
 *
 * Purpose: keeps history, live view and files in step with the record. The caller:
 *
 *     reports_open(); reports_start();
 *     for each step: step_begin(); reports_step_begin(); ... reports_step_end();
 *     now and then: reports_tick();
 *     reports_finish(); code = reports_exit_code(); reports_free();
 *
 * A finished step is handed to a thread that commits it to the history (fsync), so that a slow disk
 * disturbs no measurement. It is safe from SIGKILL and power cut when reports_stored() has counted
 * it; reports_fd() becomes readable whenever that grows. A plan that wants each step on disk before
 * the next one of the same board waits for that. When 64 steps wait, reports_step_end() waits too.
 * Units: ns on CLOCK_MONOTONIC. Ownership: the record is the caller's and outlives this.
 * Errors: 0 or -errno. A history or file that cannot be written never ends a run: it is said once
 * on stderr, kept in reports_trouble(), and the exit code becomes 3; so it does when the run was
 * interrupted. A folder for --out that cannot be made is an error of reports_open(). SIGXFSZ is
 * ignored from reports_open() on: a limit on files is a full disk. Threads: all calls from the
 * loop's; the writer thread touches nothing of the record. Source of the formats: README.md, beside
 * this file.
 */
#ifndef REPORTS_H
#define REPORTS_H

#include "hil/measure/record.h"

struct reports;

struct reports_options {
	const char
		*out_dir; /* report.html, junit.xml, result.json, result.csv, run.vcd; NULL: none */
	const char *history_path; /* NULL: none */
	bool quiet;               /* no live view */
	bool no_vcd;
};

int reports_open(const struct reports_options *options, struct record *record,
		 struct reports **ret);
/* Boards and channels are all added: the run is put into the history. */
int reports_start(struct reports *reports, int64_t now_ns);
void reports_step_begin(struct reports *reports, const struct step_result *step);
/* record_step() and the rest. */
void reports_step_end(struct reports *reports, const struct step_result *step);
/* Redraws when it is time. Returns ns until it wants to be called again; INT64_MAX: never. */
int64_t reports_tick(struct reports *reports, int64_t now_ns);
/* One line for people that does not tear the live view. */
void reports_message(struct reports *reports, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Finished steps that are on the disk; an eventfd that becomes readable when they grow (-1: no
 * history). */
uint64_t reports_stored(const struct reports *reports);
int reports_fd(const struct reports *reports);

/* record_end(), the last commit, all files, each whole or not at all; prints the summary. 0 or the
 * first -errno. */
int reports_finish(struct reports *reports, int64_t now_ns);
/* "" or the first thing that could not be written, for people. */
const char *reports_trouble(const struct reports *reports);
/* 0, 1 or 3: of the record's worst verdict, and 3 where there is trouble. */
int reports_exit_code(const struct reports *reports);
void reports_free(struct reports *reports);

/* Where the history is unless --history says otherwise: $XDG_STATE_HOME/quintain/history.db, else
 * below $HOME/.local/state. False where neither is set. */
bool reports_history_path(char *buf, size_t cap);

#endif

/*
 * Results: the files that `--out DIR` gets.
 *
 * Purpose: events.jsonl (every message and change of state, one clock, nanoseconds), summary.json,
 * junit.xml, latency-COMMAND.hgrm (HdrHistogram's percentile text), report.html (no script).
 * Writing never slows the message path: events go through a bounded queue to a writer thread, and
 * what the queue could not take is counted and said. A simulated run has no writer thread: it
 * writes in place, nothing is dropped, and the bytes depend on config and seed alone. The sampler
 * of the report keeps a timer armed; in a simulated run only while others are.
 * Units: ns since the run began in files, loop clock in calls.
 * Ownership: results_free() joins the thread, leaves the bus and closes; fleet, master and the
 * texts of the options must still be there (names of events are not copied).
 * Errors: 0 or -errno, message on stderr by the caller. A disk that fills is counted as drops too.
 * Threads: its loop's; the writer thread is its own affair.
 * Source of the formats: docs/RESULTS.md.
 */
#ifndef RESULTS_H
#define RESULTS_H

#include "emulator/base/event.h"
#include "emulator/base/hist.h"
#include "emulator/base/loop.h"
#include "emulator/fleet/fleet.h"
#include "emulator/master/master.h"
#include "emulator/scenario/verdict.h"

#include <stdbool.h>
#include <stdio.h>

struct results;

struct results_options {
	const char *dir;    /* created where it does not exist */
	bool events;        /* events.jsonl too */
	size_t queue_bytes; /* of the queue to the writer; 0: 16 MiB */
	const char *title, *config_path;
	uint64_t seed;
	bool simulated;
};

int results_open(const struct results_options *options, struct loop *loop, struct events *events,
		 const struct fleet *fleet, const struct master *master, struct results **ret);
/* The clock of the files begins; samples of states and latencies are taken from here on. */
void results_start(struct results *results);

struct results_end {
	const char *verdict; /* "PASS", "FAIL", "ERROR" */
	const char *why;     /* "" or the first reason */
	const struct verdict *const *verdicts;
	uint32_t verdict_count;
	/* Writes the object that --json prints, without newline. */
	void (*summary)(void *context, FILE *out);
	void *context;
};
/* Writes all that is written at the end, each file whole or not at all. 0 or the first -errno. */
int results_finish(struct results *results, const struct results_end *end);
/* The name of the first file that results_finish() could not write; "" where there is none. */
const char *results_trouble(const struct results *results);
/* Events that are not in events.jsonl. */
uint64_t results_dropped(const struct results *results);
void results_free(struct results *results);

#endif

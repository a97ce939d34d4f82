/*
 * A made-up run, for tests and documentation: nothing in it was measured.
 *
 * Purpose: boards with planted behaviour, out of a seed: one that is healthy, one that gets slower,
 * one whose retries succeed, one that loses edges, one that stops answering. The record says that
 * it is synthetic, and so does every report of it. Ownership: record_release() the record. Errors:
 * 0 or -ENOMEM. Threads: no state.
 */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H

#include "hil/measure/record.h"

struct synthetic {
	uint64_t seed;
	unsigned boards;  /* 1 .. 8 */
	unsigned repeats; /* of the plan's three commands */
	int64_t start_wall_ns;
	int64_t slower_ns; /* added to every servo hop: a worse firmware, to compare */
};

/* Fills the record as a rig does. begin and end (may be NULL) are called around each step. On
 * failure too the record is to be released. */
int synthetic_run(const struct synthetic *options, struct record *ret,
		  void (*begin)(const struct step_result *step, void *context),
		  void (*end)(const struct step_result *step, void *context), void *context);

#endif

/*
 * What must be true of every run, whatever was asked of it.
 *
 * Purpose: listens to the run's events and keeps books of its own; at the end these must agree with
 * the run's counters. Ownership: invariants_release() what invariants_init() took.
 * Errors: the first broken invariant in words. Threads: one.
 */
#ifndef SOAK_INVARIANTS_H
#define SOAK_INVARIANTS_H

#include "emulator/cli/app.h"

struct invariants {
	struct event_sink sink;
	struct app *app;
	bool names_are_true;
	uint64_t outcomes[3];              /* by enum master_outcome */
	uint64_t (*received)[RANGE_WORDS]; /* commands, by target */
	uint64_t (*confirmed)[RANGE_WORDS];
	int64_t last_ns;
	char broken[200]; /* "" as long as all is well */
};

/* After app_prepare(). */
int invariants_init(struct invariants *invariants, struct app *app, bool names_are_true);
/* After app_drive(): the books against the counters. */
void invariants_check_end(struct invariants *invariants);
/* After the fleet and master have let go of everything: is anything left? */
void invariants_check_leaks(struct invariants *invariants);
void invariants_release(struct invariants *invariants);

#endif

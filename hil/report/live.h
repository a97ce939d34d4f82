/*
 * The live view: boards in columns, the step each is at, verdicts so far, time left.
 *
 * Purpose: on a terminal a few lines that are redrawn; elsewhere a line every few seconds and one
 * for each step that was not well. Colours only on a terminal, and not with NO_COLOR. It leaves the
 * terminal as it was: no alternate screen, no hidden cursor.
 * Units: ns on CLOCK_MONOTONIC. Ownership: the record outlives it. Errors: output that fails is
 * ignored: it is a view. Threads: the loop's.
 */
#ifndef LIVE_H
#define LIVE_H

#include "hil/measure/record.h"

#include <stdio.h>

struct live;

struct live_options {
	FILE *out;
	bool terminal, colour;
	unsigned width; /* columns; 0: ask the terminal */
};

int live_new(const struct live_options *options, const struct record *record, struct live **ret);
void live_step_begin(struct live *live, const struct step_result *step);
void live_step_end(struct live *live, const struct step_result *step);
/* Returns ns until the next. */
int64_t live_tick(struct live *live, int64_t now_ns);
/* Takes the view away, prints, lets it come back. */
void live_message(struct live *live, const char *text);
/* Takes it away for good and prints the summary. */
void live_finish(struct live *live, int64_t now_ns);
void live_free(struct live *live);

#endif

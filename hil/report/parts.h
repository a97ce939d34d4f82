/*
 * What the writers of a rig's reports share; nobody but hil/report includes this.
 *
 * Ownership: nothing is kept. Errors: those of the FILE. Threads: no state.
 */
#ifndef HIL_REPORT_PARTS_H
#define HIL_REPORT_PARTS_H

#include "hil/measure/record.h"

#include <stdio.h>

#define WHEN_CAP 32
/* "2026-11-21T20:03:40Z". Returns buf. */
const char *when_text(int64_t wall_ns, char *buf);
/* The board of a step: its name, or "bench". */
const char *board_name(const struct record *record, int board);
/* What the run is called: its title, or its plan. */
const char *run_title(const struct record *record);
/* How long it took, or until its last step; at least 1. */
int64_t run_span(const struct record *record);
/* Of a run that did not end there is no verdict but the worst so far. */
uint64_t steps_total(const struct record *record, enum verdict verdict);
/* "made up, nothing was measured", "on a virtual bench: no hardware", or "". */
const char *run_warning(const struct record *record);
/* The measurement that gave a step its verdict, or NULL. */
const struct measurement *step_culprit(const struct step_result *step);

#endif

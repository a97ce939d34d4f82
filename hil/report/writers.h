/*
 * The files of a run: pure functions of its record.
 *
 * Purpose: JUnit XML, JSON, CSV (RFC 4180), a page of HTML that needs nothing else, VCD. They can
 * be written of a run that just ended, and again of one out of the history (which has no VCD).
 * Units: ns, since the run began. Ownership: nothing is kept. Errors: those of the FILE.
 * Threads: no state. Source of the formats: README.md.
 */
#ifndef WRITERS_H
#define WRITERS_H

#include "hil/measure/record.h"

#include <stdio.h>

void junit_put(const struct record *record, FILE *out);
void json_put(const struct record *record, FILE *out);
/* One line a measurement, its hops in columns. */
void csv_put(const struct record *record, FILE *out);
void html_put(const struct record *record, FILE *out);
/* After record_sort_events(). */
void vcd_put(const struct record *record, FILE *out);

#endif

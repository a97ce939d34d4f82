/*
 * The sections of report.html; nobody but report*.c includes this.
 *
 * Purpose: each writes one <section>, or nothing where it has nothing to show.
 * Ownership: nothing is kept. Errors: those of the FILE. Threads: none of the loop's state changes
 * meanwhile.
 */
#ifndef REPORT_H
#define REPORT_H

#include "emulator/base/markup.h"
#include "emulator/results/parts.h"

extern const char report_style[];

/* How long the run took, in ns, at least 1. */
int64_t report_span(const struct results *results);
/* A command was sent at least once. */
bool report_has_commands(const struct results *results);
void report_heading(FILE *out, const char *id, const char *title);

/* report_tables.c */
void report_expectations(const struct results *results, const struct results_end *end, FILE *out);
void report_fleet(const struct results *results, FILE *out);
void report_files(const struct results *results, FILE *out);
/* report_marks.c */
void report_lanes(const struct results *results, const struct results_end *end, FILE *out);
void report_faults(const struct results *results, FILE *out);
void report_rounds(const struct results *results, FILE *out);
void report_notes(const struct results *results, FILE *out);
/* report_states.c */
void report_states(const struct results *results, const struct results_end *end, FILE *out);
void report_commands(const struct results *results, FILE *out);
/* report_latency.c */
void report_latency(const struct results *results, FILE *out);

#endif

/*
 * The sections of the rig's report.html; nobody but html*.c includes this.
 *
 * Purpose: each writes one <section>, or nothing where it has nothing to show.
 * Ownership: nothing is kept. Errors: those of the FILE. Threads: no state.
 */
#ifndef HIL_HTML_H
#define HIL_HTML_H

#include "hil/report/parts.h"
#include "hil/report/series.h"

#include "emulator/base/markup.h"

extern const char html_style[];

void html_heading(FILE *out, const char *id, const char *title);
/* "pass", "marginal", ...: the class that has its colour. */
const char *html_class(enum verdict verdict);
void html_badge(FILE *out, enum verdict verdict);
/* "12.30 ms", with a space that does not break; "±" where it is an uncertainty. */
void html_value(FILE *out, enum value_unit unit, int64_t value);
void html_u(FILE *out, enum value_unit unit, int64_t u);
/* The series of a step's measurement, or NULL. */
const struct series *html_series_of(const struct series_set *set, int board, const char *name);
/* The largest distance of a hop from what it usually is, in this step's chain: which hop it was.
 * False where nothing stands out. */
struct html_odd_hop {
	const struct hop *hop;
	const struct series_hop *usual;
};
bool html_odd_hop(const struct series_set *set, int board, const struct measurement *m,
		  struct html_odd_hop *ret);

/* html_failures.c */
void html_failures(const struct record *record, const struct series_set *set, FILE *out);
void html_excerpts(const struct record *record, FILE *out);
/* html_chain.c */
void html_chains(const struct record *record, const struct series_set *set, FILE *out);
/* html_series.c */
void html_measurements(const struct record *record, const struct series_set *set, FILE *out);
/* html_bench.c */
void html_boards(const struct record *record, FILE *out);
void html_bench(const struct record *record, FILE *out);

#endif

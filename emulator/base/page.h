/*
 * The frame of a report: a page of HTML that needs nothing but itself.
 *
 * Purpose: head, style sheet and end of every report.html; no script, no font, no picture from
 * elsewhere, in light and dark, for a phone as well as for a desk.
 * Ownership: nothing is kept. Errors: those of the FILE. Threads: no state.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stdio.h>

/* Up to and with <body>. title is escaped here; more_style is CSS of the caller's own. */
void page_begin(FILE *out, const char *title, const char *more_style);
void page_end(FILE *out);

#endif

/*
 * What the writers of XML and HTML share: text that is safe to show, and numbers for people.
 *
 * Purpose: names, conditions and lines come from configs and from peers. Markup in them is escaped;
 * what XML 1.0 forbids (control characters, U+FFFE), what is no UTF-8, and what turns the direction
 * of writing around is shown as \x1b, \xff or \u202e, in visible ASCII.
 * Ownership: texts into the caller's buffer. Errors: those of the FILE. Threads: no state.
 * Source: XML 1.0 (fifth edition) 2.2 "Characters", 2.4, 3.3.3; HTML 13.1.2.
 */
#ifndef MARKUP_H
#define MARKUP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* For content and for attributes in double quotes alike. */
void markup_put(FILE *out, const char *text);
void markup_put_len(FILE *out, const char *text, size_t len);

#define MARKUP_NUMBER 40
/* "812 µs", "1.23 ms", "12.3 s", "3 min 20 s": three digits that mean something. Returns buf. */
const char *markup_time(int64_t ns, char *buf, size_t cap);
/* "1 234 567", with thin spaces that do not break. Returns buf. */
const char *markup_count(uint64_t n, char *buf, size_t cap);

#endif

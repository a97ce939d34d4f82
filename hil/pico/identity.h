/*
 * Which board this is, and whether it is the one the config means.
 *
 * Purpose: a run on the wrong board, or on last week's firmware, is worse than none.
 * Ownership: plain structs; expectations are the caller's texts. Errors: -EINVAL where the board's
 * answer is not six lines of text. Threads: any.
 */
#ifndef PICO_IDENTITY_H
#define PICO_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

struct identity {
	char unique_id[40];      /* lower-case hexadecimal digits */
	char implementation[24]; /* "micropython" */
	char version[24];        /* "1.25.0" */
	char machine[80];        /* "Raspberry Pi Pico W with RP2040" */
	char firmware[120];      /* "3.4.0; MicroPython v1.25.0 on 2025-04-15" */
	char full[200];          /* sys.implementation; cut to this */
};

/* NULL: does not matter. */
struct identity_wanted {
	const char *unique_id;      /* the case of letters does not matter */
	const char *implementation; /* exactly */
	const char *version;        /* "1.25.0", or its beginning: "1.25" */
	const char *machine;        /* a part of it: "Pico W" */
	const char *firmware;       /* a part of it */
};

/* What SNIPPET_IDENTITY printed. Other bytes than printable ASCII become '?'. */
int identity_parse(const char *output, size_t len, struct identity *ret);
/* True: it is. Else `buf` says what differs: "unique id e6... instead of e7...". */
bool identity_matches(const struct identity *identity, const struct identity_wanted *wanted,
		      char *buf, size_t cap);

#endif

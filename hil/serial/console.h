/*
 * What a board says: the last lines, each with the time it came, and `expect`.
 *
 * Purpose: capture that never blocks a measurement. Lines stand in a ring of fixed size; a storm
 * overwrites the oldest and is counted, it neither grows nor waits. Every line carries the interval
 * in which its first byte arrived and the one of its last byte.
 * Units: nanoseconds of CLOCK_MONOTONIC. Lines are numbered from 1 and a number is never used
 * again. Ownership: console_new(), console_free(); an expect is the caller's memory while it is
 * under way. A line's text is valid until the next console_feed(). Errors: 0 or -errno. Threads:
 * the loop's.
 *
 * Lines end with \n or \r\n, which are not kept. A line longer than line_max is cut into several,
 * each but the last marked `cut`. The bytes are kept as they came: console_print_safe() before a
 * person's terminal sees them.
 */
#ifndef SERIAL_CONSOLE_H
#define SERIAL_CONSOLE_H

#include "emulator/base/loop.h"
#include "hil/serial/port.h"

#include <regex.h>

struct console;

struct console_limits {
	size_t lines;    /* 0: 1024 */
	size_t line_max; /* bytes; 0: 512 */
};

struct console_line {
	uint64_t number;
	const char *text; /* not terminated; may hold any byte but \n */
	size_t len;
	struct serial_span first, last; /* of its first byte, of its last (the newline's) */
	bool ended;                     /* false: it is still being written (a prompt) */
	bool cut;                       /* line_max ended it */
};

struct console_stats {
	uint64_t bytes, lines;
	uint64_t overwritten; /* lines that the ring no longer has: lost to who comes late */
	uint64_t cut;
};

/* limits may be NULL. Reserves everything. */
int console_new(struct loop *loop, const struct console_limits *limits, struct console **ret);
/* Expects under way are forgotten, without a call. NULL is fine. */
void console_free(struct console *console);

/* From a port's received(). Calls what was waited for. */
void console_feed(struct console *console, const char *bytes, size_t len, struct serial_span span);
/* Each line as it ends, for a log; NULL: nobody. It must not feed. */
void console_on_line(struct console *console,
		     void (*line)(void *owner, const struct console_line *line), void *owner);

/* The number of the line that is being written, or that will be next: "from here". */
uint64_t console_here(const struct console *console);
/* The oldest line that the ring still has; console_here() when there is none. */
uint64_t console_oldest(const struct console *console);
/* False: it is overwritten, or not there yet. The line being written counts once it has a byte. */
bool console_line(const struct console *console, uint64_t number, struct console_line *ret);
struct console_stats console_stats(const struct console *console);

struct console_expect {
	/* One of the two; set by console_expect_text(), console_expect_regex(). */
	const char *text;
	size_t text_len;
	regex_t *regex;
	void *owner;
	/*
	 * 0 and the line; -ETIMEDOUT; -EPIPE: the port went and console_gone() was called. `at` is
	 * when the bytes that completed the match arrived (for a line that was there already: when
	 * it ended). Sees the line being written as well, so that a prompt can be waited for.
	 */
	void (*done)(struct console_expect *expect, int error, const struct console_line *line,
		     struct serial_span at);
	/* private */
	struct console *console;
	struct console_expect *next;
	struct timer timer;
	uint64_t from;
	int64_t deadline_ns;
	bool under_way, at_once;
};

/*
 * Waits for `text` within one line, from line `from` on (console_here(), or an older one: what is
 * still in the ring is searched first). The text must outlive the wait. done() comes from the loop
 * or from console_feed(), never from within this call. The caller has set owner and done.
 */
void console_expect_text(struct console *console, struct console_expect *expect, const char *text,
			 uint64_t from, int64_t within_ns);
/* A POSIX extended regular expression, compiled with REG_EXTENDED | REG_NOSUB by the caller, whose
 * it stays. It sees one line, without its newline, as bytes. */
void console_expect_regex(struct console *console, struct console_expect *expect, regex_t *regex,
			  uint64_t from, int64_t within_ns);
/* Harmless on one that is not under way. No call follows. */
void console_cancel(struct console_expect *expect);
/* The port is gone: what was waited for ends with -EPIPE. A line without an end is kept as it is
 * and ended. */
void console_gone(struct console *console);

/* Writes at most cap - 1 bytes of it, control bytes and bytes from 0x80 as \xNN, a tab as it is;
 * terminated. Returns how many of `len` it took. */
size_t console_print_safe(const char *bytes, size_t len, char *buf, size_t cap);

#endif

/*
 * What console.c (the ring) and expect.c (the waits) share.
 *
 * Ownership, errors, threads: as in console.h.
 */
#ifndef SERIAL_CONSOLE_INTERNAL_H
#define SERIAL_CONSOLE_INTERNAL_H

#include "hil/serial/console.h"

struct slot {
	uint32_t len;
	bool ended, cut;
	struct serial_span first, last;
};

/* Line `number` stands in slot (number - 1) % lines; the one being written is `here`. */
struct console {
	struct loop *loop;
	struct console_limits limits;
	struct slot *slots;
	char *text;
	uint64_t here;
	uint64_t oldest;
	struct console_stats stats;
	void (*on_line)(void *owner, const struct console_line *line);
	void *on_line_owner;
	struct console_expect *expects;
};

/* Ends the waits that this line satisfies. */
void expect_look(struct console *console, uint64_t number, struct serial_span at);
/* Searches the ring for the waits that have not done so yet. */
void expect_catch_up(struct console *console);
void expect_forget(struct console *console);

#endif

#include "hil/serial/console_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct console *console, uint64_t number)
{
	return (size_t)((number - 1) % console->limits.lines);
}

int console_new(struct loop *loop, const struct console_limits *limits, struct console **ret)
{
	struct console *console = calloc(1, sizeof(*console));

	if (console == NULL)
		return -ENOMEM;
	console->loop = loop;
	if (limits != NULL)
		console->limits = *limits;
	if (console->limits.lines == 0)
		console->limits.lines = 1024;
	if (console->limits.line_max == 0)
		console->limits.line_max = 512;
	console->slots = calloc(console->limits.lines, sizeof(*console->slots));
	console->text = calloc(console->limits.lines, console->limits.line_max);
	console->here = console->oldest = 1;
	if (console->slots == NULL || console->text == NULL) {
		console_free(console);
		return -ENOMEM;
	}
	*ret = console;
	return 0;
}

void console_free(struct console *console)
{
	if (console == NULL)
		return;
	expect_forget(console);
	free(console->slots);
	free(console->text);
	free(console);
}

static void end_line(struct console *console, bool cut, struct serial_span span)
{
	struct slot *slot = &console->slots[slot_of(console, console->here)];
	struct console_line line;

	if (slot->len == 0)
		slot->first = span;
	slot->last = span;
	slot->ended = true;
	slot->cut = cut;
	const char *text = console->text +
			   slot_of(console, console->here) * console->limits.line_max;
	if (!cut && slot->len > 0 && text[slot->len - 1] == '\r')
		slot->len--;
	console->stats.lines++;
	console->stats.cut += cut;
	uint64_t number = console->here++;
	if (console->on_line != NULL && console_line(console, number, &line))
		console->on_line(console->on_line_owner, &line);
	expect_look(console, number, span);
	/* Only now does the next line take the oldest one's place. */
	if (console->here - console->oldest >= console->limits.lines) {
		console->oldest++;
		console->stats.overwritten++;
	}
	memset(&console->slots[slot_of(console, console->here)], 0, sizeof(*slot));
}

/* Up to the end of the line, or of the slot. Returns how many bytes it took. */
static size_t extend(struct console *console, const char *bytes, size_t len,
		     struct serial_span span)
{
	size_t index = slot_of(console, console->here);
	struct slot *slot = &console->slots[index];
	size_t room = console->limits.line_max - slot->len;
	const char *newline = memchr(bytes, '\n', len < room + 1 ? len : room + 1);
	size_t take = newline != NULL ? (size_t)(newline - bytes) : len < room ? len : room;

	if (slot->len == 0)
		slot->first = span;
	slot->last = span;
	memcpy(console->text + index * console->limits.line_max + slot->len, bytes, take);
	slot->len += (uint32_t)take;
	if (newline != NULL) {
		end_line(console, false, span);
		return take + 1;
	}
	if (take == room && take < len)
		end_line(console, true, span);
	return take;
}

void console_feed(struct console *console, const char *bytes, size_t len, struct serial_span span)
{
	expect_catch_up(console);
	console->stats.bytes += len;
	while (len > 0) {
		size_t taken = extend(console, bytes, len, span);
		bytes += taken;
		len -= taken;
	}
	if (console->slots[slot_of(console, console->here)].len > 0)
		expect_look(console, console->here, span);
}

void console_on_line(struct console *console,
		     void (*line)(void *owner, const struct console_line *line), void *owner)
{
	console->on_line = line;
	console->on_line_owner = owner;
}

uint64_t console_here(const struct console *console)
{
	return console->here;
}

uint64_t console_oldest(const struct console *console)
{
	return console->oldest;
}

bool console_line(const struct console *console, uint64_t number, struct console_line *ret)
{
	if (number < console->oldest || number > console->here || number == 0)
		return false;
	size_t index = slot_of(console, number);
	const struct slot *slot = &console->slots[index];
	if (number == console->here && slot->len == 0)
		return false;
	*ret = (struct console_line){ .number = number,
				      .text = console->text + index * console->limits.line_max,
				      .len = slot->len,
				      .first = slot->first,
				      .last = slot->last,
				      .ended = slot->ended,
				      .cut = slot->cut };
	return true;
}

struct console_stats console_stats(const struct console *console)
{
	return console->stats;
}

size_t console_print_safe(const char *bytes, size_t len, char *buf, size_t cap)
{
	size_t n = 0, taken = 0;

	for (; taken < len; taken++) {
		unsigned char c = (unsigned char)bytes[taken];
		bool plain = (c >= ' ' && c <= '~') || c == '\t';
		if (n + (plain ? 1 : 4) >= cap)
			break;
		if (plain)
			buf[n++] = (char)c;
		else
			n += (size_t)snprintf(buf + n, 5, "\\x%02x", c);
	}
	if (cap > 0)
		buf[n] = '\0';
	return taken;
}

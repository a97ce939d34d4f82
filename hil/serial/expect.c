#include "hil/serial/console_internal.h"

#include <errno.h>
#include <string.h>

static void unlink_expect(struct console_expect *expect)
{
	struct console_expect **link = &expect->console->expects;

	while (*link != NULL && *link != expect)
		link = &(*link)->next;
	if (*link != NULL)
		*link = expect->next;
	timer_cancel(&expect->console->loop->timers, &expect->timer);
	expect->under_way = false;
}

static bool matches(const struct console_expect *expect, const struct console_line *line)
{
	if (expect->text != NULL)
		return memmem(line->text, line->len, expect->text, expect->text_len) != NULL;
	/* REG_STARTEND: the line is bytes, zeroes among them, and has no end of its own. */
	regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)line->len };
	return regexec(expect->regex, line->text, 1, &range, REG_STARTEND) == 0;
}

void expect_look(struct console *console, uint64_t number, struct serial_span at)
{
	struct console_line line;
	struct console_expect *expect = console->expects;

	while (expect != NULL && console_line(console, number, &line)) {
		if (expect->at_once || number < expect->from || !matches(expect, &line)) {
			expect = expect->next;
			continue;
		}
		unlink_expect(expect);
		expect->done(expect, 0, &line, at);
		/* done() may have begun or cancelled any. Those it began look back first. */
		expect = console->expects;
	}
}

/* Over what is in the ring. True: it has ended. */
static bool look_back(struct console_expect *expect)
{
	struct console *console = expect->console;
	struct console_line line;
	uint64_t number = expect->from > console->oldest ? expect->from : console->oldest;

	expect->at_once = false;
	for (; number <= console->here; number++)
		if (console_line(console, number, &line) && matches(expect, &line)) {
			unlink_expect(expect);
			expect->done(expect, 0, &line, line.last);
			return true;
		}
	return false;
}

void expect_catch_up(struct console *console)
{
	struct console_expect *expect = console->expects;

	/* Ends: each is looked at once, and one that a done() begins waits for its own timer. */
	for (size_t limit = 64; expect != NULL && limit > 0; limit--) {
		if (expect->at_once && look_back(expect))
			expect = console->expects;
		else
			expect = expect->next;
	}
}

static void expect_fired(struct timer *timer, int64_t now_ns)
{
	struct console_expect *expect =
		(struct console_expect *)((char *)timer - offsetof(struct console_expect, timer));
	int64_t deadline_ns = expect->deadline_ns;

	if (expect->at_once && look_back(expect))
		return;
	if (now_ns < deadline_ns) {
		timer_arm(&expect->console->loop->timers, timer, deadline_ns);
		return;
	}
	unlink_expect(expect);
	expect->done(expect, -ETIMEDOUT, NULL, (struct serial_span){ now_ns, now_ns });
}

static void begin(struct console *console, struct console_expect *expect, uint64_t from,
		  int64_t within_ns)
{
	expect->console = console;
	expect->from = from;
	expect->under_way = expect->at_once = true;
	/* In the order in which they were begun. */
	struct console_expect **link = &console->expects;
	while (*link != NULL)
		link = &(*link)->next;
	expect->next = NULL;
	*link = expect;
	memset(&expect->timer, 0, sizeof(expect->timer));
	expect->timer.fire = expect_fired;
	if (__builtin_add_overflow(console->loop->now_ns, within_ns, &expect->deadline_ns))
		expect->deadline_ns = TIMERS_NEVER;
	loop_timer(console->loop, &expect->timer, 0);
}

void console_expect_text(struct console *console, struct console_expect *expect, const char *text,
			 uint64_t from, int64_t within_ns)
{
	expect->text = text;
	expect->text_len = strlen(text);
	expect->regex = NULL;
	begin(console, expect, from, within_ns);
}

void console_expect_regex(struct console *console, struct console_expect *expect, regex_t *regex,
			  uint64_t from, int64_t within_ns)
{
	expect->text = NULL;
	expect->regex = regex;
	begin(console, expect, from, within_ns);
}

void console_cancel(struct console_expect *expect)
{
	if (expect->under_way)
		unlink_expect(expect);
}

void console_gone(struct console *console)
{
	int64_t now_ns = console->loop->now_ns;
	struct console_line line;
	struct console_expect *expect;
	size_t waiting = 0;

	expect_catch_up(console);
	if (console_line(console, console->here, &line))
		console_feed(console, "\n", 1, line.last);
	/* As many as are waiting now, not those that their done() begins. */
	for (expect = console->expects; expect != NULL; expect = expect->next)
		waiting++;
	for (; waiting > 0 && (expect = console->expects) != NULL; waiting--) {
		unlink_expect(expect);
		expect->done(expect, -EPIPE, NULL, (struct serial_span){ now_ns, now_ns });
	}
}

void expect_forget(struct console *console)
{
	while (console->expects != NULL)
		unlink_expect(console->expects);
}

/*
 * The console: lines and their times, the ring, and what is waited for, on a simulated clock.
 */
#include "hil/serial/console.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MS INT64_C(1000000)

static struct loop loop;
static struct console *console;

static void start(size_t lines, size_t line_max)
{
	struct console_limits limits = { lines, line_max };

	loop_init_simulated(&loop, 0);
	REQUIRE(console_new(&loop, &limits, &console) == 0);
}

static void stop(void)
{
	console_free(console);
	loop_release(&loop);
}

static void feed_at(const char *bytes, size_t len, int64_t after_ms, int64_t read_ms)
{
	char *copy = guard_copy(bytes, len);

	console_feed(console, copy, len, (struct serial_span){ after_ms * MS, read_ms * MS });
	guard_free(copy, len);
}
#define FEED(text) feed_at(text, sizeof(text) - 1, 0, 0)

static void expect_line(uint64_t number, const char *text, bool ended, bool cut)
{
	struct console_line line;

	cr_assert(console_line(console, number, &line), "line %d is not there", (int)number);
	cr_expect(line.len == strlen(text) && memcmp(line.text, text, line.len) == 0,
		  "line %d: \"%.*s\"", (int)number, (int)line.len, line.text);
	cr_expect(line.ended == ended && line.cut == cut && line.number == number);
}

Test(console, lines)
{
	struct console_line line;

	start(8, 16);
	cr_expect_not(console_line(console, 1, &line));
	FEED("one\r\ntwo\n\nfour\rx");
	expect_line(1, "one", true, false);
	expect_line(2, "two", true, false);
	expect_line(3, "", true, false);
	expect_line(4, "four\rx", false, false);
	cr_expect_eq(console_here(console), 4);
	FEED("\r");
	FEED("\n");
	expect_line(4, "four\rx", true, false);
	cr_expect_not(console_line(console, 5, &line));
	cr_expect_not(console_line(console, 0, &line));
	cr_expect_not(console_line(console, UINT64_MAX, &line));
	stop();
}

/* However the bytes come, the lines are the same. */
Test(console, pieces)
{
	static const char text[] =
		"0123456789abcdef0123456789abcdefX\r\nshort\r\n0123456789abcdef\n";

	for (size_t size = 1; size < sizeof(text); size++) {
		start(8, 16);
		for (size_t at = 0; at < sizeof(text) - 1; at += size)
			feed_at(text + at,
				size < sizeof(text) - 1 - at ? size : sizeof(text) - 1 - at, 0, 0);
		expect_line(1, "0123456789abcdef", true, true);
		expect_line(2, "0123456789abcdef", true, true);
		expect_line(3, "X", true, false);
		expect_line(4, "short", true, false);
		expect_line(5, "0123456789abcdef", true, false);
		cr_expect_eq(console_stats(console).cut, 2);
		cr_expect_eq(console_stats(console).lines, 5);
		stop();
	}
}

Test(console, times)
{
	struct console_line line;

	start(8, 100);
	feed_at("ab", 2, 10, 20);
	feed_at("c", 1, 20, 30);
	feed_at("\nnext", 5, 30, 40);
	REQUIRE(console_line(console, 1, &line));
	cr_expect(line.first.after_ns == 10 * MS && line.first.read_ns == 20 * MS);
	cr_expect(line.last.after_ns == 30 * MS && line.last.read_ns == 40 * MS);
	REQUIRE(console_line(console, 2, &line));
	cr_expect(line.first.after_ns == 30 * MS && line.last.read_ns == 40 * MS);
	stop();
}

Test(console, a_storm_is_bounded_and_counted)
{
	struct console_line line;

	start(4, 16);
	for (int i = 0; i < 1000; i++)
		FEED("again\n");
	FEED("last\n");
	cr_expect_eq(console_stats(console).lines, 1001);
	cr_expect_eq(console_stats(console).overwritten, 998);
	cr_expect_eq(console_oldest(console), 999);
	cr_expect_not(console_line(console, 998, &line));
	expect_line(1001, "last", true, false);
	stop();
}

static uint64_t lines_seen;

static void on_line(void *owner, const struct console_line *line)
{
	cr_expect_eq(owner, &lines_seen);
	cr_expect_eq(line->number, ++lines_seen);
}

Test(console, each_line_is_told)
{
	start(2, 16);
	console_on_line(console, on_line, &lines_seen);
	for (int i = 0; i < 10; i++)
		FEED("x\ny");
	cr_expect_eq(lines_seen, 10);
	stop();
}

/* ---- expect ---- */

static struct {
	int calls, error;
	uint64_t number;
	struct serial_span at;
} end;

static void done(struct console_expect *expect, int error, const struct console_line *line,
		 struct serial_span at)
{
	cr_expect_not(expect->under_way);
	end.calls++;
	end.error = error;
	end.number = line != NULL ? line->number : 0;
	end.at = at;
}

static struct console_expect expect_struct = { .done = done };

static void expect_end(int error, uint64_t number)
{
	cr_expect_eq(end.calls, 1, "%d calls", end.calls);
	cr_expect_eq(end.error, error, "%s", strerror(-end.error));
	cr_expect_eq(end.number, number);
	end.calls = 0;
}

Test(console, expect_text)
{
	start(8, 64);
	console_expect_text(console, &expect_struct, "ready", console_here(console), 100 * MS);
	feed_at("not yet\nrea", 11, 1, 2);
	cr_expect_eq(end.calls, 0);
	feed_at("dy", 2, 2, 3);
	expect_end(0, 2);
	cr_expect(end.at.after_ns == 2 * MS && end.at.read_ns == 3 * MS,
		  "of the bytes that did it");
	/* It spans no lines. */
	console_expect_text(console, &expect_struct, "ab", console_here(console) + 1, 100 * MS);
	FEED("\na\nb\n");
	cr_expect_eq(end.calls, 0);
	loop_run(&loop, 99 * MS);
	cr_expect_eq(end.calls, 0);
	loop_run(&loop, 200 * MS);
	expect_end(-ETIMEDOUT, 0);
	stop();
}

Test(console, expect_what_was_said_before)
{
	start(8, 64);
	feed_at("ready\n", 6, 5, 6);
	FEED("ready\n");
	console_expect_text(console, &expect_struct, "ready", 1, 100 * MS);
	cr_expect_eq(end.calls, 0, "never from within the call");
	loop_run(&loop, 0);
	expect_end(0, 1);
	cr_expect_eq(end.at.read_ns, 6 * MS);
	console_expect_text(console, &expect_struct, "ready", 2, 100 * MS);
	FEED("ready\n");
	expect_end(0, 2);
	console_expect_text(console, &expect_struct, "ready", console_here(console), 100 * MS);
	loop_run(&loop, 10 * MS);
	cr_expect_eq(end.calls, 0);
	FEED("ready\n");
	expect_end(0, 4);
	stop();
}

Test(console, expect_regex)
{
	regex_t regex;

	start(8, 64);
	REQUIRE(regcomp(&regex, "^hit [0-9]+$", REG_EXTENDED | REG_NOSUB) == 0);
	console_expect_regex(console, &expect_struct, &regex, 1, 100 * MS);
	FEED("a hit 5\r\n");
	FEED("\0hit 5\n");
	cr_expect_eq(end.calls, 0, "a zero byte is no end of the line");
	FEED("hit 12\r\n");
	expect_end(0, 3);
	regfree(&regex);
	stop();
}

static void cancel_other(struct console_expect *expect, int error, const struct console_line *line,
			 struct serial_span at)
{
	done(expect, error, line, at);
	console_cancel(expect->owner);
}

static void begin_again(struct console_expect *expect, int error, const struct console_line *line,
			struct serial_span at)
{
	done(expect, error, line, at);
	if (error == 0)
		console_expect_text(console, expect, "x", line->number + 1, 100 * MS);
}

Test(console, expects_that_touch_each_other)
{
	struct console_expect a = { .done = cancel_other }, b = { .done = done };
	struct console_expect again = { .done = begin_again };

	start(8, 64);
	a.owner = &b;
	console_expect_text(console, &a, "x", 1, 100 * MS);
	console_expect_text(console, &b, "x", 1, 100 * MS);
	FEED("x\n");
	expect_end(0, 1);
	console_expect_text(console, &again, "x", 2, 100 * MS);
	FEED("x\nx\ny\nx\n");
	loop_run(&loop, loop.now_ns);
	FEED("y\n");
	cr_expect_eq(end.calls, 3, "once a line: %d", end.calls);
	end.calls = 0;
	loop_run(&loop, INT64_MAX);
	expect_end(-ETIMEDOUT, 0);
	stop();
}

static struct console_expect older = { .done = done };

static void look_further_back(struct console_expect *expect, int error,
			      const struct console_line *line, struct serial_span at)
{
	done(expect, error, line, at);
	console_expect_text(console, &older, "x", 1, 100 * MS);
}

/* The earliest line wins, also over the one that is being looked at. */
Test(console, begun_within_a_call)
{
	struct console_expect first = { .done = look_further_back };

	start(8, 64);
	FEED("x\n\n");
	console_expect_text(console, &first, "x", 3, 100 * MS);
	FEED("x\n");
	expect_end(0, 3);
	loop_run(&loop, loop.now_ns);
	expect_end(0, 1);
	stop();
}

Test(console, the_port_goes)
{
	start(8, 64);
	FEED("half a li");
	console_expect_text(console, &expect_struct, "never", 1, 100 * MS);
	console_gone(console);
	expect_end(-EPIPE, 0);
	expect_line(1, "half a li", true, false);
	console_expect_text(console, &expect_struct, "never", 1, 100 * MS);
	stop();
	cr_expect_eq(end.calls, 0);
}

Test(console, made_harmless)
{
	char buf[32];

	cr_expect_eq(console_print_safe("a\tb\033[2J\xff", 8, buf, sizeof(buf)), 8);
	cr_expect_str_eq(buf, "a\tb\\x1b[2J\\xff");
	cr_expect_eq(console_print_safe("\033\033", 2, buf, 8), 1, "no half of an escape");
	cr_expect_str_eq(buf, "\\x1b");
	cr_expect_eq(console_print_safe("abc", 3, buf, 3), 2);
	cr_expect_str_eq(buf, "ab");
}

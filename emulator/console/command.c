#include "emulator/console/parts.h"

#include "proto/json/json.h"
#include "proto/utf8.h"

#include <stdio.h>
#include <string.h>

/* What is typed: a slash and a word, or plain text. */

static const char help[] =
	"/ping              ask the server whether it is there\n"
	"/echo TEXT         have it said back\n"
	"/broadcast TEXT    say it to all others (an object goes as one)\n"
	"/stats             how many are connected, since when\n"
	"/custom TYPE JSON  a message of that type; JSON: more members, or nothing\n"
	"/help              this\n"
	"/exit              leave (or Ctrl-D)\n"
	"anything else goes as plain text";

static void ping(struct console *console, const char *rest)
{
	struct qn_framed_clock clock = client_clock(console);
	struct qn_text info = { console->info, strlen(console->info) };

	(void)rest;
	client_send(console, qn_framed_ping(&clock, info, console->unit, sizeof(console->unit)));
}

static void say(struct console *console, enum qn_framed_type type, const char *rest)
{
	struct qn_framed_clock clock = client_clock(console);
	struct qn_text text = { rest, strlen(rest) };

	client_send(console,
		    qn_framed_say(type, &clock, text, console->unit, sizeof(console->unit)));
}

static void echo(struct console *console, const char *rest)
{
	say(console, QN_FRAMED_ECHO, rest);
}

static bool is_object(struct qn_text text)
{
	return text.len > 0 && text.at[0] == '{' &&
	       qn_json_check(text.at, text.len, QN_JSON_STRICT, 0, NULL) == QN_OK;
}

static void broadcast(struct console *console, const char *rest)
{
	struct qn_framed_clock clock = client_clock(console);
	struct qn_text text = { rest, strlen(rest) };
	static char more[65536];

	if (!is_object(text)) {
		say(console, QN_FRAMED_BROADCAST, rest);
		return;
	}
	/* A command to targets is an object: it goes as one. */
	int len = snprintf(more, sizeof(more), "\"content\": %s", rest);
	if (len < 0 || (size_t)len >= sizeof(more))
		len = 0;
	struct qn_text content = { more, (size_t)len };
	client_send(console, qn_framed_custom((struct qn_text){ "broadcast", 9 }, &clock, content,
					      console->unit, sizeof(console->unit)));
}

static void stats(struct console *console, const char *rest)
{
	struct qn_framed_clock clock = client_clock(console);

	(void)rest;
	client_send(console, qn_framed_get_stats(&clock, console->unit, sizeof(console->unit)));
}

static void custom(struct console *console, const char *rest)
{
	struct qn_framed_clock clock = client_clock(console);
	size_t type_len = strcspn(rest, " ");
	const char *json = rest + type_len + strspn(rest + type_len, " ");
	struct qn_text more = { json, strlen(json) };

	if (type_len == 0) {
		screen_print(console, SCREEN_RED, "/custom wants a type, e.g. /custom hello");
		return;
	}
	if (more.len > 0 && !is_object(more)) {
		screen_print(console, SCREEN_RED, "/custom wants an object, e.g. {\"a\": 1}");
		return;
	}
	if (more.len > 0) { /* its members, without the braces */
		more.at++;
		more.len -= 2;
		for (; more.len > 0 && *more.at == ' '; more.len--)
			more.at++;
	}
	client_send(console, qn_framed_custom((struct qn_text){ rest, type_len }, &clock, more,
					      console->unit, sizeof(console->unit)));
}

static void show_help(struct console *console, const char *rest)
{
	(void)rest;
	screen_print(console, SCREEN_PLAIN, "%s", help);
}

static void leave(struct console *console, const char *rest)
{
	(void)rest;
	/* A script's end: what stands before it is still to be answered. */
	if (console->screen)
		console_leave(console, 0);
	else
		screen_end_input(console);
}

static const struct {
	const char *name;
	void (*run)(struct console *console, const char *rest);
} commands[] = {
	{ "ping", ping },     { "echo", echo },      { "broadcast", broadcast }, { "stats", stats },
	{ "custom", custom }, { "help", show_help }, { "exit", leave },
};

void command_line(struct console *console, const char *line)
{
	size_t len = strlen(line);

	if (len == 0)
		return;
	if (qn_utf8_valid_len(line, len) < len) {
		screen_print(console, SCREEN_RED, "that is no UTF-8; it was not sent");
		return;
	}
	if (line[0] != '/') {
		client_send(console, qn_framed_plain((struct qn_text){ line, len }, console->unit,
						     sizeof(console->unit)));
		return;
	}
	size_t word = strcspn(line + 1, " ");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strlen(commands[i].name) == word &&
		    memcmp(commands[i].name, line + 1, word) == 0) {
			const char *rest = line + 1 + word;
			commands[i].run(console, rest + strspn(rest, " "));
			return;
		}
	}
	screen_print(console, SCREEN_RED, "no command /%.*s; /help lists them", (int)word,
		     line + 1);
}

#include "emulator/console/parts.h"

#include <editline/readline.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/*
 * The terminal. libedit reads a key at a time when the loop says that there is one; what comes from
 * the server meanwhile is printed above the line, which is then drawn again.
 */

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define PROMPT "> "
#define HISTORY_LINES 1000

/* libedit's call-back knows no context: a process has one terminal. */
static struct console *the_console;

/* ---- typed ---- */

static const char *history_path(char *path, size_t cap)
{
	const char *home = getenv("HOME");

	if (home == NULL ||
	    (size_t)snprintf(path, cap, "%s/.quintain_console_history", home) >= cap)
		return NULL;
	return path;
}

static void line_typed(char *line)
{
	if (line == NULL) { /* Ctrl-D */
		console_leave(the_console, 0);
		return;
	}
	if (line[0] != '\0')
		add_history(line);
	the_console->between_lines = true;
	command_line(the_console, line);
	the_console->between_lines = false;
	free(line);
	/* libedit gives the terminal back at the end of a line, and takes it only when asked. */
	if (!the_console->leaving)
		rl_callback_handler_install(PROMPT, line_typed);
}

static void key_ready(struct loop_watch *watch, uint32_t events)
{
	struct console *console = OF(watch, struct console, input);

	if (events & (EPOLLHUP | EPOLLERR)) { /* the terminal is gone */
		console_leave(console, 0);
		return;
	}
	rl_callback_read_char();
}

/* ---- lines of a file ---- */

void screen_end_input(struct console *console)
{
	console->input_ended = true;
	loop_remove(&console->loop, STDIN_FILENO);
	if (console->answered >= console->sent)
		console_leave(console, 0);
}

/* Takes whole lines; a last one without a newline counts too. */
static void pipe_ready(struct loop_watch *watch, uint32_t events)
{
	struct console *console = OF(watch, struct console, input);
	static char buf[1 << 18];
	static size_t have;

	(void)events;
	ssize_t n = read(STDIN_FILENO, buf + have, sizeof(buf) - 1 - have);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	have += n > 0 ? (size_t)n : 0;
	buf[have] = '\0';
	char *line = buf, *end;
	while (!console->leaving && !console->input_ended &&
	       (end = memchr(line, '\n', have - (size_t)(line - buf)))) {
		*end = '\0';
		command_line(console, line);
		line = end + 1;
	}
	have -= (size_t)(line - buf);
	memmove(buf, line, have);
	if (have == sizeof(buf) - 1) {
		screen_print(console, SCREEN_RED, "a line longer than %zu bytes", sizeof(buf) - 1);
		console_leave(console, 2);
		return;
	}
	if (n > 0 || console->leaving || console->input_ended)
		return;
	buf[have] = '\0';
	command_line(console, buf);
	if (!console->input_ended)
		screen_end_input(console);
}

/* epoll knows no regular files: they are always ready, and read to their end at once. */
static void file_ready(struct loop_deferred *deferred)
{
	(void)deferred;
	while (!the_console->input_ended && !the_console->leaving)
		pipe_ready(&the_console->input, 0);
}

static struct loop_deferred read_file = { .run = file_ready };

/* ---- opening ---- */

int screen_open(struct console *console)
{
	char path[4096];

	console->screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	if (console->input_open || (!console->screen && !console->connected))
		return 0;
	the_console = console;
	console->input_open = true;
	console->input.ready = console->screen ? key_ready : pipe_ready;
	if (console->screen) {
		rl_initialize();
		rl_catch_signals = 0;
		using_history();
		stifle_history(HISTORY_LINES);
		if (history_path(path, sizeof(path)) != NULL)
			read_history(path);
		rl_callback_handler_install(PROMPT, line_typed);
	}
	int rc = loop_add(&console->loop, STDIN_FILENO, EPOLLIN, &console->input);
	if (rc == -EPERM) {
		loop_defer(&console->loop, &read_file);
		return 0;
	}
	return rc;
}

void screen_close(struct console *console)
{
	char path[4096];

	if (!console->input_open || !console->screen)
		return;
	rl_callback_handler_remove();
	fputs("\r\033[K", stdout);
	fflush(stdout);
	if (history_path(path, sizeof(path)) != NULL)
		write_history(path);
}

/* ---- printing ---- */

const char *screen_safe(struct qn_text text, char *out, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (cap - len < 48) {
			snprintf(out + len, cap - len, " ... (%u bytes)", (unsigned)text.len);
			return out;
		}
		if (c < ' ' || c == 0x7f)
			len += (size_t)snprintf(out + len, cap - len, "\\x%02x", c);
		else
			out[len++] = (char)c;
	}
	out[len] = '\0';
	return out;
}

void screen_print(struct console *console, const char *colour, const char *format, ...)
{
	bool typing = console->screen && console->input_open && !console->between_lines &&
		      !console->leaving;
	va_list args;

	if (typing)
		fputs("\r\033[K", stdout);
	if (console->colour)
		fputs(colour, stdout);
	va_start(args, format);
	vfprintf(stdout, format, args);
	va_end(args);
	if (console->colour && colour[0] != '\0')
		fputs("\033[0m", stdout);
	fputc('\n', stdout);
	fflush(stdout);
	if (typing)
		rl_forced_update_display();
}

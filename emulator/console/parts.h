/*
 * What the files of the console share; nobody else includes this.
 *
 * client.c: the connection. command.c: what is typed. screen.c: the terminal. work.c: --demo and
 * --performance. console.c: the program. Units: ns. Threads: one.
 */
#ifndef CONSOLE_PARTS_H
#define CONSOLE_PARTS_H

#include "emulator/base/net.h"
#include "proto/framed/message.h"

#include <stdbool.h>

struct console {
	struct loop loop;
	struct net *net;
	const char *url; /* as it was given, for messages */
	struct net_addr at;
	char info[300]; /* "TCP Client HOST:PORT" */
	uint32_t limit; /* bytes of the longest message */

	/* client.c */
	struct net_conn *conn; /* NULL: not connected */
	struct timer redial;
	unsigned tries;
	bool ever, connected;
	uint64_t sent, answered;

	/* screen.c */
	bool types;  /* a person or a script says what is sent */
	bool screen; /* a terminal with line editing; else lines of a file or a pipe */
	bool colour;
	struct loop_watch input;
	bool input_open, input_ended, between_lines;

	/* work.c */
	struct work *work; /* NULL: a person types */
	bool leaving;      /* asked to end */
	int code;
	char unit[1 << 20];
};

/* ---- client.c ---- */
void client_dial(struct console *console);
/* False: not connected, and said so. */
bool client_send(struct console *console, size_t len); /* of console->unit */
struct qn_framed_clock client_clock(const struct console *console);
void client_close(struct console *console);

/* ---- command.c ---- */
/* A line that was typed, without its newline. */
void command_line(struct console *console, const char *line);

/* ---- screen.c ---- */
/* A person's terminal at once; a script's lines only when there is somebody to send them to. */
int screen_open(struct console *console);
void screen_close(struct console *console);
/* No more lines of a file or a pipe: it leaves when those before are answered. */
void screen_end_input(struct console *console);
/* A line that did not come from the keyboard; the one being typed stays whole below it. */
void screen_print(struct console *console, const char *colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define SCREEN_PLAIN ""
#define SCREEN_DIM "\033[2m"
#define SCREEN_RED "\033[31m"
#define SCREEN_GREEN "\033[32m"
#define SCREEN_CYAN "\033[36m"
/* Peers' bytes as they may be shown: control characters as \xNN. Returns out. */
const char *screen_safe(struct qn_text text, char *out, size_t cap);

/* ---- work.c ---- */
void work_connected(struct console *console);
/* True: it was for the work, and is not to be shown. */
bool work_heard(struct console *console, const struct qn_framed_message *message);
int work_demo(struct console *console);
int work_performance(struct console *console, uint64_t messages, uint64_t window, size_t bytes);
void work_free(struct console *console);

void console_leave(struct console *console, int code);

#endif

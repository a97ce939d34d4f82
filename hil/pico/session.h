/*
 * One board, one loop, one job after the other: for commands, which may wait.
 *
 * Ownership: session_start(), session_end() in any case. Errors: the exit code of a command, after
 * a line on stderr. Threads: one.
 */
#ifndef PICO_SESSION_H
#define PICO_SESSION_H

#include "hil/pico/board.h"

#include <stdbool.h>
#include <stdio.h>

enum session_exit { SESSION_OK, SESSION_FAILED, SESSION_USAGE, SESSION_ENVIRONMENT };

struct session {
	const char *command;
	struct loop loop;
	bool loop_made;
	struct hotplug *hotplug;
	struct board *board;
	/* Of the last job; its texts are the session's until the next one. */
	struct board_result result;
	char text[300], traceback[4097];
	char *output;
	bool silent; /* a failed job is not told on stderr */
};

/* "quintain-hil COMMAND: ...", and where help is. */
int session_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int session_trouble(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "10s" into nanoseconds; false, and told, where it is no duration above 0. */
bool session_within(const char *command, const char *text, int64_t *ret_ns);

/* Nothing is opened yet but the loop and the hot-plug. */
int session_start(struct session *session, const char *command, const char *port,
		  size_t output_max);
void session_end(struct session *session);
/* For a job's `done`, with the session as its owner. */
void session_done(void *owner, const struct board_result *result);
/* Takes what beginning the job gave, runs it to its end, says what went wrong. */
int session_run(struct session *session, int begun);

/* The whole of a file, terminated; free() it. 0 or -errno. -EFBIG: more than max. */
int session_read_file(const char *path, size_t max, char **ret, size_t *ret_len);
/* Bytes from a board: as they are into a file or a pipe, made harmless for a terminal. 0 or -errno.
 */
int session_print(FILE *out, const char *bytes, size_t len);

#endif

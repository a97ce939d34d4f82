/*
 * What the commands on the history share; nobody but commands*.c includes this.
 *
 * Ownership: options point into argv. Errors: exit codes, with the reason on stderr. Threads: none.
 */
#ifndef COMMANDS_PARTS_H
#define COMMANDS_PARTS_H

#include "hil/report/history.h"

#include <stdio.h>

enum {
	COMMAND_OK = 0,
	COMMAND_WORSE = 1,
	COMMAND_USAGE = 2,
	COMMAND_TROUBLE = 3,
};

struct command_options {
	const char *command; /* for messages */
	const char *path;    /* of the history */
	char path_room[4096];
	const char *board, *measurement; /* filters: a part of the name; NULL: all */
	const char *out;
	unsigned last; /* runs that count; 0: all */
	bool json;
	char **args;
	int arg_count;
};

int command_usage(const struct command_options *options, const char *what);
int command_trouble(const struct command_options *options, const char *what);
/* Opens options->path; NULL after saying why not. */
struct history *command_open(const struct command_options *options);
/* A run by its name; an exit code after saying why not. */
int command_find(const struct command_options *options, struct history *history, const char *name,
		 struct history_run *ret);
/* What a terminal may show of a text from elsewhere. Returns buf. */
const char *command_clean(const char *text, char *buf, size_t cap);
/* Does the filter let the name through? */
bool command_wants(const char *filter, const char *name);

int command_trends(const struct command_options *options);
int command_flaky(const struct command_options *options);
int command_compare(const struct command_options *options);

#endif

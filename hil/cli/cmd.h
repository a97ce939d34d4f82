/*
 * The commands of quintain-hil: what each has, and what all share.
 *
 * Purpose: a command is one function in one file, hil/cli/cmd_NAME.c, and one row of the table in
 * main.c. argv[0] is the command's own name; getopt_long() starts there. Each knows --help (its own
 * text on stdout, exit 0), and each option that several have is spelled alike: --bench FILE, --set
 * PATH=VALUE, --json, --out DIR, --port NAME.
 * Errors: a command returns one of the exit codes below, having said on stderr what went wrong.
 * Threads: one.
 */
#ifndef HIL_CLI_CMD_H
#define HIL_CLI_CMD_H

#include "hil/exit.h"

typedef int hil_command(int argc, char **argv);

hil_command cmd_run, cmd_check, cmd_calibrate, cmd_doctor, cmd_list, cmd_lines, cmd_hold, cmd_watch,
	cmd_repl, cmd_exec, cmd_put, cmd_get, cmd_reset, cmd_bootsel, cmd_flash, cmd_history,
	cmd_compare, cmd_settings;

/* "quintain-hil COMMAND: TEXT" and where help is, on stderr. Returns HIL_EXIT_USAGE. */
int cmd_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same after getopt_long() has said what is wrong with an option. */
int cmd_wrong_option(const char *command);
/* As cmd_usage() for trouble of the machine's. Returns HIL_EXIT_ENVIRONMENT. */
int cmd_trouble(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

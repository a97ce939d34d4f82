/*
 * A person at the bench: one board, named on the command line, no bench config.
 *
 * Purpose: the commands of quintain-hil that need a port and nothing else. Each is a whole command:
 * argv[0] is its name, getopt_long() starts there, --help goes to stdout. PORT is a path, tcp://, a
 * serial number or usb:PATH, as find_port() takes it.
 * Errors: the exit code: 0; 1 the board's code raised, or its answer is not what it should be;
 * 2 usage; 3 no such board, port held, no answer. What went wrong is on stderr.
 * Threads: one; each runs a loop of its own.
 */
#ifndef PICO_COMMANDS_H
#define PICO_COMMANDS_H

int cmd_list(int argc, char **argv);
int cmd_repl(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_put(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_bootsel(int argc, char **argv);
int cmd_flash(int argc, char **argv);

#endif

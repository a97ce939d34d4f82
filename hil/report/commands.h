/*
 * The commands of quintain-hil that only read the history.
 *
 * Purpose: history (list, show RUN, trends, flaky, export RUN, compare RUN RUN) and compare, its
 * short form. argv[0] is the command's name. Return exit codes: 0 as asked; 1 compare: something
 * got worse; 2 usage; 3 environment. Threads: none.
 */
#ifndef REPORT_COMMANDS_H
#define REPORT_COMMANDS_H

int cmd_history(int argc, char **argv);
int cmd_compare(int argc, char **argv);

#endif

#include "hil/cli/cmd.h"

#include "emulator/base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct command {
	const char *name;
	hil_command *run;
	const char *help; /* one line */
};

/* In the order of the help; a row's file is hil/cli/cmd_NAME.c. */
static const struct command commands[] = {
	{ "run", cmd_run, "run a plan on a bench" },
	{ "check", cmd_check, "check a plan and its bench, and say what will happen" },
	{ "doctor", cmd_doctor, "what keeps a bench from working here, and the remedy" },
	{ "calibrate", cmd_calibrate, "measure what the bench itself adds" },
	{ "lines", cmd_lines, "the lines of a GPIO chip, one by one" },
	{ "hold", cmd_hold, "drive a line until Ctrl-C" },
	{ "watch", cmd_watch, "say what happens on a bench, as it happens" },
	{ "list", cmd_list, "boards that are plugged in, GPIO chips and their lines" },
	{ "repl", cmd_repl, "talk to a board" },
	{ "exec", cmd_exec, "run Python on a board" },
	{ "put", cmd_put, "a file to a board" },
	{ "get", cmd_get, "a file from a board" },
	{ "reset", cmd_reset, "restart a board" },
	{ "bootsel", cmd_bootsel, "put a board into its boot loader" },
	{ "flash", cmd_flash, "new firmware for a board in its boot loader" },
	{ "history", cmd_history, "earlier runs: list, show, trends, flaky, export, compare" },
	{ "compare", cmd_compare, "two runs against each other: did it get slower?" },
	{ "settings", cmd_settings, "all settings of benches and plans, as Markdown" },
	{ NULL, NULL, NULL },
};

static void print_help(FILE *out)
{
	fputs("quintain-hil - a rig that tests real targets of a shooting range\n\n"
	      "usage: quintain-hil COMMAND [options]\n\n",
	      out);
	for (const struct command *c = commands; c->name != NULL; c++)
		fprintf(out, "  %-10s %s\n", c->name, c->help);
	fputs("  help       this text, or that of a command: help COMMAND\n\n"
	      "exit codes: 0 PASS or MARGINAL, 1 FAIL or INCONCLUSIVE, 2 usage or config,\n"
	      "            3 ERROR: what could not be judged, or the environment\n",
	      out);
}

static const struct command *find(const char *name)
{
	const struct command *c = commands;

	while (c->name != NULL && strcmp(c->name, name) != 0)
		c++;
	return c->name != NULL ? c : NULL;
}

static int unknown(const char *name)
{
	const char *names[sizeof(commands) / sizeof(commands[0]) + 1] = { "help" };

	for (size_t i = 0; commands[i].name != NULL; i++)
		names[i + 1] = commands[i].name;
	const char *near = settings_nearest(name, names);
	fprintf(stderr, "quintain-hil: unknown command \"%.60s\"", name);
	if (near != NULL)
		fprintf(stderr, " (did you mean \"%s\"?)", near);
	fputs("\ntry: quintain-hil --help\n", stderr);
	return HIL_EXIT_USAGE;
}

static int dispatch(int argc, char **argv)
{
	const char *name = argv[1];
	bool help = strcmp(name, "help") == 0;

	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("quintain-hil " QN_VERSION);
		return HIL_EXIT_OK;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (help && argc == 2)) {
		print_help(stdout);
		return HIL_EXIT_OK;
	}
	const struct command *c = find(help ? argv[2] : name);
	if (c == NULL)
		return unknown(help ? argv[2] : name);
	if (help) {
		char option[] = "--help";
		char *arguments[] = { argv[2], option, NULL };
		return c->run(2, arguments);
	}
	return c->run(argc - 1, argv + 1);
}

/*
 * A standard descriptor that is not open would become a socket's or a port's, and a board would get
 * our words. /dev/null takes its place, opened the wrong way round: using it fails as it should.
 */
static bool hold_standard_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	if (!hold_standard_descriptors())
		return HIL_EXIT_ENVIRONMENT;
	if (argc < 2) {
		print_help(stderr);
		return HIL_EXIT_USAGE;
	}
	int code = dispatch(argc, argv);
	/* What was said must have arrived. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "quintain-hil: standard output: %s\n", strerror(errno));
		return HIL_EXIT_ENVIRONMENT;
	}
	return code;
}

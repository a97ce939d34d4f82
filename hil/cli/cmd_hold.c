#include "hil/cli/cmd.h"
#include "hil/cli/load.h"
#include "hil/gpio/gpio.h"

#include "emulator/base/units.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A line held by a person: the kernel lets go of it when its holder ends. */

static const char help[] =
	"usage: quintain-hil hold CHIP LINE LEVEL [options]\n"
	"       quintain-hil hold --bench FILE BOARD ROLE LEVEL [options]\n"
	"\n"
	"Drives a line until Ctrl-C: LEVEL is active, inactive, 1 or 0. ROLE is hit, run, bootsel\n"
	"or power, wired as the bench says.\n"
	"\n"
	"  --bench FILE       the bench\n"
	"  --for TIME         no longer than this, e.g. 100ms\n"
	"  --active-low       active is a low level\n"
	"  --open-drain       drives low, lets go instead of driving high\n"
	"  -h, --help         this text\n";

struct asked {
	const char *bench;
	int64_t for_ns;
	struct gpio_request request;
};

static bool parse_level(const char *text, bool *ret)
{
	if (strcmp(text, "active") == 0 || strcmp(text, "1") == 0)
		*ret = true;
	else if (strcmp(text, "inactive") == 0 || strcmp(text, "0") == 0)
		*ret = false;
	else
		return false;
	return true;
}

/* Waits for Ctrl-C, or for the time. */
static void wait_for_end(int64_t for_ns)
{
	struct timespec time = { (time_t)(for_ns / NS_PER_S), (long)(for_ns % NS_PER_S) };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (for_ns > 0)
		sigtimedwait(&set, NULL, &time);
	else
		sigwaitinfo(&set, NULL);
}

static int hold(const struct asked *asked)
{
	struct gpio gpio;
	struct gpio_line line;
	struct gpio_fault fault;
	char what[200];

	gpio_init(&gpio);
	if (gpio_line_request(&line, &gpio, &asked->request, &fault) < 0)
		return cmd_trouble("hold", "%s", fault.text);
	gpio_line_describe(&line, what, sizeof(what));
	fprintf(stderr, "%s is %s; Ctrl-C lets it go\n", what,
		asked->request.level ? "active" : "inactive");
	wait_for_end(asked->for_ns);
	gpio_line_release(&line);
	return HIL_EXIT_OK;
}

static int role_of(const char *name)
{
	for (int role = BENCH_HIT; role < BENCH_ROLES; role++)
		if (strcmp(bench_role_names[role], name) == 0)
			return role;
	return -1;
}

static void no_output(const struct bench_board *board, const char *name)
{
	char wired[80] = "";

	for (int role = BENCH_HIT; role < BENCH_ROLES; role++)
		if (board->lines.at[role].present) {
			size_t len = strlen(wired);
			snprintf(wired + len, sizeof(wired) - len, "%s%s", len > 0 ? ", " : "",
				 bench_role_names[role]);
		}
	cmd_usage("hold", "%s has no output \"%.60s\"; wired: %s", board->name, name,
		  wired[0] != '\0' ? wired : "none");
}

static int hold_role(struct asked *asked, char **argv)
{
	struct overrides none = { .n = 0 };
	struct loaded loaded;
	int rc = loaded_open_bench("hold", asked->bench, &none, &loaded);
	const struct bench *bench = &loaded.bench.bench;

	if (rc != HIL_EXIT_OK)
		goto out;
	int board = bench_find_board(bench, argv[0]);
	int role = role_of(argv[1]);
	rc = HIL_EXIT_USAGE;
	if (board < 0) {
		cmd_usage("hold", "the bench has no board \"%.60s\"", argv[0]);
		goto out;
	}
	if (role < 0 || !bench_board_at(bench, (size_t)board)->lines.at[role].present) {
		no_output(bench_board_at(bench, (size_t)board), argv[1]);
		goto out;
	}
	const struct bench_line *line = &bench_board_at(bench, (size_t)board)->lines.at[role];
	asked->request.chip = bench_line_chip(bench, bench_board_at(bench, (size_t)board), line);
	asked->request.line = line->line;
	asked->request.active_low = line->active_low;
	asked->request.open_drain = line->open_drain;
	rc = hold(asked);
out:
	loaded_release(&loaded);
	return rc;
}

int cmd_hold(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bench", required_argument, NULL, 'b' }, { "for", required_argument, NULL, 'f' },
		{ "active-low", no_argument, NULL, 'l' },  { "open-drain", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },        { NULL, 0, NULL, 0 },
	};
	struct asked asked = { .request = { .use = GPIO_OUTPUT } };

	optind = 1;
	for (int opt; (opt = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (opt) {
		case 'b': asked.bench = optarg; break;
		case 'f':
			if (!units_duration(optarg, false, &asked.for_ns) || asked.for_ns == 0)
				return cmd_usage(argv[0], "--for takes a time, e.g. 100ms");
			break;
		case 'l': asked.request.active_low = true; break;
		case 'o': asked.request.open_drain = true; break;
		case 'h': fputs(help, stdout); return HIL_EXIT_OK;
		default: return cmd_wrong_option("hold");
		}
	}
	if (argc - optind != 3 || !parse_level(argv[argc - 1], &asked.request.level))
		return cmd_usage(argv[0],
				 asked.bench != NULL
					 ? "needs BOARD ROLE LEVEL; LEVEL is active or inactive"
					 : "needs CHIP LINE LEVEL; LEVEL is active or inactive");
	if (asked.bench != NULL)
		return hold_role(&asked, argv + optind);
	asked.request.chip = argv[optind];
	asked.request.line = argv[optind + 1];
	return hold(&asked);
}

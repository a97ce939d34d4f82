#include "hil/cli/cmd.h"
#include "hil/cli/load.h"
#include "hil/plan/run.h"
#include "hil/report/reports.h"
#include "hil/rig/lock.h"
#include "hil/rig/rig.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* run and check: a plan, on a bench. */

static const char run_help[] =
	"usage: quintain-hil run [options] PLAN\n"
	"\n"
	"Runs a plan on a bench. Teardown follows in any case; Ctrl-C once ends the tests,\n"
	"twice ends everything.\n"
	"\n"
	"  --bench FILE       the bench, where the plan names none or another is meant\n"
	"  --set PATH=VALUE   override a setting (repeatable): plan.timeout=5m, bench.lock=/tmp/x\n"
	"  --tags A,B         only tests with one of these tags\n"
	"  --out DIR          report.html, junit.xml, result.json, result.csv, run.vcd\n"
	"  --history FILE     the history's file; default: below $XDG_STATE_HOME/quintain\n"
	"  --no-history       this run is not kept\n"
	"  --wait TIME        wait so long for another run on this bench, e.g. 10m\n"
	"  --seed N           noted in the reports\n"
	"  --json             a line of JSON at the end\n"
	"  --quiet            no live view\n"
	"  -h, --help         this text\n"
	"\n"
	"exit codes: 0 PASS or MARGINAL, 1 FAIL or INCONCLUSIVE, 2 usage or config,\n"
	"            3 ERROR: what could not be judged, or the environment\n";

static const char check_help[] =
	"usage: quintain-hil check [options] PLAN\n"
	"       quintain-hil check --bench FILE\n"
	"\n"
	"Checks a plan and its bench, each alone and against the other, and says what will happen.\n"
	"Touches no line and no port.\n"
	"\n"
	"  --bench FILE       the bench, where the plan names none or another is meant\n"
	"  --set PATH=VALUE   override a setting (repeatable)\n"
	"  --tags A,B         only tests with one of these tags\n"
	"  -h, --help         this text\n";

enum {
	OPT_BENCH = 256,
	OPT_SET,
	OPT_TAGS,
	OPT_OUT,
	OPT_HISTORY,
	OPT_NO_HISTORY,
	OPT_WAIT,
	OPT_SEED,
	OPT_JSON,
	OPT_QUIET,
	OPT_NO_VCD,
};

static const struct option long_options[] = {
	{ "bench", required_argument, NULL, OPT_BENCH },
	{ "set", required_argument, NULL, OPT_SET },
	{ "tags", required_argument, NULL, OPT_TAGS },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "history", required_argument, NULL, OPT_HISTORY },
	{ "no-history", no_argument, NULL, OPT_NO_HISTORY },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

#define TAGS_MAX 32

struct asked {
	const char *command;
	const char *plan, *bench;
	struct overrides overrides;
	struct run_options run;
	const char *tags[TAGS_MAX];
	bool no_history, help;
	int64_t wait_ns;
};

static bool split_tags(struct asked *asked, char *text)
{
	for (char *tag = strtok(text, ","); tag != NULL; tag = strtok(NULL, ",")) {
		if (asked->run.n_tags == TAGS_MAX)
			return false;
		asked->tags[asked->run.n_tags++] = tag;
	}
	asked->run.tags = asked->tags;
	return asked->run.n_tags > 0;
}

static bool parse_seed(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-';
}

static int take_option(struct asked *asked, int opt)
{
	switch (opt) {
	case OPT_BENCH: asked->bench = optarg; break;
	case OPT_SET: asked->overrides.at[asked->overrides.n++] = optarg; break;
	case OPT_TAGS:
		if (!split_tags(asked, optarg))
			return cmd_usage(asked->command, "--tags takes up to %d names", TAGS_MAX);
		break;
	case OPT_OUT:
		if (optarg[0] == '\0')
			return cmd_usage(asked->command, "--out takes a folder");
		asked->run.out_dir = optarg;
		break;
	case OPT_HISTORY: asked->run.history_path = optarg; break;
	case OPT_NO_HISTORY: asked->no_history = true; break;
	case OPT_WAIT:
		if (!units_duration(optarg, false, &asked->wait_ns))
			return cmd_usage(asked->command, "--wait takes a time, e.g. 10m");
		break;
	case OPT_SEED:
		if (!parse_seed(optarg, &asked->run.seed))
			return cmd_usage(asked->command, "--seed takes a number");
		break;
	case OPT_JSON: asked->run.json = true; break;
	case OPT_QUIET: asked->run.quiet = true; break;
	case 'h': asked->help = true; break;
	default: return cmd_wrong_option(asked->command);
	}
	return HIL_EXIT_OK;
}

static int parse(int argc, char **argv, struct asked *asked)
{
	int rc = HIL_EXIT_OK;

	asked->command = argv[0];
	asked->overrides.at = calloc((size_t)argc + 1, sizeof(*asked->overrides.at));
	if (asked->overrides.at == NULL)
		return HIL_EXIT_ENVIRONMENT;
	optind = 1;
	for (int opt; rc == HIL_EXIT_OK && !asked->help &&
		      (opt = getopt_long(argc, argv, "h", long_options, NULL)) != -1;)
		rc = take_option(asked, opt);
	if (rc != HIL_EXIT_OK || asked->help)
		return rc;
	if (argc - optind > 1)
		return cmd_usage(asked->command, "too many arguments; expected one PLAN");
	asked->plan = optind < argc ? argv[optind] : NULL;
	return HIL_EXIT_OK;
}

/* ---- check ---- */

static int check_bench(const struct asked *asked)
{
	struct loaded loaded;
	char text[160];
	int rc = loaded_open_bench(asked->command, asked->bench, &asked->overrides, &loaded);
	const struct bench *bench = &loaded.bench.bench;

	for (size_t i = 0; rc == HIL_EXIT_OK && i < bench->boards.count; i++) {
		const struct bench_board *board = bench_board_at(bench, i);
		printf("board %s: %s%s%s", board->name, board->target_id,
		       board->address[0] != '\0' ? " at " : "", board->address);
		printf(", port %s", board->port[0] != '\0'       ? board->port
				    : board->serial[0] != '\0'   ? board->serial
				    : board->usb_path[0] != '\0' ? board->usb_path
								 : "none");
		for (int role = 0; role < BENCH_ROLES; role++)
			if (board->lines.at[role].present)
				printf(", %s = %s", bench_role_names[role],
				       bench_line_text(bench, board, &board->lines.at[role], text,
						       sizeof(text)));
		putchar('\n');
	}
	if (rc == HIL_EXIT_OK)
		printf("%s: fine\n", asked->bench);
	loaded_release(&loaded);
	return rc;
}

static bool any_test_wanted(const struct asked *asked, const struct plan *plan)
{
	for (size_t i = 0; i < plan->tests.count; i++)
		if (plan_test_wanted(plan_test_at(plan, i), asked->tags, asked->run.n_tags))
			return true;
	return false;
}

/* Whose tags they are is easily confused: boards have some as well. */
static int no_test_wanted(const struct asked *asked, const struct plan *plan)
{
	char known[300] = "";
	size_t len = 0;

	for (size_t i = 0; i < plan->tests.count; i++) {
		const struct setting_strings *tags = &plan_test_at(plan, i)->tags;
		for (size_t j = 0; j < tags->count; j++) {
			char quoted[64];
			snprintf(quoted, sizeof(quoted), "\"%.60s\"", tags->at[j]);
			if (strstr(known, quoted) == NULL &&
			    len + strlen(quoted) + 2 < sizeof(known))
				len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
							len > 0 ? ", " : "", quoted);
		}
	}
	return cmd_usage(asked->command, "--tags: no test of the plan has one of them; %s%s",
			 len > 0 ? "its tests have " : "its tests have none", known);
}

int cmd_check(int argc, char **argv)
{
	struct asked asked = { .help = false };
	struct loaded loaded;
	int rc = parse(argc, argv, &asked);

	if (rc != HIL_EXIT_OK)
		goto out;
	if (asked.help) {
		fputs(check_help, stdout);
	} else if (asked.plan == NULL && asked.bench != NULL) {
		rc = check_bench(&asked);
	} else if (asked.plan == NULL) {
		rc = cmd_usage(asked.command, "needs a PLAN, or --bench FILE");
	} else {
		rc = loaded_open(asked.command, asked.plan, asked.bench, &asked.overrides, &loaded);
		if (rc == HIL_EXIT_OK && !any_test_wanted(&asked, &loaded.plan.plan)) {
			rc = no_test_wanted(&asked, &loaded.plan.plan);
		} else if (rc == HIL_EXIT_OK) {
			plan_describe(&loaded.plan.plan, &loaded.bench.bench, asked.tags,
				      asked.run.n_tags, stdout);
			printf("%s: fine\n", asked.plan);
		}
		loaded_release(&loaded);
	}
out:
	free(asked.overrides.at);
	return rc;
}

/* ---- run ---- */

static void waiting(const char *holder)
{
	fprintf(stderr, "quintain-hil: waiting for the bench: %s\n", holder);
}

static int run_loaded(struct asked *asked, struct loaded *loaded)
{
	struct rig_fault fault = { .text = "" };
	char what[200], history[4096];

	if (!any_test_wanted(asked, &loaded->plan.plan))
		return no_test_wanted(asked, &loaded->plan.plan);
	if (asked->wait_ns > 0)
		loaded->bench.bench.lock_timeout_ns = asked->wait_ns;
	if (asked->run.history_path == NULL && !asked->no_history &&
	    reports_history_path(history, sizeof(history)))
		asked->run.history_path = history;
	if (asked->no_history)
		asked->run.history_path = NULL;
	asked->run.plan_path = asked->plan;
	asked->run.bench_path = loaded->bench_path;
	asked->run.title = loaded->plan.title;
	snprintf(what, sizeof(what), "run of %.150s", asked->plan);
	int lock = bench_lock(&loaded->bench.bench, what, waiting, &fault);
	if (lock < 0)
		return cmd_trouble(asked->command, "%s", fault.text);
	int rc = run_plan(&loaded->plan.plan, &loaded->bench.bench, &asked->run);
	bench_unlock(lock);
	return rc;
}

int cmd_run(int argc, char **argv)
{
	struct asked asked = { .help = false };
	struct loaded loaded;
	int rc = parse(argc, argv, &asked);

	if (rc != HIL_EXIT_OK)
		goto out;
	if (asked.help) {
		fputs(run_help, stdout);
	} else if (asked.plan == NULL) {
		rc = cmd_usage(asked.command, "needs a PLAN file");
	} else {
		rc = loaded_open(asked.command, asked.plan, asked.bench, &asked.overrides, &loaded);
		if (rc == HIL_EXIT_OK)
			rc = run_loaded(&asked, &loaded);
		loaded_release(&loaded);
	}
out:
	free(asked.overrides.at);
	return rc;
}

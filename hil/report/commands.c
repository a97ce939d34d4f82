#include "hil/report/commands.h"

#include "hil/report/commands_parts.h"
#include "hil/report/parts.h"
#include "hil/report/reports.h"
#include "hil/report/writers.h"

#include "emulator/base/folder.h"
#include "emulator/base/settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char history_help[] =
	"usage: quintain-hil history [list]              all runs, newest first\n"
	"       quintain-hil history show RUN            its boards, and what went wrong\n"
	"       quintain-hil history trends              each measurement over the runs\n"
	"       quintain-hil history flaky               boards that do not always do the same\n"
	"       quintain-hil history export RUN --out DIR  its reports once more\n"
	"       quintain-hil history compare BASE RUN    did it get slower?\n"
	"\n"
	"RUN is a number, \"last\", \"last-1\" .., or the beginning of a run's id.\n"
	"options:\n"
	"  --history FILE       instead of ~/.local/state/quintain/history.db\n"
	"  --board TEXT         only boards whose name or serial number has it\n"
	"  --measurement TEXT   only measurements whose name has it\n"
	"  --last N             only the last N runs (trends and flaky: 20 where not said)\n"
	"  --json               list: one JSON object a line; show: as result.json\n"
	"  -h, --help           this text\n"
	"\n"
	"exit codes: 0 as asked, 1 compare: something got worse, 2 usage, 3 environment\n";

static const char compare_help[] =
	"usage: quintain-hil compare BASE RUN [options]   did RUN get slower than BASE?\n"
	"\n"
	"The Mann-Whitney U test says whether a difference can be chance (p, corrected for the\n"
	"number of comparisons), Cliff's delta how large it is, from -1 to 1. The same as\n"
	"\"history compare\"; options are those of history.\n"
	"\n"
	"exit codes: 0 nothing got worse, 1 something did, 2 usage, 3 environment\n";

/* ---- what all share ---- */

int command_usage(const struct command_options *options, const char *what)
{
	fprintf(stderr, "quintain-hil %s: %s\ntry: quintain-hil %s --help\n", options->command,
		what, options->command);
	return COMMAND_USAGE;
}

int command_trouble(const struct command_options *options, const char *what)
{
	fprintf(stderr, "quintain-hil %s: %s\n", options->command, what);
	return COMMAND_TROUBLE;
}

struct history *command_open(const struct command_options *options)
{
	struct history *history = NULL;
	int rc = history_open_read(options->path, &history);

	if (rc == 0)
		return history;
	fprintf(stderr, "quintain-hil %s: the history %s: %s\n", options->command, options->path,
		rc == -ENOENT ? "no such file: no run has been kept there yet"
		: history != NULL && history_error(history)[0] != '\0' ? history_error(history)
								       : strerror(-rc));
	history_close(history);
	return NULL;
}

int command_find(const struct command_options *options, struct history *history, const char *name,
		 struct history_run *ret)
{
	int rc = history_find(history, name, ret);

	if (rc == 0)
		return COMMAND_OK;
	command_trouble(options, history_error(history));
	return rc == -ENOENT || rc == -EEXIST ? COMMAND_USAGE : COMMAND_TROUBLE;
}

const char *command_clean(const char *text, char *buf, size_t cap)
{
	size_t i = 0;

	for (; text[i] != '\0' && i + 1 < cap; i++)
		buf[i] = (unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f ? '?'
											 : text[i];
	buf[i] = '\0';
	return buf;
}

bool command_wants(const char *filter, const char *name)
{
	return filter == NULL || strstr(name, filter) != NULL;
}

/* ---- list ---- */

static const char *verdict_text(const struct history_run *run, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s%s", verdict_name(run->verdict),
		 !run->ended        ? " (did not end)"
		 : run->interrupted ? " (interrupted)"
				    : "");
	return buf;
}

struct listing {
	const struct command_options *options;
	unsigned shown;
};

static void list_json(const struct history_run *run)
{
	char when[WHEN_CAP];

	printf("{\"number\": %lld, \"id\": \"%s\", \"started\": \"%s\", \"duration_ns\": %lld,"
	       " \"ended\": %s, \"interrupted\": %s, \"synthetic\": %s, \"virtual_bench\": %s,"
	       " \"verdict\": \"%s\", \"boards\": %u, \"steps\": {",
	       (long long)run->number, run->id, when_text(run->start_wall_ns, when),
	       (long long)run->duration_ns, run->ended ? "true" : "false",
	       run->interrupted ? "true" : "false", run->synthetic ? "true" : "false",
	       run->virtual_bench ? "true" : "false", verdict_name(run->verdict), run->boards);
	for (int i = 0; i < VERDICTS; i++)
		printf("%s\"%s\": %u", i > 0 ? ", " : "", verdict_name((enum verdict)i),
		       run->steps[i]);
	puts("}}");
}

static bool list_run(const struct history_run *run, void *context)
{
	struct listing *listing = context;
	char when[WHEN_CAP], verdict[48], title[48];
	unsigned steps = 0;

	if (listing->options->last > 0 && listing->shown == listing->options->last)
		return false;
	if (listing->options->json) {
		listing->shown++;
		list_json(run);
		return true;
	}
	for (int i = 0; i < VERDICTS; i++)
		steps += run->steps[i];
	if (listing->shown++ == 0)
		printf("%5s  %-20s  %-26s  %6s  %5s  %5s  %s\n", "run", "began", "verdict",
		       "boards", "steps", "bad", "title");
	printf("%5lld  %-20s  %-26s  %6u  %5u  %5u  %s%s\n", (long long)run->number,
	       when_text(run->start_wall_ns, when), verdict_text(run, verdict, sizeof(verdict)),
	       run->boards, steps,
	       run->steps[VERDICT_FAIL] + run->steps[VERDICT_INCONCLUSIVE] +
		       run->steps[VERDICT_ERROR],
	       command_clean(run->title[0] != '\0' ? run->title : run->plan_path, title,
			     sizeof(title)),
	       run->synthetic       ? " [made up]"
	       : run->virtual_bench ? " [virtual bench]"
				    : "");
	return true;
}

static int command_list(const struct command_options *options)
{
	struct listing listing = { .options = options };

	if (options->board != NULL || options->measurement != NULL)
		return command_usage(options, "list has whole runs: --board and --measurement are "
					      "for trends, flaky and compare");
	struct history *history = command_open(options);
	if (history == NULL)
		return COMMAND_TROUBLE;
	int rc = history_runs(history, list_run, &listing);
	int code = rc < 0 ? command_trouble(options, history_error(history)) : COMMAND_OK;
	if (rc == 0 && listing.shown == 0 && !options->json)
		puts("no runs yet");
	history_close(history);
	return code;
}

/* ---- one run ---- */

static int load(const struct command_options *options, struct record *record)
{
	struct history *history = command_open(options);
	struct history_run run;

	if (history == NULL)
		return COMMAND_TROUBLE;
	int code = command_find(options, history, options->args[0], &run);
	if (code == COMMAND_OK && history_load(history, run.number, record) < 0)
		code = command_trouble(options, history_error(history));
	history_close(history);
	return code;
}

static void show_step(const struct record *record, uint32_t s)
{
	const struct step_result *step = &record->steps[s];
	char name[64], why[200], board[64];

	printf("  %-12s  %-12s  %9.3f s  %s #%u", verdict_name(step->verdict),
	       command_clean(board_name(record, step->board), board, sizeof(board)),
	       (double)(step->begin_ns - record->run.start_ns) / 1e9,
	       command_clean(step->name, name, sizeof(name)), step->repeat + 1);
	if (step->attempt > 0)
		printf(" (attempt %u)", step->attempt + 1);
	printf("  %s%s\n", command_clean(step->why, why, sizeof(why)),
	       record_step_flaky(record, s) ? "  [a later attempt passed]" : "");
}

static void show(const struct record *record)
{
	char when[WHEN_CAP], text[256];
	unsigned bad = 0;

	printf("%s  %s\n", verdict_name(record->worst),
	       command_clean(run_title(record), text, sizeof(text)));
	if (run_warning(record)[0] != '\0')
		printf("%s\n", run_warning(record));
	printf("run %s, began %s, %s", record->run.id, when_text(record->run.start_wall_ns, when),
	       record->run.end_ns != 0 ? "took" : "did not end: at least");
	printf(" %.1f s\n", (double)run_span(record) / 1e9);
	if (record->error[0] != '\0')
		printf("%s\n", command_clean(record->error, text, sizeof(text)));
	for (unsigned i = 0; i < record->board_count; i++) {
		const struct record_board *board = &record->boards[i];
		printf("  %-12s  %-16s", verdict_name(board->worst),
		       command_clean(board->name, text, sizeof(text)));
		for (int v = VERDICT_PASS; v < VERDICTS; v++)
			if (board->steps[v] > 0)
				printf("  %u %s", board->steps[v], verdict_name((enum verdict)v));
		printf("  %s\n", command_clean(board->serial, text, sizeof(text)));
	}
	for (uint32_t s = 0; s < record->step_count; s++) {
		if (record->steps[s].verdict < VERDICT_INCONCLUSIVE)
			continue;
		if (bad++ == 0)
			puts("what went wrong:");
		show_step(record, s);
	}
}

static int command_show(const struct command_options *options)
{
	static struct record record;

	if (options->arg_count != 1)
		return command_usage(options, "show takes one RUN");
	int code = load(options, &record);
	if (code != COMMAND_OK)
		return code;
	if (options->json)
		json_put(&record, stdout);
	else
		show(&record);
	record_release(&record);
	return COMMAND_OK;
}

/* ---- export ---- */

struct export
{
	const struct record *record;
	void (*put)(const struct record *record, FILE *out);
};

static void put_export(FILE *out, void *context)
{
	const struct export *export = context;

	export->put(export->record, out);
}

static int command_export(const struct command_options *options)
{
	static struct record record;
	static const struct {
		const char *name;
		void (*put)(const struct record *record, FILE *out);
	} files[] = { { "report.html", html_put },
		      { "junit.xml", junit_put },
		      { "result.json", json_put },
		      { "result.csv", csv_put } };
	char text[400];
	int rc = 0;

	if (options->arg_count != 1 || options->out == NULL || options->out[0] == '\0')
		return command_usage(options, "export takes one RUN, and --out DIR");
	int code = load(options, &record);
	if (code != COMMAND_OK)
		return code;
	int fd = folder_open(options->out);
	if (fd < 0) {
		snprintf(text, sizeof(text), "%.300s: %s", options->out, strerror(-fd));
		rc = fd;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && rc == 0; i++) {
		struct export export = { &record, files[i].put };
		rc = folder_write(fd, files[i].name, put_export, &export);
		if (rc < 0)
			snprintf(text, sizeof(text), "%.300s/%s: %s", options->out, files[i].name,
				 strerror(-rc));
	}
	if (fd >= 0)
		close(fd);
	record_release(&record);
	return rc < 0 ? command_trouble(options, text) : COMMAND_OK;
}

/* ---- the command line ---- */

enum { OPT_HISTORY = 256, OPT_BOARD, OPT_MEASUREMENT, OPT_LAST, OPT_OUT, OPT_JSON };

static const struct option long_options[] = {
	{ "history", required_argument, NULL, OPT_HISTORY },
	{ "board", required_argument, NULL, OPT_BOARD },
	{ "measurement", required_argument, NULL, OPT_MEASUREMENT },
	{ "last", required_argument, NULL, OPT_LAST },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool parse_last(const char *text, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n == 0 || n > 1000000)
		return false;
	*ret = (unsigned)n;
	return true;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, const char *help, struct command_options *options)
{
	optind = 1;
	for (int opt; (opt = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
		switch (opt) {
		case OPT_HISTORY: options->path = optarg; break;
		case OPT_BOARD: options->board = optarg; break;
		case OPT_MEASUREMENT: options->measurement = optarg; break;
		case OPT_LAST:
			if (!parse_last(optarg, &options->last))
				return command_usage(options, "--last takes a number above 0");
			break;
		case OPT_OUT: options->out = optarg; break;
		case OPT_JSON: options->json = true; break;
		case 'h': fputs(help, stdout); return COMMAND_OK;
		default:
			fprintf(stderr, "try: quintain-hil %s --help\n", options->command);
			return COMMAND_USAGE;
		}
	}
	options->args = argv + optind;
	options->arg_count = argc - optind;
	if (options->path == NULL &&
	    reports_history_path(options->path_room, sizeof(options->path_room)))
		options->path = options->path_room;
	if (options->path == NULL)
		return command_trouble(options, "neither HOME nor XDG_STATE_HOME is set: where is "
						"the history? (--history FILE)");
	return -1;
}

int cmd_history(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct command_options *options);
	} commands[] = { { "list", command_list },     { "show", command_show },
			 { "trends", command_trends }, { "flaky", command_flaky },
			 { "export", command_export }, { "compare", command_compare } };
	static const char *const names[] = { "list",   "show",    "trends", "flaky",
					     "export", "compare", NULL };
	struct command_options options = { .command = "history" };
	char text[160];
	int code = parse(argc, argv, history_help, &options);

	if (code >= 0)
		return code;
	if (options.arg_count == 0)
		return command_list(&options);
	const char *name = options.args[0];
	options.args++;
	options.arg_count--;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(&options);
	const char *near = settings_nearest(name, names);
	snprintf(text, sizeof(text), "unknown \"%.60s\"%s%s%s", name,
		 near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
		 near != NULL ? "\"?)" : "");
	return command_usage(&options, text);
}

int cmd_compare(int argc, char **argv)
{
	struct command_options options = { .command = "compare" };
	int code = parse(argc, argv, compare_help, &options);

	return code >= 0 ? code : command_compare(&options);
}

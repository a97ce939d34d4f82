#include "emulator/cli/compare.h"
#include "emulator/console/console.h"
#include "emulator/sniff/sniff.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"quintain-emu - virtual targets of a shooting range, and a master for them\n"
	"\n"
	"usage: quintain-emu run CONFIG [options]     run the fleet, the master, or both\n"
	"       quintain-emu check CONFIG [--set ...] check a config and say what it means\n"
	"       quintain-emu compare CONFIG [options] the same fleet over two wires, side by side\n"
	"       quintain-emu settings                 all settings, as Markdown\n"
	"       quintain-emu console framed://HOST:PORT   talk to a server of that wire\n"
	"       quintain-emu sniff WIRE ...           a proxy that shows, records, spoils\n"
	"       quintain-emu decode FILE              what a recording or capture holds\n"
	"\n"
	"options of run:\n"
	"  --set PATH=VALUE   override a setting (repeatable), e.g. --set fleet.ramp=50\n"
	"  --for TIME         end after this time, e.g. 30s, 5m\n"
	"  --simulate         a simulated clock, no sockets, no waiting; the seed decides\n"
	"  --seeds A..B       with --simulate: run these seeds, print those that fail\n"
	"  --out DIR          report.html, summary.json, junit.xml, events.jsonl, latencies\n"
	"  --no-events        with --out: no events.jsonl\n"
	"  --log FILE         every event as a line of logfmt\n"
	"  --json             one JSON object on the last line\n"
	"  --quiet            no live view, no summary\n"
	"\n"
	"options of compare, beside --set, --out, --json and --quiet:\n"
	"  --wires A,B        which two (default http,snyper)\n"
	"  --passes N         how often each plays all rounds (default 10)\n"
	"\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n"
	"\n"
	"CONFIG is a libconfig file, \"-\" for standard input; configs/ has some to start from.\n"
	"exit codes: 0 as asked, 1 an expectation not met, a command or target lost,\n"
	"            2 usage or config, 3 environment, or what could not be judged\n";

enum {
	OPT_SET = 256,
	OPT_FOR,
	OPT_LOG,
	OPT_JSON,
	OPT_QUIET,
	OPT_SIMULATE,
	OPT_SEEDS,
	OPT_OUT,
	OPT_NO_EVENTS,
	OPT_WIRES,
	OPT_PASSES
};

static const struct option long_options[] = {
	{ "set", required_argument, NULL, OPT_SET },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "simulate", no_argument, NULL, OPT_SIMULATE },
	{ "seeds", required_argument, NULL, OPT_SEEDS },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "no-events", no_argument, NULL, OPT_NO_EVENTS },
	{ "wires", required_argument, NULL, OPT_WIRES },
	{ "passes", required_argument, NULL, OPT_PASSES },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int usage(const char *what)
{
	fprintf(stderr, "quintain-emu: %s\ntry: quintain-emu --help\n", what);
	return EXIT_USAGE;
}

static int print_settings(void)
{
	settings_reference(&emu_table, "", stdout);
	return EXIT_AS_ASKED;
}

static int compare(struct compare_options *options)
{
	const struct app_options *app = options->app;

	if (strcmp(app->config_path, "-") == 0)
		return usage("compare reads its CONFIG more than once: not from standard input");
	if (app->simulate || app->has_seeds || app->for_ns > 0 || app->log_path != NULL)
		return usage("compare takes --set, --wires, --passes, --out, --json and --quiet");
	return (int)compare_run(options);
}

static int dispatch(const char *command, struct app_options *options,
		    struct compare_options *compared)
{
	static const char *const commands[] = { "run",     "check", "compare", "settings",
						"console", "sniff", "decode",  NULL };
	char text[160];

	if (strcmp(command, "settings") == 0)
		return options->config_path == NULL ? print_settings()
						    : usage("settings takes no file");
	bool run = strcmp(command, "run") == 0;
	bool compares = strcmp(command, "compare") == 0;
	if (!run && !compares && strcmp(command, "check") != 0) {
		const char *near = settings_nearest(command, commands);
		snprintf(text, sizeof(text), "unknown command \"%.60s\"%s%s%s", command,
			 near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
			 near != NULL ? "\"?)" : "");
		return usage(text);
	}
	if (options->config_path == NULL) {
		snprintf(text, sizeof(text), "%s needs a CONFIG file", command);
		return usage(text);
	}
	if (!run &&
	    !compares) /* the options of run are fine here too: the same line, with another verb */
		return (int)check_config(options);
	if (options->out_dir != NULL && options->out_dir[0] == '\0')
		return usage("--out takes a folder");
	if (compares)
		return compare(compared);
	if (options->has_seeds && (!options->simulate || options->out_dir != NULL))
		return usage("--seeds goes with --simulate and without --out");
	return options->has_seeds ? (int)seeds_run(options) : (int)app_run(options);
}

static bool parse_passes(const char *text, unsigned *ret)
{
	char *end;
	unsigned long passes = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || passes < 1 || passes > COMPARE_PASSES_MAX)
		return false;
	*ret = (unsigned)passes;
	return true;
}

/* "1..1000" */
static bool parse_seeds(const char *text, struct app_options *options)
{
	unsigned long long first, last;
	int end = 0;

	if (sscanf(text, "%llu..%llu%n", &first, &last, &end) != 2 || text[end] != '\0' ||
	    first > last || last > INT64_MAX)
		return false;
	options->has_seeds = true;
	options->seeds_first = first;
	options->seeds_last = last;
	return true;
}

/*
 * A standard descriptor that is not open would become a socket's, and a peer would get our words.
 * /dev/null takes its place, opened the wrong way round: using it fails as it should.
 */
static bool hold_standard_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

/* What was said must have arrived. */
static int checked_output(int code)
{
	if (code != EXIT_AS_ASKED || (fflush(stdout) == 0 && !ferror(stdout)))
		return code;
	fprintf(stderr, "quintain-emu: standard output: %s\n", strerror(errno));
	return EXIT_ENVIRONMENT;
}

int main(int argc, char **argv)
{
	struct app_options options = { .for_ns = 0 };
	struct compare_options compared = { &options, { WIRE_HTTP, WIRE_SNYPER }, 10 };
	int code = EXIT_USAGE;

	if (!hold_standard_descriptors())
		return EXIT_ENVIRONMENT;
	if (argc > 1 && strcmp(argv[1], "console") == 0)
		return checked_output(console_main(argc - 1, argv + 1));
	if (argc > 1 && strcmp(argv[1], "sniff") == 0)
		return checked_output(sniff_main(argc - 1, argv + 1));
	if (argc > 1 && strcmp(argv[1], "decode") == 0)
		return checked_output(decode_main(argc - 1, argv + 1));
	options.overrides = calloc((size_t)argc + 1, sizeof(*options.overrides));
	if (options.overrides == NULL)
		return EXIT_ENVIRONMENT;
	for (int opt; (opt = getopt_long(argc, argv, "hV", long_options, NULL)) != -1;) {
		switch (opt) {
		case OPT_SET: options.overrides[options.n_overrides++] = optarg; break;
		case OPT_FOR:
			if (!units_duration(optarg, false, &options.for_ns) ||
			    options.for_ns == 0) {
				code = usage("--for takes a time with a unit, e.g. 30s");
				goto out;
			}
			break;
		case OPT_LOG: options.log_path = optarg; break;
		case OPT_JSON: options.json = true; break;
		case OPT_SIMULATE: options.simulate = true; break;
		case OPT_SEEDS:
			if (!parse_seeds(optarg, &options)) {
				code = usage("--seeds takes a range, e.g. 1..1000");
				goto out;
			}
			break;
		case OPT_OUT: options.out_dir = optarg; break;
		case OPT_NO_EVENTS: options.no_events = true; break;
		case OPT_QUIET: options.quiet = true; break;
		case OPT_WIRES:
			if (!compare_parse_wires(optarg, compared.wires)) {
				code = usage("--wires takes two different wires, e.g. http,snyper");
				goto out;
			}
			break;
		case OPT_PASSES:
			if (!parse_passes(optarg, &compared.passes)) {
				code = usage("--passes takes a number, 1 to 200");
				goto out;
			}
			break;
		case 'h':
			fputs(help, stdout);
			code = EXIT_AS_ASKED;
			goto out;
		case 'V':
			puts("quintain-emu " QN_VERSION);
			code = EXIT_AS_ASKED;
			goto out;
		default: fputs("try: quintain-emu --help\n", stderr); goto out;
		}
	}
	if (optind == argc) {
		fputs(help, stderr);
		goto out;
	}
	if (argc - optind > 2) {
		code = usage("too many arguments; expected one CONFIG file");
		goto out;
	}
	options.config_path = optind + 1 < argc ? argv[optind + 1] : NULL;
	code = dispatch(argv[optind], &options, &compared);
out:
	free(options.overrides);
	return checked_output(code);
}

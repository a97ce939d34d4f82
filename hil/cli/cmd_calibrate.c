#include "hil/cli/cmd.h"
#include "hil/cli/load.h"
#include "hil/rig/calibrate.h"
#include "hil/rig/lock.h"
#include "hil/rig/rig.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* What the bench itself adds to every figure. */

static const char help[] =
	"usage: quintain-hil calibrate --bench FILE [options]\n"
	"\n"
	"Toggles the output of the bench's loop and reads the input that it is joined to: latency,\n"
	"jitter, lost edges, the edge rate that this machine can be trusted with; then the clock\n"
	"and the way to the network. Stores it; every run's U is made of it.\n"
	"\n"
	"  --bench FILE       the bench\n"
	"  --set PATH=VALUE   override a setting, e.g. bench.calibration.toggles=1000\n"
	"  --serial           the round trip to each board's REPL as well; ends its program\n"
	"  --no-store         only say it\n"
	"  --json             as one JSON object\n"
	"  -h, --help         this text\n";

static void put_stats(const char *what, const struct loopback_stats *stats)
{
	printf("  %-8s min %.1f us  median %.1f us  p99 %.1f us  max %.1f us  sd %.1f us\n", what,
	       (double)stats->min_ns / 1e3, (double)stats->median_ns / 1e3,
	       (double)stats->p99_ns / 1e3, (double)stats->max_ns / 1e3, stats->stddev_ns / 1e3);
}

static void put_text(const struct bench *bench, const struct calibration_run *run)
{
	printf("bench %s\n", bench->name);
	if (run->has_loop) {
		const struct loopback_result *loop = &run->loop;
		printf("  edges: %zu toggles, %zu lost, %zu extra\n", loop->toggles, loop->lost,
		       loop->extra);
		put_stats("latency", &loop->latency);
		put_stats("rise", &loop->rise);
		put_stats("fall", &loop->fall);
		printf("  one stamp is within %.1f us; a pulse measures %.1f us too wide\n",
		       (double)loop->stamp_u_ns / 1e3, (double)loop->width_bias_ns / 1e3);
		printf("  usable up to %.0f edges a second\n", loop->usable_hz);
	} else {
		puts("  edges: the bench has no loop (bench.calibration.output, input)");
	}
	printf("  clock: steps of %lld ns; wall clock known within %lld ns\n",
	       (long long)run->clock_ns, (long long)run->realtime_ns);
	if (run->send.n > 0)
		printf("  send: write to transmit stamp %.1f us +- %.1f us of %u\n",
		       (double)run->send.mean_ns / 1e3, (double)run->send.sd_ns / 1e3, run->send.n);
	else
		puts("  send: the kernel gives no transmit stamps; the time of the write is used");
}

static void put_json(const struct bench *bench, const struct calibration_run *run)
{
	struct calibration c = calibration_of(run);

	printf("{\"bench\": \"%s\", \"loop\": %s, \"edges\": %llu, \"edges_lost\": %llu, "
	       "\"edge_mean_ns\": %lld, \"edge_sd_ns\": %lld, \"edge_min_ns\": %lld, "
	       "\"edge_max_ns\": %lld, \"usable_hz\": %.0f, \"send_mean_ns\": %lld, "
	       "\"send_sd_ns\": %lld, \"clock_ns\": %lld, \"realtime_ns\": %lld}\n",
	       bench->name, run->has_loop ? "true" : "false", (unsigned long long)c.edges,
	       (unsigned long long)c.edges_lost, (long long)c.edge.mean_ns, (long long)c.edge.sd_ns,
	       (long long)c.edge.min_ns, (long long)c.edge.max_ns,
	       run->has_loop ? run->loop.usable_hz : 0.0, (long long)c.send.mean_ns,
	       (long long)c.send.sd_ns, (long long)c.clock_ns, (long long)c.realtime_ns);
}

/* ---- serial ---- */

#define TRIPS 50

struct trips {
	struct loop loop;
	struct board *board;
	struct timer next;
	int64_t values[TRIPS];
	size_t n;
	char trouble[200];
};

static void trip(struct timer *timer, int64_t now_ns);

static void trip_done(void *owner, const struct board_result *result)
{
	struct trips *trips = owner;

	if (result->status != BOARD_OK) {
		snprintf(trips->trouble, sizeof(trips->trouble), "%s", result->text);
		loop_stop(&trips->loop);
		return;
	}
	trips->values[trips->n++] = result->ended_ns - result->began_ns;
	if (trips->n == TRIPS)
		loop_stop(&trips->loop);
	else
		loop_timer(&trips->loop, &trips->next, 0);
}

static void trip(struct timer *timer, int64_t now_ns)
{
	struct trips *trips =
		(struct trips *)(void *)((char *)timer - offsetof(struct trips, next));

	(void)now_ns;
	if (board_exec(trips->board, "1", 1, 2 * NS_PER_S, trip_done, trips) < 0)
		loop_stop(&trips->loop);
}

/* The first one enters the raw prompt and is no round trip. */
static void first_done(void *owner, const struct board_result *result)
{
	trip_done(owner, result);
	if (result->status == BOARD_OK)
		((struct trips *)owner)->n = 0;
}

static int measure_serial(const struct bench_board *config)
{
	struct trips *trips = calloc(1, sizeof(*trips));
	struct hotplug *hotplug = NULL;
	char spec[96];
	int rc = trips == NULL ? -ENOMEM : loop_init(&trips->loop);

	if (rc < 0) {
		free(trips);
		return rc;
	}
	if (config->port[0] != '\0')
		snprintf(spec, sizeof(spec), "%s", config->port);
	else
		snprintf(spec, sizeof(spec), "%s%s", config->serial[0] != '\0' ? "serial:" : "usb:",
			 config->serial[0] != '\0' ? config->serial : config->usb_path);
	struct board_options options = { .port = spec };
	trips->next.fire = trip;
	rc = hotplug_new(&trips->loop, NULL, &hotplug);
	if (rc == 0)
		rc = board_new(&trips->loop, hotplug, &options, &trips->board);
	if (rc == 0)
		rc = board_exec(trips->board, "1", 1, 8 * NS_PER_S, first_done, trips);
	if (rc == 0)
		rc = loop_run(&trips->loop, TIMERS_NEVER);
	if (trips->trouble[0] != '\0') {
		printf("  %s: no round trip: %s\n", config->name, trips->trouble);
		rc = -EIO;
	} else if (rc == 0) {
		struct loopback_stats stats = loopback_stats(trips->values, trips->n);
		printf("  %s, a round trip to its REPL:\n", config->name);
		put_stats("serial", &stats);
	}
	board_free(trips->board);
	hotplug_free(hotplug);
	loop_release(&trips->loop);
	free(trips);
	return rc;
}

static bool has_port(const struct bench_board *board)
{
	return board->serial[0] != '\0' || board->usb_path[0] != '\0' || board->port[0] != '\0';
}

/* ---- */

struct asked {
	const char *bench;
	struct overrides overrides;
	bool serial, no_store, json;
};

static int calibrate(const struct asked *asked, const struct bench *bench)
{
	struct rig_fault fault = { .text = "" };
	struct calibration_run run;
	char path[4096];
	int code = HIL_EXIT_OK;

	if (calibration_measure(bench, NULL, (size_t)bench->calibration.toggles, &run, &fault) < 0)
		return cmd_trouble("calibrate", "%s", fault.text);
	if (asked->json)
		put_json(bench, &run);
	else
		put_text(bench, &run);
	for (size_t i = 0; asked->serial && i < bench->boards.count; i++)
		if (has_port(bench_board_at(bench, i)) &&
		    measure_serial(bench_board_at(bench, i)) < 0)
			code = HIL_EXIT_ENVIRONMENT;
	if (run.has_loop && run.loop.lost > 0)
		code = cmd_trouble(
			"calibrate",
			"%zu of %zu edges were lost: not stored; see quintain-hil doctor",
			run.loop.lost, run.loop.toggles);
	if (asked->no_store || code != HIL_EXIT_OK)
		return code;
	struct calibration calibration = calibration_of(&run);
	if (!calibration_path(bench, path, sizeof(path)))
		return cmd_trouble("calibrate", "neither XDG_STATE_HOME nor HOME is set: say where "
						"in bench.calibration.file");
	int rc = calibration_store(path, bench, &calibration);
	if (rc < 0)
		return cmd_trouble("calibrate",
				   "%s: %s: not stored (--no-store only says it, "
				   "bench.calibration.file names another file)",
				   path, strerror(-rc));
	if (!asked->json)
		printf("  stored in %s\n", path);
	return HIL_EXIT_OK;
}

static int locked(const struct asked *asked, struct loaded *loaded)
{
	struct rig_fault fault = { .text = "" };
	int lock = bench_lock(&loaded->bench.bench, "calibrate", NULL, &fault);

	if (lock < 0)
		return cmd_trouble("calibrate", "%s", fault.text);
	int rc = calibrate(asked, &loaded->bench.bench);
	bench_unlock(lock);
	return rc;
}

int cmd_calibrate(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bench", required_argument, NULL, 'b' },
		{ "set", required_argument, NULL, 's' },
		{ "serial", no_argument, NULL, 'r' },
		{ "no-store", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct asked asked = { .overrides.at = calloc((size_t)argc + 1, sizeof(char *)) };
	struct loaded loaded;
	int rc = asked.overrides.at != NULL ? HIL_EXIT_OK : HIL_EXIT_ENVIRONMENT;
	bool told = false;

	optind = 1;
	for (int opt; rc == HIL_EXIT_OK && !told &&
		      (opt = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (opt) {
		case 'b': asked.bench = optarg; break;
		case 's': asked.overrides.at[asked.overrides.n++] = optarg; break;
		case 'r': asked.serial = true; break;
		case 'n': asked.no_store = true; break;
		case 'j': asked.json = true; break;
		case 'h':
			fputs(help, stdout);
			told = true;
			break;
		default: rc = cmd_wrong_option("calibrate");
		}
	}
	if (rc == HIL_EXIT_OK && !told && (asked.bench == NULL || optind != argc))
		rc = cmd_usage(argv[0], "needs --bench FILE and nothing else");
	if (rc == HIL_EXIT_OK && !told) {
		rc = loaded_open_bench(argv[0], asked.bench, &asked.overrides, &loaded);
		if (rc == HIL_EXIT_OK)
			rc = locked(&asked, &loaded);
		loaded_release(&loaded);
	}
	free(asked.overrides.at);
	return rc;
}

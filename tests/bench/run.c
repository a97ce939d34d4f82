/*
 * The benchmark's driver: interleaved pairs of a bare reference and the program under test.
 *
 * A pair is the same load on both, cut into short slices that alternate, so that what the machine
 * does meanwhile hits both. The figure is the median of the pairs' ratios. After every few pairs
 * all processes are started anew: one process's luck with its memory is not the result.
 *
 * Results: the terminal, and one flat JSON object. Exit code: 0; 1 a floor is missed, or an error.
 */
#include "tests/bench/book.h"
#include "tests/bench/systems.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	unsigned batches, kept_pairs, connect_pairs; /* pairs of one batch */
	bool kept, connect, json, gate, leanest;
	const char *emu, *out;
};

/* Slices of one side in a pair. With 9,000 in flight a round trip takes 60 ms: longer slices. */
struct cut {
	unsigned connections, slices;
	const char *seconds, *warm;
};

static const struct cut kept_cuts[] = {
	{ 100, 10, "0.1", "0.05" },
	{ 1000, 10, "0.1", "0.05" },
	{ 9000, 4, "0.25", "0.1" },
};
static const struct cut connect_cuts[] = {
	{ 100, 5, "0.15", "0.05" },
	{ 1000, 5, "0.15", "0.05" },
};

enum { BARE_SIDE, OUR_SIDE };

/* Means over a pair's slices of one side. */
struct sums {
	double per_s, cpu_us, own_cpu_us, p50_us, p99_us, bytes;
};

static void client_start(struct child *client, struct systems *systems, const char *mode,
			 const struct cut *cut)
{
	char program[300], bare[32], ours[32], n[16], c[16], watch[2][16], answer[16], slack[16];
	const char *argv[] = { program,
			       mode,
			       "--to",
			       bare_at(systems, bare),
			       "--watch",
			       watch[0],
			       "--answer",
			       answer,
			       "--to",
			       fleet_at(systems, ours),
			       "--watch",
			       watch[1],
			       "--answer",
			       answer,
			       "--addresses",
			       n,
			       "--connections",
			       c,
			       "--slack",
			       slack,
			       "--seconds",
			       cut->seconds,
			       "--warm",
			       cut->warm,
			       "--source",
			       client_source(),
			       NULL };

	snprintf(program, sizeof(program), "%s/load_client", systems->bin_dir);
	snprintf(n, sizeof(n), "%d", TARGETS);
	snprintf(c, sizeof(c), "%u", cut->connections);
	snprintf(watch[0], sizeof(watch[0]), "%d", systems->bare.pid);
	snprintf(watch[1], sizeof(watch[1]), "%d", systems->fleet.pid);
	snprintf(answer, sizeof(answer), "%zu", systems->answer_len);
	snprintf(slack, sizeof(slack), "%zu", systems->slack);
	child_start(client, "the load client", systems->client_cpu, NULL, argv);
}

static void slice(struct child *client, int side, const struct cut *cut, struct sums *sums)
{
	const char *line;
	double failed, wrong, share = 1.0 / cut->slices;

	child_tell(client, side == BARE_SIDE ? "0\n" : "1\n");
	line = child_line(client, 60000);
	failed = json_number(line, "failed");
	wrong = json_number(line, "wrong");
	if (failed != 0 || wrong != 0)
		die(0, "%s: %.0f cycles failed, %.0f answers had another length",
		    side == BARE_SIDE ? "the bare server" : "the fleet", failed, wrong);
	sums->per_s += share * json_number(line, "per_s");
	sums->cpu_us += share * json_number(line, "cpu_us");
	sums->own_cpu_us += share * json_number(line, "own_cpu_us");
	sums->p50_us += share * json_number(line, "p50_us");
	sums->p99_us += share * json_number(line, "p99_us");
	sums->bytes += share * json_number(line, "answer_bytes");
}

static void kept_pair(struct child *client, const struct cut *cut, unsigned flip)
{
	static const char *const names[] = { "bare", "ours" };
	struct sums sums[2] = { 0 };
	unsigned c = cut->connections;
	double ratio;

	for (unsigned i = 0; i < 2 * cut->slices; i++) {
		/* A B, B A, A B: what drifts steadily drifts against both in turn. */
		int side = (int)(i + i / 2 + flip) % 2;

		slice(client, side, cut, &sums[side]);
	}
	ratio = sums[OUR_SIDE].per_s / sums[BARE_SIDE].per_s;
	book_add(ratio, "kept_%u_ratio", c);
	for (int i = 0; i < 2; i++) {
		book_add(sums[i].per_s, "kept_%u_%s_per_s", c, names[i]);
		book_add(sums[i].cpu_us, "kept_%u_%s_cpu_us", c, names[i]);
		book_add(sums[i].p50_us, "kept_%u_%s_p50_us", c, names[i]);
		book_add(sums[i].p99_us, "kept_%u_%s_p99_us", c, names[i]);
		book_add(sums[i].bytes, "kept_%u_%s_answer_bytes", c, names[i]);
	}
	printf("kept %-5u bare %7.0f/s  ours %7.0f/s  ratio %.3f\n", c, sums[BARE_SIDE].per_s,
	       sums[OUR_SIDE].per_s, ratio);
}

static void kept(struct systems *systems, const struct options *options, unsigned batch)
{
	struct child client;

	for (size_t i = 0; i < sizeof(kept_cuts) / sizeof(kept_cuts[0]); i++) {
		client_start(&client, systems, "kept", &kept_cuts[i]);
		for (unsigned pair = 0; pair < options->kept_pairs; pair++)
			kept_pair(&client, &kept_cuts[i], batch + pair);
		child_stop(&client);
	}
}

/*
 * One round measures two references: the bare client against the bare server yields the CPU time of
 * both. Beside them the fleet under the bare client, and our master against the bare server.
 */
static void connect_pair(struct systems *systems, struct child *client, const struct cut *cut,
			 unsigned flip)
{
	struct sums sums[2] = { 0 };
	struct master_slice master = { 0 };
	unsigned c = cut->connections;
	double fleet_ratio, master_ratio;

	for (unsigned i = 0; i < cut->slices; i++) {
		/* All six orders by turns. */
		for (unsigned turn = 0; turn < 3; turn++) {
			unsigned k = flip + i;
			unsigned who = k / 3 % 2 ? (k + 3 - turn) % 3 : (k + turn) % 3;

			if (who < 2) {
				slice(client, (int)who, cut, &sums[who]);
			} else {
				struct master_slice once = master_slice(systems, 50, 150);

				master.per_s += once.per_s / cut->slices;
				master.cpu_us += once.cpu_us / cut->slices;
			}
		}
	}
	fleet_ratio = sums[BARE_SIDE].cpu_us / sums[OUR_SIDE].cpu_us;
	master_ratio = sums[BARE_SIDE].own_cpu_us / master.cpu_us;
	book_add(fleet_ratio, "connect_%u_fleet_ratio", c);
	book_add(master_ratio, "connect_%u_master_ratio", c);
	book_add(sums[BARE_SIDE].cpu_us, "connect_%u_bare_server_cpu_us", c);
	book_add(sums[OUR_SIDE].cpu_us, "connect_%u_fleet_cpu_us", c);
	book_add(sums[BARE_SIDE].own_cpu_us, "connect_%u_bare_client_cpu_us", c);
	book_add(master.cpu_us, "connect_%u_master_cpu_us", c);
	book_add(sums[BARE_SIDE].per_s, "connect_%u_wall_bare_per_s", c);
	book_add(sums[OUR_SIDE].per_s, "connect_%u_wall_fleet_per_s", c);
	book_add(master.per_s, "connect_%u_wall_master_per_s", c);
	printf("connect %-5u server: bare %5.2f us  fleet %5.2f us  ratio %.3f   "
	       "client: bare %5.2f us  master %5.2f us  ratio %.3f\n",
	       c, sums[BARE_SIDE].cpu_us, sums[OUR_SIDE].cpu_us, fleet_ratio,
	       sums[BARE_SIDE].own_cpu_us, master.cpu_us, master_ratio);
}

static void connect_cycles(struct systems *systems, const struct options *options, unsigned batch)
{
	struct child client;

	for (size_t i = 0; i < sizeof(connect_cuts) / sizeof(connect_cuts[0]); i++) {
		const struct cut *cut = &connect_cuts[i];

		master_start(systems, cut->connections);
		client_start(&client, systems, "connect", cut);
		for (unsigned pair = 0; pair < options->connect_pairs; pair++)
			connect_pair(systems, &client, cut,
				     (batch * options->connect_pairs + pair) * cut->slices);
		child_stop(&client);
		child_stop(&systems->master);
	}
}

/* The gate is the worse of the fleet's and the master's. */
static void connect_gate(unsigned c)
{
	char fleet[BOOK_KEY_MAX], master[BOOK_KEY_MAX];

	snprintf(fleet, sizeof(fleet), "connect_%u_fleet_ratio", c);
	snprintf(master, sizeof(master), "connect_%u_master_ratio", c);
	book_add(fmin(book_quantile(fleet, 0.5), book_quantile(master, 0.5)), "connect_%u_ratio",
		 c);
}

static void json(const struct systems *systems)
{
	char program[300];
	const char *argv[] = { program, NULL };
	struct child child;
	const char *line;

	snprintf(program, sizeof(program), "%s/json_bench", systems->bin_dir);
	if (access(program, X_OK) < 0) {
		printf("json: no %s: it needs jansson and cJSON\n", program);
		return;
	}
	child_start(&child, "json_bench", systems->client_cpu, NULL, argv);
	do {
		line = child_line(&child, 120000);
	} while (line[0] != '{');
	puts(line);
	if (!book_add_json(line))
		die(0, "json_bench printed no figure");
	child_wait(&child, 10000);
}

static void measure(struct systems *systems, const struct options *options)
{
	if (options->kept && raise_open_files() < 2 * 9000 + 100)
		die(0,
		    "9,000 connections to two servers need 18,100 open files a process; the "
		    "limit is %zu",
		    raise_open_files());
	for (unsigned batch = 0; batch < options->batches && (options->kept || options->connect);
	     batch++) {
		systems_start(systems);
		printf("-- %u of %u: %d targets on port %u, answers of %zu bytes (+- %zu)\n",
		       batch + 1, options->batches, TARGETS, systems->port, systems->answer_len,
		       systems->slack);
		if (options->kept)
			kept(systems, options, batch);
		if (options->connect)
			connect_cycles(systems, options, batch);
		systems_stop(systems);
	}
	if (options->connect) {
		connect_gate(100);
		connect_gate(1000);
	}
	if (options->json)
		json(systems);
}

static void usage(void)
{
	fputs("usage: run [--emu PROGRAM | --null] [--only kept|connect|json] [--batches N]\n"
	      "           [--leanest] [--out FILE] [--no-gate]\n"
	      "  --emu      the program under test (default: quintain-emu of this build)\n"
	      "  --null     bare programs in its place: how far from 1.00 the harness itself ends\n"
	      "  --batches  starts of all processes, 3 pairs of each kind after each (default 5)\n"
	      "  --leanest  the references use every trick: edge-triggered, sending without "
	      "waiting\n"
	      "  --no-gate  exit with 0 though a floor is missed\n",
	      stderr);
	exit(2);
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "emu", required_argument, NULL, 'e' },
		{ "null", no_argument, NULL, 'n' },
		{ "only", required_argument, NULL, 'o' },
		{ "out", required_argument, NULL, 'f' },
		{ "batches", required_argument, NULL, 'b' },
		{ "no-gate", no_argument, NULL, 'g' },
		{ "leanest", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	const char *only = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'e': options->emu = optarg; break;
		case 'n': options->emu = BENCH_SOURCE_DIR "/null_emu"; break;
		case 'o': only = optarg; break;
		case 'f': options->out = optarg; break;
		case 'b':
			options->batches = (unsigned)number_parse(optarg, 1, 20, "batches");
			break;
		case 'g': options->gate = false; break;
		case 'l': options->leanest = true; break;
		default: usage();
		}
	}
	if (optind != argc)
		usage();
	options->kept = !only || strcmp(only, "kept") == 0;
	options->connect = !only || strcmp(only, "connect") == 0;
	options->json = !only || strcmp(only, "json") == 0;
	if (!options->kept && !options->connect && !options->json)
		usage();
}

int main(int argc, char **argv)
{
	static struct systems systems;
	struct options options = {
		.batches = 5, .kept_pairs = 3, .connect_pairs = 3, .gate = true
	};
	char self[PATH_MAX] = "", emu[PATH_MAX], out[PATH_MAX];
	unsigned missed;

	parse(&options, argc, argv);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		die(errno, "/proc/self/exe");
	snprintf(systems.bin_dir, sizeof(systems.bin_dir), "%s", dirname(self));
	snprintf(emu, sizeof(emu), "%.250s/../bin/quintain-emu", systems.bin_dir);
	snprintf(out, sizeof(out), "%.250s/results.json", systems.bin_dir);
	systems.emu = options.emu ? options.emu : emu;
	if (access(systems.emu, X_OK) < 0)
		die(errno, "%s", systems.emu);
	setenv("BENCH_BIN_DIR", systems.bin_dir, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	systems.leanest = options.leanest;
	children_init();
	systems_init(&systems, 18081);
	measure(&systems, &options);
	missed = book_verdicts(options.kept, options.connect, options.json);
	book_write(options.out ? options.out : out);
	printf("\nall figures: %s\n", options.out ? options.out : out);
	if (missed)
		printf("%u of the floors %s missed\n", missed, missed == 1 ? "is" : "are");
	return missed && options.gate;
}

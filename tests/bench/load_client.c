/*
 * The load generator, the same for the bare server and for a fleet; in its `connect` mode also the
 * bare reference of a master.
 *
 *     load_client kept|connect --to ADDR:PORT [--watch PID] [--answer BYTES]
 *                 [--to ADDR:PORT [--watch PID] [--answer BYTES]] [--addresses N] [--connections N]
 *                 [--slack BYTES] [--seconds S] [--warm S] [--slices N] [--first 0|1] [--source
 * ADDR]
 *
 * stdout: one JSON line per slice. CPU times are those of the measured window, per answer.
 */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static bool connect_mode;

static void print_slice(const struct meter *meter)
{
	const struct counters *window = &meter->window;
	double seconds = (double)(meter->end - meter->start) / 1e9;
	double each = window->answers ? 1e-3 / (double)window->answers : 0;

	printf("{\"per_s\": %.1f, \"failed\": %llu, \"wrong\": %llu, "
	       "\"answer_bytes\": %.2f, \"cpu_us\": %.4f, \"own_cpu_us\": %.4f, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f}\n",
	       (double)window->answers / seconds, (unsigned long long)window->failed,
	       (unsigned long long)window->wrong,
	       window->answers ? (double)window->answer_bytes / (double)window->answers : 0,
	       (double)meter->cpu_watched * each, (double)meter->cpu_own * each,
	       hist_quantile_us(&meter->latency, 0.5), hist_quantile_us(&meter->latency, 0.99));
	fflush(stdout);
}

/* By turns: opened one side after the other, the later side was 3 % faster with 9,000 each. */
static void open_kept(const struct plan *plan, struct kept *kept[2])
{
	for (size_t side = 0; side < plan->n_sides; side++)
		kept[side] = kept_new(plan, &plan->sides[side]);
	for (uint32_t i = 0; i < plan->connections; i++) {
		for (size_t k = 0; k < plan->n_sides; k++)
			kept_connect(kept[(k + i) % plan->n_sides], i);
	}
}

static void run(const struct plan *plan)
{
	static struct meter meter;
	struct cycles *cycles[2] = { NULL };
	struct kept *kept[2] = { NULL };
	char line[32];

	for (size_t i = 0; i < plan->n_sides && connect_mode; i++)
		cycles[i] = cycles_new(plan, &plan->sides[i]);
	if (!connect_mode)
		open_kept(plan, kept);
	while (fgets(line, sizeof(line), stdin)) {
		size_t side = (size_t)atoi(line);

		if (side >= plan->n_sides)
			die(0, "no side %s", line);
		meter_start(&meter, plan, &plan->sides[side]);
		if (connect_mode)
			cycles_slice(cycles[side], &meter);
		else
			kept_slice(kept[side], &meter);
		print_slice(&meter);
	}
}

static struct side *last_side(struct plan *plan)
{
	if (!plan->n_sides)
		die(0, "--to comes first");
	return &plan->sides[plan->n_sides - 1];
}

static uint32_t address_parse(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		die(0, "%s is no IPv4 address", text);
	return ntohl(address.s_addr);
}

static void options(struct plan *plan, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "to", required_argument, NULL, 't' },
		{ "watch", required_argument, NULL, 'w' },
		{ "answer", required_argument, NULL, 'a' },
		{ "addresses", required_argument, NULL, 'n' },
		{ "connections", required_argument, NULL, 'c' },
		{ "slack", required_argument, NULL, 'k' },
		{ "seconds", required_argument, NULL, 's' },
		{ "warm", required_argument, NULL, 'W' },
		{ "source", required_argument, NULL, 'b' },
		{ "eager", no_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 't':
			if (plan->n_sides == 2)
				die(0, "at most two --to");
			plan->sides[plan->n_sides++].at = endpoint_parse(optarg);
			break;
		case 'w':
			last_side(plan)->watch = (pid_t)number_parse(optarg, 0, 1e9, "watch");
			break;
		case 'a':
			last_side(plan)->answer_len = (size_t)number_parse(optarg, 0, 4096,
									   "answer");
			break;
		case 'n':
			plan->addresses = (uint32_t)number_parse(optarg, 1, 1e6, "addresses");
			break;
		case 'c':
			plan->connections = (uint32_t)number_parse(optarg, 1, 1e6, "connections");
			break;
		case 'k': plan->slack = (size_t)number_parse(optarg, 0, 4096, "slack"); break;
		case 's':
			plan->measured_ns =
				(int64_t)(number_parse(optarg, 0, 1e6, "seconds") * 1e9);
			break;
		case 'W':
			plan->warm_ns = (int64_t)(number_parse(optarg, 0, 1e6, "warm") * 1e9);
			break;
		case 'e': plan->eager = true; break;
		case 'b': plan->source = address_parse(optarg); break;
		default: exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	static struct plan plan = {
		.addresses = 1, .connections = 1, .warm_ns = NS_PER_S / 5, .measured_ns = NS_PER_S
	};

	options(&plan, argc, argv);
	if (!plan.n_sides || optind + 1 != argc)
		die(0, "usage: kept|connect --to ADDRESS:PORT ... (see the head of load_client.c)");
	connect_mode = strcmp(argv[optind], "connect") == 0;
	if (!connect_mode && strcmp(argv[optind], "kept") != 0)
		die(0, "%s is neither kept nor connect", argv[optind]);
	raise_open_files();
	run(&plan);
	return 0;
}

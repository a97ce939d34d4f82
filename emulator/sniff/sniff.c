#include "emulator/sniff/sniff.h"

#include "emulator/base/fds.h"
#include "emulator/base/ports.h"
#include "emulator/sniff/pcapng_write.h"
#include "emulator/sniff/recording.h"
#include "emulator/sniff/relay.h"
#include "emulator/sniff/witness.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { AS_ASKED = 0, USAGE = 2, ENVIRONMENT = 3 };
#define RATES_NS NS_PER_S
/* Often enough for an eye, seldom enough for a disk. */
#define FLUSH_NS (50 * NS_PER_MS)
#define CONNS_MAX 16384

#define OF_SNIFF(pointer, member)                                                                  \
	((struct sniff *)((char *)(pointer)-offsetof(struct sniff, member)))

static const char help[] =
	"usage: quintain-emu sniff WIRE --listen ADDRESS:PORT --to ADDRESS:PORT [options]\n"
	"\n"
	"A proxy between two real peers that says what goes through it. WIRE is snyper, http, framed,\n"
	"agent (under TLS: its records), jsonrpc or auto. What connects to --listen gets a connection\n"
	"to --to, from its own address where this machine has that.\n"
	"\n"
	"  --listen FROM[-TO]:PORT   where it listens: one address, or as many as --to has\n"
	"  --to FROM[-TO]:PORT       where that leads; a range is one of targets (repeatable, in pairs)\n"
	"  --record FILE             what happened, a JSON object a line\n"
	"  --pcap FILE               the same as a capture for Wireshark\n"
	"  --fault 'KIND, ...'       e.g. 'delay, time 200ms, probability 0.3' (repeatable)\n"
	"  --on SIDE                 who sends what the --fault before it spoils: client, server\n"
	"                            (unless told otherwise), both\n"
	"  --seed N                  of the faults' draws (1)\n"
	"  --own-source              connect from our own address\n"
	"  --for TIME                end after this time, e.g. 30s, 5m\n"
	"  --connections             show beginnings and ends, too\n"
	"  --quiet                   no line a message: rates, then the summary\n"
	"  -h, --help                this text\n"
	"\n"
	"exit codes: 0 as asked, 2 usage, 3 environment, or a file could not be written whole\n";

struct options {
	struct routes routes;
	struct unit_faults faults;
	enum dialog_wire wire;
	const char *listen; /* that has no --to yet */
	const char *record, *pcap;
	int64_t for_ns;
	bool own_source, connections, quiet;
};

struct sniff {
	struct loop loop;
	struct options options;
	struct relay *relay;
	struct witness *witness;
	struct out_file recording, capture;
	struct timer end, flush, rates;
	struct loop_watch signals;
	int signal_fd;
	int64_t start_ns;
	uint64_t messages, bytes; /* at the last rates */
	bool failed, wall_known, source_told;
};

static int usage(const char *what)
{
	fprintf(stderr, "quintain-emu sniff: %s\ntry: quintain-emu sniff --help\n", what);
	return USAGE;
}

/* ---- options ---- */

static int take_wire(struct options *options, const char *name)
{
	for (unsigned i = 0; dialog_wire_names[i] != NULL; i++) {
		if (strcmp(name, dialog_wire_names[i]) == 0) {
			options->wire = (enum dialog_wire)i;
			return AS_ASKED;
		}
	}
	const char *near = settings_nearest(name, dialog_wire_names);
	fprintf(stderr, "quintain-emu sniff: unknown wire \"%.40s\"%s%s%s\n", name,
		near != NULL ? " (did you mean \""
			     : "; expected snyper, http, framed, agent, jsonrpc or auto",
		near != NULL ? near : "", near != NULL ? "\"?)" : "");
	return USAGE;
}

static int take_route(struct options *options, const char *to)
{
	if (options->listen == NULL)
		return usage("--to comes after its --listen");
	const char *wrong = routes_add(&options->routes, options->listen, to);
	options->listen = NULL;
	return wrong != NULL ? usage(wrong) : AS_ASKED;
}

static int take_side(struct options *options, const char *side)
{
	bool both = strcmp(side, "both") == 0;

	if (options->faults.n == 0)
		return usage("--on comes after its --fault");
	if (!both && strcmp(side, "client") != 0 && strcmp(side, "server") != 0)
		return usage("--on takes client, server or both");
	unit_faults_on(&options->faults, both || side[0] == 'c', both || side[0] == 's');
	return AS_ASKED;
}

static int take_seed(struct options *options, const char *text)
{
	char *end;
	unsigned long long seed = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		return usage("--seed takes a number");
	options->faults.seed = seed;
	return AS_ASKED;
}

enum { LISTEN = 256, TO, RECORD, PCAP, FAULT, ON, SEED, OWN_SOURCE, FOR, CONNECTIONS, QUIET };

static int take_option(struct options *options, int opt)
{
	switch (opt) {
	case LISTEN:
		if (options->listen != NULL)
			return usage("--listen without a --to after it");
		options->listen = optarg;
		return AS_ASKED;
	case TO: return take_route(options, optarg);
	case RECORD: options->record = optarg; return AS_ASKED;
	case PCAP: options->pcap = optarg; return AS_ASKED;
	case FAULT:
		return unit_faults_add(&options->faults, optarg, options->wire) ? AS_ASKED : USAGE;
	case ON: return take_side(options, optarg);
	case SEED: return take_seed(options, optarg);
	case OWN_SOURCE: options->own_source = true; return AS_ASKED;
	case FOR:
		if (!units_duration(optarg, false, &options->for_ns) || options->for_ns == 0)
			return usage("--for takes a time with a unit, e.g. 30s");
		return AS_ASKED;
	case CONNECTIONS: options->connections = true; return AS_ASKED;
	case QUIET: options->quiet = true; return AS_ASKED;
	case 'h': fputs(help, stdout); return -1;
	default: fputs("try: quintain-emu sniff --help\n", stderr); return USAGE;
	}
}

/* AS_ASKED: go on. -1: it is done (--help). */
static int parse(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, LISTEN },
		{ "to", required_argument, NULL, TO },
		{ "record", required_argument, NULL, RECORD },
		{ "pcap", required_argument, NULL, PCAP },
		{ "fault", required_argument, NULL, FAULT },
		{ "on", required_argument, NULL, ON },
		{ "seed", required_argument, NULL, SEED },
		{ "own-source", no_argument, NULL, OWN_SOURCE },
		{ "for", required_argument, NULL, FOR },
		{ "connections", no_argument, NULL, CONNECTIONS },
		{ "quiet", no_argument, NULL, QUIET },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int rc = AS_ASKED;

	options->faults.seed = 1;
	/* The wire comes first: which faults make sense depends on it. */
	if (argc > 1 && argv[1][0] != '-') {
		rc = take_wire(options, argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	} else if (argc < 2 || (strcmp(argv[1], "-h") != 0 && strcmp(argv[1], "--help") != 0)) {
		return usage("expected a wire first: snyper, http, framed, agent, jsonrpc or auto");
	}
	optind = 1;
	for (int opt; rc == AS_ASKED && (opt = getopt_long(argc, argv, "h", longs, NULL)) != -1;)
		rc = take_option(options, opt);
	if (rc != AS_ASKED)
		return rc;
	if (optind != argc)
		return usage("expected one wire, then options");
	if (options->listen != NULL)
		return usage("--listen without a --to after it");
	if (options->routes.n == 0)
		return usage("expected --listen ADDRESS:PORT --to ADDRESS:PORT");
	return AS_ASKED;
}

/* ---- while it runs ---- */

/* What the disk did not take is said once; the connections go on. */
static void look_at(struct sniff *sniff, struct out_file *out)
{
	if (out->error == 0 || out->told)
		return;
	out->told = true;
	sniff->failed = true;
	fprintf(stderr,
		"quintain-emu sniff: %s: %s; the recording ends here, the connections go on\n",
		out->path, strerror(-out->error));
}

static void flush_all(struct sniff *sniff)
{
	out_flush(&sniff->recording);
	out_flush(&sniff->capture);
	look_at(sniff, &sniff->recording);
	look_at(sniff, &sniff->capture);
	fflush(stdout);
}

static void on_flush(struct timer *timer, int64_t now_ns)
{
	struct sniff *sniff = OF_SNIFF(timer, flush);

	(void)now_ns;
	flush_all(sniff);
}

/* The first connection is the zero of all times: only now is it known when that was. */
static void on_happened(void *owner, const struct happened *happened)
{
	struct sniff *sniff = owner;
	const struct relay_stats *stats = relay_stats(sniff->relay);

	if (!sniff->wall_known) {
		sniff->wall_known = true;
		witness_set_wall(sniff->witness, sniff->loop.wall_ns);
		if (sniff->options.record != NULL)
			recording_begin(&sniff->recording, "quintain-emu sniff " QN_VERSION,
					sniff->loop.wall_ns);
	}
	if (stats->own_source > 0 && !sniff->source_told) {
		sniff->source_told = true;
		fprintf(stderr,
			"quintain-emu sniff: this machine does not have the client's address: "
			"the other side sees ours\n");
	}
	witness_happened(sniff->witness, happened);
	if (!timer_armed(&sniff->flush))
		loop_timer(&sniff->loop, &sniff->flush, FLUSH_NS);
}

static void on_rates(struct timer *timer, int64_t now_ns)
{
	struct sniff *sniff = OF_SNIFF(timer, rates);
	const struct witness_counts *counts = witness_counts(sniff->witness);
	const struct hist *latency = witness_latency(sniff->witness);
	bool terminal = isatty(STDERR_FILENO);

	fprintf(stderr,
		"%s%4" PRId64 " s  %zu open, %" PRIu64 " messages/s, %" PRIu64
		" bytes/s, p50 %.3f ms, p99 %.3f ms%s",
		terminal ? "\r\033[K" : "", (now_ns - sniff->start_ns) / NS_PER_S,
		relay_stats(sniff->relay)->open, counts->messages - sniff->messages,
		counts->bytes - sniff->bytes, (double)hist_percentile(latency, 50) / 1e6,
		(double)hist_percentile(latency, 99) / 1e6, terminal ? "" : "\n");
	sniff->messages = counts->messages;
	sniff->bytes = counts->bytes;
	loop_timer(&sniff->loop, &sniff->rates, RATES_NS);
}

static void on_end(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	loop_stop(&OF_SNIFF(timer, end)->loop);
}

static void on_signal(struct loop_watch *watch, uint32_t events)
{
	(void)events;
	loop_stop(&OF_SNIFF(watch, signals)->loop);
}

static int watch_signals(struct sniff *sniff)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sniff->signals.ready = on_signal;
	sniff->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sniff->signal_fd < 0)
		return -errno;
	return loop_add(&sniff->loop, sniff->signal_fd, EPOLLIN, &sniff->signals);
}

/* ---- from start to end ---- */

static int open_file(struct out_file *out, const char *path)
{
	out->fd = -1;
	if (path == NULL)
		return 0;
	int rc = out_open(out, path);
	if (rc < 0)
		fprintf(stderr, "quintain-emu sniff: %s: %s\n", path, strerror(-rc));
	return rc;
}

static void say_why_not(struct net_addr at, int error)
{
	struct port_holder holder;
	char text[160];

	if (error == -EADDRINUSE && port_find_holder(at, &holder))
		port_holder_text(at, &holder, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", strerror(-error));
	char addr[24];
	if (error == -EADDRINUSE && strchr(text, ':') != NULL)
		fprintf(stderr, "quintain-emu sniff: cannot listen: %s\n", text);
	else
		fprintf(stderr, "quintain-emu sniff: cannot listen on %s: %s\n",
			net_addr_text(at, addr, sizeof(addr)), text);
}

static int open_witness(struct sniff *sniff)
{
	struct options *options = &sniff->options;
	struct witness_options how = {
		.wire = options->wire,
		.out = options->quiet ? NULL : stdout,
		.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL,
		.connections = options->connections,
		.recording = options->record != NULL ? &sniff->recording : NULL,
		.capture = options->pcap != NULL ? &sniff->capture : NULL,
		.conns_max = CONNS_MAX,
	};

	if (open_file(&sniff->recording, options->record) < 0 ||
	    open_file(&sniff->capture, options->pcap) < 0)
		return -EIO;
	if (options->pcap != NULL)
		pcapng_begin(&sniff->capture, "quintain-emu " QN_VERSION);
	return witness_new(&how, &sniff->witness);
}

static int open_relay(struct sniff *sniff)
{
	struct options *options = &sniff->options;
	struct relay_options how = {
		.routes = &options->routes,
		.wire = options->wire,
		.faults = options->faults.n > 0 ? &options->faults : NULL,
		.own_source = options->own_source,
		.conns_max = CONNS_MAX,
		.happened = on_happened,
		.owner = sniff,
	};
	struct net_addr at = { 0, 0 };
	char from[24], to[24];

	int rc = relay_new(&sniff->loop, &how, &sniff->relay);
	if (rc < 0)
		return rc;
	rc = relay_listen(sniff->relay, &at);
	if (rc < 0) {
		say_why_not(at, rc);
		return -EIO;
	}
	for (size_t i = 0; i < options->routes.n; i++) {
		const struct route *route = &options->routes.routes[i];
		struct net_addr listen = route->listen;
		if (i == 0)
			listen.port = relay_port(sniff->relay);
		fprintf(stderr, "quintain-emu sniff: %s: %s leads to %s",
			dialog_wire_names[options->wire], net_addr_text(listen, from, sizeof(from)),
			net_addr_text(route->to, to, sizeof(to)));
		if (route->count > 1)
			fprintf(stderr, ", and %u more", route->count - 1);
		fputc('\n', stderr);
	}
	return 0;
}

static int start(struct sniff *sniff)
{
	size_t fds;
	int rc = fds_raise(&fds);

	if (rc == 0)
		rc = open_witness(sniff);
	if (rc == 0)
		rc = open_relay(sniff);
	if (rc == 0)
		rc = watch_signals(sniff);
	if (rc < 0)
		return rc;
	sniff->flush.fire = on_flush;
	sniff->rates.fire = on_rates;
	sniff->end.fire = on_end;
	loop_read_clocks(&sniff->loop);
	sniff->start_ns = sniff->loop.now_ns;
	if (sniff->options.quiet)
		loop_timer(&sniff->loop, &sniff->rates, RATES_NS);
	if (sniff->options.for_ns > 0)
		loop_timer(&sniff->loop, &sniff->end, sniff->options.for_ns);
	return 0;
}

static void stop(struct sniff *sniff)
{
	if (sniff->relay != NULL) {
		const struct relay_stats *stats = relay_stats(sniff->relay);
		if (stats->refused_full + stats->no_room > 0)
			fprintf(stderr,
				"quintain-emu sniff: no room for %" PRIu64 " connections; %" PRIu64
				" were reset because too much waited\n",
				stats->refused_full, stats->no_room);
		relay_free(sniff->relay);
	}
	out_close(&sniff->recording);
	out_close(&sniff->capture);
	look_at(sniff, &sniff->recording);
	look_at(sniff, &sniff->capture);
	if (sniff->signal_fd >= 0)
		close(sniff->signal_fd);
}

static int run(struct sniff *sniff)
{
	int rc = loop_init(&sniff->loop);

	sniff->signal_fd = sniff->recording.fd = sniff->capture.fd = -1;
	if (rc == 0)
		rc = start(sniff);
	bool started = rc == 0;
	if (started)
		rc = loop_run(&sniff->loop, TIMERS_NEVER);
	if (rc < 0 && rc != -EIO)
		fprintf(stderr, "quintain-emu sniff: %s\n", strerror(-rc));
	int64_t took_ns = sniff->loop.now_ns - sniff->start_ns;
	stop(sniff);
	if (started) {
		if (sniff->options.quiet && isatty(STDERR_FILENO))
			fputc('\n', stderr);
		witness_summary(sniff->witness, took_ns, stdout);
	}
	if (sniff->witness != NULL)
		witness_free(sniff->witness);
	loop_release(&sniff->loop);
	return rc < 0 || sniff->failed ? ENVIRONMENT : AS_ASKED;
}

int sniff_main(int argc, char **argv)
{
	static struct sniff sniff;
	int rc = parse(&sniff.options, argc, argv);

	signal(SIGPIPE, SIG_IGN);
	if (rc == AS_ASKED)
		rc = run(&sniff);
	unit_faults_release(&sniff.options.faults);
	return rc < 0 ? AS_ASKED : rc;
}

#include "emulator/console/console.h"

#include "emulator/console/parts.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The program: options, address, loop. */

enum { AS_ASKED = 0, USAGE = 2, ENVIRONMENT = 3 };
#define PORT_DEFAULT 9999

static const char help[] =
	"usage: quintain-emu console framed://HOST[:PORT] [options]\n"
	"\n"
	"An interactive client of the wire framed: /ping, /echo TEXT, /broadcast TEXT, /stats,\n"
	"/custom TYPE [JSON], /exit, and plain text. Keys as in a shell; Ctrl-D leaves. Lines that\n"
	"come from a pipe or a file are sent one by one, and it ends when all are answered.\n"
	"\n"
	"  --demo             what the original client shows, then leave\n"
	"  --performance      echoes, timed, then leave\n"
	"  --messages N       of --performance (1000)\n"
	"  --in-flight N      at the same time, of --performance (1)\n"
	"  --bytes N          of each content, of --performance (26)\n"
	"  -h, --help         this text\n"
	"\n"
	"exit codes: 0 as asked, 2 usage, 3 no connection, or it was lost\n";

struct options {
	const char *url;
	bool demo, performance;
	uint64_t messages, in_flight, bytes;
};

void console_leave(struct console *console, int code)
{
	if (console->leaving)
		return;
	console->leaving = true;
	console->code = code;
	loop_stop(&console->loop);
}

static int usage(const char *what)
{
	fprintf(stderr, "quintain-emu console: %s\ntry: quintain-emu console --help\n", what);
	return USAGE;
}

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < 1 || value > max)
		return false;
	*ret = value;
	return true;
}

/* AS_ASKED: go on. -1: it is done (--help). */
static int parse(struct options *options, int argc, char **argv)
{
	enum { DEMO = 256, PERFORMANCE, MESSAGES, IN_FLIGHT, BYTES };
	static const struct option longs[] = {
		{ "demo", no_argument, NULL, DEMO },
		{ "performance", no_argument, NULL, PERFORMANCE },
		{ "messages", required_argument, NULL, MESSAGES },
		{ "in-flight", required_argument, NULL, IN_FLIGHT },
		{ "bytes", required_argument, NULL, BYTES },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};

	optind = 1;
	for (int opt; (opt = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
		switch (opt) {
		case DEMO: options->demo = true; break;
		case PERFORMANCE: options->performance = true; break;
		case MESSAGES:
			if (!number(optarg, 1000000000, &options->messages))
				return usage("--messages takes a number from 1");
			break;
		case IN_FLIGHT:
			if (!number(optarg, 10000, &options->in_flight))
				return usage("--in-flight takes a number from 1 to 10000");
			break;
		case BYTES:
			if (!number(optarg, 65000, &options->bytes))
				return usage("--bytes takes a number from 1 to 65000");
			break;
		case 'h': fputs(help, stdout); return -1;
		default: fputs("try: quintain-emu console --help\n", stderr); return USAGE;
		}
	}
	if (argc - optind != 1)
		return usage("expected one address, e.g. framed://127.0.0.1:9999");
	if (options->demo && options->performance)
		return usage("--demo or --performance, not both");
	options->url = argv[optind];
	return AS_ASKED;
}

/* framed://HOST[:PORT]; a bare HOST[:PORT] will do. */
static int resolve(struct console *console, const char *url)
{
	static const char scheme[] = "framed://";
	const char *rest = strncmp(url, scheme, sizeof(scheme) - 1) == 0 ? url + sizeof(scheme) - 1
									 : url;
	uint64_t port = PORT_DEFAULT;
	char host[256];

	if (rest == url && strstr(url, "://") != NULL)
		return usage("only framed:// is spoken here");
	size_t len = strcspn(rest, ":/");
	if (len == 0 || len >= sizeof(host))
		return usage("expected framed://HOST:PORT");
	memcpy(host, rest, len);
	host[len] = '\0';
	if (rest[len] == ':' && !number(rest + len + 1, 65535, &port))
		return usage("the port is no number from 1 to 65535");
	console->url = url;
	console->at.port = (uint16_t)port;
	snprintf(console->info, sizeof(console->info), "TCP Client %s:%u", host, (unsigned)port);
	if (net_resolve(host, &console->at.ip))
		return AS_ASKED;
	fprintf(stderr, "quintain-emu console: %s: no such host\n", host);
	return ENVIRONMENT;
}

/* ---- signals ---- */

struct signals {
	struct loop_watch watch;
	struct console *console;
	int fd;
};

static void on_signal(struct loop_watch *watch, uint32_t events)
{
	struct signals *signals = (struct signals *)watch;

	(void)events;
	console_leave(signals->console, 0);
}

static int watch_signals(struct signals *signals, struct console *console)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals->watch.ready = on_signal;
	signals->console = console;
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return -errno;
	return loop_add(&console->loop, signals->fd, EPOLLIN, &signals->watch);
}

/* ---- */

static int start(struct console *console, const struct options *options)
{
	struct net_socket_limits limits = { .connections = 4,
					    .listeners = 1,
					    .buffer_bytes = 16u << 20 };
	int rc = net_socket_new(&console->loop, &limits, &console->net);

	if (rc == 0 && options->demo)
		rc = work_demo(console);
	if (rc == 0 && options->performance)
		rc = work_performance(console, options->messages, options->in_flight,
				      options->bytes);
	return rc;
}

static int run(struct console *console, const struct options *options)
{
	struct signals signals = { .fd = -1 };
	int rc = loop_init(&console->loop);

	if (rc < 0) {
		fprintf(stderr, "quintain-emu console: %s\n", strerror(-rc));
		return ENVIRONMENT;
	}
	rc = start(console, options);
	loop_read_clocks(&console->loop);
	if (rc == 0)
		rc = watch_signals(&signals, console);
	if (rc == 0) {
		console->colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
		console->types = !options->demo && !options->performance;
		client_dial(console);
		if (console->types)
			rc = screen_open(console);
	}
	if (rc == 0)
		rc = loop_run(&console->loop, TIMERS_NEVER);
	if (rc < 0) {
		fprintf(stderr, "quintain-emu console: %s\n", strerror(-rc));
		console->code = ENVIRONMENT;
	}
	screen_close(console);
	client_close(console);
	work_free(console);
	if (console->net != NULL)
		net_socket_free(console->net);
	if (signals.fd >= 0)
		close(signals.fd);
	loop_release(&console->loop);
	return console->code;
}

int console_main(int argc, char **argv)
{
	struct options options = { .messages = 1000, .in_flight = 1, .bytes = 26 };
	static struct console console = { .limit = QN_FRAMED_LIMIT_DEFAULT };
	int rc = parse(&options, argc, argv);

	if (rc == AS_ASKED)
		rc = resolve(&console, options.url);
	else if (rc < 0)
		return AS_ASKED;
	signal(SIGPIPE, SIG_IGN);
	return rc == AS_ASKED ? run(&console, &options) : rc;
}

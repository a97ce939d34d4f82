#include "hil/cli/cmd.h"
#include "hil/cli/load.h"
#include "hil/rig/lock.h"
#include "hil/rig/rig.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What happens on a bench, as it happens. */

static const char help[] =
	"usage: quintain-hil watch --bench FILE [BOARD...] [options]\n"
	"\n"
	"Says what happens on a bench until Ctrl-C: servo widths, switches, console lines, ports,\n"
	"registrations, and what the checks find. Sends no command.\n"
	"\n"
	"  --bench FILE       the bench\n"
	"  --for TIME         no longer than this\n"
	"  --no-ports         leave the serial ports alone\n"
	"  -h, --help         this text\n";

struct watcher {
	struct loop loop;
	struct rig rig;
	struct record record;
	struct calibration calibration;
	bool wanted[BENCH_BOARDS_MAX];
	struct timer end;
	struct loop_watch signal;
	int64_t start_ns;
};

static void say(struct watcher *watcher, const struct rig_event *event, const char *text)
{
	printf("%10.6f  %-12s %s\n", (double)(event->t_ns - watcher->start_ns) / 1e9,
	       event->station->config->name, text);
	fflush(stdout);
}

static void heard(void *owner, const struct rig_event *event)
{
	struct watcher *watcher = owner;
	struct station *station = event->station;
	char text[600], width[48];

	if (!watcher->wanted[station->index])
		return;
	switch (event->kind) {
	case RIG_SERVO:
		snprintf(text, sizeof(text), "servo %s%s",
			 width_text(&watcher->rig.bench->servo, station->servo.width_ns, width,
				    sizeof(width)),
			 station->servo.settled ? ", at rest" : "");
		break;
	case RIG_SWITCH:
		snprintf(text, sizeof(text), "switch %s %s", bench_role_names[event->role],
			 event->level ? "closed" : "opened");
		break;
	case RIG_CONSOLE: {
		/* Empty: \r\n of before the port was ours, which cooked mode made two line ends. */
		if (event->line->len == 0)
			return;
		size_t used = (size_t)snprintf(text, sizeof(text), "console ");
		console_print_safe(event->line->text, event->line->len, text + used,
				   sizeof(text) - used);
		break;
	}
	case RIG_PORT:
		snprintf(text, sizeof(text), "port %s: %s", station->port_path,
			 event->error == 0 ? "there" : event->text);
		break;
	case RIG_REGISTERED: snprintf(text, sizeof(text), "registered from %s", event->text); break;
	case RIG_LINE_LOST: snprintf(text, sizeof(text), "%s", event->text); break;
	case RIG_FINDING:
		snprintf(text, sizeof(text), "%s: %s", check_name(event->finding->check),
			 event->finding->text);
		break;
	default: return;
	}
	say(watcher, event, text);
}

static void time_over(struct timer *timer, int64_t now_ns)
{
	struct watcher *watcher =
		(struct watcher *)(void *)((char *)timer - offsetof(struct watcher, end));

	(void)now_ns;
	loop_stop(&watcher->loop);
}

static void told_to_end(struct loop_watch *watch, uint32_t events)
{
	struct watcher *watcher =
		(struct watcher *)(void *)((char *)watch - offsetof(struct watcher, signal));

	(void)events;
	loop_stop(&watcher->loop);
}

static int watch_signals(struct watcher *watcher)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	watcher->signal.ready = told_to_end;
	return loop_add(&watcher->loop, fd, EPOLLIN, &watcher->signal);
}

static int watch_bench(const struct bench *bench, struct watcher *watcher, int64_t for_ns,
		       bool no_ports)
{
	/* The network as well: a board that starts meanwhile finds its master. */
	struct rig_options options = { .without_ports = no_ports };
	struct rig_fault fault = { .text = "" };
	int rc = loop_init(&watcher->loop);

	if (rc == 0)
		rc = record_init(&watcher->record,
				 &(struct record_limits){ 1, 1, 1, 1000, 100000, 1 },
				 watcher->loop.now_ns, watcher->loop.wall_ns);
	if (rc == 0)
		rc = watch_signals(watcher);
	if (rc == 0)
		rc = rig_open(&watcher->rig, &watcher->loop, bench, &watcher->record,
			      &watcher->calibration, &options, &fault);
	if (rc < 0)
		return cmd_trouble("watch", "%s",
				   fault.text[0] != '\0' ? fault.text : strerror(-rc));
	watcher->rig.listen = heard;
	watcher->rig.owner = watcher;
	watcher->start_ns = watcher->loop.now_ns;
	watcher->end.fire = time_over;
	if (for_ns > 0)
		loop_timer(&watcher->loop, &watcher->end, for_ns);
	rc = loop_run(&watcher->loop, TIMERS_NEVER);
	timer_cancel(&watcher->loop.timers, &watcher->end);
	rig_close(&watcher->rig);
	record_release(&watcher->record);
	loop_release(&watcher->loop);
	return rc < 0 ? cmd_trouble("watch", "%s", strerror(-rc)) : HIL_EXIT_OK;
}

static int choose(const struct bench *bench, int n, char **names, struct watcher *watcher)
{
	for (size_t i = 0; i < bench->boards.count; i++)
		watcher->wanted[i] = n == 0;
	for (int i = 0; i < n; i++) {
		int board = bench_find_board(bench, names[i]);
		if (board < 0)
			return cmd_usage("watch", "the bench has no board \"%.60s\"", names[i]);
		watcher->wanted[board] = true;
	}
	return HIL_EXIT_OK;
}

static int locked(const struct bench *bench, int n, char **names, int64_t for_ns, bool no_ports)
{
	struct rig_fault fault = { .text = "" };
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int rc = watcher != NULL ? choose(bench, n, names, watcher) : HIL_EXIT_ENVIRONMENT;

	if (rc == HIL_EXIT_OK) {
		int lock = bench_lock(bench, "watch", NULL, &fault);
		rc = lock < 0 ? cmd_trouble("watch", "%s", fault.text)
			      : watch_bench(bench, watcher, for_ns, no_ports);
		bench_unlock(lock);
	}
	free(watcher);
	return rc;
}

int cmd_watch(int argc, char **argv)
{
	static const struct option options[] = { { "bench", required_argument, NULL, 'b' },
						 { "for", required_argument, NULL, 'f' },
						 { "no-ports", no_argument, NULL, 'n' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct overrides none = { .n = 0 };
	const char *bench = NULL;
	bool no_ports = false;
	int64_t for_ns = 0;
	struct loaded loaded;

	optind = 1;
	for (int opt; (opt = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (opt) {
		case 'b': bench = optarg; break;
		case 'f':
			if (!units_duration(optarg, false, &for_ns) || for_ns == 0)
				return cmd_usage(argv[0], "--for takes a time, e.g. 10s");
			break;
		case 'n': no_ports = true; break;
		case 'h': fputs(help, stdout); return HIL_EXIT_OK;
		default: return cmd_wrong_option("watch");
		}
	}
	if (bench == NULL)
		return cmd_usage(argv[0], "needs --bench FILE");
	int rc = loaded_open_bench(argv[0], bench, &none, &loaded);
	if (rc == HIL_EXIT_OK)
		rc = locked(&loaded.bench.bench, argc - optind, argv + optind, for_ns, no_ports);
	loaded_release(&loaded);
	return rc;
}

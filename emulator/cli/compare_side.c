#include "emulator/cli/compare.h"

#include "emulator/base/units.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A fleet or a master in a process of its own, which does what it is ordered. */

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define LOOK_EVERY_NS (5 * NS_PER_MS)
#define PATIENCE_MS 300000

struct side {
	struct app app;
	struct app_options options;
	struct compare_share *share;
	struct loop_watch orders;
	int fd;
	struct timer look; /* are all registered? */
	struct hist pass, all;
	int64_t pass_start_ns;
};

static void say_done(struct side *side)
{
	const char done = SIDE_DONE;

	if (send(side->fd, &done, 1, MSG_NOSIGNAL) != 1)
		loop_stop(&side->app.loop);
}

/* ---- what it used ---- */

static int64_t ns_of(const struct timeval *tv)
{
	return (int64_t)tv->tv_sec * NS_PER_S + (int64_t)tv->tv_usec * 1000;
}

/* RssAnon of proc(5): what it has of its own. */
static uint64_t own_memory(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long kb = 0;
	char line[256];

	if (status == NULL)
		return 0;
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "RssAnon: %llu kB", &kb) == 1)
			break;
	fclose(status);
	return kb * 1024;
}

static void fill_usage(struct side *side)
{
	const struct net_stats *net = &side->app.net->stats;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	side->share->usage =
		(struct compare_usage){ .cpu_ns = ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime),
					.memory_bytes = own_memory(),
					.connected = net->connected,
					.payload_bytes = net->bytes_out };
}

/* ---- a pass ---- */

static void pass_over(void *context)
{
	struct side *side = context;
	const struct master_totals *totals = master_totals(side->app.master);

	hist_reset(&side->pass);
	for (int i = 0; i < RANGE_COMMANDS; i++)
		hist_add(&side->pass, &master_stats(side->app.master, range_commands[i])->latency);
	hist_add(&side->all, &side->pass);
	loop_read_clocks(&side->app.loop);
	side->share->pass = (struct compare_pass){
		.wall_ns = side->app.loop.now_ns - side->pass_start_ns,
		.p50_ns = hist_percentile(&side->pass, 50),
		.p99_ns = hist_percentile(&side->pass, 99),
		.p999_ns = hist_percentile(&side->pass, 99.9),
		.sent = totals->sent,
		.ok = totals->ok,
		.failed = totals->failed,
		.lost = totals->lost,
	};
	say_done(side);
}

/* The rounds that build_master() made are played once: each pass has some of its own. */
static int begin_pass(struct side *side)
{
	struct app *app = &side->app;

	rounds_free(app->rounds);
	app->rounds = NULL;
	master_reset_stats(app->master);
	int rc = rounds_new(&app->loop, app->master, &app->events, &app->config.master, pass_over,
			    side, &app->rounds);
	if (rc < 0)
		return rc;
	loop_read_clocks(&app->loop);
	side->pass_start_ns = app->loop.now_ns;
	rounds_start(app->rounds);
	return 0;
}

static void fill_curve(struct side *side)
{
	const struct hist *all = &side->all;

	side->share->curve_n = all->n;
	for (int i = 0; i <= COMPARE_CURVE; i++)
		side->share->curve[i] = hist_percentile(all,
							100 * (1 - compare_curve_rest(all->n, i)));
	side->share->curve[0] = all->n > 0 ? all->min : 0;
	side->share->curve[COMPARE_CURVE] = all->max;
}

static void on_order(struct loop_watch *watch, uint32_t events)
{
	struct side *side = OF(watch, struct side, orders);
	char order;

	(void)events;
	if (recv(side->fd, &order, 1, 0) != 1) {
		loop_stop(&side->app.loop); /* the parent is gone, or wants no more */
		return;
	}
	switch (order) {
	case SIDE_PASS:
		if (begin_pass(side) < 0)
			loop_stop(&side->app.loop);
		return;
	case SIDE_FORGET: hist_reset(&side->all); break;
	case SIDE_CURVE: fill_curve(side); break;
	case SIDE_END: loop_stop(&side->app.loop); return;
	default: break;
	}
	fill_usage(side);
	say_done(side);
}

/* ---- its life ---- */

static void look_at_targets(struct timer *timer, int64_t now_ns)
{
	struct side *side = OF(timer, struct side, look);
	const struct fleet *fleet = side->app.fleet;

	(void)now_ns;
	if (fleet->env.totals.registered == fleet->count)
		say_done(side);
	else
		loop_timer(&side->app.loop, timer, LOOK_EVERY_NS);
}

static void without_scenario(struct emu_config *config)
{
	config->scenario.timeline.count = config->scenario.expect.count = 0;
	config->master.wait.targets = 0;
	config->master.repeat = 1;
}

static void fleet_alone(struct emu_config *config)
{
	struct group_config *groups = config->fleet.groups.at;

	without_scenario(config);
	config->master.present = false;
	for (size_t i = 0; i < config->fleet.groups.count; i++)
		groups[i].start = -1;
}

static void master_alone(struct emu_config *config)
{
	without_scenario(config);
	config->fleet.present = false;
	config->fleet.targets = 0;
}

static int live(struct side *side, bool fleet)
{
	struct app *app = &side->app;

	if (app_prepare(app, &side->options) != EXIT_AS_ASKED)
		return EXIT_ENVIRONMENT;
	int rc = hist_init(&side->pass);
	if (rc == 0)
		rc = hist_init(&side->all);
	side->orders.ready = on_order;
	if (rc == 0)
		rc = loop_add(&app->loop, side->fd, EPOLLIN, &side->orders);
	if (rc < 0)
		return EXIT_ENVIRONMENT;
	loop_read_clocks(&app->loop);
	side->look.fire = look_at_targets;
	if (fleet) {
		fleet_start(app->fleet);
		loop_timer(&app->loop, &side->look, 0);
	} else {
		say_done(side);
	}
	loop_run(&app->loop, TIMERS_NEVER);
	return EXIT_AS_ASKED;
}

int compare_side_start(struct compare_side *side, const struct app_options *options, bool fleet)
{
	static struct side self;
	int fds[2];

	side->fd = -1;
	side->share = mmap(NULL, sizeof(*side->share), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (side->share == MAP_FAILED)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	fflush(NULL); /* or the child would write what waits here a second time */
	side->pid = fork();
	if (side->pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return -errno;
	}
	if (side->pid > 0) {
		close(fds[1]);
		side->fd = fds[0];
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(fds[0]);
	self.options = *options;
	self.options.adjust = fleet ? fleet_alone : master_alone;
	self.options.quiet = true;
	self.share = side->share;
	self.fd = fds[1];
	int code = live(&self, fleet);
	_exit(code); /* what it has open goes with it */
}

bool compare_side_wait(struct compare_side *side)
{
	struct pollfd poller = { side->fd, POLLIN, 0 };
	char word;

	return side->fd >= 0 && poll(&poller, 1, PATIENCE_MS) == 1 &&
	       recv(side->fd, &word, 1, 0) == 1 && word == SIDE_DONE;
}

bool compare_side_order(struct compare_side *side, enum compare_order order)
{
	const char byte = (char)order;

	return send(side->fd, &byte, 1, MSG_NOSIGNAL) == 1 && compare_side_wait(side);
}

void compare_side_stop(struct compare_side *side)
{
	const char end = SIDE_END;

	if (side->fd >= 0) {
		if (send(side->fd, &end, 1, MSG_NOSIGNAL) != 1)
			kill(side->pid, SIGTERM);
		close(side->fd);
		waitpid(side->pid, NULL, 0);
	}
	side->fd = -1;
	if (side->share != NULL && side->share != MAP_FAILED)
		munmap(side->share, sizeof(*side->share));
	side->share = NULL;
}

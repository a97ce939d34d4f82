#include "emulator/cli/app.h"

#include "emulator/base/fds.h"
#include "emulator/base/ports.h"

#include <errno.h>
#include <stdarg.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#define FDS_SPARE 64 /* files, epoll, signals, what libraries open */
#define CONNECTIONS_LEAST 256
#define CONNECTIONS_AUTO_MAX 16384

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("quintain-emu: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* ---- what the environment must offer ---- */

/* How many connections fit beside the listeners; 0 where they do not. */
static size_t connections_for(const struct app *app, size_t fd_limit)
{
	const struct fleet_config *fleet = &app->config.fleet;
	size_t wanted = fleet->present ? (size_t)fleet->connections_max : 0;
	size_t fixed = FDS_SPARE + (fleet->present ? fleet->targets : 0) + 1;
	size_t least = wanted > 0 ? wanted : CONNECTIONS_LEAST;

	if (app->config.master.present)
		least += app->config.master.options.limits.concurrency;
	if (fixed + least > fd_limit) {
		complain("this config needs %zu file descriptors (%u listeners, %zu connections), "
			 "the limit is %zu: raise it with `ulimit -n %zu` (as root, or in "
			 "/etc/security/limits.conf), or make the fleet smaller",
			 fixed + least, fleet->targets, least, fd_limit, fixed + least);
		return 0;
	}
	if (wanted > 0)
		return least;
	size_t room = fd_limit - fixed;
	return room < CONNECTIONS_AUTO_MAX ? room : CONNECTIONS_AUTO_MAX;
}

/* Every address must be this host's: found out by binding, before anything starts. */
static bool addresses_are_ours(const struct fleet_config *fleet)
{
	char text[24];

	for (uint32_t i = 0; i < fleet->targets; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(fleet->ips[i]) };
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return true;
		int rc = bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? errno : 0;
		close(fd);
		if (rc == 0)
			continue;
		net_addr_text((struct net_addr){ fleet->ips[i], 0 }, text, sizeof(text));
		text[strlen(text) - 2] = '\0';
		complain("%s cannot live on %s: %s; give the host that address "
			 "(ip address add %s/32 dev IFACE), or use a range in 127.0.0.0/8",
			 fleet->names[i], text, strerror(rc), text);
		return false;
	}
	return true;
}

/* A listener on every address takes the port from all targets of this host. */
static bool port_is_free(const struct fleet_config *fleet)
{
	const struct group_config *group = fleet->groups.at;
	uint16_t port = group->shared.port;
	struct port_holder holder;
	char text[160];

	if (!port_find_holder((struct net_addr){ fleet->ips[0], port }, &holder))
		return true;
	complain("%s", port_holder_text((struct net_addr){ fleet->ips[0], port }, &holder, text,
					sizeof(text)));
	if (holder.at.ip == 0)
		complain("a real master on this host must share the port with the targets: run it in a "
			 "network namespace of its own (ip netns add range; ip netns exec range ...), "
			 "or let it listen on one address (127.0.0.1), or give the targets another "
			 "port (fleet.port) where the master allows it");
	return false;
}

/* ---- troubles, told once ---- */

static void warn(struct event_sink *sink, const struct event *event)
{
	struct app *app = OF(sink, struct app, warner);
	struct port_holder holder;
	char text[256], line[512];

	if (event->kind != EVENT_LISTEN_FAILED || app->warned_listen || app->fleet == NULL)
		return;
	app->warned_listen = true;
	const struct target *target = &app->fleet->targets[event->target];
	struct net_addr at = { target->ip, target->group->port };
	if (app->fleet->env.last_listen_error == -EADDRINUSE && port_find_holder(at, &holder))
		snprintf(line, sizeof(line), "%s cannot listen: %s", target->name,
			 port_holder_text(at, &holder, text, sizeof(text)));
	else
		snprintf(line, sizeof(line), "%s cannot listen on %s: %s", target->name,
			 net_addr_text(at, text, sizeof(text)),
			 strerror(-app->fleet->env.last_listen_error));
	live_message(app->live, line);
}

/* ---- the end ---- */

static void stop_run(struct app *app, enum app_end end)
{
	if (app->end == APP_RUNNING)
		app->end = end;
	loop_stop(&app->loop);
}

static void on_signal(struct loop_watch *watch, uint32_t events)
{
	struct app *app = OF(watch, struct app, signal_watch);
	struct signalfd_siginfo info;

	(void)events;
	if (read(app->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (app->end == APP_SIGNAL) /* asked a second time: at once */
		_exit(128 + (int)info.ssi_signo);
	app->signal = (int)info.ssi_signo;
	stop_run(app, APP_SIGNAL);
}

static void on_time_up(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	stop_run(OF(timer, struct app, for_timer), APP_TIME_UP);
}

static void on_rounds_done(void *context)
{
	struct app *app = context;

	if (app->config.master.after_rounds == MASTER_THEN_EXIT)
		stop_run(app, APP_ROUNDS_DONE);
}

static int watch_signals(struct app *app)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	app->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (app->signal_fd < 0)
		return -errno;
	app->signal_watch.ready = on_signal;
	return loop_add(&app->loop, app->signal_fd, EPOLLIN, &app->signal_watch);
}

/* From here on a second signal kills at once: whatever still runs is only cleaning up. */
static void unblock_signals(void)
{
	sigset_t set;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- putting it together ---- */

static int build_master(struct app *app)
{
	const struct master_config *config = &app->config.master;
	struct port_holder holder;
	char text[160];
	int rc = master_new(&app->loop, app->net, &app->events, &config->options, &app->master);

	if (rc < 0)
		return rc;
	rc = master_listen(app->master);
	if (rc == -EADDRINUSE && port_find_holder(config->options.listen, &holder)) {
		complain("master.listen: %s", port_holder_text(config->options.listen, &holder, text,
							       sizeof(text)));
		return rc;
	}
	if (rc < 0) {
		complain("master.listen: %s: %s",
			 net_addr_text(config->options.listen, text, sizeof(text)), strerror(-rc));
		return rc;
	}
	return rounds_new(&app->loop, app->master, &app->events, config, on_rounds_done, app,
			  &app->rounds);
}

static int build(struct app *app)
{
	const struct emu_config *config = &app->config;
	size_t fd_limit;
	int rc = fds_raise(&fd_limit);

	if (rc < 0)
		return rc;
	if (config->fleet.present &&
	    (!addresses_are_ours(&config->fleet) || !port_is_free(&config->fleet)))
		return -EADDRNOTAVAIL;
	size_t connections = connections_for(app, fd_limit);
	if (connections == 0)
		return -EMFILE;
	struct net_socket_limits limits = { .connections = connections,
					    .listeners = config->fleet.targets + 1,
					    .buffer_bytes = config->fleet.present ?
								    (size_t)config->fleet.buffer_bytes :
								    8u << 20 };
	rc = net_socket_new(&app->loop, &limits, &app->net);
	if (rc < 0)
		return rc;
	if (app->options->log_path != NULL) {
		rc = log_open(app->options->log_path, &app->loop, config->fleet.targets, &app->log);
		if (rc < 0) {
			complain("--log %s: %s", app->options->log_path, strerror(-rc));
			return rc;
		}
		events_add(&app->events, log_sink(app->log));
	}
	app->warner = (struct event_sink){ .event = warn, .mask = EVENT_BIT(EVENT_LISTEN_FAILED) };
	events_add(&app->events, &app->warner);
	if (config->master.present) {
		rc = build_master(app);
		if (rc < 0)
			return rc;
	}
	if (config->fleet.present)
		rc = fleet_new(&app->loop, app->net, &app->events, &config->fleet,
			       (uint64_t)config->seed, &app->fleet);
	return rc < 0 ? rc : live_new(app, &app->live);
}

static void tear_down(struct app *app)
{
	rounds_free(app->rounds);
	fleet_free(app->fleet);
	if (app->net != NULL)
		net_socket_free(app->net);
	master_free(app->master);
	log_free(app->log);
	if (app->signal_fd >= 0)
		close(app->signal_fd);
	loop_release(&app->loop);
}

enum exit_code app_verdict(const struct app *app, char *why, size_t cap)
{
	if (app->master != NULL) {
		const struct master_totals *totals = master_totals(app->master);
		if (rounds_short_of(app->rounds) >= 0) {
			snprintf(why, cap, "%lld of %lld targets had registered in time",
				 (long long)rounds_short_of(app->rounds),
				 (long long)app->config.master.wait.targets);
			return EXIT_TEST_FAILED;
		}
		if (totals->lost + totals->failed > 0) {
			snprintf(why, cap, "%llu commands lost, %llu failed",
				 (unsigned long long)totals->lost,
				 (unsigned long long)totals->failed);
			return EXIT_TEST_FAILED;
		}
		if (app->end == APP_TIME_UP && app->rounds != NULL &&
		    app->config.master.rounds.count > 0 && app->config.master.repeat > 0 &&
		    !rounds_finished(app->rounds)) {
			snprintf(why, cap, "the time was up before the rounds were done");
			return EXIT_TEST_FAILED;
		}
		if (rounds_unsent(app->rounds) > 0) {
			snprintf(why, cap, "%llu sendings found no target",
				 (unsigned long long)rounds_unsent(app->rounds));
			return EXIT_TEST_FAILED;
		}
	}
	if (app->fleet != NULL) {
		const struct target_totals *totals = &app->fleet->env.totals;
		if (totals->by_state[TARGET_GONE] > 0) {
			snprintf(why, cap, "%llu targets are gone",
				 (unsigned long long)totals->by_state[TARGET_GONE]);
			return EXIT_TEST_FAILED;
		}
		if (totals->registrations == 0) {
			snprintf(why, cap, "no target was ever registered");
			return EXIT_TEST_FAILED;
		}
	}
	return EXIT_AS_ASKED;
}

static enum exit_code finish(struct app *app)
{
	char why[160] = "";
	enum exit_code code = app_verdict(app, why, sizeof(why));

	if (!app->options->quiet)
		summary_print(app, stdout, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
	if (app->options->json)
		summary_json(app, stdout);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("standard output: %s", strerror(errno));
		return EXIT_ENVIRONMENT;
	}
	return code;
}

enum exit_code app_run(const struct app_options *options)
{
	struct app app = { .options = options, .signal_fd = -1, .loop.epoll_fd = -1 };
	enum exit_code code = EXIT_ENVIRONMENT;
	struct settings *settings = emu_config_load(options->config_path, options->overrides,
						    options->n_overrides, &app.config);

	for (size_t i = 0; i < settings_errors(settings); i++)
		fprintf(stderr, "%s\n", settings_error_text(settings, i));
	if (settings_errors(settings) > 0) {
		settings_free(settings);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	int rc = loop_init(&app.loop);
	if (rc == 0)
		rc = watch_signals(&app);
	if (rc == 0)
		rc = build(&app);
	if (rc < 0) {
		if (rc != -EADDRNOTAVAIL && rc != -EMFILE && rc != -EADDRINUSE)
			complain("cannot start: %s", strerror(-rc));
		goto out;
	}
	app.start_ns = app.loop.now_ns;
	app.for_timer.fire = on_time_up;
	if (options->for_ns > 0)
		loop_timer(&app.loop, &app.for_timer, options->for_ns);
	if (app.rounds != NULL)
		rounds_start(app.rounds);
	if (app.fleet != NULL)
		fleet_start(app.fleet);
	live_start(app.live);
	rc = loop_run(&app.loop, TIMERS_NEVER);
	app.end_ns = app.loop.now_ns;
	unblock_signals();
	live_free(app.live);
	app.live = NULL;
	if (rc < 0)
		complain("the event loop failed: %s", strerror(-rc));
	else
		code = finish(&app);
out:
	live_free(app.live);
	tear_down(&app);
	settings_free(settings);
	return code;
}

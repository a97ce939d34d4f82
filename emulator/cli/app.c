#include "emulator/cli/app.h"

#include "emulator/base/fds.h"
#include "emulator/base/ports.h"
#include "emulator/base/trouble.h"
#include "emulator/sim/net_sim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* build() has said on stderr what is wrong. */
#define EXPLAINED (-4096)

/* ---- troubles, told once ---- */

static void warn_listen(struct app *app, const struct target *target)
{
	struct net_addr at = { target->ip, target->group->port };
	struct port_holder holder;
	char text[256], line[512];

	if (app->fleet->env.last_listen_error == -EADDRINUSE && port_find_holder(at, &holder))
		snprintf(line, sizeof(line), "%s cannot listen: %s", target->name,
			 port_holder_text(at, &holder, text, sizeof(text)));
	else
		snprintf(line, sizeof(line), "%s cannot listen on %s: %s", target->name,
			 net_addr_text(at, text, sizeof(text)),
			 strerror(-app->fleet->env.last_listen_error));
	live_message(app->live, line);
}

static void warn_register(struct app *app, const struct target *target, const struct event *event)
{
	char text[24], line[512];

	snprintf(line, sizeof(line), "%s cannot register with %s: %.*s%s", target->name,
		 net_addr_text(target->group->master, text, sizeof(text)), (int)event->text_len,
		 event->text, event->value >= 0 ? "; trying again" : "");
	live_message(app->live, line);
}

static void warn(struct event_sink *sink, const struct event *event)
{
	struct app *app = OF(sink, struct app, warner);
	bool listen = event->kind == EVENT_LISTEN_FAILED;
	bool *warned = listen ? &app->warned_listen : &app->warned_register;

	/* In a simulation such things are played, not suffered. */
	if (*warned || app->fleet == NULL || app->loop.simulated)
		return;
	*warned = true;
	const struct target *target = &app->fleet->targets[event->target];
	if (listen)
		warn_listen(app, target);
	else
		warn_register(app, target, event);
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
	stop_run(OF(timer, struct app, end_timer), APP_TIME_UP);
}

static void on_rounds_done(void *context)
{
	struct app *app = context;

	/* A scenario that has a duration goes on to its end. */
	if (app->config.master.after_rounds == MASTER_THEN_EXIT &&
	    app->config.scenario.duration_ns == 0)
		stop_run(app, APP_ROUNDS_DONE);
}

/* A simulated run waits for nothing that could wake it: the handler stops its loop. */
static struct app *simulated_app;

static void on_signal_simulated(int number)
{
	simulated_app->signal = number;
	simulated_app->end = APP_SIGNAL;
	simulated_app->loop.stopping = true;
}

static int catch_signals(struct app *app)
{
	/* The second one finds the default again, and ends the program at once. */
	struct sigaction action = { .sa_handler = on_signal_simulated, .sa_flags = SA_RESETHAND };

	simulated_app = app;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	return 0;
}

static int watch_signals(struct app *app)
{
	sigset_t set;

	if (app->loop.simulated)
		return catch_signals(app);
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

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- putting it together ---- */

static int build_sockets(struct app *app)
{
	struct emu_config *config = &app->config;
	size_t fd_limit;
	int rc = fds_raise(&fd_limit);

	if (rc < 0)
		return rc;
	size_t connections = environment_connections(config, fd_limit);
	if (connections == 0)
		return EXPLAINED;
	if (config->fleet.present && !environment_targets(&config->fleet))
		return EXPLAINED;
	struct master_limits *master = &config->master.options.limits;
	master->registrations = connections > master->concurrency
					? (uint32_t)connections - master->concurrency
					: 1;
	struct net_socket_limits limits = {
		.connections = connections,
		.listeners = config->fleet.targets + MASTER_LISTENERS_MAX,
		.buffer_bytes = config->fleet.present ? (size_t)config->fleet.buffer_bytes
						      : 32u << 20
	};
	return net_socket_new(&app->loop, &limits, &app->net);
}

static int build_simulation(struct app *app)
{
	const struct emu_config *config = &app->config;
	size_t targets = config->fleet.targets;
	size_t commands = config->master.present ? config->master.options.limits.concurrency : 0;
	struct net_sim_options options = {
		.seed = (uint64_t)config->seed,
		.latency = config->simulate.latency,
		.connect_loss = config->simulate.connect_loss,
		.break_chance = config->simulate.break_chance,
		/* Both ends, those that linger, and as many again that faults keep open. */
		.connections = (targets + commands + config->fleet.talkers) * 8 + 8192,
		.listeners = targets + 64,
		.units = (targets + commands + config->fleet.talkers) * 8 + 8192,
		.buffer_bytes = 256u << 20,
	};

	return net_sim_new(&app->loop, &options, &app->net);
}

static int build_master(struct app *app)
{
	const struct master_config *config = &app->config.master;
	int rc = master_new(&app->loop, app->net, &app->events, &config->options, &app->master);

	if (rc < 0)
		return rc;
	rc = master_listen(app->master);
	if (rc < 0) {
		environment_explain("master.listen", master_address_of(app->master, SIZE_MAX), rc);
		return EXPLAINED;
	}
	return rounds_new(&app->loop, app->master, &app->events, config, on_rounds_done, app,
			  &app->rounds);
}

static int build_log(struct app *app)
{
	if (app->options->log_path == NULL)
		return 0;
	int rc = log_open(app->options->log_path, &app->loop, app->config.fleet.targets, &app->log);
	if (rc < 0) {
		complain("--log %s: %s", app->options->log_path, strerror(-rc));
		return EXPLAINED;
	}
	events_add(&app->events, log_sink(app->log));
	return 0;
}

static int build_results(struct app *app)
{
	const struct app_options *options = app->options;

	if (options->out_dir == NULL)
		return 0;
	struct results_options wanted = { .dir = options->out_dir,
					  .events = !options->no_events,
					  .title = app->config.title,
					  .config_path = options->config_path,
					  .seed = (uint64_t)app->config.seed,
					  .simulated = app->loop.simulated };
	int rc = results_open(&wanted, &app->loop, &app->events, app->fleet, app->master,
			      &app->results);
	if (rc < 0) {
		complain("--out %s: %s", options->out_dir, strerror(-rc));
		return EXPLAINED;
	}
	return 0;
}

static int build_scenario(struct app *app)
{
	const struct scenario_config *scenario = &app->config.scenario;
	int rc = 0;

	if (scenario->timeline.count > 0)
		rc = timeline_new(&app->loop, &app->events, &scenario->timeline, app->fleet,
				  app->master, (uint64_t)app->config.seed, &app->timeline);
	if (rc == 0 && scenario->expect.count > 0)
		rc = expect_new(&app->loop, &app->events, &scenario->expect, app->fleet,
				app->master, &app->expect);
	return rc;
}

/* What a simulation leaves out is said, not silently missed. */
static void tell_without_tls(const struct app *app)
{
	const struct group_config *groups = app->config.fleet.groups.at;
	const struct master_options *master = &app->config.master.options;
	bool tls = false;

	for (size_t i = 0; app->fleet != NULL && i < app->config.fleet.groups.count; i++)
		tls |= groups[i].shared.wire->tls;
	if (app->master != NULL)
		tls |= master_wire(master->listen.wire)->tls;
	for (size_t i = 0; app->master != NULL && i < master->n_more; i++)
		tls |= master_wire(master->more[i].wire)->tls;
	if (tls && app->loop.simulated && !app->options->quiet)
		fprintf(stderr, "simulated: the wire \"agent\" goes without TLS\n");
}

static int build(struct app *app)
{
	const struct emu_config *config = &app->config;
	int rc = app->loop.simulated ? build_simulation(app) : build_sockets(app);

	if (rc == 0)
		rc = build_log(app);
	app->warner = (struct event_sink){ .event = warn,
					   .mask = EVENT_BIT(EVENT_LISTEN_FAILED) |
						   EVENT_BIT(EVENT_REGISTER_FAILED) };
	events_add(&app->events, &app->warner);
	if (rc == 0 && config->master.present)
		rc = build_master(app);
	if (rc == 0 && config->fleet.present)
		rc = fleet_new(&app->loop, app->net, &app->events, &config->fleet,
			       (uint64_t)config->seed, &app->fleet);
	if (rc == 0)
		tell_without_tls(app);
	/* Results before the scenario: what a step causes is written after what caused it. */
	if (rc == 0)
		rc = build_results(app);
	if (rc == 0)
		rc = build_scenario(app);
	return rc < 0 ? rc : live_new(app, &app->live);
}

void app_tear_down(struct app *app)
{
	live_free(app->live);
	expect_free(app->expect);
	timeline_free(app->timeline);
	rounds_free(app->rounds);
	fleet_free(app->fleet);
	results_free(app->results);
	if (app->master != NULL)
		master_shut(app->master);
	if (app->net != NULL && app->loop.simulated)
		net_sim_free(app->net);
	else if (app->net != NULL)
		net_socket_free(app->net);
	master_free(app->master);
	log_free(app->log);
	if (app->signal_fd >= 0)
		close(app->signal_fd);
	loop_release(&app->loop);
	settings_free(app->settings);
}

/* ---- running ---- */

static int start_loop(struct app *app)
{
	if (!app->options->simulate)
		return loop_init(&app->loop);
	loop_init_simulated(&app->loop, app->config.simulate.epoch_s * NS_PER_S);
	return 0;
}

enum exit_code app_prepare(struct app *app, const struct app_options *options)
{
	app->options = options;
	app->signal_fd = -1;
	app->loop.epoll_fd = app->loop.timer_fd = -1;
	app->settings = emu_config_load(options->config_path, options->overrides,
					options->n_overrides, &app->config);
	for (size_t i = 0; i < settings_errors(app->settings); i++)
		fprintf(stderr, "%s\n", settings_error_text(app->settings, i));
	if (settings_errors(app->settings) > 0)
		return EXIT_USAGE;
	if (options->adjust != NULL)
		options->adjust(&app->config);
	if (options->simulate && options->for_ns == 0 && app->config.scenario.duration_ns == 0 &&
	    (app->config.master.rounds.count == 0 || app->config.master.repeat == 0)) {
		complain("a simulated run needs an end: --for, scenario.duration, or a master with "
			 "rounds");
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file too large is an error of write(), not the end */
	int rc = start_loop(app);
	if (rc == 0)
		rc = watch_signals(app);
	if (rc == 0)
		rc = build(app);
	const char *why = trouble_take();
	if (rc < 0 && rc != EXPLAINED)
		complain("cannot start: %s", why != NULL ? why : strerror(-rc));
	return rc < 0 ? EXIT_ENVIRONMENT : EXIT_AS_ASKED;
}

static void start_everything(struct app *app)
{
	int64_t duration = app->options->for_ns > 0 ? app->options->for_ns
						    : app->config.scenario.duration_ns;

	loop_read_clocks(&app->loop);
	app->start_ns = app->loop.now_ns;
	app->end_timer.fire = on_time_up;
	if (duration > 0)
		loop_timer(&app->loop, &app->end_timer, duration);
	if (app->results != NULL)
		results_start(app->results);
	if (app->expect != NULL)
		expect_start(app->expect);
	if (app->timeline != NULL)
		timeline_start(app->timeline);
	if (app->rounds != NULL)
		rounds_start(app->rounds);
	if (app->fleet != NULL)
		fleet_start(app->fleet);
	live_start(app->live);
}

int app_drive(struct app *app)
{
	start_everything(app);
	int rc = loop_run(&app->loop, TIMERS_NEVER);
	app->end_ns = app->loop.now_ns;
	if (app->end == APP_RUNNING)
		app->end = APP_NOTHING_LEFT;
	if (!app->loop.simulated)
		unblock_signals();
	live_free(app->live);
	app->live = NULL;
	if (app->expect != NULL)
		expect_finish(app->expect);
	return rc;
}

static enum exit_code write_results(struct app *app, const struct app_verdict *verdict)
{
	uint32_t count = app->expect != NULL ? expect_count(app->expect) : 0;
	const struct verdict **verdicts = calloc(count + 1, sizeof(struct verdict *));

	if (verdicts == NULL)
		return EXIT_ENVIRONMENT;
	for (uint32_t i = 0; i < count; i++)
		verdicts[i] = expect_verdict(app->expect, i);
	struct results_end end = { .verdict = verdict->word,
				   .why = verdict->why,
				   .verdicts = verdicts,
				   .verdict_count = count,
				   .summary = summary_json,
				   .context = app };
	int rc = results_finish(app->results, &end);
	free(verdicts);
	if (rc < 0)
		complain("--out %s: %s", app->options->out_dir, strerror(-rc));
	return rc < 0 ? EXIT_ENVIRONMENT : EXIT_AS_ASKED;
}

static enum exit_code finish(struct app *app)
{
	struct app_verdict verdict;

	if (app->log != NULL)
		log_flush(app->log); /* what it loses belongs to the summary */
	app_judge(app, &verdict);
	if (app->results != NULL && write_results(app, &verdict) != EXIT_AS_ASKED)
		verdict.code = EXIT_ENVIRONMENT;
	if (!app->options->quiet)
		summary_print(app, stdout, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
	if (app->options->json) {
		summary_json(app, stdout);
		fputc('\n', stdout);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("standard output: %s", strerror(errno));
		return EXIT_ENVIRONMENT;
	}
	return verdict.code;
}

enum exit_code app_run(const struct app_options *options)
{
	static struct app app;
	enum exit_code code = app_prepare(&app, options);

	if (code == EXIT_AS_ASKED) {
		int rc = app_drive(&app);
		if (rc < 0)
			complain("the event loop failed: %s", strerror(-rc));
		code = rc < 0 ? EXIT_ENVIRONMENT : finish(&app);
	}
	app_tear_down(&app);
	return code;
}

enum exit_code app_run_quietly(const struct app_options *options, struct app_verdict *verdict)
{
	static struct app app;
	enum exit_code code;

	memset(&app, 0, sizeof(app));
	code = app_prepare(&app, options);
	*verdict = (struct app_verdict){ .code = code, .word = "ERROR", .why = "could not start" };
	if (code == EXIT_AS_ASKED) {
		app_drive(&app);
		app_judge(&app, verdict);
	}
	app_tear_down(&app);
	return verdict->code;
}

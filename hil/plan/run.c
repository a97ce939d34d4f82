#include "hil/plan/run_parts.h"

#include "hil/exit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* The phases of a run, and what ends it. */

static const struct setting_list connect_steps = { (void *)&connect_step, 1 };

/* ---- findings ---- */

/* What is always checked has steps of its own, so that it stands in every report under its name. */
void run_finding(struct run *run, const struct rig_event *event)
{
	static const enum verdict verdicts[] = { [CHECK_OFF] = VERDICT_NONE,
						 [CHECK_WARN] = VERDICT_MARGINAL,
						 [CHECK_FAIL] = VERDICT_FAIL,
						 [CHECK_ERROR] = VERDICT_ERROR };
	const struct finding *finding = event->finding;
	struct lane *lane = &run->lanes[event->station->index];
	static struct step_room room; /* large, and one thread */
	char path[64], name[64];

	snprintf(path, sizeof(path), "checks.%s", check_name(finding->check));
	snprintf(name, sizeof(name), "check %s", check_name(finding->check));
	step_begin(&room, event->station->record_board, path, name, (uint32_t)lane->repeat, 0,
		   finding->t_ns);
	step_verdict(&room, verdicts[finding->severity], "%s", finding->text);
	room.step.end_ns = run->loop.now_ns;
	reports_step_begin(run->reports, &room.step);
	reports_step_end(run->reports, &room.step);
	run->steps_ended++;
	if (finding->severity >= CHECK_FAIL && run->plan->stop_on_fail)
		run_stop(run, NULL);
}

static void heard(void *owner, const struct rig_event *event)
{
	struct run *run = owner;

	if (event->kind == RIG_FINDING)
		run_finding(run, event);
	else
		lane_event(&run->lanes[event->station->index], event);
}

/* ---- phases ---- */

static void advance(struct run *run);

/* A board that is not there has its tests said, as not run. */
static void skip_lane(struct run *run, struct lane *lane)
{
	static struct step_room room;

	if (run->phase != RUN_TESTS)
		return;
	step_begin(&room, lane->station->record_board, "not_run", run->section.name, 0, 0,
		   run->loop.now_ns);
	/* Why it is not there was judged; this says only what is missing because of it. */
	snprintf(room.step.why, sizeof(room.step.why), "not run: %s is not there",
		 lane->station->config->name);
	reports_step_begin(run->reports, &room.step);
	reports_step_end(run->reports, &room.step);
	run->steps_ended++;
}

/* True: at least one lane is on its way. */
static bool start_lanes(struct run *run)
{
	while (run->next_board < run->n_boards) {
		struct lane *lane = &run->lanes[run->boards[run->next_board++]];
		if (lane->lost) {
			skip_lane(run, lane);
			continue;
		}
		run->active++;
		lane_start(lane, &run->section);
		if (!run->section.parallel)
			return true;
	}
	return run->active > 0;
}

static bool start_section(struct run *run, const struct section *section, uint32_t n_boards)
{
	run->section = *section;
	run->n_boards = n_boards;
	run->next_board = 0;
	run->active = 0;
	return start_lanes(run);
}

static uint32_t all_boards(struct run *run)
{
	for (uint32_t i = 0; i < run->rig.count; i++)
		run->boards[i] = i;
	return run->rig.count;
}

static bool start_test(struct run *run)
{
	const struct plan *plan = run->plan;

	while (run->test < plan->tests.count && !run->stopping) {
		const struct plan_test *test = plan_test_at(plan, run->test++);
		if (!plan_test_wanted(test, run->options->tags, run->options->n_tags))
			continue;
		struct section section = { .name = test->name,
					   .steps = &test->steps,
					   .teardown = &test->teardown,
					   .repeat = test->repeat,
					   .parallel = test->parallel,
					   .stop = test->stop || plan->stop_on_fail };
		if (start_section(run, &section,
				  plan_boards(&test->selector, run->bench, run->boards)))
			return true;
	}
	return false;
}

/* The next section that has anything to do. */
static void advance(struct run *run)
{
	const struct plan *plan = run->plan;

	for (;;) {
		bool started = false;
		switch (run->phase) {
		case RUN_CONNECT:
			run->phase = RUN_SETUP;
			if (!run->stopping && plan->setup.count > 0)
				started = start_section(run,
							&(struct section){ .name = "setup",
									   .steps = &plan->setup,
									   .repeat = 1,
									   .parallel = true,
									   .stop = true },
							all_boards(run));
			break;
		case RUN_SETUP: run->phase = RUN_TESTS; break;
		case RUN_TESTS:
			started = start_test(run);
			if (started)
				break;
			run->phase = RUN_TEARDOWN;
			if (plan->teardown.count > 0)
				started = start_section(run,
							&(struct section){ .name = "teardown",
									   .steps = &plan->teardown,
									   .repeat = 1,
									   .parallel = true },
							all_boards(run));
			break;
		case RUN_TEARDOWN:
			run->phase = RUN_OVER;
			loop_stop(&run->loop);
			return;
		case RUN_OVER: return;
		}
		if (started)
			return;
	}
}

void run_lane_over(struct run *run, struct lane *lane)
{
	run->active--;
	if (lane->failed && run->section.stop && run->phase == RUN_TESTS)
		run->stopping = true;
	if (run->active > 0)
		return;
	if (run->next_board < run->n_boards && !run->stopping && start_lanes(run))
		return;
	advance(run);
}

void run_stop(struct run *run, const char *why)
{
	if (run->stopping && why == NULL)
		return;
	run->stopping = true;
	if (why != NULL)
		record_error(&run->record, "%s", why);
	for (unsigned i = 0; i < run->rig.count; i++) {
		struct lane *lane = &run->lanes[i];
		if (run->phase == RUN_TEARDOWN)
			break;
		if (why != NULL)
			lane_abort(lane, why);
		else if (lane->state == LANE_STEPS)
			lane->stopping = true; /* after the step under way */
	}
}

/* ---- what comes from outside ---- */

static void signal_came(struct loop_watch *watch, uint32_t events)
{
	struct run *run = OF(watch, struct run, signal_watch);
	struct signalfd_siginfo info;

	(void)events;
	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	run->record.run.interrupted = true;
	if (run->signals++ > 0) {
		reports_message(run->reports, "again: ends now, without teardown");
		run->phase = RUN_OVER;
		loop_stop(&run->loop);
		return;
	}
	reports_message(run->reports, "%s: teardown follows; once more ends it at once",
			info.ssi_signo == SIGINT ? "Ctrl-C" : "told to end");
	run_stop(run, "interrupted");
}

static void timed_out(struct timer *timer, int64_t now_ns)
{
	struct run *run = OF(timer, struct run, timeout);

	(void)now_ns;
	run_stop(run, "the plan's time is over");
}

static void ticked(struct timer *timer, int64_t now_ns)
{
	struct run *run = OF(timer, struct run, tick);
	int64_t next_ns = reports_tick(run->reports, now_ns);

	loop_timer(&run->loop, timer,
		   next_ns < 100 * NS_PER_MS ? 100 * NS_PER_MS
		   : next_ns > NS_PER_S      ? NS_PER_S
					     : next_ns);
}

static void stored(struct loop_watch *watch, uint32_t events)
{
	struct run *run = OF(watch, struct run, stored_watch);
	uint64_t count;

	(void)events;
	if (read(reports_fd(run->reports), &count, sizeof(count)) < 0)
		return;
	for (unsigned i = 0; i < run->rig.count; i++)
		lane_stored(&run->lanes[i]);
}

static int watch_signals(struct run *run)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (run->signal_fd < 0)
		return -errno;
	run->signal_watch.ready = signal_came;
	return loop_add(&run->loop, run->signal_fd, EPOLLIN, &run->signal_watch);
}

/* ---- */

static int open_all(struct run *run)
{
	struct rig_options options = { .gpio = run->options->gpio };
	struct rig_fault fault = { .text = "" };
	int rc = watch_signals(run);

	if (rc < 0)
		return rc;
	rc = rig_open(&run->rig, &run->loop, run->bench, &run->record, &run->calibration, &options,
		      &fault);
	if (rc < 0) {
		fprintf(stderr, "quintain-hil: %s\n", fault.text);
		return rc;
	}
	run->lanes = calloc(run->rig.count, sizeof(*run->lanes));
	if (run->lanes == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < run->rig.count; i++)
		lane_init(run, &run->lanes[i], &run->rig.stations[i]);
	run->rig.listen = heard;
	run->rig.owner = run;
	rc = reports_start(run->reports, run->loop.now_ns);
	run->stored_watch.ready = stored;
	if (run->plan->commit_each && reports_fd(run->reports) >= 0)
		rc = loop_add(&run->loop, reports_fd(run->reports), EPOLLIN, &run->stored_watch);
	/* A history that cannot be written ends no run. */
	return rc == -ENOMEM ? rc : 0;
}

static void go(struct run *run)
{
	run->timeout.fire = timed_out;
	run->tick.fire = ticked;
	loop_timer(&run->loop, &run->timeout, run->plan->timeout_ns);
	loop_timer(&run->loop, &run->tick, 0);
	run->phase = RUN_CONNECT;
	if (!start_section(run,
			   &(struct section){ .name = "connect",
					      .steps = &connect_steps,
					      .repeat = 1,
					      .parallel = true },
			   all_boards(run)))
		advance(run);
	int rc = loop_run(&run->loop, TIMERS_NEVER);
	if (rc < 0)
		record_error(&run->record, "the loop: %s", strerror(-rc));
	timer_cancel(&run->loop.timers, &run->timeout);
	timer_cancel(&run->loop.timers, &run->tick);
}

int run_plan(const struct plan *plan, const struct bench *bench, const struct run_options *options)
{
	struct run *run = calloc(1, sizeof(*run));
	int code = HIL_EXIT_ENVIRONMENT;

	if (run == NULL)
		return code;
	/* A reader that went, or a limit on files, must not end a run without its teardown. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	run->plan = plan;
	run->bench = bench;
	run->options = options;
	run->signal_fd = -1;
	if (run_prepare(run) < 0)
		goto out;
	if (open_all(run) == 0) {
		go(run);
		run_statistics(run);
		/* Outputs fall back before anything slow is done. */
		rig_close(&run->rig);
		reports_finish(run->reports, run->loop.now_ns);
		code = reports_exit_code(run->reports);
		if (options->json)
			run_put_json(run, code);
	} else {
		rig_close(&run->rig);
	}
out:
	run_discard(run);
	free(run);
	return code;
}

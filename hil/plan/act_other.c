#include "hil/plan/run_parts.h"

#include <stdio.h>
#include <string.h>

/* Waiting, expecting, setting lines, code on the board. */

/* ---- wait ---- */

static void wait_start(struct lane *lane)
{
	loop_timer(&lane->run->loop, &lane->timer, lane->step->for_ns);
}

static void wait_late(struct lane *lane)
{
	lane_fail(lane, VERDICT_ERROR, "the wait did not end in time: the rig was held up");
	lane_step_over(lane);
}

const struct action act_wait = { .start = wait_start, .timer = lane_step_over, .late = wait_late };

/* ---- expect ---- */

static void expect_over(struct lane *lane, struct stamp came)
{
	struct chain chain = { 0 };
	struct limit space;
	enum point point = lane->step->line != 0 ? POINT_SWITCH : POINT_CONSOLE;

	chain_set(&chain, POINT_DUE, stamp_exact(lane->begin_ns));
	/* What was there already came in no time. */
	chain_set(&chain, point, came.known && came.ns > lane->begin_ns ? came : chain.at[0]);
	step_measure_chain(&lane->room, "expect.time", &chain, POINT_DUE, point,
			   lane->run->loop.now_ns, lane_limit(lane, "expect.time", &space));
	lane_step_over(lane);
}

/* Lines that came since the step before this one began are searched too. */
static bool search_back(struct lane *lane)
{
	struct console *console = board_console(lane->station->board);
	struct console_line line;

	uint64_t oldest = console_oldest(console);
	uint64_t at = lane->console_before > oldest ? lane->console_before : oldest;
	for (; at < console_here(console); at++) {
		struct rig_event event = { .kind = RIG_CONSOLE, .line = &line };
		if (console_line(console, at, &line) && lane_console_event(lane, &event))
			return true;
	}
	return false;
}

static bool level_is(const struct lane *lane)
{
	int level = station_level(lane->station, (enum bench_role)(lane->step->line - 1));

	return level == (lane->step->level == PLAN_ACTIVE);
}

static void expect_start(struct lane *lane)
{
	if (lane->step->line != 0) {
		if (level_is(lane))
			expect_over(lane, stamp_exact(lane->begin_ns));
		return;
	}
	if (lane->station->board == NULL)
		return;
	lane_watch_console(lane, lane->step->console);
	if (search_back(lane))
		expect_over(lane, lane->console);
}

static void expect_event(struct lane *lane, const struct rig_event *event)
{
	if (lane->step->line == 0) {
		if (lane_console_event(lane, event))
			expect_over(lane, lane->console);
	} else if (event->kind == RIG_SWITCH && level_is(lane)) {
		expect_over(lane, stamp_edge(event->t_ns, 0, &lane->run->calibration));
	}
}

static void expect_late(struct lane *lane)
{
	const char *name = lane->station->config->name;

	if (lane->step->line != 0)
		lane_fail(lane, VERDICT_FAIL, "%s: switch %s did not become %s", name,
			  bench_role_names[lane->step->line - 1],
			  lane->step->level == PLAN_ACTIVE ? "active" : "inactive");
	else
		lane_fail(lane, VERDICT_FAIL, "%s: no line on its console matched /%.80s/%s", name,
			  lane->step->console,
			  lane->station->port_open ? "" : ": its port is not open");
	lane_step_over(lane);
}

const struct action act_expect = { .start = expect_start,
				   .event = expect_event,
				   .late = expect_late };

/* ---- set ---- */

static void set_start(struct lane *lane)
{
	static const int levels[] = { [PLAN_ACTIVE] = 1, [PLAN_INACTIVE] = 0, [PLAN_RELEASE] = -1 };
	enum bench_role role = (enum bench_role)(lane->step->line - 1);
	struct rig_fault fault;

	if (role == BENCH_RUN || role == BENCH_POWER)
		station_disturbed(lane->station);
	if (station_set(lane->station, role, levels[lane->step->level], &fault) < 0)
		lane_fail(lane, VERDICT_ERROR, "%s", fault.text);
	lane_step_over(lane);
}

const struct action act_set = { .start = set_start };

/* ---- exec ---- */

static bool output_matches(const struct lane *lane, const char *output)
{
	regex_t regex;

	if (lane->step->output[0] == '\0')
		return true;
	if (regcomp(&regex, lane->step->output, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	bool matches = regexec(&regex, output, 0, NULL, 0) == 0;
	regfree(&regex);
	return matches;
}

static void exec_done(void *owner, const struct board_result *result)
{
	struct lane *lane = owner;
	struct station *station = lane->station;
	char safe[160];
	struct limit space;

	station->port_busy = false;
	lane->pulled = false;
	if (lane->step == NULL || lane->action != &act_exec)
		return;
	if (result->status == BOARD_RAISED) {
		console_print_safe(result->traceback, strlen(result->traceback), safe,
				   sizeof(safe));
		const char *last = strlen(safe) > 100 ? safe + strlen(safe) - 100 : safe;
		lane_fail(lane, VERDICT_FAIL, "%s: the code raised: ..%s", station->config->name,
			  last);
	} else if (result->status != BOARD_OK) {
		bool ours = result->status == BOARD_ABSENT || result->status == BOARD_REFUSED ||
			    result->status == BOARD_BAD_INPUT;
		lane_fail(lane, ours ? VERDICT_ERROR : VERDICT_FAIL, "%s: %.160s",
			  station->config->name, result->text);
	} else if (!output_matches(lane, result->output)) {
		console_print_safe(result->output, result->output_len, safe, sizeof(safe));
		lane_fail(lane, VERDICT_FAIL, "%s: /%.50s/ does not match its output: %.80s",
			  station->config->name, lane->step->output, safe);
	}
	if (result->status == BOARD_OK) {
		struct uncertainty u = { .half_ns = { [U_READ] = NS_PER_MS } };
		step_measure(&lane->room, "exec.time", UNIT_NS, result->ended_ns - result->began_ns,
			     &u, 0, lane_limit(lane, "exec.time", &space));
	}
	lane_step_over(lane);
}

static void exec_start(struct lane *lane)
{
	struct station *station = lane->station;
	const char *code = lane->step->code;

	station->port_busy = station->app_stopped = true;
	station->heading = RIG_ANYWHERE;
	int rc = board_exec(station->board, code, strlen(code),
			    lane->deadline_ns - lane->begin_ns - 100 * NS_PER_MS, exec_done, lane);
	if (rc == 0) {
		lane->pulled = true;
		return;
	}
	station->port_busy = false;
	lane_fail(lane, VERDICT_ERROR, "%s: %s", station->config->name, strerror(-rc));
	lane_step_over(lane);
}

static void exec_end(struct lane *lane)
{
	if (lane->pulled)
		board_cancel(lane->station->board);
	lane->pulled = false;
}

static void exec_late(struct lane *lane)
{
	lane_fail(lane, VERDICT_FAIL, "%s: its REPL did not answer in time",
		  lane->station->config->name);
	lane_step_over(lane);
}

const struct action act_exec = { .start = exec_start, .late = exec_late, .end = exec_end };

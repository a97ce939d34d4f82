#include "hil/plan/run_parts.h"

#include <stdio.h>
#include <string.h>

/* What makes a board start anew, and what a run begins with: that it is there. */

#define RUN_LOW_NS (100 * NS_PER_MS)
#define POWER_OFF_NS NS_PER_S

const struct plan_step connect_step = { .action = PLAN_ACTIONS, .name = "connect" };

static bool wants_port(const struct station *station)
{
	return station->board != NULL;
}

static bool is_back(const struct station *station)
{
	return station->registered_ns != 0 && (!wants_port(station) || station->port_open);
}

static void registered_over(struct lane *lane, const char *name)
{
	struct station *station = lane->station;
	struct chain chain = { 0 };
	struct limit space;

	chain_set(&chain, POINT_DUE, lane->since);
	if (station->registered_ns != 0)
		chain_set(&chain, POINT_RESULT,
			  rig_now_stamp(station->rig, station->registered_ns));
	step_measure_chain(&lane->room, name, &chain, POINT_DUE, POINT_RESULT,
			   lane->run->loop.now_ns, lane_limit(lane, name, &space));
	lane_step_over(lane);
}

static void say_what_is_missing(struct lane *lane, const char *after)
{
	const struct station *station = lane->station;
	const char *name = station->config->name;

	if (station->registered_ns == 0)
		lane_fail(lane, VERDICT_FAIL, "%s: %s did not register within %.1f s%s%s", name,
			  station->config->target_id,
			  (double)(lane->run->loop.now_ns - lane->begin_ns) / 1e9, after,
			  wants_port(station) && !station->port_open ? ", and its USB port is gone"
								     : "");
	else
		lane_fail(lane, VERDICT_FAIL,
			  "%s: it registered, but its port did not come "
			  "back: %.100s",
			  name, station->port_trouble);
}

/* ---- reset ---- */

static int how_of(const struct lane *lane)
{
	const struct station *station = lane->station;

	if (lane->step->how != PLAN_RESET_AUTO)
		return lane->step->how;
	return station->config->lines.at[BENCH_RUN].present ? PLAN_RESET_RUN : PLAN_RESET_MACHINE;
}

static void job_done(void *owner, const struct board_result *result);

static void start_app(struct lane *lane)
{
	lane->stage = 3;
	lane->since = rig_now_stamp(lane->station->rig, rig_clock_ns());
	board_start_app(lane->station->board, lane->deadline_ns - lane->run->loop.now_ns, job_done,
			lane);
}

static void job_done(void *owner, const struct board_result *result)
{
	struct lane *lane = owner;

	if (lane->step == NULL || lane->action != &act_reset)
		return;
	if (result->status != BOARD_OK) {
		bool ours = result->status == BOARD_ABSENT || result->status == BOARD_REFUSED;
		lane_fail(lane, ours ? VERDICT_ERROR : VERDICT_FAIL, "%s: %.160s",
			  lane->station->config->name, result->text);
		lane_step_over(lane);
		return;
	}
	if (lane->stage == 2) {
		start_app(lane);
		return;
	}
	lane->stage = 4;
	lane->station->port_open = true;
	if (is_back(lane->station))
		registered_over(lane, "reset.registered");
}

static void reset_by_run(struct lane *lane)
{
	struct rig_fault fault;

	if (station_set(lane->station, BENCH_RUN, 1, &fault) < 0) {
		lane_fail(lane, VERDICT_ERROR, "%s", fault.text);
		lane_step_over(lane);
		return;
	}
	lane->pulled = true;
	loop_timer(&lane->run->loop, &lane->timer, RUN_LOW_NS);
}

static void reset_start(struct lane *lane)
{
	struct station *station = lane->station;
	int64_t within_ns = lane->deadline_ns - lane->begin_ns - 100 * NS_PER_MS;
	int rc = 0;

	motion_end(station);
	station_disturbed(station);
	station->port_busy = true;
	lane->since = rig_now_stamp(station->rig, rig_clock_ns());
	if (how_of(lane) == PLAN_RESET_RUN) {
		reset_by_run(lane);
		return;
	}
	if (station->board == NULL) {
		lane_fail(lane, VERDICT_ERROR, "%s has no line RUN and no port to reset it by",
			  station->config->name);
		lane_step_over(lane);
		return;
	}
	if (how_of(lane) == PLAN_RESET_MACHINE) {
		lane->stage = 3;
		rc = board_machine_reset(station->board, within_ns, job_done, lane);
	} else {
		lane->stage = 2;
		rc = board_interrupt(station->board, false, within_ns, job_done, lane);
	}
	if (rc < 0) {
		lane_fail(lane, VERDICT_ERROR, "%s: %s", station->config->name, strerror(-rc));
		lane_step_over(lane);
	}
}

static void reset_timer(struct lane *lane)
{
	/* Registrations of before do not count. */
	lane->station->registered_ns = 0;
	lane->station->registrations_due = 1;
	lane->pulled = false;
	lane->since = rig_now_stamp(lane->station->rig, rig_clock_ns());
	station_set(lane->station, BENCH_RUN, -1, NULL);
	lane->stage = 4;
}

static void reset_event(struct lane *lane, const struct rig_event *event)
{
	if (event->kind != RIG_REGISTERED && event->kind != RIG_PORT)
		return;
	if (lane->stage == 4 && is_back(lane->station))
		registered_over(lane, "reset.registered");
}

static void reset_late(struct lane *lane)
{
	say_what_is_missing(lane, " after the reset");
	lane_step_over(lane);
}

static void reset_end(struct lane *lane)
{
	if (lane->pulled)
		station_set(lane->station, BENCH_RUN, -1, NULL);
	lane->pulled = false;
	lane->station->port_busy = false;
	if (lane->stage == 2 || lane->stage == 3)
		board_cancel(lane->station->board);
}

const struct action act_reset = { .start = reset_start,
				  .event = reset_event,
				  .timer = reset_timer,
				  .late = reset_late,
				  .end = reset_end };

/* ---- power ---- */

static void power_start(struct lane *lane)
{
	struct rig_fault fault;

	motion_end(lane->station);
	station_disturbed(lane->station);
	lane->station->port_busy = true;
	lane->since = rig_now_stamp(lane->station->rig, rig_clock_ns());
	if (station_set(lane->station, BENCH_POWER, 0, &fault) < 0) {
		lane_fail(lane, VERDICT_ERROR, "%s", fault.text);
		lane_step_over(lane);
		return;
	}
	lane->pulled = true;
	loop_timer(&lane->run->loop, &lane->timer,
		   lane->step->has_for ? lane->step->for_ns : POWER_OFF_NS);
}

static void power_on(struct lane *lane)
{
	lane->station->registered_ns = 0;
	lane->station->registrations_due = 1;
	lane->since = rig_now_stamp(lane->station->rig, rig_clock_ns());
	station_set(lane->station, BENCH_POWER, 1, NULL);
	lane->pulled = false;
	lane->stage = 1;
}

static void power_event(struct lane *lane, const struct rig_event *event)
{
	if ((event->kind == RIG_REGISTERED || event->kind == RIG_PORT) && lane->stage == 1 &&
	    is_back(lane->station))
		registered_over(lane, "power_cycle.registered");
}

static void power_late(struct lane *lane)
{
	say_what_is_missing(lane, " after the power came back");
	lane_step_over(lane);
}

static void power_end(struct lane *lane)
{
	if (lane->pulled)
		station_set(lane->station, BENCH_POWER, 1, NULL);
	lane->pulled = false;
	lane->station->port_busy = false;
}

const struct action act_power = { .start = power_start,
				  .event = power_event,
				  .timer = power_on,
				  .late = power_late,
				  .end = power_end };

/* ---- connect ---- */

/*
 * A board that is there answers a ping; one that is booting registers in a while. A port that
 * cannot be had is the bench's trouble, not the board's.
 */
#define LOOK_NS (500 * NS_PER_MS)

static bool resets_first(const struct lane *lane)
{
	const struct setting_list *setup = &lane->run->plan->setup;

	return setup->count > 0 && (plan_step_at(setup, 0)->action == PLAN_RESET ||
				    plan_step_at(setup, 0)->action == PLAN_POWER_CYCLE);
}

static void connect_look(struct lane *lane)
{
	struct station *station = lane->station;

	if (wants_port(station) && !station->port_open) {
		if (station->port_trouble[0] == '\0')
			return;
		lane_fail(lane, VERDICT_ERROR, "%s: %.170s", station->config->name,
			  station->port_trouble);
		lane_step_over(lane);
		return;
	}
	if (station->registered_ns != 0 || resets_first(lane) ||
	    (lane->run->plan->register_timeout_ns == 0 && station_known(station)))
		lane_step_over(lane);
}

static void connect_ask(struct lane *lane)
{
	struct station *station = lane->station;

	if (station->registered_ns == 0 && station_known(station) && !station->motion.under_way &&
	    !resets_first(lane))
		station_command(station, RANGE_PING, NULL, lane->run->loop.now_ns);
	loop_timer(&lane->run->loop, &lane->timer, LOOK_NS);
	connect_look(lane);
}

static void connect_event(struct lane *lane, const struct rig_event *event)
{
	struct station *station = lane->station;

	if (event->kind == RIG_ANSWERED) {
		motion_end(station);
		/* It had registered earlier, with another run of the rig's: that is as good. */
		if (station->motion.outcome == MASTER_OK && station->registered_ns == 0) {
			station->registered_ns = lane->run->loop.now_ns;
			station->adopted_ns = lane->run->loop.now_ns;
		}
	}
	connect_look(lane);
}

static void connect_late(struct lane *lane)
{
	struct station *station = lane->station;
	char text[400] = "";

	if (wants_port(station) && !station->port_open)
		lane_fail(lane, VERDICT_ERROR, "%s: its port could not be opened in time",
			  station->config->name);
	if (station_known(station) && station->motion.ended)
		snprintf(text, sizeof(text), ", and at %.40s: %.80s", station->config->address,
			 station->motion.why);
	say_what_is_missing(lane, text);
	lane_step_over(lane);
}

static void connect_end(struct lane *lane)
{
	motion_end(lane->station);
}

const struct action act_connect = { .start = connect_ask,
				    .event = connect_event,
				    .timer = connect_ask,
				    .late = connect_late,
				    .end = connect_end };

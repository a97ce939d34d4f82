#include "hil/plan/run_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Commands to a target, of ours or of a real master, and hits. */

#define AGAIN_NS (2 * NS_PER_MS)

static const enum range_word types[] = {
	[PLAN_STAND_UP] = RANGE_STAND_UP,
	[PLAN_LAY_DOWN] = RANGE_LAY_DOWN,
	[PLAN_ACTIVATE] = RANGE_ACTIVATE,
	[PLAN_PING] = RANGE_PING,
};

/* ---- the console ---- */

void lane_watch_console(struct lane *lane, const char *regex)
{
	/* plan_load() has compiled it once already. */
	lane->has_regex = regex[0] != '\0' &&
			  regcomp(&lane->regex, regex, REG_EXTENDED | REG_NOSUB) == 0;
}

static bool line_matches(struct lane *lane, const struct console_line *line)
{
	char text[600];
	size_t len = line->len < sizeof(text) - 1 ? line->len : sizeof(text) - 1;

	memcpy(text, line->text, len);
	text[len] = '\0';
	if (regexec(&lane->regex, text, 0, NULL, 0) != 0)
		return false;
	struct serial_port *port = board_port(lane->station->board);
	bool usb = port != NULL && serial_port_kind(port) == SERIAL_TTY;
	lane->matched = true;
	lane->console = stamp_read(line->last.after_ns, line->last.read_ns, usb,
				   &lane->run->calibration);
	return true;
}

bool lane_console_event(struct lane *lane, const struct rig_event *event)
{
	return event->kind == RIG_CONSOLE && lane->has_regex && !lane->matched &&
	       line_matches(lane, event->line);
}

/* ---- commands ---- */

static int until_of(const struct lane *lane)
{
	if (lane->step->until != PLAN_UNTIL_AUTO)
		return lane->step->until;
	return lane->station->motion.type == RANGE_PING ? PLAN_UNTIL_ANSWER : PLAN_UNTIL_MOVED;
}

static bool has_moved(const struct station *station)
{
	const struct motion *motion = &station->motion;
	enum bench_role role = motion->type == RANGE_LAY_DOWN ? BENCH_DOWN : BENCH_UP;

	if (motion->there_before)
		return true;
	return (!station->servo_watched || motion->done) &&
	       (!station_has(station, role) || motion->reached);
}

static bool has_fallen(const struct station *station)
{
	const struct motion *motion = &station->motion;

	return (!station->servo_watched || motion->fallen) &&
	       (!station_has(station, BENCH_DOWN) || motion->lying);
}

static bool is_complete(const struct lane *lane)
{
	const struct station *station = lane->station;
	int until = until_of(lane);

	if (!station->motion.ended || (lane->has_regex && !lane->matched))
		return false;
	if (until == PLAN_UNTIL_ANSWER || station->motion.type == RANGE_PING)
		return true;
	if (!has_moved(station))
		return false;
	return until != PLAN_UNTIL_DONE || station->motion.type != RANGE_ACTIVATE ||
	       has_fallen(station);
}

static void command_over(struct lane *lane)
{
	measure_command(lane);
	if (lane->station->motion.type != RANGE_ACTIVATE)
		motion_end(lane->station);
	lane_step_over(lane);
}

/* Even a board that did not answer may have moved: that is worth the wait until the deadline. */
static void command_look(struct lane *lane)
{
	const struct motion *motion = &lane->station->motion;
	char text[400];

	if (!is_complete(lane))
		return;
	if (motion->outcome != MASTER_OK)
		lane_fail(lane, VERDICT_FAIL, "%s",
			  blame_motion(lane->station, text, sizeof(text)));
	command_over(lane);
}

static void command_send(struct lane *lane)
{
	struct run *run = lane->run;
	const struct plan_step *step = lane->step;
	enum range_word type = types[step->action];

	loop_read_clocks(&run->loop);
	/* What waits in the board's own queue would be measured with that wait. */
	if (type != RANGE_PING && !step->at_once && run->loop.now_ns < lane->station->free_ns) {
		loop_timer(&run->loop, &lane->timer, lane->station->free_ns - run->loop.now_ns);
		timer_cancel(&run->loop.timers, &lane->deadline);
		return;
	}
	int rc = station_command(lane->station, type,
				 type == RANGE_ACTIVATE ? step->duration_text : NULL,
				 run->loop.now_ns);
	if (rc == 0) {
		lane->stage = 1;
		loop_timer(&run->loop, &lane->deadline, plan_step_timeout(run->plan, step));
		return;
	}
	if (rc == -EBUSY) { /* an earlier one, or the rig's own ping: the master gives it up soon */
		timer_cancel(&run->loop.timers, &lane->deadline);
		loop_timer(&run->loop, &lane->timer, AGAIN_NS);
		return;
	}
	lane_fail(lane, rc == -ENOENT ? VERDICT_FAIL : VERDICT_ERROR, "%s: %s",
		  lane->station->config->name,
		  rc == -ENOENT ? "it has not registered, and the bench has no address for it"
				: strerror(-rc));
	lane_step_over(lane);
}

static void command_start(struct lane *lane)
{
	lane_watch_console(lane, lane->step->console);
	command_send(lane);
}

static void command_event(struct lane *lane, const struct rig_event *event)
{
	if (lane->stage == 0)
		return;
	lane_console_event(lane, event);
	/* Nobody is there: nothing will move. */
	if (event->kind == RIG_ANSWERED && lane->station->motion.outcome == MASTER_FAILED &&
	    lane->station->motion.answer_units == 0 &&
	    !lane->station->motion.chain.at[POINT_WRITTEN].known) {
		char text[400];
		lane_fail(lane, VERDICT_FAIL, "%s",
			  blame_motion(lane->station, text, sizeof(text)));
		command_over(lane);
		return;
	}
	command_look(lane);
}

static void command_late(struct lane *lane)
{
	char text[400];

	if (lane->stage == 0) {
		lane_fail(lane, VERDICT_ERROR, "the rig could not send it in time");
		lane_step_over(lane);
		return;
	}
	blame_motion(lane->station, text, sizeof(text));
	if (lane->station->motion.ended && lane->station->motion.outcome == MASTER_OK &&
	    lane->has_regex && !lane->matched && has_moved(lane->station))
		snprintf(text, sizeof(text), "%s moved, but no line on its console matched",
			 lane->station->config->name);
	lane_fail(lane, VERDICT_FAIL, "%s", text);
	command_over(lane);
}

const struct action act_command = {
	.start = command_start, .event = command_event, .timer = command_send, .late = command_late
};

/* ---- a real master's command ---- */

static void await_start(struct lane *lane)
{
	lane_watch_console(lane, lane->step->console);
}

static void await_event(struct lane *lane, const struct rig_event *event)
{
	static const enum range_word commands[] = { RANGE_PING, RANGE_STAND_UP, RANGE_LAY_DOWN,
						    RANGE_ACTIVATE };

	if (event->kind == RIG_COMMAND)
		lane->stage = lane->station->motion.type == commands[lane->step->command] ? 1 : 0;
	if (lane->stage == 0)
		return;
	lane_console_event(lane, event);
	command_look(lane);
}

static void await_late(struct lane *lane)
{
	static const char *const names[] = { "ping", "stand_up", "lay_down", "activate" };

	if (lane->stage > 0) {
		command_late(lane);
		return;
	}
	lane_fail(lane, VERDICT_ERROR, "the real master sent no %s to %s",
		  names[lane->step->command], lane->station->config->name);
	lane_step_over(lane);
}

const struct action act_await = { .start = await_start, .event = await_event, .late = await_late };

/* ---- hits ---- */

#define HIT_NS (30 * NS_PER_MS) /* the sensor is polled at 100 Hz */

static bool hit_counts(const struct lane *lane)
{
	const struct motion *motion = &lane->station->motion;

	return motion->under_way && motion->type == RANGE_ACTIVATE &&
	       lane->step->until != PLAN_UNTIL_ANSWER;
}

static void hit_start(struct lane *lane)
{
	if (hit_counts(lane) && lane->station->motion.falling) {
		lane_fail(lane, VERDICT_FAIL, "%s: it had gone down before it was hit",
			  lane->station->config->name);
		motion_end(lane->station);
		lane_step_over(lane);
		return;
	}
	int rc = station_hit(lane->station, true);

	if (rc < 0) {
		lane_fail(lane, VERDICT_ERROR, "%s, line hit: %s", lane->station->config->name,
			  strerror(-rc));
		lane_step_over(lane);
		return;
	}
	lane->pulled = true;
	lane_watch_console(lane, lane->step->console);
	loop_timer(&lane->run->loop, &lane->timer,
		   lane->step->has_for ? lane->step->for_ns : HIT_NS);
}

static void hit_look(struct lane *lane)
{
	if (lane->pulled || (lane->has_regex && !lane->matched))
		return;
	if (hit_counts(lane)) {
		if (!has_fallen(lane->station))
			return;
		measure_hit(lane);
		motion_end(lane->station);
	}
	lane_step_over(lane);
}

static void hit_let_go(struct lane *lane)
{
	if (lane->pulled)
		station_hit(lane->station, false);
	lane->pulled = false;
}

static void hit_timer(struct lane *lane)
{
	hit_let_go(lane);
	hit_look(lane);
}

static void hit_event(struct lane *lane, const struct rig_event *event)
{
	lane_console_event(lane, event);
	hit_look(lane);
}

static void hit_late(struct lane *lane)
{
	const struct station *station = lane->station;
	const char *name = station->config->name;

	if (hit_counts(lane) && station->servo_watched && !station->motion.falling)
		lane_fail(lane, VERDICT_FAIL,
			  "%s: the hit was ignored: its servo did not move within %.1f s", name,
			  (double)(lane->run->loop.now_ns - lane->begin_ns) / 1e9);
	else if (hit_counts(lane) && !has_fallen(station))
		lane_fail(lane, VERDICT_FAIL,
			  "%s: after the hit its servo %s, and switch down did not close (it is "
			  "%s now)",
			  name, station->motion.fallen ? "went down" : "did not get down",
			  station->lines[BENCH_DOWN].contact.level ? "closed" : "open");
	else
		lane_fail(lane, VERDICT_FAIL, "%s: no line on its console matched", name);
	measure_hit(lane);
	lane_step_over(lane);
}

const struct action act_hit = { .start = hit_start,
				.event = hit_event,
				.timer = hit_timer,
				.late = hit_late,
				.end = hit_let_go };

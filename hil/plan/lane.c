#include "hil/plan/run_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* One board's way through the steps of a section. */

static const struct action *const actions[PLAN_ACTIONS + 1] = {
	[PLAN_STAND_UP] = &act_command,  [PLAN_LAY_DOWN] = &act_command,
	[PLAN_ACTIVATE] = &act_command,  [PLAN_PING] = &act_command,
	[PLAN_AWAIT] = &act_await,       [PLAN_HIT] = &act_hit,
	[PLAN_EXPECT] = &act_expect,     [PLAN_RESET] = &act_reset,
	[PLAN_POWER_CYCLE] = &act_power, [PLAN_WAIT] = &act_wait,
	[PLAN_EXEC] = &act_exec,         [PLAN_SET] = &act_set,
	[PLAN_ACTIONS] = &act_connect,
};

static void timer_came(struct timer *timer, int64_t now_ns)
{
	struct lane *lane = OF(timer, struct lane, timer);

	(void)now_ns;
	if (lane->step != NULL && lane->action->timer != NULL)
		lane->action->timer(lane);
}

static void deadline_came(struct timer *timer, int64_t now_ns)
{
	struct lane *lane = OF(timer, struct lane, deadline);

	(void)now_ns;
	if (lane->step == NULL)
		return;
	/* Edges may still stand in the kernel. */
	if (lane->station->watch.loop != NULL) {
		edge_watch_read(&lane->station->watch);
		if (lane->step == NULL || timer_armed(&lane->deadline))
			return;
	}
	lane->action->late(lane);
}

static void next_step(struct timer *timer, int64_t now_ns);

void lane_init(struct run *run, struct lane *lane, struct station *station)
{
	*lane = (struct lane){ .run = run, .station = station };
	lane->timer.fire = timer_came;
	lane->deadline.fire = deadline_came;
	lane->next.fire = next_step;
}

const struct limit *lane_limit(const struct lane *lane, const char *name, struct limit *space)
{
	const struct run *run = lane->run;
	const struct limit *limit = plan_limit_for(run->plan, lane->step, run->bench,
						   lane->station->index, name);

	if (limit == NULL)
		return NULL;
	*space = *limit;
	/* A wrong frequency is the board's, and a check of its own says so. */
	space->accept |= SUSPECT_PERIOD;
	if (!run->bench->calibration.required)
		space->accept |= SUSPECT_CALIBRATION;
	return space;
}

/* ---- steps ---- */

static void begin_step(struct lane *lane)
{
	struct run *run = lane->run;
	struct loop *loop = &run->loop;
	struct console *console = lane->station->board != NULL ? board_console(lane->station->board)
							       : NULL;
	int64_t timeout_ns = lane->step == &connect_step
				     ? run->plan->register_timeout_ns + 6 * NS_PER_S
				     : plan_step_timeout(run->plan, lane->step);
	const char *path = lane->step->origin.path != NULL ? lane->step->origin.path : "connect";

	loop_read_clocks(loop);
	lane->begin_ns = loop->now_ns;
	lane->deadline_ns = loop->now_ns + timeout_ns;
	lane->stage = 0;
	lane->pulled = lane->judged = lane->matched = false;
	lane->console = (struct stamp){ .known = false };
	lane->console_before = lane->console_from;
	lane->console_from = console != NULL ? console_here(console) : 0;
	step_begin(&lane->room, lane->station->record_board, path, plan_step_name(lane->step),
		   (uint32_t)lane->repeat, lane->attempt, loop->now_ns);
	reports_step_begin(run->reports, &lane->room.step);
	lane->action = actions[lane->step->action];
	loop_timer(loop, &lane->deadline, timeout_ns);
	lane->action->start(lane);
}

/* The next step of the list, of those around it, of the next repeat; NULL: there is none. */
static const struct plan_step *pick(struct lane *lane)
{
	while (lane->depth > 0) {
		struct level *level = &lane->levels[lane->depth - 1];
		if (level->at == level->steps->count) {
			if (level->left > 0) {
				level->left--;
				level->at = 0;
				continue;
			}
			lane->depth--;
			continue;
		}
		const struct plan_step *step = plan_step_at(level->steps, level->at++);
		if (step->action != PLAN_GROUP && step->action != PLAN_REPEAT)
			return step;
		lane->levels[lane->depth++] = (struct level){
			&step->steps, 0, step->action == PLAN_REPEAT ? step->times - 1 : 0
		};
	}
	return NULL;
}

static void enter(struct lane *lane, const struct setting_list *steps)
{
	lane->levels[0] = (struct level){ steps, 0, 0 };
	lane->depth = steps != NULL ? 1 : 0;
}

/* After the last step of what it was at. True: there is more. */
static bool turn_over(struct lane *lane)
{
	const struct section *section = lane->section;

	if (lane->state == LANE_STEPS && !lane->failed && !lane->stopping &&
	    lane->repeat + 1 < section->repeat) {
		lane->repeat++;
		enter(lane, section->steps);
		return true;
	}
	if (lane->state == LANE_STEPS && section->teardown != NULL) {
		lane->state = LANE_TEARDOWN;
		enter(lane, section->teardown);
		return true;
	}
	return false;
}

static void next_step(struct timer *timer, int64_t now_ns)
{
	struct lane *lane = OF(timer, struct lane, next);
	const struct plan_step *step;

	(void)now_ns;
	if (lane->state == LANE_STEPS && (lane->stopping || lane->failed))
		lane->depth = 0;
	do
		step = pick(lane);
	while (step == NULL && turn_over(lane));
	if (step == NULL) {
		motion_end(lane->station);
		lane->state = LANE_IDLE;
		lane->section = NULL;
		run_lane_over(lane->run, lane);
		return;
	}
	lane->step = step;
	lane->attempt = 0;
	begin_step(lane);
}

void lane_start(struct lane *lane, const struct section *section)
{
	lane->section = section;
	lane->state = LANE_STEPS;
	lane->repeat = 0;
	lane->failed = lane->stopping = false;
	enter(lane, section->steps);
	loop_timer(&lane->run->loop, &lane->next, 0);
}

static bool is_bad(enum verdict verdict)
{
	return verdict >= VERDICT_INCONCLUSIVE;
}

void lane_step_over(struct lane *lane)
{
	struct run *run = lane->run;
	struct timers *timers = &run->loop.timers;
	const struct plan_step *step = lane->step;
	struct step_result *result = &lane->room.step;

	timer_cancel(timers, &lane->timer);
	timer_cancel(timers, &lane->deadline);
	if (lane->action->end != NULL)
		lane->action->end(lane);
	if (lane->has_regex)
		regfree(&lane->regex);
	lane->has_regex = false;
	if (result->verdict == VERDICT_NONE)
		result->verdict = VERDICT_PASS;
	loop_read_clocks(&run->loop);
	result->end_ns = run->loop.now_ns;
	reports_step_end(run->reports, result);
	run->steps_ended++;
	bool bad = is_bad(result->verdict);
	lane->step = NULL;
	if (bad && lane->attempt < step->retries && !lane->stopping) {
		lane->step = step;
		lane->attempt++;
		begin_step(lane);
		return;
	}
	if (bad && !step->go_on)
		lane->failed = true;
	/* A board that does not start takes itself out; the others go on. */
	if (bad && (step == &connect_step ||
		    (run->phase == RUN_SETUP &&
		     (step->action == PLAN_RESET || step->action == PLAN_POWER_CYCLE))))
		lane->lost = true;
	if (run->plan->commit_each && reports_fd(run->reports) >= 0) {
		lane->commit = run->steps_ended;
		lane_stored(lane);
		return;
	}
	/* Not from here: the next step could end at once, and so on for ever. */
	loop_timer(&run->loop, &lane->next, 0);
}

void lane_stored(struct lane *lane)
{
	if (lane->commit == 0 || reports_stored(lane->run->reports) < lane->commit)
		return;
	lane->commit = 0;
	loop_timer(&lane->run->loop, &lane->next, 0);
}

void lane_fail(struct lane *lane, enum verdict verdict, const char *format, ...)
{
	char why[200];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	step_verdict(&lane->room, verdict, "%s", why);
}

void lane_abort(struct lane *lane, const char *why)
{
	if (lane->section == NULL || lane->state != LANE_STEPS || lane->stopping)
		return;
	lane->stopping = true;
	if (lane->step == NULL)
		return;
	lane_fail(lane, VERDICT_ERROR, "%s", why);
	lane_step_over(lane);
}

void lane_event(struct lane *lane, const struct rig_event *event)
{
	if (lane->step == NULL)
		return;
	if (event->kind == RIG_LINE_LOST) {
		lane_fail(lane, VERDICT_ERROR, "%s", event->text);
		lane_step_over(lane);
		return;
	}
	if (lane->action->event != NULL)
		lane->action->event(lane, event);
}

#include "hil/rig/rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One command and what it causes: the points of its chain, as they come. */

static int64_t clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t rig_clock_ns(void)
{
	return clock_now(CLOCK_MONOTONIC);
}

/*
 * A stamp of the wall clock on the monotonic one: their distance lies within what the two readings
 * around it say, now; a step of the wall clock in between would show as a stamp out of order.
 */
struct stamp rig_wall_stamp(const struct rig *rig, int64_t wall_ns)
{
	int64_t before_ns = clock_now(CLOCK_MONOTONIC);
	int64_t real_ns = clock_now(CLOCK_REALTIME);
	int64_t after_ns = clock_now(CLOCK_MONOTONIC);
	int64_t middle_ns = before_ns + (after_ns - before_ns) / 2;
	struct stamp stamp = stamp_sent(wall_ns - real_ns + middle_ns, rig->calibration);

	stamp.u.half_ns[U_CLOCK] += (after_ns - before_ns + 1) / 2;
	return stamp;
}

static int64_t target_width(const struct station *station, enum rig_heading heading)
{
	const struct bench_servo *servo = &station->rig->bench->servo;

	return heading == RIG_DOWN ? servo->down_ns : servo->up_ns;
}

static bool is_at(const struct station *station, int64_t width_ns, enum rig_heading heading)
{
	int64_t off_ns = width_ns - target_width(station, heading);

	return llabs((long long)off_ns) <= station->rig->bench->servo.width_tolerance_ns;
}

static enum rig_heading heading_of(enum range_word type)
{
	return type == RANGE_LAY_DOWN ? RIG_DOWN : RIG_UP;
}

void motion_begin(struct station *station, enum range_word type, int64_t due_ns)
{
	struct motion *motion = &station->motion;

	/* Frames up to now belong to what was before. */
	if (station->watch.loop != NULL)
		edge_watch_read(&station->watch);
	*motion = (struct motion){ .under_way = true, .type = type };
	chain_set(&motion->chain, POINT_DUE, stamp_exact(due_ns));
	if (type == RANGE_PING)
		return;
	if (station->servo_watched)
		motion->there_before = station->servo.known &&
				       is_at(station, station->servo.width_ns, heading_of(type));
	else
		motion->there_before =
			station_level(station, type == RANGE_LAY_DOWN ? BENCH_DOWN : BENCH_UP) > 0;
	/* An activation goes up and, by itself, down again. */
	station->heading = type == RANGE_ACTIVATE ? RIG_ANYWHERE : heading_of(type);
}

static void command_done(struct master *master, uint32_t number, enum range_word command,
			 enum master_outcome outcome, void *context)
{
	(void)master;
	(void)number;
	(void)command;
	(void)outcome;
	((struct station *)context)->outstanding = false;
}

/* When the board will be through with all that it was told: each move takes movement_ns. */
static void plan_movement(struct station *station, enum range_word type, const char *duration,
			  int64_t now_ns)
{
	int64_t each_ns = station->rig->bench->movement_ns;
	int64_t from_ns = station->free_ns > now_ns ? station->free_ns : now_ns;
	double active_s = duration != NULL ? strtod(duration, NULL) : 0;

	if (type == RANGE_STAND_UP || type == RANGE_LAY_DOWN)
		station->free_ns = from_ns + each_ns;
	else if (type == RANGE_ACTIVATE)
		station->free_ns = from_ns + 2 * each_ns +
				   (active_s > 0 ? (int64_t)(active_s * 1e9) : 0);
}

int station_command(struct station *station, enum range_word type, const char *duration,
		    int64_t due_ns)
{
	struct qn_text text = { duration, duration != NULL ? strlen(duration) : 0 };

	if (station->outstanding)
		return -EBUSY;
	if (station->remote < 0)
		return -ENOENT;
	motion_begin(station, type, due_ns);
	int rc = master_command(station->rig->master, (uint32_t)station->remote, type, due_ns, text,
				command_done, station);
	if (rc < 0)
		station->motion.under_way = false;
	else
		plan_movement(station, type, duration, due_ns);
	if (rc == 0 && type == RANGE_ACTIVATE && strtod(duration, NULL) > 0)
		station->motion.duration_ns = (int64_t)(strtod(duration, NULL) * 1e9);
	/* It may have ended already. */
	station->outstanding = rc == 0 && !station->motion.ended;
	return rc;
}

void motion_end(struct station *station)
{
	station->motion.under_way = false;
}

bool station_known(const struct station *station)
{
	return station->remote >= 0;
}

void station_disturbed(struct station *station)
{
	station->heading = RIG_ANYWHERE;
	station->registered_ns = 0;
	station->registrations_due = 1;
	station->adopted_ns = 0;
	station->free_ns = 0;
	station->app_stopped = false;
	checks_forget(station);
}

int station_hit(struct station *station, bool on)
{
	struct motion *motion = &station->motion;
	int64_t before_ns = clock_now(CLOCK_MONOTONIC);
	int rc = station_set(station, BENCH_HIT, on, NULL);

	if (rc == 0 && on) {
		memset(&motion->fall, 0, sizeof(motion->fall));
		motion->falling = motion->fallen = motion->lying = false;
		chain_set(&motion->fall, POINT_HIT,
			  stamp_between(before_ns, clock_now(CLOCK_MONOTONIC), U_KERNEL,
					station->rig->calibration));
	}
	return rc;
}

void motion_answered(struct station *station, enum master_outcome outcome, const char *why)
{
	struct motion *motion = &station->motion;
	struct rig *rig = station->rig;
	int64_t now_ns = rig->loop->now_ns;

	if (station->pinging) {
		station->pinging = false;
		/* A wrong answer is a fault, but no death. */
		checks_alive(station, outcome == MASTER_OK || motion->answer_units > 0, why);
		motion_end(station);
		return;
	}
	if (motion->ended)
		return;
	motion->ended = true;
	motion->outcome = outcome;
	snprintf(motion->why, sizeof(motion->why), "%s", why);
	if (!motion->chain.at[POINT_SENT].known && !motion->foreign)
		motion->chain.at[POINT_SENT] = motion->chain.at[POINT_WRITTEN];
	if (outcome == MASTER_OK) {
		station->heard_ns = now_ns;
		if (!motion->chain.at[POINT_ANSWER].known)
			chain_set(&motion->chain, POINT_ANSWER, rig_now_stamp(rig, now_ns));
	} else {
		/* What was not taken for one has no time. */
		motion->chain.at[POINT_ANSWER].known = false;
	}
	checks_answer(station);
	rig_tell(station, (struct rig_event){ .kind = RIG_ANSWERED });
}

/* ---- the servo ---- */

static unsigned frame_suspect(const struct servo_frame *frame)
{
	unsigned suspect = 0;

	if (frame->flags & SERVO_EDGES)
		suspect |= SUSPECT_GAP;
	if (frame->flags & SERVO_PERIOD)
		suspect |= SUSPECT_PERIOD;
	return suspect;
}

static struct stamp frame_stamp(const struct station *station, int64_t fall_ns, int64_t width_ns,
				unsigned suspect)
{
	const struct rig *rig = station->rig;

	return stamp_servo(fall_ns, width_ns, rig->bench->servo.period_ns, suspect,
			   rig->calibration);
}

/* With frames missing before it the new width may have begun earlier: that is not certain, no more.
 */
static struct stamp changed_stamp(const struct station *station, const struct servo_frame *frame)
{
	struct stamp stamp = frame_stamp(station, frame->fall_ns, frame->width_ns,
					 frame_suspect(frame));

	if ((frame->flags & SERVO_LATE) && frame->after_ns != INT64_MIN) {
		int64_t gap_ns = frame->fall_ns - frame->after_ns -
				 station->rig->bench->servo.period_ns;
		if (gap_ns > 0)
			stamp_earlier(&stamp, gap_ns, U_READ);
	}
	return stamp;
}

static void keep_widths(struct motion *motion, int64_t width_ns)
{
	if (motion->width_ns == 0 || width_ns < motion->width_min_ns)
		motion->width_min_ns = width_ns;
	if (motion->width_ns == 0 || width_ns > motion->width_max_ns)
		motion->width_max_ns = width_ns;
	motion->width_ns = width_ns;
}

/* On the way that the command asks for. */
static void moving(struct station *station, const struct servo_frame *frame)
{
	struct motion *motion = &station->motion;
	enum rig_heading heading = heading_of(motion->type);

	if ((frame->flags & SERVO_CHANGED) && !motion->moved) {
		motion->moved = true;
		chain_set(&motion->chain, POINT_SERVO_FRAME, changed_stamp(station, frame));
	}
	if ((frame->flags & SERVO_SETTLED) && motion->moved && !motion->done &&
	    is_at(station, frame->width_ns, heading)) {
		motion->done = true;
		chain_set(&motion->chain, POINT_SERVO_DONE,
			  frame_stamp(station, station->servo.settled_ns, frame->width_ns, 0));
		if (motion->type == RANGE_ACTIVATE)
			return;
		/* It is there: nothing moves it any more. */
		station->heading = heading;
	}
}

/* An activation's way down: after it stood, by a hit or at its end. */
static void falling(struct station *station, const struct servo_frame *frame)
{
	struct motion *motion = &station->motion;

	const struct bench_servo *servo = &station->rig->bench->servo;
	int64_t way_ns = llabs((long long)(frame->width_ns - servo->up_ns));

	/* Pulses that do not keep their width are no fall. */
	if ((frame->flags & SERVO_CHANGED) && !motion->falling &&
	    way_ns > 2 * servo->width_tolerance_ns) {
		motion->falling = true;
		chain_set(&motion->fall, POINT_SERVO_DOWN, changed_stamp(station, frame));
		checks_fall(station, frame->fall_ns);
	}
	if ((frame->flags & SERVO_SETTLED) && motion->falling && !motion->fallen &&
	    is_at(station, frame->width_ns, RIG_DOWN)) {
		motion->fallen = true;
		station->heading = RIG_DOWN;
		station->free_ns = frame->fall_ns + station->rig->bench->movement_ns;
		chain_set(&motion->fall, POINT_SERVO_DONE,
			  frame_stamp(station, station->servo.settled_ns, frame->width_ns, 0));
	}
}

void motion_frame(struct station *station, const struct servo_frame *frame)
{
	struct motion *motion = &station->motion;

	if (!motion->under_way || motion->type == RANGE_PING)
		return;
	/* Two pulses that became one, for want of an edge, have no width. */
	if (!(frame->flags & (SERVO_WIDTH | SERVO_EDGES)))
		keep_widths(motion, frame->width_ns);
	if (motion->type == RANGE_ACTIVATE && (motion->done || motion->there_before))
		falling(station, frame);
	else if (!motion->done)
		moving(station, frame);
}

/* ---- the switches ---- */

void motion_switch(struct station *station, enum bench_role role,
		   const struct contact_change *change)
{
	struct motion *motion = &station->motion;
	struct stamp stamp = stamp_edge(change->first_ns, change->suspect ? SUSPECT_GAP : 0,
					station->rig->calibration);

	if (!motion->under_way || motion->type == RANGE_PING)
		return;
	motion->switch_changes++;
	if (!change->level)
		return;
	if (change->bounces > motion->bounces)
		motion->bounces = change->bounces;
	enum bench_role wanted = motion->type == RANGE_LAY_DOWN ? BENCH_DOWN : BENCH_UP;
	if (role == wanted && !motion->reached) {
		motion->reached = true;
		chain_set(&motion->chain, POINT_SWITCH, stamp);
	} else if (motion->type == RANGE_ACTIVATE && role == BENCH_DOWN && !motion->lying &&
		   (motion->falling || !station->servo_watched)) {
		motion->lying = true;
		chain_set(&motion->fall, POINT_SWITCH, stamp);
	}
}

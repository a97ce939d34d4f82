#include "emulator/target/parts.h"

#include <assert.h>

/*
 * Moves are done strictly one after the other. A move that changes nothing (stand up while it
 * stands) still takes its time: the firmware sets the servo and waits. It cannot see the target: a
 * jammed one is not known to be so.
 */

static void start_next(struct target *target);
static void begin_move(struct target *target);
static void be_active(struct target *target);

static struct target_move *current(struct target *target)
{
	assert(target->queue_len > 0);
	return &target->queue[target->queue_head];
}

static void wait_ns(struct target *target, int64_t ns, void (*then)(struct timer *, int64_t))
{
	target->mechanics.fire = then;
	loop_timer(target->env->loop, &target->mechanics, ns);
}

static struct target *target_of(struct timer *timer)
{
	return OF(timer, struct target, mechanics);
}

/* While its program hangs nothing goes on; the same step is taken when it wakes up. */
static bool parked(struct target *target)
{
	if (!fault_active(target, FAULT_HANG))
		return false;
	target->faults->parked_mechanics = true;
	return true;
}

static bool is_jammed(const struct target *target)
{
	return target->faults != NULL && target->faults->jammed;
}

/* ---- durations ---- */

static int64_t times(int64_t ns, double factor)
{
	double product = (double)ns * factor;

	return product < 0 ? 0 : product < 0x1p62 ? (int64_t)product : INT64_C(1) << 62;
}

static int64_t with_faults(struct target *target, int64_t ns)
{
	const struct fault_spec *spec;

	if (target->faults == NULL)
		return ns;
	if ((spec = fault_strikes(target, FAULT_SLOW)) != NULL)
		ns = times(ns, spec->factor);
	if (fault_active(target, FAULT_WEAR)) {
		spec = target->faults->spec[FAULT_WEAR];
		ns = times(ns, 1 + spec->factor * target->faults->moves++);
	}
	return ns;
}

static int64_t draw_rise(struct target *target)
{
	return with_faults(
		target, dist_draw(&target->group->rise, target_draw(target, RNG_RISE, DRAW_RISE)));
}

static int64_t draw_fall(struct target *target)
{
	return with_faults(
		target, dist_draw(&target->group->fall, target_draw(target, RNG_FALL, DRAW_FALL)));
}

/* ---- lying down ---- */

static void finish(struct target *target)
{
	target->queue_head = (uint16_t)((target->queue_head + 1) % target->group->queue_max);
	target->queue_len--;
	target->busy = false;
	if (target->queue_len > 0)
		start_next(target);
}

static void lie(struct target *target)
{
	if (target->state == TARGET_FALLING)
		target_become(target, TARGET_DOWN);
	if (is_jammed(target))
		return;
	target->up = false;
	target_news(target, EVENT_DOWN, 0);
}

static void report(struct target *target)
{
	if (target->group->report_hit == TARGET_REPORT_NONE)
		return;
	if (fault_active(target, FAULT_OUTAGE)) {
		target->env->totals.hit_reports_failed++;
		target_say(target, EVENT_HIT_REPORT_FAILED, "no network");
		return;
	}
	if (target->group->report_hit == TARGET_REPORT_HTTP)
		target_report_hit(target);
	else
		target->group->wire->report_hit(target);
}

static void fallen(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);
	const struct target_move move = *current(target);

	(void)now_ns;
	if (parked(target))
		return;
	lie(target);
	if (move.command == RANGE_LAY_DOWN)
		target_answer_late(target, &move);
	else if (fault_strikes(target, FAULT_CRASH_ACTIVE))
		target_crash(target, "reporting the hit is not implemented");
	else if (target->felt_hit)
		report(target);
	if (target_in_service(target))
		finish(target);
}

static void fall(struct target *target)
{
	if (target->up && !is_jammed(target)) {
		target_become(target, TARGET_FALLING);
		target_news(target, EVENT_FALLING, 0);
	} else if (target->state == TARGET_ACTIVE) {
		/* Jammed upright at the end of an activation: it stays up, and is active no more.
		 */
		target_become(target, TARGET_UP);
	}
	wait_ns(target, draw_fall(target), fallen);
}

/* ---- the sensor ---- */

static void hit_noticed(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);

	if (parked(target))
		return;
	target->env->totals.hits++;
	target_news(target, EVENT_HIT, now_ns - target->active_since_ns);
	target->felt_hit = true; /* it lies down, then it reports */
	fall(target);
}

static void time_is_up(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);

	(void)now_ns;
	if (parked(target))
		return;
	target->env->totals.misses++;
	target_news(target, EVENT_MISS, 0);
	fall(target);
}

/* The sensor is polled: a hit is seen at the next multiple of the poll's period. */
static int64_t at_poll(const struct target *target, int64_t ns)
{
	int64_t poll = target->group->poll_ns;

	return poll > 0 ? (ns + poll - 1) / poll * poll : ns;
}

/* When this activation is hit, from its beginning; -1: never. */
static int64_t draw_hit(struct target *target)
{
	const struct target_group *group = target->group;
	uint32_t n = target->draws[DRAW_ACTIVATION]++;
	uint64_t seed = target->env->seed;
	const struct fault_spec *spec;
	int64_t after = -1;

	if (rng_unit(rng_draw(seed, target->number, RNG_HIT, n)) < group->hit_probability)
		after = dist_draw(&group->hit_after,
				  rng_draw(seed, target->number, RNG_HIT_TIME, n));
	if (target->faults == NULL || target->faults->active == 0)
		return after;
	if (fault_strikes(target, FAULT_SENSOR_DEAD))
		return -1;
	if (fault_strikes(target, FAULT_SENSOR_STUCK))
		return 0;
	if ((spec = fault_strikes(target, FAULT_GHOST_HIT)) != NULL) {
		int64_t ghost = fault_time(target, spec);
		if (after < 0 || ghost < after)
			after = ghost;
	}
	return after;
}

static void poll_sensor(struct target *target, int64_t duration_ns)
{
	int64_t hit = draw_hit(target);

	if (hit >= 0 && at_poll(target, hit) < duration_ns)
		wait_ns(target, at_poll(target, hit), hit_noticed);
	else
		wait_ns(target, duration_ns, time_is_up);
}

static void be_active(struct target *target)
{
	const struct target_move move = *current(target);

	if (!is_jammed(target) || target->up)
		target_become(target, TARGET_ACTIVE);
	target->felt_hit = false;
	target->active_since_ns = target->env->loop->now_ns;
	target->env->totals.activations++;
	target_news(target, EVENT_ACTIVE, move.duration_ns);
	target_answer_late(target, &move);
	if (!target_in_service(target))
		return;
	if (target->state == TARGET_ACTIVE)
		poll_sensor(target, move.duration_ns);
	else /* it lies jammed: the firmware waits, nobody can hit it */
		wait_ns(target, move.duration_ns, time_is_up);
}

bool target_hit(struct target *target)
{
	if (target->state != TARGET_ACTIVE || fault_strikes(target, FAULT_SENSOR_DEAD))
		return false;
	int64_t since = target->env->loop->now_ns - target->active_since_ns;
	int64_t seen = target->active_since_ns + at_poll(target, since);
	/* After the last poll of this activation nobody looks any more. */
	if (target->mechanics.fire == time_is_up && seen >= target->mechanics.due_ns)
		return false;
	target->mechanics.fire = hit_noticed;
	timer_arm(&target->env->loop->timers, &target->mechanics, seen);
	return true;
}

bool target_miss(struct target *target)
{
	if (target->state != TARGET_ACTIVE)
		return false;
	wait_ns(target, 0, time_is_up);
	return true;
}

void target_feel_hit_down(struct target *target)
{
	target->env->totals.hits++;
	target_say(target, EVENT_HIT, "while down");
	report(target);
}

/* ---- standing up ---- */

static void bounce_back(struct timer *timer, int64_t now_ns);

/* It has arrived, for good. */
static void stand(struct target *target)
{
	const struct target_move move = *current(target);

	if (move.command == RANGE_ACTIVATE) {
		be_active(target);
		return;
	}
	target_answer_late(target, &move);
	if (target_in_service(target))
		finish(target);
}

static void arrive(struct target *target)
{
	target->up = true;
	if (target->state == TARGET_RISING)
		target_become(target, TARGET_UP);
	target_news(target, EVENT_STANDING, 0);
}

static void bounce_down(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);

	(void)now_ns;
	if (parked(target))
		return;
	lie(target);
	target_become(target, TARGET_RISING);
	target_news(target, EVENT_RISING, 0);
	wait_ns(target, fault_time(target, target->faults->spec[FAULT_BOUNCE]), bounce_back);
}

/* True: it falls back once more before it stands. */
static bool bounce(struct target *target)
{
	struct target_faults *faults = target->faults;

	if (faults == NULL || faults->bounces_left == 0 || target->state != TARGET_UP)
		return false;
	faults->bounces_left--;
	target_become(target, TARGET_FALLING);
	target_news(target, EVENT_FALLING, 0);
	wait_ns(target, fault_time(target, faults->spec[FAULT_BOUNCE]), bounce_down);
	return true;
}

static void bounce_back(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);

	(void)now_ns;
	if (parked(target))
		return;
	arrive(target);
	if (!bounce(target))
		stand(target);
}

static void risen(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);
	const struct fault_spec *spec;

	(void)now_ns;
	if (parked(target))
		return;
	if (!is_jammed(target)) {
		bool rose = target->state == TARGET_RISING;
		arrive(target);
		if (rose && (spec = fault_strikes(target, FAULT_BOUNCE)) != NULL)
			target->faults->bounces_left = (uint32_t)spec->count;
	}
	if (!bounce(target))
		stand(target);
}

/* ---- the queue ---- */

static void late_begin(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);

	(void)now_ns;
	if (!parked(target))
		begin_move(target);
}

static void begin_move(struct target *target)
{
	if (target->faults != NULL)
		target->faults->jammed = fault_strikes(target, FAULT_JAM) != NULL;
	if (current(target)->command == RANGE_LAY_DOWN) {
		fall(target);
		return;
	}
	if (!target->up && !is_jammed(target)) {
		target_become(target, TARGET_RISING);
		target_news(target, EVENT_RISING, 0);
	}
	wait_ns(target, draw_rise(target), risen);
}

static void start_next(struct target *target)
{
	const struct fault_spec *late = fault_strikes(target, FAULT_LATE_MOVE);

	target->busy = true;
	target->env->totals.moves++;
	if (late != NULL)
		wait_ns(target, fault_time(target, late), late_begin);
	else
		begin_move(target);
}

bool target_enqueue(struct target *target, const struct target_move *move)
{
	uint16_t max = target->group->queue_max;

	if (target->queue_len == max)
		return false;
	target->queue[(target->queue_head + target->queue_len) % max] = *move;
	target->queue_len++;
	if (!target->busy)
		start_next(target);
	return true;
}

void target_mechanics_init(struct target *target)
{
	target->mechanics.fire = risen; /* always replaced before it is armed */
}

void target_mechanics_reset(struct target *target)
{
	timer_cancel(&target->env->loop->timers, &target->mechanics);
	if (target->faults != NULL)
		target->faults->bounces_left = 0;
	for (; target->queue_len > 0; target->queue_len--) {
		struct target_move *move = current(target);
		if (move->reply != NULL)
			target_forget_reply(target, move->reply);
		target->queue_head =
			(uint16_t)((target->queue_head + 1) % target->group->queue_max);
	}
	target->busy = false;
	target->up = false;
}

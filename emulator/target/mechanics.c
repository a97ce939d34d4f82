#include "emulator/target/parts.h"

#include <assert.h>

/*
 * Moves are done strictly one after the other. A move that changes nothing (stand up while it
 * stands) still takes its time: the firmware sets the servo and waits.
 */

static void start_next(struct target *target);

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

static void finish(struct target *target)
{
	target->queue_head = (uint16_t)((target->queue_head + 1) % target->group->queue_max);
	target->queue_len--;
	target->busy = false;
	if (target->queue_len > 0)
		start_next(target);
}

static void fallen(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);
	const struct target_move move = *current(target);

	(void)now_ns;
	if (target->state == TARGET_FALLING)
		target_become(target, TARGET_DOWN);
	target->up = false;
	target_say(target, EVENT_DOWN, NULL);
	if (move.command == QN_SNYPER_LAY_DOWN)
		target_answer_late(target, &move);
	if (target_in_service(target))
		finish(target);
}

static void fall(struct target *target)
{
	if (target->up) {
		target_become(target, TARGET_FALLING);
		target_say(target, EVENT_FALLING, NULL);
	}
	wait_ns(target, dist_draw(&target->group->fall, target_draw(target, RNG_FALL, DRAW_FALL)),
		fallen);
}

static void hit_noticed(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);

	target->env->totals.hits++;
	target_tell(target, EVENT_HIT, 0, now_ns - target->active_since_ns, NULL, 0);
	fall(target);
	if (target->group->report_hit == TARGET_REPORT_HTTP)
		target_report_hit(target);
}

static void time_is_up(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);

	(void)now_ns;
	target->env->totals.misses++;
	target_say(target, EVENT_MISS, NULL);
	fall(target);
}

/* The sensor is polled: a hit is seen at the next multiple of the poll's period. */
static int64_t at_poll(const struct target *target, int64_t ns)
{
	int64_t poll = target->group->poll_ns;

	return poll > 0 ? (ns + poll - 1) / poll * poll : ns;
}

static void be_active(struct target *target)
{
	const struct target_group *group = target->group;
	const struct target_move move = *current(target);
	uint32_t n = target->draws[DRAW_ACTIVATION]++;
	uint64_t seed = target->env->seed;

	target_become(target, TARGET_ACTIVE);
	target->active_since_ns = target->env->loop->now_ns;
	target->env->totals.activations++;
	target_tell(target, EVENT_ACTIVE, 0, move.duration_ns, NULL, 0);
	target_answer_late(target, &move);
	if (target->state != TARGET_ACTIVE)
		return;
	if (rng_unit(rng_draw(seed, target->number, RNG_HIT, n)) < group->hit_probability) {
		uint64_t bits = rng_draw(seed, target->number, RNG_HIT_TIME, n);
		int64_t after = at_poll(target, dist_draw(&group->hit_after, bits));
		if (after < move.duration_ns) {
			wait_ns(target, after, hit_noticed);
			return;
		}
	}
	wait_ns(target, move.duration_ns, time_is_up);
}

static void risen(struct timer *timer, int64_t now_ns)
{
	struct target *target = target_of(timer);
	const struct target_move move = *current(target);

	(void)now_ns;
	target->up = true;
	if (move.command == QN_SNYPER_ACTIVATE) {
		target_say(target, EVENT_STANDING, NULL);
		be_active(target);
		return;
	}
	if (target->state == TARGET_RISING)
		target_become(target, TARGET_UP);
	target_say(target, EVENT_STANDING, NULL);
	target_answer_late(target, &move);
	if (target_in_service(target))
		finish(target);
}

static void start_next(struct target *target)
{
	target->busy = true;
	target->env->totals.moves++;
	if (current(target)->command == QN_SNYPER_LAY_DOWN) {
		fall(target);
		return;
	}
	if (!target->up) {
		target_become(target, TARGET_RISING);
		target_say(target, EVENT_RISING, NULL);
	}
	wait_ns(target, dist_draw(&target->group->rise, target_draw(target, RNG_RISE, DRAW_RISE)),
		risen);
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

bool target_hit(struct target *target)
{
	if (target->state != TARGET_ACTIVE)
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

void target_mechanics_init(struct target *target)
{
	target->mechanics.fire = risen; /* always replaced before it is armed */
}

void target_mechanics_reset(struct target *target)
{
	timer_cancel(&target->env->loop->timers, &target->mechanics);
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

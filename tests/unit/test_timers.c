/*
 * The timers against the plainest reference there is: an array that is searched for its least.
 */
#include "emulator/base/rng.h"
#include "emulator/base/timers.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#define SLOT_NS (INT64_C(1) << 16)

static uint64_t draws;

static uint64_t any(uint64_t below)
{
	return rng_below(rng_draw(1, 0, RNG_GENERATE, draws++), below);
}

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- random sequences ---- */

#define MODEL_TIMERS 300

struct model {
	struct timers timers;
	struct timer timer[MODEL_TIMERS];
	int64_t due[MODEL_TIMERS];
	uint64_t order[MODEL_TIMERS];
	bool armed[MODEL_TIMERS];
	uint64_t orders;
	size_t count;
	int64_t now;
};

static int least(const struct model *m)
{
	int best = -1;

	for (int i = 0; i < MODEL_TIMERS; i++)
		if (m->armed[i] && (best < 0 || m->due[i] < m->due[best] ||
				    (m->due[i] == m->due[best] && m->order[i] < m->order[best])))
			best = i;
	return best;
}

/* From nanoseconds to years, each magnitude as often as the next; now and then the past or a tie.
 */
static int64_t any_due(const struct model *m)
{
	uint64_t kind = any(20);

	if (kind == 0)
		return m->now - (int64_t)any(1000000);
	if (kind == 1)
		return m->due[any(MODEL_TIMERS)];
	if (kind == 2) /* the edges of slots */
		return (m->now / SLOT_NS + (int64_t)any(600)) * SLOT_NS - 1 + (int64_t)any(3);
	return m->now + (int64_t)any(UINT64_C(1) << (1 + any(56)));
}

static void model_arm(struct model *m, int i)
{
	int64_t due = any_due(m);

	timer_arm(&m->timers, &m->timer[i], due);
	m->count += !m->armed[i];
	m->armed[i] = true;
	m->due[i] = due < 0 ? 0 : due;
	m->order[i] = m->orders++;
}

static void model_cancel(struct model *m, int i)
{
	timer_cancel(&m->timers, &m->timer[i]);
	m->count -= m->armed[i];
	m->armed[i] = false;
	cr_assert(!timer_armed(&m->timer[i]));
}

static void model_pop(struct model *m)
{
	int expected = least(m);

	if (expected >= 0 && m->due[expected] > m->now)
		expected = -1;
	struct timer *timer = timers_pop(&m->timers, m->now);
	cr_assert((timer == NULL) == (expected < 0), "at %lld", (long long)m->now);
	if (timer == NULL)
		return;
	cr_assert_eq(timer - m->timer, expected, "due %lld came before %lld",
		     (long long)timer->due_ns, (long long)m->due[expected]);
	cr_assert_eq(timer->due_ns, m->due[expected]);
	cr_assert(!timer_armed(timer));
	m->armed[expected] = false;
	m->count--;
}

static void model_next(struct model *m)
{
	int first = least(m);

	cr_assert_eq(timers_next(&m->timers), first < 0 ? TIMERS_NEVER : m->due[first]);
}

static void random_sequence(int64_t start, int steps)
{
	struct model *m = calloc(1, sizeof(*m));

	m->now = start;
	timers_init(&m->timers, start);
	for (int step = 0; step < steps; step++) {
		int i = (int)any(MODEL_TIMERS);
		switch (any(8)) {
		case 0:
		case 1:
		case 2: model_arm(m, i); break;
		case 3: model_cancel(m, i); break;
		case 4: model_next(m); break; /* may move the wheel ahead of now */
		case 5: m->now += (int64_t)any(UINT64_C(1) << (1 + any(44))); break;
		default: model_pop(m); break;
		}
		cr_assert_eq(m->timers.count, m->count);
	}
	m->now = INT64_MAX - 1;
	while (m->count > 0)
		model_pop(m);
	model_next(m);
	free(m);
}

Test(timers, random_sequences_match_the_reference)
{
	for (int round = 0; round < 40; round++)
		random_sequence((int64_t)any(UINT64_C(1) << (1 + any(60))), 3000);
	random_sequence(0, 3000);
}

/* ---- edges of slots and levels ---- */

static void by_edges(int64_t start, unsigned level_bits)
{
	struct timers timers;
	struct timer timer[64] = { 0 };
	int n = 0;

	timers_init(&timers, start);
	for (unsigned bits = 0; bits <= level_bits; bits += 8)
		for (int64_t slots = -1; slots <= 1; slots++)
			for (int64_t ns = -1; ns <= 1; ns++)
				timer_arm(&timers, &timer[n++],
					  start + ((INT64_C(1) << bits) + slots) * SLOT_NS + ns);
	int64_t last = -1;
	for (int left = n; left > 0; left--) {
		int64_t next = timers_next(&timers);
		cr_assert(next >= last, "%lld after %lld", (long long)next, (long long)last);
		cr_assert_null(timers_pop(&timers, next - 1));
		struct timer *popped = timers_pop(&timers, next);
		cr_assert_not_null(popped);
		cr_assert_eq(popped->due_ns, next);
		last = next;
	}
	cr_assert_eq(timers_next(&timers), TIMERS_NEVER);
}

Test(timers, carries_between_levels)
{
	for (unsigned bits = 0; bits <= 40; bits += 8)
		for (int64_t slots = -2; slots <= 2; slots++) {
			int64_t start = ((INT64_C(1) << bits) + slots) * SLOT_NS;
			by_edges(start < 0 ? 0 : start, 40);
			by_edges(start + SLOT_NS - 1, 40);
		}
}

Test(timers, slot_255_to_256)
{
	struct timers timers;
	struct timer a = { 0 }, b = { 0 }, c = { 0 };

	timers_init(&timers, 254 * SLOT_NS);
	timer_arm(&timers, &c, 257 * SLOT_NS);
	timer_arm(&timers, &b, 256 * SLOT_NS);
	timer_arm(&timers, &a, 256 * SLOT_NS - 1);
	cr_expect_eq(timers_pop(&timers, 300 * SLOT_NS), &a);
	cr_expect_eq(timers_pop(&timers, 300 * SLOT_NS), &b);
	timer_arm(&timers, &a, 511 * SLOT_NS); /* behind the carry, on level 0 again */
	timer_arm(&timers, &b, 512 * SLOT_NS);
	cr_expect_eq(timers_pop(&timers, TIMERS_NEVER - 1), &c);
	cr_expect_eq(timers_pop(&timers, TIMERS_NEVER - 1), &a);
	cr_expect_eq(timers_pop(&timers, TIMERS_NEVER - 1), &b);
}

/* ---- times that are none ---- */

Test(timers, the_past_is_due_at_once_in_its_order)
{
	struct timers timers;
	struct timer timer[4] = { 0 };
	const int64_t now = 5000000000;

	timers_init(&timers, now);
	timer_arm(&timers, &timer[0], now - 1);
	timer_arm(&timers, &timer[1], -7);
	timer_arm(&timers, &timer[2], now - 1000000000);
	timer_arm(&timers, &timer[3], INT64_MIN);
	cr_expect_eq(timers_next(&timers), 0);
	cr_expect_eq(timers_pop(&timers, now), &timer[1],
		     "before zero is zero, in order of arming");
	cr_expect_eq(timers_pop(&timers, now), &timer[3]);
	cr_expect_eq(timers_pop(&timers, now), &timer[2]);
	cr_expect_eq(timers_pop(&timers, now), &timer[0]);
	cr_expect_null(timers_pop(&timers, now));
}

Test(timers, never_never_comes)
{
	struct timers timers;
	struct timer never = { 0 }, last = { 0 }, soon = { 0 };

	timers_init(&timers, 0);
	cr_expect_eq(timers_next(&timers), TIMERS_NEVER);
	cr_expect_null(timers_pop(&timers, TIMERS_NEVER), "none is armed");
	timer_arm(&timers, &never, TIMERS_NEVER);
	cr_expect(timer_armed(&never));
	cr_expect_eq(timers_next(&timers), TIMERS_NEVER);
	cr_expect_null(timers_pop(&timers, TIMERS_NEVER), "never is not due");
	timer_arm(&timers, &last, TIMERS_NEVER - 1);
	timer_arm(&timers, &soon, 5);
	cr_expect_eq(timers_pop(&timers, TIMERS_NEVER), &soon);
	cr_expect_eq(timers_pop(&timers, TIMERS_NEVER), &last);
	cr_expect_null(timers_pop(&timers, TIMERS_NEVER));
	timer_cancel(&timers, &never);
	cr_expect_eq(timers.count, 0);
}

Test(timers, earlier_ones_than_the_open_slot)
{
	struct timers timers;
	struct timer far = { 0 }, near[100] = { 0 };
	const int64_t hour = INT64_C(3600) * 1000000000;

	timers_init(&timers, 0);
	timer_arm(&timers, &far, hour);
	cr_expect_eq(timers_next(&timers), hour); /* the wheel now stands an hour ahead */
	for (int i = 0; i < 100; i++)
		timer_arm(&timers, &near[i], 1000000 * (int64_t)((i * 37) % 100 + 1));
	for (int i = 0; i < 100; i += 2)
		timer_cancel(&timers, &near[i]);
	cr_expect_eq(timers.count, 51);
	int64_t last = 0;
	for (int i = 0; i < 50; i++) {
		struct timer *timer = timers_pop(&timers, hour - 1);
		cr_assert_not_null(timer);
		cr_assert((timer - near) % 2 == 1 && timer->due_ns > last);
		last = timer->due_ns;
	}
	cr_expect_null(timers_pop(&timers, hour - 1));
	cr_expect_eq(timers_pop(&timers, hour), &far);
}

/* ---- from within fire() ---- */

struct actor {
	struct timer timer;
	struct timers *timers;
	struct actor *other;
	int64_t again_in; /* < 0: not again */
	int fired;
};

static struct actor *fired_last;

static void act(struct timer *timer, int64_t now)
{
	struct actor *actor = (struct actor *)timer;

	cr_assert(!timer_armed(timer), "it is idle when it fires");
	cr_assert(timer->due_ns <= now);
	actor->fired++;
	fired_last = actor;
	if (actor->other != NULL)
		timer_cancel(actor->timers, &actor->other->timer);
	if (actor->again_in >= 0)
		timer_arm(actor->timers, timer, timer->due_ns + actor->again_in);
}

static struct actor actor_of(struct timers *timers, struct actor *other, int64_t again_in)
{
	return (struct actor){
		.timer.fire = act, .timers = timers, .other = other, .again_in = again_in
	};
}

Test(timers, armed_from_fire)
{
	struct timers timers;
	struct actor actor = actor_of(&timers, NULL, 10), at_once = actor_of(&timers, NULL, 0);

	timers_init(&timers, 0);
	timer_arm(&timers, &actor.timer, 10);
	cr_expect_eq(timers_run(&timers, 1000, 5000), 100, "it is due a hundred times");
	cr_expect_eq(actor.fired, 100);
	cr_expect_eq(timers_next(&timers), 1010);
	timer_arm(&timers, &at_once.timer, 1000);
	cr_expect_eq(timers_run(&timers, 1000, 64), 64, "the limit holds against endless arming");
	cr_expect_eq(at_once.fired, 64);
	cr_expect_eq(timers_next(&timers), 1000);
}

Test(timers, others_cancelled_from_fire)
{
	struct timers timers;
	struct actor c = actor_of(&timers, NULL, -1);
	struct actor b = actor_of(&timers, &c, -1), a = actor_of(&timers, &b, -1);

	/* In one slot (the heap), then far apart (the wheel). */
	for (int64_t apart = 1; apart < INT64_C(1) << 50; apart *= 1000) {
		a.fired = b.fired = c.fired = 0;
		timers_init(&timers, 0);
		timer_arm(&timers, &c.timer, 3 * apart);
		timer_arm(&timers, &b.timer, 2 * apart);
		timer_arm(&timers, &a.timer, apart);
		cr_expect_eq(timers_run(&timers, 5 * apart, 100), 2);
		cr_expect_eq(fired_last, &c);
		cr_expect(a.fired == 1 && b.fired == 0 && c.fired == 1);
		cr_expect_eq(timers.count, 0);
	}
}

Test(timers, order_of_arming_decides_ties)
{
	struct timers timers;
	struct timer timer[500] = { 0 };

	for (int64_t due = 1; due < INT64_C(1) << 50; due *= 100) {
		timers_init(&timers, 0);
		for (int i = 0; i < 500; i++)
			timer_arm(&timers, &timer[i], due);
		/* Armed anew: to the end of the row. */
		for (int i = 0; i < 500; i += 5)
			timer_arm(&timers, &timer[i], due);
		for (int i = 0; i < 500; i++)
			if (i % 5 != 0)
				cr_assert_eq(timers_pop(&timers, due), &timer[i]);
		for (int i = 0; i < 500; i += 5)
			cr_assert_eq(timers_pop(&timers, due), &timer[i]);
	}
}

/* ---- many ---- */

#define MANY 1000000

Test(timers, a_million, .timeout = 100)
{
	struct timer *timer = calloc(MANY, sizeof(*timer));
	struct timers timers;
	size_t left = 0;

	timers_init(&timers, 0);
	for (int i = 0; i < MANY; i++)
		timer_arm(&timers, &timer[i], (int64_t)any(UINT64_C(3600) * 1000000000));
	cr_assert_eq(timers.count, MANY);
	for (int i = 0; i < MANY; i++)
		if (any(10) != 0)
			timer_cancel(&timers, &timer[i]);
		else
			left++;
	cr_assert_eq(timers.count, left);
	const struct timer *last = NULL;
	for (; left > 0; left--) {
		struct timer *popped = timers_pop(&timers, TIMERS_NEVER - 1);
		cr_assert_not_null(popped);
		if (last != NULL)
			cr_assert(last->due_ns < popped->due_ns ||
				  (last->due_ns == popped->due_ns && last->order < popped->order));
		last = popped;
	}
	cr_assert_null(timers_pop(&timers, TIMERS_NEVER - 1));
	free(timer);
}

#define CROWD 100000

static void cancel_all(struct timers *timers, struct timer *timer, int stride)
{
	for (int first = 0; first < stride; first++)
		for (int i = first; i < CROWD; i += stride)
			timer_cancel(timers, &timer[i]);
	cr_assert_eq(timers->count, 0);
}

/* A quadratic step would take 10^10 operations, some minutes. */
Test(timers, a_crowd_at_one_instant, .timeout = 100)
{
	struct timer *timer = calloc(CROWD, sizeof(*timer));
	const int64_t due[] = { 0, 1, 100000000, INT64_C(3600) * 1000000000 };
	struct timers timers;
	double began = cpu_seconds();

	for (size_t d = 0; d < sizeof(due) / sizeof(*due); d++) {
		timers_init(&timers, 0);
		for (int i = 0; i < CROWD; i++)
			timer_arm(&timers, &timer[i], due[d]);
		for (int i = 0; i < CROWD; i++)
			cr_assert_eq(timers_pop(&timers, due[d]), &timer[i]);
		for (int stride = 1; stride < 8; stride += 3) {
			for (int i = CROWD - 1; i >= 0; i--)
				timer_arm(&timers, &timer[i], due[d]);
			timers_next(&timers);
			struct timer *first = timers_pop(&timers,
							 due[d]); /* the heap takes shape */
			cr_assert_eq(first, &timer[CROWD - 1]);
			cancel_all(&timers, timer, stride);
		}
	}
	cr_expect(cpu_seconds() - began < 20, "%.1f s of processor time", cpu_seconds() - began);
	free(timer);
}

/*
 * The loop: its clocks, the order within a turn, how it stops and how it waits.
 */
#include "emulator/base/loop.h"
#include "emulator/base/rng.h"
#include "emulator/base/units.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static struct loop loop;

static int64_t clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* What happened, a letter each. */
static char story[256];

static void tell(char letter)
{
	size_t len = strlen(story);

	cr_assert(len + 1 < sizeof(story), "%s", story);
	story[len] = letter;
}

struct actor {
	struct timer timer;
	struct loop_watch watch;
	struct loop_deferred deferred;
	char letter;
	bool defers, stops, again;
	struct actor *other; /* deferred from a deferred */
	int fd;
	int64_t now_ns;
	uint64_t turn;
};

static void deferred_runs(struct loop_deferred *deferred)
{
	struct actor *actor = OF(deferred, struct actor, deferred);

	tell((char)(actor->letter - 'a' + 'A'));
	if (actor->other != NULL) {
		loop_defer(&loop, &actor->other->deferred);
		actor->other = NULL;
	}
	if (actor->stops)
		loop_stop(&loop);
}

static void act(struct actor *actor)
{
	tell(actor->letter);
	actor->now_ns = loop.now_ns;
	actor->turn = loop.turns;
	if (actor->defers)
		loop_defer(&loop, &actor->deferred);
	else if (actor->stops)
		loop_stop(&loop);
}

static void timer_fires(struct timer *timer, int64_t now_ns)
{
	struct actor *actor = OF(timer, struct actor, timer);

	cr_expect(now_ns >= timer->due_ns);
	cr_expect_eq(now_ns, loop.now_ns);
	if (actor->again)
		timer_arm(&loop.timers, timer, now_ns);
	act(actor);
}

static void watch_ready(struct loop_watch *watch, uint32_t events)
{
	struct actor *actor = OF(watch, struct actor, watch);
	uint64_t value;

	cr_expect(events & EPOLLIN);
	cr_assert_eq(read(actor->fd, &value, sizeof(value)), sizeof(value));
	act(actor);
}

static void actor_init(struct actor *actor, char letter)
{
	*actor = (struct actor){ .timer.fire = timer_fires,
				 .watch.ready = watch_ready,
				 .deferred.run = deferred_runs,
				 .letter = letter,
				 .fd = -1 };
}

/* Its descriptor is readable until it was. */
static void make_ready(struct actor *actor)
{
	actor->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	cr_assert(actor->fd >= 0);
	cr_assert_eq(loop_add(&loop, actor->fd, EPOLLIN, &actor->watch), 0);
}

static void setup(void)
{
	cr_assert_eq(loop_init(&loop), 0);
}

static void teardown(void)
{
	loop_release(&loop);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 60);

/* ---- clocks ---- */

#define TIMERS 300

static struct timer many[TIMERS];
static int fired;

static void checks_the_clock(struct timer *timer, int64_t now_ns)
{
	cr_expect(clock_now(CLOCK_MONOTONIC) >= timer->due_ns, "early");
	cr_expect(now_ns >= timer->due_ns && now_ns == loop.now_ns);
	cr_expect(now_ns <= clock_now(CLOCK_MONOTONIC), "the loop's clock is never ahead");
	if (++fired == TIMERS)
		loop_stop(&loop);
}

Test(loop, timers_are_never_early)
{
	for (int i = 0; i < TIMERS; i++) {
		uint64_t bits = rng_draw(4, 0, RNG_GENERATE, (uint64_t)i);
		many[i].fire = checks_the_clock;
		loop_timer(&loop, &many[i], (int64_t)rng_below(bits, 60 * NS_PER_MS));
	}
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_eq(fired, TIMERS);
	/* Each turn waited for the next of them; a loop that spins has thousands. */
	cr_expect(loop.turns <= TIMERS + 5, "%llu turns", (unsigned long long)loop.turns);
}

Test(loop, waits_for_fractions_of_a_millisecond)
{
	struct actor a;

	actor_init(&a, 'a');
	a.stops = true;
	loop_timer(&loop, &a.timer, 300 * NS_PER_US);
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect(clock_now(CLOCK_MONOTONIC) >= a.timer.due_ns);
	cr_expect(loop.turns <= 3, "%llu turns: it spun", (unsigned long long)loop.turns);
}

Test(loop, clocks_are_read_once_a_turn)
{
	struct actor a, b, t;

	actor_init(&a, 'a');
	actor_init(&b, 'b');
	actor_init(&t, 't');
	make_ready(&a);
	make_ready(&b);
	b.stops = a.stops = true;
	b.defers = a.defers = true;
	loop_timer(&loop, &t.timer, -1);
	int64_t wall = clock_now(CLOCK_REALTIME), mono = clock_now(CLOCK_MONOTONIC);
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "tabBA", "timers first, then descriptors, then what was put off");
	cr_expect(a.now_ns == b.now_ns && a.now_ns == t.now_ns && a.turn == b.turn);
	cr_expect(a.now_ns >= mono && a.now_ns <= clock_now(CLOCK_MONOTONIC));
	/* Its distance from the other clock is not taken every turn. */
	cr_expect(loop.wall_ns >= wall - NS_PER_S &&
		  loop.wall_ns <= clock_now(CLOCK_REALTIME) + NS_PER_S);
	close(a.fd);
	close(b.fd);
}

Test(loop, a_timer_past_all_time_is_never_due)
{
	struct actor a, b;

	actor_init(&a, 'a');
	actor_init(&b, 'b');
	loop_timer(&loop, &a.timer, INT64_MAX);
	loop_timer(&loop, &b.timer, INT64_MAX - loop.now_ns + 1);
	cr_expect_eq(timers_next(&loop.timers), TIMERS_NEVER);
	loop_timer(&loop, &b.timer, INT64_MIN);
	b.stops = true;
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "b");
	timer_cancel(&loop.timers, &a.timer);
}

/* ---- the end of a turn ---- */

Test(loop, deferred_work_runs_when_all_handlers_are_done)
{
	struct actor a, b, c;

	actor_init(&a, 'a');
	actor_init(&b, 'b');
	actor_init(&c, 'c');
	make_ready(&a);
	make_ready(&b);
	a.defers = true;
	a.other = &c; /* which runs in the same turn */
	c.stops = true;
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "abAC");
	cr_expect_eq(loop.turns, 1);
	close(a.fd);
	close(b.fd);
}

static void soon_runs(struct loop_deferred *deferred)
{
	tell((char)(OF(deferred, struct actor, deferred)->letter - 'a' + 'A'));
}

static struct actor quick;

static void wants_it_soon(struct timer *timer, int64_t now_ns)
{
	(void)now_ns;
	tell(OF(timer, struct actor, timer)->letter);
	loop_soon(&loop, &quick.deferred);
}

static void watch_wants_it_soon(struct loop_watch *watch, uint32_t events)
{
	watch_ready(watch, events);
	loop_soon(&loop, &quick.deferred);
}

static void deferred_wants_it_soon(struct loop_deferred *deferred)
{
	deferred_runs(deferred);
	loop_soon(&loop, &quick.deferred);
}

/* Right behind the handler, also where that is itself put off, and before memory goes. */
Test(loop, soon_is_before_the_next_handler)
{
	struct actor a, b, t;

	actor_init(&a, 'a');
	actor_init(&b, 'b');
	actor_init(&t, 't');
	actor_init(&quick, 'q');
	quick.deferred.run = soon_runs;
	make_ready(&a);
	make_ready(&b);
	a.watch.ready = watch_wants_it_soon;
	t.timer.fire = wants_it_soon;
	loop_timer(&loop, &t.timer, -1);
	b.defers = b.stops = true;
	b.deferred.run = deferred_wants_it_soon;
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "tQaQbBQ");
	cr_expect_eq(loop.turns, 1);
	close(a.fd);
	close(b.fd);
}

static void watch_wants_it_after(struct loop_watch *watch, uint32_t events)
{
	watch_ready(watch, events);
	loop_after(&loop, &quick.deferred);
}

/* Also behind a stop: what it works on was taken from a descriptor that does not report it again.
 */
Test(loop, after_is_behind_all_handlers_and_before_what_was_put_off)
{
	struct actor a, b;

	actor_init(&a, 'a');
	actor_init(&b, 'b');
	actor_init(&quick, 'q');
	quick.deferred.run = soon_runs;
	make_ready(&a);
	make_ready(&b);
	a.watch.ready = watch_wants_it_after;
	a.defers = true;
	b.stops = true;
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "abQA");
	cr_expect_eq(loop.turns, 1);
	close(a.fd);
	close(b.fd);
}

/* Put off before the loop runs, with nothing else to wake it. */
Test(loop, what_was_put_off_outside_a_turn)
{
	struct actor a;

	actor_init(&a, 'a');
	actor_init(&quick, 'q');
	quick.deferred.run = soon_runs;
	a.stops = true;
	loop_defer(&loop, &a.deferred);
	loop_soon(&loop, &quick.deferred);
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "QA");
}

Test(loop, release_runs_what_is_left)
{
	struct actor a;

	actor_init(&a, 'a');
	loop_defer(&loop, &a.deferred);
	loop_release(&loop);
	cr_expect_str_eq(story, "A");
	cr_assert_eq(loop_init(&loop), 0);
}

Test(loop, stops_at_once)
{
	struct actor a, b;

	actor_init(&a, 'a');
	actor_init(&b, 'b');
	make_ready(&a);
	make_ready(&b);
	a.stops = b.stops = true;
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "a", "no handler is called behind a stop");
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "a", "it stays stopped");
	close(a.fd);
	close(b.fd);
}

Test(loop, endless_timers_do_not_starve_descriptors)
{
	struct actor t, a;

	actor_init(&t, 't');
	actor_init(&a, 'a');
	t.again = true;
	make_ready(&a);
	a.stops = true;
	t.letter = '\0'; /* it says nothing */
	loop_timer(&loop, &t.timer, 0);
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "a");
	timer_cancel(&loop.timers, &t.timer);
	close(a.fd);
}

/* ---- descriptors ---- */

Test(loop, changing_and_removing)
{
	struct actor a, b;

	actor_init(&a, 'a');
	actor_init(&b, 'b');
	make_ready(&a);
	make_ready(&b);
	cr_expect_eq(loop_change(&loop, a.fd, 0, &a.watch), 0);
	b.stops = true;
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "b", "nothing is asked of the other");
	loop.stopping = false;
	loop_remove(&loop, b.fd);
	cr_assert_eq(eventfd_write(b.fd, 1), 0);
	cr_expect_eq(loop_change(&loop, a.fd, EPOLLIN, &a.watch), 0);
	a.stops = true;
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "ba");
	cr_expect_eq(loop_change(&loop, b.fd, EPOLLIN, &b.watch), -ENOENT);
	cr_expect_eq(loop_add(&loop, -1, EPOLLIN, &b.watch), -EBADF);
	close(a.fd);
	close(b.fd);
}

static int until_a_turn; /* an eventfd that an alarm fills once a signal has made a turn */

static void alarmed(int number)
{
	const uint64_t one = 1;

	(void)number;
	if (loop.turns > 0 && write(until_a_turn, &one, sizeof(one)) < 0)
		abort();
}

Test(loop, a_signal_does_not_end_it)
{
	struct sigaction action = { .sa_handler = alarmed };
	struct itimerval soon = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 };
	struct itimerval off = { 0 };
	struct actor a;

	actor_init(&a, 'a');
	a.stops = true;
	cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	a.fd = until_a_turn = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	cr_assert_eq(loop_add(&loop, a.fd, EPOLLIN, &a.watch), 0);
	cr_assert_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	cr_expect_eq(loop_run(&loop, TIMERS_NEVER), 0);
	setitimer(ITIMER_REAL, &off, NULL);
	cr_expect_str_eq(story, "a");
	close(a.fd);
}

/* ---- simulated ---- */

struct simulated {
	struct timer timer;
	struct loop *loop;
	int64_t step_ns, wall_start_ns;
	int left;
};

static void ticks(struct timer *timer, int64_t now_ns)
{
	struct simulated *s = (struct simulated *)timer;

	cr_assert_eq(now_ns, timer->due_ns, "exactly");
	cr_assert_eq(s->loop->now_ns, now_ns);
	cr_assert_eq(s->loop->wall_ns, s->wall_start_ns + now_ns);
	if (--s->left > 0)
		loop_timer(s->loop, timer, s->step_ns);
}

Test(simulated, the_clock_stands_at_each_due_time)
{
	const int64_t wall = INT64_C(1700000000123456789);
	struct simulated actor[20] = { 0 };
	struct loop sim;
	int64_t end = 0;

	loop_init_simulated(&sim, wall);
	cr_expect(sim.now_ns == 0 && sim.wall_ns == wall);
	for (int i = 0; i < 20; i++) {
		actor[i] = (struct simulated){ .timer.fire = ticks,
					       .loop = &sim,
					       .step_ns = INT64_C(1) << (2 * i),
					       .wall_start_ns = wall,
					       .left = 100 };
		loop_timer(&sim, &actor[i].timer, actor[i].step_ns);
		end = 100 * actor[i].step_ns;
	}
	cr_assert_eq(loop_run(&sim, TIMERS_NEVER), 0, "until no timer is left");
	for (int i = 0; i < 20; i++)
		cr_expect_eq(actor[i].left, 0);
	cr_expect_eq(sim.turns, 2000);
	cr_expect_eq(sim.now_ns, end);
	loop_release(&sim);
}

Test(simulated, stops_at_its_end)
{
	struct simulated actor = { .timer.fire = ticks, .step_ns = 10, .left = 1000 };
	struct loop sim;

	loop_init_simulated(&sim, 0);
	actor.loop = &sim;
	loop_timer(&sim, &actor.timer, 10);
	cr_assert_eq(loop_run(&sim, 99), 0);
	cr_expect_eq(actor.left, 1000 - 9, "10 to 90");
	cr_expect(timer_armed(&actor.timer));
	cr_assert_eq(loop_run(&sim, 100), 0);
	cr_expect_eq(actor.left, 1000 - 10, "the end belongs to it");
	cr_assert_eq(loop_run(&sim, 50), 0);
	cr_expect_eq(sim.now_ns, 100, "it does not go back");
	timer_cancel(&sim.timers, &actor.timer);
	loop_release(&sim);
}

static void defers_and_stops(struct timer *timer, int64_t now_ns)
{
	struct actor *actor = OF(timer, struct actor, timer);

	cr_expect_eq(now_ns, 5);
	tell(actor->letter);
	loop_defer(&loop, &actor->deferred);
}

Test(simulated, deferred_work_and_stopping)
{
	struct actor a, b;

	loop_init_simulated(&loop, 0);
	actor_init(&a, 'a');
	actor_init(&b, 'b');
	a.timer.fire = b.timer.fire = defers_and_stops;
	b.stops = true;
	loop_timer(&loop, &a.timer, 5);
	loop_timer(&loop, &b.timer, 5);
	loop_timer(&loop, &many[0], 6);
	cr_assert_eq(loop_run(&loop, TIMERS_NEVER), 0);
	cr_expect_str_eq(story, "aAbB", "a turn is one timer");
	cr_expect(timer_armed(&many[0]) && loop.now_ns == 5);
	loop_release(&loop);
}

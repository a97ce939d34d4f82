/*
 * The watch, in the real loop, on lines that are pipes: how often it wakes up, what it tells, and
 * that it survives whatever happens to its lines.
 */
#include "hil/gpio/watch.h"
#include "tests/support/gpio_fake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#define MS INT64_C(1000000)
#define LINES 4

static struct loop loop;
static struct edge_watch watch;
static struct gpio_fake fake;
static struct gpio_fake_chip *chip;
static struct gpio_line line[LINES];
static struct watch_line watched[LINES];
static unsigned told[LINES], failures;
static int failure;
static struct timer feeder, end;
static unsigned fed, feed_until;
static unsigned remove_when_told; /* bits of lines that the callback of line 0 removes */

static size_t number_of(const struct watch_line *of)
{
	return (size_t)(of - watched);
}

static void on_edges(struct watch_line *of, int64_t complete_ns)
{
	cr_assert_not_null(of->watch, "told of a line that is removed");
	cr_assert_leq(complete_ns, loop.now_ns + 1000 * MS);
	told[number_of(of)]++;
	for (unsigned i = 0; number_of(of) == 0 && i < LINES; i++)
		if (remove_when_told & (1u << i))
			watch_remove(&watched[i]);
}

static void on_failed(struct watch_line *of, int error)
{
	cr_assert_null(of->watch);
	failure = error;
	if (++failures == 2)
		loop_stop(&loop);
}

static void on_end(struct timer *timer, int64_t now_ns)
{
	(void)timer;
	(void)now_ns;
	loop_stop(&loop);
}

static void add(unsigned i, bool prompt)
{
	char number[4];

	snprintf(number, sizeof(number), "%u", i);
	const struct gpio_request wanted = { .chip = "0", .line = number, .use = GPIO_EDGES };
	cr_assert_eq(gpio_line_request(&line[i], &fake.gpio, &wanted, NULL), 0);
	watched[i] = (struct watch_line){
		.line = &line[i], .prompt = prompt, .edges = on_edges, .failed = on_failed
	};
	cr_assert_eq(edge_ring_init(&watched[i].ring, 1024, 0), 0);
	cr_assert_eq(watch_add(&watch, &watched[i]), 0);
}

static void begin(unsigned kernel_abi, int64_t gather_ns)
{
	gpio_fake_init(&fake, kernel_abi);
	chip = gpio_fake_chip(&fake, "board", LINES, NULL);
	cr_assert_eq(loop_init(&loop), 0);
	cr_assert_eq(edge_watch_init(&watch, &loop, gather_ns), 0);
	end.fire = on_end;
}

static void run_for(int64_t ns)
{
	loop_read_clocks(&loop);
	loop.stopping = false;
	loop_timer(&loop, &end, ns);
	cr_assert_eq(loop_run(&loop, INT64_MAX), 0);
	timer_cancel(&loop.timers, &end);
}

static void teardown(void)
{
	edge_watch_release(&watch);
	timer_cancel(&loop.timers, &end);
	timer_cancel(&loop.timers, &feeder);
	for (unsigned i = 0; i < LINES; i++) {
		gpio_line_release(&line[i]);
		edge_ring_release(&watched[i].ring);
	}
	loop_release(&loop);
	gpio_fake_release(&fake);
}

TestSuite(gpio_watch, .fini = teardown);

/* 100 edges a second on line 0, as a servo's PWM makes them. */
static void on_feed(struct timer *timer, int64_t now_ns)
{
	gpio_fake_edge(&chip->line[0], now_ns, ++fed % 2 == 1);
	if (fed < feed_until)
		timer_arm(&loop.timers, timer, timer->due_ns + 10 * MS);
	else
		loop_stop(&loop);
}

Test(gpio_watch, pwm_wakes_it_less_than_60_times_a_second)
{
	begin(2, 0); /* v1 would call what a busy machine makes gather here a full buffer */
	for (unsigned i = 0; i < LINES; i++)
		add(i, i > 0);
	fed = 0;
	feed_until = 200;
	feeder.fire = on_feed;
	loop_read_clocks(&loop);
	watch.stats.since_ns = loop.now_ns;
	loop_timer(&loop, &feeder, 10 * MS);
	run_for(60000 * MS);
	double wakeups = edge_watch_wakeups_per_s(&watch, loop.now_ns);
	edge_watch_read(&watch);
	cr_assert_eq(watched[0].ring.counts.edges, 200);
	cr_assert_eq(watched[0].ring.counts.parity + watched[0].ring.counts.gaps, 0);
	cr_assert_leq(wakeups, 60);
	cr_assert_gt(wakeups, 1);
	cr_assert_gt(watch.stats.cpu_ns, 0);
	double cpu = edge_watch_cpu_share(&watch, loop.now_ns);
	printf("50 Hz PWM: %.1f wake-ups/s, %.2f %% CPU, %llu edges at once at most\n", wakeups,
	       cpu * 100, (unsigned long long)watch.stats.edges_max);
	cr_assert_lt(cpu, 0.2);
}

Test(gpio_watch, what_gathers_comes_together_and_quiet_lines_are_polled_again)
{
	begin(2, 5 * MS);
	add(0, false);
	gpio_fake_edge(&chip->line[0], 10 * MS, true);
	run_for(1);
	/* Stamped before the watch began, as this fake's clock goes: corrects the level alone. */
	cr_assert_eq(watched[0].ring.written, 0);
	for (unsigned i = 0; i < 3; i++) {
		int64_t t_ns = watched[0].ring.start_ns + (1 + 2 * i) * MS;

		gpio_fake_edge(&chip->line[0], t_ns, false);
		gpio_fake_edge(&chip->line[0], t_ns + MS, true);
		run_for(200 * MS); /* gathers, grows quiet, waits for the next */
		cr_assert_eq(watched[0].ring.written, 2 * (i + 1));
		cr_assert_not(watch.gathering);
	}
	cr_assert_eq(watched[0].ring.counts.parity, 0);
	/* Each time: one wake-up by the line, EDGE_WATCH_QUIET by the timer. */
	cr_assert_leq(watch.stats.wakeups, 4 * (1 + EDGE_WATCH_QUIET) + 2);
}

Test(gpio_watch, nothing_happens_and_nothing_wakes)
{
	begin(2, 5 * MS);
	add(0, false);
	add(1, true);
	run_for(300 * MS);
	cr_assert_eq(watch.stats.wakeups, 0);
	cr_assert_eq(told[0] + told[1], 0);
}

Test(gpio_watch, edges_from_before_are_thrown_away_without_a_gap)
{
	begin(2, 5 * MS);
	const struct gpio_request wanted = { .chip = "0", .line = "0", .use = GPIO_EDGES };
	cr_assert_eq(gpio_line_request(&line[0], &fake.gpio, &wanted, NULL), 0);
	for (int i = 0; i < 40; i++)
		gpio_fake_edge(&chip->line[0], i, i % 2 == 0);
	watched[0] = (struct watch_line){ .line = &line[0], .edges = on_edges };
	cr_assert_eq(edge_ring_init(&watched[0].ring, 64, 0), 0);
	cr_assert_eq(watch_add(&watch, &watched[0]), 0);
	gpio_fake_edge(&chip->line[0], INT64_MAX / 2, true);
	edge_watch_read(&watch);
	cr_assert_eq(watched[0].ring.counts.edges, 1);
	cr_assert_eq(watched[0].ring.counts.gaps, 0);
	gpio_fake_skip(&chip->line[0], 3);
	gpio_fake_edge(&chip->line[0], INT64_MAX / 2 + 1, true);
	edge_watch_read(&watch);
	cr_assert_eq(watched[0].ring.counts.gaps, 1);
	cr_assert_eq(watched[0].ring.counts.lost, 3);
}

Test(gpio_watch, a_full_v1_buffer_is_counted)
{
	begin(1, 5 * MS);
	add(0, false);
	int64_t t_ns = watched[0].ring.start_ns;
	for (int i = 1; i <= 16; i++)
		gpio_fake_edge(&chip->line[0], t_ns + i * MS, i % 2 == 1);
	run_for(20 * MS);
	cr_assert_eq(watched[0].ring.counts.edges, 16);
	cr_assert_eq(watched[0].ring.counts.full, 1);
}

Test(gpio_watch, a_chip_that_goes_takes_its_lines_with_it)
{
	begin(2, 5 * MS);
	add(0, false);
	add(1, true);
	gpio_fake_edge(&chip->line[0], watched[0].ring.start_ns + MS, true);
	gpio_fake_unplug(chip);
	run_for(10000 * MS);
	cr_assert_eq(failures, 2);
	cr_assert_eq(failure, -ENODEV);
	cr_assert_eq(watched[0].ring.counts.edges, 1, "what was there is read first");
	cr_assert_null(watch.lines);
	cr_assert_not(timer_armed(&watch.timer));
}

Test(gpio_watch, callbacks_may_remove_any_line)
{
	begin(2, 5 * MS);
	/* Added last is served first: line 0 is served before 1, 2, 3 in one set, after them in the
	 * other. */
	static const unsigned orders[2][LINES] = { { 3, 2, 1, 0 }, { 0, 1, 2, 3 } };
	for (size_t o = 0; o < 4; o++) {
		for (size_t i = 0; i < LINES; i++)
			add(orders[o / 2][i], i % 2 == 0);
		for (unsigned i = 0; i < LINES; i++)
			gpio_fake_edge(&chip->line[i], watched[i].ring.start_ns + MS, true);
		remove_when_told = 0xf;
		if (o % 2 == 0)
			run_for(50 * MS); /* one line is ready */
		else
			edge_watch_read(&watch); /* all are read in one go */
		cr_assert_null(watch.lines);
		remove_when_told = 0;
		for (unsigned i = 0; i < LINES; i++) {
			watch_remove(&watched[i]);
			gpio_line_release(&line[i]);
			edge_ring_release(&watched[i].ring);
		}
	}
}

Test(gpio_watch, a_line_that_is_removed_does_not_fail_any_more)
{
	begin(2, 5 * MS);
	add(0, false);
	gpio_fake_edge(&chip->line[0], watched[0].ring.start_ns + MS, true);
	gpio_fake_unplug(chip);
	remove_when_told = 1;
	run_for(50 * MS);
	remove_when_told = 0;
	cr_assert_eq(told[0], 1);
	cr_assert_eq(failures, 0);
}

Test(gpio_watch, what_cannot_be_watched_is_refused)
{
	begin(2, 5 * MS);
	const struct gpio_request wanted = { .chip = "0", .line = "0", .use = GPIO_INPUT };
	cr_assert_eq(gpio_line_request(&line[0], &fake.gpio, &wanted, NULL), 0);
	watched[0] = (struct watch_line){ .line = &line[0] };
	cr_assert_eq(edge_ring_init(&watched[0].ring, 64, 0), 0);
	cr_assert_eq(watch_add(&watch, &watched[0]), -EINVAL);
	add(1, false);
	watch_remove(&watched[1]);
	chip->line[1].get_error = -ENODEV;
	cr_assert_eq(watch_add(&watch, &watched[1]), -ENODEV);
	cr_assert_null(watched[1].watch);
}

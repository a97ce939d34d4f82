/* Calibration: the sums, and a run on an output that is joined to its input by this test. */
#include "hil/gpio/loopback.h"
#include "tests/support/gpio_fake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define MS INT64_C(1000000)

/* --- the sums -----------------------------------------------------------------------------------
 */

Test(gpio_loopback, statistics_of_known_values)
{
	int64_t values[100];

	for (int i = 0; i < 100; i++)
		values[i] = 100 - i;
	struct loopback_stats stats = loopback_stats(values, 100);
	cr_assert_eq(stats.n, 100);
	cr_assert_eq(stats.min_ns, 1);
	cr_assert_eq(stats.median_ns, 50);
	cr_assert_eq(stats.p95_ns, 95);
	cr_assert_eq(stats.p99_ns, 99);
	cr_assert_eq(stats.max_ns, 100);
	cr_assert_float_eq(stats.mean_ns, 50.5, 1e-9);
	cr_assert_float_eq(stats.stddev_ns, 29.0115, 1e-3);
	values[0] = 7;
	stats = loopback_stats(values, 1);
	cr_assert_eq(stats.median_ns, 7);
	cr_assert_eq(stats.stddev_ns, 0);
	stats = loopback_stats(values, 0);
	cr_assert_eq(stats.n + (size_t)stats.max_ns, 0);
}

static const struct loopback_toggle toggles[] = {
	{ 100, 110, true }, { 200, 210, false }, { 300, 310, true }, { 400, 410, false }
};

static struct loopback_match match(const struct edge *edges, size_t count, int64_t *latency)
{
	return loopback_match(toggles, 4, edges, count, latency);
}

Test(gpio_loopback, every_toggle_has_its_edge)
{
	/* The second comes after the third toggle: slow is not lost. */
	const struct edge edges[] = { { .t_ns = 130, .level = true },
				      { .t_ns = 340, .level = false },
				      { .t_ns = 350, .level = true },
				      { .t_ns = 420, .level = false } };
	int64_t latency[4];
	struct loopback_match m = match(edges, 4, latency);

	cr_assert_eq(m.matched, 4);
	cr_assert_eq(m.lost + m.extra, 0);
	cr_assert_eq(latency[0], 30);
	cr_assert_eq(latency[1], 140);
	cr_assert_eq(latency[3], 20);
}

Test(gpio_loopback, lost_edges_are_told_from_late_ones)
{
	const struct edge edges[] = { { .t_ns = 130, .level = true },
				      { .t_ns = 330, .level = true },
				      { .t_ns = 420, .level = false } };
	int64_t latency[4];
	struct loopback_match m = match(edges, 3, latency);

	cr_assert_eq(m.matched, 3);
	cr_assert_eq(m.lost, 1);
	cr_assert_eq(m.extra, 0);
	cr_assert_eq(latency[1], -1);
	cr_assert_eq(latency[2], 30);
	m = match(edges, 0, latency);
	cr_assert_eq(m.lost, 4);
}

Test(gpio_loopback, edges_that_nobody_made)
{
	const struct edge edges[] = {
		{ .t_ns = 50, .level = true },  { .t_ns = 60, .level = false },
		{ .t_ns = 130, .level = true }, { .t_ns = 140, .level = false },
		{ .t_ns = 150, .level = true }, { .t_ns = 230, .level = false },
		{ .t_ns = 330, .level = true }, { .t_ns = 430, .level = false },
		{ .t_ns = 900, .level = true },
	};
	int64_t latency[4];
	struct loopback_match m = match(edges, 9, latency);

	/* 50 and 60 before, 900 after; of the spike at 140 and 150 only its shape can tell: the
	 * level's order puts one of its edges into the toggles. */
	cr_assert_eq(m.matched + m.lost, 4);
	cr_assert_eq(m.matched + m.extra, 9);
	cr_assert_geq(m.extra, 3);
}

/* --- a run --------------------------------------------------------------------------------------
 */

static struct gpio_fake fake;
static struct gpio_fake_chip *chip;
static struct gpio_line output, input;
static struct gpio_fault fault;
static struct loopback_result result;
static const struct loopback_params quick = {
	.toggles = 40, .spacing_ns = MS / 4, .bursts = 2, .wait_ns = 5 * MS
};
/* The wire: what it does to the edges of the output. */
static enum { WIRE_GOOD, WIRE_CUT, WIRE_DROPS, WIRE_SLOW } wire;
static unsigned sets;
static int64_t last_set_ns;

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int wired_set(void *handle, bool level)
{
	struct gpio_fake_line *line = handle;
	int64_t now_ns = clock_ns();
	bool close_by = now_ns - last_set_ns < MS / 8;

	if (line->set_error != 0)
		return line->set_error;
	line->level = level;
	sets++;
	last_set_ns = now_ns;
	if (wire == WIRE_CUT || (wire == WIRE_DROPS && sets % 10 == 3) ||
	    (wire == WIRE_SLOW && close_by))
		return 0;
	if (chip->line[1].level != level)
		gpio_fake_edge(&chip->line[1], now_ns + (level ? 20000 : 30000), level);
	return 0;
}

static void setup(void)
{
	gpio_fake_init(&fake, 2);
	fake.backend.set = wired_set;
	chip = gpio_fake_chip(&fake, "loop", 2, NULL);
	const struct gpio_request out = { .chip = "loop", .line = "0", .use = GPIO_OUTPUT };
	const struct gpio_request in = { .chip = "loop", .line = "1", .use = GPIO_EDGES };
	cr_assert_eq(gpio_line_request(&output, &fake.gpio, &out, &fault), 0, "%s", fault.text);
	cr_assert_eq(gpio_line_request(&input, &fake.gpio, &in, &fault), 0, "%s", fault.text);
}

static void teardown(void)
{
	gpio_line_release(&output);
	gpio_line_release(&input);
	gpio_fake_release(&fake);
}

TestSuite(gpio_loopback_run, .init = setup, .fini = teardown);

static int run(const volatile sig_atomic_t *stop)
{
	return loopback_run(&output, &input, &quick, stop, &result, &fault);
}

Test(gpio_loopback_run, a_good_wire)
{
	cr_assert_eq(run(NULL), 0, "%s", fault.text);
	cr_assert_eq(result.toggles, 40);
	cr_assert_eq(result.lost + result.extra, 0);
	cr_assert_eq(result.latency.n, 40);
	cr_assert_geq(result.rise.min_ns, 20000);
	cr_assert_geq(result.fall.min_ns, 30000);
	cr_assert_gt(result.stamp_u_ns, 4999, "rise and fall are 10 us apart");
	cr_assert_eq(result.stamp_u_ns, (result.latency.max_ns - result.latency.min_ns + 1) / 2);
	cr_assert_eq(result.width_bias_ns, result.fall.median_ns - result.rise.median_ns);
	cr_assert_gt(result.rates_count, 0);
	cr_assert_eq(result.rates[0].lost + result.rates[0].wrong, 0);
	cr_assert_gt(result.usable_hz, 100);
}

Test(gpio_loopback_run, a_cut_wire)
{
	wire = WIRE_CUT;
	cr_assert_eq(run(NULL), -ENOTCONN);
	cr_assert(strstr(fault.text, "not joined") != NULL, "%s", fault.text);
}

Test(gpio_loopback_run, a_wire_that_drops_edges)
{
	wire = WIRE_DROPS;
	cr_assert_eq(run(NULL), 0, "%s", fault.text);
	cr_assert_gt(result.lost, 0);
	cr_assert_eq(result.usable_hz, 0, "at no rate does everything arrive");
	cr_assert_eq(result.rates_count, 1);
}

Test(gpio_loopback_run, a_wire_that_cannot_follow)
{
	wire = WIRE_SLOW;
	cr_assert_eq(run(NULL), 0, "%s", fault.text);
	cr_assert_lt(result.rates_count, LOOPBACK_RATES);
	const struct loopback_rate *last = &result.rates[result.rates_count - 1];
	cr_assert_gt(last->lost + last->wrong, 0);
	cr_assert(result.usable_hz < 8100 && result.usable_hz < last->rate_hz);
}

Test(gpio_loopback_run, it_ends_when_it_is_told_to_or_the_chip_goes)
{
	volatile sig_atomic_t stop = 1;

	memset(&result, 0x5a, sizeof(result));
	struct loopback_result before = result;
	cr_assert_eq(run(&stop), -ECANCELED);
	gpio_fake_unplug(chip);
	cr_assert_eq(run(NULL), -ENODEV);
	cr_assert(strstr(fault.text, "chip is gone") != NULL, "%s", fault.text);
	cr_assert_eq(loopback_run(&input, &output, &quick, NULL, &result, &fault), -EINVAL);
	cr_assert_eq(memcmp(&before, &result, sizeof(result)), 0, "untouched on failure");
}

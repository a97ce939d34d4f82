/* The servo decoder, fed with edges as a kernel would stamp them. */
#include "hil/gpio/servo.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

#define MS INT64_C(1000000)
#define US INT64_C(1000)

static struct servo servo;
static struct servo_frame frame;
static int64_t rise_ns; /* of the last pulse */

static void setup(void)
{
	cr_assert_eq(servo_init(&servo, NULL), 0);
	rise_ns = 1000 * MS;
}

TestSuite(gpio_servo, .init = setup);

static bool edge(int64_t t_ns, bool level, uint8_t flags)
{
	const struct edge one = { .t_ns = t_ns, .level = level, .flags = flags };

	return servo_edge(&servo, &one, &frame);
}

/* One frame, period_ns after the last. */
static struct servo_frame pulse(int64_t period_ns, int64_t width_ns, uint8_t rise_flags,
				uint8_t fall_flags)
{
	rise_ns += period_ns;
	cr_assert_not(edge(rise_ns, true, rise_flags));
	cr_assert(edge(rise_ns + width_ns, false, fall_flags));
	return frame;
}

Test(gpio_servo, frames_of_a_healthy_servo)
{
	struct servo_frame f = pulse(20 * MS, 500 * US, 0, 0);

	cr_assert_eq(f.number, 1);
	cr_assert_eq(f.flags, SERVO_CHANGED);
	cr_assert_eq(f.period_ns, 0);
	cr_assert_eq(f.after_ns, INT64_MIN);
	cr_assert_float_eq(f.angle, 0, 1e-9);
	cr_assert_float_eq(f.angle_u, 0.9, 1e-9, "two stamps of 5 us each, 11.1 us a degree");
	cr_assert_eq(pulse(20 * MS, 505 * US, 0, 0).flags, 0);
	f = pulse(20 * MS + 30 * US, 495 * US, 0, 0);
	cr_assert_eq(f.flags, SERVO_SETTLED);
	cr_assert_eq(f.period_ns, 20 * MS + 30 * US);
	cr_assert_eq(pulse(20 * MS, 500 * US, 0, 0).flags, 0, "settled once");
	cr_assert(servo.settled);
	cr_assert_eq(servo.width_ns_min, 495 * US);
	cr_assert_eq(servo.width_ns_max, 505 * US);
	cr_assert_eq(servo.counts.periods, 3);
	cr_assert_eq(servo.counts.period_ns_max, 20 * MS + 30 * US);
}

Test(gpio_servo, the_first_frame_of_a_new_width)
{
	for (int i = 0; i < 5; i++)
		pulse(20 * MS, 500 * US, 0, 0);
	int64_t before_ns = frame.fall_ns;
	struct servo_frame f = pulse(20 * MS, 1500 * US, 0, 0);
	cr_assert_eq(f.flags, SERVO_CHANGED);
	cr_assert_eq(f.fall_ns, rise_ns + 1500 * US);
	cr_assert_eq(f.after_ns, before_ns);
	cr_assert_float_eq(f.angle, 90, 1e-9);
	cr_assert_not(servo.settled);
	int64_t changed_ns = f.fall_ns;
	pulse(20 * MS, 1500 * US, 0, 0);
	cr_assert_eq(pulse(20 * MS, 1500 * US, 0, 0).flags, SERVO_SETTLED);
	cr_assert_eq(servo.changed_ns, changed_ns);
	cr_assert_eq(servo.settled_ns, frame.fall_ns);
	cr_assert_eq(servo.counts.changes, 2);
}

Test(gpio_servo, a_width_that_wanders_settles_late)
{
	pulse(20 * MS, 500 * US, 0, 0);
	for (int i = 1; i <= 10; i++) /* 100 us a frame: a ramp */
		cr_assert_eq(pulse(20 * MS, (500 + 100 * i) * US, 0, 0).flags, SERVO_CHANGED);
	cr_assert_not(servo.settled);
	int64_t last_step_ns = frame.fall_ns;
	for (int i = 0; i < 2; i++)
		pulse(20 * MS, 1500 * US, 0, 0);
	cr_assert(servo.settled);
	cr_assert_eq(servo.changed_ns, last_step_ns);
}

Test(gpio_servo, missing_frames)
{
	pulse(20 * MS, 500 * US, 0, 0);
	struct servo_frame f = pulse(60 * MS, 500 * US, 0, 0);
	cr_assert_eq(f.flags, SERVO_MISSING);
	cr_assert_eq(f.missing, 2);
	f = pulse(40 * MS, 1500 * US, 0, 0);
	cr_assert_eq(f.flags, SERVO_MISSING | SERVO_CHANGED,
		     "edges are all there: it is the first");
	cr_assert_eq(servo.counts.missing, 3);
	cr_assert_eq(servo.counts.wrong_period, 0);
	cr_assert_eq(servo.counts.periods, 0);
}

Test(gpio_servo, a_pause_off_the_grid_is_told_and_the_change_counts)
{
	pulse(20 * MS, 500 * US, 0, 0);
	struct servo_frame f = pulse(510 * MS, 1500 * US, 0, 0);
	cr_assert_eq(f.flags, SERVO_MISSING | SERVO_PERIOD | SERVO_CHANGED);
	cr_assert_eq(f.missing, 25);
}

Test(gpio_servo, a_wrong_frequency)
{
	pulse(20 * MS, 500 * US, 0, 0);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(pulse(10 * MS, 500 * US, 0, 0).flags & SERVO_WRONG, SERVO_PERIOD);
	cr_assert_eq(servo.counts.wrong_period, 10);
	cr_assert_eq(pulse(21 * MS, 500 * US, 0, 0).flags & SERVO_WRONG, 0, "on the tolerance");
	cr_assert_eq(pulse(21 * MS + 1, 500 * US, 0, 0).flags & SERVO_WRONG, SERVO_PERIOD);
	cr_assert_eq(pulse(19 * MS - 1, 500 * US, 0, 0).flags & SERVO_WRONG, SERVO_PERIOD);
}

Test(gpio_servo, a_wide_tolerance_does_not_make_everything_a_multiple)
{
	struct servo_params p = servo_params_default;

	p.period_ns_tolerance = 5 * MS;
	cr_assert_eq(servo_init(&servo, &p), 0);
	pulse(20 * MS, 500 * US, 0, 0);
	cr_assert_eq(pulse(85 * MS, 500 * US, 0, 0).flags & SERVO_WRONG, SERVO_MISSING);
	cr_assert_eq(pulse(86 * MS, 500 * US, 0, 0).flags & SERVO_WRONG,
		     SERVO_MISSING | SERVO_PERIOD);
}

Test(gpio_servo, a_spike_is_no_new_width)
{
	pulse(20 * MS, 500 * US, 0, 0);
	int64_t good_ns = frame.fall_ns;
	struct servo_frame f = pulse(7 * MS, 20 * US, 0, 0);
	cr_assert_eq(f.flags, SERVO_PERIOD | SERVO_WIDTH);
	cr_assert_eq(servo.width_ns, 500 * US);
	/* A change right after it may have hidden in it: it is bounded, not certain. */
	f = pulse(13 * MS, 1500 * US, 0, 0);
	cr_assert(f.flags & SERVO_CHANGED);
	cr_assert(f.flags & SERVO_LATE);
	cr_assert_eq(f.after_ns, good_ns);
	cr_assert_eq(pulse(20 * MS, 2700 * US, 0, 0).flags, SERVO_WIDTH);
	cr_assert_eq(servo.counts.wrong_width, 2);
}

Test(gpio_servo, lost_edges_make_frames_suspect_and_changes_late)
{
	pulse(20 * MS, 500 * US, 0, 0);
	int64_t good_ns = frame.fall_ns;
	struct servo_frame f = pulse(20 * MS, 1500 * US, EDGE_GAP, 0);
	cr_assert_eq(f.flags, SERVO_EDGES);
	cr_assert_eq(f.period_ns, 0);
	cr_assert_eq(servo.width_ns, 500 * US, "no verdict from it");
	f = pulse(20 * MS, 1500 * US, 0, 0);
	cr_assert_eq(f.flags, SERVO_CHANGED | SERVO_LATE);
	cr_assert_eq(f.after_ns, good_ns);
	cr_assert_eq(f.period_ns, 0, "the rise before cannot be trusted");
	cr_assert_eq(pulse(20 * MS, 1500 * US, 0, 0).flags, 0);
	cr_assert_eq(servo.counts.suspect, 1);
}

Test(gpio_servo, every_suspect_flag_makes_a_frame_suspect)
{
	static const uint8_t flags[] = { EDGE_GAP, EDGE_PARITY, EDGE_FULL, EDGE_BACKWARDS,
					 EDGE_MISSED };

	for (size_t i = 0; i < sizeof(flags); i++)
		cr_assert(pulse(20 * MS, 500 * US, 0, flags[i]).flags & SERVO_EDGES);
	cr_assert_not(pulse(20 * MS, 500 * US, 0, EDGE_SHORT).flags & SERVO_EDGES);
}

Test(gpio_servo, the_middle_of_a_pulse_is_no_frame)
{
	cr_assert_not(edge(1000 * MS, false, 0));
	cr_assert_not(edge(1001 * MS, false, EDGE_PARITY));
	cr_assert_eq(servo.counts.frames, 0);
	cr_assert_eq(pulse(20 * MS, 500 * US, 0, 0).flags, SERVO_EDGES, "a rise was missed");
	/* Twice up: the first rise is forgotten, the frame is not trusted. */
	cr_assert_not(edge(rise_ns + 20 * MS, true, 0));
	cr_assert_eq(pulse(40 * MS, 500 * US, EDGE_PARITY, 0).flags, SERVO_EDGES);
}

Test(gpio_servo, overdue_and_stuck)
{
	cr_assert_eq(servo_overdue(&servo, INT64_MAX), 0, "nothing was there yet");
	pulse(20 * MS, 500 * US, 0, 0);
	cr_assert_eq(servo_overdue(&servo, rise_ns + 22 * MS), 0);
	cr_assert_eq(servo_overdue(&servo, rise_ns + 24 * MS), 1);
	cr_assert_eq(servo_overdue(&servo, rise_ns + 1000 * MS), 49);
	cr_assert_not(servo_stuck_high(&servo, rise_ns + 1000 * MS));
	edge(rise_ns + 20 * MS, true, 0);
	cr_assert_not(servo_stuck_high(&servo, rise_ns + 22 * MS));
	cr_assert(servo_stuck_high(&servo, rise_ns + 23 * MS));
}

Test(gpio_servo, angles_and_widths)
{
	const struct servo_params *p = &servo_params_default;

	cr_assert_float_eq(servo_angle(p, 2500 * US), 180, 1e-9);
	cr_assert_eq(servo_width_ns(p, 90), 1500 * US);
	cr_assert_eq(servo_width_ns(p, 180), 2500 * US);
	for (int half = -10; half <= 370; half++)
		cr_assert_lt(fabs(servo_angle(p, servo_width_ns(p, half / 2.0)) - half / 2.0),
			     1e-4);
}

Test(gpio_servo, parameters_are_checked)
{
	struct servo other;
	struct servo_params p = servo_params_default;

	p.width_ns_max = p.width_ns_min;
	cr_assert_eq(servo_init(&other, &p), -EINVAL);
	p = servo_params_default;
	p.period_ns_tolerance = p.period_ns / 2;
	cr_assert_eq(servo_init(&other, &p), -EINVAL);
	p = servo_params_default;
	p.degree_ns = NAN;
	cr_assert_eq(servo_init(&other, &p), -EINVAL);
	p = servo_params_default;
	p.settle_frames = 0;
	cr_assert_eq(servo_init(&other, &p), -EINVAL);
}

Test(gpio_servo, trouble_in_words)
{
	char text[120];

	servo_flags_describe(SERVO_CHANGED | SERVO_SETTLED, text, sizeof(text));
	cr_assert_str_eq(text, "");
	servo_flags_describe(SERVO_EDGES | SERVO_MISSING | SERVO_WIDTH, text, sizeof(text));
	cr_assert_str_eq(text, "edges lost or wrong, missing frames, no servo pulse");
}

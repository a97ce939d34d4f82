/*
 * From stamps to hops: what U is made up of, and where each hop's ends are.
 */
#include "hil/measure/chain.h"

#include <criterion/criterion.h>
#include <string.h>

#define MS INT64_C(1000000)

static const struct calibration bench = {
	.edge = { .n = 1000, .mean_ns = 4000, .sd_ns = 1000, .min_ns = 2500, .max_ns = 6000 },
	.send = { .n = 100, .mean_ns = 9000, .sd_ns = 2000, .min_ns = 5000, .max_ns = 12000 },
	.clock_ns = 100,
	.realtime_ns = 600,
	.usb_ns = 1 * MS,
};

Test(uncertainty, random_parts_as_squares_intervals_as_they_are)
{
	struct uncertainty u = { 0 }, more = { 0 };

	u.sigma_ns[U_KERNEL] = 3;
	u.half_ns[U_READ] = 10;
	more.sigma_ns[U_KERNEL] = 4;
	more.half_ns[U_READ] = 5;
	more.half_ns[U_USB] = 7;
	u_add(&u, &more);
	cr_expect(u.sigma_ns[U_KERNEL] == 5 && u.half_ns[U_READ] == 15 && u.half_ns[U_USB] == 7);
	/* 3 * 5 + 15 + 7 */
	cr_expect(u_total(&u, true) == 37);
	u.sigma_ns[U_CLOCK] = 12;
	/* 3 * 13 + 22 */
	cr_expect(u_total(&u, true) == 61);
	cr_expect(u_part_ns(&u, U_KERNEL) == 15 && u_part_ns(&u, U_READ) == 15);
	u.half_ns[U_FRAME] = 1000;
	cr_expect(u_total(&u, false) == 61 && u_total(&u, true) == 1061);
}

Test(uncertainty, sums_saturate)
{
	struct uncertainty u = { 0 };

	u.half_ns[U_READ] = INT64_MAX;
	u.half_ns[U_USB] = INT64_MAX;
	u.sigma_ns[U_KERNEL] = INT64_MAX;
	cr_expect(u_total(&u, true) == INT64_MAX);
	u_add(&u, &u);
	cr_expect(u.half_ns[U_READ] == INT64_MAX && u.sigma_ns[U_KERNEL] == INT64_MAX);
}

/* 3 sigma must cover the worst that calibration saw. */
Test(uncertainty, sigma_of_a_skewed_latency)
{
	struct latency latency = {
		.n = 9, .mean_ns = 100, .sd_ns = 10, .min_ns = 90, .max_ns = 120
	};

	cr_expect(latency_sigma(&latency) == 10);
	latency.max_ns = 131;
	cr_expect(latency_sigma(&latency) == 11, "31 / 3, rounded up");
	latency.min_ns = 0;
	cr_expect(latency_sigma(&latency) == 34);
}

Test(stamp, edge_loses_the_mean_delay)
{
	struct stamp stamp = stamp_edge(1000000, SUSPECT_PARITY, &bench);

	cr_expect(stamp.known && stamp.ns == 996000 && stamp.suspect == SUSPECT_PARITY);
	cr_expect(stamp.u.sigma_ns[U_KERNEL] == 1000 && stamp.u.half_ns[U_CLOCK] == 100);
	cr_expect(u_total(&stamp.u, true) == 3100);
}

Test(stamp, without_calibration_it_is_suspect)
{
	struct calibration none = { 0 };

	cr_expect(stamp_edge(5, 0, &none).suspect == SUSPECT_CALIBRATION);
	cr_expect(stamp_sent(5, &none).suspect == SUSPECT_CALIBRATION);
	cr_expect(stamp_user(5, &none).suspect == 0);
}

Test(stamp, sent_is_known_to_half_the_clocks_interval)
{
	struct stamp stamp = stamp_sent(5000, &bench);

	cr_expect(stamp.ns == 5000 && stamp.u.half_ns[U_CLOCK] == 400 && stamp.suspect == 0);
}

/* The interval, from the last empty read minus USB's millisecond to the read that found it, is
 * what the stamp says, whatever the numbers. */
Test(stamp, read_covers_its_interval)
{
	struct stamp stamp = stamp_read(10 * MS, 14 * MS, true, &bench);

	cr_expect(stamp.u.half_ns[U_READ] == 2 * MS && stamp.u.half_ns[U_USB] == MS / 2);
	cr_expect(stamp.ns == 14 * MS - 2 * MS - MS / 2);
	for (int64_t width = 0; width < 20; width++) {
		stamp = stamp_between(1000, 1000 + width, U_READ, &(struct calibration){ 0 });
		cr_expect(stamp.ns - stamp.u.half_ns[U_READ] <= 1000 &&
			  stamp.ns + stamp.u.half_ns[U_READ] >= 1000 + width &&
			  stamp.u.half_ns[U_READ] <= width / 2 + 1);
	}
	cr_expect(stamp_between(20, 10, U_READ, &bench).suspect == SUSPECT_ORDER);
	stamp = stamp_read(0, 10, false, &bench);
	cr_expect(stamp.u.half_ns[U_USB] == 0);
}

Test(stamp, a_device_clock_is_as_good_as_its_probe)
{
	struct stamp stamp = stamp_device(1000, 500, 900, &bench);

	cr_expect(stamp.ns == 1700 && stamp.u.half_ns[U_DEVICE] == 200);
}

Test(stamp, a_servo_frame_is_a_part_of_its_own)
{
	struct stamp stamp = stamp_servo(100 * MS, 1500000, 20 * MS, 0, &bench);

	cr_expect(stamp.ns == 100 * MS - 4000, "the pin's moment is not moved by it");
	cr_expect(stamp.u.half_ns[U_FRAME] == 10750000);
	cr_expect(u_total(&stamp.u, false) == 3100);
}

/* ---- chains ---- */

static struct chain stand_up(void)
{
	struct chain chain = { 0 };

	chain_set(&chain, POINT_DUE, stamp_exact(0));
	chain_set(&chain, POINT_WRITTEN, stamp_user(20000, &bench));
	chain_set(&chain, POINT_SENT, stamp_sent(30000, &bench));
	chain_set(&chain, POINT_SERVO_FRAME, stamp_servo(25 * MS, 1500000, 20 * MS, 0, &bench));
	chain_set(&chain, POINT_ANSWER, stamp_user(510 * MS, &bench));
	chain_set(&chain, POINT_SWITCH, stamp_edge(430 * MS, 0, &bench));
	return chain;
}

Test(chain, hops_in_the_order_of_time_add_up)
{
	static const enum point order[] = { POINT_DUE,         POINT_WRITTEN, POINT_SENT,
					    POINT_SERVO_FRAME, POINT_SWITCH,  POINT_ANSWER };
	struct chain chain = stand_up();
	struct hop hops[CHAIN_HOPS_MAX], whole;
	int64_t sum = 0;

	cr_assert(chain_hops(&chain, hops, CHAIN_HOPS_MAX) == 5);
	for (int i = 0; i < 5; i++) {
		cr_expect(hops[i].from == order[i] && hops[i].to == order[i + 1]);
		sum += hops[i].value_ns;
	}
	cr_assert(chain_between(&chain, POINT_DUE, POINT_ANSWER, &whole));
	cr_expect(sum == whole.value_ns && sum == 510 * MS);
	cr_expect(chain_hops(&chain, hops, 2) == 2);
	cr_expect(chain_hops(&chain, hops, 0) == 0);
}

Test(chain, u_of_a_hop_is_that_of_both_ends)
{
	struct chain chain = stand_up();
	struct hop hop;

	cr_assert(chain_between(&chain, POINT_SENT, POINT_SWITCH, &hop));
	cr_expect(hop.value_ns == 430 * MS - 4000 - 30000);
	cr_expect(hop.u.half_ns[U_CLOCK] == 400 + 100 && hop.u.sigma_ns[U_KERNEL] == 1000);
	cr_expect(u_total(&hop.u, true) == 3500);
}

/* The frame is about what the board decided: it counts where a hop ends, not where one starts. */
Test(chain, the_frame_counts_once)
{
	struct chain chain = stand_up();
	struct hop hop;

	cr_assert(chain_between(&chain, POINT_SENT, POINT_SERVO_FRAME, &hop));
	cr_expect(hop.u.half_ns[U_FRAME] == 10750000);
	cr_assert(chain_between(&chain, POINT_SERVO_FRAME, POINT_SWITCH, &hop));
	cr_expect(hop.u.half_ns[U_FRAME] == 0);
}

Test(chain, what_was_not_seen_is_left_out)
{
	struct chain chain = stand_up();
	struct hop hops[CHAIN_HOPS_MAX], hop = { .value_ns = 77 };

	chain.at[POINT_SERVO_FRAME].known = false;
	cr_expect(chain_hops(&chain, hops, CHAIN_HOPS_MAX) == 4);
	cr_expect(hops[2].from == POINT_SENT && hops[2].to == POINT_SWITCH);
	cr_expect(!chain_between(&chain, POINT_DUE, POINT_SERVO_FRAME, &hop) && hop.value_ns == 77);
	memset(&chain, 0, sizeof(chain));
	cr_expect(chain_hops(&chain, hops, CHAIN_HOPS_MAX) == 0);
}

Test(chain, suspicions_of_either_end_and_of_order)
{
	struct chain chain = stand_up();
	struct hop hop;

	chain.at[POINT_SERVO_FRAME].suspect = SUSPECT_GAP;
	cr_assert(chain_between(&chain, POINT_SERVO_FRAME, POINT_SWITCH, &hop));
	cr_expect(hop.suspect == SUSPECT_GAP);
	cr_assert(chain_between(&chain, POINT_ANSWER, POINT_SWITCH, &hop));
	cr_expect(hop.value_ns < 0 && hop.suspect == SUSPECT_ORDER);
	/* Within U either may have been first. */
	chain_set(&chain, POINT_ANSWER, stamp_user(430 * MS - 1000, &bench));
	cr_assert(chain_between(&chain, POINT_ANSWER, POINT_SWITCH, &hop));
	cr_expect(hop.value_ns < 0 && hop.suspect == 0);
}

Test(chain, names_lead_back)
{
	for (int i = 0; i < POINTS; i++) {
		cr_expect(point_from_name(point_name((enum point)i)) == i);
		cr_expect(point_text((enum point)i)[0] != '\0');
	}
	cr_expect(point_from_name("nowhere") == -1);
}

/*
 * Faults where they meet: with each other, with power, with peers that leave, exact to the
 * nanosecond. (What each does on a real wire: tests/e2e/test_faults_*.c.)
 */
#include "tests/support/faulty_range.h"

static struct guest other;
static struct stranger master;

/* Booting; the test plays the master, to whom it has just connected. */
static struct target *start_registering(const struct fault_spec *fault)
{
	struct target *target = faulty_init();

	range.group.attempts = 0;
	stranger_listen(&range, &master, (struct net_addr){ RANGE_MASTER_IP, RANGE_PORT });
	if (fault != NULL)
		cr_assert(target_fault_on(target, fault));
	target_power_on(target);
	range_pass(&range, 0);
	return target;
}

/* ---- hang ---- */

static const struct fault_spec hang_1s = SPEC(.kind = FAULT_HANG, .for_ns = NS_PER_S);

/* Its answer was on the way; the peer has said its last. Then more was asked, and it hung. */
Test(flow_faults, hang_with_a_peer_that_has_said_its_last, .fini = faulty_finish)
{
	const struct fault_spec delay = SPEC(.kind = FAULT_DELAY, TIME(300));
	struct target *target = faulty_start();

	target_fault_on(target, &delay);
	guest_send(&guest, PING("1"));
	range_until(&range, 100);
	target_fault_on(target, &hang_1s);
	guest_send(&guest, PING("2"));
	guest_shutdown(&guest);
	range_until(&range, 1099);
	const char *got = guest_take(&guest);
	cr_expect(strstr(got, "\"1\"") != NULL && strstr(got, "\"2\"") == NULL, "%s", got);
	cr_expect_not(guest.ended);
	range_until(&range, 1400);
	cr_expect_not_null(strstr(guest_take(&guest), "\"2\""));
	cr_expect(guest.ended);
}

/* What it reads when it wakes up ends it: the next connection is not touched any more. */
Test(flow_faults, wakes_up_and_dies, .fini = faulty_finish)
{
	const struct fault_spec memory = SPEC(.kind = FAULT_OUT_OF_MEMORY, .count = 1);
	struct target *target = faulty_start();

	guest_call(&range, &other, 0);
	target_fault_on(target, &memory);
	target_fault_on(target, &hang_1s);
	guest_send(&guest, PING("1") PING("2"));
	guest_send(&other, PING("3"));
	range_until(&range, 1500);
	cr_expect_eq(target->state, TARGET_GONE);
	cr_expect_eq(guest.error, -ECONNRESET);
	cr_expect_eq(other.error, -ECONNRESET);
	cr_expect_eq(range.env.totals.commands[RANGE_PING], 2u);
}

/* The end of a hang wakes no target that has lost its power since. */
Test(flow_faults, hang_and_power, .fini = faulty_finish)
{
	struct target *target = faulty_start();

	faulty_say("stand_up");
	target_fault_on(target, &hang_1s);
	range_until(&range, 600);
	cr_expect_eq(target->state, TARGET_RISING);
	target_power_off(target);
	range_until(&range, 2000);
	cr_expect_eq(target->state, TARGET_OFF);
	target_fault_on(target, &hang_1s);
	target_power_on(target);
	range_until(&range, 2500);
	cr_expect_eq(target->state, TARGET_BOOTING);
	target_power_off(target);
	range_until(&range, 5000);
	cr_expect_eq(target->state, TARGET_OFF);
	cr_expect_eq(range.env.totals.registered, 0u);
}

/* While it hangs the master answers, and closes: it is all there when it wakes up. */
Test(flow_faults, hang_while_it_registers, .fini = faulty_finish)
{
	struct target *target = start_registering(NULL);

	cr_assert_eq(master.n, 1u);
	target_fault_on(target, &hang_1s);
	guest_send(&master.guests[0], REGISTERED);
	guest_close(&master.guests[0]);
	range_until(&range, 999);
	cr_expect_eq(target->state, TARGET_BOOTING);
	range_until(&range, 1000);
	cr_expect_eq(target->state, TARGET_DOWN);
	cr_expect_eq(range.env.totals.register_failures, 0u);
}

static void hang_and_fail(const char *why)
{
	char expected[128];

	range_until(&range, 7999);
	cr_expect_eq(range.env.totals.register_failures, 0u);
	range_until(&range, 8000);
	snprintf(expected, sizeof(expected), "8000 target_1 register_failed: %s\n", why);
	faulty_happened(expected);
	range_until(&range, 8600);
	cr_expect_eq(master.n, 2u, "it tries again");
	guest_send(&master.guests[1], REGISTERED);
	range_until(&range, 9000);
	cr_expect_eq(range.targets[0].state, TARGET_DOWN);
}

static const struct fault_spec hang_8s = SPEC(.kind = FAULT_HANG, .for_ns = 8 * NS_PER_S);

Test(flow_faults, hang_while_it_registers_too_long, .fini = faulty_finish)
{
	target_fault_on(start_registering(NULL), &hang_8s);
	hang_and_fail("no answer in time");
}

Test(flow_faults, hang_while_its_master_closes, .fini = faulty_finish)
{
	target_fault_on(start_registering(NULL), &hang_8s);
	guest_close(&master.guests[0]);
	hang_and_fail("closed without an answer");
}

Test(flow_faults, hang_while_its_master_resets, .fini = faulty_finish)
{
	target_fault_on(start_registering(NULL), &hang_8s);
	guest_reset(&master.guests[0]);
	hang_and_fail("the connection broke while the program hung");
}

/* A hit while it hangs is felt when it looks again; after the end of the activation it is none. */
Test(flow_faults, hits_while_it_hangs, .fini = faulty_finish)
{
	struct target *target = faulty_start();

	guest_send(&guest,
		   "{\"type\": \"activate\", \"id\": \"1\", \"data\": {\"duration\": 1}}\n");
	range_until(&range, 700);
	target_fault_on(target, &hang_1s);
	cr_expect(target_hit(target));
	range_until(&range, 1600);
	cr_expect_eq(range.env.totals.hits, 0u);
	range_until(&range, 1700);
	cr_expect_eq(range.env.totals.hits, 1u);
	range_until(&range, 3000);
	guest_send(&guest,
		   "{\"type\": \"activate\", \"id\": \"1\", \"data\": {\"duration\": 1}}\n");
	range_until(&range, 4000);
	target_fault_on(target, &hang_1s);
	range_until(&range, 4600);
	cr_expect_not(target_hit(target));
	range_until(&range, 7000);
	cr_expect_eq(range.env.totals.hits, 1u);
	cr_expect_eq(range.env.totals.misses, 1u);
}

/* ---- life ---- */

Test(flow_faults, refuse_ends_while_it_boots, .fini = faulty_finish)
{
	const struct fault_spec refuse = SPEC(.kind = FAULT_REFUSE, .for_ns = MS(500));
	struct target *target = faulty_start();

	target_fault_on(target, &refuse);
	cr_expect_null(target->listener);
	range.group.boot = (struct dist){ DIST_FIXED, NS_PER_S, 0 };
	target_power_off(target);
	target_power_on(target);
	range_until(&range, 999);
	cr_expect_null(target->listener);
	range_until(&range, 1000);
	cr_expect_not_null(target->listener);
	/* And in service, with the listener back. */
	target_fault_on(target, &refuse);
	range_until(&range, 1499);
	guest_call(&range, &guest, 0);
	cr_expect_eq(guest.error, -ECONNREFUSED);
	range_until(&range, 1500);
	guest_call(&range, &guest, 0);
	cr_expect(guest.opened);
}

Test(flow_faults, refuse_ends_where_somebody_else_listens_now, .fini = faulty_finish)
{
	static struct stranger squatter;
	const struct fault_spec refuse = SPEC(.kind = FAULT_REFUSE, .for_ns = MS(500));
	struct target *target = faulty_start();

	target_fault_on(target, &refuse);
	range_pass(&range, 0);
	stranger_listen(&range, &squatter, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	range_until(&range, 600);
	faulty_happened("500 target_1 fault_off: refuse\n"
			"500 target_1 listen_failed: Address already in use\n"
			"500 target_1 crashed: cannot listen again\n");
	cr_expect_eq(target->state, TARGET_GONE);
	cr_expect_eq(range.env.totals.lost, 1u);
}

Test(flow_faults, moves_to_an_address_in_use, .fini = faulty_finish)
{
	static struct stranger squatter;
	struct target *target = faulty_start();

	stranger_listen(&range, &squatter, (struct net_addr){ RANGE_IP(5), RANGE_PORT });
	target_move_to(target, RANGE_IP(5));
	range_until(&range, 10000);
	EXPECT_TRACE(&range, "0 target_1 moved\n"
			     "0 target_1 listen_failed: Address already in use\n"
			     "0 target_1 crashed: cannot listen again\n");
	cr_expect_eq(range.env.totals.listen_failed, 1u);
	cr_expect_eq(range.env.last_listen_error, -EADDRINUSE);
	/* Moved back and switched on anew it is well. */
	target_power_off(target);
	target_move_to(target, RANGE_IP(0));
	target_power_on(target);
	range_until(&range, 11000);
	cr_expect_eq(target->state, TARGET_DOWN);
}

/* One that boots is moved: it boots on, and registers from there. */
Test(flow_faults, moves_while_it_boots, .fini = faulty_finish)
{
	const struct fault_spec late = SPEC(.kind = FAULT_REGISTER_LATE, TIME(2000));
	struct target *target = faulty_init();

	range_master(&range);
	target_fault_on(target, &late);
	target_power_on(target);
	range_until(&range, 500);
	target_move_to(target, RANGE_IP(5));
	range_until(&range, 1999);
	cr_expect_eq(range.env.totals.registrations, 0u);
	range_until(&range, 2000);
	cr_expect_eq(range.env.totals.registrations, 1u);
	cr_expect_eq(master_remote(range.master, 0)->ip, RANGE_IP(5));
}

Test(flow_faults, moves_in_service_with_its_port_closed, .fini = faulty_finish)
{
	const struct fault_spec refuse = SPEC(.kind = FAULT_REFUSE, .for_ns = MS(500));
	struct target *target = faulty_start();

	target_fault_on(target, &refuse);
	target_move_to(target, RANGE_IP(5));
	range_until(&range, 600);
	guest_connect(&range, &guest, RANGE_MASTER_IP,
		      (struct net_addr){ RANGE_IP(5), RANGE_PORT });
	range_pass(&range, 0);
	cr_expect(guest.opened);
}

Test(flow_faults, never_register_ends, .fini = faulty_finish)
{
	const struct fault_spec never = SPEC(.kind = FAULT_NEVER_REGISTER, .for_ns = NS_PER_S);
	struct target *target = faulty_init();

	range_master(&range);
	range.group.boot = (struct dist){ DIST_FIXED, MS(100), 0 };
	range.group.reregister_every_ns = 10 * NS_PER_S;
	target_fault_on(target, &never);
	target_power_on(target);
	range_until(&range, 999);
	cr_expect_eq(target->state, TARGET_BOOTING);
	range_until(&range, 1000);
	cr_expect_eq(target->state, TARGET_DOWN);
	/* In service: the registrations that it missed are not made up for, the next is made. */
	range_until(&range, 10900);
	target_fault_on(target, &never);
	range_until(&range, 11899);
	cr_expect_eq(range.env.totals.registrations, 1u);
	range_until(&range, 11900);
	cr_expect_eq(range.env.totals.registrations, 2u);
}

/* Before its boot is over: it is not hurried. */
Test(flow_faults, never_register_ends_while_it_boots, .fini = faulty_finish)
{
	const struct fault_spec never = SPEC(.kind = FAULT_NEVER_REGISTER, .for_ns = NS_PER_S);
	struct target *target = faulty_init();

	range_master(&range);
	range.group.boot = (struct dist){ DIST_FIXED, 3 * NS_PER_S, 0 };
	target_fault_on(target, &never);
	target_power_on(target);
	range_until(&range, 2999);
	cr_expect_eq(target->state, TARGET_BOOTING);
	range_until(&range, 3000);
	cr_expect_eq(target->state, TARGET_DOWN);
}

/* Once more is as much as the first time. */
Test(flow_faults, storms, .fini = faulty_finish)
{
	const struct fault_spec storm = SPEC(.kind = FAULT_REGISTER_STORM, .count = 4, TIME(10));
	struct target *target = faulty_start();

	target_fault_on(target, &storm);
	range_until(&range, 15);
	target_fault_off(target, FAULT_REGISTER_STORM);
	range_until(&range, 1000);
	uint64_t before = range.env.totals.registrations;
	target_fault_on(target, &storm);
	range_until(&range, 2000);
	cr_expect_eq(range.env.totals.registrations - before, 4u);
	target_power_off(target);
	target_power_on(target);
	range_until(&range, 3000);
	cr_expect_eq(range.env.totals.registrations - before, 8u);
}

Test(flow_faults, a_crash_reports_no_hit, .fini = faulty_finish)
{
	const struct fault_spec crash = SPEC(.kind = FAULT_CRASH_ACTIVE),
				stuck = SPEC(.kind = FAULT_SENSOR_STUCK);
	struct target *target = faulty_start();

	range.group.report_hit = TARGET_REPORT_HTTP;
	target_fault_on(target, &crash);
	target_fault_on(target, &stuck);
	faulty_say("activate");
	range_until(&range, 3000);
	faulty_happened("500 target_1 hit 0\n");
	faulty_happened("1000 target_1 crashed: reporting the hit is not implemented\n");
	cr_expect_eq(range.env.totals.hit_reports_failed, 0u);
}

/* ---- mechanics ---- */

Test(flow_faults, reboots_while_it_bounces, .fini = faulty_finish)
{
	const struct fault_spec bounce = SPEC(.kind = FAULT_BOUNCE, .count = 100000, TIME(80));
	struct target *target = faulty_start();

	target_fault_on(target, &bounce);
	faulty_say("stand_up");
	range_until(&range, 700);
	target_fault_off(target, FAULT_BOUNCE);
	target_power_off(target);
	target_power_on(target);
	range_until(&range, 1000);
	guest_call(&range, &guest, 0);
	range_trace(&range);
	faulty_say("stand_up");
	range_until(&range, 3000);
	EXPECT_TRACE(&range, "1000 target_1 command stand_up\n"
			     "1000 target_1 answer standing\n"
			     "1000 target_1 rising\n"
			     "1500 target_1 standing\n");
}

/* Factors beyond all measure end in a time that is only very long, or none. */
Test(flow_faults, factors_beyond_all_measure, .fini = faulty_finish)
{
	const struct fault_spec slow = SPEC(.kind = FAULT_SLOW, .factor = 1e6),
				wear = SPEC(.kind = FAULT_WEAR, .factor = 1e6),
				rejuvenate = SPEC(.kind = FAULT_WEAR, .factor = -1e6);
	struct target *target = faulty_start();

	range.group.rise = (struct dist){ DIST_FIXED, INT64_MAX / 2, 0 };
	target_fault_on(target, &slow);
	target_fault_on(target, &wear);
	faulty_say("stand_up");
	range_until(&range, 1e9);
	cr_expect_eq(target->state, TARGET_RISING);
	target_power_off(target);
	target_fault_off(target, FAULT_SLOW);
	target_fault_on(target, &rejuvenate);
	target_power_on(target);
	range_pass(&range, 0);
	guest_call(&range, &guest, 0);
	faulty_say("lay_down"); /* the first is as it should be */
	range_pass(&range, 500);
	range_trace(&range);
	faulty_say("stand_up");
	cr_expect_eq(target->state, TARGET_UP);
}

Test(flow_faults, late_and_jammed_and_hung_at_once, .fini = faulty_finish)
{
	const struct fault_spec late = SPEC(.kind = FAULT_LATE_MOVE, TIME(200)),
				slow = SPEC(.kind = FAULT_SLOW, .factor = 2);
	struct target *target = faulty_start();

	target_fault_on(target, &late);
	target_fault_on(target, &slow);
	faulty_say("stand_up");
	range_until(&range, 100);
	target_fault_on(target, &hang_1s); /* over the beginning of the move */
	range_trace(&range);
	range_until(&range, 3000);
	EXPECT_TRACE(&range, "1100 target_1 fault_off: hang\n"
			     "1100 target_1 rising\n"
			     "1100 target_1 fault_struck: slow\n"
			     "2100 target_1 standing\n");
}

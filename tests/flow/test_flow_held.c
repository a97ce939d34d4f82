/*
 * Answers that faults hold back: their order, peers that leave meanwhile, power that goes, outages;
 * exact to the nanosecond. (What is seen on a real wire: tests/e2e/test_faults_network.c.)
 */
#include "tests/support/faulty_range.h"

static struct guest other;

/* ---- answers that are held ---- */

/* A delay is the way's, not a queue's: what was asked together comes together. */
Test(flow_held, delayed_answers_do_not_wait_for_each_other, .fini = faulty_finish)
{
	const struct fault_spec delay = SPEC(.kind = FAULT_DELAY, TIME(300));

	target_fault_on(faulty_start(), &delay);
	guest_send(&guest, PING("1") PING("2"));
	range_until(&range, 100);
	guest_send(&guest, PING("3"));
	range_until(&range, 299);
	cr_expect_str_empty(guest_take(&guest));
	range_until(&range, 300);
	const char *got = guest_take(&guest);
	cr_expect(strstr(got, "\"1\"") != NULL && strstr(got, "\"2\"") != NULL, "%s", got);
	cr_expect(strstr(got, "\"3\"") == NULL, "%s", got);
	range_until(&range, 400);
	cr_expect_not_null(strstr(guest_take(&guest), "\"3\""));
}

/* A fault that ends does not let a later answer overtake. */
Test(flow_held, held_answers_keep_their_order, .fini = faulty_finish)
{
	const struct fault_spec delay = SPEC(.kind = FAULT_DELAY, TIME(300), .for_ns = MS(100));
	struct target *target = faulty_start();

	target_fault_on(target, &delay);
	guest_send(&guest, PING("1"));
	range_until(&range, 150);
	cr_expect_not(target_fault_active(target, FAULT_DELAY));
	const struct fault_spec wrong = SPEC(.kind = FAULT_UPPER_TYPE);
	target_fault_on(target, &wrong);
	guest_send(&guest, PING("2"));
	range_until(&range, 299);
	cr_expect_str_empty(guest_take(&guest));
	range_until(&range, 300);
	const char *got = guest_take(&guest);
	cr_expect(strstr(got, "\"1\"") < strstr(got, "\"2\""), "%s", got);
}

/* The same where no fault is left at all. */
Test(flow_held, answers_without_faults_do_not_overtake_held_ones, .fini = faulty_finish)
{
	const struct fault_spec delay = SPEC(.kind = FAULT_DELAY, TIME(300), .for_ns = MS(100));

	target_fault_on(faulty_start(), &delay);
	guest_send(&guest, PING("1"));
	range_until(&range, 150);
	guest_send(&guest, PING("2"));
	range_until(&range, 299);
	cr_expect_str_empty(guest_take(&guest));
	range_until(&range, 300);
	const char *got = guest_take(&guest);
	cr_expect(strstr(got, "\"1\"") < strstr(got, "\"2\""), "%s", got);
}

Test(flow_held, delays_and_ends_add_up, .fini = faulty_finish)
{
	const struct fault_spec delay = SPEC(.kind = FAULT_DELAY, TIME(200)),
				reset = SPEC(.kind = FAULT_RESET);
	struct target *target = faulty_start();

	target_fault_on(target, &delay);
	target_fault_on(target, &reset);
	guest_send(&guest, PING("1"));
	range_until(&range, 199);
	cr_expect_not(guest.closed);
	range_until(&range, 200);
	cr_expect_eq(guest.error, -ECONNRESET);
	cr_expect_eq(range.env.totals.answers, 0u);
}

/* Peers that leave, and power that goes, while answers are held. */
Test(flow_held, held_answers_of_who_is_gone, .fini = faulty_finish)
{
	const struct fault_spec trickle = SPEC(.kind = FAULT_TRICKLE, TIME(10), .bytes = 1),
				coalesce = SPEC(.kind = FAULT_COALESCE, TIME(500));
	struct target *target = faulty_start();

	guest_call(&range, &other, 0);
	target_fault_on(target, &trickle);
	target_fault_on(target, &coalesce);
	guest_send(&guest, PING("1"));
	guest_send(&guest, PING("2"));
	guest_send(&other, PING("3"));
	range_until(&range, 10);
	cr_expect_gt(range.env.held.used, 0u);
	guest_reset(&guest);
	range_until(&range, 20);
	cr_expect_eq(range.env.held.used, 1u);
	range_until(&range, 700);
	cr_expect_gt(other.got_len, 10u);
	target_power_off(target);
	cr_expect_eq(range.env.held.used, 0u);
	range_until(&range, 5000);
	cr_expect_eq(other.error, -ECONNRESET);
}

/* The one answer that it holds back goes out, then the connection ends. */
Test(flow_held, coalesce_with_one_answer_and_then_the_end, .fini = faulty_finish)
{
	const struct fault_spec coalesce = SPEC(.kind = FAULT_COALESCE, TIME(500));

	target_fault_on(faulty_start(), &coalesce);
	guest_send(&guest, PING("1"));
	guest_shutdown(&guest);
	range_until(&range, 499);
	cr_expect_str_empty(guest_take(&guest));
	cr_expect_not(guest.ended);
	range_until(&range, 500);
	cr_expect_not_null(strstr(guest_take(&guest), "pong"));
	cr_expect(guest.ended);
	cr_expect_eq(range.targets[0].connections, 0u);
}

/* Pieces of 1, 2, 3 ... bytes more than their number: always as many as were asked for. */
Test(flow_held, split_in_as_many_pieces_as_asked, .fini = faulty_finish)
{
	struct target *target = faulty_start();

	for (int64_t count = 1; count <= 40; count++) {
		const struct fault_spec split = SPEC(.kind = FAULT_SPLIT, .count = count, TIME(10));
		target_fault_on(target, &split);
		unsigned before = guest.reads;
		guest_send(&guest, PING("pieces"));
		range_pass(&range, 400);
		cr_expect_eq(guest.reads - before, (unsigned)count);
		cr_expect_not_null(strstr(guest_take(&guest), "pieces"));
		target_fault_off(target, FAULT_SPLIT);
		range_trace(&range);
	}
}

/* More than there is room for: the connection breaks, and no answer comes out of turn. */
Test(flow_held, more_held_answers_than_there_is_room_for, .fini = faulty_finish)
{
	static char flood[200000];
	const struct fault_spec delay = SPEC(.kind = FAULT_DELAY, TIME(1000));
	struct target *target = faulty_start();
	size_t len = 0;

	range.sink.mask = 0; /* too much for the trace */
	range.events.mask = 0;
	target_fault_on(target, &delay);
	for (int i = 0; i < 6000; i++)
		len += (size_t)sprintf(flood + len, PING("%d"), i);
	guest_send_bytes(&guest, flood, len);
	range_pass(&range, 0);
	cr_expect_eq(guest.error, -ECONNRESET);
	cr_expect_eq(range.env.held.used, 0u);
	range_pass(&range, 2000);
	cr_expect_str_empty(guest_take(&guest));
	cr_expect_eq(range.net->stats.buffers_short, 1u);
	guest_call(&range, &guest, 0);
	guest_send(&guest, PING("after"));
	range_pass(&range, 1000);
	cr_expect_not_null(strstr(guest_take(&guest), "after"));
}

/* ---- outage ---- */

static void rise_into_outage(struct target *target)
{
	static const struct fault_spec outage = SPEC(.kind = FAULT_OUTAGE, .for_ns = 2 * NS_PER_S);

	range.group.reply = TARGET_REPLY_DONE;
	faulty_say("stand_up");
	target_fault_on(target, &outage);
	range_until(&range, 1000);
	cr_expect_eq(target->state, TARGET_UP);
	cr_expect_str_empty(guest_take(&guest), "it got out of the outage");
}

Test(flow_held, an_answer_does_not_leave_an_outage, .fini = faulty_finish)
{
	rise_into_outage(faulty_start());
	range_until(&range, 1999);
	cr_expect_str_empty(guest_take(&guest));
	range_until(&range, 2000);
	cr_expect_not_null(strstr(guest_take(&guest), "standing"));
	cr_expect_not(guest.ended);
}

Test(flow_held, power_goes_in_an_outage, .fini = faulty_finish)
{
	struct target *target = faulty_start();

	rise_into_outage(target);
	target_power_off(target);
	target_power_on(target);
	range_until(&range, 1999);
	cr_expect_eq(range.env.held.used, 0u);
	cr_expect_eq(target->state, TARGET_GONE, "one attempt, without a network");
	faulty_happened("register_failed: no network\n");
	range_until(&range, 5000);
}

/* A trickle stops in the middle, and goes on where it was. */
Test(flow_held, an_outage_in_the_middle_of_an_answer, .fini = faulty_finish)
{
	const struct fault_spec trickle = SPEC(.kind = FAULT_TRICKLE, TIME(10), .bytes = 1),
				outage = SPEC(.kind = FAULT_OUTAGE);
	struct target *target = faulty_start();

	target_fault_on(target, &trickle);
	guest_send(&guest, PING("1"));
	range_until(&range, 95);
	target_fault_on(target, &outage);
	range_until(&range, 3000);
	cr_expect_eq(guest.got_len, 10u);
	target_fault_off(target, FAULT_OUTAGE);
	range_until(&range, 3995);
	cr_expect_eq(guest.got_len, 10u + 100u);
	range_until(&range, 9000);
	cr_expect_eq(guest.got[guest.got_len - 1], '\n');
}

Test(flow_held, a_hit_is_not_reported_in_an_outage, .fini = faulty_finish)
{
	static struct stranger server;
	const struct fault_spec stuck = SPEC(.kind = FAULT_SENSOR_STUCK),
				outage = SPEC(.kind = FAULT_OUTAGE);
	struct target *target = faulty_start();

	range.group.report_hit = TARGET_REPORT_HTTP;
	stranger_listen(&range, &server, range.group.report_to);
	target_fault_on(target, &stuck);
	faulty_say("activate");
	target_fault_on(target, &outage);
	range_until(&range, 2000);
	faulty_happened("1000 target_1 hit_report_failed: no network\n");
	cr_expect_eq(server.n, 0u);
	cr_expect_eq(range.env.totals.hit_reports_failed, 1u);
}

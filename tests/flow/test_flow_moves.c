/*
 * Moves: answered, then made, strictly one after the other; activations with hit and miss; answers
 * that wait for their move.
 */
#include "tests/support/range.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct range range;
static struct guest guest;

static void finish(void)
{
	range_release(&range);
}

/* One target in service, and a guest who is connected to it. */
static struct target *start(void)
{
	range_master(&range);
	struct target *target = range_target(&range);
	target_power_on(target);
	range_pass(&range, 0);
	guest_call(&range, &guest, 0);
	cr_assert(guest.opened);
	range_trace(&range);
	return target;
}

static void say(const char *type)
{
	char line[128];

	snprintf(line, sizeof(line), "{\"type\": \"%s\", \"id\": \"1\"}\n", type);
	guest_send(&guest, line);
	range_pass(&range, 0);
}

static void activate(const char *duration)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "{\"type\": \"activate\", \"id\": \"1\", \"data\": {\"duration\": %s}}\n",
		 duration);
	guest_send(&guest, line);
	range_pass(&range, 0);
}

Test(flow_moves, it_answers_then_moves, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	struct target *target = start();
	say("stand_up");
	cr_expect_str_eq(
		guest_take(&guest),
		"{\"timestamp\": 1795274924, \"type\": \"standing\", \"data\": {\"message\": "
		"\"Stand up command queued\", \"status\": \"command_queued\"}, \"id\": \"1\", "
		"\"target_id\": \"target_1\"}\n");
	cr_expect_eq(target->state, TARGET_RISING);
	range_until(&range, 499);
	cr_expect_not(target->up);
	range_until(&range, 500);
	cr_expect(target->up && target->state == TARGET_UP);
	say("lay_down");
	range_until(&range, 2000);
	EXPECT_TRACE(&range, "0 target_1 command stand_up\n"
			     "0 target_1 answer standing\n"
			     "0 target_1 rising\n"
			     "500 target_1 standing\n"
			     "500 target_1 command lay_down\n"
			     "500 target_1 answer down\n"
			     "500 target_1 falling\n"
			     "1000 target_1 down\n");
	cr_expect_not(target->up);
}

/* Commands that come while it moves are answered at once and made in their turn, 500 ms each. */
Test(flow_moves, one_after_the_other, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	start();
	say("stand_up");
	range_until(&range, 100);
	say("lay_down");
	range_until(&range, 200);
	say("stand_up");
	say("ping");
	cr_expect_eq(guest.reads, 4u, "each answer is one write");
	range_until(&range, 5000);
	EXPECT_TRACE(&range, "0 target_1 command stand_up\n"
			     "0 target_1 answer standing\n"
			     "0 target_1 rising\n"
			     "100 target_1 command lay_down\n"
			     "100 target_1 answer down\n"
			     "200 target_1 command stand_up\n"
			     "200 target_1 answer standing\n"
			     "200 target_1 command ping\n"
			     "200 target_1 answer pong\n"
			     "500 target_1 standing\n"
			     "500 target_1 falling\n"
			     "1000 target_1 down\n"
			     "1000 target_1 rising\n"
			     "1500 target_1 standing\n");
	cr_expect_eq(range.env.totals.moves, 3u);
}

/* The firmware does not know where the target is: it sets the servo and waits. */
Test(flow_moves, what_changes_nothing_takes_its_time_too, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	start();
	say("lay_down");
	say("stand_up");
	say("stand_up");
	range_trace(&range);
	range_until(&range, 5000);
	EXPECT_TRACE(&range, "500 target_1 down\n"
			     "500 target_1 rising\n"
			     "1000 target_1 standing\n"
			     "1500 target_1 standing\n");
}

Test(flow_moves, drawn_times, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.rise = (struct dist){ DIST_UNIFORM, 400 * NS_PER_MS, 600 * NS_PER_MS };
	struct target *target = start();
	int64_t first = 0;
	for (int i = 0; i < 3; i++) {
		int64_t began = range.loop.now_ns;
		say("stand_up");
		while (target->busy)
			range_pass(&range, 0.001);
		int64_t took = range.loop.now_ns - began;
		cr_expect(took >= 400 * NS_PER_MS && took <= 601 * NS_PER_MS);
		cr_expect(i == 0 || took != first, "each move is drawn anew");
		first = took;
	}
}

Test(flow_moves, queue_full, .fini = finish)
{
	range_init(&range, QN_SNYPER_CPYTHON);
	range.group.queue_max = 2;
	struct target *target = start();
	say("stand_up");
	say("lay_down");
	guest_take(&guest);
	say("stand_up");
	cr_expect_str_eq(
		guest_take(&guest),
		"{\"type\": \"error\", \"id\": \"1\", \"timestamp\": 1795274924.5229137, "
		"\"target_id\": \"target_1\", \"data\": {\"error\": \"Command queue full\"}}\n");
	cr_expect_eq(range.env.totals.queue_full, 1u);
	cr_expect_eq(range.env.totals.errors_answered, 1u);
	say("ping");
	cr_expect_not_null(strstr(guest_take(&guest), "pong"));
	range_until(&range, 500);
	say("stand_up");
	cr_expect_not_null(strstr(guest_take(&guest), "\"type\": \"standing\""));
	range_until(&range, 1500);
	cr_expect_eq(target->state, TARGET_UP);
	cr_expect_eq(target->queue_len, 0u);
}

/* ---- activations ---- */

Test(flow_moves, an_activation_that_nobody_hits, .fini = finish)
{
	range_init(&range, QN_SNYPER_UNIX);
	start();
	activate("1");
	cr_expect_not_null(strstr(guest_take(&guest), "{\"duration\": 1, \"message\": \"Activation "
						      "command queued\", \"status\": "
						      "\"activation_queued\"}"));
	range_until(&range, 5000);
	EXPECT_TRACE(&range, "0 target_1 command activate\n"
			     "0 target_1 answer activated\n"
			     "0 target_1 rising\n"
			     "500 target_1 standing\n"
			     "500 target_1 active 1000\n"
			     "1500 target_1 miss\n"
			     "1500 target_1 falling\n"
			     "2000 target_1 down\n");
	cr_expect_eq(range.env.totals.activations, 1u);
	cr_expect_eq(range.env.totals.misses, 1u);
}

Test(flow_moves, an_activation_of_the_default_duration, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	start();
	say("activate");
	cr_expect_not_null(strstr(guest_take(&guest), "\"duration\": 5,"));
	range_until(&range, 5499);
	cr_expect_eq(range.targets[0].state, TARGET_ACTIVE);
	range_until(&range, 5500);
	cr_expect_eq(range.targets[0].state, TARGET_FALLING);
}

/* It stands up and lies down again: no time to be hit in. */
static void no_time(const char *duration)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.hit_probability = 1;
	start();
	activate(duration);
	range_until(&range, 3000);
	EXPECT_TRACE(&range, "0 target_1 command activate\n"
			     "0 target_1 answer activated\n"
			     "0 target_1 rising\n"
			     "500 target_1 standing\n"
			     "500 target_1 active 0\n"
			     "500 target_1 miss\n"
			     "500 target_1 falling\n"
			     "1000 target_1 down\n");
	cr_expect_eq(range.env.totals.hits, 0u);
}

Test(flow_moves, an_activation_of_no_time, .fini = finish)
{
	no_time("0");
}

Test(flow_moves, an_activation_of_less_than_no_time, .fini = finish)
{
	no_time("-3.5");
}

Test(flow_moves, an_activation_of_a_fraction, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	start();
	activate("0.25");
	range_until(&range, 3000);
	cr_expect_not_null(strstr(range_trace(&range), "active 250\n750 target_1 miss\n"));
}

/* Longer than any clock: it is cut to 1e9 s, and does not overflow. */
Test(flow_moves, an_activation_for_ever, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	start();
	activate("1e300");
	range_until(&range, 365.0 * 24 * 3600 * 1000);
	cr_expect_eq(range.targets[0].state, TARGET_ACTIVE);
	cr_expect_not_null(strstr(range_trace(&range), "active 1e+12\n"));
}

/* The sensor is polled every 10 ms: a hit is seen at the next poll. */
Test(flow_moves, a_hit_is_seen_at_the_next_poll, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	struct target *target = start();
	activate("1");
	cr_expect_not(target_hit(target), "it is not up yet");
	range_until(&range, 733);
	range_trace(&range);
	cr_expect(target_hit(target));
	cr_expect(target_hit(target), "once more before it was seen");
	range_until(&range, 5000);
	EXPECT_TRACE(&range, "740 target_1 hit 240\n"
			     "740 target_1 falling\n"
			     "1240 target_1 down\n");
	cr_expect_eq(range.env.totals.hits, 1u);
	cr_expect_eq(range.env.totals.misses, 0u);
	cr_expect_not(target_hit(target));
}

Test(flow_moves, a_hit_after_the_last_poll_is_none, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	struct target *target = start();
	activate("1");
	range_until(&range, 1490);
	cr_expect(target_hit(target), "just at the last poll");
	range_until(&range, 4000);
	cr_expect_eq(range.env.totals.hits, 1u);
	activate("1");
	range_until(&range, 4000 + 1491);
	cr_expect_not(target_hit(target));
	range_until(&range, 8000);
	cr_expect_eq(range.env.totals.hits, 1u);
	cr_expect_eq(range.env.totals.misses, 1u);
}

Test(flow_moves, a_hit_in_the_middle_of_a_fraction_of_polls, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	struct target *target = start();
	activate("0.015");
	range_until(&range, 505);
	cr_expect(target_hit(target), "the poll at 10 ms will see it");
	range_until(&range, 2000);
	cr_expect_eq(range.env.totals.hits, 1u);
	activate("0.015");
	range_until(&range, 2511);
	cr_expect_not(target_hit(target), "there is no poll at 20 ms");
}

Test(flow_moves, a_hit_without_polls_is_seen_at_once, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.poll_ns = 0;
	start();
	activate("1");
	range_until(&range, 733);
	range_trace(&range);
	target_hit(&range.targets[0]);
	range_until(&range, 734);
	EXPECT_TRACE(&range, "733 target_1 hit 233\n733 target_1 falling\n");
}

/* By the group's own dice: when, and whether. */
Test(flow_moves, hits_that_are_drawn, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.hit_probability = 0.5;
	range.group.hit_after = (struct dist){ DIST_UNIFORM, 0, 2 * NS_PER_S };
	start();
	for (int i = 0; i < 200; i++) {
		activate("1");
		range_pass(&range, 2500);
		guest_take(&guest);
		range_trace(&range);
	}
	/* Half of them are felt, and half of those in time. */
	cr_expect_eq(range.env.totals.activations, 200u);
	cr_expect_eq(range.env.totals.hits + range.env.totals.misses, 200u);
	cr_expect(range.env.totals.hits > 25 && range.env.totals.hits < 80, "%u hits",
		  (unsigned)range.env.totals.hits);
}

Test(flow_moves, an_activation_ended_from_outside, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	struct target *target = start();
	cr_expect_not(target_miss(target));
	activate("5");
	range_until(&range, 600);
	range_trace(&range);
	cr_expect(target_miss(target));
	range_until(&range, 2000);
	EXPECT_TRACE(&range, "600 target_1 miss\n600 target_1 falling\n1100 target_1 down\n");
}

/* Activated while it stands: it goes through the motion again, and stays up. */
Test(flow_moves, an_activation_while_it_stands, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	start();
	say("stand_up");
	range_until(&range, 1000);
	range_trace(&range);
	activate("1");
	range_until(&range, 4000);
	EXPECT_TRACE(&range, "1000 target_1 command activate\n"
			     "1000 target_1 answer activated\n"
			     "1500 target_1 standing\n"
			     "1500 target_1 active 1000\n"
			     "2500 target_1 miss\n"
			     "2500 target_1 falling\n"
			     "3000 target_1 down\n");
}

/* ---- reporting a hit by HTTP ---- */

static void hit_it(struct stranger *server)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.report_hit = TARGET_REPORT_HTTP;
	range.group.hit_value = 7;
	if (server != NULL)
		stranger_listen(&range, server, range.group.report_to);
	start();
	activate("1");
	range_until(&range, 700);
	target_hit(&range.targets[0]);
	range_trace(&range);
}

/* It lies down, then it reports: as the firmware would. */
Test(flow_moves, a_hit_is_reported_when_it_lies, .fini = finish)
{
	static struct stranger server;

	hit_it(&server);
	range_until(&range, 1199);
	cr_expect_eq(server.n, 0u);
	range_until(&range, 1200);
	cr_assert_eq(server.n, 1u);
	cr_expect_eq(server.guests[0].conn->peer.ip, RANGE_IP(0), "from its own address");
	cr_expect_str_eq(guest_take(&server.guests[0]),
			 "POST /target_hit HTTP/1.1\r\n"
			 "Host: 127.0.0.1:8080\r\n"
			 "Connection: close\r\n"
			 "Content-Type: application/json\r\n"
			 "Content-Length: 41\r\n"
			 "\r\n"
			 "{\"target_id\": \"target_1\", \"hit_value\": 7}");
	guest_send(&server.guests[0], "HTTP/1.0 200 OK\r\n\r\n{}");
	range_until(&range, 1210);
	cr_expect_eq(range.env.totals.hits_reported, 0u, "its end is not told yet");
	guest_close(&server.guests[0]);
	range_until(&range, 1300);
	EXPECT_TRACE(&range, "700 target_1 hit 200\n"
			     "700 target_1 falling\n"
			     "1200 target_1 down\n"
			     "1210 target_1 hit_reported\n");
	cr_expect_eq(range.env.totals.hits_reported, 1u);
}

static void report_fails(const char *answer, const char *why)
{
	static struct stranger server;
	char expected[128];

	hit_it(&server);
	range_until(&range, 1200);
	cr_assert_eq(server.n, 1u);
	if (answer != NULL)
		guest_send(&server.guests[0], answer);
	range_until(&range, 10000);
	snprintf(expected, sizeof(expected), "hit_report_failed: %s\n", why);
	const char *trace = range_trace(&range);
	cr_expect(strstr(trace, expected) != NULL, "%snot %s", trace, expected);
	cr_expect_eq(range.env.totals.hit_reports_failed, 1u);
	cr_expect(server.guests[0].ended);
}

Test(flow_moves, a_report_that_is_refused_by_status, .fini = finish)
{
	report_fails("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP status 404");
}

Test(flow_moves, a_report_answered_by_something_else, .fini = finish)
{
	report_fails("{\"status\": \"ok\"}\n", "the answer is no HTTP");
}

Test(flow_moves, a_report_without_an_answer, .fini = finish)
{
	report_fails(NULL, "no answer in time");
}

Test(flow_moves, a_report_that_nobody_takes, .fini = finish)
{
	hit_it(NULL);
	range_until(&range, 3000);
	cr_expect_not_null(strstr(range_trace(&range), "hit_report_failed: Connection refused\n"));
	cr_expect_eq(range.env.totals.hit_reports_failed, 1u);
}

/* ---- answers that wait for their move ---- */

#define DONE(type, duration, message, status)                                                      \
	"{\"target_id\": \"target_1\", \"timestamp\": %s, \"data\": {" duration                    \
	"\"message\": \"" message "\", \"status\": \"" status "\"}, \"id\": \"1\", \"type\": "     \
	"\"" type "\"}\n"

static void expect_done(const char *format, const char *timestamp)
{
	char expected[512];

	snprintf(expected, sizeof(expected), format, timestamp);
	cr_expect_str_eq(guest_take(&guest), expected);
}

Test(flow_moves, done_answers_come_when_the_move_is_over, .fini = finish)
{
	range_init(&range, QN_SNYPER_UNIX);
	range.group.reply = TARGET_REPLY_DONE;
	start();
	say("stand_up");
	say("ping");
	cr_expect_not_null(strstr(guest_take(&guest), "pong"), "at any time");
	range_until(&range, 499);
	cr_expect_str_empty(guest_take(&guest));
	range_until(&range, 500);
	expect_done(DONE("standing", "", "Target is standing", "standing"), "1795274925.022913");
	say("lay_down");
	range_until(&range, 1000);
	expect_done(DONE("down", "", "Target is down", "down"), "1795274925.522913");
	activate("2.50");
	range_until(&range, 1499);
	cr_expect_str_empty(guest_take(&guest));
	range_until(&range, 1500);
	expect_done(DONE("activated", "\"duration\": 2.50, ", "Target is active", "activated"),
		    "1795274926.022913");
	cr_expect_eq(range.env.late_replies.used, 0u);
}

/* The peer has said its last, and still gets its answers before the connection closes. */
Test(flow_moves, done_answers_after_a_half_close, .fini = finish)
{
	range_init(&range, QN_SNYPER_UNIX);
	range.group.reply = TARGET_REPLY_DONE;
	start();
	say("stand_up");
	say("lay_down");
	guest_shutdown(&guest);
	range_until(&range, 999);
	cr_expect_not_null(strstr(guest_take(&guest), "standing"));
	cr_expect_not(guest.ended);
	range_until(&range, 1000);
	cr_expect_not_null(strstr(guest_take(&guest), "\"down\""));
	cr_expect(guest.ended);
	cr_expect_eq(range.targets[0].connections, 0u);
}

/* The peer is gone: it moves all the same, and tells nobody. */
Test(flow_moves, done_answers_for_nobody, .fini = finish)
{
	range_init(&range, QN_SNYPER_UNIX);
	range.group.reply = TARGET_REPLY_DONE;
	struct target *target = start();
	say("stand_up");
	guest_reset(&guest);
	range_until(&range, 100);
	cr_expect_eq(target->connections, 0u);
	range_until(&range, 1000);
	cr_expect_eq(target->state, TARGET_UP);
	cr_expect_eq(range.env.late_replies.used, 0u);
	cr_expect_eq(range.env.totals.answers, 0u);
}

Test(flow_moves, done_answers_have_no_room_for_long_ids, .fini = finish)
{
	char line[256];

	range_init(&range, QN_SNYPER_UNIX);
	range.group.reply = TARGET_REPLY_DONE;
	struct target *target = start();
	snprintf(line, sizeof(line), "{\"type\": \"stand_up\", \"id\": \"%0100d\"}\n", 0);
	guest_send(&guest, line);
	range_pass(&range, 0);
	cr_expect_not_null(strstr(guest_take(&guest), "\"error\": \"Out of memory\""));
	cr_expect_eq(target->state, TARGET_DOWN);
	cr_expect_eq(range.env.late_replies.used, 0u);
}

Test(flow_moves, done_answers_of_two_connections, .fini = finish)
{
	static struct guest other;

	range_init(&range, QN_SNYPER_UNIX);
	range.group.reply = TARGET_REPLY_DONE;
	start();
	guest_call(&range, &other, 0);
	say("stand_up");
	guest_send(&other, "{\"type\": \"lay_down\", \"id\": \"2\"}\n");
	range_until(&range, 600);
	cr_expect_not_null(strstr(guest_take(&guest), "standing"));
	cr_expect_str_empty(guest_take(&other));
	guest_close(&guest);
	range_until(&range, 1000);
	cr_expect_not_null(strstr(guest_take(&other), "\"id\": \"2\""));
}

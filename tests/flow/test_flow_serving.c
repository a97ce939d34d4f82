/*
 * A target's connections: lines however they come, half-closes, bad lines in each profile, the
 * limit, and what nobody waits for any more.
 */
#include "tests/support/range.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct range range;
static struct guest guest;

#define PING "{\"type\": \"ping\", \"id\": \"1\"}\n"

static void finish(void)
{
	range_release(&range);
}

static struct target *start(enum qn_snyper_profile_id profile)
{
	range_init(&range, profile);
	range_master(&range);
	struct target *target = range_target(&range);
	target_power_on(target);
	range_pass(&range, 0);
	guest_call(&range, &guest, 0);
	cr_assert(guest.opened);
	range_trace(&range);
	return target;
}

static void say(const char *text)
{
	guest_send(&guest, text);
	range_pass(&range, 0);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

Test(flow_serving, several_lines_in_one_segment_are_answered_in_order, .fini = finish)
{
	start(QN_SNYPER_CPYTHON);
	say("\r\n{\"type\": \"ping\", \"id\": \"a\"}\r\n\n{\"type\": \"STAND_UP\", \"id\": 7}\n"
	    "{\"type\": \"ping\", \"id\": null}\n");
	cr_expect_eq(guest.reads, 3u, "a write each");
	cr_expect_str_eq(
		guest_take(&guest),
		"{\"type\": \"pong\", \"id\": \"a\", \"timestamp\": 1795274924.5229137, "
		"\"target_id\": "
		"\"target_1\", \"data\": {\"status\": \"alive\", \"message\": \"Target reporting "
		"for "
		"duty!\"}}\n"
		"{\"type\": \"standing\", \"id\": 7, \"timestamp\": 1795274924.5229137, "
		"\"target_id\": "
		"\"target_1\", \"data\": {\"status\": \"command_queued\", \"message\": \"Stand up "
		"command queued\"}}\n"
		"{\"type\": \"pong\", \"id\": \"msg_1795274924522\", \"timestamp\": "
		"1795274924.5229137, \"target_id\": \"target_1\", \"data\": {\"status\": "
		"\"alive\", "
		"\"message\": \"Target reporting for duty!\"}}\n");
	cr_expect_eq(range.env.totals.answers, 3u);
}

Test(flow_serving, a_line_byte_by_byte, .fini = finish)
{
	start(QN_SNYPER_PICO);
	for (const char *at = PING; *at != '\0'; at++) {
		cr_expect_eq(guest.got_len, 0u);
		guest_send_bytes(&guest, at, 1);
		range_pass(&range, 10);
	}
	cr_expect_eq(count(guest_take(&guest), "pong"), 1u);
}

Test(flow_serving, a_line_of_20_kB, .fini = finish)
{
	static char line[20100];

	start(QN_SNYPER_PICO);
	int len = snprintf(line, sizeof(line),
			   "{\"type\": \"ping\", \"id\": \"1\", \"x\": \"%020000d\"}\n", 0);
	for (int at = 0; at < len; at += 1024)
		guest_send_bytes(&guest, line + at, (size_t)(len - at < 1024 ? len - at : 1024));
	range_pass(&range, 0);
	cr_expect_eq(count(guest_take(&guest), "pong"), 1u);
}

Test(flow_serving, an_id_of_3_kB_is_answered, .fini = finish)
{
	static char line[3100];

	start(QN_SNYPER_PICO);
	snprintf(line, sizeof(line), "{\"type\": \"ping\", \"id\": \"%03000d\"}\n", 0);
	say(line);
	cr_expect_eq(guest.reads, 1u);
	cr_expect_gt(guest.got_len, 3000u);
	cr_expect_eq(range.env.totals.answers, 1u);
}

/* It could not be sent in one write: such a line gets no answer, and the next one does. */
Test(flow_serving, an_id_of_20_kB_is_not_answered, .fini = finish)
{
	static char line[20100];

	start(QN_SNYPER_PICO);
	snprintf(line, sizeof(line), "{\"type\": \"ping\", \"id\": \"%020000d\"}\n", 0);
	say(line);
	say(PING);
	cr_expect_eq(guest.reads, 1u);
	cr_expect_eq(range.env.totals.answers, 1u);
	cr_expect_not_null(
		strstr(range_trace(&range), "bad_line: an id too long to be answered\n"));
}

Test(flow_serving, a_half_close_is_still_answered, .fini = finish)
{
	struct target *target = start(QN_SNYPER_PICO);
	guest_send(&guest, PING PING);
	guest_shutdown(&guest);
	range_pass(&range, 0);
	cr_expect_eq(count(guest_take(&guest), "pong"), 2u);
	cr_expect(guest.ended, "and then it closes");
	cr_expect_eq(target->connections, 0u);
}

Test(flow_serving, a_line_without_its_newline_gets_no_answer, .fini = finish)
{
	start(QN_SNYPER_STRICT);
	guest_send_bytes(&guest, PING, sizeof(PING) - 2);
	guest_shutdown(&guest);
	range_pass(&range, 0);
	cr_expect_str_empty(guest_take(&guest));
	cr_expect(guest.ended);
}

/* ---- bad lines ---- */

static void bad_line(enum qn_snyper_profile_id profile, const char *line, bool stays,
		     const char *error)
{
	struct target *target = start(profile);
	char expected[128];

	say(line);
	const char *got = guest_take(&guest);
	if (error != NULL) {
		snprintf(expected, sizeof(expected), "\"data\": {\"error\": \"%s\"}", error);
		cr_expect_not_null(strstr(got, expected), "%s", got);
		cr_expect_not_null(strstr(got, "\"id\": \"msg_17952749245"), "a fresh id: %s", got);
	} else {
		cr_expect_str_empty(got);
	}
	cr_expect_eq(guest.ended, !stays);
	cr_expect_eq(range.env.totals.bad_lines, 1u);
	cr_expect_eq(target->connections, stays ? 1u : 0u);
	if (stays) {
		say(PING);
		cr_expect_not_null(strstr(guest_take(&guest), "pong"));
	}
	/* Whatever it did with that connection, it serves the next. */
	guest_call(&range, &guest, 0);
	say(PING);
	cr_expect_not_null(strstr(guest_take(&guest), "pong"));
	range_release(&range);
}

Test(flow_serving, bad_lines)
{
	bad_line(QN_SNYPER_PICO, "nope\n", false, NULL);
	bad_line(QN_SNYPER_UNIX, "{\"type\": \"fly\", \"id\": \"1\"}\n", false, NULL);
	bad_line(QN_SNYPER_PICO, "[]\n", false, NULL);
	bad_line(QN_SNYPER_CPYTHON, "nope\n", true, NULL);
	bad_line(QN_SNYPER_CPYTHON, "{\"type\": \"fly\", \"id\": \"1\"}\n", true, NULL);
	bad_line(QN_SNYPER_CPYTHON, "{\"type\": \"ping\"}\n", true, NULL);
	bad_line(QN_SNYPER_CPYTHON, "[]\n", false, NULL);
	bad_line(QN_SNYPER_CPYTHON, "\xff\n", false, NULL);
	bad_line(QN_SNYPER_STRICT, "{\"type\": \"fly\", \"id\": \"1\"}\n", true,
		 "unknown message type");
	bad_line(QN_SNYPER_STRICT, "[]\n", true, "a message must be an object");
	bad_line(QN_SNYPER_STRICT, "{\"id\": \"1\"}\n", true, "a message needs a type");
}

/* A message of another role is no bad line: it is refused by name, and its id comes back. */
Test(flow_serving, commands_that_are_none, .fini = finish)
{
	start(QN_SNYPER_CPYTHON);
	say("{\"type\": \"Registered\", \"id\": \"x\"}\n");
	cr_expect_str_eq(
		guest_take(&guest),
		"{\"type\": \"error\", \"id\": \"x\", \"timestamp\": 1795274924.5229137, "
		"\"target_id\": \"target_1\", \"data\": {\"error\": \"Unsupported command: "
		"registered\"}}\n");
	cr_expect_not(guest.ended);
	cr_expect_eq(range.env.totals.errors_answered, 1u);
}

Test(flow_serving, a_line_longer_than_the_limit, .fini = finish)
{
	static char flood[40000];

	range_init(&range, QN_SNYPER_CPYTHON);
	range.group.line_limit = 1000;
	range_master(&range);
	target_power_on(range_target(&range));
	range_pass(&range, 0);
	guest_call(&range, &guest, 0);
	memset(flood, 'x', 1000);
	say(flood);
	cr_expect_not(guest.ended);
	guest_send_bytes(&guest, "x", 1);
	range_pass(&range, 0);
	cr_expect(guest.ended);
}

/* ---- connections ---- */

Test(flow_serving, more_connections_than_it_takes, .fini = finish)
{
	static struct guest guests[5];

	struct target *target = start(QN_SNYPER_PICO); /* the first of four */
	for (int i = 0; i < 4; i++)
		guest_call(&range, &guests[i], 0);
	cr_expect_eq(target->connections, 4u);
	cr_expect(guests[3].opened && guests[3].ended, "closed at once");
	cr_expect_eq(range.env.totals.conn_refused, 1u);
	for (int i = 0; i < 3; i++) {
		guest_send(&guests[i], PING);
		range_pass(&range, 0);
		cr_expect_eq(count(guest_take(&guests[i]), "pong"), 1u);
	}
	guest_close(&guests[0]);
	range_pass(&range, 0);
	guest_call(&range, &guests[4], 0);
	cr_expect_not(guests[4].ended, "there is room again");
	cr_expect_eq(target->connections, 4u);
}

/* The list of connections survives their going in any order. */
Test(flow_serving, connections_go_in_any_order, .fini = finish)
{
	static struct guest guests[3];

	struct target *target = start(QN_SNYPER_PICO);
	for (int i = 0; i < 3; i++)
		guest_call(&range, &guests[i], 0);
	guest_reset(&guests[1]); /* in the middle */
	range_pass(&range, 0);
	guest_close(&guest); /* the first */
	range_pass(&range, 0);
	guest_reset(&guests[2]); /* the last */
	range_pass(&range, 0);
	cr_expect_eq(target->connections, 1u);
	guest_send(&guests[0], PING);
	range_pass(&range, 0);
	cr_expect_eq(count(guest_take(&guests[0]), "pong"), 1u);
	target_power_off(target);
	range_pass(&range, 0);
	cr_expect_eq(guests[0].error, -ECONNRESET);
	cr_expect_eq(range.net->stats.open, 0u);
}

/* A peer that is gone before its answer: the answer goes nowhere, and nothing breaks. */
Test(flow_serving, a_peer_that_does_not_wait, .fini = finish)
{
	struct target *target = start(QN_SNYPER_PICO);
	guest_send(&guest, PING);
	guest_close(&guest);
	range_pass(&range, 0);
	cr_expect_eq(range.env.totals.answers, 1u);
	cr_expect_eq(target->connections, 0u);
	cr_expect_eq(range.net->stats.open, 0u);
}

Test(flow_serving, nobody_says_anything, .fini = finish)
{
	struct target *target = start(QN_SNYPER_PICO);
	range_until(&range, 3600 * 1000);
	cr_expect_eq(target->connections, 1u, "a target has no patience to lose");
	EXPECT_TRACE(&range, "");
}

Test(flow_serving, a_character_split_across_two_reads, .fini = finish)
{
	start(QN_SNYPER_PICO);
	say("{\"type\": \"ping\", \"id\": \"\xc3");
	cr_expect(guest.ended);
	range_release(&range);

	start(QN_SNYPER_STRICT);
	say("{\"type\": \"ping\", \"id\": \"\xc3");
	say("\xa9\"}\n");
	cr_expect_not_null(strstr(guest_take(&guest), "\"id\": \"\xc3\xa9\""));
}

/*
 * A target's life: registration before listening, trying again, registering again, power, crashes.
 */
#include "tests/support/range.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct range range;

#define PING "{\"type\": \"ping\", \"id\": \"1\"}\n"
#define REGISTERED                                                                                 \
	"{\"type\": \"registered\", \"id\": \"1\", \"data\": {\"status\": \"registered\"}}\n"

static void finish(void)
{
	range_release(&range);
}

/* A master that somebody else plays: the test says when it answers, and what. */
static struct stranger master;

static void stranger_master(void)
{
	stranger_listen(&range, &master, (struct net_addr){ RANGE_MASTER_IP, RANGE_PORT });
}

Test(flow_life, registers_before_it_listens, .fini = finish)
{
	struct guest early, late;

	range_init(&range, QN_SNYPER_PICO);
	stranger_master();
	struct target *target = range_target(&range);
	target_power_on(target);
	range_until(&range, 1);
	cr_expect_eq(target->state, TARGET_BOOTING);
	cr_expect_eq(master.n, 1u);
	cr_expect_eq(master.guests[0].conn->peer.ip, RANGE_IP(0), "from its own address");
	cr_expect_str_eq(
		guest_take(&master.guests[0]),
		"{\"timestamp\": 1795274924, \"type\": \"register\", \"data\": {\"client_id\": "
		"\"target_1\"}, \"id\": \"msg_1795274924000\", \"target_id\": \"target_1\"}\n");
	/* A command in between is refused. */
	guest_call(&range, &early, 0);
	cr_expect(early.closed);
	cr_expect_eq(early.error, -ECONNREFUSED);

	guest_send(&master.guests[0], REGISTERED);
	range_until(&range, 2);
	cr_expect(master.guests[0].ended, "it closes the connection that it registered over");
	guest_call(&range, &late, 0);
	guest_send(&late, PING);
	range_until(&range, 3);
	EXPECT_TRACE(&range, "0 target_1 power_on\n"
			     "0 target_1 registering\n"
			     "1 target_1 registered\n"
			     "1 target_1 listening\n"
			     "2 target_1 command ping\n"
			     "2 target_1 answer pong\n");
	cr_expect_eq(range.env.totals.registered, 1u);
	cr_expect_eq(range.env.totals.by_state[TARGET_DOWN], 1u);
}

Test(flow_life, boots_for_a_while, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.boot = (struct dist){ DIST_FIXED, 1500 * NS_PER_MS, 0 };
	range_target(&range);
	range_master(&range);
	target_power_on(&range.targets[0]);
	target_power_on(&range.targets[0]); /* harmless */
	range_until(&range, 2000);
	EXPECT_TRACE(&range, "0 target_1 power_on\n"
			     "1500 target_1 registering\n"
			     "1500 target_1 m_registered: 127.1.0.1:40000\n"
			     "1500 target_1 registered\n"
			     "1500 target_1 listening\n");
}

/* Today's firmware tries once and exits. */
Test(flow_life, gives_up_after_one_attempt, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	struct target *target = range_target(&range);
	target_power_on(target);
	range_until(&range, 60000);
	EXPECT_TRACE(&range, "0 target_1 power_on\n"
			     "0 target_1 registering\n"
			     "0 target_1 register_failed: Connection refused\n"
			     "0 target_1 gave_up: registration failed\n");
	cr_expect_eq(target->state, TARGET_GONE);
	/* Only power helps. */
	range_master(&range);
	target_power_on(target);
	range_until(&range, 61000);
	cr_expect_eq(target->state, TARGET_GONE);
	target_power_off(target);
	target_power_on(target);
	range_until(&range, 62000);
	cr_expect_eq(target->state, TARGET_DOWN);
}

/* Each pause is the last one's double, up to the longest; half of it is drawn. */
static void expect_pause(const char **at, double *last, double low, double high)
{
	char *end;
	const char *line = strstr(*at, "registering");

	cr_assert_not_null(line);
	while (line > *at && line[-1] != '\n')
		line--;
	double ms = strtod(line, &end);
	cr_expect(ms - *last >= low && ms - *last < high, "%g ms is not in [%g, %g)", ms - *last,
		  low, high);
	*last = ms;
	*at = strchr(line, '\n') + 1;
}

Test(flow_life, tries_again_less_and_less_often, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.attempts = 0;
	range.group.retry_max_ns = 3 * NS_PER_S;
	range_target(&range);
	target_power_on(&range.targets[0]);
	range_until(&range, 14000);
	const char *at = range_trace(&range);
	double last = 0;
	expect_pause(&at, &last, 0, 1);
	expect_pause(&at, &last, 250, 500);
	expect_pause(&at, &last, 500, 1000);
	expect_pause(&at, &last, 1000, 2000);
	expect_pause(&at, &last, 1500, 3000);
	expect_pause(&at, &last, 1500, 3000);
	uint64_t failures = range.env.totals.register_failures;
	cr_expect_geq(failures, 6u);
	/* Then a master comes. */
	range_master(&range);
	range_pass(&range, 3000);
	cr_expect_eq(range.targets[0].state, TARGET_DOWN);
	cr_expect_eq(range.env.totals.register_failures, failures);
	cr_expect_eq(range.targets[0].tries, 0u);
}

Test(flow_life, gives_up_after_its_attempts, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.attempts = 3;
	range_target(&range);
	target_power_on(&range.targets[0]);
	range_until(&range, 60000);
	cr_expect_eq(range.env.totals.register_failures, 3u);
	cr_expect_eq(range.targets[0].state, TARGET_GONE);
	cr_expect_eq(range.env.totals.lost, 0u, "it never had registered");
}

/* Every way in which a registration can fail; each one is told, and tried again. */
static void fails_with(const char *answer, bool shut, const char *why)
{
	char expected[128];

	guest_take(&master.guests[0]);
	if (answer != NULL)
		guest_send(&master.guests[0], answer);
	if (shut)
		guest_close(&master.guests[0]);
	range_pass(&range, answer == NULL && !shut ? 5000 : 0);
	snprintf(expected, sizeof(expected), "register_failed: %s\n", why);
	const char *trace = range_trace(&range);
	cr_expect(strstr(trace, expected) != NULL, "%snot %s", trace, expected);
	cr_expect_eq(range.env.totals.register_failures, 1u);
	cr_expect_eq(range.targets[0].state, TARGET_GONE);
	cr_expect_null(range.targets[0].registering);
}

static void ask_stranger(enum qn_snyper_profile_id profile)
{
	range_init(&range, profile);
	stranger_master();
	range_target(&range);
	target_power_on(&range.targets[0]);
	range_pass(&range, 0);
	cr_assert_eq(master.n, 1u);
}

Test(flow_life, a_master_that_says_nothing, .fini = finish)
{
	ask_stranger(QN_SNYPER_PICO);
	fails_with(NULL, false, "no answer in time");
	cr_expect(master.guests[0].ended);
}

Test(flow_life, a_master_that_closes, .fini = finish)
{
	ask_stranger(QN_SNYPER_PICO);
	fails_with(NULL, true, "closed without an answer");
}

Test(flow_life, a_master_that_answers_an_error, .fini = finish)
{
	ask_stranger(QN_SNYPER_PICO);
	fails_with("{\"type\": \"error\", \"id\": \"1\", \"data\": {\"error\": \"no\"}}\n", false,
		   "error");
}

Test(flow_life, a_master_that_answers_something_else, .fini = finish)
{
	ask_stranger(QN_SNYPER_PICO);
	fails_with("{\"type\": \"pong\", \"id\": \"1\", \"data\": {\"status\": \"x\"}}\n", false,
		   "wrong_type");
}

Test(flow_life, a_master_that_answers_no_json, .fini = finish)
{
	ask_stranger(QN_SNYPER_STRICT);
	fails_with("yes\n", false, "not_a_message");
}

Test(flow_life, a_master_in_two_pieces, .fini = finish)
{
	ask_stranger(QN_SNYPER_PICO);
	fails_with("{\"type\": \"registered\", ", false, "not_a_message");
}

/* A strict target reads to the newline, or to the end. */
Test(flow_life, a_strict_target_takes_pieces, .fini = finish)
{
	ask_stranger(QN_SNYPER_STRICT);
	guest_send(&master.guests[0], "{\"type\": \"registered\", ");
	range_pass(&range, 1);
	guest_send(&master.guests[0], "\"id\": \"1\", \"data\": {\"status\": \"registered\"}}\n");
	range_pass(&range, 1);
	cr_expect_eq(range.targets[0].state, TARGET_DOWN);
}

Test(flow_life, a_strict_target_takes_a_last_line_without_its_newline, .fini = finish)
{
	ask_stranger(QN_SNYPER_STRICT);
	guest_send(&master.guests[0], "{\"type\": \"registered\", \"id\": \"1\", \"data\": "
				      "{\"status\": \"registered\"}}");
	guest_close(&master.guests[0]);
	range_pass(&range, 1);
	cr_expect_eq(range.targets[0].state, TARGET_DOWN);
}

Test(flow_life, a_network_without_room, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.attempts = 2;
	range_master(&range);
	range_target(&range);
	target_power_on(&range.targets[0]);
	pipe_fail_next(range.net, -ENOBUFS);
	range_until(&range, 2000);
	cr_expect_eq(range.env.totals.register_failures, 1u);
	cr_expect_eq(range.targets[0].state, TARGET_DOWN);
}

Test(flow_life, nobody_there_at_all, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	pipe_swallow(range.net, RANGE_MASTER_IP, true);
	range_target(&range);
	target_power_on(&range.targets[0]);
	range_until(&range, 4999);
	cr_expect_eq(range.targets[0].state, TARGET_BOOTING);
	range_until(&range, 5000);
	EXPECT_TRACE(&range, "0 target_1 power_on\n"
			     "0 target_1 registering\n"
			     "5000 target_1 register_failed: no answer in time\n"
			     "5000 target_1 gave_up: registration failed\n");
}

Test(flow_life, an_address_that_is_taken, .fini = finish)
{
	struct stranger squatter;

	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	struct target *target = range_target(&range);
	stranger_listen(&range, &squatter, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	target_power_on(target);
	range_until(&range, 10);
	EXPECT_TRACE(&range, "0 target_1 power_on\n"
			     "0 target_1 registering\n"
			     "0 target_1 m_registered: 127.1.0.1:40000\n"
			     "0 target_1 registered\n"
			     "0 target_1 listen_failed: Address already in use\n"
			     "0 target_1 gave_up: cannot listen\n");
	cr_expect_eq(range.env.totals.lost, 1u);
	cr_expect_eq(range.env.totals.registered, 0u);
	cr_expect_eq(range.env.last_listen_error, -EADDRINUSE);
	stranger_stop(&squatter);
}

/* ---- registering again ---- */

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void in_service(void)
{
	range_master(&range);
	range_target(&range);
	target_power_on(&range.targets[0]);
	range_pass(&range, 0);
	cr_assert_eq(range.targets[0].state, TARGET_DOWN);
	range_trace(&range);
}

Test(flow_life, registers_once_as_the_firmware, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	in_service();
	range_until(&range, 24 * 3600 * 1000.0);
	EXPECT_TRACE(&range, "");
}

Test(flow_life, registers_every_so_often, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.reregister_every_ns = 10 * NS_PER_S;
	in_service();
	range_until(&range, 35000);
	EXPECT_TRACE(&range, "10000 target_1 registering\n"
			     "10000 target_1 m_registered: 127.1.0.1:40001\n"
			     "10000 target_1 registered\n"
			     "20000 target_1 registering\n"
			     "20000 target_1 m_registered: 127.1.0.1:40002\n"
			     "20000 target_1 registered\n"
			     "30000 target_1 registering\n"
			     "30000 target_1 m_registered: 127.1.0.1:40003\n"
			     "30000 target_1 registered\n");
	cr_expect_eq(master_known(range.master), 1u);
	cr_expect_eq(range.env.totals.registered, 1u);
	cr_expect_eq(range.env.totals.registrations, 4u);
}

static void ping_at(double ms)
{
	static struct guest guest;

	range_until(&range, ms);
	guest_call(&range, &guest, 0);
	guest_send(&guest, PING);
	range_pass(&range, 0);
	cr_assert_not_null(strstr(guest_take(&guest), "pong"));
	guest_close(&guest);
	range_pass(&range, 0);
}

Test(flow_life, registers_when_nobody_speaks_to_it, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.reregister_silence_ns = 10 * NS_PER_S;
	in_service();
	ping_at(6000);
	ping_at(14000);
	range_trace(&range);
	range_until(&range, 36000);
	EXPECT_TRACE(&range, "24000 target_1 registering\n"
			     "24000 target_1 m_registered: 127.1.0.1:40003\n"
			     "24000 target_1 registered\n"
			     "34000 target_1 registering\n"
			     "34000 target_1 m_registered: 127.1.0.1:40004\n"
			     "34000 target_1 registered\n");
}

/* Both: whichever comes first. Somebody who speaks puts off the silence alone. */
Test(flow_life, registers_every_so_often_and_after_a_silence, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.reregister_every_ns = 25 * NS_PER_S;
	range.group.reregister_silence_ns = 10 * NS_PER_S;
	in_service();
	ping_at(8000);
	ping_at(16000);
	ping_at(24000);
	cr_expect_eq(count(range_trace(&range), " registering\n"), 0u);
	ping_at(32000);
	const char *trace = range_trace(&range);
	cr_expect_eq(count(trace, "\n25000 target_1 registering\n") +
			     (strncmp(trace, "25000 target_1 registering\n", 27) == 0),
		     1u, "%s", trace);
	range_until(&range, 43000);
	cr_expect_eq(count(range_trace(&range), "42000 target_1 registering\n"), 1u);
}

/* A target in service stays so while nobody takes its registration, and goes on trying. */
Test(flow_life, a_registration_that_fails_in_service, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.attempts = 2;
	range.group.reregister_every_ns = 10 * NS_PER_S;
	in_service();
	pipe_swallow(range.net, RANGE_MASTER_IP, true);
	range_until(&range, 29000);
	const char *trace = range_trace(&range);
	cr_expect_eq(count(trace, " registering\n"), 2u, "%s", trace);
	cr_expect_eq(count(trace, "register_failed"), 2u, "%s", trace);
	cr_expect_eq(count(trace, "gave_up"), 0u, "%s", trace);
	cr_expect_eq(range.targets[0].state, TARGET_DOWN);
	cr_expect_eq(range.env.totals.registered, 1u);
	pipe_swallow(range.net, RANGE_MASTER_IP, false);
	range_until(&range, 60000);
	cr_expect_geq(count(range_trace(&range), " registered\n"), 1u);
}

/* ---- power and crashes ---- */

Test(flow_life, power_off_ends_everything, .fini = finish)
{
	struct guest guest, next;

	range_init(&range, QN_SNYPER_PICO);
	in_service();
	guest_call(&range, &guest, 0);
	guest_send(&guest, "{\"type\": \"activate\", \"id\": \"1\"}\n");
	range_until(&range, 700);
	cr_expect_eq(range.targets[0].state, TARGET_ACTIVE);
	target_power_off(&range.targets[0]);
	target_power_off(&range.targets[0]); /* harmless */
	range_until(&range, 20000);
	cr_expect(guest.closed);
	cr_expect_eq(guest.error, -ECONNRESET);
	guest_call(&range, &next, 0);
	cr_expect_eq(next.error, -ECONNREFUSED);
	EXPECT_TRACE(&range, "0 target_1 command activate\n"
			     "0 target_1 answer activated\n"
			     "0 target_1 rising\n"
			     "500 target_1 standing\n"
			     "500 target_1 active 5000\n"
			     "700 target_1 power_off\n");
	cr_expect_eq(range.env.totals.registered, 0u);
	cr_expect_eq(range.env.totals.lost, 0u, "somebody wished it");
	cr_expect_eq(range.env.totals.by_state[TARGET_OFF], 1u);
	/* And on again: it lies. */
	target_power_on(&range.targets[0]);
	range_until(&range, 21000);
	cr_expect_eq(range.targets[0].state, TARGET_DOWN);
	cr_expect_not(range.targets[0].up);
}

Test(flow_life, power_off_while_it_registers, .fini = finish)
{
	ask_stranger(QN_SNYPER_PICO);
	target_power_off(&range.targets[0]);
	range_until(&range, 60000);
	cr_expect_eq(master.guests[0].error, -ECONNRESET);
	cr_expect_eq(range.env.totals.register_failures, 0u);
	cr_expect_eq(range.targets[0].state, TARGET_OFF);
}

Test(flow_life, power_off_while_it_waits_to_try_again, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.group.attempts = 0;
	range_target(&range);
	target_power_on(&range.targets[0]);
	range_until(&range, 10);
	target_power_off(&range.targets[0]);
	range_trace(&range);
	range_until(&range, 60000);
	EXPECT_TRACE(&range, "");
}

/* A late answer is pending: it is never sent, and its place is free again. */
Test(flow_life, power_off_with_answers_that_wait_for_their_moves, .fini = finish)
{
	struct guest guest;

	range_init(&range, QN_SNYPER_PICO);
	range.group.reply = TARGET_REPLY_DONE;
	in_service();
	guest_call(&range, &guest, 0);
	guest_send(&guest, "{\"type\": \"stand_up\", \"id\": \"1\"}\n"
			   "{\"type\": \"lay_down\", \"id\": \"2\"}\n");
	range_until(&range, 250);
	cr_expect_eq(range.env.late_replies.used, 2u);
	target_power_off(&range.targets[0]);
	range_until(&range, 2000);
	cr_expect_eq(range.env.late_replies.used, 0u);
	cr_expect_str_empty(guest_take(&guest));
	cr_expect_eq(guest.error, -ECONNRESET);
}

Test(flow_life, a_crash_is_a_loss, .fini = finish)
{
	struct guest guest;

	range_init(&range, QN_SNYPER_PICO);
	in_service();
	guest_call(&range, &guest, 0);
	target_crash(&range.targets[0], "for want of memory");
	target_crash(&range.targets[0], "twice"); /* harmless */
	range_until(&range, 1);
	EXPECT_TRACE(&range, "0 target_1 crashed: for want of memory\n");
	cr_expect_eq(guest.error, -ECONNRESET);
	cr_expect_eq(range.env.totals.lost, 1u);
	cr_expect_eq(range.env.totals.registered, 0u);
	cr_expect_eq(range.env.totals.by_state[TARGET_GONE], 1u);
}

/* It takes another address, registers from there, and the master follows. */
Test(flow_life, moves_to_another_address, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	in_service();
	target_move_to(&range.targets[0], RANGE_IP(9));
	range_until(&range, 1);
	EXPECT_TRACE(&range, "0 target_1 moved\n"
			     "0 target_1 registering\n"
			     "0 target_1 m_registered: 127.1.0.10:40001\n"
			     "0 target_1 registered\n");
	cr_expect_eq(master_known(range.master), 1u);
	cr_expect_eq(master_remote(range.master, 0)->ip, RANGE_IP(9));
	master_command(range.master, 0, RANGE_PING, range.loop.now_ns, (struct qn_text){ 0 }, NULL,
		       NULL);
	range_until(&range, 2);
	cr_expect_eq(master_totals(range.master)->ok, 1u);
}

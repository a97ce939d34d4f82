/*
 * A master's commands: outcomes and their reasons, deadlines, the cap, forgetting. The targets are
 * ours or strangers whose answers the test writes.
 */
#include "tests/support/master_bed.h"

/* ---- outcomes ---- */

Test(flow_master, a_command_and_its_answer, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	range_until(&range, 100);
	command(0, RANGE_PING);
	struct guest *asked = &stranger.guests[0];
	cr_expect_str_eq(
		guest_take(asked),
		"{\"timestamp\": 1795274924, \"type\": \"ping\", \"data\": {\"from\": "
		"\"master\"}, \"id\": \"msg_1795274924000\", \"target_id\": \"target_1\"}\n");
	cr_expect_eq(asked->reads, 1u);
	range_until(&range, 130);
	guest_send(asked, PONG);
	range_pass(&range, 0);
	cr_expect(asked->ended, "it closes when it has its answer");
	EXPECT_TRACE(&range, "100 target_1 m_sent ping\n"
			     "130 target_1 m_ok ping 30\n");
	const struct master_command_stats *stats = master_stats(range.master, RANGE_PING);
	cr_expect_eq(stats->ok, 1u);
	cr_expect_eq(stats->latency.n, 1u);
	cr_expect_eq(results[MASTER_OK], 1u);
	cr_expect_eq(master_remote(range.master, 0)->last, MASTER_OK + 1);
}

/* Latency counts from when it was due, not from when it went out. */
Test(flow_master, late_commands_count_from_when_they_were_due, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	range_until(&range, 500);
	cr_assert_eq(master_command(range.master, 0, RANGE_PING, 200 * NS_PER_MS,
				    (struct qn_text){ NULL, 0 }, NULL, NULL),
		     0);
	range_pass(&range, 10);
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 0);
	EXPECT_TRACE(&range, "500 target_1 m_sent ping\n510 target_1 m_ok ping 310\n");
}

static void answers(enum qn_snyper_profile_id profile, const char *answer, const char *outcome)
{
	char expected[128];

	start(profile, false);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], answer);
	range_pass(&range, 0);
	if (answered == 0)
		guest_close(&stranger.guests[0]);
	range_pass(&range, 0);
	snprintf(expected, sizeof(expected), "0 target_1 m_sent ping\n0 target_1 m_%s\n", outcome);
	range_expect(&range, expected, answer, 0);
	finish();
	answered = 0;
}

Test(flow_master, answers_that_are_none)
{
	answers(QN_SNYPER_PICO, PONG, "ok ping 0");
	answers(QN_SNYPER_PICO, PONG PONG, "failed ping 0: not_a_message");
	answers(QN_SNYPER_STRICT, PONG PONG, "ok ping 0");
	answers(QN_SNYPER_PICO, "{\"type\": \"pong\", \"id\": ", "failed ping 0: not_a_message");
	answers(QN_SNYPER_STRICT, "{\"type\": \"pong\", \"id\": ", "failed ping 0: not_a_message");
	answers(QN_SNYPER_STRICT, "{\"type\": \"pong\", \"id\": 1, \"data\": {\"status\": 1}}",
		"ok ping 0");
	answers(QN_SNYPER_PICO, "{\"type\": \"pong\", \"id\": \"1\"}\n", "failed ping 0: no_data");
	answers(QN_SNYPER_PICO, "{\"type\": \"down\", \"id\": \"1\", \"data\": {\"a\": 1}}\n",
		"failed ping 0: wrong_type");
	answers(QN_SNYPER_PICO,
		"{\"type\": \"error\", \"id\": \"1\", \"data\": {\"error\": \"x\"}}\n",
		"failed ping 0: error");
	answers(QN_SNYPER_STRICT, "\n \n", "failed ping 0: closed without an answer");
}

Test(flow_master, an_answer_that_is_too_long, .fini = finish)
{
	char answer[1100];

	start(QN_SNYPER_PICO, false);
	command(0, RANGE_PING);
	snprintf(answer, sizeof(answer),
		 "{\"type\": \"pong\", \"id\": \"1\", \"data\": {\"status\": \"%01000d\"}}\n", 0);
	guest_send(&stranger.guests[0], answer);
	range_pass(&range, 0);
	EXPECT_TRACE(&range, "0 target_1 m_sent ping\n0 target_1 m_failed ping 0: too_long\n");
	cr_expect_eq(master_totals(range.master)->bad_answers, 1u);
}

Test(flow_master, nobody_listens, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	stranger_stop(&stranger);
	command(0, RANGE_PING);
	EXPECT_TRACE(&range, "0 target_1 m_failed ping 0: Connection refused\n");
	cr_expect_eq(master_totals(range.master)->refused, 1u);
	cr_expect_eq(results[MASTER_FAILED], 1u);
}

Test(flow_master, a_reset, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	command(0, RANGE_PING);
	guest_reset(&stranger.guests[0]);
	range_pass(&range, 0);
	EXPECT_TRACE(&range, "0 target_1 m_sent ping\n"
			     "0 target_1 m_failed ping 0: Connection reset by peer\n");
	cr_expect_eq(master_totals(range.master)->reset, 1u);
}

Test(flow_master, a_close, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	command(0, RANGE_PING);
	guest_close(&stranger.guests[0]);
	range_pass(&range, 0);
	EXPECT_TRACE(&range, "0 target_1 m_sent ping\n"
			     "0 target_1 m_failed ping 0: closed without an answer\n");
	cr_expect_eq(master_totals(range.master)->closed, 1u);
}

/* The answer and the end come together: answered first, then ended. */
Test(flow_master, an_answer_and_a_close, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], PONG);
	guest_close(&stranger.guests[0]);
	range_pass(&range, 0);
	cr_expect_eq(results[MASTER_OK], 1u);
	cr_expect_eq(answered, 1u);
}

Test(flow_master, silence_is_a_loss, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	command(0, RANGE_STAND_UP);
	range_until(&range, 4999);
	cr_expect_eq(answered, 0u);
	range_until(&range, 5000);
	EXPECT_TRACE(&range, "0 target_1 m_sent stand_up\n"
			     "5000 target_1 m_lost stand_up 5000: no answer in time\n");
	cr_expect(stranger.guests[0].ended);
	cr_expect_eq(results[MASTER_LOST], 1u);
	/* An answer that comes after all changes nothing. */
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 10);
	cr_expect_eq(master_totals(range.master)->ok, 0u);
	cr_expect_eq(master_lost_targets(range.master), 1u);
}

/* Each of the two deadlines counts by itself, whichever is longer. */
static void lost_at(int64_t connect_ms, int64_t answer_ms)
{
	char expected[128];

	range_init(&range, QN_SNYPER_PICO);
	range.options.connect_timeout_ns = connect_ms * NS_PER_MS;
	range.options.answer_timeout_ns = answer_ms * NS_PER_MS;
	range_master(&range);
	register_from(RANGE_IP(0), "target_1");
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	range_trace(&range);
	command(0, RANGE_PING);
	range_until(&range, 20000);
	snprintf(expected, sizeof(expected),
		 "0 target_1 m_sent ping\n%d target_1 m_lost ping %d: no answer in time\n",
		 (int)answer_ms, (int)answer_ms);
	EXPECT_TRACE(&range, expected);
	finish();
}

Test(flow_master, deadlines)
{
	lost_at(5000, 8000);
	lost_at(5000, 1000);
	lost_at(1000, 1000);
}

Test(flow_master, no_connection_is_a_loss, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	pipe_swallow(range.net, RANGE_IP(0), true);
	command(0, RANGE_PING);
	range_until(&range, 5000);
	EXPECT_TRACE(&range, "5000 target_1 m_lost ping 5000: no connection in time\n");
	cr_expect_eq(master_totals(range.master)->timed_out_connecting, 1u);
}

Test(flow_master, no_room_for_a_connection, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	pipe_fail_next(range.net, -ENOBUFS);
	command(0, RANGE_PING);
	cr_expect_eq(results[MASTER_FAILED], 1u);
	cr_expect_eq(master_totals(range.master)->no_resources, 1u);
	cr_expect_eq(master_totals(range.master)->under_way, 0u);
}

Test(flow_master, commands_for_nobody, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	cr_expect_eq(command(1, RANGE_PING), -ENOENT);
	master_forget(range.master, 0);
	cr_expect_eq(command(0, RANGE_PING), -ENOENT);
	cr_expect_eq(master_totals(range.master)->sent, 0u);
}

Test(flow_master, its_own_port_number, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.options.listen.target_port = 9999;
	range_master(&range);
	register_from(RANGE_IP(0), "target_1");
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(0), 9999 });
	command(0, RANGE_PING);
	cr_expect_eq(stranger.n, 1u);
}

/* ---- the cap ---- */

Test(flow_master, no_more_than_the_cap_at_a_time, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.options.limits = (struct master_limits){ .targets = 5, .concurrency = 2 };
	range_master(&range);
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	for (int i = 0; i < 5; i++) {
		char name[32];
		snprintf(name, sizeof(name), "target_%d", i);
		register_from(RANGE_IP(0), name);
	}
	for (uint32_t i = 0; i < 5; i++)
		cr_expect_eq(command(i, RANGE_PING), 0);
	const struct master_totals *totals = master_totals(range.master);
	cr_expect_eq(stranger.n, 2u);
	cr_expect_eq(totals->under_way, 2u);
	cr_expect_eq(totals->waiting, 3u);
	for (uint32_t i = 0; i < 5; i++) {
		range_pass(&range, 10);
		guest_send(&stranger.guests[i], PONG);
		range_pass(&range, 0);
		cr_expect_eq(totals->ok, i + 1);
		cr_expect_leq(totals->under_way, 2u);
	}
	cr_expect_eq(totals->under_way, 0u);
	/* In order, and their latency counts the waiting. */
	const char *trace = range_trace(&range);
	cr_expect_not_null(strstr(trace, "50 target_4 m_ok ping 50\n"), "%s", trace);
}

Test(flow_master, more_than_may_wait, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range.options.limits = (struct master_limits){ .targets = 1, .concurrency = 1 };
	range_master(&range);
	register_from(RANGE_IP(0), "target_1");
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	int accepted = 0;
	while (command(0, RANGE_PING) == 0)
		cr_assert_lt(++accepted, 100);
	cr_expect_eq(command(0, RANGE_PING), -ENOBUFS);
	cr_expect_eq(accepted, 5, "four commands for each target, and those under way");
	cr_expect_eq(master_totals(range.master)->sent, 5u);
	/* All of them end, one after the other. */
	stranger_stop(&stranger);
	range_pass(&range, 5000);
	cr_expect_eq(answered, 5u);
	cr_expect_eq(results[MASTER_LOST], 1u);
	cr_expect_eq(results[MASTER_FAILED], 4u);
}

/* ---- forgetting ---- */

Test(flow_master, forgets_who_failed, .fini = finish)
{
	start(QN_SNYPER_PICO, false);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 0);
	cr_expect_eq(master_forget_failed(range.master), 0u);
	command(0, RANGE_PING);
	cr_expect_eq(master_forget_failed(range.master), 0u, "still under way");
	guest_close(&stranger.guests[1]);
	range_pass(&range, 0);
	range_trace(&range);
	cr_expect_eq(master_forget_failed(range.master), 1u);
	cr_expect_eq(master_known(range.master), 0u);
	EXPECT_TRACE(&range, "0 target_1 m_forgotten\n");
	/* It comes back with the number that it had. */
	register_from(RANGE_IP(0), "target_1");
	cr_expect_eq(master_known(range.master), 1u);
	cr_expect_eq(master_find(range.master, "target_1", 8), 0);
	cr_expect_eq(command(0, RANGE_PING), 0);
}

/* The real master forgets who did not answer. Who answered an error, or without data, it keeps. */
Test(flow_master, keeps_who_answered_an_error, .fini = finish)
{
	static const char *const lines[] = {
		"{\"type\": \"error\", \"id\": \"1\", \"data\": {\"error\": \"x\"}}\n",
		"{\"type\": \"pong\", \"id\": \"1\"}\n",
		"{\"type\": \"down\", \"id\": \"1\", \"data\": {\"status\": \"x\"}}\n",
	};

	start(QN_SNYPER_PICO, false);
	for (uint32_t i = 0; i < 3; i++) {
		command(0, RANGE_PING);
		guest_send(&stranger.guests[i], lines[i]);
		range_pass(&range, 0);
		cr_expect_eq(results[MASTER_FAILED], i + 1);
		cr_expect_eq(master_forget_failed(range.master), 0u, "%s", lines[i]);
	}
	command(0, RANGE_PING);
	guest_send(&stranger.guests[3], "pong\n");
	range_pass(&range, 0);
	cr_expect_eq(master_forget_failed(range.master), 1u, "no message at all");
}

/* ---- a master and targets, all ours ---- */

Test(flow_master, sixteen_targets_and_four_commands, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	for (int i = 0; i < RANGE_TARGETS; i++)
		target_power_on(range_target(&range));
	range_pass(&range, 10);
	static const enum range_word types[] = { RANGE_PING, RANGE_STAND_UP, RANGE_ACTIVATE,
						 RANGE_LAY_DOWN };
	for (int round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < RANGE_TARGETS; i++)
			command(i, types[round]);
		range_pass(&range, 10000);
		range_trace(&range);
	}
	cr_expect_eq(results[MASTER_OK], 4u * RANGE_TARGETS);
	for (int i = 0; i < RANGE_TARGETS; i++)
		cr_expect_eq(range.targets[i].state, TARGET_DOWN);
	cr_expect_eq(range.env.totals.moves, 3u * RANGE_TARGETS);
	cr_expect_eq(range.net->stats.open, 0u, "a connection a message, and all of them closed");
}

Test(flow_master, a_target_that_is_switched_off_and_on, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	struct target *target = range_target(&range);
	target_power_on(target);
	range_pass(&range, 10);
	target_power_off(target);
	command(0, RANGE_PING);
	cr_expect_eq(results[MASTER_FAILED], 1u);
	cr_expect_eq(master_totals(range.master)->refused, 1u);
	master_forget_failed(range.master);
	cr_expect_eq(command(0, RANGE_PING), -ENOENT);
	target_power_on(target);
	range_pass(&range, 10);
	cr_expect_eq(command(0, RANGE_PING), 0);
	cr_expect_eq(results[MASTER_OK], 1u);
	cr_expect_eq(master_lost_targets(range.master), 0u);
}

/* Two masters, two names, one wire: what one profile writes every other one reads. */
Test(flow_master, all_profiles_understand_each_other)
{
	for (int m = 0; m < QN_SNYPER_PROFILES; m++)
		for (int t = 0; t < QN_SNYPER_PROFILES; t++) {
			results[MASTER_OK] = 0;
			range_init(&range, (enum qn_snyper_profile_id)t);
			range.options.listen.profile =
				qn_snyper_profile((enum qn_snyper_profile_id)m);
			range_master(&range);
			target_power_on(range_target(&range));
			range_pass(&range, 10);
			command(0, RANGE_PING);
			command(0, RANGE_ACTIVATE);
			cr_expect_eq(results[MASTER_OK], 2u, "master %s, target %s",
				     qn_snyper_profile_names[m], qn_snyper_profile_names[t]);
			finish();
		}
}

/*
 * Rounds: what a master sends and when, out of a config. The targets are ours.
 */
#include "emulator/master/rounds.h"
#include "tests/support/range.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct range range;
static struct master_config config;
static struct settings *settings;
static struct rounds *rounds;
static unsigned ended;

static void all_rounds_ended(void *context)
{
	(void)context;
	ended++;
}

static void finish(void)
{
	rounds_free(rounds);
	range_release(&range);
	settings_free(settings);
}

/* A master by that config, on a simulated range with so many targets of ours. */
static void start(const char *text, int targets)
{
	settings = settings_load_text(text, "test.cfg", NULL, 0, &master_table, &config);
	config.present = true;
	master_config_check(settings, &config, 1);
	cr_assert_eq(settings_errors(settings), 0u, "%s", settings_error_text(settings, 0));

	range_init(&range, QN_SNYPER_PICO);
	range.options = config.options;
	range_master(&range);
	for (int i = 0; i < targets; i++)
		range_target(&range);
	cr_assert_eq(rounds_new(&range.loop, range.master, &range.events, &config, all_rounds_ended,
				NULL, &rounds),
		     0);
	/* What the master and its rounds do, and what is moved. */
	range.sink.mask = EVENT_BIT(EVENT_M_ROUND) | EVENT_BIT(EVENT_M_ROUND_END) |
			  EVENT_BIT(EVENT_M_SENT) | EVENT_BIT(EVENT_M_LOST) |
			  EVENT_BIT(EVENT_M_FAILED) | EVENT_BIT(EVENT_M_FORGOTTEN);
}

static void power_on_all(void)
{
	for (uint32_t i = 0; i < range.n_targets; i++)
		target_power_on(&range.targets[i]);
	range_pass(&range, 0);
}

Test(flow_rounds, one_after_the_other, .fini = finish)
{
	start("rounds = ({ command = \"ping\"; },"
	      " { command = \"stand_up\"; after = \"250ms\"; targets = \"target_1\"; },"
	      " { command = \"activate\"; duration = 1.5; after = \"1s\"; });",
	      2);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 100000);
	EXPECT_TRACE(&range, "0 m_round ping 2\n"
			     "0 target_1 m_sent ping\n"
			     "0 target_2 m_sent ping\n"
			     "0 m_round_end ping 0\n"
			     "250 m_round stand_up 2\n"
			     "250 target_1 m_sent stand_up\n"
			     "250 m_round_end stand_up 0\n"
			     "1250 m_round activate 2\n"
			     "1250 target_1 m_sent activate\n"
			     "1250 target_2 m_sent activate\n"
			     "1250 m_round_end activate 0\n");
	cr_expect_eq(ended, 1u);
	cr_expect(rounds_finished(rounds));
	cr_expect_eq(rounds_unsent(rounds), 0u);
	cr_expect_eq(rounds_short_of(rounds), -1);
	cr_expect_eq(master_totals(range.master)->ok, 5u);
	bool found = false;
	for (size_t i = 0; i < pipe_units(range.net); i++)
		found |= strstr(pipe_unit(range.net, i)->bytes,
				"\"data\": {\"duration\": 1.5, \"from\": \"master\"}") != NULL;
	cr_expect(found, "the duration as the config has it");
}

Test(flow_rounds, no_rounds_never_end, .fini = finish)
{
	char text[64];

	start("", 1);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 100000);
	EXPECT_TRACE(&range, "");
	cr_expect_eq(ended, 0u);
	cr_expect_not(rounds_waiting(rounds));
	cr_expect_null(rounds_describe(rounds, text, sizeof(text)));
}

Test(flow_rounds, several_times, .fini = finish)
{
	start("rounds = ({ command = \"ping\"; times = 3; });", 1);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 1000);
	EXPECT_TRACE(&range, "0 m_round ping 1\n"
			     "0 target_1 m_sent ping\n"
			     "0 target_1 m_sent ping\n"
			     "0 target_1 m_sent ping\n"
			     "0 m_round_end ping 0\n");
	cr_expect_eq(ended, 1u);
}

/* On time however long the last one takes: a target that hangs delays nobody's command. */
Test(flow_rounds, every_so_often, .fini = finish)
{
	start("answer_timeout = \"700ms\";"
	      "rounds = ({ command = \"ping\"; times = 3; every = \"200ms\"; after = \"50ms\"; });",
	      1);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 60);
	range_trace(&range);
	/* Nobody answers any more, and the connections stay: silence. */
	pipe_swallow(range.net, RANGE_MASTER_IP, true);
	range_until(&range, 100000);
	EXPECT_TRACE(&range, "5250 target_1 m_lost ping 5000: no connection in time\n"
			     "5450 target_1 m_lost ping 5000: no connection in time\n"
			     "5450 m_round_end ping 5400\n"
			     "5450 target_1 m_forgotten\n");
	cr_expect_eq(master_totals(range.master)->ok, 1u);
}

Test(flow_rounds, all_of_them_again, .fini = finish)
{
	char text[64];

	start("repeat = 3; rounds = ({ command = \"stand_up\"; after = \"1s\"; },"
	      " { command = \"lay_down\"; after = \"1s\"; });",
	      1);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 500);
	cr_expect_str_eq(rounds_describe(rounds, text, sizeof(text)),
			 "round 1 of 2: stand_up (pause)");
	range_until(&range, 5999);
	cr_expect_eq(ended, 0u);
	range_until(&range, 6000);
	cr_expect_eq(ended, 1u);
	cr_expect_eq(master_totals(range.master)->ok, 6u);
	cr_expect_str_eq(rounds_describe(rounds, text, sizeof(text)), "all rounds done");
	range_until(&range, 60000);
	cr_expect_eq(ended, 1u);
}

Test(flow_rounds, for_ever, .fini = finish)
{
	start("repeat = 0; rounds = ({ command = \"ping\"; after = \"1s\"; });", 1);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 100000);
	cr_expect_eq(master_totals(range.master)->ok, 100u);
	cr_expect_eq(ended, 0u);
}

/* ---- waiting for targets ---- */

Test(flow_rounds, waits_for_targets, .fini = finish)
{
	char text[64];

	start("wait = { targets = 2; timeout = \"10s\"; }; rounds = ({ command = \"ping\"; });", 2);
	rounds_start(rounds);
	range_until(&range, 1000);
	cr_expect(rounds_waiting(rounds));
	cr_expect_str_eq(rounds_describe(rounds, text, sizeof(text)),
			 "waiting for 2 targets, 0 are there");
	target_power_on(&range.targets[0]);
	range_until(&range, 2000);
	cr_expect_str_eq(rounds_describe(rounds, text, sizeof(text)),
			 "waiting for 2 targets, 1 are there");
	target_power_on(&range.targets[1]);
	range_until(&range, 2100);
	cr_expect_eq(ended, 1u);
	cr_expect_eq(master_totals(range.master)->ok, 2u);
	cr_expect_eq(rounds_short_of(rounds), -1);
}

Test(flow_rounds, waits_no_longer_than_that, .fini = finish)
{
	start("wait = { targets = 2; timeout = \"10s\"; }; rounds = ({ command = \"ping\"; });", 2);
	target_power_on(&range.targets[0]);
	rounds_start(rounds);
	range_until(&range, 9900);
	cr_expect(rounds_waiting(rounds));
	range_until(&range, 10100);
	cr_expect_eq(ended, 1u);
	cr_expect_eq(rounds_short_of(rounds), 1);
	cr_expect_eq(master_totals(range.master)->ok, 1u);
}

/* ---- whom they find ---- */

Test(flow_rounds, selectors, .fini = finish)
{
	start("rounds = ({ command = \"ping\"; targets = \"target_[2-3], target_5\"; },"
	      " { command = \"ping\"; targets = \"random(2)\"; },"
	      " { command = \"ping\"; targets = \"50%\"; },"
	      " { command = \"ping\"; targets = \"nobody\"; });",
	      6);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 0.001);
	const char *trace = range_trace(&range);
	cr_expect_not_null(strstr(trace, "0 m_round ping 6\n"
					 "0 target_2 m_sent ping\n"
					 "0 target_3 m_sent ping\n"
					 "0 target_5 m_sent ping\n"
					 "0 m_round_end ping 0\n"),
			   "%s", trace);
	cr_expect_eq(master_totals(range.master)->sent, 3u + 2 + 3);
	cr_expect_eq(rounds_unsent(rounds), 1u, "a round that found nobody");
	cr_expect_eq(ended, 1u);
}

/* Rounds that find nobody must not spin: repeated for ever, or many times. */
Test(flow_rounds, nobody_for_ever, .fini = finish, .timeout = 20)
{
	start("repeat = 0; rounds = ({ command = \"ping\"; });", 0);
	rounds_start(rounds);
	range_until(&range, 1000);
	cr_expect_lt(range.loop.turns, 1000u);
	cr_expect_gt(rounds_unsent(rounds), 10u);
}

Test(flow_rounds, nobody_many_times, .fini = finish, .timeout = 20)
{
	start("rounds = ({ command = \"ping\"; times = 100000; });", 0);
	rounds_start(rounds);
	range_until(&range, 1000);
	cr_expect_lt(range.loop.turns, 1000u);
}

Test(flow_rounds, who_fails_is_forgotten_after_the_round, .fini = finish)
{
	start("rounds = ({ command = \"ping\"; }, { command = \"ping\"; after = \"1s\"; },"
	      " { command = \"ping\"; after = \"1s\"; });",
	      2);
	power_on_all();
	target_power_off(&range.targets[1]);
	rounds_start(rounds);
	range_until(&range, 1500);
	EXPECT_TRACE(&range, "0 m_round ping 2\n"
			     "0 target_1 m_sent ping\n"
			     "0 target_2 m_failed ping 0: Connection refused\n"
			     "0 m_round_end ping 0\n"
			     "0 target_2 m_forgotten\n"
			     "1000 m_round ping 1\n"
			     "1000 target_1 m_sent ping\n"
			     "1000 m_round_end ping 0\n");
	/* It registers again, and is asked again. */
	target_power_on(&range.targets[1]);
	range_until(&range, 2500);
	EXPECT_TRACE(&range, "2000 m_round ping 2\n"
			     "2000 target_1 m_sent ping\n"
			     "2000 target_2 m_sent ping\n"
			     "2000 m_round_end ping 0\n");
}

Test(flow_rounds, or_it_is_not, .fini = finish)
{
	start("forget_failed = false;"
	      "rounds = ({ command = \"ping\"; }, { command = \"ping\"; after = \"1s\"; });",
	      1);
	power_on_all();
	target_power_off(&range.targets[0]);
	rounds_start(rounds);
	range_until(&range, 1500);
	cr_expect_eq(master_totals(range.master)->failed, 2u);
	cr_expect_eq(master_known(range.master), 1u);
}

/* More at a time than the cap: a round ends when the last of them has its outcome. */
Test(flow_rounds, a_round_beyond_the_cap, .fini = finish)
{
	start("concurrency = 3; rounds = ({ command = \"ping\"; }, { command = \"stand_up\"; });",
	      RANGE_TARGETS);
	power_on_all();
	rounds_start(rounds);
	range_until(&range, 1);
	cr_expect_eq(ended, 1u);
	cr_expect_eq(master_totals(range.master)->ok, 2u * RANGE_TARGETS);
	cr_expect_leq(range.net->stats.open_max, 2u * 3 + 2u * RANGE_TARGETS);
	const char *trace = range_trace(&range);
	cr_expect_lt(strstr(trace, "m_round_end ping"), strstr(trace, "m_round stand_up"));
}

Test(flow_rounds, kept_connections, .fini = finish)
{
	start("connections = \"kept\"; profile = \"strict\";"
	      "rounds = ({ command = \"ping\"; times = 5; }, { command = \"stand_up\"; });",
	      4);
	range.group.profile = qn_snyper_profile(QN_SNYPER_STRICT);
	power_on_all();
	uint64_t before = range.net->stats.connected;
	rounds_start(rounds);
	range_until(&range, 1000);
	cr_expect_eq(master_totals(range.master)->ok, 24u);
	cr_expect_eq(range.net->stats.connected - before, 4u, "one for each target");
}

/* The run ends in the middle of a round: what is under way is counted as such. */
Test(flow_rounds, freed_while_commands_are_under_way, .fini = finish)
{
	start("rounds = ({ command = \"ping\"; });", 1);
	power_on_all();
	pipe_swallow(range.net, RANGE_IP(0), true);
	rounds_start(rounds);
	range_until(&range, 1000);
	cr_expect_eq(master_totals(range.master)->under_way, 1u);
}

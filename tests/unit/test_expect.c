/* Verdicts: each mode, populations, and the life of expectations, to the nanosecond. */
#include "tests/support/expect_run.h"

#define EXPECT(block) "expect = ( { " block " } );"

/* ---- at the end ---- */

Test(expect, counts_at_the_end)
{
	struct run *run = run_start(
		"{ that = \"sent == 4\"; }, { that = \"lost == 0\"; },"
		"{ that = \"ok(ping) >= 2\"; }, { that = \"failed(stand_up) <= 0\"; },"
		"{ that = \"ok >= 3\"; },"
		"{ that = \"lost(ping, east_*) == 0 and lost(ping, west_*) < 1\"; }");

	run_to(run, 1 * S);
	for (int i = 1; i <= 4; i++)
		run_ping(run, EVENT_M_SENT, "west_1", 0);
	run_ping(run, EVENT_M_OK, "west_1", 5 * MS);
	run_ping(run, EVENT_M_LOST, "west_2", 5 * MS);
	run_ping(run, EVENT_M_LOST, "west_2", 5 * MS);
	run_ping(run, EVENT_M_LOST, "west_7", 5 * MS);
	run_ping(run, EVENT_M_OK, "east_1", 5 * MS);
	run_ping(run, EVENT_M_FAILED, "west_5", 0);
	run_expect(run, 0, VERDICT_ERROR, 0, "", "");
	run_finish(run, 2 * S);
	cr_expect(expect_count(run->expect) == 6 && expect_failed(run->expect) == 3);
	run_expect(run, 0, VERDICT_PASS, 2 * S, "sent was 4, expected 4", "");
	run_expect(run, 1, VERDICT_FAIL, 2 * S, "lost was 3, expected 0", "west_2 west_7 (2)");
	run_expect(run, 2, VERDICT_PASS, 2 * S, "ok(ping) was 2, limit 2", "");
	run_expect(run, 3, VERDICT_PASS, 2 * S, "failed(stand_up) was 0, limit 0", "");
	/* Too few: who had none. */
	run_expect(run, 4, VERDICT_FAIL, 2 * S, "ok was 2, limit 3",
		   "west_2 west_3 west_4 west_5 west_6 west_7 west_8 west_9 west_10 east_2 (12)");
	run_expect(run, 5, VERDICT_FAIL, 2 * S, "lost(ping, west_*) was 3, limit 1",
		   "west_2 west_7 (2)");
	const struct verdict *verdict = expect_verdict(run->expect, 1);
	cr_expect_str_eq(verdict->name, "lost == 0");
	cr_expect_str_eq(verdict->that, "lost == 0");
	cr_expect_str_eq(verdict->mode, "at the end");
	cr_expect_str_eq(verdict->file, "x.cfg");
	cr_expect(verdict->line == 3);
	expect_finish(run->expect); /* harmless */
	cr_expect(expect_failed(run->expect) == 3);
	run_free(run);
}

Test(expect, judged_at_until_and_not_after)
{
	struct run *run = run_start("{ that = \"hits == 2\"; until = \"5s\"; },"
				    "{ that = \"hits == 3\"; until = \"5000000001ns\"; },"
				    "{ that = \"hits == 3\"; until = \"9s\"; }");

	run_to(run, 5 * S);
	run_tell(run, EVENT_HIT, "west_1");
	run_tell(run, EVENT_HIT, "west_2"); /* at the very nanosecond: counts */
	run_to(run, 5 * S + 1);
	run_tell(run, EVENT_HIT, "west_3");
	run_finish(run, 6 * S);
	run_expect(run, 0, VERDICT_PASS, 5 * S, "hits was 2, expected 2", "");
	run_expect(run, 1, VERDICT_PASS, 5 * S + 1, "hits was 3, expected 3", "");
	run_expect(run, 2, VERDICT_ERROR, 6 * S,
		   "the run ended at 6s, before until = 9s: hits was 3, expected 3", "");
	cr_expect_str_eq(expect_verdict(run->expect, 0)->mode, "at 5s");
	run_free(run);
}

Test(expect, an_end_exactly_at_until_is_in_time)
{
	struct run *run = run_start("{ that = \"hits == 0\"; until = \"5s\"; },"
				    "{ that = \"hits == 0\"; throughout = true; until = \"5s\"; },"
				    "{ that = \"hits == 1\"; within = \"5s\"; }");

	run_finish(run, 5 * S);
	run_expect(run, 0, VERDICT_PASS, 5 * S, "hits was 0, expected 0", "");
	run_expect(run, 1, VERDICT_PASS, 5 * S, "hits was 0, expected 0", "");
	run_expect(run, 2, VERDICT_FAIL, 5 * S, "hits was 0, expected 1",
		   "west_1 west_2 west_3 west_4 west_5 west_6 west_7 west_8 west_9 west_10 (14)");
	run_free(run);
}

/* ---- within ---- */

Test(expect, within_passes_at_the_first_moment)
{
	struct run *run = run_start(
		"{ that = \"registered >= 2\"; within = \"30s\"; },"
		"{ that = \"registered >= 3\"; within = \"30s\"; },"
		"{ that = \"registered >= 1\"; within = \"10s\"; from = \"20s\"; },"
		"{ that = \"registered(group:east) >= 1\"; within = \"30s\"; }");

	run_to(run, 10 * S);
	run_register(run, "west_4");
	run_to(run, 12 * S);
	run_register(run, "west_5");
	run_register(run, "west_5"); /* again: no second target */
	run_expect(run, 0, VERDICT_PASS, 12 * S, "registered was 2, limit 2", "");
	run_to(run, 30 * S); /* at the very end of the time */
	run_register(run, "west_6");
	run_expect(run, 1, VERDICT_PASS, 30 * S, "registered was 3, limit 3", "");
	run_expect(run, 2, VERDICT_PASS, 20 * S, "registered was 2, limit 1", "");
	run_to(run, 30 * S + 1);
	run_expect(run, 3, VERDICT_FAIL, 30 * S, "registered(group:east) was 0, limit 1",
		   "east_1 east_2 east_3 east_4 (4)");
	run_register(run, "east_1");
	cr_expect(expect_failed(run->expect) == 1);
	run_finish(run, 31 * S);
	run_expect(run, 1, VERDICT_PASS, 30 * S, "registered was 3, limit 3", "");
	cr_expect_str_eq(expect_verdict(run->expect, 2)->mode, "within 10s from 20s");
	run_free(run);
}

Test(expect, within_and_the_run_ends_before)
{
	struct run *run = run_start("{ that = \"hits >= 1\"; within = \"30s\"; },"
				    "{ that = \"hits >= 1\"; within = \"1s\"; from = \"10s\"; }");

	run_finish(run, 5 * S);
	run_expect(run, 0, VERDICT_ERROR, 5 * S,
		   "the run ended at 5s, before it had to be true at 30s: hits was 0, limit 1", "");
	run_expect(run, 1, VERDICT_ERROR, 5 * S, "the run ended at 5s, before from = 10s", "");
	run_free(run);
}

/* ---- throughout ---- */

Test(expect, throughout_fails_at_the_first_violation)
{
	struct run *run = run_start(
		"{ that = \"state(up) >= 2\"; throughout = true; from = \"10s\";"
		" until = \"20s\"; }, { that = \"state(up) >= 2\"; throughout = true;"
		" from = \"10s\"; until = \"14s\"; targets = \"group:west\"; },"
		"{ that = \"state(up) < 9\"; throughout = true; }");

	run_to(run, 9 * S);
	run_become(run, EVENT_STANDING, TARGET_UP, "west_1");
	run_to(run, 10 * S);
	run_become(run, EVENT_STANDING, TARGET_UP, "west_2"); /* just in time for both */
	run_to(run, 14 * S + 1);
	run_become(run, EVENT_FALLING, TARGET_FALLING, "west_1"); /* too late for the second */
	run_expect(run, 0, VERDICT_FAIL, 14 * S + 1, "state(up) was 1, limit 2",
		   "west_1 west_3 west_4 west_5 west_6 west_7 west_8 west_9 west_10 east_1 (13)");
	cr_expect(expect_failed(run->expect) == 1);
	run_become(run, EVENT_STANDING, TARGET_UP, "west_1");
	run_finish(run, 30 * S);
	run_expect(run, 1, VERDICT_PASS, 14 * S, "state(up) was 2, limit 2", "");
	run_expect(run, 2, VERDICT_PASS, 30 * S, "state(up) was 2, limit 9", "");
	cr_expect_str_eq(expect_verdict(run->expect, 0)->mode, "throughout 10s..20s");
	run_free(run);
}

Test(expect, throughout_begins_at_from)
{
	struct run *run = run_start(
		"{ that = \"hits == 0\"; throughout = true; from = \"10s\"; },"
		"{ that = \"state(off) == 14\"; throughout = true; },"
		"{ that = \"state(up) >= 1\"; throughout = true; },"
		"{ that = \"hits <= 1\"; throughout = true; from = \"40s\"; },"
		"{ that = \"hits <= 1\"; throughout = true; until = \"40s\"; }");

	run_to(run, 1 * S);
	run_expect(run, 2, VERDICT_FAIL, 0, "state(up) was 0, limit 1",
		   "west_1 west_2 west_3 west_4 west_5 west_6 west_7 west_8 west_9 west_10 (14)");
	run_tell(run, EVENT_HIT, "east_2");
	cr_expect(expect_failed(run->expect) == 1);
	run_finish(run, 11 * S);
	run_expect(run, 0, VERDICT_FAIL, 10 * S, "hits was 1, expected 0", "east_2 (1)");
	run_expect(run, 1, VERDICT_PASS, 11 * S, "state(off) was 14, expected 14", "");
	run_expect(run, 3, VERDICT_ERROR, 11 * S, "the run ended at 11s, before from = 40s", "");
	run_expect(run, 4, VERDICT_ERROR, 11 * S,
		   "the run ended at 11s, before until = 40s: hits was 1, limit 1", "");
	run_free(run);
}

/* ---- populations ---- */

Test(expect, states_follow_every_event)
{
	struct run *run = run_start(
		"{ that = \"state(rising) == 1 and state(standing) == 1 and "
		"state(in_service) == 3 and state(off) == 11 and state(active) == 1\";"
		"within = \"1s\"; },"
		"{ that = \"state(gone, west_*) == 0\"; throughout = true; },"
		"{ that = \"state(standing) >= 0.5 * targets(group:east)\";"
		" targets = \"tag:new\"; }");

	run_become(run, EVENT_LISTENING, TARGET_DOWN, "east_1");
	run_become(run, EVENT_RISING, TARGET_RISING, "east_1");
	/* An activation: it stands, and is told so while the state is still rising. */
	run_become(run, EVENT_LISTENING, TARGET_DOWN, "east_2");
	run_become(run, EVENT_RISING, TARGET_RISING, "east_2");
	run_tell(run, EVENT_STANDING, "east_2");
	run_become(run, EVENT_ACTIVE, TARGET_ACTIVE, "east_2");
	run_to(run, 500 * MS);
	run_become(run, EVENT_LISTENING, TARGET_DOWN, "west_2");
	run_expect(run, 0, VERDICT_PASS, 500 * MS,
		   "state(rising) was 1, expected 1; state(standing) was 1, expected 1; "
		   "state(in_service) was 3, expected 3; state(off) was 11, expected 11; "
		   "state(active) was 1, expected 1",
		   "");
	run_become(run, EVENT_CRASHED, TARGET_GONE, "east_1");
	run_to(run, 600 * MS);
	run_become(run, EVENT_CRASHED, TARGET_GONE, "west_2");
	run_expect(run, 1, VERDICT_FAIL, 600 * MS, "state(gone, west_*) was 1, expected 0",
		   "west_2 (1)");
	run_finish(run, S);
	run_expect(run, 2, VERDICT_FAIL, S,
		   "state(standing) was 1, 0.5 * targets(group:east) was 2",
		   "east_1 east_3 east_4 (3)");
	run_free(run);
}

/* A target says that it gives up while it is still booting: the real code, end to end. */
Test(expect, giving_up_is_seen_at_once)
{
	struct run *run = run_start("{ that = \"state(gone) == 0\"; throughout = true; },"
				    "{ that = \"state(off) == 0 and state(booting) == 14\";"
				    " within = \"1s\"; },"
				    "{ that = \"state(gone) == 14 and state(booting) == 0\"; },"
				    "{ that = \"count(register_failed) == targets\"; },"
				    "{ that = \"gave_up after registering\"; }");

	run_to(run, 100 * MS);
	fleet_start(run->fleet);
	run_to(run, 100 * MS);
	run_expect(run, 0, VERDICT_FAIL, 100 * MS, "state(gone) was 1, expected 0", "west_1 (1)");
	run_expect(run, 1, VERDICT_PASS, 100 * MS,
		   "state(off) was 0, expected 0; state(booting) was 14, expected 14", "");
	run_finish(run, 200 * MS);
	run_expect(run, 2, VERDICT_PASS, 200 * MS,
		   "state(gone) was 14, expected 14; state(booting) was 0, expected 0", "");
	run_expect(run, 3, VERDICT_PASS, 200 * MS, "count(register_failed) was 14, targets was 14",
		   "");
	run_expect(run, 4, VERDICT_PASS, 200 * MS,
		   "14 `registering`; the slowest `gave_up` came after 0ns", "");
	run_free(run);
}

Test(expect, lost_targets_of_a_fleet)
{
	struct run *run = run_new(
		RUN_FLEET "expect = ( { that = \"lost_targets == 0\"; }, "
			  "{ that = \"registered(east_*) == 0 and lost_targets(east_*) == 1\";"
			  " within = \"1s\"; } );");

	run_register(run, "west_1");
	run_become(run, EVENT_LISTENING, TARGET_DOWN, "west_1");
	run_register(run, "west_2");
	run_become(run, EVENT_LISTENING, TARGET_DOWN, "west_2");
	run->fleet->targets[0].registered = false;
	run_become(run, EVENT_CRASHED, TARGET_GONE, "west_1");
	run_become(run, EVENT_CRASHED, TARGET_GONE, "west_3"); /* never was registered */
	/* It registers, cannot listen, and gives up while it still counts as registered. */
	run_register(run, "east_1");
	run_tell(run, EVENT_LISTEN_FAILED, "east_1");
	run_to(run, 500 * MS);
	run_tell(run, EVENT_GAVE_UP, "east_1");
	run_to(run, 600 * MS);
	run->fleet->targets[10].state = TARGET_GONE;
	run->fleet->targets[10].registered = false;
	run_tell(run, EVENT_CRASHED, "east_1"); /* again: it stays lost */
	run_become(run, EVENT_CRASHED, TARGET_GONE, "west_2");
	run->fleet->targets[1].registered = false;
	run_become(run, EVENT_POWER_OFF, TARGET_OFF, "west_2"); /* somebody takes care of it */
	run_finish(run, S);
	run_expect(run, 0, VERDICT_FAIL, S, "lost_targets was 2, expected 0", "west_1 east_1 (2)");
	run_expect(run, 1, VERDICT_PASS, 500 * MS,
		   "registered(east_*) was 0, expected 0; lost_targets(east_*) was 1, expected 1",
		   "");
	run_free(run);
}

Test(expect, lost_targets_of_a_master)
{
	struct run *run = run_start("{ that = \"lost_targets == 0\"; throughout = true; },"
				    "{ that = \"lost_targets(group:west) == 0\"; },"
				    "{ that = \"lost_targets < 2\"; throughout = true; }");

	run_to(run, 1 * S);
	run_ping(run, EVENT_M_REGISTERED, "west_9", 0);
	run_ping(run, EVENT_M_LOST, "west_9", 0);
	run_ping(run, EVENT_M_FAILED, "west_9", 0); /* the same target */
	run_expect(run, 0, VERDICT_FAIL, 1 * S, "lost_targets was 1, expected 0", "west_9 (1)");
	run_to(run, 2 * S);
	run_ping(run, EVENT_M_OK, "west_9", 0);
	run_ping(run, EVENT_M_LOST, "east_1", 0);
	run_finish(run, 3 * S);
	run_expect(run, 1, VERDICT_PASS, 3 * S, "lost_targets(group:west) was 0, expected 0", "");
	run_expect(run, 2, VERDICT_PASS, 3 * S, "lost_targets was 1, limit 2", "");
	run_free(run);
}

/* ---- a master alone ---- */

Test(expect, a_master_alone_knows_names)
{
	struct run *run = run_new(RUN_MASTER
				  "expect = ("
				  "{ that = \"registered == 2 and targets == 3\"; },"
				  "{ that = \"lost(board_[1-2]) == 0\"; },"
				  "{ that = \"lost == 0\"; targets = \"board_3\"; },"
				  "{ that = \"latency(ping, board_*, max) <= 5ms\"; },"
				  "{ that = \"m_ok within 1s after m_registered\"; } );");

	for (uint32_t i = 1; i <= 3; i++) {
		char name[16];
		snprintf(name, sizeof(name), "board_%u", i);
		run_master(run, EVENT_M_REGISTERED, 0, i, name, 0);
	}
	run_master(run, EVENT_M_FORGOTTEN, 0, 2, "board_2", 0);
	run_to(run, S);
	run_master(run, EVENT_M_LOST, RANGE_PING, 2, "board_2", 0);
	run_master(run, EVENT_M_OK, RANGE_PING, 1, "board_1", 5 * MS + 1);
	run_master(run, EVENT_M_OK, RANGE_PING, 3, "board_3", 5 * MS);
	run_finish(run, S);
	run_expect(run, 0, VERDICT_PASS, S,
		   "registered was 2, expected 2; targets was 3, expected 3", "");
	run_expect(run, 1, VERDICT_FAIL, S, "lost(board_[1-2]) was 1, expected 0", "board_2 (1)");
	run_expect(run, 2, VERDICT_PASS, S, "lost was 0, expected 0", "");
	run_expect(run, 3, VERDICT_FAIL, S, "latency(ping, board_*, max) was 5.000001ms, limit 5ms",
		   "board_1 (1)");
	run_expect(run, 4, VERDICT_PASS, S,
		   "3 `m_registered`; the slowest `m_ok` came after 1s; of 1 target it was not due "
		   "yet at the end",
		   "");
	run_free(run);
}

/* ---- life ---- */

Test(expect, nothing_expected)
{
	struct run *run = run_new(RUN_FLEET);

	cr_expect(expect_count(run->expect) == 0 && run->events.mask == 0);
	run_tell(run, EVENT_HIT, "west_1");
	run_finish(run, S);
	cr_expect(expect_failed(run->expect) == 0);
	run_free(run);
}

static void hear(struct event_sink *sink, const struct event *event)
{
	(void)sink;
	(void)event;
}

Test(expect, leaves_the_bus_to_others)
{
	struct run *run = run_start("{ that = \"hits == 0\"; until = \"9s\"; }");
	struct event_sink other = { .event = hear, .mask = EVENT_BIT(EVENT_MISS) };

	events_add(&run->events, &other);
	cr_expect(run->events.mask == (EVENT_BIT(EVENT_HIT) | EVENT_BIT(EVENT_MISS)));
	expect_free(run->expect);
	cr_expect(run->events.sinks == &other && run->events.mask == EVENT_BIT(EVENT_MISS));
	run->expect = NULL;
	run->events = (struct events){ .mask = 0 };
	run_tell(run, EVENT_HIT, "west_1");
	run_free(run);
}

Test(expect, events_before_the_start_and_after_the_end)
{
	struct run_config config;
	struct settings *settings =
		run_load(RUN_FLEET EXPECT("that = \"hits == 1 and state(up) == 1\";"), &config);
	struct run run = { .config = config, .settings = settings };
	struct fleet *fleet;

	loop_init_simulated(&run.loop, 0);
	run.net = (struct net){ .ops = &run_ops, .loop = &run.loop };
	cr_assert(fleet_new(&run.loop, &run.net, &run.events, &config.fleet, 1, &fleet) == 0);
	run.fleet = fleet;
	cr_assert(expect_new(&run.loop, &run.events, &config.expect, fleet, NULL, &run.expect) ==
		  0);
	run_tell(&run, EVENT_HIT, "west_1");
	run_expect(&run, 0, VERDICT_ERROR, 0, "not judged yet", "");
	run_become(&run, EVENT_STANDING, TARGET_UP, "west_2");
	run.loop.now_ns = RUN_START;
	expect_start(run.expect);
	run_tell(&run, EVENT_HIT, "west_1");
	run_finish(&run, S);
	run_tell(&run, EVENT_HIT, "west_1");
	run_expect(&run, 0, VERDICT_PASS, S, "hits was 1, expected 1; state(up) was 1, expected 1",
		   "");
	expect_free(run.expect);
	fleet_free(fleet);
	settings_free(settings);
}

Test(expect, what_is_seen_is_cut_between_characters)
{
	static const char *const metrics[] = { "lost(%s) == 0", "count(m_ok, %s) == 0" };
	static const size_t lens[] = { 195 + 3, 196 + 3 };
	char name[201], that[300], text[600];

	for (size_t i = 0; i < 200; i++)
		name[i] = i % 2 == 0 ? '\xc3' : '\xa9';
	name[200] = '\0';
	for (int i = 0; i < 2; i++) {
		snprintf(that, sizeof(that), metrics[i], name);
		snprintf(text, sizeof(text), "%sexpect = ( { that = \"%s\"; } );", RUN_MASTER,
			 that);
		struct run *run = run_new(text);
		run_finish(run, S);
		const struct verdict *verdict = expect_verdict(run->expect, 0);
		cr_expect(strlen(verdict->seen) == lens[i]);
		cr_expect_str_eq(verdict->seen + lens[i] - 5, "\xc3\xa9...");
		run_free(run);
	}
}

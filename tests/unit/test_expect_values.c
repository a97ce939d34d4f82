/* Verdicts about losses, latencies and events in order, with what they say. */
#include "tests/support/expect_run.h"

/* ---- loss ---- */

Test(expect_values, loss_is_exact_at_its_limit)
{
	struct run *run = run_start(
		"{ that = \"loss <= 0.1%\"; }, { that = \"loss < 0.1%\"; },"
		"{ that = \"loss(stand_up) == 0\"; },"
		"{ that = \"loss(ping, east_*) == 100%\"; },"
		"{ that = \"1000 * loss == 100% and 29% * ok < 0.29 * ok + 1\"; }");

	for (int i = 0; i < 999; i++)
		run_ping(run, EVENT_M_OK, "west_1", MS);
	run_ping(run, EVENT_M_FAILED, "east_3", MS);
	run_finish(run, S);
	run_expect(run, 0, VERDICT_PASS, S, "loss was 0.1%, limit 0.1%", "");
	run_expect(run, 1, VERDICT_FAIL, S, "loss was 0.1%, limit 0.1%", "east_3 (1)");
	run_expect(run, 2, VERDICT_ERROR, S, "loss(stand_up) is unknown: no command has ended", "");
	run_expect(run, 3, VERDICT_PASS, S, "loss(ping, east_*) was 100%, expected 100%", "");
	run_expect(run, 4, VERDICT_PASS, S,
		   "1000 * loss was 100%, expected 100%; 29% * ok was 289.71, 0.29 * ok + 1 was "
		   "290.71",
		   "");
	run_free(run);
}

/* 29 of 100 are 0.29 * 100 exactly, which two doubles multiplied are not. */
Test(expect_values, factors_are_exact)
{
	struct run *run = run_start("{ that = \"ok(west_1) <= 0.29 * ok(east_1)\"; },"
				    "{ that = \"ok(west_1) >= 29% * ok(east_1)\"; },"
				    "{ that = \"ok(west_2) >= 1.1 * ok(west_3)\"; }");

	for (int i = 0; i < 100; i++)
		run_ping(run, EVENT_M_OK, "east_1", MS);
	for (int i = 0; i < 29; i++)
		run_ping(run, EVENT_M_OK, "west_1", MS);
	for (int i = 0; i < 11; i++)
		run_ping(run, EVENT_M_OK, "west_2", MS);
	for (int i = 0; i < 10; i++)
		run_ping(run, EVENT_M_OK, "west_3", MS);
	run_finish(run, S);
	run_expect(run, 0, VERDICT_PASS, S, "ok(west_1) was 29, 0.29 * ok(east_1) was 29", "");
	run_expect(run, 1, VERDICT_PASS, S, "ok(west_1) was 29, 29% * ok(east_1) was 29", "");
	run_expect(run, 2, VERDICT_PASS, S, "ok(west_2) was 11, 1.1 * ok(west_3) was 11", "");
	run_free(run);
}

/* ---- latencies ---- */

Test(expect_values, latencies_at_the_end)
{
	struct run *run = run_start(
		"{ that = \"latency(ping, p99) < 50ms\"; }, { that = \"latency(ping, p50) < "
		"50ms\"; },"
		"{ that = \"latency(ping, min) >= 1ms and latency(any, max) <= 81300us\"; },"
		"{ that = \"latency(ping, mean) == 22260us\"; },"
		"{ that = \"latency(stand_up, p99) < 50ms\"; },"
		"{ that = \"latency(ping, group:east, max) <= 1.5 * latency(ping, group:west, max)"
		" - 1ms\"; }, { that = \"latency(ping, group:west, max) < 30ms\"; }");

	run_to(run, 1 * S);
	run_ping(run, EVENT_M_OK, "west_1", 1 * MS);
	run_ping(run, EVENT_M_OK, "west_2", 9 * MS);
	run_ping(run, EVENT_M_OK, "west_3", 10 * MS);
	run_ping(run, EVENT_M_OK, "west_3", 30 * MS);
	run_ping(run, EVENT_M_OK, "west_2", 2 * MS);
	run_ping(run, EVENT_M_OK, "west_4", 30 * MS);
	run_ping(run, EVENT_M_OK, "west_5", 30 * MS);
	run_ping(run, EVENT_M_OK, "east_1", 29 * MS);
	run_ping(run, EVENT_M_OK, "east_4", 81 * MS + 300000);
	run_ping(run, EVENT_M_OK, "west_1", 300000);
	run_finish(run, 2 * S);
	run_expect(run, 0, VERDICT_FAIL, 2 * S, "latency(ping, p99) was 81.3ms, limit 50ms",
		   "east_4 (1)");
	run_expect(run, 1, VERDICT_PASS, 2 * S, "latency(ping, p50) was 9.998ms, limit 50ms", "");
	run_expect(run, 2, VERDICT_FAIL, 2 * S, "latency(ping, min) was 300us, limit 1ms", "");
	run_expect(run, 3, VERDICT_PASS, 2 * S, "latency(ping, mean) was 22.26ms, expected 22260us",
		   "");
	run_expect(run, 4, VERDICT_ERROR, 2 * S, "latency(stand_up, p99) has no samples", "");
	run_expect(run, 5, VERDICT_FAIL, 2 * S,
		   "latency(ping, group:east, max) was 81.3ms, "
		   "1.5 * latency(ping, group:west, max) - 1ms was 44ms",
		   "east_4 (1)");
	/* What may not be reached, and is. */
	run_expect(run, 6, VERDICT_FAIL, 2 * S,
		   "latency(ping, group:west, max) was 30ms, limit 30ms",
		   "west_3 west_4 west_5 (3)");
	run_free(run);
}

Test(expect_values, the_slowest_are_named_slowest_first)
{
	struct run *run = run_start("{ that = \"latency(ping, max) < 1ns\"; }");
	static const int order[] = { 5, 1, 9, 3, 12, 7, 2, 8, 13, 4, 11, 6, 10, 14 };
	char name[16];

	for (size_t i = 0; i < 14; i++) {
		snprintf(name, sizeof(name), order[i] > 10 ? "east_%d" : "west_%d",
			 order[i] > 10 ? order[i] - 10 : order[i]);
		run_ping(run, EVENT_M_OK, name, order[i] * MS);
		run_ping(run, EVENT_M_OK, name, order[i] * MS - 1); /* not its worst */
	}
	run_ping(run, EVENT_M_OK, "west_2", 20 * MS);
	run_ping(run, EVENT_M_OK, "west_6", 8500000); /* moves up by two places */
	run_finish(run, S);
	run_expect(run, 0, VERDICT_FAIL, S, "latency(ping, max) was 20ms, limit 1ns",
		   "west_2 east_4 east_3 east_2 east_1 west_10 west_9 west_6 west_8 west_7 (10)");
	run_free(run);
}

Test(expect_values, windows_are_half_open)
{
	struct run *run = run_start(
		"{ that = \"latency(ping, max, 20s..40s) < 1.5 * latency(ping, max, ..20s)\";"
		"}, { that = \"ok(20s..40s) == 2 and ok(..20s) == 1 and ok(40s..) == 1\"; },"
		"{ that = \"latency(ping, p50, 45s..) < 1s\"; },"
		"{ that = \"hits(60s..) == 0\"; }");

	/* A command stands where it was due: the answer comes later by its latency. */
	run_to(run, 20 * S - 1 + 1 * MS);
	run_ping(run, EVENT_M_OK, "west_1", 1 * MS);
	run_to(run, 20 * S + 2 * MS);
	run_ping(run, EVENT_M_OK, "west_1", 2 * MS);
	run_to(run, 40 * S - 1 + 3 * MS);
	run_ping(run, EVENT_M_OK, "west_1", 3 * MS);
	run_to(run, 40 * S + 9 * MS);
	run_ping(run, EVENT_M_OK, "west_1", 9 * MS);
	run_finish(run, 50 * S);
	run_expect(
		run, 0, VERDICT_FAIL, 50 * S,
		"latency(ping, max, 20s..40s) was 3ms, 1.5 * latency(ping, max, ..20s) was 1.5ms",
		"west_1 (1)");
	run_expect(run, 1, VERDICT_PASS, 50 * S,
		   "ok(20s..40s) was 2, expected 2; ok(..20s) was 1, expected 1; ok(40s..) was 1, "
		   "expected 1",
		   "");
	run_expect(run, 2, VERDICT_ERROR, 50 * S, "latency(ping, p50, 45s..) has no samples", "");
	run_expect(run, 3, VERDICT_ERROR, 50 * S,
		   "the run ended at 50s, before the window of hits(60s..) began", "");
	run_free(run);
}

/* Percentiles every 100 ms, whatever stands beside them at once. */
Test(expect_values, percentiles_are_looked_at_by_ticks)
{
	struct run *run = run_start(
		"{ that = \"latency(ping, p99) < 50ms\"; throughout = true; },"
		"{ that = \"latency(ping, p99) < 50ms and lost == 0\"; throughout = true; },"
		"{ that = \"latency(ping, p50) >= 60ms\"; within = \"5s\"; },"
		"{ that = \"latency(ping, max) < 50ms\"; throughout = true; },"
		"{ that = \"latency(stand_up, p99) < 50ms\"; throughout = true; },"
		"{ that = \"latency(stand_up, p99) < 50ms\"; within = \"3s\"; }");

	run_to(run, 110 * MS);
	run_ping(run, EVENT_M_LOST, "west_2", 0);
	run_expect(run, 1, VERDICT_FAIL, 110 * MS, "lost was 1, expected 0", "west_2 (1)");
	run_ping(run, EVENT_M_OK, "west_3", 60 * MS);
	run_expect(run, 3, VERDICT_FAIL, 110 * MS, "latency(ping, max) was 60ms, limit 50ms",
		   "west_3 (1)");
	run_to(run, 200 * MS);
	run_expect(run, 0, VERDICT_ERROR, 0, "", "");
	run_to(run, 200 * MS + 1);
	run_expect(run, 0, VERDICT_FAIL, 200 * MS, "latency(ping, p99) was 60ms, limit 50ms",
		   "west_3 (1)");
	run_expect(run, 2, VERDICT_PASS, 200 * MS, "latency(ping, p50) was 60ms, limit 60ms", "");
	/* With nothing new there is nothing to look at: no timer keeps the run alive but the 3 s.
	 */
	cr_expect(timers_next(&run->loop.timers) == RUN_START + 3 * S + 1);
	run_finish(run, 4 * S);
	run_expect(run, 4, VERDICT_ERROR, 4 * S, "latency(stand_up, p99) has no samples", "");
	run_expect(run, 5, VERDICT_ERROR, 3 * S, "latency(stand_up, p99) has no samples", "");
	run_free(run);
}

Test(expect_values, a_late_event_lets_overdue_moments_go_first)
{
	struct run *run = run_start("{ that = \"hits >= 1\"; within = \"2s\"; },"
				    "{ that = \"hits == 0\"; until = \"3s\"; },"
				    "{ that = \"latency(ping, p50) > 1s\"; within = \"9s\"; }");

	run->loop.now_ns = RUN_START + 1950 * MS; /* the loop did not come to its timers */
	run_ping(run, EVENT_M_OK, "west_1", 2 * S);
	run->loop.now_ns = RUN_START + 4 * S;
	run_tell(run, EVENT_HIT, "west_1");
	run_finish(run, 5 * S);
	run_expect(run, 0, VERDICT_FAIL, 2 * S, "hits was 0, limit 1",
		   "west_1 west_2 west_3 west_4 west_5 west_6 west_7 west_8 west_9 west_10 (14)");
	run_expect(run, 1, VERDICT_PASS, 3 * S, "hits was 0, expected 0", "");
	run_expect(run, 2, VERDICT_PASS, 2 * S, "latency(ping, p50) was 2s, limit 1s", "");
	run_free(run);
}

/* ---- events in order ---- */

Test(expect_values, order_within)
{
	struct run *run = run_start(
		"{ that = \"down within 900ms after hit\"; targets = \"group:west\"; },"
		"{ that = \"down within 901ms after hit\"; },"
		"{ that = \"down within 2s after hit\"; targets = \"east_*\"; },"
		"{ that = \"down within 1s after miss\"; }");

	run_to(run, 1 * S);
	run_tell(run, EVENT_DOWN, "west_1"); /* before any hit: no answer to one */
	run_tell(run, EVENT_HIT, "west_1");
	run_tell(run, EVENT_HIT, "west_2");
	run_tell(run, EVENT_HIT, "east_1");
	run_to(run, 1 * S + 900 * MS);
	run_tell(run, EVENT_DOWN, "west_1"); /* to the nanosecond */
	run_to(run, 1 * S + 900 * MS + 1);
	run_tell(run, EVENT_DOWN, "west_2");
	cr_expect(expect_failed(run->expect) == 1);
	run_tell(run, EVENT_HIT, "west_3");
	run_finish(run, 2 * S + 900 * MS);
	run_expect(run, 0, VERDICT_FAIL, 1 * S + 900 * MS,
		   "2 targets had no `down` within 900ms after `hit` (1 none at all); the "
		   "worst waited 1s",
		   "west_2 west_3 (2)");
	run_expect(run, 1, VERDICT_FAIL, 1 * S + 901 * MS,
		   "2 targets had no `down` within 901ms after `hit` (2 none at all); the "
		   "worst waited 1.9s",
		   "west_3 east_1 (2)");
	run_expect(run, 2, VERDICT_ERROR, 2 * S + 900 * MS,
		   "no `down` was due; of 1 target it was not due yet at the end", "");
	run_expect(run, 3, VERDICT_ERROR, 2 * S + 900 * MS, "no `miss` was seen", "");
	run_free(run);
}

Test(expect_values, order_of_several)
{
	struct run *run = run_start(
		"{ that = \"down within 900ms after hit\"; },"
		"{ that = \"hit within 800ms after hit\"; from = \"2s\"; until = \"3s\"; }");

	/* One `down` answers both hits; the older one has waited longest. */
	run_to(run, 1 * S);
	run_tell(run, EVENT_HIT, "west_1");
	run_to(run, 1 * S + 500 * MS);
	run_tell(run, EVENT_HIT, "west_1");
	run_to(run, 1 * S + 700 * MS);
	run_tell(run, EVENT_DOWN, "west_1");
	run_to(run, 2 * S);
	run_tell(run, EVENT_HIT, "west_1");
	run_to(run, 2 * S + 100 * MS);
	run_tell(run, EVENT_DOWN, "west_1");
	run_to(run, 2 * S + 800 * MS);
	run_tell(run, EVENT_HIT, "west_1");
	run_to(run, 2 * S + 850 * MS);
	run_tell(run, EVENT_DOWN, "west_1");
	run_to(run, 3 * S + 1);
	run_tell(run, EVENT_HIT, "west_9"); /* after the end of the second */
	run_finish(run, 3 * S + 500 * MS);
	run_expect(
		run, 0, VERDICT_PASS, 3 * S + 500 * MS,
		"5 `hit`; the slowest `down` came after 700ms; of 1 target it was not due yet at "
		"the end",
		"");
	run_expect(run, 1, VERDICT_PASS, 3 * S,
		   "2 `hit`; the slowest `hit` came after 800ms; of 1 target it was not due yet at "
		   "the end",
		   "");
	run_free(run);
}

Test(expect_values, order_without_a_time)
{
	struct run *run = run_start(
		"{ that = \"m_ok after m_sent\"; }, { that = \"standing after m_ok\"; },"
		"{ that = \"standing after m_ok\"; until = \"9s\"; },"
		"{ that = \"down within 1s after standing\"; until = \"9s\"; }");

	run_ping(run, EVENT_M_SENT, "west_1", 0);
	run_ping(run, EVENT_M_SENT, "west_2", 0);
	run_master(run, EVENT_M_SENT, RANGE_PING, 7, "real_board", 0);
	run_to(run, 1500 * MS);
	run_ping(run, EVENT_M_OK, "west_1", 0);
	run_tell(run, EVENT_STANDING, "west_1");
	run_finish(run, 4 * S);
	run_expect(run, 0, VERDICT_FAIL, 4 * S, "2 targets had no `m_ok` after `m_sent`",
		   "west_2 ? (2)");
	run_expect(run, 1, VERDICT_PASS, 4 * S, "1 `m_ok`; the slowest `standing` came after 0ns",
		   "");
	run_expect(run, 2, VERDICT_ERROR, 4 * S, "the run ended at 4s, before until = 9s", "");
	/* What came too late stays so, however early the run ends. */
	run_expect(run, 3, VERDICT_FAIL, 2500 * MS,
		   "1 target had no `down` within 1s after `standing` (1 none at all); the "
		   "worst waited 2.5s",
		   "west_1 (1)");
	run_free(run);
}

/*
 * A master that keeps one connection to each target: asked again, strayed into, closed, stale.
 */
#include "tests/support/master_bed.h"

Test(flow_kept, one_connection_is_kept, .fini = finish)
{
	start(QN_SNYPER_STRICT, true);
	for (int i = 0; i < 3; i++) {
		command(0, RANGE_PING);
		guest_send(&stranger.guests[0], PONG);
		range_pass(&range, 1000);
	}
	cr_expect_eq(stranger.n, 1u);
	cr_expect_eq(results[MASTER_OK], 3u);
	cr_expect_eq(stranger.guests[0].reads, 3u);
	cr_expect_not(stranger.guests[0].ended);
}

/* While one command is under way another one has a connection of its own. */
Test(flow_kept, a_second_command_meanwhile, .fini = finish)
{
	start(QN_SNYPER_STRICT, true);
	command(0, RANGE_PING);
	command(0, RANGE_STAND_UP);
	cr_expect_eq(stranger.n, 2u);
	guest_send(&stranger.guests[1],
		   "{\"type\": \"standing\", \"id\": \"1\", \"data\": {\"a\": 1}}\n");
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 0);
	cr_expect_eq(results[MASTER_OK], 2u);
	cr_expect_not(stranger.guests[0].ended);
	cr_expect(stranger.guests[1].ended, "that one is not kept");
	command(0, RANGE_PING);
	cr_expect_eq(stranger.n, 2u);
}

/* What nobody asked for is nobody's answer, whether it comes at rest or behind an answer. */
Test(flow_kept, stray_bytes_at_rest, .fini = finish)
{
	start(QN_SNYPER_STRICT, true);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 10);
	guest_send(&stranger.guests[0], PONG "{\"half\":");
	range_pass(&range, 10);
	command(0, RANGE_PING);
	range_pass(&range, 10);
	cr_expect_eq(results[MASTER_OK], 1u, "still under way");
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 0);
	cr_expect_eq(results[MASTER_OK], 2u);
}

static void behind_an_answer(const char *stray)
{
	char answer[256];

	start(QN_SNYPER_STRICT, true);
	command(0, RANGE_PING);
	snprintf(answer, sizeof(answer), "%s%s", PONG, stray);
	guest_send(&stranger.guests[0], answer);
	range_pass(&range, 10);
	cr_expect_eq(results[MASTER_OK], 1u);
	command(0, RANGE_STAND_UP);
	range_pass(&range, 10);
	guest_send(&stranger.guests[0],
		   "{\"type\": \"standing\", \"id\": \"1\", \"data\": {\"status\": \"x\"}}\n");
	range_pass(&range, 10);
	cr_expect_eq(results[MASTER_OK], 2u, "behind the first answer: %s", stray);
	results[MASTER_OK] = 0;
	finish();
}

Test(flow_kept, stray_bytes_behind_an_answer)
{
	behind_an_answer(PONG);
	behind_an_answer("{\"half\":");
	behind_an_answer(PONG PONG "{\"half\":");
}

Test(flow_kept, a_kept_connection_that_the_target_closes, .fini = finish)
{
	start(QN_SNYPER_PICO, true);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 10);
	guest_close(&stranger.guests[0]);
	range_pass(&range, 10);
	command(0, RANGE_PING);
	cr_assert_eq(stranger.n, 2u);
	guest_send(&stranger.guests[1], PONG);
	range_pass(&range, 10);
	cr_expect_eq(results[MASTER_OK], 2u);
	guest_reset(&stranger.guests[1]);
	range_pass(&range, 10);
	command(0, RANGE_PING);
	cr_expect_eq(stranger.n, 3u);
	cr_expect_eq(master_totals(range.master)->failed, 0u, "at rest nothing can fail");
}

Test(flow_kept, a_kept_connection_with_a_bad_answer_is_not_kept, .fini = finish)
{
	start(QN_SNYPER_PICO, true);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], "nope\n");
	range_pass(&range, 10);
	cr_expect(stranger.guests[0].ended);
	command(0, RANGE_PING);
	cr_expect_eq(stranger.n, 2u);
	guest_send(&stranger.guests[1], PONG);
	range_pass(&range, 10);
	cr_expect_eq(results[MASTER_OK], 1u);
}

/* A target that registers again has booted, or moved: what was open to it is stale. */
Test(flow_kept, registering_again_ends_a_kept_connection, .fini = finish)
{
	start(QN_SNYPER_PICO, true);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 10);
	register_from(RANGE_IP(0), "target_1");
	cr_expect(stranger.guests[0].ended);
	command(0, RANGE_PING);
	cr_expect_eq(stranger.n, 2u);
}

Test(flow_kept, a_move_ends_a_kept_connection, .fini = finish)
{
	static struct stranger elsewhere;

	start(QN_SNYPER_PICO, true);
	command(0, RANGE_PING);
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 10);
	register_from(RANGE_IP(1), "target_1");
	cr_expect(stranger.guests[0].ended);
	stranger_listen(&range, &elsewhere, (struct net_addr){ RANGE_IP(1), RANGE_PORT });
	command(0, RANGE_PING);
	cr_expect_eq(elsewhere.n, 1u);
}

/* Moved while a command is under way: that one ends where it began, and is not kept. */
Test(flow_kept, a_move_while_a_command_is_under_way, .fini = finish)
{
	start(QN_SNYPER_PICO, true);
	command(0, RANGE_PING);
	register_from(RANGE_IP(1), "target_1");
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 10);
	cr_expect_eq(results[MASTER_OK], 1u);
	cr_expect(stranger.guests[0].ended);
}

/*
 * A master's listening side: who registers, under which name, from where, and who is turned away.
 */
#include "tests/support/master_bed.h"

Test(flow_registrations, a_registration, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	cr_expect_str_eq(
		register_from(RANGE_IP(3), "west_1"),
		"{\"timestamp\": 1795274924, \"type\": \"registered\", \"data\": {\"status\": "
		"\"registered\"}, \"id\": \"msg_1\", \"target_id\": \"west_1\"}\n");
	cr_expect_eq(guest.reads, 1u);
	cr_expect_not(guest.ended, "the target closes");
	cr_expect_eq(master_known(range.master), 1u);
	cr_expect_eq(master_find(range.master, "west_1", 6), 0);
	cr_expect_eq(master_find(range.master, "west_2", 6), -1);
	cr_expect_eq(master_remote(range.master, 0)->ip, RANGE_IP(3));
	EXPECT_TRACE(&range, "0 west_1 m_registered: 127.1.0.4:40000\n");
}

/* The address is that of the connection, whoever registers and whenever. */
Test(flow_registrations, registering_again_overwrites_the_address, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	register_from(RANGE_IP(3), "target_1");
	register_from(RANGE_IP(4), "target_2");
	register_from(RANGE_IP(5), "target_1");
	cr_expect_eq(master_known(range.master), 2u);
	cr_expect_eq(master_count(range.master), 2u);
	cr_expect_eq(master_remote(range.master, 0)->ip, RANGE_IP(5));
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(5), RANGE_PORT });
	command(0, RANGE_PING);
	cr_assert_eq(stranger.n, 1u);
	cr_expect_eq(stranger.guests[0].conn->peer.ip, RANGE_MASTER_IP);
	guest_send(&stranger.guests[0], PONG);
	range_pass(&range, 0);
	cr_expect_eq(results[MASTER_OK], 1u);
}

/* client_id names it; target_id is not looked at. Its escapes are undone. */
Test(flow_registrations, names, .fini = finish)
{
	range_init(&range, QN_SNYPER_STRICT);
	range_master(&range);
	guest_connect(&range, &guest, RANGE_IP(0), range.options.listen.at);
	range_pass(&range, 0);
	say("{\"type\": \"REGISTER\", \"id\": 5, \"target_id\": \"other\", \"data\": "
	    "{\"client_id\": "
	    "\"Z\\u00fc\\\"rich\"}}\n");
	cr_expect_str_eq(guest_take(&guest),
			 "{\"type\": \"registered\", \"id\": 5, \"timestamp\": 1795274924.522913, "
			 "\"target_id\": \"Z\xc3\xbc\\\"rich\", \"data\": {\"status\": "
			 "\"registered\"}}\n");
	cr_expect_eq(master_find(range.master, "Z\xc3\xbc\"rich", 8), 0);
}

static void rejected(const char *line, const char *error)
{
	char expected[128];
	uint64_t before = master_totals(range.master)->registrations_rejected;

	guest_connect(&range, &guest, RANGE_IP(0), range.options.listen.at);
	range_pass(&range, 0);
	say(line);
	const char *got = guest_take(&guest);
	if (error != NULL) {
		snprintf(expected, sizeof(expected), "\"type\": \"error\"");
		cr_expect_not_null(strstr(got, expected), "%s", got);
		snprintf(expected, sizeof(expected), "\"data\": {\"error\": \"%s\"}", error);
		cr_expect_not_null(strstr(got, expected), "%s", got);
	} else {
		cr_expect_str_empty(got);
	}
	cr_expect_eq(master_totals(range.master)->registrations_rejected, before + 1);
	cr_expect_eq(master_known(range.master), 0u);
	if (guest.conn != NULL)
		guest_close(&guest);
	range_pass(&range, 0);
}

#define NAME_32 "abcdefghijklmnopqrstuvwxyz012345"
#define REGISTER(client)                                                                           \
	"{\"type\": \"register\", \"id\": \"1\", \"data\": {\"client_id\": " client "}}\n"

Test(flow_registrations, what_is_no_registration, .fini = finish)
{
	range_init(&range, QN_SNYPER_STRICT);
	range_master(&range);
	rejected("{\"type\": \"ping\", \"id\": \"1\"}\n", "Unsupported message type: ping");
	rejected(REGISTER("\"\""), "client_id must be a name");
	rejected(REGISTER("7"), "client_id must be a name");
	rejected("{\"type\": \"register\", \"id\": \"1\"}\n", "client_id must be a name");
	rejected(REGISTER("\"a\\u0000b\""), "client_id must be a name");
	rejected(REGISTER("\"" NAME_32 NAME_32 "\""), "client_id is longer than 63 bytes");
	rejected("{\"type\": \"fly\", \"id\": \"1\"}\n", "unknown message type");
	rejected("[]\n", "a message must be an object");
}

Test(flow_registrations, bad_lines_close_a_board, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	rejected("nope\n", NULL);
	cr_expect(guest.ended);
	rejected("{\"type\": \"ping\", \"id\": \"1\"}\n", "Unsupported message type: ping");
}

Test(flow_registrations, a_name_of_63_bytes, .fini = finish)
{
	static const char name[] = NAME_32 "abcdefghijklmnopqrstuvwxyz01234";

	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	cr_expect_not_null(strstr(register_from(RANGE_IP(0), name), "registered"));
	cr_expect_eq(master_find(range.master, name, 63), 0);
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	command(0, RANGE_ACTIVATE);
	cr_expect_not_null(strstr(guest_take(&stranger.guests[0]), name));
}

Test(flow_registrations, no_room_for_another, .fini = finish)
{
	char name[32];

	range_init(&range, QN_SNYPER_PICO);
	range.options.limits.targets = 2;
	range_master(&range);
	register_from(RANGE_IP(0), "target_1");
	register_from(RANGE_IP(1), "target_2");
	cr_expect_not_null(
		strstr(register_from(RANGE_IP(2), "target_3"), "no room for another target"));
	for (int i = 1; i <= 2; i++) {
		snprintf(name, sizeof(name), "target_%d", i);
		cr_expect_not_null(strstr(register_from(RANGE_IP(i + 4), name), "registered"));
	}
	cr_expect_eq(master_known(range.master), 2u);
}

/* Several over one connection, and a half-close that is still answered. */
Test(flow_registrations, registrations_of_a_relay, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	guest_connect(&range, &guest, RANGE_IP(0), range.options.listen.at);
	range_pass(&range, 0);
	guest_send(&guest, REGISTER("\"a\"") "\r\n" REGISTER("\"b\""));
	guest_shutdown(&guest);
	range_pass(&range, 0);
	cr_expect_eq(guest.reads, 2u);
	cr_expect_eq(master_known(range.master), 2u);
	cr_expect(guest.ended || guest.closed);
}

/* Somebody who says nothing does not keep a connection for ever; each line gives 30 s more. */
Test(flow_registrations, who_connects_and_says_nothing, .fini = finish)
{
	range_init(&range, QN_SNYPER_PICO);
	range_master(&range);
	guest_connect(&range, &guest, RANGE_IP(0), range.options.listen.at);
	range_until(&range, 20000);
	say("{\"type\": \"re");
	range_until(&range, 49999);
	cr_expect_not(guest.ended);
	range_until(&range, 50000);
	cr_expect(guest.ended);
}

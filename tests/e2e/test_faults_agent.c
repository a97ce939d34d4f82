/* Faults of the wire `agent`, as a manager of blocking sockets sees them: docs/FAULTS.md. */
#include "tests/support/agent_bed.h"

#include <poll.h>
#include <stdlib.h>

TestSuite(faults, .init = agent_begin, .fini = agent_end);

#define NOTHING ((struct qn_text){ NULL, 0 })

/* One noop with the fault; what comes is the test's. */
static void noop(const char *fault)
{
	char group[512];

	snprintf(group, sizeof(group), "faults = ( %s );", fault);
	agent_fleet(group, "");
	agent_welcome();
	agent_ask("noop.Noop", NOTHING, NOTHING);
}

Test(faults, tls_stall)
{
	agent_fleet("faults = ( { kind = \"tls_stall\"; } );", "");
	int fd = peer_accept(bed.listener, NULL);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	cr_expect_eq(poll(&pollfd, 1, 300), 0, "not a byte of a handshake");
	close(fd);
	emu_hears(bed.emu, "event=register_failed", 1);
	agent_stop_with(1);
}

Test(faults, bad_certificate)
{
	agent_fleet("faults = ( { kind = \"bad_certificate\"; } );", "");
	tls_peer_accept(&bed.peer, bed.listener, "manager.pem", "manager.key");
	cr_expect_null(bed.peer.ssl);
	cr_expect_str_eq(bed.peer.why, "certificate verify failed");
	tls_peer_close(&bed.peer);
	emu_hears(bed.emu, "unknown ca", 1);
	agent_stop_with(1);
}

Test(faults, bad_certificate_out_of_a_file)
{
	char group[256];

	snprintf(group, sizeof(group),
		 "faults = ( { kind = \"bad_certificate\"; text = \"%s\"; } );",
		 certs_file("expired.pem"));
	agent_fleet(group, "");
	tls_peer_accept(&bed.peer, bed.listener, "manager.pem", "manager.key");
	cr_expect_null(bed.peer.ssl);
	cr_expect_str_eq(bed.peer.why, "certificate verify failed");
	tls_peer_close(&bed.peer);
	emu_hears(bed.emu, "alert certificate expired", 1);
	agent_stop_with(1);
}

Test(faults, two_in_record)
{
	noop("{ kind = \"two_in_record\"; }");
	agent_expect(QN_AGENT_RESPONSE, NULL);
	agent_record();
	cr_expect_eq(bed.messages, 3, "begun, finished, and how it went");
	agent_stop();
}

Test(faults, no_pong)
{
	char unit[64];

	agent_fleet("faults = ( { kind = \"no_pong\"; } );", "");
	agent_welcome();
	agent_say(unit, qn_agent_write_ping(unit, sizeof(unit), QN_AGENT_PING,
					    (struct qn_agent_int){ 7, false }));
	agent_ask("noop.Noop", NOTHING, NOTHING);
	agent_begins(); /* it is there, and what it says is no Pong */
	agent_stop();
}

Test(faults, wrong_secret)
{
	agent_fleet("faults = ( { kind = \"wrong_secret\"; text = \"guess\"; } );", "");
	agent_accept();
	agent_expect(QN_AGENT_HELLO, "guess");
	char unit[64];
	agent_say(unit, qn_agent_write_bye(unit, sizeof(unit), TEXT("authentication failed")));
	agent_gone();
	emu_hears(bed.emu, "authentication failed", 1);
	/* And dials again. */
	agent_accept();
	agent_expect(QN_AGENT_HELLO, "guess");
	agent_stop_with(1);
}

Test(faults, wrong_version)
{
	agent_fleet("faults = ( { kind = \"wrong_version\"; text = \"1.2\"; } );", "");
	agent_accept();
	agent_expect(QN_AGENT_HELLO, "secret of target_1");
	cr_expect(text_is(bed.message.version, "1.2"));
	agent_stop_with(1);
}

/* What the length of the first message behind the Response says, and how long it is. */
static void length(const char *text, uint32_t *ret_says, size_t *ret_is)
{
	char fault[64];

	snprintf(fault, sizeof(fault), "{ kind = \"length_lie\"; text = \"%s\"; }", text);
	noop(fault);
	agent_expect(QN_AGENT_RESPONSE, NULL);
	ssize_t n = tls_peer_read(&bed.peer, bed.record, sizeof(bed.record), NULL);
	cr_assert_gt(n, 8);
	const unsigned char *head = (const unsigned char *)bed.record;
	*ret_says = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 |
		    head[3];
	/* {"t": 22, "type": "command_progress", ...} of a command named "command" */
	cr_assert(memcmp(bed.record + 4, "\x83\xa1t\x16", 4) == 0);
	struct qn_mp_reader reader;
	struct qn_text raw;
	qn_mp_reader_init(&reader, bed.record + 4, sizeof(bed.record) - 4);
	if ((size_t)n > 90)
		cr_assert_eq(qn_mp_skip(&reader, &raw, NULL), QN_OK);
	*ret_is = (size_t)n > 90 ? raw.len : 0;
	agent_stop();
}

Test(faults, length_lie)
{
	uint32_t says;
	size_t is;

	length("long", &says, &is);
	cr_expect_eq(says, is + 256);
}

Test(faults, length_lie_short)
{
	uint32_t says;
	size_t is;

	length("short", &says, &is);
	cr_expect(says > 80 && says < 200, "%u", says);
}

Test(faults, length_lie_negative)
{
	uint32_t says;
	size_t is;

	length("negative", &says, &is);
	cr_expect_eq(says, UINT32_MAX);
}

Test(faults, length_lie_huge)
{
	uint32_t says;
	size_t is;

	length("huge", &says, &is);
	cr_expect_eq(says, INT32_MAX);
}

Test(faults, unknown_t)
{
	noop("{ kind = \"unknown_t\"; count = 77; }");
	agent_expect(QN_AGENT_RESPONSE, NULL);
	ssize_t n = tls_peer_read(&bed.peer, bed.record, sizeof(bed.record), NULL);
	cr_assert_gt(n, 8);
	cr_expect(memcmp(bed.record + 4, "\x83\xa1t\x4d", 4) == 0);
	agent_stop();
}

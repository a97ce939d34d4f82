/*
 * quintain-emu with the wire jsonrpc: what a config may not say, and a fleet and a master that meet
 * over real sockets, with a token, over kept connections, and through a master that restarts.
 */
#include "proto/ws/handshake.h"
#include "tests/support/certs.h"
#include "tests/support/e2e.h"
#include "tests/support/peer.h"
#include "tests/support/require.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(emu_jsonrpc, .init = e2e_begin, .fini = e2e_end);

static void refuses(const char *group, const char *says)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "fleet = { groups = (\n  { count = 1; wire = \"jsonrpc\";\n    %s } ); };\n",
		 group);
	struct process *emu = EMU("check", e2e_file("wrong.cfg", config));
	emu_wait(emu);
	emu_expect_code(emu, 2);
	emu_expect_says(emu, says);
	e2e_forget(emu);
}

Test(emu_jsonrpc, what_a_config_may_not_say)
{
	refuses("jsonrpc = { dial = true; register = false; };",
		"wrong.cfg:3: fleet.groups[0].jsonrpc: dial = true and register = false");
	refuses("jsonrpc = { rate = -1; };", "wrong.cfg:3: fleet.groups[0].jsonrpc.rate");
	refuses("jsonrpc = { dail = true; };", "dial");
	refuses("jsonrpc = { message_max = 10; };", "fleet.groups[0].jsonrpc.message_max");
	refuses("faults = ( { kind = \"no_newline\"; } );", "makes no sense on the wire");
	refuses("wire = \"snyper\"; jsonrpc = { };", "wire");
}

static const char *fleet(const char *jsonrpc)
{
	char config[4096];

	snprintf(
		config, sizeof(config),
		"fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0;\n"
		"  retry = { first = \"20ms\"; max = \"100ms\"; };\n"
		"  groups = ( { label = \"range\"; count = 8; wire = \"jsonrpc\";\n"
		"    addresses = \"@A.1.1-@A.1.8\"; boot = \"1ms\"; rise = \"20ms\"; fall = \"20ms\";\n"
		"    jsonrpc = { %s }; } ); };\n",
		jsonrpc);
	return e2e_file("fleet.cfg", config);
}

static const char *master(const char *settings)
{
	char config[4096];

	snprintf(config, sizeof(config),
		 "master = { wire = \"jsonrpc\"; listen = { host = \"@A.0.1\"; port = @P; };\n"
		 "  %s wait = { targets = 8; timeout = \"30s\"; };\n"
		 "  rounds = ( { command = \"ping\"; times = 5; }, { command = \"stand_up\"; },\n"
		 "    { command = \"lay_down\"; after = \"100ms\"; },\n"
		 "    { command = \"activate\"; duration = 0.1; after = \"100ms\"; } ); };\n",
		 settings);
	return e2e_file("master.cfg", config);
}

static void meet(const char *targets, const char *settings)
{
	struct process *emu = EMU("run", fleet(targets), "--quiet");
	struct process *commander = EMU("run", master(settings), "--json");

	emu_wait(commander);
	emu_expect_code(commander, 0);
	cr_expect(strstr(emu_json(commander), "\"failed\":0") != NULL ||
			  strstr(emu_json(commander), "\"failed\": 0") != NULL,
		  "%s", emu_json(commander));
	emu_signal(emu, SIGTERM);
	emu_wait(emu);
}

Test(emu_jsonrpc, servers_that_register)
{
	meet("", "");
}

Test(emu_jsonrpc, over_kept_clients_with_a_token)
{
	meet("token = \"secret\";",
	     "connections = \"kept\"; jsonrpc = { token = \"secret\"; batch = 10; pool = 2; };");
}

Test(emu_jsonrpc, targets_that_dial)
{
	meet("dial = true;", "");
}

/* A server that is not ours: its library calls a connection without a close frame broken. */
Test(emu_jsonrpc, a_server_that_was_asked_is_told_goodbye)
{
	static const char body[] = "{\"jsonrpc\":\"2.0\",\"method\":\"target.register\",\"params\":"
				   "{\"client_id\":\"other\"},\"id\":1}";
	static const char answer[] = "{\"jsonrpc\":\"2.0\",\"result\":{},\"error\":null,\"id\":1}";
	char text[8192], accept[29] = { 0 }, unit[128];
	struct process *commander =
		EMU("run",
		    e2e_file("one.cfg", "master = { wire = \"jsonrpc\"; listen = { host = "
					"\"@A.0.1\"; port = @P; }; wait = { targets = 1; };\n"
					"  rounds = ( { command = \"ping\"; } ); };\n"),
		    "--json");

	emu_listens(commander, e2e_ip(0, 1), e2e_port('P'));
	int listener = peer_listen(e2e_ip(1, 1), e2e_port('P'));
	int fd = peer_connect(e2e_ip(1, 1), e2e_ip(0, 1), e2e_port('P'));
	snprintf(text, sizeof(text),
		 "POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", sizeof(body) - 1,
		 body);
	peer_say(fd, text);
	cr_assert(peer_recv(fd, text, sizeof(text)) > 0);
	int call = peer_accept(listener, NULL);
	ssize_t len = peer_recv(call, text, sizeof(text) - 1);
	cr_assert(len > 0);
	text[len] = '\0';
	char *key = strstr(text, "Sec-WebSocket-Key: ");
	cr_assert(key != NULL, "%s", text);
	qn_ws_accept_key((struct qn_text){ key + 19, 24 }, accept);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Accept: %s\r\n\r\n",
		 accept);
	peer_say(call, text);
	cr_assert(peer_recv(call, text, sizeof(text)) > 6);
	cr_expect_eq((unsigned char)text[0], 0x81);
	snprintf(unit, sizeof(unit), "\x81%c%s", (int)sizeof(answer) - 1, answer);
	peer_say(call, unit);
	len = peer_recv(call, text, sizeof(text));
	cr_assert_eq(len, 8, "a close frame with a code, not %zd bytes", len);
	cr_expect_eq((unsigned char)text[0], 0x88);
	cr_expect_eq((unsigned char)(text[6] ^ text[2]) << 8 | (unsigned char)(text[7] ^ text[3]),
		     1000);
	peer_expect_end(call);
	emu_expect_code(commander, 0);
	close(call);
	close(fd);
	close(listener);
}

Test(emu_jsonrpc, a_wrong_token_fails_every_command)
{
	struct process *emu = EMU("run", fleet("token = \"secret\";"), "--quiet");
	struct process *commander = EMU("run", master("jsonrpc = { token = \"another\"; };"),
					"--quiet", "--log", "/dev/stderr");

	emu_wait(commander);
	emu_expect_code(commander, 1);
	emu_expect_says(commander, "not authenticated");
	emu_signal(emu, SIGTERM);
	emu_wait(emu);
}

/* Their connection was their registration: they come back by themselves. */
Test(emu_jsonrpc, the_master_of_those_who_dial_restarts)
{
	struct process *emu = EMU("run", fleet("dial = true;"), "--quiet");

	for (int i = 0; i < 2; i++) {
		struct process *commander = EMU("run", master(""), "--json");
		emu_wait(commander);
		emu_expect_code(commander, 0);
		e2e_forget(commander);
	}
	emu_signal(emu, SIGTERM);
	emu_wait(emu);
}

static const char *tls_text(char *space, size_t cap, const char *more)
{
	snprintf(space, cap,
		 "%s secure = true; tls = { ca = \"%s\"; cert = \"%s\"; key = \"%s\"; "
		 "check_hostname = false; };",
		 more, certs_file("ca.pem"), certs_file("agent.pem"), certs_file("agent.key"));
	return space;
}

Test(emu_jsonrpc, over_tls)
{
	char targets[1024], commander[1200], tls[1024];

	certs_make();
	tls_text(tls, sizeof(tls), "");
	snprintf(commander, sizeof(commander), "connections = \"kept\"; jsonrpc = { %s };", tls);
	meet(tls_text(targets, sizeof(targets), ""), commander);
	snprintf(commander, sizeof(commander), "jsonrpc = { %s };", tls);
	meet(tls_text(targets, sizeof(targets), "dial = true;"), commander);
	certs_remove();
}

/* Rubbish at a target's port and at the master's: an answer where one is due, and no harm. */
Test(emu_jsonrpc, rubbish)
{
	static const char *const all[] = {
		"\r\n\r\n\r\n",
		"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
		"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{{{",
		"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
		"\x16\x03\x01\x02\xfc\x03\x03\r\n",
		"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	};
	struct process *emu = EMU("run", fleet("register = false;"), "--quiet");
	char answer[8192];

	emu_listens(emu, e2e_ip(1, 1), e2e_port('P'));
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		int fd = peer_connect(0, e2e_ip(1, 1), e2e_port('P'));
		peer_say(fd, all[i]);
		if (i > 0)
			cr_expect(peer_recv(fd, answer, sizeof(answer)) > 0, "%zu", i);
		close(fd);
	}
	int fd = peer_connect(0, e2e_ip(1, 1), e2e_port('P'));
	peer_say(fd, "GET /api/v1/range/dashboard HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect(peer_recv(fd, answer, sizeof(answer)) > 0 &&
		  strstr(answer, "\"target_id\":\"target_1\"") != NULL);
	close(fd);
	emu_signal(emu, SIGTERM);
	cr_expect_eq(emu_wait(emu), 0);
}

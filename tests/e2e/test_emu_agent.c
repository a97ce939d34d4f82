/* The wire `agent` between processes, over TLS: fleets, managers, and who does not belong. */
#include "tests/support/agent_bed.h"

#include <stdlib.h>

TestSuite(emu_agent, .init = agent_begin, .fini = agent_end);

#define NOTHING ((struct qn_text){ NULL, 0 })

/* agent: settings more; rounds: list elements. */
static void start_master(const char *agent, const char *master, const char *rounds)
{
	char config[2048];
	int n = snprintf(
		config, sizeof(config),
		"master = { wire = \"agent\"; listen = { host = \"@A.0.1\"; port = @P; };\n"
		"  agent = { agents = ( { id = \"target_*\"; secret = \"secret of %%s\"; },\n"
		"      { id = \"far\"; secret = \"x\"; addresses = [ \"10.0.0.0/8\" ]; } );\n"
		"    %s tls = { ca = \"%s\"; cert = \"%s\"; key = \"%s\"; }; };\n"
		"  %s rounds = ( %s ); };\n",
		agent, certs_file("ca.pem"), certs_file("manager.pem"), certs_file("manager.key"),
		master, rounds);

	cr_assert(n > 0 && (size_t)n < sizeof(config));
	e2e_file("manager.cfg", config);
	bed.emu = EMU("run", "@D/manager.cfg", "--json", "--log", "/dev/stderr");
	emu_listens(bed.emu, e2e_ip(0, 1), e2e_port('P'));
}

static struct process *start_fleet(unsigned count, const char *tls)
{
	char config[2048];
	int n = snprintf(
		config, sizeof(config),
		"fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0;\n"
		"  groups = ( { name = \"target_%%d\"; addresses = \"@A.1.1-@A.1.250\";\n"
		"    count = %u; wire = \"agent\"; rise = \"20ms\"; fall = \"20ms\";\n"
		"    agent = { secret = \"secret of %%s\"; retry_first = \"20ms\";\n"
		"      tls = { ca = \"%s\"; cert = \"%s\"; key = \"%s\"; %s }; }; } ); };\n",
		count, certs_file("ca.pem"), certs_file("agent.pem"), certs_file("agent.key"), tls);

	cr_assert(n > 0 && (size_t)n < sizeof(config));
	e2e_file("fleet.cfg", config);
	return EMU("run", "@D/fleet.cfg", "--log", "/dev/stderr");
}

Test(emu_agent, a_fleet_and_its_manager)
{
	start_master("", "wait = { targets = 100; timeout = \"1h\"; };",
		     "{ command = \"ping\"; times = 3; }, { command = \"stand_up\"; },"
		     "{ command = \"lay_down\"; }, { command = \"activate\"; duration = 0; },"
		     "{ command = \"ping\"; targets = \"target_7\"; }");
	struct process *fleet = start_fleet(100, "hostname = \"localhost\";");
	emu_expect_code(bed.emu, 0);
	const char *json = emu_json(bed.emu);
	cr_expect(strstr(json, "\"sent\": 601, \"ok\": 601, \"failed\": 0, \"lost\": 0") != NULL,
		  "%s", json);
	/* Every one of them was told Bye. */
	emu_hears(fleet, "event=disconnected", 100);
	cr_expect_null(strstr(fleet->err.text, "Software caused"), "a Bye is an end in good order");
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	emu_expect_says(fleet, "event=answer");
}

/* As they stand, but for the ports and the folder of the certificates. */
Test(emu_agent, the_shipped_configs)
{
	const char *source = getenv("QN_SOURCE_DIR");
	char path[2][256], set[2][4][256];
	static const char *const tls[] = { "master.agent.tls", "fleet.groups[0].agent.tls" };
	static const char *const own[] = { "manager", "agent" };

	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/configs/agent-%s.cfg",
			 source != NULL ? source : ".", i == 0 ? "manager" : "fleet");
		snprintf(set[i][0], 256, "%s.ca=%s", tls[i], certs_file("ca.pem"));
		snprintf(set[i][1], 256, "%s.cert=%s/%s.pem", tls[i], certs_file("."), own[i]);
		snprintf(set[i][2], 256, "%s.key=%s/%s.key", tls[i], certs_file("."), own[i]);
		snprintf(set[i][3], 256, "%s.port=%s", i == 0 ? "master.listen" : "fleet.master",
			 e2e_text("@P"));
	}
	bed.emu = EMU("run", path[0], "--json", "--set", set[0][0], "--set", set[0][1], "--set",
		      set[0][2], "--set", set[0][3]);
	emu_listens(bed.emu, 0x7f000001, e2e_port('P'));
	struct process *fleet = EMU("run", path[1], "--set", set[1][0], "--set", set[1][1], "--set",
				    set[1][2], "--set", set[1][3]);
	emu_expect_code(bed.emu, 0);
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	cr_expect(strstr(emu_json(bed.emu), "\"sent\": 350, \"ok\": 350") != NULL);
}

/* ---- certificates ---- */

Test(emu_agent, a_manager_of_another_name)
{
	start_master("", "then = \"stay\";", "");
	struct process *fleet = start_fleet(1, "hostname = \"elsewhere.example\";");
	emu_hears(fleet, "the peer's certificate: hostname mismatch", 1);
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 1);
	e2e_forget(fleet);
	fleet = start_fleet(1, "hostname = \"elsewhere.example\"; check_hostname = false;");
	emu_hears(fleet, "event=registered", 1);
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	emu_signal(bed.emu, SIGTERM);
	emu_expect_code(bed.emu, 0);
	emu_expect_says(bed.emu, "event=m_rejected text=\"");
}

Test(emu_agent, files_that_are_none)
{
	e2e_file("none.cfg", "fleet = { groups = ( { name = \"t_%d\"; wire = \"agent\"; "
			     "agent = { tls = { ca = \"@D/none.pem\"; }; }; } ); };");
	struct process *fleet = EMU("run", "@D/none.cfg");
	emu_expect_code(fleet, 3);
	emu_expect_says(fleet, e2e_text("cannot start: cannot read the CA's certificates from "
					"@D/none.pem: No such file or directory"));
	emu_expect_says(fleet, "./dev certs");
	e2e_file("nobody.cfg", "master = { wire = \"agent\"; };");
	struct process *master = EMU("check", "@D/nobody.cfg");
	emu_expect_code(master, 2);
	emu_expect_says(master, "nobody may come: expected agent = ");
}

Test(emu_agent, settings_that_are_wrong)
{
	static const struct {
		const char *entry, *error;
	} vectors[] = {
		{ "id = \"a\";", "expected either secret or secret_hash" },
		{ "id = \"a\"; secret = \"x\"; secret_hash = \"00\";", "expected 64 hexadecimal" },
		{ "secret = \"x\";", "id" },
		{ "id = \"a\"; secret = \"x\"; addresses = \"127.0.0.1/8\";", "is no address" },
		{ "id = \"a\"; secret = \"x\"; addresses = \"127.0.0.0/33\";", "is no address" },
		{ "id = \"a\"; secret = \"x\"; addresses = \"here\";", "is no address" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char config[512];
		snprintf(config, sizeof(config),
			 "master = { wire = \"agent\"; agent = { agents = ( { %s } ); }; };",
			 vectors[i].entry);
		e2e_file("wrong.cfg", config);
		struct process *check = EMU("check", "@D/wrong.cfg");
		emu_expect_code(check, 2);
		emu_expect_says(check, vectors[i].error);
		e2e_forget(check);
	}
}

/* ---- an independent client ---- */

/* One that is welcome ends with its input; one that is not, when the server says so. */
static void s_client(const char *more, bool welcome)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "timeout 20 openssl s_client -connect %s -CAfile %s %s %s </dev/null >%s 2>&1",
		 e2e_text("@A.0.1:@P"), certs_file("ca.pem"), welcome ? "" : "-ign_eof", more,
		 certs_file("client.log"));
	cr_assert_neq(system(command), -1);
}

static bool client_says(const char *text)
{
	char command[512];

	snprintf(command, sizeof(command), "grep -qF -- '%s' %s", text, certs_file("client.log"));
	return system(command) == 0;
}

Test(emu_agent, openssl_s_client)
{
	char more[512];

	start_master("", "then = \"stay\";", "");
	snprintf(more, sizeof(more),
		 "-cert %s -key %s -verify_return_error -verify_hostname manager",
		 certs_file("agent.pem"), certs_file("agent.key"));
	s_client(more, true);
	cr_expect(client_says("Verify return code: 0 (ok)"));
	cr_expect(client_says("TLSv1.3"));
	cr_expect(!client_says("alert"), "it was let in");
	cr_expect(!client_says("Post-Handshake New Session Ticket"), "tickets cost memory");
	snprintf(more, sizeof(more), "-tls1_2 -cert %s -key %s", certs_file("agent.pem"),
		 certs_file("agent.key"));
	s_client(more, true);
	cr_expect(client_says("TLSv1.2") && !client_says("alert"));
	s_client("", false);
	cr_expect(client_says("alert certificate required"));
	snprintf(more, sizeof(more), "-tls1_1 -cipher DEFAULT@SECLEVEL=0 -cert %s -key %s",
		 certs_file("agent.pem"), certs_file("agent.key"));
	s_client(more, false);
	cr_expect(client_says("Cipher is (NONE)"));
	snprintf(more, sizeof(more), "-cert %s -key %s", certs_file("expired.pem"),
		 certs_file("expired.pem"));
	s_client(more, false);
	cr_expect(client_says("alert certificate expired"));
	emu_signal(bed.emu, SIGTERM);
	emu_expect_code(bed.emu, 0);
	emu_expect_says(bed.emu, "peer did not return a certificate");
	emu_expect_says(bed.emu, "the peer's certificate: certificate has expired");
}

/* ---- agents that do not belong ---- */

static void dial_as(const char *id, const char *secret)
{
	char unit[512];

	tls_peer_connect(&bed.peer, e2e_ip(1, 1), e2e_ip(0, 1), e2e_port('P'), "agent.pem",
			 "agent.key");
	cr_assert_not_null(bed.peer.ssl, "%s", bed.peer.why);
	agent_say(unit,
		  qn_agent_write_hello(unit, sizeof(unit), (struct qn_text){ id, strlen(id) },
				       TEXT("9.9.9"), (struct qn_text){ secret, strlen(secret) }));
}

static void refused(const char *id, const char *secret, const char *why)
{
	dial_as(id, secret);
	agent_expect(QN_AGENT_BYE, "authentication failed");
	agent_gone();
	emu_hears(bed.emu, why, 1);
}

Test(emu_agent, agents_that_do_not_belong)
{
	start_master("", "then = \"stay\";", "");
	refused("somebody", "x", "an agent that nobody knows");
	refused("target_1", "secret of target_2", "an agent with another secret");
	refused("target_1", "", "an agent with another secret");
	refused("far", "x", "an agent from another address");
	/* And one that does. */
	dial_as("target_1", "secret of target_1");
	agent_expect(QN_AGENT_MANAGER_HELLO, NULL);
	cr_expect(text_is(bed.message.version, "0.3.4"));
	emu_signal(bed.emu, SIGTERM);
	agent_expect(QN_AGENT_BYE, "server shutting down");
	bool clean = false;
	cr_expect_eq(tls_peer_read(&bed.peer, bed.record, sizeof(bed.record), &clean), 0);
	cr_expect(clean, "close_notify");
	tls_peer_close(&bed.peer);
	emu_expect_code(bed.emu, 0);
}

static void speaks_out_of_turn(const char *unit, size_t len, const char *why)
{
	tls_peer_connect(&bed.peer, e2e_ip(1, 1), e2e_ip(0, 1), e2e_port('P'), "agent.pem",
			 "agent.key");
	cr_assert_not_null(bed.peer.ssl, "%s", bed.peer.why);
	tls_peer_send(&bed.peer, unit, len);
	agent_gone(); /* and no Bye */
	emu_hears(bed.emu, why, 1);
}

Test(emu_agent, first_messages_that_are_no_hello)
{
	start_master("", "then = \"stay\";", "");
	speaks_out_of_turn("\0\0\0\x0a\x82\xa1t\x0c\xa4"
			   "data\x07",
			   14, "the first message is no hello");
	speaks_out_of_turn("\xff\xff\xff\xff", 4, "a message longer than the limit");
	speaks_out_of_turn("\x80\0\0\0", 4, "a message longer than the limit");
	speaks_out_of_turn("\0\x10\0\x01", 4, "a message longer than the limit");
	speaks_out_of_turn("\0\0\0\0", 4, "the value is missing");
	speaks_out_of_turn("\0\0\0\x05\x81\xa1t\x63\xc0", 9, "something behind the value");
	speaks_out_of_turn("\0\0\0\x04\x81\xa1t\x63", 8, "a t that nobody defined");
	speaks_out_of_turn("GET / HTTP/1.1\r\n\r\n", 18, "a message longer than the limit");
	emu_signal(bed.emu, SIGTERM);
	emu_expect_code(bed.emu, 0);
}

Test(emu_agent, a_second_of_the_same_name)
{
	start_master("", "then = \"stay\";", "");
	dial_as("target_1", "secret of target_1");
	agent_expect(QN_AGENT_MANAGER_HELLO, NULL);
	struct tls_peer first = bed.peer;
	dial_as("target_1", "secret of target_1");
	agent_expect(QN_AGENT_MANAGER_HELLO, NULL);
	struct tls_peer second = bed.peer;
	bed.peer = first;
	agent_expect(QN_AGENT_BYE, "server shutting down");
	agent_gone();
	bed.peer = second;
	cr_expect(tls_peer_quiet(&bed.peer, 100));
	tls_peer_close(&bed.peer);
	emu_hears(bed.emu, "event=m_forgotten", 1);
	emu_signal(bed.emu, SIGTERM);
	emu_expect_code(bed.emu, 0);
}

/* ---- pings ---- */

Test(emu_agent, the_manager_pings_and_waits)
{
	start_master("ping_interval = \"50ms\"; ping_timeout = \"1500ms\";", "then = \"stay\";",
		     "");
	dial_as("target_1", "secret of target_1");
	agent_expect(QN_AGENT_MANAGER_HELLO, NULL);
	for (int i = 0; i < 3; i++) {
		char unit[32];
		agent_expect(QN_AGENT_PING, NULL);
		cr_expect_leq(bed.message.ping.bits, 1000000);
		agent_say(unit,
			  qn_agent_write_ping(unit, sizeof(unit), QN_AGENT_PONG, bed.message.ping));
	}
	agent_expect(QN_AGENT_PING, NULL);
	agent_gone(); /* no Pong: no Bye either */
	emu_hears(bed.emu, "event=m_forgotten", 1);
	emu_signal(bed.emu, SIGTERM);
	emu_expect_code(bed.emu, 0);
}

Test(emu_agent, an_agent_pings_and_waits)
{
	agent_fleet("", "ping_interval = \"50ms\"; ping_timeout = \"1500ms\";");
	agent_welcome();
	agent_expect(QN_AGENT_PING, NULL);
	agent_gone();
	emu_hears(bed.emu, "no pong in time", 1);
	agent_welcome(); /* at once again */
	agent_expect(QN_AGENT_PING, NULL);
	/* One that lies ends it too. */
	char unit[32];
	agent_say(unit, qn_agent_write_ping(unit, sizeof(unit), QN_AGENT_PONG,
					    (struct qn_agent_int){ 1000001, false }));
	agent_gone();
	emu_hears(bed.emu, "a pong that does not echo the ping", 1);
	agent_stop();
}

/* ---- the agent's own reactions ---- */

Test(emu_agent, commands_one_record_each)
{
	agent_fleet("", "");
	agent_welcome();
	agent_ask("echo.Echo", (struct qn_text){ "\x91\xa5hello", 7 }, NOTHING);
	agent_begins();
	agent_finishes("Operation echo.Echo(\"hello\") succeeded:\nhello");
	agent_ask("target.StandUp", NOTHING, NOTHING);
	agent_begins();
	agent_finishes("Operation target.StandUp succeeded (changed):\nTarget is standing");
	agent_ask("target.Activate", NOTHING,
		  (struct qn_text){ "\x81\xa8"
				    "duration\x00",
				    11 });
	agent_begins();
	agent_finishes("Operation target.Activate succeeded (changed):\nTarget is active");
	agent_ask("target.Ping", NOTHING, (struct qn_text){ "\x81\xa2if\xc2", 5 });
	agent_begins();
	agent_finishes("Operation target.Ping succeeded:\nCondition not met");
	agent_ask("target.LayDown", NOTHING, (struct qn_text){ "\x81\xa2if\xc2", 5 });
	agent_begins();
	agent_finishes("Operation target.LayDown succeeded:\nCondition not met");
	agent_stop();
}

/* Up to the limit it is read; what would come back is too long. */
Test(emu_agent, a_message_of_a_megabyte)
{
	static char unit[QN_AGENT_PAYLOAD_MAX + 64];
	static char args[QN_AGENT_PAYLOAD_MAX];
	struct qn_mp_writer writer;

	agent_fleet("", "");
	agent_welcome();
	qn_mp_writer_init(&writer, args, sizeof(args));
	qn_mp_write_array(&writer, 1);
	qn_mp_write_str_head(&writer, QN_AGENT_PAYLOAD_MAX - 300);
	memset(writer.at, 'x', QN_AGENT_PAYLOAD_MAX - 300);
	writer.at += QN_AGENT_PAYLOAD_MAX - 300;
	size_t len = qn_agent_write_command(
		unit, sizeof(unit), TEXT("request"), TEXT("command"), TEXT("echo.Echo"),
		(struct qn_text){ args, qn_mp_written(&writer) }, NOTHING);
	agent_say(unit, len);
	agent_begins();
	agent_result(false, "Operation echo.Echo failed:\nFailed to execute command 'echo.Echo':\n"
			    "MemoryError: the echo would be too long");
	/* What comes back of this one is just below the limit. */
	static const char head[] = "Operation echo.Echo(\"";
	size_t half = QN_AGENT_PAYLOAD_MAX / 2 - 100, got = 0;
	qn_mp_writer_init(&writer, args, sizeof(args));
	qn_mp_write_array(&writer, 1);
	qn_mp_write_str_head(&writer, (uint32_t)half);
	memset(writer.at, 'y', half);
	writer.at += half;
	agent_say(unit, qn_agent_write_command(unit, sizeof(unit), TEXT("request"), TEXT("command"),
					       TEXT("echo.Echo"),
					       (struct qn_text){ args, qn_mp_written(&writer) },
					       NOTHING));
	agent_begins();
	agent_expect(QN_AGENT_NOTIFICATION, "command_progress");
	while (got < 4 + 2 * half) {
		ssize_t n = tls_peer_read(&bed.peer, unit + got, sizeof(unit) - got, NULL);
		cr_assert_gt(n, 0);
		got += (size_t)n;
	}
	struct qn_text payload;
	struct qn_agent_result result;
	cr_assert_eq(qn_agent_frame(unit, got, QN_AGENT_PAYLOAD_MAX, &payload, &len, NULL), QN_OK);
	cr_assert_eq(len, got);
	cr_assert_eq(qn_agent_read(payload, &bed.message, NULL), QN_OK);
	cr_assert_eq(qn_agent_read_result(&bed.message, &result), QN_OK);
	cr_expect_eq(result.output.len, strlen(head) + strlen("\") succeeded:\n") + 2 * half);
	cr_expect(result.success && memcmp(result.output.at, head, strlen(head)) == 0);
	/* One byte beyond the limit. */
	agent_say("\0\x10\0\x01", 4);
	agent_gone();
	agent_stop();
}

Test(emu_agent, hellos_that_are_none)
{
	char unit[64];

	agent_fleet("", "hello_timeout = \"1500ms\";");
	agent_accept();
	agent_expect(QN_AGENT_HELLO, "secret of target_1");
	agent_gone(); /* it has waited long enough */
	emu_hears(bed.emu, "no answer in time", 1);
	agent_accept();
	agent_expect(QN_AGENT_HELLO, "secret of target_1");
	agent_say(unit, qn_agent_write_manager_hello(unit, sizeof(unit), TEXT("1.0.0")));
	agent_gone();
	emu_hears(bed.emu, "another major version", 1);
	agent_accept();
	agent_expect(QN_AGENT_HELLO, "secret of target_1");
	agent_say(unit, qn_agent_write_ping(unit, sizeof(unit), QN_AGENT_PING,
					    (struct qn_agent_int){ 1, false }));
	agent_gone();
	emu_hears(bed.emu, "the first message is no hello", 1);
	/* Hello and command in one record: both are heard. */
	agent_accept();
	agent_expect(QN_AGENT_HELLO, "secret of target_1");
	char both[512];
	size_t len = qn_agent_write_manager_hello(both, sizeof(both), TEXT("0.9.9"));
	len += qn_agent_write_command(both + len, sizeof(both) - len, TEXT("request"),
				      TEXT("command"), TEXT("noop.Noop"), NOTHING, NOTHING);
	agent_say(both, len);
	agent_begins();
	agent_finishes("Operation no-op succeeded:\n");
	agent_stop();
}

/*
 * The wire `framed` against the other side in Python, written from the protocol's description
 * (framed_peer.py). Without Python this is a skip, and counted as one.
 */
#include "tests/support/framed_bed.h"
#include "tests/support/json_path.h"

#include <stdlib.h>

TestSuite(emu_framed_python, .init = e2e_begin, .fini = e2e_end, .timeout = 100);

static struct process python;

static void start_python(const char *side, const char *count, const char *token, const char *zlib)
{
	const char *path = "/usr/bin/python3", *source = getenv("QN_SOURCE_DIR");
	char script[512], ip[24], port[8];

	if (system("/usr/bin/python3 -c 'import asyncio' 2>/dev/null") != 0) {
		printf("no python3 here\n");
		fflush(stdout);
		e2e_end();
		cr_skip("no python3 here");
	}
	snprintf(script, sizeof(script), "%s/tests/e2e/framed_peer.py",
		 source != NULL ? source : ".");
	snprintf(ip, sizeof(ip), "%s", e2e_text("@A.0.1"));
	snprintf(port, sizeof(port), "%s", e2e_text("@P"));
	const char *const argv[] = { path, script, side, ip, port, count, token, zlib, NULL };
	process_start(&python, argv, NULL);
}

static const char *python_says(void)
{
	struct process *const all[] = { &python };

	while (!process_ended(&python)) {
		cr_assert(process_pump(all, 1, PATIENCE_MS), "%s\n%s", python.out.text,
			  python.err.text);
		e2e_pump();
	}
	cr_assert_eq(python.code, 0, "%s\n%s", python.out.text, python.err.text);
	return python.out.text;
}

Test(emu_framed_python, two_hundred_clients_at_once)
{
	start_server("");
	start_python("clients", "200", NULL, NULL);
	const char *said = python_says();
	EXPECT_JSON(said, "clients", 200);
	EXPECT_JSON(said, "answers", 1000);
	EXPECT_JSON(said, "broadcasts", 199);
	EXPECT_JSON(said, "packed", 0);
	stop_server();
}

Test(emu_framed_python, fifty_with_a_token_and_packed_messages)
{
	start_server("framed = { auth = \"a \\xc3\\xa4\"; compression = \"zlib\"; };");
	start_python("clients", "50", "a \xc3\xa4", "zlib");
	const char *said = python_says();
	EXPECT_JSON(said, "clients", 50);
	EXPECT_JSON(said, "answers", 250);
	EXPECT_JSON(said, "packed", 50); /* the echo alone is long enough */
	stop_server();
}

static struct process *start_targets(const char *framed)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "fleet = { master = { host = \"@A.0.1\"; port = @P; }; retry = { first = "
		 "\"10ms\"; };\n groups = ( { wire = \"framed\"; count = 20; addresses = "
		 "\"@A.1.1-@A.1.20\"; rise = \"1ms\"; framed = { %s }; } ); };\n",
		 framed);
	e2e_file("fleet.cfg", config);
	return EMU("run", "@D/fleet.cfg", "--json", "--log", "/dev/stderr");
}

Test(emu_framed_python, our_targets_and_their_server)
{
	start_python("server", "20", NULL, NULL);
	struct process *targets = start_targets("");
	const char *said = python_says();
	EXPECT_JSON(said, "target_register", 20);
	EXPECT_JSON(said, "target_report", 20);
	emu_signal(targets, SIGTERM);
	emu_wait(targets);
	EXPECT_JSON(emu_json(targets), "fleet.commands.stand_up", 20);
}

Test(emu_framed_python, our_talk_with_a_token_packed)
{
	start_python("server", "20", "secret", "zlib");
	struct process *targets = start_targets(
		"auth = \"secret\"; compression = \"zlib\"; talk = { every = \"1ms\"; batch = 5; "
		"bytes = 2000; connections = 2; };");
	const char *said = python_says();
	EXPECT_JSON(said, "target_report", 20);
	EXPECT_JSON(said, "let in", 60);
	cr_expect(strstr(said, "\"packed\": 0") == NULL);
	emu_hears(targets, "event=disconnected ", 1);
	emu_signal(targets, SIGTERM);
	emu_wait(targets);
	const char *json = emu_json(targets);
	EXPECT_JSON(json, "fleet.talk.wrong", 0);
	cr_expect(strstr(json, "\"disconnects\": 0") == NULL, "%s", json);
}

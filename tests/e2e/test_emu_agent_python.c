/*
 * The wire `agent` against the other side in Python, with the original's library and its habits
 * (redpepper_peer.py). Without Python and its msgpack this is a skip, and counted as one.
 */
#include "tests/support/agent_bed.h"

#include <stdlib.h>

TestSuite(emu_agent_python, .init = agent_begin, .fini = agent_end, .timeout = 100);

static struct process python;

/* The first that has it: an environment's own Python may lack Debian's packages. */
static const char *python_path(void)
{
	static const char *const paths[] = { "/usr/bin/python3", "/usr/local/bin/python3" };
	char command[128];

	for (int i = 0; i < 2; i++) {
		snprintf(command, sizeof(command), "%s -c 'import msgpack, ssl' 2>/dev/null",
			 paths[i]);
		if (system(command) == 0)
			return paths[i];
	}
	printf("no python3-msgpack here\n");
	fflush(stdout);
	agent_end();
	cr_skip("no python3-msgpack here");
	return NULL;
}

static void start_python(const char *side, const char *count)
{
	const char *path = python_path(), *source = getenv("QN_SOURCE_DIR");
	char script[512], ip[24], port[8];

	snprintf(script, sizeof(script), "%s/tests/e2e/redpepper_peer.py",
		 source != NULL ? source : ".");
	snprintf(ip, sizeof(ip), "%s", e2e_text("@A.0.1"));
	snprintf(port, sizeof(port), "%s", e2e_text("@P"));
	char *folder = strdup(certs_file(""));
	const char *const argv[] = { path, script, side, folder, ip, port, count, NULL };
	process_start(&python, argv, NULL);
	free(folder);
}

static void wait_for_python(void)
{
	struct process *const all[] = { &python };

	while (!process_ended(&python)) {
		cr_assert(process_pump(all, 1, PATIENCE_MS), "%s\n%s", python.out.text,
			  python.err.text);
		e2e_pump();
	}
	cr_expect_eq(python.code, 0, "%s", python.err.text);
}

static void says(const char *text, size_t times)
{
	size_t n = 0;

	for (const char *at = python.out.text; (at = strstr(at, text)) != NULL; at++)
		n++;
	cr_expect_eq(n, times, "%zu times instead of %zu: %s\n%s\n%s", n, times, text,
		     python.out.text, python.err.text);
}

Test(emu_agent_python, our_agents_and_its_manager)
{
	start_python("manager", "3");
	agent_fleet_alone("name = \"target_%d\"; count = 3;", "");
	wait_for_python();
	says("\"error\"", 0);
	says("\"credentials\": \"secret of target_", 3);
	says("[true, false, \"Operation no-op succeeded:\\n\"]", 3);
	says("Operation echo.Echo(\\\"hello\\\" reverse) succeeded:\\nolleh", 3);
	says("...", 3 * (2 + 11)); /* the long echo comes back whole */
	says("[true, true, \"Operation target.StandUp succeeded (changed):\\nTarget is standing\"]",
	     3);
	says("[true, false, \"Operation target.StandUp succeeded:\\nTarget is standing\"]", 3);
	says("[1, 1, \"Finished target.Activate\"]", 3);
	says("[1, 1, \"Finished nowhere.Nothing\"]", 0);
	says("ImportError: Failed to load operation module nowhere", 3);
	says("\"response\": [false, \"Method nothing not found\"]", 3);
	says("{\"end\": \"all served\"}", 1);
	process_free(&python);
	/* The Bye was a clean end: they dial again at once, and find nobody. */
	emu_hears(bed.emu, "event=disconnected", 3);
	emu_hears(bed.emu, "event=register_failed", 3);
	agent_stop();
}

Test(emu_agent_python, its_agents_and_our_manager)
{
	char config[2048];

	snprintf(config, sizeof(config),
		 "master = { wire = \"agent\"; listen = { host = \"@A.0.1\"; port = @P; };\n"
		 "  agent = { agents = ( { id = \"agent_*\"; secret = \"secret of %%s\"; } );\n"
		 "    ping_interval = \"300ms\";\n"
		 "    tls = { ca = \"%s\"; cert = \"%s\"; key = \"%s\"; }; };\n"
		 "  wait = { targets = 2; timeout = \"1h\"; };\n"
		 "  rounds = ( { command = \"ping\"; }, { command = \"stand_up\"; },\n"
		 "    { command = \"activate\"; duration = 2.5; }, { command = \"ping\"; after = "
		 "\"1s\"; } ); };\n",
		 certs_file("ca.pem"), certs_file("manager.pem"), certs_file("manager.key"));
	python_path();
	e2e_file("manager.cfg", config);
	bed.emu = EMU("run", "@D/manager.cfg", "--json", "--log", "/dev/stderr");
	emu_listens(bed.emu, e2e_ip(0, 1), e2e_port('P'));
	start_python("agent", "2");
	emu_expect_code(bed.emu, 1); /* some commands have failed, as they must */
	wait_for_python();
	/* Who said a wrong secret, and two that were welcome. */
	says("{\"id\": \"agent_0\", \"bye\": \"authentication failed\"}", 1);
	says("\"hello\": {\"t\": 11, \"version\": \"0.3.4\"}", 2);
	says("\"request\": \"noop.Noop\", \"args\": [], \"named\": {}, \"hex\": true", 4);
	says("\"request\": \"target.StandUp\"", 2);
	says("\"request\": \"target.Activate\", \"args\": [], \"named\": {\"duration\": 2.5}", 2);
	says("\"bye\": \"server shutting down\", \"pongs\": 0", 0);
	says("\"bye\": \"server shutting down\"", 2);
	says("{\"end\": \"all over\"}", 1);
	process_free(&python);
	const char *json = emu_json(bed.emu);
	cr_expect(strstr(json, "\"registrations_rejected\": 1") != NULL, "%s", json);
	/* It knows no target: what was asked of one has failed, with its words. */
	cr_expect(strstr(json, "\"sent\": 8, \"ok\": 4, \"failed\": 4, \"lost\": 0") != NULL, "%s",
		  json);
	emu_expect_says(bed.emu, "Operation target.StandUp failed:");
	bed.emu = NULL;
}

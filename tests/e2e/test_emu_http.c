/* The wire http as its users meet it: curl against targets and master, two wires beside each other.
 */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(emu_http, .init = e2e_begin, .fini = e2e_end);

/* Status, a newline, then the body: what curl got. */
static char got[8192];

static const char *curl(const char *options, const char *url)
{
	char command[512];

	snprintf(
		command, sizeof(command),
		"curl -sS -m 10 -w '%%{http_version} %%{http_code}\\n' -o '%s' %s '%s' 2>&1; cat '%s'",
		e2e_text("@D/body"), options, e2e_text(url), e2e_text("@D/body"));
	FILE *pipe = popen(command, "r");
	cr_assert(pipe != NULL);
	size_t len = fread(got, 1, sizeof(got) - 1, pipe);
	got[len] = '\0';
	pclose(pipe);
	return got;
}

#define CURL(options, url, expected)                                                               \
	cr_expect_str_eq(curl(options, url), expected, "curl %s %s: %s", options, url, got)

static struct process *both(const char *http)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "fleet = { master = { host = \"@A.0.1\"; port = @P; }; port = @Q;\n"
		 "  groups = ( { wire = \"http\"; addresses = \"@A.1.1\"; http = { %s }; } ); };\n"
		 "master = { wire = \"http\"; listen = { host = \"@A.0.1\"; port = @P; };\n"
		 "  target_port = @Q; };\n",
		 http);
	e2e_file("http.cfg", config);
	struct process *emu = EMU("run", "@D/http.cfg", "--json", "--log", "/dev/stderr");
	emu_hears(emu, "event=listening ", 1);
	return emu;
}

static void stop(struct process *emu)
{
	emu_signal(emu, SIGTERM);
	emu_expect_code(emu, 0);
}

Test(emu_http, curl_and_a_target)
{
	struct process *emu = both("");

	if (system("curl --version >/dev/null 2>&1") != 0) {
		stop(emu);
		e2e_end();
		cr_skip("no curl on this machine");
	}
	CURL("", "http://@A.1.1:@Q/ping",
	     "1.1 200\n{\"status\": \"alive\", \"target_id\": \"target_1\", \"message\": \"Target "
	     "reporting for duty!\"}");
	CURL("--http1.0", "http://@A.1.1:@Q/stand_up",
	     "1 200\n{\"status\": \"command_queued\", \"target_id\": \"target_1\"}");
	CURL("--data '{\"duration\": 0.1}'", "http://@A.1.1:@Q/activate",
	     "1.1 200\n{\"status\": \"activation_queued\", \"target_id\": \"target_1\", \"duration\": "
	     "0.1}");
	CURL("--data nonsense", "http://@A.1.1:@Q/activate",
	     "1.1 400\n{\"error\": \"the body is no JSON object\"}");
	CURL("-H 'Transfer-Encoding: chunked' --data '{\"duration\": 0}'",
	     "http://@A.1.1:@Q/activate",
	     "1.1 200\n{\"status\": \"activation_queued\", \"target_id\": \"target_1\", \"duration\": "
	     "0}");
	CURL("", "http://@A.1.1:@Q/", "1.1 404\n{\"error\": \"Not Found\"}");
	stop(emu);
}

Test(emu_http, curl_and_a_master)
{
	struct process *emu = both("version = \"1.0\";");

	if (system("curl --version >/dev/null 2>&1") != 0) {
		stop(emu);
		e2e_end();
		cr_skip("no curl on this machine");
	}
	CURL("", "http://@A.0.1:@P/",
	     "1.1 200\n{\"status\": \"ready\", \"game\": \"carnival_shooter\"}");
	CURL("--data '{\"client_id\": \"curl\"}'", "http://@A.0.1:@P/register",
	     "1.1 200\n{\"status\": \"registered\", \"client_id\": \"curl\"}");
	CURL("--data '{\"target_id\": \"curl\", \"hit_value\": 2}'", "http://@A.0.1:@P/target_hit",
	     "1.1 200\n{\"status\": \"hit_registered\"}");
	CURL("", "http://@A.1.1:@Q/ping",
	     "1 200\n{\"status\": \"alive\", \"target_id\": \"target_1\", \"message\": \"Target "
	     "reporting for duty!\"}");
	emu_hears(emu, "event=m_hit target=\"curl\"", 1);
	stop(emu);
}

/* One master, two ports, targets on both; what hits is told by each group's own wire. */
Test(emu_http, the_range_while_it_migrated)
{
	e2e_file(
		"both.cfg",
		"fleet = { master = { host = \"@A.0.1\"; }; ramp = 0.0;\n"
		"  groups = ( { name = \"old_%d\"; wire = \"http\"; master_port = @Q; count = 3;\n"
		"      addresses = \"@A.1.1-@A.1.3\"; rise = \"1ms\"; fall = \"1ms\";\n"
		"      hit = { probability = 1.0; after = \"0ms\"; report = \"wire\"; }; },\n"
		"    { name = \"new_%d\"; master_port = @P; count = 2; rise = \"1ms\"; fall = \"1ms\";\n"
		"      addresses = \"@A.2.1-@A.2.2\"; } ); };\n"
		"master = { listen = { host = \"@A.0.1\"; port = @P; };\n"
		"  listeners = ( { wire = \"http\"; port = @Q; } );\n"
		"  wait = { targets = 5; };\n"
		"  rounds = ( { command = \"ping\"; times = 2; },\n"
		"    { command = \"activate\"; duration = 1; },\n"
		"    { command = \"lay_down\"; after = \"1300ms\"; } ); };\n"
		"scenario = { expect = (\n"
		"  { that = \"ok == 20 and failed == 0 and lost == 0\"; },\n"
		"  { that = \"count(m_hit) == 3 and count(hit_reported) == 3\"; } ); };\n");
	struct process *emu = EMU("run", "@D/both.cfg", "--quiet", "--json");
	emu_expect_code(emu, 0);
}

Test(emu_http, settings_that_do_not_fit)
{
	e2e_file("bad.cfg", "fleet = { groups = ( { hit = { report = \"wire\"; }; } ); };\n"
			    "master = { listeners = ( { wire = \"snyper\"; port = 1; } ); };\n");
	struct process *emu = EMU("check", "@D/bad.cfg");
	emu_expect_code(emu, 2);
	emu_expect_says(emu, "report = \"wire\": the wire \"snyper\" has no message for a hit");
}

Test(emu_http, ports_that_clash)
{
	e2e_file("bad.cfg", "master = { listeners = ( { wire = \"http\"; port = 8081; } ); };\n");
	struct process *emu = EMU("check", "@D/bad.cfg");
	emu_expect_code(emu, 2);
	emu_expect_says(emu, "8081 is taken by another listener of this master");
}

/* The second port is somebody else's: the message says which. */
Test(emu_http, a_port_that_is_taken)
{
	int fd = peer_listen(e2e_ip(0, 1), e2e_port('Q'));

	e2e_file("taken.cfg", "master = { listen = { host = \"@A.0.1\"; port = @P; };\n"
			      "  listeners = ( { wire = \"http\"; port = @Q; } ); };\n");
	struct process *emu = EMU("run", "@D/taken.cfg");
	emu_expect_code(emu, 3);
	emu_expect_says(emu, e2e_text("@A.0.1:@Q"));
	(void)fd;
}

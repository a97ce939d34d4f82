/* quintain-emu compare: two wires by turns, four processes, and what can go wrong with them. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(emu_compare, .init = e2e_begin, .fini = e2e_end);

static const char config[] =
	"fleet = { master = { host = \"@A.0.1\"; }; ramp = 0.0;\n"
	"  groups = ( { count = 5; addresses = \"@A.1.1-@A.1.5\"; rise = \"0s\"; fall = \"0s\"; } ); };\n"
	"master = { listen = { host = \"@A.0.1\"; port = @P; }; wait = { targets = 5; };\n"
	"  rounds = ( { command = \"ping\"; times = 3; }, { command = \"stand_up\"; } ); };\n"
	"scenario = { expect = ( { that = \"ok == 1\"; } ); };\n";

Test(emu_compare, two_wires)
{
	e2e_file("c.cfg", config);
	struct process *emu = EMU("compare", "@D/c.cfg", "--passes", "3", "--out", "@D/out",
				  "--json");
	emu_expect_code(emu, 0);
	const char *json = emu_json(emu);
	char path[64];

	for (int i = 0; i < 2; i++) {
		const char *wire = i == 0 ? "http" : "snyper";
		snprintf(path, sizeof(path), "commands.%s.ok", wire);
		cr_expect_eq((long)json_number(json, path), 60, "3 passes of 20 commands: %s",
			     json);
		snprintf(path, sizeof(path), "measures.connections_per_1000.%s.value", wire);
		cr_expect_eq(json_number(json, path), 1000, "one a command: %s", json);
		snprintf(path, sizeof(path), "measures.latency_p50_us.%s.value", wire);
		cr_expect(json_number(json, path) > 0, "%s", json);
	}
	emu_expect_says(emu, "pass 3 of 3");
	emu_expect_prints(emu, "latency, p99.9");
	cr_expect_eq(system(e2e_text("grep -q 'Latency by percentile' @D/out/report.html")), 0);
	cr_expect_eq(system(e2e_text("grep -q wire_bytes @D/out/compare.json")), 0);
}

/* A kept connection is one for all commands to a target. */
Test(emu_compare, kept)
{
	e2e_file("c.cfg", config);
	struct process *emu = EMU("compare", "@D/c.cfg", "--passes", "1", "--json", "--quiet",
				  "--wires", "snyper,http", "--set", "master.connections=kept",
				  "--set", "fleet.groups[0].http.keep=true");
	emu_expect_code(emu, 0);
	const char *json = emu_json(emu);
	cr_expect_eq(json_number(json, "measures.connections_per_1000.http.value"), 0, "%s", json);
	cr_expect_eq(json_number(json, "measures.connections_per_1000.snyper.value"), 0, "%s",
		     json);
}

static void refused(const char *text, const char *wires, const char *why)
{
	e2e_file("c.cfg", text);
	struct process *emu = EMU("compare", "@D/c.cfg", "--wires", wires);
	emu_expect_code(emu, 2);
	emu_expect_says(emu, why);
}

Test(emu_compare, what_it_refuses)
{
	refused("fleet = { groups = ( { } ); };\n", "http,snyper",
		"compare needs a fleet and a master with rounds that end");
	refused("fleet = { groups = ( { } ); };\nmaster = { rounds = ( { command = \"ping\"; } );\n"
		"  listeners = ( { wire = \"http\"; } ); };\n",
		"http,snyper", "compare needs a master with one port");
	refused(config, "http,http", "--wires takes two different wires");
	refused(config, "http", "--wires takes two different wires");
	refused(config, "http,fly", "--wires takes two different wires");
}

/* A fault that one of the wires has not: no side comes up, and the config's line says why. */
Test(emu_compare, a_config_for_one_wire_only)
{
	e2e_file("c.cfg",
		 "fleet = { groups = ( { faults = ( { kind = \"no_newline\"; } ); } ); };\n"
		 "master = { rounds = ( { command = \"ping\"; } ); };\n");
	struct process *emu = EMU("compare", "@D/c.cfg");
	emu_expect_code(emu, 3);
	emu_expect_says(emu, "makes no sense on the wire \"http\"");
	emu_expect_says(emu, "compare: http does not come up");
}

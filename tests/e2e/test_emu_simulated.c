/* What a user of --simulate does: interrupts it, asks for many seeds, asks for too much. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

TestSuite(emu_simulated, .init = e2e_begin, .fini = e2e_end);

/* Longer than anybody waits: a thousand hours, ten pings a second. */
static const char endless[] =
	"fleet = { groups = ( { count = 20; } ); };\n"
	"master = { then = \"stay\"; };\n"
	"scenario = { duration = \"1000h\"; timeline = (\n"
	"  { do = \"command\"; command = \"ping\"; every = \"100ms\"; } ); };\n";

Test(emu_simulated, a_signal_ends_it_with_summary_and_results)
{
	e2e_file("endless.cfg", endless);
	struct process *emu = EMU("run", "@D/endless.cfg", "--simulate", "--no-events", "--json",
				  "--out", "@D/out");

	emu_hears(emu, "s simulated of", 1); /* it says how far it is */
	emu_signal(emu, SIGINT);
	emu_expect_code(emu, 0);
	emu_expect_prints(emu, "Interrupt");
	cr_expect(json_is(emu_json(emu), "verdict", "PASS"));
	cr_expect_eq(access(e2e_text("@D/out/report.html"), R_OK), 0);
	cr_expect_eq(access(e2e_text("@D/out/junit.xml"), R_OK), 0);
}

Test(emu_simulated, failing_seeds_come_with_the_whole_command)
{
	e2e_file(
		"never.cfg",
		"fleet = { groups = ( { count = 3; } ); };\n"
		"scenario = { duration = \"1h\"; expect = ( { that = \"registered > 3\"; } ); };\n");
	struct process *emu = EMU("run", "@D/never.cfg", "--simulate", "--seeds", "4..6", "--for",
				  "2s", "--set", "fleet.ramp=5");

	emu_expect_code(emu, 1);
	emu_expect_prints(emu, "3 seeds: 0 passed, 3 failed");
	emu_expect_prints(emu, "--simulate --set 'fleet.ramp=5' --for 2s --set seed=");
}

Test(emu_simulated, needs_an_end)
{
	e2e_file("open.cfg", "fleet = { groups = ( { count = 3; } ); };\n");
	struct process *emu = EMU("run", "@D/open.cfg", "--simulate");

	emu_expect_code(emu, 2);
	emu_expect_says(emu, "a simulated run needs an end");
}

Test(emu_simulated, a_fleet_larger_than_its_master_can_know)
{
	e2e_file("large.cfg", "fleet = { groups = ( { count = 30; } ); };\n"
			      "master = { targets_max = 20; };\n");
	struct process *emu = EMU("check", "@D/large.cfg");

	emu_expect_code(emu, 2);
	emu_expect_says(emu,
			"large.cfg:2: master.targets_max: this master can know 20 targets, the "
			"fleet has 30; expected at least as many");
}

Test(emu_simulated, a_full_disk_under_the_log_is_said)
{
	e2e_file("endless.cfg", endless);
	struct process *emu = EMU("run", "@D/endless.cfg", "--simulate", "--for", "10s", "--json",
				  "--log", "/dev/full");

	emu_expect_code(emu, 0);
	emu_expect_says(emu, "No space left on device");
	cr_expect(json_number(emu_json(emu), "log_lines_lost") > 0);
}

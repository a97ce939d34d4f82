/* Configs: what is wrong is said with file and line, what is fine is said too. */
#include "tests/support/e2e.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(emu_config, .init = e2e_begin, .fini = e2e_end);

#define GROUPS(groups) "fleet = {\n  groups = ( " groups " );\n};\n"

/* Each is wrong in one place; both commands say the same and do nothing. */
static void expect_wrong(const char *config, const char *says)
{
	static const char *const commands[] = { "check", "run" };

	e2e_file("wrong.cfg", config);
	for (size_t i = 0; i < 2; i++) {
		struct process *emu = EMU(commands[i], "@D/wrong.cfg", "--json");
		emu_expect_code(emu, 2);
		emu_expect_says(emu, says);
		cr_expect_str_eq(emu->out.text, "");
		e2e_forget(emu);
	}
}

Test(emu_config, unknown_setting)
{
	expect_wrong(GROUPS("{ conut = 3; }"),
		     "@D/wrong.cfg:2: fleet.groups[0].conut: unknown setting (did you mean "
		     "\"count\"?)\n");
	expect_wrong("\n\nflete = { };\n", "@D/wrong.cfg:3: flete: unknown setting (did you mean "
					   "\"fleet\"?)\n");
}

Test(emu_config, wrong_type)
{
	expect_wrong(GROUPS("{ count = \"three\"; }"),
		     "@D/wrong.cfg:2: fleet.groups[0].count: \"three\" is a string; expected an "
		     "integer, 1 .. 10000000\n");
	expect_wrong(GROUPS("{ rise = \"fast\"; }"), "@D/wrong.cfg:2: fleet.groups[0].rise: ");
}

Test(emu_config, out_of_range)
{
	expect_wrong(GROUPS("{ count = 0; }"),
		     "@D/wrong.cfg:2: fleet.groups[0].count: 0 is out of range; expected 1 .. "
		     "10000000\n");
	expect_wrong(GROUPS("{ hit = { probability = 1.5; }; }"),
		     "@D/wrong.cfg:2: fleet.groups[0].hit.probability: 1.5 is out of range; "
		     "expected 0 .. 1\n");
}

Test(emu_config, no_such_word)
{
	expect_wrong(GROUPS("{ profile = \"picco\"; }"),
		     "@D/wrong.cfg:2: fleet.groups[0].profile: ");
	expect_wrong(GROUPS("{ profile = \"picco\"; }"), "did you mean \"pico\"?");
}

Test(emu_config, bad_selector)
{
	expect_wrong("master = { rounds = (\n  { command = \"ping\"; },\n"
		     "  { command = \"ping\"; targets = \"target_[9-3]\"; } ); };\n",
		     "@D/wrong.cfg:3: master.rounds[1].targets: \"target_[9-3]\": expected a "
		     "selector such as \"all\", ");
	expect_wrong(
		"master = { rounds = (\n  { command = \"ping\"; targets = \"group:west\"; } ); "
		"};\n",
		"@D/wrong.cfg:2: master.rounds[0].targets: \"group:west\": a master knows its "
		"targets' names, not their group\n");
}

Test(emu_config, duplicate_names)
{
	expect_wrong(GROUPS("{ count = 5; },\n    { count = 3; first = 4; }"),
		     "@D/wrong.cfg:3: fleet.groups[1].name: two targets would be called "
		     "\"target_4\"; ids must differ\n");
	expect_wrong(GROUPS("{ count = 5; name = \"target\"; }"),
		     "\"target\" would name 5 targets alike; expected a %d in it\n");
}

Test(emu_config, duplicate_addresses)
{
	expect_wrong(GROUPS("{ addresses = \"127.9.0.1\"; },\n    { first = 2; addresses = "
			    "\"127.9.0.1-127.9.0.2\"; }"),
		     "@D/wrong.cfg:3: fleet.groups[1].addresses: two targets would live on "
		     "127.9.0.1; a master tells them apart by it\n");
}

Test(emu_config, too_few_addresses)
{
	expect_wrong(GROUPS("{ count = 5; addresses = \"10.0.0.0/30\"; }"),
		     "@D/wrong.cfg:2: fleet.groups[0].addresses: holds 2 addresses; 5 targets need "
		     "one each\n");
	expect_wrong(
		GROUPS("{ addresses = \"10.0.0\"; }"),
		"@D/wrong.cfg:2: fleet.groups[0].addresses: \"10.0.0\": expected an address, a "
		"range or a network: ");
}

Test(emu_config, nothing_to_run)
{
	expect_wrong("title = \"nothing\";\n",
		     "neither a fleet nor a master: nothing to run; expected a group `fleet` or "
		     "`master`\n");
	expect_wrong("", "@D/wrong.cfg: the file is empty\n");
}

Test(emu_config, no_groups)
{
	expect_wrong("fleet = { };\n", "@D/wrong.cfg:1: fleet.groups: ");
}

Test(emu_config, broken_syntax)
{
	expect_wrong("fleet = {\n  groups = (\n  { count = 3 }\n", "@D/wrong.cfg:");
	expect_wrong("\x7f\x45LF\x01\x02\x03\xff\xfe", "@D/wrong.cfg:1: ");
}

Test(emu_config, hosts)
{
	expect_wrong("fleet = {\n  master = { host = \"no.such.host.invalid\"; };\n"
		     "  groups = ( { } ); };\n",
		     "\"no.such.host.invalid\" is no IPv4 address and no name that resolves to "
		     "one\n");
	expect_wrong("master = { listen = { host = \"::1\"; }; };\n",
		     "\"::1\" is no IPv4 address; expected one of this host, e.g. ");
}

Test(emu_config, several_errors_at_once)
{
	e2e_file("wrong.cfg", GROUPS("{ conut = 3; },\n    { count = -1; }, { first = true; }"));
	struct process *emu = EMU("check", "@D/wrong.cfg");

	emu_expect_code(emu, 2);
	emu_expect_says(emu, "@D/wrong.cfg:2: ");
	emu_expect_says(emu, "@D/wrong.cfg:3: fleet.groups[1].count: ");
	emu_expect_says(emu, "@D/wrong.cfg:3: fleet.groups[2].first: ");
	emu_expect_says(emu, "@D/wrong.cfg: 3 errors\n");
}

Test(emu_config, wrong_overrides)
{
	static const struct {
		const char *set, *says;
	} cases[] = {
		{ "fleet.groups[0].conut=3",
		  "--set fleet.groups[0].conut=3: fleet.groups[0].conut: unknown setting (did you "
		  "mean \"count\"?)\n" },
		{ "fleet.groups[0].count", "expected PATH=VALUE" },
		{ "fleet.groups[4].count=1", "fleet.groups[4]: does not exist" },
		{ "fleet.groups[0].count=x", "\"x\" is a string; expected an integer" },
	};

	e2e_file("good.cfg", GROUPS("{ }"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process *emu = EMU("run", "@D/good.cfg", "--set", cases[i].set);
		emu_expect_code(emu, 2);
		emu_expect_says(emu, cases[i].says);
		e2e_forget(emu);
	}
}

Test(emu_config, no_file)
{
	struct process *missing = EMU("run", "@D/nothing.cfg"), *folder = EMU("run", "@D");

	emu_expect_code(missing, 2);
	emu_expect_says(missing, "@D/nothing.cfg: no such file\n");
	emu_expect_code(folder, 2);
	emu_expect_says(folder, "@D: is a folder, not a file\n");
}

/* ---- good ones ---- */

Test(emu_config, check_says_what_it_means)
{
	e2e_file("good.cfg",
		 "title = \"some\";\n" GROUPS(
			 "{ count = 3; }, { name = \"b\"; }") "master = { rounds = ( { command = "
							      "\"activate\"; duration = 2.5; times "
							      "= 2; } ); };\n");
	struct process *emu = EMU("check", "@D/good.cfg");

	emu_expect_code(emu, 0);
	cr_expect_str_eq(emu->err.text, "");
	emu_expect_prints(emu, "some\n");
	emu_expect_prints(emu, "fleet: 4 targets in 2 groups, registering with 127.0.0.1:8081\n");
	emu_expect_prints(emu, "target_1 .. target_3 on 127.1.0.1:8081");
	emu_expect_prints(emu, "activate to all, duration 2.5 s, 2 times");
	emu_expect_prints(emu, "@D/good.cfg: fine\n");
}

Test(emu_config, the_configs_of_the_project_are_fine)
{
	const char *source = getenv("QN_SOURCE_DIR");
	char pattern[512];
	glob_t found;

	cr_assert(source != NULL);
	snprintf(pattern, sizeof(pattern), "%s/configs/*.cfg", source);
	cr_assert(glob(pattern, 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		/* Benches and plans are the rig's. */
		const char *name = strrchr(found.gl_pathv[i], '/') + 1;
		if (strncmp(name, "bench-", 6) == 0 || strncmp(name, "plan-", 5) == 0)
			continue;
		struct process *emu = EMU("check", found.gl_pathv[i]);
		emu_expect_code(emu, 0);
		cr_expect_str_eq(emu->err.text, "");
		cr_expect(strstr(emu->out.text, ": fine\n") != NULL, "%s", emu->out.text);
		e2e_forget(emu);
	}
	globfree(&found);
}

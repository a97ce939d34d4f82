/* A fleet and a master as people run them: two programs, or one; what they count, how they end. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

TestSuite(emu_run, .init = e2e_begin, .fini = e2e_end);

/*
 * A target listens only once it has registered, so a master that is quick finds it shut. Here the
 * master waits for one target more, which the test registers when it has heard all others listen.
 */
#define FLEET(count, more)                                                                         \
	"fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0;"                        \
	"  groups = ( { count = " #count "; addresses = \"@A.1.0-@A.1.255\"; rise = \"20ms\";"     \
	"    fall = \"20ms\"; " more " } ); };\n"
#define MASTER(rounds)                                                                             \
	"master = { listen = { host = \"@A.0.1\"; port = @P; }; wait = { targets = 1; };"          \
	"  rounds = ( " rounds " ); };\n"
#define TO "targets = \"target_[1-9999]\"; "
#define LOGGED "--json", "--log", "/dev/stderr"

/* The master waits for all these and the one more. */
static const char *waiting_for(unsigned count)
{
	char text[64];

	snprintf(text, sizeof(text), "master.wait.targets=%u", count + 1);
	return e2e_text(text);
}

static void let_go(struct process *fleet, unsigned count)
{
	emu_hears(fleet, "event=listening ", count);
	peer_register(e2e_ip(0, 9), e2e_ip(0, 1), e2e_port('P'), "gate");
}

static struct process *run_both(unsigned count, const char *more)
{
	struct process *emu = EMU("run", "@D/both.cfg", LOGGED, "--set", waiting_for(count),
				  "--set", more);

	let_go(emu, count);
	return emu;
}

static void expect_fleet_of_50(const char *json)
{
	EXPECT_JSON(json, "fleet.targets", 50);
	EXPECT_JSON(json, "fleet.registered", 50);
	EXPECT_JSON(json, "fleet.lost", 0);
	EXPECT_JSON(json, "fleet.by_state.down", 50);
	EXPECT_JSON(json, "fleet.by_state.gone", 0);
	EXPECT_JSON(json, "fleet.registrations", 50);
	EXPECT_JSON(json, "fleet.commands.ping", 200);
	EXPECT_JSON(json, "fleet.commands.stand_up", 50);
	EXPECT_JSON(json, "fleet.commands.lay_down", 50);
	EXPECT_JSON(json, "fleet.commands.activate", 50);
	EXPECT_JSON(json, "fleet.answers", 350);
	EXPECT_JSON(json, "fleet.errors_answered", 0);
	EXPECT_JSON(json, "fleet.bad_lines", 0);
	EXPECT_JSON(json, "fleet.listen_failed", 0);
	EXPECT_JSON(json, "fleet.moves", 150);
	EXPECT_JSON(json, "fleet.activations", 50);
	double hits = json_number(json, "fleet.hits"), misses = json_number(json, "fleet.misses");
	cr_expect(hits + misses == 50 && hits > 5 && misses > 5, "%g hits, %g misses", hits,
		  misses);
}

static void expect_master_of_50(const char *json)
{
	cr_expect(json_is(json, "verdict", "PASS"));
	EXPECT_JSON(json, "master.targets", 51);
	EXPECT_JSON(json, "master.lost_targets", 0);
	EXPECT_JSON(json, "master.registrations", 51);
	EXPECT_JSON(json, "master.registrations_rejected", 0);
	EXPECT_JSON(json, "master.forgotten", 0);
	EXPECT_JSON(json, "master.sent", 350);
	EXPECT_JSON(json, "master.ok", 350);
	EXPECT_JSON(json, "master.failed", 0);
	EXPECT_JSON(json, "master.lost", 0);
	EXPECT_JSON(json, "master.unfinished", 0);
	EXPECT_JSON(json, "master.unsent", 0);
	EXPECT_JSON(json, "master.latency_us.ping.n", 200);
	EXPECT_JSON(json, "master.service_us.activate.n", 50);
	cr_expect(json_number(json, "master.latency_us.ping.p50") > 0);
	cr_expect(json_number(json, "master.latency_us.ping.p50") <=
		  json_number(json, "master.latency_us.ping.max"));
}

/* Each of 50 moves three times and is down twice: once laid down, once after its activation. */
static void run_two_processes(const char *connections)
{
	e2e_file("fleet.cfg", FLEET(50, "hit = { probability = 0.5; after = \"50ms\"; };"));
	e2e_file("master.cfg", MASTER("{ command = \"ping\"; times = 3; " TO
				      "}, { command = \"stand_up\"; " TO "},"
				      "{ command = \"lay_down\"; " TO "},"
				      "{ command = \"activate\"; duration = 0.2; " TO
				      "}, { command = \"ping\"; " TO "}"));
	struct process *fleet = EMU("run", "@D/fleet.cfg", LOGGED, "--quiet");
	struct process *master = EMU("run", "@D/master.cfg", "--json", "--set", connections,
				     "--set", waiting_for(50));

	let_go(fleet, 50);
	emu_expect_code(master, 0);
	emu_expect_prints(master, "PASS");
	expect_master_of_50(emu_json(master));
	emu_hears(fleet, "event=down ", 100);
	emu_signal(fleet, SIGINT);
	emu_expect_code(fleet, 0);
	expect_fleet_of_50(emu_json(fleet));
	EXPECT_JSON(emu_json(fleet), "log_lines_lost", 0);
	cr_expect(strchr(fleet->out.text, '\n') == fleet->out.text + fleet->out.len - 1,
		  "--quiet --json prints one line: %s", fleet->out.text);
}

Test(emu_run, two_processes)
{
	run_two_processes("master.connections=per_message");
}

Test(emu_run, two_processes_with_kept_connections)
{
	run_two_processes("master.connections=kept");
}

Test(emu_run, both_in_one_config)
{
	e2e_file("both.cfg",
		 FLEET(20, "reply = \"done\";")
			 MASTER("{ command = \"ping\"; " TO "}, { command = \"stand_up\"; " TO "},"
				"{ command = \"lay_down\"; " TO "}"));
	struct process *emu = run_both(20, "title=both");

	emu_expect_code(emu, 0);
	const char *json = emu_json(emu);
	EXPECT_JSON(json, "master.sent", 60);
	EXPECT_JSON(json, "master.ok", 60);
	EXPECT_JSON(json, "fleet.answers", 60);
	EXPECT_JSON(json, "fleet.moves", 40);
	/* The last answers came when the movement was over. */
	EXPECT_JSON(json, "fleet.by_state.down", 20);
	emu_expect_prints(emu, "all rounds done");
	emu_expect_prints(emu, "stand_up         20      20       0       0");
}

Test(emu_run, done_is_answered_when_the_move_is_over)
{
	e2e_file("both.cfg",
		 FLEET(5, "reply = \"done\";")
			 MASTER("{ command = \"stand_up\"; " TO "}, { command = \"lay_down\"; " TO
				"}, { command = \"activate\"; duration = 0.01; " TO "}"));
	struct process *emu = run_both(5, "fleet.groups[0].rise=150ms");

	emu_expect_code(emu, 0);
	const char *json = emu_json(emu);
	/* The histogram's buckets are 1 % wide or finer. */
	cr_expect(json_number(json, "master.service_us.stand_up.p50") >= 148000);
	cr_expect(json_number(json, "master.service_us.lay_down.p50") >= 19800);
	cr_expect(json_number(json, "master.service_us.activate.p50") >= 148000);
}

Test(emu_run, queued_is_answered_before_the_move)
{
	e2e_file("both.cfg",
		 FLEET(5, "reply = \"queued\";") MASTER("{ command = \"stand_up\"; " TO "}"));
	struct process *emu = run_both(5, "fleet.groups[0].rise=60s");

	emu_expect_code(emu, 0);
	EXPECT_JSON(emu_json(emu), "master.ok", 5);
	EXPECT_JSON(emu_json(emu), "fleet.by_state.rising", 5);
}

Test(emu_run, set_overrides_the_file)
{
	e2e_file("both.cfg", FLEET(100, "") MASTER("{ command = \"ping\"; " TO "}"));
	struct process *emu = EMU("run", "@D/both.cfg", LOGGED, "--set", "fleet.groups[0].count=7",
				  "--set", waiting_for(7), "--set", "master.rounds[0].times=2");

	let_go(emu, 7);
	emu_expect_code(emu, 0);
	EXPECT_JSON(emu_json(emu), "fleet.targets", 7);
	EXPECT_JSON(emu_json(emu), "master.sent", 14);
	EXPECT_JSON(emu_json(emu), "master.ok", 14);
}

Test(emu_run, a_config_from_standard_input)
{
	const char *path = e2e_file("in.cfg", FLEET(2, "") MASTER("{ command = \"ping\"; " TO "}"));
	struct process *emu = EMU_WITH(&(struct process_options){ .in_path = path }, "run", "-",
				       LOGGED, "--set", waiting_for(2));

	let_go(emu, 2);
	emu_expect_code(emu, 0);
	EXPECT_JSON(emu_json(emu), "master.ok", 2);
}

/* ---- the end by time ---- */

Test(emu_run, for_ends_the_run)
{
	e2e_file("master.cfg", MASTER(""));
	struct process *emu = EMU("run", "@D/master.cfg", "--json", "--for", "400ms");

	emu_expect_code(emu, 0);
	emu_expect_prints(emu, "the time is up");
	cr_expect(json_number(emu_json(emu), "seconds") >= 0.4);
}

Test(emu_run, for_before_the_rounds_are_done_fails)
{
	e2e_file("both.cfg", FLEET(3, "") MASTER("{ command = \"ping\"; after = \"1h\"; " TO "}"));
	struct process *emu = EMU("run", "@D/both.cfg", "--json", "--for", "300ms");

	emu_expect_code(emu, 1);
	emu_expect_prints(emu, "FAIL");
	emu_expect_prints(emu, "the time was up before the rounds were done");
	cr_expect(json_is(emu_json(emu), "verdict", "FAIL"));
}

/* ---- the seed ---- */

static double hits_with(const char *seed)
{
	struct process *emu = run_both(60, seed);

	emu_expect_code(emu, 0);
	double hits = json_number(emu_json(emu), "fleet.hits");
	e2e_forget(emu);
	return hits;
}

Test(emu_run, the_seed_decides_the_hits)
{
	/* The second round waits until the activation is over. */
	e2e_file("both.cfg",
		 FLEET(60, "reply = \"done\"; hit = { probability = 0.5; after = \"10ms\"; };")
			 MASTER("{ command = \"activate\"; duration = 0.05; " TO "},"
				"{ command = \"lay_down\"; " TO "}"));
	double first = hits_with("seed=11");

	cr_expect(first > 10 && first < 50, "%g of 60", first);
	cr_expect(hits_with("seed=11") == first);
	cr_expect(hits_with("seed=16") != first);
}

/* ---- exit codes ---- */

Test(emu_run, targets_that_never_came_are_1)
{
	e2e_file("master.cfg", MASTER("{ command = \"ping\"; " TO "}"));
	struct process *emu = EMU("run", "@D/master.cfg", "--json", "--set", waiting_for(2),
				  "--set", "master.wait.timeout=200ms");

	emu_expect_code(emu, 1);
	emu_expect_prints(emu, "0 of 3 targets had registered in time");
	EXPECT_JSON(emu_json(emu), "master.sent", 0);
	EXPECT_JSON(emu_json(emu), "master.unsent", 1);
}

Test(emu_run, a_fleet_that_found_no_master_is_1)
{
	e2e_file("fleet.cfg", FLEET(2, ""));
	struct process *emu = EMU("run", "@D/fleet.cfg", LOGGED);

	emu_hears(emu, "event=register_failed", 2);
	emu_signal(emu, SIGTERM);
	emu_expect_code(emu, 1);
	emu_expect_prints(emu, "no target was ever registered");
	cr_expect(json_number(emu_json(emu), "fleet.register_failures") >= 2);
}

Test(emu_run, wrong_usage_is_2)
{
	static const struct {
		const char *const args[6];
		const char *says;
	} cases[] = {
		{ { NULL }, "usage: quintain-emu" },
		{ { "run", NULL }, "run needs a CONFIG file" },
		{ { "rnu", "x.cfg", NULL }, "unknown command \"rnu\" (did you mean \"run\"?)" },
		{ { "run", "a.cfg", "b.cfg", NULL }, "too many arguments" },
		{ { "run", "a.cfg", "--for", "5", NULL }, "--for takes a time with a unit" },
		{ { "run", "a.cfg", "--for", "0s", NULL }, "--for takes a time with a unit" },
		{ { "run", "a.cfg", "--fro", "5s", NULL }, "unrecognized option '--fro'" },
		{ { "run", "a.cfg", "--set", NULL }, "option '--set' requires an argument" },
		{ { "settings", "a.cfg", NULL }, "settings takes no file" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process *emu = emu_start(cases[i].args, NULL);
		emu_expect_code(emu, 2);
		emu_expect_says(emu, cases[i].says);
		cr_expect_str_eq(emu->out.text, "");
		e2e_forget(emu);
	}
}

Test(emu_run, what_was_asked_about_itself_is_0)
{
	struct process *help = EMU("--help"), *version = EMU("-V"), *settings = EMU("settings");

	emu_expect_code(help, 0);
	emu_expect_prints(help, "exit codes: 0 as asked");
	emu_expect_code(version, 0);
	emu_expect_prints(version, "quintain-emu ");
	emu_expect_code(settings, 0);
	emu_expect_prints(settings, "answer_timeout");
}

#include "hil/plan/plan.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <unistd.h>

/* Benches and plans: what is wrong with them is said with file, line and setting. */

#define BOARD(name, n, rest)                                                                       \
	"{ name = \"" name "\"; serial = \"e66" n "\"; address = \"127.47.1." n                    \
	"\"; target_id = \"target_" n "\"; " rest " }"
#define BENCH(boards) "bench = { name = \"b\"; boards = ( " boards " ); };\n"
#define WIRED "lines = { servo = \"c:1\"; up = \"c:2\"; hit = \"c:3\"; }; "

static char folder[64];

static void begin(void)
{
	strcpy(folder, "/tmp/qn-rig-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static const char *file(const char *name, const char *text)
{
	static char path[4][128];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	FILE *out = fopen(p, "w");
	fputs(text, out);
	fclose(out);
	return p;
}

static void end(void)
{
	static const char *const names[] = { "b.cfg", "p.cfg" };
	char path[128];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

/* Its errors, the folder cut off, a line each. */
static char *errors_of(const struct settings *settings)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < settings_errors(settings); i++) {
		const char *error = settings_error_text(settings, i);
		const char *slash = strncmp(error, folder, strlen(folder)) == 0
					    ? error + strlen(folder) + 1
					    : error;
		fprintf(out, "%s\n", slash);
	}
	fclose(out);
	return text;
}

TestSuite(rig_config, .init = begin, .fini = end);

struct fault {
	const char *text, *error; /* error: a part of it; NULL: none */
};

Test(rig_config, benches)
{
	static const struct fault cases[] = {
		{ BENCH(BOARD("a", "1", WIRED)), NULL },
		{ BENCH(BOARD("a", "1", "") "," BOARD("a", "2", "")),
		  "b.cfg:1: bench.boards[1].name: \"a\" is that of board \"a\" already\n" },
		{ BENCH(BOARD("a", "1", "") ",\n" BOARD("b", "1", "")),
		  "b.cfg:2: bench.boards[1].serial: \"e661\" is that of board \"a\" already\n" },
		{ BENCH(BOARD("a", "1", WIRED) ",\n" BOARD("b", "2", WIRED)),
		  "b.cfg:2: bench.boards[1].lines: servo: c:1 is \"servo\" of board \"a\" "
		  "already\n" },
		{ BENCH(BOARD("a", "1", "lines = { up = \"c:2 sideways\"; };")), "sideways" },
		{ BENCH(BOARD("a", "1", "lines = { up = \"c:2 pull_up pull_down\"; };")), "up" },
		{ BENCH(BOARD("a", "1", "lines = { up = \"c:\"; };")), "expected [CHIP:]LINE" },
		{ BENCH(BOARD("a", "1", "lines = { upp = \"2\"; };")), "did you mean \"up\"?" },
		{ BENCH("{ name = \"a\"; target_id = \"t\"; address = \"here\"; }"),
		  "\"here\" is no IPv4 address" },
		{ "bench = { boards = ( ); };", "boards" },
		{ "bench = { master = { kind = \"proxy\"; }; boards = ( " BOARD("a", "1",
										"") " ); };",
		  "proxy_address: is missing" },
		{ "bench = { calibration = { output = \"c:1\"; }; boards = ( " BOARD("a", "1",
										     "") " ); };",
		  "an output needs an input" },
		{ "bench = { servo = { up = \"500us\"; }; boards = ( " BOARD("a", "1", "") " ); };",
		  "the same width" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench_file bench;
		struct settings *settings = bench_load(file("b.cfg", cases[i].text), NULL, 0,
						       &bench);
		char *errors = errors_of(settings);

		if (cases[i].error == NULL)
			cr_expect_str_empty(errors, "%s\n%s", cases[i].text, errors);
		else
			cr_expect_not_null(strstr(errors, cases[i].error), "%s\n%s\nwanted %s",
					   cases[i].text, errors, cases[i].error);
		free(errors);
		settings_free(settings);
	}
}

Test(rig_config, lines_keep_what_their_role_is)
{
	struct bench_file bench;
	struct settings *settings = bench_load(
		file("b.cfg",
		     BENCH(BOARD("a", "1",
				 "chip = \"pi\"; lines = { up = \"x:up active_low\"; run = "
				 "\"24\"; bootsel = \"25 push_pull active_high\"; };"))),
		NULL, 0, &bench);
	const struct bench_board *board = bench_board_at(&bench.bench, 0);
	const struct bench_line *run = &board->lines.at[BENCH_RUN];
	char text[160];

	cr_assert_eq(settings_errors(settings), 0);
	cr_expect(board->lines.at[BENCH_UP].active_low);
	cr_expect(!board->lines.at[BENCH_DOWN].present);
	cr_expect(run->active_low && run->open_drain, "RUN is never driven high");
	cr_expect(!board->lines.at[BENCH_BOOTSEL].open_drain);
	cr_expect_str_eq(bench_line_text(&bench.bench, board, run, text, sizeof(text)), "pi:24");
	cr_expect_str_eq(bench_line_text(&bench.bench, board, &board->lines.at[BENCH_UP], text,
					 sizeof(text)),
			 "x:up");
	cr_expect_eq(bench_find_board(&bench.bench, "E661"), 0, "serial numbers in any case");
	cr_expect_eq(bench_find_board(&bench.bench, "target_1"), 0);
	cr_expect_eq(bench_find_board(&bench.bench, "b"), -1);
	settings_free(settings);
}

#define PLAN(steps) "plan = { tests = ( { name = \"t\"; steps = ( " steps " ); } ); };\n"
#define PLAN_WITH(limit)                                                                           \
	"plan = { limits = ( { " limit " } ); tests = ( { name = \"t\"; steps = ( { do = "         \
	"\"ping\"; } ); } ); };\n"

/* Against a bench of two boards, of which `b` has no lines and no port. */
static char *plan_errors(const char *text, struct plan_file *plan, struct settings **ret,
			 struct settings **ret_bench, struct bench_file *bench)
{
	*ret_bench = bench_load(
		file("b.cfg",
		     BENCH(BOARD(
			     "a", "1",
			     WIRED
			     "tags = [ \"wired\" ];") ", { name = \"b\"; target_id = \"target_2\"; }")),
		NULL, 0, bench);
	cr_assert_eq(settings_errors(*ret_bench), 0, "%s",
		     settings_errors(*ret_bench) ? settings_error_text(*ret_bench, 0) : "");
	*ret = plan_load(file("p.cfg", text), NULL, 0, plan);
	if (settings_errors(*ret) == 0)
		plan_check(*ret, &plan->plan, &bench->bench);
	return errors_of(*ret);
}

Test(rig_config, plans)
{
	static const struct fault cases[] = {
		{ PLAN("{ do = \"ping\"; }"), NULL },
		{ PLAN("{ do = \"stand_up\"; until = \"answer\"; }"), NULL },
		{ PLAN("{ do = \"stand_up\"; }"),
		  "p.cfg:1: plan.tests[0].steps[0].until: board \"b\" has neither a servo line nor "
		  "a switch" },
		{ PLAN("{ do = \"stand_upp\"; }"), "stand_upp" },
		{ PLAN("{ do = \"hit\"; }"), "needs the line \"hit\", which board \"b\"" },
		{ PLAN("{ do = \"power_cycle\"; }"), "needs the line \"power\"" },
		{ PLAN("{ do = \"exec\"; code = \"1\"; }"),
		  "needs a serial port, and board \"b\"" },
		{ PLAN("{ do = \"exec\"; }"), "code: is missing" },
		{ PLAN("{ do = \"wait\"; }"), "for: is missing" },
		{ PLAN("{ do = \"wait\"; for = \"2s\"; timeout = \"1s\"; }"),
		  "is shorter than the wait" },
		{ PLAN("{ do = \"ping\"; timeout = \"0s\"; }"), "every step has an end" },
		{ PLAN("{ do = \"expect\"; }"), "expects either a line" },
		{ PLAN("{ do = \"expect\"; line = \"hit\"; }"), "are switches" },
		{ PLAN("{ do = \"set\"; line = \"up\"; }"), "is an input" },
		{ PLAN("{ do = \"ping\"; console = \"(\"; }"),
		  "is no extended regular expression" },
		{ PLAN("{ do = \"await\"; until = \"answer\"; }"), "waits for a real master" },
		{ PLAN("{ do = \"repeat\"; times = 3; }"), "a repeat of nothing" },
		{ PLAN("{ do = \"ping\"; steps = ( { do = \"ping\"; } ); }"), "does not go with" },
		{ "plan = { tests = ( { name = \"t\"; boards = \"tag:red\"; steps = ( { do = "
		  "\"ping\"; } ); } ); };",
		  "picks no board of the bench" },
		{ "plan = { tests = ( { name = \"t\"; boards = \"50%\"; steps = ( { do = \"ping\"; "
		  "} ); } ); };",
		  "the same boards each time" },
		{ PLAN_WITH("of = \"stand_up.swich\"; max = \"1s\";"),
		  "did you mean \"stand_up.switch\"?" },
		{ PLAN_WITH("of = \"ping.answer\"; max = \"3\";"), "expected a duration" },
		{ PLAN_WITH("of = \"stand_up.angle\"; max = \"3ms\";"), "expected an angle" },
		{ PLAN_WITH("of = \"ping.answer\";"), "has neither min nor max" },
		{ PLAN_WITH("of = \"ping.answer\"; min = \"2s\"; max = \"1s\";"), "is above max" },
		{ PLAN_WITH("of = \"ping.answer\"; max = \"1s\"; without_frame = true;"),
		  "does not end in a servo frame" },
		{ PLAN_WITH("of = \"stand_up.angle\"; min = \"-5.5deg\"; max = \"95deg\";"), NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan_file plan;
		struct bench_file bench;
		struct settings *settings, *bench_settings;
		char *errors = plan_errors(cases[i].text, &plan, &settings, &bench_settings,
					   &bench);

		if (cases[i].error == NULL)
			cr_expect_str_empty(errors, "%s\n%s", cases[i].text, errors);
		else
			cr_expect_not_null(strstr(errors, cases[i].error), "%s\n%s\nwanted %s",
					   cases[i].text, errors, cases[i].error);
		free(errors);
		settings_free(settings);
		settings_free(bench_settings);
	}
}

Test(rig_config, limits_of_steps_come_first_and_boards_choose)
{
	struct plan_file plan;
	struct bench_file bench;
	struct settings *settings, *bench_settings;
	char *errors = plan_errors(
		"plan = { share = 10; limits = ( { of = \"ping.answer\"; max = \"9ms\"; boards = "
		"\"tag:wired\"; }, { of = \"ping.answer\"; max = \"20ms\"; }, { of = \"ping.sent\"; "
		"stat = \"p95\"; max = \"1ms\"; } );\n"
		"tests = ( { name = \"t\"; steps = ( { do = \"ping\"; limits = ( { of = "
		"\"ping.answer\"; max = \"5ms\"; share = 30; } ); }, { do = \"repeat\"; times = 3; "
		"steps = ( { do = \"ping\"; }, { do = \"ping\"; } ); } ); } ); };",
		&plan, &settings, &bench_settings, &bench);
	const struct plan_test *test = plan_test_at(&plan.plan, 0);
	const struct plan_step *step = plan_step_at(&test->steps, 0);
	const struct limit *limit;

	cr_assert_str_empty(errors, "%s", errors);
	limit = plan_limit_for(&plan.plan, step, &bench.bench, 0, "ping.answer");
	cr_assert_not_null(limit);
	cr_expect_eq(limit->max, 5000000);
	cr_expect_eq(limit->share_percent, 30);
	limit = plan_limit_for(&plan.plan, NULL, &bench.bench, 0, "ping.answer");
	cr_expect_eq(limit->max, 9000000);
	cr_expect_eq(limit->share_percent, 10);
	limit = plan_limit_for(&plan.plan, NULL, &bench.bench, 1, "ping.answer");
	cr_expect_eq(limit->max, 20000000);
	cr_expect_null(plan_limit_for(&plan.plan, NULL, &bench.bench, 0, "ping.sent"),
		       "a figure of all values is no limit of each");
	cr_expect_eq(plan_count_steps(&test->steps), 7);
	free(errors);
	settings_free(settings);
	settings_free(bench_settings);
}

Test(rig_config, nesting_ends)
{
	char text[4096];
	size_t at = (size_t)snprintf(text, sizeof(text),
				     "plan = { tests = ( { name = \"t\"; steps = ( ");
	struct plan_file plan;

	for (int i = 0; i < PLAN_DEPTH_MAX + 1; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "{ do = \"group\"; steps = ( ");
	at += (size_t)snprintf(text + at, sizeof(text) - at, "{ do = \"ping\"; }");
	for (int i = 0; i < PLAN_DEPTH_MAX + 1; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " ); }");
	snprintf(text + at, sizeof(text) - at, " ); } ); };");
	struct settings *settings = plan_load(file("p.cfg", text), NULL, 0, &plan);
	cr_assert_gt(settings_errors(settings), 0);
	settings_free(settings);
}

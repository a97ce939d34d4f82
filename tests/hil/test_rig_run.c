#include "hil/plan/run.h"
#include "tests/support/e2e.h"
#include "tests/support/range_board.h"

#include <criterion/criterion.h>

#include <stdlib.h>

/* Whole runs of a plan on a fake chip and a target that a thread plays. */

static struct gpio_fake fake;

static void begin(void)
{
	static const char *const names[] = { "servo", "up", "down" };

	e2e_begin();
	gpio_fake_init(&fake, 2);
	gpio_fake_chip(&fake, "board1", 3, names);
	/* A calibration of somebody's would be found below his home. */
	setenv("XDG_STATE_HOME", e2e_text("@D"), 1);
}

static void end(void)
{
	gpio_fake_release(&fake);
	e2e_end();
}

TestSuite(rig_run, .init = begin, .fini = end);

static const char bench_text[] =
	"bench = { name = \"fake\"; lock = \"@D/lock\"; movement = \"300ms\"; chip = \"board1\";\n"
	"  master = { listen = { host = \"@A.0.1\"; port = @P; }; answer_timeout = \"2s\"; };\n"
	/* A busy machine is late: what is about the signal's own time is the virtual bench's. */
	"  checks = { missing_frames = \"off\"; lost_edges = \"off\"; stall = \"off\"; "
	"silent_death = \"off\"; };\n"
	"  boards = ( { name = \"b1\"; address = \"@A.1.1\"; target_id = \"target_1\";\n"
	"    lines = { servo = \"servo\"; up = \"up\"; down = \"down\"; }; } ); };\n";

static const char plan_text[] =
	"plan = { name = \"p\"; step_timeout = \"3s\"; register_timeout = \"5s\";\n"
	"  limits = ( { of = \"stand_up.servo\"; max = \"2s\"; }, { of = \"stand_up.switch\"; "
	"max = \"2500ms\"; }, { of = \"ping.answer\"; stat = \"max\"; max = \"2s\"; } );\n"
	"  tests = ( { name = \"t\"; repeat = 2; steps = ( { do = \"ping\"; }, { do = "
	"\"stand_up\"; },\n"
	"    { do = \"expect\"; line = \"up\"; }, { do = \"wait\"; for = \"350ms\"; }, { do = "
	"\"lay_down\"; } ); } );\n"
	"  teardown = ( { do = \"ping\"; name = \"in any case\"; go_on = true; } ); };\n";

/* The exit code; *ret_result is result.json, the caller's to free. */
static int run(enum range_defect defect, char **ret_result)
{
	const char *bench_path = e2e_file("bench.cfg", bench_text);
	const char *plan_path = e2e_file("plan.cfg", plan_text);
	struct range_board board = { .chip = &fake.chip[0],
				     .ip = e2e_ip(1, 1),
				     .master_ip = e2e_ip(0, 1),
				     .port = e2e_port('P'),
				     .defect = defect };
	struct bench_file bench;
	struct plan_file plan;
	struct settings *bench_settings = bench_load(bench_path, NULL, 0, &bench);
	struct settings *plan_settings = plan_load(plan_path, NULL, 0, &plan);
	struct run_options options = { .plan_path = plan_path,
				       .bench_path = bench_path,
				       .out_dir = e2e_text("@D/out"),
				       .quiet = true,
				       .gpio = &fake.gpio,
				       .title = "" };
	char path[300];
	size_t size = 0;

	cr_assert_eq(settings_errors(bench_settings), 0, "%s",
		     settings_errors(bench_settings) ? settings_error_text(bench_settings, 0) : "");
	cr_assert_eq(settings_errors(plan_settings), 0);
	range_board_start(&board);
	int code = run_plan(&plan.plan, &bench.bench, &options);
	range_board_stop(&board);
	*ret_result = NULL;
	snprintf(path, sizeof(path), "%s/result.json", options.out_dir);
	FILE *in = fopen(path, "r");
	if (in != NULL) {
		if (getdelim(ret_result, &size, '\0', in) < 0)
			**ret_result = '\0';
		fclose(in);
	}
	settings_free(plan_settings);
	settings_free(bench_settings);
	for (int i = 0; i < 3; i++)
		cr_expect(!fake.chip[0].line[i].held, "line %d was not let go", i);
	return code;
}

static void expect(enum range_defect defect, int code, const char *const words[])
{
	char *result;
	int got = run(defect, &result);

	cr_assert_not_null(result);
	cr_expect_eq(got, code, "exit code %d, expected %d\n%s", got, code, result);
	for (size_t i = 0; words[i] != NULL; i++)
		cr_expect_not_null(strstr(result, words[i]), "not said: %s\n%s", words[i], result);
	cr_expect_not_null(strstr(result, "in any case"), "teardown always runs");
	free(result);
}
#define EXPECT(defect, code, ...) expect(defect, code, (const char *const[]){ __VA_ARGS__, NULL })

Test(rig_run, a_healthy_board_passes)
{
	EXPECT(RANGE_HEALTHY, 0, "\"stand_up.servo\"", "\"stand_up.travel\"", "max of ping.answer");
}

Test(rig_run, a_board_that_does_not_move)
{
	EXPECT(RANGE_NEVER_MOVES, 1, "b1 answered after",
	       "its servo did not move: it is still at 0.5");
}

Test(rig_run, a_board_that_stops_half_way)
{
	EXPECT(RANGE_HALF_WAY, 1, "its servo stopped at 1.000 ms");
}

Test(rig_run, an_answer_in_pieces)
{
	EXPECT(RANGE_SPLIT, 1, "check split_answer", "came in pieces");
}

Test(rig_run, nobody_listens)
{
	EXPECT(RANGE_DEAF, 1, "could not be spoken to: Connection refused");
}

Test(rig_run, an_extra_registration)
{
	EXPECT(RANGE_TWICE, 1, "check extra_registration");
}

Test(rig_run, a_switch_that_bounces)
{
	EXPECT(RANGE_BOUNCES, 1, "check bounce");
}

Test(rig_run, a_chip_that_goes)
{
	char *result;

	cr_expect_eq(run(RANGE_CHIP_GONE, &result), 3, "the rig's trouble, not the board's");
	cr_assert_not_null(result);
	cr_expect_not_null(strstr(result, "ERROR"));
	free(result);
}

Test(rig_run, a_board_that_never_comes)
{
	char *result;

	cr_expect_eq(run(RANGE_SILENT, &result), 1);
	cr_expect_not_null(strstr(result, "target_1 did not register within"), "%s", result);
	cr_expect_not_null(strstr(result, "not run: b1 is not there"), "%s", result);
	free(result);
}

Test(rig_run, a_line_that_is_in_use)
{
	char *result;

	fake.chip[0].line[1].request_error = -EBUSY;
	cr_expect_eq(run(RANGE_HEALTHY, &result), 3);
	cr_expect_null(result, "it did not begin");
}

#include "hil/plan/plan.h"

#include "emulator/base/units.h"

#include <string.h>

/* A plan against a bench: what the boards lack for it. */

struct against {
	struct settings *settings;
	const struct plan *plan;
	const struct bench *bench;
	uint32_t boards[BENCH_BOARDS_MAX];
	uint32_t n_boards;
};

static bool has_port(const struct bench_board *board)
{
	return board->serial[0] != '\0' || board->usb_path[0] != '\0' || board->port[0] != '\0';
}

/* Says it once, for the first board of those that lack it. */
static void need_line(const struct against *a, const struct plan_step *step, enum bench_role role)
{
	for (uint32_t i = 0; i < a->n_boards; i++) {
		const struct bench_board *board = bench_board_at(a->bench, a->boards[i]);
		if (board->lines.at[role].present)
			continue;
		settings_error(a->settings, &step->origin, "do",
			       "%s needs the line \"%s\", which board \"%.40s\" of the bench does "
			       "not have",
			       plan_action_names[step->action], bench_role_names[role],
			       board->name);
		return;
	}
}

static void need_port(const struct against *a, const struct plan_step *step, const char *setting)
{
	for (uint32_t i = 0; i < a->n_boards; i++) {
		const struct bench_board *board = bench_board_at(a->bench, a->boards[i]);
		if (has_port(board))
			continue;
		settings_error(a->settings, &step->origin, setting,
			       "needs a serial port, and board \"%.40s\" of the bench has neither "
			       "serial, usb_path nor port",
			       board->name);
		return;
	}
}

/* A movement that nobody can see is no test. */
static void need_eyes(const struct against *a, const struct plan_step *step)
{
	for (uint32_t i = 0; i < a->n_boards; i++) {
		const struct bench_board *board = bench_board_at(a->bench, a->boards[i]);
		if (board->lines.at[BENCH_SERVO].present || board->lines.at[BENCH_UP].present ||
		    board->lines.at[BENCH_DOWN].present)
			continue;
		settings_error(a->settings, &step->origin, "until",
			       "board \"%.40s\" has neither a servo line nor a switch: nothing "
			       "can see it move; until = \"answer\" needs none",
			       board->name);
		return;
	}
}

static void check_steps(const struct against *a, const struct setting_list *steps);

static void check_step(const struct against *a, const struct plan_step *step)
{
	bool proxy = a->bench->master.kind == BENCH_MASTER_PROXY;

	switch ((enum plan_action)step->action) {
	case PLAN_STAND_UP:
	case PLAN_LAY_DOWN:
	case PLAN_ACTIVATE:
	case PLAN_AWAIT:
		if (step->action == PLAN_AWAIT && !proxy)
			settings_error(a->settings, &step->origin, "do",
				       "waits for a real master, and the bench has none: "
				       "bench.master.kind is \"own\"");
		if (step->until != PLAN_UNTIL_ANSWER &&
		    (step->action != PLAN_AWAIT || step->command != 0))
			need_eyes(a, step);
		break;
	case PLAN_HIT: need_line(a, step, BENCH_HIT); break;
	case PLAN_POWER_CYCLE: need_line(a, step, BENCH_POWER); break;
	case PLAN_RESET:
		if (step->how == PLAN_RESET_RUN)
			need_line(a, step, BENCH_RUN);
		else if (step->how != PLAN_RESET_AUTO)
			need_port(a, step, "how");
		break;
	case PLAN_EXEC: need_port(a, step, "do"); break;
	case PLAN_EXPECT:
	case PLAN_SET:
		if (step->line != 0)
			need_line(a, step, (enum bench_role)(step->line - 1));
		break;
	case PLAN_GROUP:
	case PLAN_REPEAT: check_steps(a, &step->steps); break;
	default: break;
	}
	if (step->console[0] != '\0')
		need_port(a, step, "console");
}

static void check_steps(const struct against *a, const struct setting_list *steps)
{
	for (size_t i = 0; i < steps->count; i++)
		check_step(a, plan_step_at(steps, i));
}

static void check_limits(struct against *a)
{
	for (size_t i = 0; i < a->plan->limits.count; i++) {
		const struct plan_limit *limit = (const struct plan_limit *)a->plan->limits.at + i;
		if (plan_boards(&limit->selector, a->bench, a->boards) == 0)
			settings_error(a->settings, &limit->origin, "boards",
				       "\"%.80s\" picks no board of the bench", limit->boards);
	}
}

void plan_check(struct settings *settings, const struct plan *plan, const struct bench *bench)
{
	struct against a = { .settings = settings, .plan = plan, .bench = bench };

	check_limits(&a);
	for (size_t i = 0; i < bench->boards.count; i++)
		a.boards[i] = (uint32_t)i;
	a.n_boards = (uint32_t)bench->boards.count;
	check_steps(&a, &plan->setup);
	check_steps(&a, &plan->teardown);
	for (size_t i = 0; i < plan->tests.count; i++) {
		const struct plan_test *test = plan_test_at(plan, i);
		a.n_boards = plan_boards(&test->selector, bench, a.boards);
		if (a.n_boards == 0)
			settings_error(settings, &test->origin, "boards",
				       "\"%.80s\" picks no board of the bench", test->boards);
		check_steps(&a, &test->steps);
		check_steps(&a, &test->teardown);
	}
}

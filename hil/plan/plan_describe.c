#include "hil/plan/plan.h"

#include "emulator/base/units.h"

#include <inttypes.h>

/* What will happen, in the order in which it will. */

static void put_step(const struct plan *plan, const struct plan_step *step, FILE *out)
{
	char text[32], timeout[32];

	fprintf(out, "%s", plan_action_names[step->action]);
	switch ((enum plan_action)step->action) {
	case PLAN_ACTIVATE: fprintf(out, " for %s s", step->duration_text); break;
	case PLAN_WAIT:
		fprintf(out, " %s", units_duration_text(step->for_ns, text, sizeof(text)));
		break;
	case PLAN_REPEAT: fprintf(out, " %" PRId64 " times", step->times); return;
	case PLAN_GROUP: return;
	case PLAN_EXPECT:
		if (step->line == 0)
			fprintf(out, " a line on the console");
		else
			fprintf(out, " %s %s", bench_role_names[step->line - 1],
				step->level == PLAN_ACTIVE ? "active" : "inactive");
		break;
	case PLAN_SET:
		fprintf(out, " %s %s", bench_role_names[step->line - 1],
			step->level == PLAN_ACTIVE     ? "active"
			: step->level == PLAN_INACTIVE ? "inactive"
						       : "free");
		break;
	default: break;
	}
	if (step->console[0] != '\0')
		fprintf(out, ", console /%.60s/", step->console);
	if (step->action != PLAN_WAIT)
		fprintf(out, ", within %s",
			units_duration_text(plan_step_timeout(plan, step), timeout,
					    sizeof(timeout)));
	if (step->retries > 0)
		fprintf(out, ", up to %" PRId64 " retries (a failure stays one)", step->retries);
}

static void put_steps(const struct plan *plan, const struct setting_list *steps, unsigned indent,
		      FILE *out)
{
	for (size_t i = 0; i < steps->count; i++) {
		const struct plan_step *step = plan_step_at(steps, i);
		fprintf(out, "%*s- ", (int)indent, "");
		if (step->name[0] != '\0')
			fprintf(out, "%s: ", step->name);
		put_step(plan, step, out);
		fputc('\n', out);
		put_steps(plan, &step->steps, indent + 2, out);
	}
}

static void put_value(const struct plan_value *value, FILE *out)
{
	char text[40];

	fputs(unit_text(value->unit, value->value, text, sizeof(text)), out);
}

static void put_limits(const struct plan *plan, FILE *out)
{
	for (size_t i = 0; i < plan->limits.count; i++) {
		const struct plan_limit *limit = (const struct plan_limit *)plan->limits.at + i;
		fprintf(out, "  limit ");
		if (limit->stat != PLAN_EACH)
			fprintf(out, "%s of ", plan_stat_names[limit->stat]);
		fputs(limit->of, out);
		if (limit->min.given) {
			fputs(" at least ", out);
			put_value(&limit->min, out);
		}
		if (limit->max.given) {
			fputs(" at most ", out);
			put_value(&limit->max, out);
		}
		if (limit->margin.given) {
			fputs(", marginal within ", out);
			put_value(&limit->margin, out);
		}
		fputc('\n', out);
	}
}

static void put_boards(const struct plan_test *test, const struct bench *bench, FILE *out)
{
	uint32_t boards[BENCH_BOARDS_MAX];
	uint32_t n = plan_boards(&test->selector, bench, boards);

	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "", bench_board_at(bench, boards[i])->name);
}

void plan_describe(const struct plan *plan, const struct bench *bench, const char *const *tags,
		   size_t n_tags, FILE *out)
{

	fprintf(out, "plan %s on bench %s, %zu board%s\n", plan->name, bench->name,
		bench->boards.count, bench->boards.count == 1 ? "" : "s");
	put_limits(plan, out);
	if (plan->setup.count > 0)
		fputs("  set-up, each board:\n", out);
	put_steps(plan, &plan->setup, 4, out);
	for (size_t i = 0; i < plan->tests.count; i++) {
		const struct plan_test *test = plan_test_at(plan, i);
		if (!plan_test_wanted(test, tags, n_tags)) {
			fprintf(out, "  test %s: left out by --tags\n", test->name);
			continue;
		}
		fprintf(out, "  test %s: ", test->name);
		put_boards(test, bench, out);
		fprintf(out, "%s", test->parallel ? ", all at the same time" : ", one by one");
		if (test->repeat > 1)
			fprintf(out, ", %" PRId64 " times", test->repeat);
		if (test->stop || plan->stop_on_fail)
			fputs(", its failure ends the run", out);
		fputc('\n', out);
		put_steps(plan, &test->steps, 4, out);
		if (test->teardown.count > 0)
			fputs("    in any case:\n", out);
		put_steps(plan, &test->teardown, 6, out);
	}
	if (plan->teardown.count > 0)
		fputs("  teardown, each board, in any case:\n", out);
	put_steps(plan, &plan->teardown, 4, out);
}

#include "emulator/cli/app.h"

#include <stdio.h>

static bool fail(struct app_verdict *verdict, enum exit_code code)
{
	verdict->code = code;
	verdict->word = code == EXIT_ENVIRONMENT ? "ERROR" : "FAIL";
	return false;
}

#define FAIL(...)                                                                                  \
	(snprintf(verdict->why, sizeof(verdict->why), __VA_ARGS__), fail(verdict, EXIT_TEST_FAILED))

/* A scenario that says what must hold is judged by that alone: it breaks things on purpose. */
static bool judge_expectations(const struct expect *expect, struct app_verdict *verdict)
{
	uint32_t count = expect_count(expect), failed = 0, errors = 0;
	const struct verdict *first = NULL;

	for (uint32_t i = 0; i < count; i++) {
		const struct verdict *v = expect_verdict(expect, i);
		failed += v->outcome == VERDICT_FAIL;
		errors += v->outcome == VERDICT_ERROR;
		if (v->outcome != VERDICT_PASS &&
		    (first == NULL ||
		     (first->outcome == VERDICT_FAIL && v->outcome == VERDICT_ERROR)))
			first = v;
	}
	if (first == NULL)
		return true;
	snprintf(verdict->why, sizeof(verdict->why), "%u of %u expectations not met: %.80s",
		 failed + errors, count, first->name);
	return fail(verdict, errors > 0 ? EXIT_ENVIRONMENT : EXIT_TEST_FAILED);
}

static bool judge_rounds(const struct app *app, struct app_verdict *verdict)
{
	const struct master_totals *totals = master_totals(app->master);
	const struct master_config *config = &app->config.master;

	if (rounds_short_of(app->rounds) >= 0)
		return FAIL("%lld of %lld targets had registered in time",
			    (long long)rounds_short_of(app->rounds),
			    (long long)config->wait.targets);
	if (totals->lost + totals->failed > 0)
		return FAIL("%llu commands lost, %llu failed", (unsigned long long)totals->lost,
			    (unsigned long long)totals->failed);
	if ((app->end == APP_TIME_UP || app->end == APP_SIGNAL) && config->rounds.count > 0 &&
	    config->repeat > 0 && !rounds_finished(app->rounds))
		return FAIL("%s before the rounds were done",
			    app->end == APP_SIGNAL ? "it was stopped" : "the time was up");
	if (rounds_unsent(app->rounds) > 0)
		return FAIL("%llu sendings found no target",
			    (unsigned long long)rounds_unsent(app->rounds));
	return true;
}

static bool judge_fleet(const struct app *app, struct app_verdict *verdict)
{
	const struct target_totals *totals = &app->fleet->env.totals;

	if (totals->by_state[TARGET_GONE] > 0)
		return FAIL("%llu targets are gone",
			    (unsigned long long)totals->by_state[TARGET_GONE]);
	if (totals->registrations == 0 && totals->registered == 0)
		return FAIL("no target was ever registered");
	return true;
}

void app_judge(const struct app *app, struct app_verdict *verdict)
{
	*verdict = (struct app_verdict){ .code = EXIT_AS_ASKED, .word = "PASS" };
	if (app->timeline != NULL && timeline_dropped(app->timeline) > 0 && app->expect == NULL) {
		(void)FAIL("%llu actions of the timeline found no room or no target",
			   (unsigned long long)timeline_dropped(app->timeline));
		return;
	}
	if (app->expect != NULL) {
		judge_expectations(app->expect, verdict);
		return;
	}
	if (app->master != NULL && !judge_rounds(app, verdict))
		return;
	if (app->fleet != NULL)
		judge_fleet(app, verdict);
}

#include "emulator/scenario/timeline.h"

#include <stdio.h>
#include <stdlib.h>

/* The expanded timeline, for `quintain-emu check`. */

#define LINES_MAX 200

static void describe_action(const struct step_config *step, FILE *out)
{
	char text[256], time[32];

	fprintf(out, "%-9s", step_action_name((enum step_action)step->action));
	switch ((enum step_action)step->action) {
	case STEP_COMMAND:
		fprintf(out, " %s", range_word_name(step->command_type));
		if (step->command_type == RANGE_ACTIVATE)
			fprintf(out, " for %s s", step->duration_text);
		break;
	case STEP_FAULT:
		fprintf(out, " %s", fault_spec_text(&step->fault, text, sizeof(text)));
		break;
	case STEP_CLEAR:
		fprintf(out, " %s",
			step->has_fault ? fault_name((enum fault_kind)step->fault.kind)
					: "every fault");
		break;
	case STEP_RATE:
		fprintf(out, " %s, %g to %g a second for %s", range_word_name(step->command_type),
			step->rate.per_s,
			step->rate.shape == RATE_STEADY ? step->rate.per_s : step->rate.to_per_s,
			units_duration_text(step->for_ns, time, sizeof(time)));
		break;
	case STEP_PAUSE:
		fprintf(out, " for %s", units_duration_text(step->for_ns, time, sizeof(time)));
		break;
	case STEP_LOG:
	case STEP_SNAPSHOT: fprintf(out, " \"%s\"", step->text); break;
	default: break;
	}
	if (step->action < STEP_PAUSE)
		fprintf(out, " on %s", step->targets);
	if (step->over_ns > 0)
		fprintf(out, ", spread over %s",
			units_duration_text(step->over_ns, time, sizeof(time)));
	fputc('\n', out);
}

struct moment {
	int64_t at_ns;
	size_t step;
};

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->step < y->step ? -1 : x->step > y->step;
}

static size_t expand(const struct step_config *step, size_t number, int64_t end_ns,
		     struct moment *moments, size_t count)
{
	if (step->has_at) {
		if (count < LINES_MAX)
			moments[count] = (struct moment){ step->at_ns, number };
		return count + 1;
	}
	int64_t last = step->has_until ? step->until_ns : end_ns;
	int64_t n = 0;
	for (int64_t t = step->from_ns; t <= last && (step->times == 0 || n < step->times);
	     t += step->every_ns, n++, count++) {
		if (count < LINES_MAX)
			moments[count] = (struct moment){ t, number };
		else if (last == INT64_MAX)
			return count + 1; /* for ever */
	}
	return count;
}

void timeline_describe(const struct setting_list *steps, int64_t duration_ns, FILE *out)
{
	const struct step_config *all = steps->at;
	struct moment *moments = calloc(LINES_MAX, sizeof(*moments));
	char text[32];
	size_t count = 0;

	if (moments == NULL || steps->count == 0) {
		free(moments);
		return;
	}
	fprintf(out, "timeline: %zu steps\n", steps->count);
	for (size_t i = 0; i < steps->count; i++)
		if (!all[i].has_after)
			count = expand(&all[i], i, duration_ns > 0 ? duration_ns : INT64_MAX,
				       moments, count);
	size_t shown = count < LINES_MAX ? count : LINES_MAX;
	qsort(moments, shown, sizeof(*moments), by_time);
	for (size_t i = 0; i < shown; i++) {
		fprintf(out, "  %10s%s  ",
			units_duration_text(moments[i].at_ns, text, sizeof(text)),
			all[moments[i].step].jitter.a > 0 || all[moments[i].step].jitter.b > 0
				? "+"
				: " ");
		describe_action(&all[moments[i].step], out);
	}
	if (count > shown)
		fprintf(out, "  ... and more (%d lines are shown)\n", LINES_MAX);
	for (size_t i = 0; i < steps->count; i++)
		if (all[i].has_after) {
			fprintf(out, "  after \"%s\"", all[i].after);
			if (all[i].wait_ns > 0)
				fprintf(out, " and %s",
					units_duration_text(all[i].wait_ns, text, sizeof(text)));
			fputs(": ", out);
			describe_action(&all[i], out);
		}
	free(moments);
}

#include "hil/measure/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void step_begin(struct step_room *room, int board, const char *plan_path, const char *name,
		uint32_t repeat, uint32_t attempt, int64_t now_ns)
{
	struct step_result *step = &room->step;

	*step = (struct step_result){ .board = board,
				      .repeat = repeat,
				      .attempt = attempt,
				      .begin_ns = now_ns,
				      .end_ns = now_ns,
				      .measurements = room->measurements };
	snprintf(step->plan_path, sizeof(step->plan_path), "%s", plan_path);
	snprintf(step->name, sizeof(step->name), "%s", name);
}

void step_verdict(struct step_room *room, enum verdict verdict, const char *why, ...)
{
	struct step_result *step = &room->step;
	va_list args;

	if (verdict <= step->verdict)
		return;
	step->verdict = verdict;
	va_start(args, why);
	vsnprintf(step->why, sizeof(step->why), why, args);
	va_end(args);
}

static struct measurement *next(struct step_room *room, const char *name)
{
	struct step_result *step = &room->step;

	if (step->measurement_count == STEP_MEASUREMENTS_MAX) {
		step->measurements_left_out++;
		step_verdict(room, VERDICT_ERROR, "more than %d measurements in a step",
			     STEP_MEASUREMENTS_MAX);
		return NULL;
	}
	struct measurement *measurement = &room->measurements[step->measurement_count];
	memset(measurement, 0, sizeof(*measurement));
	measurement->hops = room->hops[step->measurement_count++];
	snprintf(measurement->name, sizeof(measurement->name), "%s", name);
	return measurement;
}

static void judge(struct step_room *room, struct measurement *measurement,
		  const struct limit *limit)
{
	if (limit != NULL)
		measurement->limit = *limit;
	struct judged (*how)(enum value_unit, int64_t, const struct uncertainty *, unsigned,
			     const struct limit *) = measurement->missing ? verdict_judge_missing
									  : verdict_judge;
	measurement->judged = how(measurement->unit, measurement->value, &measurement->u,
				  measurement->suspect, &measurement->limit);
	step_verdict(room, measurement->judged.verdict, "%.60s%s%s", measurement->name,
		     measurement->judged.why[0] != '\0' ? ": " : "", measurement->judged.why);
	/* A step that is well has nothing to explain. */
	if (room->step.verdict <= VERDICT_PASS)
		room->step.why[0] = '\0';
}

const struct measurement *step_measure_chain(struct step_room *room, const char *name,
					     const struct chain *chain, enum point from,
					     enum point to, int64_t waited_until_ns,
					     const struct limit *limit)
{
	struct measurement *measurement = next(room, name);
	struct chain until = *chain;
	struct hop hop;

	if (measurement == NULL)
		return NULL;
	measurement->unit = UNIT_NS;
	measurement->of_chain = true;
	measurement->from = from;
	measurement->to = to;
	measurement->hop_count = chain_hops(chain, measurement->hops, CHAIN_HOPS_MAX);
	if (!until.at[to].known) {
		measurement->missing = true;
		until.at[to] = stamp_exact(waited_until_ns);
	}
	if (!chain_between(&until, from, to, &hop)) {
		/* Not even the beginning was seen: nothing about the board can be said. */
		step_verdict(room, VERDICT_ERROR, "%.60s: no \"%s\" was seen to measure from",
			     measurement->name, point_text(from));
		measurement->judged.verdict = VERDICT_ERROR;
		snprintf(measurement->judged.why, sizeof(measurement->judged.why),
			 "no \"%s\" was seen to measure from", point_text(from));
		return measurement;
	}
	measurement->value = hop.value_ns;
	measurement->u = hop.u;
	measurement->suspect = hop.suspect;
	judge(room, measurement, limit);
	return measurement;
}

const struct measurement *step_measure(struct step_room *room, const char *name,
				       enum value_unit unit, int64_t value,
				       const struct uncertainty *u, unsigned suspect,
				       const struct limit *limit)
{
	struct measurement *measurement = next(room, name);

	if (measurement == NULL)
		return NULL;
	measurement->unit = unit;
	measurement->value = value;
	measurement->suspect = suspect;
	if (u != NULL)
		measurement->u = *u;
	judge(room, measurement, limit);
	return measurement;
}

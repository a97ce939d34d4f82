#include "hil/plan/run_parts.h"

#include <stdio.h>
#include <string.h>

/* A chain becomes measurements, each under the name that a plan's limits know. */

struct wanted {
	const char *what;
	enum point from, to;
};

static void measure(struct lane *lane, const char *command, const struct chain *chain,
		    const struct wanted *wanted, int64_t until_ns)
{
	struct limit space;
	char name[64];

	/* Without a beginning there is no value. One without an end is on record, and the step has
	 * failed with the reason: no limit says more. */
	if (!chain->at[wanted->from].known)
		return;
	snprintf(name, sizeof(name), "%s.%s", command, wanted->what);
	step_measure_chain(&lane->room, name, chain, wanted->from, wanted->to, until_ns,
			   chain->at[wanted->to].known ? lane_limit(lane, name, &space) : NULL);
}

static const char *command_name(enum range_word type)
{
	return range_word_name(type);
}

static void measure_end(struct lane *lane, const char *command)
{
	const struct station *station = lane->station;
	const struct motion *motion = &station->motion;
	struct uncertainty u = { .half_ns = { 0 } };
	struct limit space;
	char name[64];

	if (motion->done) {
		const struct servo_params *params = &station->servo.params;
		/* Each of a pulse's two stamps may be off. */
		u.half_ns[U_KERNEL] =
			(int64_t)(2 * 1000 * (double)params->stamp_u_ns / params->degree_ns);
		snprintf(name, sizeof(name), "%s.angle", command);
		step_measure(&lane->room, name, UNIT_MDEG,
			     (int64_t)(servo_angle(params, motion->width_ns) * 1000), &u, 0,
			     lane_limit(lane, name, &space));
	}
	if (motion->reached) {
		snprintf(name, sizeof(name), "%s.bounces", command);
		step_measure(&lane->room, name, UNIT_COUNT, motion->bounces, NULL, 0,
			     lane_limit(lane, name, &space));
	}
}

/* What was asked of the step decides what is missing when it did not come. */
void measure_command(struct lane *lane)
{
	const struct station *station = lane->station;
	const struct motion *motion = &station->motion;
	const char *command = command_name(motion->type);
	int until = lane->step->until;
	bool looks = motion->type != RANGE_PING && until != PLAN_UNTIL_ANSWER &&
		     !motion->there_before;
	enum point from = motion->foreign ? POINT_FORWARD_OUT : POINT_SENT;
	enum bench_role role = motion->type == RANGE_LAY_DOWN ? BENCH_DOWN : BENCH_UP;
	int64_t until_ns = lane->run->loop.now_ns;
	struct chain chain = motion->chain;
	struct hop back;
	struct limit space;

	if (lane->matched)
		chain_set(&chain, POINT_CONSOLE, lane->console);
	if (motion->foreign)
		step_measure_chain(&lane->room, "proxy.forward", &chain, POINT_FORWARD_IN,
				   POINT_FORWARD_OUT, until_ns,
				   lane_limit(lane, "proxy.forward", &space));
	else
		measure(lane, command, &chain, &(struct wanted){ "sent", POINT_DUE, POINT_SENT },
			until_ns);
	measure(lane, command, &chain, &(struct wanted){ "answer", from, POINT_ANSWER }, until_ns);
	if (motion->foreign && motion->back.known && chain.at[POINT_ANSWER].known) {
		struct chain way = { 0 };
		chain_set(&way, POINT_FORWARD_IN, chain.at[POINT_ANSWER]);
		chain_set(&way, POINT_FORWARD_OUT, motion->back);
		if (chain_between(&way, POINT_FORWARD_IN, POINT_FORWARD_OUT, &back))
			step_measure_chain(&lane->room, "proxy.back", &way, POINT_FORWARD_IN,
					   POINT_FORWARD_OUT, until_ns,
					   lane_limit(lane, "proxy.back", &space));
	}
	if (looks && station->servo_watched) {
		measure(lane, command, &chain, &(struct wanted){ "servo", from, POINT_SERVO_FRAME },
			until_ns);
		measure(lane, command, &chain, &(struct wanted){ "done", from, POINT_SERVO_DONE },
			until_ns);
	}
	if (looks && station_has(station, role))
		measure(lane, command, &chain, &(struct wanted){ "switch", from, POINT_SWITCH },
			until_ns);
	/* Without a beginning there is nothing to judge; that it is missing is judged above. */
	if (looks && chain.at[POINT_SERVO_FRAME].known && station_has(station, role))
		measure(lane, command, &chain,
			&(struct wanted){ "travel", POINT_SERVO_FRAME, POINT_SWITCH }, until_ns);
	if (lane->step->console[0] != '\0')
		measure(lane, command, &chain, &(struct wanted){ "console", from, POINT_CONSOLE },
			until_ns);
	measure_end(lane, command);
	if (motion->type == RANGE_ACTIVATE && until == PLAN_UNTIL_DONE && station->servo_watched) {
		struct chain whole = { 0 };
		chain_set(&whole, POINT_SENT, chain.at[from]);
		chain_set(&whole, POINT_SERVO_DOWN, motion->fall.at[POINT_SERVO_DOWN]);
		measure(lane, "activate", &whole,
			&(struct wanted){ "fall", POINT_SENT, POINT_SERVO_DOWN }, until_ns);
	}
}

void measure_hit(struct lane *lane)
{
	const struct station *station = lane->station;
	struct chain chain = station->motion.fall;
	int64_t until_ns = lane->run->loop.now_ns;

	if (lane->matched)
		chain_set(&chain, POINT_RESULT, lane->console);
	if (station->servo_watched)
		measure(lane, "hit", &chain,
			&(struct wanted){ "servo", POINT_HIT, POINT_SERVO_DOWN }, until_ns);
	if (station_has(station, BENCH_DOWN))
		measure(lane, "hit", &chain, &(struct wanted){ "switch", POINT_HIT, POINT_SWITCH },
			until_ns);
	if (lane->step->console[0] != '\0')
		measure(lane, "hit", &chain, &(struct wanted){ "result", POINT_HIT, POINT_RESULT },
			until_ns);
}

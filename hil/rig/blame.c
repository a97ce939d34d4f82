#include "hil/rig/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was seen of a command, and so what is to blame: for a person who stands at the bench. */

/* Another board moved while this one did not: wires between the two are crossed. */
static const struct station *mover(const struct station *station)
{
	const struct rig *rig = station->rig;

	for (unsigned i = 0; i < rig->count; i++) {
		const struct station *other = &rig->stations[i];
		if (other != station && other->servo_watched && other->servo.known &&
		    other->servo.changed_ns > station->motion.chain.at[POINT_DUE].ns &&
		    other->servo.changed_ns > other->free_ns + NS_PER_S)
			return other;
	}
	return NULL;
}

static size_t put(char *buf, size_t cap, size_t at, const char *text)
{
	int n = at < cap ? snprintf(buf + at, cap - at, "%s", text) : 0;

	return at + (size_t)n;
}

static size_t blame_answer(const struct station *station, char *buf, size_t cap)
{
	const struct motion *motion = &station->motion;
	const char *name = station->config->name;
	struct hop hop;
	char text[400];

	if (!motion->ended)
		snprintf(text, sizeof(text), "%s has not answered", name);
	else if (motion->outcome == MASTER_LOST)
		snprintf(text, sizeof(text), "%s did not answer: %.100s", name, motion->why);
	else if (motion->outcome == MASTER_FAILED && motion->answer_units > 0)
		snprintf(text, sizeof(text), "%s answered wrongly (%.60s%s): %.70s", name,
			 motion->why,
			 !motion->answer_whole      ? ", cut off"
			 : motion->answer_lines > 1 ? ", more than one line"
						    : "",
			 motion->answer);
	else if (motion->outcome == MASTER_FAILED)
		snprintf(text, sizeof(text), "%s could not be spoken to: %.100s%s", name,
			 motion->why,
			 strstr(motion->why, "refused") != NULL
				 ? ": its program has ended, or does not listen yet"
				 : "");
	else if (chain_between(&motion->chain, motion->foreign ? POINT_FORWARD_OUT : POINT_SENT,
			       POINT_ANSWER, &hop))
		snprintf(text, sizeof(text), "%s answered after %.1f ms", name,
			 (double)hop.value_ns / 1e6);
	else
		snprintf(text, sizeof(text), "%s answered", name);
	return put(buf, cap, 0, text);
}

static void blame_still(const struct station *station, char *text, size_t cap)
{
	const struct bench_servo *servo = &station->rig->bench->servo;
	const struct station *other = mover(station);
	char width[48];

	if (!station->servo.known)
		snprintf(text, cap, "no pulse at all on its servo line: servo pin, wire, or PWM");
	else if (other != NULL)
		snprintf(text, cap,
			 "its servo did not move, but that of %s did: are their servo lines "
			 "crossed?",
			 other->config->name);
	else
		snprintf(text, cap, "its servo did not move: it is still at %s",
			 width_text(servo, station->servo.width_ns, width, sizeof(width)));
}

static void blame_unfinished(const struct station *station, char *text, size_t cap)
{
	const struct bench_servo *servo = &station->rig->bench->servo;
	const struct motion *motion = &station->motion;
	char low[48], high[48], should[48];
	int64_t wanted = motion->type == RANGE_LAY_DOWN ? servo->down_ns : servo->up_ns;

	if (motion->width_max_ns - motion->width_min_ns < 400 * NS_PER_US &&
	    llabs((long long)(motion->width_ns - wanted)) < 400 * NS_PER_US)
		snprintf(text, cap, "its servo does not come to rest: from %s to %s",
			 width_text(servo, motion->width_min_ns, low, sizeof(low)),
			 width_text(servo, motion->width_max_ns, high, sizeof(high)));
	else
		snprintf(text, cap, "its servo stopped at %s instead of %s",
			 width_text(servo, motion->width_ns, low, sizeof(low)),
			 width_text(servo, wanted, should, sizeof(should)));
}

static const char *level_text(const struct station *station, enum bench_role role)
{
	const struct station_line *line = &station->lines[role];

	if (line->line.handle == NULL)
		return "not wired";
	return line->contact.level ? "closed" : "open";
}

static void blame_switch(const struct station *station, char *text, size_t cap)
{
	bool down = station->motion.type == RANGE_LAY_DOWN;
	const struct station_line *right = &station->lines[down ? BENCH_DOWN : BENCH_UP];
	const struct station_line *wrong = &station->lines[down ? BENCH_UP : BENCH_DOWN];
	bool opposite = wrong->line.handle != NULL && wrong->contact.level;

	if (right->contact.level) {
		snprintf(text, cap,
			 "its servo went there, but switch %s was closed before: it was there "
			 "already, or the switch is stuck",
			 down ? "down" : "up");
		return;
	}
	snprintf(text, cap,
		 "its servo went there, but switch %s never closed (up is %s, down is %s): %s",
		 down ? "down" : "up", level_text(station, BENCH_UP),
		 level_text(station, BENCH_DOWN),
		 opposite && station->motion.switch_changes > 0 ? "the two switches are swapped"
		 : opposite                                     ? "it did not move with its servo"
			    : "it stopped half way, or the switch is broken");
}

static void blame_movement(const struct station *station, char *text, size_t cap)
{
	const struct motion *motion = &station->motion;
	enum bench_role role = motion->type == RANGE_LAY_DOWN ? BENCH_DOWN : BENCH_UP;

	if (station->servo_watched && !motion->moved && !motion->there_before)
		blame_still(station, text, cap);
	else if (station->servo_watched && !motion->done && !motion->there_before)
		blame_unfinished(station, text, cap);
	else if (station_has(station, role) && !motion->reached && !motion->there_before)
		blame_switch(station, text, cap);
	else if (motion->type == RANGE_ACTIVATE && !motion->falling)
		snprintf(text, cap, "it stood up and did not go down again%s",
			 motion->fall.at[POINT_HIT].known ? ": the hit was ignored" : "");
	else if (motion->type == RANGE_ACTIVATE && !motion->fallen)
		snprintf(text, cap, "its servo began to go down and did not get there");
	else if (motion->type == RANGE_ACTIVATE && !motion->lying)
		snprintf(text, cap,
			 "when its servo went down, switch down did not close (it is %s now)",
			 level_text(station, BENCH_DOWN));
	else
		snprintf(text, cap, "it moved");
}

const char *blame_motion(const struct station *station, char *buf, size_t cap)
{
	char text[400];
	size_t at = blame_answer(station, buf, cap);

	if (station->motion.type == RANGE_PING)
		return buf;
	blame_movement(station, text, sizeof(text));
	at = put(buf, cap, at,
		 station->motion.ended && station->motion.outcome == MASTER_OK ? ", but " : "; ");
	put(buf, cap, at, text);
	return buf;
}

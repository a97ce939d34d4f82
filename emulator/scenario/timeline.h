/*
 * The timeline: what happens when, to whom.
 *
 * Purpose: the steps of a config's `scenario.timeline` (docs/SCENARIOS.md): `at` a time, `every` so
 * often, or `after` an event, something is done to the targets that a selector names.
 * Units: ns since the run began. Ownership: timeline_new() reserves all it needs; config, fleet and
 * master outlive it. Errors: 0 or -errno; what is wrong in a config goes to struct settings.
 * Threads: its loop's.
 */
#ifndef TIMELINE_H
#define TIMELINE_H

#include "emulator/fleet/fleet.h"
#include "emulator/master/master.h"

enum step_action {
	STEP_SPAWN,
	STEP_RETIRE,
	STEP_COMMAND,
	STEP_HIT,
	STEP_MISS,
	STEP_FAULT,
	STEP_CLEAR,
	STEP_REBOOT,
	STEP_POWER_OFF,
	STEP_POWER_ON,
	STEP_MOVE,
	STEP_RATE,
	STEP_PAUSE,
	STEP_LOG,
	STEP_SNAPSHOT,
	STEP_MASTER_STOP,
	STEP_MASTER_START,
	STEP_ACTIONS,
};

enum rate_shape { RATE_STEADY, RATE_LINEAR, RATE_STEPS, RATE_SINE, RATE_BURST };

struct rate_config {
	int shape;
	double per_s, to_per_s;
	int64_t steps;
	int64_t period_ns;
};

struct step_config {
	int action;
	bool has_at, has_every, has_from, has_until, has_after, has_fault, has_rate, has_command;
	int64_t at_ns, every_ns, from_ns, until_ns, wait_ns, for_ns, over_ns, times, count;
	struct dist jitter;
	const char *after, *targets, *text;
	int command;
	double duration_s;
	struct fault_spec fault;
	struct rate_config rate;
	struct setting_strings addresses;
	struct setting_origin origin;

	/* Filled by timeline_config_check(). */
	struct selector selector, after_selector;
	int after_event; /* enum event_kind */
	enum range_word command_type;
	char duration_text[32];
	struct address_list list;
};
extern const struct setting_table step_table;

/* `duration_ns`: of the run, 0 where nothing bounds it. */
void timeline_config_check(struct settings *settings, struct setting_list *steps,
			   const struct fleet_config *fleet, bool has_master, int64_t duration_ns);
/* The expanded timeline, a line a step and moment. */
void timeline_describe(const struct setting_list *steps, int64_t duration_ns, FILE *out);
const char *step_action_name(enum step_action action);

struct timeline;

/* master may be NULL. */
int timeline_new(struct loop *loop, struct events *events, const struct setting_list *steps,
		 struct fleet *fleet, struct master *master, uint64_t seed, struct timeline **ret);
void timeline_start(struct timeline *timeline);
void timeline_free(struct timeline *timeline);
/* Steps done so far, and firings or commands for which there was no room. */
uint64_t timeline_done(const struct timeline *timeline);
uint64_t timeline_dropped(const struct timeline *timeline);

#endif

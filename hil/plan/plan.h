/*
 * A plan out of a config: what is done with the boards of a bench, and what is still fine.
 *
 * Purpose: tests, each a list of steps for each board that its selector names, with set-up and
 * teardown around, and limits on what is measured. plan_check() holds it against a bench before
 * anything starts, so that a plan that cannot work says so with file and line.
 * Units: nanoseconds. Ownership: what a loaded plan points to belongs to its struct settings.
 * Errors: by settings (settings.h). Threads: no state.
 * Source: docs/BENCH.md, and the reference that `quintain-hil settings` prints.
 */
#ifndef PLAN_H
#define PLAN_H

#include "hil/measure/verdict.h"
#include "hil/rig/bench.h"

#include "emulator/base/select.h"

#include <stdio.h>

#define PLAN_DEPTH_MAX 12

enum plan_action {
	PLAN_STAND_UP,
	PLAN_LAY_DOWN,
	PLAN_ACTIVATE,
	PLAN_PING,
	PLAN_AWAIT,       /* a command of the real master, through the proxy */
	PLAN_HIT,         /* a pulse on the sensor */
	PLAN_EXPECT,      /* a line's level, or a line on the console */
	PLAN_RESET,       /* until it has registered again */
	PLAN_POWER_CYCLE, /* the same */
	PLAN_WAIT,
	PLAN_EXEC, /* code on the board; ends its program */
	PLAN_SET,  /* an output, until the run ends or it is released */
	PLAN_GROUP,
	PLAN_REPEAT,
	PLAN_ACTIONS
};
extern const char *const plan_action_names[PLAN_ACTIONS + 1];

enum plan_until { PLAN_UNTIL_AUTO, PLAN_UNTIL_ANSWER, PLAN_UNTIL_MOVED, PLAN_UNTIL_DONE };
enum plan_level { PLAN_ACTIVE, PLAN_INACTIVE, PLAN_RELEASE };
enum plan_reset { PLAN_RESET_AUTO, PLAN_RESET_RUN, PLAN_RESET_SOFT, PLAN_RESET_MACHINE };
enum plan_stat { PLAN_EACH, PLAN_MEDIAN, PLAN_MEAN, PLAN_P95, PLAN_P99, PLAN_MAX, PLAN_SD };
extern const char *const plan_stat_names[];

/* "60ms", "90deg", "3". */
struct plan_value {
	bool given;
	enum value_unit unit;
	int64_t value;
};

struct plan_limit {
	struct setting_origin origin;
	const char *of; /* a measurement: "stand_up.switch" */
	struct plan_value min, max, margin;
	int stat;
	int64_t share_percent;
	bool without_frame;
	const char *boards;
	/* Filled by plan_prepare(). */
	struct selector selector;
	struct limit limit;
};

struct plan_step {
	struct setting_origin origin;
	int action;
	const char *name; /* "": its action's */
	int64_t timeout_ns;
	bool has_timeout;
	int until;
	int64_t for_ns;
	bool has_for;
	double duration_s;
	int line; /* enum bench_role + 1; 0: none */
	int level;
	const char *console, *code, *output;
	int how, command;
	int64_t times, retries;
	bool go_on, at_once;
	struct setting_list limits; /* struct plan_limit, for this step alone */
	struct setting_list steps;
	/* Filled by plan_prepare(). */
	char duration_text[32];
};

struct plan_test {
	struct setting_origin origin;
	const char *name, *boards;
	struct setting_strings tags;
	bool parallel;
	int64_t repeat;
	bool stop; /* its failure ends the run */
	struct setting_list steps, teardown;
	struct selector selector;
};

struct plan {
	struct setting_origin origin;
	bool present;
	const char *name;
	const char *bench; /* a file, relative to the plan's; "": --bench */
	bool stop_on_fail;
	int64_t timeout_ns, step_timeout_ns, register_timeout_ns;
	int64_t share_percent;
	bool commit_each; /* wait for the disk after each step */
	struct setting_list setup, teardown, tests, limits;
};

struct plan_file {
	const char *title;
	struct plan plan;
};
extern const struct setting_table plan_file_table;

/* Loads; selectors, limits and steps are checked by themselves. Always gives settings. */
struct settings *plan_load(const char *path, const char *const *overrides, size_t n_overrides,
			   struct plan_file *ret);
/* Against a bench: lines that a board lacks, selectors that pick nobody. */
void plan_check(struct settings *settings, const struct plan *plan, const struct bench *bench);
/* What will happen, for people. */
void plan_describe(const struct plan *plan, const struct bench *bench, const char *const *tags,
		   size_t n_tags, FILE *out);

static inline const struct plan_step *plan_step_at(const struct setting_list *steps, size_t i)
{
	return (const struct plan_step *)steps->at + i;
}
static inline const struct plan_test *plan_test_at(const struct plan *plan, size_t i)
{
	return (const struct plan_test *)plan->tests.at + i;
}
const char *plan_step_name(const struct plan_step *step);
/* How many steps these come to, repeats counted. */
uint64_t plan_count_steps(const struct setting_list *steps);
/* The boards that a selector picks; numbers into out[BENCH_BOARDS_MAX]. */
uint32_t plan_boards(const struct selector *selector, const struct bench *bench, uint32_t *out);
/* Does --tags name this test? No tags given: yes. */
bool plan_test_wanted(const struct plan_test *test, const char *const *tags, size_t n_tags);
/* When the step has no time of its own. */
int64_t plan_step_timeout(const struct plan *plan, const struct plan_step *step);

/* ---- measurements ---- */

struct plan_measurement {
	const char *name; /* "stand_up.servo" */
	enum value_unit unit;
	const char *help;
	bool servo; /* ends in a servo frame: without_frame may be asked */
};
extern const struct plan_measurement plan_measurements[]; /* ends with .name NULL */
const struct plan_measurement *plan_measurement(const char *name);
/* The limit for one measurement of one board: the step's own, else the plan's; NULL: none. */
const struct limit *plan_limit_for(const struct plan *plan, const struct plan_step *step,
				   const struct bench *bench, unsigned board, const char *name);

#endif

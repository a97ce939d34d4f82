/*
 * What the files of a run share; nobody else includes this.
 *
 * run.c: phases, signals, the end. lane.c: one board's way through the steps. act_*.c: what each
 * kind of step does. measured.c: a command's chain becomes measurements.
 */
#ifndef PLAN_RUN_PARTS_H
#define PLAN_RUN_PARTS_H

#include "hil/plan/run.h"
#include "hil/report/reports.h"
#include "hil/rig/rig.h"

#include <regex.h>

/* A list of steps on its way. */
struct level {
	const struct setting_list *steps;
	size_t at;
	int64_t left; /* repeats after this one */
};

enum lane_state { LANE_IDLE, LANE_STEPS, LANE_TEARDOWN };

/* A list of steps that lanes go through, with what follows in any case. */
struct section {
	const char *name;
	const struct setting_list *steps, *teardown; /* teardown may be NULL */
	int64_t repeat;
	bool parallel, stop;
};

struct run;
struct lane;

struct action {
	void (*start)(struct lane *lane);
	/* NULL: it waits for nothing. */
	void (*event)(struct lane *lane, const struct rig_event *event);
	void (*timer)(struct lane *lane); /* its own timer came */
	void (*late)(struct lane *lane);  /* the step's time is over */
	void (*end)(struct lane *lane);   /* however it ended: undo what it set */
};

struct lane {
	struct run *run;
	struct station *station;
	const struct section *section; /* NULL: idle */
	enum lane_state state;
	struct level levels[PLAN_DEPTH_MAX + 1];
	unsigned depth;
	int64_t repeat; /* of the section, from 0 */
	bool failed;    /* in this section */
	bool lost;      /* not there: nothing but teardown is tried */
	bool stopping;  /* to teardown, after this step */
	/* The step under way. */
	const struct plan_step *step; /* NULL: between steps */
	const struct action *action;
	uint32_t attempt;
	int64_t begin_ns, deadline_ns;
	struct step_room room;
	struct timer timer, deadline, next;
	uint64_t commit; /* stored steps that it waits for; 0: none */
	/* For actions. */
	unsigned stage;
	bool pulled, judged;
	regex_t regex;
	bool has_regex, matched;
	struct stamp console;
	uint64_t console_from, console_before; /* where to look for lines */
	struct stamp since;
	char said[200];
};

enum run_phase { RUN_CONNECT, RUN_SETUP, RUN_TESTS, RUN_TEARDOWN, RUN_OVER };

struct run {
	struct loop loop;
	const struct plan *plan;
	const struct bench *bench;
	const struct run_options *options;
	struct calibration calibration;
	struct record record;
	struct reports *reports;
	struct rig rig;
	struct lane *lanes;
	enum run_phase phase;
	size_t test;
	struct section section;
	uint32_t boards[BENCH_BOARDS_MAX], n_boards, next_board, active;
	bool stopping; /* no further tests */
	unsigned signals;
	int signal_fd;
	struct loop_watch signal_watch, stored_watch;
	struct timer timeout, tick;
	uint64_t steps_ended;
	char *plan_text, *bench_text;
	char versions[400];
};

/* lane.c */
void lane_init(struct run *run, struct lane *lane, struct station *station);
void lane_start(struct lane *lane, const struct section *section);
void lane_event(struct lane *lane, const struct rig_event *event);
/* Ends the step under way with that verdict; NULL why: as it stands. */
void lane_step_over(struct lane *lane);
void lane_fail(struct lane *lane, enum verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* To its teardown, now. */
void lane_abort(struct lane *lane, const char *why);
void lane_stored(struct lane *lane);
const struct limit *lane_limit(const struct lane *lane, const char *name, struct limit *space);

/* run.c */
void run_lane_over(struct run *run, struct lane *lane);
void run_stop(struct run *run, const char *why);
/* A finding becomes a step of its own. */
void run_finding(struct run *run, const struct rig_event *event);

/* run_files.c */
int run_prepare(struct run *run);
void run_discard(struct run *run);
void run_statistics(struct run *run);
/* One line on stdout: the verdict, and every step that was not well. */
void run_put_json(const struct run *run, int code);

/* act_*.c */
extern const struct action act_command, act_await, act_hit, act_expect, act_reset, act_power,
	act_wait, act_exec, act_set, act_connect;
extern const struct plan_step connect_step;
/* A regular expression for the console, from the step's begin or a line on. */
void lane_watch_console(struct lane *lane, const char *regex);
bool lane_console_event(struct lane *lane, const struct rig_event *event);

/* measured.c */
void measure_command(struct lane *lane);
void measure_hit(struct lane *lane);

#endif

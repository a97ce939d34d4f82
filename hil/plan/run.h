/*
 * A run: a plan on a bench, from taking the lines to the last report.
 *
 * Purpose: what `quintain-hil run` does after the configs are read. Every board has a lane that
 * goes through the steps; lanes run side by side or one by one; teardown follows in any case: after
 * a failure, a lost board, Ctrl-C, the end of the plan's time. A second Ctrl-C ends it at once.
 * Units: nanoseconds. Ownership: plan and bench are the caller's.
 * Errors: the exit code (hil/cli/cmd.h); what went wrong is in the reports and on stderr.
 * Threads: one, and the reports' writer.
 */
#ifndef PLAN_RUN_H
#define PLAN_RUN_H

#include "hil/gpio/gpio.h"
#include "hil/plan/plan.h"

struct run_options {
	const char *plan_path, *bench_path;
	const char *out_dir, *history_path; /* NULL: none */
	const char *const *tags;
	size_t n_tags;
	bool quiet, json, no_vcd;
	uint64_t seed;
	const struct gpio *gpio; /* NULL: this machine's */
	const char *title;
};

int run_plan(const struct plan *plan, const struct bench *bench, const struct run_options *options);

#endif

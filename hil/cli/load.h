/*
 * Plans and benches from the command line: loaded, checked against each other, their faults said.
 *
 * Purpose: run and check read the same files in the same way. --set plan.x=.. is for the plan,
 * --set bench.x=.. for the bench.
 * Ownership: loaded_release() what loaded_open() filled. Errors: an exit code, with every fault on
 * stderr. Threads: one.
 */
#ifndef HIL_CLI_LOAD_H
#define HIL_CLI_LOAD_H

#include "hil/plan/plan.h"

struct overrides {
	const char **at;
	size_t n;
};

struct loaded {
	struct plan_file plan;
	struct bench_file bench;
	struct settings *plan_settings, *bench_settings;
	char bench_path[4096];
};

/* bench_path NULL: the plan says which, beside itself. HIL_EXIT_OK, _USAGE. */
int loaded_open(const char *command, const char *plan_path, const char *bench_path,
		const struct overrides *overrides, struct loaded *ret);
/* Of a bench alone. */
int loaded_open_bench(const char *command, const char *bench_path,
		      const struct overrides *overrides, struct loaded *ret);
void loaded_release(struct loaded *loaded);

#endif

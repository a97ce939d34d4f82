#include "hil/cli/load.h"

#include "hil/cli/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Those that begin with that word, e.g. "bench". */
static size_t of_kind(const struct overrides *all, const char *kind, const char **out)
{
	size_t n = 0, len = strlen(kind);

	for (size_t i = 0; i < all->n; i++)
		if (strncmp(all->at[i], kind, len) == 0 &&
		    (all->at[i][len] == '.' || all->at[i][len] == '='))
			out[n++] = all->at[i];
	return n;
}

static int check_kinds(const char *command, const struct overrides *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (strncmp(all->at[i], "bench.", 6) != 0 && strncmp(all->at[i], "plan.", 5) != 0)
			return cmd_usage(command,
					 "--set %.80s: expected plan.SETTING=VALUE or "
					 "bench.SETTING=VALUE",
					 all->at[i]);
	return HIL_EXIT_OK;
}

static int say_errors(const char *path, const struct settings *settings)
{
	size_t n = settings_errors(settings);

	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s\n", settings_error_text(settings, i));
	if (n > 0)
		fprintf(stderr, "%s: %zu error%s\n", path, n, n == 1 ? "" : "s");
	return n > 0 ? HIL_EXIT_USAGE : HIL_EXIT_OK;
}

static int open_bench(const char *path, const struct overrides *overrides, struct loaded *ret)
{
	const char **own = calloc(overrides->n + 1, sizeof(*own));

	if (own == NULL)
		return HIL_EXIT_ENVIRONMENT;
	snprintf(ret->bench_path, sizeof(ret->bench_path), "%s", path);
	ret->bench_settings = bench_load(path, own, of_kind(overrides, "bench", own), &ret->bench);
	free(own);
	return say_errors(path, ret->bench_settings);
}

/* Beside the plan, unless it says from where. */
static void bench_beside(const char *plan_path, const char *bench, char *buf, size_t cap)
{
	const char *slash = strrchr(plan_path, '/');
	int folder = slash != NULL && bench[0] != '/' ? (int)(slash - plan_path + 1) : 0;

	snprintf(buf, cap, "%.*s%s", folder, plan_path, bench);
}

int loaded_open_bench(const char *command, const char *bench_path,
		      const struct overrides *overrides, struct loaded *ret)
{
	int rc = check_kinds(command, overrides);

	memset(ret, 0, sizeof(*ret));
	return rc != HIL_EXIT_OK ? rc : open_bench(bench_path, overrides, ret);
}

int loaded_open(const char *command, const char *plan_path, const char *bench_path,
		const struct overrides *overrides, struct loaded *ret)
{
	const char **own = calloc(overrides->n + 1, sizeof(*own));
	char beside[4096];
	int rc = check_kinds(command, overrides);

	memset(ret, 0, sizeof(*ret));
	if (own == NULL || rc != HIL_EXIT_OK) {
		free(own);
		return rc != HIL_EXIT_OK ? rc : HIL_EXIT_ENVIRONMENT;
	}
	ret->plan_settings = plan_load(plan_path, own, of_kind(overrides, "plan", own), &ret->plan);
	free(own);
	rc = say_errors(plan_path, ret->plan_settings);
	if (rc != HIL_EXIT_OK)
		return rc;
	if (bench_path == NULL && ret->plan.plan.bench[0] == '\0')
		return cmd_usage(command, "%s names no bench (plan.bench): say --bench FILE",
				 plan_path);
	if (bench_path == NULL) {
		bench_beside(plan_path, ret->plan.plan.bench, beside, sizeof(beside));
		bench_path = beside;
	}
	rc = open_bench(bench_path, overrides, ret);
	if (rc != HIL_EXIT_OK)
		return rc;
	plan_check(ret->plan_settings, &ret->plan.plan, &ret->bench.bench);
	return say_errors(plan_path, ret->plan_settings);
}

void loaded_release(struct loaded *loaded)
{
	if (loaded->plan_settings != NULL)
		settings_free(loaded->plan_settings);
	if (loaded->bench_settings != NULL)
		settings_free(loaded->bench_settings);
}

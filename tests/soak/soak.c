/*
 * The soak: random scenarios, simulated, against invariants.
 *
 *     soak [--seeds A..B] [--for TIME] [--keep DIR]
 *
 * Every seed is one process: an assertion that fails is a finding. A seed that breaks an invariant
 * leaves its config behind, and the commands to see it again. Exit: 0 none broke, 1 some did.
 */
#include "emulator/base/units.h"
#include "tests/soak/generate.h"
#include "tests/soak/invariants.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 65536

struct soak {
	uint64_t first, last;
	int64_t for_ns;
	const char *keep;
};

static int64_t real_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static bool write_config(const char *path, uint64_t seed, struct generated *about)
{
	static char text[TEXT_MAX];
	FILE *file = fopen(path, "we");

	if (file == NULL || !soak_generate(seed, text, sizeof(text), about))
		return false;
	bool ok = fputs(text, file) >= 0;
	return fclose(file) == 0 && ok;
}

/* In a process of its own. Exit code 0: all invariants held. */
static int run_seed(const char *path, const struct generated *about)
{
	static struct app app;
	const char *overrides[1] = { NULL };
	struct app_options options = {
		.config_path = path, .overrides = overrides, .quiet = true, .simulate = true
	};
	struct invariants inv;

	if (app_prepare(&app, &options) != EXIT_AS_ASKED) {
		fprintf(stderr, "the generated config was refused\n");
		return EXIT_TEST_FAILED;
	}
	if (invariants_init(&inv, &app, about->names_are_true) < 0)
		return EXIT_ENVIRONMENT;
	app_drive(&app);
	invariants_check_end(&inv);
	/* Nothing may be told any more: the books are closed. */
	app.events = (struct events){ 0, NULL };
	invariants_check_leaks(&inv);
	if (inv.broken[0] != '\0')
		fprintf(stderr, "%s\n", inv.broken);
	int code = inv.broken[0] != '\0' ? EXIT_TEST_FAILED : EXIT_AS_ASKED;
	app_tear_down(&app);
	invariants_release(&inv);
	return code;
}

/* True: it held. */
static bool try_seed(const struct soak *soak, uint64_t seed)
{
	struct generated about;
	char path[512];
	int status;

	snprintf(path, sizeof(path), "%s/soak-%llu.cfg", soak->keep, (unsigned long long)seed);
	if (!write_config(path, seed, &about)) {
		fprintf(stderr, "soak: %s: %s\n", path, strerror(errno));
		exit(EXIT_ENVIRONMENT);
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		exit(EXIT_ENVIRONMENT);
	if (pid == 0)
		exit(run_seed(path, &about));
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_AS_ASKED) {
		unlink(path);
		return true;
	}
	printf("seed %llu: %s; its scenario is %s\n"
	       "  again: quintain-emu run %s --simulate --out DIR\n",
	       (unsigned long long)seed,
	       WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "an invariant broke", path,
	       path);
	return false;
}

static bool parse_options(int argc, char **argv, struct soak *soak)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 's' },
						 { "for", required_argument, NULL, 'f' },
						 { "keep", required_argument, NULL, 'k' },
						 { NULL, 0, NULL, 0 } };
	unsigned long long first, last;

	for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (opt) {
		case 's':
			if (sscanf(optarg, "%llu..%llu", &first, &last) != 2 || first > last)
				return false;
			soak->first = first;
			soak->last = last;
			break;
		case 'f':
			if (!units_duration(optarg, false, &soak->for_ns))
				return false;
			break;
		case 'k': soak->keep = optarg; break;
		default: return false;
		}
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct soak soak = { .first = 1, .last = UINT64_MAX, .keep = "." };
	uint64_t tried = 0, broken = 0;

	if (!parse_options(argc, argv, &soak) || (soak.for_ns == 0 && soak.last == UINT64_MAX)) {
		fprintf(stderr, "usage: soak [--seeds A..B] [--for TIME] [--keep DIR]\n"
				"expected --seeds or --for, or both\n");
		return EXIT_USAGE;
	}
	mkdir(soak.keep, 0777);
	int64_t start = real_ns(), said = start;
	for (uint64_t seed = soak.first; seed <= soak.last; seed++) {
		int64_t now = real_ns();
		if (soak.for_ns > 0 && now - start >= soak.for_ns)
			break;
		if (now - said >= 2 * NS_PER_S) {
			said = now;
			fprintf(stderr, "%llu scenarios, %llu broke an invariant\n",
				(unsigned long long)tried, (unsigned long long)broken);
		}
		broken += !try_seed(&soak, seed);
		tried++;
	}
	printf("%llu scenarios from seed %llu on: %llu broke an invariant\n",
	       (unsigned long long)tried, (unsigned long long)soak.first,
	       (unsigned long long)broken);
	return broken > 0 ? EXIT_TEST_FAILED : EXIT_AS_ASKED;
}

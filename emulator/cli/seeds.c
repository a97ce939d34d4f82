#include "emulator/cli/app.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Many seeds of one scenario. Each runs in a process of its own: an assertion that fails under one
 * seed is a finding, not the end of the search.
 */

#define WORKERS_MAX 64
#define FAILED_SHOWN 20

struct worker {
	pid_t pid; /* 0: idle */
	int from;
	uint64_t seed;
};

struct search {
	const struct app_options *options;
	struct worker workers[WORKERS_MAX];
	uint64_t passed, failed;
	struct {
		uint64_t seed;
		struct app_verdict verdict;
	} failures[FAILED_SHOWN];
};

static void run_one(const struct app_options *options, uint64_t seed, int to)
{
	struct app_options mine = *options;
	struct app_verdict verdict;
	char set[40];

	snprintf(set, sizeof(set), "seed=%lluL", (unsigned long long)seed);
	mine.overrides[mine.n_overrides++] = set;
	mine.quiet = true;
	mine.json = false;
	app_run_quietly(&mine, &verdict);
	if (write(to, &verdict, sizeof(verdict)) != (ssize_t)sizeof(verdict))
		_exit(EXIT_ENVIRONMENT);
	_exit(EXIT_AS_ASKED);
}

static int start(struct search *search, struct worker *worker, uint64_t seed)
{
	int ends[2];

	if (pipe(ends) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		int rc = -errno;
		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	if (pid == 0) {
		close(ends[0]);
		run_one(search->options, seed, ends[1]);
	}
	close(ends[1]);
	*worker = (struct worker){ .pid = pid, .from = ends[0], .seed = seed };
	return 0;
}

static void collect(struct search *search, struct worker *worker)
{
	struct app_verdict verdict;
	ssize_t n = read(worker->from, &verdict, sizeof(verdict));
	int status = 0;

	close(worker->from);
	waitpid(worker->pid, &status, 0);
	worker->pid = 0;
	if (n != (ssize_t)sizeof(verdict)) {
		verdict = (struct app_verdict){ .code = EXIT_ENVIRONMENT };
		snprintf(verdict.why, sizeof(verdict.why), "crashed (%s)",
			 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "no verdict");
	}
	/* `word` was a pointer in another process. */
	verdict.word = verdict.code == EXIT_AS_ASKED      ? "PASS"
		       : verdict.code == EXIT_TEST_FAILED ? "FAIL"
							  : "ERROR";
	if (verdict.code == EXIT_AS_ASKED) {
		search->passed++;
		return;
	}
	if (search->failed < FAILED_SHOWN) {
		search->failures[search->failed].seed = worker->seed;
		search->failures[search->failed].verdict = verdict;
	}
	search->failed++;
	if (search->failed <= FAILED_SHOWN)
		printf("seed %llu: %s: %s\n", (unsigned long long)worker->seed, verdict.word,
		       verdict.why);
	else if (search->failed == FAILED_SHOWN + 1)
		printf("... more fail; only their numbers are shown\n");
	if (search->failed > FAILED_SHOWN)
		printf("seed %llu\n", (unsigned long long)worker->seed);
	fflush(stdout);
}

/* Waits until a worker is done and takes what it says; NULL where none is at work. */
static struct worker *wait_for_one(struct search *search, long workers)
{
	struct pollfd fds[WORKERS_MAX];
	struct worker *of[WORKERS_MAX];
	nfds_t n = 0;

	for (long i = 0; i < workers; i++)
		if (search->workers[i].pid != 0) {
			of[n] = &search->workers[i];
			fds[n++] = (struct pollfd){ search->workers[i].from, POLLIN, 0 };
		}
	if (n == 0)
		return NULL;
	while (poll(fds, n, -1) < 0 && errno == EINTR)
		;
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents != 0) {
			collect(search, of[i]);
			return of[i];
		}
	return of[0];
}

static void say_progress(const struct search *search, uint64_t total, time_t *last)
{
	time_t now = time(NULL);

	if (search->options->quiet || now < *last + 2)
		return;
	*last = now;
	fprintf(stderr, "%llu of %llu seeds, %llu failed\n",
		(unsigned long long)(search->passed + search->failed), (unsigned long long)total,
		(unsigned long long)search->failed);
}

/* The whole command: what was overridden here must be overridden there. */
static void print_again(const struct app_options *options, uint64_t seed)
{
	char text[32];

	printf("to see one again: quintain-emu run %s --simulate", options->config_path);
	for (size_t i = 0; i < options->n_overrides; i++)
		printf(" --set '%s'", options->overrides[i]);
	if (options->for_ns > 0)
		printf(" --for %s", units_duration_text(options->for_ns, text, sizeof(text)));
	printf(" --set seed=%llu --out DIR\n", (unsigned long long)seed);
}

enum exit_code seeds_run(const struct app_options *options)
{
	static struct search search;
	uint64_t total = options->seeds_last - options->seeds_first + 1;
	long workers = sysconf(_SC_NPROCESSORS_ONLN);
	time_t last = time(NULL);

	workers = workers < 1 ? 1 : workers > WORKERS_MAX ? WORKERS_MAX : workers;
	search.options = options;
	signal(SIGPIPE, SIG_IGN);
	fflush(NULL);
	uint64_t next = options->seeds_first;
	for (long i = 0; i < workers && next <= options->seeds_last; i++)
		if (start(&search, &search.workers[i], next++) < 0)
			return EXIT_ENVIRONMENT;
	for (struct worker *idle; (idle = wait_for_one(&search, workers)) != NULL;) {
		say_progress(&search, total, &last);
		if (next <= options->seeds_last && start(&search, idle, next++) < 0)
			return EXIT_ENVIRONMENT;
	}
	printf("%llu seeds: %llu passed, %llu failed\n", (unsigned long long)total,
	       (unsigned long long)search.passed, (unsigned long long)search.failed);
	if (search.failed == 0)
		return EXIT_AS_ASKED;
	print_again(options, search.failures[0].seed);
	for (uint64_t i = 0; i < search.failed && i < FAILED_SHOWN; i++)
		if (search.failures[i].verdict.code != EXIT_TEST_FAILED)
			return EXIT_ENVIRONMENT;
	return EXIT_TEST_FAILED;
}

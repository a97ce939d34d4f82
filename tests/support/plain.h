/*
 * Tests without Criterion, for the virtual bench: its address space of half a terabyte has no place
 * where Criterion (BoxFort) insists on mapping its arena, nor for AddressSanitizer's shadow.
 *
 * Purpose: cases in a table, each in a process of its own; a check that does not hold ends its
 * case. A line a case; exit code 1 when one failed, 77 when all were skipped, otherwise 0.
 * Ownership: nothing. Errors: none of its own. Threads: none.
 */
#ifndef TEST_PLAIN_H
#define TEST_PLAIN_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLAIN_SKIPPED 77

struct plain_case {
	const char *name;
	void (*run)(void);
};
#define PLAIN_CASE(name)                                                                           \
	{                                                                                          \
#name, name                                                                        \
	}

#define MUST_SAY(condition, ...)                                                                   \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition);                     \
			printf(__VA_ARGS__);                                                       \
			printf("\n");                                                              \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)
#define MUST(condition) MUST_SAY(condition, "does not hold")
#define SKIP(why)                                                                                  \
	do {                                                                                       \
		printf("%s\n", why);                                                               \
		fflush(stdout);                                                                    \
		_exit(PLAIN_SKIPPED);                                                              \
	} while (0)

/* after: tidies up in the parent, with the child's process id, whatever became of it. */
static inline int plain_main(const struct plain_case *cases, size_t count, void (*before)(void),
			     void (*after)(pid_t pid))
{
	size_t failed = 0, skipped = 0;

	for (size_t i = 0; i < count; i++) {
		int status = 0;

		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			before();
			cases[i].run();
			fflush(stdout);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			status = -1;
		after(pid);
		bool skip = WIFEXITED(status) && WEXITSTATUS(status) == PLAIN_SKIPPED;
		skipped += skip;
		failed += status != 0 && !skip;
		printf("%s %s",
		       status == 0 ? "ok     "
		       : skip      ? "skipped"
				   : "FAILED ",
		       cases[i].name);
		if (WIFSIGNALED(status))
			printf(" (%s)", strsignal(WTERMSIG(status)));
		printf("\n");
	}
	printf("%zu passed, %zu failed, %zu skipped\n", count - failed - skipped, failed, skipped);
	return failed > 0 ? 1 : skipped == count ? PLAIN_SKIPPED : 0;
}

#endif

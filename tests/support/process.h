/*
 * A child process of a test: its output is kept, and every wait has a deadline.
 *
 * Ownership: the caller stores a struct process; it is live from process_start() to process_free(),
 * which ends a child that still runs, by its pid. A child dies with its test in any case.
 * Errors: a deadline that passes, and words of a sanitizer on stderr, fail the test.
 * Units: milliseconds. Threads: the test's own.
 */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* For whatever must happen: longer than the slowest machine needs under load. */
#define PATIENCE_MS 40000

#define PROCESSES_MAX 8

/* Everything that a pipe gave so far, terminated. */
struct output {
	int fd; /* -1: it ended */
	size_t len, cap;
	char *text;
};

struct process {
	pid_t pid;
	int pidfd; /* -1: the child has ended */
	int code;  /* as a shell has it: 128 + n where signal n ended it */
	struct output out, err;
	size_t seen; /* of err, by process_hears() */
};

struct process_options {
	rlim_t fds_soft, fds_hard; /* RLIMIT_NOFILE; 0: as it is */
	int out_fd;                /* 0: a pipe to the test; else this becomes stdout */
	bool out_closed;           /* no stdout at all */
	bool no_low_ports;         /* without the right to ports below 1024, root or not */
	const char *in_path;       /* stdin; NULL: /dev/null */
};

/* argv ends with NULL; argv[0] is a path. options may be NULL. */
void process_start(struct process *process, const char *const argv[],
		   const struct process_options *options);
void process_free(struct process *process);

/* Takes what all of them (at most PROCESSES_MAX) say until something was said or one ended. False:
 * the time is up. */
bool process_pump(struct process *const all[], size_t n, int timeout_ms);

bool process_ended(const struct process *process);

#endif

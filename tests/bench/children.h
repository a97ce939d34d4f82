/*
 * The driver's child processes: started on one CPU, spoken to by lines, ended by their pids.
 *
 * Ownership: the caller stores a struct child; it is live from child_start to child_stop. Children
 * still live when the driver exits, in whatever way, are ended with it.
 * Errors: a child that dies or keeps silent ends the driver: there is nothing left to measure.
 */
#ifndef BENCH_CHILDREN_H
#define BENCH_CHILDREN_H

#include "tests/bench/common.h"

struct child {
	const char *name;
	pid_t pid;
	int in, out; /* pipes; -1: it writes to a log */
	size_t len;
	char buf[8192];
	char log[256];
};

/* SIGINT and SIGTERM end the driver and its children. */
void children_init(void);

/*
 * Starts argv[0] (NULL-terminated argv). cpu < 0: anywhere. log_path NULL: stdin and stdout are
 * pipes to the driver; else stdout and stderr go to that file, and it is named when the child
 * fails.
 */
void child_start(struct child *child, const char *name, int cpu, const char *log_path,
		 const char *const argv[]);
/* Sends one line, newline included in text. */
void child_tell(struct child *child, const char *text);
/* The next line of its stdout, without newline, valid until the next call. */
const char *child_line(struct child *child, int timeout_ms);
/* The same; NULL when none came in time. */
const char *child_try_line(struct child *child, int timeout_ms);
/* Dies if the child has ended. */
void child_check(struct child *child);
/* Waits for an end of its own. */
void child_wait(struct child *child, int timeout_ms);
/* SIGTERM, and SIGKILL 3 s later. A child that was never started is fine. */
void child_stop(struct child *child);

/* Sleeps; an interrupt ends the driver. */
void nap_ms(int ms);

#endif

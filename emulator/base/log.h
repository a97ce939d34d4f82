/*
 * The log: one logfmt line an event, into a file, never in the way.
 *
 * Purpose: `t=12.345678 event=standing target=target_3` for people and grep. Text that came from a
 * peer is escaped. A target that floods is limited to LOG_LINES_PER_S and what was left out is
 * said. Ownership: log_free() flushes and closes. Errors: log_open() 0 or -errno (a pipe that
 * nobody reads: -ENXIO). A write that fails later (a full disk, a full pipe) loses lines and counts
 * them; the first is reported on stderr, the program goes on. Threads: one.
 */
#ifndef LOG_H
#define LOG_H

#include "emulator/base/event.h"
#include "emulator/base/loop.h"

#include <stddef.h>
#include <stdint.h>

#define LOG_LINES_PER_S 100

struct log;

/* `path` must outlive it. `targets`: how many the fleet has, for the limit. */
int log_open(const char *path, struct loop *loop, size_t targets, struct log **ret);
void log_free(struct log *log);
/* To be added to the bus. */
struct event_sink *log_sink(struct log *log);
/* A line of its own: what="fleet started", and further logfmt pairs. */
void log_note(struct log *log, const char *what, const char *pairs);
void log_flush(struct log *log);
/* Lines that have not arrived; of those still buffered, after a log_flush(), none will. */
uint64_t log_lost(const struct log *log);

#endif

/*
 * One rig at a time on a bench: a lock file, and for whom one waits.
 *
 * Purpose: two runs on one bench would take each other's lines one by one and both fail. The lock
 * is flock() on a file that says who holds it; the kernel lets go of it when the holder ends,
 * however it ends.
 * Units: nanoseconds. Ownership: the descriptor is the caller's; bench_unlock() it.
 * Errors: a descriptor, or -errno and a text: -EBUSY after the wait (who holds it, since when).
 * Threads: blocks its caller. Source: flock(2).
 */
#ifndef RIG_LOCK_H
#define RIG_LOCK_H

#include "hil/rig/bench.h"

struct rig_fault;

/* waiting() (may be NULL) is told once for whom it waits. */
int bench_lock(const struct bench *bench, const char *what, void (*waiting)(const char *text),
	       struct rig_fault *fault);
void bench_unlock(int fd);
void bench_lock_path(const struct bench *bench, char *buf, size_t cap);
/* Who holds it: "run of plan-full.cfg by pid 812 (ann), since 12:03:04"; false: nobody. */
bool bench_lock_holder(const struct bench *bench, char *buf, size_t cap);

#endif

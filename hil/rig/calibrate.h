/*
 * What the bench itself adds: measured, stored with its date, and used in every U.
 *
 * Purpose: an output joined to an input gives latency, jitter, lost edges and the edge rate that
 * this machine can be trusted with; a connection to ourselves gives the time from write() to the
 * kernel's transmit stamp; the clock gives its own steps. Stored as JSON, one file a bench.
 * Units: nanoseconds. Ownership: plain values. Errors: 0 or -errno and a text.
 * Threads: blocks its caller for toggles * 5 ms and some: before the loop runs.
 */
#ifndef RIG_CALIBRATE_H
#define RIG_CALIBRATE_H

#include "hil/gpio/loopback.h"
#include "hil/measure/uncertainty.h"
#include "hil/rig/bench.h"

struct calibration_run {
	bool has_loop; /* the bench has joined lines */
	struct loopback_result loop;
	struct latency send;
	int64_t clock_ns, realtime_ns;
	int64_t wall_ns;
};

struct rig_fault;

/* gpio NULL: this machine's. */
int calibration_measure(const struct bench *bench, const struct gpio *gpio, size_t toggles,
			struct calibration_run *ret, struct rig_fault *fault);
struct calibration calibration_of(const struct calibration_run *run);
/* Whole or not at all: a new file takes the old one's place. */
int calibration_store(const char *path, const struct bench *bench,
		      const struct calibration *calibration);
/* -ENOENT; -EINVAL: it is none of ours, or another bench's. */
int calibration_load(const char *path, const struct bench *bench, struct calibration *ret);
/* The file's text: 0 or -EINVAL. */
int calibration_parse(const char *text, size_t len, const struct bench *bench,
		      struct calibration *ret);
/* Where it is kept; false: no folder is known. */
bool calibration_path(const struct bench *bench, char *buf, size_t cap);
/*
 * The one that a run uses: stored and young enough; else measured now, shortly, where the bench has
 * a loop; else a wide bound that was not measured, which `said` says.
 */
void calibration_for_run(const struct bench *bench, const struct gpio *gpio,
			 struct calibration *ret, char *said, size_t cap);

#endif

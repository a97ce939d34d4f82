/*
 * A loop for the rig's tests: run until something has happened, with a deadline.
 *
 * Purpose: the code under test, and the other end that the test plays, share one loop; nothing
 * sleeps. Ownership: bed_start(), bed_end(). Errors: a wait past PATIENCE_MS fails the test.
 */
#ifndef TEST_HIL_BED_H
#define TEST_HIL_BED_H

#include "emulator/base/loop.h"
#include "emulator/base/units.h"
#include "tests/support/process.h"
#include "tests/support/require.h"

struct hil_bed {
	struct loop loop;
	struct timer patience;
	const bool *flag;
	bool late;
};

static struct hil_bed bed;

static void bed_out_of_patience(struct timer *timer, int64_t now_ns)
{
	(void)timer;
	(void)now_ns;
	bed.late = true;
	loop_stop(&bed.loop);
}

static inline void bed_start(void)
{
	REQUIRE(loop_init(&bed.loop) == 0);
	bed.patience.fire = bed_out_of_patience;
}

/* Runs until somebody calls loop_stop(&bed.loop). False: nobody did within `ms`. */
static inline bool bed_run_for(int64_t ms)
{
	bed.late = false;
	bed.loop.stopping = false;
	loop_read_clocks(&bed.loop);
	loop_timer(&bed.loop, &bed.patience, ms * NS_PER_MS);
	REQUIRE(loop_run(&bed.loop, TIMERS_NEVER) == 0);
	timer_cancel(&bed.loop.timers, &bed.patience);
	return !bed.late;
}

static inline void bed_run(void)
{
	if (!bed_run_for(PATIENCE_MS))
		cr_assert_fail("nothing happened within %d ms", PATIENCE_MS);
}

static inline void bed_end(void)
{
	loop_release(&bed.loop);
}

#endif

/*
 * How far this machine's local time stands from UTC, for wires that write local time.
 *
 * Units: seconds east of UTC; ns since 1970. Ownership: none. Errors: UTC where nothing is known.
 * Threads: one; zones change at quarters of an hour, so that one is looked up and remembered.
 */
#ifndef LOCAL_TIME_H
#define LOCAL_TIME_H

#include "emulator/base/loop.h"

/* At the loop's wall clock. A simulated loop lives in UTC: its runs are the same everywhere. */
int32_t local_utc_offset_s(const struct loop *loop);

#endif

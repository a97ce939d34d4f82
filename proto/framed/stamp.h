/*
 * Time stamps of the wire `framed`: local time as Python's datetime.isoformat() has it, no zone.
 *
 * Units: ns since 1970 in UTC, seconds east of UTC. Errors: none. Threads: no state.
 * Source: PROTOCOL.md "framed", "Time"; ISO 8601.
 */
#ifndef QN_FRAMED_STAMP_H
#define QN_FRAMED_STAMP_H

#include "proto/fault.h"

#include <stdint.h>

#define QN_FRAMED_STAMP_MAX 26
/* A buffer that is copied whole, in a few moves: a copy of 26 bytes or 19 takes ten times as long.
 */
#define QN_FRAMED_STAMP_ROOM 32

struct qn_framed_clock {
	int64_t wall_ns;
	int32_t utc_offset_s;
};

/* "2026-11-21T15:48:36.075890"; without a fraction where that is nought, as Python leaves it out.
 * Years 0001 to 9999; others are cut to those. Returns the length, 26 or 19; no terminator. */
size_t qn_framed_stamp(const struct qn_framed_clock *clock, char out[QN_FRAMED_STAMP_MAX]);

#endif

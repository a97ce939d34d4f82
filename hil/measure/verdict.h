/*
 * Verdicts that know their uncertainty.
 *
 * Purpose: a value, its U and a limit become one of five words, and a reason that a tired person
 * understands. Limits are inclusive. In this order:
 *     ERROR         something suspect: the rig lost edges, has no calibration (struct limit,
 * accept) ERROR         U is more than the set share of the limit: this bench cannot judge it FAIL
 * all of value - U .. value + U is outside INCONCLUSIVE  a limit lies inside value - U .. value + U
 *     MARGINAL      all inside, but part of it nearer to a limit than the margin
 *     PASS          all inside, and not near
 * ERROR is the rig's fault, the others say something about the board.
 * Units: those of the value. Ownership: plain values. Errors: none. Threads: no state.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "hil/measure/uncertainty.h"

/* From good to bad: of several the worst counts. */
enum verdict {
	VERDICT_NONE, /* nothing was judged: no limit, skipped, not run */
	VERDICT_PASS,
	VERDICT_MARGINAL,
	VERDICT_INCONCLUSIVE,
	VERDICT_FAIL,
	VERDICT_ERROR,
	VERDICTS
};
/* "NONE", "PASS", ... */
const char *verdict_name(enum verdict verdict);
/* -1: no such word. */
int verdict_from_name(const char *name);
static inline enum verdict verdict_worse(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
}
/* Of a whole run: 0 for PASS, MARGINAL (and NONE: nothing was asked), 1 FAIL and INCONCLUSIVE,
 * 3 ERROR. */
int verdict_exit_code(enum verdict worst);

enum value_unit {
	UNIT_NS,
	UNIT_COUNT,
	UNIT_MDEG, /* thousandths of a degree */
	UNITS
};
/* "ns", "count", "mdeg". */
const char *unit_name(enum value_unit unit);
/* For people: "12.3 ms", "3", "90.0 deg"; ASCII. Returns buf; 32 bytes suffice. */
const char *unit_text(enum value_unit unit, int64_t value, char *buf, size_t cap);

#define LIMIT_SHARE_PERCENT 25 /* where a plan says nothing */

struct limit {
	bool has_min, has_max;
	int64_t min, max;
	int64_t margin;         /* MARGINAL nearer to a limit than this; 0: never */
	unsigned share_percent; /* U at most this much of max (of max - min where there is a min);
				   0: LIMIT_SHARE_PERCENT */
	/* false: the limit is on the pin, and waiting for a frame is part of the value (what a
	 * shooter sees). true: the limit is on the board's decision; half a frame is taken off the
	 * value and added to U. Of a hop that ends in a servo point only. */
	bool without_frame;
	unsigned accept; /* suspicions (enum suspect) that are no ERROR here */
};

struct judged {
	enum verdict verdict;
	int64_t value; /* what was compared: the frame taken off where the limit says so */
	int64_t u;
	char why[160]; /* "112.4 ms +- 1.1 ms, limit 100.0 ms: 11.3 ms late at least" */
};

/* u may be NULL: exact. */
struct judged verdict_judge(enum value_unit unit, int64_t value, const struct uncertainty *u,
			    unsigned suspect, const struct limit *limit);
/* It never came while the rig waited until `waited` (in the value's terms): FAIL where that proves
 * that the limit was missed, ERROR where the rig did not wait long enough to know. */
struct judged verdict_judge_missing(enum value_unit unit, int64_t waited,
				    const struct uncertainty *u, unsigned suspect,
				    const struct limit *limit);

#endif

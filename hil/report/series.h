/*
 * A record seen the other way: all values of one measurement of one board, and its usual chain.
 *
 * Purpose: what statistics, distributions, drift, chains and comparisons are drawn from. Values are
 * those that were judged. What never came is counted; what is not to be trusted (edges missing and
 * not accepted) is counted and in no figure.
 * Units: those of the values; at_ns since the run began. Ownership: series_free() what
 * series_new() gave; names belong to the record. Errors: -ENOMEM. Threads: no state.
 */
#ifndef SERIES_H
#define SERIES_H

#include "hil/measure/record.h"
#include "hil/measure/stats.h"

struct series_point {
	int64_t value, at_ns;
	uint32_t step;
	enum verdict verdict;
};

/* Of the hops that a measurement's chain usually has. */
struct series_hop {
	enum point from, to;
	uint64_t n;
	int64_t median_ns, max_ns;
	int64_t u_ns, frame_ns; /* the largest U without the frame, and that of the frame */
};

struct series {
	int board;
	const char *name;
	enum value_unit unit;
	struct limit limit; /* of its last measurement */
	uint64_t missing, untrusted;
	uint32_t verdicts[VERDICTS];
	bool of_chain;
	enum point from;
	int64_t u_max; /* U of the least certain that was judged */
	size_t n;
	struct series_point *points; /* in the order in which they were measured */
	struct stats stats;
	unsigned hop_count;
	struct series_hop hops[CHAIN_HOPS_MAX];
};

struct series_set {
	size_t count;
	struct series *series; /* by name, as first seen; of each name by board */
};

int series_new(const struct record *record, struct series_set *ret);
void series_free(struct series_set *set);

#endif

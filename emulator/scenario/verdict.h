/*
 * Verdicts: what an expectation came to.
 *
 * Purpose: plain values that results, summaries and exit codes are made of.
 * Units: ns since the run began. Ownership: texts are inside the struct; names belong to the
 * config. Errors: none. Threads: plain values.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include <stdint.h>

enum verdict_outcome {
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_ERROR, /* it could not be judged: no samples, the run ended before */
};
static inline const char *verdict_outcome_name(enum verdict_outcome outcome)
{
	return outcome == VERDICT_PASS ? "PASS" : outcome == VERDICT_FAIL ? "FAIL" : "ERROR";
}

#define VERDICT_TARGETS_MAX 10

struct verdict {
	const char *name; /* of the expectation */
	const char *that; /* its condition as written */
	const char *mode; /* "at the end", "within 30s", "throughout" ... */
	enum verdict_outcome outcome;
	char seen[200];         /* "latency(ping, p99) was 81.3ms" */
	int64_t at_ns;          /* when it was decided */
	uint32_t targets_total; /* concerned by a FAIL */
	uint32_t targets_count; /* of those below */
	char targets[VERDICT_TARGETS_MAX][64];
	const char *file; /* where it stands in the config */
	unsigned line;
};

#endif

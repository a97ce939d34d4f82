/*
 * Who hears all that happens: decodes it, prints it, records it, counts it.
 *
 * Purpose: the same behind the proxy and behind a file that is read.
 * Units: ns. Ownership: files and stream are the caller's and outlive it.
 * Errors: out_file.h keeps those of the files. Connections past the limit go undecoded, and are
 * counted in `unseen`. Threads: one.
 */
#ifndef SNIFF_WITNESS_H
#define SNIFF_WITNESS_H

#include "emulator/base/hist.h"
#include "emulator/sniff/out_file.h"
#include "emulator/sniff/dialog.h"

#include <stdio.h>

struct witness_options {
	enum dialog_wire wire;
	FILE *out; /* a line a message; NULL: none */
	bool colour;
	bool connections;                     /* a line for every beginning and end too */
	struct out_file *recording, *capture; /* NULL: none */
	int64_t wall_ns;                      /* of t_ns 0 */
	size_t conns_max;
};

struct witness_counts {
	uint64_t conns, refused, resets, units, bytes, messages, malformed, faults, lost, unseen;
};

struct witness;

int witness_new(const struct witness_options *options, struct witness **ret);
void witness_free(struct witness *witness);
/* A happened_fn. */
void witness_happened(void *owner, const struct happened *happened);
/* No more comes: what is still open ends here. */
void witness_end(struct witness *witness, int64_t t_ns);
/* Of a file that says when it began only after its first line. */
void witness_set_wall(struct witness *witness, int64_t wall_ns);
const struct witness_counts *witness_counts(const struct witness *witness);
/* From question to answer. */
const struct hist *witness_latency(const struct witness *witness);
/* Counts and latencies in a few lines. */
void witness_summary(const struct witness *witness, int64_t took_ns, FILE *out);

#endif

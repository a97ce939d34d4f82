/*
 * Recordings: what happened on connections, a JSON object a line (fixtures/README.md).
 *
 * Purpose: written by the proxy, read by `decode` and by tests that replay them.
 * Ownership: the caller's. Errors: writing, as out_file.h; reading by a line's number and why.
 * Threads: one.
 */
#ifndef SNIFF_RECORDING_H
#define SNIFF_RECORDING_H

#include "emulator/sniff/happened.h"
#include "emulator/sniff/out_file.h"

#include <stdbool.h>

void recording_begin(struct out_file *out, const char *meta, int64_t wall_ns);
/* route: of the connection; targets: whom `dir` names. */
void recording_put(struct out_file *out, const struct happened *happened, const char *route,
		   bool targets);

struct recording_fault {
	size_t line;
	const char *why;
};

/*
 * Tells all of a recording's text. False: a line is none, and where; what stood before it has been
 * told. *ret_wall_ns: when it began, 0 where the recording does not say.
 */
bool recording_read(const char *text, size_t len, happened_fn *happened, void *owner,
		    int64_t *ret_wall_ns, struct recording_fault *fault);

#endif

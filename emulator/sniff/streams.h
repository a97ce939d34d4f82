/*
 * TCP out of packets: segments in, connections and their bytes in order out.
 *
 * Purpose: what a capture holds, told in the words of happened.h. Retransmissions and overlaps are
 * dropped (what came first counts), what came out of order waits, what is not in the capture is
 * told as lost once it cannot come any more. A capture that begins in the middle of a connection is
 * taken from there: the side with a known port, or the lower one, is the server.
 * Units: ns since the first packet. Ownership: segments' bytes stay with the caller until
 * streams_free(). Errors: -ENOMEM; more connections or segments at once than there is room for are
 * counted in `ignored`. Threads: one.
 * Source: RFC 9293, 3.4 (sequence numbers), 3.10.
 */
#ifndef SNIFF_STREAMS_H
#define SNIFF_STREAMS_H

#include "emulator/sniff/capture.h"
#include "emulator/sniff/happened.h"

struct streams;

int streams_new(happened_fn *happened, void *owner, struct streams **ret);
void streams_free(struct streams *streams);
void streams_segment(struct streams *streams, const struct segment *segment, int64_t t_ns);
/* The capture ends: what still waits for a hole is told behind it. */
void streams_end(struct streams *streams, int64_t t_ns);
uint64_t streams_ignored(const struct streams *streams);

#endif

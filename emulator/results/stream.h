/*
 * The stream of events.jsonl: from the bus into a file, never in the way.
 *
 * Purpose: in real time an event is copied into a ring and a thread of its own formats and writes
 * it; in a simulated run the same bytes are made in place. A full ring drops and counts. A file
 * that takes no more (a full disk) loses whole lines, never halves; that is said once on stderr,
 * counted, and tried again with what follows.
 * Units: ns. Ownership: the stream owns the descriptor (opened with O_APPEND) and closes it. Names
 * of events are not copied: they must stay until stream_finish() or stream_free() is back.
 * Errors: stream_open() 0 or -errno, the descriptor then stays the caller's.
 * Threads: all calls from the loop's.
 */
#ifndef STREAM_H
#define STREAM_H

#include "emulator/base/event.h"

#include <stdbool.h>

#define STREAM_QUEUE_BYTES (16u << 20)

struct stream;

int stream_open(int fd, size_t queue_bytes, bool in_place, struct stream **ret);
/* To be added to the bus. */
struct event_sink *stream_sink(struct stream *stream);
/* Times in the file count from here. */
void stream_start(struct stream *stream, int64_t now_ns);
/* Writes out all that is queued, ends the thread, says in a last line how many were dropped, closes
 * the file. Events that come later are ignored. */
void stream_finish(struct stream *stream, int64_t now_ns);
/* Not in the file: because the queue was full, or the disk. */
uint64_t stream_dropped(const struct stream *stream);
/* Events in the file so far. */
uint64_t stream_written(const struct stream *stream);
void stream_free(struct stream *stream);

#endif

/*
 * The thread that puts finished steps into the history.
 *
 * Purpose: a commit waits for the disk, up to seconds on a bad one; the loop that measures does
 * not. Steps are copied into a bounded queue and committed one by one, in order. Only when the
 * queue is full does writer_put() wait. Ownership: the history is the caller's, and the thread's
 * alone from writer_new() to writer_stop(). Errors: writer_new() 0 or -errno. A step that cannot be
 * stored is counted, and what the history said of the first one is kept. Threads: all calls from
 * the loop's.
 */
#ifndef HISTORY_WRITER_H
#define HISTORY_WRITER_H

#include "hil/report/history.h"

#define WRITER_QUEUE_STEPS 64

struct writer;

int writer_new(struct history *history, struct writer **ret);
void writer_put(struct writer *writer, const struct step_result *step,
		const struct excerpt *excerpt);
/* Steps on the disk; an eventfd that becomes readable when they grow. */
uint64_t writer_stored(const struct writer *writer);
int writer_fd(const struct writer *writer);
/* Steps that could not be stored; *text (cap bytes) what was said of the first. */
uint64_t writer_failed(struct writer *writer, char *text, size_t cap);
/* Waits until the queue is empty, and ends the thread. */
void writer_stop(struct writer *writer);
void writer_free(struct writer *writer);

#endif

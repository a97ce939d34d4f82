/*
 * What a record keeps out of sight; nobody but record*.c includes this.
 *
 * Purpose: the arrays that steps and the timeline lie in, all reserved at the start.
 * Ownership: record_init() and record_release(). Errors: none. Threads: the record's.
 */
#ifndef RECORD_STORE_H
#define RECORD_STORE_H

#include "hil/measure/record.h"

/* On the timeline: texts lie in a ring of bytes, at `text` modulo its size. */
struct stored_event {
	int64_t t_ns, value;
	uint64_t text; /* counts all bytes that ever went in: older than text_put - size is gone */
	int16_t channel;
	uint16_t text_len;
	uint8_t kind;
};

struct record_store {
	struct record_limits limits;
	struct measurement *measurements;
	struct hop *hops;
	uint32_t measurement_count, hop_count;
	struct stored_event *events;
	uint64_t event_put; /* all that ever came; the ring holds the last limits.events of them */
	bool sorted;
	char *text;
	uint64_t text_put;
	/* Of excerpts: events and texts, reserved in one piece each. */
	struct timeline_event *excerpt_events;
	char *excerpt_text;
	size_t excerpt_text_len;
	char *texts[RECORD_TEXTS_MAX];
	unsigned text_count;
};

/* Copies the last events of the step's board, or counts that there is no room. */
void record_take_excerpt(struct record *record, const struct step_result *step, uint32_t index);

#endif

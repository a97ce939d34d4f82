/*
 * Marks: what stands beside the curves of a report.
 *
 * Purpose: faults (since when, until when, on how many targets, how often they struck), rounds of
 * the master, notes of the scenario. Everything is bounded: what finds no place is counted.
 * Units: ns since the run began. Ownership: reserved by marks_init(); texts are copied.
 * Errors: marks_init() 0 or -ENOMEM. Threads: the loop's.
 */
#ifndef MARKS_H
#define MARKS_H

#include "emulator/base/event.h"

#include <stdbool.h>

#define MARKS_NAMES_MAX 64
#define MARKS_SPANS_MAX 128
#define MARKS_ROUNDS_MAX 512
#define MARKS_NOTES_MAX 64
#define MARKS_OPEN INT64_C(-1)

#define MARKS_MASK                                                                                 \
	(EVENT_BIT(EVENT_FAULT_ON) | EVENT_BIT(EVENT_FAULT_OFF) | EVENT_BIT(EVENT_FAULT_STRUCK) |  \
	 EVENT_BIT(EVENT_M_ROUND) | EVENT_BIT(EVENT_M_ROUND_END) | EVENT_BIT(EVENT_NOTE))

/* A fault by its name, over the whole run. */
struct mark_fault {
	char name[48];
	uint32_t active; /* targets that have it now */
	uint32_t span;   /* its last one + 1 */
	uint64_t struck;
	uint64_t *affected; /* a bit a target */
};

/* From when the first target got a fault until the last one lost it. */
struct mark_span {
	uint32_t fault;
	uint32_t targets;       /* at the same time, at most */
	uint32_t times;         /* how many spans this one stands for */
	int64_t from_ns, to_ns; /* MARKS_OPEN: to the end */
};

struct mark_round {
	uint8_t type;
	int64_t from_ns, to_ns; /* MARKS_OPEN: not ended */
	int64_t targets;
};

struct mark_note {
	int64_t t_ns;
	char text[320];
};

struct marks {
	uint32_t targets;
	uint64_t *bits;
	uint32_t fault_count, span_count, round_count, note_count;
	uint64_t faults_left_out, rounds_left_out, notes_left_out;
	struct mark_fault faults[MARKS_NAMES_MAX];
	struct mark_span spans[MARKS_SPANS_MAX];
	struct mark_round rounds[MARKS_ROUNDS_MAX];
	struct mark_note notes[MARKS_NOTES_MAX];
};

int marks_init(struct marks *marks, uint32_t targets);
void marks_release(struct marks *marks);
void marks_event(struct marks *marks, const struct event *event, int64_t t_ns);

#endif

/*
 * One event as one line of JSON.
 *
 * Purpose: the format of events.jsonl, for the writer thread and for a simulated run alike. The
 * bytes depend on the record alone.
 * Units: ns since the run began. Ownership: name and text are the caller's.
 * Errors: a line that does not fit sets the writer's `full`, and nothing of it stays.
 * Threads: no state. Source of the format: docs/RESULTS.md "events.jsonl".
 */
#ifndef JSONL_H
#define JSONL_H

#include "emulator/base/event.h"
#include "proto/json/json.h"

/* Longer texts are cut; how long they were is said. */
#define JSONL_TEXT_MAX 65536
/* Of a name, in bytes. */
#define JSONL_NAME_MAX 1024
/* The longest line: every byte of both as \u00XX, and the rest. */
#define JSONL_LINE_MAX ((JSONL_TEXT_MAX + JSONL_NAME_MAX) * 6 + 512)

struct record {
	int64_t t_ns, value;
	const char *name;    /* terminated, or NULL */
	uint32_t text_len;   /* of what is kept */
	uint32_t text_total; /* before it was cut */
	uint8_t kind, type;
};

void jsonl_put(struct qn_json_writer *writer, const struct record *record, const char *text);
/* The last line of a file: it is whole, and so many events are not in it. */
void jsonl_put_end(struct qn_json_writer *writer, int64_t t_ns, uint64_t dropped);

#endif

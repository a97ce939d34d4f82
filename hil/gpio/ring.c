#include "hil/gpio/ring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int edge_ring_init(struct edge_ring *ring, size_t capacity, int64_t pulse_ns_min)
{
	if (capacity == 0 || (capacity & (capacity - 1)) != 0 || pulse_ns_min < 0)
		return -EINVAL;
	struct edge *edges = calloc(capacity, sizeof(*edges));
	if (edges == NULL)
		return -ENOMEM;
	memset(ring, 0, sizeof(*ring));
	ring->edges = edges;
	ring->capacity = capacity;
	ring->pulse_ns_min = pulse_ns_min;
	ring->last_ns = INT64_MIN;
	return 0;
}

void edge_ring_release(struct edge_ring *ring)
{
	free(ring->edges);
	ring->edges = NULL;
}

void edge_ring_start(struct edge_ring *ring, int64_t t_ns, bool level, uint32_t seq)
{
	ring->start_ns = t_ns;
	ring->start_level = ring->level = level;
	ring->started = ring->level_known = true;
	ring->after_full = false;
	ring->last_ns = INT64_MIN;
	ring->last_seq = seq;
	ring->seq_known = true;
}

static bool in_sequence(struct edge_ring *ring, uint32_t seq)
{
	bool next = seq == 0 || !ring->seq_known || seq == ring->last_seq + 1;

	if (!next) {
		uint32_t skipped = seq - ring->last_seq - 1;

		ring->counts.gaps++;
		if (skipped <= INT32_MAX) /* otherwise the numbers went back, and tell nothing */
			ring->counts.lost += skipped;
	}
	ring->last_seq = seq;
	ring->seq_known = true;
	return next;
}

static uint8_t judge(struct edge_ring *ring, const struct edge *edge)
{
	uint8_t flags = edge->flags & EDGE_FULL;

	if (flags != 0)
		ring->counts.full++;
	if (ring->after_full)
		flags |= EDGE_FULL;
	ring->after_full = (edge->flags & EDGE_FULL) != 0;
	if (!in_sequence(ring, edge->seq)) {
		flags |= EDGE_GAP; /* an odd number lost is no second defect */
	} else if (ring->level_known && ring->level == edge->level) {
		flags |= EDGE_PARITY;
		ring->counts.parity++;
	}
	if (ring->last_ns == INT64_MIN)
		return flags;
	if (edge->t_ns < ring->last_ns) {
		flags |= EDGE_BACKWARDS;
		ring->counts.backwards++;
	} else if (edge->t_ns - ring->last_ns < ring->pulse_ns_min) {
		flags |= EDGE_SHORT;
		ring->counts.too_short++;
	}
	return flags;
}

void edge_ring_push(struct edge_ring *ring, const struct edge *edge)
{
	if (ring->started && ring->last_ns == INT64_MIN && edge->t_ns <= ring->start_ns) {
		ring->start_level = ring->level = edge->level;
		ring->last_seq = edge->seq;
		return;
	}
	struct edge *slot = &ring->edges[ring->written % ring->capacity];
	uint8_t flags = judge(ring, edge);
	*slot = *edge;
	slot->flags = flags;
	ring->written++;
	ring->counts.edges++;
	ring->last_ns = edge->t_ns;
	ring->level = edge->level;
	ring->level_known = true;
}

bool edge_ring_next(struct edge_ring *ring, uint64_t *cursor, struct edge *ret_edge)
{
	uint8_t missed = 0;

	if (ring->written > ring->capacity && *cursor < ring->written - ring->capacity) {
		ring->counts.missed += ring->written - ring->capacity - *cursor;
		*cursor = ring->written - ring->capacity;
		missed = EDGE_MISSED;
	}
	if (*cursor >= ring->written)
		return false;
	*ret_edge = ring->edges[*cursor % ring->capacity];
	ret_edge->flags |= missed;
	++*cursor;
	return true;
}

uint64_t edge_counts_suspect(const struct edge_counts *before, const struct edge_counts *now)
{
	return now->gaps - before->gaps + now->parity - before->parity + now->full - before->full +
	       now->backwards - before->backwards + now->missed - before->missed;
}

void edge_counts_describe(const struct edge_counts *before, const struct edge_counts *now,
			  char *text, size_t size)
{
	const struct {
		uint64_t count;
		const char *one, *many;
	} parts[] = {
		{ now->gaps - before->gaps, "gap in the edges", "gaps in the edges" },
		{ now->lost - before->lost, "edge lost", "edges lost" },
		{ now->parity - before->parity, "impossible level", "impossible levels" },
		{ now->full - before->full, "full kernel buffer", "full kernel buffers" },
		{ now->backwards - before->backwards, "time running backwards",
		  "times running backwards" },
		{ now->missed - before->missed, "edge overwritten unread",
		  "edges overwritten unread" },
	};
	size_t used = 0;

	if (size == 0)
		return;
	text[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && used < size; i++) {
		if (parts[i].count == 0)
			continue;
		int n = snprintf(text + used, size - used, "%s%" PRIu64 " %s", used > 0 ? ", " : "",
				 parts[i].count,
				 parts[i].count == 1 ? parts[i].one : parts[i].many);
		used += n > 0 ? (size_t)n : 0;
	}
}

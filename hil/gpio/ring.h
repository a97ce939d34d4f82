/*
 * Edges: what one line did and when, in a ring that loses nothing silently.
 *
 * Purpose: the kernel stamps every edge; what cannot be right (a gap in the line's sequence
 * numbers, the same level twice, a full kernel buffer, a time that runs backwards) is flagged on
 * the edge and counted on the ring, so that whatever is computed from it can be called suspect.
 * The ring keeps the latest edges; each reader has a cursor of its own and is told how many were
 * overwritten before it came by.
 * Units: t_ns is CLOCK_MONOTONIC nanoseconds, stamped in the kernel's hard interrupt.
 * Ownership: edge_ring_release() what edge_ring_init() took. No allocation after that.
 * Errors: edge_ring_init() 0, -EINVAL or -ENOMEM; nothing else can fail.
 * Threads: one.
 * Source: the kernel's include/uapi/linux/gpio.h, drivers/gpio/gpiolib-cdev.c: the v1 interface
 * buffers 16 events a line, loses the newest and numbers none; v2 loses the oldest and numbers all.
 */
#ifndef GPIO_RING_H
#define GPIO_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EDGE_GAP = 1 << 0,    /* the sequence number skips: edges before this one are lost */
	EDGE_PARITY = 1 << 1, /* the level that the line had already: an edge is lost, or the pulse
				 was shorter than the kernel's delay in reading the level */
	EDGE_FULL = 1 << 2,   /* v1: the kernel buffer was full, so edges between this one and its
				 neighbour with the same flag may be lost; set on the last edge of
				 such a read, and by the ring on the one after it */
	EDGE_BACKWARDS = 1 << 3, /* stamped earlier than the edge before */
	EDGE_SHORT = 1 << 4,     /* ends a pulse shorter than the ring's pulse_ns_min */
	EDGE_MISSED = 1 << 5, /* set by edge_ring_next(): this reader was too slow, and edges before
				 this one were overwritten */
};
/* With any of these a value computed from the edge may be wrong without showing it. EDGE_SHORT is
 * not one of them: a bouncing switch is meant to have short pulses. */
#define EDGE_SUSPECT (EDGE_GAP | EDGE_PARITY | EDGE_FULL | EDGE_BACKWARDS | EDGE_MISSED)

struct edge {
	int64_t t_ns;
	uint32_t seq; /* of the line, from 1; 0: this kernel interface has no numbers */
	bool level;   /* after the edge; logical, so an active-low line is true while it is low */
	uint8_t flags;
};

/* Only ever grow. Keep a copy, and compare later: edge_counts_suspect(). */
struct edge_counts {
	uint64_t edges;
	uint64_t lost;      /* as the sequence numbers tell; 0 where there are none */
	uint64_t gaps;      /* places where they skipped */
	uint64_t parity;    /* EDGE_PARITY */
	uint64_t full;      /* EDGE_FULL */
	uint64_t backwards; /* EDGE_BACKWARDS */
	uint64_t too_short; /* EDGE_SHORT */
	uint64_t missed;    /* edges that some reader did not get (EDGE_MISSED) */
};

struct edge_ring {
	struct edge *edges;
	size_t capacity;      /* a power of two */
	uint64_t written;     /* edges so far: the next one goes to edges[written % capacity] */
	int64_t pulse_ns_min; /* 0: no pulse is too short */
	struct edge_counts counts;
	/* What the line was when it began: for the first edge's parity, and for a waveform. */
	int64_t start_ns;
	bool start_level, started, after_full, seq_known;
	bool level, level_known; /* now */
	int64_t last_ns;         /* of the last edge since the start; INT64_MIN: none yet */
	uint32_t last_seq;
};

/* -EINVAL: capacity is 0 or no power of two, or pulse_ns_min is negative. */
int edge_ring_init(struct edge_ring *ring, size_t capacity, int64_t pulse_ns_min);
void edge_ring_release(struct edge_ring *ring);

/*
 * The level that the line has at t_ns, and the number of the last edge that was read of it
 * (gpio_line.seq; 0: none yet). Edges up to t_ns that are still to come only correct the level;
 * what follows is judged from here on. Also begins anew after a line was requested again: the edges
 * before stay where they are.
 */
void edge_ring_start(struct edge_ring *ring, int64_t t_ns, bool level, uint32_t seq);
/* edge->flags may hold EDGE_FULL on entry; the other flags are found here. */
void edge_ring_push(struct edge_ring *ring, const struct edge *edge);

/*
 * Hands out the edge at *cursor and moves it on; false when there is none yet. A cursor of 0 reads
 * from the beginning, ring->written from now on. Where edges were overwritten, the next one comes
 * with EDGE_MISSED and they are counted.
 */
bool edge_ring_next(struct edge_ring *ring, uint64_t *cursor, struct edge *ret_edge);

/* How many suspect things happened between two copies of the counts. */
uint64_t edge_counts_suspect(const struct edge_counts *before, const struct edge_counts *now);
/* "2 gaps (5 edges lost), 1 impossible level": what happened between the two; "" when nothing. */
void edge_counts_describe(const struct edge_counts *before, const struct edge_counts *now,
			  char *text, size_t size);

#endif

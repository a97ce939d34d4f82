/*
 * A switch: edges in, presses and releases out, with its bouncing counted.
 *
 * Purpose: a limit switch tells when a target stands or lies. A measured line is never debounced by
 * the kernel, which would stamp the edge after the debounce time: here the first edge is the time,
 * what follows is bouncing, and the state counts once it has been still for stable_ns.
 * Units: nanoseconds. Ownership: the caller's storage, nothing to release.
 * Errors: none. Threads: no state but the struct.
 */
#ifndef GPIO_CONTACT_H
#define GPIO_CONTACT_H

#include "hil/gpio/ring.h"

struct contact_change {
	int64_t first_ns;  /* the first edge: the contact began to move */
	int64_t stable_ns; /* the last edge: still from then on */
	bool level;        /* the new state */
	unsigned bounces;  /* edges beyond the one that was needed */
	bool suspect; /* edges were lost on the way (EDGE_SUSPECT): bounces is a lower bound, and
			 first_ns may be late */
};

struct contact {
	int64_t still_ns; /* for how long it must be still */
	bool known, level;
	uint64_t changes, bounces_total, glitches; /* glitch: it moved and came back */
	unsigned bounces_max;
	/* The decoder's own. */
	bool moving, now, suspect;
	int64_t first_ns, last_ns;
	unsigned edges;
};

/* still_ns > 0; 5 ms is usual. The state is unknown until contact_start(). */
void contact_init(struct contact *contact, int64_t still_ns);
/* The level that the line has before its first edge (edge_ring.start_level). */
void contact_start(struct contact *contact, bool level);
/* Feeds one edge; true when it shows that an earlier change had become stable. */
bool contact_edge(struct contact *contact, const struct edge *edge,
		  struct contact_change *ret_change);
/* When there is no edge: true when a change has become stable by complete_ns (watch.h: not the
 * clock, for edges may still be on their way). */
bool contact_tick(struct contact *contact, int64_t complete_ns, struct contact_change *ret_change);
/* When contact_tick() could next say something; INT64_MAX: never without an edge. */
int64_t contact_due(const struct contact *contact);

#endif

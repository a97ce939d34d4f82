/*
 * Which address of ours stands for which address of theirs.
 *
 * Purpose: "--listen 127.0.2.1-127.0.2.50:8081 --to 127.0.1.1-127.0.1.50:8081" as a table, and the
 * question backwards: a client who is himself behind a route is shown to the other side as the
 * address that stands for it. A master that calls a target back at the address from which it
 * registered then comes through here as well.
 * Units: host byte order. Ownership: plain values. Errors: in words. Threads: no state.
 */
#ifndef SNIFF_ROUTES_H
#define SNIFF_ROUTES_H

#include "emulator/base/net.h"

#define ROUTES_MAX 16
#define ROUTE_ADDRESSES_MAX 4096

struct route {
	struct net_addr listen, to; /* the first of each */
	uint32_t count;             /* of addresses, side by side; ports are the same for all */
	bool targets;               /* a range: targets that a master calls, one after the other */
};

struct routes {
	struct route routes[ROUTES_MAX];
	size_t n;
	uint32_t addresses; /* of all */
};

/* NULL, or what is wrong. port 0 in `listen`: any. */
const char *routes_add(struct routes *routes, const char *listen, const char *to);
/* The address that stands for `client`; client itself where there is none. */
uint32_t routes_face_of(const struct routes *routes, uint32_t client);

#endif

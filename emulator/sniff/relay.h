/*
 * The proxy: every connection gets one to the other side, and what comes on one leaves on the
 * other, unit by unit.
 *
 * Purpose: one read is one write; a half-close, a reset and a refusal are passed on as such; who
 * does not read is not read for. What happens is told (happened.h) as it leaves here: a unit that a
 * fault changed is told as it came (HAPPENED_FAULT) and then as it went.
 * It has sockets of its own, not base/net.h's: that one has no half-close to pass on.
 * Units: ns; t_ns counts from the first connection.
 * Ownership: relay_free() closes all. Errors: 0 or -errno. Threads: the loop's.
 */
#ifndef SNIFF_RELAY_H
#define SNIFF_RELAY_H

#include "emulator/base/loop.h"
#include "emulator/sniff/happened.h"
#include "emulator/sniff/routes.h"
#include "emulator/sniff/unit_faults.h"

struct relay_options {
	const struct routes *routes;
	enum dialog_wire wire;
	struct unit_faults *faults; /* NULL: none */
	bool own_source;            /* never from the client's address */
	size_t conns_max;
	happened_fn *happened;
	void *owner;
};

struct relay_stats {
	uint64_t accepted, refused_full; /* no descriptor, no room */
	uint64_t no_room;                /* reset because what waited found no room */
	uint64_t own_source;             /* the client's address could not be used */
	size_t open;
};

struct relay;

int relay_new(struct loop *loop, const struct relay_options *options, struct relay **ret);
/* Listens on every address. Where that fails *ret_at is the one. */
int relay_listen(struct relay *relay, struct net_addr *ret_at);
/* Of the first route: the port, where 0 was asked for. */
uint16_t relay_port(const struct relay *relay);
const struct relay_stats *relay_stats(const struct relay *relay);
/* t_ns of now; 0 before the first connection. */
int64_t relay_t_ns(const struct relay *relay);
void relay_free(struct relay *relay);

#endif

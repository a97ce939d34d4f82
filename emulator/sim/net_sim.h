/*
 * A network in memory, under a simulated clock.
 *
 * Purpose: joins a fleet and a master in one process with no socket and no waiting: the same
 * connections as net.h describes, with a latency, lost connections, and deliveries that overtake
 * each other between connections (never within one: TCP keeps that order).
 * A handshake is one event, a round trip after the connect; a refusal comes back as late.
 * Units: ns. Ownership: as net.h. Errors: 0 or -errno. Threads: its loop's.
 */
#ifndef NET_SIM_H
#define NET_SIM_H

#include "emulator/base/net.h"
#include "emulator/base/units.h"

struct net_sim_options {
	uint64_t seed;
	struct dist latency; /* one way, drawn for each unit: so connections overtake each other */
	double connect_loss; /* how likely a connect vanishes: its maker's deadline finds out */
	double break_chance; /* how likely a unit breaks its connection instead: both see a reset */
	size_t connections;  /* both ends counted */
	size_t listeners;
	size_t units; /* on their way at the same time */
	size_t buffer_bytes;
};

/* The loop must be simulated. */
int net_sim_new(struct loop *loop, const struct net_sim_options *options, struct net **ret);
void net_sim_free(struct net *net);
/* Objects that are in use: for leak checks. */
size_t net_sim_in_use(const struct net *net);

#endif

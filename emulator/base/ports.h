/*
 * Who holds a port: for the message that a user can act on.
 *
 * Purpose: finds the listening socket that keeps us from an address, and its process where /proc
 * lets us see it. Errors: false where nothing was found. Threads: no state.
 * Source: proc(5), /proc/net/tcp.
 */
#ifndef PORTS_H
#define PORTS_H

#include "emulator/base/net.h"

struct port_holder {
	struct net_addr at; /* ip 0: it listens on every address */
	int pid;            /* 0: not visible to us */
	char name[32];
};

/* Whether one could listen there now. 0 or -errno: EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE. */
int port_try(struct net_addr addr);
/* The listener on addr, or on every address with that port. */
bool port_find_holder(struct net_addr addr, struct port_holder *ret);

/* "127.0.0.1:8081 is taken by python3 (pid 4711), which listens on every address". Returns buf. */
const char *port_holder_text(struct net_addr addr, const struct port_holder *holder, char *buf,
			     size_t cap);

#endif

/*
 * What happens on connections: the one vocabulary of proxy, recordings, captures and screen.
 *
 * Purpose: the relay, the reader of recordings and the reader of captures all tell it; the
 * decoders, the writers and the screen all hear it. Units: nanoseconds since the first connection
 * was opened; addresses in host byte order. Ownership: texts and bytes live during the call that
 * hands them over. Errors: none. Threads: no state.
 */
#ifndef SNIFF_HAPPENED_H
#define SNIFF_HAPPENED_H

#include "emulator/base/net.h"
#include "proto/fault.h"

/* From the client, who connected, to the server; and back. */
enum way { TO_SERVER, TO_CLIENT };

enum happened_kind {
	HAPPENED_OPEN,    /* client, via, to, route */
	HAPPENED_BYTES,   /* way, bytes: one unit */
	HAPPENED_EOF,     /* way: that side sends no more */
	HAPPENED_RESET,   /* way: that side reset the connection */
	HAPPENED_CLOSE,   /* the last of a connection */
	HAPPENED_REFUSED, /* text: why the server was not reached; the last too */
	HAPPENED_LOST,    /* way, text: bytes are not in the capture */
	HAPPENED_FAULT,   /* way, text: the fault that struck, bytes: the unit as it came */
};

struct happened {
	enum happened_kind kind;
	enum way way;
	uint32_t conn; /* from 1, in the order of opening */
	int64_t t_ns;
	struct qn_text bytes;
	const char *text;
	/* Of OPEN. */
	struct net_addr client, via, to; /* via: the relay's own end; ip 0: there was none */
	const char *route;
	bool targets; /* a master commands a target; else a target or client speaks to a server */
};

typedef void happened_fn(void *owner, const struct happened *happened);

#endif

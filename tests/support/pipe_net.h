/*
 * A network in memory for flow tests: every unit arrives at once, in order, at the same instant of
 * a simulated loop; nothing is lost, nothing takes time, and all of it is on record.
 *
 * Purpose: targets and master joined without sockets, exact to the nanosecond and to the unit.
 * A unit that arrives where nobody is any more comes back as a reset, as TCP has it.
 * Ownership: pipe_net_free() what pipe_net_new() gave, before the loop goes. The memory of
 * a connection is freed at the end of the turn in which it went: a stale use is the sanitizer's.
 * Errors: as net.h; running out of memory aborts. Threads: one.
 */
#ifndef TEST_PIPE_NET_H
#define TEST_PIPE_NET_H

#include "emulator/base/net.h"

struct net *pipe_net_new(struct loop *loop);
void pipe_net_free(struct net *net);

/* What was sent, in order, received or not. */
struct pipe_unit {
	int64_t t_ns;
	struct net_addr from, to;
	const char *bytes; /* terminated */
	size_t len;
};
size_t pipe_units(const struct net *net);
const struct pipe_unit *pipe_unit(const struct net *net, size_t i);

/* The half-close: it sends no more, and reads on. */
void pipe_shutdown(struct net_conn *conn);
/* Nobody answers there: connects stay without a result, units vanish. */
void pipe_swallow(struct net *net, uint32_t ip, bool on);
/* The next net_connect() or net_listen() returns `error` (-errno). */
void pipe_fail_next(struct net *net, int error);

#endif

/*
 * Connections: one face for real sockets and for the simulated network.
 *
 * Purpose: targets and master are written once against this; net_socket speaks TCP through epoll,
 * net_sim.c moves the same units in memory under a simulated clock. A write unit is one write(): it
 * leaves whole, or what the kernel did not take follows in order.
 * Units: addresses and ports in host byte order.
 * Ownership: a net owns its connections and listeners (pools, reserved at the start). A connection
 * is the caller's until net_close(), net_reset(), or until its handler's closed() returns; its
 * memory, and the bytes that received() was given, stay valid to the end of the loop's turn.
 * Errors: 0 or -errno. closed() carries -errno of what ended the connection, 0 for an orderly end.
 * Threads: a net belongs to its loop's thread.
 */
#ifndef NET_H
#define NET_H

#include "emulator/base/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_stamped { NET_STAMPED_SENT, NET_STAMPED_RECEIVED };

struct net_addr {
	uint32_t ip;
	uint16_t port;
};

struct net;
struct net_conn;
struct net_listener;

/* Of connections. Every member may be NULL but received. */
struct net_handler {
	/* A connect came through. (An accepted connection is announced by its listener.) */
	void (*opened)(struct net_conn *conn);
	/*
	 * Bytes are there: all that was not taken yet, of which the last read begins at `fresh`.
	 * Returns how many are done with; the rest is kept and comes again with more behind it.
	 */
	size_t (*received)(struct net_conn *conn, const char *bytes, size_t len, size_t fresh);
	/*
	 * The peer sends no more; `rest` bytes were left. NULL: the connection is closed. A handler
	 * that sets this closes the connection itself, now or when it has answered.
	 */
	void (*ended)(struct net_conn *conn, const char *rest, size_t len);
	/* The connection is gone, not by our own net_close(). The last call. */
	void (*closed)(struct net_conn *conn, int error);
	/*
	 * After net_stamp(), as the kernel stamped it (CLOCK_REALTIME): the last byte of a write
	 * unit went to the network device (it may come from within net_send()), or the last byte
	 * of what received() is about to get came from it.
	 */
	void (*stamped)(struct net_conn *conn, enum net_stamped what, int64_t wall_ns);
};

/* Bytes of a message that has not ended yet. */
#define NET_REST_DEFAULT 65536

/* What the owner of a connection keeps in it: enough for a session and a few words. */
#define NET_SESSION_BYTES 96

struct net_conn {
	/* What every message touches stands together. */
	const struct net_handler *handler;
	struct net *net;
	/* What received() leaves is kept up to here; a connection that needs more is ended. The
	 * owner may set it, up to BUFFER_LARGEST, where its messages are longer. */
	uint32_t rest_max;
	/*
	 * What the owner will touch when bytes come, or NULL: fetched while the kernel reads them.
	 * Thousands of connections do not fit a cache, and waiting for memory costs more than
	 * parsing the message.
	 */
	const void *soon;
	/* Zeroed when the connection begins. */
	_Alignas(8) unsigned char session[NET_SESSION_BYTES];
	struct net_addr local, peer;
	struct timer timer; /* the owner's; cancelled when the connection goes */
};

struct net_listener {
	/* Sets conn->handler; returns false to refuse (it is closed at once). */
	bool (*accepted)(struct net_listener *listener, struct net_conn *conn);
	void *owner;
	struct net *net;
	struct net_addr local;
};

struct net_stats {
	uint64_t accepted, connected, closed, connect_failed;
	uint64_t reads, writes, bytes_in, bytes_out;
	uint64_t refused_full;  /* no connection object or descriptor was left */
	uint64_t buffers_short; /* a connection was ended because no buffer was left */
	size_t open, open_max;
};

struct net_ops {
	int (*listen)(struct net *net, struct net_addr at, struct net_listener **ret);
	void (*unlisten)(struct net_listener *listener);
	int (*connect)(struct net *net, struct net_addr from, struct net_addr to,
		       const struct net_handler *handler, struct net_conn **ret);
	int (*send)(struct net_conn *conn, const char *bytes, size_t len);
	void (*close)(struct net_conn *conn, bool reset);
	int (*hole)(struct net_listener *listener, bool on);
	int (*hole_conn)(struct net_conn *conn, bool on);
	void (*poke)(struct net_conn *conn);
	int (*stamp)(struct net_conn *conn); /* NULL: it has no stamps */
};

struct net {
	const struct net_ops *ops;
	struct loop *loop;
	struct net_stats stats;
};

/* from.ip 0: any; from.port 0: any (the usual). The handler's opened() or closed() follows, never
 * before this returns. */
static inline int net_connect(struct net *net, struct net_addr from, struct net_addr to,
			      const struct net_handler *handler, struct net_conn **ret)
{
	return net->ops->connect(net, from, to, handler, ret);
}

/* The caller sets owner and accepted before the loop's next turn. */
static inline int net_listen(struct net *net, struct net_addr at, struct net_listener **ret)
{
	return net->ops->listen(net, at, ret);
}

static inline void net_unlisten(struct net_listener *listener)
{
	listener->net->ops->unlisten(listener);
}

/* One write unit. -EPIPE and the like: the connection is broken; closed() follows on its own. */
static inline int net_send(struct net_conn *conn, const char *bytes, size_t len)
{
	return conn->net->ops->send(conn, bytes, len);
}

/* Orderly; what was sent and not written yet is lost. No closed() call follows. */
static inline void net_close(struct net_conn *conn)
{
	conn->net->ops->close(conn, false);
}

/* With a RST. */
static inline void net_reset(struct net_conn *conn)
{
	conn->net->ops->close(conn, true);
}

/*
 * A black hole: while it is on, no packet that arrives is seen, and nobody is told; as a board out
 * of the range of its Wi-Fi. What the peers sent meanwhile is retransmitted by them afterwards.
 */
static inline int net_hole(struct net_listener *listener, bool on)
{
	return listener->net->ops->hole(listener, on);
}

static inline int net_hole_conn(struct net_conn *conn, bool on)
{
	return conn->net->ops->hole_conn(conn, on);
}

/* Hands in again what received() did not take, though nothing new has come. */
static inline void net_poke(struct net_conn *conn)
{
	conn->net->ops->poke(conn);
}

/* Has the kernel stamp what is sent and received from now on. -EOPNOTSUPP where there are no
 * stamps. */
static inline int net_stamp(struct net_conn *conn)
{
	return conn->net->ops->stamp != NULL ? conn->net->ops->stamp(conn) : -EOPNOTSUPP;
}

/* "127.0.0.1:8081". buf of 24 bytes suffices. Returns buf. */
const char *net_addr_text(struct net_addr addr, char *buf, size_t cap);
/* A dotted quad. */
bool net_ip_parse(const char *text, size_t len, uint32_t *ret);
/* A dotted quad, or a name's first IPv4 address; false where there is none. It may wait for a name
 * server: before a run, not in one. */
bool net_resolve(const char *host, uint32_t *ret);

/* ---- real sockets ---- */

struct net_socket_limits {
	size_t connections, listeners;
	size_t buffer_bytes;
};

/* Reserves everything. 0 or -errno; *ret is to be freed with net_socket_free(). */
int net_socket_new(struct loop *loop, const struct net_socket_limits *limits, struct net **ret);
/* Closes what is left. */
void net_socket_free(struct net *net);

#endif

/*
 * What the files of net_socket share; nobody else includes this.
 *
 * net_socket.c: connects, what the loop reports, the face. net_socket_conn.c: a connection's life.
 * net_socket_read.c, net_socket_send.c: its bytes. net_socket_stamp.c: the kernel's time stamps.
 * net_socket_listen.c: listeners. Ownership, errors, threads: as net.h says.
 */
#ifndef NET_SOCKET_PARTS_H
#define NET_SOCKET_PARTS_H

#include "emulator/base/net.h"
#include "emulator/base/pool.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/types.h>

#define READ_UNIT 65536
/* Who does not take his answers is not read from: what waits for him stays within bounds. */
#define UNSENT_MAX 65536

enum { SOCKET_FREE, SOCKET_CONNECTING, SOCKET_OPEN, SOCKET_ENDED, SOCKET_DEAD };

struct socket_conn {
	/* One cache line, and the next one begins with the handler: all that a message needs. */
	struct loop_watch watch;
	int fd;
	int16_t error; /* < 0: a send ran into it; the loop ends the connection with it */
	uint8_t state;
	bool watches_writes;
	/* Of connects alone: accepted ones have TCP_NODELAY from their listener. */
	bool nagles, has_sent;
	bool stamps;
	bool unread; /* more has come than was read: its peer takes no answers at the moment */
	struct buffer in, out; /* what was left over; empty buffers cost nothing */
	struct net_conn conn;
	struct loop_deferred deferred, opening;
	struct socket_conn *next, *prev; /* all that are open */
};
_Static_assert(offsetof(struct socket_conn, conn) <= 64, "one line before the handler");

struct socket_listener {
	struct loop_watch watch;
	int fd;
	bool dead;
	struct timer resume;
	struct loop_deferred deferred;
	struct socket_listener *next, *prev;
	struct net_listener listener;
};

struct net_socket {
	struct net net;
	struct pool conns, listeners;
	struct buffers buffers;
	struct socket_conn *open;
	struct socket_listener *listening;
	char unit[READ_UNIT];
};

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline struct socket_conn *of_conn(struct net_conn *conn)
{
	return OF(conn, struct socket_conn, conn);
}

static inline struct net_socket *of_net(struct net *net)
{
	return OF(net, struct net_socket, net);
}

static inline struct sockaddr_in to_sockaddr(struct net_addr addr)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(addr.port),
				     .sin_addr.s_addr = htonl(addr.ip) };
}

static inline struct net_addr from_sockaddr(const struct sockaddr_in *in)
{
	return (struct net_addr){ ntohl(in->sin_addr.s_addr), ntohs(in->sin_port) };
}

/*
 * Connections are watched once, by edges, for everything: no call to epoll_ctl follows in a life.
 * A read that comes back short has emptied the socket (epoll(7), Q9), and what arrives later is a
 * new edge. Where an end, an error or urgent data (a read stops in front of that) lie behind the
 * bytes, one reads on until there is nothing.
 */
#define READ_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)
#define CONN_EVENTS (READ_EVENTS | EPOLLOUT)
#define READ_ON (EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP)

/* NULL: none is left. */
struct socket_conn *socket_conn_new(struct net_socket *ns, int fd, uint8_t state);
/* The descriptor goes now; the memory at the end of the turn: a handler may stand on its bytes. */
void socket_bury(struct socket_conn *sc);
/* The same, and its handler is told; harmless where it is dead. */
void socket_fail(struct socket_conn *sc, int error);
/* By its owner, who is not told. */
void socket_close(struct net_conn *conn, bool reset);

/* Until there is nothing, or the peer does not take what waits for him. */
void socket_read_all(struct socket_conn *sc, uint32_t events);
void socket_poke(struct net_conn *conn);

int socket_send(struct net_conn *conn, const char *bytes, size_t len);
/* What waited for room. */
void socket_flush(struct socket_conn *sc);

int socket_stamp(struct net_conn *conn);
void socket_take_stamps(struct socket_conn *sc);
/* recv() of a connection that has stamps. */
ssize_t socket_receive_stamped(struct socket_conn *sc, char *bytes, size_t room);

/* What the loop reports of a connection. */
void socket_ready(struct loop_watch *watch, uint32_t events);

int socket_listen(struct net *net, struct net_addr at, struct net_listener **ret);
void socket_unlisten(struct net_listener *listener);
/* Bytes and SYNs vanish before TCP sees them. */
int socket_hole(struct net_listener *listener, bool on);
int socket_hole_conn(struct net_conn *conn, bool on);

#endif

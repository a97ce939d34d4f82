/*
 * What the files of net_socket share; nobody else includes this.
 *
 * net_socket.c: connects, what the loop reports, the face. net_socket_conn.c: a connection's life.
 * net_socket_read.c, net_socket_send.c: its bytes. net_socket_batch.c: those of many at a time.
 * net_socket_stamp.c: the kernel's time stamps. net_socket_listen.c: listeners. Ownership, errors,
 * threads: as net.h says.
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
/* So many connections at a time, and what is larger goes alone. */
#define BATCH_MAX 128
#define BATCH_UNIT_MAX 1024

enum { SOCKET_FREE, SOCKET_CONNECTING, SOCKET_OPEN, SOCKET_ENDED, SOCKET_DEAD };

struct socket_conn {
	/* Two cache lines, to within the owner's session, are all that a message needs. */
	struct loop_watch watch;
	int fd;
	int16_t error; /* < 0: a send ran into it; the loop ends the connection with it */
	uint8_t state;
	bool watches_writes;
	/* Of connects alone: accepted ones have TCP_NODELAY from their listener. */
	bool nagles, has_sent;
	bool stamps;
	bool unread; /* more has come than was read: its peer takes no answers at the moment */
	bool bulk;   /* the last read was larger than a batch takes */
	struct buffer in, out; /* what was left over; empty buffers cost nothing */
	struct net_conn conn;
	struct loop_deferred deferred, opening;
	struct socket_conn *next, *prev; /* all that are open */
};
_Static_assert(offsetof(struct socket_conn, conn.session) <= 88, "40 bytes of the session");

struct socket_listener {
	struct loop_watch watch;
	int fd;
	bool dead;
	struct timer resume;
	struct loop_deferred deferred;
	struct socket_listener *next, *prev;
	struct net_listener listener;
};

/* Bytes of a connection, at an offset of the batch's. */
struct batch_unit {
	struct socket_conn *sc;
	uint32_t at, len;
};

struct batch_units {
	unsigned n;
	uint32_t len;
	struct batch_unit units[BATCH_MAX];
	char bytes[BATCH_MAX * 512];
};

struct net_socket {
	struct net net;
	struct pool conns, listeners;
	struct buffers buffers;
	struct socket_conn *open;
	struct socket_listener *listening;
	char unit[READ_UNIT];
	/* The batch. */
	struct loop_deferred after;
	bool handles_after;          /* it is on the loop's list */
	struct socket_conn *handled; /* whose bytes are being handled */
	struct batch_units read, answers;
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

/* How many bytes came; 0: none, and what that means has been done. */
size_t socket_receive(struct socket_conn *sc, uint32_t events, char *bytes, size_t room);
void socket_deliver(struct socket_conn *sc, const char *bytes, size_t len);
/* Keeps what the handler did not take. */
void socket_keep(struct socket_conn *sc, const char *rest, size_t len);

/* False: it has to be read alone. */
bool socket_batch_read(struct socket_conn *sc, uint32_t events);
/* An answer leaves with its batch. False: it has to leave alone. */
bool socket_batch_answer(struct socket_conn *sc, const char *bytes, size_t len);
/* What was read so far is handled, and answered, now. */
void socket_batch_handle(struct net_socket *ns);
/* The answers leave now. */
void socket_batch_send(struct net_socket *ns);
void socket_batch_init(struct net_socket *ns);

int socket_send(struct net_conn *conn, const char *bytes, size_t len);
/* Past the batch. */
int socket_send_now(struct socket_conn *sc, const char *bytes, size_t len);
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

#include "emulator/base/net.h"

#include "emulator/base/pool.h"
#include "emulator/base/units.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_UNIT 65536
#define UNITS_PER_TURN 16
/* Who does not take his answers is not read from: what waits for him stays within bounds. */
#define UNSENT_MAX 65536
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

enum { FREE, CONNECTING, OPEN, ENDED, DEAD };

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

static struct socket_conn *of_conn(struct net_conn *conn)
{
	return OF(conn, struct socket_conn, conn);
}

static struct net_socket *of_net(struct net *net)
{
	return OF(net, struct net_socket, net);
}

static struct sockaddr_in to_sockaddr(struct net_addr addr)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(addr.port),
				     .sin_addr.s_addr = htonl(addr.ip) };
}

static struct net_addr from_sockaddr(const struct sockaddr_in *in)
{
	return (struct net_addr){ ntohl(in->sin_addr.s_addr), ntohs(in->sin_port) };
}

static void free_conn(struct loop_deferred *deferred)
{
	struct socket_conn *sc = OF(deferred, struct socket_conn, deferred);
	struct net_socket *ns = of_net(sc->conn.net);

	buffer_free(&ns->buffers, &sc->in);
	buffer_free(&ns->buffers, &sc->out);
	sc->state = FREE;
	pool_put(&ns->conns, sc);
}

/* The descriptor goes now; the memory at the end of the turn: a handler may stand on its bytes. */
static void bury(struct socket_conn *sc)
{
	struct net_socket *ns = of_net(sc->conn.net);

	assert(sc->state != DEAD && sc->state != FREE);
	sc->state = DEAD;
	timer_cancel(&ns->net.loop->timers, &sc->conn.timer);
	close(sc->fd); /* takes itself out of the epoll set: nobody else holds the description */
	if (sc->prev != NULL)
		sc->prev->next = sc->next;
	else
		ns->open = sc->next;
	if (sc->next != NULL)
		sc->next->prev = sc->prev;
	ns->net.stats.closed++;
	ns->net.stats.open--;
	loop_defer(ns->net.loop, &sc->deferred);
}

static void fail(struct socket_conn *sc, int error)
{
	if (sc->state == DEAD)
		return;
	if (sc->state == CONNECTING)
		sc->conn.net->stats.connect_failed++;
	bury(sc);
	if (sc->conn.handler->closed != NULL)
		sc->conn.handler->closed(&sc->conn, error);
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

static void conn_ready(struct loop_watch *watch, uint32_t events);

static struct socket_conn *new_conn(struct net_socket *ns, int fd, uint8_t state)
{
	struct socket_conn *sc = pool_get(&ns->conns);

	if (sc == NULL)
		return NULL;
	memset(sc, 0, sizeof(*sc));
	sc->watch.ready = conn_ready;
	sc->fd = fd;
	sc->state = state;
	sc->deferred.run = free_conn;
	sc->watches_writes = true;
	sc->conn.net = &ns->net;
	sc->conn.rest_max = NET_REST_DEFAULT;
	sc->next = ns->open;
	if (ns->open != NULL)
		ns->open->prev = sc;
	ns->open = sc;
	if (++ns->net.stats.open > ns->net.stats.open_max)
		ns->net.stats.open_max = ns->net.stats.open;
	return sc;
}

/* ---- the kernel's stamps (Documentation/networking/timestamping.rst) ---- */

static void tell_stamp(struct socket_conn *sc, struct msghdr *msg, enum net_stamped what)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		struct scm_timestamping at;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
			continue;
		memcpy(&at, CMSG_DATA(c), sizeof(at));
		if (sc->conn.handler->stamped != NULL && at.ts[0].tv_sec != 0)
			sc->conn.handler->stamped(&sc->conn, what,
						  (int64_t)at.ts[0].tv_sec * NS_PER_S +
							  at.ts[0].tv_nsec);
		return;
	}
}

/* Most drivers stamp within the send; what comes later makes an EPOLLERR, and SO_ERROR stays 0. */
static void take_stamps(struct socket_conn *sc)
{
	_Alignas(struct cmsghdr) char control[256];

	while (sc->state != DEAD) {
		struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
		if (recvmsg(sc->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		tell_stamp(sc, &msg, NET_STAMPED_SENT);
	}
}

static ssize_t receive_stamped(struct socket_conn *sc, char *bytes, size_t room)
{
	_Alignas(struct cmsghdr) char control[256];
	struct iovec iov = { bytes, room };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sc->fd, &msg, 0);

	if (n > 0)
		tell_stamp(sc, &msg, NET_STAMPED_RECEIVED);
	return n;
}

/* ---- reading ---- */

/* Keeps what the handler did not take. */
static void keep_rest(struct socket_conn *sc, const char *rest, size_t len)
{
	struct net_socket *ns = of_net(sc->conn.net);

	if (buffer_reserve(&ns->buffers, &sc->in, len) < 0) {
		ns->net.stats.buffers_short++;
		fail(sc, -ENOBUFS);
		return;
	}
	memcpy(sc->in.at + sc->in.len, rest, len);
	sc->in.len += (uint32_t)len;
}

static void deliver(struct socket_conn *sc, const char *bytes, size_t len)
{
	struct net_socket *ns = of_net(sc->conn.net);

	if (sc->in.len == 0) {
		size_t taken = sc->conn.handler->received(&sc->conn, bytes, len, 0);
		if (sc->state != DEAD && taken < len)
			keep_rest(sc, bytes + taken, len - taken);
		return;
	}
	size_t fresh = sc->in.len;
	keep_rest(sc, bytes, len);
	if (sc->state == DEAD)
		return;
	size_t taken = sc->conn.handler->received(&sc->conn, sc->in.at, sc->in.len, fresh);
	if (sc->state != DEAD)
		buffer_drop(&ns->buffers, &sc->in, taken);
}

static void peer_ended(struct socket_conn *sc)
{
	if (sc->state != OPEN)
		return;
	if (sc->conn.handler->ended == NULL) {
		bury(sc);
		if (sc->conn.handler->closed != NULL)
			sc->conn.handler->closed(&sc->conn, 0);
		return;
	}
	sc->state = ENDED;
	sc->conn.handler->ended(&sc->conn, sc->in.at, sc->in.len);
}

static void fetch_soon(const struct socket_conn *sc)
{
	const char *soon = sc->conn.soon;

	if (soon == NULL)
		return;
	__builtin_prefetch(soon, 1);
	__builtin_prefetch(soon + 64, 1);
	__builtin_prefetch(soon + 128, 1);
}

/* True: there may be more. */
static bool read_unit(struct socket_conn *sc, uint32_t events)
{
	struct net_socket *ns = of_net(sc->conn.net);
	size_t room = sc->conn.rest_max - sc->in.len;

	if (room > sizeof(ns->unit))
		room = sizeof(ns->unit);
	if (room == 0) {
		ns->net.stats.buffers_short++;
		fail(sc, -ENOBUFS);
		return false;
	}
	fetch_soon(sc);
	ssize_t n = sc->stamps ? receive_stamped(sc, ns->unit, room)
			       : recv(sc->fd, ns->unit, room, 0);
	if (sc->state == DEAD)
		return false;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			fail(sc, -errno);
		return false;
	}
	ns->net.stats.reads++;
	if (n == 0) {
		/* Shut both ways, and not by us: a reset behind the peer's end. */
		if (events & EPOLLHUP)
			fail(sc, -ECONNRESET);
		else
			peer_ended(sc);
		return false;
	}
	ns->net.stats.bytes_in += (uint64_t)n;
	deliver(sc, ns->unit, (size_t)n);
	return sc->state == OPEN && ((size_t)n == room || (events & READ_ON));
}

static void read_all(struct socket_conn *sc, uint32_t events)
{
	sc->unread = false;
	for (int units = 0;;) {
		if (sc->out.len >= UNSENT_MAX) {
			sc->unread = true;
			return;
		}
		if (!read_unit(sc, events))
			return;
		if (++units < UNITS_PER_TURN)
			continue;
		/* A flood must not starve the rest: arming anew reports what is left next turn. */
		loop_change(sc->conn.net->loop, sc->fd, CONN_EVENTS, &sc->watch);
		return;
	}
}

/* ---- writing ---- */

static void flush(struct socket_conn *sc)
{
	struct net_socket *ns = of_net(sc->conn.net);

	while (sc->out.len > 0) {
		ssize_t n = send(sc->fd, sc->out.at, sc->out.len, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				fail(sc, -errno);
			return;
		}
		buffer_drop(&ns->buffers, &sc->out, (size_t)n);
	}
}

/* Its end must not come from within the send: the shutdown makes an edge, after any error. */
static int break_off(struct socket_conn *sc, int error)
{
	sc->error = (int16_t)error;
	shutdown(sc->fd, SHUT_RDWR);
	return error;
}

static int queue_rest(struct socket_conn *sc, const char *bytes, size_t len)
{
	struct net_socket *ns = of_net(sc->conn.net);

	if (buffer_reserve(&ns->buffers, &sc->out, len) < 0) {
		ns->net.stats.buffers_short++;
		return break_off(sc, -ENOBUFS);
	}
	memcpy(sc->out.at + sc->out.len, bytes, len);
	sc->out.len += (uint32_t)len;
	/* The edge that says "writable again" is on its way, if anybody looks for it. */
	if (sc->watches_writes)
		return 0;
	sc->watches_writes = true;
	return loop_change(sc->conn.net->loop, sc->fd, CONN_EVENTS, &sc->watch);
}

static void leave_at_once(struct socket_conn *sc)
{
	int one = 1;

	setsockopt(sc->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	sc->nagles = false;
}

static int socket_stamp(struct net_conn *conn)
{
	struct socket_conn *sc = of_conn(conn);
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
		    SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
		    SOF_TIMESTAMPING_OPT_TSONLY;

	if (setsockopt(sc->fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) < 0)
		return -errno;
	sc->stamps = true;
	return 0;
}

static int socket_send(struct net_conn *conn, const char *bytes, size_t len)
{
	struct socket_conn *sc = of_conn(conn);

	if (sc->state != OPEN && sc->state != ENDED)
		return -EPIPE;
	if (sc->error != 0)
		return sc->error;
	conn->net->stats.writes++;
	conn->net->stats.bytes_out += len;
	if (sc->out.len > 0)
		return queue_rest(sc, bytes, len);
	/* A first unit leaves at once; the next would wait for its ACK. Most connects send only
	 * one. */
	if (sc->nagles && sc->has_sent)
		leave_at_once(sc);
	sc->has_sent = true;
	ssize_t n = send(sc->fd, bytes, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return break_off(sc, -errno);
	if (sc->stamps)
		take_stamps(sc);
	size_t sent = n < 0 ? 0 : (size_t)n;
	return sent < len ? queue_rest(sc, bytes + sent, len - sent) : 0;
}

static void socket_close(struct net_conn *conn, bool reset)
{
	struct socket_conn *sc = of_conn(conn);

	if (sc->state == DEAD)
		return;
	if (reset) {
		struct linger linger = { .l_onoff = 1, .l_linger = 0 };
		setsockopt(sc->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	bury(sc);
}

/* ---- connecting ---- */

static void fail_with_its_error(struct socket_conn *sc, int otherwise)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(sc->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	fail(sc, error != 0 ? -error : otherwise);
}

static void opened(struct socket_conn *sc)
{
	sc->state = OPEN;
	sc->conn.net->stats.connected++;
	if (sc->conn.handler->opened != NULL)
		sc->conn.handler->opened(&sc->conn);
}

/*
 * On loopback the handshake is over when connect() returns, whatever it says: right after the
 * handler is as good a moment as the next turn, and saves a wake-up for each connection.
 */
static void open_at_once(struct loop_deferred *deferred)
{
	struct socket_conn *sc = OF(deferred, struct socket_conn, opening);

	if (sc->state == CONNECTING)
		opened(sc);
}

static bool is_connected(int fd)
{
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);

	return getpeername(fd, (struct sockaddr *)&in, &len) == 0;
}

static void connect_done(struct socket_conn *sc, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP)) {
		fail_with_its_error(sc, -ECONNREFUSED);
		return;
	}
	opened(sc);
}

static void conn_ready(struct loop_watch *watch, uint32_t events)
{
	struct socket_conn *sc = OF(watch, struct socket_conn, watch);

	if (sc->state == CONNECTING)
		connect_done(sc, events);
	if (sc->stamps && sc->state != DEAD && (events & EPOLLERR)) {
		take_stamps(sc);
		if (!(events & EPOLLHUP)) /* a reset has both */
			events &= ~(uint32_t)EPOLLERR;
	}
	if (sc->state == DEAD)
		return;
	/* We could not write any more, but why may stand in what the peer had said before. */
	if (sc->error != 0) {
		if (sc->state == OPEN)
			read_all(sc, events | EPOLLHUP);
		if (sc->state != DEAD)
			fail(sc, sc->error);
		return;
	}
	/* After an error nothing leaves any more, but what came before it is still to be read. */
	if (sc->out.len > 0 && (events & EPOLLOUT) && !(events & (EPOLLERR | EPOLLHUP)))
		flush(sc);
	/* What was left unread may have its end behind it, whose edge has come and gone. */
	if (sc->unread)
		events |= EPOLLRDHUP;
	if (sc->state == OPEN && (events & (EPOLLIN | READ_ON)))
		read_all(sc, events);
	else if (sc->state == ENDED && (events & (EPOLLERR | EPOLLHUP)))
		fail_with_its_error(sc, -ECONNRESET);
}

static int bind_source(int fd, struct net_addr from)
{
	int one = 1;
	struct sockaddr_in in = to_sockaddr(from);

	if (from.ip == 0 && from.port == 0)
		return 0;
	/* The port is then chosen at connect(), by the whole 4-tuple: without it the search is
	 * linear. */
	if (from.port == 0)
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? -errno : 0;
}

static int socket_connect(struct net *net, struct net_addr from, struct net_addr to,
			  const struct net_handler *handler, struct net_conn **ret)
{
	struct net_socket *ns = of_net(net);
	struct sockaddr_in in = to_sockaddr(to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int rc = bind_source(fd, from);
	if (rc < 0)
		goto no_conn;
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 && errno != EINPROGRESS) {
		rc = -errno;
		goto no_conn;
	}
	rc = -ENOBUFS;
	struct socket_conn *sc = new_conn(ns, fd, CONNECTING);
	if (sc == NULL)
		goto no_conn;
	sc->nagles = true;
	sc->conn.handler = handler;
	sc->conn.local = from;
	sc->conn.peer = to;
	bool connected = to.ip >> 24 == 127 && is_connected(fd);
	sc->watches_writes = !connected;
	/* EPOLLOUT is what a finished connect reports; even a refusal comes by the loop, never
	 * here. */
	rc = loop_add(net->loop, fd, connected ? READ_EVENTS : CONN_EVENTS, &sc->watch);
	if (rc < 0) {
		bury(sc);
		return rc;
	}
	sc->opening.run = open_at_once;
	if (connected)
		loop_soon(net->loop, &sc->opening);
	*ret = &sc->conn;
	return 0;
no_conn:
	close(fd);
	return rc;
}

/* ---- listening ---- */

static void pause_accepting(struct socket_listener *sl)
{
	struct loop *loop = sl->listener.net->loop;

	loop_change(loop, sl->fd, 0, &sl->watch);
	loop_timer(loop, &sl->resume, ACCEPT_PAUSE_NS);
}

static void resume_accepting(struct timer *timer, int64_t now_ns)
{
	struct socket_listener *sl = OF(timer, struct socket_listener, resume);

	(void)now_ns;
	loop_change(sl->listener.net->loop, sl->fd, EPOLLIN, &sl->watch);
}

static bool accept_one(struct socket_listener *sl)
{
	struct net_socket *ns = of_net(sl->listener.net);
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);
	int fd = accept4(sl->fd, (struct sockaddr *)&in, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			ns->net.stats.refused_full++;
			pause_accepting(sl); /* or the loop would spin on a ready listener */
		}
		return false;
	}
	struct socket_conn *sc = new_conn(ns, fd, OPEN);
	if (sc == NULL) {
		ns->net.stats.refused_full++;
		close(fd);
		return true;
	}
	sc->conn.local = sl->listener.local;
	sc->conn.peer = from_sockaddr(&in);
	ns->net.stats.accepted++;
	if (!sl->listener.accepted(&sl->listener, &sc->conn)) {
		socket_close(&sc->conn, false);
		return true;
	}
	if (sc->state == OPEN && loop_add(ns->net.loop, fd, CONN_EVENTS, &sc->watch) < 0)
		fail(sc, -ENOMEM);
	return true;
}

static void listener_ready(struct loop_watch *watch, uint32_t events)
{
	struct socket_listener *sl = OF(watch, struct socket_listener, watch);

	(void)events;
	/* One a turn for each listener; what is left makes it ready again. */
	if (!sl->dead)
		accept_one(sl);
}

static void free_listener(struct loop_deferred *deferred)
{
	struct socket_listener *sl = OF(deferred, struct socket_listener, deferred);

	pool_put(&of_net(sl->listener.net)->listeners, sl);
}

static int open_listener(struct net_addr at)
{
	struct sockaddr_in in = to_sockaddr(at);
	int one = 1, error;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* For addresses whose last connections stand in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* A unit leaves at once, not with the ACK of the one before. Accepted sockets inherit it.
	 */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 1024) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int socket_listen(struct net *net, struct net_addr at, struct net_listener **ret)
{
	struct net_socket *ns = of_net(net);
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);
	int fd = open_listener(at);

	if (fd < 0)
		return fd;
	struct socket_listener *sl = pool_get(&ns->listeners);
	if (sl == NULL) {
		close(fd);
		return -ENOBUFS;
	}
	memset(sl, 0, sizeof(*sl));
	sl->watch.ready = listener_ready;
	sl->fd = fd;
	sl->resume.fire = resume_accepting;
	sl->deferred.run = free_listener;
	sl->listener.net = net;
	getsockname(fd, (struct sockaddr *)&in, &len);
	sl->listener.local = from_sockaddr(&in);
	int rc = loop_add(net->loop, fd, EPOLLIN, &sl->watch);
	if (rc < 0) {
		close(fd);
		pool_put(&ns->listeners, sl);
		return rc;
	}
	sl->next = ns->listening;
	if (ns->listening != NULL)
		ns->listening->prev = sl;
	ns->listening = sl;
	*ret = &sl->listener;
	return 0;
}

static void socket_unlisten(struct net_listener *listener)
{
	struct socket_listener *sl = OF(listener, struct socket_listener, listener);
	struct net_socket *ns = of_net(listener->net);

	if (sl->dead)
		return;
	sl->dead = true;
	timer_cancel(&ns->net.loop->timers, &sl->resume);
	close(sl->fd);
	if (sl->prev != NULL)
		sl->prev->next = sl->next;
	else
		ns->listening = sl->next;
	if (sl->next != NULL)
		sl->next->prev = sl->prev;
	loop_defer(ns->net.loop, &sl->deferred);
}

/* A socket filter that keeps no byte of any packet: SYNs and segments vanish before TCP sees them.
 */
static int hole_fd(int fd, bool on)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &drop };
	int none = 0;
	int rc = on ? setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program))
		    : setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));

	return rc < 0 && (on || errno != ENOENT) ? -errno : 0;
}

static int socket_hole(struct net_listener *listener, bool on)
{
	return hole_fd(OF(listener, struct socket_listener, listener)->fd, on);
}

static int socket_hole_conn(struct net_conn *conn, bool on)
{
	struct socket_conn *sc = of_conn(conn);

	return sc->state == DEAD ? -EPIPE : hole_fd(sc->fd, on);
}

static void socket_poke(struct net_conn *conn)
{
	struct socket_conn *sc = of_conn(conn);

	if (sc->state == DEAD || sc->in.len == 0)
		return;
	size_t taken = conn->handler->received(conn, sc->in.at, sc->in.len, 0);
	if (sc->state != DEAD)
		buffer_drop(&of_net(conn->net)->buffers, &sc->in, taken);
}

/* ---- */

static const struct net_ops socket_ops = {
	.listen = socket_listen,
	.unlisten = socket_unlisten,
	.connect = socket_connect,
	.send = socket_send,
	.close = socket_close,
	.hole = socket_hole,
	.hole_conn = socket_hole_conn,
	.poke = socket_poke,
	.stamp = socket_stamp,
};

int net_socket_new(struct loop *loop, const struct net_socket_limits *limits, struct net **ret)
{
	struct net_socket *ns = calloc(1, sizeof(*ns));

	if (ns == NULL)
		return -ENOMEM;
	ns->net.ops = &socket_ops;
	ns->net.loop = loop;
	int rc = pool_init(&ns->conns, sizeof(struct socket_conn), limits->connections);
	if (rc == 0)
		rc = pool_init(&ns->listeners, sizeof(struct socket_listener), limits->listeners);
	if (rc == 0)
		rc = buffers_init(&ns->buffers, limits->buffer_bytes);
	if (rc < 0) {
		net_socket_free(&ns->net);
		return rc;
	}
	*ret = &ns->net;
	return 0;
}

void net_socket_free(struct net *net)
{
	struct net_socket *ns = of_net(net);

	while (ns->open != NULL)
		bury(ns->open);
	while (ns->listening != NULL)
		socket_unlisten(&ns->listening->listener);
	/* The dead wait on the loop's list for the end of the turn; this is it. */
	loop_settle(net->loop);
	pool_release(&ns->conns);
	pool_release(&ns->listeners);
	buffers_release(&ns->buffers);
	free(ns);
}

#include "emulator/base/net_socket_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- connecting ---- */

static void fail_with_its_error(struct socket_conn *sc, int otherwise)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(sc->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	socket_fail(sc, error != 0 ? -error : otherwise);
}

static void opened(struct socket_conn *sc)
{
	sc->state = SOCKET_OPEN;
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

	if (sc->state == SOCKET_CONNECTING)
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

void socket_ready(struct loop_watch *watch, uint32_t events)
{
	struct socket_conn *sc = OF(watch, struct socket_conn, watch);

	if (socket_batch_read(sc, events))
		return;
	socket_batch_handle(of_net(sc->conn.net));
	if (sc->state == SOCKET_CONNECTING)
		connect_done(sc, events);
	if (sc->stamps && sc->state != SOCKET_DEAD && (events & EPOLLERR)) {
		socket_take_stamps(sc);
		if (!(events & EPOLLHUP)) /* a reset has both */
			events &= ~(uint32_t)EPOLLERR;
	}
	if (sc->state == SOCKET_DEAD)
		return;
	/* We could not write any more, but why may stand in what the peer had said before. */
	if (sc->error != 0) {
		if (sc->state == SOCKET_OPEN)
			socket_read_all(sc, events | EPOLLHUP);
		if (sc->state != SOCKET_DEAD)
			socket_fail(sc, sc->error);
		return;
	}
	/* After an error nothing leaves any more, but what came before it is still to be read. */
	if (sc->out.len > 0 && (events & EPOLLOUT) && !(events & (EPOLLERR | EPOLLHUP)))
		socket_flush(sc);
	/* What was left unread may have its end behind it, whose edge has come and gone. */
	if (sc->unread)
		events |= EPOLLRDHUP;
	if (sc->state == SOCKET_OPEN && (events & (EPOLLIN | READ_ON)))
		socket_read_all(sc, events);
	else if (sc->state == SOCKET_ENDED && (events & (EPOLLERR | EPOLLHUP)))
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
	struct socket_conn *sc = socket_conn_new(ns, fd, SOCKET_CONNECTING);
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
		socket_bury(sc);
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

/* ---- the face ---- */

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
	socket_batch_init(ns);
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
		socket_bury(ns->open);
	while (ns->listening != NULL)
		socket_unlisten(&ns->listening->listener);
	/* The dead wait on the loop's list for the end of the turn; this is it. */
	loop_settle(net->loop);
	pool_release(&ns->conns);
	pool_release(&ns->listeners);
	buffers_release(&ns->buffers);
	free(ns);
}

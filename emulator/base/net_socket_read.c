#include "emulator/base/net_socket_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Reading. */

#define UNITS_PER_TURN 16

/* Keeps what the handler did not take. */
static void keep_rest(struct socket_conn *sc, const char *rest, size_t len)
{
	struct net_socket *ns = of_net(sc->conn.net);

	if (buffer_reserve(&ns->buffers, &sc->in, len) < 0) {
		ns->net.stats.buffers_short++;
		socket_fail(sc, -ENOBUFS);
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
		if (sc->state != SOCKET_DEAD && taken < len)
			keep_rest(sc, bytes + taken, len - taken);
		return;
	}
	size_t fresh = sc->in.len;
	keep_rest(sc, bytes, len);
	if (sc->state == SOCKET_DEAD)
		return;
	size_t taken = sc->conn.handler->received(&sc->conn, sc->in.at, sc->in.len, fresh);
	if (sc->state != SOCKET_DEAD)
		buffer_drop(&ns->buffers, &sc->in, taken);
}

static void peer_ended(struct socket_conn *sc)
{
	if (sc->state != SOCKET_OPEN)
		return;
	if (sc->conn.handler->ended == NULL) {
		socket_bury(sc);
		if (sc->conn.handler->closed != NULL)
			sc->conn.handler->closed(&sc->conn, 0);
		return;
	}
	sc->state = SOCKET_ENDED;
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
		socket_fail(sc, -ENOBUFS);
		return false;
	}
	fetch_soon(sc);
	ssize_t n = sc->stamps ? socket_receive_stamped(sc, ns->unit, room)
			       : recv(sc->fd, ns->unit, room, 0);
	if (sc->state == SOCKET_DEAD)
		return false;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			socket_fail(sc, -errno);
		return false;
	}
	ns->net.stats.reads++;
	if (n == 0) {
		/* Shut both ways, and not by us: a reset behind the peer's end. */
		if (events & EPOLLHUP)
			socket_fail(sc, -ECONNRESET);
		else
			peer_ended(sc);
		return false;
	}
	ns->net.stats.bytes_in += (uint64_t)n;
	deliver(sc, ns->unit, (size_t)n);
	return sc->state == SOCKET_OPEN && ((size_t)n == room || (events & READ_ON));
}

void socket_read_all(struct socket_conn *sc, uint32_t events)
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

void socket_poke(struct net_conn *conn)
{
	struct socket_conn *sc = of_conn(conn);

	if (sc->state == SOCKET_DEAD || sc->in.len == 0)
		return;
	size_t taken = conn->handler->received(conn, sc->in.at, sc->in.len, 0);
	if (sc->state != SOCKET_DEAD)
		buffer_drop(&of_net(conn->net)->buffers, &sc->in, taken);
}

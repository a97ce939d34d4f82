#include "emulator/base/net_socket_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Reading. */

#define UNITS_PER_TURN 16

void socket_keep(struct socket_conn *sc, const char *rest, size_t len)
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

void socket_deliver(struct socket_conn *sc, const char *bytes, size_t len)
{
	struct net_socket *ns = of_net(sc->conn.net);

	if (sc->in.len == 0) {
		size_t taken = sc->conn.handler->received(&sc->conn, bytes, len, 0);
		if (sc->state != SOCKET_DEAD && taken < len)
			socket_keep(sc, bytes + taken, len - taken);
		return;
	}
	size_t fresh = sc->in.len;
	socket_keep(sc, bytes, len);
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
	if (sc->conn.soon != NULL)
		__builtin_prefetch(sc->conn.soon, 1);
}

size_t socket_receive(struct socket_conn *sc, uint32_t events, char *bytes, size_t room)
{
	struct net_socket *ns = of_net(sc->conn.net);

	fetch_soon(sc);
	ssize_t n = sc->stamps ? socket_receive_stamped(sc, bytes, room)
			       : recv(sc->fd, bytes, room, 0);
	if (sc->state == SOCKET_DEAD)
		return 0;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			socket_fail(sc, -errno);
		return 0;
	}
	ns->net.stats.reads++;
	if (n == 0) {
		/* Shut both ways, and not by us: a reset behind the peer's end. */
		if (events & EPOLLHUP)
			socket_fail(sc, -ECONNRESET);
		else
			peer_ended(sc);
		return 0;
	}
	ns->net.stats.bytes_in += (uint64_t)n;
	if (sc->bulk != (n >= BATCH_UNIT_MAX)) /* a line that is not written need not go back */
		sc->bulk = !sc->bulk;
	return (size_t)n;
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
	size_t n = socket_receive(sc, events, ns->unit, room);
	if (n == 0)
		return false;
	socket_deliver(sc, ns->unit, n);
	return sc->state == SOCKET_OPEN && (n == room || (events & READ_ON));
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

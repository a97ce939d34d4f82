#include "emulator/base/net_socket_parts.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection's life. */

static void free_conn(struct loop_deferred *deferred)
{
	struct socket_conn *sc = OF(deferred, struct socket_conn, deferred);
	struct net_socket *ns = of_net(sc->conn.net);

	buffer_free(&ns->buffers, &sc->in);
	buffer_free(&ns->buffers, &sc->out);
	sc->state = SOCKET_FREE;
	pool_put(&ns->conns, sc);
}

void socket_bury(struct socket_conn *sc)
{
	struct net_socket *ns = of_net(sc->conn.net);

	assert(sc->state != SOCKET_DEAD && sc->state != SOCKET_FREE);
	socket_batch_send(ns); /* one of the answers may be its */
	sc->state = SOCKET_DEAD;
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

void socket_fail(struct socket_conn *sc, int error)
{
	if (sc->state == SOCKET_DEAD)
		return;
	if (sc->state == SOCKET_CONNECTING)
		sc->conn.net->stats.connect_failed++;
	socket_bury(sc);
	if (sc->conn.handler->closed != NULL)
		sc->conn.handler->closed(&sc->conn, error);
}

void socket_close(struct net_conn *conn, bool reset)
{
	struct socket_conn *sc = of_conn(conn);

	if (sc->state == SOCKET_DEAD)
		return;
	if (reset) {
		struct linger linger = { .l_onoff = 1, .l_linger = 0 };
		setsockopt(sc->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	socket_bury(sc);
}

struct socket_conn *socket_conn_new(struct net_socket *ns, int fd, uint8_t state)
{
	struct socket_conn *sc = pool_get(&ns->conns);

	if (sc == NULL)
		return NULL;
	memset(sc, 0, sizeof(*sc));
	sc->watch.ready = socket_ready;
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

#include "emulator/base/net_socket_parts.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* Writing. */

void socket_flush(struct socket_conn *sc)
{
	struct net_socket *ns = of_net(sc->conn.net);

	while (sc->out.len > 0) {
		ssize_t n = send(sc->fd, sc->out.at, sc->out.len, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				socket_fail(sc, -errno);
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

int socket_send_now(struct socket_conn *sc, const char *bytes, size_t len)
{
	if (sc->out.len > 0)
		return queue_rest(sc, bytes, len);
	/* A first unit leaves at once; the next would wait for its ACK. Most connects send only
	 * one. */
	if (sc->nagles && sc->has_sent)
		leave_at_once(sc);
	else if (sc->nagles)
		sc->has_sent = true;
	ssize_t n = send(sc->fd, bytes, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return break_off(sc, -errno);
	if (sc->stamps)
		socket_take_stamps(sc);
	size_t sent = n < 0 ? 0 : (size_t)n;
	return sent < len ? queue_rest(sc, bytes + sent, len - sent) : 0;
}

int socket_send(struct net_conn *conn, const char *bytes, size_t len)
{
	struct socket_conn *sc = of_conn(conn);

	if (sc->state != SOCKET_OPEN && sc->state != SOCKET_ENDED)
		return -EPIPE;
	if (sc->error != 0)
		return sc->error;
	conn->net->stats.writes++;
	conn->net->stats.bytes_out += len;
	if (socket_batch_answer(sc, bytes, len))
		return 0;
	socket_batch_send(of_net(conn->net)); /* in the order in which it was said */
	return sc->error != 0 ? sc->error : socket_send_now(sc, bytes, len);
}

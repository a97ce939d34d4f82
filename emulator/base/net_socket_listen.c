#include "emulator/base/net_socket_parts.h"

#include "emulator/base/units.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Listening. */

#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

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
	struct socket_conn *sc = socket_conn_new(ns, fd, SOCKET_OPEN);
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
	if (sc->state == SOCKET_OPEN && loop_add(ns->net.loop, fd, CONN_EVENTS, &sc->watch) < 0)
		socket_fail(sc, -ENOMEM);
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

int socket_listen(struct net *net, struct net_addr at, struct net_listener **ret)
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

void socket_unlisten(struct net_listener *listener)
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

/* ---- holes ---- */

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

int socket_hole(struct net_listener *listener, bool on)
{
	return hole_fd(OF(listener, struct socket_listener, listener)->fd, on);
}

int socket_hole_conn(struct net_conn *conn, bool on)
{
	struct socket_conn *sc = of_conn(conn);

	return sc->state == SOCKET_DEAD ? -EPIPE : hole_fd(sc->fd, on);
}

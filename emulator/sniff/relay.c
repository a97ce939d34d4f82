#include "emulator/sniff/relay_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)
#define BUFFER_BYTES ((size_t)256 << 20)
#define NOTHING ((struct qn_text){ NULL, 0 })

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

int64_t relay_t_ns(const struct relay *relay)
{
	return relay->started ? relay->loop->now_ns - relay->start_ns : 0;
}

const struct relay_stats *relay_stats(const struct relay *relay)
{
	return &relay->stats;
}

uint16_t relay_port(const struct relay *relay)
{
	return relay->port;
}

/* ---- a connection ---- */

void crossing_tell(struct crossing *crossing, enum happened_kind kind, enum way way,
		   struct qn_text bytes, const char *text)
{
	struct relay *relay = crossing->relay;
	struct happened happened = { .kind = kind,
				     .way = way,
				     .conn = crossing->number,
				     .t_ns = relay_t_ns(relay),
				     .bytes = bytes,
				     .text = text };

	relay->options.happened(relay->options.owner, &happened);
}

static void free_crossing(struct loop_deferred *deferred)
{
	struct crossing *crossing = OF(deferred, struct crossing, burial);

	pool_put(&crossing->relay->crossings, crossing);
}

static void close_end(struct end *end, bool reset)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (end->fd < 0)
		return;
	if (reset)
		setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(end->fd);
	end->fd = -1;
}

void crossing_close(struct crossing *crossing, bool reset)
{
	struct relay *relay = crossing->relay;

	if (crossing->dead)
		return;
	crossing->dead = true;
	for (enum way way = TO_SERVER; way <= TO_CLIENT; way++) {
		lane_release(crossing, way);
		close_end(&crossing->ends[way], reset);
	}
	if (!crossing->refused)
		crossing_tell(crossing, HAPPENED_CLOSE, TO_SERVER, NOTHING, NULL);
	if (crossing->prev != NULL)
		crossing->prev->next = crossing->next;
	else
		relay->open = crossing->next;
	if (crossing->next != NULL)
		crossing->next->prev = crossing->prev;
	relay->stats.open--;
	loop_defer(relay->loop, &crossing->burial);
}

static uint32_t wanted(const struct crossing *crossing, enum way way)
{
	const struct lane *in = &crossing->lanes[way], *out = &crossing->lanes[!way];
	uint32_t events = 0;

	if (way == TO_CLIENT && !crossing->connected)
		return EPOLLOUT;
	if (!in->read_ended && in->bytes < LANE_MAX)
		events |= EPOLLIN;
	if (out->blocked)
		events |= EPOLLOUT;
	return events;
}

void crossing_update(struct crossing *crossing)
{
	struct loop *loop = crossing->relay->loop;

	for (enum way way = TO_SERVER; way <= TO_CLIENT && !crossing->dead; way++) {
		struct end *end = &crossing->ends[way];
		uint32_t events = wanted(crossing, way);
		if (end->watched && events == end->events)
			continue;
		int rc = end->watched  ? loop_change(loop, end->fd, events, &end->watch)
			 : events != 0 ? loop_add(loop, end->fd, events, &end->watch)
				       : 0;
		end->watched = end->watched || (events != 0 && rc == 0);
		end->events = events;
		if (rc < 0) {
			crossing->relay->stats.no_room++;
			lane_reset(crossing, way);
		}
	}
}

static int error_of(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static void refuse(struct crossing *crossing, int error)
{
	crossing_tell(crossing, HAPPENED_REFUSED, TO_SERVER, NOTHING, strerror(error));
	crossing->refused = true;
	crossing_close(crossing, true);
}

static void connect_ended(struct crossing *crossing)
{
	int error = error_of(crossing->ends[TO_CLIENT].fd);

	crossing->connected = true;
	if (error == ECONNRESET || error == EPIPE) { /* it was there, and gone at once */
		lane_reset(crossing, TO_CLIENT);
		return;
	}
	if (error != 0) {
		refuse(crossing, error);
		return;
	}
	lane_pump(crossing, TO_SERVER);
}

static void end_ready(struct loop_watch *watch, uint32_t events)
{
	struct end *end = OF(watch, struct end, watch);
	struct crossing *crossing = end->of;
	enum way way = end == &crossing->ends[TO_SERVER] ? TO_SERVER : TO_CLIENT;

	if (crossing->dead)
		return;
	if (way == TO_CLIENT && !crossing->connected) {
		connect_ended(crossing);
		return;
	}
	if ((events & EPOLLOUT) != 0) {
		crossing->lanes[!way].blocked = false;
		lane_pump(crossing, !way);
	}
	if (crossing->dead)
		return;
	if ((events & EPOLLIN) != 0 && (end->events & EPOLLIN) != 0) {
		lane_read(crossing, way);
		return;
	}
	if ((events & (EPOLLERR | EPOLLHUP)) == 0)
		return;
	if (error_of(end->fd) != 0 || (events & EPOLLERR) != 0) {
		lane_reset(crossing, way);
	} else if ((end->events & EPOLLIN) == 0) {
		/* Both directions are over, and what is left cannot be read yet: it would be said
		 * again and again. crossing_update() watches it anew when there is room. */
		loop_remove(crossing->relay->loop, end->fd);
		end->watched = false;
	}
}

/* ---- to the other side ---- */

static int dial_from(struct net_addr to, uint32_t source)
{
	struct sockaddr_in there = to_sockaddr(to),
			   here = to_sockaddr((struct net_addr){ source, 0 });
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (source != 0) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
			goto failed;
	}
	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) == 0 || errno == EINPROGRESS)
		return fd;
failed:
	error = -errno;
	close(fd);
	return error;
}

/* From the client's address, where this machine has it: a master knows targets by theirs. */
static int dial(struct relay *relay, struct net_addr to, uint32_t client)
{
	uint32_t face = routes_face_of(relay->options.routes, client);

	if (!relay->options.own_source) {
		int fd = dial_from(to, face);
		/* Not ours, or no way from it to there; all else would be no better without. */
		if (fd != -EADDRNOTAVAIL && fd != -EINVAL && fd != -ENETUNREACH)
			return fd;
		relay->stats.own_source++;
	}
	return dial_from(to, 0);
}

static struct crossing *new_crossing(struct relay *relay, int fd)
{
	struct crossing *crossing = pool_get(&relay->crossings);

	if (crossing == NULL)
		return NULL;
	memset(crossing, 0, offsetof(struct crossing, before));
	crossing->before[0].len = crossing->before[1].len = 0;
	crossing->relay = relay;
	crossing->number = ++relay->last_number;
	crossing->burial.run = free_crossing;
	for (enum way way = TO_SERVER; way <= TO_CLIENT; way++) {
		crossing->ends[way].watch.ready = end_ready;
		crossing->ends[way].of = crossing;
		crossing->ends[way].fd = -1;
		lane_init(&crossing->lanes[way], crossing, way);
	}
	crossing->ends[TO_SERVER].fd = fd;
	crossing->next = relay->open;
	if (relay->open != NULL)
		relay->open->prev = crossing;
	relay->open = crossing;
	relay->stats.open++;
	return crossing;
}

static void route_name(const struct relay *relay, const struct listener *listener, char *name,
		       size_t cap)
{
	bool range = relay->options.wire == DIALOG_SNYPER || relay->options.wire == DIALOG_HTTP;

	if (range && listener->route->targets)
		snprintf(name, cap, "cmd%u", listener->index + 1);
	else
		snprintf(name, cap, "%s", range ? "reg" : "tcp");
}

static void tell_open(struct crossing *crossing, const struct listener *listener,
		      struct net_addr client, struct net_addr to)
{
	struct relay *relay = crossing->relay;
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);
	char name[16];

	if (crossing->ends[TO_CLIENT].fd >= 0)
		getsockname(crossing->ends[TO_CLIENT].fd, (struct sockaddr *)&in, &len);
	route_name(relay, listener, name, sizeof(name));
	struct happened happened = { .kind = HAPPENED_OPEN,
				     .conn = crossing->number,
				     .t_ns = relay_t_ns(relay),
				     .client = client,
				     .via = from_sockaddr(&in),
				     .to = to,
				     .route = name,
				     .targets = name[0] == 'c' };
	relay->options.happened(relay->options.owner, &happened);
}

static void begin(struct listener *listener, int fd, struct net_addr client)
{
	struct relay *relay = listener->relay;
	struct crossing *crossing = new_crossing(relay, fd);
	struct net_addr to = listener->route->to;

	if (crossing == NULL) {
		relay->stats.refused_full++;
		close(fd);
		return;
	}
	if (!relay->started) {
		relay->started = true;
		relay->start_ns = relay->loop->now_ns;
	}
	relay->stats.accepted++;
	to.ip += listener->index;
	int other = dial(relay, to, client.ip);
	crossing->ends[TO_CLIENT].fd = other < 0 ? -1 : other;
	tell_open(crossing, listener, client, to);
	if (other < 0)
		refuse(crossing, -other);
	else
		crossing_update(crossing);
}

/* ---- listening ---- */

static void resume(struct timer *timer, int64_t now_ns)
{
	struct listener *listener = OF(timer, struct listener, resume);

	(void)now_ns;
	loop_change(listener->relay->loop, listener->fd, EPOLLIN, &listener->watch);
}

static void listener_ready(struct loop_watch *watch, uint32_t events)
{
	struct listener *listener = OF(watch, struct listener, watch);
	struct loop *loop = listener->relay->loop;
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);
	int fd = accept4(listener->fd, (struct sockaddr *)&in, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		begin(listener, fd, from_sockaddr(&in));
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		listener->relay->stats.refused_full++;
		loop_change(loop, listener->fd, 0, &listener->watch); /* or it would spin */
		loop_timer(loop, &listener->resume, ACCEPT_PAUSE_NS);
	}
}

static int listen_at(struct listener *listener, struct net_addr at)
{
	struct sockaddr_in in = to_sockaddr(at);
	int one = 1;

	listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->fd < 0)
		return -errno;
	setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(listener->fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(listener->fd, 1024) < 0)
		return -errno;
	listener->watch.ready = listener_ready;
	listener->resume.fire = resume;
	return loop_add(listener->relay->loop, listener->fd, EPOLLIN, &listener->watch);
}

int relay_listen(struct relay *relay, struct net_addr *ret_at)
{
	const struct routes *routes = relay->options.routes;
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);

	relay->listeners = calloc(routes->addresses, sizeof(*relay->listeners));
	if (relay->listeners == NULL)
		return -ENOMEM;
	for (size_t r = 0; r < routes->n; r++) {
		const struct route *route = &routes->routes[r];
		for (uint32_t i = 0; i < route->count; i++) {
			struct listener *listener = &relay->listeners[relay->n_listeners++];
			*listener = (struct listener){
				.relay = relay, .route = route, .index = i, .fd = -1
			};
			*ret_at = (struct net_addr){ route->listen.ip + i, route->listen.port };
			int rc = listen_at(listener, *ret_at);
			if (rc < 0)
				return rc;
		}
	}
	getsockname(relay->listeners[0].fd, (struct sockaddr *)&in, &len);
	relay->port = ntohs(in.sin_port);
	return 0;
}

int relay_new(struct loop *loop, const struct relay_options *options, struct relay **ret)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL)
		return -ENOMEM;
	relay->loop = loop;
	relay->options = *options;
	int rc = pool_init(&relay->crossings, sizeof(struct crossing), options->conns_max);
	if (rc == 0)
		rc = pool_init(&relay->units, sizeof(struct unit), options->conns_max * 8 + 4096);
	if (rc == 0)
		rc = buffers_init(&relay->buffers, BUFFER_BYTES);
	if (rc < 0) {
		relay_free(relay);
		return rc;
	}
	*ret = relay;
	return 0;
}

void relay_free(struct relay *relay)
{
	while (relay->open != NULL)
		crossing_close(relay->open, false);
	for (uint32_t i = 0; i < relay->n_listeners; i++) {
		timer_cancel(&relay->loop->timers, &relay->listeners[i].resume);
		if (relay->listeners[i].fd >= 0)
			close(relay->listeners[i].fd);
	}
	loop_settle(relay->loop);
	free(relay->listeners);
	pool_release(&relay->crossings);
	pool_release(&relay->units);
	buffers_release(&relay->buffers);
	free(relay);
}

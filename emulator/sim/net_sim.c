#include "emulator/sim/net_sim.h"

#include "emulator/base/pool.h"
#include "emulator/base/rng.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define INLINE_BYTES 232
#define FIRST_PORT 32768u

enum { FREE, CONNECTING, OPEN, ENDED, DEAD };
enum unit_kind { UNIT_CONNECT, UNIT_DATA, UNIT_END, UNIT_RESET, UNIT_REFUSED };

struct sim_conn {
	/* One cache line for what every unit touches; the handler and its session follow. */
	uint8_t state;
	bool in_hole;
	struct sim_conn *peer;   /* NULL: gone, or not there yet */
	struct sim_unit *flying; /* units on their way to us */
	int64_t last_due_ns;     /* of what is on its way to us: none may overtake it */
	struct buffer in;
	struct net_conn conn;
	struct sim_unit *held; /* units that a hole keeps back, in order */
	struct sim_unit **held_end;
	struct sim_conn *next, *prev;
	struct loop_deferred deferred;
};

/* Something on its way to a connection. */
struct sim_unit {
	struct timer timer;
	struct sim_conn *to;
	struct sim_unit *next, *prev; /* of to->flying, or the held list */
	uint8_t kind;
	uint32_t len;
	struct buffer large; /* what does not fit inside */
	char bytes[INLINE_BYTES];
};

struct sim_listener {
	bool dead, in_hole;
	struct sim_listener *next; /* in its bucket */
	struct loop_deferred deferred;
	struct net_listener listener;
};

struct net_sim {
	struct net net;
	struct net_sim_options options;
	struct pool conns, units, listeners;
	struct buffers buffers;
	struct sim_conn *open;
	struct sim_listener **table;
	uint32_t table_mask;
	uint64_t draws, connects;
};

static struct net_sim *of_net(const struct net *net)
{
	return OF(net, struct net_sim, net);
}

static struct sim_conn *of_conn(struct net_conn *conn)
{
	return OF(conn, struct sim_conn, conn);
}

static uint64_t draw(struct net_sim *ns)
{
	return rng_draw(ns->options.seed, 0, RNG_NETWORK, ns->draws++);
}

static bool chance(struct net_sim *ns, double probability)
{
	return probability > 0 && rng_unit(draw(ns)) < probability;
}

static int64_t latency(struct net_sim *ns)
{
	if (ns->options.latency.kind == DIST_FIXED)
		return ns->options.latency.a;
	return dist_draw(&ns->options.latency, draw(ns));
}

/* ---- units ---- */

static void unit_lands(struct timer *timer, int64_t now_ns);

static struct sim_unit *new_unit(struct net_sim *ns, struct sim_conn *to, enum unit_kind kind)
{
	struct sim_unit *unit = pool_get(&ns->units);

	if (unit == NULL)
		return NULL;
	memset(unit, 0, offsetof(struct sim_unit, bytes));
	unit->timer.fire = unit_lands;
	unit->to = to;
	unit->kind = (uint8_t)kind;
	return unit;
}

static void free_unit(struct net_sim *ns, struct sim_unit *unit)
{
	timer_cancel(&ns->net.loop->timers, &unit->timer);
	buffer_free(&ns->buffers, &unit->large);
	pool_put(&ns->units, unit);
}

static void take_off(struct sim_unit *unit)
{
	if (unit->prev != NULL)
		unit->prev->next = unit->next;
	else
		unit->to->flying = unit->next;
	if (unit->next != NULL)
		unit->next->prev = unit->prev;
	unit->next = unit->prev = NULL;
}

/* Sets off towards unit->to, behind everything that is already on its way there. */
static void fly(struct net_sim *ns, struct sim_unit *unit, int64_t in_ns)
{
	struct sim_conn *to = unit->to;
	int64_t due = ns->net.loop->now_ns + in_ns;

	if (due < to->last_due_ns)
		due = to->last_due_ns;
	to->last_due_ns = due;
	unit->prev = NULL;
	unit->next = to->flying;
	if (to->flying != NULL)
		to->flying->prev = unit;
	to->flying = unit;
	timer_arm(&ns->net.loop->timers, &unit->timer, due);
}

static int send_kind(struct net_sim *ns, struct sim_conn *to, enum unit_kind kind)
{
	struct sim_unit *unit = new_unit(ns, to, kind);

	if (unit == NULL)
		return -ENOBUFS;
	fly(ns, unit, latency(ns));
	return 0;
}

/* ---- connections ---- */

static struct sim_conn *new_conn(struct net_sim *ns, uint8_t state)
{
	struct sim_conn *sc = pool_get(&ns->conns);

	if (sc == NULL)
		return NULL;
	memset(sc, 0, sizeof(*sc));
	sc->state = state;
	sc->held_end = &sc->held;
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

static void free_conn(struct loop_deferred *deferred)
{
	struct sim_conn *sc = OF(deferred, struct sim_conn, deferred);

	sc->state = FREE;
	pool_put(&of_net(sc->conn.net)->conns, sc);
}

static void bury(struct sim_conn *sc)
{
	struct net_sim *ns = of_net(sc->conn.net);

	assert(sc->state != DEAD && sc->state != FREE);
	sc->state = DEAD;
	timer_cancel(&ns->net.loop->timers, &sc->conn.timer);
	while (sc->flying != NULL) {
		struct sim_unit *unit = sc->flying;
		take_off(unit);
		free_unit(ns, unit);
	}
	while (sc->held != NULL) {
		struct sim_unit *unit = sc->held;
		sc->held = unit->next;
		free_unit(ns, unit);
	}
	buffer_free(&ns->buffers, &sc->in);
	if (sc->peer != NULL)
		sc->peer->peer = NULL;
	sc->peer = NULL;
	if (sc->prev != NULL)
		sc->prev->next = sc->next;
	else
		ns->open = sc->next;
	if (sc->next != NULL)
		sc->next->prev = sc->prev;
	ns->net.stats.closed++;
	ns->net.stats.open--;
	sc->deferred.run = free_conn;
	loop_defer(ns->net.loop, &sc->deferred);
}

static void fail(struct sim_conn *sc, int error)
{
	if (sc->state == DEAD)
		return;
	if (sc->state == CONNECTING)
		sc->conn.net->stats.connect_failed++;
	bury(sc);
	if (sc->conn.handler->closed != NULL)
		sc->conn.handler->closed(&sc->conn, error);
}

/* ---- listeners ---- */

static uint32_t bucket_of(const struct net_sim *ns, struct net_addr at)
{
	return (uint32_t)rng_mix((uint64_t)at.ip << 16 | at.port) & ns->table_mask;
}

static struct sim_listener *find_listener(const struct net_sim *ns, struct net_addr at)
{
	struct sim_listener *sl = ns->table[bucket_of(ns, at)];

	while (sl != NULL && (sl->listener.local.ip != at.ip || sl->listener.local.port != at.port))
		sl = sl->next;
	return sl;
}

static int sim_listen(struct net *net, struct net_addr at, struct net_listener **ret)
{
	struct net_sim *ns = of_net(net);

	if (find_listener(ns, at) != NULL)
		return -EADDRINUSE;
	struct sim_listener *sl = pool_get(&ns->listeners);
	if (sl == NULL)
		return -ENOBUFS;
	memset(sl, 0, sizeof(*sl));
	sl->listener.net = net;
	sl->listener.local = at;
	struct sim_listener **bucket = &ns->table[bucket_of(ns, at)];
	sl->next = *bucket;
	*bucket = sl;
	*ret = &sl->listener;
	return 0;
}

static void free_listener(struct loop_deferred *deferred)
{
	struct sim_listener *sl = OF(deferred, struct sim_listener, deferred);

	pool_put(&of_net(sl->listener.net)->listeners, sl);
}

static void sim_unlisten(struct net_listener *listener)
{
	struct net_sim *ns = of_net(listener->net);
	struct sim_listener *sl = OF(listener, struct sim_listener, listener);
	struct sim_listener **link = &ns->table[bucket_of(ns, listener->local)];

	if (sl->dead)
		return;
	sl->dead = true;
	while (*link != sl)
		link = &(*link)->next;
	*link = sl->next;
	sl->deferred.run = free_listener;
	loop_defer(ns->net.loop, &sl->deferred);
}

/* ---- landing ---- */

/* The handshake's end: the peer accepts, then we are open; or nobody listens. */
static void land_connect(struct sim_conn *client)
{
	struct net_sim *ns = of_net(client->conn.net);
	struct sim_listener *sl = find_listener(ns, client->conn.peer);

	if (sl == NULL) {
		fail(client, -ECONNREFUSED);
		return;
	}
	if (sl->in_hole)
		return; /* nobody saw it; its maker's deadline will end it */
	struct sim_conn *server = new_conn(ns, OPEN);
	if (server == NULL) {
		ns->net.stats.refused_full++;
		fail(client, -ECONNRESET);
		return;
	}
	server->conn.local = sl->listener.local;
	server->conn.peer = client->conn.local;
	server->peer = client;
	client->peer = server;
	client->state = OPEN;
	ns->net.stats.accepted++;
	ns->net.stats.connected++;
	if (!sl->listener.accepted(&sl->listener, &server->conn)) {
		bury(server);
		send_kind(ns, client, UNIT_END);
	}
	if (client->state == OPEN && client->conn.handler->opened != NULL)
		client->conn.handler->opened(&client->conn);
}

static void keep_rest(struct sim_conn *sc, const char *rest, size_t len)
{
	struct net_sim *ns = of_net(sc->conn.net);

	if (len > sc->conn.rest_max - sc->in.len ||
	    buffer_reserve(&ns->buffers, &sc->in, len) < 0) {
		ns->net.stats.buffers_short++;
		if (sc->peer != NULL)
			send_kind(ns, sc->peer, UNIT_RESET);
		fail(sc, -ENOBUFS);
		return;
	}
	memcpy(sc->in.at + sc->in.len, rest, len);
	sc->in.len += (uint32_t)len;
}

static void land_data(struct sim_conn *sc, const char *bytes, size_t len)
{
	struct net_sim *ns = of_net(sc->conn.net);

	if (sc->state != OPEN)
		return;
	ns->net.stats.reads++;
	ns->net.stats.bytes_in += len;
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

static void land_end(struct sim_conn *sc)
{
	if (sc->state != OPEN)
		return;
	if (sc->conn.handler->ended == NULL) {
		if (sc->peer != NULL)
			send_kind(of_net(sc->conn.net), sc->peer, UNIT_END);
		bury(sc);
		if (sc->conn.handler->closed != NULL)
			sc->conn.handler->closed(&sc->conn, 0);
		return;
	}
	sc->state = ENDED;
	sc->conn.handler->ended(&sc->conn, sc->in.at, sc->in.len);
}

static void land(struct net_sim *ns, struct sim_unit *unit)
{
	struct sim_conn *to = unit->to;

	switch ((enum unit_kind)unit->kind) {
	case UNIT_CONNECT: land_connect(to); break;
	case UNIT_DATA:
		land_data(to, unit->large.len > 0 ? unit->large.at : unit->bytes, unit->len);
		break;
	case UNIT_END: land_end(to); break;
	case UNIT_RESET: fail(to, -ECONNRESET); break;
	case UNIT_REFUSED: fail(to, -ECONNREFUSED); break;
	}
	free_unit(ns, unit);
}

static void unit_lands(struct timer *timer, int64_t now_ns)
{
	struct sim_unit *unit = OF(timer, struct sim_unit, timer);
	struct net_sim *ns = of_net(unit->to->conn.net);

	(void)now_ns;
	take_off(unit);
	if (unit->to->in_hole && unit->kind != UNIT_CONNECT) {
		/* Its sender repeats it until somebody hears: it comes when the hole closes. */
		unit->next = NULL;
		*unit->to->held_end = unit;
		unit->to->held_end = &unit->next;
		return;
	}
	land(ns, unit);
}

/* ---- the face ---- */

static int sim_connect(struct net *net, struct net_addr from, struct net_addr to,
		       const struct net_handler *handler, struct net_conn **ret)
{
	struct net_sim *ns = of_net(net);
	struct sim_conn *sc = new_conn(ns, CONNECTING);

	if (sc == NULL)
		return -ENOBUFS;
	sc->conn.handler = handler;
	sc->conn.local = from;
	if (from.port == 0)
		sc->conn.local.port = (uint16_t)(FIRST_PORT + ns->connects++ % 28000);
	sc->conn.peer = to;
	if (!chance(ns, ns->options.connect_loss)) {
		struct sim_unit *unit = new_unit(ns, sc, UNIT_CONNECT);
		if (unit == NULL) {
			bury(sc);
			return -ENOBUFS;
		}
		fly(ns, unit, latency(ns) + latency(ns));
	}
	*ret = &sc->conn;
	return 0;
}

static void break_both(struct net_sim *ns, struct sim_conn *sc)
{
	send_kind(ns, sc->peer, UNIT_RESET);
	send_kind(ns, sc, UNIT_RESET);
}

static int sim_send(struct net_conn *conn, const char *bytes, size_t len)
{
	struct net_sim *ns = of_net(conn->net);
	struct sim_conn *sc = of_conn(conn);

	if (sc->state != OPEN && sc->state != ENDED)
		return -EPIPE;
	conn->net->stats.writes++;
	conn->net->stats.bytes_out += len;
	if (sc->peer == NULL)
		return -EPIPE; /* it has closed both ways; a reset is on its way to us */
	if (chance(ns, ns->options.break_chance)) {
		break_both(ns, sc);
		return 0;
	}
	struct sim_unit *unit = new_unit(ns, sc->peer, UNIT_DATA);
	if (unit == NULL)
		return -ENOBUFS;
	unit->len = (uint32_t)len;
	if (len <= sizeof(unit->bytes)) {
		memcpy(unit->bytes, bytes, len);
	} else if (buffer_reserve(&ns->buffers, &unit->large, len) == 0) {
		memcpy(unit->large.at, bytes, len);
		unit->large.len = (uint32_t)len;
	} else {
		ns->net.stats.buffers_short++;
		free_unit(ns, unit);
		return -ENOBUFS;
	}
	fly(ns, unit, latency(ns));
	return 0;
}

static void sim_close(struct net_conn *conn, bool reset)
{
	struct net_sim *ns = of_net(conn->net);
	struct sim_conn *sc = of_conn(conn), *peer = sc->peer;

	if (sc->state == DEAD)
		return;
	/* Bytes that were never read make the kernel answer a close with a reset. */
	bool unread = sc->in.len > 0;
	bury(sc);
	if (peer != NULL && peer->state != DEAD)
		send_kind(ns, peer, reset || unread ? UNIT_RESET : UNIT_END);
}

static int sim_hole(struct net_listener *listener, bool on)
{
	OF(listener, struct sim_listener, listener)->in_hole = on;
	return 0;
}

static int sim_hole_conn(struct net_conn *conn, bool on)
{
	struct sim_conn *sc = of_conn(conn);
	struct net_sim *ns = of_net(conn->net);

	if (sc->state == DEAD)
		return -EPIPE;
	sc->in_hole = on;
	while (!on && sc->held != NULL) {
		struct sim_unit *unit = sc->held;
		sc->held = unit->next;
		if (sc->held == NULL)
			sc->held_end = &sc->held;
		fly(ns, unit, latency(ns));
	}
	return 0;
}

static void sim_poke(struct net_conn *conn)
{
	struct sim_conn *sc = of_conn(conn);
	struct net_sim *ns = of_net(conn->net);

	if (sc->state == DEAD || sc->in.len == 0)
		return;
	size_t taken = conn->handler->received(conn, sc->in.at, sc->in.len, 0);
	if (sc->state != DEAD)
		buffer_drop(&ns->buffers, &sc->in, taken);
}

static const struct net_ops sim_ops = {
	.listen = sim_listen,
	.unlisten = sim_unlisten,
	.connect = sim_connect,
	.send = sim_send,
	.close = sim_close,
	.hole = sim_hole,
	.hole_conn = sim_hole_conn,
	.poke = sim_poke,
};

int net_sim_new(struct loop *loop, const struct net_sim_options *options, struct net **ret)
{
	struct net_sim *ns = calloc(1, sizeof(*ns));
	uint32_t size = 16;

	assert(loop->simulated);
	if (ns == NULL)
		return -ENOMEM;
	ns->net.ops = &sim_ops;
	ns->net.loop = loop;
	ns->options = *options;
	while (size < options->listeners * 2)
		size *= 2;
	ns->table_mask = size - 1;
	ns->table = calloc(size, sizeof(struct sim_listener *));
	int rc = ns->table != NULL ? 0 : -ENOMEM;
	if (rc == 0)
		rc = pool_init(&ns->conns, sizeof(struct sim_conn), options->connections);
	if (rc == 0)
		rc = pool_init(&ns->listeners, sizeof(struct sim_listener), options->listeners);
	if (rc == 0)
		rc = pool_init(&ns->units, sizeof(struct sim_unit), options->units);
	if (rc == 0)
		rc = buffers_init(&ns->buffers, options->buffer_bytes);
	if (rc < 0) {
		net_sim_free(&ns->net);
		return rc;
	}
	*ret = &ns->net;
	return 0;
}

size_t net_sim_in_use(const struct net *net)
{
	const struct net_sim *ns = of_net(net);
	size_t used = ns->conns.used + ns->units.used + ns->listeners.used;

	for (int i = 0; i < BUFFERS_CLASSES; i++)
		used += ns->buffers.classes[i].used;
	return used;
}

void net_sim_free(struct net *net)
{
	struct net_sim *ns = of_net(net);

	while (ns->open != NULL)
		bury(ns->open);
	for (uint32_t i = 0; ns->table != NULL && i <= ns->table_mask; i++)
		while (ns->table[i] != NULL)
			sim_unlisten(&ns->table[i]->listener);
	loop_settle(net->loop);
	pool_release(&ns->conns);
	pool_release(&ns->listeners);
	pool_release(&ns->units);
	buffers_release(&ns->buffers);
	free(ns->table);
	free(ns);
}

#include "tests/support/pipe_net.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

enum end_state { END_CONNECTING, END_OPEN, END_ENDED, END_DEAD };

struct pipe_conn {
	struct net_conn conn;
	struct loop_deferred deferred;
	struct end *end;
};

/* One end of a connection. It stays to the last, so that what is under way finds it. */
struct end {
	struct pipe_conn *pc; /* NULL where it has not begun, or is over */
	struct end *other, *next;
	enum end_state state;
	bool shut; /* it sends no more */
	char *kept;
	size_t kept_len;
};

struct pipe_listener {
	struct net_listener listener;
	struct loop_deferred deferred;
	struct pipe_listener *next;
	bool hole;
};

enum parcel_kind { PARCEL_CONNECT, PARCEL_OPENED, PARCEL_UNIT, PARCEL_FIN, PARCEL_RST };

struct parcel {
	struct timer timer;
	struct parcel *next;
	struct pipe_net *pn;
	struct end *to;
	enum parcel_kind kind;
	int error;
	size_t len;
	char bytes[];
};

#define SWALLOWED_MAX 8

struct pipe_net {
	struct net net;
	struct end *ends;
	struct parcel *parcels;
	struct pipe_listener *listeners;
	struct pipe_unit *units;
	size_t n_units, cap_units;
	uint32_t swallowed[SWALLOWED_MAX];
	uint16_t last_port;
	int fail_next;
};

static struct pipe_net *of_net(struct net *net)
{
	return OF(net, struct pipe_net, net);
}

static struct pipe_conn *of_conn(struct net_conn *conn)
{
	return OF(conn, struct pipe_conn, conn);
}

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static bool swallowed(const struct pipe_net *pn, uint32_t ip)
{
	for (size_t i = 0; i < SWALLOWED_MAX; i++)
		if (pn->swallowed[i] == ip && ip != 0)
			return true;
	return false;
}

/* ---- ends ---- */

static struct end *new_end(struct pipe_net *pn)
{
	struct end *end = must(calloc(1, sizeof(*end)));

	end->next = pn->ends;
	pn->ends = end;
	return end;
}

static void free_conn(struct loop_deferred *deferred)
{
	free(OF(deferred, struct pipe_conn, deferred));
}

static struct net_conn *begin(struct pipe_net *pn, struct end *end, enum end_state state)
{
	struct pipe_conn *pc = must(calloc(1, sizeof(*pc)));

	pc->deferred.run = free_conn;
	pc->conn.net = &pn->net;
	pc->end = end;
	end->pc = pc;
	end->state = state;
	if (++pn->net.stats.open > pn->net.stats.open_max)
		pn->net.stats.open_max = pn->net.stats.open;
	return &pc->conn;
}

static void bury(struct end *end)
{
	struct pipe_conn *pc = end->pc;
	struct net *net = pc->conn.net;

	assert(end->state != END_DEAD);
	end->state = END_DEAD;
	end->pc = NULL;
	timer_cancel(&net->loop->timers, &pc->conn.timer);
	net->stats.closed++;
	net->stats.open--;
	loop_defer(net->loop, &pc->deferred);
}

static void fail(struct end *end, int error)
{
	struct net_conn *conn = &end->pc->conn;

	bury(end);
	if (conn->handler->closed != NULL)
		conn->handler->closed(conn, error);
}

/* ---- parcels ---- */

static void arrived(struct timer *timer, int64_t now_ns);

static void post(struct pipe_net *pn, struct end *to, enum parcel_kind kind, const char *bytes,
		 size_t len, int error)
{
	struct parcel *parcel = must(calloc(1, sizeof(*parcel) + len));

	parcel->pn = pn;
	parcel->next = pn->parcels;
	pn->parcels = parcel;
	parcel->to = to;
	parcel->kind = kind;
	parcel->error = error;
	parcel->len = len;
	if (len > 0)
		memcpy(parcel->bytes, bytes, len);
	parcel->timer.fire = arrived;
	loop_timer(pn->net.loop, &parcel->timer, 0);
}

static void tell_reset(struct pipe_net *pn, struct end *end)
{
	post(pn, end, PARCEL_RST, NULL, 0, -ECONNRESET);
}

static struct pipe_listener *listener_at(const struct pipe_net *pn, struct net_addr at)
{
	struct pipe_listener *wildcard = NULL;

	for (struct pipe_listener *pl = pn->listeners; pl != NULL; pl = pl->next) {
		if (pl->listener.local.port != at.port)
			continue;
		if (pl->listener.local.ip == at.ip)
			return pl;
		if (pl->listener.local.ip == 0)
			wildcard = pl;
	}
	return wildcard;
}

static void handshake(struct pipe_net *pn, struct end *server)
{
	struct end *client = server->other;

	if (client->state == END_DEAD || swallowed(pn, client->pc->conn.peer.ip))
		return;
	struct pipe_listener *pl = listener_at(pn, client->pc->conn.peer);
	if (pl == NULL) {
		server->state = END_DEAD;
		post(pn, client, PARCEL_RST, NULL, 0, -ECONNREFUSED);
		return;
	}
	if (pl->hole)
		return;
	struct net_conn *conn = begin(pn, server, END_OPEN);
	conn->local = client->pc->conn.peer;
	conn->peer = client->pc->conn.local;
	pn->net.stats.accepted++;
	post(pn, client, PARCEL_OPENED, NULL, 0, 0);
	if (!pl->listener.accepted(&pl->listener, conn)) {
		bury(server);
		post(pn, client, PARCEL_FIN, NULL, 0, 0);
	}
}

static void opened(struct end *end)
{
	struct net_conn *conn = &end->pc->conn;

	end->state = END_OPEN;
	conn->net->stats.connected++;
	if (conn->handler->opened != NULL)
		conn->handler->opened(conn);
}

/*
 * What was kept and what is new lie in memory of just their size. Nothing new (a poke): all of it
 * is fresh, as net.h has it.
 */
static void deliver(struct end *end, const char *bytes, size_t len)
{
	struct net_conn *conn = &end->pc->conn;
	size_t fresh = len > 0 ? end->kept_len : 0, whole = end->kept_len + len;
	char *all = must(malloc(whole));

	conn->net->stats.reads++;
	conn->net->stats.bytes_in += len;
	if (end->kept_len > 0)
		memcpy(all, end->kept, end->kept_len);
	if (len > 0)
		memcpy(all + fresh, bytes, len);
	size_t taken = conn->handler->received(conn, all, whole, fresh);
	assert(taken <= whole);
	free(end->kept);
	end->kept = NULL;
	end->kept_len = 0;
	if (end->state != END_DEAD && taken < whole) {
		end->kept_len = whole - taken;
		end->kept = must(malloc(end->kept_len));
		memcpy(end->kept, all + taken, end->kept_len);
	}
	free(all);
}

static void ended(struct end *end)
{
	struct net_conn *conn = &end->pc->conn;

	if (conn->handler->ended == NULL) {
		if (!end->shut)
			post(of_net(conn->net), end->other, PARCEL_FIN, NULL, 0, 0);
		fail(end, 0);
		return;
	}
	end->state = END_ENDED;
	conn->handler->ended(conn, end->kept, end->kept_len);
}

static void arrived(struct timer *timer, int64_t now_ns)
{
	struct parcel *parcel = OF(timer, struct parcel, timer);
	struct end *end = parcel->to;
	struct pipe_net *pn = parcel->pn;

	(void)now_ns;
	if (parcel->kind == PARCEL_CONNECT) {
		handshake(pn, end);
		return;
	}
	if (end->state == END_DEAD) {
		if (parcel->kind == PARCEL_UNIT)
			tell_reset(pn, end->other);
		return;
	}
	if (end->pc == NULL || swallowed(pn, end->pc->conn.local.ip))
		return;
	switch (parcel->kind) {
	case PARCEL_CONNECT: break;
	case PARCEL_OPENED: opened(end); break;
	case PARCEL_UNIT:
		if (end->state == END_OPEN)
			deliver(end, parcel->bytes, parcel->len);
		break;
	case PARCEL_FIN:
		if (end->state == END_OPEN)
			ended(end);
		break;
	case PARCEL_RST:
		if (end->state == END_CONNECTING)
			end->pc->conn.net->stats.connect_failed++;
		fail(end, end->state == END_ENDED ? -EPIPE : parcel->error);
		break;
	}
}

/* ---- the face ---- */

static void record(struct pipe_net *pn, const struct net_conn *conn, const char *bytes, size_t len)
{
	if (pn->n_units == pn->cap_units) {
		pn->cap_units = pn->cap_units * 2 + 64;
		pn->units = must(realloc(pn->units, pn->cap_units * sizeof(*pn->units)));
	}
	char *copy = must(malloc(len + 1));
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	pn->units[pn->n_units++] = (struct pipe_unit){ .t_ns = pn->net.loop->now_ns,
						       .from = conn->local,
						       .to = conn->peer,
						       .bytes = copy,
						       .len = len };
}

static int pipe_send(struct net_conn *conn, const char *bytes, size_t len)
{
	struct pipe_net *pn = of_net(conn->net);
	struct end *end = of_conn(conn)->end;

	if ((end->state != END_OPEN && end->state != END_ENDED) || end->shut)
		return -EPIPE;
	conn->net->stats.writes++;
	conn->net->stats.bytes_out += len;
	record(pn, conn, bytes, len);
	post(pn, end->other, PARCEL_UNIT, bytes, len, 0);
	return 0;
}

static void pipe_close(struct net_conn *conn, bool reset)
{
	struct pipe_net *pn = of_net(conn->net);
	struct end *end = of_conn(conn)->end;
	bool shut = end->shut;

	if (end->state == END_DEAD)
		return;
	bury(end);
	if (reset)
		tell_reset(pn, end->other);
	else if (!shut)
		post(pn, end->other, PARCEL_FIN, NULL, 0, 0);
}

static int take_failure(struct pipe_net *pn)
{
	int error = pn->fail_next;

	pn->fail_next = 0;
	return error;
}

static int pipe_connect(struct net *net, struct net_addr from, struct net_addr to,
			const struct net_handler *handler, struct net_conn **ret)
{
	struct pipe_net *pn = of_net(net);
	int rc = take_failure(pn);

	if (rc < 0)
		return rc;
	struct end *client = new_end(pn), *server = new_end(pn);
	client->other = server;
	server->other = client;
	struct net_conn *conn = begin(pn, client, END_CONNECTING);
	conn->handler = handler;
	conn->local = from;
	if (from.port == 0)
		conn->local.port = (uint16_t)(40000 + pn->last_port++);
	conn->peer = to;
	post(pn, server, PARCEL_CONNECT, NULL, 0, 0);
	*ret = conn;
	return 0;
}

static int pipe_listen(struct net *net, struct net_addr at, struct net_listener **ret)
{
	struct pipe_net *pn = of_net(net);
	int rc = take_failure(pn);

	if (rc < 0)
		return rc;
	if (at.port == 0)
		at.port = (uint16_t)(30000 + pn->last_port++);
	for (struct pipe_listener *pl = pn->listeners; pl != NULL; pl = pl->next)
		if (pl->listener.local.ip == at.ip && pl->listener.local.port == at.port)
			return -EADDRINUSE;
	struct pipe_listener *pl = must(calloc(1, sizeof(*pl)));
	pl->listener.net = net;
	pl->listener.local = at;
	pl->next = pn->listeners;
	pn->listeners = pl;
	*ret = &pl->listener;
	return 0;
}

static void free_listener(struct loop_deferred *deferred)
{
	free(OF(deferred, struct pipe_listener, deferred));
}

static void pipe_unlisten(struct net_listener *listener)
{
	struct pipe_listener *pl = OF(listener, struct pipe_listener, listener);
	struct pipe_net *pn = of_net(listener->net);

	for (struct pipe_listener **at = &pn->listeners; *at != NULL; at = &(*at)->next)
		if (*at == pl) {
			*at = pl->next;
			break;
		}
	pl->deferred.run = free_listener;
	loop_defer(pn->net.loop, &pl->deferred);
}

static int pipe_hole(struct net_listener *listener, bool on)
{
	OF(listener, struct pipe_listener, listener)->hole = on;
	return 0;
}

static int pipe_hole_conn(struct net_conn *conn, bool on)
{
	(void)conn;
	(void)on;
	return -EOPNOTSUPP;
}

static void pipe_poke(struct net_conn *conn)
{
	struct end *end = of_conn(conn)->end;

	if (end->state != END_DEAD && end->kept_len > 0)
		deliver(end, NULL, 0);
}

static const struct net_ops pipe_ops = {
	.listen = pipe_listen,
	.unlisten = pipe_unlisten,
	.connect = pipe_connect,
	.send = pipe_send,
	.close = pipe_close,
	.hole = pipe_hole,
	.hole_conn = pipe_hole_conn,
	.poke = pipe_poke,
};

struct net *pipe_net_new(struct loop *loop)
{
	struct pipe_net *pn = must(calloc(1, sizeof(*pn)));

	pn->net.ops = &pipe_ops;
	pn->net.loop = loop;
	return &pn->net;
}

static void run_deferred(struct loop *loop)
{
	while (loop->deferred != NULL) {
		struct loop_deferred *deferred = loop->deferred;
		loop->deferred = deferred->next;
		deferred->run(deferred);
	}
}

void pipe_net_free(struct net *net)
{
	struct pipe_net *pn = of_net(net);

	for (struct end *end = pn->ends; end != NULL; end = end->next)
		if (end->pc != NULL)
			bury(end);
	while (pn->listeners != NULL)
		pipe_unlisten(&pn->listeners->listener);
	run_deferred(net->loop);
	while (pn->parcels != NULL) {
		struct parcel *parcel = pn->parcels;
		pn->parcels = parcel->next;
		timer_cancel(&net->loop->timers, &parcel->timer);
		free(parcel);
	}
	while (pn->ends != NULL) {
		struct end *end = pn->ends;
		pn->ends = end->next;
		free(end->kept);
		free(end);
	}
	for (size_t i = 0; i < pn->n_units; i++)
		free((char *)(uintptr_t)pn->units[i].bytes);
	free(pn->units);
	free(pn);
}

size_t pipe_units(const struct net *net)
{
	return of_net((struct net *)(uintptr_t)net)->n_units;
}

const struct pipe_unit *pipe_unit(const struct net *net, size_t i)
{
	const struct pipe_net *pn = of_net((struct net *)(uintptr_t)net);

	assert(i < pn->n_units);
	return &pn->units[i];
}

void pipe_shutdown(struct net_conn *conn)
{
	struct end *end = of_conn(conn)->end;

	if (end->shut || end->state == END_DEAD)
		return;
	end->shut = true;
	post(of_net(conn->net), end->other, PARCEL_FIN, NULL, 0, 0);
}

void pipe_swallow(struct net *net, uint32_t ip, bool on)
{
	struct pipe_net *pn = of_net(net);

	for (size_t i = 0; i < SWALLOWED_MAX; i++)
		if (pn->swallowed[i] == (on ? 0 : ip)) {
			pn->swallowed[i] = on ? ip : 0;
			return;
		}
	assert(!on);
}

void pipe_fail_next(struct net *net, int error)
{
	of_net(net)->fail_next = error;
}

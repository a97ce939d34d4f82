#include "emulator/base/net_tls_parts.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

/* ---- the face ---- */

int net_tls_connect(struct net *net, struct net_addr from, struct net_addr to,
		    const struct net_handler *handler, const struct net_tls_trick *trick,
		    struct net_conn **ret)
{
	struct net_tls *nt = tls_of_net(net);
	struct tls_context *context = nt->options.context;
	struct net_conn *below;
	struct tls_conn *tc;

	if (trick != NULL && trick->context != NULL)
		context = trick->context;
	int rc = net_connect(nt->below, from, to, &tls_below_handler, &below);
	if (rc < 0)
		return rc;
	rc = tls_conn_new(nt, context->client, below, &tc);
	if (rc == 0) {
		tc->conn.handler = handler;
		tc->stalls = trick != NULL && trick->stall;
		rc = tls_name_peer(nt, tc);
		if (rc < 0)
			tls_bury(tc);
	}
	if (rc < 0) {
		tls_set_above(below, NULL);
		net_reset(below);
		return rc;
	}
	*ret = &tc->conn;
	return 0;
}

static int tls_connect(struct net *net, struct net_addr from, struct net_addr to,
		       const struct net_handler *handler, struct net_conn **ret)
{
	return net_tls_connect(net, from, to, handler, NULL, ret);
}

/* Memory never says "later": all of it goes, in records of 16 kB at most. */
static bool send_piece(struct tls_conn *tc, const char *bytes, size_t len)
{
	size_t written;

	ERR_clear_error();
	if (SSL_write_ex(tc->ssl, bytes, len, &written) == 1)
		return true;
	ERR_clear_error();
	return false;
}

void net_tls_join(struct net_conn *conn, bool on)
{
	tls_of_conn(conn)->joins = on;
}

static int tls_send(struct net_conn *conn, const char *bytes, size_t len)
{
	struct tls_conn *tc = tls_of_conn(conn);
	struct net_tls *nt = tls_of_net(conn->net);

	if ((tc->state != TLS_OPEN && tc->state != TLS_ENDED) || tc->below == NULL)
		return -EPIPE;
	conn->net->stats.writes++;
	conn->net->stats.bytes_out += len;
	if (nt->options.record_len == NULL || tc->joins)
		return send_piece(tc, bytes, len) ? 0 : -EPROTO;
	bool ok = true;
	nt->gathers = true;
	while (ok && len > 0) {
		size_t piece = nt->options.record_len(bytes, len);
		ok = send_piece(tc, bytes, piece);
		bytes += piece;
		len -= piece;
	}
	nt->gathers = false;
	tls_flush(nt, tc);
	return ok ? 0 : -EPROTO;
}

static void tls_close(struct net_conn *conn, bool reset)
{
	struct tls_conn *tc = tls_of_conn(conn);

	if (tc->state == TLS_DEAD)
		return;
	if (!reset && (tc->state == TLS_OPEN || tc->state == TLS_ENDED)) {
		ERR_clear_error();
		SSL_shutdown(tc->ssl);
		ERR_clear_error();
	}
	tls_close_below(tc, reset);
	tls_bury(tc);
}

static bool below_accepted(struct net_listener *below, struct net_conn *conn)
{
	struct tls_listener *tl = below->owner;
	struct net_tls *nt = tls_of_net(tl->listener.net);
	struct tls_conn *tc;

	if (tl->dead)
		return false;
	conn->handler = &tls_below_handler;
	if (tls_conn_new(nt, nt->options.context->server, conn, &tc) < 0) {
		nt->net.stats.refused_full++;
		return false;
	}
	tc->listener = &tl->listener;
	tls_start_shaking(nt, tc);
	return true;
}

static void free_listener(struct loop_deferred *deferred)
{
	struct tls_listener *tl = OF(deferred, struct tls_listener, deferred);

	pool_put(&tls_of_net(tl->listener.net)->listeners, tl);
}

static int tls_listen(struct net *net, struct net_addr at, struct net_listener **ret)
{
	struct net_tls *nt = tls_of_net(net);

	if (nt->options.context->server == NULL)
		return -ENOKEY;
	struct tls_listener *tl = pool_get(&nt->listeners);
	if (tl == NULL)
		return -ENOBUFS;
	memset(tl, 0, sizeof(*tl));
	int rc = net_listen(nt->below, at, &tl->below);
	if (rc < 0) {
		pool_put(&nt->listeners, tl);
		return rc;
	}
	tl->below->accepted = below_accepted;
	tl->below->owner = tl;
	tl->listener.net = net;
	tl->listener.local = tl->below->local;
	tl->deferred.run = free_listener;
	tl->next = nt->listening;
	if (nt->listening != NULL)
		nt->listening->prev = tl;
	nt->listening = tl;
	*ret = &tl->listener;
	return 0;
}

static void tls_unlisten(struct net_listener *listener)
{
	struct tls_listener *tl = OF(listener, struct tls_listener, listener);
	struct net_tls *nt = tls_of_net(listener->net);
	struct tls_conn *next;

	if (tl->dead)
		return;
	tl->dead = true;
	net_unlisten(tl->below);
	/* Those that shake hands with it would look for it later. */
	for (struct tls_conn *tc = nt->open; tc != NULL; tc = next) {
		next = tc->next;
		if (tc->listener != listener)
			continue;
		if (tc->state == TLS_SHAKING)
			tls_close(&tc->conn, true);
		else
			tc->listener = NULL;
	}
	if (tl->prev != NULL)
		tl->prev->next = tl->next;
	else
		nt->listening = tl->next;
	if (tl->next != NULL)
		tl->next->prev = tl->prev;
	loop_defer(nt->net.loop, &tl->deferred);
}

static int tls_hole(struct net_listener *listener, bool on)
{
	return net_hole(OF(listener, struct tls_listener, listener)->below, on);
}

static int tls_hole_conn(struct net_conn *conn, bool on)
{
	struct net_conn *below = tls_of_conn(conn)->below;

	return below == NULL ? -EPIPE : net_hole_conn(below, on);
}

static void tls_poke(struct net_conn *conn)
{
	struct tls_conn *tc = tls_of_conn(conn);
	struct net_tls *nt = tls_of_net(conn->net);

	if (tc->state == TLS_DEAD || tc->rest.len == 0)
		return;
	size_t taken = conn->handler->received(conn, tc->rest.at, tc->rest.len, 0);
	if (tc->state != TLS_DEAD && taken > 0)
		buffer_drop(&nt->buffers, &tc->rest, taken);
}

static const struct net_ops tls_ops = {
	.listen = tls_listen,
	.unlisten = tls_unlisten,
	.connect = tls_connect,
	.send = tls_send,
	.close = tls_close,
	.hole = tls_hole,
	.hole_conn = tls_hole_conn,
	.poke = tls_poke,
};

int net_tls_new(struct net *below, const struct net_tls_options *options, struct net **ret)
{
	struct net_tls *nt = calloc(1, sizeof(*nt));

	if (nt == NULL)
		return -ENOMEM;
	nt->net.ops = &tls_ops;
	nt->net.loop = below->loop;
	nt->below = below;
	nt->options = *options;
	nt->method = tls_bio_method();
	int rc = nt->method == NULL ? -ENOMEM : 0;
	if (rc == 0)
		rc = pool_init(&nt->conns, sizeof(struct tls_conn), options->connections);
	if (rc == 0)
		rc = pool_init(&nt->listeners, sizeof(struct tls_listener), options->listeners);
	if (rc == 0)
		rc = buffers_init(&nt->buffers, options->buffer_bytes);
	if (rc < 0) {
		net_tls_free(&nt->net);
		return rc;
	}
	*ret = &nt->net;
	return 0;
}

void net_tls_free(struct net *net)
{
	struct net_tls *nt = tls_of_net(net);

	while (nt->open != NULL)
		tls_close(&nt->open->conn, false);
	while (nt->listening != NULL)
		tls_unlisten(&nt->listening->listener);
	loop_settle(net->loop);
	pool_release(&nt->conns);
	pool_release(&nt->listeners);
	buffers_release(&nt->buffers);
	BIO_meth_free(nt->method);
	free(nt);
}

const struct net_tls_stats *net_tls_stats(const struct net *net)
{
	return &tls_of_net(net)->stats;
}

const char *net_tls_why(const struct net *net)
{
	return tls_of_net(net)->why;
}

const char *net_tls_version(const struct net_conn *conn)
{
	return SSL_get_version(OF(conn, const struct tls_conn, conn)->ssl);
}

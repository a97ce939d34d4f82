#include "emulator/base/net_tls_parts.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

/* ---- a connection's life ---- */

static void free_conn(struct loop_deferred *deferred)
{
	struct tls_conn *tc = OF(deferred, struct tls_conn, deferred);
	struct net_tls *nt = tls_of_net(tc->conn.net);

	SSL_free(tc->ssl);
	buffer_free(&nt->buffers, &tc->rest);
	tc->state = TLS_FREE;
	pool_put(&nt->conns, tc);
}

/* Its memory stands to the end of the turn: a handler may stand on it. */
void tls_bury(struct tls_conn *tc)
{
	struct net_tls *nt = tls_of_net(tc->conn.net);
	struct timers *timers = &nt->net.loop->timers;

	assert(tc->state != TLS_DEAD && tc->state != TLS_FREE);
	tc->state = TLS_DEAD;
	timer_cancel(timers, &tc->conn.timer);
	timer_cancel(timers, &tc->deadline);
	if (tc->prev != NULL)
		tc->prev->next = tc->next;
	else
		nt->open = tc->next;
	if (tc->next != NULL)
		tc->next->prev = tc->prev;
	nt->net.stats.closed++;
	nt->net.stats.open--;
	loop_defer(nt->net.loop, &tc->deferred);
}

void tls_close_below(struct tls_conn *tc, bool reset)
{
	struct net_conn *below = tc->below;

	tc->below = NULL;
	if (below == NULL)
		return;
	tls_set_above(below, NULL);
	if (reset)
		net_reset(below);
	else
		net_close(below);
}

void tls_fail(struct tls_conn *tc, int error, const char *why)
{
	struct net_tls *nt = tls_of_net(tc->conn.net);
	bool shaking = tc->state == TLS_SHAKING, connecting = tc->state == TLS_CONNECTING;
	bool accepted = tc->listener != NULL;

	if (tc->state == TLS_DEAD)
		return;
	snprintf(nt->why, sizeof(nt->why), "%s", why);
	if (shaking)
		nt->stats.handshakes_failed++;
	if (shaking || connecting)
		nt->net.stats.connect_failed += !accepted;
	tls_close_below(tc, false);
	tls_bury(tc);
	if (shaking && nt->options.failed != NULL)
		nt->options.failed(nt->options.owner, tc->conn.peer, accepted, nt->why);
	/* Nobody has heard of an accepted one before its handshake was done. */
	if (!(shaking && accepted) && tc->conn.handler->closed != NULL)
		tc->conn.handler->closed(&tc->conn, error);
}

void tls_fail_by_openssl(struct tls_conn *tc)
{
	char why[128];
	int error;

	tls_failure(tc->ssl, &error, why, sizeof(why));
	/* The alert that says so to the peer. */
	tls_flush(tls_of_net(tc->conn.net), tc);
	tls_fail(tc, error, why);
}

static void expired(struct timer *timer, int64_t now_ns)
{
	struct tls_conn *tc = OF(timer, struct tls_conn, deadline);

	(void)now_ns;
	tls_of_net(tc->conn.net)->stats.handshakes_timed_out++;
	tls_fail(tc, -ETIMEDOUT, "the TLS handshake took too long");
}

int tls_name_peer(struct net_tls *nt, struct tls_conn *tc)
{
	char address[24];
	const char *name = nt->options.hostname;

	if (name == NULL) {
		net_addr_text(tc->conn.peer, address, sizeof(address));
		*strchr(address, ':') = '\0';
		name = address;
	} else {
		uint32_t ip;
		/* An address is no server name (RFC 6066, 3). */
		if (!net_ip_parse(name, strlen(name), &ip))
			SSL_set_tlsext_host_name(tc->ssl, name);
	}
	if (!nt->options.check_hostname)
		return 0;
	return SSL_set1_host(tc->ssl, name) == 1 ? 0 : -ENOMEM;
}

/* On the connection below; *ret is in the list, and TLS_SHAKING as soon as somebody says so. */
int tls_conn_new(struct net_tls *nt, SSL_CTX *ctx, struct net_conn *below, struct tls_conn **ret)
{
	struct tls_conn *tc = pool_get(&nt->conns);
	BIO *bio = NULL;

	if (tc == NULL)
		return -ENOBUFS;
	memset(tc, 0, sizeof(*tc));
	tc->ssl = SSL_new(ctx);
	if (tc->ssl != NULL)
		bio = BIO_new(nt->method);
	if (bio == NULL) {
		SSL_free(tc->ssl);
		pool_put(&nt->conns, tc);
		return -ENOMEM;
	}
	BIO_set_data(bio, tc);
	BIO_set_init(bio, 1);
	SSL_set_bio(tc->ssl, bio, bio);
	tc->below = below;
	tls_set_above(below, tc);
	tc->conn.net = &nt->net;
	tc->conn.local = below->local;
	tc->conn.peer = below->peer;
	tc->conn.rest_max = NET_REST_DEFAULT;
	tc->deadline.fire = expired;
	tc->deferred.run = free_conn;
	tc->state = TLS_CONNECTING;
	tc->next = nt->open;
	if (nt->open != NULL)
		nt->open->prev = tc;
	nt->open = tc;
	if (++nt->net.stats.open > nt->net.stats.open_max)
		nt->net.stats.open_max = nt->net.stats.open;
	*ret = tc;
	return 0;
}

/* ---- the handshake ---- */

static bool announce(struct net_tls *nt, struct tls_conn *tc)
{
	struct net_listener *listener = tc->listener;

	nt->stats.handshakes++;
	if (listener == NULL) {
		nt->net.stats.connected++;
		if (tc->conn.handler->opened != NULL)
			tc->conn.handler->opened(&tc->conn);
		return tc->state == TLS_OPEN;
	}
	nt->net.stats.accepted++;
	if (!listener->accepted(listener, &tc->conn)) {
		if (tc->state != TLS_DEAD)
			net_close(&tc->conn);
		return false;
	}
	return tc->state == TLS_OPEN;
}

/* True: it is done, and the connection is open. */
static bool shake(struct net_tls *nt, struct tls_conn *tc)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(tc->ssl);
	if (rc != 1 && SSL_get_error(tc->ssl, rc) != SSL_ERROR_WANT_READ) {
		tls_fail_by_openssl(tc);
		return false;
	}
	tls_flush(nt, tc);
	if (rc != 1)
		return false;
	timer_cancel(&nt->net.loop->timers, &tc->deadline);
	tc->state = TLS_OPEN;
	return announce(nt, tc);
}

void tls_start_shaking(struct net_tls *nt, struct tls_conn *tc)
{
	tc->state = TLS_SHAKING;
	loop_timer(nt->net.loop, &tc->deadline, nt->options.handshake_timeout_ns);
	if (tc->listener != NULL) {
		SSL_set_accept_state(tc->ssl);
		return;
	}
	SSL_set_connect_state(tc->ssl);
	if (!tc->stalls)
		shake(nt, tc);
}

/* ---- what the net below calls ---- */

static void below_opened(struct net_conn *below)
{
	struct tls_conn *tc = tls_above(below);

	if (tc != NULL)
		tls_start_shaking(tls_of_net(tc->conn.net), tc);
}

static size_t below_received(struct net_conn *below, const char *bytes, size_t len, size_t fresh)
{
	struct tls_conn *tc = tls_above(below);

	(void)fresh;
	if (tc == NULL || tc->state == TLS_DEAD || tc->stalls)
		return len;
	struct net_tls *nt = tls_of_net(tc->conn.net);
	tc->heard = true;
	tc->feed = bytes;
	tc->feed_len = len;
	if (tc->state != TLS_SHAKING || shake(nt, tc))
		while (tc->state == TLS_OPEN && tls_read_record(nt, tc))
			;
	tc->feed_len = 0; /* those of a connection that is over are nobody's */
	return len;
}

static void below_ended(struct net_conn *below, const char *rest, size_t len)
{
	struct tls_conn *tc = tls_above(below);

	(void)rest;
	(void)len;
	if (tc == NULL || tc->state == TLS_DEAD)
		return;
	/* Who connects and leaves without a byte only looks whether somebody is there. */
	if (tc->listener != NULL && !tc->heard) {
		tls_close_below(tc, false);
		tls_bury(tc);
		return;
	}
	if (tc->state != TLS_OPEN && tc->state != TLS_ENDED) {
		tls_fail(tc, -ECONNRESET, "the peer ended the connection within the handshake");
		return;
	}
	if (tc->state == TLS_OPEN)
		tls_of_net(tc->conn.net)->stats.truncated++;
	tls_peer_ended(tc);
}

static void below_closed(struct net_conn *below, int error)
{
	struct tls_conn *tc = tls_above(below);

	if (tc == NULL || tc->state == TLS_DEAD)
		return;
	tc->below = NULL;
	tls_fail(tc, error, error != 0 ? strerror(-error) : "closed");
}

const struct net_handler tls_below_handler = {
	.opened = below_opened,
	.received = below_received,
	.ended = below_ended,
	.closed = below_closed,
};

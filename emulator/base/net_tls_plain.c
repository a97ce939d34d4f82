#include "emulator/base/net_tls_parts.h"

#include <errno.h>
#include <openssl/err.h>

/* ---- plaintext ---- */

static bool keep(struct net_tls *nt, struct tls_conn *tc, const char *bytes, size_t len)
{
	if (len > tc->conn.rest_max - tc->rest.len ||
	    buffer_reserve(&nt->buffers, &tc->rest, len) < 0) {
		nt->net.stats.buffers_short++;
		tls_fail(tc, -ENOBUFS, "no buffer for a message that is not whole yet");
		return false;
	}
	memcpy(tc->rest.at + tc->rest.len, bytes, len);
	tc->rest.len += (uint32_t)len;
	return true;
}

static void deliver(struct net_tls *nt, struct tls_conn *tc, const char *bytes, size_t len)
{
	nt->stats.records_in++;
	nt->net.stats.reads++;
	nt->net.stats.bytes_in += len;
	if (tc->rest.len == 0) {
		size_t taken = tc->conn.handler->received(&tc->conn, bytes, len, 0);
		if (tc->state != TLS_DEAD && taken < len)
			keep(nt, tc, bytes + taken, len - taken);
		return;
	}
	size_t fresh = tc->rest.len;
	if (!keep(nt, tc, bytes, len))
		return;
	size_t taken = tc->conn.handler->received(&tc->conn, tc->rest.at, tc->rest.len, fresh);
	if (tc->state != TLS_DEAD && taken > 0)
		buffer_drop(&nt->buffers, &tc->rest, taken);
}

void tls_peer_ended(struct tls_conn *tc)
{
	if (tc->state != TLS_OPEN)
		return;
	if (tc->conn.handler->ended == NULL) {
		tls_close_below(tc, false);
		tls_bury(tc);
		if (tc->conn.handler->closed != NULL)
			tc->conn.handler->closed(&tc->conn, 0);
		return;
	}
	tc->state = TLS_ENDED;
	tc->conn.handler->ended(&tc->conn, tc->rest.at, tc->rest.len);
}

/* One record; true: there may be another. */
bool tls_read_record(struct net_tls *nt, struct tls_conn *tc)
{
	size_t len;

	ERR_clear_error();
	if (SSL_read_ex(tc->ssl, nt->plain, sizeof(nt->plain), &len) == 1) {
		deliver(nt, tc, nt->plain, len);
		return tc->state == TLS_OPEN;
	}
	switch (SSL_get_error(tc->ssl, 0)) {
	case SSL_ERROR_WANT_READ: return tc->feed_len > 0; /* a record without application data */
	case SSL_ERROR_ZERO_RETURN: tls_peer_ended(tc); return false;
	default: tls_fail_by_openssl(tc); return false;
	}
}

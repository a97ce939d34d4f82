#include "emulator/base/net_tls_parts.h"

/* ---- the BIO: memory on both sides ---- */

static int bio_read(BIO *bio, char *to, size_t len, size_t *ret_len)
{
	struct tls_conn *tc = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (tc->feed_len == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	size_t n = len < tc->feed_len ? len : tc->feed_len;
	memcpy(to, tc->feed, n);
	tc->feed += n;
	tc->feed_len -= n;
	*ret_len = n;
	return 1;
}

void tls_flush(struct net_tls *nt, struct tls_conn *tc)
{
	if (nt->out_len > 0 && tc->below != NULL)
		net_send(tc->below, nt->out, nt->out_len);
	nt->out_len = 0;
}

/* A record of an open connection leaves as it is; a handshake's flight is gathered. */
static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len)
{
	struct tls_conn *tc = BIO_get_data(bio);
	struct net_tls *nt = tls_of_net(tc->conn.net);

	BIO_clear_retry_flags(bio);
	*ret_len = len;
	if (tc->below == NULL)
		return 1;
	if (tc->state == TLS_SHAKING || nt->gathers) {
		if (len > sizeof(nt->out) - nt->out_len)
			tls_flush(nt, tc);
		if (len <= sizeof(nt->out)) {
			memcpy(nt->out + nt->out_len, bytes, len);
			nt->out_len += len;
			return 1;
		}
	}
	/* What the net below cannot take ends the connection below, which ends this one. */
	net_send(tc->below, bytes, len);
	nt->stats.records_out++;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "memory");

	if (method == NULL)
		return NULL;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

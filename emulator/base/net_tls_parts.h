/*
 * What the files of net_tls share; nobody else includes this.
 *
 * net_tls.c: the face. net_tls_conn.c: a connection's life, its handshake, and what the net below
 * calls. net_tls_plain.c: records as their owner gets them. net_tls_bio.c: bytes in and out of
 * OpenSSL. Ownership, errors, threads: as net_tls.h says.
 */
#ifndef NET_TLS_PARTS_H
#define NET_TLS_PARTS_H

#include "emulator/base/net_tls.h"
#include "emulator/base/pool.h"

#include <string.h>

#define TLS_RECORD_MAX 16384
#define TLS_FLIGHT_MAX 65536

enum { TLS_FREE, TLS_CONNECTING, TLS_SHAKING, TLS_OPEN, TLS_ENDED, TLS_DEAD };

struct tls_conn {
	struct net_conn conn; /* what the owner sees */
	struct net_conn *below;
	SSL *ssl;
	/* The bytes that were read below, while they are being fed. */
	const char *feed;
	size_t feed_len;
	struct buffer rest; /* what received() did not take */
	struct net_listener *listener;
	struct timer deadline;
	struct loop_deferred deferred;
	struct tls_conn *next, *prev;
	uint8_t state;
	bool stalls, joins, heard;
};

struct tls_listener {
	struct net_listener listener;
	struct net_listener *below;
	bool dead;
	struct loop_deferred deferred;
	struct tls_listener *next, *prev;
};

struct net_tls {
	struct net net;
	struct net *below;
	struct net_tls_options options;
	struct net_tls_stats stats;
	BIO_METHOD *method;
	struct pool conns, listeners;
	struct buffers buffers;
	struct tls_conn *open;
	struct tls_listener *listening;
	char why[160];
	bool gathers; /* records of one unit leave in one write */
	size_t out_len;
	char out[TLS_FLIGHT_MAX];   /* a flight of the handshake, sent as one unit */
	char plain[TLS_RECORD_MAX]; /* a record, opened */
};

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline struct tls_conn *tls_of_conn(struct net_conn *conn)
{
	return OF(conn, struct tls_conn, conn);
}

static inline struct net_tls *tls_of_net(const struct net *net)
{
	return OF(net, struct net_tls, net);
}

/* The connection below carries the way back. */
static inline struct tls_conn *tls_above(struct net_conn *below)
{
	struct tls_conn *tc;

	memcpy(&tc, below->session, sizeof(struct tls_conn *));
	return tc;
}

static inline void tls_set_above(struct net_conn *below, struct tls_conn *tc)
{
	memcpy(below->session, &tc, sizeof(struct tls_conn *));
}

/* net_tls_bio.c */
BIO_METHOD *tls_bio_method(void);
/* A flight of the handshake leaves as one unit. */
void tls_flush(struct net_tls *nt, struct tls_conn *tc);

/* net_tls_plain.c */
/* One record; true: there may be another. */
bool tls_read_record(struct net_tls *nt, struct tls_conn *tc);
void tls_peer_ended(struct tls_conn *tc);

/* net_tls_conn.c */
extern const struct net_handler tls_below_handler;
/* On the connection below. In the list, connecting, when it returns 0. */
int tls_conn_new(struct net_tls *nt, SSL_CTX *ctx, struct net_conn *below, struct tls_conn **ret);
/* Out of the list; its memory stands to the end of the turn: a handler may stand on it. */
void tls_bury(struct tls_conn *tc);
void tls_close_below(struct tls_conn *tc, bool reset);
/* Ends it and tells its owner. */
void tls_fail(struct tls_conn *tc, int error, const char *why);
/* The same, for what OpenSSL objects to. */
void tls_fail_by_openssl(struct tls_conn *tc);
/* Whom the certificate must be of. 0 or -ENOMEM. */
int tls_name_peer(struct net_tls *nt, struct tls_conn *tc);
void tls_start_shaking(struct net_tls *nt, struct tls_conn *tc);

#endif

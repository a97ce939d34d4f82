/*
 * TLS: a `struct net` over another one, with the same face.
 *
 * Purpose: what runs over plain connections runs over TLS unchanged. A write unit of up to 16 kB is
 * one TLS record and one write(); what is longer is several records. received() is called once for
 * each record that arrived. opened() and accepted() are called when the handshake is done, so that
 * nobody unknown is seen; a handshake has a deadline.
 * The end: net_close() says close_notify first; the peer's close_notify, or its end without one
 * (counted), is an ended(). closed() carries -ETIMEDOUT (the handshake stalled), -EKEYEXPIRED,
 * -EKEYREJECTED (certificates), -EPROTO, or the connection's own error; net_tls_why() says it in
 * words while closed() runs.
 * Units: nanoseconds, bytes. Ownership: the net below outlives this one; so does the context.
 * Errors: 0 or -errno. Threads: its loop's.
 * Source: OpenSSL 3 over a BIO that is memory alone: what was read below goes in, records come out.
 * Its own allocations are the only ones on the path of a message (SSL_MODE_RELEASE_BUFFERS: an idle
 * connection holds no record buffer).
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "emulator/base/net.h"
#include "emulator/base/tls_context.h"

struct net_tls_options {
	struct tls_context *context;
	/* Of whom we connect to; NULL: the address. Looked at only where check_hostname is on. */
	const char *hostname;
	bool check_hostname;
	int64_t handshake_timeout_ns;
	size_t connections, listeners;
	size_t buffer_bytes; /* for what received() did not take */
	/* A unit of several messages is cut into records: how long the first is, 1 .. len. NULL: a
	 * unit is a record. */
	size_t (*record_len)(const char *bytes, size_t len);
	/* Told of each handshake that came to nothing; may be NULL. */
	void (*failed)(void *owner, struct net_addr peer, bool accepted, const char *why);
	void *owner;
};

struct net_tls_stats {
	uint64_t handshakes, handshakes_failed, handshakes_timed_out;
	uint64_t truncated; /* ended without a close_notify */
	uint64_t records_in, records_out;
};

int net_tls_new(struct net *below, const struct net_tls_options *options, struct net **ret);
void net_tls_free(struct net *net);
const struct net_tls_stats *net_tls_stats(const struct net *net);
/* Why the connection ended, within closed(). */
const char *net_tls_why(const struct net *net);
/* "TLSv1.3". */
const char *net_tls_version(const struct net_conn *conn);

/* A fault: while it is on, a unit is one record whatever record_len says. */
void net_tls_join(struct net_conn *conn, bool on);

/* Faults of who connects. */
struct net_tls_trick {
	struct tls_context *context; /* shows another certificate; NULL: its own */
	bool stall;                  /* connects, and never says a word */
};
int net_tls_connect(struct net *net, struct net_addr from, struct net_addr to,
		    const struct net_handler *handler, const struct net_tls_trick *trick,
		    struct net_conn **ret);

#endif

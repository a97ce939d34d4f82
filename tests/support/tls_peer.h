/*
 * The other end of a TLS connection, played by a test with blocking sockets and OpenSSL right on
 * them: nothing of quintain is in it. One read is one record.
 *
 * Units: addresses in host byte order. Ownership: tls_peer_close() what was accepted or connected.
 * Errors: what must not happen, and any wait past PATIENCE_MS, fail the test. Threads: one.
 */
#ifndef TEST_TLS_PEER_H
#define TEST_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_peer {
	void *ssl; /* NULL: the handshake came to nothing */
	int fd;
	char why[160]; /* what OpenSSL said about that */
};

/* Of certs_file(): certificate and key of this side; whoever ca.pem has signed is trusted. */
void tls_peer_accept(struct tls_peer *peer, int listener, const char *cert, const char *key);
void tls_peer_connect(struct tls_peer *peer, uint32_t from, uint32_t to, uint16_t port,
		      const char *cert, const char *key);
void tls_peer_send(struct tls_peer *peer, const char *bytes, size_t len);
/* One record: its length; 0 at the end (*ret_clean: with a close_notify), -1 on any error. */
ssize_t tls_peer_read(struct tls_peer *peer, char *buf, size_t cap, bool *ret_clean);
/* True: nothing comes for so long. */
bool tls_peer_quiet(struct tls_peer *peer, int ms);
void tls_peer_close(struct tls_peer *peer);

#endif

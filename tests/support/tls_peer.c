#include "tests/support/tls_peer.h"

#include "tests/support/certs.h"
#include "tests/support/peer.h"
#include "tests/support/process.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *context_of(const char *cert, const char *key, bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	cr_assert_not_null(ctx);
	cr_assert_eq(SSL_CTX_use_certificate_chain_file(ctx, certs_file(cert)), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey_file(ctx, certs_file(key), SSL_FILETYPE_PEM), 1);
	cr_assert_eq(SSL_CTX_load_verify_file(ctx, certs_file("ca.pem")), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	return ctx;
}

static void shake(struct tls_peer *peer, const char *cert, const char *key, bool server)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	SSL_CTX *ctx = context_of(cert, key, server);
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_free(ctx);
	cr_assert_not_null(ssl);
	setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	SSL_set_fd(ssl, peer->fd);
	ERR_clear_error();
	if ((server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1) {
		peer->ssl = ssl;
		return;
	}
	unsigned long error = ERR_get_error();
	const char *reason = ERR_reason_error_string(error);
	snprintf(peer->why, sizeof(peer->why), "%s", reason != NULL ? reason : "the end");
	SSL_free(ssl);
}

void tls_peer_accept(struct tls_peer *peer, int listener, const char *cert, const char *key)
{
	memset(peer, 0, sizeof(*peer));
	peer->fd = peer_accept(listener, NULL);
	shake(peer, cert, key, true);
}

void tls_peer_connect(struct tls_peer *peer, uint32_t from, uint32_t to, uint16_t port,
		      const char *cert, const char *key)
{
	memset(peer, 0, sizeof(*peer));
	peer->fd = peer_connect(from, to, port);
	shake(peer, cert, key, false);
}

void tls_peer_send(struct tls_peer *peer, const char *bytes, size_t len)
{
	cr_assert_eq(SSL_write(peer->ssl, bytes, (int)len), (int)len);
}

ssize_t tls_peer_read(struct tls_peer *peer, char *buf, size_t cap, bool *ret_clean)
{
	for (;;) {
		ERR_clear_error();
		int n = SSL_read(peer->ssl, buf, (int)cap);
		if (n > 0)
			return n;
		int error = SSL_get_error(peer->ssl, n);
		/* A record that is not the application's: a ticket, a key. */
		if (error == SSL_ERROR_WANT_READ && SSL_has_pending(peer->ssl))
			continue;
		if (ret_clean != NULL)
			*ret_clean = error == SSL_ERROR_ZERO_RETURN;
		if (error == SSL_ERROR_ZERO_RETURN)
			return 0;
		unsigned long reason = ERR_peek_error();
		if (ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return 0;
		const char *text = reason != 0 ? ERR_reason_error_string(reason) : NULL;
		snprintf(peer->why, sizeof(peer->why), "%s", text != NULL ? text : strerror(errno));
		return -1;
	}
}

bool tls_peer_quiet(struct tls_peer *peer, int ms)
{
	struct pollfd pollfd = { .fd = peer->fd, .events = POLLIN };

	return SSL_pending(peer->ssl) == 0 && poll(&pollfd, 1, ms) == 0;
}

void tls_peer_close(struct tls_peer *peer)
{
	if (peer->ssl != NULL) {
		SSL_shutdown(peer->ssl);
		SSL_free(peer->ssl);
	}
	peer->ssl = NULL;
	close(peer->fd);
}

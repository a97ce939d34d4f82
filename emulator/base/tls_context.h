/*
 * What TLS needs from files, and what OpenSSL has to say: contexts, reasons, key log, SHA-256.
 *
 * Purpose: a context holds our certificate, our key and whom we trust; connections of both
 * directions share it. TLS 1.2 or later, certificates of both sides checked, no tickets and no
 * session cache: they would double what a connection costs.
 * Ownership: tls_context_free() what tls_context_new() gave, after its connections.
 * Errors: 0 or -errno, and why in words with the file's name. Threads: one.
 * Source: OpenSSL 3, ssl(7). SSLKEYLOGFILE in the environment: secrets are appended there, for
 * Wireshark, as browsers do.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct tls_files {
	const char *ca;         /* whom we trust, PEM; NULL: nobody is checked */
	const char *cert, *key; /* PEM, the chain behind the certificate; both NULL: we have none */
};

struct tls_context {
	SSL_CTX *client, *server; /* server: NULL where we have no certificate */
};

int tls_context_new(const struct tls_files *files, struct tls_context **ret, char *why, size_t cap);
/* With a certificate that nobody has signed but itself, made on the spot. For a fault. */
int tls_context_new_stranger(const char *ca, struct tls_context **ret, char *why, size_t cap);
void tls_context_free(struct tls_context *context);

/*
 * Why the last call on this connection failed, in words; *ret_error is -EKEYEXPIRED,
 * -EKEYREJECTED (any other objection to a certificate, ours or the peer's) or -EPROTO.
 */
void tls_failure(SSL *ssl, int *ret_error, char *why, size_t cap);

#define TLS_SHA256_BYTES 32
void tls_sha256(const char *bytes, size_t len, unsigned char digest[TLS_SHA256_BYTES]);

#endif

#include "emulator/base/tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- reasons ---- */

/* What the system said, if it said anything; else OpenSSL's last word. */
static int complain(char *why, size_t cap, const char *what, const char *file)
{
	const char *reason = NULL;
	unsigned long error;

	while ((error = ERR_get_error()) != 0)
		if (ERR_SYSTEM_ERROR(error)) {
			reason = strerror(ERR_GET_REASON(error));
			ERR_clear_error();
		} else {
			reason = ERR_reason_error_string(error);
		}
	snprintf(why, cap, "%s%s%s: %s", what, file[0] != '\0' ? " " : "", file,
		 reason != NULL ? reason : "no reason given");
	return -EINVAL;
}

static bool is_about_certificates(int reason)
{
	switch (reason) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return true;
	default: return false;
	}
}

void tls_failure(SSL *ssl, int *ret_error, char *why, size_t cap)
{
	unsigned long error = ERR_peek_error();
	const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
	int number = error != 0 ? ERR_GET_REASON(error) : 0;
	long verified = SSL_get_verify_result(ssl);

	if (number == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
		snprintf(why, cap, "the peer's certificate: %s",
			 X509_verify_cert_error_string(verified));
		*ret_error = verified == X509_V_ERR_CERT_HAS_EXPIRED ? -EKEYEXPIRED : -EKEYREJECTED;
	} else {
		snprintf(why, cap, "%s", reason != NULL ? reason : "the TLS connection broke");
		*ret_error = number == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ? -EKEYEXPIRED
			     : is_about_certificates(number)                 ? -EKEYREJECTED
									     : -EPROTO;
	}
	ERR_clear_error();
}

/* ---- key log ---- */

static void log_key(const SSL *ssl, const char *line)
{
	const char *path = getenv("SSLKEYLOGFILE");
	char text[512];

	(void)ssl;
	int len = snprintf(text, sizeof(text), "%s\n", line);
	if (path == NULL || len < 0 || (size_t)len >= sizeof(text))
		return;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* One write a line: several processes may share the file. */
	ssize_t n = write(fd, text, (size_t)len);
	(void)n;
	close(fd);
}

/* ---- contexts ---- */

static void set_manners(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_options(ctx,
			    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	const char *path = getenv("SSLKEYLOGFILE");
	if (path != NULL && path[0] != '\0')
		SSL_CTX_set_keylog_callback(ctx, log_key);
}

static int trust(SSL_CTX *ctx, const char *ca, int mode, char *why, size_t cap)
{
	if (ca == NULL)
		return 0;
	if (SSL_CTX_load_verify_file(ctx, ca) != 1)
		return complain(why, cap, "cannot read the CA's certificates from", ca);
	SSL_CTX_set_verify(ctx, mode, NULL);
	return 0;
}

static int new_side(const SSL_METHOD *method, const char *ca, int mode, SSL_CTX **ret, char *why,
		    size_t cap)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL) {
		complain(why, cap, "TLS cannot be set up", "");
		return -ENOMEM;
	}
	set_manners(ctx);
	int rc = trust(ctx, ca, mode, why, cap);
	if (rc < 0) {
		SSL_CTX_free(ctx);
		return rc;
	}
	*ret = ctx;
	return 0;
}

static int use_files(SSL_CTX *ctx, const struct tls_files *files, char *why, size_t cap)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
		return complain(why, cap, "cannot read the certificate from", files->cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1)
		return complain(why, cap, "cannot read the key from", files->key);
	return 0;
}

static int new_sides(const char *ca, bool serves, struct tls_context **ret, char *why, size_t cap)
{
	struct tls_context *context = calloc(1, sizeof(*context));

	if (context == NULL)
		return -ENOMEM;
	int rc = new_side(TLS_client_method(), ca, SSL_VERIFY_PEER, &context->client, why, cap);
	if (rc == 0 && serves)
		rc = new_side(TLS_server_method(), ca,
			      SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, &context->server,
			      why, cap);
	if (rc < 0) {
		tls_context_free(context);
		return rc;
	}
	*ret = context;
	return 0;
}

int tls_context_new(const struct tls_files *files, struct tls_context **ret, char *why, size_t cap)
{
	bool ours = files->cert != NULL && files->key != NULL;
	struct tls_context *context;
	int rc = new_sides(files->ca, ours, &context, why, cap);

	if (rc < 0)
		return rc;
	if (ours)
		rc = use_files(context->client, files, why, cap);
	if (ours && rc == 0)
		rc = use_files(context->server, files, why, cap);
	if (rc < 0) {
		tls_context_free(context);
		return rc;
	}
	*ret = context;
	return 0;
}

void tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->client);
	SSL_CTX_free(context->server);
	free(context);
}

/* ---- a certificate of nobody ---- */

static X509 *sign_itself(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	if (cert == NULL)
		return NULL;
	X509_NAME *name = X509_get_subject_name(cert);
	bool ok = X509_set_version(cert, X509_VERSION_3) == 1 &&
		  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
		  X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
		  X509_gmtime_adj(X509_getm_notAfter(cert), 3600L * 24 * 365) != NULL &&
		  X509_set_pubkey(cert, key) == 1 &&
		  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					     (const unsigned char *)"stranger", -1, -1, 0) == 1 &&
		  X509_set_issuer_name(cert, name) == 1 && X509_sign(cert, key, EVP_sha256()) > 0;
	if (!ok) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

int tls_context_new_stranger(const char *ca, struct tls_context **ret, char *why, size_t cap)
{
	struct tls_context *context;
	int rc = new_sides(ca, true, &context, why, cap);

	if (rc < 0)
		return rc;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key != NULL ? sign_itself(key) : NULL;
	if (cert == NULL || SSL_CTX_use_certificate(context->client, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(context->client, key) != 1 ||
	    SSL_CTX_use_certificate(context->server, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(context->server, key) != 1)
		rc = complain(why, cap, "cannot make a certificate", "");
	X509_free(cert);
	EVP_PKEY_free(key);
	if (rc < 0) {
		tls_context_free(context);
		return rc;
	}
	*ret = context;
	return 0;
}

/* ---- */

void tls_sha256(const char *bytes, size_t len, unsigned char digest[TLS_SHA256_BYTES])
{
	memset(digest, 0, TLS_SHA256_BYTES);
	EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL);
}

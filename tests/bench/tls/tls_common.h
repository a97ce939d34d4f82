/*
 * What the bare sides and the client of the TLS benchmark share: contexts, and the lengths of a
 * noop's records.
 *
 * Errors: what cannot go on ends the program. Threads: none.
 */
#ifndef TLS_COMMON_H
#define TLS_COMMON_H

#include "tests/bench/common.h"

#include <openssl/ssl.h>

/* Of the messages of a noop: the Request, and what answers it. */
#define NOOP_ANSWERS 4

/* Certificates out of a folder as cmake/dev-certs.bash makes it; name: "manager" or "agent". */
SSL_CTX *tls_context(const char *folder, const char *name, bool server);

/* The bare sides, started as `tls bare-...`. */
int bare_memory(const char *folder, unsigned connections);
int bare_echo(const char *folder, const char *to, unsigned connections, const char *lengths);

#endif

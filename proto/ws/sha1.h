/*
 * SHA-1 (RFC 3174) and base64 (RFC 4648): what the handshake of WebSocket is made of. No security
 * rests on either here: the handshake only shows that the peer speaks WebSocket.
 *
 * Ownership: out is the caller's. Errors: none. Threads: no state.
 */
#ifndef QN_SHA1_H
#define QN_SHA1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void qn_sha1(const void *bytes, size_t len, uint8_t out[20]);
/* Writes (len + 2) / 3 * 4 characters, no terminator. */
void qn_base64(const uint8_t *bytes, size_t len, char *out);

#endif

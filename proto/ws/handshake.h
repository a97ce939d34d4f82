/*
 * The opening handshake of WebSocket, both ends: which headers, and what they answer.
 *
 * Purpose: the server judges a request's headers and writes the answer; the client writes the
 * request and judges the answer. Who reads the headers is another matter: they come here by value.
 * Of extensions there is permessage-deflate, without context takeover in either direction, so that
 * a thread's connections can share zlib's state.
 * Ownership: nothing is kept. Errors: by result; `why` is a literal.
 * Threads: no state. Source: RFC 6455, 4; RFC 7692, 5 and 7; RFC 3174 (SHA-1).
 */
#ifndef QN_WS_HANDSHAKE_H
#define QN_WS_HANDSHAKE_H

#include "proto/fault.h"

#include <stdbool.h>
#include <stdint.h>

#define QN_WS_KEY_LEN 24    /* 16 bytes in base64 */
#define QN_WS_ACCEPT_LEN 28 /* 20 bytes in base64 */

/* The headers that matter; empty where there is none. Several of a name: joined by commas, or the
 * function that collects them adds each by qn_ws_head_add(). */
struct qn_ws_head {
	struct qn_text upgrade, version, key, accept, protocol;
	struct qn_text extensions[4]; /* a list may be split over several headers */
	uint8_t extension_count;
	bool twice;              /* a header that must stand once stands twice */
	bool connection_upgrade; /* some Connection header has the token */
};

/* One header field, name in any case, value without white space around it. */
void qn_ws_head_add(struct qn_ws_head *head, struct qn_text name, struct qn_text value);
/* Does it ask for a WebSocket at all? */
bool qn_ws_head_asks(const struct qn_ws_head *head);

struct qn_ws_agreed {
	unsigned status; /* 101, or why not: 400, 426 */
	bool deflate;
	struct qn_text protocol; /* to be named in the answer; empty: none */
	const char *why;         /* of 400 and 426 */
};

/* The server judges a GET. `protocol`: the one that it speaks, "" for none. */
struct qn_ws_agreed qn_ws_accept(const struct qn_ws_head *head, bool allow_deflate,
				 const char *protocol);
/* The whole answer 101. 0 where it does not fit. */
size_t qn_ws_write_accept(const struct qn_ws_head *head, const struct qn_ws_agreed *agreed,
			  char *buffer, size_t cap);

struct qn_ws_request {
	const char *path, *host; /* "/ws", "127.0.0.1:9124" */
	const char *protocol;    /* NULL: none */
	bool deflate;
	uint8_t nonce[16]; /* drawn for each connection (RFC 6455, 4.1) */
};

size_t qn_ws_write_request(const struct qn_ws_request *request, char *buffer, size_t cap);
/* The client judges the answer to that request. Status 101, or 0 and why. */
struct qn_ws_agreed qn_ws_accepted(const struct qn_ws_request *request, unsigned status,
				   const struct qn_ws_head *head);

/* key as it stands in the header. out: QN_WS_ACCEPT_LEN bytes, not terminated. */
void qn_ws_accept_key(struct qn_text key, char *out);
void qn_ws_key(const uint8_t nonce[16], char *out);

#endif

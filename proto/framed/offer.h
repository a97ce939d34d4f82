/*
 * What a client of the wire `framed` may ask for before anything else: to be let in by a token, and
 * that long messages may be packed.
 *
 * Purpose: both are ours, and older peers know neither: a server that does not know a request
 * answers `response`, as to any object, which means no.
 * Ownership and errors: as message.h. Threads: no state.
 * Source: PROTOCOL.md "framed", "Tokens" and "Packed messages".
 */
#ifndef QN_FRAMED_OFFER_H
#define QN_FRAMED_OFFER_H

#include "proto/framed/message.h"

#define QN_FRAMED_AUTHENTICATE "authenticate"
#define QN_FRAMED_AUTH_RESPONSE "auth_response"
#define QN_FRAMED_NEGOTIATE "negotiate"
#define QN_FRAMED_NEGOTIATED "negotiated"
/* Longest token, in bytes of plain UTF-8. */
#define QN_FRAMED_TOKEN_MAX 255

/* {"type": "authenticate", "timestamp": NOW, "token": TOKEN} */
size_t qn_framed_authenticate(const struct qn_framed_clock *clock, struct qn_text token,
			      char *buffer, size_t cap);
/* Is that the token in `message`? Takes as long for a wrong one as for the right one. */
bool qn_framed_token_is(const struct qn_framed_message *message, struct qn_text token);
/* why NULL: let in. */
size_t qn_framed_auth_response(const struct qn_framed_server *server, const char *why, char *buffer,
			       size_t cap);
/* False: it is no auth_response, or one that lets in. */
bool qn_framed_refused(const struct qn_framed_message *message);

/* {"type": "negotiate", "timestamp": NOW, "compression": ["zlib"]} */
size_t qn_framed_negotiate(const struct qn_framed_clock *clock, char *buffer, size_t cap);
/* Does the list in `message` name zlib? */
bool qn_framed_offers_zlib(const struct qn_framed_message *message);
size_t qn_framed_negotiated(const struct qn_framed_server *server, bool zlib, char *buffer,
			    size_t cap);
/* Is it a `negotiated` that says zlib? */
bool qn_framed_agrees_zlib(const struct qn_framed_message *message);

#endif

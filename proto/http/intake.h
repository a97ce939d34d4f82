/*
 * HTTP for a port that also speaks WebSocket: what http.h reads, sorted into the headers that such
 * a port looks at; the answer to an upgrade; answers with validators, codings and streams.
 *
 * Purpose: a request that is wholly there, head and body, with its headers as slices, read anew
 * from its first byte each time: nothing is kept between two readings.
 * Ownership: slices point into the caller's bytes; a chunked body into the caller's room.
 * Errors: by result; `status` says what to answer before closing.
 * Threads: no state. Source: RFC 9112, RFC 9110.
 */
#ifndef QN_HTTP_INTAKE_H
#define QN_HTTP_INTAKE_H

#include "proto/fault.h"
#include "proto/http/http.h"
#include "proto/ws/handshake.h"

#define QN_HTTP_HEAD_MAX 8192

enum qn_http_coding { QN_HTTP_GZIP = 1, QN_HTTP_MSGPACK = 2 };

struct qn_http_intake {
	struct qn_text method, path, query;
	struct qn_text body;
	struct qn_text authorization, if_none_match, last_event_id, content_type;
	struct qn_ws_head ws;
	unsigned accepts; /* enum qn_http_coding: what the client can read */
	bool keep_alive;
	bool expects; /* it waits for "100 Continue" before it sends its body */
	bool head_only;
	unsigned status; /* of a refusal, as struct qn_http_refusal has it */
};

/*
 * The request at the start of `bytes`. QN_MORE: it is not whole yet (ret->expects is set as soon as
 * the head is there). QN_OK: *ret_taken bytes were it; of an upgrade, its head. Anything else:
 * ret->status is to be answered and the connection closed. `room`: for a chunked body; body_max
 * bytes, which bounds the other kind too.
 */
enum qn_code qn_http_intake_read(const char *bytes, size_t len, size_t body_max, char *room,
				 struct qn_http_intake *ret, size_t *ret_taken);

/*
 * The head of an answer to an upgrade: its status and the headers that matter for it. Returns how
 * many bytes it was, 0 where it is not whole, or no HTTP.
 */
size_t qn_http_answer_head(const char *bytes, size_t len, unsigned *ret_status,
			   struct qn_ws_head *ret);

struct qn_http_answered {
	unsigned status;
	struct qn_text body; /* chunks are put together in the caller's room */
	bool keep_alive;
};

/*
 * A whole answer with its body, as the client of a fallback reads it; informational ones are passed
 * over. QN_MORE, QN_OK, or QN_E_SYNTAX (also for a body longer than body_max). `room`: body_max
 * bytes. `closed`: the peer sends no more, and an answer without a length ends here.
 */
enum qn_code qn_http_answer_whole(const char *bytes, size_t len, bool closed, size_t body_max,
				  char *room, struct qn_http_answered *ret, size_t *ret_taken);

struct qn_http_page {
	unsigned status;
	const char *type; /* Content-Type; NULL: no body */
	struct qn_text body;
	const char *etag; /* without quotes; NULL: none */
	const char *more; /* header lines, each with its CRLF; NULL: none */
	bool gzip;        /* the body is */
	bool keep_alive;
	bool endless;   /* no length: up to the close (a stream) */
	bool head_only; /* HEAD: the body's length, and no body */
};

/* The whole answer. 0 where it does not fit. */
size_t qn_http_page_write(const struct qn_http_page *page, char *buffer, size_t cap);

#endif

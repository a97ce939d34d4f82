/*
 * HTTP/1.0 and 1.1: both ends of a connection.
 *
 * Purpose: what the range used before its sockets (PROTOCOL.md "http"), and what a WebSocket or an
 * event stream begins with. Heads are taken apart by http-parser (a package); what it forgives and
 * RFC 9112 does not is refused before it sees it, since two readers that disagree about where a
 * message ends are how requests are smuggled.
 * Bytes: `bytes[0, len)` is all that was read and not taken yet; the caller keeps it together until
 * a message is whole. Nothing is copied but chunked bodies, into the caller's space.
 * Ownership: texts point into the caller's bytes.
 * Errors: by result. Writers return 0 where the buffer is too small.
 * Threads: no global state.
 * Source: RFC 9110, RFC 9112.
 */
#ifndef QN_HTTP_H
#define QN_HTTP_H

#include "proto/fault.h"

#include <http_parser.h>
#include <stdbool.h>
#include <stdint.h>

#define QN_HTTP_HEADERS_MAX 64

struct qn_http_header {
	struct qn_text name, value; /* white space around it is gone */
};

/* A request or an answer, whole. */
struct qn_http_message {
	unsigned method;       /* enum http_method; of a request */
	unsigned status;       /* of an answer */
	struct qn_text target; /* as written: "/ping?x=1" */
	struct qn_text path, query;
	uint8_t minor;   /* HTTP/1.minor */
	bool keep_alive; /* the connection may be used on (RFC 9112, 9.3) */
	bool upgrade;    /* it asks for another protocol: Connection: upgrade and Upgrade */
	uint16_t n_headers;
	struct qn_http_header headers[QN_HTTP_HEADERS_MAX];
	struct qn_text body;
};

/* The value of the first header of that name, in any case; .at == NULL: there is none. */
struct qn_text qn_http_header(const struct qn_http_message *message, const char *name);
/* Is `word` among the comma-separated words of that header, in any case? */
bool qn_http_header_has(const struct qn_http_message *message, const char *name, const char *word);

/* ---- reading requests ---- */

struct qn_http_limits {
	uint32_t target_bytes; /* of the request line's target */
	uint32_t head_bytes;   /* request line and headers together */
	uint16_t headers;      /* at most QN_HTTP_HEADERS_MAX */
	uint32_t body_bytes;   /* also of its chunked form, which has no more than that besides */
};
extern const struct qn_http_limits qn_http_limits_default;

struct qn_http_reader {
	uint32_t scanned; /* bytes that were looked at: whole lines of the head, whole chunks */
	uint32_t head;    /* length of the head; 0: it is not whole yet */
	uint32_t body;    /* bytes of the body, as far as known */
	uint16_t lines;
	bool chunked, trailers, continued, closed;
};

enum qn_http_step {
	QN_HTTP_STEP_MORE,    /* read on */
	QN_HTTP_STEP_REQUEST, /* *message is one: answer it, drop *taken bytes */
	/* The client waits for a word before it sends the body: write QN_HTTP_CONTINUE, call again.
	 */
	QN_HTTP_STEP_CONTINUE,
	QN_HTTP_STEP_REFUSE, /* answer with refusal->status, then close */
};

#define QN_HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct qn_http_refusal {
	unsigned status; /* 400, 413, 414, 417, 431, 501 or 505 */
	const char *why; /* one short phrase */
};

void qn_http_reader_init(struct qn_http_reader *reader);
/*
 * The next step. *taken is set by every step (0 unless REQUEST or REFUSE, or blank lines in front
 * of a request were dropped). A chunked body is put together in space, of cap bytes: limits' body
 * bytes suffice. After REFUSE the reader takes no more.
 */
enum qn_http_step qn_http_reader_next(struct qn_http_reader *reader,
				      const struct qn_http_limits *limits, const char *bytes,
				      size_t len, size_t *taken, char *space, size_t cap,
				      struct qn_http_message *message,
				      struct qn_http_refusal *refusal);

/* ---- writing answers ---- */

struct qn_http_response {
	unsigned status;
	uint8_t minor;            /* the version that it names: HTTP/1.minor */
	bool keep_alive;          /* says so where the version does not */
	bool no_length;           /* what follows ends with the connection (RFC 9112, 6.3, 8) */
	const char *content_type; /* NULL: none */
	const char *extra;        /* more header lines, each with its CRLF; NULL: none */
	struct qn_text body;
};

/* The length of head and body, 0 where they do not fit. A 1xx has neither length nor type. */
size_t qn_http_write_response(const struct qn_http_response *response, char *buffer, size_t cap);
/* "OK", "Bad Request"; "Unknown" for what is none. */
const char *qn_http_status_text(unsigned status);

/* ---- writing requests ---- */

struct qn_http_request {
	const char *method, *path;
	const char *host;    /* the Host header: "127.0.0.1:8080" */
	bool http_1_0;       /* the version that it names; otherwise 1.1 */
	bool keep_alive;     /* says so where the version does not; else that it closes */
	struct qn_text body; /* JSON; empty: none */
};

/* Returns the length of the whole request, 0 where it does not fit. */
size_t qn_http_write_request(const struct qn_http_request *request, char *buffer, size_t cap);

/* ---- reading answers ---- */

/* The status alone. */
struct qn_http_answer {
	http_parser parser;
	bool complete;
};

void qn_http_answer_init(struct qn_http_answer *answer);
/* QN_MORE, QN_OK (answer->parser.status_code is the status), or QN_E_SYNTAX. */
enum qn_code qn_http_answer_read(struct qn_http_answer *answer, const char *bytes, size_t len);
/* The peer closed: an answer without a length ends here. */
enum qn_code qn_http_answer_closed(struct qn_http_answer *answer);

/* The whole answer. It is kept together by the caller, who hands in all of it each time. */
struct qn_http_reply {
	http_parser parser;
	uint32_t fed;
	uint32_t limit; /* bytes of it all */
	bool complete;
};

void qn_http_reply_init(struct qn_http_reply *reply, uint32_t limit);
/*
 * QN_MORE; QN_OK: *message has status, keep_alive, minor and body (no headers), *taken its length;
 * QN_E_SYNTAX; QN_E_TOO_LONG. The body is put together in space, and cut at cap.
 */
enum qn_code qn_http_reply_read(struct qn_http_reply *reply, const char *bytes, size_t len,
				size_t *taken, char *space, size_t cap,
				struct qn_http_message *message);
/* The peer closed; `bytes` as before. */
enum qn_code qn_http_reply_closed(struct qn_http_reply *reply, const char *bytes, size_t len,
				  char *space, size_t cap, struct qn_http_message *message);

#endif

/*
 * HTTP/1.1, the asking side: a request out, the status of the answer in.
 *
 * Purpose: what the range used before its sockets (PROTOCOL.md "http"): one request a connection.
 * Reading is http-parser's (a package), which keeps no memory of its own.
 * Ownership: nothing is kept of the caller's bytes.
 * Errors: 0 from the writer where the buffer is too small; qn_http_answer_read() says by result.
 * Threads: no global state.
 * Source: RFC 9112.
 */
#ifndef QN_HTTP_H
#define QN_HTTP_H

#include "proto/fault.h"

#include <http_parser.h>
#include <stdbool.h>

struct qn_http_request {
	const char *method, *path;
	const char *host;    /* the Host header: "127.0.0.1:8080" */
	struct qn_text body; /* JSON; empty: none */
};

/* Returns the length of the whole request, 0 where it does not fit. */
size_t qn_http_write_request(const struct qn_http_request *request, char *buffer, size_t cap);

struct qn_http_answer {
	http_parser parser;
	bool complete;
};

void qn_http_answer_init(struct qn_http_answer *answer);
/* QN_MORE, QN_OK (answer->parser.status_code is the status), or QN_E_SYNTAX. */
enum qn_code qn_http_answer_read(struct qn_http_answer *answer, const char *bytes, size_t len);
/* The peer closed: an answer without a length ends here. */
enum qn_code qn_http_answer_closed(struct qn_http_answer *answer);

#endif

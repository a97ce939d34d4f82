/*
 * HTTP's answering side: requests whole, byte by byte and cut at every byte, each read up to a
 * guard page; what is refused, and with which status; how answers are written.
 */
#include "proto/http/http.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct qn_http_limits limits;
static char space[65536];

static void small_limits(void)
{
	limits = (struct qn_http_limits){
		.target_bytes = 64, .head_bytes = 512, .headers = 8, .body_bytes = 100
	};
}

/* What came of some bytes: "GET /ping 1.1 keep body|", "refused 400 why", "more". */
static char told[4096];

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	size_t len = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + len, sizeof(told) - len, format, args);
	va_end(args);
}

static void tell_request(const struct qn_http_message *m)
{
	tell("%s %.*s 1.%d %s%s", http_method_str((enum http_method)m->method), (int)m->target.len,
	     m->target.at, m->minor, m->keep_alive ? "keep" : "close",
	     m->upgrade ? " upgrade" : "");
	if (m->body.len > 0)
		tell(" %.*s", (int)m->body.len, m->body.at);
	tell("|");
}

/* Reads them in pieces of `unit` bytes, from copies that end at a guard page. */
static const char *read_in(const char *bytes, size_t len, size_t unit, size_t first)
{
	struct qn_http_reader reader;
	struct qn_http_message message;
	struct qn_http_refusal refusal;
	size_t start = 0, have = 0;

	told[0] = '\0';
	qn_http_reader_init(&reader);
	while (have < len) {
		size_t step = have == 0 && first > 0 ? first : unit;
		have = len - have < step ? len : have + step;
		char *there = guard_copy(bytes + start, have - start);
		size_t done = 0;
		for (;;) {
			size_t taken;
			enum qn_http_step what = qn_http_reader_next(
				&reader, &limits, there + done, have - start - done, &taken, space,
				sizeof(space), &message, &refusal);
			done += taken;
			if (what == QN_HTTP_STEP_MORE)
				break;
			if (what == QN_HTTP_STEP_CONTINUE) {
				tell("continue|");
				continue;
			}
			if (what == QN_HTTP_STEP_REFUSE) {
				tell("refused %u %s", refusal.status, refusal.why);
				guard_free(there, have - start);
				return told;
			}
			tell_request(&message);
			REQUIRE(taken > 0);
		}
		guard_free(there, have - start);
		start += done;
	}
	if (start < have)
		tell("more");
	return told;
}

static void expect(const char *bytes, const char *expected)
{
	size_t len = strlen(bytes);

	cr_expect_str_eq(read_in(bytes, len, len, 0), expected, "%s\nwhole: %s\nnot:   %s", bytes,
			 told, expected);
	cr_expect_str_eq(read_in(bytes, len, 1, 0), expected, "%s\nbytes: %s\nnot:   %s", bytes,
			 told, expected);
	for (size_t cut = 1; cut < len; cut++)
		cr_expect_str_eq(read_in(bytes, len, len, cut), expected,
				 "%s\ncut at %zu: %s\nnot:   %s", bytes, cut, told, expected);
}

#define HOST "Host: a\r\n"

Test(http_reader, requests, .init = small_limits)
{
	expect("GET /ping HTTP/1.1\r\n" HOST "\r\n", "GET /ping 1.1 keep|");
	expect("GET /ping HTTP/1.0\r\n\r\n", "GET /ping 1.0 close|");
	/* As to a proxy (RFC 9112, 3.2.2). */
	expect("GET http://x:8080/ping?a HTTP/1.1\r\n" HOST "\r\n", "GET /ping?a 1.1 keep|");
	expect("GET HTTP://x HTTP/1.1\r\n" HOST "\r\n", "GET / 1.1 keep|");
	expect("GET http://x?a=/b HTTP/1.1\r\n" HOST "\r\n", "GET / 1.1 keep|");
	expect("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /ping 1.0 keep|");
	expect("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "GET / 1.1 close|");
	expect("\r\n\r\nGET / HTTP/1.0\r\n\r\n", "GET / 1.0 close|");
	expect("POST /activate HTTP/1.1\r\n" HOST "Content-Length: 15\r\n\r\n{\"duration\": 5}",
	       "POST /activate 1.1 keep {\"duration\": 5}|");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST / 1.1 keep|");
	expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	       "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
	       "POST / 1.1 keep abc0123456789|");
	expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
	       "1\r\nx\r\n0\r\nTrailer: 1\r\nAnother: 2\r\n\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n",
	       "POST / 1.1 keep x|GET /2 1.1 keep|");
	expect("GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n",
	       "GET /1 1.1 keep|GET /2 1.1 keep|");
	expect("GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
	       "GET /ws 1.1 keep upgrade|");
	expect("GET /a?b=c HTTP/1.1\r\n" HOST "X: caf\xc3\xa9\r\n\r\n", "GET /a?b=c 1.1 keep|");
	expect("GET / HTTP/1.1\r\n" HOST, "more");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcd", "more");
	expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
	       "more");
}

Test(http_reader, smuggling, .init = small_limits)
{
	static const char chunked[] = "Transfer-Encoding: chunked\r\n";
	char bytes[512];

	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	       "refused 400 two lengths of one body");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
	       "refused 400 two lengths of one body");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
	       "refused 400 two lengths of one body");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n",
	       "refused 400 no HTTP request");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n",
	       "refused 400 no HTTP request");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n",
	       "refused 400 no HTTP request");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
	       "refused 400 no HTTP request");
	expect("POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n",
	       "refused 400 white space in front of a header's colon");
	expect("POST / HTTP/1.1\r\n" HOST "X: 1\r\n Content-Length: 5\r\n\r\n",
	       "refused 400 a folded header line");
	expect("POST / HTTP/1.1\r\n" HOST "X: 1\n\r\n",
	       "refused 400 a line that does not end in CRLF");
	expect("POST / HTTP/1.1\n\n", "refused 400 a line that does not end in CRLF");
	expect("POST / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n",
	       "refused 400 a line that does not end in CRLF");
	expect("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	       "refused 400 a transfer coding in HTTP/1.0");
	expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
	       "refused 501 a transfer coding other than chunked");
	expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n",
	       "refused 501 a transfer coding other than chunked");
	snprintf(bytes, sizeof(bytes), "POST / HTTP/1.1\r\n" HOST "%s%s\r\n", chunked, chunked);
	expect(bytes, "refused 501 a transfer coding other than chunked");
	expect("GET / HTTP/1.1\r\n" HOST HOST "\r\n", "refused 400 two hosts");
	expect("GET / HTTP/1.1\r\n\r\n", "refused 400 no host");
}

Test(http_reader, bad_chunks, .init = small_limits)
{
	static const struct {
		const char *body, *why;
	} cases[] = {
		{ "x\r\n", "a chunk without a size" },
		{ "\r\n", "a chunk without a size" },
		{ " 3\r\nabc\r\n", "a chunk without a size" },
		{ "3 \r\nabc\r\n", "a chunk without a size" },
		{ "0x3\r\nabc\r\n", "a chunk without a size" },
		{ "-3\r\nabc\r\n", "a chunk without a size" },
		{ "3\nabc\r\n0\r\n\r\n", "a chunk that does not end in CRLF" },
		{ "3;\nabc\r\n", "a chunk that does not end in CRLF" },
		{ "3\r\nabcd\r\n0\r\n\r\n", "a chunk longer than its size" },
		{ "3\r\nabc\rX0\r\n\r\n", "a chunk longer than its size" },
		{ "0\r\n folded\r\n\r\n", "a trailer that is none" },
		{ "0\r\nno colon\r\n\r\n", "a trailer that is none" },
	};
	char bytes[512], expected[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(bytes, sizeof(bytes),
			 "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n%s",
			 cases[i].body);
		snprintf(expected, sizeof(expected), "refused 400 %s", cases[i].why);
		expect(bytes, expected);
	}
	/* A size that wraps around is a size too large. */
	expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	       "10000000000000003\r\nabc\r\n0\r\n\r\n",
	       "refused 413 a body longer than the limit");
}

Test(http_reader, no_requests, .init = small_limits)
{
	expect("GET  / HTTP/1.1\r\n\r\n",
	       "refused 400 a request line without a target and a version");
	expect("GET /\r\n\r\n", "refused 400 a request line without a target and a version");
	expect(" GET / HTTP/1.1\r\n\r\n", "refused 400 a request line without a method");
	expect("GET /\x01 HTTP/1.1\r\n\r\n",
	       "refused 400 a request line without a target and a version");
	expect("FLY / HTTP/1.1\r\n" HOST "\r\n", "refused 501 a method that nobody knows");
	expect("GET / HTTP/2.0\r\n" HOST "\r\n", "refused 505 no version of HTTP/1");
	expect("GET / HTTP/1.2\r\n" HOST "\r\n", "refused 505 no version of HTTP/1");
	expect("GET / HTTP/1.1\r\n: x\r\n\r\n", "refused 400 a header line without a name");
	expect("GET / HTTP/1.1\r\nnonsense\r\n\r\n", "refused 400 a header line without a name");
	expect("GET / HTTP/1.1\r\nX: \x01\r\n\r\n", "refused 400 a control character in a header");
	expect("{\"type\": \"ping\"}\r\n", "refused 400 a request line without a method");
	/* At once: there may never be an end of a line. */
	expect("\x16\x03\x01\x02", "refused 400 a request line without a method");
	expect("{\"type\": ", "refused 400 a request line without a method");
	expect("POST / HTTP/1.1\r\n" HOST "Expect: 1000-years\r\nContent-Length: 1\r\n\r\n",
	       "refused 417 an expectation that nobody knows");
}

Test(http_reader, limits, .init = small_limits)
{
	char bytes[2048], *at;

	snprintf(bytes, sizeof(bytes), "GET /%0*d HTTP/1.0\r\n\r\n", 63, 0);
	read_in(bytes, strlen(bytes), 1000, 0);
	cr_expect(strstr(told, "1.0 close|") != NULL, "%s", told);
	snprintf(bytes, sizeof(bytes), "GET /%0*d HTTP/1.0\r\n\r\n", 64, 0);
	expect(bytes, "refused 414 a target longer than the limit");
	/* One that never ends is seen through before it has filled a buffer. */
	snprintf(bytes, sizeof(bytes), "GET /%0*d", 200, 0);
	expect(bytes, "refused 414 a target longer than the limit");
	at = bytes + sprintf(bytes, "GET / HTTP/1.0\r\n");
	for (int i = 0; i < 8; i++)
		at += sprintf(at, "X%d: 1\r\n", i);
	strcpy(at, "\r\n");
	expect(bytes, "GET / 1.0 close|");
	strcpy(at, "X8: 1\r\n\r\n");
	expect(bytes, "refused 431 more headers than the limit");
	snprintf(bytes, sizeof(bytes), "GET / HTTP/1.0\r\nX: %0*d", 600, 0);
	expect(bytes, "refused 431 a head longer than the limit");
	expect("POST / HTTP/1.0\r\nContent-Length: 101\r\n\r\n",
	       "refused 413 a body longer than the limit");
	expect("POST / HTTP/1.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
	       "refused 400 no HTTP request");
	at = bytes +
	     sprintf(bytes, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 101; i++)
		at += sprintf(at, "1\r\nx\r\n");
	expect(bytes, "refused 413 a body longer than the limit");
	snprintf(bytes, sizeof(bytes),
		 "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3;%0*d", 300, 0);
	expect(bytes, "refused 400 a chunk's first line is too long");
}

Test(http_reader, expects_continue, .init = small_limits)
{
	static const char head[] = "POST / HTTP/1.1\r\n" HOST
				   "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
	char bytes[256];

	snprintf(bytes, sizeof(bytes), "%sabc", head);
	cr_expect_str_eq(read_in(bytes, strlen(bytes), 1, 0), "continue|POST / 1.1 keep abc|");
	cr_expect_str_eq(read_in(bytes, strlen(bytes), 1000, 0), "POST / 1.1 keep abc|");
	cr_expect_str_eq(read_in(bytes, strlen(bytes), 3, sizeof(head) - 1),
			 "continue|POST / 1.1 keep abc|");
}

Test(http_reader, headers, .init = small_limits)
{
	static const char bytes[] = "GET / HTTP/1.1\r\n" HOST "X:\r\nAccept:  a , B,c\t\r\n"
				    "accept: d\r\n\r\n";
	struct qn_http_reader reader;
	struct qn_http_message m;
	struct qn_http_refusal refusal;
	size_t taken;

	qn_http_reader_init(&reader);
	cr_assert_eq(qn_http_reader_next(&reader, &limits, bytes, sizeof(bytes) - 1, &taken, space,
					 sizeof(space), &m, &refusal),
		     QN_HTTP_STEP_REQUEST);
	cr_expect_eq(m.n_headers, 4);
	cr_expect(qn_http_header(&m, "x").len == 0 && qn_http_header(&m, "x").at != NULL);
	cr_expect(qn_http_header(&m, "y").at == NULL);
	cr_expect_eq(qn_http_header(&m, "ACCEPT").len, 7u);
	cr_expect(qn_http_header_has(&m, "Accept", "b") && qn_http_header_has(&m, "Accept", "a"));
	cr_expect(qn_http_header_has(&m, "Accept", "C") && qn_http_header_has(&m, "Accept", "d"));
	cr_expect(!qn_http_header_has(&m, "Accept", "a ") && !qn_http_header_has(&m, "Y", "a"));
}

static void written(const struct qn_http_response *response, const char *expected)
{
	size_t len = strlen(expected);
	char *room = guard_copy(expected, len);

	memset(room, '#', len);
	cr_expect_eq(qn_http_write_response(response, room, len), len);
	cr_expect_eq(memcmp(room, expected, len), 0, "%.*s", (int)len, room);
	for (size_t cap = 0; cap < len; cap++)
		REQUIRE(qn_http_write_response(response, room, cap) == 0);
	guard_free(room, len);
}

Test(http_writer, answers)
{
	struct qn_http_response r = { .status = 200,
				      .minor = 1,
				      .keep_alive = true,
				      .content_type = "application/json",
				      .body = { "{}", 2 } };

	written(&r, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
		    "{}");
	r.keep_alive = false;
	written(&r, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
		    "Connection: close\r\n\r\n{}");
	r.minor = 0;
	written(&r, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
		    "{}");
	r.keep_alive = true;
	written(&r, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
		    "Connection: keep-alive\r\n\r\n{}");
	written(&(struct qn_http_response){ .status = 404, .minor = 1, .keep_alive = true },
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	written(&(struct qn_http_response){ .status = 101,
					    .minor = 1,
					    .keep_alive = true,
					    .extra = "Upgrade: websocket\r\n" },
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	written(&(struct qn_http_response){ .status = 200,
					    .minor = 1,
					    .no_length = true,
					    .content_type = "text/event-stream" },
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
	written(&(struct qn_http_response){ .status = 204, .minor = 1, .keep_alive = true },
		"HTTP/1.1 204 No Content\r\n\r\n");
	cr_expect_str_eq(qn_http_status_text(299), "Unknown");
}

/* ---- answers with their bodies ---- */

static const char *reply_in(const char *bytes, size_t unit, bool closes)
{
	struct qn_http_reply reply;
	struct qn_http_message m;
	size_t len = strlen(bytes), have = 0, taken = 0;
	enum qn_code code = QN_MORE;
	static char text[512];

	qn_http_reply_init(&reply, 200);
	while (code == QN_MORE && have < len) {
		have = len - have < unit ? len : have + unit;
		char *there = guard_copy(bytes, have);
		code = qn_http_reply_read(&reply, there, have, &taken, space, 64, &m);
		guard_free(there, have);
	}
	if (code == QN_MORE && closes)
		code = qn_http_reply_closed(&reply, bytes, len, space, 64, &m);
	if (code != QN_OK)
		return qn_code_name(code);
	snprintf(text, sizeof(text), "%u 1.%d %s %.*s", m.status, m.minor,
		 m.keep_alive ? "keep" : "close", (int)m.body.len, m.body.at);
	return text;
}

static void reply_expect(const char *bytes, bool closes, const char *expected)
{
	cr_expect_str_eq(reply_in(bytes, 1000, closes), expected, "%s", bytes);
	for (size_t unit = 1; unit < 8; unit++)
		cr_expect_str_eq(reply_in(bytes, unit, closes), expected, "%zu: %s", unit, bytes);
}

Test(http_reply, answers)
{
	char bytes[512];

	reply_expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false, "200 1.1 keep {}");
	reply_expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "200 1.1 keep ");
	reply_expect("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", false,
		     "200 1.1 close {}");
	reply_expect("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false, "200 1.0 close {}");
	reply_expect("HTTP/1.0 200 OK\r\n\r\n{\"a\"}", true, "200 1.0 close {\"a\"}");
	reply_expect("HTTP/1.0 200 OK\r\n\r\n", true, "200 1.0 close ");
	reply_expect(
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
		false, "200 1.1 keep abc");
	reply_expect(
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n\r\nx",
		false, "400 1.1 keep x");
	reply_expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", false, "more");
	reply_expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", true, "syntax");
	reply_expect("HTTP/1.1 200 OK\r\n", true, "syntax");
	reply_expect("{\"type\": \"pong\"}\n", false, "syntax");
	/* More than the space: cut; more than the limit: refused. */
	snprintf(bytes, sizeof(bytes), "HTTP/1.0 200 OK\r\n\r\n%0*d", 150, 0);
	cr_expect_eq(strlen(reply_in(bytes, 1000, true)), strlen("200 1.0 close ") + 64);
	snprintf(bytes, sizeof(bytes), "HTTP/1.0 200 OK\r\n\r\n%0*d", 300, 0);
	reply_expect(bytes, true, "too_long");
}

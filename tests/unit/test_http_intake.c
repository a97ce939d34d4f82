/*
 * HTTP requests for the port that also speaks WebSocket: whole, and cut at every byte up to a guard
 * page; what a proxy could read otherwise is refused.
 */
#include "proto/http/intake.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX 100

static const struct {
	const char *in;
	enum qn_code code;
	unsigned status;
	const char *said; /* method path query body keep */
	size_t rest;      /* bytes that belong to the next one */
} cases[] = {
	{ "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", QN_OK, 0, "GET /a b=c  keep", 0 },
	{ "GET / HTTP/1.0\r\n\r\n", QN_OK, 0, "GET /   close", 0 },
	{ "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", QN_OK, 0, "GET /   close", 0 },
	{ "POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}GET", QN_OK, 0,
	  "POST /rpc  {} keep", 3 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n"
	  "0\r\n\r\nX",
	  QN_OK, 0, "POST /  {} keep", 1 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", QN_OK, 0, "POST /   keep", 0 },
	{ "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x80",
	  QN_OK, 0, "GET /ws   keep", 2 },
	{ "GET / HTTP/1.1\r\nHost: x\r\nAuthorization:\r\n\r\n", QN_OK, 0, "GET /   keep", 0 },
	{ "GET / HTTP/1.1\r\nHost: x\r\n", QN_MORE, 0, NULL, 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{", QN_MORE, 0, NULL, 0 },
	/* Two readers could disagree about where it ends. */
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	  QN_E_SYNTAX, 400, NULL, 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0"
	  "\r\n\r\n",
	  QN_E_SYNTAX, 400, NULL, 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\nab", QN_E_SYNTAX, 400, NULL, 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\nab", QN_E_SYNTAX, 400, NULL, 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", QN_E_SYNTAX,
	  400, NULL, 0 },
	{ "GET / HTTP/1.1\r\n\r\n", QN_E_SYNTAX, 400, NULL, 0 },
	{ "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", QN_E_SYNTAX, 400, NULL, 0 },
	{ "GET / HTTP/2.0\r\nHost: x\r\n\r\n", QN_E_SYNTAX, 505, NULL, 0 },
	{ "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", QN_E_SYNTAX, 501, NULL, 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", QN_E_SYNTAX, 413, NULL, 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", QN_E_SYNTAX,
	  413, NULL, 0 },
	{ "GET / HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n", QN_E_SYNTAX, 417, NULL, 0 },
	{ "{\"jsonrpc\"\r\n", QN_E_SYNTAX, 400, NULL, 0 },
	{ "\x16\x03\x01\x02\r\n", QN_E_SYNTAX, 400, NULL, 0 },
};

static void say(const struct qn_http_intake *in, char *out, size_t cap)
{
	snprintf(out, cap, "%.*s %.*s %.*s %.*s %s", (int)in->method.len, in->method.at,
		 (int)in->path.len, in->path.at, (int)in->query.len,
		 in->query.len > 0 ? in->query.at : "", (int)in->body.len,
		 in->body.len > 0 ? in->body.at : "", in->keep_alive ? "keep" : "close");
}

Test(http_intake, requests)
{
	char room[BODY_MAX], said[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t whole = strlen(cases[i].in);
		for (size_t len = 0; len <= whole; len++) {
			struct qn_http_intake in;
			size_t taken = 0;
			char *bytes = guard_copy(cases[i].in, len);
			enum qn_code code = qn_http_intake_read(bytes, len, BODY_MAX, room, &in,
								&taken);
			if (code == QN_OK && cases[i].said != NULL) {
				say(&in, said, sizeof(said));
				cr_expect_eq(taken, whole - cases[i].rest, "%zu at %zu", i, len);
				cr_expect_str_eq(said, cases[i].said);
			}
			if (len == whole) {
				cr_expect_eq(code, cases[i].code, "%zu: %s", i, cases[i].in);
				cr_expect_eq(in.status, cases[i].status, "%zu: %u", i, in.status);
			} else if (cases[i].code == QN_OK && len < whole - cases[i].rest) {
				cr_expect_eq(code, QN_MORE, "%zu at %zu: %u", i, len, in.status);
			}
			guard_free(bytes, len);
		}
	}
}

Test(http_intake, a_body_in_chunks_longer_than_may_be)
{
	char text[400], room[BODY_MAX];
	struct qn_http_intake in;
	size_t taken;

	int len = snprintf(text, sizeof(text),
			   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			   "65\r\n%0101d\r\n0\r\n\r\n",
			   0);
	cr_expect_eq(qn_http_intake_read(text, (size_t)len, BODY_MAX, room, &in, &taken),
		     QN_E_SYNTAX);
	cr_expect_eq(in.status, 413);
}

Test(http_intake, a_head_longer_than_may_be)
{
	static char text[QN_HTTP_HEAD_MAX + 2], room[BODY_MAX];
	struct qn_http_intake in;
	size_t taken;

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
	cr_expect_eq(qn_http_intake_read(text, QN_HTTP_HEAD_MAX, BODY_MAX, room, &in, &taken),
		     QN_MORE);
	cr_expect_eq(qn_http_intake_read(text, sizeof(text), BODY_MAX, room, &in, &taken),
		     QN_E_SYNTAX);
	cr_expect_eq(in.status, 431);
}

Test(http_intake, headers)
{
	static const char text[] =
		"GET /ws HTTP/1.1\r\nhOST: x\r\nAccept: application/msgpack, */*\r\n"
		"Accept-Encoding: br, gzip\r\nLast-Event-ID: 7\r\nIf-None-Match: \"abc\"\r\n"
		"Authorization: Bearer t\r\nConnection: keep-alive, Upgrade\r\n"
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	char room[BODY_MAX];
	struct qn_http_intake in;
	size_t taken;

	REQUIRE(qn_http_intake_read(text, sizeof(text) - 1, BODY_MAX, room, &in, &taken) == QN_OK);
	cr_expect_eq(in.accepts, QN_HTTP_GZIP | QN_HTTP_MSGPACK);
	cr_expect(in.last_event_id.len == 1 && *in.last_event_id.at == '7');
	cr_expect(in.if_none_match.len == 5);
	cr_expect(in.authorization.len == 8);
	cr_expect_eq(qn_ws_accept(&in.ws, true, "").status, 101);
}

Test(http_intake, answers)
{
	static const char expected[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				       "ETag: \"7f\"\r\nCache-Control: no-cache\r\n"
				       "Content-Length: 2\r\n\r\n{}";
	struct qn_http_page reply = { .status = 200,
				      .type = "application/json",
				      .etag = "7f",
				      .body = { "{}", 2 },
				      .keep_alive = true };
	char out[512];

	size_t len = qn_http_page_write(&reply, out, sizeof(out));
	cr_expect(len == sizeof(expected) - 1 && memcmp(out, expected, len) == 0, "%.*s", (int)len,
		  out);
	for (size_t cap = 0; cap < len; cap++)
		REQUIRE(qn_http_page_write(&reply, out, cap) == 0);
	reply = (struct qn_http_page){ .status = 304, .etag = "7f" };
	len = qn_http_page_write(&reply, out, sizeof(out) - 1);
	out[len] = '\0';
	cr_expect_str_eq(out, "HTTP/1.1 304 Not Modified\r\nETag: \"7f\"\r\nCache-Control: no-cache"
			      "\r\nConnection: close\r\n\r\n");
	reply = (struct qn_http_page){ .status = 200,
				       .type = "text/event-stream",
				       .endless = true,
				       .more = "Cache-Control: no-cache\r\n" };
	len = qn_http_page_write(&reply, out, sizeof(out) - 1);
	out[len] = '\0';
	cr_expect_str_eq(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
			      "Cache-Control: no-cache\r\nConnection: close\r\n\r\n");
}

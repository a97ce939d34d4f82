/* The opening handshake: RFC 6455's own example, RFC 7692's offers, and what is refused. */
#include "proto/ws/handshake.h"
#include "proto/ws/sha1.h"
#include "tests/support/require.h"

#include <stdio.h>
#include <string.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static struct qn_text text(const char *string)
{
	return (struct qn_text){ string, strlen(string) };
}

static void check_sha1(const char *in, const char *expected)
{
	uint8_t digest[20];
	char hex[41];

	qn_sha1(in, strlen(in), digest);
	for (size_t i = 0; i < 20; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	cr_expect_str_eq(hex, expected);
}

/* RFC 3174, 7.3, and both ways in which the length's block falls. */
Test(ws_handshake, sha1)
{
	check_sha1("abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
	check_sha1("", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	check_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		   "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	check_sha1("0123456701234567012345670123456701234567012345670123456701234567",
		   "e0c094e867ef46c350ef54a7f59dd60bed92ae83");
}

/* RFC 4648, 10. */
Test(ws_handshake, base64)
{
	static const char *const pairs[][2] = { { "", "" },
						{ "f", "Zg==" },
						{ "fo", "Zm8=" },
						{ "foo", "Zm9v" },
						{ "foob", "Zm9vYg==" },
						{ "fooba", "Zm9vYmE=" },
						{ "foobar", "Zm9vYmFy" } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		char out[9] = { 0 };
		qn_base64((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), out);
		cr_expect_str_eq(out, pairs[i][1]);
	}
}

/* "Name: value\n" lines. */
static struct qn_ws_head head_of(const char *lines)
{
	struct qn_ws_head head = { 0 };

	while (*lines != '\0') {
		const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');
		REQUIRE(colon != NULL && end != NULL);
		qn_ws_head_add(&head, (struct qn_text){ lines, (size_t)(colon - lines) },
			       (struct qn_text){ colon + 1, (size_t)(end - colon - 1) });
		lines = end + 1;
	}
	return head;
}

#define GOOD                                                                                       \
	"Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"                     \
	"Sec-WebSocket-Key: " KEY "\n"
#define EXT "Sec-WebSocket-Extensions: "

static const struct {
	const char *head;
	unsigned status;
	bool deflate;
} requests[] = {
	{ GOOD, 101, false },
	{ "UPGRADE: WebSocket\nconnection: keep-alive, Upgrade\nsec-websocket-version: 13\n"
	  "sec-websocket-key: " KEY "\n",
	  101, false },
	/* One Connection header of two. */
	{ "Upgrade: websocket\nConnection: Upgrade\nConnection: keep-alive\n"
	  "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: " KEY "\n",
	  101, false },
	{ "Upgrade: h2c, websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
	  "Sec-WebSocket-Key: " KEY "\n",
	  101, false },
	{ "", 400, false },
	{ "Upgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: " KEY "\n", 400,
	  false },
	{ "Upgrade: websockets\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
	  "Sec-WebSocket-Key: " KEY "\n",
	  400, false },
	{ "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: " KEY "\n", 426, false },
	{ "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 8\n"
	  "Sec-WebSocket-Key: " KEY "\n",
	  426, false },
	{ "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n", 400, false },
	{ "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
	  "Sec-WebSocket-Key: short\n",
	  400, false },
	{ "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==\n",
	  400, false },
	{ GOOD "Sec-WebSocket-Key: " KEY "\n", 400, false },
	/* What all four independent clients offer. */
	{ GOOD EXT "permessage-deflate; client_max_window_bits\n", 101, true },
	{ GOOD EXT "permessage-deflate\n", 101, true },
	{ GOOD EXT "x-other, permessage-deflate; client_max_window_bits=\"10\"\n", 101, true },
	{ GOOD EXT "permessage-deflate; server_max_window_bits=10, permessage-deflate\n", 101,
	  true },
	{ GOOD EXT "x-other\n" EXT "permessage-deflate; server_no_context_takeover\n", 101, true },
	{ GOOD EXT "permessage-deflate; server_max_window_bits=10\n", 101, false },
	{ GOOD EXT "permessage-deflate; server_max_window_bits\n", 101, false },
	{ GOOD EXT "permessage-deflate; client_max_window_bits=7\n", 101, false },
	{ GOOD EXT "permessage-deflate; client_max_window_bits=16\n", 101, false },
	{ GOOD EXT "permessage-deflate; unheard_of\n", 101, false },
	{ GOOD EXT "permessage-deflate; server_no_context_takeover=1\n", 101, false },
	{ GOOD EXT "permessage-deflate; client_max_window_bits; client_max_window_bits\n", 101,
	  false },
	{ GOOD EXT "x-webkit-deflate-frame\n", 101, false },
	{ GOOD EXT ";;,,;=\n", 101, false },
};

Test(ws_handshake, what_the_server_takes)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct qn_ws_head head = head_of(requests[i].head);
		struct qn_ws_agreed agreed = qn_ws_accept(&head, true, "jsonrpc");
		cr_expect_eq(agreed.status, requests[i].status, "%zu: %u", i, agreed.status);
		cr_expect_eq(agreed.deflate, requests[i].deflate, "%zu", i);
		cr_expect_eq(agreed.why == NULL, agreed.status == 101);
		agreed = qn_ws_accept(&head, false, "jsonrpc");
		cr_expect_not(agreed.deflate);
	}
}

Test(ws_handshake, the_answer)
{
	static const char expected[] =
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: jsonrpc\r\n"
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
		"client_no_context_takeover\r\n\r\n";
	struct qn_ws_head head = head_of(GOOD "Sec-WebSocket-Protocol: mqtt, jsonrpc\n" EXT
					      "permessage-deflate\n");
	struct qn_ws_agreed agreed = qn_ws_accept(&head, true, "jsonrpc");
	char out[1024];

	size_t len = qn_ws_write_accept(&head, &agreed, out, sizeof(out));
	cr_expect_eq(len, sizeof(expected) - 1);
	cr_expect_eq(memcmp(out, expected, sizeof(expected) - 1), 0, "%.*s", (int)len, out);
	for (size_t cap = 0; cap < len; cap++)
		REQUIRE(qn_ws_write_accept(&head, &agreed, out, cap) == 0);
}

static const char answer_head[] = "Upgrade: websocket\nConnection: Upgrade\n"
				  "Sec-WebSocket-Accept: " ACCEPT "\n";

static const struct {
	const char *more;
	unsigned status;
	bool accepted, deflate;
} answers[] = {
	{ "", 101, true, false },
	{ "", 200, false, false },
	{ EXT "permessage-deflate; server_no_context_takeover\n", 101, true, true },
	{ EXT "permessage-deflate; server_no_context_takeover; client_no_context_takeover\n", 101,
	  true, true },
	{ EXT "permessage-deflate; server_no_context_takeover; server_max_window_bits=9\n", 101,
	  true, true },
	/* It keeps its context: we could not read its second message. */
	{ EXT "permessage-deflate\n", 101, false, false },
	{ EXT "permessage-deflate; server_no_context_takeover; client_max_window_bits\n", 101,
	  false, false },
	{ EXT "x-other\n", 101, false, false },
	{ "Sec-WebSocket-Accept: " ACCEPT "\n", 101, false, false },
	{ "Sec-WebSocket-Protocol: jsonrpc\n", 101, true, false },
	{ "Sec-WebSocket-Protocol: mqtt\n", 101, false, false },
};

static struct qn_ws_request request(bool deflate)
{
	struct qn_ws_request r = { "/ws", "127.0.0.1:9124", "jsonrpc", deflate, { 0 } };

	memcpy(r.nonce, "the sample nonce", 16);
	return r;
}

Test(ws_handshake, what_the_client_takes)
{
	struct qn_ws_request r = request(true);
	char lines[512];

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		snprintf(lines, sizeof(lines), "%s%s", answer_head, answers[i].more);
		struct qn_ws_head head = head_of(lines);
		struct qn_ws_agreed agreed = qn_ws_accepted(&r, answers[i].status, &head);
		cr_expect_eq(agreed.status == 101, answers[i].accepted, "%zu: %s", i, agreed.why);
		cr_expect_eq(agreed.deflate, answers[i].deflate, "%zu", i);
	}
	/* Not asked for: not to be had. */
	snprintf(lines, sizeof(lines), "%s%s", answer_head, answers[2].more);
	struct qn_ws_head head = head_of(lines);
	r = request(false);
	cr_expect_eq(qn_ws_accepted(&r, 101, &head).status, 0);
	r.nonce[0]++;
	head = head_of(answer_head);
	cr_expect_eq(qn_ws_accepted(&r, 101, &head).status, 0);
	head = head_of("Upgrade: websocket\nSec-WebSocket-Accept: " ACCEPT "\n");
	cr_expect_eq(qn_ws_accepted(&r, 101, &head).status, 0);
}

Test(ws_handshake, the_request)
{
	static const char expected[] =
		"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:9124\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY
		"\r\nSec-WebSocket-Protocol: jsonrpc\r\nSec-WebSocket-Extensions: "
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n";
	struct qn_ws_request r = request(true);
	char out[1024], accept[QN_WS_ACCEPT_LEN];

	size_t len = qn_ws_write_request(&r, out, sizeof(out));
	cr_expect_eq(len, sizeof(expected) - 1);
	cr_expect_eq(memcmp(out, expected, sizeof(expected) - 1), 0, "%.*s", (int)len, out);
	for (size_t cap = 0; cap < len; cap++)
		REQUIRE(qn_ws_write_request(&r, out, cap) == 0);
	qn_ws_accept_key(text(KEY), accept);
	cr_expect_eq(memcmp(accept, ACCEPT, sizeof(accept)), 0);
}

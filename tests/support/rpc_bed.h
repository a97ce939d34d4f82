/*
 * An RPC server with a host that writes down what it is asked: no socket, a simulated clock, every
 * byte by hand. What leaves is read back as a client would: HTTP as it is, frames as their texts.
 *
 * Purpose: bed_start(), then feed and look. Units: bytes. Ownership: one server and one session,
 * static; bed_finish() at the end of each test. Errors: fail the test. Threads: one.
 */
#ifndef TEST_RPC_BED_H
#define TEST_RPC_BED_H

#include "emulator/base/units.h"
#include "emulator/rpc/rpc.h"
#include "proto/ws/handshake.h"
#include "tests/support/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop loop;
static struct rpc_server server;
static struct rpc_session session;
static struct net_conn conn;
static char sent[1 << 18], kept[128], unread[4096];
static size_t sent_len, kept_len, unread_len;
static bool gone;
static int calls;

/* What was not taken lies there until somebody pokes. */
static inline void poke(struct net_conn *c)
{
	(void)c;
	if (unread_len == 0)
		return;
	size_t taken = rpc_received(&session, unread, unread_len);
	memmove(unread, unread + taken, unread_len - taken);
	unread_len -= taken;
}

static const struct net_ops ops = { .poke = poke };
static struct net net = { .ops = &ops, .loop = &loop };

static inline void on_call(struct rpc_session *s, const struct rpc_call *call)
{
	struct qn_text first;

	calls++;
	if (call->token.len == 0)
		return;
	if (call->method.len == 4 && memcmp(call->method.at, "echo", 4) == 0) {
		if (qn_jsonrpc_element(call->params, 0, &first) == QN_JSON_END)
			first = (struct qn_text){ "null", 4 };
		rpc_answer(s, call->token, first);
	} else if (call->method.len == 4 && memcmp(call->method.at, "late", 4) == 0) {
		REQUIRE(call->token.len <= sizeof(kept));
		memcpy(kept, call->token.at, call->token.len);
		kept_len = call->token.len;
	} else {
		rpc_error(s, call->token, QN_JSONRPC_NO_METHOD, NULL);
	}
}

static inline bool on_cancel(struct rpc_session *s, struct qn_text token)
{
	(void)s;
	if (token.len != kept_len || memcmp(token.at, kept, kept_len) != 0)
		return false;
	kept_len = 0;
	return true;
}

static inline bool on_dashboard(struct rpc_session *s, struct qn_text service,
				struct qn_json_writer *w)
{
	(void)s;
	qn_json_put_literal(w, "{\"calls\":");
	qn_json_put_int(w, calls);
	qn_json_put_literal(w, "}");
	return service.len == 0 || (service.len == 4 && memcmp(service.at, "west", 4) == 0);
}

static inline void on_metrics(struct rpc_session *s, struct qn_json_writer *w)
{
	(void)s;
	qn_json_put_literal(w, "{}");
}

static inline void on_send(struct rpc_session *s, const char *unit, size_t len)
{
	(void)s;
	REQUIRE(len <= sizeof(sent) - sent_len);
	memcpy(sent + sent_len, unit, len);
	sent_len += len;
}

static inline void on_leave(struct rpc_session *s)
{
	rpc_session_end(s);
	gone = true;
}

static const struct rpc_service service = { .call = on_call,
					    .cancel = on_cancel,
					    .dashboard = on_dashboard,
					    .metrics = on_metrics,
					    .send = on_send,
					    .leave = on_leave };

static inline void bed_connect(void)
{
	memset(&session, 0, sizeof(session));
	memset(&conn, 0, sizeof(conn));
	conn.net = &net;
	sent_len = unread_len = kept_len = 0;
	gone = false;
	rpc_session_begin(&session, &server, &conn, NULL, RPC_ALL);
}

static inline void bed_start(const struct rpc_options *options)
{
	loop_init_simulated(&loop, 0);
	REQUIRE(rpc_server_init(&server, &loop, options, &service) == 0);
	bed_connect();
}

static inline void bed_finish(void)
{
	if (!gone)
		rpc_session_end(&session);
	rpc_server_release(&server);
}

static inline struct rpc_options small(void)
{
	struct rpc_options options = rpc_default_options;

	options.message_max = 20000;
	options.batch_max = 5;
	options.batches = 1;
	options.ring = 4;
	return options;
}

/* Bytes from the peer; what it sent has been looked at by then. */
static inline void feed(const char *bytes, size_t len)
{
	sent_len = 0;
	REQUIRE(unread_len + len <= sizeof(unread));
	memcpy(unread + unread_len, bytes, len);
	unread_len += len;
	poke(&conn);
}

static inline void feed_text(const char *text)
{
	feed(text, strlen(text));
}

static inline void upgrade(const char *extensions)
{
	char request[512];

	snprintf(
		request, sizeof(request),
		"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
		extensions);
	feed_text(request);
	REQUIRE(sent_len > 0 && memcmp(sent, "HTTP/1.1 101", 12) == 0);
	sent_len = 0;
}

/* A masked text frame, short; mask zero keeps it readable. */
static inline void frame(const char *text)
{
	char bytes[1100] = { (char)0x81 };
	size_t len = strlen(text), head = 6;

	if (len < 126) {
		bytes[1] = (char)(0x80 | len);
	} else {
		bytes[1] = (char)(0x80 | 126);
		bytes[2] = (char)(len >> 8);
		bytes[3] = (char)len;
		head = 8;
	}
	memcpy(bytes + head, text, len);
	feed(bytes, head + len);
}

/* What was sent since, a line a frame. */
static inline const char *said(void)
{
	static char text[1 << 16];
	struct qn_ws ws;
	struct qn_ws_event event;
	size_t done = 0, len = 0, taken;

	qn_ws_init(&ws, QN_WS_CLIENT, true);
	text[0] = '\0';
	for (;;) {
		enum qn_ws_step step = qn_ws_next(&ws, &server.ws, sent + done, sent_len - done,
						  &taken, &event);
		done += taken;
		if (step == QN_WS_MORE)
			break;
		if (step == QN_WS_CLOSED)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "close %u\n",
						event.code);
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s\n",
						(int)event.payload.len, event.payload.at);
	}
	qn_ws_drop(&ws, &server.ws);
	sent_len = 0;
	return text;
}

static inline void expect_http(const char *begins, const char *ends)
{
	sent[sent_len] = '\0';
	cr_expect(strncmp(sent, begins, strlen(begins)) == 0, "%s", sent);
	cr_expect(sent_len >= strlen(ends) && strcmp(sent + sent_len - strlen(ends), ends) == 0,
		  "%s", sent);
	sent_len = 0;
}

#endif

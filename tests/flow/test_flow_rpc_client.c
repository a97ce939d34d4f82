/*
 * The RPC client against the RPC server, both real, over a network in memory and a simulated clock:
 * calls and batches, what a broken connection does to them, attempts and their pauses, the breaker,
 * tokens, and the fallback where there is no WebSocket.
 */
#include "emulator/base/units.h"
#include "emulator/rpc/client.h"
#include "tests/support/pipe_net.h"
#include "tests/support/require.h"

#include <errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop loop;
static struct net *net;
static struct rpc_server server;
static struct net_listener *listener;
static struct rpc_client *client;
static struct rpc_session sessions[16];
static struct net_conn *conns[16];
static bool mute, blocked; /* answers nothing; takes no WebSocket */
static size_t requests, sent_units;
static char heard[4096];
static const struct net_addr at = { 0x7f2c0101, 9124 };

static int index_of(struct net_conn *conn)
{
	for (int i = 0; i < 16; i++)
		if (conns[i] == conn)
			return i;
	return -1;
}

/* ---- the server's host ---- */

static void on_call(struct rpc_session *session, const struct rpc_call *call)
{
	struct qn_text first = { "null", 4 };

	requests++;
	if (mute || call->token.len == 0)
		return;
	if (call->method.len == 4 && memcmp(call->method.at, "echo", 4) == 0) {
		qn_jsonrpc_element(call->params, 0, &first);
		rpc_answer(session, call->token, first);
	} else {
		rpc_error(session, call->token, QN_JSONRPC_NO_METHOD, NULL);
	}
}

static void on_send(struct rpc_session *session, const char *unit, size_t len)
{
	sent_units++;
	net_send(session->conn, unit, len);
}

static void forget(struct net_conn *conn)
{
	int i = index_of(conn);

	if (i < 0)
		return;
	conns[i] = NULL;
	rpc_session_end(&sessions[i]);
}

static void on_leave(struct rpc_session *session)
{
	struct net_conn *conn = session->conn;

	forget(conn);
	net_close(conn);
}

static bool on_dashboard(struct rpc_session *s, struct qn_text service, struct qn_json_writer *w)
{
	(void)s;
	(void)service;
	qn_json_put_literal(w, "{}");
	return true;
}

static void on_metrics(struct rpc_session *s, struct qn_json_writer *w)
{
	(void)s;
	qn_json_put_literal(w, "{}");
}

static const struct rpc_service service = { .call = on_call,
					    .dashboard = on_dashboard,
					    .metrics = on_metrics,
					    .send = on_send,
					    .leave = on_leave };

static size_t on_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	static const char refusal[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

	(void)fresh;
	if (blocked && len > 7 && memcmp(bytes, "GET /ws", 7) == 0) {
		net_send(conn, refusal, sizeof(refusal) - 1);
		return len;
	}
	int i = index_of(conn);
	return i < 0 ? len : rpc_received(&sessions[i], bytes, len);
}

static void on_closed(struct net_conn *conn, int error)
{
	(void)error;
	forget(conn);
}

static const struct net_handler handler = { .received = on_received, .closed = on_closed };

static bool on_accepted(struct net_listener *l, struct net_conn *conn)
{
	int i = index_of(NULL);

	(void)l;
	REQUIRE(i >= 0);
	conns[i] = conn;
	conn->handler = &handler;
	memset(&sessions[i], 0, sizeof(sessions[i]));
	rpc_session_begin(&sessions[i], &server, conn, NULL, RPC_ALL);
	return true;
}

static void server_up(void)
{
	REQUIRE(net_listen(net, at, &listener) == 0);
	listener->accepted = on_accepted;
}

static void server_down(void)
{
	net_unlisten(listener);
	for (int i = 0; i < 16; i++)
		if (conns[i] != NULL) {
			struct net_conn *conn = conns[i];
			forget(conn);
			net_reset(conn);
		}
}

/* ---- */

static void on_told(void *context, struct qn_text method, struct qn_text params)
{
	size_t len = strlen(heard);

	(void)context;
	snprintf(heard + len, sizeof(heard) - len, "%.*s%.*s ", (int)method.len, method.at,
		 (int)params.len, params.at);
}

static void on_done(void *context, const struct rpc_answer *answer)
{
	static const char *const words[] = { "ok", "error", "lost", "broken", "refused" };
	size_t len = strlen(heard);

	(void)context;
	snprintf(heard + len, sizeof(heard) - len, "%s(%.*s) ", words[answer->outcome],
		 (int)answer->text.len, answer->text.at);
}

static struct rpc_client_options options(void)
{
	struct rpc_client_options o = rpc_client_defaults;

	o.to = at;
	o.told = on_told;
	return o;
}

static void start(const char *token)
{
	struct rpc_options o = rpc_default_options;

	o.message_max = 65536;
	o.token = token;
	o.token_life_ns = 10 * NS_PER_S;
	loop_init_simulated(&loop, 0);
	net = pipe_net_new(&loop);
	REQUIRE(rpc_server_init(&server, &loop, &o, &service) == 0);
	server_up();
}

static void pass(int64_t ms)
{
	int64_t until = loop.now_ns + ms * NS_PER_MS;

	loop_settle(&loop); /* the end of the turn in which the test has asked */
	loop_run(&loop, until);
	/* Where nothing happened the clock stood. */
	loop.now_ns = until;
}

static void finish(void)
{
	rpc_client_free(client);
	server_down();
	pipe_net_free(net);
	rpc_server_release(&server);
}

static int ask(const char *params)
{
	return rpc_client_call(client, "echo", (struct qn_text){ params, strlen(params) }, on_done,
			       NULL);
}

/* What was heard since. */
static const char *said(void)
{
	static char copy[sizeof(heard)];

	memcpy(copy, heard, sizeof(heard));
	heard[0] = '\0';
	return copy;
}

Test(rpc_client, calls)
{
	struct rpc_client_options o = options();

	start(NULL);
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	/* Before there is a connection: it waits for one. */
	REQUIRE(ask("[1]") == 0);
	pass(100);
	cr_expect_str_eq(said(), "ok(1) ");
	REQUIRE(rpc_client_call(client, "x", (struct qn_text){ NULL, 0 }, on_done, NULL) == 0);
	pass(100);
	cr_expect_str_eq(said(), "error(Method not found) ");
	rpc_push(&sessions[0],
		 rpc_publish(&server, RPC_EVENTS, 0, "news", (struct qn_text){ "{}", 2 }));
	pass(100);
	cr_expect_str_eq(said(), "news{} ");
	cr_expect_lt(rpc_client_stats(client)->open_ns, 100 * NS_PER_MS);
	finish();
}

Test(rpc_client, calls_of_one_turn_go_out_as_a_batch)
{
	struct rpc_client_options o = options();

	o.batch_max = 3;
	start(NULL);
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	pass(100);
	sent_units = 0;
	for (int i = 0; i < 4; i++)
		REQUIRE(ask("[7]") == 0);
	pass(100);
	cr_expect_str_eq(said(), "ok(7) ok(7) ok(7) ok(7) ");
	cr_expect_eq(rpc_client_stats(client)->batches, 1);
	cr_expect_eq(sent_units, 2);
	finish();
}

Test(rpc_client, a_pool_shares_the_work)
{
	struct rpc_client_options o = options();

	o.pool = 3;
	start(NULL);
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	pass(100);
	cr_expect_eq(rpc_client_stats(client)->ready, 3);
	mute = true;
	for (int i = 0; i < 3; i++)
		REQUIRE(ask("[7]") == 0);
	pass(10);
	mute = false;
	cr_expect_eq(requests, 3);
	pass(6000);
	cr_expect_str_eq(
		said(), "lost(no answer in time) lost(no answer in time) lost(no answer in time) ");
	finish();
}

/* What was written is broken; what was not waits, and goes out when the server is back. */
Test(rpc_client, the_server_restarts)
{
	struct rpc_client_options o = options();

	start(NULL);
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	pass(100);
	mute = true;
	REQUIRE(ask("[1]") == 0);
	pass(10);
	server_down();
	pass(10);
	cr_expect_str_eq(said(), "broken(the connection broke) ");
	mute = false;
	REQUIRE(ask("[2]") == 0);
	pass(1500);
	cr_expect_str_eq(said(), "");
	server_up();
	pass(3000);
	cr_expect_str_eq(said(), "ok(2) ");
	finish();
}

/* 1 s, doubling, five times: then it rests until somebody wants it. */
Test(rpc_client, attempts)
{
	struct rpc_client_options o = options();

	o.breaker_failures = 0;
	start(NULL);
	server_down();
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	pass(900);
	cr_expect_eq(rpc_client_stats(client)->connects, 1);
	pass(200);
	cr_expect_eq(rpc_client_stats(client)->connects, 2);
	pass(2000);
	cr_expect_eq(rpc_client_stats(client)->connects, 3);
	pass(4000);
	cr_expect_eq(rpc_client_stats(client)->connects, 4);
	pass(8000);
	cr_expect_eq(rpc_client_stats(client)->connects, 5);
	pass(100000);
	cr_expect_eq(rpc_client_stats(client)->connects, 5);
	server_up();
	REQUIRE(ask("[1]") == 0);
	pass(100);
	cr_expect_str_eq(said(), "ok(1) ");
	finish();
}

Test(rpc_client, the_breaker)
{
	struct rpc_client_options o = options();

	o.breaker_failures = 2;
	o.answer_ns = NS_PER_S;
	start(NULL);
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	pass(100);
	mute = true;
	REQUIRE(ask("[1]") == 0);
	REQUIRE(ask("[2]") == 0);
	pass(1100);
	cr_expect_str_eq(said(), "lost(no answer in time) lost(no answer in time) ");
	cr_expect_eq(rpc_client_breaker(client)->state, BREAKER_OPEN);
	cr_expect_eq(ask("[3]"), -EAGAIN);
	/* Half open: one goes, a second does not; it fails, and the wait begins anew. */
	pass(30000);
	REQUIRE(ask("[4]") == 0);
	cr_expect_eq(rpc_client_breaker(client)->state, BREAKER_HALF_OPEN);
	cr_expect_eq(ask("[5]"), -EAGAIN);
	pass(1100);
	cr_expect_str_eq(said(), "lost(no answer in time) ");
	cr_expect_eq(rpc_client_breaker(client)->state, BREAKER_OPEN);
	mute = false;
	pass(30000);
	REQUIRE(ask("[6]") == 0);
	pass(100);
	cr_expect_str_eq(said(), "ok(6) ");
	cr_expect_eq(rpc_client_breaker(client)->state, BREAKER_CLOSED);
	REQUIRE(ask("[7]") == 0);
	pass(100);
	cr_expect_str_eq(said(), "ok(7) ");
	finish();
}

Test(rpc_client, tokens_are_shown_and_refreshed)
{
	struct rpc_client_options o = options();

	o.token = "secret";
	start("secret");
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	REQUIRE(ask("[1]") == 0);
	pass(100);
	cr_expect_str_eq(said(), "ok(1) ");
	/* Longer than a token lives: it was refreshed meanwhile. */
	for (int i = 0; i < 3; i++) {
		pass(9000);
		REQUIRE(ask("[2]") == 0);
		pass(100);
		cr_expect_str_eq(said(), "ok(2) ");
	}
	cr_expect_geq(rpc_client_stats(client)->refreshed, 3);
	/* Another connection goes on with the session. */
	server_down();
	pass(10);
	server_up();
	REQUIRE(ask("[3]") == 0);
	pass(2000);
	cr_expect_str_eq(said(), "ok(3) ");
	cr_expect_eq(server.stats.unauthorized, 0);
	finish();
}

Test(rpc_client, a_wrong_token)
{
	struct rpc_client_options o = options();

	o.token = "secreT";
	start("secret");
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	REQUIRE(ask("[1]") == 0);
	pass(6000);
	cr_expect_str_eq(said(), "refused(no connection in time) ");
	cr_expect_geq(server.stats.unauthorized, 1);
	finish();
}

Test(rpc_client, where_there_is_no_websocket)
{
	struct rpc_client_options o = options();

	blocked = true;
	o.token = "secret";
	o.batch_max = 10;
	start("secret");
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	for (int i = 0; i < 3; i++)
		REQUIRE(ask("[1]") == 0);
	pass(100);
	cr_expect_str_eq(said(), "ok(1) ok(1) ok(1) ");
	cr_expect(rpc_client_stats(client)->by_post);
	/* What the server says comes by the stream. */
	const struct rpc_entry *entry = rpc_publish(&server, RPC_EVENTS, 0, "news",
						    (struct qn_text){ "{\"n\":1}", 7 });
	for (int i = 0; i < 16; i++)
		if (conns[i] != NULL)
			rpc_push(&sessions[i], entry);
	pass(100);
	cr_expect_str_eq(said(), "news{\"n\":1} ");
	/* The stream breaks; what happened meanwhile comes when it resumes. */
	server_down();
	rpc_publish(&server, RPC_EVENTS, 0, "news", (struct qn_text){ "{\"n\":2}", 7 });
	pass(10);
	server_up();
	pass(3000);
	cr_expect_str_eq(said(), "news{\"n\":2} ");
	REQUIRE(ask("[4]") == 0);
	pass(1000);
	cr_expect_str_eq(said(), "ok(4) ");
	finish();
}

Test(rpc_client, more_calls_than_there_is_room_for)
{
	struct rpc_client_options o = options();

	o.calls = 4;
	start(NULL);
	mute = true;
	REQUIRE(rpc_client_new(&loop, net, &o, &client) == 0);
	for (int i = 0; i < 4; i++)
		REQUIRE(ask("[1]") == 0);
	cr_expect_eq(ask("[1]"), -ENOBUFS);
	pass(10);
	rpc_client_free(client);
	cr_expect_str_eq(said(), "broken(the client is closed) broken(the client is closed) "
				 "broken(the client is closed) broken(the client is closed) ");
	client = NULL;
	finish();
}

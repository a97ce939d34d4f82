/*
 * A JSON-RPC server with nothing behind it: what the library costs by itself, and what independent
 * clients are tried against.
 *
 * Methods: echo (its first element, or null), sum, list (params: how many entries), slow (answered
 * after 50 ms, may be cancelled), nothing. "note" publishes an event. Usage: rpc_echo IP PORT
 * [TOKEN]. Prints "listening IP:PORT" when it is; ends on SIGTERM.
 */
#include "emulator/base/units.h"
#include "emulator/rpc/rpc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS 20000

struct served {
	struct rpc_session *session;
	struct served *next, *prev;
};

static struct loop loop;
static struct rpc_server server;
static struct pool sessions;
static struct net_conn *serving;

/* Answers that are waiting for their time. */
static struct slow {
	struct timer timer;
	struct net_conn *conn; /* NULL: free */
	uint8_t len;
	char token[RPC_TOKEN_KEPT];
} waiting[1000];

static struct served *served_of(struct net_conn *conn)
{
	return (struct served *)(void *)conn->session;
}

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

static void leave(struct rpc_session *session)
{
	struct net_conn *conn = session->conn;
	struct served *served = served_of(conn);

	for (size_t i = 0; i < 1000; i++)
		if (waiting[i].conn == conn) {
			timer_cancel(&loop.timers, &waiting[i].timer);
			waiting[i].conn = NULL;
		}
	if (served->prev != NULL)
		served->prev->next = served->next;
	else
		serving = served->next != NULL ? served->next->session->conn : NULL;
	if (served->next != NULL)
		served->next->prev = served->prev;
	rpc_session_end(session);
	pool_put(&sessions, session);
	served->session = NULL;
	net_close(conn);
}

static void send_unit(struct rpc_session *session, const char *unit, size_t len)
{
	net_send(session->conn, unit, len);
}

static void slow_done(struct timer *timer, int64_t now_ns)
{
	struct slow *slow = (struct slow *)(void *)timer;
	struct net_conn *conn = slow->conn;

	(void)now_ns;
	slow->conn = NULL;
	rpc_answer(served_of(conn)->session, (struct qn_text){ slow->token, slow->len },
		   (struct qn_text){ "\"at last\"", 9 });
}

static void answer_later(struct rpc_session *session, struct qn_text token)
{
	for (size_t i = 0; i < 1000; i++) {
		struct slow *slow = &waiting[i];
		if (slow->conn != NULL || token.len > sizeof(slow->token))
			continue;
		slow->conn = session->conn;
		slow->len = (uint8_t)token.len;
		memcpy(slow->token, token.at, token.len);
		slow->timer.fire = slow_done;
		loop_timer(&loop, &slow->timer, 50 * NS_PER_MS);
		return;
	}
	rpc_error(session, token, QN_JSONRPC_NO_ROOM, NULL);
}

static bool cancel(struct rpc_session *session, struct qn_text token)
{
	for (size_t i = 0; i < 1000; i++) {
		struct slow *slow = &waiting[i];
		if (slow->conn != session->conn || slow->len != token.len ||
		    memcmp(slow->token, token.at, token.len) != 0)
			continue;
		timer_cancel(&loop.timers, &slow->timer);
		slow->conn = NULL;
		return true;
	}
	return false;
}

static void list(struct rpc_session *session, const struct rpc_call *call)
{
	static char text[900000];
	struct qn_json_writer w;
	struct qn_text count;
	int64_t n = 10;

	if (qn_jsonrpc_element(call->params, 0, &count) == QN_JSON_NUMBER)
		qn_json_int64(count, &n);
	qn_json_writer_init(&w, text, sizeof(text) - 1);
	qn_json_put_literal(&w, "[");
	for (int64_t i = 0; i < n && !w.full; i++) {
		if (i > 0)
			qn_json_put_literal(&w, ",");
		qn_json_put_literal(&w, "{\"entry\":");
		qn_json_put_int(&w, i);
		qn_json_put_literal(&w, "}");
	}
	qn_json_put_literal(&w, "]");
	if (w.full)
		rpc_error(session, call->token, QN_JSONRPC_NO_ROOM, NULL);
	else
		rpc_answer(session, call->token, (struct qn_text){ text, qn_json_written(&w) });
}

static void publish(struct qn_text params)
{
	struct net_conn *conn = serving;
	const struct rpc_entry *entry = rpc_publish(&server, RPC_EVENTS, 0, "noted",
						    params.len > 0 ? params
								   : (struct qn_text){ "[]", 2 });

	while (conn != NULL) {
		struct served *next = served_of(conn)->next;
		rpc_push(served_of(conn)->session, entry);
		conn = next != NULL ? next->session->conn : NULL;
	}
}

static void call(struct rpc_session *session, const struct rpc_call *call)
{
	struct qn_text first = { "null", 4 }, second;
	int64_t a = 0, b = 0;

	if (is(call->method, "note"))
		publish(call->params);
	if (call->token.len == 0)
		return;
	if (is(call->method, "echo")) {
		qn_jsonrpc_element(call->params, 0, &first);
		rpc_answer(session, call->token, first);
	} else if (is(call->method, "sum")) {
		char sum[32];
		if (qn_jsonrpc_element(call->params, 0, &first) != QN_JSON_NUMBER ||
		    qn_jsonrpc_element(call->params, 1, &second) != QN_JSON_NUMBER ||
		    !qn_json_int64(first, &a) || !qn_json_int64(second, &b)) {
			rpc_error(session, call->token, QN_JSONRPC_BAD_PARAMS, NULL);
			return;
		}
		int len = snprintf(sum, sizeof(sum), "%lld", (long long)(a + b));
		rpc_answer(session, call->token, (struct qn_text){ sum, (size_t)len });
	} else if (is(call->method, "list")) {
		list(session, call);
	} else if (is(call->method, "slow")) {
		answer_later(session, call->token);
	} else if (is(call->method, "nothing") || is(call->method, "note")) {
		rpc_answer(session, call->token, first);
	} else {
		rpc_error(session, call->token, QN_JSONRPC_NO_METHOD, NULL);
	}
}

static bool dashboard(struct rpc_session *session, struct qn_text service, struct qn_json_writer *w)
{
	(void)session;
	if (service.len > 0 && !is(service, "echo"))
		return false;
	qn_json_put_literal(w, "{\"services\":[{\"name\":\"echo\"}]}");
	return true;
}

static void metrics(struct rpc_session *session, struct qn_json_writer *w)
{
	(void)session;
	qn_json_put_literal(w, "{\"requests\":");
	qn_json_put_uint(w, server.stats.requests);
	qn_json_put_literal(w, "}");
}

static const struct rpc_service service = { .call = call,
					    .cancel = cancel,
					    .dashboard = dashboard,
					    .metrics = metrics,
					    .send = send_unit,
					    .leave = leave };

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	(void)fresh;
	return rpc_received(served_of(conn)->session, bytes, len);
}

static void ended(struct net_conn *conn, const char *rest, size_t len)
{
	(void)rest;
	(void)len;
	if (rpc_ended(served_of(conn)->session))
		leave(served_of(conn)->session);
}

static void closed(struct net_conn *conn, int error)
{
	(void)error;
	leave(served_of(conn)->session);
}

static const struct net_handler handler = { .received = received,
					    .ended = ended,
					    .closed = closed };

static bool accepted(struct net_listener *listener, struct net_conn *conn)
{
	struct served *served = served_of(conn);

	(void)listener;
	served->session = pool_get(&sessions);
	if (served->session == NULL)
		return false;
	memset(served->session, 0, sizeof(*served->session));
	conn->handler = &handler;
	served->next = serving != NULL ? served_of(serving) : NULL;
	if (served->next != NULL)
		served->next->prev = served;
	serving = conn;
	rpc_session_begin(served->session, &server, conn, NULL, RPC_ALL);
	return true;
}

static void stop(int signal)
{
	(void)signal;
	loop.stopping = true;
}

int main(int argc, char **argv)
{
	struct net_socket_limits limits = { SESSIONS, 1, 64 << 20 };
	struct rpc_options options = rpc_default_options;
	struct net_addr at = { 0 };
	struct net_listener *listener;
	struct net *net;
	char where[24];

	if (argc < 3 || !net_ip_parse(argv[1], strlen(argv[1]), &at.ip)) {
		fprintf(stderr, "usage: %s IP PORT [TOKEN]\n", argv[0]);
		return 2;
	}
	at.port = (uint16_t)atoi(argv[2]);
	options.token = argc > 3 ? argv[3] : NULL;
	options.ping_ns = 5 * NS_PER_S;
	options.metrics_ns = 100 * NS_PER_MS;
	if (loop_init(&loop) < 0 || net_socket_new(&loop, &limits, &net) < 0 ||
	    pool_init(&sessions, sizeof(struct rpc_session), SESSIONS) < 0 ||
	    rpc_server_init(&server, &loop, &options, &service) < 0 ||
	    net_listen(net, at, &listener) < 0) {
		perror("rpc_echo");
		return 3;
	}
	listener->accepted = accepted;
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	printf("listening %s\n", net_addr_text(listener->local, where, sizeof(where)));
	fflush(stdout);
	loop_run(&loop, INT64_MAX);
	while (serving != NULL)
		leave(served_of(serving)->session);
	net_socket_free(net);
	rpc_server_release(&server);
	pool_release(&sessions);
	loop_release(&loop);
	return 0;
}

#include "emulator/master/jsonrpc_options.h"
#include "emulator/master/parts.h"

#include "emulator/base/units.h"
#include "emulator/rpc/rpc.h"
#include "proto/http/intake.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * JSON-RPC 2.0 (PROTOCOL.md "jsonrpc", "The master"). Targets register by target.register over a
 * WebSocket. One that says "dial": true stays and is commanded over that connection; others are
 * called at their address: a WebSocket where they take one, else POST of JSON-RPC.
 */

#define BODY_MAX 16384

/* Of a connection that asks. */
enum phase { IDLE, SHAKING_HANDS, AUTHENTICATING, ASKED, POSTED };
struct jsonrpc_talk {
	struct rpc_session session;
	enum phase phase;
	bool by_post; /* it takes no WebSocket */
	bool lost;    /* the session ended while it was read */
	enum master_heard heard;
	struct master_flaw flaw;
	uint64_t id;
	enum range_word word;
	uint8_t nonce[16];
	uint16_t params_len;
	char params[96];
};

static struct jsonrpc_talk *state_of(struct net_conn *conn)
{
	return talk_state(conn);
}

static const struct master_jsonrpc *options_of(struct net_conn *conn)
{
	return talk_of(conn)->listener->options.wire_options;
}

/* What a listener has. */
struct port {
	struct rpc_server server;
	struct jsonrpc_calls *calls; /* NULL: a connection a command */
	struct tls_context *context;
	struct net *tls; /* NULL: plain, or simulated */
};

static struct rpc_server *server_of(struct net_conn *conn)
{
	return &((struct port *)talk_of(conn)->listener->state)->server;
}

static struct qn_text text_of(const char *text)
{
	return (struct qn_text){ text, strlen(text) };
}

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

const char *jsonrpc_method(enum range_word word)
{
	switch (word) {
	case RANGE_PING: return "target.ping";
	case RANGE_STAND_UP: return "target.standUp";
	case RANGE_LAY_DOWN: return "target.layDown";
	default: assert(word == RANGE_ACTIVATE); return "target.activate";
	}
}

/* ---- answers ---- */

bool jsonrpc_fits(enum range_word word, struct qn_text result)
{
	static const char *const fitting[RANGE_WORDS][2] = {
		[RANGE_PING] = { "alive", "alive" },
		[RANGE_STAND_UP] = { "command_queued", "standing" },
		[RANGE_LAY_DOWN] = { "command_queued", "down" },
		[RANGE_ACTIVATE] = { "activation_queued", "activated" },
	};
	struct qn_text status;

	if (qn_jsonrpc_member(result, "status", &status) != QN_JSON_STRING)
		return true;
	status = qn_jsonrpc_unquoted(status);
	return is(status, fitting[word][0]) || is(status, fitting[word][1]);
}

/* NULL: it is as asked. */
static const struct master_flaw *judge(enum range_word word,
				       const struct qn_jsonrpc_message *message)
{
	static const struct master_flaw error = { "error", true };
	static const struct master_flaw wrong_type = { "wrong_type", true };

	if (message->kind == QN_JSONRPC_ERROR)
		return &error;
	return jsonrpc_fits(word, message->result) ? NULL : &wrong_type;
}

static void settle(struct jsonrpc_talk *state, const struct master_flaw *flaw)
{
	state->heard = flaw == NULL ? MASTER_HEARD_OK : MASTER_HEARD_BAD;
	if (flaw != NULL)
		state->flaw = *flaw;
}

static void send_request(struct net_conn *conn);

static void answered(struct rpc_session *session, const struct qn_jsonrpc_message *message)
{
	struct net_conn *conn = session->conn;
	struct jsonrpc_talk *state = state_of(conn);
	int64_t id = -1;

	if (message->id.len == 0 || !qn_json_int64(message->id, &id))
		return;
	if (talk_of(conn)->linked) {
		struct command *command = master_command_of_id(conn, (uint64_t)id);
		if (command != NULL)
			master_answered(conn, command,
					judge((enum range_word)command->type, message));
		return;
	}
	if (state->phase == AUTHENTICATING && id == 0) {
		static const struct master_flaw refused = { "not authenticated", true };
		if (message->kind == QN_JSONRPC_ERROR)
			settle(state, &refused);
		else
			send_request(conn);
	} else if (state->phase == ASKED && (uint64_t)id == state->id) {
		state->phase = IDLE;
		settle(state, judge(state->word, message));
	}
}

/* ---- registrations ---- */

static void refuse(struct rpc_session *session, const struct rpc_call *call, int64_t code,
		   const char *why)
{
	struct net_conn *conn = session->conn;

	master_reject(conn, why, strlen(why));
	if (call->token.len > 0 && !talk_of(conn)->gone)
		rpc_error(session, call->token, code, why);
}

static void register_target(struct rpc_session *session, const struct rpc_call *call)
{
	struct net_conn *conn = session->conn;
	char id[sizeof(((struct remote *)0)->id)];
	struct qn_text given = { "\"\"", 2 }, dial;
	const char *why;

	if (call->token.len == 0) {
		refuse(session, call, 0, "a registration that is a notification");
		return;
	}
	if (qn_jsonrpc_member(call->params, "client_id", &given) != QN_JSON_STRING)
		given = text_of("\"\"");
	given = qn_jsonrpc_unquoted(given);
	size_t len = qn_json_unescape(given, QN_JSON_STRICT, id, sizeof(id));
	struct remote *remote = master_enter(conn, id, len, &why);
	if (remote == NULL) {
		refuse(session, call, QN_JSONRPC_BAD_PARAMS, why);
		return;
	}
	if (qn_jsonrpc_member(call->params, "dial", &dial) == QN_JSON_TRUE)
		master_link(conn, remote);
	rpc_answer(session, call->token, text_of("{\"status\":\"registered\"}"));
}

static void hit(struct rpc_session *session, const struct rpc_call *call)
{
	struct qn_text id;
	char name[64];

	if (qn_jsonrpc_member(call->params, "target_id", &id) != QN_JSON_STRING)
		return;
	size_t len = qn_json_unescape(qn_jsonrpc_unquoted(id), QN_JSON_STRICT, name, sizeof(name));
	if (len < sizeof(name))
		master_hit(session->conn, name, len, 1);
}

static void call(struct rpc_session *session, const struct rpc_call *call)
{
	if (is(call->method, "target.register"))
		register_target(session, call);
	else if (is(call->method, "target.hit"))
		hit(session, call);
	else if (call->token.len > 0)
		refuse(session, call, QN_JSONRPC_NO_METHOD, "Method not found");
}

static bool dashboard(struct rpc_session *session, struct qn_text service, struct qn_json_writer *w)
{
	const struct master *master = talk_master(session->conn);

	if (service.len > 0 && !is(service, "master"))
		return false;
	qn_json_put_literal(w, "{\"service\":\"master\",\"known\":");
	qn_json_put_uint(w, master->known);
	qn_json_put_literal(w, "}");
	return true;
}

static void metrics(struct rpc_session *session, struct qn_json_writer *w)
{
	const struct master *master = talk_master(session->conn);

	qn_json_put_literal(w, "{\"sent\":");
	qn_json_put_uint(w, master->totals.sent);
	qn_json_put_literal(w, ",\"ok\":");
	qn_json_put_uint(w, master->totals.ok);
	qn_json_put_literal(w, ",\"failed\":");
	qn_json_put_uint(w, master->totals.failed);
	qn_json_put_literal(w, ",\"lost\":");
	qn_json_put_uint(w, master->totals.lost);
	qn_json_put_literal(w, "}");
}

/* ---- between a session and its connection ---- */

static void send_unit(struct rpc_session *session, const char *unit, size_t len)
{
	net_send(session->conn, unit, len);
}

static void leave(struct rpc_session *session)
{
	struct net_conn *conn = session->conn;

	if (!talk_of(conn)->asks) {
		talk_close(conn);
		return;
	}
	/* Whoever asked reads of it in heard() or at_rest(), and closes. */
	state_of(conn)->lost = true;
	rpc_session_end(session);
}

static void bad(struct rpc_session *session, const char *why)
{
	if (!talk_of(session->conn)->asks)
		master_reject(session->conn, why, strlen(why));
}

static const struct rpc_service service = { .call = call,
					    .answered = answered,
					    .dashboard = dashboard,
					    .metrics = metrics,
					    .send = send_unit,
					    .leave = leave,
					    .bad = bad };

/* Room for handshakes and records; address space until it is used. */
#define TLS_CONNECTIONS 16384

static void close_tls(struct master_listener *listener, struct port *port)
{
	if (port->tls != NULL)
		net_tls_free(port->tls);
	tls_context_free(port->context);
	listener->net = listener->master->net;
}

static int open_listener(struct master_listener *listener)
{
	const struct master_jsonrpc *own = listener->options.wire_options;
	struct rpc_options options = rpc_default_options;
	struct net_tls_options tls = { .connections = TLS_CONNECTIONS,
				       .listeners = 1,
				       .buffer_bytes = 64u << 20 };
	struct port *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return -ENOMEM;
	options.message_max = (size_t)own->message_max;
	options.deflate = own->deflate;
	options.ping_ns = own->ping_ns;
	options.ring = 1;
	int rc = rpc_server_init(&port->server, listener->master->loop, &options, &service);
	if (rc < 0)
		goto no_server;
	if (own->secure && !listener->master->loop->simulated)
		rc = tls_settings_open(&own->tls, listener->net, &tls, &port->context, &port->tls);
	if (rc < 0)
		goto no_tls;
	if (port->tls != NULL)
		listener->net = port->tls;
	if (listener->options.keep)
		rc = jsonrpc_calls_new(listener, &port->calls);
	if (rc < 0)
		goto no_calls;
	listener->state = port;
	return 0;
no_calls:
	close_tls(listener, port);
no_tls:
	rpc_server_release(&port->server);
no_server:
	free(port);
	return rc;
}

static void close_listener(struct master_listener *listener)
{
	struct port *port = listener->state;

	jsonrpc_calls_free(port->calls);
	close_tls(listener, port);
	rpc_server_release(&port->server);
	free(port);
}

static bool call_target(struct master_listener *listener, struct command *command,
			const struct master_request *request)
{
	struct port *port = listener->state;

	return port->calls != NULL && jsonrpc_calls_call(port->calls, command, request);
}

static void begin(struct net_conn *conn)
{
	/* The session has deadlines of its own, and guests may stay. */
	timer_cancel(&conn->net->loop->timers, &conn->timer);
	rpc_session_begin(&state_of(conn)->session, server_of(conn), conn, NULL, RPC_ALL);
}

/* RFC 6455, 7.1.2: who is left without a close frame takes it for a failure, and says so. */
static void farewell(struct net_conn *conn)
{
	struct rpc_session *session = &state_of(conn)->session;

	if (session->server != NULL && session->state == RPC_OPEN)
		rpc_close(session, QN_WS_NORMAL, "");
}

static void drop(struct net_conn *conn)
{
	rpc_session_end(&state_of(conn)->session);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	(void)fresh;
	master_alive(conn);
	return rpc_received(&state_of(conn)->session, bytes, len);
}

/* ---- commands ---- */

static struct qn_text id_text(uint64_t id, char *space, size_t cap)
{
	int len = snprintf(space, cap, "%llu", (unsigned long long)id);

	return (struct qn_text){ space, (size_t)len };
}

static struct qn_text params_of(const struct jsonrpc_talk *state)
{
	return (struct qn_text){ state->params, state->params_len };
}

static void send_request(struct net_conn *conn)
{
	struct jsonrpc_talk *state = state_of(conn);
	char space[24];

	state->phase = ASKED;
	rpc_ask(&state->session, jsonrpc_method(state->word), params_of(state),
		id_text(state->id, space, sizeof(space)));
}

static size_t write_upgrade(struct net_conn *conn, char *unit, size_t cap)
{
	struct jsonrpc_talk *state = state_of(conn);
	char host[24];
	struct qn_ws_request request = { .path = "/ws",
					 .host = net_addr_text(conn->peer, host, sizeof(host)),
					 .deflate = options_of(conn)->deflate };

	rpc_random(server_of(conn), state->nonce, sizeof(state->nonce));
	memcpy(request.nonce, state->nonce, sizeof(request.nonce));
	state->phase = SHAKING_HANDS;
	return qn_ws_write_request(&request, unit, cap);
}

static size_t write_post(struct net_conn *conn, char *unit, size_t cap)
{
	struct jsonrpc_talk *state = state_of(conn);
	const char *token = options_of(conn)->token;
	char host[24], body[512], space[24];
	struct qn_json_writer w;

	qn_json_writer_init(&w, body, sizeof(body));
	qn_jsonrpc_put_request(&w, jsonrpc_method(state->word), params_of(state),
			       id_text(state->id, space, sizeof(space)));
	state->phase = POSTED;
	int len = snprintf(unit, cap,
			   "POST /rpc HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
			   "%s%s%sContent-Length: %zu\r\n\r\n%.*s",
			   net_addr_text(conn->peer, host, sizeof(host)),
			   token[0] != '\0' ? "Authorization: Bearer " : "", token,
			   token[0] != '\0' ? "\r\n" : "", qn_json_written(&w),
			   (int)qn_json_written(&w), body);
	return (size_t)len < cap ? (size_t)len : 0;
}

static size_t ask(struct net_conn *conn, const struct master_request *request, char *unit,
		  size_t cap)
{
	struct jsonrpc_talk *state = state_of(conn);
	char space[24];

	state->word = request->word;
	state->id = request->id;
	state->params_len = 0;
	state->heard = MASTER_HEARD_MORE;
	if (request->word == RANGE_ACTIVATE && request->duration.len > 0)
		state->params_len = (uint16_t)snprintf(
			state->params, sizeof(state->params), "{\"duration\":%.*s}",
			(int)request->duration.len, request->duration.at);
	if (state->by_post)
		return write_post(conn, unit, cap);
	if (state->session.server == NULL)
		return write_upgrade(conn, unit, cap);
	state->phase = ASKED;
	return rpc_write_ask(&state->session, jsonrpc_method(state->word), params_of(state),
			     id_text(state->id, space, sizeof(space)), unit, cap);
}

static enum master_heard flawed(struct master_flaw *ret, const char *why)
{
	*ret = (struct master_flaw){ why, false };
	return MASTER_HEARD_BAD;
}

/* 101: on to the WebSocket. Anything else: how it goes on without one. */
static enum master_heard shake_hands(struct net_conn *conn, const char *bytes, size_t len,
				     size_t *ret_taken, struct master_flaw *ret_flaw)
{
	struct jsonrpc_talk *state = state_of(conn);
	const struct master_jsonrpc *own = options_of(conn);
	struct qn_ws_request request = { .deflate = own->deflate };
	struct qn_ws_head head = { 0 };
	struct qn_http_answered answer;
	char room[BODY_MAX], unit[2048], params[300];
	unsigned status;

	size_t taken = qn_http_answer_head(bytes, len, &status, &head);
	if (taken == 0)
		return len < QN_HTTP_HEAD_MAX ? MASTER_HEARD_MORE
					      : flawed(ret_flaw, "not_a_message");
	if (status == 101) {
		memcpy(request.nonce, state->nonce, sizeof(request.nonce));
		struct qn_ws_agreed agreed = qn_ws_accepted(&request, status, &head);
		*ret_taken = taken;
		if (agreed.status != 101)
			return flawed(ret_flaw, agreed.why);
		rpc_session_dialled(&state->session, server_of(conn), conn, NULL, RPC_ALL,
				    agreed.deflate);
		if (own->token[0] == '\0') {
			send_request(conn);
			return MASTER_HEARD_MORE;
		}
		struct qn_json_writer w;
		qn_json_writer_init(&w, params, sizeof(params));
		qn_json_put_literal(&w, "{\"token\":");
		qn_json_put_string(&w, own->token, strlen(own->token), false);
		qn_json_put_literal(&w, ",\"clientInfo\":{\"name\":\"quintain-emu\"}}");
		state->phase = AUTHENTICATING;
		rpc_ask(&state->session, "auth.authenticate",
			(struct qn_text){ params, qn_json_written(&w) }, text_of("0"));
		return MASTER_HEARD_MORE;
	}
	enum qn_code code = qn_http_answer_whole(bytes, len, false, sizeof(room), room, &answer,
						 ret_taken);
	if (code == QN_MORE)
		return MASTER_HEARD_MORE;
	if (code != QN_OK || !own->fallback || !answer.keep_alive)
		return flawed(ret_flaw, "no WebSocket to be had");
	state->by_post = true;
	net_send(conn, unit, write_post(conn, unit, sizeof(unit)));
	return MASTER_HEARD_MORE;
}

static enum master_heard read_post(struct net_conn *conn, const char *bytes, size_t len,
				   bool closed, size_t *ret_taken, struct master_flaw *ret_flaw)
{
	struct jsonrpc_talk *state = state_of(conn);
	struct qn_http_answered answer;
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message message;
	char room[BODY_MAX];
	int64_t id;

	enum qn_code code = qn_http_answer_whole(bytes, len, closed, sizeof(room), room, &answer,
						 ret_taken);
	if (code == QN_MORE)
		return MASTER_HEARD_MORE;
	if (code != QN_OK ||
	    qn_jsonrpc_open(&reader, answer.body.at, answer.body.len, 1) != QN_JSONRPC_SINGLE ||
	    !qn_jsonrpc_next(&reader, &message) ||
	    (message.kind != QN_JSONRPC_RESULT && message.kind != QN_JSONRPC_ERROR) ||
	    !qn_json_int64(message.id, &id) || (uint64_t)id != state->id)
		return flawed(ret_flaw, "not_a_message");
	const struct master_flaw *flaw = judge(state->word, &message);
	if (flaw != NULL) {
		*ret_flaw = *flaw;
		return MASTER_HEARD_BAD;
	}
	return answer.keep_alive ? MASTER_HEARD_OK : MASTER_HEARD_LAST;
}

static enum master_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, struct master_flaw *ret_flaw)
{
	struct jsonrpc_talk *state = state_of(conn);
	size_t done = 0;

	(void)fresh;
	*ret_taken = 0;
	if (state->phase == POSTED)
		return read_post(conn, bytes, len, false, ret_taken, ret_flaw);
	if (state->phase == SHAKING_HANDS) {
		enum master_heard how = shake_hands(conn, bytes, len, &done, ret_flaw);
		*ret_taken = done;
		if (how != MASTER_HEARD_MORE || state->phase == SHAKING_HANDS ||
		    state->phase == POSTED)
			return how;
	}
	if (done < len)
		done += rpc_received(&state->session, bytes + done, len - done);
	*ret_taken = done;
	if (state->heard != MASTER_HEARD_MORE) {
		*ret_flaw = state->flaw;
		return state->heard == MASTER_HEARD_OK && state->lost ? MASTER_HEARD_LAST
								      : state->heard;
	}
	return state->lost ? flawed(ret_flaw, "closed without an answer") : MASTER_HEARD_MORE;
}

static bool at_rest(struct net_conn *conn, const char *bytes, size_t len, size_t *ret_taken)
{
	struct jsonrpc_talk *state = state_of(conn);

	*ret_taken = len;
	if (state->session.server != NULL)
		*ret_taken = rpc_received(&state->session, bytes, len);
	return !state->lost;
}

static enum master_heard heard_end(struct net_conn *conn, const char *rest, size_t len,
				   struct master_flaw *ret_flaw)
{
	size_t taken;

	if (state_of(conn)->phase == POSTED)
		return read_post(conn, rest, len, true, &taken, ret_flaw);
	return MASTER_HEARD_MORE;
}

static struct qn_text describe(const char *unit, size_t len, char *space, size_t cap)
{
	const unsigned char *at = (const unsigned char *)unit;
	size_t head = len > 8 && (at[1] & 0x7f) == 126 ? 8 : 6;

	/* Ours are masked, unless the target dialled; deflated ones are too long for a command. */
	if (len < 8 || at[0] != 0x81)
		return (struct qn_text){ unit, len };
	if (!(at[1] & 0x80))
		return (struct qn_text){ unit + head - 4, len - head + 4 };
	size_t n = len - head < cap ? len - head : cap;
	for (size_t i = 0; i < n; i++)
		space[i] = (char)(at[head + i] ^ at[head - 4 + i % 4]);
	return (struct qn_text){ space, n };
}

const struct master_wire master_wire_jsonrpc = {
	.id = WIRE_JSONRPC,
	.conn_bytes = sizeof(struct jsonrpc_talk),
	.open = open_listener,
	.close = close_listener,
	.accepted = { .received = received, .closed = talk_closed },
	.begin = begin,
	.farewell = farewell,
	.drop = drop,
	.guests = true,
	.call = call_target,
	.ask = ask,
	.heard = heard,
	.heard_end = heard_end,
	.at_rest = at_rest,
	.describe = describe,
};

#include "emulator/rpc/parts.h"

#include <stdio.h>

/* HTTP: the upgrade, POST of JSON-RPC, REST, and the streams' beginnings. */

/* "/api/v1/west/dashboard": what stands between prefix and suffix. False: it is another path. */
static bool between(struct qn_text path, const char *prefix, const char *suffix,
		    struct qn_text *ret)
{
	size_t before = strlen(prefix), after = strlen(suffix);

	if (path.len <= before + after || memcmp(path.at, prefix, before) != 0 ||
	    memcmp(path.at + path.len - after, suffix, after) != 0)
		return false;
	*ret = (struct qn_text){ path.at + before, path.len - before - after };
	return memchr(ret->at, '/', ret->len) == NULL;
}

static void reply_error(struct rpc_session *session, unsigned status, const char *more)
{
	char text[128];
	struct qn_http_page reply = { .status = status, .type = "application/json", .more = more };

	int len = snprintf(text, sizeof(text), "{\"error\":{\"code\":%u,\"message\":\"%s\"}}",
			   status, qn_http_status_text(status));
	reply.body = (struct qn_text){ text, (size_t)len };
	rpc_reply(session, &reply);
}

/* The answer is out: the next request, or the end. */
void rpc_http_done(struct rpc_session *session)
{
	struct rpc_server *server = session->server;

	session->http_waits = false;
	session->continued = false;
	if (session->state != RPC_HTTP)
		return;
	if (!session->keep_alive) {
		/* Closing now could cut off what the kernel has not taken yet: the peer has the
		 * length, and closes. */
		session->state = RPC_LINGERING;
		loop_timer(server->loop, &session->timer, server->options.close_ns);
		return;
	}
	loop_timer(server->loop, &session->timer,
		   server->options.ping_ns > 0 ? server->options.ping_ns
					       : server->options.handshake_ns);
}

static void upgrade(struct rpc_session *session, const struct qn_http_intake *in)
{
	struct rpc_server *server = session->server;
	struct qn_ws_agreed agreed = qn_ws_accept(&in->ws, server->options.deflate, "jsonrpc");

	if (agreed.status != 101) {
		session->keep_alive = false;
		reply_error(session, agreed.status,
			    agreed.status == 426 ? "Sec-WebSocket-Version: 13\r\n" : NULL);
		return;
	}
	size_t len = qn_ws_write_accept(&in->ws, &agreed, server->unit, server->room);
	server->stats.upgrades++;
	session->http_waits = false;
	session->state = RPC_OPEN;
	session->streams = RPC_EVENTS;
	qn_ws_init(&session->ws, QN_WS_SERVER, agreed.deflate);
	timer_cancel(&server->loop->timers, &session->timer);
	if (server->options.ping_ns > 0)
		loop_timer(server->loop, &session->timer, server->options.ping_ns);
	rpc_out(session, server->unit, len);
	if (!rpc_gone(server, session) && server->service->opened != NULL)
		server->service->opened(session);
}

/* FNV-1a: two states of a dashboard are told apart, nothing is proven. */
static void etag_of(struct qn_text body, char out[17])
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < body.len; i++)
		hash = (hash ^ (unsigned char)body.at[i]) * 0x100000001b3;
	snprintf(out, 17, "%016llx", (unsigned long long)hash);
}

static bool matches(struct qn_text if_none_match, const char *etag)
{
	return rpc_is(if_none_match, "*") ||
	       (if_none_match.len >= 18 &&
		memmem(if_none_match.at, if_none_match.len, etag, 16) != NULL);
}

static void dashboard(struct rpc_session *session, const struct qn_http_intake *in,
		      struct qn_text service)
{
	struct rpc_server *server = session->server;
	struct qn_json_writer w;
	char etag[17];

	qn_json_writer_init(&w, server->text, server->room);
	if (!server->service->dashboard(session, service, &w)) {
		reply_error(session, 404, NULL);
		return;
	}
	struct qn_http_page reply = { .status = 200,
				      .type = "application/json",
				      .etag = etag,
				      .body = { server->text, qn_json_written(&w) } };
	etag_of(reply.body, etag);
	if (matches(in->if_none_match, etag)) {
		reply.status = 304;
		reply.type = NULL;
		reply.body = rpc_nothing;
	}
	rpc_reply(session, &reply);
}

static void metrics(struct rpc_session *session)
{
	struct rpc_server *server = session->server;
	struct qn_json_writer w;

	qn_json_writer_init(&w, server->text, server->room);
	server->service->metrics(session, &w);
	struct qn_http_page reply = { .status = 200,
				      .type = "application/json",
				      .body = { server->text, qn_json_written(&w) } };
	rpc_reply(session, &reply);
}

/* {"method": "target.standUp", "params": ...}; "action" is another word for it. */
static void action(struct rpc_session *session, const struct qn_http_intake *in,
		   struct qn_text service)
{
	struct rpc_server *server = session->server;
	struct qn_json_writer w;
	struct qn_text method, params;

	qn_json_writer_init(&w, server->text, server->room);
	if (!server->service->dashboard(session, service, &w)) {
		reply_error(session, 404, NULL);
		return;
	}
	if (qn_json_check(in->body.at, in->body.len, QN_JSON_STRICT, 0, NULL) != QN_OK ||
	    (qn_jsonrpc_member(in->body, "method", &method) != QN_JSON_STRING &&
	     qn_jsonrpc_member(in->body, "action", &method) != QN_JSON_STRING)) {
		reply_error(session, 400, NULL);
		return;
	}
	enum qn_json_token kind = qn_jsonrpc_member(in->body, "params", &params);
	if (kind == QN_JSON_END)
		params = rpc_nothing;
	else if (kind != QN_JSON_OBJECT && kind != QN_JSON_ARRAY) {
		reply_error(session, 400, NULL);
		return;
	}
	rpc_action(session, qn_jsonrpc_unquoted(method), params, in->body);
}

static bool streams(struct rpc_session *session, const struct qn_http_intake *in)
{
	struct rpc_server *server = session->server;
	struct qn_text service, last = in->last_event_id, query = in->query;
	unsigned which = 0;
	struct qn_json_writer w;

	if (rpc_is(in->path, "/events") || rpc_is(in->path, "/api/v1/stream/events") ||
	    rpc_is(in->path, "/api/v1/stream/deployments"))
		which = RPC_EVENTS;
	else if (rpc_is(in->path, "/api/v1/stream/metrics"))
		which = RPC_METRICS;
	else if (between(in->path, "/api/v1/stream/logs/", "", &service)) {
		qn_json_writer_init(&w, server->text, server->room);
		if (server->service->dashboard(session, service, &w))
			which = RPC_LOGS;
	}
	if (which == 0)
		return false;
	/* Those who cannot set a header on a stream that begins anew. */
	if (last.len == 0 && query.len > 12 && memcmp(query.at, "lastEventId=", 12) == 0)
		last = (struct qn_text){ query.at + 12, query.len - 12 };
	rpc_stream_begin(session, which, last);
	return true;
}

static void get(struct rpc_session *session, const struct qn_http_intake *in)
{
	struct qn_text service;

	if (rpc_is(in->path, "/api/v1/multi/dashboard"))
		dashboard(session, in, rpc_nothing);
	else if (between(in->path, "/api/v1/", "/dashboard", &service))
		dashboard(session, in, service);
	else if (rpc_is(in->path, "/api/v1/metrics"))
		metrics(session);
	else if (in->head_only || !streams(session, in))
		reply_error(session, 404, NULL);
}

static void post(struct rpc_session *session, const struct qn_http_intake *in)
{
	struct qn_text service;

	if (rpc_is(in->path, "/rpc") || rpc_is(in->path, "/") || rpc_is(in->path, "/api/v1/rpc"))
		rpc_message(session, in->body, TAG_POST);
	else if (between(in->path, "/api/v1/", "/action", &service))
		action(session, in, service);
	else
		reply_error(session, 404, NULL);
}

static void route(struct rpc_session *session, const struct qn_http_intake *in)
{
	struct rpc_server *server = session->server;
	bool reads = rpc_is(in->method, "GET") || in->head_only;

	server->stats.http_requests++;
	session->http_waits = true;
	session->keep_alive = in->keep_alive;
	session->accepts = (uint8_t)in->accepts;
	session->head_only = in->head_only;
	if (server->options.token != NULL)
		session->authorized = rpc_auth_bearer(server, in->authorization);
	/* A WebSocket may authenticate later, by its first message. */
	if (qn_ws_head_asks(&in->ws) && rpc_is(in->method, "GET")) {
		if (rpc_is(in->path, "/ws") || rpc_is(in->path, "/") ||
		    rpc_is(in->path, "/api/v1/ws"))
			upgrade(session, in);
		else
			reply_error(session, 404, NULL);
		return;
	}
	if (reads && !rpc_auth_ok(session)) {
		server->stats.unauthorized++;
		reply_error(session, 401, "WWW-Authenticate: Bearer\r\n");
	} else if (reads && !rpc_allowed(session)) {
		server->stats.limited++;
		reply_error(session, 429, "Retry-After: 1\r\n");
	} else if (reads) {
		get(session, in);
	} else if (rpc_is(in->method, "POST")) {
		post(session, in);
	} else {
		reply_error(session, 405, "Allow: GET, HEAD, POST\r\n");
	}
}

size_t rpc_http(struct rpc_session *session, const char *bytes, size_t len)
{
	struct rpc_server *server = session->server;
	struct qn_http_intake in;
	size_t taken = 0;

	enum qn_code code = qn_http_intake_read(bytes, len, RPC_BODY_MAX, server->message, &in,
						&taken);
	if (code == QN_MORE) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		if (in.expects && !session->continued) {
			session->continued = true;
			rpc_out(session, go_on, sizeof(go_on) - 1);
		}
		return 0;
	}
	if (code == QN_OK) {
		route(session, &in);
		return taken;
	}
	session->keep_alive = false;
	session->accepts = 0;
	session->head_only = false;
	if (server->service->bad != NULL)
		server->service->bad(session, "no request");
	if (!rpc_gone(server, session))
		reply_error(session, in.status, NULL);
	return len;
}

#include "emulator/rpc/parts.h"

#include "proto/jsonrpc/transcode.h"

#include <sys/random.h>
#include <zlib.h>

/* From an answer to the unit that carries it. */

static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

void rpc_random(struct rpc_server *server, void *out, size_t len)
{
	unsigned char *at = out;

	if (!server->loop->simulated && getrandom(out, len, 0) == (ssize_t)len)
		return;
	for (size_t i = 0; i < len; i++)
		at[i] = (unsigned char)mixed(++server->draws * 0x9e3779b97f4a7c15);
}

/* RFC 6455, 10.3: from a strong source, so that no page can choose what stands on the wire. */
uint32_t rpc_mask(struct rpc_server *server)
{
	static _Thread_local uint32_t masks[256];
	static _Thread_local unsigned left;

	if (server->loop->simulated) {
		uint32_t mask;
		rpc_random(server, &mask, sizeof(mask));
		return mask;
	}
	if (left == 0) {
		rpc_random(server, masks, sizeof(masks));
		left = sizeof(masks) / sizeof(*masks);
	}
	return masks[--left];
}

static enum qn_ws_role role_of(const struct rpc_session *session)
{
	return session->client ? QN_WS_CLIENT : QN_WS_SERVER;
}

size_t rpc_write_frame(struct rpc_session *session, struct qn_text text, char *unit, size_t cap)
{
	struct rpc_server *server = session->server;
	struct qn_ws_out out = { .opcode = WSLAY_TEXT_FRAME, .payload = text };

	if (session->client)
		out.mask = rpc_mask(server);
	if (session->ws.deflate && text.len >= server->options.deflate_min) {
		size_t len = qn_ws_deflate(&server->ws, text, server->packed, server->room);
		if (len > 0) {
			out.compressed = true;
			out.payload = (struct qn_text){ server->packed, len };
		}
	}
	return qn_ws_write(&server->ws, role_of(session), &out, unit, cap);
}

size_t rpc_write_binary(struct rpc_session *session, struct qn_text text, char *unit, size_t cap)
{
	struct rpc_server *server = session->server;
	size_t len = qn_json_to_msgpack(text, server->packed, server->room);
	struct qn_ws_out out = { .opcode = WSLAY_BINARY_FRAME, .payload = { server->packed, len } };

	if (session->client)
		out.mask = rpc_mask(server);
	return len > 0 ? qn_ws_write(&server->ws, role_of(session), &out, unit, cap) : 0;
}

/* ---- HTTP ---- */

static size_t gzipped(struct rpc_server *server, struct qn_text text)
{
	z_stream *z = server->gzip;

	deflateReset(z);
	z->next_in = (Bytef *)(uintptr_t)text.at;
	z->avail_in = (uInt)text.len;
	z->next_out = (Bytef *)server->packed;
	z->avail_out = (uInt)server->room;
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return 0;
	size_t len = server->room - z->avail_out;
	return len < text.len ? len : 0;
}

/* Fills in what the request asked for: gzip, HEAD, keep-alive. */
static size_t write_reply(struct rpc_session *session, struct qn_http_page *reply, char *unit,
			  size_t cap)
{
	struct rpc_server *server = session->server;

	if ((session->accepts & QN_HTTP_GZIP) && reply->body.len >= server->options.deflate_min &&
	    reply->body.at != server->packed) {
		size_t len = gzipped(server, reply->body);
		if (len > 0) {
			reply->gzip = true;
			reply->body = (struct qn_text){ server->packed, len };
		}
	}
	reply->keep_alive = session->keep_alive;
	reply->head_only = session->head_only;
	return qn_http_page_write(reply, unit, cap);
}

void rpc_reply(struct rpc_session *session, struct qn_http_page *reply)
{
	struct rpc_server *server = session->server;
	size_t len = write_reply(session, reply, server->unit, server->room);

	session->answer_tag = TAG_POST;
	rpc_send_answer(session, server->unit, len);
}

static size_t write_json_reply(struct rpc_session *session, unsigned status, struct qn_text text,
			       char *unit, size_t cap)
{
	struct rpc_server *server = session->server;
	struct qn_http_page reply = { .status = status, .type = "application/json", .body = text };

	if (session->accepts & QN_HTTP_MSGPACK) {
		size_t len = qn_json_to_msgpack(text, server->packed, server->room);
		reply.type = "application/msgpack";
		reply.body = (struct qn_text){ server->packed, len };
	}
	return write_reply(session, &reply, unit, cap);
}

/* ---- by tag ---- */

size_t rpc_write_whole(struct rpc_session *session, char tag, struct qn_text text, char *unit,
		       size_t cap)
{
	switch (tag) {
	case TAG_BINARY: return rpc_write_binary(session, text, unit, cap);
	case TAG_POST: return write_json_reply(session, 200, text, unit, cap);
	case TAG_MEMBER:
		if (text.len > cap)
			return 0;
		memcpy(unit, text.at, text.len);
		return text.len;
	default: return rpc_write_frame(session, text, unit, cap);
	}
}

/* {"index":N,"result":...} or "error": a part of batch.execute. */
static void put_operation(struct qn_json_writer *w, struct qn_text index, const char *name)
{
	qn_json_put_literal(w, "{\"index\":");
	qn_json_put(w, index.at, index.len);
	qn_json_put_literal(w, ",\"");
	qn_json_put(w, name, strlen(name));
	qn_json_put_literal(w, "\":");
}

static size_t count_elements(struct qn_text array)
{
	struct qn_json_reader json;
	struct qn_text element;
	size_t count = 0;

	if (array.len == 0 || *array.at != '[')
		return 1;
	qn_json_open(&json, array.at, array.len, QN_JSON_STRICT, 0);
	qn_json_next(&json);
	for (;;) {
		enum qn_json_token token = qn_json_value(&json, &element);
		if (token == QN_JSON_ARRAY_END || token == QN_JSON_ERROR)
			return count;
		count++;
	}
}

/* The data go in a frame of their own; the answer says what they are. */
static size_t write_data(struct rpc_session *session, struct qn_text id, struct qn_text result,
			 char *unit, size_t cap)
{
	struct qn_json_writer w;
	char control[RPC_ID_MAX + 256];

	qn_json_writer_init(&w, control, sizeof(control));
	qn_jsonrpc_begin_result(&w);
	qn_json_put_literal(&w, "{\"totalEntries\":");
	qn_json_put_uint(&w, count_elements(result));
	qn_json_put_literal(&w, ",\"dataType\":");
	const char *type = result.len > 0 && *result.at == '[' ? "\"array\"" : "\"object\"";
	qn_json_put(&w, type, strlen(type));
	qn_json_put_literal(&w, ",\"compressed\":false}");
	qn_jsonrpc_end_result(&w, id);
	size_t head = rpc_write_frame(session, (struct qn_text){ control, qn_json_written(&w) },
				      unit, cap);
	if (head == 0)
		return 0;
	size_t body = rpc_write_binary(session, result, unit + head, cap - head);
	return body > 0 ? head + body : 0;
}

size_t rpc_write_answer(struct rpc_session *session, struct qn_text token, struct qn_text result,
			char *unit, size_t cap)
{
	struct rpc_server *server = session->server;
	struct qn_text id = { token.at + 1, token.len - 1 };
	struct qn_json_writer w;

	session->answer_tag = *token.at;
	if (*token.at == TAG_DATA)
		return write_data(session, id, result, unit, cap);
	if (*token.at == TAG_ACTION)
		return write_json_reply(session, 200, result, unit, cap);
	qn_json_writer_init(&w, server->text, server->room);
	if (*token.at == TAG_EXECUTE) {
		put_operation(&w, id, "result");
		qn_json_put(&w, result.at, result.len);
		qn_json_put_literal(&w, "}");
	} else {
		qn_jsonrpc_begin_result(&w);
		qn_json_put(&w, result.at, result.len);
		qn_jsonrpc_end_result(&w, id);
	}
	char tag = *token.at == TAG_EXECUTE ? TAG_MEMBER : *token.at;
	return w.full ? 0
		      : rpc_write_whole(session, tag,
					(struct qn_text){ server->text, qn_json_written(&w) }, unit,
					cap);
}

static unsigned status_of(int64_t code)
{
	switch (code) {
	case QN_JSONRPC_NO_METHOD: return 404;
	case QN_JSONRPC_PARSE:
	case QN_JSONRPC_INVALID_REQUEST:
	case QN_JSONRPC_BAD_PARAMS: return 400;
	case QN_JSONRPC_UNAUTHORIZED: return 401;
	case QN_JSONRPC_RATE_LIMITED: return 429;
	case QN_JSONRPC_QUEUE_FULL:
	case QN_JSONRPC_NO_ROOM: return 503;
	default: return 500;
	}
}

size_t rpc_write_error(struct rpc_session *session, struct qn_text token, int64_t code,
		       const char *message, char *unit, size_t cap)
{
	struct qn_text id = { token.at + 1, token.len - 1 };
	char text[RPC_ID_MAX + 512];
	struct qn_json_writer w;

	session->answer_tag = *token.at;
	qn_json_writer_init(&w, text, sizeof(text));
	if (*token.at == TAG_EXECUTE) {
		put_operation(&w, id, "error");
		qn_jsonrpc_put_error_object(&w, code, message, rpc_nothing);
		qn_json_put_literal(&w, "}");
	} else if (*token.at == TAG_ACTION) {
		qn_json_put_literal(&w, "{\"error\":");
		qn_jsonrpc_put_error_object(&w, code, message, rpc_nothing);
		qn_json_put_literal(&w, "}");
	} else {
		qn_jsonrpc_put_error(&w, id, code, message, rpc_nothing);
	}
	struct qn_text whole = { text, qn_json_written(&w) };
	if (w.full)
		return 0;
	if (*token.at == TAG_ACTION)
		return write_json_reply(session, status_of(code), whole, unit, cap);
	/* Of data there are none. */
	char tag = *token.at == TAG_EXECUTE ? TAG_MEMBER : *token.at;
	return rpc_write_whole(session, tag, whole, unit, cap);
}

void rpc_uncork(struct rpc_session *session)
{
	struct rpc_server *server = session->server;
	size_t len = server->cork_len;

	server->cork_len = 0;
	if (len > 0)
		server->service->send(session, server->cork, len);
}

void rpc_out(struct rpc_session *session, const char *unit, size_t len)
{
	struct rpc_server *server = session->server;

	if (server->reading == session && server->cork_len > 0) {
		rpc_uncork(session);
		if (rpc_gone(server, session))
			return;
	}
	server->service->send(session, unit, len);
}

/* Only what answers the bytes that are being read: nothing else would see to its leaving. */
static bool cork(struct rpc_session *session, const char *unit, size_t len)
{
	struct rpc_server *server = session->server;

	if (server->reading != session || session->uncorked || session->state != RPC_OPEN ||
	    len > RPC_CORK)
		return false;
	if (len > RPC_CORK - server->cork_len)
		rpc_uncork(session);
	if (rpc_gone(server, session))
		return true;
	memcpy(server->cork + server->cork_len, unit, len);
	server->cork_len += len;
	return true;
}

bool rpc_take_answer(struct rpc_session *session, const char *unit, size_t len)
{
	char tag = session->answer_tag;

	session->server->stats.answers++;
	if (tag != TAG_MEMBER && tag != TAG_EXECUTE)
		return len > 0 && cork(session, unit, len);
	rpc_collect(session, (struct qn_text){ unit, len });
	return true;
}

void rpc_answer_sent(struct rpc_session *session)
{
	struct net_conn *conn = session->conn;

	if (session->answer_tag != TAG_POST && session->answer_tag != TAG_ACTION)
		return;
	rpc_http_done(session);
	/* Late: what lies behind the request is read now. */
	if (session->server->current != session)
		net_poke(conn);
}

void rpc_send_answer(struct rpc_session *session, const char *unit, size_t len)
{
	struct rpc_server *server = session->server;
	struct rpc_session *before = server->current;

	if (rpc_take_answer(session, unit, len))
		return;
	server->current = session;
	rpc_out(session, unit, len);
	bool gone = rpc_gone(server, session);
	server->current = before;
	if (!gone)
		rpc_answer_sent(session);
}

void rpc_answer(struct rpc_session *session, struct qn_text token, struct qn_text result)
{
	struct rpc_server *server = session->server;
	size_t len = rpc_write_answer(session, token, result, server->unit, server->room);

	if (len == 0) {
		server->stats.no_room++;
		rpc_error(session, token, QN_JSONRPC_NO_ROOM, "The answer is too long");
		return;
	}
	rpc_send_answer(session, server->unit, len);
}

void rpc_error(struct rpc_session *session, struct qn_text token, int64_t code, const char *message)
{
	struct rpc_server *server = session->server;
	size_t len = rpc_write_error(session, token, code, message, server->unit, server->room);

	server->stats.errors++;
	rpc_send_answer(session, server->unit, len);
}

size_t rpc_write_ask(struct rpc_session *session, const char *method, struct qn_text params,
		     struct qn_text id, char *unit, size_t cap)
{
	struct rpc_server *server = session->server;
	struct qn_json_writer w;

	qn_json_writer_init(&w, server->text, server->room);
	if (id.len > 0)
		qn_jsonrpc_put_request(&w, method, params, id);
	else
		qn_jsonrpc_put_notification(&w, method, params);
	return rpc_write_frame(session, (struct qn_text){ server->text, qn_json_written(&w) }, unit,
			       cap);
}

void rpc_ask(struct rpc_session *session, const char *method, struct qn_text params,
	     struct qn_text id)
{
	struct rpc_server *server = session->server;

	if (session->state != RPC_OPEN)
		return;
	size_t len = rpc_write_ask(session, method, params, id, server->unit, server->room);
	rpc_out(session, server->unit, len);
}

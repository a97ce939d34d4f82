#include "emulator/rpc/parts.h"

#include "proto/jsonrpc/transcode.h"

#include <stdio.h>

/* From a message to calls, and from the answers of a batch to one. */

static struct qn_text make_token(struct rpc_server *server, char tag, struct qn_text id)
{
	server->token[0] = tag;
	if (id.len > 0)
		memcpy(server->token + 1, id.at, id.len);
	return (struct qn_text){ server->token, id.len + 1 };
}

/* ---- batches ---- */

static struct rpc_batch *begin_batch(struct rpc_session *session, char via)
{
	struct rpc_server *server = session->server;
	struct rpc_batch *batch = pool_get(&server->batches);

	if (batch == NULL) {
		server->stats.no_room++;
		return NULL;
	}
	*batch = (struct rpc_batch){ .via = via, .dispatching = true };
	server->stats.batches++;
	session->batch = batch;
	return batch;
}

static void send_batch(struct rpc_session *session, struct rpc_batch *batch)
{
	struct rpc_server *server = session->server;

	session->batch = NULL;
	if (batch->execute) {
		struct qn_text token = { batch->outer, batch->outer_len };
		struct qn_text result = { batch->text, batch->len };
		memcpy(batch->text + batch->len, "]", 1);
		result.len++;
		if (batch->count == 0)
			result = rpc_text("[]");
		rpc_answer(session, token, result);
	} else if (batch->count > 0) {
		memcpy(batch->text + batch->len, "]", 1);
		session->answer_tag = batch->via;
		size_t len = rpc_write_whole(session, batch->via,
					     (struct qn_text){ batch->text, batch->len + 1 },
					     server->unit, server->room);
		rpc_send_answer(session, server->unit, len);
	} else if (batch->via == TAG_POST) {
		struct qn_http_page reply = { .status = 204 };
		rpc_reply(session, &reply);
	}
	pool_put(&server->batches, batch);
}

static void end_if_complete(struct rpc_session *session)
{
	struct rpc_batch *batch = session->batch;
	struct net_conn *conn = session->conn;
	struct rpc_server *server = session->server;

	if (batch == NULL || batch->dispatching || batch->waiting > 0)
		return;
	/* Answers that came late find nobody reading: what lies there is read now. */
	bool late = server->current != session;
	struct rpc_session *before = server->current;
	server->current = session;
	send_batch(session, batch);
	bool gone = rpc_gone(server, session);
	server->current = before;
	if (late && !gone)
		net_poke(conn);
}

void rpc_collect(struct rpc_session *session, struct qn_text member)
{
	struct rpc_server *server = session->server;
	struct rpc_batch *batch = session->batch;

	if (batch == NULL)
		return;
	/* Room for the comma and the end. What does not fit leaves a hole that is counted. */
	if (member.len == 0) {
		/* A fault has swallowed it. */
	} else if (member.len + 2 > server->options.message_max - batch->len) {
		server->stats.no_room++;
	} else {
		batch->text[batch->len++] = batch->count++ == 0 ? '[' : ',';
		memcpy(batch->text + batch->len, member.at, member.len);
		batch->len += member.len;
	}
	if (batch->waiting > 0)
		batch->waiting--;
	end_if_complete(session);
}

/* ---- calls ---- */

static bool wants_msgpack(const struct qn_jsonrpc_message *message)
{
	struct qn_text format;

	return message->msgpack ||
	       (qn_jsonrpc_member(message->params, "format", &format) == QN_JSON_STRING &&
		rpc_is(format, "\"msgpack\""));
}

static void cancel(struct rpc_session *session, const struct qn_jsonrpc_message *message)
{
	static const char tags[] = { TAG_TEXT, TAG_BINARY, TAG_DATA };
	struct rpc_server *server = session->server;
	struct qn_text id;

	if (qn_jsonrpc_member(message->params, "id", &id) == QN_JSON_END || id.len > RPC_ID_MAX ||
	    server->service->cancel == NULL)
		return;
	for (size_t i = 0; i < sizeof(tags); i++) {
		struct qn_text token = make_token(server, tags[i], id);
		if (server->service->cancel(session, token)) {
			rpc_error(session, token, QN_JSONRPC_CANCELLED, NULL);
			return;
		}
	}
}

static void execute(struct rpc_session *session, const struct rpc_call *call);

static void dispatch(struct rpc_session *session, struct rpc_call *call)
{
	struct rpc_server *server = session->server;

	if (!rpc_allowed(session)) {
		server->stats.limited++;
		if (call->token.len > 0)
			rpc_error(session, call->token, QN_JSONRPC_RATE_LIMITED, NULL);
		return;
	}
	if (rpc_auth_call(session, call))
		return;
	if (!rpc_auth_ok(session)) {
		server->stats.unauthorized++;
		if (call->token.len > 0)
			rpc_error(session, call->token, QN_JSONRPC_UNAUTHORIZED, NULL);
		return;
	}
	if (rpc_subscribe_call(session, call))
		return;
	if (rpc_is(call->method, "batch.execute"))
		execute(session, call);
	else
		server->service->call(session, call);
}

static void no_answer(struct rpc_session *session, char tag)
{
	struct qn_http_page reply = { .status = 204 };

	if (tag == TAG_POST)
		rpc_reply(session, &reply);
}

/* One request or notification. */
static void handle(struct rpc_session *session, const struct qn_jsonrpc_message *message, char tag,
		   struct qn_text text)
{
	struct rpc_server *server = session->server;
	struct rpc_call call = { .params = message->params, .text = text };
	size_t len = message->method.len;

	if (message->kind == QN_JSONRPC_RESULT || message->kind == QN_JSONRPC_ERROR) {
		if (server->service->answered != NULL)
			server->service->answered(session, message);
		if (!rpc_gone(server, session))
			no_answer(session, tag);
		return;
	}
	if (message->kind != QN_JSONRPC_NOTIFICATION) {
		bool long_id = message->id.len > RPC_ID_MAX;
		if (tag == TAG_TEXT && wants_msgpack(message))
			tag = TAG_DATA;
		call.token = make_token(server, tag, long_id ? rpc_nothing : message->id);
		if (tag == TAG_MEMBER)
			session->batch->waiting++;
		server->stats.requests++;
		if (long_id || message->kind == QN_JSONRPC_INVALID) {
			rpc_error(session, call.token, QN_JSONRPC_INVALID_REQUEST, NULL);
			return;
		}
	} else {
		server->stats.notifications++;
	}
	call.method = message->method;
	if (message->method_escaped) {
		len = qn_json_unescape(message->method, QN_JSON_STRICT, server->method,
				       sizeof(server->method));
		call.method = (struct qn_text){ server->method, len };
	}
	if (len > sizeof(server->method)) /* nobody has such a name */
		call.method = rpc_text("?");
	if (message->kind == QN_JSONRPC_NOTIFICATION && rpc_is(call.method, "$/cancelRequest"))
		cancel(session, message);
	else
		dispatch(session, &call);
	if (message->kind == QN_JSONRPC_NOTIFICATION && !rpc_gone(server, session))
		no_answer(session, tag);
}

/* ---- batch.execute ---- */

static void execute_one(struct rpc_session *session, unsigned index, struct qn_text operation)
{
	struct rpc_server *server = session->server;
	struct rpc_call call = { .text = operation };
	struct qn_text method, params;
	char id[16];

	int len = snprintf(id, sizeof(id), "%u", index);
	call.token = make_token(server, TAG_EXECUTE, (struct qn_text){ id, (size_t)len });
	session->batch->waiting++;
	enum qn_json_token kind = qn_jsonrpc_member(operation, "params", &params);
	if (kind == QN_JSON_OBJECT || kind == QN_JSON_ARRAY)
		call.params = params;
	else if (kind != QN_JSON_END)
		goto invalid;
	if (qn_jsonrpc_member(operation, "method", &method) != QN_JSON_STRING)
		goto invalid;
	call.method = qn_jsonrpc_unquoted(method);
	/* A batch inside a batch would need room for ever more of them. */
	if (rpc_is(call.method, "batch.execute"))
		goto invalid;
	dispatch(session, &call);
	return;
invalid:
	rpc_error(session, call.token, QN_JSONRPC_INVALID_REQUEST, NULL);
}

static void execute(struct rpc_session *session, const struct rpc_call *call)
{
	struct rpc_server *server = session->server;
	struct qn_text operations, operation;
	struct qn_json_reader json;
	unsigned count = 0;

	if (call->token.len == 0)
		return;
	if (session->batch != NULL) {
		rpc_error(session, call->token, QN_JSONRPC_INVALID_REQUEST,
			  "No batch inside a batch");
		return;
	}
	if (qn_jsonrpc_member(call->params, "operations", &operations) != QN_JSON_ARRAY) {
		rpc_error(session, call->token, QN_JSONRPC_BAD_PARAMS, NULL);
		return;
	}
	struct rpc_batch *batch = begin_batch(session, call->token.at[0]);
	if (batch == NULL) {
		rpc_error(session, call->token, QN_JSONRPC_NO_ROOM, NULL);
		return;
	}
	batch->execute = true;
	batch->outer_len = (uint16_t)call->token.len;
	memcpy(batch->outer, call->token.at, call->token.len);
	qn_json_open(&json, operations.at, operations.len, QN_JSON_STRICT, 0);
	qn_json_next(&json);
	while (qn_json_value(&json, &operation) != QN_JSON_ARRAY_END &&
	       count < server->options.batch_max) {
		execute_one(session, count++, operation);
		if (rpc_gone(server, session))
			return;
	}
	batch->dispatching = false;
	end_if_complete(session);
}

/* ---- messages ---- */

static void answer_nobody(struct rpc_session *session, char tag, int64_t code)
{
	rpc_error(session, make_token(session->server, tag, rpc_nothing), code, NULL);
}

static void whole_batch(struct rpc_session *session, struct qn_jsonrpc_reader *reader, char tag,
			struct qn_text text)
{
	struct rpc_server *server = session->server;
	struct qn_jsonrpc_message message;
	struct rpc_batch *batch = begin_batch(session, tag);

	if (batch == NULL) {
		answer_nobody(session, tag, QN_JSONRPC_NO_ROOM);
		return;
	}
	while (qn_jsonrpc_next(reader, &message)) {
		handle(session, &message, TAG_MEMBER, text);
		if (rpc_gone(server, session))
			return;
	}
	batch->dispatching = false;
	end_if_complete(session);
}

void rpc_message(struct rpc_session *session, struct qn_text text, char tag)
{
	struct rpc_server *server = session->server;
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message message;

	if (tag == TAG_BINARY) {
		struct qn_json_writer w;
		qn_json_writer_init(&w, server->message, server->room);
		if (!qn_msgpack_to_json(text, &w)) {
			answer_nobody(session, tag, QN_JSONRPC_PARSE);
			return;
		}
		text = (struct qn_text){ server->message, qn_json_written(&w) };
	}
	switch (qn_jsonrpc_open(&reader, text.at, text.len, server->options.batch_max)) {
	case QN_JSONRPC_BROKEN: answer_nobody(session, tag, QN_JSONRPC_PARSE); break;
	case QN_JSONRPC_BATCH_EMPTY:
	case QN_JSONRPC_BATCH_LONG: answer_nobody(session, tag, QN_JSONRPC_INVALID_REQUEST); break;
	case QN_JSONRPC_SINGLE:
		if (qn_jsonrpc_next(&reader, &message))
			handle(session, &message, tag, text);
		break;
	case QN_JSONRPC_BATCH: whole_batch(session, &reader, tag, text); break;
	}
}

void rpc_action(struct rpc_session *session, struct qn_text method, struct qn_text params,
		struct qn_text text)
{
	struct rpc_call call = { .method = method,
				 .params = params,
				 .token = make_token(session->server, TAG_ACTION, rpc_nothing),
				 .text = text };

	session->server->stats.requests++;
	dispatch(session, &call);
}

#include "emulator/rpc/client_parts.h"

#include <stdio.h>

/* The client where WebSocket is blocked: POST, and a stream of events that resumes. */

#define ANSWER_MAX 60000

static size_t put_head(struct lane *lane, const char *what, const char *more, size_t body,
		       char *out, size_t cap)
{
	const char *token = lane->client->options.token;
	char host[24], length[48] = "";

	if (body > 0)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", body);
	int len = snprintf(out, cap, "%s HTTP/1.1\r\nHost: %s\r\n%s%s%s%s%s\r\n", what,
			   net_addr_text(lane->conn->peer, host, sizeof(host)),
			   token != NULL ? "Authorization: Bearer " : "",
			   token != NULL ? token : "", token != NULL ? "\r\n" : "", more, length);
	return (size_t)len < cap ? (size_t)len : 0;
}

void lane_post(struct lane *lane, struct qn_text body)
{
	struct rpc_server *server = lane->client->server;
	size_t head = put_head(lane, "POST /rpc", "Content-Type: application/json\r\n", body.len,
			       server->unit, server->room);

	memcpy(server->unit + head, body.at, body.len);
	lane->state = LANE_POSTING;
	lane->client->stats.ready--;
	net_send(lane->conn, server->unit, head + body.len);
}

size_t lane_post_received(struct lane *lane, const char *bytes, size_t len, bool closed)
{
	struct rpc_client *client = lane->client;
	struct net_conn *conn = lane->conn;
	struct qn_http_answered answer;
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message message;
	size_t taken = 0;

	if (lane->state != LANE_POSTING)
		return len; /* nobody asked for this */
	enum qn_code code = qn_http_answer_whole(bytes, len, closed, ANSWER_MAX,
						 client->server->message, &answer, &taken);
	if (code == QN_MORE)
		return 0;
	if (code != QN_OK || !answer.keep_alive || answer.status >= 300) {
		lane_broken(lane, "no answer of the fallback's");
		return len;
	}
	lane->state = LANE_CONNECTING; /* not ready for another while answers are told */
	if (answer.body.len > 0 && qn_jsonrpc_open(&reader, answer.body.at, answer.body.len,
						   client->options.calls) <= QN_JSONRPC_BATCH)
		while (qn_jsonrpc_next(&reader, &message))
			if (message.kind == QN_JSONRPC_RESULT || message.kind == QN_JSONRPC_ERROR)
				rpc_client_settle(client, &message);
	if (lane->conn == conn && lane->state == LANE_CONNECTING)
		lane_ready(lane);
	return taken;
}

void lane_subscribe(struct lane *lane)
{
	char unit[1024], more[96] = "Accept: text/event-stream\r\n";
	struct rpc_client *client = lane->client;

	if (client->last_event > 0)
		snprintf(more, sizeof(more), "Accept: text/event-stream\r\nLast-Event-ID: %llu\r\n",
			 (unsigned long long)client->last_event);
	size_t len = put_head(lane, "GET /api/v1/stream/events", more, 0, unit, sizeof(unit));
	lane->state = LANE_STREAM;
	lane->session.accepts = 0; /* its head has not come yet */
	timer_cancel(&client->loop->timers, &lane->timer);
	net_send(lane->conn, unit, len);
}

/* The value of a field's line, where it is that field. */
static bool field(struct qn_text line, const char *name, struct qn_text *ret)
{
	size_t len = strlen(name);

	if (line.len < len + 1 || memcmp(line.at, name, len) != 0 || line.at[len] != ':')
		return false;
	len += line.len > len + 1 && line.at[len + 1] == ' ' ? 2 : 1;
	*ret = (struct qn_text){ line.at + len, line.len - len };
	return true;
}

static void read_event(struct rpc_client *client, struct qn_text block)
{
	struct qn_text name = { "message", 7 }, data = { NULL, 0 }, id;
	int64_t number;

	while (block.len > 0) {
		const char *end = memchr(block.at, '\n', block.len);
		size_t len = end != NULL ? (size_t)(end - block.at) : block.len;
		struct qn_text line = { block.at, len };
		if (field(line, "id", &id) && qn_json_int64(id, &number) && number > 0)
			client->last_event = (uint64_t)number;
		field(line, "event", &name);
		field(line, "data", &data);
		len += end != NULL;
		block = (struct qn_text){ block.at + len, block.len - len };
	}
	if (data.len > 0)
		rpc_client_told(client, name, data);
}

size_t lane_stream_received(struct lane *lane, const char *bytes, size_t len)
{
	struct net_conn *conn = lane->conn;
	struct qn_ws_head head;
	unsigned status;
	size_t done = 0;

	if (lane->session.accepts == 0) {
		done = qn_http_answer_head(bytes, len, &status, &head);
		if (done == 0)
			return 0;
		if (status != 200) {
			lane_broken(lane, "no stream of events");
			return len;
		}
		lane->session.accepts = 1;
		lane->attempts = 0;
	}
	while (lane->conn == conn && done < len) {
		const char *end = memmem(bytes + done, len - done, "\n\n", 2);
		if (end == NULL)
			break;
		read_event(lane->client,
			   (struct qn_text){ bytes + done, (size_t)(end - bytes - (long)done) });
		done = (size_t)(end - bytes) + 2;
	}
	return done;
}

#include "emulator/rpc/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Events: a ring that streams resume from, and what each session is told of it. */

int rpc_ring_init(struct rpc_server *server)
{
	if (server->options.ring == 0)
		server->options.ring = 1;
	server->ring = calloc(server->options.ring, sizeof(*server->ring));
	return server->ring != NULL ? 0 : -ENOMEM;
}

static bool sees(const struct rpc_session *session, const struct rpc_entry *entry)
{
	return (session->streams & entry->stream) != 0 &&
	       (session->scope == RPC_ALL || session->scope == entry->scope);
}

/* HTML, 9.2.5: each line of data has a field of its own; JSON as we write it has but one line. */
static void send_event(struct rpc_session *session, const struct rpc_entry *entry)
{
	char text[RPC_ENTRY_TEXT + 128];
	int len = snprintf(text, sizeof(text), "id: %llu\nevent: %s\ndata: %.*s\n\n",
			   (unsigned long long)entry->number, entry->name, (int)entry->len,
			   entry->text);

	rpc_out(session, text, (size_t)len);
}

const struct rpc_entry *rpc_publish(struct rpc_server *server, enum rpc_stream stream,
				    uint32_t scope, const char *name, struct qn_text params)
{
	struct rpc_entry *entry = &server->ring[server->events % server->options.ring];

	if (params.len > sizeof(entry->text)) {
		server->stats.no_room++;
		params = rpc_text("{}");
	}
	*entry = (struct rpc_entry){ .number = server->events++,
				     .scope = scope,
				     .stream = (uint8_t)stream,
				     .len = (uint16_t)params.len };
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	memcpy(entry->text, params.at, params.len);
	return entry;
}

void rpc_push(struct rpc_session *session, const struct rpc_entry *entry)
{
	if (!sees(session, entry))
		return;
	if (session->state == RPC_STREAM)
		send_event(session, entry);
	else if (session->state == RPC_OPEN && rpc_auth_ok(session))
		rpc_ask(session, entry->name, (struct qn_text){ entry->text, entry->len },
			rpc_nothing);
}

void rpc_list(struct rpc_session *session, struct qn_text token)
{
	struct rpc_server *server = session->server;
	uint64_t ring = server->options.ring;
	uint64_t n = server->events > ring ? server->events - ring : 1;
	struct qn_json_writer w;
	bool first = true;

	/* A room that no answer is written in. */
	qn_json_writer_init(&w, server->message, server->room / 2);
	qn_json_put_literal(&w, "[");
	for (; n < server->events; n++) {
		const struct rpc_entry *entry = &server->ring[n % ring];
		if (session->scope != RPC_ALL && session->scope != entry->scope)
			continue;
		qn_json_put(&w, first ? "{\"number\":" : ",{\"number\":", first ? 10 : 11);
		first = false;
		qn_json_put_uint(&w, entry->number);
		qn_json_put_literal(&w, ",\"event\":\"");
		qn_json_put(&w, entry->name, strlen(entry->name));
		qn_json_put_literal(&w, "\",\"data\":");
		qn_json_put(&w, entry->text, entry->len);
		qn_json_put_literal(&w, "}");
	}
	qn_json_put_literal(&w, "]");
	if (w.full)
		rpc_error(session, token, QN_JSONRPC_NO_ROOM, "The answer is too long");
	else
		rpc_answer(session, token,
			   (struct qn_text){ server->message, qn_json_written(&w) });
}

bool rpc_subscribe_call(struct rpc_session *session, const struct rpc_call *call)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} all[] = { { "\"events\"", RPC_EVENTS }, { "\"logs\"", RPC_LOGS } };
	struct qn_text wanted, one;
	uint8_t streams = 0;

	if (!rpc_is(call->method, "stream.subscribe"))
		return false;
	if (call->token.len == 0)
		return true;
	if (qn_jsonrpc_member(call->params, "streams", &wanted) != QN_JSON_ARRAY)
		goto bad;
	for (size_t i = 0; qn_jsonrpc_element(wanted, i, &one) != QN_JSON_END; i++) {
		uint8_t bit = 0;
		for (size_t j = 0; j < sizeof(all) / sizeof(*all); j++)
			if (rpc_is(one, all[j].name))
				bit = all[j].bit;
		if (bit == 0)
			goto bad;
		streams |= bit;
	}
	/* Of a POST there is nobody to be told anything. */
	if (session->state == RPC_OPEN)
		session->streams = streams;
	rpc_answer(session, call->token, wanted);
	return true;
bad:
	rpc_error(session, call->token, QN_JSONRPC_BAD_PARAMS, NULL);
	return true;
}

/* Where it goes on: what is gone already is told as a number, not passed over in silence. */
static void resume(struct rpc_session *session, uint64_t last)
{
	struct rpc_server *server = session->server;
	uint64_t oldest = server->events > server->options.ring
				  ? server->events - server->options.ring
				  : 1;

	if (last >= server->events) /* of a life before this one */
		return;
	server->stats.resumed++;
	if (last + 1 < oldest) {
		char text[96];
		int len = snprintf(text, sizeof(text), "event: lost\ndata: {\"events\":%llu}\n\n",
				   (unsigned long long)(oldest - last - 1));
		server->stats.events_lost += oldest - last - 1;
		rpc_out(session, text, (size_t)len);
	}
	for (uint64_t n = last + 1 < oldest ? oldest : last + 1;
	     n < server->events && !rpc_gone(server, session); n++)
		if (sees(session, &server->ring[n % server->options.ring]))
			send_event(session, &server->ring[n % server->options.ring]);
}

void rpc_stream_begin(struct rpc_session *session, unsigned streams, struct qn_text last_id)
{
	struct rpc_server *server = session->server;
	struct qn_http_page reply = { .status = 200,
				      .type = "text/event-stream",
				      .more = "Cache-Control: no-cache\r\n",
				      .endless = true };
	char head[512];
	int64_t last = -1;

	size_t len = qn_http_page_write(&reply, head, sizeof(head) - 16);
	/* Who loses the stream comes back in a second. */
	memcpy(head + len, "retry: 1000\n\n", 13);
	len += 13;
	server->stats.streams++;
	session->http_waits = false;
	session->streams = (uint8_t)streams;
	loop_timer(server->loop, &session->timer,
		   streams & RPC_METRICS ? server->options.metrics_ns
					 : server->options.handshake_ns);
	rpc_out(session, head, len);
	if (rpc_gone(server, session))
		return;
	session->state = RPC_STREAM;
	if (last_id.len > 0 && qn_json_int64(last_id, &last) && last >= 0)
		resume(session, (uint64_t)last);
}

/* Metrics by the clock; else a comment, so that no proxy takes the silence for the end. */
void rpc_stream_tick(struct rpc_session *session)
{
	struct rpc_server *server = session->server;

	if (!(session->streams & RPC_METRICS)) {
		loop_timer(server->loop, &session->timer, server->options.handshake_ns);
		rpc_out(session, ": still here\n\n", 14);
		return;
	}
	static const char begin[] = "event: metrics\ndata: ";
	struct qn_json_writer w;
	qn_json_writer_init(&w, server->text, server->room);
	qn_json_put(&w, begin, sizeof(begin) - 1);
	server->service->metrics(session, &w);
	qn_json_put(&w, "\n\n", 2);
	loop_timer(server->loop, &session->timer, server->options.metrics_ns);
	rpc_out(session, server->text, qn_json_written(&w));
}

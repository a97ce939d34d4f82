#include "emulator/target/jsonrpc_options.h"
#include "emulator/target/parts.h"

#include "emulator/rpc/rpc.h"
#include "proto/http/intake.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * JSON-RPC 2.0 (PROTOCOL.md "jsonrpc"), in three shapes: a target that registers over a WebSocket,
 * closes it and is a server from then on; one that registers with nobody and is a server; one that
 * dials out and is commanded over the connection that it registered over.
 * What a server speaks beside methods (batches, REST, streams ...) is emulator/rpc's.
 */

/* What a group has. */
struct jsonrpc_run {
	struct rpc_server server; /* first: spoil_frame.c knows it alone */
	struct tls_context *context;
	struct net *tls; /* NULL: plain, or simulated */
};

/* Room for handshakes and records; address space until it is used. */
#define TLS_CONNECTIONS 16384
#define TLS_LISTENERS 8192

/* What a connection has beyond struct served. */
enum phase { SERVING, SHAKING_HANDS, ASKED, ACCEPTED, REJECTED };
struct jsonrpc_conn {
	struct rpc_session session;
	enum phase phase;
	uint8_t nonce[16];
	char name[64], why[96];
};

static struct jsonrpc_conn *state_of(struct net_conn *conn)
{
	return served_state(conn);
}

static struct net_conn *conn_of(const struct rpc_session *session)
{
	return session->conn;
}

static struct target *target_of(const struct rpc_session *session)
{
	return served_of(session->conn)->target;
}

static struct rpc_server *server_of(const struct target *target)
{
	return &((struct jsonrpc_run *)target->group->run->wire)->server;
}

static struct qn_text text_of(const char *text)
{
	return (struct qn_text){ text, strlen(text) };
}

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* ---- what is asked ---- */

static void put(struct qn_json_writer *w, const char *text)
{
	qn_json_put(w, text, strlen(text));
}

static void put_status(struct target *target, struct qn_json_writer *w)
{
	put(w, "{\"target_id\":");
	qn_json_put_string(w, target->name, target->name_len, false);
	put(w, ",\"state\":\"");
	put(w, target_state_name((enum target_state)target->state));
	put(w, target->up ? "\",\"up\":true" : "\",\"up\":false");
	put(w, target->registered ? ",\"registered\":true" : ",\"registered\":false");
	put(w, ",\"queued\":");
	qn_json_put_uint(w, target->queue_len);
	put(w, "}");
}

static void answer_status(struct rpc_session *session, const struct rpc_call *call)
{
	char text[512];
	struct qn_json_writer w;

	qn_json_writer_init(&w, text, sizeof(text));
	put_status(target_of(session), &w);
	rpc_answer(session, call->token, (struct qn_text){ text, qn_json_written(&w) });
}

/* False: it is no number, or none that can be. */
static bool read_duration(const struct rpc_call *call, struct target_request *request)
{
	struct qn_text given;
	enum qn_json_token kind = qn_jsonrpc_member(call->params, "duration", &given);

	if (kind == QN_JSON_END)
		kind = qn_jsonrpc_element(call->params, 0, &given);
	if (kind == QN_JSON_END)
		given = text_of("5");
	else if (kind != QN_JSON_NUMBER)
		return false;
	request->duration = given;
	return given.len <= 32 && qn_json_double(given, &request->duration_s);
}

static enum range_word word_of(struct qn_text method)
{
	if (is(method, "target.ping"))
		return RANGE_PING;
	if (is(method, "target.standUp"))
		return RANGE_STAND_UP;
	if (is(method, "target.layDown"))
		return RANGE_LAY_DOWN;
	if (is(method, "target.activate"))
		return RANGE_ACTIVATE;
	return RANGE_NOTHING;
}

static void push_all(struct target *target, const struct rpc_entry *entry)
{
	for (struct net_conn *conn = target->serving; conn != NULL;) {
		struct net_conn *next = served_of(conn)->next;
		rpc_push(&state_of(conn)->session, entry);
		conn = next;
	}
}

/* Pings are not worth a line each. */
static void log_move(struct target *target, enum range_word word)
{
	char text[256];
	struct qn_json_writer w;

	qn_json_writer_init(&w, text, sizeof(text));
	put(&w, "{\"target_id\":");
	qn_json_put_string(&w, target->name, target->name_len, false);
	put(&w, ",\"message\":\"");
	put(&w, range_word_name(word));
	put(&w, "\"}");
	push_all(target, rpc_publish(server_of(target), RPC_LOGS, target->number, "logs.update",
				     (struct qn_text){ text, qn_json_written(&w) }));
}

static void call(struct rpc_session *session, const struct rpc_call *call)
{
	struct target *target = target_of(session);
	struct target_request request = { .word = word_of(call->method),
					  .id = call->token,
					  .text = call->text };

	if (request.word == RANGE_NOTHING) {
		if (call->token.len > 0 && is(call->method, "target.status")) {
			answer_status(session, call);
		} else if (call->token.len > 0 && is(call->method, "events.list")) {
			rpc_list(session, call->token);
		} else {
			target_bad_line(conn_of(session), "a method that nobody has");
			if (call->token.len > 0)
				rpc_error(session, call->token, QN_JSONRPC_NO_METHOD, NULL);
		}
		return;
	}
	/* Before the target is in service nobody can ask; it may dial in while it is not. */
	if (request.word == RANGE_ACTIVATE && !read_duration(call, &request)) {
		target_bad_line(conn_of(session), "a duration that is no number");
		if (call->token.len > 0)
			rpc_error(session, call->token, QN_JSONRPC_BAD_PARAMS, NULL);
		return;
	}
	if (call->token.len == 0)
		request.id = text_of("n"); /* done as asked, and nobody is told */
	struct net_conn *conn = conn_of(session);
	target_serve(conn, &request);
	if (request.word != RANGE_PING)
		log_move(target, request.word);
}

static bool cancel(struct rpc_session *session, struct qn_text token)
{
	struct target *target = target_of(session);

	for (uint16_t i = 0; i < target->queue_len; i++) {
		struct target_move *move =
			&target->queue[(target->queue_head + i) % target->group->queue_max];
		struct target_late_reply *reply = move->reply;
		if (reply == NULL || reply->conn != session->conn || reply->id_len != token.len ||
		    memcmp(reply->id, token.at, token.len) != 0)
			continue;
		target_forget_reply(target, reply);
		move->reply = NULL;
		return true;
	}
	return false;
}

static bool dashboard(struct rpc_session *session, struct qn_text service, struct qn_json_writer *w)
{
	struct target *target = target_of(session);

	if (service.len > 0 && !is(service, target->group->name))
		return false;
	put(w, "{\"service\":");
	qn_json_put_string(w, target->group->name, strlen(target->group->name), false);
	put(w, ",\"targets\":[");
	put_status(target, w);
	put(w, "]}");
	return true;
}

static void metrics(struct rpc_session *session, struct qn_json_writer *w)
{
	const struct rpc_stats *stats = &session->server->stats;
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "requests", stats->requests }, { "notifications", stats->notifications },
		{ "batches", stats->batches },   { "errors", stats->errors },
		{ "upgrades", stats->upgrades }, { "http_requests", stats->http_requests },
		{ "streams", stats->streams },   { "unauthorized", stats->unauthorized },
		{ "limited", stats->limited },   { "bad_frames", stats->bad_frames },
		{ "sessions", stats->sessions },
	};

	put(w, "{\"service\":");
	qn_json_put_string(w, target_of(session)->group->name,
			   strlen(target_of(session)->group->name), false);
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		put(w, ",\"");
		put(w, counters[i].name);
		put(w, "\":");
		qn_json_put_uint(w, counters[i].value);
	}
	put(w, "}");
}

/* ---- between a session and its connection ---- */

static void send_unit(struct rpc_session *session, const char *unit, size_t len)
{
	struct target *target = target_of(session);

	if (session->state == RPC_STREAM && fault_strikes(target, FAULT_SSE_STALL))
		return;
	if (state_of(session->conn)->phase == SERVING)
		target_send(session->conn, unit, len);
	else
		net_send(session->conn, unit, len);
}

static void leave(struct rpc_session *session)
{
	struct jsonrpc_conn *state = state_of(session->conn);

	if (state->phase == SERVING) {
		target_leave(session->conn, false);
		return;
	}
	/* It registers: whoever reads the answer closes. */
	if (state->phase != ACCEPTED) {
		state->phase = REJECTED;
		snprintf(state->why, sizeof(state->why), "closed without an answer");
	}
	rpc_session_end(session);
}

static void bad(struct rpc_session *session, const char *why)
{
	if (state_of(session->conn)->phase == SERVING)
		target_bad_line(session->conn, why);
}

/* The master's word on our registration. */
static void answered(struct rpc_session *session, const struct qn_jsonrpc_message *message)
{
	struct jsonrpc_conn *state = state_of(session->conn);

	if (state->phase != ASKED || !is(message->id, "1"))
		return;
	state->phase = message->kind == QN_JSONRPC_RESULT ? ACCEPTED : REJECTED;
	if (message->kind != QN_JSONRPC_RESULT)
		snprintf(state->why, sizeof(state->why), "%.*s", (int)message->error_message.len,
			 message->error_message.at);
}

static const struct rpc_service service = { .call = call,
					    .cancel = cancel,
					    .answered = answered,
					    .dashboard = dashboard,
					    .metrics = metrics,
					    .send = send_unit,
					    .leave = leave,
					    .bad = bad };

static int open_group(struct target_env *env, const struct target_group *group)
{
	const struct target_jsonrpc *own = group->wire_options;
	struct rpc_options options = rpc_default_options;
	struct net_tls_options tls = { .connections = TLS_CONNECTIONS,
				       .listeners = TLS_LISTENERS,
				       .buffer_bytes = 64u << 20 };
	struct jsonrpc_run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return -ENOMEM;
	options.message_max = (size_t)own->message_max;
	options.token = own->token[0] != '\0' ? own->token : NULL;
	options.rate = own->rate;
	options.deflate = own->deflate;
	options.ping_ns = own->ping_ns;
	options.ring = (size_t)own->events;
	int rc = rpc_server_init(&run->server, env->loop, &options, &service);
	if (rc < 0)
		goto no_server;
	if (own->secure && !env->loop->simulated)
		rc = tls_settings_open(&own->tls, env->net, &tls, &run->context, &run->tls);
	if (rc < 0)
		goto no_tls;
	if (run->tls != NULL)
		group->run->net = run->tls;
	group->run->wire = run;
	return 0;
no_tls:
	rpc_server_release(&run->server);
no_server:
	free(run);
	return rc;
}

static void close_group(struct target_env *env, const struct target_group *group)
{
	struct jsonrpc_run *run = group->run->wire;

	if (run->tls != NULL)
		net_tls_free(run->tls);
	tls_context_free(run->context);
	group->run->net = env->net;
	rpc_server_release(&run->server);
	free(run);
}

static const struct target_wire *choose(const void *options)
{
	const struct target_jsonrpc *own = options;

	if (own->dial)
		return &target_wire_jsonrpc_dial;
	return own->registers ? &target_wire_jsonrpc : &target_wire_jsonrpc_alone;
}

static void check(struct settings *settings, const struct setting_origin *origin, void *options)
{
	const struct target_jsonrpc *own = options;

	if (own->dial && !own->registers)
		settings_error(settings, origin, "jsonrpc",
			       "dial = true and register = false: who dials out registers");
}

/* ---- registering ---- */

static void hello(struct net_conn *conn, struct qn_text name)
{
	struct target *target = served_of(conn)->target;
	struct jsonrpc_conn *state = state_of(conn);
	const struct target_jsonrpc *own = target->group->wire_options;
	char host[24], unit[1024];
	struct qn_ws_request request = { .path = "/ws",
					 .host = net_addr_text(conn->peer, host, sizeof(host)),
					 .protocol = "jsonrpc",
					 .deflate = own->deflate };

	size_t len = name.len < sizeof(state->name) ? name.len : sizeof(state->name) - 1;
	memcpy(state->name, name.at, len);
	state->name[len] = '\0';
	rpc_random(server_of(target), state->nonce, sizeof(state->nonce));
	memcpy(request.nonce, state->nonce, sizeof(request.nonce));
	state->phase = SHAKING_HANDS;
	len = qn_ws_write_request(&request, unit, sizeof(unit));
	assert(len > 0); /* no part of it is a peer's */
	net_send(conn, unit, len);
}

/* The answer's head, whole: how much of the bytes it was; 0: more is to come. */
static size_t shake_hands(struct net_conn *conn, const char *bytes, size_t len)
{
	struct target *target = served_of(conn)->target;
	struct jsonrpc_conn *state = state_of(conn);
	const struct target_jsonrpc *own = target->group->wire_options;
	struct qn_ws_request request = { .protocol = "jsonrpc", .deflate = own->deflate };
	struct qn_ws_head head = { 0 };
	unsigned status;
	char params[256];
	struct qn_json_writer w;

	size_t taken = qn_http_answer_head(bytes, len, &status, &head);
	if (taken == 0 && len < QN_HTTP_HEAD_MAX)
		return 0;
	memcpy(request.nonce, state->nonce, sizeof(request.nonce));
	struct qn_ws_agreed agreed = qn_ws_accepted(&request, taken > 0 ? status : 0, &head);
	if (agreed.status != 101) {
		state->phase = REJECTED;
		snprintf(state->why, sizeof(state->why), "%s", agreed.why);
		return len;
	}
	rpc_session_dialled(&state->session, server_of(target), conn, target, target->number,
			    agreed.deflate);
	state->phase = ASKED;
	qn_json_writer_init(&w, params, sizeof(params));
	put(&w, "{\"client_id\":");
	qn_json_put_string(&w, state->name, strlen(state->name), false);
	put(&w, target->group->wire->stays ? ",\"dial\":true}" : ",\"dial\":false}");
	rpc_ask(&state->session, "target.register", (struct qn_text){ params, qn_json_written(&w) },
		text_of("1"));
	return taken;
}

static enum target_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, const char **ret_why)
{
	struct target *target = served_of(conn)->target;
	struct jsonrpc_conn *state = state_of(conn);
	size_t done = 0;

	(void)fresh;
	if (state->phase == SHAKING_HANDS)
		done = shake_hands(conn, bytes, len);
	if (state->phase == ASKED && done < len)
		done += rpc_received(&state->session, bytes + done, len - done);
	*ret_taken = done < len ? done : len;
	*ret_why = state->why;
	if (state->phase == REJECTED)
		return TARGET_HEARD_NO;
	if (state->phase != ACCEPTED)
		return TARGET_HEARD_MORE;
	if (!target->group->wire->stays && state->session.server != NULL)
		rpc_close(&state->session, QN_WS_NORMAL, "");
	return TARGET_HEARD_YES;
}

/* ---- serving ---- */

static void begin(struct net_conn *conn)
{
	struct target *target = served_of(conn)->target;
	struct jsonrpc_conn *state = state_of(conn);

	state->phase = SERVING;
	/* A session that registered goes on. */
	if (state->session.server == NULL)
		rpc_session_begin(&state->session, server_of(target), conn, target, target->number);
}

static void drop(struct net_conn *conn)
{
	rpc_session_end(&state_of(conn)->session);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	size_t taken;

	(void)fresh;
	if (target_deaf(conn, len, &taken))
		return taken;
	return rpc_received(&state_of(conn)->session, bytes, len);
}

static void ended(struct net_conn *conn, const char *rest, size_t len)
{
	/* An answer is still to come, and can be heard: HTTP peers close their half at once. */
	if (!rpc_ended(&state_of(conn)->session))
		served_of(conn)->ended = true;
	else
		served_ended(conn, rest, len);
}

#define WRONG_ID "t\"nobody\""

/* Of an answer whose own way back is not known, since a fault or a full pool has lost its id. */
static char way_back(const struct rpc_session *session)
{
	if (session->batch != NULL)
		return 'B';
	return session->state == RPC_HTTP ? 'h' : 't';
}

static void put_result(const struct target_answer *answer, struct qn_json_writer *w)
{
	static const char *const queued[RANGE_WORDS] = {
		[RANGE_PONG] = "alive",
		[RANGE_STANDING] = "command_queued",
		[RANGE_DOWN] = "command_queued",
		[RANGE_ACTIVATED] = "activation_queued",
	};
	const char *status = queued[answer->word];

	if (answer->done && answer->word != RANGE_PONG)
		status = range_word_name(answer->word);
	put(w, "{\"status\":\"");
	put(w, status != NULL ? status : "unknown");
	put(w, "\",\"target_id\":");
	qn_json_put_string(w, answer->target_id.at, answer->target_id.len, false);
	if (answer->word == RANGE_ACTIVATED) {
		put(w, ",\"duration\":");
		if (answer->duration.len > 0)
			qn_json_put(w, answer->duration.at, answer->duration.len);
		else
			put(w, "5");
	}
	put(w, "}");
}

static int64_t code_of(struct qn_text error)
{
	return is(error, "Out of memory") ? QN_JSONRPC_NO_ROOM : QN_JSONRPC_QUEUE_FULL;
}

static size_t write_answer(struct net_conn *conn, const struct target_answer *answer, char *unit,
			   size_t cap)
{
	struct rpc_session *session = &state_of(conn)->session;
	char room[16], result[512], error[FAULT_TEXT_MAX + 1];
	struct qn_text token = answer->id.len > 0 ? answer->id : text_of("t");
	struct qn_json_writer w;

	if (*token.at == 'n') { /* to a notification */
		session->answer_tag = 'n';
		unit[0] = ' ';
		return 1;
	}
	if (answer->id.len == 0 || is(answer->id, WRONG_ID)) {
		memcpy(room, token.at, token.len);
		room[0] = way_back(session);
		token.at = room;
	}
	if (answer->word == RANGE_ERROR) {
		snprintf(error, sizeof(error), "%.*s", (int)answer->error.len, answer->error.at);
		return rpc_write_error(session, token, code_of(answer->error), error, unit, cap);
	}
	qn_json_writer_init(&w, result, sizeof(result));
	put_result(answer, &w);
	return rpc_write_answer(session, token, (struct qn_text){ result, qn_json_written(&w) },
				unit, cap);
}

static bool take(struct net_conn *conn, const char *unit, size_t len)
{
	struct rpc_session *session = &state_of(conn)->session;

	const struct target *target = target_of(session);

	if (session->answer_tag == 'n')
		return true;
	/* Faults of the network act on units, each by itself. */
	session->uncorked = (target->faults != NULL && target->faults->active != 0) ||
			    served_of(conn)->held != NULL;
	return rpc_take_answer(session, unit, len);
}

static void sent(struct net_conn *conn)
{
	rpc_answer_sent(&state_of(conn)->session);
}

/* ---- unasked ---- */

static void news(struct target *target, int event, int64_t value)
{
	const struct rpc_entry *entry;
	char text[256];
	struct qn_json_writer w;

	qn_json_writer_init(&w, text, sizeof(text));
	put(&w, "{\"target_id\":");
	qn_json_put_string(&w, target->name, target->name_len, false);
	if (event == EVENT_HIT) {
		put(&w, ",\"after_ms\":");
		qn_json_put_int(&w, value / NS_PER_MS);
	} else {
		put(&w, ",\"state\":\"");
		put(&w, event == EVENT_MISS ? "missed" : event_name((enum event_kind)event));
		put(&w, "\"");
	}
	put(&w, "}");
	entry = rpc_publish(server_of(target), RPC_EVENTS, target->number,
			    event == EVENT_HIT ? "target.hit" : "target.stateChanged",
			    (struct qn_text){ text, qn_json_written(&w) });
	push_all(target, entry);
}

/* A hit is news already. */
static void report_hit(struct target *target)
{
	(void)target;
}

#define SERVED                                                                                     \
	{                                                                                          \
		.received = received, .ended = ended, .closed = served_closed                      \
	}
#define COMMON                                                                                     \
	.id = WIRE_JSONRPC, .conn_bytes = sizeof(struct jsonrpc_conn), .choose = choose,           \
	.open = open_group, .close = close_group, .check = check, .hello = hello, .heard = heard,  \
	.served = SERVED, .begin = begin, .drop = drop, .write = write_answer, .take = take,       \
	.sent = sent, .describe = target_jsonrpc_describe, .news = news, .report_hit = report_hit, \
	.wrong_id = WRONG_ID,                                                                      \
	.faults_without = FAULT_BIT(FAULT_NO_NEWLINE) | FAULT_BIT(FAULT_UPPER_TYPE),               \
	.faults_own = FAULT_BIT(FAULT_WRONG_MASK) | FAULT_BIT(FAULT_BAD_CLOSE) |                   \
		      FAULT_BIT(FAULT_HALF_FRAME) | FAULT_BIT(FAULT_SSE_STALL),                    \
	.spoil = target_jsonrpc_spoil

const struct target_wire target_wire_jsonrpc = { COMMON, .listens = true };
const struct target_wire target_wire_jsonrpc_alone = { COMMON, .listens = true, .alone = true };
const struct target_wire target_wire_jsonrpc_dial = { COMMON, .stays = true };

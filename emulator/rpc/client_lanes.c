#include "emulator/rpc/client_parts.h"

#include "emulator/base/units.h"

#include <assert.h>

/* The client's connections: made, shown a token, lost, made anew. */

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static struct lane *lane_of(struct net_conn *conn)
{
	struct lane *lane;

	memcpy(&lane, conn->session, sizeof(lane));
	return lane;
}

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* ---- authentication ---- */

static void ask_authentication(struct lane *lane)
{
	struct rpc_client *client = lane->client;
	char params[512];
	struct qn_json_writer w;
	bool again = client->refresh[0] != '\0';
	const char *secret = again ? client->refresh : client->options.token;

	qn_json_writer_init(&w, params, sizeof(params));
	qn_json_put(&w, again ? "{\"refreshToken\":" : "{\"token\":", again ? 16 : 9);
	qn_json_put_string(&w, secret, strlen(secret), false);
	if (!again)
		qn_json_put_literal(&w, ",\"clientInfo\":{\"name\":\"quintain\"}");
	qn_json_put_literal(&w, "}");
	rpc_ask(&lane->session, again ? "auth.refresh" : "auth.authenticate",
		(struct qn_text){ params, qn_json_written(&w) }, (struct qn_text){ "\"auth\"", 6 });
}

static void authenticated(struct lane *lane, const struct qn_jsonrpc_message *message)
{
	struct rpc_client *client = lane->client;
	struct qn_text refresh, expires;
	int64_t seconds = 0;

	if (message->kind == QN_JSONRPC_ERROR) {
		/* A refresh token that is used up: once more with the first one. */
		if (client->refresh[0] != '\0') {
			client->refresh[0] = '\0';
			ask_authentication(lane);
		} else {
			lane_broken(lane, "not authenticated");
		}
		return;
	}
	if (qn_jsonrpc_member(message->result, "refreshToken", &refresh) == QN_JSON_STRING &&
	    refresh.len == RPC_SECRET_LEN + 2)
		memcpy(client->refresh, refresh.at + 1, RPC_SECRET_LEN);
	if (qn_jsonrpc_member(message->result, "expiresIn", &expires) == QN_JSON_NUMBER &&
	    qn_json_int64(expires, &seconds) && seconds > 0)
		loop_timer(client->loop, &client->refresh_timer,
			   seconds < 1000000 ? seconds * NS_PER_S / 5 * 4 : 1000000 * NS_PER_S);
	if (lane->state == LANE_AUTHENTICATING)
		lane_ready(lane);
}

/* Before its time is over; whichever connection is there does it. */
void rpc_client_refresh(struct timer *timer, int64_t now_ns)
{
	struct rpc_client *client = OF(timer, struct rpc_client, refresh_timer);

	(void)now_ns;
	for (unsigned i = 0; i < client->options.pool; i++) {
		struct lane *lane = &client->lanes[i];
		if (lane->state != LANE_READY || client->stats.by_post)
			continue;
		client->stats.refreshed++;
		ask_authentication(lane);
		return;
	}
}

/* ---- connections ---- */

void lane_ready(struct lane *lane)
{
	struct rpc_client *client = lane->client;

	timer_cancel(&client->loop->timers, &lane->timer);
	if (lane->attempts > 0 || client->stats.ready == 0)
		breaker_success(&client->breaker);
	lane->state = LANE_READY;
	lane->attempts = 0;
	client->stats.ready++;
	client->stats.open_ns = client->loop->now_ns - lane->began_ns;
	rpc_client_send_backlog(client);
}

/* Calls that were written to it: whether they were done nobody knows. */
void lane_break_calls(struct lane *lane)
{
	struct rpc_client *client = lane->client;
	int16_t number = (int16_t)(lane - client->lanes);

	for (unsigned i = 0; i < client->options.calls && lane->under_way > 0; i++)
		if (client->slots[i].id != 0 && client->slots[i].lane == number)
			rpc_client_end(&client->slots[i], RPC_BROKEN, "the connection broke");
	lane->len = lane->count = 0;
}

void lane_drop(struct lane *lane)
{
	rpc_session_end(&lane->session);
	if (lane->conn != NULL)
		net_close(lane->conn);
	lane->conn = NULL;
}

void lane_broken(struct lane *lane, const char *why)
{
	struct rpc_client *client = lane->client;
	const struct rpc_client_options *options = &client->options;
	bool counted = lane->state == LANE_READY;
	bool was_ready = counted || lane->state == LANE_POSTING;

	(void)why;
	if (client->closed)
		return;
	lane_drop(lane);
	lane->state = LANE_RESTING;
	if (counted)
		client->stats.ready--;
	else if (!was_ready)
		client->stats.connect_failures++;
	breaker_failure(&client->breaker, client->loop->now_ns);
	lane_break_calls(lane);
	timer_cancel(&client->loop->timers, &lane->timer);
	/* The first attempt comes at once: a server that restarts is back before the pause is. */
	if (lane->attempts < options->attempts) {
		int64_t pause = lane->attempts == 0 && was_ready
					? options->first_ns / 10
					: options->first_ns
						  << (lane->attempts > 0 ? lane->attempts - 1 : 0);
		loop_timer(client->loop, &lane->timer, pause);
	}
}

/* Those that have given up try again when there is somebody who wants them. */
void rpc_client_wake(struct rpc_client *client)
{
	for (unsigned i = 0; i < client->options.pool; i++) {
		struct lane *lane = &client->lanes[i];
		if (lane->state != LANE_RESTING || timer_armed(&lane->timer))
			continue;
		lane->attempts = 0;
		lane_dial(lane);
	}
}

static void lane_opened(struct net_conn *conn)
{
	struct lane *lane = lane_of(conn);
	struct rpc_client *client = lane->client;
	char host[24], unit[1024];
	struct qn_ws_request request = { .path = "/ws",
					 .host = net_addr_text(conn->peer, host, sizeof(host)),
					 .deflate = client->options.deflate };

	if (lane->events) {
		lane_subscribe(lane);
		return;
	}
	if (client->stats.by_post) {
		lane_ready(lane);
		return;
	}
	lane->state = LANE_SHAKING_HANDS;
	rpc_random(client->server, lane->nonce, sizeof(lane->nonce));
	memcpy(request.nonce, lane->nonce, sizeof(request.nonce));
	size_t len = qn_ws_write_request(&request, unit, sizeof(unit));
	assert(len > 0);
	net_send(conn, unit, len);
}

/* No WebSocket to be had: from now on by POST, and a stream beside it. */
static void fall_back(struct lane *lane)
{
	struct rpc_client *client = lane->client;
	struct lane *events = &client->lanes[client->options.pool];

	client->stats.by_post = true;
	lane_drop(lane);
	lane_dial(lane);
	if (events->state == LANE_RESTING && client->options.told != NULL)
		lane_dial(events);
}

static size_t shake_hands(struct lane *lane, const char *bytes, size_t len)
{
	struct rpc_client *client = lane->client;
	struct qn_ws_request request = { .deflate = client->options.deflate };
	struct qn_ws_head head = { 0 };
	unsigned status = 0;

	size_t taken = qn_http_answer_head(bytes, len, &status, &head);
	if (taken == 0 && len < QN_HTTP_HEAD_MAX)
		return 0;
	memcpy(request.nonce, lane->nonce, sizeof(request.nonce));
	struct qn_ws_agreed agreed = qn_ws_accepted(&request, taken > 0 ? status : 0, &head);
	if (agreed.status != 101) {
		if (client->options.fallback && taken > 0 && status != 101)
			fall_back(lane);
		else
			lane_broken(lane, agreed.why);
		return len;
	}
	memset(&lane->session, 0, sizeof(lane->session));
	rpc_session_dialled(&lane->session, client->server, lane->conn, lane, RPC_ALL,
			    agreed.deflate);
	if (client->options.token != NULL) {
		lane->state = LANE_AUTHENTICATING;
		ask_authentication(lane);
	} else {
		lane_ready(lane);
	}
	return taken;
}

static size_t lane_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct lane *lane = lane_of(conn);
	size_t done = 0;

	(void)fresh;
	if (lane->state == LANE_STREAM)
		return lane_stream_received(lane, bytes, len);
	if (lane->state == LANE_SHAKING_HANDS)
		done = shake_hands(lane, bytes, len);
	else if (lane->client->stats.by_post)
		return lane_post_received(lane, bytes, len, false);
	if (lane->conn == conn && lane->session.server != NULL && done < len) {
		lane->lost = false;
		done += rpc_received(&lane->session, bytes + done, len - done);
		if (lane->lost && lane->conn == conn)
			lane_broken(lane, "closed");
	}
	return lane->conn == conn && done < len ? done : len;
}

static void lane_ended(struct net_conn *conn, const char *rest, size_t len)
{
	struct lane *lane = lane_of(conn);

	if (lane->conn == conn && lane->client->stats.by_post && lane->state == LANE_POSTING)
		lane_post_received(lane, rest, len, true);
	if (lane->conn == conn)
		lane_broken(lane, "closed");
}

static void lane_closed(struct net_conn *conn, int error)
{
	struct lane *lane = lane_of(conn);

	(void)error;
	if (lane->conn != conn)
		return;
	rpc_session_end(&lane->session);
	lane->conn = NULL;
	lane_broken(lane, "broken");
}

static const struct net_handler lane_handler = {
	.opened = lane_opened, .received = lane_received, .ended = lane_ended, .closed = lane_closed
};

void lane_dial(struct lane *lane)
{
	struct rpc_client *client = lane->client;
	const struct rpc_client_options *options = &client->options;

	lane->state = LANE_CONNECTING;
	lane->attempts++;
	lane->began_ns = client->loop->now_ns;
	lane->len = lane->count = 0;
	client->stats.connects++;
	int rc = net_connect(client->net, options->from, options->to, &lane_handler, &lane->conn);
	if (rc < 0) {
		lane->conn = NULL;
		lane_broken(lane, "no connection");
		return;
	}
	memcpy(lane->conn->session, &lane, sizeof(lane));
	loop_timer(client->loop, &lane->timer, options->connect_ns);
}

/* Its pause is over, or its time to connect. */
void lane_timer(struct timer *timer, int64_t now_ns)
{
	struct lane *lane = OF(timer, struct lane, timer);

	(void)now_ns;
	if (lane->state == LANE_RESTING)
		lane_dial(lane);
	else
		lane_broken(lane, "not ready in time");
}

/* ---- what the sessions ask of us ---- */

static void session_call(struct rpc_session *session, const struct rpc_call *call)
{
	struct lane *lane = session->owner;

	if (call->token.len > 0)
		rpc_error(session, call->token, QN_JSONRPC_NO_METHOD, NULL);
	else
		rpc_client_told(lane->client, call->method, call->params);
}

static void session_answered(struct rpc_session *session, const struct qn_jsonrpc_message *message)
{
	struct lane *lane = session->owner;

	if (is(message->id, "\"auth\""))
		authenticated(lane, message);
	else
		rpc_client_settle(lane->client, message);
}

static void session_send(struct rpc_session *session, const char *unit, size_t len)
{
	net_send(session->conn, unit, len);
}

/* Within rpc_received(): whoever called it sees to the rest; by a timer: here. */
static void session_leave(struct rpc_session *session)
{
	struct lane *lane = session->owner;
	bool reading = session->server->current == session;

	lane->lost = true;
	rpc_session_end(session);
	if (!reading)
		lane_broken(lane, "closed");
}

const struct rpc_service rpc_client_service = { .call = session_call,
						.answered = session_answered,
						.send = session_send,
						.leave = session_leave };

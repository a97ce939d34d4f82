#include "emulator/rpc/client_parts.h"

#include "emulator/base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define BACKLOG_BYTES (4 * LANE_TEXT)

const struct rpc_client_options rpc_client_defaults = { .pool = 1,
							.calls = 1024,
							.batch_max = 1,
							.attempts = 5,
							.first_ns = NS_PER_S,
							.connect_ns = 5 * NS_PER_S,
							.answer_ns = 5 * NS_PER_S,
							.breaker_failures = 5,
							.breaker_open_ns = 30 * NS_PER_S,
							.fallback = true,
							.deflate = true };

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

/* ---- calls ---- */

static struct rpc_call_slot *slot_of_id(struct rpc_client *client, uint64_t id)
{
	struct rpc_call_slot *slot = &client->slots[id % client->options.calls];

	return id > 0 && slot->id == id ? slot : NULL;
}

/* The one place where a call ends. */
static void end_call(struct rpc_call_slot *slot, const struct rpc_answer *answer)
{
	struct rpc_client *client = slot->client;
	struct rpc_call_slot copy = *slot;

	switch (answer->outcome) {
	case RPC_OK: client->stats.ok++; break;
	case RPC_ERROR: client->stats.errors++; break;
	case RPC_LOST: client->stats.lost++; break;
	case RPC_BROKEN: client->stats.broken++; break;
	case RPC_REFUSED: client->stats.refused++; break;
	}
	timer_cancel(&client->loop->timers, &slot->timer);
	if (slot->lane >= 0)
		client->lanes[slot->lane].under_way--;
	slot->id = 0;
	copy.done(copy.context, answer);
}

static void end_as(struct rpc_call_slot *slot, enum rpc_outcome outcome, const char *why)
{
	struct rpc_answer answer = { .outcome = outcome, .text = { why, strlen(why) } };

	end_call(slot, &answer);
}

static void call_expired(struct timer *timer, int64_t now_ns)
{
	struct rpc_call_slot *slot = OF(timer, struct rpc_call_slot, timer);

	breaker_failure(&slot->client->breaker, now_ns);
	if (slot->lane < 0) {
		end_as(slot, RPC_REFUSED, "no connection in time");
		return;
	}
	end_as(slot, RPC_LOST, "no answer in time");
}

void rpc_client_settle(struct rpc_client *client, const struct qn_jsonrpc_message *message)
{
	struct rpc_answer answer = { .outcome = RPC_OK, .text = message->result };
	int64_t id;

	if (message->id.len == 0 || !qn_json_int64(message->id, &id))
		return;
	struct rpc_call_slot *slot = slot_of_id(client, (uint64_t)id);
	if (slot == NULL) /* its time was over */
		return;
	/* An error is an answer: the server is there. */
	breaker_success(&client->breaker);
	if (message->kind == QN_JSONRPC_ERROR)
		answer = (struct rpc_answer){ RPC_ERROR, message->error_code,
					      message->error_message };
	end_call(slot, &answer);
}

void rpc_client_told(struct rpc_client *client, struct qn_text method, struct qn_text params)
{
	client->stats.told++;
	if (client->options.told != NULL)
		client->options.told(client->options.context, method, params);
}

/* ---- writing ---- */

static void send_text(struct lane *lane, struct qn_text text)
{
	struct rpc_server *server = lane->client->server;

	if (lane->client->stats.by_post) {
		lane_post(lane, text);
		return;
	}
	size_t len = rpc_write_frame(&lane->session, text, server->unit, server->room);
	net_send(lane->conn, server->unit, len);
}

static void flush_lane(struct lane *lane)
{
	if (lane->count == 0 || lane->state != LANE_READY)
		return;
	if (lane->count > 1) {
		lane->client->stats.batches++;
		lane->text[lane->len++] = ']';
		lane->text[0] = '[';
		send_text(lane, (struct qn_text){ lane->text, lane->len });
	} else {
		send_text(lane, (struct qn_text){ lane->text + 1, lane->len - 1 });
	}
	lane->count = lane->len = 0;
}

static void flush_all(struct loop_deferred *deferred)
{
	struct rpc_client *client = OF(deferred, struct rpc_client, flush);

	client->flushing = false;
	for (unsigned i = 0; i < client->options.pool; i++)
		flush_lane(&client->lanes[i]);
}

static void flush_soon(struct rpc_client *client)
{
	if (client->flushing)
		return;
	client->flushing = true;
	loop_soon(client->loop, &client->flush);
}

/* One that takes calls, in turn; NULL: none does. */
static struct lane *choose_lane(struct rpc_client *client, size_t len)
{
	for (unsigned i = 0; i < client->options.pool; i++) {
		struct lane *lane = &client->lanes[client->next_lane++ % client->options.pool];
		if (lane->state != LANE_READY)
			continue;
		if (lane->len + len + 2 > LANE_TEXT || lane->count == client->options.batch_max)
			flush_lane(lane);
		if (lane->state == LANE_READY)
			return lane;
	}
	return NULL;
}

/* A message goes to the lane's batch; the byte before each becomes a comma. */
static void add_text(struct lane *lane, struct qn_text text)
{
	lane->text[lane->len++] = lane->count++ == 0 ? '[' : ',';
	memcpy(lane->text + lane->len, text.at, text.len);
	lane->len += text.len;
	/* What need not wait for others of its turn goes at once, but behind those before it. */
	if (lane->client->options.batch_max == 1)
		flush_lane(lane);
	else
		flush_soon(lane->client);
}

static void wake_lanes(struct rpc_client *client);

/* A call's text: to a connection, or to those that wait for one. False: there is no room. */
static bool place(struct rpc_client *client, struct rpc_call_slot *slot, struct qn_text text)
{
	struct lane *lane = choose_lane(client, text.len);

	if (lane != NULL) {
		slot->lane = (int16_t)(lane - client->lanes);
		lane->under_way++;
		add_text(lane, text);
		return true;
	}
	if (text.len + 1 > BACKLOG_BYTES - client->backlog_len)
		return false;
	memcpy(client->backlog + client->backlog_len, text.at, text.len);
	client->backlog[client->backlog_len + text.len] = '\0';
	client->backlog_len += text.len + 1;
	wake_lanes(client);
	return true;
}

/* Those that waited, as far as connections take them. */
static void send_backlog(struct rpc_client *client)
{
	size_t done = 0;

	while (done < client->backlog_len) {
		const char *at = client->backlog + done;
		struct qn_text text = { at, strlen(at) }, id;
		int64_t number = 0;
		struct rpc_call_slot *slot = NULL;
		if (qn_jsonrpc_member(text, "id", &id) == QN_JSON_NUMBER &&
		    qn_json_int64(id, &number))
			slot = slot_of_id(client, (uint64_t)number);
		if (slot != NULL) {
			struct lane *lane = choose_lane(client, text.len);
			if (lane == NULL)
				break;
			slot->lane = (int16_t)(lane - client->lanes);
			lane->under_way++;
			add_text(lane, text);
		}
		done += text.len + 1;
	}
	client->backlog_len -= done;
	memmove(client->backlog, client->backlog + done, client->backlog_len);
}

static int start_call(struct rpc_client *client, const char *method, struct qn_text params,
		      rpc_done *done, void *context)
{
	char id[24], text[LANE_TEXT / 4];
	struct qn_json_writer w;
	uint64_t number = client->ids + 1;
	struct rpc_call_slot *slot = &client->slots[number % client->options.calls];

	if (slot->id != 0) /* the ring has come round to one that is still under way */
		return -ENOBUFS;
	int len = snprintf(id, sizeof(id), "%llu", (unsigned long long)number);
	qn_json_writer_init(&w, text, sizeof(text));
	qn_jsonrpc_put_request(&w, method, params, (struct qn_text){ id, (size_t)len });
	if (w.full)
		return -EMSGSIZE;
	*slot = (struct rpc_call_slot){
		.id = number, .client = client, .lane = -1, .done = done, .context = context
	};
	slot->timer.fire = call_expired;
	client->ids = number;
	client->stats.calls++;
	loop_timer(client->loop, &slot->timer, client->options.answer_ns);
	if (place(client, slot, (struct qn_text){ text, qn_json_written(&w) }))
		return 0;
	timer_cancel(&client->loop->timers, &slot->timer);
	client->stats.calls--;
	slot->id = 0;
	return -ENOBUFS;
}

int rpc_client_call(struct rpc_client *client, const char *method, struct qn_text params,
		    rpc_done *done, void *context)
{
	if (!breaker_allows(&client->breaker, client->loop->now_ns))
		return -EAGAIN;
	int rc = start_call(client, method, params, done, context);
	if (rc < 0) /* the one that was to find out did not go */
		client->breaker.probing = false;
	return rc;
}

void rpc_client_notify(struct rpc_client *client, const char *method, struct qn_text params)
{
	char text[LANE_TEXT / 4];
	struct qn_json_writer w;

	qn_json_writer_init(&w, text, sizeof(text));
	qn_jsonrpc_put_notification(&w, method, params);
	struct qn_text whole = { text, qn_json_written(&w) };
	struct lane *lane = w.full ? NULL : choose_lane(client, whole.len);
	if (lane != NULL)
		add_text(lane, whole);
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
static void refresh_now(struct timer *timer, int64_t now_ns)
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
	send_backlog(client);
}

/* Calls that were written to it: whether they were done nobody knows. */
static void break_calls(struct lane *lane)
{
	struct rpc_client *client = lane->client;
	int16_t number = (int16_t)(lane - client->lanes);

	for (unsigned i = 0; i < client->options.calls && lane->under_way > 0; i++)
		if (client->slots[i].id != 0 && client->slots[i].lane == number)
			end_as(&client->slots[i], RPC_BROKEN, "the connection broke");
	lane->len = lane->count = 0;
}

static void drop_conn(struct lane *lane)
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
	drop_conn(lane);
	lane->state = LANE_RESTING;
	if (counted)
		client->stats.ready--;
	else if (!was_ready)
		client->stats.connect_failures++;
	breaker_failure(&client->breaker, client->loop->now_ns);
	break_calls(lane);
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
static void wake_lanes(struct rpc_client *client)
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
	drop_conn(lane);
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
static void lane_timer(struct timer *timer, int64_t now_ns)
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

static const struct rpc_service client_service = { .call = session_call,
						   .answered = session_answered,
						   .send = session_send,
						   .leave = session_leave };

int rpc_client_shared(struct loop *loop, size_t message_max, struct rpc_server *ret)
{
	struct rpc_options shared = rpc_default_options;

	shared.message_max = message_max;
	shared.ring = 1;
	shared.batches = 1;
	return rpc_server_init(ret, loop, &shared, &client_service);
}

static void release(struct rpc_client *client)
{
	if (client->server == &client->own)
		rpc_server_release(&client->own);
	free(client->lanes);
	free(client->slots);
	free(client->texts);
	free(client->backlog);
	free(client);
}

int rpc_client_new(struct loop *loop, struct net *net, const struct rpc_client_options *options,
		   struct rpc_client **ret)
{
	struct rpc_client *client = calloc(1, sizeof(*client));
	int rc = -ENOMEM;

	assert(options->pool >= 1 && options->pool <= RPC_LANES_MAX);
	if (client == NULL)
		return rc;
	client->loop = loop;
	client->net = net;
	client->options = *options;
	client->flush.run = flush_all;
	client->refresh_timer.fire = refresh_now;
	breaker_init(&client->breaker, options->breaker_failures, options->breaker_open_ns);
	client->lanes = calloc(options->pool + 1, sizeof(*client->lanes));
	client->slots = calloc(options->calls, sizeof(*client->slots));
	client->texts = malloc((size_t)LANE_TEXT * options->pool);
	client->backlog = malloc(BACKLOG_BYTES);
	if (client->lanes == NULL || client->slots == NULL || client->texts == NULL ||
	    client->backlog == NULL)
		goto fail;
	if (options->shared == NULL) {
		rc = rpc_client_shared(loop, rpc_default_options.message_max, &client->own);
		if (rc < 0)
			goto fail;
	}
	client->server = options->shared != NULL ? options->shared : &client->own;
	for (unsigned i = 0; i <= options->pool; i++) {
		struct lane *lane = &client->lanes[i];
		lane->client = client;
		lane->timer.fire = lane_timer;
		lane->events = i == options->pool;
		lane->text = client->texts + (size_t)LANE_TEXT * (i < options->pool ? i : 0);
	}
	for (unsigned i = 0; i < options->pool; i++)
		lane_dial(&client->lanes[i]);
	*ret = client;
	return 0;
fail:
	release(client);
	return rc;
}

void rpc_client_move(struct rpc_client *client, struct net_addr to)
{
	client->options.to = to;
	client->stats.by_post = false;
	client->last_event = 0;
	breaker_success(&client->breaker);
	for (unsigned i = 0; i <= client->options.pool; i++) {
		struct lane *lane = &client->lanes[i];
		if (lane->state == LANE_READY)
			client->stats.ready--;
		drop_conn(lane);
		timer_cancel(&client->loop->timers, &lane->timer);
		lane->state = LANE_RESTING;
		lane->attempts = 0;
		break_calls(lane);
	}
	for (unsigned i = 0; i < client->options.pool; i++)
		if (client->lanes[i].state == LANE_RESTING)
			lane_dial(&client->lanes[i]);
}

void rpc_client_free(struct rpc_client *client)
{
	if (client == NULL)
		return;
	client->closed = true;
	for (unsigned i = 0; i < client->options.calls; i++)
		if (client->slots[i].id != 0)
			end_as(&client->slots[i],
			       client->slots[i].lane < 0 ? RPC_REFUSED : RPC_BROKEN,
			       "the client is closed");
	for (unsigned i = 0; i <= client->options.pool; i++) {
		drop_conn(&client->lanes[i]);
		client->lanes[i].count = 0;
		timer_cancel(&client->loop->timers, &client->lanes[i].timer);
	}
	timer_cancel(&client->loop->timers, &client->refresh_timer);
	loop_settle(client->loop);
	release(client);
}

const struct rpc_client_stats *rpc_client_stats(const struct rpc_client *client)
{
	return &client->stats;
}

const struct breaker *rpc_client_breaker(const struct rpc_client *client)
{
	return &client->breaker;
}

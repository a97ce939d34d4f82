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

void rpc_client_end(struct rpc_call_slot *slot, enum rpc_outcome outcome, const char *why)
{
	struct rpc_answer answer = { .outcome = outcome, .text = { why, strlen(why) } };

	end_call(slot, &answer);
}

static void call_expired(struct timer *timer, int64_t now_ns)
{
	struct rpc_call_slot *slot = OF(timer, struct rpc_call_slot, timer);

	breaker_failure(&slot->client->breaker, now_ns);
	if (slot->lane < 0) {
		rpc_client_end(slot, RPC_REFUSED, "no connection in time");
		return;
	}
	rpc_client_end(slot, RPC_LOST, "no answer in time");
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
	rpc_client_wake(client);
	return true;
}

/* Those that waited, as far as connections take them. */
void rpc_client_send_backlog(struct rpc_client *client)
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

/* ---- its beginning and its end ---- */

int rpc_client_shared(struct loop *loop, size_t message_max, struct rpc_server *ret)
{
	struct rpc_options shared = rpc_default_options;

	shared.message_max = message_max;
	shared.ring = 1;
	shared.batches = 1;
	return rpc_server_init(ret, loop, &shared, &rpc_client_service);
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
	client->refresh_timer.fire = rpc_client_refresh;
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
		lane_drop(lane);
		timer_cancel(&client->loop->timers, &lane->timer);
		lane->state = LANE_RESTING;
		lane->attempts = 0;
		lane_break_calls(lane);
	}
	for (unsigned i = 0; i < client->options.pool; i++)
		if (client->lanes[i].state == LANE_RESTING)
			lane_dial(&client->lanes[i]);
}

void rpc_client_discard(struct rpc_client *client)
{
	if (client == NULL)
		return;
	for (unsigned i = 0; i < client->options.calls; i++) {
		timer_cancel(&client->loop->timers, &client->slots[i].timer);
		client->slots[i].id = 0;
	}
	rpc_client_free(client);
}

void rpc_client_free(struct rpc_client *client)
{
	if (client == NULL)
		return;
	client->closed = true;
	for (unsigned i = 0; i < client->options.calls; i++)
		if (client->slots[i].id != 0)
			rpc_client_end(&client->slots[i],
				       client->slots[i].lane < 0 ? RPC_REFUSED : RPC_BROKEN,
				       "the client is closed");
	for (unsigned i = 0; i <= client->options.pool; i++) {
		lane_drop(&client->lanes[i]);
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

#include "emulator/rpc/parts.h"

#include "emulator/base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>

const struct rpc_options rpc_default_options = {
	.message_max = 1 << 20,
	.batch_max = 1000,
	.batches = 64,
	.pieces = 16,
	.ring = 1024,
	.token_life_ns = 3600 * NS_PER_S,
	.handshake_ns = 10 * NS_PER_S,
	.ping_ns = 30 * NS_PER_S,
	.pong_ns = 10 * NS_PER_S,
	.close_ns = 2 * NS_PER_S,
	.metrics_ns = NS_PER_S,
	.deflate = true,
	.deflate_min = 1024,
};

/* Address space: what is never used costs no memory. */
static char *reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static size_t ws_bytes(const struct rpc_options *options)
{
	return qn_ws_shared_bytes(options->message_max, options->pieces);
}

int rpc_server_init(struct rpc_server *server, struct loop *loop, const struct rpc_options *options,
		    const struct rpc_service *service)
{
	memset(server, 0, sizeof(*server));
	server->loop = loop;
	server->options = *options;
	server->service = service;
	server->events = 1;
	/* Escapes, heads of frames and of HTTP: what a message may need beyond itself. */
	server->room = options->message_max + 65536;
	server->text = reserve(4 * server->room + RPC_CORK);
	server->ws_memory = reserve(ws_bytes(options));
	if (server->text == NULL || server->ws_memory == NULL)
		goto no_memory;
	server->packed = server->text + server->room;
	server->unit = server->packed + server->room;
	server->message = server->unit + server->room;
	server->cork = server->message + server->room;
	if (!qn_ws_shared_init(&server->ws, server->ws_memory, options->message_max,
			       options->pieces))
		goto no_memory;
	server->gzip = calloc(1, sizeof(*server->gzip));
	/* 31: gzip's head and tail around the whole window. */
	if (server->gzip == NULL ||
	    deflateInit2(server->gzip, Z_BEST_SPEED, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) !=
		    Z_OK ||
	    pool_init(&server->batches, sizeof(struct rpc_batch) + options->message_max,
		      options->batches) < 0 ||
	    rpc_ring_init(server) < 0)
		goto no_memory;
	return 0;
no_memory:
	rpc_server_release(server);
	return -ENOMEM;
}

void rpc_server_release(struct rpc_server *server)
{
	while (server->sessions != NULL)
		rpc_session_end(server->sessions);
	qn_ws_shared_release(&server->ws);
	if (server->gzip != NULL)
		deflateEnd(server->gzip);
	free(server->gzip);
	pool_release(&server->batches);
	free(server->ring);
	if (server->text != NULL)
		munmap(server->text, 4 * server->room + RPC_CORK);
	if (server->ws_memory != NULL)
		munmap(server->ws_memory, ws_bytes(&server->options));
	memset(server, 0, sizeof(*server));
}

/* ---- time ---- */

static void send_control(struct rpc_session *session, uint8_t opcode, struct qn_text payload)
{
	struct rpc_server *server = session->server;
	char unit[QN_WS_HEADER_MAX + QN_WS_CONTROL_MAX];
	struct qn_ws_out out = { .opcode = opcode, .payload = payload, .mask = rpc_mask(server) };
	size_t len = qn_ws_write(&server->ws, session->client ? QN_WS_CLIENT : QN_WS_SERVER, &out,
				 unit, sizeof(unit));

	rpc_out(session, unit, len);
}

static void silent_too_long(struct rpc_session *session)
{
	struct rpc_server *server = session->server;

	if (!session->pinged) {
		session->pinged = true;
		server->stats.pings++;
		loop_timer(server->loop, &session->timer, server->options.pong_ns);
		send_control(session, WSLAY_PING, rpc_nothing);
		return;
	}
	server->stats.pongs_missed++;
	rpc_close(session, QN_WS_POLICY, "no pong in time");
}

static void time_is_up(struct timer *timer, int64_t now_ns)
{
	struct rpc_session *session =
		(struct rpc_session *)((char *)timer - offsetof(struct rpc_session, timer));

	(void)now_ns;
	switch ((enum rpc_state)session->state) {
	case RPC_OPEN: silent_too_long(session); break;
	case RPC_STREAM: rpc_stream_tick(session); break;
	case RPC_HTTP:
		if (session->http_waits) /* it is we who are slow */
			return;
		session->server->service->leave(session);
		break;
	case RPC_CLOSING:
	case RPC_LINGERING: session->server->service->leave(session); break;
	}
}

/* ---- sessions ---- */

static void begin(struct rpc_session *session, struct rpc_server *server, struct net_conn *conn,
		  void *owner, uint32_t scope)
{
	session->server = server;
	session->conn = conn;
	session->owner = owner;
	session->scope = scope;
	session->timer.fire = time_is_up;
	session->authorized = server->options.token == NULL;
	server->stats.sessions++;
	session->prev = NULL;
	session->next = server->sessions;
	if (server->sessions != NULL)
		server->sessions->prev = session;
	server->sessions = session;
}

void rpc_session_begin(struct rpc_session *session, struct rpc_server *server,
		       struct net_conn *conn, void *owner, uint32_t scope)
{
	begin(session, server, conn, owner, scope);
	session->state = RPC_HTTP;
	loop_timer(server->loop, &session->timer, server->options.handshake_ns);
}

void rpc_session_dialled(struct rpc_session *session, struct rpc_server *server,
			 struct net_conn *conn, void *owner, uint32_t scope, bool deflate)
{
	begin(session, server, conn, owner, scope);
	session->client = true;
	session->authorized = true; /* it is we who called */
	session->state = RPC_OPEN;
	session->streams = RPC_EVENTS;
	qn_ws_init(&session->ws, QN_WS_CLIENT, deflate);
	if (server->options.ping_ns > 0)
		loop_timer(server->loop, &session->timer, server->options.ping_ns);
}

void rpc_session_end(struct rpc_session *session)
{
	struct rpc_server *server = session->server;

	if (server == NULL)
		return;
	if (session->prev != NULL)
		session->prev->next = session->next;
	else
		server->sessions = session->next;
	if (session->next != NULL)
		session->next->prev = session->prev;
	timer_cancel(&server->loop->timers, &session->timer);
	qn_ws_drop(&session->ws, &server->ws);
	if (session->batch != NULL)
		pool_put(&server->batches, session->batch);
	session->batch = NULL;
	if (server->current == session)
		server->current = NULL;
	if (server->reading == session) {
		server->reading = NULL;
		server->cork_len = 0;
	}
	session->server = NULL;
}

void rpc_close(struct rpc_session *session, unsigned code, const char *reason)
{
	struct rpc_server *server = session->server;
	char unit[QN_WS_HEADER_MAX + QN_WS_CONTROL_MAX];

	if (session->state != RPC_OPEN) {
		server->service->leave(session);
		return;
	}
	session->state = RPC_CLOSING;
	/* The peer closes in answer; who does not is left. */
	loop_timer(server->loop, &session->timer, server->options.close_ns);
	size_t len = qn_ws_write_close(&server->ws, session->client ? QN_WS_CLIENT : QN_WS_SERVER,
				       code, reason, rpc_mask(server), unit, sizeof(unit));
	rpc_out(session, unit, len);
}

/* ---- a WebSocket's bytes ---- */

static void complain(struct rpc_session *session, const char *why)
{
	if (session->server->service->bad != NULL)
		session->server->service->bad(session, why);
}

static void alive(struct rpc_session *session)
{
	struct rpc_server *server = session->server;

	session->pinged = false;
	/* Armed anew only when it has run half its time: a busy session touches no timer. */
	if (session->state == RPC_OPEN && server->options.ping_ns > 0 &&
	    session->timer.due_ns - server->loop->now_ns < server->options.ping_ns / 2)
		loop_timer(server->loop, &session->timer, server->options.ping_ns);
}

static void peer_closes(struct rpc_session *session, const struct qn_ws_event *event)
{
	struct rpc_server *server = session->server;

	if (session->state == RPC_CLOSING) { /* the answer to ours */
		server->service->leave(session);
		return;
	}
	rpc_close(session, event->code, "");
	if (rpc_gone(server, session))
		return;
	/* RFC 6455, 7.1.1: the server closes first, so that TIME_WAIT is its. */
	if (!session->client)
		server->service->leave(session);
}

static void frame(struct rpc_session *session, enum qn_ws_step step,
		  const struct qn_ws_event *event)
{
	struct rpc_server *server = session->server;

	switch (step) {
	case QN_WS_TEXT: rpc_message(session, event->payload, TAG_TEXT); break;
	case QN_WS_BINARY: rpc_message(session, event->payload, TAG_BINARY); break;
	case QN_WS_PING: send_control(session, WSLAY_PONG, event->payload); break;
	case QN_WS_PONG: break;
	case QN_WS_CLOSED: peer_closes(session, event); break;
	case QN_WS_FAIL:
		server->stats.bad_frames++;
		complain(session, event->why);
		if (rpc_gone(server, session))
			return;
		rpc_close(session, event->code, event->why);
		break;
	case QN_WS_MORE: break;
	}
}

static size_t frames(struct rpc_session *session, const char *bytes, size_t len)
{
	struct rpc_server *server = session->server;
	struct qn_ws_event event = { 0 };
	size_t taken;

	enum qn_ws_step step = qn_ws_next(&session->ws, &server->ws, bytes, len, &taken, &event);
	if (step == QN_WS_MORE)
		return taken;
	alive(session);
	/* After our close frame nothing is answered any more (RFC 6455, 5.5.1). */
	if (session->state == RPC_OPEN || step == QN_WS_CLOSED || step == QN_WS_FAIL)
		frame(session, step, &event);
	return taken;
}

size_t rpc_received(struct rpc_session *session, const char *bytes, size_t len)
{
	struct rpc_server *server = session->server;
	struct rpc_session *before = server->current, *outer = server->reading;
	size_t done = 0;

	/* Another one's answers must not leave with ours. */
	if (outer != NULL && outer != session && server->cork_len > 0) {
		rpc_uncork(outer);
		outer = server->reading;
	}
	server->current = server->reading = session;
	/* What waits for its answer holds up what comes behind it. */
	while (done < len && session->batch == NULL && !session->http_waits) {
		size_t taken;
		if (session->state == RPC_HTTP)
			taken = rpc_http(session, bytes + done, len - done);
		else if (session->state == RPC_OPEN || session->state == RPC_CLOSING)
			taken = frames(session, bytes + done, len - done);
		else
			taken = len - done;
		done += taken;
		if (rpc_gone(server, session)) {
			server->current = before;
			server->reading = outer;
			return len;
		}
		if (taken == 0)
			break;
	}
	if (server->cork_len > 0) {
		rpc_uncork(session);
		if (rpc_gone(server, session))
			done = len;
	}
	server->current = before;
	server->reading = outer;
	return done;
}

bool rpc_ended(struct rpc_session *session)
{
	return !(session->state == RPC_HTTP && session->http_waits) && session->batch == NULL;
}

/*
 * What the files of the RPC client share; nobody else includes this.
 *
 * client.c: calls. client_lanes.c: connections. client_http.c: POST and the stream of events.
 */
#ifndef RPC_CLIENT_PARTS_H
#define RPC_CLIENT_PARTS_H

#include "emulator/rpc/client.h"
#include "proto/http/intake.h"

#include <string.h>

#define LANE_TEXT 49152

enum lane_state {
	LANE_RESTING, /* waits for its time to connect, or has given up */
	LANE_CONNECTING,
	LANE_SHAKING_HANDS,
	LANE_AUTHENTICATING,
	LANE_READY,
	LANE_POSTING, /* by POST: an answer is awaited */
	LANE_STREAM,  /* by POST: the server's events */
};

struct rpc_call_slot {
	uint64_t id; /* 0: free */
	struct timer timer;
	struct rpc_client *client;
	struct rpc_call_slot *next; /* free, or waiting for a connection */
	int16_t lane;               /* -1: not written yet */
	rpc_done *done;
	void *context;
};

/* One connection. */
struct lane {
	struct rpc_client *client;
	struct net_conn *conn;
	struct rpc_session session;
	struct timer timer;
	enum lane_state state;
	unsigned attempts, under_way;
	int64_t began_ns;
	uint8_t nonce[16];
	bool events; /* the one that reads the stream, by POST */
	bool lost;
	/* Calls of this turn, separated by commas. */
	size_t len, count;
	char *text;
};

struct rpc_client {
	struct loop *loop;
	struct net *net;
	struct rpc_client_options options;
	struct rpc_client_stats stats;
	struct rpc_server *server; /* what the sessions share */
	struct rpc_server own;
	struct breaker breaker;
	struct lane *lanes; /* pool of them, and one for events */
	struct rpc_call_slot *slots, *free_slots;
	char *texts;
	uint64_t ids;
	unsigned next_lane;
	struct loop_deferred flush;
	bool flushing, closed;
	uint64_t last_event;
	char refresh[RPC_SECRET_LEN + 1];
	struct timer refresh_timer;
	/* Calls that wait for a connection: texts, one behind the other, each ended by a zero. */
	char *backlog;
	size_t backlog_len;
};

/* client.c */
void rpc_client_end(struct rpc_call_slot *slot, enum rpc_outcome outcome, const char *why);
/* Those calls that waited, as far as connections take them. */
void rpc_client_send_backlog(struct rpc_client *client);
void rpc_client_settle(struct rpc_client *client, const struct qn_jsonrpc_message *message);
void rpc_client_told(struct rpc_client *client, struct qn_text method, struct qn_text params);

/* client_lanes.c */
extern const struct rpc_service rpc_client_service;
/* Those that have given up try again when there is somebody who wants them. */
void rpc_client_wake(struct rpc_client *client);
void rpc_client_refresh(struct timer *timer, int64_t now_ns);
void lane_timer(struct timer *timer, int64_t now_ns);
void lane_drop(struct lane *lane);
void lane_break_calls(struct lane *lane);
void lane_ready(struct lane *lane);
void lane_broken(struct lane *lane, const char *why);
void lane_dial(struct lane *lane);

/* client_http.c */
size_t lane_post_received(struct lane *lane, const char *bytes, size_t len, bool closed);
void lane_post(struct lane *lane, struct qn_text body);
void lane_subscribe(struct lane *lane);
size_t lane_stream_received(struct lane *lane, const char *bytes, size_t len);

#endif

/*
 * JSON-RPC served: over WebSocket, by POST, with REST and SSE beside them, on one port.
 *
 * Purpose: everything between a connection's bytes and "this method, these params": HTTP and the
 * upgrade, frames, deflate, pings, closing, batches, batch.execute, authentication, rate limits,
 * streams that resume. What the methods do is the host's: a virtual target, a control port.
 * Ownership: an rpc_server is a thread's and reserves everything at its start; a session is the
 * host's storage, one a connection. The host owns the connections.
 * A session can end inside every call that answers or sends: the host's send() and leave() may
 * end it. rpc_received() notices by rpc_session_end().
 * Units: ns, bytes. Errors: 0 or -errno from rpc_server_init(). Threads: the loop's.
 * Source: PROTOCOL.md "jsonrpc".
 */
#ifndef RPC_H
#define RPC_H

#include "emulator/base/net.h"
#include "emulator/base/pool.h"
#include "proto/jsonrpc/jsonrpc.h"
#include "proto/ws/ws.h"

struct rpc_server;
struct rpc_session;

struct rpc_options {
	size_t message_max; /* of a WebSocket message, after inflating */
	size_t batch_max;   /* requests in a batch */
	unsigned batches;   /* that are being answered at the same time */
	unsigned pieces;    /* messages that come in pieces at the same time */
	size_t ring;        /* events that a stream can resume from */
	const char *token;  /* who does not know it is answered nothing; NULL: everybody may ask */
	int64_t token_life_ns;
	int64_t rate; /* requests a second and session; 0: no limit */
	int64_t handshake_ns, ping_ns, pong_ns, close_ns; /* ping_ns 0: none are sent */
	int64_t metrics_ns;                               /* between two of a metrics stream */
	bool deflate;
	size_t deflate_min; /* shorter messages go out as they are */
};

/* What a request asks. Texts live during the call. */
struct rpc_call {
	struct qn_text method; /* plain */
	struct qn_text params; /* JSON: an array, an object; empty: none */
	/* What the answer needs to find its way; empty: a notification, never answered. Up to
	 * RPC_TOKEN_KEPT bytes of it fit into what a host keeps. */
	struct qn_text token;
	struct qn_text text; /* the message, for logs */
};
#define RPC_TOKEN_KEPT 96
#define RPC_ID_MAX 1024

/* Streams, and what is told on them. */
enum rpc_stream { RPC_EVENTS = 1, RPC_LOGS = 2, RPC_METRICS = 4 };

struct rpc_service {
	/* Answers by rpc_answer() or rpc_error(), now or later. */
	void (*call)(struct rpc_session *session, const struct rpc_call *call);
	/* The answer to that token will not be wanted any more. False: there is none to come. */
	bool (*cancel)(struct rpc_session *session, struct qn_text token);
	/* An answer to a request of ours; may be NULL. */
	void (*answered)(struct rpc_session *session, const struct qn_jsonrpc_message *message);
	/* The state of a service (empty: of all), as JSON. False: there is no such service. */
	bool (*dashboard)(struct rpc_session *session, struct qn_text service,
			  struct qn_json_writer *w);
	/* Counters, as JSON. */
	void (*metrics)(struct rpc_session *session, struct qn_json_writer *w);
	/* A unit for the wire. */
	void (*send)(struct rpc_session *session, const char *unit, size_t len);
	/* Closes the connection; rpc_session_end() follows before it returns. */
	void (*leave)(struct rpc_session *session);
	/* Something that was not in order. May be NULL. */
	void (*bad)(struct rpc_session *session, const char *why);
	/* A WebSocket is open. May be NULL. */
	void (*opened)(struct rpc_session *session);
};

struct rpc_stats {
	uint64_t sessions, requests, notifications, batches, errors, answers;
	uint64_t upgrades, http_requests, streams, resumed, events_lost;
	uint64_t unauthorized, limited, bad_frames, no_room, pings, pongs_missed;
};

struct rpc_batch;
struct rpc_entry;

/* Those who have authenticated: their names for a session that outlives its connection. */
#define RPC_AUTH_MAX 64
#define RPC_SECRET_LEN 32
struct rpc_auth {
	char id[RPC_SECRET_LEN], refresh[RPC_SECRET_LEN];
	int64_t until_ns;
};

struct rpc_server {
	struct loop *loop;
	struct rpc_options options;
	const struct rpc_service *service;
	struct qn_ws_shared ws;
	struct rpc_stats stats;
	/* Private. */
	void *ws_memory;
	struct pool batches;
	struct rpc_entry *ring;
	uint64_t events;              /* the next one's number; from 1 */
	struct rpc_session *sessions; /* all that have begun and not ended */
	struct rpc_auth auth[RPC_AUTH_MAX];
	unsigned auth_next;
	struct rpc_session *current; /* who is being answered; NULL: it has ended */
	struct rpc_session *reading; /* whose bytes are being read */
	/* Written by one step and read by the next: a message that came, an answer's text, what
	 * that becomes, a unit. */
	char *message, *text, *packed, *unit;
	/* Frames that answer what was read in one piece leave in one piece. */
	char *cork;
	size_t cork_len;
	size_t room;
	struct z_stream_s *gzip;
	char token[RPC_ID_MAX + 16];
	char method[128];
	uint64_t draws; /* under simulated time */
};

enum rpc_state {
	RPC_HTTP,      /* requests, one after the other */
	RPC_OPEN,      /* a WebSocket */
	RPC_CLOSING,   /* our close frame has gone out */
	RPC_STREAM,    /* server-sent events */
	RPC_LINGERING, /* all is said: the peer closes, or a timer does */
};

struct rpc_session {
	struct rpc_server *server;
	struct rpc_session *next, *prev;
	struct net_conn *conn;
	void *owner; /* the host's */
	struct timer timer;
	struct qn_ws ws;
	struct rpc_batch *batch; /* being answered: nothing more is read meanwhile */
	int64_t auth_until_ns;
	int64_t rate_ns; /* when its allowance is whole again */
	uint32_t scope;  /* whose events it sees; RPC_ALL: everybody's */
	uint8_t state;
	uint8_t streams; /* enum rpc_stream */
	uint8_t accepts; /* of the HTTP request that is being answered */
	char answer_tag; /* of the answer that was written last */
	bool client;     /* it dialled: it masks */
	bool http_waits, keep_alive, head_only, pinged, continued, authorized;
	bool uncorked; /* the host's wish: every answer is a unit of its own */
};
#define RPC_ALL UINT32_MAX

int rpc_server_init(struct rpc_server *server, struct loop *loop, const struct rpc_options *options,
		    const struct rpc_service *service);
/* Sessions that are left end without a word: their memory may go before their connections do. */
void rpc_server_release(struct rpc_server *server);
extern const struct rpc_options rpc_default_options;

/* A connection was accepted. `session` is zeroed storage. */
void rpc_session_begin(struct rpc_session *session, struct rpc_server *server,
		       struct net_conn *conn, void *owner, uint32_t scope);
/* A WebSocket that we opened, from behind its handshake on. */
void rpc_session_dialled(struct rpc_session *session, struct rpc_server *server,
			 struct net_conn *conn, void *owner, uint32_t scope, bool deflate);
/* The connection is about to go. */
void rpc_session_end(struct rpc_session *session);
/* As net_handler.received. */
size_t rpc_received(struct rpc_session *session, const char *bytes, size_t len);
/* The peer sends no more. True: the host may close. */
bool rpc_ended(struct rpc_session *session);
/* Says goodbye: a close frame, or nothing. leave() follows in its time. */
void rpc_close(struct rpc_session *session, unsigned code, const char *reason);

/* ---- answering ---- */

/*
 * The unit that answers a token: a frame, an HTTP answer, a part of a batch. Returns its length, 0
 * where `cap` does not hold it. It changes nothing but which answer rpc_send_answer() sends.
 */
size_t rpc_write_answer(struct rpc_session *session, struct qn_text token, struct qn_text result,
			char *unit, size_t cap);
size_t rpc_write_error(struct rpc_session *session, struct qn_text token, int64_t code,
		       const char *message, char *unit, size_t cap);
/* Sends what was written last, or keeps it for its batch. */
void rpc_send_answer(struct rpc_session *session, const char *unit, size_t len);
/*
 * The same in two steps, for a host that sends by itself. rpc_take_answer(): true where the unit is
 * kept, for a batch or for one unit with others, and is not to be sent; len 0 says that it will
 * never come. rpc_answer_sent(): behind the sending.
 */
bool rpc_take_answer(struct rpc_session *session, const char *unit, size_t len);
void rpc_answer_sent(struct rpc_session *session);
/* Both. */
void rpc_answer(struct rpc_session *session, struct qn_text token, struct qn_text result);
void rpc_error(struct rpc_session *session, struct qn_text token, int64_t code,
	       const char *message);

/* For masks, keys and secrets: unpredictable; under simulated time the same in every run. */
void rpc_random(struct rpc_server *server, void *out, size_t len);

/* ---- unasked ---- */

/*
 * Something happened: enters the ring, and gets its number. `name` is an SSE event and the method
 * of a notification; params is JSON, cut out (and counted) where it is longer than an entry.
 */
const struct rpc_entry *rpc_publish(struct rpc_server *server, enum rpc_stream stream,
				    uint32_t scope, const char *name, struct qn_text params);
/* Answers with what the ring holds of what this session sees, as an array. */
void rpc_list(struct rpc_session *session, struct qn_text token);
/* Tells a session, if it listens to such: a notification, or an event of its stream. */
void rpc_push(struct rpc_session *session, const struct rpc_entry *entry);
/* A request of ours to the peer, or (id empty) a notification. Only while RPC_OPEN. */
void rpc_ask(struct rpc_session *session, const char *method, struct qn_text params,
	     struct qn_text id);
/* The unit alone. 0 where it does not fit. */
size_t rpc_write_frame(struct rpc_session *session, struct qn_text text, char *unit, size_t cap);
size_t rpc_write_ask(struct rpc_session *session, const char *method, struct qn_text params,
		     struct qn_text id, char *unit, size_t cap);

#endif

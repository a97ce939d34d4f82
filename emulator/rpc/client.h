/*
 * A JSON-RPC client: a pool of connections to one server, over WebSocket or, where that is blocked,
 * by POST with an SSE stream for what the server says unasked.
 *
 * Purpose: calls with an outcome each. Connections that break are made anew (so many attempts, the
 * pause doubling); a circuit breaker keeps calls from a server that fails; calls of one turn go out
 * as one batch; a token is shown, and refreshed before its time is over.
 * Ownership: everything is reserved by rpc_client_new(). Texts given to callbacks live during them.
 * Outcomes: every call that was accepted ends in exactly one, through its done(). A call that was
 * not written yet waits for a connection, within its own deadline; one that was written and whose
 * connection breaks is BROKEN: whether it was done nobody knows, and it is not repeated.
 * Units: ns. Errors: 0 or -errno. Threads: its loop's. Source: PROTOCOL.md "jsonrpc", "A client".
 */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include "emulator/rpc/breaker.h"
#include "emulator/rpc/rpc.h"

enum rpc_outcome {
	RPC_OK,      /* text: the result */
	RPC_ERROR,   /* text: the error object's message; code */
	RPC_LOST,    /* no answer by its deadline */
	RPC_BROKEN,  /* its connection broke before the answer */
	RPC_REFUSED, /* never written: no connection by then, or the client was closed */
};

struct rpc_answer {
	enum rpc_outcome outcome;
	int64_t code; /* of RPC_ERROR */
	struct qn_text text;
};

typedef void rpc_done(void *context, const struct rpc_answer *answer);

struct rpc_client_options {
	struct net_addr from, to;
	unsigned pool;    /* connections, 1 to RPC_LANES_MAX */
	unsigned calls;   /* under way and waiting, together */
	size_t batch_max; /* calls of one turn in a batch; 1: none are put together */
	unsigned attempts;
	int64_t first_ns, connect_ns, answer_ns;
	uint32_t breaker_failures;
	int64_t breaker_open_ns;
	const char *token; /* NULL: none */
	bool fallback, deflate;
	/* What many clients of a thread can have in common (rpc_client_shared()); NULL: its own. */
	struct rpc_server *shared;
	/* What the server says unasked. May be NULL. */
	void (*told)(void *context, struct qn_text method, struct qn_text params);
	void *context;
};
extern const struct rpc_client_options rpc_client_defaults;
#define RPC_LANES_MAX 64

struct rpc_client_stats {
	uint64_t calls, ok, errors, lost, broken, refused;
	uint64_t connects, connect_failures, batches, told, refreshed;
	unsigned ready;  /* connections that take calls */
	bool by_post;    /* it goes without WebSocket */
	int64_t open_ns; /* how long the last connection took, up to its being ready */
};

struct rpc_client;

/* Parser, zlib's state and rooms for clients; release with rpc_server_release() behind them. 0 or
 * -errno. */
int rpc_client_shared(struct loop *loop, size_t message_max, struct rpc_server *ret);
int rpc_client_new(struct loop *loop, struct net *net, const struct rpc_client_options *options,
		   struct rpc_client **ret);
/* Calls under way end as RPC_REFUSED or RPC_BROKEN. */
void rpc_client_free(struct rpc_client *client);
/* The same, and nobody is told any more. */
void rpc_client_discard(struct rpc_client *client);
/* -ENOBUFS: too many calls; -EAGAIN: the breaker is open. Then done() is never called. */
int rpc_client_call(struct rpc_client *client, const char *method, struct qn_text params,
		    rpc_done *done, void *context);
/* Not answered; lost where no connection is ready. */
void rpc_client_notify(struct rpc_client *client, const char *method, struct qn_text params);
const struct rpc_client_stats *rpc_client_stats(const struct rpc_client *client);
const struct breaker *rpc_client_breaker(const struct rpc_client *client);
/* Where it calls from now on: what is open is closed, calls under way are BROKEN. */
void rpc_client_move(struct rpc_client *client, struct net_addr to);

#endif

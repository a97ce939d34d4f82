/*
 * What the files of the RPC server share; nobody else includes this.
 *
 * server.c: sessions, bytes, time. call.c: messages to calls, batches. answer.c: answers to units.
 * rest.c: HTTP's routes. stream.c: events and the ring. auth.c: who may ask.
 */
#ifndef RPC_PARTS_H
#define RPC_PARTS_H

#include "emulator/rpc/rpc.h"
#include "proto/http/intake.h"

#include <string.h>

/* What a POST may carry: a connection keeps 64 kB of what was not taken yet. */
#define RPC_BODY_MAX 49152

/* How an answer goes back: the first byte of a token. */
enum {
	TAG_TEXT = 't',    /* a text frame */
	TAG_BINARY = 'm',  /* a MessagePack frame */
	TAG_DATA = 'd',    /* a text frame about the data, and the data in a binary one */
	TAG_POST = 'h',    /* the answer to a POST */
	TAG_ACTION = 'r',  /* the same in REST's words */
	TAG_MEMBER = 'B',  /* a member of the session's batch */
	TAG_EXECUTE = 'X', /* an operation of its batch.execute; the id is its index */
};

struct rpc_batch {
	char via;     /* the tag of the whole */
	bool execute; /* of batch.execute; outer: its token */
	bool dispatching;
	uint32_t waiting, count;
	size_t len;
	uint16_t outer_len;
	char outer[RPC_ID_MAX + 16];
	char text[]; /* server->options.message_max */
};

#define RPC_ENTRY_TEXT 448
struct rpc_entry {
	uint64_t number;
	uint32_t scope;
	uint16_t len;
	uint8_t stream;
	char name[41];
	char text[RPC_ENTRY_TEXT];
};

static const struct qn_text rpc_nothing = { NULL, 0 };

static inline struct qn_text rpc_text(const char *text)
{
	return (struct qn_text){ text, strlen(text) };
}

static inline bool rpc_is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* Has the session ended in what was just called? */
static inline bool rpc_gone(const struct rpc_server *server, const struct rpc_session *session)
{
	return server->current != session;
}

/* call.c */
void rpc_message(struct rpc_session *session, struct qn_text text, char tag);
void rpc_collect(struct rpc_session *session, struct qn_text member);
/* A call from REST: a token of its own, no id. */
void rpc_action(struct rpc_session *session, struct qn_text method, struct qn_text params,
		struct qn_text text);

/* answer.c */
#define RPC_CORK 65536
/* Behind whatever is kept for this session. */
void rpc_out(struct rpc_session *session, const char *unit, size_t len);
/* What is kept leaves. */
void rpc_uncork(struct rpc_session *session);
size_t rpc_write_binary(struct rpc_session *session, struct qn_text text, char *unit, size_t cap);
/* A whole text (a batch's, or one answer) by its tag. */
size_t rpc_write_whole(struct rpc_session *session, char tag, struct qn_text text, char *unit,
		       size_t cap);
void rpc_reply(struct rpc_session *session, struct qn_http_page *reply);
uint32_t rpc_mask(struct rpc_server *server);

/* rest.c */
size_t rpc_http(struct rpc_session *session, const char *bytes, size_t len);
void rpc_http_done(struct rpc_session *session);

/* stream.c */
int rpc_ring_init(struct rpc_server *server);
void rpc_stream_begin(struct rpc_session *session, unsigned streams, struct qn_text last_id);
void rpc_stream_tick(struct rpc_session *session);
/* The method stream.subscribe; false: it is another one. */
bool rpc_subscribe_call(struct rpc_session *session, const struct rpc_call *call);

/* auth.c */
bool rpc_auth_ok(const struct rpc_session *session);
bool rpc_auth_bearer(const struct rpc_server *server, struct qn_text authorization);
/* The methods auth.*; false: it is none of them. */
bool rpc_auth_call(struct rpc_session *session, const struct rpc_call *call);
/* False: too many, too fast. */
bool rpc_allowed(struct rpc_session *session);

#endif

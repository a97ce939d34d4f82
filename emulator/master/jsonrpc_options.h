/*
 * The settings of a master's port whose wire is jsonrpc: master.jsonrpc,
 * master.listeners[].jsonrpc.
 *
 * Units: ns, bytes. Ownership: the master's config. Errors: 0 or -errno. Threads: the master's.
 */
#ifndef MASTER_JSONRPC_OPTIONS_H
#define MASTER_JSONRPC_OPTIONS_H

#include "emulator/base/settings.h"
#include "emulator/base/tls_settings.h"
#include "emulator/master/wire.h"

struct master_jsonrpc {
	bool fallback, deflate;
	const char *token; /* "": none */
	int64_t message_max, ping_ns;
	int64_t pool, batch, attempts, first_ns;
	int64_t breaker_failures, breaker_open_ns;
	bool secure;
	struct tls_settings tls;
};
_Static_assert(sizeof(struct master_jsonrpc) <= MASTER_WIRE_OPTIONS_BYTES, "room in a listener");

extern const struct setting_table master_jsonrpc_table;

/* jsonrpc_calls.c: a client for each target, for as long as the master has its address. */
struct jsonrpc_calls;
int jsonrpc_calls_new(struct master_listener *listener, struct jsonrpc_calls **ret);
void jsonrpc_calls_free(struct jsonrpc_calls *calls);
bool jsonrpc_calls_call(struct jsonrpc_calls *calls, struct command *command,
			const struct master_request *request);
/* wire_jsonrpc.c */
const char *jsonrpc_method(enum range_word word);
/* Any result will do, but one that says in our own targets' words that it is of something else. */
bool jsonrpc_fits(enum range_word word, struct qn_text result);

#endif

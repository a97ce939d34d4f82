/*
 * The settings of a master's port whose wire is jsonrpc: master.jsonrpc,
 * master.listeners[].jsonrpc.
 *
 * Units: ns, bytes. Ownership: the master's config. Errors: none. Threads: before they start.
 */
#ifndef MASTER_JSONRPC_OPTIONS_H
#define MASTER_JSONRPC_OPTIONS_H

#include "emulator/base/settings.h"
#include "emulator/master/wire.h"

struct master_jsonrpc {
	bool fallback, deflate;
	const char *token; /* "": none */
	int64_t message_max, ping_ns;
};
_Static_assert(sizeof(struct master_jsonrpc) <= MASTER_WIRE_OPTIONS_BYTES, "room in a listener");

extern const struct setting_table master_jsonrpc_table;

#endif

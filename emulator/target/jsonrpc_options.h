/*
 * What the files of the wire jsonrpc share, and its settings: fleet.groups[].jsonrpc.
 *
 * Units: ns, bytes. Ownership: the group's config. Errors: none. Threads: the target's.
 */
#ifndef TARGET_JSONRPC_OPTIONS_H
#define TARGET_JSONRPC_OPTIONS_H

#include "emulator/base/settings.h"
#include "emulator/base/tls_settings.h"
#include "emulator/target/wire.h"

struct target_jsonrpc {
	bool dial, registers, deflate;
	const char *token; /* "": nobody needs one */
	int64_t rate, message_max, events;
	int64_t ping_ns;
	bool secure;
	struct tls_settings tls;
};
_Static_assert(sizeof(struct target_jsonrpc) <= TARGET_WIRE_OPTIONS_BYTES, "room in a group");

extern const struct setting_table target_jsonrpc_table;

/* The two other shapes of the wire. */
extern const struct target_wire target_wire_jsonrpc_dial, target_wire_jsonrpc_alone;

/* spoil_frame.c, as struct target_wire says. */
struct qn_text target_jsonrpc_describe(const char *unit, size_t len, char *space, size_t cap);
size_t target_jsonrpc_spoil(struct target *target, const struct fault_spec *spec, char *unit,
			    size_t len, size_t cap);

#endif

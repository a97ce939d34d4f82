/*
 * Settings of a group on the wire `framed`. Units: ns, bytes. Ownership: its config's. Errors: told
 * while loading. Threads: before they start.
 */
#ifndef TARGET_WIRE_FRAMED_H
#define TARGET_WIRE_FRAMED_H

#include "emulator/base/settings.h"

struct target_framed {
	int64_t ping_every_ns, ping_timeout_ns;
	int64_t message_limit;
};
extern const struct setting_table target_framed_table;

#endif

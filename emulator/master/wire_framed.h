/*
 * Settings of a master's port on the wire `framed`. Units: bytes. Ownership: its config's. Errors:
 * told while loading. Threads: before they start.
 */
#ifndef MASTER_WIRE_FRAMED_H
#define MASTER_WIRE_FRAMED_H

#include "emulator/base/settings.h"

struct master_framed {
	int64_t message_limit;
};
extern const struct setting_table master_framed_table;

#endif

/*
 * Settings of a master's port on the wire `framed`. Units: bytes. Ownership: its config's. Errors:
 * told while loading. Threads: before they start.
 */
#ifndef MASTER_WIRE_FRAMED_H
#define MASTER_WIRE_FRAMED_H

#include "emulator/base/settings.h"

struct master_framed {
	int64_t message_limit;
	const char *auth; /* "": whoever comes is served */
	int compression;  /* 0: none, 1: zlib */
	int64_t compress_from;
};
extern const struct setting_table master_framed_table;

#endif

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
	const char *auth; /* "": none */
	int compression;  /* enum framed_compression */
	int64_t compress_from;
};
enum framed_compression { FRAMED_COMPRESSION_NONE, FRAMED_COMPRESSION_ZLIB };
extern const struct setting_table target_framed_table;

#endif

/*
 * Settings of a group on the wire `framed`. Units: ns, bytes. Ownership: its config's. Errors: told
 * while loading. Threads: before they start.
 */
#ifndef TARGET_WIRE_FRAMED_H
#define TARGET_WIRE_FRAMED_H

#include "emulator/base/settings.h"
#include "emulator/base/units.h"

#include <stddef.h>

enum framed_talk_what {
	FRAMED_TALK_PING,
	FRAMED_TALK_ECHO,
	FRAMED_TALK_BROADCAST,
	FRAMED_TALK_STATS,
	FRAMED_TALK_CUSTOM,
	FRAMED_TALK_TEXT,
};

/* What each target says beside its own business: framed_talk.h. */
struct framed_talk_options {
	bool present;
	int what; /* enum framed_talk_what */
	struct dist every;
	int64_t bytes, batch, connections;
	int64_t rate_limit; /* messages a second of one target; 0: none */
};
/* A message takes so many bytes more than its content. */
#define FRAMED_TALK_OVERHEAD 2048
#define FRAMED_TALK_BATCH_MAX ((int64_t)4 << 20)

struct target_framed {
	int64_t ping_every_ns, ping_timeout_ns;
	int64_t message_limit;
	const char *auth; /* "": none */
	int compression;  /* enum framed_compression */
	int64_t compress_from;
	struct framed_talk_options talk;
};
enum framed_compression { FRAMED_COMPRESSION_NONE, FRAMED_COMPRESSION_ZLIB };
extern const struct setting_table target_framed_table;

#endif

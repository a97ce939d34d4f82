/*
 * What a master is told about the wire `agent`: the setting `agent` of it, or of one of its
 * listeners.
 *
 * Units: nanoseconds. Ownership: strings belong to their struct settings. Errors: told to them.
 * Threads: before they start.
 */
#ifndef MASTER_WIRE_AGENT_H
#define MASTER_WIRE_AGENT_H

#include "emulator/base/tls_settings.h"

/* Who may come, how it is known, and from where. */
struct master_agent_entry {
	const char *id;          /* a name, or its beginning and "*" */
	const char *secret;      /* "%s" in it stands for the id that was said */
	const char *secret_hash; /* of 64 hexadecimal digits, instead */
	struct setting_strings addresses;
	struct setting_origin origin;
};

/* What a round's ping is on this wire. */
enum master_agent_ping { MASTER_AGENT_NOOP, MASTER_AGENT_ECHO, MASTER_AGENT_PING };

struct master_agent_options {
	struct setting_list agents; /* struct master_agent_entry */
	const char *version;
	int64_t ping_interval_ns, ping_timeout_ns;
	int ping;
	struct tls_settings tls;
};
extern const struct setting_table master_agent_table;

void master_agent_check(struct settings *settings, const struct setting_origin *origin,
			void *options);

/* Why not, or NULL: it may come. */
const char *master_agent_judge(const struct master_agent_options *options, const char *id,
			       size_t id_len, const char *secret, size_t secret_len, uint32_t ip);

#endif

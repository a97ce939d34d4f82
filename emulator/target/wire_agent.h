/*
 * What the targets of a group are told about the wire `agent`: the setting `agent` of a group.
 *
 * Units: nanoseconds. Ownership: strings belong to their struct settings. Errors: told to them.
 * Threads: before they start.
 */
#ifndef TARGET_WIRE_AGENT_H
#define TARGET_WIRE_AGENT_H

#include "emulator/base/tls_settings.h"

struct target_agent_options {
	const char *secret; /* "%s" in it stands for the target's name */
	const char *version;
	int64_t hello_timeout_ns, ping_interval_ns, ping_timeout_ns;
	int64_t retry_first_ns, retry_max_ns;
	struct tls_settings tls;
};
extern const struct setting_table target_agent_table;

#endif

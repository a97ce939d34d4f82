/*
 * The settings of whoever speaks TLS: files, names, how long a handshake may take.
 *
 * Purpose: one table for every wire that has certificates, and a net out of it.
 * Units: nanoseconds. Ownership: strings belong to their struct settings.
 * Errors: 0 or -errno, and trouble_say() has said why. Threads: before they start.
 */
#ifndef TLS_SETTINGS_H
#define TLS_SETTINGS_H

#include "emulator/base/net_tls.h"
#include "emulator/base/settings.h"

struct tls_settings {
	const char *ca, *cert, *key;
	const char *hostname; /* "": the address that is connected to */
	bool check_hostname;
	int64_t handshake_timeout_ns;
};
extern const struct setting_table tls_settings_table;

/* options: what is not in the settings is the caller's to fill. Both are to be freed. */
int tls_settings_open(const struct tls_settings *settings, struct net *below,
		      struct net_tls_options *options, struct tls_context **ret_context,
		      struct net **ret_net);

#endif

/*
 * A fleet as a config file describes it.
 *
 * Purpose: the tables of the settings `fleet` and `fleet.groups[]`, and the checks that need more
 * than one setting. Units: ns, host byte order. Ownership: lives as long as its struct settings.
 * Errors: told to struct settings. Threads: before they start.
 */
#ifndef FLEET_CONFIG_H
#define FLEET_CONFIG_H

#include "emulator/base/settings.h"
#include "emulator/fleet/addresses.h"
#include "emulator/target/target.h"

struct host_config {
	const char *host;
	int64_t port;
	bool has_port;
};
/* The IPv4 address of a dotted quad or a name; an error where it is neither. */
struct net_addr host_resolve(struct settings *settings, const struct setting_origin *origin,
			     const char *setting, const struct host_config *host);

enum fleet_listen { FLEET_LISTEN_AUTO, FLEET_LISTEN_EACH };

struct group_config {
	const char *name; /* "target_%d" */
	const char *label;
	int64_t count, first;
	struct setting_strings addresses, tags;
	struct setting_list faults; /* struct fault_spec */
	int64_t start;              /* so many are switched on at the start; -1: all */
	int wire;
	int64_t port, master_port;
	int profile;
	int reply;
	struct dist boot, rise, fall;
	struct {
		double probability;
		struct dist after;
		int64_t value;
		int report;
		struct host_config report_to;
	} hit;
	int64_t poll_ns, line_limit, connections_max, queue_max;
	/* Of its own wire and of the others, which then have their defaults. */
	_Alignas(8) unsigned char options[WIRE_COUNT][TARGET_WIRE_OPTIONS_BYTES];
	struct setting_origin origin;

	/* Filled by fleet_config_check(). */
	struct target_group shared;
	struct target_group_run run;
	struct address_list list;
};

struct fleet_config {
	bool present;
	struct host_config master;
	int64_t port;
	int listen;
	double ramp_per_s;
	int64_t answer_timeout_ns;
	struct {
		int64_t attempts, first_ns, max_ns;
	} retry;
	struct {
		int64_t every_ns, silence_ns;
	} reregister;
	int64_t connections_max; /* 0: what the descriptors allow */
	int64_t buffer_bytes;
	struct setting_list groups; /* struct group_config */
	struct setting_origin origin;

	/* Filled by fleet_config_check(). */
	size_t talkers; /* connections that load a server, beside those of the targets */
	uint32_t targets;
	const char **names; /* of all targets, by number */
	uint32_t *ips;
};

extern const struct setting_table fleet_table;

/* After loading: expands names and addresses, finds clashes, resolves the master. */
void fleet_config_check(struct settings *settings, struct fleet_config *fleet);

#endif

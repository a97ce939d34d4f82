/*
 * A fleet: the targets of a config, switched on one after the other.
 *
 * Purpose: builds the targets, ramps them up, answers questions about them.
 * Ownership: fleet_new() takes all memory at once; the config must outlive it. fleet_free()
 * releases the targets, before the net is freed. Errors: 0 or -errno. Threads: its loop's.
 */
#ifndef FLEET_H
#define FLEET_H

#include "emulator/base/select.h"
#include "emulator/fleet/config.h"

struct fleet {
	struct target_env env;
	const struct fleet_config *config;
	struct target *targets;
	struct target_move *moves;
	uint32_t count;
	size_t open_groups;                   /* so many of the config's, for close_groups() */
	uint32_t to_start, switched_on, next; /* of the ramp */
	struct timer ramp;
	int64_t ramp_start_ns;
	struct selector_subject subject;
};

int fleet_new(struct loop *loop, struct net *net, struct events *events,
	      const struct fleet_config *config, uint64_t seed, struct fleet **ret);
void fleet_start(struct fleet *fleet);
void fleet_free(struct fleet *fleet);

#endif

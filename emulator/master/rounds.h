/*
 * Rounds: what a master sends, in the order of its config.
 *
 * Purpose: waits for the targets, sends each round to those that its selector names, ends.
 * Ownership: rounds_new() reserves all it needs; the master and the config outlive it.
 * Errors: 0 or -errno. Threads: its loop's.
 */
#ifndef ROUNDS_H
#define ROUNDS_H

#include "emulator/master/config.h"

struct rounds;

/* finished() is called once, at the end of a turn or timer, when the last round has ended. */
int rounds_new(struct loop *loop, struct master *master, struct events *events,
	       const struct master_config *config, void (*finished)(void *context), void *context,
	       struct rounds **ret);
void rounds_start(struct rounds *rounds);
void rounds_free(struct rounds *rounds);

bool rounds_waiting(const struct rounds *rounds); /* for targets to register */
bool rounds_finished(const struct rounds *rounds);
/* The wait for targets ran out: so many were there; -1: it did not. */
int64_t rounds_short_of(const struct rounds *rounds);
/* Commands that a selector named and that found no target or no room. */
uint64_t rounds_unsent(const struct rounds *rounds);
/* "round 2 of 4: stand_up" for the live view; NULL when none is under way. */
const char *rounds_describe(const struct rounds *rounds, char *buf, size_t cap);

#endif

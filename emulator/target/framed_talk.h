/*
 * Talk: what makes a fleet load a server of the wire `framed`, beside what targets do.
 *
 * Purpose: each target that is registered keeps some more connections, anonymous clients, and sends
 * batches of messages over them: one write of `batch` frames, then the next when it is due and all
 * of these were answered. Answers come in order on a connection, so each belongs to the oldest
 * message; its type must fit, and an echo must be what was sent.
 * Latency is counted from when a batch was due, not from when it could be sent at last: a server
 * that stalls is not let off what it kept from being asked.
 * Units: ns, bytes. Ownership: of a group, from framed_talk_open() to framed_talk_close(). Errors:
 * 0 or -errno. Threads: the targets'.
 */
#ifndef FRAMED_TALK_H
#define FRAMED_TALK_H

#include "emulator/base/framed_zip.h"
#include "emulator/target/wire_framed.h"

struct framed_talk;
struct target;
struct target_env;
struct target_group;

/* *ret NULL where the group's config has no talk. */
int framed_talk_open(struct target_env *env, const struct target_group *group,
		     struct framed_talk **ret);
/* All of them are silent by then. May be NULL. */
void framed_talk_close(struct framed_talk *talk);

/* The target is registered; it is no more. talk may be NULL. */
void framed_talk_begin(struct framed_talk *talk, struct target *target);
void framed_talk_end(struct framed_talk *talk, const struct target *target);

#endif

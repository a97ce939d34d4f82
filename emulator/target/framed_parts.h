/*
 * What the files of the wire `framed` share on the targets' side. Ownership, errors, threads: as
 * wire.h says.
 */
#ifndef TARGET_FRAMED_PARTS_H
#define TARGET_FRAMED_PARTS_H

#include "emulator/base/framed_zip.h"
#include "emulator/target/framed_talk.h"
#include "emulator/target/parts.h"
#include "emulator/target/wire_framed.h"

/* What the targets of a group share: group->run->wire. */
struct framed_run {
	struct framed_zip *zip;   /* NULL: they do not ask for it */
	struct framed_talk *talk; /* NULL: they have nothing more to say */
};

/* As target_wire.check. */
void target_framed_check(struct settings *settings, const struct setting_origin *origin,
			 void *options);

/* Room for what a connection asks for first: a token, every byte of it escaped, and zlib. */
#define FRAMED_OFFER_MAX 2048
/* Those requests as frames, as its config and faults have them, and how many. Their length. */
size_t framed_offer(struct target *target, char *unit, size_t cap, uint32_t *ret_count);

#endif

/*
 * A queue of byte records between two threads: one puts, one takes, nobody waits.
 *
 * Purpose: hands records of any length from the loop to a writer. Putting is a copy and one store:
 * no lock, no system call, no memory taken. What does not fit is refused and counted by the caller.
 * Records lie in one piece and 8-byte aligned: one that would run over the end starts anew at the
 * beginning, the rest is skipped.
 * Units: bytes. `put` and `taken` count all bytes that ever went through, and wrap; what lies
 * between them is in use. Every record begins with its whole length in 8 bytes.
 * Ownership: ring_release() what ring_init() took; all of it is reserved and touched at once. A
 * record belongs to the taking side from ring_peek() to ring_pop().
 * Errors: ring_init() 0 or -errno; ring_begin() NULL where the record does not fit.
 * Threads: ring_begin(), ring_commit() and ring_crowded() are for one thread, ring_peek(),
 * ring_pop() and ring_calm() for one other.
 */
#ifndef RING_H
#define RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_ALIGN 8
#define RING_BYTES_MIN 4096

struct ring {
	unsigned char *bytes;
	size_t size; /* a power of two */
	/* The putting side's line. */
	_Alignas(64) _Atomic size_t put;
	size_t begun; /* where the record under way ends */
	size_t taken_seen;
	/* The taking side's line. */
	_Alignas(64) _Atomic size_t taken;
	size_t put_seen;
	/* Both: the putting side asked for attention. Written rarely. */
	_Alignas(64) atomic_bool crowded;
};

/* `bytes` is rounded up to a power of two, at least RING_BYTES_MIN. 0 or -ENOMEM. */
int ring_init(struct ring *ring, size_t bytes);
void ring_release(struct ring *ring);
/* The longest record that an empty ring is sure to take. */
static inline size_t ring_record_max(const struct ring *ring)
{
	return ring->size / 4 - RING_ALIGN;
}

/* Room for a record of len bytes, or NULL. It is handed over by ring_commit(), which must follow.
 */
void *ring_begin(struct ring *ring, size_t len);
void ring_commit(struct ring *ring);
/* After a commit: true once when more than half is in use, until the other side says ring_calm().
 */
bool ring_crowded(struct ring *ring);

/* The oldest record, or NULL; as long as its own length rounded up to RING_ALIGN. */
const void *ring_peek(struct ring *ring);
void ring_pop(struct ring *ring);
void ring_calm(struct ring *ring);

#endif

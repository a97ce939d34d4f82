#include "emulator/results/ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* In place of a length: the rest of the bytes up to the end is no record. */
#define SKIP UINT64_MAX

int ring_init(struct ring *ring, size_t bytes)
{
	size_t size = RING_BYTES_MIN;

	while (size < bytes && size < SIZE_MAX / 4)
		size *= 2;
	/* Populated now: the first turn through the ring must not fault its pages in one by one. */
	void *space = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (space == MAP_FAILED)
		return -ENOMEM;
	memset(ring, 0, sizeof(*ring));
	ring->bytes = space;
	ring->size = size;
	atomic_init(&ring->put, 0);
	atomic_init(&ring->taken, 0);
	atomic_init(&ring->crowded, false);
	return 0;
}

void ring_release(struct ring *ring)
{
	if (ring->bytes != NULL)
		munmap(ring->bytes, ring->size);
	ring->bytes = NULL;
}

static uint64_t *length_at(const struct ring *ring, size_t position)
{
	return (uint64_t *)(void *)(ring->bytes + (position & (ring->size - 1)));
}

/* Is there room up to `end`? Looks at the other side's counter only when its own memory says no. */
static bool fits(struct ring *ring, size_t end)
{
	if (end - ring->taken_seen <= ring->size)
		return true;
	ring->taken_seen = atomic_load_explicit(&ring->taken, memory_order_acquire);
	return end - ring->taken_seen <= ring->size;
}

void *ring_begin(struct ring *ring, size_t len)
{
	size_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
	size_t to_end = ring->size - (put & (ring->size - 1));
	size_t need = (len + RING_ALIGN + (RING_ALIGN - 1)) & ~(size_t)(RING_ALIGN - 1);

	if (len > ring_record_max(ring))
		return NULL;
	size_t skip = need > to_end ? to_end : 0;
	if (!fits(ring, put + skip + need))
		return NULL;
	if (skip > 0)
		*length_at(ring, put) = SKIP;
	uint64_t *length = length_at(ring, put + skip);
	*length = need;
	ring->begun = put + skip + need;
	return length + 1;
}

void ring_commit(struct ring *ring)
{
	atomic_store_explicit(&ring->put, ring->begun, memory_order_release);
}

bool ring_crowded(struct ring *ring)
{
	size_t put = ring->begun;

	if (put - ring->taken_seen <= ring->size / 2)
		return false;
	ring->taken_seen = atomic_load_explicit(&ring->taken, memory_order_acquire);
	if (put - ring->taken_seen <= ring->size / 2)
		return false;
	if (atomic_load_explicit(&ring->crowded, memory_order_relaxed))
		return false;
	return !atomic_exchange_explicit(&ring->crowded, true, memory_order_acq_rel);
}

const void *ring_peek(struct ring *ring)
{
	size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

	if (taken == ring->put_seen) {
		ring->put_seen = atomic_load_explicit(&ring->put, memory_order_acquire);
		if (taken == ring->put_seen)
			return NULL;
	}
	const uint64_t *length = length_at(ring, taken);
	if (*length == SKIP) {
		/* Skipped bytes and the record behind them are committed together. */
		taken += ring->size - (taken & (ring->size - 1));
		assert(taken < ring->put_seen);
		atomic_store_explicit(&ring->taken, taken, memory_order_release);
		length = length_at(ring, taken);
	}
	return length + 1;
}

void ring_pop(struct ring *ring)
{
	size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

	atomic_store_explicit(&ring->taken, taken + (size_t)*length_at(ring, taken),
			      memory_order_release);
}

void ring_calm(struct ring *ring)
{
	atomic_store_explicit(&ring->crowded, false, memory_order_release);
}

/*
 * Records for the tests of the ring: a number, and bytes that only that number gives.
 *
 * Ownership: none. Errors: by result. Threads: none of its own.
 */
#ifndef TEST_RING_ITEMS_H
#define TEST_RING_ITEMS_H

#include "emulator/base/rng.h"
#include "emulator/results/ring.h"

#include <string.h>

struct item {
	uint64_t number;
	uint32_t len, sum;
};

static inline uint32_t item_fill(unsigned char *bytes, uint32_t len, uint64_t number)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++) {
		bytes[i] = (unsigned char)(number * 31 + i);
		sum = sum * 33 + bytes[i];
	}
	return sum;
}

static inline bool item_put(struct ring *ring, uint64_t number, uint32_t len)
{
	struct item *item = ring_begin(ring, sizeof(*item) + len);

	if (item == NULL)
		return false;
	item->number = number;
	item->len = len;
	item->sum = item_fill((unsigned char *)(item + 1), len, number);
	ring_commit(ring);
	return true;
}

/* True where the oldest record is that one, unharmed. */
static inline bool item_take(struct ring *ring, uint64_t number)
{
	const struct item *item = ring_peek(ring);
	unsigned char bytes[4096];

	if (item == NULL || item->number != number || item->len > sizeof(bytes))
		return false;
	bool same = item_fill(bytes, item->len, number) == item->sum &&
		    memcmp(bytes, item + 1, item->len) == 0;
	ring_pop(ring);
	return same;
}

static inline uint32_t item_length(uint64_t number, uint32_t most)
{
	return (uint32_t)rng_below(rng_draw(5, 0, RNG_GENERATE, number), most + 1);
}

#endif

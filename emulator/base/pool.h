/*
 * Pools: objects of one size, and buffers of a few sizes, reserved before the work begins.
 *
 * Purpose: no malloc on the message path, and a limit that a config can move: an empty pool is an
 * outcome that the caller counts, never growth.
 * Ownership: the pool owns its memory; release it after everything that came from it.
 * Errors: NULL when it is empty. Threads: one.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	char *memory;
	void *free_list;
	size_t object_size, capacity;
	size_t fresh; /* objects from here on were never used: their pages cost nothing yet */
	size_t used, used_max;
};

/* 0 or -ENOMEM. */
int pool_init(struct pool *pool, size_t object_size, size_t capacity);
void pool_release(struct pool *pool);
/* Not zeroed. */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *object);

/* The i-th object that was ever used (i < fresh), be it in use or not. */
static inline void *pool_at(const struct pool *pool, size_t i)
{
	return pool->memory + i * pool->object_size;
}

/* Buffers for what a read left over or a write could not send: 1 kB, 4 kB, ... 4 MB. */
#define BUFFERS_CLASSES 7
#define BUFFER_LARGEST ((size_t)1024 << (2 * (BUFFERS_CLASSES - 1)))

struct buffers {
	struct pool classes[BUFFERS_CLASSES];
};

struct buffer {
	char *at;
	uint32_t len, cap;
};

/* Of each size as many as make a quarter of `bytes`, and at least two. */
int buffers_init(struct buffers *buffers, size_t bytes);
void buffers_release(struct buffers *buffers);
/* Makes room for `more` bytes behind len, moving to a larger class. 0, or -ENOBUFS (unchanged). */
int buffer_reserve(struct buffers *buffers, struct buffer *buffer, size_t more);
/* Drops n bytes from the front; an empty buffer goes back to its pool. */
void buffer_drop(struct buffers *buffers, struct buffer *buffer, size_t n);
void buffer_free(struct buffers *buffers, struct buffer *buffer);

#endif

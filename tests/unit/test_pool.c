/*
 * Pools and buffers: what they hold, how they grow, what they do when nothing is left.
 */
#include "emulator/base/pool.h"
#include "emulator/base/rng.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

Test(pool, gives_its_capacity_and_no_more)
{
	struct pool pool;
	char *objects[100];

	cr_assert_eq(pool_init(&pool, 40, 100), 0);
	for (int i = 0; i < 100; i++) {
		objects[i] = pool_get(&pool);
		cr_assert_not_null(objects[i]);
		cr_assert_eq((uintptr_t)objects[i] % 16, 0);
		memset(objects[i], i, 40);
	}
	cr_expect_null(pool_get(&pool));
	cr_expect(pool.used == 100 && pool.used_max == 100);
	for (int i = 0; i < 100; i++)
		for (int byte = 0; byte < 40; byte++)
			cr_assert_eq(objects[i][byte], i, "object %d overlaps another", i);
	pool_put(&pool, objects[42]);
	cr_expect_eq(pool.used, 99);
	cr_expect_eq(pool_get(&pool), objects[42], "the one that is warm");
	cr_expect_null(pool_get(&pool));
	pool_release(&pool);
}

Test(pool, any_order_of_giving_back)
{
	struct pool pool;
	void *held[64];
	size_t n = 0;

	cr_assert_eq(pool_init(&pool, 8, 64), 0);
	for (uint64_t step = 0; step < 20000; step++) {
		uint64_t bits = rng_draw(3, 0, RNG_GENERATE, step);
		if (bits % 2 == 0 && n < 64) {
			held[n] = pool_get(&pool);
			cr_assert_not_null(held[n]);
			for (size_t i = 0; i < n; i++)
				cr_assert_neq(held[i], held[n], "given out twice");
			n++;
		} else if (n > 0) {
			size_t i = rng_below(bits, n);
			pool_put(&pool, held[i]);
			held[i] = held[--n];
		}
		cr_assert_eq(pool.used, n);
	}
	pool_release(&pool);
}

Test(pool, odd_capacities)
{
	struct pool pool = { 0 };

	cr_expect_eq(pool_init(&pool, 1, 0), 0, "none is one");
	void *one = pool_get(&pool);
	cr_expect(one != NULL && pool_get(&pool) == NULL);
	pool_release(&pool);
	pool_release(&pool); /* harmless */
	cr_expect_eq(pool_init(&pool, 64, SIZE_MAX / 64), -ENOMEM);
	cr_expect_eq(pool_init(&pool, 64, SIZE_MAX / 64 + 2), -ENOMEM, "not what it wraps to");
	cr_expect_null(pool.memory, "untouched");
}

/* ---- buffers ---- */

static size_t used_buffers(const struct buffers *buffers)
{
	size_t used = 0;

	for (int cls = 0; cls < BUFFERS_CLASSES; cls++)
		used += buffers->classes[cls].used;
	return used;
}

static int put(struct buffers *buffers, struct buffer *buffer, size_t n, unsigned *value)
{
	int rc = buffer_reserve(buffers, buffer, n);

	for (size_t i = 0; rc == 0 && i < n; i++)
		buffer->at[buffer->len++] = (char)(*value)++;
	return rc;
}

static void expect_bytes(const struct buffer *buffer, unsigned first)
{
	for (size_t i = 0; i < buffer->len; i++)
		cr_assert_eq(buffer->at[i], (char)(first + i), "byte %zu", i);
}

Test(pool, a_buffer_grows_through_its_classes)
{
	struct buffers buffers;
	struct buffer buffer = { 0 };
	unsigned written = 0, dropped = 0;

	cr_assert_eq(buffers_init(&buffers, 1 << 20), 0);
	cr_assert_eq(put(&buffers, &buffer, 1, &written), 0);
	cr_expect_eq(buffer.cap, 1024);
	cr_assert_eq(put(&buffers, &buffer, 1023, &written), 0);
	cr_expect_eq(buffer.cap, 1024, "it fits to the last byte");
	cr_assert_eq(put(&buffers, &buffer, 1, &written), 0);
	cr_expect_eq(buffer.cap, 4096);
	cr_assert_eq(put(&buffers, &buffer, 60000, &written), 0);
	cr_expect_eq(buffer.cap, 65536);
	cr_expect_eq(used_buffers(&buffers), 1, "the smaller ones went back");
	expect_bytes(&buffer, 0);
	buffer_drop(&buffers, &buffer, 60999);
	dropped = 60999;
	expect_bytes(&buffer, dropped);
	cr_assert_eq(put(&buffers, &buffer, BUFFER_LARGEST - buffer.len, &written), 0);
	cr_expect_eq(buffer.cap, BUFFER_LARGEST);
	expect_bytes(&buffer, dropped);
	struct buffer before = buffer;
	cr_expect_eq(put(&buffers, &buffer, 1, &written), -ENOBUFS, "no class is larger");
	cr_expect(buffer.at == before.at && buffer.len == before.len && buffer.cap == before.cap);
	cr_expect_eq(buffer_reserve(&buffers, &buffer, SIZE_MAX - 10), -ENOBUFS);
	buffer_drop(&buffers, &buffer, buffer.len);
	cr_expect_null(buffer.at, "an empty buffer goes back");
	cr_expect_eq(used_buffers(&buffers), 0);
	buffer_free(&buffers, &buffer); /* harmless */
	buffers_release(&buffers);
}

Test(pool, larger_buffers_stand_in_and_then_none)
{
	struct buffers buffers;
	struct buffer buffer[2 * BUFFERS_CLASSES + 1] = { 0 };
	unsigned written = 0;

	cr_assert_eq(buffers_init(&buffers, 0), 0); /* two a class */
	for (int i = 0; i < 2 * BUFFERS_CLASSES; i++) {
		cr_assert_eq(put(&buffers, &buffer[i], 10, &written), 0);
		cr_expect_eq(buffer[i].cap, (uint32_t)1024 << (i / 2 * 2));
	}
	cr_expect_eq(put(&buffers, &buffer[2 * BUFFERS_CLASSES], 10, &written), -ENOBUFS);
	cr_expect(buffer[2 * BUFFERS_CLASSES].at == NULL && buffer[2 * BUFFERS_CLASSES].len == 0);
	for (int i = 0; i < 2 * BUFFERS_CLASSES; i++)
		expect_bytes(&buffer[i], (unsigned)i * 10);
	cr_expect_eq(buffer_reserve(&buffers, &buffer[0], 2000), -ENOBUFS, "all are taken");
	expect_bytes(&buffer[0], 0);
	buffer_free(&buffers, &buffer[2 * BUFFERS_CLASSES - 1]);
	cr_expect_eq(buffer_reserve(&buffers, &buffer[0], 2000), 0);
	expect_bytes(&buffer[0], 0);
	for (int i = 0; i < 2 * BUFFERS_CLASSES; i++)
		buffer_free(&buffers, &buffer[i]);
	cr_expect_eq(used_buffers(&buffers), 0, "each went back to its own class");
	buffers_release(&buffers);
}

/* The queue between the loop and the writer: order, fullness, and two threads at once. */
#include "emulator/base/rng.h"
#include "emulator/results/ring.h"

#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

struct item {
	uint64_t number;
	uint32_t len, sum;
};

static uint32_t fill(unsigned char *bytes, uint32_t len, uint64_t number)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++) {
		bytes[i] = (unsigned char)(number * 31 + i);
		sum = sum * 33 + bytes[i];
	}
	return sum;
}

static bool put(struct ring *ring, uint64_t number, uint32_t len)
{
	struct item *item = ring_begin(ring, sizeof(*item) + len);

	if (item == NULL)
		return false;
	item->number = number;
	item->len = len;
	item->sum = fill((unsigned char *)(item + 1), len, number);
	ring_commit(ring);
	return true;
}

/* True where the oldest record is that one, unharmed. */
static bool take(struct ring *ring, uint64_t number)
{
	const struct item *item = ring_peek(ring);
	unsigned char bytes[4096];

	if (item == NULL || item->number != number || item->len > sizeof(bytes))
		return false;
	bool same = fill(bytes, item->len, number) == item->sum &&
		    memcmp(bytes, item + 1, item->len) == 0;
	ring_pop(ring);
	return same;
}

static uint32_t length_of(uint64_t number, uint32_t most)
{
	return (uint32_t)rng_below(rng_draw(5, 0, RNG_GENERATE, number), most + 1);
}

Test(ring, size_is_a_power_of_two)
{
	struct ring ring;

	cr_assert(ring_init(&ring, 1) == 0);
	cr_expect(ring.size == RING_BYTES_MIN);
	ring_release(&ring);
	cr_assert(ring_init(&ring, 5000) == 0);
	cr_expect(ring.size == 8192);
	ring_release(&ring);
	cr_expect(ring_init(&ring, SIZE_MAX) < 0);
}

Test(ring, order_and_bytes_survive_wrapping)
{
	struct ring ring;
	uint64_t in = 0, out = 0;
	bool same = true;

	cr_assert(ring_init(&ring, RING_BYTES_MIN) == 0);
	uint32_t most = (uint32_t)(ring_record_max(&ring) - sizeof(struct item));
	/* Bursts of all sizes against a model of two numbers: what went in first comes out first.
	 */
	for (int turn = 0; turn < 20000; turn++) {
		uint64_t burst = rng_below(rng_draw(6, 0, RNG_GENERATE, (uint64_t)turn), 12);
		for (uint64_t i = 0; i < burst; i++)
			in += put(&ring, in, length_of(in, most));
		burst = rng_below(rng_draw(7, 0, RNG_GENERATE, (uint64_t)turn), 12);
		for (uint64_t i = 0; i < burst && out < in; i++)
			same &= take(&ring, out++);
	}
	while (out < in)
		same &= take(&ring, out++);
	cr_expect(same);
	cr_expect(in > 20000, "%llu", (unsigned long long)in);
	cr_expect(ring_peek(&ring) == NULL);
	ring_release(&ring);
}

Test(ring, full_refuses_and_keeps_what_it_has)
{
	struct ring ring;
	uint64_t in = 0;

	cr_assert(ring_init(&ring, RING_BYTES_MIN) == 0);
	while (put(&ring, in, 100))
		in++;
	cr_expect(in == RING_BYTES_MIN / (RING_ALIGN + sizeof(struct item) + 104), "%llu",
		  (unsigned long long)in);
	cr_expect(!put(&ring, in, 100));
	cr_expect(take(&ring, 0));
	cr_expect(put(&ring, in, 100));
	cr_expect(!put(&ring, in, 100));
	for (uint64_t i = 1; i <= in; i++)
		cr_expect(take(&ring, i));
	cr_expect(ring_peek(&ring) == NULL);
	ring_release(&ring);
}

Test(ring, a_record_may_be_a_quarter_and_no_more)
{
	struct ring ring;

	cr_assert(ring_init(&ring, RING_BYTES_MIN) == 0);
	size_t most = ring_record_max(&ring);
	cr_expect(ring_begin(&ring, most + 1) == NULL);
	/* Wherever the ring stands, an empty one takes it. */
	for (uint64_t i = 0; i < 100; i++) {
		cr_expect(put(&ring, i, (uint32_t)(most - sizeof(struct item))));
		cr_expect(take(&ring, i));
		cr_expect(put(&ring, i, (uint32_t)(i % 7)));
		cr_expect(take(&ring, i));
	}
	ring_release(&ring);
}

Test(ring, more_than_half_is_said_once)
{
	struct ring ring;
	unsigned said = 0;
	uint64_t in = 0;

	cr_assert(ring_init(&ring, RING_BYTES_MIN) == 0);
	while (put(&ring, in, 40)) {
		in++;
		bool crowded = ring_crowded(&ring);
		said += crowded;
		if (crowded)
			cr_expect(in * 64 > RING_BYTES_MIN / 2 &&
				  in * 64 <= RING_BYTES_MIN / 2 + 64);
	}
	cr_expect(said == 1);
	ring_calm(&ring);
	cr_expect(take(&ring, 0));
	cr_expect(put(&ring, in, 40));
	cr_expect(ring_crowded(&ring));
	cr_expect(!ring_crowded(&ring));
	ring_release(&ring);
}

/* ---- two threads ---- */

#define ACROSS 200000

struct across {
	struct ring ring;
	atomic_bool ended;
	uint64_t taken;
	bool same;
};

static void *take_all(void *context)
{
	struct across *across = context;

	for (;;) {
		bool ended = atomic_load(&across->ended);
		while (ring_peek(&across->ring) != NULL)
			across->same &= take(&across->ring, across->taken++);
		ring_calm(&across->ring);
		if (ended)
			return NULL;
		sched_yield();
	}
}

Test(ring, two_threads_lose_nothing)
{
	static struct across across = { .same = true };
	uint64_t refused = 0;
	pthread_t thread;

	cr_assert(ring_init(&across.ring, 16384) == 0);
	cr_assert(pthread_create(&thread, NULL, take_all, &across) == 0);
	for (uint64_t i = 0; i < ACROSS; i++) {
		while (!put(&across.ring, i, length_of(i, 300))) {
			refused++;
			sched_yield();
		}
		ring_crowded(&across.ring);
	}
	atomic_store(&across.ended, true);
	pthread_join(thread, NULL);
	cr_expect(across.same);
	cr_expect(across.taken == ACROSS);
	cr_log_info("refused %llu times", (unsigned long long)refused);
	ring_release(&across.ring);
}

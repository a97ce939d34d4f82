/* The queue between the loop and the writer: order and fullness. Two threads: tests/race/. */
#include "tests/support/ring_items.h"

#include <criterion/criterion.h>

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
			in += item_put(&ring, in, item_length(in, most));
		burst = rng_below(rng_draw(7, 0, RNG_GENERATE, (uint64_t)turn), 12);
		for (uint64_t i = 0; i < burst && out < in; i++)
			same &= item_take(&ring, out++);
	}
	while (out < in)
		same &= item_take(&ring, out++);
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
	while (item_put(&ring, in, 100))
		in++;
	cr_expect(in == RING_BYTES_MIN / (RING_ALIGN + sizeof(struct item) + 104), "%llu",
		  (unsigned long long)in);
	cr_expect(!item_put(&ring, in, 100));
	cr_expect(item_take(&ring, 0));
	cr_expect(item_put(&ring, in, 100));
	cr_expect(!item_put(&ring, in, 100));
	for (uint64_t i = 1; i <= in; i++)
		cr_expect(item_take(&ring, i));
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
		cr_expect(item_put(&ring, i, (uint32_t)(most - sizeof(struct item))));
		cr_expect(item_take(&ring, i));
		cr_expect(item_put(&ring, i, (uint32_t)(i % 7)));
		cr_expect(item_take(&ring, i));
	}
	ring_release(&ring);
}

Test(ring, more_than_half_is_said_once)
{
	struct ring ring;
	unsigned said = 0;
	uint64_t in = 0;

	cr_assert(ring_init(&ring, RING_BYTES_MIN) == 0);
	while (item_put(&ring, in, 40)) {
		in++;
		bool crowded = ring_crowded(&ring);
		said += crowded;
		if (crowded)
			cr_expect(in * 64 > RING_BYTES_MIN / 2 &&
				  in * 64 <= RING_BYTES_MIN / 2 + 64);
	}
	cr_expect(said == 1);
	ring_calm(&ring);
	cr_expect(item_take(&ring, 0));
	cr_expect(item_put(&ring, in, 40));
	cr_expect(ring_crowded(&ring));
	cr_expect(!ring_crowded(&ring));
	ring_release(&ring);
}

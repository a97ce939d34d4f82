/* The ring of edges: every way in which edges can be lost shows on an edge and in a count. */
#include "hil/gpio/ring.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct edge_ring ring;

static void setup(void)
{
	cr_assert_eq(edge_ring_init(&ring, 16, 100000), 0);
	edge_ring_start(&ring, 1000, false, 0);
}

static void teardown(void)
{
	edge_ring_release(&ring);
}

TestSuite(gpio_ring, .init = setup, .fini = teardown);

static struct edge push(int64_t t_ns, bool level, uint32_t seq, uint8_t flags)
{
	const struct edge edge = { .t_ns = t_ns, .level = level, .seq = seq, .flags = flags };
	uint64_t cursor = ring.written;
	struct edge out = { 0 };

	edge_ring_push(&ring, &edge);
	cr_assert(edge_ring_next(&ring, &cursor, &out));
	cr_assert_eq(out.t_ns, t_ns);
	return out;
}

Test(gpio_ring, a_healthy_line_has_no_flag)
{
	for (unsigned i = 1; i <= 40; i++)
		cr_assert_eq(push(1000 + i * 1000000, i % 2 == 1, i, 0).flags, 0);
	cr_assert_eq(ring.counts.edges, 40);
	struct edge_counts none = { 0 };
	cr_assert_eq(edge_counts_suspect(&none, &ring.counts), 0);
}

Test(gpio_ring, a_gap_counts_what_is_lost_and_is_no_second_defect)
{
	push(2000000, true, 1, 0);
	/* Two lost: the level alternates as if nothing had been. Three lost: it does not. */
	cr_assert_eq(push(3000000, false, 4, 0).flags, EDGE_GAP);
	cr_assert_eq(push(4000000, false, 8, 0).flags, EDGE_GAP);
	cr_assert_eq(push(5000000, true, 9, 0).flags, 0);
	cr_assert_eq(ring.counts.gaps, 2);
	cr_assert_eq(ring.counts.lost, 5);
	cr_assert_eq(ring.counts.parity, 0);
}

Test(gpio_ring, the_numbers_may_wrap_but_not_go_back)
{
	edge_ring_start(&ring, 1000, false, UINT32_MAX - 1);
	cr_assert_eq(push(2000000, true, UINT32_MAX, 0).flags, 0);
	cr_assert_eq(push(3000000, false, 0, 0).flags, 0);
	cr_assert_eq(push(4000000, true, 1, 0).flags, 0);
	cr_assert_eq(push(5000000, false, 1, 0).flags, EDGE_GAP);
	cr_assert_eq(ring.counts.lost, 0);
}

Test(gpio_ring, the_first_number_is_1)
{
	/* A buffer that overflowed before it was read for the first time. */
	cr_assert_eq(push(2000000, true, 25, 0).flags, EDGE_GAP);
	cr_assert_eq(ring.counts.lost, 24);
	edge_ring_release(&ring);
	cr_assert_eq(edge_ring_init(&ring, 16, 0), 0);
	cr_assert_eq(push(2000000, true, 25, 0).flags, 0, "without a start nothing is known");
	cr_assert_eq(push(3000000, false, 27, 0).flags, EDGE_GAP);
}

Test(gpio_ring, the_same_level_twice_is_impossible)
{
	cr_assert_eq(push(2000000, false, 0, 0).flags, EDGE_PARITY, "it was low when it began");
	cr_assert_eq(push(3000000, true, 0, 0).flags, 0);
	cr_assert_eq(push(4000000, true, 0, 0).flags, EDGE_PARITY);
	cr_assert_eq(ring.counts.parity, 2);
}

Test(gpio_ring, an_edge_from_before_the_start_only_corrects_the_level)
{
	const struct edge early = { .t_ns = 900, .level = true, .seq = 7 };

	edge_ring_push(&ring, &early);
	cr_assert_eq(ring.written, 0);
	cr_assert(ring.start_level);
	cr_assert_eq(push(2000000, false, 8, 0).flags, 0);
	cr_assert_eq(push(3000000, true, 10, 0).flags, EDGE_GAP);
}

Test(gpio_ring, a_full_buffer_taints_both_sides_and_counts_once)
{
	cr_assert_eq(push(2000000, true, 0, 0).flags, 0);
	cr_assert_eq(push(3000000, false, 0, EDGE_FULL).flags, EDGE_FULL);
	cr_assert_eq(push(4000000, true, 0, 0).flags, EDGE_FULL);
	cr_assert_eq(push(5000000, false, 0, 0).flags, 0);
	cr_assert_eq(ring.counts.full, 1);
}

Test(gpio_ring, time_backwards_and_pulses_too_short)
{
	push(2000000, true, 0, 0);
	cr_assert_eq(push(1900000, false, 0, 0).flags, EDGE_BACKWARDS);
	cr_assert_eq(push(1999999, true, 0, 0).flags, EDGE_SHORT);
	cr_assert_eq(push(2099999, false, 0, 0).flags, 0, "100 us is long enough");
	struct edge_counts none = { 0 };
	cr_assert_eq(edge_counts_suspect(&none, &ring.counts), 1, "a short pulse is not suspect");
}

Test(gpio_ring, a_slow_reader_is_told_what_it_missed)
{
	uint64_t slow = 0, quick = 0;
	struct edge edge;

	for (unsigned i = 1; i <= 20; i++) {
		push(1000 + i * 1000000, i % 2 == 1, i, 0);
		cr_assert(edge_ring_next(&ring, &quick, &edge));
		cr_assert_eq(edge.flags, 0);
	}
	cr_assert_eq(ring.counts.missed, 0);
	cr_assert(edge_ring_next(&ring, &slow, &edge));
	cr_assert_eq(edge.seq, 5);
	cr_assert_eq(edge.flags, EDGE_MISSED);
	cr_assert_eq(ring.counts.missed, 4);
	unsigned left = 0;
	while (edge_ring_next(&ring, &slow, &edge))
		left++;
	cr_assert_eq(left, 15);
	cr_assert_not(edge_ring_next(&ring, &quick, &edge));
}

Test(gpio_ring, what_happened_in_words)
{
	struct edge_counts before = ring.counts;
	char text[200], little[8];

	edge_counts_describe(&before, &ring.counts, text, sizeof(text));
	cr_assert_str_eq(text, "");
	push(2000000, true, 1, 0);
	push(3000000, false, 4, 0);
	push(4000000, false, 5, 0);
	edge_counts_describe(&before, &ring.counts, text, sizeof(text));
	cr_assert_str_eq(text, "1 gap in the edges, 2 edges lost, 1 impossible level");
	edge_counts_describe(&before, &ring.counts, little, sizeof(little));
	cr_assert_str_eq(little, "1 gap i");
}

Test(gpio_ring, sizes_are_checked)
{
	struct edge_ring other;

	cr_assert_eq(edge_ring_init(&other, 0, 0), -EINVAL);
	cr_assert_eq(edge_ring_init(&other, 24, 0), -EINVAL);
	cr_assert_eq(edge_ring_init(&other, 16, -1), -EINVAL);
}

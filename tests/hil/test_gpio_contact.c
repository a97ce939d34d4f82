/* A switch and its bouncing. */
#include "hil/gpio/contact.h"

#include <criterion/criterion.h>

#define MS INT64_C(1000000)

static struct contact contact;
static struct contact_change change;

static void setup(void)
{
	contact_init(&contact, 5 * MS);
	contact_start(&contact, false);
}

TestSuite(gpio_contact, .init = setup);

static bool edge(int64_t t_ns, bool level, uint8_t flags)
{
	const struct edge one = { .t_ns = t_ns, .level = level, .flags = flags };

	return contact_edge(&contact, &one, &change);
}

Test(gpio_contact, one_clean_edge)
{
	cr_assert_eq(contact_due(&contact), INT64_MAX);
	cr_assert_not(edge(100 * MS, true, 0));
	cr_assert_not(contact.level);
	cr_assert_eq(contact_due(&contact), 105 * MS);
	cr_assert_not(contact_tick(&contact, 105 * MS - 1, &change));
	cr_assert(contact_tick(&contact, 105 * MS, &change));
	cr_assert(change.level && contact.level);
	cr_assert_eq(change.first_ns, 100 * MS);
	cr_assert_eq(change.stable_ns, 100 * MS);
	cr_assert_eq(change.bounces, 0);
	cr_assert_not(change.suspect);
	cr_assert_not(contact_tick(&contact, 900 * MS, &change), "told once");
}

Test(gpio_contact, bounces_are_counted_and_the_first_edge_is_the_time)
{
	for (int i = 0; i < 7; i++)
		cr_assert_not(edge(100 * MS + i * MS, i % 2 == 0, 0));
	cr_assert(contact_tick(&contact, 200 * MS, &change));
	cr_assert_eq(change.first_ns, 100 * MS);
	cr_assert_eq(change.stable_ns, 106 * MS);
	cr_assert_eq(change.bounces, 6);
	cr_assert_eq(contact.bounces_max, 6);
}

Test(gpio_contact, a_later_edge_shows_that_it_had_been_still)
{
	edge(100 * MS, true, 0);
	edge(101 * MS, false, 0);
	edge(102 * MS, true, 0);
	/* Edges arrive in batches: nobody ticked in between. */
	cr_assert(edge(300 * MS, false, 0));
	cr_assert(change.level);
	cr_assert_eq(change.bounces, 2);
	cr_assert(contact_tick(&contact, 305 * MS, &change));
	cr_assert_not(change.level);
	cr_assert_eq(change.first_ns, 300 * MS);
	cr_assert_eq(change.bounces, 0);
	cr_assert_eq(contact.changes, 2);
	cr_assert_eq(contact.bounces_total, 2);
}

Test(gpio_contact, a_glitch_is_no_change)
{
	edge(100 * MS, true, 0);
	edge(101 * MS, false, 0);
	cr_assert_not(contact_tick(&contact, 200 * MS, &change));
	cr_assert_eq(contact.glitches, 1);
	cr_assert_eq(contact.changes, 0);
	cr_assert_eq(contact_due(&contact), INT64_MAX);
}

Test(gpio_contact, lost_edges_make_a_change_suspect)
{
	edge(100 * MS, true, EDGE_FULL);
	cr_assert(contact_tick(&contact, 105 * MS, &change));
	cr_assert(change.suspect);
	edge(200 * MS, false, EDGE_SHORT);
	cr_assert(contact_tick(&contact, 205 * MS, &change));
	cr_assert_not(change.suspect, "a bouncing switch has short pulses");
}

Test(gpio_contact, without_a_start_the_first_still_level_is_a_change)
{
	contact_init(&contact, 5 * MS);
	edge(100 * MS, false, 0);
	cr_assert(contact_tick(&contact, 105 * MS, &change));
	cr_assert_not(change.level);
	cr_assert(contact.known);
}

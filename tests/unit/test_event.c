/*
 * The bus of events: names, masks, the order of its sinks.
 */
#include "emulator/base/event.h"

#include <criterion/criterion.h>

#include <string.h>

Test(event, names_find_their_kinds)
{
	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		const char *name = event_name((enum event_kind)kind);
		cr_assert_not_null(name);
		cr_expect_eq(event_of(name, strlen(name)), kind, "%s", name);
		cr_expect_eq(event_of(name, strlen(name) - 1), -1, "a beginning of %s", name);
	}
	cr_expect_str_eq(event_name(EVENT_M_ROUND_END), "m_round_end");
	cr_expect_eq(event_of("m_round_ended", strlen("m_round_end")), EVENT_M_ROUND_END);
	cr_expect_eq(event_of("", 0), -1);
	cr_expect_eq(event_of("Registered", 10), -1);
	cr_expect_eq(event_of("hit\0", 4), -1);
}

struct counter {
	struct event_sink sink;
	char letter;
	int calls;
	const struct event *last;
};

static char called[64];

static void count(struct event_sink *sink, const struct event *event)
{
	struct counter *counter = (struct counter *)sink;
	size_t len = strlen(called);

	counter->calls++;
	counter->last = event;
	if (len + 1 < sizeof(called))
		called[len] = counter->letter;
}

Test(event, masks_and_order)
{
	struct events events = { 0 };
	struct counter a = { .sink = { count, EVENT_BIT(EVENT_HIT), NULL }, .letter = 'a' };
	struct counter b = { .sink = { count, EVENT_ALL, NULL }, .letter = 'b' };
	struct counter c = { .sink = { count, EVENT_BIT(EVENT_HIT) | EVENT_BIT(EVENT_NOTE), NULL },
			     .letter = 'c' };
	const struct event hit = { .kind = EVENT_HIT, .target = 3 };
	const struct event note = { .kind = EVENT_NOTE }, down = { .kind = EVENT_DOWN };

	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
		cr_expect(!events_wanted(&events, (enum event_kind)kind), "nobody listens");
	events_deliver(&events, &hit);
	events_add(&events, &a.sink);
	cr_expect(events_wanted(&events, EVENT_HIT) && !events_wanted(&events, EVENT_NOTE));
	c.sink.next = &a.sink; /* stale, from another bus: adding sets it */
	events_add(&events, &c.sink);
	cr_expect(events_wanted(&events, EVENT_NOTE) && !events_wanted(&events, EVENT_DOWN));
	events_add(&events, &b.sink);
	cr_expect(events_wanted(&events, EVENT_DOWN));
	events_deliver(&events, &hit);
	cr_expect_str_eq(called, "acb");
	cr_expect(a.last == &hit && b.last == &hit && c.last == &hit, "the event itself");
	events_deliver(&events, &note);
	events_deliver(&events, &down);
	cr_expect_str_eq(called, "acbcbb");
	cr_expect(a.calls == 1 && b.calls == 3 && c.calls == 2);
}

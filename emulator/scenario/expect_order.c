#include "emulator/scenario/expect_parts.h"

#include "emulator/base/units.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Of each target only the oldest `first` without its `then` is kept: when the `then` comes, it
 * answers all that wait, and the oldest has waited longest.
 */

int order_init(struct order *order, const struct order_spec *spec, const struct people *people,
	       const struct chosen *chosen)
{
	bool of_master = expect_kind_of_master(spec->first) || expect_kind_of_master(spec->then);

	*order = (struct order){
		.spec = spec, .chosen = chosen, .worst_ns = -1, .failed_at_ns = NEVER
	};
	order->open_cap = of_master ? people->capacity : people->fleet_count;
	order->open = calloc((size_t)order->open_cap + 1, sizeof(*order->open));
	if (order->open == NULL || crowd_init(&order->late, order->open_cap) < 0) {
		order_release(order);
		return -ENOMEM;
	}
	return 0;
}

void order_release(struct order *order)
{
	free(order->open);
	order->open = NULL;
	crowd_release(&order->late);
}

/* A `first` of since_ns was answered, or not, after it had waited for so long. */
static void waited(struct order *order, uint32_t who, const char *name, int64_t since_ns,
		   int64_t waited_ns)
{
	if (waited_ns > order->worst_ns)
		order->worst_ns = waited_ns;
	if (waited_ns <= order->spec->within_ns)
		return;
	crowd_add(&order->late, who, name);
	if (since_ns + order->spec->within_ns < order->failed_at_ns)
		order->failed_at_ns = since_ns + order->spec->within_ns;
}

void order_note(struct order *order, const struct people *people, const struct sighting *sighting)
{
	const struct event *event = sighting->event;
	int64_t since_ns = sighting->since_ns;
	uint32_t who = sighting->who;

	if (who >= order->open_cap || !people_chosen(people, order->chosen, who, event->name))
		return;
	/* Of one kind (hit after hit) each is the answer to the one before. */
	if (event->kind == order->spec->then && order->open[who] != 0) {
		int64_t first_ns = order->open[who] - 1;
		order->open[who] = 0;
		order->answered++;
		waited(order, who, event->name, first_ns, since_ns - first_ns);
	}
	if (event->kind == order->spec->first && since_ns >= order->from_ns) {
		order->firsts++;
		if (order->open[who] == 0)
			order->open[who] = since_ns + 1;
		if (who >= order->open_end)
			order->open_end = who + 1;
	}
}

static const char *name_of(const struct people *people, uint32_t who)
{
	if (who < people->fleet_count)
		return people->fleet->targets[who].name;
	who -= people->fleet_count;
	return who < master_count(people->master) ? master_remote(people->master, who)->id : "?";
}

/* Those that still wait: too long by now, or not due yet. Returns how many are not due. */
static uint32_t close_open(struct order *order, const struct people *people, int64_t end_ns,
			   uint32_t *ret_never)
{
	uint32_t not_due = 0;

	*ret_never = 0;
	for (uint32_t who = 0; who < order->open_end; who++) {
		if (order->open[who] == 0)
			continue;
		int64_t first_ns = order->open[who] - 1;
		if (order->spec->within_ns == NEVER) {
			crowd_add(&order->late, who, name_of(people, who));
			order->failed_at_ns = end_ns;
		} else if (end_ns - first_ns <= order->spec->within_ns) {
			not_due++;
			continue;
		} else {
			waited(order, who, name_of(people, who), first_ns, end_ns - first_ns);
		}
		++*ret_never;
	}
	return not_due;
}

static void say_failed(const struct order *order, uint32_t never, struct verdict *verdict)
{
	const char *then = event_name(order->spec->then), *first = event_name(order->spec->first);
	char text[32];

	verdict_say(verdict, "%u target%s had no `%s`", order->late.total,
		    order->late.total == 1 ? "" : "s", then);
	if (order->spec->within_ns == NEVER) {
		verdict_say(verdict, " after `%s`", first);
		return;
	}
	verdict_say(verdict, " within %s after `%s`",
		    units_duration_text(order->spec->within_ns, text, sizeof(text)), first);
	if (never > 0)
		verdict_say(verdict, " (%u none at all)", never);
	verdict_say(verdict, "; the worst waited %s",
		    expect_time_text((double)order->worst_ns, text, sizeof(text)));
}

static void fail(const struct order *order, struct verdict *verdict)
{
	verdict->outcome = VERDICT_FAIL;
	verdict->at_ns = order->failed_at_ns;
	verdict->targets_total = order->late.total;
	for (uint32_t i = 0; i < order->late.total && i < VERDICT_TARGETS_MAX; i++)
		snprintf(verdict->targets[verdict->targets_count++], sizeof(verdict->targets[0]),
			 "%s", order->late.names[i]);
}

void order_judge(struct order *order, const struct people *people, int64_t end_ns,
		 struct verdict *verdict)
{
	const char *then = event_name(order->spec->then), *first = event_name(order->spec->first);
	uint32_t never, not_due = close_open(order, people, end_ns, &never);
	char text[32];

	verdict->at_ns = end_ns;
	if (order->firsts == 0) {
		verdict->outcome = VERDICT_ERROR;
		verdict_say(verdict, "no `%s` was seen", first);
		return;
	}
	if (order->late.total > 0) {
		fail(order, verdict);
		say_failed(order, never, verdict);
	} else if (order->answered == 0) {
		verdict->outcome = VERDICT_ERROR;
		verdict_say(verdict, "no `%s` was due", then);
	} else {
		verdict->outcome = VERDICT_PASS;
		verdict_say(verdict, "%llu `%s`; the slowest `%s` came after %s",
			    (unsigned long long)order->firsts, first, then,
			    expect_time_text((double)order->worst_ns, text, sizeof(text)));
	}
	if (not_due > 0)
		verdict_say(verdict, "; of %u target%s it was not due yet at the end", not_due,
			    not_due == 1 ? "" : "s");
}

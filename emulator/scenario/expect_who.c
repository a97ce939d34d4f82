#include "emulator/scenario/expect_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What master.targets_max may be at most. Memory by number is reserved for all of them, and the
 * pages that nobody comes to are never touched. */
#define REMOTES_MAX UINT32_C(10000000)

/* ---- crowds ---- */

int crowd_init(struct crowd *crowd, uint32_t cap)
{
	crowd->cap = cap;
	crowd->total = 0;
	crowd->seen = calloc((size_t)cap / 64 + 1, sizeof(*crowd->seen));
	return crowd->seen != NULL ? 0 : -ENOMEM;
}

void crowd_release(struct crowd *crowd)
{
	free(crowd->seen);
	crowd->seen = NULL;
}

void crowd_add(struct crowd *crowd, uint32_t who, const char *name)
{
	if (who >= crowd->cap || crowd_has(crowd, who))
		return;
	crowd->seen[who / 64] |= UINT64_C(1) << who % 64;
	if (crowd->total < VERDICT_TARGETS_MAX)
		snprintf(crowd->names[crowd->total], sizeof(crowd->names[0]), "%s", name);
	crowd->total++;
}

bool crowd_has(const struct crowd *crowd, uint32_t who)
{
	return who < crowd->cap && (crowd->seen[who / 64] >> who % 64 & 1) != 0;
}

/* ---- numbers ---- */

static uint32_t hash_of(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

/* The slot of that name, or the empty one where it would stand. */
static uint32_t slot_of(const struct people *people, const char *name)
{
	uint32_t slot = hash_of(name) & people->table_mask;

	for (;; slot = (slot + 1) & people->table_mask) {
		uint32_t entry = people->table[slot];
		if (entry == 0 || strcmp(people->fleet->targets[entry - 1].name, name) == 0)
			return slot;
	}
}

int people_init(struct people *people, const struct fleet *fleet, const struct master *master,
		size_t selectors)
{
	uint32_t size = 16;

	*people = (struct people){ .fleet = fleet, .master = master };
	if (fleet != NULL)
		people->fleet_count = fleet->count;
	people->capacity = people->fleet_count + (master != NULL ? REMOTES_MAX : 0);
	while (size < people->fleet_count * 2)
		size *= 2;
	people->table_mask = size - 1;
	people->table = calloc(size, sizeof(*people->table));
	people->chosen = calloc(selectors + 1, sizeof(*people->chosen));
	if (people->table == NULL || people->chosen == NULL) {
		free(people->table);
		free(people->chosen);
		*people = (struct people){ .fleet = NULL };
		return -ENOMEM;
	}
	for (uint32_t i = 0; fleet != NULL && i < fleet->count; i++)
		people->table[slot_of(people, fleet->targets[i].name)] = i + 1;
	return 0;
}

void people_release(struct people *people)
{
	for (size_t i = 0; i < people->chosen_count; i++)
		free(people->chosen[i].marks);
	free(people->chosen);
	free(people->table);
	*people = (struct people){ .fleet = NULL };
}

/* The number in the fleet of that name; NOBODY: it is not of the fleet. */
static uint32_t number_in_fleet(const struct people *people, const char *name)
{
	if (people->fleet_count == 0)
		return NOBODY;
	return people->table[slot_of(people, name)] - 1; /* 0, none, wraps to NOBODY */
}

uint32_t people_who(const struct people *people, const struct event *event)
{
	if (event->name == NULL || event->target == EVENT_NO_TARGET)
		return NOBODY;
	if (!expect_kind_of_master(event->kind))
		return event->target < people->fleet_count ? event->target : NOBODY;
	uint32_t who = number_in_fleet(people, event->name);
	if (who == NOBODY && event->target < people->capacity - people->fleet_count)
		who = people->fleet_count + event->target;
	return who;
}

/* ---- choices ---- */

int people_choose(struct people *people, const char *text, const struct chosen **ret)
{
	const char *expected;

	if (text[0] == '\0' || strcmp(text, "all") == 0) {
		*ret = NULL;
		return 0;
	}
	for (size_t i = 0; i < people->chosen_count; i++)
		if (strcmp(people->chosen[i].text, text) == 0) {
			*ret = &people->chosen[i];
			return 0;
		}
	struct chosen *chosen = &people->chosen[people->chosen_count];
	if (!selector_parse(text, &chosen->selector, &expected))
		return -EINVAL;
	chosen->text = text;
	if (people->fleet != NULL) {
		uint32_t *scratch = malloc((size_t)people->fleet_count * sizeof(*scratch) + 1);
		chosen->marks = malloc((size_t)people->fleet_count + 1);
		if (scratch == NULL || chosen->marks == NULL) {
			free(scratch);
			free(chosen->marks);
			chosen->marks = NULL;
			return -ENOMEM;
		}
		selector_apply(&chosen->selector, &people->fleet->subject, 0, scratch,
			       chosen->marks);
		free(scratch);
	}
	people->chosen_count++;
	*ret = chosen;
	return 0;
}

bool people_chosen(const struct people *people, const struct chosen *chosen, uint32_t who,
		   const char *name)
{
	if (chosen == NULL)
		return true;
	if (who < people->fleet_count)
		return chosen->marks[who] != 0;
	return name != NULL && selector_matches_name(&chosen->selector, name);
}

void people_each(const struct people *people, const struct chosen *chosen,
		 void (*fn)(uint32_t who, const char *name, void *context), void *context)
{
	uint32_t remotes = people->master != NULL ? master_count(people->master) : 0;

	for (uint32_t i = 0; i < people->fleet_count; i++)
		if (people_chosen(people, chosen, i, NULL))
			fn(i, people->fleet->targets[i].name, context);
	for (uint32_t i = 0; i < remotes; i++) {
		const char *name = master_remote(people->master, i)->id;
		uint32_t who = people->fleet_count + i;
		if (number_in_fleet(people, name) == NOBODY &&
		    people_chosen(people, chosen, who, name))
			fn(who, name, context);
	}
}

#include "hil/gpio/contact.h"

#include <assert.h>
#include <string.h>

void contact_init(struct contact *contact, int64_t still_ns)
{
	assert(still_ns > 0);
	memset(contact, 0, sizeof(*contact));
	contact->still_ns = still_ns;
}

void contact_start(struct contact *contact, bool level)
{
	contact->known = true;
	contact->level = contact->now = level;
	contact->moving = false;
}

/* What has been still for long enough by until_ns; a glitch is no change. */
static bool settle(struct contact *contact, int64_t until_ns, struct contact_change *ret_change)
{
	if (!contact->moving || until_ns - contact->last_ns < contact->still_ns)
		return false;
	contact->moving = false;
	if (contact->known && contact->now == contact->level) {
		contact->glitches++;
		return false;
	}
	contact->known = true;
	contact->level = contact->now;
	*ret_change = (struct contact_change){
		.first_ns = contact->first_ns,
		.stable_ns = contact->last_ns,
		.level = contact->now,
		.bounces = contact->edges - 1,
		.suspect = contact->suspect,
	};
	contact->changes++;
	contact->bounces_total += ret_change->bounces;
	if (ret_change->bounces > contact->bounces_max)
		contact->bounces_max = ret_change->bounces;
	return true;
}

bool contact_edge(struct contact *contact, const struct edge *edge,
		  struct contact_change *ret_change)
{
	bool changed = settle(contact, edge->t_ns, ret_change);

	if (!contact->moving) {
		contact->moving = true;
		contact->suspect = false;
		contact->first_ns = edge->t_ns;
		contact->edges = 0;
	}
	contact->edges++;
	contact->last_ns = edge->t_ns;
	contact->now = edge->level;
	if (edge->flags & EDGE_SUSPECT)
		contact->suspect = true;
	return changed;
}

bool contact_tick(struct contact *contact, int64_t complete_ns, struct contact_change *ret_change)
{
	return settle(contact, complete_ns, ret_change);
}

int64_t contact_due(const struct contact *contact)
{
	return contact->moving ? contact->last_ns + contact->still_ns : INT64_MAX;
}

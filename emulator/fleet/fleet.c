#include "emulator/fleet/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static int64_t ramp_due(const struct fleet *fleet, uint32_t i)
{
	double rate = fleet->config->ramp_per_s;

	return fleet->ramp_start_ns + (rate > 0 ? (int64_t)((double)i / rate * 1e9) : 0);
}

/* Is it among those that are switched on at the start? */
static bool starts(const struct target *target)
{
	const struct group_config *group = OF(target->group, struct group_config, shared);

	return group->start < 0 ||
	       (int64_t)(target->number - target->group->first_number) < group->start;
}

static void ramp(struct timer *timer, int64_t now_ns)
{
	struct fleet *fleet = OF(timer, struct fleet, ramp);

	while (fleet->switched_on < fleet->to_start &&
	       ramp_due(fleet, fleet->switched_on) <= now_ns) {
		struct target *target = &fleet->targets[fleet->next++];
		if (!starts(target))
			continue;
		fleet->switched_on++;
		target_power_on(target);
	}
	if (fleet->switched_on < fleet->to_start)
		timer_arm(&fleet->env.loop->timers, timer, ramp_due(fleet, fleet->switched_on));
}

/* The groups' own faults, before anybody boots. */
static void arm_faults(struct fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->count; i++) {
		struct target *target = &fleet->targets[i];
		const struct group_config *group = OF(target->group, struct group_config, shared);
		const struct fault_spec *faults = group->faults.at;
		for (size_t f = 0; f < group->faults.count; f++)
			target_fault_on(target, &faults[f]);
	}
}

void fleet_start(struct fleet *fleet)
{
	fleet->ramp_start_ns = fleet->env.loop->now_ns;
	arm_faults(fleet);
	timer_arm(&fleet->env.loop->timers, &fleet->ramp, fleet->ramp_start_ns);
}

/* ---- what selectors ask ---- */

static const struct target *target_at(const void *context, uint32_t i)
{
	return &((const struct fleet *)context)->targets[i];
}

static const char *name_of(const void *context, uint32_t i)
{
	return target_at(context, i)->name;
}

static bool is(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && memcmp(word, text, len) == 0;
}

static bool in_group(const void *context, uint32_t i, const char *group, size_t len)
{
	return is(target_at(context, i)->group->name, group, len);
}

static bool has_tag(const void *context, uint32_t i, const char *tag, size_t len)
{
	const struct group_config *group = OF(target_at(context, i)->group, struct group_config,
					      shared);

	for (size_t t = 0; t < group->tags.count; t++)
		if (is(group->tags.at[t], tag, len))
			return true;
	return false;
}

static bool in_state(const void *context, uint32_t i, const char *state, size_t len)
{
	return is(target_state_name((enum target_state)target_at(context, i)->state), state, len);
}

/* ---- */

static size_t queue_total(const struct fleet_config *config, bool *ret_late)
{
	const struct group_config *groups = config->groups.at;
	size_t total = 0;

	*ret_late = false;
	for (size_t i = 0; i < config->groups.count; i++) {
		total += (size_t)groups[i].count * (size_t)groups[i].queue_max;
		*ret_late |= groups[i].reply == TARGET_REPLY_DONE ||
			     groups[i].shared.wire->answers_twice;
	}
	return total;
}

static void build(struct fleet *fleet)
{
	const struct group_config *groups = fleet->config->groups.at;
	struct target_move *queue = fleet->moves;
	uint32_t number = 0;

	for (size_t g = 0; g < fleet->config->groups.count; g++)
		for (int64_t i = 0; i < groups[g].count; i++, number++) {
			target_init(&fleet->targets[number], &fleet->env, &groups[g].shared, number,
				    fleet->config->names[number], fleet->config->ips[number],
				    queue);
			queue += groups[g].queue_max;
		}
}

/* One more for each: one that goes keeps its place to the end of the turn. */
#define CONNS_MAX ((size_t)1 << 20)
static int open_groups(struct fleet *fleet)
{
	const struct group_config *groups = fleet->config->groups.at;
	int rc = 0;

	while (rc == 0 && fleet->open_groups < fleet->config->groups.count) {
		const struct target_group *group = &groups[fleet->open_groups].shared;
		size_t conns = (size_t)groups[fleet->open_groups].count *
			       ((size_t)group->connections_max + 2);
		rc = target_group_open(&fleet->env, group, conns < CONNS_MAX ? conns : CONNS_MAX);
		fleet->open_groups += rc == 0;
	}
	return rc;
}

static void close_groups(struct fleet *fleet)
{
	const struct group_config *groups = fleet->config->groups.at;

	while (fleet->open_groups > 0)
		target_group_close(&fleet->env, &groups[--fleet->open_groups].shared);
}

int fleet_new(struct loop *loop, struct net *net, struct events *events,
	      const struct fleet_config *config, uint64_t seed, struct fleet **ret)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));
	bool late;
	int rc = -ENOMEM;

	if (fleet == NULL)
		return rc;
	size_t moves = queue_total(config, &late);
	fleet->config = config;
	fleet->count = config->targets;
	fleet->targets = aligned_alloc(CACHE_LINE, fleet->count * sizeof(*fleet->targets));
	fleet->moves = calloc(moves, sizeof(*fleet->moves));
	if (fleet->targets == NULL || fleet->moves == NULL)
		goto fail;
	rc = target_env_init(&fleet->env, loop, net, events, seed, late ? moves : 1);
	if (rc == 0)
		rc = target_env_reserve_faults(&fleet->env, fleet->count);
	if (rc == 0)
		rc = open_groups(fleet);
	if (rc < 0) {
		close_groups(fleet);
		target_env_release(&fleet->env);
		goto fail;
	}
	build(fleet);
	for (uint32_t i = 0; i < fleet->count; i++)
		fleet->to_start += starts(&fleet->targets[i]);
	fleet->ramp.fire = ramp;
	fleet->subject = (struct selector_subject){ .count = fleet->count,
						    .name = name_of,
						    .in_group = in_group,
						    .has_tag = has_tag,
						    .in_state = in_state,
						    .context = fleet };
	*ret = fleet;
	return 0;
fail:
	free(fleet->targets);
	free(fleet->moves);
	free(fleet);
	return rc;
}

void fleet_free(struct fleet *fleet)
{
	if (fleet == NULL)
		return;
	timer_cancel(&fleet->env.loop->timers, &fleet->ramp);
	for (uint32_t i = 0; i < fleet->count; i++)
		target_release(&fleet->targets[i]);
	close_groups(fleet);
	target_env_release(&fleet->env);
	free(fleet->targets);
	free(fleet->moves);
	free(fleet);
}

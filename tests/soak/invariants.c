#include "tests/soak/invariants.h"

#include "emulator/sim/net_sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKEN(inv, ...)                                                                           \
	do {                                                                                       \
		if ((inv)->broken[0] == '\0')                                                      \
			snprintf((inv)->broken, sizeof((inv)->broken), __VA_ARGS__);               \
	} while (0)

static int64_t fleet_number(const struct app *app, const char *name)
{
	for (uint32_t i = 0; i < app->fleet->count; i++)
		if (strcmp(app->fleet->targets[i].name, name) == 0)
			return i;
	return -1;
}

static void outcome(struct invariants *inv, const struct event *event, enum master_outcome what)
{
	inv->outcomes[what]++;
	if (event->value < 0)
		BROKEN(inv, "a command to %s took %lld ns", event->name, (long long)event->value);
	if (what != MASTER_OK || !inv->names_are_true)
		return;
	int64_t number = fleet_number(inv->app, event->name);
	if (number < 0) {
		BROKEN(inv, "%s answered and is in no fleet", event->name);
		return;
	}
	/* An answer that was taken for this target's must have been asked of this target. */
	if (++inv->confirmed[number][event->type] > inv->received[number][event->type])
		BROKEN(inv, "%s confirmed %s more often than it got it", event->name,
		       range_word_name((enum range_word)event->type));
}

static void listen(struct event_sink *sink, const struct event *event)
{
	struct invariants *inv = (struct invariants *)sink;

	if (event->t_ns < inv->last_ns)
		BROKEN(inv, "time ran backwards at %s", event_name(event->kind));
	inv->last_ns = event->t_ns;
	switch (event->kind) {
	case EVENT_COMMAND: inv->received[event->target][event->type]++; break;
	case EVENT_M_OK: outcome(inv, event, MASTER_OK); break;
	case EVENT_M_FAILED: outcome(inv, event, MASTER_FAILED); break;
	case EVENT_M_LOST: outcome(inv, event, MASTER_LOST); break;
	default: break;
	}
}

int invariants_init(struct invariants *inv, struct app *app, bool names_are_true)
{
	*inv = (struct invariants){ .app = app, .names_are_true = names_are_true };
	inv->received = calloc(app->fleet->count, sizeof(*inv->received));
	inv->confirmed = calloc(app->fleet->count, sizeof(*inv->confirmed));
	if (inv->received == NULL || inv->confirmed == NULL)
		return -ENOMEM;
	inv->sink = (struct event_sink){ .event = listen, .mask = EVENT_ALL };
	events_add(&app->events, &inv->sink);
	return 0;
}

static void check_master(struct invariants *inv)
{
	const struct master_totals *totals = master_totals(inv->app->master);
	static const enum range_word commands[] = { RANGE_PING, RANGE_STAND_UP, RANGE_LAY_DOWN,
						    RANGE_ACTIVATE };
	uint64_t sent = 0, ended = 0;

	if (totals->sent !=
	    totals->ok + totals->failed + totals->lost + totals->under_way + totals->waiting)
		BROKEN(inv, "sent %llu is not ok %llu + failed %llu + lost %llu + %llu under way",
		       (unsigned long long)totals->sent, (unsigned long long)totals->ok,
		       (unsigned long long)totals->failed, (unsigned long long)totals->lost,
		       (unsigned long long)(totals->under_way + totals->waiting));
	if (inv->outcomes[MASTER_OK] != totals->ok ||
	    inv->outcomes[MASTER_FAILED] != totals->failed ||
	    inv->outcomes[MASTER_LOST] != totals->lost)
		BROKEN(inv, "outcomes were told %llu/%llu/%llu times, counted %llu/%llu/%llu",
		       (unsigned long long)inv->outcomes[0], (unsigned long long)inv->outcomes[1],
		       (unsigned long long)inv->outcomes[2], (unsigned long long)totals->ok,
		       (unsigned long long)totals->failed, (unsigned long long)totals->lost);
	for (size_t i = 0; i < 4; i++) {
		const struct master_command_stats *stats = master_stats(inv->app->master,
									commands[i]);
		sent += stats->sent;
		ended += stats->ok + stats->failed + stats->lost;
		if (stats->latency.n != stats->ok)
			BROKEN(inv, "%llu latencies of %llu answers",
			       (unsigned long long)stats->latency.n, (unsigned long long)stats->ok);
	}
	if (sent != totals->sent || ended != totals->ok + totals->failed + totals->lost)
		BROKEN(inv, "the commands' counters do not add up");
	if (totals->failed != totals->refused + totals->reset + totals->closed +
				      totals->bad_answers + totals->no_resources)
		BROKEN(inv, "%llu failed, the reasons add up to another number",
		       (unsigned long long)totals->failed);
}

static void check_fleet(struct invariants *inv)
{
	const struct fleet *fleet = inv->app->fleet;
	const struct target_totals *totals = &fleet->env.totals;
	uint64_t by_state[TARGET_STATES] = { 0 }, registered = 0;

	for (uint32_t i = 0; i < fleet->count; i++) {
		const struct target *target = &fleet->targets[i];
		by_state[target->state]++;
		registered += target->registered;
		if (target->queue_len > target->group->queue_max ||
		    target->connections > target->group->connections_max)
			BROKEN(inv, "%s passed a limit", target->name);
		if ((target->queue_len > 0) != target->busy)
			BROKEN(inv, "%s has %u moves and is %s", target->name, target->queue_len,
			       target->busy ? "busy" : "idle");
		if (target->state == TARGET_UP && !target->up)
			BROKEN(inv, "%s is up and lies", target->name);
		if ((target->state == TARGET_OFF || target->state == TARGET_GONE) &&
		    (target->listener != NULL || target->serving != NULL ||
		     target->registering != NULL || target->registered))
			BROKEN(inv, "%s is %s and still has something open", target->name,
			       target_state_name((enum target_state)target->state));
	}
	if (memcmp(by_state, totals->by_state, sizeof(by_state)) != 0)
		BROKEN(inv, "the counts of states are not those of the targets");
	if (registered != totals->registered)
		BROKEN(inv, "%llu targets are registered, the counter says %llu",
		       (unsigned long long)registered, (unsigned long long)totals->registered);
	if (totals->hits + totals->misses > totals->activations &&
	    totals->hits + totals->misses - totals->activations > totals->hits)
		BROKEN(inv, "more activations ended than began");
}

void invariants_check_end(struct invariants *inv)
{
	check_master(inv);
	check_fleet(inv);
}

void invariants_check_leaks(struct invariants *inv)
{
	struct app *app = inv->app;
	struct target_env *env = &app->fleet->env;

	for (uint32_t i = 0; i < app->fleet->count; i++)
		target_release(&app->fleet->targets[i]);
	if (env->late_replies.used + env->faults.used + env->held.used > 0)
		BROKEN(inv, "leaked: %zu late replies, %zu faults, %zu held units",
		       env->late_replies.used, env->faults.used, env->held.used);
	for (int i = 0; i < BUFFERS_CLASSES; i++)
		if (env->buffers.classes[i].used > 0)
			BROKEN(inv, "leaked: %zu buffers of held units",
			       env->buffers.classes[i].used);
}

void invariants_release(struct invariants *inv)
{
	free(inv->received);
	free(inv->confirmed);
}

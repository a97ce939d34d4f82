#include "emulator/target/parts.h"

#include <assert.h>
#include <errno.h>

static const char *const state_names[TARGET_STATES] = {
	[TARGET_OFF] = "off",         [TARGET_BOOTING] = "booting", [TARGET_DOWN] = "down",
	[TARGET_RISING] = "rising",   [TARGET_UP] = "up",           [TARGET_ACTIVE] = "active",
	[TARGET_FALLING] = "falling", [TARGET_GONE] = "gone",
};

const char *target_state_name(enum target_state state)
{
	return state_names[state];
}

#define TO(state) (1u << (state))
#define ANY_END (TO(TARGET_OFF) | TO(TARGET_GONE))
static const uint16_t legal[TARGET_STATES] = {
	[TARGET_OFF] = TO(TARGET_BOOTING),
	[TARGET_BOOTING] = TO(TARGET_DOWN) | ANY_END,
	[TARGET_DOWN] = TO(TARGET_RISING) | ANY_END,
	[TARGET_RISING] = TO(TARGET_UP) | ANY_END,
	[TARGET_UP] = TO(TARGET_FALLING) | TO(TARGET_ACTIVE) | ANY_END,
	/* Up again: jammed upright. */
	[TARGET_ACTIVE] = TO(TARGET_FALLING) | TO(TARGET_UP) | ANY_END,
	[TARGET_FALLING] = TO(TARGET_DOWN) | ANY_END,
	[TARGET_GONE] = TO(TARGET_OFF),
};

void target_become(struct target *target, enum target_state state)
{
	assert(legal[target->state] & TO(state));
	target->env->totals.by_state[target->state]--;
	target->env->totals.by_state[state]++;
	target->state = (uint8_t)state;
}

/* ---- in service ---- */

/* With the port closed by a fault it is in service, and nobody can connect. */
static int open_listener(struct target *target)
{
	struct target_env *env = target->env;
	struct net_addr at = { target->ip, target->group->port };

	if (!target->group->wire->listens || fault_active(target, FAULT_REFUSE))
		return 0;
	int rc = net_listen(target_net(target), at, &target->listener);
	if (rc < 0) {
		env->totals.listen_failed++;
		env->last_listen_error = rc;
		target_say(target, EVENT_LISTEN_FAILED, strerror(-rc));
		return rc;
	}
	target->listener->accepted = target_accept;
	target->listener->owner = target;
	if (fault_active(target, FAULT_OUTAGE))
		net_hole(target->listener, true);
	return 0;
}

void target_start_listening(struct target *target)
{
	if (open_listener(target) < 0) {
		target_give_up(target, "cannot listen");
		return;
	}
	target_become(target, TARGET_DOWN);
	if (target->listener != NULL)
		target_say(target, EVENT_LISTENING, NULL);
}

void target_stop_listening(struct target *target)
{
	if (target->listener != NULL)
		net_unlisten(target->listener);
	target->listener = NULL;
}

void target_resume_listening(struct target *target)
{
	if (!target_in_service(target) || target->listener != NULL)
		return;
	if (open_listener(target) < 0)
		target_crash(target, "cannot listen again");
	else if (target->listener != NULL)
		target_say(target, EVENT_LISTENING, NULL);
}

/* ---- power ---- */

void target_init(struct target *target, struct target_env *env, const struct target_group *group,
		 uint32_t number, const char *name, uint32_t ip, struct target_move *queue)
{
	*target = (struct target){ .env = env,
				   .group = group,
				   .name = name,
				   .name_len = (uint32_t)strlen(name),
				   .ip = ip,
				   .number = number,
				   .queue = queue };
	target->life.fire = target_life_goes_on;
	target_mechanics_init(target);
	env->totals.by_state[TARGET_OFF]++;
}

/* What a board forgets when it boots. */
static void reset_faults(struct target_faults *faults)
{
	faults->commands = 0;
	faults->storm_left = 0;
	faults->registered_twice = false;
	faults->last_len = 0;
}

void target_power_on(struct target *target)
{
	if (target->state != TARGET_OFF)
		return;
	target_become(target, TARGET_BOOTING);
	target->tries = 0;
	target_say(target, EVENT_POWER_ON, NULL);
	int64_t boot = dist_draw(&target->group->boot, target_draw(target, RNG_BOOT, DRAW_BOOT));
	const struct fault_spec *late = fault_strikes(target, FAULT_REGISTER_LATE);
	if (late != NULL)
		boot = ns_plus(boot, fault_time(target, late));
	if (target->faults != NULL)
		reset_faults(target->faults);
	loop_timer(target->env->loop, &target->life, boot);
}

/* What a board leaves behind when its program ends: nothing that answers. */
static void stop_everything(struct target *target)
{
	struct target_env *env = target->env;

	timer_cancel(&env->loop->timers, &target->life);
	if (target->faults != NULL) {
		/* Or a hang that ends later would wake the dead. */
		struct target_faults *faults = target->faults;
		faults->parked_life = faults->parked_mechanics = faults->failed_meanwhile = false;
	}
	target_stop_registering(target);
	if (target->listener != NULL)
		net_unlisten(target->listener);
	target->listener = NULL;
	target_mechanics_reset(target);
	target_drop_connections(target);
	if (target->registered)
		env->totals.registered--;
}

void target_power_off(struct target *target)
{
	if (target->state == TARGET_OFF)
		return;
	stop_everything(target);
	target->registered = false;
	target_become(target, TARGET_OFF);
	target_say(target, EVENT_POWER_OFF, NULL);
}

void target_give_up(struct target *target, const char *why)
{
	/* One in service may have lost its registration with its connection: it is lost all the
	 * same, and stops in whatever it was doing. */
	bool lost = target->registered || target_in_service(target);

	target_say(target, EVENT_GAVE_UP, why);
	stop_everything(target);
	target->registered = false;
	target->env->totals.lost += lost;
	target_become(target, TARGET_GONE);
}

void target_crash(struct target *target, const char *why)
{
	if (target->state == TARGET_OFF || target->state == TARGET_GONE)
		return;
	stop_everything(target);
	if (target->registered)
		target->env->totals.lost++;
	target->registered = false;
	target_become(target, TARGET_GONE);
	target_say(target, EVENT_CRASHED, why);
}

void target_move_to(struct target *target, uint32_t ip)
{
	bool listening = target->listener != NULL, registering = target->registering != NULL;

	target->ip = ip;
	if (target->state == TARGET_OFF || target->state == TARGET_GONE)
		return;
	target_say(target, EVENT_MOVED, NULL);
	target_stop_listening(target);
	target_drop_connections(target);
	target_stop_registering(target);
	if (listening && open_listener(target) < 0) {
		target_crash(target, "cannot listen again");
		return;
	}
	/* One that boots, or waits to try again, does so from there in its own time. */
	if (registering || target_in_service(target)) {
		target->register_now = true;
		loop_timer(target->env->loop, &target->life, 0);
	}
}

void target_release(struct target *target)
{
	if (target->state != TARGET_OFF)
		stop_everything(target);
	target_faults_release(target);
}

int target_env_init(struct target_env *env, struct loop *loop, struct net *net,
		    struct events *events, uint64_t seed, size_t late_replies)
{
	memset(env, 0, sizeof(*env));
	env->loop = loop;
	env->net = net;
	env->events = events;
	env->seed = seed;
	return pool_init(&env->late_replies, sizeof(struct target_late_reply), late_replies);
}

int target_group_open(struct target_env *env, const struct target_group *group, size_t connections)
{
	struct target_group_run *run = group->run;
	int rc = 0;

	*run = (struct target_group_run){ .net = env->net };
	if (group->wire->conn_bytes > 0)
		rc = pool_init(&run->conns, group->wire->conn_bytes, connections);
	if (rc == 0 && group->wire->open != NULL)
		rc = group->wire->open(env, group);
	if (rc < 0)
		pool_release(&run->conns);
	return rc;
}

void target_group_close(struct target_env *env, const struct target_group *group)
{
	if (group->wire->close != NULL)
		group->wire->close(env, group);
	pool_release(&group->run->conns);
}

void target_env_release(struct target_env *env)
{
	if (env->talk_latency.counts != NULL)
		hist_release(&env->talk_latency);
	pool_release(&env->late_replies);
	pool_release(&env->faults);
	pool_release(&env->held);
	buffers_release(&env->buffers);
}

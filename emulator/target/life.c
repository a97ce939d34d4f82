#include "emulator/target/parts.h"

#include <assert.h>
#include <errno.h>

static const char *const state_names[TARGET_STATES] = {
	[TARGET_OFF] = "off",	      [TARGET_BOOTING] = "booting", [TARGET_DOWN] = "down",
	[TARGET_RISING] = "rising",   [TARGET_UP] = "up",	    [TARGET_ACTIVE] = "active",
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

/* ---- registration: asked over a connection of its own, closed when it is answered ---- */

struct registering {
	struct qn_snyper_asker asker;
	struct target *target;
};
_Static_assert(sizeof(struct registering) <= NET_SESSION_BYTES, "a session fits its connection");

static struct registering *registering_of(struct net_conn *conn)
{
	return (struct registering *)(void *)conn->session;
}

static void give_up(struct target *target, const char *why)
{
	target_say(target, EVENT_GAVE_UP, why);
	if (target->registered) {
		target->registered = false;
		target->env->totals.registered--;
		target->env->totals.lost++;
	}
	target_become(target, TARGET_GONE);
}

/* Back-off doubles, and half of it is drawn: a fleet does not come back as one wave. */
static int64_t retry_delay(struct target *target)
{
	const struct target_group *group = target->group;
	int64_t delay = group->retry_first_ns;

	for (uint32_t i = 1; i < target->tries && delay < group->retry_max_ns; i++)
		delay *= 2;
	if (delay > group->retry_max_ns)
		delay = group->retry_max_ns;
	uint64_t bits = rng_draw(target->env->seed, target->number, RNG_RETRY,
				 (uint64_t)target->draws[DRAW_BOOT] << 32 | target->tries);
	return delay / 2 + (int64_t)(rng_unit(bits) * (double)(delay / 2));
}

static void registration_failed(struct target *target, const char *why)
{
	const struct target_group *group = target->group;

	target->registering = NULL;
	target->env->totals.register_failures++;
	bool last = group->attempts > 0 && target->tries >= group->attempts;
	int64_t delay = last ? -1 : retry_delay(target);
	target_tell(target, EVENT_REGISTER_FAILED, 0, delay, why, strlen(why));
	if (!last)
		loop_timer(target->env->loop, &target->life, delay);
	else if (target->state == TARGET_BOOTING)
		give_up(target, "registration failed");
	/* In service already: it stays there with the registration that it has. */
}

static void schedule_reregistration(struct target *target)
{
	const struct target_group *group = target->group;
	int64_t in = group->reregister_every_ns;

	if (group->reregister_silence_ns > 0 && (in == 0 || group->reregister_silence_ns < in))
		in = group->reregister_silence_ns;
	if (in > 0)
		loop_timer(target->env->loop, &target->life, in);
}

static int open_listener(struct target *target)
{
	struct net_addr at = { target->ip, target->group->port };

	if (fault_active(target, FAULT_REFUSE))
		return 0; /* in service, and its port is closed */
	int rc = net_listen(target->env->net, at, &target->listener);
	if (rc < 0)
		return rc;
	target->listener->accepted = target_accept;
	target->listener->owner = target;
	if (fault_active(target, FAULT_OUTAGE))
		net_hole(target->listener, true);
	return 0;
}

static void start_listening(struct target *target)
{
	struct target_env *env = target->env;
	int rc = open_listener(target);

	if (rc < 0) {
		env->totals.listen_failed++;
		env->last_listen_error = rc;
		target_say(target, EVENT_LISTEN_FAILED, strerror(-rc));
		give_up(target, "cannot listen");
		return;
	}
	target_become(target, TARGET_DOWN);
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
	if (target_in_service(target) && target->listener == NULL && open_listener(target) < 0)
		target_crash(target, "cannot listen again");
}

/* Faults that register more than once. True: another one is scheduled. */
static bool register_more(struct target *target)
{
	struct target_faults *faults = target->faults;
	const struct fault_spec *spec;

	if (faults == NULL)
		return false;
	if (faults->storm_left == 0 && !faults->registered_twice &&
	    (spec = fault_strikes(target, FAULT_REGISTER_STORM)) != NULL)
		faults->storm_left = (uint32_t)spec->count;
	if (faults->storm_left > 0 && fault_active(target, FAULT_REGISTER_STORM)) {
		faults->storm_left--;
		faults->registered_twice = true; /* one storm a boot */
		target->register_now = true;
		loop_timer(target->env->loop, &target->life,
			   fault_time(target, faults->spec[FAULT_REGISTER_STORM]));
		return true;
	}
	if (!faults->registered_twice && fault_strikes(target, FAULT_REGISTER_TWICE)) {
		faults->registered_twice = true;
		target->register_now = true;
		loop_timer(target->env->loop, &target->life, 0);
		return true;
	}
	return false;
}

static void registration_done(struct target *target)
{
	target->registering = NULL;
	target->tries = 0;
	target->env->totals.registrations++;
	target->heard_ns = target->env->loop->now_ns;
	if (!target->registered) {
		target->registered = true;
		target->env->totals.registered++;
	}
	target_say(target, EVENT_REGISTERED, NULL);
	/* The firmware registers before it listens: a command in between is refused. */
	if (target->state == TARGET_BOOTING)
		start_listening(target);
	if (target_in_service(target) && !register_more(target))
		schedule_reregistration(target);
}

static void register_opened(struct net_conn *conn)
{
	struct registering *r = registering_of(conn);
	struct target *target = r->target;
	struct target_env *env = target->env;
	struct qn_text name = { target->name, target->name_len };
	if (fault_strikes(target, FAULT_REGISTER_AS)) {
		name.at = target->faults->spec[FAULT_REGISTER_AS]->text;
		name.len = strlen(name.at);
	}
	struct qn_snyper_out request = { .type = QN_SNYPER_REGISTER,
					 .target_id = name,
					 .client_id = name,
					 .wall_ns = target_wall_ns(target) };
	int64_t deadline = env->loop->now_ns + target->group->answer_timeout_ns;
	char line[2048];

	size_t len = qn_snyper_asker_ask(&r->asker, &request, deadline, line, sizeof(line));
	assert(len > 0); /* names are bounded by the config */
	timer_arm(&env->loop->timers, &conn->timer, deadline);
	net_send(conn, line, len);
}

static const char *refusal(const struct qn_snyper_asker *asker)
{
	return qn_snyper_reason_name((enum qn_snyper_reason)asker->reason);
}

static size_t register_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct registering *r = registering_of(conn);
	struct target *target = r->target;
	struct qn_snyper_message answer;
	size_t taken;

	switch (qn_snyper_asker_read(&r->asker, bytes, len, fresh, &taken, &answer)) {
	case QN_SNYPER_ANSWERED:
		net_close(conn);
		registration_done(target);
		break;
	case QN_SNYPER_BAD: {
		const char *why = refusal(&r->asker);
		net_close(conn);
		registration_failed(target, why);
		break;
	}
	default: break;
	}
	return taken;
}

static void register_closed(struct net_conn *conn, int error)
{
	registration_failed(registering_of(conn)->target,
			    error != 0 ? strerror(-error) : "closed without an answer");
}

static void register_expired(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);
	struct target *target = registering_of(conn)->target;

	(void)now_ns;
	net_close(conn);
	registration_failed(target, "no answer in time");
}

static const struct net_handler register_handler = {
	.opened = register_opened,
	.received = register_received,
	.closed = register_closed,
};

static void register_now(struct target *target)
{
	struct target_env *env = target->env;
	struct net_addr from = { target->ip, 0 };
	struct net_conn *conn;

	if (target->registering != NULL || fault_strikes(target, FAULT_NEVER_REGISTER))
		return;
	target->tries++;
	target->register_now = false;
	target_say(target, EVENT_REGISTERING, NULL);
	if (fault_active(target, FAULT_OUTAGE)) {
		registration_failed(target, "no network");
		return;
	}
	if (fault_strikes(target, FAULT_REGISTER_FROM))
		from.ip = target->faults->spec[FAULT_REGISTER_FROM]->ip;
	int rc = net_connect(env->net, from, target->group->master, &register_handler, &conn);
	if (rc < 0) {
		registration_failed(target, strerror(-rc));
		return;
	}
	struct registering *r = registering_of(conn);
	qn_snyper_asker_init(&r->asker, target->group->profile, 0);
	r->target = target;
	target->registering = conn;
	conn->timer.fire = register_expired;
	loop_timer(env->loop, &conn->timer, target->group->answer_timeout_ns);
}

/* ---- power ---- */

void target_register_again(struct target *target)
{
	if (!target_in_service(target))
		return;
	if (target->faults != NULL)
		target->faults->registered_twice = false;
	target->register_now = true;
	loop_timer(target->env->loop, &target->life, 0);
}

static void life_goes_on(struct timer *timer, int64_t now_ns)
{
	struct target *target = OF(timer, struct target, life);
	const struct target_group *group = target->group;

	if (fault_active(target, FAULT_HANG)) {
		target->faults->parked_life = true;
		return;
	}
	if (target_in_service(target) && target->tries == 0 && !target->register_now && group->reregister_every_ns == 0 &&
	    now_ns - target->heard_ns < group->reregister_silence_ns) {
		/* Somebody spoke to it since: the silence begins anew. */
		timer_arm(&target->env->loop->timers, timer,
			  target->heard_ns + group->reregister_silence_ns);
		return;
	}
	register_now(target);
}

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
	target->life.fire = life_goes_on;
	target_mechanics_init(target);
	env->totals.by_state[TARGET_OFF]++;
}

/* What a board forgets when it boots. */
static void reset_faults(struct target_faults *faults)
{
	faults->commands = 0;
	faults->storm_left = 0;
	faults->registered_twice = false;
	faults->last_type = 0;
	faults->parked_life = faults->parked_mechanics = false;
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
		boot += fault_time(target, late);
	if (target->faults != NULL)
		reset_faults(target->faults);
	loop_timer(target->env->loop, &target->life, boot);
}

/* What a board leaves behind when its program ends: nothing that answers. */
static void stop_everything(struct target *target)
{
	struct target_env *env = target->env;

	timer_cancel(&env->loop->timers, &target->life);
	if (target->faults != NULL) /* or a hang that ends later would wake the dead */
		target->faults->parked_life = target->faults->parked_mechanics = false;
	if (target->registering != NULL)
		net_reset(target->registering);
	target->registering = NULL;
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
	bool listening = target->listener != NULL;

	target->ip = ip;
	if (target->state == TARGET_OFF || target->state == TARGET_GONE)
		return;
	target_say(target, EVENT_MOVED, NULL);
	target_stop_listening(target);
	target_drop_connections(target);
	if (target->registering != NULL)
		net_reset(target->registering);
	target->registering = NULL;
	if (listening)
		target_resume_listening(target);
	target->register_now = true;
	if (target->state != TARGET_GONE)
		loop_timer(target->env->loop, &target->life, 0);
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

void target_env_release(struct target_env *env)
{
	pool_release(&env->late_replies);
	pool_release(&env->faults);
	pool_release(&env->held);
	buffers_release(&env->buffers);
}

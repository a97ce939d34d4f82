#include "emulator/target/parts.h"

#include <errno.h>

/*
 * Registration: asked over a connection of its own, closed when it is answered (or, on a wire that
 * stays, served from then on); tried again less and less often; said anew every so often, or when
 * nobody has spoken to the target for a while.
 */

static bool hangs(const struct target *target)
{
	return fault_active(target, FAULT_HANG);
}

/* ---- when ---- */

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
	int64_t half = delay / 2;

	return half + (int64_t)(rng_unit(bits) * (double)half);
}

/* When it registers again though nothing happens; TIMERS_NEVER: not at all. */
static int64_t next_registration(const struct target *target)
{
	const struct target_group *group = target->group;
	int64_t next = TIMERS_NEVER;

	if (group->reregister_every_ns > 0)
		next = target->registered_ns + group->reregister_every_ns;
	if (group->reregister_silence_ns > 0) {
		int64_t heard = target->heard_ns > target->registered_ns ? target->heard_ns
									 : target->registered_ns;
		if (heard + group->reregister_silence_ns < next)
			next = heard + group->reregister_silence_ns;
	}
	return next;
}

static void schedule_reregistration(struct target *target)
{
	timer_arm(&target->env->loop->timers, &target->life, next_registration(target));
}

void target_register_again(struct target *target)
{
	if (!target_in_service(target))
		return;
	if (target->faults != NULL) {
		target->faults->registered_twice = false;
		target->faults->storm_left = 0;
	}
	target->register_now = true;
	loop_timer(target->env->loop, &target->life, 0);
}

/* Dials again at once, or when the wire has it. */
static int64_t redial_delay(struct target *target, int error)
{
	const struct target_wire *wire = target->group->wire;

	return wire->redial_ns != NULL ? wire->redial_ns(target, error) : retry_delay(target);
}

void target_link_lost(struct target *target, int error)
{
	if (!target_in_service(target))
		return;
	target->env->totals.disconnects++;
	target_say(target, EVENT_DISCONNECTED,
		   error != 0 ? strerror(-error) : "the peer closed in good order");
	if (target->registered)
		target->env->totals.registered--;
	target->registered = false;
	target->register_now = true;
	target->tries = 0;
	loop_timer(target->env->loop, &target->life, redial_delay(target, error));
}

/* A fault forbade it, and does so no more. */
void target_may_register(struct target *target)
{
	if (target->registering != NULL || timer_armed(&target->life))
		return;
	if (target->state == TARGET_BOOTING || (target_in_service(target) && target->register_now))
		loop_timer(target->env->loop, &target->life, 0);
	else if (target_in_service(target))
		schedule_reregistration(target);
}

/* ---- how it ended ---- */

static void registration_failed(struct target *target, const char *why)
{
	const struct target_group *group = target->group;

	target->registering = NULL;
	target->env->totals.register_failures++;
	bool last = group->attempts > 0 && target->tries >= group->attempts;
	int64_t delay = last ? -1 : redial_delay(target, -ECONNREFUSED);
	target_tell(target, EVENT_REGISTER_FAILED, 0, delay, why, strlen(why));
	if (!last) {
		/* While it has none nothing but this timer brings it back. */
		target->register_now |= group->wire->stays && target->link == NULL;
		loop_timer(target->env->loop, &target->life, delay);
	} else if (target->state == TARGET_BOOTING ||
		   (group->wire->stays && target->link == NULL)) {
		target_give_up(target, "registration failed");
	} else {
		/* In service already: it stays there with the registration that it has. */
		target->tries = 0;
		target->registered_ns = target->env->loop->now_ns;
		schedule_reregistration(target);
	}
}

/* Faults that register more than once. True: another one is scheduled. */
static bool register_more(struct target *target)
{
	struct target_faults *faults = target->faults;
	const struct fault_spec *spec;

	if (faults == NULL)
		return false;
	if (faults->storm_left == 0 && !faults->registered_twice &&
	    (spec = fault_strikes(target, FAULT_REGISTER_STORM)) != NULL) {
		faults->storm_left = (uint32_t)spec->count - 1; /* this one was the first */
		faults->registered_twice = true;                /* one storm a boot */
	}
	if (faults->storm_left > 0 && fault_active(target, FAULT_REGISTER_STORM)) {
		faults->storm_left--;
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
	target->registered_ns = target->env->loop->now_ns;
	if (!target->registered) {
		target->registered = true;
		target->env->totals.registered++;
	}
	target_say(target, EVENT_REGISTERED, NULL);
	/* The firmware registers before it listens: a command in between is refused. */
	if (target->state == TARGET_BOOTING)
		target_start_listening(target);
	if (target_in_service(target) && !register_more(target))
		schedule_reregistration(target);
}

/* ---- its connection ---- */

static void register_opened(struct net_conn *conn)
{
	struct served *r = served_of(conn);
	struct target *target = r->target;
	struct target_env *env = target->env;
	struct qn_text name = { target->name, target->name_len };

	if (hangs(target) || fault_active(target, FAULT_OUTAGE)) {
		r->opened = true;
		return;
	}
	if (fault_strikes(target, FAULT_REGISTER_AS)) {
		name.at = target->faults->spec[FAULT_REGISTER_AS]->text;
		name.len = strlen(name.at);
	}
	loop_timer(env->loop, &conn->timer, target->group->answer_timeout_ns);
	target->group->wire->hello(conn, name);
}

/* It ends, by us or by its peer; what the adapter had for it goes too. */
static void drop_registering(struct net_conn *conn)
{
	served_of(conn)->gone = true;
	served_release(conn);
	net_close(conn);
}

/* The connection has served its purpose, or will not any more. */
static void register_over(struct net_conn *conn, enum target_heard how, const char *why)
{
	struct target *target = served_of(conn)->target;

	if (how == TARGET_HEARD_YES && target->group->wire->stays && !served_of(conn)->ended) {
		target_stay(conn);
		registration_done(target);
		return;
	}
	drop_registering(conn);
	if (how == TARGET_HEARD_YES && !target->group->wire->stays)
		registration_done(target);
	else
		registration_failed(target, why);
}

static size_t register_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct served *r = served_of(conn);
	const char *why = "closed without an answer";
	size_t taken;

	if (hangs(r->target))
		return 0; /* read when it wakes up */
	enum target_heard how = r->target->group->wire->heard(conn, bytes, len, fresh, &taken,
							      &why);
	if (how == TARGET_HEARD_MORE)
		return taken;
	register_over(conn, how, why);
	/* On one that stays the first commands may stand behind the answer. */
	if (!r->gone && conn->handler == &r->target->group->wire->served && taken < len)
		taken += conn->handler->received(conn, bytes + taken, len - taken, 0);
	return taken;
}

static void register_ended(struct net_conn *conn, const char *rest, size_t len)
{
	struct served *r = served_of(conn);
	const struct target_wire *wire = r->target->group->wire;
	const char *why = "closed without an answer";

	r->ended = true;
	if (hangs(r->target))
		return;
	enum target_heard how = wire->heard_end != NULL ? wire->heard_end(conn, rest, len, &why)
							: TARGET_HEARD_NO;
	register_over(conn, how, why);
}

static void register_closed(struct net_conn *conn, int error)
{
	struct target *target = served_of(conn)->target;

	served_of(conn)->gone = true;
	served_release(conn);
	if (hangs(target)) {
		target->registering = NULL;
		target->faults->failed_meanwhile = true;
		return;
	}
	const struct target_wire *wire = target->group->wire;
	const char *why = "closed without an answer";
	if (error != 0)
		why = wire->why_closed != NULL ? wire->why_closed(target, error) : strerror(-error);
	registration_failed(target, why);
}

static void register_expired(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);
	struct served *r = served_of(conn);

	(void)now_ns;
	if (hangs(r->target)) {
		r->expired = true;
		return;
	}
	drop_registering(conn);
	registration_failed(r->target, "no answer in time");
}

void target_stop_registering(struct target *target)
{
	struct net_conn *conn = target->registering;

	target->registering = NULL;
	if (conn == NULL)
		return;
	served_of(conn)->gone = true;
	served_release(conn);
	net_reset(conn);
}

static const struct net_handler register_handler = {
	.opened = register_opened,
	.received = register_received,
	.ended = register_ended,
	.closed = register_closed,
};

void target_wake_registration(struct target *target)
{
	struct net_conn *conn = target->registering;

	if (hangs(target))
		return;
	if (target->faults->failed_meanwhile) {
		target->faults->failed_meanwhile = false;
		registration_failed(target, "the connection broke while the program hung");
		return;
	}
	if (conn == NULL)
		return;
	struct served *r = served_of(conn);
	if (r->opened) {
		r->opened = r->expired = false;
		register_opened(conn);
	}
	net_poke(conn);
	if (target->registering == conn && r->ended)
		register_ended(conn, NULL, 0);
	if (target->registering == conn && r->expired)
		register_expired(&conn->timer, target->env->loop->now_ns);
}

/* Nobody is told; it counts as registered, since it is there for whoever asks. */
static void serve_alone(struct target *target)
{
	target->register_now = false;
	if (target->state != TARGET_BOOTING)
		return;
	if (!target->registered)
		target->env->totals.registered++;
	target->registered = true;
	target_start_listening(target);
}

static void register_now(struct target *target)
{
	struct target_env *env = target->env;
	struct net_addr from = { target->ip, 0 };
	struct net_conn *conn;

	if (target->registering != NULL || fault_strikes(target, FAULT_NEVER_REGISTER))
		return;
	if (target->group->wire->alone) {
		serve_alone(target);
		return;
	}
	target->tries++;
	target->register_now = false;
	target_say(target, EVENT_REGISTERING, NULL);
	if (fault_active(target, FAULT_OUTAGE)) {
		registration_failed(target, "no network");
		return;
	}
	if (fault_strikes(target, FAULT_REGISTER_FROM))
		from.ip = target->faults->spec[FAULT_REGISTER_FROM]->ip;
	const struct target_wire *wire = target->group->wire;
	int rc = wire->connect != NULL
			 ? wire->connect(target, from, &register_handler, &conn)
			 : net_connect(target_net(target), from, target->group->master,
				       &register_handler, &conn);
	if (rc < 0) {
		registration_failed(target, strerror(-rc));
		return;
	}
	if (!served_init(conn, target)) {
		net_close(conn);
		registration_failed(target, strerror(ENOBUFS));
		return;
	}
	target->registering = conn;
	conn->timer.fire = register_expired;
	loop_timer(env->loop, &conn->timer, target->group->answer_timeout_ns);
}

void target_life_goes_on(struct timer *timer, int64_t now_ns)
{
	struct target *target = OF(timer, struct target, life);

	if (hangs(target)) {
		target->faults->parked_life = true;
		return;
	}
	/* Somebody spoke to it since: the silence begins anew. */
	if (target_in_service(target) && target->tries == 0 && !target->register_now &&
	    now_ns < next_registration(target)) {
		schedule_reregistration(target);
		return;
	}
	register_now(target);
}

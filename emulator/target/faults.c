#include "emulator/target/parts.h"

/* Which faults a target has, when they come and go, whether they strike. */

/* Conditions: drawn once, when they begin; the rest is drawn at each occasion. */
#define CONDITIONS                                                                                 \
	(FAULT_BIT(FAULT_REFUSE) | FAULT_BIT(FAULT_OUTAGE) | FAULT_BIT(FAULT_HANG) |               \
	 FAULT_BIT(FAULT_NEVER_REGISTER) | FAULT_BIT(FAULT_REGISTER_AS) |                          \
	 FAULT_BIT(FAULT_REGISTER_FROM) | FAULT_BIT(FAULT_SENSOR_DEAD) |                           \
	 FAULT_BIT(FAULT_SENSOR_STUCK) | FAULT_BIT(FAULT_CLOCK_OFFSET) |                           \
	 FAULT_BIT(FAULT_CLOCK_DRIFT) | FAULT_BIT(FAULT_WEAR) | FAULT_BIT(FAULT_OUT_OF_MEMORY) |   \
	 FAULT_BIT(FAULT_TWO_IN_RECORD))
/* Things that happen at moments: they are never "on", `every` apart. */
#define MOMENTS (FAULT_BIT(FAULT_REBOOT) | FAULT_BIT(FAULT_HIT_DOWN) | FAULT_BIT(FAULT_CLOCK_JUMP))

uint64_t fault_bits(struct target *target, const struct fault_spec *spec,
		    enum fault_purpose purpose)
{
	uint64_t seed = spec->seed != 0 ? (uint64_t)spec->seed : target->env->seed;
	/* An outage is one for the whole group: when it comes, how long it rests, whether it is. */
	uint64_t who = spec->kind == FAULT_OUTAGE ? (uint64_t)target->group->port << 32 |
							    (uint64_t)target->group->first_number
						  : target->number;

	return rng_draw(seed, who, RNG_FAULT + (unsigned)purpose + (unsigned)spec->kind,
			target->faults->draws[spec->kind]++);
}

static bool happens(struct target *target, const struct fault_spec *spec)
{
	return spec->probability >= 1 ||
	       rng_unit(fault_bits(target, spec, FAULT_WHETHER)) < spec->probability;
}

/* How long it rests, or how far two moments are apart; never nothing. */
static int64_t draw_every(struct target *target, const struct fault_spec *spec)
{
	int64_t every = dist_draw(&spec->every, fault_bits(target, spec, FAULT_WHEN));

	return every > 0 ? every : 1;
}

const struct fault_spec *fault_strike(struct target *target, enum fault_kind kind)
{
	const struct fault_spec *spec = target->faults->spec[kind];

	if (!(CONDITIONS & FAULT_BIT(kind)) && !happens(target, spec))
		return NULL;
	target->env->totals.faults_struck++;
	target_say(target, EVENT_FAULT_STRUCK, fault_name(kind));
	return spec;
}

int64_t fault_time(struct target *target, const struct fault_spec *spec)
{
	return dist_draw(&spec->time, fault_bits(target, spec, FAULT_HOW_LONG));
}

/* ---- what begins and ends with a condition ---- */

static void hole_everything(struct target *target, bool on)
{
	if (target->listener != NULL)
		net_hole(target->listener, on);
	if (target->registering != NULL)
		net_hole_conn(target->registering, on);
	for (struct net_conn *conn = target->serving; conn != NULL; conn = served_of(conn)->next)
		net_hole_conn(conn, on);
}

static void back_on_air(struct target *target)
{
	hole_everything(target, false);
	target_wake_registration(target);
	struct net_conn *conn = target->serving;
	while (conn != NULL) {
		struct net_conn *next = served_of(conn)->next;
		target_resume_held(conn);
		conn = next;
	}
}

static void wake_up(struct target *target)
{
	struct target_faults *faults = target->faults;
	struct timers *timers = &target->env->loop->timers;
	int64_t now = target->env->loop->now_ns;

	if (faults->parked_life)
		timer_arm(timers, &target->life, now);
	if (faults->parked_mechanics)
		timer_arm(timers, &target->mechanics, now);
	faults->parked_life = faults->parked_mechanics = false;
	target_wake_registration(target);
	target_poke_connections(target);
}

static void begin(struct target *target, enum fault_kind kind)
{
	struct target_faults *faults = target->faults;

	if (faults->spec[kind]->probability <= 0)
		return; /* it can never strike: no message pays for it */
	if ((CONDITIONS & FAULT_BIT(kind)) && !happens(target, faults->spec[kind]))
		return;
	faults->active |= FAULT_BIT(kind);
	faults->since_ns[kind] = target->env->loop->now_ns;
	target_say(target, EVENT_FAULT_ON, fault_name(kind));
	switch (kind) {
	case FAULT_REFUSE: target_stop_listening(target); break;
	case FAULT_OUTAGE: hole_everything(target, true); break;
	case FAULT_REGISTER_AS:
	case FAULT_REGISTER_FROM:
	case FAULT_REGISTER_TWICE:
	case FAULT_REGISTER_STORM: target_register_again(target); break;
	case FAULT_WEAR: faults->moves = 0; break;
	case FAULT_OUT_OF_MEMORY: faults->commands = 0; break;
	default: break;
	}
}

static void end(struct target *target, enum fault_kind kind)
{
	struct target_faults *faults = target->faults;

	if (!(faults->active & FAULT_BIT(kind)))
		return;
	faults->active &= ~FAULT_BIT(kind);
	target_say(target, EVENT_FAULT_OFF, fault_name(kind));
	switch (kind) {
	case FAULT_REFUSE: target_resume_listening(target); break;
	case FAULT_OUTAGE: back_on_air(target); break;
	case FAULT_HANG: wake_up(target); break;
	case FAULT_NEVER_REGISTER: target_may_register(target); break;
	case FAULT_CLOCK_DRIFT: /* what it has gained by now stays */
		faults->clock_shift_ns += fault_drift(target, faults->spec[kind]);
		break;
	default: break;
	}
}

/* ---- time ---- */

static void set_timer(struct target_faults *faults)
{
	struct timers *timers = &faults->target->env->loop->timers;
	int64_t next = TIMERS_NEVER;

	for (uint64_t left = faults->armed; left != 0; left &= left - 1) {
		unsigned kind = (unsigned)__builtin_ctzll(left);
		if (faults->due_ns[kind] != 0 && faults->due_ns[kind] < next)
			next = faults->due_ns[kind];
	}
	if (next == TIMERS_NEVER)
		timer_cancel(timers, &faults->timer);
	else
		timer_arm(timers, &faults->timer, next);
}

static void moment(struct target *target, enum fault_kind kind)
{
	struct target_faults *faults = target->faults;

	switch (kind) {
	case FAULT_REBOOT:
		if (target->state == TARGET_OFF || !fault_strike(target, kind))
			break;
		target_power_off(target);
		target_power_on(target);
		break;
	case FAULT_HIT_DOWN:
		if (target->state == TARGET_DOWN && !fault_active(target, FAULT_HANG) &&
		    fault_strike(target, kind))
			target_feel_hit_down(target);
		break;
	case FAULT_CLOCK_JUMP:
		if (fault_strike(target, kind))
			faults->clock_shift_ns += faults->spec[kind]->by_ns;
		break;
	default: break;
	}
}

static void change(struct target *target, enum fault_kind kind, int64_t now_ns)
{
	struct target_faults *faults = target->faults;
	const struct fault_spec *spec = faults->spec[kind];

	if (MOMENTS & FAULT_BIT(kind)) {
		if (faults->until_ns[kind] != 0 && now_ns >= faults->until_ns[kind]) {
			target_fault_off(target, kind);
			return;
		}
		faults->due_ns[kind] = ns_plus(now_ns, draw_every(target, spec));
		moment(target, kind);
	} else if (!spec->has_every) {
		target_fault_off(target, kind);
	} else if (faults->resting & FAULT_BIT(kind)) {
		faults->resting &= ~FAULT_BIT(kind);
		faults->due_ns[kind] = now_ns + spec->for_ns;
		begin(target, kind);
	} else {
		faults->resting |= FAULT_BIT(kind);
		faults->due_ns[kind] = ns_plus(now_ns, draw_every(target, spec));
		end(target, kind);
	}
}

static void on_timer(struct timer *timer, int64_t now_ns)
{
	struct target_faults *faults = OF(timer, struct target_faults, timer);

	for (uint64_t left = faults->armed; left != 0; left &= left - 1) {
		unsigned kind = (unsigned)__builtin_ctzll(left);
		if ((faults->armed & FAULT_BIT(kind)) && faults->due_ns[kind] != 0 &&
		    faults->due_ns[kind] <= now_ns)
			change(faults->target, (enum fault_kind)kind, now_ns);
	}
	set_timer(faults);
}

/* ---- on and off ---- */

static struct target_faults *faults_of(struct target *target)
{
	if (target->faults == NULL) {
		struct target_faults *faults = pool_get(&target->env->faults);
		if (faults == NULL)
			return NULL;
		memset(faults, 0, sizeof(*faults));
		faults->target = target;
		faults->timer.fire = on_timer;
		target->faults = faults;
	}
	return target->faults;
}

bool target_fault_on(struct target *target, const struct fault_spec *spec)
{
	enum fault_kind kind = (enum fault_kind)spec->kind;
	int64_t now = target->env->loop->now_ns;

	/* A step of the timeline may mean targets of several wires. */
	if (!target_wire_has_fault(target->group->wire, kind))
		return true;
	struct target_faults *faults = faults_of(target);
	if (faults == NULL)
		return false;
	if (faults->armed & FAULT_BIT(kind))
		target_fault_off(target, kind);
	faults->spec[kind] = spec;
	faults->armed |= FAULT_BIT(kind);
	faults->until_ns[kind] = 0;
	if (MOMENTS & FAULT_BIT(kind)) {
		faults->due_ns[kind] = ns_plus(now, draw_every(target, spec));
		faults->until_ns[kind] = spec->for_ns > 0 ? now + spec->for_ns : 0;
		target_say(target, EVENT_FAULT_ON, fault_name(kind));
	} else if (spec->has_every) {
		faults->resting |= FAULT_BIT(kind);
		faults->due_ns[kind] = ns_plus(now, draw_every(target, spec));
	} else {
		faults->due_ns[kind] = spec->for_ns > 0 ? now + spec->for_ns : 0;
		begin(target, kind);
	}
	set_timer(faults);
	return true;
}

void target_fault_off(struct target *target, enum fault_kind kind)
{
	struct target_faults *faults = target->faults;

	if (faults == NULL || !(faults->armed & FAULT_BIT(kind)))
		return;
	faults->armed &= ~FAULT_BIT(kind);
	faults->resting &= ~FAULT_BIT(kind);
	faults->due_ns[kind] = 0;
	if (MOMENTS & FAULT_BIT(kind))
		target_say(target, EVENT_FAULT_OFF, fault_name(kind));
	end(target, kind);
	set_timer(faults);
}

bool target_fault_active(const struct target *target, enum fault_kind kind)
{
	return fault_active(target, kind);
}

void target_faults_release(struct target *target)
{
	if (target->faults == NULL)
		return;
	timer_cancel(&target->env->loop->timers, &target->faults->timer);
	pool_put(&target->env->faults, target->faults);
	target->faults = NULL;
}

/* ---- the clock ---- */

int64_t fault_drift(const struct target *target, const struct fault_spec *spec)
{
	int64_t elapsed = target->env->loop->now_ns - target->faults->since_ns[FAULT_CLOCK_DRIFT];

	return (int64_t)((double)elapsed * spec->factor / 1e6);
}

int64_t fault_wall_ns(const struct target *target)
{
	const struct target_faults *faults = target->faults;
	int64_t wall = target->env->loop->wall_ns + faults->clock_shift_ns;

	if (faults->active & FAULT_BIT(FAULT_CLOCK_OFFSET))
		wall += faults->spec[FAULT_CLOCK_OFFSET]->by_ns;
	if (faults->active & FAULT_BIT(FAULT_CLOCK_DRIFT))
		wall += fault_drift(target, faults->spec[FAULT_CLOCK_DRIFT]);
	return wall;
}

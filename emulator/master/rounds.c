#include "emulator/master/rounds.h"

#include "emulator/base/rng.h"
#include "emulator/base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define LOOK_EVERY_NS (20 * NS_PER_MS)

enum state { WAITING, PAUSING, SENDING, FINISHED };

struct rounds {
	struct loop *loop;
	struct master *master;
	struct events *events;
	const struct master_config *config;
	void (*finished)(void *context);
	void *context;
	struct timer timer;
	enum state state;
	int64_t started_ns, short_of;
	int64_t pass;   /* of all rounds */
	size_t current; /* the round */
	int64_t sent_times;
	int64_t round_start_ns;
	uint64_t outstanding, unsent, draws;
	bool found_nobody; /* the last sending */
	bool sending;      /* inside the loop that hands out commands */
	uint32_t *chosen;
	uint8_t *marks;
};

static const struct round_config *current(const struct rounds *rounds)
{
	return &((const struct round_config *)rounds->config->rounds.at)[rounds->current];
}

static void tell(struct rounds *rounds, enum event_kind kind, int64_t value)
{
	struct event event = { .t_ns = rounds->loop->now_ns,
			       .kind = kind,
			       .target = EVENT_NO_TARGET,
			       .type = (uint8_t)current(rounds)->type,
			       .value = value };

	if (events_wanted(rounds->events, kind))
		events_deliver(rounds->events, &event);
}

/* ---- what selectors ask ---- */

static const char *name_of(const void *context, uint32_t i)
{
	return master_remote(context, i)->id;
}

static bool is_known(const void *context, uint32_t i)
{
	return master_remote(context, i)->known;
}

/* ---- */

static void begin_round(struct rounds *rounds);

static void next_round(struct rounds *rounds)
{
	if (rounds->config->forget_failed)
		master_forget_failed(rounds->master);
	if (++rounds->current == rounds->config->rounds.count) {
		rounds->current = 0;
		rounds->pass++;
		if (rounds->config->repeat > 0 && rounds->pass == rounds->config->repeat) {
			rounds->state = FINISHED;
			rounds->finished(rounds->context);
			return;
		}
	}
	begin_round(rounds);
}

static void send_once(struct rounds *rounds);

/* After each answer and each sending: is there more of this round, and is it over? */
static void look(struct rounds *rounds)
{
	const struct round_config *round = current(rounds);

	if (rounds->state != SENDING || rounds->sending || rounds->outstanding > 0)
		return;
	if (rounds->sent_times < round->times) {
		if (round->every_ns == 0)
			loop_timer(rounds->loop, &rounds->timer,
				   rounds->found_nobody ? LOOK_EVERY_NS : 0);
		return;
	}
	tell(rounds, EVENT_M_ROUND_END, rounds->loop->now_ns - rounds->round_start_ns);
	next_round(rounds);
}

static void answered(struct master *master, uint32_t number, enum range_word command,
		     enum master_outcome outcome, void *context)
{
	struct rounds *rounds = context;

	(void)master;
	(void)number;
	(void)command;
	(void)outcome;
	rounds->outstanding--;
	look(rounds);
}

static void send_once(struct rounds *rounds)
{
	const struct round_config *round = current(rounds);
	const struct selector_subject subject = { .count = master_count(rounds->master),
						  .present = is_known,
						  .name = name_of,
						  .context = rounds->master };
	struct qn_text duration = { round->duration_text, strlen(round->duration_text) };
	int64_t due = rounds->round_start_ns + rounds->sent_times * round->every_ns;
	uint64_t bits = rng_draw(rounds->config->options.seed, 0, RNG_ROUND, rounds->draws++);

	if (round->every_ns == 0)
		due = rounds->loop->now_ns;
	uint32_t n = selector_apply(&round->selector, &subject, bits, rounds->chosen,
				    rounds->marks);
	rounds->sent_times++;
	rounds->sending = true;
	for (uint32_t i = 0; i < n; i++) {
		rounds->outstanding++; /* first: the answer may come before the call returns */
		if (master_command(rounds->master, rounds->chosen[i], round->type, due, duration,
				   answered, rounds) < 0) {
			rounds->outstanding--;
			rounds->unsent++;
		}
	}
	rounds->sending = false;
	if (n == 0)
		rounds->unsent++;
	rounds->found_nobody = n == 0;
	if (round->every_ns > 0 && rounds->sent_times < round->times)
		timer_arm(&rounds->loop->timers, &rounds->timer,
			  rounds->round_start_ns + rounds->sent_times * round->every_ns);
	look(rounds);
}

static void begin_sending(struct rounds *rounds)
{
	rounds->state = SENDING;
	rounds->sent_times = 0;
	rounds->round_start_ns = rounds->loop->now_ns;
	tell(rounds, EVENT_M_ROUND, master_known(rounds->master));
	send_once(rounds);
}

static void begin_round(struct rounds *rounds)
{
	int64_t pause = current(rounds)->after_ns;

	/* Rounds that find nobody, repeated for ever, must not spin. */
	if (rounds->found_nobody && pause < LOOK_EVERY_NS)
		pause = LOOK_EVERY_NS;
	rounds->state = PAUSING;
	loop_timer(rounds->loop, &rounds->timer, pause);
}

static void wait_for_targets(struct rounds *rounds)
{
	const struct master_config *config = rounds->config;
	int64_t waited = rounds->loop->now_ns - rounds->started_ns;
	uint32_t known = master_known(rounds->master);

	if (known < config->wait.targets && waited < config->wait.timeout_ns) {
		loop_timer(rounds->loop, &rounds->timer, LOOK_EVERY_NS);
		return;
	}
	if (known < config->wait.targets)
		rounds->short_of = known;
	begin_round(rounds);
}

static void go_on(struct timer *timer, int64_t now_ns)
{
	struct rounds *rounds = OF(timer, struct rounds, timer);

	(void)now_ns;
	switch (rounds->state) {
	case WAITING: wait_for_targets(rounds); break;
	case PAUSING: begin_sending(rounds); break;
	case SENDING: send_once(rounds); break;
	case FINISHED: break;
	}
}

int rounds_new(struct loop *loop, struct master *master, struct events *events,
	       const struct master_config *config, void (*finished)(void *context), void *context,
	       struct rounds **ret)
{
	struct rounds *rounds = calloc(1, sizeof(*rounds));

	if (rounds == NULL)
		return -ENOMEM;
	rounds->loop = loop;
	rounds->master = master;
	rounds->events = events;
	rounds->config = config;
	rounds->finished = finished;
	rounds->context = context;
	rounds->short_of = -1;
	rounds->timer.fire = go_on;
	rounds->chosen = calloc((size_t)config->targets_max, sizeof(*rounds->chosen));
	rounds->marks = calloc((size_t)config->targets_max, 1);
	if (rounds->chosen == NULL || rounds->marks == NULL) {
		rounds_free(rounds);
		return -ENOMEM;
	}
	*ret = rounds;
	return 0;
}

void rounds_start(struct rounds *rounds)
{
	rounds->started_ns = rounds->loop->now_ns;
	if (rounds->config->rounds.count == 0)
		return;
	loop_timer(rounds->loop, &rounds->timer, 0);
}

void rounds_free(struct rounds *rounds)
{
	if (rounds == NULL)
		return;
	timer_cancel(&rounds->loop->timers, &rounds->timer);
	free(rounds->chosen);
	free(rounds->marks);
	free(rounds);
}

bool rounds_waiting(const struct rounds *rounds)
{
	return rounds->state == WAITING && rounds->config->rounds.count > 0;
}

bool rounds_finished(const struct rounds *rounds)
{
	return rounds->state == FINISHED;
}

int64_t rounds_short_of(const struct rounds *rounds)
{
	return rounds->short_of;
}

uint64_t rounds_unsent(const struct rounds *rounds)
{
	return rounds->unsent;
}

const char *rounds_describe(const struct rounds *rounds, char *buf, size_t cap)
{
	const struct round_config *round = current(rounds);

	if (rounds->config->rounds.count == 0)
		return NULL;
	switch (rounds->state) {
	case WAITING:
		snprintf(buf, cap, "waiting for %lld targets, %u are there",
			 (long long)rounds->config->wait.targets, master_known(rounds->master));
		return buf;
	case PAUSING:
	case SENDING:
		snprintf(buf, cap, "round %zu of %zu: %s%s", rounds->current + 1,
			 rounds->config->rounds.count, range_word_name(round->type),
			 rounds->state == PAUSING ? " (pause)" : "");
		return buf;
	case FINISHED: return "all rounds done";
	}
	return NULL;
}

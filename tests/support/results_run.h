/*
 * A made-up run for the tests of the results: 500 targets, rounds, faults, losses, all by a seed.
 *
 * Purpose: a bus, a fleet's and a master's figures, and events in the order and shape in which the
 * real ones come, under a simulated loop and without a network.
 * Ownership: results_run_close() what results_run_open() made. Errors: fails the test.
 * Threads: none.
 */
#ifndef TEST_RESULTS_RUN_H
#define TEST_RESULTS_RUN_H

#include "emulator/base/rng.h"
#include "emulator/base/units.h"
#include "emulator/results/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define RUN_TARGETS 500
#define RUN_STEP_NS (5 * NS_PER_MS)

struct results_run {
	struct loop loop;
	struct events events;
	struct fleet fleet;
	struct master *master;
	struct results *results;
	struct timer timer;
	int64_t until_ns;
	uint64_t seed, draws;
	uint8_t state[RUN_TARGETS], command[RUN_TARGETS];
	bool slow[RUN_TARGETS], mute[RUN_TARGETS];
	int64_t change_ns[RUN_TARGETS]; /* the next state, 0: none */
	int64_t due_ns[RUN_TARGETS], answer_ns[RUN_TARGETS];
	char names[RUN_TARGETS][24];
	unsigned rounds, under_way;
	int64_t round_ns;
};

static inline double run_draw(struct results_run *run)
{
	return rng_unit(rng_draw(run->seed, 0, RNG_GENERATE, run->draws++));
}

static inline void run_tell(struct results_run *run, enum event_kind kind, int64_t target,
			    uint8_t type, int64_t value, const char *text)
{
	struct event event = { .t_ns = run->loop.now_ns,
			       .kind = kind,
			       .target = target < 0 ? EVENT_NO_TARGET : (uint32_t)target,
			       .name = target < 0 ? NULL : run->names[target],
			       .type = type,
			       .value = value,
			       .text = text,
			       .text_len = text != NULL ? strlen(text) : 0 };

	if (events_wanted(&run->events, kind))
		events_deliver(&run->events, &event);
}

static inline void run_become(struct results_run *run, int i, enum target_state state,
			      enum event_kind kind, int64_t for_ns)
{
	struct target_totals *totals = &run->fleet.env.totals;

	totals->by_state[run->state[i]]--;
	totals->by_state[state]++;
	run->state[i] = (uint8_t)state;
	run->change_ns[i] = for_ns > 0 ? run->loop.now_ns + for_ns : 0;
	run_tell(run, kind, i, 0, 0, NULL);
}

static inline void run_next_state(struct results_run *run, int i)
{
	struct target_totals *totals = &run->fleet.env.totals;

	switch (run->state[i]) {
	case TARGET_OFF:
		run_become(run, i, TARGET_BOOTING, EVENT_POWER_ON,
			   (int64_t)((0.6 + run_draw(run)) * 1e9));
		break;
	case TARGET_BOOTING:
		totals->registered++;
		totals->registrations++;
		run_become(run, i, TARGET_DOWN, EVENT_REGISTERED, 0);
		break;
	case TARGET_RISING:
		totals->moves++;
		if (run->command[i] != RANGE_ACTIVATE) {
			run_become(run, i, TARGET_UP, EVENT_STANDING, 0);
			break;
		}
		totals->activations++;
		run_become(run, i, TARGET_ACTIVE, EVENT_ACTIVE,
			   (int64_t)((1 + 2 * run_draw(run)) * 1e9));
		break;
	case TARGET_ACTIVE:
		if (run_draw(run) < 0.6) {
			totals->hits++;
			run_tell(run, EVENT_HIT, i, 0, 1234567, NULL);
		} else {
			totals->misses++;
			run_tell(run, EVENT_MISS, i, 0, 0, NULL);
		}
		run_become(run, i, TARGET_FALLING, EVENT_FALLING, 500 * NS_PER_MS);
		break;
	case TARGET_FALLING:
		totals->moves++;
		run_become(run, i, TARGET_DOWN, EVENT_DOWN, 0);
		break;
	default: run->change_ns[i] = 0;
	}
}

static inline void run_move(struct results_run *run, int i, uint8_t type)
{
	int64_t takes = (int64_t)((0.45 + 0.2 * run_draw(run)) * 1e9);

	if (type == RANGE_LAY_DOWN && run->state[i] == TARGET_UP)
		run_become(run, i, TARGET_FALLING, EVENT_FALLING, takes);
	if ((type == RANGE_STAND_UP || type == RANGE_ACTIVATE) && run->state[i] == TARGET_DOWN)
		run_become(run, i, TARGET_RISING, EVENT_RISING, takes);
}

static inline void run_send(struct results_run *run, uint8_t type)
{
	static const char line[] = "{\"type\": \"ping\", \"id\": \"5f1a9c3e\", \"data\": {}}\n";
	struct master_command_stats *stats =
		(struct master_command_stats *)master_stats(run->master, type);
	struct master_totals *totals = (struct master_totals *)master_totals(run->master);

	run_tell(run, EVENT_M_ROUND, -1, type, RUN_TARGETS, NULL);
	run->round_ns = run->loop.now_ns;
	run->rounds++;
	for (int i = 0; i < RUN_TARGETS; i++) {
		if (run->state[i] < TARGET_DOWN || run->answer_ns[i] != 0)
			continue;
		double u = run_draw(run), tail = pow(1 - u, -0.35);
		double ms = run->slow[i] ? 180 + 60 * u : 0.4 * tail + 0.002 * i;
		totals->sent++;
		totals->under_way++;
		stats->sent++;
		run->under_way++;
		run->command[i] = type;
		run->due_ns[i] = run->loop.now_ns;
		run->answer_ns[i] = run->loop.now_ns + (run->state[i] == TARGET_GONE || run->mute[i]
								? 2 * NS_PER_S
								: (int64_t)(ms * 1e6) + 1);
		run_tell(run, EVENT_M_SENT, i, type, 0, line);
	}
}

static inline void run_answer(struct results_run *run, int i)
{
	uint8_t type = run->command[i];
	int64_t took = run->answer_ns[i] - run->due_ns[i];
	struct master_command_stats *stats =
		(struct master_command_stats *)master_stats(run->master, type);
	struct master_totals *totals = (struct master_totals *)master_totals(run->master);

	run->answer_ns[i] = 0;
	totals->under_way--;
	if (run->state[i] == TARGET_GONE) {
		totals->failed++;
		totals->refused++;
		stats->failed++;
		run_tell(run, EVENT_M_FAILED, i, type, took, "refused");
	} else if (run->mute[i]) {
		totals->lost++;
		stats->lost++;
		run_tell(run, EVENT_M_LOST, i, type, took, NULL);
	} else {
		run->fleet.env.totals.commands[type]++;
		run->fleet.env.totals.answers++;
		totals->ok++;
		stats->ok++;
		hist_record(&stats->latency, took);
		hist_record(&stats->service, took * 3 / 4);
		run_tell(run, EVENT_COMMAND, i, type, 0, "{\"type\": \"\xc3\xbc\"}\n");
		run_tell(run, EVENT_M_OK, i, type, took, NULL);
		run_move(run, i, type);
	}
	if (--run->under_way == 0)
		run_tell(run, EVENT_M_ROUND_END, -1, type, run->loop.now_ns - run->round_ns, NULL);
}

static inline void run_faults(struct results_run *run, int64_t at_ns, bool *flags, int from, int to,
			      bool on, const char *name)
{
	if (run->loop.now_ns != at_ns)
		return;
	for (int i = from; i < to; i++) {
		flags[i] = on;
		run_tell(run, on ? EVENT_FAULT_ON : EVENT_FAULT_OFF, i, 0, 0, name);
		if (on)
			run_tell(run, EVENT_FAULT_STRUCK, i, 0, 0, name);
	}
}

static inline void run_script(struct results_run *run)
{
	static const uint8_t plan[] = { RANGE_PING,     RANGE_PING,     RANGE_STAND_UP, RANGE_PING,
					RANGE_LAY_DOWN, RANGE_ACTIVATE, RANGE_PING };
	int64_t now = run->loop.now_ns;

	if (now >= 4 * NS_PER_S && now % (1500 * NS_PER_MS) == 0 && run->under_way == 0)
		run_send(run, plan[run->rounds % sizeof(plan)]);
	run_faults(run, 18 * NS_PER_S, run->slow, 0, 120, true, "delay");
	run_faults(run, 30 * NS_PER_S, run->slow, 0, 120, false, "delay");
	run_faults(run, 36 * NS_PER_S, run->slow, 60, 90, true, "delay");
	run_faults(run, 39 * NS_PER_S, run->slow, 60, 90, false, "delay");
	run_faults(run, 40 * NS_PER_S, run->mute, 200, 240, true, "outage");
	run_faults(run, 48 * NS_PER_S, run->mute, 200, 240, false, "outage");
	if (now == 18 * NS_PER_S)
		run_tell(run, EVENT_NOTE, -1, 0, 0, "120 targets answer late from here");
	if (now == 40 * NS_PER_S)
		run_tell(run, EVENT_NOTE, -1, 0, 0,
			 "the west loses its Wi-Fi <script>alert(1)</script>");
	if (now == 50 * NS_PER_S)
		for (int i = 300; i < 307; i++) {
			run->fleet.env.totals.registered--;
			run->fleet.env.totals.lost++;
			run_become(run, i, TARGET_GONE, EVENT_CRASHED, 0);
		}
}

static inline void run_step(struct timer *timer, int64_t now_ns)
{
	struct results_run *run =
		(struct results_run *)((char *)timer - offsetof(struct results_run, timer));

	for (int i = 0; i < RUN_TARGETS; i++) {
		if (run->change_ns[i] != 0 && run->change_ns[i] <= now_ns)
			run_next_state(run, i);
		if (run->answer_ns[i] != 0 && run->answer_ns[i] <= now_ns)
			run_answer(run, i);
	}
	run_script(run);
	if (now_ns < run->until_ns)
		loop_timer(&run->loop, timer, RUN_STEP_NS);
}

/* The options' title, config_path, dir and events are the caller's. */
static inline void results_run_open(struct results_run *run, struct results_options options)
{
	struct master_options master = { .limits = { .targets = RUN_TARGETS, .concurrency = 4 },
					 .listen.profile = qn_snyper_profile(QN_SNYPER_CPYTHON) };

	memset(run, 0, sizeof(*run));
	loop_init_simulated(&run->loop, INT64_C(1763740800) * NS_PER_S);
	run->seed = options.seed;
	run->fleet.count = RUN_TARGETS;
	run->fleet.env.totals.by_state[TARGET_OFF] = RUN_TARGETS;
	for (int i = 0; i < RUN_TARGETS; i++) {
		snprintf(run->names[i], sizeof(run->names[i]), "target_%d", i + 1);
		run->change_ns[i] = 1 + i * 4 * NS_PER_MS;
	}
	cr_assert(master_new(&run->loop, NULL, &run->events, &master, &run->master) == 0);
	int rc = results_open(&options, &run->loop, &run->events, &run->fleet, run->master,
			      &run->results);
	cr_assert(rc == 0, "%s: %s", options.dir, strerror(-rc));
	run->timer.fire = run_step;
}

static inline void results_run_play(struct results_run *run, int64_t for_ns)
{
	results_start(run->results);
	run->until_ns = for_ns;
	loop_timer(&run->loop, &run->timer, 0);
	cr_assert(loop_run(&run->loop, for_ns) == 0);
}

static inline void results_run_close(struct results_run *run)
{
	results_free(run->results);
	master_free(run->master);
	loop_release(&run->loop);
}

#endif

/* Samples and marks: bounded however long the run is, and nothing is lost by merging. */
#include "emulator/base/rng.h"
#include "emulator/base/units.h"
#include "emulator/results/sampler.h"
#include "tests/support/require.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

struct run {
	struct loop loop;
	struct events events;
	struct fleet fleet;
	struct timer timer;
	struct sampler sampler;
	int64_t until_ns, step_ns;
	uint64_t told;
	int64_t slowest_ns;
};

static void tell(struct run *run, enum event_kind kind, uint32_t target, uint8_t type,
		 int64_t value, const char *text)
{
	const struct event event = { .t_ns = run->loop.now_ns,
				     .kind = kind,
				     .target = target,
				     .type = type,
				     .value = value,
				     .text = text,
				     .text_len = text != NULL ? strlen(text) : 0 };

	events_deliver(&run->events, &event);
}

static void step(struct timer *timer, int64_t now_ns)
{
	struct run *run = (struct run *)((char *)timer - offsetof(struct run, timer));
	int64_t took = 1000 + (int64_t)rng_below(rng_draw(1, 0, RNG_GENERATE, run->told), 5000000);

	tell(run, EVENT_M_OK, 0, RANGE_LAY_DOWN, took, NULL);
	run->told++;
	run->slowest_ns = took > run->slowest_ns ? took : run->slowest_ns;
	run->fleet.env.totals.by_state[TARGET_UP] = run->told;
	if (now_ns < run->until_ns)
		loop_timer(&run->loop, timer, run->step_ns);
}

static struct run *begin(uint32_t targets)
{
	struct run *run = calloc(1, sizeof(*run));

	cr_assert(run != NULL);
	loop_init_simulated(&run->loop, 0);
	run->fleet.count = targets;
	cr_assert(sampler_init(&run->sampler, &run->loop, &run->fleet, NULL) == 0);
	events_add(&run->events, &run->sampler.sink);
	sampler_start(&run->sampler);
	return run;
}

static void end(struct run *run)
{
	sampler_release(&run->sampler);
	loop_release(&run->loop);
	free(run);
}

static void play(struct run *run, int64_t for_ns, int64_t step_ns)
{
	run->until_ns = for_ns;
	run->step_ns = step_ns;
	run->timer.fire = step;
	loop_timer(&run->loop, &run->timer, step_ns);
	cr_assert(loop_run(&run->loop, TIMERS_NEVER) == 0);
	sampler_finish(&run->sampler);
}

static void check_samples(const struct run *run)
{
	const struct sampler *sampler = &run->sampler;
	uint64_t n = 0, in_buckets = 0;
	int64_t max_ns = 0;

	cr_expect(sampler->count >= 2 && sampler->count <= SAMPLES_MAX);
	cr_expect(sampler->samples[0].t_ns == 0);
	for (uint32_t i = 0; i < sampler->count; i++) {
		const struct sample *sample = &sampler->samples[i];
		const struct sample_latency *latency = &sample->latency[2];
		n += latency->n;
		for (unsigned b = 0; b < SAMPLE_BUCKETS; b++)
			in_buckets += latency->buckets[b];
		max_ns = latency->max_ns > max_ns ? latency->max_ns : max_ns;
		REQUIRE(sample->latency[0].n == 0);
		REQUIRE(i == 0 || sample->t_ns >= sampler->samples[i - 1].t_ns);
		REQUIRE(i == 0 ||
			sample->t_ns - sampler->samples[i - 1].t_ns <= 2 * sampler->interval_ns);
	}
	cr_expect(n == run->told && in_buckets == n, "%llu of %llu", (unsigned long long)n,
		  (unsigned long long)run->told);
	cr_expect(max_ns == run->slowest_ns);
	cr_expect(sampler->samples[sampler->count - 1].by_state[TARGET_UP] == run->told);
}

Test(sampler, short_and_long_runs)
{
	static const int64_t spans[] = { NS_PER_MS,         NS_PER_S,        59800 * NS_PER_MS,
					 59900 * NS_PER_MS, 60 * NS_PER_S,   61 * NS_PER_S,
					 1000 * NS_PER_S,   86400 * NS_PER_S };

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct run *run = begin(3);
		int64_t step_ns = spans[i] / 20000 + 1000;
		play(run, spans[i], step_ns);
		check_samples(run);
		if (spans[i] >= 60 * NS_PER_S)
			cr_expect(run->sampler.count >= SAMPLES_MAX / 2 - 1, "%u",
				  run->sampler.count);
		end(run);
	}
}

/* A simulation that has nothing left to do ends, in spite of the sampler. */
Test(sampler, lets_a_simulation_end)
{
	struct run *run = begin(3);

	cr_assert(loop_run(&run->loop, TIMERS_NEVER) == 0);
	cr_expect(run->loop.now_ns == SAMPLE_FIRST_NS);
	end(run);
}

Test(sampler, percentiles_are_close)
{
	struct run *run = begin(1);
	struct sample_latency *latency = &run->sampler.samples[run->sampler.count].latency[0];

	cr_expect(sample_percentile(latency, 50) == 0);
	for (int64_t us = 1; us <= 10000; us++)
		tell(run, EVENT_M_OK, 0, RANGE_PING, us * 1000, NULL);
	for (int percent = 1; percent <= 99; percent++) {
		double got = (double)sample_percentile(latency, percent) / 1e5;
		cr_expect(got > percent * 0.88 && got < percent * 1.12, "p%d is %g", percent, got);
	}
	cr_expect(sample_percentile(latency, 100) == 10000000);
	/* Out of all ranges. */
	tell(run, EVENT_M_OK, 0, RANGE_PING, -5, NULL);
	tell(run, EVENT_M_OK, 0, RANGE_PING, INT64_MAX, NULL);
	tell(run, EVENT_M_OK, 0, 200, 1, NULL);
	cr_expect(latency->n == 10002);
	cr_expect(sample_percentile(latency, 100) <= INT64_MAX);
	end(run);
}

/* ---- marks ---- */

static void at(struct run *run, int64_t seconds)
{
	run->loop.now_ns = seconds * NS_PER_S;
}

Test(marks, a_fault_lasts_from_the_first_target_to_the_last)
{
	struct run *run = begin(100);
	const struct marks *marks = &run->sampler.marks;

	at(run, 1);
	for (uint32_t i = 0; i < 70; i++)
		tell(run, EVENT_FAULT_ON, i, 0, 0, "delay");
	at(run, 2);
	tell(run, EVENT_FAULT_ON, 3, 0, 0, "delay"); /* anew: it is one target still */
	tell(run, EVENT_FAULT_STRUCK, 3, 0, 0, "delay");
	tell(run, EVENT_FAULT_OFF, 99, 0, 0, "delay"); /* it did not have it */
	tell(run, EVENT_FAULT_ON, 99, 0, 0, "reset");
	at(run, 3);
	for (uint32_t i = 0; i < 69; i++)
		tell(run, EVENT_FAULT_OFF, i, 0, 0, "delay");
	cr_expect(marks->spans[0].to_ns == MARKS_OPEN);
	at(run, 4);
	tell(run, EVENT_FAULT_OFF, 69, 0, 0, "delay");
	at(run, 5);
	tell(run, EVENT_FAULT_ON, 69, 0, 0, "delay");

	cr_expect(marks->fault_count == 2 && marks->span_count == 3);
	cr_expect_str_eq(marks->faults[0].name, "delay");
	cr_expect(marks->faults[0].struck == 1);
	cr_expect(marks->spans[0].targets == 70);
	cr_expect(marks->spans[0].from_ns == NS_PER_S && marks->spans[0].to_ns == 4 * NS_PER_S);
	cr_expect(marks->spans[1].fault == 1 && marks->spans[1].to_ns == MARKS_OPEN);
	cr_expect(marks->spans[2].targets == 1 && marks->spans[2].from_ns == 5 * NS_PER_S);
	cr_expect(marks->faults_left_out == 0);
	end(run);
}

Test(marks, more_than_there_is_room_for)
{
	struct run *run = begin(10);
	const struct marks *marks = &run->sampler.marks;
	char name[80];

	for (int i = 0; i < 1000; i++) {
		tell(run, EVENT_FAULT_ON, 1, 0, 0, "flicker");
		run->loop.now_ns++;
		tell(run, EVENT_FAULT_OFF, 1, 0, 0, "flicker");
		run->loop.now_ns++;
		tell(run, EVENT_M_ROUND, EVENT_NO_TARGET, RANGE_PING, 10, NULL);
		tell(run, EVENT_M_ROUND_END, EVENT_NO_TARGET, RANGE_PING, 1, NULL);
		tell(run, EVENT_NOTE, EVENT_NO_TARGET, 0, 0, "a note");
	}
	cr_expect(marks->span_count == MARKS_SPANS_MAX);
	cr_expect(marks->faults_left_out == 1000 - MARKS_SPANS_MAX);
	/* The last one stands for the rest, to the very end. */
	cr_expect(marks->spans[MARKS_SPANS_MAX - 1].times == 1000 - MARKS_SPANS_MAX + 1);
	cr_expect(marks->spans[MARKS_SPANS_MAX - 1].to_ns == 1999);
	cr_expect(marks->round_count == MARKS_ROUNDS_MAX);
	cr_expect(marks->rounds_left_out == 1000 - MARKS_ROUNDS_MAX);
	cr_expect(marks->rounds[MARKS_ROUNDS_MAX - 1].to_ns == 2 * MARKS_ROUNDS_MAX);
	cr_expect(marks->note_count == MARKS_NOTES_MAX);
	cr_expect(marks->notes_left_out == 1000 - MARKS_NOTES_MAX);

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%060d", i);
		tell(run, EVENT_FAULT_ON, 5, 0, 0, name);
		snprintf(name, sizeof(name), "%d", i);
		tell(run, EVENT_FAULT_ON, EVENT_NO_TARGET, 0, 0, name);
		tell(run, EVENT_FAULT_OFF, EVENT_NO_TARGET, 0, 0, name);
		tell(run, EVENT_FAULT_OFF, EVENT_NO_TARGET, 0, 0, name);
	}
	cr_expect(marks->fault_count == MARKS_NAMES_MAX);
	end(run);
}

Test(marks, long_texts_are_cut_at_a_character)
{
	struct run *run = begin(1);
	char text[400];

	memset(text, 'x', sizeof(text));
	memcpy(text + 318, "\xc3\xbc", 3);
	tell(run, EVENT_NOTE, EVENT_NO_TARGET, 0, 0, text);
	cr_expect(strlen(run->sampler.marks.notes[0].text) == 318);
	tell(run, EVENT_NOTE, EVENT_NO_TARGET, 0, 0, NULL);
	cr_expect(run->sampler.marks.notes[1].text[0] == '\0');
	end(run);
}

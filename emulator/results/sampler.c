#include "emulator/results/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define FIRST_BIT 10 /* 1024 ns */
#define STEPS_BITS 3 /* 8 an octave */

const enum range_word results_commands[COMMANDS] = {
	RANGE_PING,
	RANGE_STAND_UP,
	RANGE_LAY_DOWN,
	RANGE_ACTIVATE,
};

/* ---- one interval's latencies ---- */

static unsigned bucket_of(int64_t ns)
{
	uint64_t v = ns < (1 << FIRST_BIT) ? 1u << FIRST_BIT : (uint64_t)ns;
	unsigned octave = 63u - (unsigned)__builtin_clzll(v);
	unsigned step = (unsigned)(v >> (octave - STEPS_BITS)) & ((1u << STEPS_BITS) - 1);
	unsigned bucket = ((octave - FIRST_BIT) << STEPS_BITS) + step;

	return bucket < SAMPLE_BUCKETS ? bucket : SAMPLE_BUCKETS - 1;
}

static int64_t bucket_low(unsigned bucket)
{
	unsigned octave = (bucket >> STEPS_BITS) + FIRST_BIT;
	int64_t steps = (1 << STEPS_BITS) + (int64_t)(bucket & ((1u << STEPS_BITS) - 1));

	return bucket == 0 ? 0 : steps << (octave - STEPS_BITS);
}

int64_t sample_percentile(const struct sample_latency *latency, double percent)
{
	double rank = percent / 100 * latency->n, seen = 0;

	if (latency->n == 0)
		return 0;
	for (unsigned i = 0; i < SAMPLE_BUCKETS; i++) {
		double here = latency->buckets[i];
		if (here > 0 && seen + here >= rank) {
			int64_t low = bucket_low(i), high = bucket_low(i + 1);
			int64_t at = low + (int64_t)((rank - seen) / here * (double)(high - low));
			return at < latency->max_ns ? at : latency->max_ns;
		}
		seen += here;
	}
	return latency->max_ns;
}

static void record(struct sample_latency *latency, int64_t ns)
{
	latency->buckets[bucket_of(ns)]++;
	latency->n++;
	if (ns > latency->max_ns)
		latency->max_ns = ns;
}

static void add_latency(struct sample_latency *into, const struct sample_latency *from)
{
	if (from->n == 0)
		return;
	for (unsigned i = 0; i < SAMPLE_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
	into->n += from->n;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

/* ---- samples ---- */

/* The first stands at 0 and stays; of each pair behind it, what the later one saw holds. */
static void merge_neighbours(struct sampler *sampler)
{
	uint32_t to = 1;

	for (uint32_t from = 1; from < sampler->count; from += 2, to++) {
		struct sample *earlier = &sampler->samples[from];
		struct sample *later = from + 1 < sampler->count ? earlier + 1 : NULL;
		for (int c = 0; c < COMMANDS && later != NULL; c++)
			add_latency(&later->latency[c], &earlier->latency[c]);
		if (later != NULL || to != from)
			sampler->samples[to] = later != NULL ? *later : *earlier;
	}
	memset(&sampler->samples[to], 0, (sampler->count - to) * sizeof(struct sample));
	sampler->count = to;
	sampler->interval_ns *= 2;
}

static void take(struct sampler *sampler, int64_t now_ns)
{
	struct sample *sample = &sampler->samples[sampler->count++];

	sample->t_ns = now_ns - sampler->start_ns;
	if (sampler->fleet != NULL) {
		const struct target_totals *totals = &sampler->fleet->env.totals;
		for (int state = 0; state < TARGET_STATES; state++)
			sample->by_state[state] = (uint32_t)totals->by_state[state];
		sample->registered = (uint32_t)totals->registered;
	} else if (sampler->master != NULL) {
		sample->registered = master_known(sampler->master);
	}
	if (sampler->master != NULL) {
		const struct master_totals *totals = master_totals(sampler->master);
		sample->sent = totals->sent;
		sample->ok = totals->ok;
		sample->failed = totals->failed;
		sample->lost = totals->lost;
	}
	if (sampler->count == SAMPLES_MAX)
		merge_neighbours(sampler);
}

static void take_next(struct timer *timer, int64_t now_ns)
{
	struct sampler *sampler = OF(timer, struct sampler, timer);

	/* A simulated run ends when nothing is left to happen: a sampler alone is nothing. */
	bool idle = sampler->loop->simulated && sampler->loop->timers.count == 0;

	take(sampler, now_ns);
	if (idle)
		return;
	int64_t passed = (now_ns - sampler->start_ns) / sampler->interval_ns;
	timer_arm(&sampler->loop->timers, timer,
		  sampler->start_ns + (passed + 1) * sampler->interval_ns);
}

static int command_index(uint8_t type)
{
	for (int i = 0; i < COMMANDS; i++)
		if (results_commands[i] == type)
			return i;
	return -1;
}

static void sample_event(struct event_sink *sink, const struct event *event)
{
	struct sampler *sampler = OF(sink, struct sampler, sink);

	if (event->kind != EVENT_M_OK) {
		marks_event(&sampler->marks, event, event->t_ns - sampler->start_ns);
		return;
	}
	int command = command_index(event->type);
	if (command >= 0)
		record(&sampler->samples[sampler->count].latency[command], event->value);
}

int sampler_init(struct sampler *sampler, struct loop *loop, const struct fleet *fleet,
		 const struct master *master)
{
	memset(sampler, 0, sizeof(*sampler));
	sampler->samples = calloc(SAMPLES_MAX + 1, sizeof(*sampler->samples));
	if (sampler->samples == NULL)
		return -ENOMEM;
	int rc = marks_init(&sampler->marks, fleet != NULL ? fleet->count : 0);
	if (rc < 0) {
		sampler_release(sampler);
		return rc;
	}
	sampler->loop = loop;
	sampler->fleet = fleet;
	sampler->master = master;
	sampler->interval_ns = SAMPLE_FIRST_NS;
	sampler->start_ns = loop->now_ns;
	sampler->timer.fire = take_next;
	sampler->sink = (struct event_sink){ .event = sample_event,
					     .mask = MARKS_MASK | EVENT_BIT(EVENT_M_OK) };
	return 0;
}

void sampler_release(struct sampler *sampler)
{
	if (sampler->loop != NULL)
		timer_cancel(&sampler->loop->timers, &sampler->timer);
	free(sampler->samples);
	marks_release(&sampler->marks);
	sampler->samples = NULL;
}

void sampler_start(struct sampler *sampler)
{
	sampler->start_ns = sampler->loop->now_ns;
	take(sampler, sampler->start_ns);
	timer_arm(&sampler->loop->timers, &sampler->timer,
		  sampler->start_ns + sampler->interval_ns);
}

void sampler_finish(struct sampler *sampler)
{
	int64_t now_ns = sampler->loop->now_ns;

	timer_cancel(&sampler->loop->timers, &sampler->timer);
	sampler->sink.mask = 0;
	take(sampler, now_ns);
}

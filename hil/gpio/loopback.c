#include "hil/gpio/loopback.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emulator/base/rng.h"
#include "hil/gpio/gpio_internal.h"

#define NS_PER_S INT64_C(1000000000)
#define POLL_NS INT64_C(1000000)
#define SPIN_NS INT64_C(100000)
#define DRAIN_TOGGLES 4 /* toggles between two reads: v1 buffers 16 edges */

const struct loopback_params loopback_params_default = {
	.toggles = 200,
	.spacing_ns = 5000000,
	.bursts = 10,
	.wait_ns = 100000000,
};

static const int64_t rate_spacings_ns[LOOPBACK_RATES] = { 2000000, 1000000, 500000, 250000,
							  100000,  50000,   20000,  10000 };

/* --- sums: no line, no clock --------------------------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* Nearest rank: a value that was measured, never one in between. */
static int64_t percentile(const int64_t *sorted, size_t count, unsigned percent)
{
	size_t rank = (count * percent + 99) / 100;

	return sorted[rank > 0 ? rank - 1 : 0];
}

struct loopback_stats loopback_stats(int64_t *values, size_t count)
{
	struct loopback_stats stats = { .n = count };
	double sum = 0, squares = 0;

	if (count == 0)
		return stats;
	qsort(values, count, sizeof(*values), by_value);
	for (size_t i = 0; i < count; i++)
		sum += (double)values[i];
	stats.mean_ns = sum / (double)count;
	for (size_t i = 0; i < count; i++)
		squares += ((double)values[i] - stats.mean_ns) *
			   ((double)values[i] - stats.mean_ns);
	stats.stddev_ns = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
	stats.min_ns = values[0];
	stats.median_ns = percentile(values, count, 50);
	stats.p95_ns = percentile(values, count, 95);
	stats.p99_ns = percentile(values, count, 99);
	stats.max_ns = values[count - 1];
	return stats;
}

struct loopback_match loopback_match(const struct loopback_toggle *toggles, size_t count,
				     const struct edge *edges, size_t edge_count,
				     int64_t *ret_latency_ns)
{
	struct loopback_match match = { 0 };
	size_t next = 0;

	for (size_t i = 0; i < count; i++) {
		/* Levels alternate: an edge after the next toggle of this level is that one's. */
		int64_t end_ns = i + 2 < count ? toggles[i + 2].before_ns : INT64_MAX;
		size_t at;

		for (; next < edge_count && edges[next].t_ns < toggles[i].before_ns; next++)
			match.extra++;
		for (at = next; at < edge_count && edges[at].t_ns < end_ns; at++)
			if (edges[at].level == toggles[i].level)
				break;
		if (at == edge_count || edges[at].t_ns >= end_ns) {
			ret_latency_ns[i] = -1;
			match.lost++;
			continue;
		}
		ret_latency_ns[i] = edges[at].t_ns - toggles[i].before_ns;
		match.matched++;
		match.extra += at - next;
		next = at + 1;
	}
	match.extra += edge_count - next;
	return match;
}

/* --- a run on two lines -------------------------------------------------------------------------
 */

struct run {
	struct gpio_line *output, *input;
	const volatile sig_atomic_t *stop;
	struct edge_ring ring;
	uint64_t cursor; /* of the ring: where this phase began */
	struct loopback_toggle *toggles;
	size_t count; /* toggles in this phase */
	struct edge *edges;
	size_t edges_max;
	int64_t *latency_ns;
	bool level;
};

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int sleep_until(const struct run *run, int64_t until_ns)
{
	const struct timespec until = { until_ns / NS_PER_S, (long)(until_ns % NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		if (run->stop != NULL && *run->stop)
			return -ECANCELED;
	return run->stop != NULL && *run->stop ? -ECANCELED : 0;
}

static int drain(struct run *run)
{
	struct edge batch[64];
	int n;

	do {
		n = gpio_line_read(run->input, batch, 64);
		for (int i = 0; i < n; i++)
			edge_ring_push(&run->ring, &batch[i]);
	} while (n >= 16);
	return n < 0 ? n : 0;
}

static int toggle(struct run *run)
{
	struct loopback_toggle *next = &run->toggles[run->count++];

	next->level = run->level = !run->level;
	next->before_ns = clock_ns();
	int rc = gpio_line_set(run->output, next->level);
	next->after_ns = clock_ns();
	return rc;
}

/* Until as many edges are here as there were toggles, or for wait_ns; then one millisecond more,
 * for what there should not be. */
static int gather(struct run *run, int64_t wait_ns)
{
	int64_t end_ns = clock_ns() + wait_ns;
	int rc;

	do {
		rc = sleep_until(run, clock_ns() + POLL_NS);
		if (rc == 0)
			rc = drain(run);
	} while (rc == 0 && run->ring.written - run->cursor < run->count && clock_ns() < end_ns);
	if (rc == 0)
		rc = sleep_until(run, clock_ns() + POLL_NS);
	return rc < 0 ? rc : drain(run);
}

/* Matches what this phase brought. */
static struct loopback_match match_phase(struct run *run)
{
	size_t n = 0;

	while (n < run->edges_max && edge_ring_next(&run->ring, &run->cursor, &run->edges[n]))
		n++;
	return loopback_match(run->toggles, run->count, run->edges, n, run->latency_ns);
}

static void begin_phase(struct run *run)
{
	run->count = 0;
	run->cursor = run->ring.written;
}

static int measure_latency(struct run *run, const struct loopback_params *params,
			   struct loopback_result *result, struct gpio_fault *fault)
{
	int64_t next_ns = clock_ns() + POLL_NS; /* not in the nanosecond in which the ring begins */
	int rc = sleep_until(run, next_ns);

	begin_phase(run);
	for (size_t i = 0; rc == 0 && i < params->toggles; i++) {
		double jitter = rng_unit(rng_draw(1, 0, 0, i)) / 2 - 0.25;

		rc = toggle(run);
		if (rc == 0 && i % DRAIN_TOGGLES == 0)
			rc = drain(run);
		/* From this one on: after a preemption none may follow at once. */
		next_ns = run->toggles[i].before_ns + params->spacing_ns +
			  (int64_t)(jitter * (double)params->spacing_ns);
		if (rc == 0)
			rc = sleep_until(run, next_ns);
	}
	if (rc == 0)
		rc = gather(run, params->wait_ns);
	if (rc < 0)
		return rc;
	struct loopback_match match = match_phase(run);
	result->toggles = run->count;
	result->lost = match.lost;
	result->extra = match.extra;
	if (match.matched > 0)
		return 0;
	gpio_say(fault,
		 "the output %s and the input %s are not joined: %zu toggles, and no edge of them",
		 run->output->info.name, run->input->info.name, run->count);
	return -ENOTCONN;
}

/* What the latencies say; the arrays of this phase are used up. */
static void sum_up(struct run *run, struct loopback_result *result)
{
	int64_t *call_ns = run->latency_ns + run->count, *part_ns = call_ns + run->count;
	size_t n = 0;

	for (size_t i = 0; i < run->count; i++)
		call_ns[i] = run->toggles[i].after_ns - run->toggles[i].before_ns;
	result->call = loopback_stats(call_ns, run->count);
	for (unsigned level = 0; level < 2; level++) {
		size_t of_level = 0;

		for (size_t i = 0; i < run->count; i++)
			if (run->toggles[i].level == (level == 1) && run->latency_ns[i] >= 0)
				part_ns[of_level++] = run->latency_ns[i];
		*(level == 1 ? &result->rise : &result->fall) = loopback_stats(part_ns, of_level);
	}
	for (size_t i = 0; i < run->count; i++)
		if (run->latency_ns[i] >= 0)
			part_ns[n++] = run->latency_ns[i];
	result->latency = loopback_stats(part_ns, n);
	result->stamp_u_ns = (result->latency.max_ns - result->latency.min_ns + 1) / 2;
	if (result->rise.n > 0 && result->fall.n > 0)
		result->width_bias_ns = result->fall.median_ns - result->rise.median_ns;
}

/* One rate: bursts that fit into any kernel's buffer, each read before the next. */
static int measure_rate(struct run *run, int64_t spacing_ns, const struct loopback_params *params,
			struct loopback_rate *rate)
{
	struct edge_counts before = run->ring.counts;
	int64_t took_ns = 0;
	int rc = 0;

	*rate = (struct loopback_rate){ .spacing_ns = spacing_ns };
	for (unsigned burst = 0; rc == 0 && burst < params->bursts; burst++) {
		begin_phase(run);
		int64_t next_ns = clock_ns();
		while (rc == 0 && run->count < LOOPBACK_BURST) {
			/* Sleeping is too coarse for the end of it. */
			if (spacing_ns > 2 * SPIN_NS)
				rc = sleep_until(run, next_ns - SPIN_NS);
			while (rc == 0 && clock_ns() < next_ns)
				;
			if (rc == 0)
				rc = toggle(run);
			/* From this one on: after a preemption none may come faster. */
			if (run->count > 0)
				next_ns = run->toggles[run->count - 1].before_ns + spacing_ns;
		}
		if (rc == 0)
			rc = gather(run, params->wait_ns);
		if (rc < 0)
			break;
		took_ns += run->toggles[run->count - 1].before_ns - run->toggles[0].before_ns;
		struct loopback_match match = match_phase(run);
		rate->toggles += run->count;
		rate->lost += match.lost;
		rate->wrong += match.extra;
	}
	rate->wrong += (size_t)edge_counts_suspect(&before, &run->ring.counts);
	if (took_ns > 0)
		rate->rate_hz = (double)params->bursts * (LOOPBACK_BURST - 1) * 1e9 /
				(double)took_ns;
	return rc;
}

/* Faster and faster, to the first rate that loses something. */
static int measure_rates(struct run *run, const struct loopback_params *params,
			 struct loopback_result *result)
{
	for (size_t i = 0; i < LOOPBACK_RATES && params->bursts > 0; i++) {
		struct loopback_rate *rate = &result->rates[i];
		int rc = measure_rate(run, rate_spacings_ns[i], params, rate);

		if (rc < 0)
			return rc;
		result->rates_count = i + 1;
		if (rate->lost > 0 || rate->wrong > 0)
			break;
		if (rate->rate_hz > result->usable_hz)
			result->usable_hz = rate->rate_hz;
	}
	return 0;
}

static void release(struct run *run)
{
	free(run->toggles);
	free(run->edges);
	free(run->latency_ns);
	edge_ring_release(&run->ring);
}

static int prepare(struct run *run, const struct loopback_params *params)
{
	size_t toggles = params->toggles > LOOPBACK_BURST ? params->toggles : LOOPBACK_BURST;
	size_t capacity = 64;

	while (capacity < 2 * toggles)
		capacity *= 2;
	int rc = edge_ring_init(&run->ring, capacity, 0);
	if (rc < 0)
		return rc;
	run->edges_max = capacity;
	run->edges = calloc(capacity, sizeof(*run->edges));
	run->toggles = calloc(toggles, sizeof(*run->toggles));
	run->latency_ns = calloc(3 * toggles, sizeof(*run->latency_ns));
	if (run->edges == NULL || run->toggles == NULL || run->latency_ns == NULL)
		return -ENOMEM;
	/* From a known level, and after whatever bringing it there has caused. */
	rc = gpio_line_set(run->output, false);
	if (rc == 0)
		rc = sleep_until(run, clock_ns() + 10 * POLL_NS);
	if (rc == 0)
		rc = drain(run);
	if (rc < 0)
		return rc;
	int level = gpio_line_get(run->input);
	if (level < 0)
		return level;
	memset(&run->ring.counts, 0, sizeof(run->ring.counts));
	edge_ring_start(&run->ring, clock_ns(), level > 0, run->input->seq);
	return 0;
}

int loopback_run(struct gpio_line *output, struct gpio_line *input,
		 const struct loopback_params *params, const volatile sig_atomic_t *stop,
		 struct loopback_result *ret_result, struct gpio_fault *fault)
{
	const struct loopback_params *p = params != NULL ? params : &loopback_params_default;
	struct run run = { .output = output, .input = input, .stop = stop };
	struct loopback_result result = { 0 };

	if (output->use != GPIO_OUTPUT || input->use != GPIO_EDGES || p->toggles < 2 ||
	    p->toggles > LOOPBACK_TOGGLES_MAX || p->spacing_ns <= 0 || p->wait_ns < 0) {
		gpio_say(fault,
			 "a calibration needs an output, an input with edges, and 2 to %d "
			 "toggles",
			 LOOPBACK_TOGGLES_MAX);
		return -EINVAL;
	}
	int rc = prepare(&run, p);
	if (rc == 0)
		rc = measure_latency(&run, p, &result, fault);
	if (rc == 0) {
		sum_up(&run, &result);
		rc = measure_rates(&run, p, &result);
	}
	result.counts = run.ring.counts;
	release(&run);
	if (rc == -ENODEV || rc == -EPERM || rc == -EBADF)
		gpio_line_explain(input, rc, fault);
	else if (rc == -ECANCELED)
		gpio_say(fault, "the calibration was ended before it was done");
	if (rc == 0)
		*ret_result = result;
	return rc;
}

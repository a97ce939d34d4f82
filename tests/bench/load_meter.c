#include "tests/bench/load.h"

#include <string.h>

void meter_start(struct meter *meter, const struct plan *plan, const struct side *side)
{
	memset(meter, 0, sizeof(*meter));
	meter->watch = side->watch;
	meter->measured_ns = plan->measured_ns;
	meter->warm_until = now_ns() + plan->warm_ns;
}

static void sample(const struct meter *meter, int64_t *ret_watched, int64_t *ret_own)
{
	*ret_own = cpu_ns(0);
	*ret_watched = meter->watch ? cpu_ns(meter->watch) : 0;
	if (*ret_watched < 0)
		die(0, "process %d has gone", meter->watch);
}

static void meter_stop(struct meter *meter, int64_t now)
{
	const struct counters *c = &meter->counters, start = meter->window;
	int64_t watched, own;

	sample(meter, &watched, &own);
	meter->phase = METER_DRAINING;
	meter->end = now;
	meter->cpu_watched = watched - meter->cpu_watched;
	meter->cpu_own = own - meter->cpu_own;
	meter->window = (struct counters){ .answers = c->answers - start.answers,
					   .answer_bytes = c->answer_bytes - start.answer_bytes,
					   .failed = c->failed - start.failed,
					   .wrong = c->wrong - start.wrong };
}

void meter_turn(struct meter *meter)
{
	int64_t now = now_ns();

	if (meter->phase == METER_WARMING && now >= meter->warm_until) {
		sample(meter, &meter->cpu_watched, &meter->cpu_own);
		meter->phase = METER_MEASURING;
		meter->start = now;
		meter->window = meter->counters;
	} else if (meter->phase == METER_MEASURING && now >= meter->start + meter->measured_ns) {
		meter_stop(meter, now);
	}
}

bool answer_ends(struct meter *meter, const struct plan *plan, const struct side *side,
		 const char *bytes, size_t n, size_t *got)
{
	size_t len = *got + n, expected = side->answer_len;

	if (bytes[n - 1] != '\n') {
		*got = len;
		return false;
	}
	*got = 0;
	meter->counters.answers++;
	meter->counters.answer_bytes += len;
	if (expected && (len + plan->slack < expected || len > expected + plan->slack))
		meter->counters.wrong++;
	return true;
}

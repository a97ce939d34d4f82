#include "emulator/scenario/rate.h"

#include <math.h>

#define OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define LOOK_AGAIN_NS (10 * NS_PER_MS)
#define SENDS_PER_TURN 4096

double rate_at(const struct rate_config *config, int64_t for_ns, int64_t t_ns)
{
	double a = config->per_s, b = config->to_per_s;
	double share = for_ns > 0 ? (double)t_ns / (double)for_ns : 0;
	double phase = (double)(t_ns % config->period_ns) / (double)config->period_ns;

	switch ((enum rate_shape)config->shape) {
	case RATE_STEADY: return a;
	case RATE_LINEAR: return a + (b - a) * share;
	case RATE_STEPS: {
		double step = floor(share * (double)config->steps);
		return a + (b - a) * step / (double)(config->steps - 1);
	}
	case RATE_SINE: return a + (b - a) * (1 - cos(2 * M_PI * phase)) / 2;
	case RATE_BURST: return phase < 0.1 ? b : a;
	}
	return a;
}

static void go_on(struct timer *timer, int64_t now_ns)
{
	struct rate *rate = OF(timer, struct rate, timer);
	int64_t end = rate->start_ns + rate->for_ns;

	for (int sends = 0; rate->next_ns < end; sends++) {
		if (rate->next_ns < *rate->paused_until_ns)
			rate->next_ns = *rate->paused_until_ns; /* it stands still in a pause */
		if (rate->next_ns > now_ns || sends == SENDS_PER_TURN) {
			timer_arm(&rate->loop->timers, timer, rate->next_ns);
			return;
		}
		double per_s = rate_at(rate->config, rate->for_ns, rate->next_ns - rate->start_ns);
		/* Nothing now: it is asked again, it may have grown by then. */
		if (per_s <= 0) {
			rate->next_ns += LOOK_AGAIN_NS;
			continue;
		}
		rate->send(rate, rate->next_ns);
		int64_t gap = (int64_t)(1e9 / per_s);
		rate->next_ns += gap > 0 ? gap : 1;
	}
}

void rate_start(struct rate *rate, struct loop *loop, const struct rate_config *config,
		int64_t for_ns, const int64_t *paused_until_ns,
		void (*send)(struct rate *rate, int64_t due_ns))
{
	if (rate->loop != NULL)
		rate_stop(rate);
	*rate = (struct rate){ .timer.fire = go_on,
			       .loop = loop,
			       .config = config,
			       .paused_until_ns = paused_until_ns,
			       .send = send,
			       .start_ns = loop->now_ns,
			       .for_ns = for_ns,
			       .next_ns = loop->now_ns };
	timer_arm(&loop->timers, &rate->timer, rate->next_ns);
}

void rate_stop(struct rate *rate)
{
	if (rate->loop != NULL)
		timer_cancel(&rate->loop->timers, &rate->timer);
}

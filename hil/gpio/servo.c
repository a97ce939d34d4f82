#include "hil/gpio/servo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct servo_params servo_params_default = {
	.period_ns = 20000000,
	.period_ns_tolerance = 1000000,
	.width_ns_min = 400000,
	.width_ns_max = 2600000,
	.change_ns = 50000,
	.zero_ns = 500000,
	.degree_ns = 100000.0 / 9,
	.stamp_u_ns = 5000,
	.settle_frames = 3,
};

int servo_init(struct servo *servo, const struct servo_params *params)
{
	const struct servo_params *p = params != NULL ? params : &servo_params_default;

	if (p->width_ns_min < 0 || p->width_ns_max <= p->width_ns_min ||
	    p->period_ns <= p->width_ns_max || p->period_ns_tolerance < 0 ||
	    p->period_ns_tolerance > p->period_ns / 4 || p->change_ns <= 0 || p->zero_ns < 0 ||
	    !(p->degree_ns > 0) || p->stamp_u_ns < 0 || p->settle_frames == 0)
		return -EINVAL;
	memset(servo, 0, sizeof(*servo));
	servo->params = *p;
	servo->trusted_fall_ns = INT64_MIN;
	return 0;
}

double servo_angle(const struct servo_params *params, int64_t width_ns)
{
	return (double)(width_ns - params->zero_ns) / params->degree_ns;
}

int64_t servo_width_ns(const struct servo_params *params, double angle)
{
	double width_ns = (double)params->zero_ns + angle * params->degree_ns;

	return (int64_t)(width_ns + (width_ns < 0 ? -0.5 : 0.5));
}

static void note_period(struct servo_counts *counts, int64_t period_ns)
{
	if (counts->periods == 0 || period_ns < counts->period_ns_min)
		counts->period_ns_min = period_ns;
	if (counts->periods == 0 || period_ns > counts->period_ns_max)
		counts->period_ns_max = period_ns;
	counts->period_ns_sum += period_ns;
	counts->periods++;
}

/* A frame that is missing leaves a multiple of the period; the PWM's clock may be off by the
 * tolerance in each of them, but what is far from the grid is no multiple. */
static void judge_period(struct servo *servo, struct servo_frame *frame)
{
	const struct servo_params *p = &servo->params;

	if (!servo->rise_known || (frame->flags & SERVO_EDGES))
		return;
	int64_t period_ns = frame->rise_ns - servo->last_rise_ns;
	frame->period_ns = period_ns;
	int64_t frames = (period_ns + p->period_ns / 2) / p->period_ns;
	int64_t off_ns = period_ns - frames * p->period_ns;
	int64_t tolerance_ns = frames < 4 ? frames * p->period_ns_tolerance
					  : 4 * p->period_ns_tolerance;
	if (tolerance_ns > p->period_ns / 4)
		tolerance_ns = p->period_ns / 4;
	if (frames < 1 || off_ns < -tolerance_ns || off_ns > tolerance_ns) {
		frame->flags |= SERVO_PERIOD;
		servo->counts.wrong_period++;
	} else if (frames == 1) {
		note_period(&servo->counts, period_ns);
	}
	if (frames > 1) {
		frame->flags |= SERVO_MISSING;
		frame->missing = frames - 1 < UINT32_MAX ? (unsigned)(frames - 1) : UINT32_MAX;
		servo->counts.missing += frame->missing;
	}
}

static void begin_width(struct servo *servo, struct servo_frame *frame)
{
	frame->flags |= SERVO_CHANGED | (servo->unsure ? SERVO_LATE : 0);
	frame->after_ns = servo->trusted_fall_ns;
	servo->counts.changes++;
	servo->known = true;
	servo->settled = false;
	servo->width_ns = servo->width_ns_min = servo->width_ns_max = frame->width_ns;
	servo->changed_ns = frame->fall_ns;
	servo->angle = frame->angle;
	servo->same = 0;
}

/* A frame whose edges are suspect, or that is no servo pulse, says nothing about the width that the
 * board wants: a spike on the wire must not pass for the first frame of a new one. */
static void judge_width(struct servo *servo, struct servo_frame *frame)
{
	const struct servo_params *p = &servo->params;

	if (frame->width_ns < p->width_ns_min || frame->width_ns > p->width_ns_max) {
		frame->flags |= SERVO_WIDTH;
		servo->counts.wrong_width++;
	}
	if (frame->flags & (SERVO_EDGES | SERVO_WIDTH)) {
		servo->unsure = true;
		servo->same = 0;
		return;
	}
	int64_t off_ns = frame->width_ns - servo->width_ns;
	if (!servo->known || off_ns > p->change_ns || off_ns < -p->change_ns)
		begin_width(servo, frame);
	if (frame->width_ns < servo->width_ns_min)
		servo->width_ns_min = frame->width_ns;
	if (frame->width_ns > servo->width_ns_max)
		servo->width_ns_max = frame->width_ns;
	servo->unsure = false;
	servo->trusted_fall_ns = frame->fall_ns;
	if (++servo->same == p->settle_frames && !servo->settled) {
		frame->flags |= SERVO_SETTLED;
		servo->settled = true;
		servo->settled_ns = frame->fall_ns;
	}
}

bool servo_edge(struct servo *servo, const struct edge *edge, struct servo_frame *ret_frame)
{
	struct servo_frame frame = { .after_ns = INT64_MIN };

	if (edge->flags & EDGE_SUSPECT)
		servo->doubt = true;
	servo->high = edge->level;
	if (edge->level) {
		servo->risen = true;
		servo->rise_ns = edge->t_ns;
		return false;
	}
	if (!servo->risen) /* it was high when we came */
		return false;
	servo->risen = false;
	frame.number = ++servo->counts.frames;
	frame.rise_ns = servo->rise_ns;
	frame.fall_ns = edge->t_ns;
	frame.width_ns = frame.fall_ns - frame.rise_ns;
	frame.angle = servo_angle(&servo->params, frame.width_ns);
	frame.angle_u = 2.0 * (double)servo->params.stamp_u_ns / servo->params.degree_ns;
	if (servo->doubt) {
		frame.flags |= SERVO_EDGES;
		servo->counts.suspect++;
	}
	judge_period(servo, &frame);
	judge_width(servo, &frame);
	servo->last_rise_ns = frame.rise_ns;
	servo->rise_known = !servo->doubt;
	servo->doubt = false;
	*ret_frame = frame;
	return true;
}

uint64_t servo_overdue(const struct servo *servo, int64_t complete_ns)
{
	const struct servo_params *p = &servo->params;

	if (servo->counts.frames == 0)
		return 0;
	int64_t due_ns = servo->last_rise_ns + p->period_ns + p->period_ns_tolerance +
			 p->width_ns_max;
	return complete_ns < due_ns ? 0 : (uint64_t)((complete_ns - due_ns) / p->period_ns) + 1;
}

bool servo_stuck_high(const struct servo *servo, int64_t complete_ns)
{
	return servo->high && complete_ns - servo->rise_ns > servo->params.width_ns_max;
}

void servo_flags_describe(unsigned flags, char *text, size_t size)
{
	static const struct {
		unsigned flag;
		const char *text;
	} words[] = {
		{ SERVO_EDGES, "edges lost or wrong" },
		{ SERVO_LATE, "change not seen for certain" },
		{ SERVO_MISSING, "missing frames" },
		{ SERVO_PERIOD, "wrong period" },
		{ SERVO_WIDTH, "no servo pulse" },
	};
	size_t used = 0;

	if (size == 0)
		return;
	text[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && used < size; i++) {
		if (!(flags & words[i].flag))
			continue;
		int n = snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
				 words[i].text);
		used += n > 0 ? (size_t)n : 0;
	}
}

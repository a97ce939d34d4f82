/*
 * A servo's PWM: edges in, frames out.
 *
 * Purpose: from the edges of one servo line, every frame with its pulse width, period and angle;
 * the first frame of a new width; when the width has settled; frames that are missing; a frequency
 * or a width that no servo should be given. No clock, no descriptor: it is fed edges in order.
 * Units: nanoseconds; degrees. angle = (width - zero_ns) / degree_ns.
 * Uncertainty: angle_u is a bound. Each of a pulse's two stamps may be wrong by stamp_u_ns (from
 * the calibration), so a width by twice that; a change that shows only after frames that cannot be
 * trusted is bounded by [after_ns, fall_ns].
 * Ownership: the caller's storage, nothing to release.
 * Errors: none: what is wrong with a frame stands in its flags and in the counts. Half the
 * frequency looks like every other frame missing.
 * Threads: no state but the struct.
 * Source: the firmware's constants (0.5 ms: 0 degrees, 1.5 ms: 90, 2.5 ms: 180, 50 Hz); RP2040
 * datasheet, PWM, double buffering: a new compare level takes effect when the counter wraps, so no
 * frame is a mixture of two widths, and a new one shows at the falling edge of its first frame.
 */
#ifndef GPIO_SERVO_H
#define GPIO_SERVO_H

#include "hil/gpio/ring.h"

struct servo_params {
	int64_t period_ns;           /* 20 ms */
	int64_t period_ns_tolerance; /* 1 ms: beyond it the frequency is wrong */
	int64_t width_ns_min;        /* 0.4 ms: shorter is no servo pulse */
	int64_t width_ns_max;        /* 2.6 ms */
	int64_t change_ns;  /* 50 us (4.5 degrees): widths further apart than this differ */
	int64_t zero_ns;    /* 0.5 ms */
	double degree_ns;   /* 100000 / 9 */
	int64_t stamp_u_ns; /* 5 us, or what the calibration found: bound of one stamp's error */
	unsigned settle_frames; /* 3: frames of one width in a row that mean it has settled */
};
extern const struct servo_params servo_params_default;

enum {
	/* What was seen cannot be trusted: the rig's trouble, not the board's. */
	SERVO_EDGES = 1 << 0, /* one of the frame's edges, or one before it, was suspect (ring.h) */
	/* What was seen is wrong: the board's trouble. */
	SERVO_MISSING = 1 << 1, /* whole frames are missing before this one: frame.missing */
	SERVO_PERIOD = 1 << 2,  /* neither the period nor a multiple of it since the last rise:
				   wrong frequency, or the PWM was begun anew */
	SERVO_WIDTH = 1 << 3,   /* shorter or longer than any servo pulse */
	/* What it means. */
	SERVO_CHANGED = 1 << 4, /* the first frame of a new width; the very first frame too */
	SERVO_LATE = 1 << 5,    /* with SERVO_CHANGED: what came before it was suspect or no servo
				   pulse, so the change may have come earlier: later than after_ns */
	SERVO_SETTLED = 1 << 6, /* the frame at which the new width counts as settled */
};
#define SERVO_SUSPECT (SERVO_EDGES | SERVO_LATE)
#define SERVO_WRONG (SERVO_MISSING | SERVO_PERIOD | SERVO_WIDTH)

struct servo_frame {
	uint64_t number; /* from 1 */
	int64_t rise_ns, fall_ns, width_ns;
	int64_t period_ns; /* since the rise before; 0: not known */
	int64_t after_ns; /* with SERVO_CHANGED: fall of the last frame known to have the old width;
			     INT64_MIN: there was none */
	double angle, angle_u; /* degrees; outside 0..180 where the width is */
	unsigned missing;      /* frames that are missing before this one */
	unsigned flags;
};

struct servo_counts {
	uint64_t frames, missing, wrong_period, wrong_width, suspect, changes;
	int64_t period_ns_min, period_ns_max, period_ns_sum; /* of the good ones; 0 frames: 0 */
	uint64_t periods;
};

struct servo {
	struct servo_params params;
	struct servo_counts counts;
	/* The width that holds now: of the last SERVO_CHANGED frame. */
	bool known, settled;
	int64_t width_ns;
	int64_t changed_ns;                 /* fall of its first frame */
	int64_t settled_ns;                 /* fall of the frame that settled it */
	int64_t width_ns_min, width_ns_max; /* of its frames so far */
	double angle;
	/* The decoder's own. */
	bool high, risen;
	bool rise_known; /* last_rise_ns is of a frame that can be trusted */
	bool doubt;      /* a suspect edge since the last frame */
	bool unsure;     /* frames that cannot be trusted since trusted_fall_ns */
	int64_t rise_ns, last_rise_ns, trusted_fall_ns;
	unsigned same;
};

/* -EINVAL: a parameter is out of its range. NULL: the defaults. */
int servo_init(struct servo *servo, const struct servo_params *params);
/* Feeds one edge; true when it completes a frame (at the pulse's falling edge). */
bool servo_edge(struct servo *servo, const struct edge *edge, struct servo_frame *ret_frame);
/* Frames that should have ended by complete_ns (watch.h) but did not: 0 while all is well; grows
 * while the PWM is off or stuck. Changes nothing. */
uint64_t servo_overdue(const struct servo *servo, int64_t complete_ns);
/* Is the line high for longer than any servo pulse? */
bool servo_stuck_high(const struct servo *servo, int64_t complete_ns);

double servo_angle(const struct servo_params *params, int64_t width_ns);
int64_t servo_width_ns(const struct servo_params *params, double angle);
/* "missing frames, wrong period": of the flags that tell of trouble; "" without one. */
void servo_flags_describe(unsigned flags, char *text, size_t size);

#endif

#include "hil/measure/uncertainty.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *u_part_name(enum u_part part)
{
	static const char *const names[U_PARTS] = { "clock", "kernel",  "read",  "usb",
						    "frame", "quantum", "device" };

	return (unsigned)part < U_PARTS ? names[part] : "unknown";
}

const char *suspect_name(enum suspect bit)
{
	switch (bit) {
	case SUSPECT_GAP: return "edges missing";
	case SUSPECT_PARITY: return "two edges of one direction";
	case SUSPECT_OVERFLOW: return "a buffer overflowed";
	case SUSPECT_ORDER: return "effect before cause";
	case SUSPECT_PERIOD: return "a servo frame of odd length";
	case SUSPECT_CALIBRATION: return "not calibrated";
	default: return "unknown";
	}
}

const char *suspect_text(unsigned suspect, char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < SUSPECT_KINDS; i++) {
		if ((suspect & 1u << i) == 0 || len >= cap)
			continue;
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", len > 0 ? ", " : "",
					suspect_name((enum suspect)(1u << i)));
	}
	return buf;
}

/* ---- sums ---- */

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Rounded up: U is a bound. */
static int64_t whole(double ns)
{
	return ns >= 9.2e18 ? INT64_MAX : (int64_t)ceil(ns);
}

void u_add(struct uncertainty *u, const struct uncertainty *more)
{
	for (int i = 0; i < U_PARTS; i++) {
		u->half_ns[i] = add(u->half_ns[i], more->half_ns[i]);
		if (more->sigma_ns[i] == 0)
			continue;
		u->sigma_ns[i] = u->sigma_ns[i] == 0 ? more->sigma_ns[i]
						     : whole(hypot((double)u->sigma_ns[i],
								   (double)more->sigma_ns[i]));
	}
}

int64_t u_part_ns(const struct uncertainty *u, enum u_part part)
{
	return add(whole(U_COVERAGE * (double)u->sigma_ns[part]), u->half_ns[part]);
}

int64_t u_total(const struct uncertainty *u, bool with_frame)
{
	double squares = 0;
	int64_t halves = 0;

	for (int i = 0; i < U_PARTS; i++) {
		if (i == U_FRAME && !with_frame)
			continue;
		squares += (double)u->sigma_ns[i] * (double)u->sigma_ns[i];
		halves = add(halves, u->half_ns[i]);
	}
	return add(whole(U_COVERAGE * sqrt(squares)), halves);
}

/* ---- stamps ---- */

int64_t latency_sigma(const struct latency *latency)
{
	int64_t above = latency->max_ns - latency->mean_ns;
	int64_t below = latency->mean_ns - latency->min_ns;
	int64_t farthest = ((above > below ? above : below) + U_COVERAGE - 1) / U_COVERAGE;

	return latency->sd_ns > farthest ? latency->sd_ns : farthest;
}

static struct stamp stamp_at(int64_t ns, const struct calibration *calibration)
{
	struct stamp stamp = { .known = true, .ns = ns };

	stamp.u.half_ns[U_CLOCK] = calibration->clock_ns;
	return stamp;
}

/* Takes the mean delay off, keeps what it scatters by. */
static void take_off(struct stamp *stamp, const struct latency *latency)
{
	if (latency->n == 0) {
		stamp->suspect |= SUSPECT_CALIBRATION;
		return;
	}
	stamp->ns -= latency->mean_ns;
	stamp->u.sigma_ns[U_KERNEL] = latency_sigma(latency);
}

void stamp_earlier(struct stamp *stamp, int64_t width_ns, enum u_part part)
{
	if (width_ns <= 0)
		return;
	/* The half is rounded up, the middle down: both ends stay inside. */
	stamp->ns -= width_ns / 2;
	stamp->u.half_ns[part] = add(stamp->u.half_ns[part], width_ns / 2 + width_ns % 2);
}

struct stamp stamp_exact(int64_t ns)
{
	return (struct stamp){ .known = true, .ns = ns };
}

struct stamp stamp_user(int64_t ns, const struct calibration *calibration)
{
	return stamp_at(ns, calibration);
}

struct stamp stamp_between(int64_t before_ns, int64_t after_ns, enum u_part part,
			   const struct calibration *calibration)
{
	struct stamp stamp = stamp_at(after_ns, calibration);

	if (before_ns > after_ns)
		stamp.suspect |= SUSPECT_ORDER;
	else
		stamp_earlier(&stamp, after_ns - before_ns, part);
	return stamp;
}

struct stamp stamp_read(int64_t last_empty_ns, int64_t found_ns, bool usb,
			const struct calibration *calibration)
{
	struct stamp stamp = stamp_between(last_empty_ns, found_ns, U_READ, calibration);

	if (usb)
		stamp_earlier(&stamp, calibration->usb_ns, U_USB);
	return stamp;
}

struct stamp stamp_sent(int64_t ns, const struct calibration *calibration)
{
	struct stamp stamp = stamp_at(ns, calibration);

	/* Transmit stamps are of CLOCK_REALTIME: the offset is known to within an interval. */
	stamp.u.half_ns[U_CLOCK] = add(stamp.u.half_ns[U_CLOCK],
				       (calibration->realtime_ns + 1) / 2);
	if (calibration->send.n == 0)
		stamp.suspect |= SUSPECT_CALIBRATION;
	return stamp;
}

struct stamp stamp_edge(int64_t ns, unsigned suspect, const struct calibration *calibration)
{
	struct stamp stamp = stamp_at(ns, calibration);

	stamp.suspect = suspect;
	take_off(&stamp, &calibration->edge);
	return stamp;
}

struct stamp stamp_servo(int64_t ns, int64_t width_ns, int64_t frame_ns, unsigned suspect,
			 const struct calibration *calibration)
{
	struct stamp stamp = stamp_edge(ns, suspect, calibration);

	stamp.u.half_ns[U_FRAME] = (width_ns + frame_ns + 1) / 2;
	return stamp;
}

struct stamp stamp_device(int64_t device_ns, int64_t offset_low_ns, int64_t offset_high_ns,
			  const struct calibration *calibration)
{
	return stamp_between(device_ns + offset_low_ns, device_ns + offset_high_ns, U_DEVICE,
			     calibration);
}

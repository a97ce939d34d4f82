/*
 * Moments with uncertainties: what a rig knows about when something happened.
 *
 * Purpose: a stamp is a moment on CLOCK_MONOTONIC and how far off it may be, in parts that keep
 * their names up to the report. A part is either random (a standard deviation) or an interval that
 * holds the truth (half of its width). U is a bound, not an estimate:
 *
 *     U = 3 * sqrt(sum of all sigma^2) + sum of all half widths
 *
 * Random parts are independent and add up as squares; intervals add up as they are, because nothing
 * is known of where in them the truth lies. Known mean delays are taken off the moment first.
 * The servo's frame is a part that is not in U unless it is asked for: see struct limit.
 * Units: ns. Ownership: plain values. Errors: none; sums saturate at INT64_MAX.
 * Threads: no state. In plain words: README.md, beside this file.
 */
#ifndef UNCERTAINTY_H
#define UNCERTAINTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum u_part {
	U_CLOCK,   /* reading the clock, or turning a stamp of another clock into it */
	U_KERNEL,  /* interrupt to time stamp, system call to wire: random, from calibration */
	U_READ,    /* it happened between two reads */
	U_USB,     /* the host asks a full-speed device once a millisecond */
	U_FRAME,   /* the servo's frame: the PWM block takes a new width at its end */
	U_QUANTUM, /* a grid that the device itself has: a sensor polled at 100 Hz, a width in ticks
		    */
	U_DEVICE, /* a device's own clock against ours: the interval of the best probe, and drift */
	U_PARTS
};
/* "clock", "kernel", "read", "usb", "frame", "quantum", "device". */
const char *u_part_name(enum u_part part);

/* What makes a value doubtful that no width covers. Bits. */
enum suspect {
	SUSPECT_GAP = 1 << 0,    /* the kernel's sequence numbers have a gap: edges are missing */
	SUSPECT_PARITY = 1 << 1, /* two edges of the same direction: one between them is missing */
	SUSPECT_OVERFLOW = 1 << 2, /* a buffer was full: the kernel's, the port's or ours */
	SUSPECT_ORDER = 1 << 3,    /* cause and effect overlap by more than their uncertainties */
	SUSPECT_PERIOD = 1 << 4,   /* a servo frame that is no 20 ms long */
	SUSPECT_CALIBRATION = 1 << 5, /* none, too old, or of another bench */
	SUSPECT_KINDS = 6
};
/* Of one bit: "edges missing", ... */
const char *suspect_name(enum suspect bit);
/* All that are set, with ", " between them. Returns buf, "" for none. */
const char *suspect_text(unsigned suspect, char *buf, size_t cap);

struct uncertainty {
	int64_t sigma_ns[U_PARTS];
	int64_t half_ns[U_PARTS];
};

#define U_COVERAGE 3 /* k */

/* Adds `more`: sigmas as squares, half widths as they are. */
void u_add(struct uncertainty *u, const struct uncertainty *more);
/* What one part alone comes to. */
int64_t u_part_ns(const struct uncertainty *u, enum u_part part);
/* U, with or without the servo's frame. */
int64_t u_total(const struct uncertainty *u, bool with_frame);

/*
 * What the bench found out about itself: an output looped to an input, probes of the clock. Filled
 * by the rig, stored with every run. A latency that was not calibrated has n == 0: stamps that need
 * it are SUSPECT_CALIBRATION.
 */
struct latency {
	uint32_t n;
	int64_t mean_ns, sd_ns, min_ns, max_ns;
};

struct calibration {
	int64_t wall_ns;     /* when, ns since 1970 */
	struct latency edge; /* an edge at the pin to its stamp */
	struct latency send; /* write() called to the kernel's transmit stamp */
	int64_t clock_ns;    /* the longest step seen between two reads of the clock */
	int64_t realtime_ns; /* width of the interval in which CLOCK_REALTIME - MONOTONIC lies */
	int64_t usb_ns;      /* between two polls of the device; 1 ms for full speed */
	uint64_t edges, edges_lost; /* driven and not seen */
};
/* Sigma for U: the sd, or a third of the farthest from the mean that was seen, if that is more. So
 * 3 sigma covers all that calibration saw, however skewed. */
int64_t latency_sigma(const struct latency *latency);

struct stamp {
	bool known;
	int64_t ns; /* the middle of what is possible, CLOCK_MONOTONIC */
	struct uncertainty u;
	unsigned suspect;
};

/* Nobody measured it: it was decided (when a message is due). */
struct stamp stamp_exact(int64_t ns);
/* The clock read in this process at the event, e.g. right before or after a system call. */
struct stamp stamp_user(int64_t ns, const struct calibration *calibration);
/* A bracket: it happened after `before_ns` and not after `after_ns`, both read here. */
struct stamp stamp_between(int64_t before_ns, int64_t after_ns, enum u_part part,
			   const struct calibration *calibration);
/* Bytes that a read found: they came after the last read that found nothing. usb: over USB, where
 * they may have waited in the device for its next poll. */
struct stamp stamp_read(int64_t last_empty_ns, int64_t found_ns, bool usb,
			const struct calibration *calibration);
/* The kernel's transmit stamp, already on CLOCK_MONOTONIC. */
struct stamp stamp_sent(int64_t ns, const struct calibration *calibration);
/* An edge with the kernel's stamp; `suspect`: what the decoder says of its surroundings. */
struct stamp stamp_edge(int64_t ns, unsigned suspect, const struct calibration *calibration);
/*
 * The falling edge that ends the first servo pulse of the new width: before it nothing shows. The
 * PWM block takes a width when a frame begins, so the board wrote it between ns - width_ns -
 * frame_ns and ns: that interval is U_FRAME. frame_ns: the period of the frames (20 ms).
 */
struct stamp stamp_servo(int64_t ns, int64_t width_ns, int64_t frame_ns, unsigned suspect,
			 const struct calibration *calibration);
/* A moment that the device stamped with its own clock: `offset` from probes, in [low, high]. */
struct stamp stamp_device(int64_t device_ns, int64_t offset_low_ns, int64_t offset_high_ns,
			  const struct calibration *calibration);
/* A further interval: it may be up to `width_ns` earlier than the stamp says (a sensor polled). */
void stamp_earlier(struct stamp *stamp, int64_t width_ns, enum u_part part);

#endif

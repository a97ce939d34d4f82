/*
 * What is looked at all the time, whatever the plan asks for.
 *
 * Purpose: a board that does as it is told may still be broken: it moves unasked, registers again,
 * bounces, prints without end. Each check has a name, a severity (bench.checks) and says whom and
 * what it blames. checks.c decides from what the rig hands it; it does nothing by itself.
 * Units: nanoseconds. Ownership: a finding lives during the call. Errors: none. Threads: the
 * loop's. Source: docs/BENCH.md, "What is always checked".
 */
#ifndef RIG_CHECKS_H
#define RIG_CHECKS_H

#include "hil/gpio/contact.h"
#include "hil/gpio/servo.h"
#include "hil/rig/bench.h"
#include "hil/serial/console.h"

struct station;

/* id, name: that of its severity in bench.checks */
#define CHECKS(X)                                                                                  \
	X(UNEXPECTED_MOVEMENT, unexpected_movement)                                                \
	X(EXTRA_REGISTRATION, extra_registration)                                                  \
	X(WRONG_IDENTITY, wrong_identity)                                                          \
	X(SWITCH_DISAGREEMENT, switch_disagreement)                                                \
	X(SWAPPED_SWITCHES, swapped_switches)                                                      \
	X(BOUNCE, bounce)                                                                          \
	X(MISSING_FRAMES, missing_frames)                                                          \
	X(PWM_PERIOD, pwm_period)                                                                  \
	X(SERVO_JITTER, servo_jitter)                                                              \
	X(SERVO_WIDTH, servo_width)                                                                \
	X(SILENT_DEATH, silent_death)                                                              \
	X(RE_ENUMERATION, re_enumeration)                                                          \
	X(REBOOT, reboot)                                                                          \
	X(CONSOLE_RATE, console_rate)                                                              \
	X(STALL, stall)                                                                            \
	X(SPLIT_ANSWER, split_answer)                                                              \
	X(LOST_EDGES, lost_edges)

enum check {
#define X(id, name) CHECK_##id,
	CHECKS(X)
#undef X
		CHECK_COUNT
};
const char *check_name(enum check check);
enum check_severity check_severity(const struct bench_checks *config, enum check check);
const char *check_severity_name(enum check_severity severity);

struct finding {
	enum check check;
	enum check_severity severity;
	int64_t t_ns;
	const char *text; /* whom and what it blames */
};

/* What the checks remember of a station. */
struct station_checks {
	uint64_t found[CHECK_COUNT]; /* how often, all told */
	int64_t last_ns[CHECK_COUNT];
	int64_t second_ns; /* of the console's rate */
	uint64_t second_lines;
	int64_t disagree_since_ns; /* 0: they agree */
	int64_t settled_width_ns;
	unsigned pings_failed;
	uint64_t overdue; /* frames, last looked */
	unsigned odd_periods;
	int64_t doubt_until_ns; /* edges of the servo were lost: it is not judged */
	uint64_t frames_since;  /* since the signal last began */
};

/* From the rig, with what it saw. */
void checks_frame(struct station *station, const struct servo_frame *frame);
void checks_switch(struct station *station, enum bench_role role,
		   const struct contact_change *change);
void checks_line(struct station *station, const struct console_line *line);
void checks_registered(struct station *station, const char *from);
/* A registration from an address or with an id that this bench does not know like that. */
void checks_identity(struct station *station, const char *id, const char *from);
void checks_port_gone(struct station *station, int error);
void checks_port_back(struct station *station, const char *path, int64_t away_ns);
/* An activation's target goes down. */
void checks_fall(struct station *station, int64_t t_ns);
void checks_answer(struct station *station);
void checks_alive(struct station *station, bool alive, const char *why);
void checks_edges(struct station *station, enum bench_role role, const char *what);
/* About 20 times a second; complete_ns: no edge before it is still to come. */
void checks_tick(struct station *station, int64_t complete_ns);
/* After a reset or a power cut that the rig made: what follows is expected. */
void checks_forget(struct station *station);

#endif

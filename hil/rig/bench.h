/*
 * A bench out of a config: boards, their lines and ports, the master, what is always checked.
 *
 * Purpose: who is plugged in where. A plan says what is done with it. Each is a file of its own.
 * Units: nanoseconds. Ownership: what a loaded bench points to belongs to its struct settings.
 * Errors: by settings (settings.h): file, line, setting, what was expected.
 * Threads: no state.
 * Source: docs/BENCH.md, and the reference that `quintain-hil settings` prints.
 */
#ifndef RIG_BENCH_H
#define RIG_BENCH_H

#include "emulator/base/net.h"
#include "emulator/base/settings.h"
#include "proto/snyper/profile.h"

#define BENCH_BOARDS_MAX 64
#define BENCH_TEXT_MAX 64

/* The lines that a board can have. */
enum bench_role {
	BENCH_SERVO,   /* the servo's PWM, an input of ours */
	BENCH_UP,      /* limit switch: active while the target stands */
	BENCH_DOWN,    /* limit switch: active while it lies */
	BENCH_HIT,     /* an output: a pulse on it is a hit on the sensor */
	BENCH_RUN,     /* an output, open drain: low resets the board */
	BENCH_BOOTSEL, /* an output, open drain: low at reset enters the boot loader */
	BENCH_POWER,   /* an output: the relay; active is on */
	BENCH_ROLES
};
extern const char *const bench_role_names[BENCH_ROLES + 1];

/* "CHIP:LINE word word": "servo", "gpiochip0:17", "pinctrl-bcm2835:GPIO17 active_low pull_up". */
struct bench_line {
	bool present;
	char chip[BENCH_TEXT_MAX]; /* "": the board's, else the bench's */
	char line[BENCH_TEXT_MAX];
	bool active_low, open_drain, pull_up, pull_down;
};
bool bench_line_parse(const char *text, struct bench_line *ret, const char **expected);

struct bench_board {
	struct setting_origin origin;
	const char *name;
	const char *serial;   /* of its USB device; "": not known */
	const char *usb_path; /* "1-1.4"; "": any */
	const char *port;     /* instead of a serial number: /dev/pts/4, tcp://host:port */
	const char *address;
	const char *target_id;
	const char *proxy_address;
	const char *chip;
	struct setting_strings tags;
	struct bench_lines {
		struct bench_line at[BENCH_ROLES];
	} lines;
	/* Filled by bench_check(). */
	uint32_t ip, proxy_ip;
};

enum bench_master_kind { BENCH_MASTER_OWN, BENCH_MASTER_PROXY };

struct bench_host {
	const char *host;
	int64_t port;
};

struct bench_master {
	struct setting_origin origin;
	int kind;
	struct bench_host listen, real;
	int64_t target_port; /* 0: the listening port's number */
	int profile;
	int64_t connect_timeout_ns, answer_timeout_ns;
	/* Filled by bench_check(). */
	struct net_addr listen_at, real_at;
};

struct bench_servo {
	int64_t period_ns, period_tolerance_ns;
	int64_t up_ns, down_ns; /* widths */
	int64_t width_tolerance_ns;
};

enum check_severity { CHECK_OFF, CHECK_WARN, CHECK_FAIL, CHECK_ERROR };

/* What is looked at all the time, with what is still fine. checks.h. */
struct bench_checks {
	int unexpected_movement, extra_registration, wrong_identity, switch_disagreement, bounce,
		missing_frames, pwm_period, servo_jitter, servo_width, silent_death, re_enumeration,
		console_rate, swapped_switches, stall, split_answer, lost_edges, reboot;
	int64_t bounce_max;         /* edges beyond the needed one, a change */
	int64_t bounce_still_ns;    /* still for so long: the switch has settled */
	int64_t disagreement_ns;    /* servo and switch may differ for so long */
	int64_t console_lines_max;  /* a second */
	int64_t missing_frames_max; /* in a row */
	int64_t alive_every_ns;     /* a ping to a board that nobody asks; 0: never */
	int64_t stall_ns;           /* an answer or a movement that is so late was held up */
};

struct bench_calibration {
	struct setting_origin origin;
	struct bench_line output, input;
	const char *file; /* where it is stored; "": below $XDG_STATE_HOME/quintain */
	int64_t max_age_ns;
	int64_t toggles;
	bool required; /* false: uncalibrated edges get a wide bound instead of an ERROR */
};

struct bench {
	struct setting_origin origin;
	bool present;
	const char *name;
	const char *chip;
	bool virtual_bench;
	const char *lock; /* "": one below /run/lock or the temporary folder, by the bench's name */
	int64_t lock_timeout_ns;
	struct bench_master master;
	int64_t movement_ns; /* what the firmware gives each movement */
	struct bench_servo servo;
	struct bench_checks checks;
	struct bench_calibration calibration;
	struct setting_list boards; /* struct bench_board */
};

/* A file that holds nothing else. */
struct bench_file {
	const char *title;
	struct bench bench;
};
extern const struct setting_table bench_file_table;
extern const struct setting_table bench_table;

static inline struct bench_board *bench_board_at(const struct bench *bench, size_t i)
{
	return (struct bench_board *)bench->boards.at + i;
}
/* Loads and checks; always gives settings, as settings_load(). */
struct settings *bench_load(const char *path, const char *const *overrides, size_t n_overrides,
			    struct bench_file *ret);
/* What does not fit together: said as settings errors. Fills addresses. */
void bench_check(struct settings *settings, struct bench *bench);
/* Its index, or -1. By name, target id or serial number. */
int bench_find_board(const struct bench *bench, const char *name);
/* What the line is called on this machine: "board1:servo". buf of 160 suffices. */
const char *bench_line_text(const struct bench *bench, const struct bench_board *board,
			    const struct bench_line *line, char *buf, size_t cap);
/* The chip that a line is on; NULL: any. */
const char *bench_line_chip(const struct bench *bench, const struct bench_board *board,
			    const struct bench_line *line);

#endif

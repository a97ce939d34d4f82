/*
 * A bench that runs: its boards, lines, ports, network and checks, on one loop and one clock.
 *
 * Purpose: everything that happens on the bench becomes one stream of events with times, and what
 * belongs to one command becomes its chain (hil/measure/chain.h). A plan listens; what must always
 * hold is looked at here (checks.h).
 * Units: nanoseconds of CLOCK_MONOTONIC; servo widths in nanoseconds.
 * Ownership: rig_open() takes lines and ports, rig_close() gives them back: outputs fall back, DTR
 * drops. Bench, record and calibration are the caller's and outlive the rig.
 * Errors: 0 or -errno with a text for a person.
 * Threads: the loop's.
 */
#ifndef RIG_H
#define RIG_H

#include "emulator/base/loop.h"
#include "emulator/base/units.h"
#include "emulator/master/master.h"
#include "hil/gpio/contact.h"
#include "hil/gpio/gpio.h"
#include "hil/gpio/servo.h"
#include "hil/gpio/watch.h"
#include "hil/measure/record.h"
#include "hil/pico/board.h"
#include "hil/rig/bench.h"
#include "hil/rig/checks.h"

#define RIG_TEXT_MAX 240

struct rig_fault {
	char text[600];
};

/* Where the last order sends a target; nothing else may move it. */
enum rig_heading { RIG_ANYWHERE, RIG_UP, RIG_DOWN };

/* One command from when it was due to all that it caused. */
struct motion {
	bool under_way; /* until motion_end() */
	enum range_word type;
	struct chain chain, fall; /* fall: of an activation, from the hit to lying again */
	bool ended;               /* its answer is decided: outcome */
	enum master_outcome outcome;
	char why[RIG_TEXT_MAX]; /* where it was not ok */
	char answer[120];       /* what came first, made printable */
	unsigned answer_units;
	bool answer_whole; /* what came ends a line */
	unsigned answer_lines;
	bool there_before;         /* the servo had the width that it asks for */
	bool moved, done, reached; /* first frame, settled, limit switch */
	bool falling, fallen, lying;
	int64_t width_min_ns, width_max_ns, width_ns; /* seen since it began; 0: no frame */
	unsigned bounces;
	unsigned switch_changes; /* since it began */
	int64_t duration_ns;     /* of an activation */
	struct stamp back;       /* through the proxy: the answer went on to the real master */
	bool foreign;            /* the real master's, through the proxy */
};

struct station_line {
	struct station *station;
	enum bench_role role;
	struct gpio_line line; /* handle NULL: not there, or lost */
	struct watch_line watch;
	struct contact contact;
	uint64_t cursor;
	bool held; /* outputs: it is ours */
	int channel;
	struct edge_counts reported;
};

struct rig;

/* A place on the bench, with whatever board is in it. */
struct station {
	struct rig *rig;
	const struct bench_board *config;
	unsigned index;
	/* Network. */
	int64_t remote; /* its number at the master; -1: not known there */
	uint64_t registrations;
	int64_t registered_ns;      /* 0: not since its last reset */
	unsigned registrations_due; /* so many are fine: one after each reset */
	int64_t adopted_ns; /* when it answered without having registered with this run; 0: never */
	struct motion motion;
	/* Lines. */
	struct edge_watch watch;
	struct station_line lines[BENCH_ROLES];
	struct servo servo;
	bool servo_watched;
	enum rig_heading heading;
	/* Firmware does one movement after the other: until then it is at an earlier one. */
	int64_t free_ns;
	bool outstanding; /* the master still waits for an answer, though nobody else may */
	/* Port. */
	struct board *board; /* NULL: it has none */
	bool port_open;
	bool port_busy; /* a job or a reset of ours: the port may go and come */
	char port_path[64];
	int64_t port_gone_ns;
	char port_trouble[200]; /* why it is not open; "": it is, or is being looked for */
	/* What is always looked at. */
	struct station_checks checks;
	bool app_stopped; /* by an exec: nobody answers until a reset */
	bool app_starting;
	bool pinging;     /* the rig's own, to see whether it lives */
	int64_t heard_ns; /* its last answer */
	struct timer timer;
	int record_board;
	int channel_wire, channel_console, channel_width;
};

enum rig_event_kind {
	RIG_REGISTERED, /* text: where from */
	RIG_COMMAND,    /* the real master's, through the proxy: motion is new */
	RIG_ANSWERED,   /* motion.ended */
	RIG_SERVO,      /* motion.moved, done, falling.. may have changed */
	RIG_SWITCH,     /* role, level */
	RIG_CONSOLE,    /* line */
	RIG_PORT,       /* error: why it went; 0: it is back */
	RIG_LINE_LOST,  /* role, error */
	RIG_FINDING,    /* finding */
};

struct rig_event {
	enum rig_event_kind kind;
	struct station *station;
	int64_t t_ns;
	enum bench_role role;
	bool level;
	int error;
	const char *text;
	const struct console_line *line;
	const struct finding *finding;
};

struct proxy;

struct rig {
	struct loop *loop;
	const struct bench *bench;
	struct record *record;
	const struct calibration *calibration;
	struct net *net;
	struct events events;
	struct event_sink sink;
	struct master_tap tap;
	struct master *master;
	struct proxy *proxy; /* NULL: our own master commands */
	struct hotplug *hotplug;
	struct gpio gpio;
	unsigned count;
	struct station *stations;
	/* The one listener. */
	void (*listen)(void *owner, const struct rig_event *event);
	void *owner;
	int lock_fd;
	bool closing;
};

struct rig_options {
	const struct gpio *gpio;                        /* NULL: this machine's */
	bool without_ports, without_net, without_lines; /* for commands that need less */
};

/*
 * Takes the lock is the caller's (lock.h). Opens the network, requests all lines, opens all ports;
 * a port that cannot be opened is a finding, all else ends it. The first trouble is in *fault.
 */
int rig_open(struct rig *rig, struct loop *loop, const struct bench *bench, struct record *record,
	     const struct calibration *calibration, const struct rig_options *options,
	     struct rig_fault *fault);
/* Lets go of everything. Harmless on one that did not open. */
void rig_close(struct rig *rig);
/* What a watch of all boards cost: wake-ups a second of the busiest board, share of a processor. */
void rig_cost(const struct rig *rig, double *ret_wakeups_per_s, double *ret_cpu_share);

/* ---- commands ---- */

/* Sends it. 0; -ENOENT: the board is not known to the master; -EBUSY: the master still waits for
 * the answer to an earlier one. Events follow. duration: a JSON number that outlives the command.
 */
int station_command(struct station *station, enum range_word type, const char *duration,
		    int64_t due_ns);
/* Nobody waits for this command any more. */
void motion_end(struct station *station);
/* A pulse on the hit line, now. 0 or -errno. The line must be let go again by station_set(). */
int station_hit(struct station *station, bool on);
/* Outputs. PLAN's level: 1 active, 0 inactive, -1 let go. */
int station_set(struct station *station, enum bench_role role, int level, struct rig_fault *fault);
/* -1: no such line, or lost. */
int station_level(struct station *station, enum bench_role role);
bool station_has(const struct station *station, enum bench_role role);
bool station_known(const struct station *station);
/* A reset or power cycle begins: registrations, movements and a port that goes are expected. */
void station_disturbed(struct station *station);
/* Begins a command's watch without sending it: the proxy has. */
void motion_begin(struct station *station, enum range_word type, int64_t due_ns);

/* ---- for the rig's own files ---- */

void rig_tell(struct station *station, struct rig_event event);
void rig_finding(struct station *station, enum check check, int64_t t_ns, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* lines.c */
int station_open_lines(struct station *station, struct rig_fault *fault);
void station_close_lines(struct station *station);
/* port.c */
int station_open_port(struct station *station, struct rig_fault *fault);
void station_close_port(struct station *station);
/* net.c */
int network_open(struct rig *rig, struct rig_fault *fault);
void network_close(struct rig *rig);
/* motion.c */
void motion_frame(struct station *station, const struct servo_frame *frame);
void motion_switch(struct station *station, enum bench_role role,
		   const struct contact_change *change);
void motion_answered(struct station *station, enum master_outcome outcome, const char *why);
/* The clock, now; loop.now_ns is that of the turn. */
int64_t rig_clock_ns(void);
struct stamp rig_wall_stamp(const struct rig *rig, int64_t wall_ns);
static inline struct stamp rig_now_stamp(const struct rig *rig, int64_t ns)
{
	return stamp_user(ns, rig->calibration);
}

/*
 * Why a command that timed out or failed did: which board, and what of it. Written into buf.
 */
const char *blame_motion(const struct station *station, char *buf, size_t cap);
/* "1.50 ms (90 deg)" */
const char *width_text(const struct bench_servo *servo, int64_t width_ns, char *buf, size_t cap);

#endif

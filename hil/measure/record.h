/*
 * The record of a run: what was done, measured and seen. Everything that reports are made of.
 *
 * Purpose: run -> boards -> steps -> measurements -> hops, and beside them the timeline: pins,
 * servo widths, messages, console lines, steps, on one clock. The rig fills it, reports read it,
 * the history stores its steps and gives them back as the same structs.
 * Bounds: all memory is reserved by record_init(). Steps that find no room are counted, and still
 * count in the verdicts. The timeline is a ring: its oldest go, counted. When a step ends in
 * INCONCLUSIVE, FAIL or ERROR the last events of its board are copied into its excerpt first.
 * Units: ns on CLOCK_MONOTONIC; writers show them since run.start_ns. Wall time only in wall_ns.
 * Ownership: record_release() what record_init() took. Texts are copied, and cut to their fields;
 * they may hold any bytes: writers escape.
 * Errors: 0 or -errno where said; the rest cannot fail.
 * Threads: one, the loop's.
 */
#ifndef RECORD_H
#define RECORD_H

#include "hil/measure/chain.h"
#include "hil/measure/verdict.h"

#define RECORD_BOARDS_MAX 64
#define RECORD_CHANNELS_MAX 512
#define RECORD_NO_BOARD (-1) /* the bench itself */

/* ---- measured ---- */

struct measurement {
	char name[64]; /* "stand_up: due to servo" ; the same in every run that is compared */
	enum value_unit unit;
	bool missing;  /* it never came: value is how long the rig waited */
	int64_t value; /* as measured: the frame, if any, is part of it */
	struct uncertainty u;
	struct limit limit; /* neither min nor max: for the record only */
	unsigned suspect;
	struct judged judged; /* by verdict_judge(); verdict NONE without a limit */
	bool of_chain;        /* measured between two points of its chain: */
	enum point from, to;
	unsigned hop_count;
	struct hop *hops; /* the chain in which it was measured; may be none */
};

struct step_result {
	int board;           /* index, or RECORD_NO_BOARD */
	char plan_path[128]; /* "steps[2].steps[0]": with repeat and board what it is */
	char name[64];       /* "stand up" */
	uint32_t repeat;     /* from 0 */
	uint32_t attempt;    /* from 0; above 0: a retry */
	int64_t begin_ns, end_ns;
	enum verdict verdict; /* the worst of its measurements, or what step_verdict() made it */
	char why[200];        /* "" for PASS */
	unsigned measurement_count, measurements_left_out;
	struct measurement *measurements;
};

/*
 * Room for a step under way; the caller's storage, one for each board. step_begin(), then any
 * number of step_measure(), then record_step() takes a copy.
 */
#define STEP_MEASUREMENTS_MAX 16
struct step_room {
	struct step_result step;
	struct measurement measurements[STEP_MEASUREMENTS_MAX];
	struct hop hops[STEP_MEASUREMENTS_MAX][CHAIN_HOPS_MAX];
};
void step_begin(struct step_room *room, int board, const char *plan_path, const char *name,
		uint32_t repeat, uint32_t attempt, int64_t now_ns);
/*
 * Judges and adds. From `from` to `to` of the chain, with all the chain's hops; where `to` is not
 * known it is missing since `waited_until_ns`. limit NULL: for the record only. Returns what was
 * added, to be looked at; NULL where there is no more room (counted, and the step is an ERROR).
 */
const struct measurement *step_measure_chain(struct step_room *room, const char *name,
					     const struct chain *chain, enum point from,
					     enum point to, int64_t waited_until_ns,
					     const struct limit *limit);
/* A value of any kind: a width, a count, an angle. u NULL: exact. */
const struct measurement *step_measure(struct step_room *room, const char *name,
				       enum value_unit unit, int64_t value,
				       const struct uncertainty *u, unsigned suspect,
				       const struct limit *limit);
/* What no measurement says: "the board did not answer", "the port is gone". The worst counts; the
 * first `why` of that verdict stays. */
void step_verdict(struct step_room *room, enum verdict verdict, const char *why, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- the timeline ---- */

enum channel_kind {
	CHANNEL_PIN,     /* a bit: switch, power, RUN; of the servo line its raw level */
	CHANNEL_SERVO,   /* a decoded width, ns */
	CHANNEL_WIRE,    /* messages */
	CHANNEL_CONSOLE, /* lines */
	CHANNEL_STEP,    /* made by record_step_begin() and record_step(), one a board */
};

struct channel {
	int board; /* or RECORD_NO_BOARD */
	enum channel_kind kind;
	char name[48]; /* "servo", "switch_up", "wire", "console" */
};

enum timeline_kind {
	TIMELINE_PIN,        /* value: level, 0 or 1 */
	TIMELINE_SERVO,      /* value: width in ns, 0: no pulses */
	TIMELINE_SENT,       /* to the board; text */
	TIMELINE_RECEIVED,   /* from the board; text */
	TIMELINE_CONSOLE,    /* text: one line, without its end */
	TIMELINE_STEP_BEGIN, /* text: name */
	TIMELINE_STEP_END,   /* value: enum verdict; text: name */
	TIMELINE_LOST,       /* value: how many edges, bytes or lines the rig missed here */
	TIMELINE_NOTE,       /* text */
	TIMELINE_KINDS
};
/* "pin", "servo", "sent", "received", "console", "step", "step end", "lost", "note". */
const char *timeline_kind_name(enum timeline_kind kind);

#define TIMELINE_TEXT_MAX 480
struct timeline_event {
	int64_t t_ns;
	int64_t value;
	int16_t channel; /* index; -1: of the bench, a note */
	uint8_t kind;
	uint16_t text_len; /* of what is kept */
	const char *text;  /* not terminated; NULL where there is none */
};

#define EXCERPT_EVENTS_MAX 60
/* The last events of a board at the end of a step that was not well. */
struct excerpt {
	uint32_t step; /* index of the step in the record */
	uint32_t event_count;
	uint32_t left_out;             /* older ones of the same step */
	struct timeline_event *events; /* in the order of their times */
};

/* ---- the run ---- */

struct record_board {
	char name[64], serial[64], usb_path[64], address[64], firmware[96];
	/* Counted by record_step(), also of steps that found no room. */
	uint32_t steps[VERDICTS];
	enum verdict worst;
	uint32_t retries;
};

struct run_info {
	char id[40]; /* made by record_init(): sortable by time, unique */
	char title[128];
	char plan_path[256], bench_path[256];
	const char *plan_text,
		*bench_text;  /* whole files, the caller's, as long as the record; or NULL */
	const char *versions; /* JSON object: "{"quintain": "0.1.0", "libgpiod": "1.6.3", ...}"; or
				 NULL */
	struct calibration calibration;
	char host[64];
	uint64_t seed;
	bool synthetic;     /* made up by a generator: every report says so */
	bool virtual_bench; /* no hardware: every report says so */
	int64_t start_ns, start_wall_ns;
	int64_t end_ns;         /* 0: under way, or it never ended */
	uint32_t steps_planned; /* 0: not known; for progress and for what did not run */
	bool interrupted;       /* by a signal */
};

struct record_limits {
	/* 0: 20000, 60000, 300000, 1000000 events, 64 MiB */
	uint32_t steps, measurements, hops, events;
	size_t text_bytes; /* of the timeline's texts */
	uint32_t excerpts; /* 0: 200 */
};

struct record {
	struct run_info run;
	unsigned board_count;
	struct record_board boards[RECORD_BOARDS_MAX];
	struct record_board bench; /* steps of no board */
	unsigned channel_count;
	struct channel channels[RECORD_CHANNELS_MAX];

	uint32_t step_count, excerpt_count;
	struct step_result *steps; /* in the order in which they ended */
	struct excerpt *excerpts;
	uint64_t steps_left_out, events_left_out, excerpts_left_out;
	enum verdict worst; /* of all steps, those left out too */
	char error[200];    /* first trouble of the rig as a whole; "" */

	struct record_store *store; /* private */
};

/* 0, -ENOMEM. */
int record_init(struct record *record, const struct record_limits *limits, int64_t now_ns,
		int64_t wall_ns);
void record_release(struct record *record);

/* Only name, serial, usb_path, address, firmware of *board are read. Its index, or -ENOSPC. */
int record_add_board(struct record *record, const struct record_board *board);
/* A line or channel of a board: before its first event. Its index, or -ENOSPC. */
int record_add_channel(struct record *record, int board, enum channel_kind kind, const char *name);

/* Puts the beginning of a step on the timeline. */
void record_step_begin(struct record *record, const struct step_result *step);
/* A finished step: counted, copied, put on the timeline. Its copy, or NULL (counted) where there is
 * no more room. */
const struct step_result *record_step(struct record *record, const struct step_result *step);
/* The same of a step that was finished long ago: nothing is put on the timeline. */
const struct step_result *record_restore_step(struct record *record,
					      const struct step_result *step);
/* Times need not come in order. text may be NULL; longer ones are cut to TIMELINE_TEXT_MAX. */
void record_event(struct record *record, enum timeline_kind kind, int channel, int64_t t_ns,
		  int64_t value, const char *text, size_t text_len);
/* The rig's own trouble: the run is an ERROR. */
void record_error(struct record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void record_end(struct record *record, int64_t now_ns);
/* A copy of a text (the plan, the bench, versions) that lives as long as the record; NULL where
 * there is no memory, or where RECORD_TEXTS_MAX are kept. */
#define RECORD_TEXTS_MAX 8
const char *record_keep_text(struct record *record, const char *text, size_t len);

/* Walks the timeline in the order of times. Sorts it in place first. */
uint32_t record_event_count(const struct record *record);
void record_sort_events(struct record *record);
struct timeline_event record_event_at(const struct record *record, uint32_t i);
/* The excerpt of a step, or NULL. */
const struct excerpt *record_excerpt(const struct record *record, uint32_t step);
/* An excerpt out of the history; false (counted) where there is no room. Texts are copied. */
bool record_add_excerpt(struct record *record, uint32_t step, const struct timeline_event *events,
			uint32_t n, uint32_t left_out);
/* A failure that a later attempt made good: it stays a failure, and the step is flaky. */
bool record_step_flaky(const struct record *record, uint32_t step);

#endif

/*
 * The chain of one command: from the moment a message was due to the last thing that it caused.
 *
 * Purpose: stamps of known points become hops. A hop is what lies between two neighbours in time,
 * with a value, U in its parts, and suspicions of either end. A pure function of the stamps: what
 * was not seen is left out, and its neighbours become one hop.
 * Units: ns. Ownership: plain values. Errors: none. Threads: no state.
 */
#ifndef CHAIN_H
#define CHAIN_H

#include "hil/measure/uncertainty.h"

/* In the order in which they happen when all is well. */
enum point {
	POINT_DUE,         /* the message should have left now */
	POINT_HIT,         /* the rig injected a hit into the sensor */
	POINT_WRITTEN,     /* write() was called */
	POINT_SENT,        /* the kernel's transmit stamp, or write() is back where there is none */
	POINT_FORWARD_IN,  /* the proxy in front of the real master has the command */
	POINT_FORWARD_OUT, /* ... and passed it on */
	POINT_SERVO_FRAME, /* the first frame of the new width is over: its falling edge */
	POINT_ANSWER,      /* the answer is here */
	POINT_SERVO_DOWN,  /* after a hit: the first frame of the width of "down" */
	POINT_SERVO_DONE,  /* the servo command is complete: the last frame before it rests */
	POINT_SWITCH,      /* the limit switch closed */
	POINT_CONSOLE,     /* the line on the console */
	POINT_RESULT,      /* the result of the hit was reported */
	POINTS
};
/* "due", "hit", "written", "sent", "forward_in", ..: of JSON, CSV, history. */
const char *point_name(enum point point);
/* -1: no such point. */
int point_from_name(const char *name);
/* What happens between the two, for people: "message sent -> answer received". */
const char *point_text(enum point point);

struct hop {
	enum point from, to;
	int64_t value_ns;
	struct uncertainty u;
	unsigned suspect;
};

#define CHAIN_HOPS_MAX (POINTS - 1)

struct chain {
	struct stamp at[POINTS];
};

static inline void chain_set(struct chain *chain, enum point point, struct stamp stamp)
{
	chain->at[point] = stamp;
}

/* Between any two known points; false (and *ret untouched) where one is not known. Negative where
 * `to` came first; SUSPECT_ORDER where that is more than U explains. */
bool chain_between(const struct chain *chain, enum point from, enum point to, struct hop *ret);
/* The hops between neighbours in time (of equals the order of the enum), at most `cap`. Their
 * values add up to the whole. Returns how many. */
unsigned chain_hops(const struct chain *chain, struct hop *hops, unsigned cap);

#endif

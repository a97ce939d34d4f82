/*
 * What keeps a bench from working on this machine, and what to do about it.
 *
 * Purpose: each look has a name, and comes to fine, odd or bad, with what was seen and a remedy
 * that can be typed. Looks that need a bench (its lines, ports, addresses) are made where there is
 * one. Nothing is changed, no line is requested.
 * Ownership: texts live during the call of `say`. Errors: none: a look that cannot be made says so.
 * Threads: any. Source: docs/BENCH.md; udev(7), systemd's and ModemManager's udev properties.
 */
#ifndef RIG_DOCTOR_H
#define RIG_DOCTOR_H

#include "hil/rig/bench.h"

enum doctor_state { DOCTOR_FINE, DOCTOR_ODD, DOCTOR_BAD };

struct doctor {
	const struct bench *bench; /* NULL: none */
	const char *root; /* "" in real life; tests have a folder with etc, sys, proc, dev */
	void (*say)(void *owner, enum doctor_state state, const char *name, const char *seen,
		    const char *remedy);
	void *owner;
	enum doctor_state worst;
};

void doctor_look(struct doctor *doctor);

/* The rules that let members of the groups dialout and gpio use boards and lines, and keep
 * ModemManager away. */
extern const char doctor_rules[];
#define DOCTOR_RULES_PATH "/etc/udev/rules.d/60-quintain.rules"

/* doctor_bench.c */
void doctor_look_at_bench(struct doctor *doctor);
void doctor_say(struct doctor *doctor, enum doctor_state state, const char *name,
		const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif

/*
 * What repl.c (operations, output, time) and repl_input.c (what the board says) share.
 *
 * Ownership, errors, threads: as in repl.h.
 */
#ifndef PICO_REPL_INTERNAL_H
#define PICO_REPL_INTERNAL_H

#include "hil/pico/repl.h"

#define NS_PER_MS INT64_C(1000000)
#define NEVER INT64_MAX

/* How long the board must be quiet after it was asked more than once: each question is answered,
 * and the answers overlap. */
#define SETTLE_NS (100 * NS_PER_MS)
/* Code that does not come back, such as a reset, is given this long to fail. */
#define NO_WAIT_NS (500 * NS_PER_MS)

#define CTRL_D "\x04"

/* A legal move; any other is our own bug. */
void repl_move(struct repl *repl, enum repl_state to);
/* A write unit of its own. */
void repl_say(struct repl *repl, const char *bytes);
void repl_drop_out(struct repl *repl);
/* Ends the operation. */
void repl_finish(struct repl *repl, enum repl_status status);
/* The same, where the board is no longer known. */
void repl_fail(struct repl *repl, enum repl_status status);

#endif

/*
 * `quintain-emu compare`: the same fleet and the same rounds over two wires, by turns.
 *
 * Purpose: what changing the wire costs or brings, measured, not argued. Fleet and master of each
 * wire are processes of their own (compare_side.c), so that CPU time and memory are each side's;
 * this one gives them their turns and counts. In a network of its own, where that is allowed, the
 * loopback's counters are exact: every packet there is one of the comparison's.
 * Ownership: compare_run() starts and ends the processes. Errors: exit codes; messages on stderr.
 */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "emulator/cli/app.h"
#include "emulator/results/compare.h"

struct compare_options {
	const struct app_options *app;
	enum wire_id wires[2];
	unsigned passes;
};

/* "http,snyper". False where that is no pair of wires. */
bool compare_parse_wires(const char *text, enum wire_id wires[2]);
enum exit_code compare_run(const struct compare_options *options);

/* ---- a side: a process that plays fleet or master ---- */

/* What a side has used so far. */
struct compare_usage {
	int64_t cpu_ns;
	uint64_t memory_bytes; /* its own, not what it shares with the program's file */
	uint64_t connected, payload_bytes;
};

/* What a master has measured in its last pass. */
struct compare_pass {
	int64_t wall_ns, p50_ns, p99_ns, p999_ns;
	uint64_t sent, ok, failed, lost;
};

/* In memory that parent and side share; the side writes before it says that it is done. */
struct compare_share {
	struct compare_usage usage;
	struct compare_pass pass;
	int64_t curve[COMPARE_CURVE + 1]; /* of all passes since SIDE_FORGET */
	uint64_t curve_n;
};

enum compare_order {
	SIDE_USAGE = 'u',  /* fills usage */
	SIDE_PASS = 'p',   /* a master: plays all rounds, fills pass */
	SIDE_FORGET = 'f', /* a master: passes so far were to get warm */
	SIDE_CURVE = 'c',  /* a master: fills curve */
	SIDE_END = 'e',    /* ends; its socket's end would not tell it: others hold copies */
};
#define SIDE_DONE 'd'

struct compare_side {
	int pid;
	int fd; /* orders go out, SIDE_DONE comes back; -1: not started */
	struct compare_share *share;
};

/* Starts it; it says SIDE_DONE when its master listens, or all its targets have registered. */
int compare_side_start(struct compare_side *side, const struct app_options *options, bool fleet);
/* Waits for its word. False: it has ended, or says nothing for too long. */
bool compare_side_wait(struct compare_side *side);
bool compare_side_order(struct compare_side *side, enum compare_order order);
void compare_side_stop(struct compare_side *side);

#endif

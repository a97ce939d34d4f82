/*
 * Faults at a proxy: what happens to a read unit on its way to the other side.
 *
 * Purpose: the faults of emulator/target/faults.h that make sense for somebody who sees bytes go
 * by, with the same names, parameters, defaults, draws and order: first those that change the
 * message, then those that change how it leaves.
 * Units: ns, bytes. Ownership: specs belong to `settings`. Errors: in words. Threads: one.
 */
#ifndef SNIFF_UNIT_FAULTS_H
#define SNIFF_UNIT_FAULTS_H

#include "emulator/sniff/happened.h"
#include "emulator/sniff/dialog.h"
#include "emulator/target/faults.h"

#define UNIT_FAULTS_MAX 16
/* What a unit may become: garbage is at most 60,000 bytes. */
#define UNIT_MAX 65536

/* One that was asked for. */
struct unit_fault {
	struct fault_spec spec;
	struct settings *settings;
	bool on[2]; /* by way: what that side sends */
	bool resting;
	int64_t until_ns; /* of being on, or of resting; 0: for ever */
	uint64_t draws;
};

struct unit_faults {
	struct unit_fault faults[UNIT_FAULTS_MAX];
	size_t n;
	uint64_t seed;
};

/*
 * Adds "delay, time 200ms, probability 0.3". False: what is wrong went to stderr, line by line.
 */
bool unit_faults_add(struct unit_faults *faults, const char *text, enum dialog_wire wire);
/* Whom the last one is for. */
void unit_faults_on(struct unit_faults *faults, bool to_server, bool to_client);
void unit_faults_release(struct unit_faults *faults);
/* Those that there are: "delay, drop, ..." Returns buf. */
const char *unit_faults_names(char *buf, size_t cap);

/* How a unit leaves. */
enum unit_then { UNIT_STAY, UNIT_CLOSE, UNIT_RESET };

struct unit_fate {
	const char *name; /* of the first that struck; NULL: none */
	bool dropped;     /* nothing of it leaves */
	bool twice;
	enum unit_then then;
	int64_t delay_ns, gap_ns;
	uint32_t piece, pieces; /* so many bytes at a time, or so many times; both 0: all at once */
	bool coalescing;
	char all[120]; /* of all that struck */
};

/* The unit that went before, for `stale`. */
struct unit_before {
	uint32_t len;
	char bytes[1024];
};

/*
 * What becomes of bytes[0, *len), in a buffer of UNIT_MAX, which is changed. before: NULL where
 * the connection keeps none. False: nothing struck.
 */
bool unit_faults_strike(struct unit_faults *faults, enum way way, uint32_t conn, int64_t t_ns,
			struct unit_before *before, char *bytes, size_t *len, enum dialog_wire wire,
			struct unit_fate *ret);
/* Is any of them for that way? */
bool unit_faults_any(const struct unit_faults *faults, enum way way);
bool unit_faults_need_before(const struct unit_faults *faults, enum way way);

#endif

/*
 * The words of a range: what a master asks, what a target answers, whatever wire carries it.
 *
 * Purpose: events, counters, rounds, the timeline and the results speak of these; how a word looks
 * in bytes is its wire's matter (wires.h). Names are those of the range's own protocol.
 * Ownership: constants. Threads: no state.
 */
#ifndef WORD_H
#define WORD_H

#include <stddef.h>

enum range_word {
	RANGE_NOTHING,
	RANGE_REGISTER,
	RANGE_REGISTERED,
	RANGE_PING,
	RANGE_PONG,
	RANGE_STAND_UP,
	RANGE_STANDING,
	RANGE_LAY_DOWN,
	RANGE_DOWN,
	RANGE_ACTIVATE,
	RANGE_ACTIVATED,
	RANGE_ERROR,
	RANGE_WORDS,
};

/* "ping" and so on; "unknown" for RANGE_NOTHING. */
const char *range_word_name(enum range_word word);
/* By name, in any case; RANGE_NOTHING where there is none. */
enum range_word range_word_of(const char *name, size_t len);
/* ping -> pong. RANGE_NOTHING for what is no command and no registration. */
enum range_word range_answer_to(enum range_word word);

/* What a master can ask, in the order of reports and settings: ping, stand_up, lay_down, activate.
 */
#define RANGE_COMMANDS 4
extern const enum range_word range_commands[RANGE_COMMANDS];
/* Their names, for SETTING_WORD; ends with NULL. */
extern const char *const range_command_names[RANGE_COMMANDS + 1];

#endif

#include "emulator/base/word.h"

#include <string.h>
#include <strings.h>

const enum range_word range_commands[RANGE_COMMANDS] = { RANGE_PING, RANGE_STAND_UP, RANGE_LAY_DOWN,
							 RANGE_ACTIVATE };
const char *const range_command_names[RANGE_COMMANDS + 1] = { "ping", "stand_up", "lay_down",
							      "activate", NULL };

static const char *const names[RANGE_WORDS] = {
	[RANGE_NOTHING] = "unknown",
	[RANGE_REGISTER] = "register",
	[RANGE_REGISTERED] = "registered",
	[RANGE_PING] = "ping",
	[RANGE_PONG] = "pong",
	[RANGE_STAND_UP] = "stand_up",
	[RANGE_STANDING] = "standing",
	[RANGE_LAY_DOWN] = "lay_down",
	[RANGE_DOWN] = "down",
	[RANGE_ACTIVATE] = "activate",
	[RANGE_ACTIVATED] = "activated",
	[RANGE_ERROR] = "error",
};

const char *range_word_name(enum range_word word)
{
	return names[word];
}

enum range_word range_word_of(const char *name, size_t len)
{
	for (int word = RANGE_NOTHING + 1; word < RANGE_WORDS; word++)
		if (strlen(names[word]) == len && strncasecmp(names[word], name, len) == 0)
			return (enum range_word)word;
	return RANGE_NOTHING;
}

enum range_word range_answer_to(enum range_word word)
{
	switch (word) {
	case RANGE_REGISTER: return RANGE_REGISTERED;
	case RANGE_PING: return RANGE_PONG;
	case RANGE_STAND_UP: return RANGE_STANDING;
	case RANGE_LAY_DOWN: return RANGE_DOWN;
	case RANGE_ACTIVATE: return RANGE_ACTIVATED;
	default: return RANGE_NOTHING;
	}
}

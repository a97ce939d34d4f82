/*
 * A circuit breaker: who fails again and again is left alone for a while, then tried once.
 *
 * Purpose: CLOSED lets everything through and counts failures in a row; at the limit it is OPEN and
 * lets nothing through; when its time is over it is HALF_OPEN and lets one through, whose end
 * decides. Units: ns of whatever clock the caller keeps. Ownership: plain storage. Errors: none.
 * Threads: one.
 */
#ifndef RPC_BREAKER_H
#define RPC_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
	int64_t open_ns; /* how long it is left alone */
	uint32_t limit;  /* failures in a row; 0: never opens */
	/* Read only. */
	uint32_t failures;
	enum breaker_state state;
	int64_t until_ns;
	bool probing; /* the one is under way */
	uint64_t opened;
};

static inline void breaker_init(struct breaker *breaker, uint32_t limit, int64_t open_ns)
{
	*breaker = (struct breaker){ .limit = limit, .open_ns = open_ns };
}

/* May one go through? In HALF_OPEN the answer is yes once: that one is the probe. */
static inline bool breaker_allows(struct breaker *breaker, int64_t now_ns)
{
	if (breaker->state == BREAKER_OPEN && now_ns >= breaker->until_ns) {
		breaker->state = BREAKER_HALF_OPEN;
		breaker->probing = false;
	}
	if (breaker->state == BREAKER_CLOSED)
		return true;
	if (breaker->state == BREAKER_OPEN || breaker->probing)
		return false;
	breaker->probing = true;
	return true;
}

static inline void breaker_success(struct breaker *breaker)
{
	breaker->state = BREAKER_CLOSED;
	breaker->failures = 0;
	breaker->probing = false;
}

static inline void breaker_failure(struct breaker *breaker, int64_t now_ns)
{
	breaker->failures++;
	/* What was under way when it opened says nothing new. */
	if (breaker->state == BREAKER_OPEN || breaker->limit == 0)
		return;
	if (breaker->state == BREAKER_CLOSED && breaker->failures < breaker->limit)
		return;
	breaker->state = BREAKER_OPEN;
	breaker->until_ns = now_ns + breaker->open_ns;
	breaker->probing = false;
	breaker->opened++;
}

#endif

/*
 * What the flow tests of a master share: a range, a stranger at the address of target number 0
 * whose answers the test writes, a guest who registers.
 *
 * Ownership: start() or range_init() and range_master(), then finish(). Errors: fail the test.
 * Threads: one; the state is the including file's own.
 */
#ifndef TEST_MASTER_BED_H
#define TEST_MASTER_BED_H

#include "tests/support/range.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct range range;
static struct stranger stranger; /* at the address of target number 0 */
static struct guest guest;

#define PONG "{\"type\": \"pong\", \"id\": \"1\", \"data\": {\"status\": \"alive\"}}\n"

static inline void finish(void)
{
	range_release(&range);
}

static unsigned results[3], answered;

static inline void command_over(struct master *master, uint32_t number, enum range_word command,
				enum master_outcome outcome, void *context)
{
	(void)master;
	(void)number;
	(void)command;
	(void)context;
	results[outcome]++;
	answered++;
}

static inline int command(uint32_t number, enum range_word type)
{
	int rc = master_command(range.master, number, type, range.loop.now_ns,
				(struct qn_text){ NULL, 0 }, command_over, NULL);

	range_pass(&range, 0);
	return rc;
}

/* A registration as a board writes it, from that address. */
static inline const char *register_from(uint32_t ip, const char *name)
{
	char line[256];

	guest_connect(&range, &guest, ip, range.options.listen.at);
	range_pass(&range, 0);
	snprintf(line, sizeof(line),
		 "{\"timestamp\": 1, \"type\": \"register\", \"data\": {\"client_id\": \"%s\"}, "
		 "\"id\": \"msg_1\", \"target_id\": \"%s\"}\n",
		 name, name);
	guest_send(&guest, line);
	range_pass(&range, 0);
	return guest_take(&guest);
}

static inline void say(const char *text)
{
	guest_send(&guest, text);
	range_pass(&range, 0);
}

/* A master, and a stranger that it knows as target number 0. */
static inline void start(enum qn_snyper_profile_id profile, bool keep)
{
	range_init(&range, profile);
	range.options.listen.keep = keep;
	range_master(&range);
	register_from(RANGE_IP(0), "target_1");
	guest_close(&guest);
	stranger_listen(&range, &stranger, (struct net_addr){ RANGE_IP(0), RANGE_PORT });
	range_pass(&range, 0);
	range_trace(&range);
	cr_assert_eq(master_known(range.master), 1u);
}

#endif

/*
 * A range with targets that are to have faults: the beginning and the end of its tests.
 *
 * Ownership: TestSuite(x, .fini = faulty_finish). Errors: fail the test. Threads: one.
 */
#ifndef TEST_FAULTY_RANGE_H
#define TEST_FAULTY_RANGE_H

#include "tests/support/range.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PING(id) "{\"type\": \"ping\", \"id\": \"" id "\"}\n"
#define REGISTERED                                                                                 \
	"{\"type\": \"registered\", \"id\": \"1\", \"data\": {\"status\": \"registered\"}}\n"

#define MS(n) ((n)*NS_PER_MS)
#define SPEC(...) ((struct fault_spec){ .probability = 1, __VA_ARGS__ })
#define TIME(ms) .time = { DIST_FIXED, MS(ms), 0 }

static struct range range;
static struct guest guest;

/* Nothing that a fault holds or waits for may be left. */
static inline void faulty_finish(void)
{
	for (uint32_t i = 0; i < range.n_targets; i++)
		target_power_off(&range.targets[i]);
	cr_expect_eq(range.env.held.used, 0u);
	cr_expect_eq(range.env.late_replies.used, 0u);
	for (int i = 0; i < BUFFERS_CLASSES; i++)
		cr_expect_eq(range.env.buffers.classes[i].used, 0u);
	range_release(&range);
}

static inline struct target *faulty_init(void)
{
	range_init(&range, QN_SNYPER_PICO);
	cr_assert_eq(target_env_reserve_faults(&range.env, RANGE_TARGETS), 0);
	return range_target(&range);
}

/* In service, with a guest connected. */
static inline struct target *faulty_start(void)
{
	struct target *target = faulty_init();

	range_master(&range);
	target_power_on(target);
	range_pass(&range, 0);
	guest_call(&range, &guest, 0);
	cr_assert(guest.opened);
	range_trace(&range);
	return target;
}

static inline void faulty_say(const char *type)
{
	char line[128];

	snprintf(line, sizeof(line), "{\"type\": \"%s\", \"id\": \"1\"}\n", type);
	guest_send(&guest, line);
	range_pass(&range, 0);
}

static inline void faulty_happened(const char *lines)
{
	range.trace[range.trace_len] = '\0';
	cr_expect(strstr(range.trace, lines) != NULL, "%snot %s", range.trace, lines);
}

#endif

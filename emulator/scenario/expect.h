/*
 * Expectations: what must hold, judged while the run goes on.
 *
 * Purpose: `expect` blocks of a config (docs/SCENARIOS.md "Expectations"):
 *     { name = "all register";  that = "registered >= 500";  within = "30s"; }
 *     { name = "nothing lost";  that = "lost == 0"; }                       # at the end
 *     { name = "quick";         that = "latency(ping, group:west, p99) < 50ms"; }
 *     { name = "as it was";     that = "latency(ping, group:well, p99, 20s..40s) <= 1.5 * latency(ping, group:well, p99, 0s..20s)"; }
 *     { name = "never all down"; that = "state(up) >= 10"; throughout = true; from = "10s"; until = "50s"; }
 *     { name = "lies after a hit"; that = "down within 900ms after hit"; targets = "group:west"; }
 * It is a sink of the event bus, called in the loop: it sees every event and drops none.
 * Ownership: expect_new() reserves all it needs; fleet, master and config outlive it.
 * Errors: 0 or -errno; parse errors go to struct settings. Threads: its loop's.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include "emulator/base/event.h"
#include "emulator/base/loop.h"
#include "emulator/base/settings.h"
#include "emulator/fleet/fleet.h"
#include "emulator/master/master.h"
#include "emulator/scenario/verdict.h"

/* One `expect` block; parsed is private to expect*.c. */
struct expect_config {
	const char *name;
	const char *that;
	const char *targets; /* selector; default "all"; of events in order */
	int64_t within_ns, from_ns, until_ns;
	bool throughout;
	struct setting_origin origin;

	/* Filled by expect_config_check(). */
	void *parsed;
};
extern const struct setting_table expect_table;

/* Parses every condition; `has_fleet`, `has_master`: a metric of what is absent is an error. */
void expect_config_check(struct settings *settings, struct setting_list *list, bool has_fleet,
			 bool has_master, const struct fleet_config *fleet);

struct expect;

int expect_new(struct loop *loop, struct events *events, const struct setting_list *list,
	       const struct fleet *fleet, const struct master *master, struct expect **ret);
/* From here on times count. */
void expect_start(struct expect *expect);
/* The run ends: judges what is still open. */
void expect_finish(struct expect *expect);
uint32_t expect_count(const struct expect *expect);
const struct verdict *expect_verdict(const struct expect *expect, uint32_t i);
/* So far: how many are decided as FAIL. For the live view. */
uint32_t expect_failed(const struct expect *expect);
void expect_free(struct expect *expect);

#endif

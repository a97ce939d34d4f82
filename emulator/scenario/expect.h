/*
 * Expectations: what must hold, judged while the run goes on.
 *
 * Purpose: `expect` blocks of a config (docs/SCENARIOS.md "Expectations"):
 *
 *     { that = "registered >= 500";  within = "30s"; }
 *     { that = "lost == 0"; }    # at the end
 *     { that = "latency(ping, group:west, p99) < 50ms"; }
 *     { that = "latency(ping, p99, 20s..) <= 1.5 * latency(ping, p99, ..20s)"; }
 *     { that = "state(up) >= 10";  throughout = true;  from = "10s";  until = "50s"; }
 *     { that = "down within 900ms after hit";  targets = "group:west"; }
 *
 * It is a sink of the event bus, called in the loop: it sees every event and drops none.
 *
 * Units: durations since the run began, ns.
 * Ownership: expect_new() reserves all it needs; events, fleet, master and the config outlive it.
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

#include <stdio.h>

/* One `expect` block; parsed is private to expect*.c. */
struct expect_config {
	const char *name;
	const char *that;
	/* Selector; default "all"; of events in order, and of every metric without its own. */
	const char *targets;
	int64_t within_ns, from_ns, until_ns;
	bool has_within, has_from, has_until; /* given at all */
	bool throughout;
	struct setting_origin origin;

	/* Filled by expect_config_check(). */
	void *parsed;
};
extern const struct setting_table expect_table;

/* Parses every condition; `has_fleet`, `has_master`: a metric of what is absent is an error.
 * `fleet`, where there is one, has been checked: a selector that picks none of its targets is an
 * error. */
void expect_config_check(struct settings *settings, struct setting_list *list, bool has_fleet,
			 bool has_master, const struct fleet_config *fleet);
/* One line, without indent: "all register: registered >= 500, within 30s". */
void expect_describe(const struct expect_config *config, FILE *out);

struct expect;

/* Only for a list that passed expect_config_check(); fleet or master may be NULL as it was told. */
int expect_new(struct loop *loop, struct events *events, const struct setting_list *list,
	       const struct fleet *fleet, const struct master *master, struct expect **ret);
/* From here on times count. */
void expect_start(struct expect *expect);
/* The run ends: judges what is still open. Harmless a second time. */
void expect_finish(struct expect *expect);
uint32_t expect_count(const struct expect *expect);
/* Before it is decided its outcome is ERROR and it says that it is open. */
const struct verdict *expect_verdict(const struct expect *expect, uint32_t i);
/* So far: how many are decided as FAIL. For the live view. */
uint32_t expect_failed(const struct expect *expect);
/* Leaves the event bus. NULL is harmless. */
void expect_free(struct expect *expect);

#endif

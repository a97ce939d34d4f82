/*
 * A run without a network, for the tests of expectations: fleet, master and expectations out of a
 * config, on a simulated loop, with events made by hand.
 *
 * Units: ns since the run began. Ownership: run_new() to run_free(). Errors: end the test.
 * Threads: one.
 */
#ifndef TEST_EXPECT_RUN_H
#define TEST_EXPECT_RUN_H

#include "emulator/fleet/fleet.h"
#include "emulator/master/config.h"
#include "emulator/scenario/expect.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ten targets west_1 .. west_10 and four east_1 .. east_4, the latter tagged. */
#define RUN_FLEET                                                                                  \
	"fleet = { retry = { attempts = 1; }; ramp = 0; groups = ("                                \
	" { name = \"west_%d\"; label = \"west\"; count = 10; },"                                  \
	" { name = \"east_%d\"; label = \"east\"; count = 4; tags = [\"new\"]; } ); };\n"
#define RUN_MASTER "master = { };\n"
#define RUN_START INT64_C(12345678901)

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

struct run_config {
	struct setting_origin origin;
	struct fleet_config fleet;
	struct master_config master;
	struct setting_list expect;
};

static const struct setting run_settings[] = {
	{ .name = "fleet",
	  .kind = SETTING_GROUP,
	  .offset = offsetof(struct run_config, fleet),
	  .sub = &fleet_table,
	  .present_offset = offsetof(struct run_config, fleet.present) },
	{ .name = "master",
	  .kind = SETTING_GROUP,
	  .offset = offsetof(struct run_config, master),
	  .sub = &master_table,
	  .present_offset = offsetof(struct run_config, master.present) },
	{ .name = "expect",
	  .kind = SETTING_LIST,
	  .offset = offsetof(struct run_config, expect),
	  .sub = &expect_table },
	{ .name = NULL },
};
static const struct setting_table run_table = {
	.title = "a run",
	.size = sizeof(struct run_config),
	.settings = run_settings,
	.origin_offset = offsetof(struct run_config, origin),
};

static inline struct settings *run_load(const char *text, struct run_config *config)
{
	struct settings *settings = settings_load_text(text, "x.cfg", NULL, 0, &run_table, config);

	if (settings_errors(settings) > 0)
		return settings;
	fleet_config_check(settings, &config->fleet);
	master_config_check(settings, &config->master, 1);
	expect_config_check(settings, &config->expect, config->fleet.present,
			    config->master.present, config->fleet.present ? &config->fleet : NULL);
	return settings;
}

/* ---- a network where nothing comes through ---- */

static inline int run_listen(struct net *net, struct net_addr at, struct net_listener **ret)
{
	(void)net;
	(void)at;
	(void)ret;
	return -EADDRNOTAVAIL;
}

static inline int run_connect(struct net *net, struct net_addr from, struct net_addr to,
			      const struct net_handler *handler, struct net_conn **ret)
{
	(void)net;
	(void)from;
	(void)to;
	(void)handler;
	(void)ret;
	return -ECONNREFUSED;
}

static const struct net_ops run_ops = { .listen = run_listen, .connect = run_connect };

/* ---- */

struct run {
	struct run_config config;
	struct settings *settings;
	struct loop loop;
	struct events events;
	struct net net;
	struct fleet *fleet;
	struct master *master;
	struct expect *expect;
};

/* Starts at RUN_START of the loop's clock. */
static inline struct run *run_new(const char *text)
{
	struct run *run = calloc(1, sizeof(*run));

	cr_assert(run != NULL);
	run->settings = run_load(text, &run->config);
	for (size_t i = 0; i < settings_errors(run->settings); i++)
		cr_assert_fail("%s", settings_error_text(run->settings, i));
	loop_init_simulated(&run->loop, 0);
	run->loop.now_ns = RUN_START;
	run->net = (struct net){ .ops = &run_ops, .loop = &run->loop };
	if (run->config.fleet.present)
		cr_assert(fleet_new(&run->loop, &run->net, &run->events, &run->config.fleet, 1,
				    &run->fleet) == 0);
	if (run->config.master.present)
		cr_assert(master_new(&run->loop, &run->net, &run->events,
				     &run->config.master.options, &run->master) == 0);
	cr_assert(expect_new(&run->loop, &run->events, &run->config.expect, run->fleet, run->master,
			     &run->expect) == 0);
	expect_start(run->expect);
	return run;
}

static inline void run_free(struct run *run)
{
	expect_free(run->expect);
	cr_expect(run->events.sinks == NULL && run->events.mask == 0);
	fleet_free(run->fleet);
	master_free(run->master);
	cr_expect(timers_next(&run->loop.timers) == TIMERS_NEVER, "a timer was left");
	loop_release(&run->loop);
	settings_free(run->settings);
	free(run);
}

/* The clock stands at t; whatever is due by then has happened. */
static inline void run_to(struct run *run, int64_t t)
{
	loop_run(&run->loop, RUN_START + t);
	run->loop.now_ns = RUN_START + t;
}

static inline void run_finish(struct run *run, int64_t t)
{
	run_to(run, t);
	expect_finish(run->expect);
}

static inline uint32_t run_number(const struct run *run, const char *name)
{
	for (uint32_t i = 0; run->fleet != NULL && i < run->fleet->count; i++)
		if (strcmp(run->fleet->targets[i].name, name) == 0)
			return i;
	cr_assert_fail("the fleet has no %s", name);
	return 0;
}

/* An event of a fleet's target, now. */
static inline void run_tell(struct run *run, enum event_kind kind, const char *name)
{
	struct event event = { .t_ns = run->loop.now_ns,
			       .kind = kind,
			       .target = run_number(run, name),
			       .name = name };

	events_deliver(&run->events, &event);
}

/* A target's state changes, and it says so. */
static inline void run_become(struct run *run, enum event_kind kind, enum target_state state,
			      const char *name)
{
	run->fleet->targets[run_number(run, name)].state = (uint8_t)state;
	run_tell(run, kind, name);
}

static inline void run_register(struct run *run, const char *name)
{
	run->fleet->targets[run_number(run, name)].registered = true;
	run_tell(run, EVENT_REGISTERED, name);
}

/* An event of the master, about the target that it knows as `number`. */
static inline void run_master(struct run *run, enum event_kind kind, enum range_word type,
			      uint32_t number, const char *name, int64_t value)
{
	struct event event = { .t_ns = run->loop.now_ns,
			       .kind = kind,
			       .target = number,
			       .name = name,
			       .type = (uint8_t)type,
			       .value = value };

	events_deliver(&run->events, &event);
}

/* With that fleet, a master, and these expectations. */
static inline struct run *run_start(const char *blocks)
{
	char text[4096];

	snprintf(text, sizeof(text), "%sexpect = ( %s );", RUN_FLEET RUN_MASTER, blocks);
	return run_new(text);
}

/* An event of the master about a ping to west_N or east_N. */
static inline void run_ping(struct run *run, enum event_kind kind, const char *name, int64_t value)
{
	uint32_t number = (uint32_t)strtoul(strchr(name, '_') + 1, NULL, 10) + (*name == 'e') * 100;

	run_master(run, kind, RANGE_PING, number, name, value);
}

/* "west_1 west_2 (3)": the first ten, and how many in all. */
static inline void run_expect(const struct run *run, uint32_t i, enum verdict_outcome outcome,
			      int64_t at_ns, const char *seen, const char *targets)
{
	const struct verdict *verdict = expect_verdict(run->expect, i);
	char list[VERDICT_TARGETS_MAX * 65 + 16] = "";

	for (uint32_t t = 0; t < verdict->targets_count; t++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s ",
			 verdict->targets[t]);
	if (verdict->targets_total > 0)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "(%u)",
			 verdict->targets_total);
	cr_expect(verdict->outcome == outcome, "%s: is %s: %s", verdict->that,
		  verdict_outcome_name(verdict->outcome), verdict->seen);
	cr_expect(verdict->at_ns == at_ns, "%s: at %lld ns: %s", verdict->that,
		  (long long)verdict->at_ns, verdict->seen);
	cr_expect_str_eq(verdict->seen, seen, "%s:\n  is     %s\n  should %s", verdict->that,
			 verdict->seen, seen);
	cr_expect_str_eq(list, targets, "%s:\n  is     %s\n  should %s", verdict->that, list,
			 targets);
}

#endif

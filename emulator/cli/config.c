#include "emulator/cli/config.h"

#include <string.h>

#define SCENARIO(member) offsetof(struct scenario_config, member)
static const struct setting scenario_settings[] = {
	{ .name = "duration",
	  .kind = SETTING_DURATION,
	  .offset = SCENARIO(duration_ns),
	  .def = "0s",
	  .min = 0,
	  .max = INT64_C(1000) * 24 * 3600 * NS_PER_S,
	  .help = "the run ends then; 0: when the master's rounds are done, by --for, by a signal" },
	{ .name = "timeline",
	  .kind = SETTING_LIST,
	  .offset = SCENARIO(timeline),
	  .sub = &step_table,
	  .help = "what happens when" },
	{ .name = "expect",
	  .kind = SETTING_LIST,
	  .offset = SCENARIO(expect),
	  .sub = &expect_table,
	  .help = "what must hold" },
	{ .name = NULL },
};
static const struct setting_table scenario_table = { .title = "what happens, and what must hold",
						     .size = sizeof(struct scenario_config),
						     .settings = scenario_settings,
						     .origin_offset = SCENARIO(origin) };

#define SIMULATE(member) offsetof(struct simulate_config, member)
static const struct setting simulate_settings[] = {
	{ .name = "latency",
	  .kind = SETTING_DIST,
	  .offset = SIMULATE(latency),
	  .def = "uniform(200us, 2ms)",
	  .help = "one way, drawn for each unit" },
	{ .name = "connect_loss",
	  .kind = SETTING_FLOAT,
	  .offset = SIMULATE(connect_loss),
	  .def = "0",
	  .fmin = 0,
	  .fmax = 1,
	  .help = "how likely a connect vanishes" },
	{ .name = "break",
	  .kind = SETTING_FLOAT,
	  .offset = SIMULATE(break_chance),
	  .def = "0",
	  .fmin = 0,
	  .fmax = 1,
	  .help = "how likely a unit breaks its connection instead" },
	{ .name = "epoch",
	  .kind = SETTING_INT,
	  .offset = SIMULATE(epoch_s),
	  .def = "1767225600",
	  .min = 0,
	  .max = INT64_C(4102444800),
	  .help = "the wall clock at the start, in seconds" },
	{ .name = NULL },
};
static const struct setting_table simulate_table = { .title = "the network of --simulate",
						     .size = sizeof(struct simulate_config),
						     .settings = simulate_settings,
						     .origin_offset = SIMULATE(origin) };

#define EMU(member) offsetof(struct emu_config, member)
static const struct setting emu_settings[] = {
	{ .name = "title",
	  .kind = SETTING_STRING,
	  .offset = EMU(title),
	  .def = "",
	  .help = "what this run is about, for people" },
	{ .name = "seed",
	  .kind = SETTING_INT,
	  .offset = EMU(seed),
	  .def = "1",
	  .min = 0,
	  .max = INT64_MAX,
	  .help = "decides every draw: hits, durations, selections" },
	{ .name = "fleet",
	  .kind = SETTING_GROUP,
	  .offset = EMU(fleet),
	  .sub = &fleet_table,
	  .present_offset = EMU(fleet.present),
	  .help = "virtual targets; absent: none" },
	{ .name = "master",
	  .kind = SETTING_GROUP,
	  .offset = EMU(master),
	  .sub = &master_table,
	  .present_offset = EMU(master.present),
	  .help = "a master; absent: none" },
	{ .name = "scenario",
	  .kind = SETTING_GROUP,
	  .offset = EMU(scenario),
	  .sub = &scenario_table,
	  .help = "what happens, and what must hold" },
	{ .name = "simulate",
	  .kind = SETTING_GROUP,
	  .offset = EMU(simulate),
	  .sub = &simulate_table,
	  .help = "the network of --simulate" },
	{ .name = NULL },
};
static const struct setting_foreign of_the_rig[] = {
	{ "bench", "quintain-hil check --bench FILE" },
	{ "plan", "quintain-hil check FILE" },
	{ NULL, NULL },
};
const struct setting_table emu_table = { .title = "a config of quintain-emu",
					 .size = sizeof(struct emu_config),
					 .settings = emu_settings,
					 .origin_offset = EMU(origin),
					 .foreign = of_the_rig };

struct settings *emu_config_load(const char *path, const char *const *overrides, size_t n_overrides,
				 struct emu_config *config)
{
	memset(config, 0, sizeof(*config));
	struct settings *settings = settings_load(path, overrides, n_overrides, &emu_table, config);

	if (settings_errors(settings) > 0)
		return settings;
	if (!config->fleet.present && !config->master.present)
		settings_error(settings, &config->origin, NULL,
			       "neither a fleet nor a master: nothing to run; expected a group "
			       "`fleet` or `master`");
	fleet_config_check(settings, &config->fleet);
	master_config_check(settings, &config->master, (uint64_t)config->seed);
	if (config->master.present && config->fleet.targets > config->master.targets_max)
		settings_error(
			settings, &config->master.origin, "targets_max",
			"this master can know %lld targets, the fleet has %u; expected at least as "
			"many",
			(long long)config->master.targets_max, config->fleet.targets);
	timeline_config_check(settings, &config->scenario.timeline, &config->fleet,
			      config->master.present, config->scenario.duration_ns);
	if (settings_errors(settings) == 0)
		expect_config_check(settings, &config->scenario.expect, config->fleet.present,
				    config->master.present, &config->fleet);
	return settings;
}

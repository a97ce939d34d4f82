#include "emulator/cli/config.h"

#include <string.h>

#define EMU(member) offsetof(struct emu_config, member)
static const struct setting emu_settings[] = {
	{ .name = "title", .kind = SETTING_STRING, .offset = EMU(title), .def = "",
	  .help = "what this run is about, for people" },
	{ .name = "seed", .kind = SETTING_INT, .offset = EMU(seed), .def = "1", .min = 0,
	  .max = INT64_MAX, .help = "decides every draw: hits, durations, selections" },
	{ .name = "fleet", .kind = SETTING_GROUP, .offset = EMU(fleet), .sub = &fleet_table,
	  .present_offset = EMU(fleet.present), .help = "virtual targets; absent: none" },
	{ .name = "master", .kind = SETTING_GROUP, .offset = EMU(master), .sub = &master_table,
	  .present_offset = EMU(master.present), .help = "a master; absent: none" },
	{ .name = NULL },
};
const struct setting_table emu_table = { .title = "a config of quintain-emu",
					 .size = sizeof(struct emu_config),
					 .settings = emu_settings,
					 .origin_offset = EMU(origin) };

struct settings *emu_config_load(const char *path, const char *const *overrides, size_t n_overrides,
				 struct emu_config *config)
{
	memset(config, 0, sizeof(*config));
	struct settings *settings =
		settings_load(path, overrides, n_overrides, &emu_table, config);

	if (settings_errors(settings) > 0)
		return settings;
	if (!config->fleet.present && !config->master.present)
		settings_error(settings, &config->origin, NULL,
			       "neither a fleet nor a master: nothing to run; expected a group "
			       "`fleet` or `master`");
	fleet_config_check(settings, &config->fleet);
	master_config_check(settings, &config->master, (uint64_t)config->seed);
	return settings;
}

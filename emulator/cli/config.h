/*
 * The whole config file of quintain-emu.
 *
 * Ownership: the struct settings that emu_config_load() returns owns all that the config points to.
 * Errors: collected in it. Threads: before they start.
 */
#ifndef EMU_CONFIG_H
#define EMU_CONFIG_H

#include "emulator/fleet/config.h"
#include "emulator/master/config.h"

struct emu_config {
	const char *title;
	int64_t seed;
	struct fleet_config fleet;
	struct master_config master;
	struct setting_origin origin;
};

extern const struct setting_table emu_table;

/* Loads and checks everything; look at settings_errors(). */
struct settings *emu_config_load(const char *path, const char *const *overrides, size_t n_overrides,
				 struct emu_config *config);

#endif

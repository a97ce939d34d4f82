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
#include "emulator/scenario/expect.h"
#include "emulator/scenario/timeline.h"

struct scenario_config {
	int64_t duration_ns; /* 0: until the master's rounds are done, --for or a signal */
	struct setting_list timeline, expect;
	struct setting_origin origin;
};

struct simulate_config {
	struct dist latency;
	double connect_loss, break_chance;
	int64_t epoch_s;
	struct setting_origin origin;
};

struct emu_config {
	const char *title;
	int64_t seed;
	struct fleet_config fleet;
	struct master_config master;
	struct scenario_config scenario;
	struct simulate_config simulate;
	struct setting_origin origin;
};

extern const struct setting_table emu_table;

/* Loads and checks everything; look at settings_errors(). */
struct settings *emu_config_load(const char *path, const char *const *overrides, size_t n_overrides,
				 struct emu_config *config);

#endif

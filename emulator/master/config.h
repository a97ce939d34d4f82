/*
 * A master as a config file describes it: the settings `master` and `master.rounds[]`.
 *
 * Units: ns, host byte order. Ownership: lives as long as its struct settings. Errors: told to
 * struct settings. Threads: before they start.
 */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include "emulator/base/select.h"
#include "emulator/base/settings.h"
#include "emulator/master/master.h"

struct round_config {
	int command; /* index: ping, stand_up, lay_down, activate */
	const char *targets;
	double duration_s;
	int64_t after_ns, times, every_ns;
	struct setting_origin origin;

	/* Filled by master_config_check(). */
	struct selector selector;
	enum range_word type;
	char duration_text[32];
};

/* One more port. */
struct listener_config {
	int wire;
	const char *host;
	int64_t port, target_port;
	int profile, connections;
	_Alignas(8) unsigned char options[WIRE_COUNT][MASTER_WIRE_OPTIONS_BYTES];
	struct setting_origin origin;
};

struct master_config {
	bool present;
	int wire;
	struct {
		const char *host;
		int64_t port;
		bool has_port;
	} listen;
	struct setting_list listeners; /* struct listener_config */
	_Alignas(8) unsigned char wire_options[WIRE_COUNT][MASTER_WIRE_OPTIONS_BYTES];
	int64_t target_port;
	int profile;
	int connections;
	int64_t concurrency, targets_max;
	int64_t connect_timeout_ns, answer_timeout_ns;
	bool forget_failed;
	struct {
		int64_t targets, timeout_ns;
	} wait;
	struct setting_list rounds;
	int64_t repeat;
	int after_rounds;
	struct setting_origin origin;

	/* Filled by master_config_check(). */
	struct master_options options;
	struct master_listener_options more[MASTER_LISTENERS_MAX - 1];
};

enum { MASTER_THEN_EXIT, MASTER_THEN_STAY };

extern const struct setting_table master_table;

void master_config_check(struct settings *settings, struct master_config *config, uint64_t seed);

#endif

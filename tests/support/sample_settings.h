/*
 * A table with every kind of setting, for the tests and the fuzzer of settings.
 *
 * Threads, ownership: constant.
 */
#ifndef TEST_SAMPLE_SETTINGS_H
#define TEST_SAMPLE_SETTINGS_H

#include "emulator/base/settings.h"
#include "emulator/base/units.h"

#include <string.h>

struct sample_tls {
	bool present;
	const char *cert, *key;
};

struct sample_step {
	int64_t at_ns;
	struct setting_list then;
};

struct sample_group {
	struct setting_origin origin;
	const char *name;
	int64_t count;
	struct dist rise;
	int wire;
	struct setting_strings tags;
};

struct sample_fleet {
	struct setting_origin origin;
	int64_t port;
	bool port_given;
	int64_t bytes;
	double loss, gain;
	bool verbose;
	int64_t timeout_ns, skew_ns;
	char range[16];
	struct sample_tls tls;
	struct setting_list groups;
};

struct sample {
	struct setting_origin origin;
	const char *title, *note;
	struct sample_fleet fleet;
	struct setting_list steps;
};

/* Takes "LOW-HIGH" of digits. */
static inline bool sample_range(const char *text, void *field, const char **expected)
{
	size_t len = strlen(text);

	if (len < 16 && len > 0 && strspn(text, "0123456789-") == len) {
		memcpy(field, text, len + 1);
		return true;
	}
	*expected = strcmp(text, "nothing") == 0 ? NULL : "expected a range such as 1-5";
	return false;
}

static const char *const SAMPLE_WIRES[] = { "snyper", "http", "framed", NULL };

static const struct setting SAMPLE_TLS_SETTINGS[] = {
	{ .name = "cert",
	  .kind = SETTING_STRING,
	  .offset = offsetof(struct sample_tls, cert),
	  .required = true,
	  .help = "PEM file" },
	{ .name = "key",
	  .kind = SETTING_STRING,
	  .offset = offsetof(struct sample_tls, key),
	  .min = 1,
	  .max = 20,
	  .def = "key.pem" },
	{ 0 },
};
static const struct setting_table SAMPLE_TLS = {
	.title = "TLS of the fleet",
	.size = sizeof(struct sample_tls),
	.settings = SAMPLE_TLS_SETTINGS,
	.origin_offset = SIZE_MAX,
};

static const struct setting SAMPLE_GROUP_SETTINGS[] = {
	{ .name = "name",
	  .kind = SETTING_STRING,
	  .offset = offsetof(struct sample_group, name),
	  .def = "" },
	{ .name = "count",
	  .kind = SETTING_INT,
	  .offset = offsetof(struct sample_group, count),
	  .required = true,
	  .min = 1,
	  .max = 1000,
	  .help = "how many: 1 | many" },
	{ .name = "rise",
	  .kind = SETTING_DIST,
	  .offset = offsetof(struct sample_group, rise),
	  .min = 0,
	  .max = 10 * NS_PER_S,
	  .def = "normal(500ms, 20ms)" },
	{ .name = "wire",
	  .kind = SETTING_WORD,
	  .offset = offsetof(struct sample_group, wire),
	  .words = SAMPLE_WIRES },
	{ .name = "tags",
	  .kind = SETTING_STRINGS,
	  .offset = offsetof(struct sample_group, tags),
	  .max = 3,
	  .def = "[\"a\", \"b\"]" },
	{ 0 },
};
static const struct setting_table SAMPLE_GROUP = {
	.title = "One group of targets",
	.size = sizeof(struct sample_group),
	.settings = SAMPLE_GROUP_SETTINGS,
	.origin_offset = offsetof(struct sample_group, origin),
};

static const struct setting SAMPLE_FLEET_SETTINGS[] = {
	{ .name = "port",
	  .kind = SETTING_INT,
	  .offset = offsetof(struct sample_fleet, port),
	  .present_offset = offsetof(struct sample_fleet, port_given),
	  .def = "8081",
	  .min = 1,
	  .max = 65535 },
	{ .name = "bytes",
	  .kind = SETTING_INT,
	  .offset = offsetof(struct sample_fleet, bytes),
	  .min = INT64_MIN,
	  .max = INT64_MAX },
	{ .name = "loss",
	  .kind = SETTING_FLOAT,
	  .offset = offsetof(struct sample_fleet, loss),
	  .fmin = 0,
	  .fmax = 0.5,
	  .def = "0.25" },
	{ .name = "gain", .kind = SETTING_FLOAT, .offset = offsetof(struct sample_fleet, gain) },
	{ .name = "verbose",
	  .kind = SETTING_BOOL,
	  .offset = offsetof(struct sample_fleet, verbose) },
	{ .name = "timeout",
	  .kind = SETTING_DURATION,
	  .offset = offsetof(struct sample_fleet, timeout_ns),
	  .def = "2s",
	  .min = NS_PER_MS,
	  .max = 60 * NS_PER_S },
	{ .name = "skew",
	  .kind = SETTING_DURATION,
	  .offset = offsetof(struct sample_fleet, skew_ns) },
	{ .name = "range",
	  .kind = SETTING_CUSTOM,
	  .offset = offsetof(struct sample_fleet, range),
	  .custom = sample_range,
	  .def = "1-2" },
	{ .name = "tls",
	  .kind = SETTING_GROUP,
	  .offset = offsetof(struct sample_fleet, tls),
	  .present_offset = offsetof(struct sample_fleet, tls.present),
	  .sub = &SAMPLE_TLS },
	{ .name = "groups",
	  .kind = SETTING_LIST,
	  .offset = offsetof(struct sample_fleet, groups),
	  .sub = &SAMPLE_GROUP,
	  .max = 4 },
	{ 0 },
};
static const struct setting_table SAMPLE_FLEET = {
	.title = "The fleet",
	.size = sizeof(struct sample_fleet),
	.settings = SAMPLE_FLEET_SETTINGS,
	.origin_offset = offsetof(struct sample_fleet, origin),
};

/* A list that may hold itself, as the steps of a scenario. */
static const struct setting_table SAMPLE_STEP;
static const struct setting SAMPLE_STEP_SETTINGS[] = {
	{ .name = "at", .kind = SETTING_DURATION, .offset = offsetof(struct sample_step, at_ns) },
	{ .name = "then",
	  .kind = SETTING_LIST,
	  .offset = offsetof(struct sample_step, then),
	  .sub = &SAMPLE_STEP },
	{ 0 },
};
static const struct setting_table SAMPLE_STEP = {
	.title = "One step",
	.size = sizeof(struct sample_step),
	.settings = SAMPLE_STEP_SETTINGS,
	.origin_offset = SIZE_MAX,
};

static const struct setting SAMPLE_SETTINGS[] = {
	{ .name = "title", .kind = SETTING_STRING, .offset = offsetof(struct sample, title) },
	{ .name = "note",
	  .kind = SETTING_STRING,
	  .offset = offsetof(struct sample, note),
	  .def = "\"a \\\"note\\\"\"" },
	{ .name = "fleet",
	  .kind = SETTING_GROUP,
	  .offset = offsetof(struct sample, fleet),
	  .sub = &SAMPLE_FLEET },
	{ .name = "steps",
	  .kind = SETTING_LIST,
	  .offset = offsetof(struct sample, steps),
	  .sub = &SAMPLE_STEP },
	{ 0 },
};
static const struct setting_foreign SAMPLE_FOREIGN[] = { { "plan", "the rig" }, { NULL, NULL } };
static const struct setting_table SAMPLE = {
	.title = "A sample",
	.size = sizeof(struct sample),
	.settings = SAMPLE_SETTINGS,
	.origin_offset = offsetof(struct sample, origin),
	.foreign = SAMPLE_FOREIGN,
};

#endif

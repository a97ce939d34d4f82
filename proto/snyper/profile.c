#include "proto/snyper/profile.h"

const char *const qn_snyper_profile_names[] = { "pico", "unix", "cpython", "strict", NULL };

static const struct qn_snyper_profile profiles[QN_SNYPER_PROFILES] = {
	[QN_SNYPER_PICO] = {
		.name = "pico",
		.dialect = QN_JSON_MICROPYTHON,
		.order = QN_SNYPER_ORDER_PICO,
		.clock = QN_SNYPER_CLOCK_SECONDS,
		.values_last = true,
		.decode_each_read = true,
		.one_read_answer = true,
		.answer_max = 1024,
		.not_json = QN_SNYPER_CLOSE,
		.wrong_shape = QN_SNYPER_CLOSE,
	},
	[QN_SNYPER_UNIX] = {
		.name = "unix",
		.dialect = QN_JSON_MICROPYTHON,
		.order = QN_SNYPER_ORDER_UNIX,
		.clock = QN_SNYPER_CLOCK_US,
		.values_last = true,
		.decode_each_read = true,
		.one_read_answer = true,
		.answer_max = 1024,
		.not_json = QN_SNYPER_CLOSE,
		.wrong_shape = QN_SNYPER_CLOSE,
	},
	[QN_SNYPER_CPYTHON] = {
		.name = "cpython",
		.dialect = QN_JSON_CPYTHON,
		.order = QN_SNYPER_ORDER_CPYTHON,
		.clock = QN_SNYPER_CLOCK_100NS,
		.ascii = true,
		.decode_each_read = true,
		.one_read_answer = true,
		.answer_max = 1024,
		.not_json = QN_SNYPER_IGNORE,
		.wrong_shape = QN_SNYPER_CLOSE,
	},
	[QN_SNYPER_STRICT] = {
		.name = "strict",
		.dialect = QN_JSON_STRICT,
		.order = QN_SNYPER_ORDER_CPYTHON,
		.clock = QN_SNYPER_CLOCK_US,
		.not_json = QN_SNYPER_TELL,
		.wrong_shape = QN_SNYPER_TELL,
	},
};

const struct qn_snyper_profile *qn_snyper_profile(enum qn_snyper_profile_id id)
{
	return &profiles[id];
}

/*
 * Any text as a config, any line as an override, any text as a value with a unit.
 *
 * The first line of the input that begins with "--set " is an override and not part of the file.
 */
#include "emulator/base/units.h"
#include "tests/support/sample_settings.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken must come back the same from its own text. */
static void check_units(const char *text)
{
	char buf[96];
	int64_t ns, again;
	struct dist dist, same;

	if (units_duration(text, true, &ns)) {
		assert(units_duration(units_duration_text(ns, buf, 32), true, &again));
		assert(again == ns);
	}
	if (!units_dist(text, &dist))
		return;
	assert(units_dist(units_dist_text(&dist, buf, sizeof(buf)), &same));
	assert(same.kind == dist.kind && same.a == dist.a && same.b == dist.b);
	int64_t low = dist_draw(&dist, 0), high = dist_draw(&dist, UINT64_MAX);

	assert(low >= 0 && low <= high && dist_high(&dist) <= high);
}

/* Every group and string that loading promises is there to read. */
static void touch(const struct sample *sample)
{
	const struct sample_group *groups = sample->fleet.groups.at;
	size_t bytes = strlen(sample->note) + strlen(sample->fleet.tls.key);

	assert(sample->fleet.port >= 1 && sample->fleet.port <= 65535);
	assert(sample->fleet.groups.count <= 4);
	for (size_t i = 0; i < sample->fleet.groups.count; i++) {
		bytes += strlen(groups[i].name) + strlen(groups[i].origin.path);
		assert(groups[i].wire >= 0 && groups[i].wire < 3 && groups[i].tags.count <= 3);
		for (size_t k = 0; k < groups[i].tags.count; k++)
			bytes += strlen(groups[i].tags.at[k]);
	}
	assert(bytes < SIZE_MAX);
}

/* Includes read files: whatever the machine has would be fuzzed instead. */
static void disarm_includes(char *text)
{
	for (char *at = text; (at = strstr(at, "@include")); at++) {
		char *quote = strchr(at, '"');

		if (quote && quote[1] && quote[1] != '"')
			quote[1] = '\n';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample sample;
	char *text = malloc(size + 1), *set = NULL;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_units(text);
	char *file = text;

	if (strncmp(text, "--set ", 6) == 0) {
		set = text + 6;
		file = set + strcspn(set, "\n");
		if (*file)
			*file++ = '\0';
	}
	disarm_includes(file);
	const char *const sets[] = { set };
	struct settings *settings = settings_load_text(file, "x.cfg", sets, set ? 1 : 0, &SAMPLE,
						       &sample);

	touch(&sample);
	settings_error(settings, &sample.fleet.origin, "port", "in use");
	for (size_t i = 0; i < settings_errors(settings); i++)
		assert(!strchr(settings_error_text(settings, i), '\n'));
	settings_free(settings);
	free(text);
	return 0;
}

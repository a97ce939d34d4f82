#include "hil/rig/bench.h"
#include "hil/rig/calibrate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * What a bench is described by: the first byte says what the rest is: 'l' a line's text, 'c' a
 * stored calibration, else a whole bench.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_line(const char *text)
{
	struct bench_line line = { .active_low = true }, before = line;
	const char *expected = NULL;

	if (!bench_line_parse(text, &line, &expected)) {
		assert(expected != NULL);
		assert(memcmp(&line, &before, sizeof(line)) == 0);
		return;
	}
	assert(line.present && line.line[0] != '\0' && !(line.pull_up && line.pull_down));
}

static void fuzz_calibration(const char *text, size_t len)
{
	struct bench bench = { .name = "b" };
	struct calibration calibration;

	/* Exactly so many bytes: the sanitizers see one too many. */
	char *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, text, len);
	if (calibration_parse(copy, len, &bench, &calibration) == 0)
		assert(calibration.wall_ns > 0 && calibration.edge.max_ns >= 0);
	free(copy);
}

static void fuzz_bench(const char *text)
{
	struct bench_file file;
	struct settings *settings = settings_load_text(text, "x.cfg", NULL, 0, &bench_file_table,
						       &file);

	if (settings_errors(settings) == 0)
		bench_check(settings, &file.bench);
	if (settings_errors(settings) == 0) {
		assert(file.bench.boards.count > 0);
		assert(bench_find_board(&file.bench, bench_board_at(&file.bench, 0)->name) == 0);
	}
	settings_free(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] == 'l')
		fuzz_line(text);
	else if (data[0] == 'c')
		fuzz_calibration(text, size - 1);
	else
		fuzz_bench(text);
	free(text);
	return 0;
}

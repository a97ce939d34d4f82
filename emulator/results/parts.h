/*
 * What the files of the results share; nobody else includes this.
 *
 * results.c: directory, beginning and end. stream.c, jsonl.c, ring.c: events.jsonl. sampler.c,
 * marks.c: how the run went. summary.c: summary.json. junit.c: junit.xml. report*.c:
 * report.html. Ownership, errors, threads: as results.h says.
 */
#ifndef RESULTS_PARTS_H
#define RESULTS_PARTS_H

#include "emulator/results/results.h"
#include "emulator/results/sampler.h"
#include "emulator/results/stream.h"

struct results {
	struct results_options options;
	struct loop *loop;
	struct events *events;
	const struct fleet *fleet;   /* NULL: none */
	const struct master *master; /* NULL: none */
	struct stream *stream;       /* NULL: no events.jsonl */
	struct sampler sampler;
	int dir_fd;
	bool on_bus, finished;
	int64_t start_ns, start_wall_ns, end_ns;
	char trouble[64]; /* the file that could not be written */
};

/* The config's name; of a simulated run without its folders: where it stands decides nothing. */
const char *results_config_name(const struct results *results);
const char *results_file_name(const struct results *results, const char *path);
/* What the run is called: title, or the config's name. */
const char *results_title(const struct results *results);
/* "2025-11-21T17:42:10Z" of the beginning, on the loop's wall clock. */
const char *results_started(const struct results *results, char *buf, size_t cap);

/* What is in the files of one run. */
typedef void results_writer(const struct results *results, const struct results_end *end,
			    FILE *out);
results_writer summary_write, junit_write, report_write;

#endif

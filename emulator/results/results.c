#include "emulator/results/parts.h"

#include "emulator/base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_FILE "events.jsonl"
#define HIST_TICKS 5 /* steps a halving of the distance to 100 %: HdrHistogram's usual */

/* ---- the directory ---- */

static void hist_file(int command, char *buf, size_t cap)
{
	snprintf(buf, cap, "latency-%s.hgrm", range_word_name(results_commands[command]));
}

/* Files of an earlier run must not pass for this one's, should it end before it writes its own. */
static void remove_old(int dir_fd)
{
	static const char *const names[] = { EVENTS_FILE, "summary.json", "junit.xml",
					     "report.html" };
	char name[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(dir_fd, names[i], 0);
	for (int command = 0; command < COMMANDS; command++) {
		hist_file(command, name, sizeof(name));
		unlinkat(dir_fd, name, 0);
	}
}

/* ---- names ---- */

const char *results_file_name(const struct results *results, const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	return results->options.simulated && slash != NULL ? slash + 1 : path;
}

const char *results_config_name(const struct results *results)
{
	return results_file_name(results, results->options.config_path);
}

const char *results_title(const struct results *results)
{
	const char *title = results->options.title, *config = results_config_name(results);

	if (title != NULL && title[0] != '\0')
		return title;
	return config != NULL && config[0] != '\0' ? config : "quintain-emu";
}

const char *results_started(const struct results *results, char *buf, size_t cap)
{
	time_t seconds = (time_t)(results->start_wall_ns / INT64_C(1000000000));
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(buf, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

/* ---- the beginning ---- */

static int open_stream(struct results *results)
{
	int fd = openat(results->dir_fd, EVENTS_FILE,
			O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	int rc = stream_open(fd, results->options.queue_bytes, results->options.simulated,
			     &results->stream);
	if (rc < 0)
		close(fd);
	return rc;
}

int results_open(const struct results_options *options, struct loop *loop, struct events *events,
		 const struct fleet *fleet, const struct master *master, struct results **ret)
{
	struct results *results = calloc(1, sizeof(*results));
	int rc = -ENOMEM;

	if (results == NULL)
		return rc;
	results->options = *options;
	results->loop = loop;
	results->events = events;
	results->fleet = fleet;
	results->master = master;
	results->start_ns = loop->now_ns;
	results->start_wall_ns = loop->wall_ns;
	results->dir_fd = rc = folder_open(options->dir);
	if (rc < 0)
		goto fail;
	remove_old(results->dir_fd);
	rc = sampler_init(&results->sampler, loop, fleet, master);
	if (rc == 0 && options->events)
		rc = open_stream(results);
	if (rc < 0)
		goto fail;
	events_add(events, &results->sampler.sink);
	if (results->stream != NULL)
		events_add(events, stream_sink(results->stream));
	results->on_bus = true;
	*ret = results;
	return 0;
fail:
	results_free(results);
	return rc;
}

void results_start(struct results *results)
{
	results->start_ns = results->loop->now_ns;
	results->start_wall_ns = results->loop->wall_ns;
	if (results->stream != NULL)
		stream_start(results->stream, results->start_ns);
	sampler_start(&results->sampler);
}

/* ---- the end ---- */

/* One of the files of the end, on its way through folder_write(). */
struct document {
	const struct results *results;
	const struct results_end *end;
	void (*write)(const struct results *results, const struct results_end *end, FILE *out,
		      int which);
	int which;
};

static void write_whole(FILE *out, void *context)
{
	const struct document *document = context;

	document->write(document->results, document->end, out, document->which);
}

static int write_file(struct results *results, const char *name, struct document *document)
{
	int rc = folder_write(results->dir_fd, name, write_whole, document);

	if (rc < 0 && results->trouble[0] == '\0')
		snprintf(results->trouble, sizeof(results->trouble), "%s", name);
	return rc;
}

static void write_document(const struct results *results, const struct results_end *end, FILE *out,
			   int which)
{
	static results_writer *const writers[] = { summary_write, junit_write, report_write };

	writers[which](results, end, out);
}

static void write_hist(const struct results *results, const struct results_end *end, FILE *out,
		       int command)
{
	(void)end;
	hist_print(&master_stats(results->master, results_commands[command])->latency, HIST_TICKS,
		   out);
}

static int first(int before, int rc)
{
	return before < 0 ? before : rc;
}

int results_finish(struct results *results, const struct results_end *end)
{
	static const char *const names[] = { "summary.json", "junit.xml", "report.html" };
	char name[64];
	int rc = 0;

	if (results->finished)
		return 0;
	results->finished = true;
	results->end_ns = results->loop->now_ns;
	sampler_finish(&results->sampler);
	if (results->stream != NULL)
		stream_finish(results->stream, results->end_ns);
	for (int command = 0; command < COMMANDS && results->master != NULL; command++) {
		if (master_stats(results->master, results_commands[command])->sent == 0)
			continue;
		hist_file(command, name, sizeof(name));
		struct document hist = { results, end, write_hist, command };
		rc = first(rc, write_file(results, name, &hist));
	}
	for (int i = 0; i < 3; i++) {
		struct document document = { results, end, write_document, i };
		rc = first(rc, write_file(results, names[i], &document));
	}
	return rc;
}

const char *results_trouble(const struct results *results)
{
	return results->trouble;
}

uint64_t results_dropped(const struct results *results)
{
	return results->stream != NULL ? stream_dropped(results->stream) : 0;
}

static void leave_bus(struct events *events, const struct event_sink *sink)
{
	for (struct event_sink **at = &events->sinks; *at != NULL; at = &(*at)->next)
		if (*at == sink) {
			*at = sink->next;
			return;
		}
}

void results_free(struct results *results)
{
	if (results == NULL)
		return;
	if (results->on_bus) {
		leave_bus(results->events, &results->sampler.sink);
		if (results->stream != NULL)
			leave_bus(results->events, stream_sink(results->stream));
	}
	stream_free(results->stream);
	sampler_release(&results->sampler);
	if (results->dir_fd >= 0)
		close(results->dir_fd);
	free(results);
}

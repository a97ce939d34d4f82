#include "emulator/results/parts.h"

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

/* Like mkdir -p: folders that are there are fine. */
static int make_folders(const char *path)
{
	char part[4096];
	size_t len = strlen(path);

	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0777) < 0 && errno != EEXIST && errno != EISDIR)
			return -errno;
	}
	return 0;
}

static int open_folder(const char *path)
{
	int rc = make_folders(path);
	int fd = rc < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (rc < 0)
		return rc;
	if (fd < 0)
		return -errno;
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

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
	results->dir_fd = rc = open_folder(options->dir);
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

/* Whole or not at all: written beside, then renamed. */
static int write_file(struct results *results, const struct results_end *end, const char *name,
		      void (*write)(const struct results *, const struct results_end *, FILE *,
				    int),
		      int which)
{
	char part[80];
	int rc = 0;

	snprintf(part, sizeof(part), "%s.part", name);
	int fd = openat(results->dir_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	if (out == NULL) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		goto out;
	}
	errno = 0;
	write(results, end, out, which);
	if (fflush(out) != 0 || ferror(out))
		rc = errno != 0 ? -errno : -EIO;
	if (fclose(out) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(results->dir_fd, part, results->dir_fd, name) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(results->dir_fd, part, 0);
out:
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
		rc = first(rc, write_file(results, end, name, write_hist, command));
	}
	for (int i = 0; i < 3; i++)
		rc = first(rc, write_file(results, end, names[i], write_document, i));
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

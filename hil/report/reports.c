#include "hil/report/reports.h"

#include "hil/report/live.h"
#include "hil/report/parts.h"
#include "hil/report/writer.h"
#include "hil/report/writers.h"

#include "emulator/base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reports {
	struct reports_options options;
	struct record *record;
	int dir_fd; /* -1: no files */
	struct history *history;
	struct writer *writer;
	uint64_t stored; /* after the writer was stopped */
	struct live *live;
	bool finished;
	char trouble[400];
};

#define OUT_FILES 5

static const struct {
	const char *name;
	void (*put)(const struct record *record, FILE *out);
} files[OUT_FILES] = {
	{ "report.html", html_put }, { "junit.xml", junit_put }, { "result.json", json_put },
	{ "result.csv", csv_put },   { "run.vcd", vcd_put },
};

/* ---- trouble: said once, kept, and the run goes on ---- */

static void trouble(struct reports *reports, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void trouble(struct reports *reports, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (reports->trouble[0] == '\0')
		snprintf(reports->trouble, sizeof(reports->trouble), "%s", text);
	if (reports->live != NULL)
		live_message(reports->live, text);
	else
		fprintf(stderr, "quintain-hil: %s\n", text);
}

/* What the thread could not store: the first time it is noticed. */
static void look_after_writer(struct reports *reports)
{
	char text[256];

	if (reports->writer == NULL || reports->trouble[0] != '\0')
		return;
	if (writer_failed(reports->writer, text, sizeof(text)) > 0)
		trouble(reports, "the history %s lacks steps of this run: %s",
			reports->options.history_path, text);
}

/* ---- the beginning ---- */

static int open_out(struct reports *reports)
{
	int fd = folder_open(reports->options.out_dir);

	if (fd < 0)
		return fd;
	reports->dir_fd = fd;
	/* Files of an earlier run must not pass for this one's, should it end early. */
	for (int i = 0; i < OUT_FILES; i++)
		unlinkat(fd, files[i].name, 0);
	return 0;
}

static void open_history(struct reports *reports)
{
	int rc = history_open(reports->options.history_path, &reports->history);

	if (rc == 0)
		return;
	trouble(reports, "the history %s: %s", reports->options.history_path,
		reports->history != NULL && history_error(reports->history)[0] != '\0'
			? history_error(reports->history)
			: strerror(-rc));
	history_close(reports->history);
	reports->history = NULL;
}

static int open_live(struct reports *reports)
{
	const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
	bool terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
	struct live_options options = {
		.out = stderr,
		.terminal = terminal,
		.colour = terminal && (no_colour == NULL || no_colour[0] == '\0'),
	};

	return reports->options.quiet ? 0 : live_new(&options, reports->record, &reports->live);
}

int reports_open(const struct reports_options *options, struct record *record, struct reports **ret)
{
	struct reports *reports = calloc(1, sizeof(*reports));

	if (reports == NULL)
		return -ENOMEM;
	reports->options = *options;
	reports->record = record;
	reports->dir_fd = -1;
	/* A limit on the size of files is a full disk, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	int rc = open_live(reports);
	if (rc == 0 && options->out_dir != NULL)
		rc = open_out(reports);
	if (rc < 0) {
		reports_free(reports);
		return rc;
	}
	if (options->history_path != NULL)
		open_history(reports);
	*ret = reports;
	return 0;
}

int reports_start(struct reports *reports, int64_t now_ns)
{
	(void)now_ns;
	if (reports->history == NULL)
		return 0;
	int rc = history_begin(reports->history, reports->record);
	if (rc == 0)
		rc = writer_new(reports->history, &reports->writer);
	if (rc == 0)
		return 0;
	trouble(reports, "this run is not in the history %s: %s", reports->options.history_path,
		history_error(reports->history)[0] != '\0' ? history_error(reports->history)
							   : strerror(-rc));
	return rc;
}

/* ---- steps ---- */

void reports_step_begin(struct reports *reports, const struct step_result *step)
{
	record_step_begin(reports->record, step);
	if (reports->live != NULL)
		live_step_begin(reports->live, step);
}

void reports_step_end(struct reports *reports, const struct step_result *step)
{
	struct record *record = reports->record;
	const struct step_result *kept = record_step(record, step);

	if (reports->writer != NULL)
		writer_put(reports->writer, step,
			   kept != NULL ? record_excerpt(record, record->step_count - 1) : NULL);
	if (reports->live != NULL)
		live_step_end(reports->live, step);
	look_after_writer(reports);
}

int64_t reports_tick(struct reports *reports, int64_t now_ns)
{
	look_after_writer(reports);
	return reports->live != NULL ? live_tick(reports->live, now_ns) : INT64_MAX;
}

void reports_message(struct reports *reports, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (reports->live != NULL)
		live_message(reports->live, text);
}

uint64_t reports_stored(const struct reports *reports)
{
	return reports->writer != NULL ? writer_stored(reports->writer) : reports->stored;
}

int reports_fd(const struct reports *reports)
{
	return reports->writer != NULL ? writer_fd(reports->writer) : -1;
}

/* ---- the end ---- */

struct document {
	const struct record *record;
	void (*put)(const struct record *record, FILE *out);
};

static void put_document(FILE *out, void *context)
{
	const struct document *document = context;

	document->put(document->record, out);
}

static int write_files(struct reports *reports)
{
	int first = 0;

	record_sort_events(reports->record);
	for (int i = 0; i < OUT_FILES && reports->dir_fd >= 0; i++) {
		struct document document = { reports->record, files[i].put };
		if (files[i].put == vcd_put && reports->options.no_vcd)
			continue;
		int rc = folder_write(reports->dir_fd, files[i].name, put_document, &document);
		if (rc < 0)
			trouble(reports, "%s/%s: %s", reports->options.out_dir, files[i].name,
				strerror(-rc));
		first = first < 0 ? first : rc;
	}
	return first;
}

static int end_history(struct reports *reports)
{
	if (reports->writer == NULL)
		return 0;
	writer_stop(reports->writer);
	look_after_writer(reports);
	reports->stored = writer_stored(reports->writer);
	int rc = history_end(reports->history, reports->record);
	if (rc < 0)
		trouble(reports, "the history %s lacks the end of this run: %s",
			reports->options.history_path, history_error(reports->history));
	return rc;
}

int reports_finish(struct reports *reports, int64_t now_ns)
{
	if (reports->finished)
		return 0;
	reports->finished = true;
	if (reports->record->run.end_ns == 0)
		record_end(reports->record, now_ns);
	int rc = end_history(reports);
	int files_rc = write_files(reports);
	if (reports->live != NULL)
		live_finish(reports->live, now_ns);
	return rc < 0 ? rc : files_rc;
}

const char *reports_trouble(const struct reports *reports)
{
	return reports->trouble;
}

int reports_exit_code(const struct reports *reports)
{
	if (reports->trouble[0] != '\0' || reports->record->run.interrupted)
		return 3;
	return verdict_exit_code(reports->record->worst);
}

void reports_free(struct reports *reports)
{
	if (reports == NULL)
		return;
	writer_free(reports->writer);
	history_close(reports->history);
	live_free(reports->live);
	if (reports->dir_fd >= 0)
		close(reports->dir_fd);
	free(reports);
}

bool reports_history_path(char *buf, size_t cap)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int len = -1;

	/* A relative one is to be ignored, says the specification. */
	if (state != NULL && state[0] == '/')
		len = snprintf(buf, cap, "%s/quintain/history.db", state);
	else if (home != NULL && home[0] != '\0')
		len = snprintf(buf, cap, "%s/.local/state/quintain/history.db", home);
	return len > 0 && (size_t)len < cap;
}

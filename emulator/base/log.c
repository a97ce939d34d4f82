#include "emulator/base/log.h"

#include "emulator/base/units.h"
#include "emulator/base/word.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_BUFFER 65536
#define LOG_LINE_MAX 2048
#define FLUSH_EVERY_NS (NS_PER_S / 2)
#define RETRY_NS (5 * NS_PER_MS)
#define PIPE_BYTES (1 << 20) /* what Linux allows everybody */

struct quota {
	uint32_t second;
	uint32_t suppressed : 24, lines : 8;
};
#define SUPPRESSED_MAX ((1u << 24) - 1)
_Static_assert(LOG_LINES_PER_S < 256, "a second's lines fit their bits");

struct log {
	struct event_sink sink;
	struct loop *loop;
	struct timer flush_timer;
	const char *path;
	int fd;
	bool complained;
	uint64_t lost;
	size_t targets, len;
	uint32_t buffered; /* lines */
	struct quota *quotas;
	int64_t start_ns;
	char buffer[LOG_BUFFER];
};

static void lose(struct log *log, uint64_t lines, const char *why)
{
	log->lost += lines;
	if (!log->complained)
		fprintf(stderr, "%s: log %s: %s; lines are lost, the run goes on\n",
			program_invocation_short_name, log->path, why);
	log->complained = true;
}

/* Drops what stands in front of `done`. */
static void keep_rest(struct log *log, size_t done)
{
	memmove(log->buffer, log->buffer + done, log->len - done);
	log->len -= done;
	log->buffered = 0;
	for (size_t i = 0; i < log->len; i++)
		log->buffered += log->buffer[i] == '\n';
}

void log_flush(struct log *log)
{
	size_t done = 0;

	while (done < log->len) {
		ssize_t n = write(log->fd, log->buffer + done, log->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) { /* a pipe that is full: soon again */
			loop_timer(log->loop, &log->flush_timer, RETRY_NS);
			break;
		}
		if (n <= 0) {
			lose(log, log->buffered, n < 0 ? strerror(errno) : "nothing was written");
			done = log->len;
			break;
		}
		done += (size_t)n;
	}
	if (done > 0)
		keep_rest(log, done);
}

static void put_escaped(char *line, size_t *len, size_t cap, const char *text, size_t text_len)
{
	for (size_t i = 0; i < text_len && *len + 8 < cap; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\')
			*len += (size_t)sprintf(line + *len, "\\%c", c);
		else if (c == '\n' && i + 1 == text_len)
			break;
		else if (c < 0x20 || c >= 0x7f)
			*len += (size_t)sprintf(line + *len, "\\x%02x", c);
		else
			line[(*len)++] = (char)c;
	}
}

static void append(struct log *log, const char *line, size_t len)
{
	if (log->len + len > sizeof(log->buffer))
		log_flush(log);
	if (log->len + len > sizeof(log->buffer)) {
		lose(log, 1, "who reads it is too slow");
		return;
	}
	memcpy(log->buffer + log->len, line, len);
	log->len += len;
	log->buffered++;
}

/* False: this target has had its lines for this second. */
static bool within_quota(struct log *log, const struct event *event, unsigned *ret_suppressed)
{
	*ret_suppressed = 0;
	if (event->target >= log->targets)
		return true;
	struct quota *quota = &log->quotas[event->target];
	uint32_t second = (uint32_t)(event->t_ns / NS_PER_S);
	if (quota->second != second) {
		*ret_suppressed = quota->suppressed;
		*quota = (struct quota){ .second = second };
	}
	if (quota->lines < LOG_LINES_PER_S) {
		quota->lines++;
		return true;
	}
	if (quota->suppressed < SUPPRESSED_MAX)
		quota->suppressed++;
	return false;
}

static void log_event(struct event_sink *sink, const struct event *event)
{
	struct log *log = (struct log *)sink;
	char line[LOG_LINE_MAX];
	unsigned suppressed;

	if (!within_quota(log, event, &suppressed))
		return;
	size_t len = (size_t)sprintf(line, "t=%.6f event=%s",
				     (double)(event->t_ns - log->start_ns) / 1e9,
				     event_name(event->kind));
	if (event->name != NULL) {
		len += (size_t)sprintf(line + len, " target=\"");
		put_escaped(line, &len, 512, event->name, strlen(event->name));
		line[len++] = '"';
	}
	if (event->type != 0)
		len += (size_t)sprintf(line + len, " type=%s",
				       range_word_name((enum range_word)event->type));
	if (event->value != 0)
		len += (size_t)sprintf(line + len, " value=%lld", (long long)event->value);
	if (event->text_len > 0) {
		len += (size_t)sprintf(line + len, " text=\"");
		put_escaped(line, &len, sizeof(line) - 64, event->text, event->text_len);
		line[len++] = '"';
	}
	if (suppressed > 0)
		len += (size_t)sprintf(line + len, " suppressed=%u", suppressed);
	line[len++] = '\n';
	append(log, line, len);
}

void log_note(struct log *log, const char *what, const char *pairs)
{
	char line[LOG_LINE_MAX];
	size_t len = (size_t)sprintf(line, "t=%.6f note=\"",
				     (double)(log->loop->now_ns - log->start_ns) / 1e9);

	put_escaped(line, &len, 1024, what, strlen(what));
	len += (size_t)snprintf(line + len, sizeof(line) - len - 2, "\"%s%.900s",
				pairs != NULL ? " " : "", pairs != NULL ? pairs : "");
	line[len++] = '\n';
	append(log, line, len);
}

static void flush_now_and_then(struct timer *timer, int64_t now_ns)
{
	struct log *log = (struct log *)((char *)timer - offsetof(struct log, flush_timer));

	(void)now_ns;
	loop_timer(log->loop, timer, FLUSH_EVERY_NS);
	log_flush(log);
}

int log_open(const char *path, struct loop *loop, size_t targets, struct log **ret)
{
	struct log *log = calloc(1, sizeof(*log));
	int rc = -ENOMEM;

	if (log == NULL)
		return rc;
	log->quotas = calloc(targets > 0 ? targets : 1, sizeof(*log->quotas));
	if (log->quotas == NULL)
		goto no_quotas;
	log->path = path;
	/* A pipe whose reader is slow must not stop the loop; a simulated one waits for it. */
	log->fd = open(
		path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (loop->simulated ? 0 : O_NONBLOCK),
		0644);
	if (log->fd < 0) {
		rc = -errno;
		goto no_file;
	}
	fcntl(log->fd, F_SETPIPE_SZ, PIPE_BYTES); /* room for a burst; no matter where it is none */
	log->sink = (struct event_sink){ .event = log_event, .mask = EVENT_ALL };
	log->loop = loop;
	log->targets = targets;
	log->start_ns = loop->now_ns;
	log->flush_timer.fire = flush_now_and_then;
	loop_timer(loop, &log->flush_timer, FLUSH_EVERY_NS);
	*ret = log;
	return 0;
no_file:
	free(log->quotas);
no_quotas:
	free(log);
	return rc;
}

/* Whoever flooded and then fell silent had no line left to say it in. */
static void say_suppressed(struct log *log)
{
	unsigned long long total = 0;
	char pairs[40];

	for (size_t i = 0; i < log->targets; i++)
		total += log->quotas[i].suppressed;
	snprintf(pairs, sizeof(pairs), "suppressed=%llu", total);
	if (total > 0)
		log_note(log, "the last lines of floods were left out", pairs);
}

void log_free(struct log *log)
{
	if (log == NULL)
		return;
	say_suppressed(log);
	log_flush(log);
	timer_cancel(&log->loop->timers, &log->flush_timer);
	close(log->fd);
	free(log->quotas);
	free(log);
}

struct event_sink *log_sink(struct log *log)
{
	return &log->sink;
}

uint64_t log_lost(const struct log *log)
{
	return log->lost + log->buffered;
}

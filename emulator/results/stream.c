#include "emulator/results/stream.h"

#include "emulator/results/jsonl.h"
#include "emulator/results/ring.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAIT_MS 20
#define FLUSH_BYTES (128u << 10)
#define BUFFER_BYTES (FLUSH_BYTES + JSONL_LINE_MAX)

struct stream {
	struct event_sink sink; /* the address of the stream */
	int64_t start_ns;
	uint32_t text_max;
	uint64_t dropped; /* by a full ring */
	struct ring ring;
	pthread_t thread;
	int wake_fd;
	bool in_place, running, closed;
	atomic_bool stopping;

	/* The writing side: the thread's while it runs. */
	int fd;
	bool complained, broken;
	size_t lines; /* in the buffer */
	off_t whole;  /* bytes of the file that are whole lines */
	_Atomic size_t written, lost;
	struct qn_json_writer writer;
	char *buffer;
};

/* ---- the writing side ---- */

static size_t count_lines(const char *bytes, size_t len, size_t *ret_end)
{
	size_t lines = 0;

	*ret_end = 0;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] == '\n') {
			lines++;
			*ret_end = i + 1;
		}
	return lines;
}

/* What got out ends in the middle of a line as a rule: that half must not stand in the file. */
static void give_up_rest(struct stream *stream, size_t done, int error)
{
	size_t end, lines = count_lines(stream->buffer, done, &end);

	stream->whole += (off_t)end;
	if (done > end && ftruncate(stream->fd, stream->whole) < 0)
		stream->broken = true;
	atomic_fetch_add_explicit(&stream->written, lines, memory_order_relaxed);
	atomic_fetch_add_explicit(&stream->lost, stream->lines - lines, memory_order_relaxed);
	if (!stream->complained)
		fprintf(stderr, "quintain: events.jsonl: %s; going on, events are lost\n",
			strerror(error));
	stream->complained = true;
}

static void flush(struct stream *stream)
{
	size_t done = 0, len = qn_json_written(&stream->writer);

	while (done < len && !stream->broken) {
		ssize_t n = write(stream->fd, stream->buffer + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done < len) {
		give_up_rest(stream, done, stream->broken ? EIO : errno);
	} else {
		stream->whole += (off_t)len;
		atomic_fetch_add_explicit(&stream->written, stream->lines, memory_order_relaxed);
	}
	stream->lines = 0;
	qn_json_writer_init(&stream->writer, stream->buffer, BUFFER_BYTES);
}

static void put(struct stream *stream, const struct record *record, const char *text)
{
	jsonl_put(&stream->writer, record, text);
	assert(!stream->writer.full); /* there is always room for the longest line */
	stream->lines++;
	if (qn_json_written(&stream->writer) >= FLUSH_BYTES)
		flush(stream);
}

static void drain(struct stream *stream)
{
	const struct record *record;

	while ((record = ring_peek(&stream->ring)) != NULL) {
		put(stream, record, (const char *)(record + 1));
		ring_pop(&stream->ring);
	}
}

static void *write_on(void *context)
{
	struct stream *stream = context;
	struct pollfd wake = { .fd = stream->wake_fd, .events = POLLIN };

	for (;;) {
		/* Asked before: what was put before that is then seen. */
		bool stopping = atomic_load_explicit(&stream->stopping, memory_order_acquire);
		eventfd_t ignored;

		drain(stream);
		flush(stream);
		if (stopping)
			return NULL;
		ring_calm(&stream->ring);
		if (poll(&wake, 1, WAIT_MS) > 0)
			eventfd_read(stream->wake_fd, &ignored);
	}
}

/* ---- the loop's side ---- */

/* How much of a text is kept: whole characters, where it is cut. */
static uint32_t kept(const struct stream *stream, const struct event *event)
{
	if (event->text_len <= stream->text_max)
		return (uint32_t)event->text_len;
	uint32_t len = stream->text_max;
	for (int i = 0; i < 3 && ((unsigned char)event->text[len] & 0xc0) == 0x80; i++)
		len--;
	return len;
}

static struct record record_of(const struct stream *stream, const struct event *event)
{
	return (struct record){
		.t_ns = event->t_ns - stream->start_ns,
		.value = event->value,
		.name = event->name,
		.text_len = kept(stream, event),
		.text_total = (uint32_t)event->text_len,
		.kind = (uint8_t)event->kind,
		.type = event->type,
	};
}

static void queue_event(struct event_sink *sink, const struct event *event)
{
	struct stream *stream = (struct stream *)sink;
	uint32_t len = kept(stream, event);
	struct record *record = ring_begin(&stream->ring, sizeof(*record) + len);

	if (record == NULL) {
		stream->dropped++;
		return;
	}
	*record = record_of(stream, event);
	if (len > 0)
		memcpy(record + 1, event->text, len);
	ring_commit(&stream->ring);
	if (ring_crowded(&stream->ring))
		eventfd_write(stream->wake_fd, 1);
}

static void put_event(struct event_sink *sink, const struct event *event)
{
	struct stream *stream = (struct stream *)sink;
	struct record record = record_of(stream, event);

	put(stream, &record, event->text);
}

/* Signals are for the loop's thread: it reads them from a descriptor. */
static int start_thread(struct stream *stream)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&stream->thread, NULL, write_on, stream);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return -rc;
	pthread_setname_np(stream->thread, "results");
	stream->running = true;
	return 0;
}

static int set_up_queue(struct stream *stream, size_t queue_bytes)
{
	int rc = ring_init(&stream->ring, queue_bytes > 0 ? queue_bytes : STREAM_QUEUE_BYTES);

	if (rc < 0)
		return rc;
	size_t most = ring_record_max(&stream->ring) - sizeof(struct record);
	if (stream->text_max > most)
		stream->text_max = (uint32_t)most;
	stream->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stream->wake_fd < 0)
		return -errno;
	return start_thread(stream);
}

int stream_open(int fd, size_t queue_bytes, bool in_place, struct stream **ret)
{
	/* The ring wants its counters on cache lines of their own. */
	struct stream *stream = aligned_alloc(_Alignof(struct stream), sizeof(*stream));
	int rc = -ENOMEM;

	if (stream == NULL)
		return rc;
	memset(stream, 0, sizeof(*stream));
	stream->wake_fd = stream->fd = -1;
	stream->in_place = in_place;
	stream->text_max = JSONL_TEXT_MAX;
	stream->sink = (struct event_sink){ .event = in_place ? put_event : queue_event,
					    .mask = EVENT_ALL };
	stream->buffer = malloc(BUFFER_BYTES);
	if (stream->buffer == NULL)
		goto fail;
	qn_json_writer_init(&stream->writer, stream->buffer, BUFFER_BYTES);
	stream->fd = fd; /* before the thread looks */
	rc = in_place ? 0 : set_up_queue(stream, queue_bytes);
	if (rc < 0)
		goto fail;
	*ret = stream;
	return 0;
fail:
	stream->fd = -1;
	stream_free(stream);
	return rc;
}

struct event_sink *stream_sink(struct stream *stream)
{
	return &stream->sink;
}

void stream_start(struct stream *stream, int64_t now_ns)
{
	stream->start_ns = now_ns;
}

/* From here on the writing side is ours. */
static void join_thread(struct stream *stream)
{
	if (!stream->running)
		return;
	atomic_store_explicit(&stream->stopping, true, memory_order_release);
	eventfd_write(stream->wake_fd, 1);
	pthread_join(stream->thread, NULL);
	stream->running = false;
}

void stream_finish(struct stream *stream, int64_t now_ns)
{
	if (stream->closed)
		return;
	stream->sink.mask = 0;
	join_thread(stream);
	flush(stream);
	jsonl_put_end(&stream->writer, now_ns - stream->start_ns, stream_dropped(stream));
	flush(stream);
	close(stream->fd);
	stream->fd = -1;
	stream->closed = true;
}

uint64_t stream_dropped(const struct stream *stream)
{
	return stream->dropped + atomic_load_explicit(&stream->lost, memory_order_relaxed);
}

uint64_t stream_written(const struct stream *stream)
{
	return atomic_load_explicit(&stream->written, memory_order_relaxed);
}

void stream_free(struct stream *stream)
{
	if (stream == NULL)
		return;
	join_thread(stream);
	if (stream->fd >= 0)
		flush(stream);
	ring_release(&stream->ring);
	if (stream->wake_fd >= 0)
		close(stream->wake_fd);
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream->buffer);
	free(stream);
}

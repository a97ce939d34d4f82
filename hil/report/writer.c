#include "hil/report/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A step and all that hangs on it, in one piece. */
struct item {
	struct step_room room;
	struct excerpt excerpt;
	bool has_excerpt;
	struct timeline_event events[EXCERPT_EVENTS_MAX];
	char texts[EXCERPT_EVENTS_MAX][TIMELINE_TEXT_MAX];
};

struct writer {
	struct history *history;
	pthread_t thread;
	bool running;
	int fd;
	_Atomic uint64_t stored;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	uint64_t put, taken;
	bool stop;
	uint64_t failed;
	char error[256];
	struct item items[WRITER_QUEUE_STEPS];
};

/* ---- the thread ---- */

static void store(struct writer *writer, struct item *item)
{
	int rc = history_step(writer->history, &item->room.step,
			      item->has_excerpt ? &item->excerpt : NULL);

	if (rc == 0) {
		uint64_t one = 1;
		atomic_fetch_add(&writer->stored, 1);
		if (write(writer->fd, &one, sizeof(one)) < 0)
			return; /* EAGAIN: its counter is full, so it is readable already */
		return;
	}
	pthread_mutex_lock(&writer->lock);
	if (writer->failed++ == 0)
		snprintf(writer->error, sizeof(writer->error), "%s",
			 history_error(writer->history));
	pthread_mutex_unlock(&writer->lock);
}

static void *work(void *context)
{
	struct writer *writer = context;

	pthread_mutex_lock(&writer->lock);
	for (;;) {
		while (writer->taken == writer->put && !writer->stop)
			pthread_cond_wait(&writer->changed, &writer->lock);
		if (writer->taken == writer->put)
			break;
		struct item *item = &writer->items[writer->taken % WRITER_QUEUE_STEPS];
		pthread_mutex_unlock(&writer->lock);
		store(writer, item);
		pthread_mutex_lock(&writer->lock);
		writer->taken++;
		pthread_cond_broadcast(&writer->changed);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* ---- the loop's side ---- */

static void copy_step(struct item *item, const struct step_result *step)
{
	struct step_room *room = &item->room;

	room->step = *step;
	room->step.measurements = room->measurements;
	if (room->step.measurement_count > STEP_MEASUREMENTS_MAX)
		room->step.measurement_count = STEP_MEASUREMENTS_MAX;
	for (unsigned i = 0; i < room->step.measurement_count; i++) {
		struct measurement *m = &room->measurements[i];
		*m = step->measurements[i];
		if (m->hop_count > 0)
			memcpy(room->hops[i], m->hops, m->hop_count * sizeof(struct hop));
		m->hops = room->hops[i];
	}
}

static void copy_excerpt(struct item *item, const struct excerpt *excerpt)
{
	item->has_excerpt = excerpt != NULL;
	if (excerpt == NULL)
		return;
	item->excerpt = *excerpt;
	item->excerpt.events = item->events;
	for (uint32_t i = 0; i < excerpt->event_count; i++) {
		item->events[i] = excerpt->events[i];
		if (excerpt->events[i].text == NULL)
			continue;
		memcpy(item->texts[i], excerpt->events[i].text, excerpt->events[i].text_len);
		item->events[i].text = item->texts[i];
	}
}

void writer_put(struct writer *writer, const struct step_result *step,
		const struct excerpt *excerpt)
{
	pthread_mutex_lock(&writer->lock);
	while (writer->put - writer->taken == WRITER_QUEUE_STEPS)
		pthread_cond_wait(&writer->changed, &writer->lock);
	struct item *item = &writer->items[writer->put % WRITER_QUEUE_STEPS];
	copy_step(item, step);
	copy_excerpt(item, excerpt);
	writer->put++;
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
}

uint64_t writer_stored(const struct writer *writer)
{
	return atomic_load(&writer->stored);
}

int writer_fd(const struct writer *writer)
{
	return writer->fd;
}

uint64_t writer_failed(struct writer *writer, char *text, size_t cap)
{
	pthread_mutex_lock(&writer->lock);
	uint64_t failed = writer->failed;
	snprintf(text, cap, "%s", writer->error);
	pthread_mutex_unlock(&writer->lock);
	return failed;
}

void writer_stop(struct writer *writer)
{
	if (!writer->running)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	writer->running = false;
}

int writer_new(struct history *history, struct writer **ret)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	sigset_t all, before;

	if (writer == NULL)
		return -ENOMEM;
	writer->history = history;
	writer->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->fd < 0) {
		int rc = -errno;
		free(writer);
		return rc;
	}
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->changed, NULL);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int rc = -pthread_create(&writer->thread, NULL, work, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	writer->running = rc == 0;
	if (rc < 0) {
		writer_free(writer);
		return rc;
	}
	*ret = writer;
	return 0;
}

void writer_free(struct writer *writer)
{
	if (writer == NULL)
		return;
	writer_stop(writer);
	close(writer->fd);
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

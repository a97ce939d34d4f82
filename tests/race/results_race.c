/*
 * The results' two threads, for ThreadSanitizer. No Criterion: it cannot run under it.
 *
 * The ring alone, refusing and crowded as often as possible; then the stream above it, whose names
 * are read by the writer while the loop goes on.
 */
#include "emulator/results/stream.h"
#include "tests/support/ring_items.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define RECORDS 200000

struct race {
	struct ring ring;
	atomic_bool ended;
	uint64_t taken;
	bool same;
};

static void *take_all(void *context)
{
	struct race *race = context;

	for (;;) {
		bool ended = atomic_load(&race->ended);
		while (ring_peek(&race->ring) != NULL)
			race->same &= item_take(&race->ring, race->taken++);
		ring_calm(&race->ring);
		if (ended)
			return NULL;
		sched_yield();
	}
}

static bool ring_loses_nothing(void)
{
	static struct race race = { .same = true };
	uint64_t refused = 0, crowded = 0;
	pthread_t thread;

	if (ring_init(&race.ring, 16384) != 0 ||
	    pthread_create(&thread, NULL, take_all, &race) != 0)
		return false;
	for (uint64_t i = 0; i < RECORDS; i++) {
		while (!item_put(&race.ring, i, item_length(i, 300))) {
			refused++;
			sched_yield();
		}
		crowded += ring_crowded(&race.ring);
	}
	atomic_store(&race.ended, true);
	pthread_join(thread, NULL);
	ring_release(&race.ring);
	printf("ring: %llu records, refused %llu times, crowded %llu times\n",
	       (unsigned long long)race.taken, (unsigned long long)refused,
	       (unsigned long long)crowded);
	return race.same && race.taken == RECORDS;
}

static bool stream_counts_all(void)
{
	static char names[64][16];
	struct events events = { 0 };
	struct stream *stream;
	int fd = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || stream_open(fd, 65536, false, &stream) != 0)
		return false;
	events_add(&events, stream_sink(stream));
	for (uint32_t i = 0; i < RECORDS; i++) {
		char text[32];
		int len = snprintf(text, sizeof(text), "text %u", i);
		/* A target's name is written before it is told of for the first time. */
		if (i < 64)
			snprintf(names[i], sizeof(names[i]), "target_%u", i);
		const struct event event = { .t_ns = i,
					     .kind = EVENT_COMMAND,
					     .name = names[i % 64],
					     .text = text,
					     .text_len = (size_t)len };
		events_deliver(&events, &event);
		if (i % 1000 == 0)
			(void)(stream_dropped(stream) + stream_written(stream));
	}
	stream_finish(stream, RECORDS);
	uint64_t written = stream_written(stream), dropped = stream_dropped(stream);
	stream_free(stream);
	printf("stream: %llu written, %llu dropped\n", (unsigned long long)written,
	       (unsigned long long)dropped);
	return written + dropped == RECORDS && written > 0;
}

int main(void)
{
	bool ring = ring_loses_nothing(), stream = stream_counts_all();

	return ring && stream ? 0 : 1;
}

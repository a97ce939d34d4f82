#include "hil/gpio/watch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* --- one line -----------------------------------------------------------------------------------
 */

static void poll_for(struct watch_line *line, uint32_t events)
{
	if (line->polled == events || line->watch == NULL)
		return;
	if (loop_change(line->watch->loop, line->line->fd, events, &line->ready) == 0)
		line->polled = events;
}

static void fail(struct watch_line *line, int error)
{
	watch_remove(line);
	if (line->failed != NULL)
		line->failed(line, error);
}

/* All that the kernel holds of the line goes into its ring; the number of edges, or -errno. A full
 * batch is followed by another read: v1 hands out 16 at a time, and there may be more by now. */
static int drain(struct edge_watch *watch, struct watch_line *line)
{
	int total = 0, n;
	unsigned rounds = 0;

	line->complete_ns = clock_ns(CLOCK_MONOTONIC) - EDGE_WATCH_LAG_NS;
	do {
		n = gpio_line_read(line->line, watch->batch, EDGE_WATCH_BATCH);
		watch->stats.reads++;
		for (int i = 0; i < n; i++)
			edge_ring_push(&line->ring, &watch->batch[i]);
		total += n > 0 ? n : 0;
	} while (n >= 16 && ++rounds < 8);
	watch->stats.edges += (uint64_t)total;
	if ((uint64_t)total > watch->stats.edges_max)
		watch->stats.edges_max = (uint64_t)total;
	return n < 0 ? n : total;
}

/* Reads one line and tells about it; false when that was its end. */
static bool serve(struct edge_watch *watch, struct watch_line *line)
{
	int n = drain(watch, line);

	if (n > 0)
		watch->quiet = 0;
	if (line->edges != NULL)
		line->edges(line, line->complete_ns);
	if (line->watch == NULL) /* removed by its own callback */
		return false;
	if (n < 0)
		fail(line, n);
	return n >= 0;
}

/* --- all lines ----------------------------------------------------------------------------------
 */

static void serve_all(struct edge_watch *watch)
{
	assert(!watch->reading); /* called from one of its own callbacks */
	watch->reading = true;
	for (struct watch_line *line = watch->lines; line != NULL; line = watch->cursor) {
		watch->cursor = line->next; /* watch_remove() moves it on */
		serve(watch, line);
	}
	watch->cursor = NULL;
	watch->reading = false;
}

static void set_gathering(struct edge_watch *watch, bool gathering)
{
	if (watch->lines == NULL) /* the last one has just failed or been removed */
		return;
	watch->gathering = gathering;
	for (struct watch_line *line = watch->lines; line != NULL; line = line->next)
		poll_for(line, gathering && !line->prompt ? 0 : EPOLLIN);
	loop_timer(watch->loop, &watch->timer, gathering ? watch->gather_ns : EDGE_WATCH_CHECK_NS);
}

static void count_wakeup(struct edge_watch *watch)
{
	if (watch->stats.wakeups > 0 && watch->turn == watch->loop->turns)
		return;
	watch->turn = watch->loop->turns;
	watch->stats.wakeups++;
}

static void timer_fired(struct timer *timer, int64_t now_ns)
{
	struct edge_watch *watch =
		(struct edge_watch *)((char *)timer - offsetof(struct edge_watch, timer));
	int64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), late_ns = now_ns - timer->due_ns;

	count_wakeup(watch);
	if (watch->gathering && late_ns > watch->stats.late_ns_max)
		watch->stats.late_ns_max = late_ns;
	if (watch->quiet < EDGE_WATCH_QUIET)
		watch->quiet++;
	serve_all(watch);
	/* quiet is 0 again if there was an edge, also while all was still: then gather. */
	set_gathering(watch, watch->quiet < EDGE_WATCH_QUIET);
	watch->stats.cpu_ns += (uint64_t)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns);
}

static void line_ready(struct loop_watch *ready, uint32_t events)
{
	struct watch_line *line =
		(struct watch_line *)((char *)ready - offsetof(struct watch_line, ready));
	struct edge_watch *watch = line->watch;

	if (watch == NULL) /* removed earlier in this turn */
		return;
	int64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	count_wakeup(watch);
	watch->reading = true;
	bool alive = serve(watch, line);
	watch->reading = false;
	/* The kernel reports the end of a chip for as long as one polls it. */
	if (alive && (events & (EPOLLERR | EPOLLHUP)))
		fail(line, -ENODEV);
	watch->quiet = 0;
	if (!watch->gathering)
		set_gathering(watch, true);
	watch->stats.cpu_ns += (uint64_t)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns);
}

int edge_watch_init(struct edge_watch *watch, struct loop *loop, int64_t gather_ns)
{
	struct edge *batch = calloc(EDGE_WATCH_BATCH, sizeof(*batch));

	if (batch == NULL)
		return -ENOMEM;
	memset(watch, 0, sizeof(*watch));
	watch->loop = loop;
	watch->batch = batch;
	watch->gather_ns = gather_ns > 0 ? gather_ns : EDGE_WATCH_GATHER_NS;
	watch->timer.fire = timer_fired;
	watch->quiet = EDGE_WATCH_QUIET;
	watch->stats.since_ns = clock_ns(CLOCK_MONOTONIC);
	return 0;
}

void edge_watch_release(struct edge_watch *watch)
{
	while (watch->lines != NULL)
		watch_remove(watch->lines);
	free(watch->batch);
	watch->batch = NULL;
}

/* What the kernel holds from before is thrown away; where its numbers stand is kept. */
static int begin(struct edge_watch *watch, struct watch_line *line)
{
	unsigned rounds = 0;
	int n;

	do {
		n = gpio_line_read(line->line, watch->batch, EDGE_WATCH_BATCH);
	} while (n >= 16 && ++rounds < 64);
	int level = n < 0 ? n : gpio_line_get(line->line);
	if (level < 0)
		return level;
	line->complete_ns = clock_ns(CLOCK_MONOTONIC);
	edge_ring_start(&line->ring, line->complete_ns, level > 0, line->line->seq);
	return 0;
}

int watch_add(struct edge_watch *watch, struct watch_line *line)
{
	if (line->line->use != GPIO_EDGES || line->line->fd < 0 || line->ring.edges == NULL)
		return -EINVAL;
	int rc = begin(watch, line);
	if (rc < 0)
		return rc;
	line->ready.ready = line_ready;
	line->polled = watch->gathering && !line->prompt ? 0 : EPOLLIN;
	rc = loop_add(watch->loop, line->line->fd, line->polled, &line->ready);
	if (rc < 0)
		return rc;
	line->watch = watch;
	line->next = watch->lines;
	watch->lines = line;
	if (!timer_armed(&watch->timer))
		loop_timer(watch->loop, &watch->timer, EDGE_WATCH_CHECK_NS);
	return 0;
}

void watch_remove(struct watch_line *line)
{
	struct edge_watch *watch = line->watch;
	struct watch_line **link;

	if (watch == NULL)
		return;
	for (link = &watch->lines; *link != line; link = &(*link)->next)
		assert(*link != NULL);
	*link = line->next;
	if (watch->cursor == line)
		watch->cursor = line->next;
	if (line->line->fd >= 0)
		loop_remove(watch->loop, line->line->fd);
	line->watch = NULL;
	line->next = NULL;
	if (watch->lines == NULL) {
		timer_cancel(&watch->loop->timers, &watch->timer);
		watch->gathering = false;
	}
}

void edge_watch_read(struct edge_watch *watch)
{
	int64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	serve_all(watch);
	watch->stats.cpu_ns += (uint64_t)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns);
}

static double seconds_since(const struct edge_watch *watch, int64_t now_ns)
{
	return (double)(now_ns - watch->stats.since_ns) / 1e9;
}

double edge_watch_wakeups_per_s(const struct edge_watch *watch, int64_t now_ns)
{
	double seconds = seconds_since(watch, now_ns);

	return seconds > 0 ? (double)watch->stats.wakeups / seconds : 0;
}

double edge_watch_cpu_share(const struct edge_watch *watch, int64_t now_ns)
{
	double seconds = seconds_since(watch, now_ns);

	return seconds > 0 ? (double)watch->stats.cpu_ns / 1e9 / seconds : 0;
}

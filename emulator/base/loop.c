#include "emulator/base/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "emulator/base/units.h"

#define EVENTS_PER_TURN 256
#define TIMERS_PER_TURN 1024

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void loop_read_clocks(struct loop *loop)
{
	if (loop->simulated)
		return;
	loop->now_ns = clock_ns(CLOCK_MONOTONIC);
	loop->wall_ns = clock_ns(CLOCK_REALTIME);
}

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop_read_clocks(loop);
	timers_init(&loop->timers, loop->now_ns);
	return 0;
}

void loop_init_simulated(struct loop *loop, int64_t wall_start_ns)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = -1;
	loop->simulated = true;
	loop->wall_ns = wall_start_ns;
	timers_init(&loop->timers, 0);
}

static void run_deferred(struct loop *loop)
{
	while (loop->deferred != NULL) {
		struct loop_deferred *deferred = loop->deferred;
		loop->deferred = deferred->next;
		deferred->next = NULL;
		deferred->run(deferred);
	}
}

void loop_release(struct loop *loop)
{
	run_deferred(loop);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

static int control(struct loop *loop, int op, int fd, uint32_t events, struct loop_watch *watch)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch)
{
	return control(loop, EPOLL_CTL_ADD, fd, events, watch);
}

int loop_change(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch)
{
	return control(loop, EPOLL_CTL_MOD, fd, events, watch);
}

void loop_remove(struct loop *loop, int fd)
{
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
	deferred->next = loop->deferred;
	loop->deferred = deferred;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

/* One timer at a time: the clock stands exactly at each one's due time while it runs. */
static int run_simulated(struct loop *loop, int64_t until_ns)
{
	while (!loop->stopping) {
		struct timer *timer = timers_pop(&loop->timers, until_ns);
		if (timer == NULL)
			break;
		if (timer->due_ns > loop->now_ns) {
			loop->wall_ns += timer->due_ns - loop->now_ns;
			loop->now_ns = timer->due_ns;
		}
		timer->fire(timer, loop->now_ns);
		if (loop->deferred != NULL)
			run_deferred(loop);
		loop->turns++;
	}
	return 0;
}

static int wait_for_events(struct loop *loop, struct epoll_event *events)
{
	int64_t next = timers_next(&loop->timers);
	struct timespec timeout = { 0, 0 };

	if (next != TIMERS_NEVER && next > loop->now_ns) {
		timeout.tv_sec = (time_t)((next - loop->now_ns) / NS_PER_S);
		timeout.tv_nsec = (long)((next - loop->now_ns) % NS_PER_S);
	}
	int n = epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN,
			     next == TIMERS_NEVER ? NULL : &timeout, NULL);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

int loop_run(struct loop *loop, int64_t until_ns)
{
	struct epoll_event events[EVENTS_PER_TURN];

	if (loop->simulated)
		return run_simulated(loop, until_ns);
	loop_read_clocks(loop);
	while (!loop->stopping) {
		int n = wait_for_events(loop, events);
		if (n < 0)
			return n;
		loop_read_clocks(loop);
		/* Times first: a command due now must not wait behind a burst of input. */
		timers_run(&loop->timers, loop->now_ns, TIMERS_PER_TURN);
		for (int i = 0; i < n && !loop->stopping; i++) {
			struct loop_watch *watch = events[i].data.ptr;
			watch->ready(watch, events[i].events);
		}
		run_deferred(loop);
		loop->turns++;
	}
	return 0;
}

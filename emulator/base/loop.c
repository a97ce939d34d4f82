#include "emulator/base/loop.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
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

/* How old the wall clock's distance from the monotonic one may be: a jump is seen this much later.
 */
#define WALL_EVERY_NS (10 * NS_PER_MS)

void loop_read_clocks(struct loop *loop)
{
	if (loop->simulated)
		return;
	loop->now_ns = clock_ns(CLOCK_MONOTONIC);
	if (loop->now_ns - loop->wall_read_ns >= WALL_EVERY_NS) {
		loop->wall_read_ns = loop->now_ns;
		loop->wall_offset_ns = clock_ns(CLOCK_REALTIME) - loop->now_ns;
	}
	loop->wall_ns = loop->now_ns + loop->wall_offset_ns;
}

/* It has served its purpose by waking us; the timers run in every turn anyway. */
static void timer_ready(struct loop_watch *watch, uint32_t events)
{
	struct loop *loop = (struct loop *)((char *)watch - offsetof(struct loop, timer_watch));
	uint64_t expirations;

	(void)events;
	if (read(loop->timer_fd, &expirations, sizeof(expirations)) > 0)
		loop->timer_fd_due_ns = TIMERS_NEVER;
}

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	loop->timer_fd = -1;
	loop->timer_fd_due_ns = TIMERS_NEVER;
	loop->wall_read_ns = INT64_MIN / 2;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop_read_clocks(loop);
	timers_init(&loop->timers, loop->now_ns);
	int rc = 0;
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0)
		rc = -errno;
	loop->timer_watch.ready = timer_ready;
	if (rc == 0)
		rc = loop_add(loop, loop->timer_fd, EPOLLIN, &loop->timer_watch);
	if (rc < 0)
		loop_release(loop);
	return rc;
}

void loop_init_simulated(struct loop *loop, int64_t wall_start_ns)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = loop->timer_fd = -1;
	loop->simulated = true;
	loop->wall_ns = wall_start_ns;
	timers_init(&loop->timers, 0);
}

static void run_list(struct loop_deferred **list)
{
	while (*list != NULL) {
		struct loop_deferred *deferred = *list;
		*list = deferred->next;
		deferred->next = NULL;
		deferred->run(deferred);
	}
}

/* What frees memory comes last: something that is to run soon may lie in it. */
void loop_settle(struct loop *loop)
{
	run_list(&loop->after);
	run_list(&loop->soon);
	while (loop->deferred != NULL) {
		struct loop_deferred *deferred = loop->deferred;
		loop->deferred = deferred->next;
		deferred->next = NULL;
		deferred->run(deferred);
		run_list(&loop->soon);
	}
}

void loop_release(struct loop *loop)
{
	loop_settle(loop);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = loop->timer_fd = -1;
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

void loop_soon(struct loop *loop, struct loop_deferred *deferred)
{
	deferred->next = loop->soon;
	loop->soon = deferred;
}

void loop_after(struct loop *loop, struct loop_deferred *deferred)
{
	deferred->next = loop->after;
	loop->after = deferred;
}

void loop_run_soon(struct loop *loop)
{
	run_list(&loop->soon);
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
		if (loop->deferred != NULL || loop->soon != NULL)
			loop_settle(loop);
		loop->turns++;
	}
	return 0;
}

static void set_timer_fd(struct loop *loop, int64_t due_ns)
{
	struct itimerspec at = { .it_value = { (time_t)(due_ns / NS_PER_S),
					       (long)(due_ns % NS_PER_S) } };

	loop->timer_fd_due_ns = due_ns;
	timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static int wait_for_events(struct loop *loop, struct epoll_event *events)
{
	int64_t next = timers_next(&loop->timers);
	bool due = next <= loop->now_ns;

	/* It may be set too early, for a timer that was cancelled: that costs one empty turn. */
	if (!due && next < loop->timer_fd_due_ns)
		set_timer_fd(loop, next);
	int n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, due ? 0 : -1);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

/* What stands behind a watch: by the time its turn comes it is in the cache. */
#define AHEAD 2
static void fetch(const char *watch)
{
	__builtin_prefetch(watch, 1);
	__builtin_prefetch(watch + 64, 1);
}

int loop_run(struct loop *loop, int64_t until_ns)
{
	struct epoll_event events[EVENTS_PER_TURN];

	if (loop->simulated)
		return run_simulated(loop, until_ns);
	loop_read_clocks(loop);
	int64_t before_ns = loop->unready_ns; /* nobody has waited yet */
	int reported = 0;
	loop_settle(loop); /* what was put off before: nothing else would wake us for it */
	while (!loop->stopping) {
		/* The clock as it stood before the wait that came before this one. */
		bool said_all = reported < EVENTS_PER_TURN;
		if (said_all)
			loop->unready_ns = before_ns;
		before_ns = loop->now_ns;
		int n = wait_for_events(loop, events);
		if (n < 0)
			return n;
		reported = n;
		loop_read_clocks(loop);
		/* Times first: a command due now must not wait behind a burst of input. */
		timers_run(&loop->timers, loop->now_ns, TIMERS_PER_TURN);
		run_list(&loop->soon);
		for (int i = 0; i < n && !loop->stopping; i++) {
			struct loop_watch *watch = events[i].data.ptr;
			if (i + AHEAD < n)
				fetch(events[i + AHEAD].data.ptr);
			watch->ready(watch, events[i].events);
			if (loop->soon != NULL)
				run_list(&loop->soon);
		}
		loop_settle(loop);
		loop->turns++;
	}
	return 0;
}

/*
 * A watch: the edges of many lines, into their rings, with few wake-ups.
 *
 * Purpose: a servo's PWM makes 100 edges a second. Stamps come from the kernel, so nothing is
 * gained by waking up for each: after the first wake-up the watch takes the lines out of the poll
 * set, lets edges gather, and reads all lines on a timer (40 a second) until they have been quiet
 * for EDGE_WATCH_QUIET rounds. A line may ask to be read promptly instead: a switch that bounces
 * could otherwise fill the 16 events that a v1 kernel interface buffers. While all is quiet it
 * looks once a second whether the chips are still there, which not every kernel reports.
 * Units: nanoseconds, CLOCK_MONOTONIC.
 * Ownership: the caller's storage: a watch_line stays where it is until the turn of the loop in
 * which watch_remove() was called ends; its gpio_line and its ring are the caller's.
 * edge_watch_release() removes all lines.
 * Errors: 0 or -errno; a line that fails while it is watched is taken out, and `failed` is called
 * once, from the loop.
 * Threads: the loop's own.
 */
#ifndef GPIO_WATCH_H
#define GPIO_WATCH_H

#include "emulator/base/loop.h"
#include "hil/gpio/gpio.h"

#define EDGE_WATCH_GATHER_NS INT64_C(25000000)
#define EDGE_WATCH_CHECK_NS INT64_C(1000000000)
#define EDGE_WATCH_QUIET 8
#define EDGE_WATCH_BATCH 1024 /* the most that a kernel buffers a line */
/* An edge is stamped in the hard interrupt but queued by a thread: what was read at a time is
 * complete up to this much earlier. */
#define EDGE_WATCH_LAG_NS INT64_C(2000000)

struct edge_watch;

struct watch_line {
	struct gpio_line *line; /* a GPIO_EDGES line */
	struct edge_ring ring;
	bool prompt; /* read at every wake-up instead of gathering */
	/*
	 * After every read, from the loop, with all that was read in the ring. complete_ns: no edge
	 * stamped earlier is still to come (a decoder's deadlines go by it, not by the clock).
	 * Called without new edges too, for EDGE_WATCH_QUIET rounds after the last one: long
	 * enough for a switch to be called still. May be NULL.
	 */
	void (*edges)(struct watch_line *line, int64_t complete_ns);
	/* The line is not watched any more: -ENODEV when its chip is gone. May be NULL. */
	void (*failed)(struct watch_line *line, int error);
	int64_t complete_ns;
	/* The watch's own. */
	struct edge_watch *watch;
	struct watch_line *next;
	struct loop_watch ready;
	uint32_t polled;
};

struct edge_watch_stats {
	int64_t since_ns;
	uint64_t wakeups; /* turns of the loop that this watch caused: a line was ready, or its
			     timer due */
	uint64_t reads;   /* read() calls */
	uint64_t edges;
	uint64_t cpu_ns;     /* of this thread, spent in reading and in the `edges` callbacks */
	uint64_t edges_max;  /* most that one read of one line brought */
	int64_t late_ns_max; /* by how much a gathering read came too late at worst */
};

struct edge_watch {
	struct loop *loop;
	struct watch_line *lines, *cursor;
	struct timer timer;
	int64_t gather_ns;
	unsigned quiet; /* reads in a row that brought nothing */
	bool gathering, reading;
	uint64_t turn;      /* of the loop, last counted */
	struct edge *batch; /* EDGE_WATCH_BATCH of them */
	struct edge_watch_stats stats;
};

/* gather_ns 0: EDGE_WATCH_GATHER_NS. One watch a board, for it is the watch that counts wake-ups.
 * 0 or -ENOMEM. */
int edge_watch_init(struct edge_watch *watch, struct loop *loop, int64_t gather_ns);
void edge_watch_release(struct edge_watch *watch);

/*
 * Watches line->line into line->ring, which the caller has initialized (edge_ring_init) and goes on
 * owning, as it does `line`. Throws away what the kernel holds from before, and begins the ring
 * with the line's level. -EINVAL: not a GPIO_EDGES line, or no ring; -ENODEV; -errno of epoll.
 */
int watch_add(struct edge_watch *watch, struct watch_line *line);
/* Harmless on a line that is not watched; may be called from `edges` and `failed`. */
void watch_remove(struct watch_line *line);

/* Reads all lines now: before a verdict, so that nothing waits for the timer. */
void edge_watch_read(struct edge_watch *watch);

/* Wake-ups a second since `since_ns`, and the share of one processor (0 to 1). */
double edge_watch_wakeups_per_s(const struct edge_watch *watch, int64_t now_ns);
double edge_watch_cpu_share(const struct edge_watch *watch, int64_t now_ns);

#endif

/*
 * A target of the range, played by a thread: registers, answers, drives the lines of a fake chip.
 *
 * Purpose: a whole run of a plan without hardware and without the virtual bench, so that the
 * sanitizers see it. Edges are stamped with the time at which they should come, so a busy machine
 * delivers them late but does not move them.
 * Units: nanoseconds. Ownership: the caller's storage; range_board_stop() ends the thread.
 * Errors: fail the test. Threads: one of its own; the chip's lines are written by it alone.
 */
#ifndef TEST_RANGE_BOARD_H
#define TEST_RANGE_BOARD_H

#include "emulator/base/units.h"
#include "tests/support/gpio_fake.h"
#include "tests/support/peer.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum range_defect {
	RANGE_HEALTHY,
	RANGE_NEVER_MOVES,
	RANGE_HALF_WAY,
	RANGE_SPLIT,
	RANGE_DEAF,  /* does not listen */
	RANGE_TWICE, /* registers again after a command */
	RANGE_BOUNCES,
	RANGE_CHIP_GONE,
	RANGE_SILENT, /* never registers, does not listen */
};

#define RANGE_PERIOD_NS (20 * NS_PER_MS)

struct range_board {
	struct gpio_fake_chip *chip; /* lines: servo, up, down */
	uint32_t ip, master_ip;
	uint16_t port;
	enum range_defect defect;
	atomic_bool stop;
	pthread_t thread;
	/* The thread's own. */
	int listener;
	int64_t rise_ns, width_ns, next_width_ns, up_ns, down_ns;
	bool rises_up, again;
};

static inline int64_t range_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline void range_edge(struct range_board *board, unsigned line, int64_t t_ns, bool level)
{
	struct gpio_fake_line *at = &board->chip->line[line];

	if (at->held && at->fds[1] >= 0 && board->defect != RANGE_CHIP_GONE)
		gpio_fake_edge(at, t_ns, level);
	at->level = level;
}

static inline void range_switch(struct range_board *board, unsigned line, int64_t t_ns, bool level)
{
	for (int i = 0; board->defect == RANGE_BOUNCES && i < 5; i++) {
		range_edge(board, line, t_ns - 4 * NS_PER_MS + 2 * i * 400000, level);
		range_edge(board, line, t_ns - 4 * NS_PER_MS + (2 * i + 1) * 400000, !level);
	}
	range_edge(board, line, t_ns, level);
}

/* True: it is known there. A rig that ends in the middle of it is no failure of this side. */
static inline bool range_register(const struct range_board *board)
{
	static const char line[] = "{\"type\": \"register\", \"id\": \"m\", \"data\": "
				   "{\"client_id\": \"target_1\"}}\n";
	char answer[512];
	int fd = peer_try_connect(board->ip, board->master_ip, board->port);

	if (fd < 0)
		return false;
	bool known = send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0 &&
		     recv(fd, answer, sizeof(answer), 0) > 0;
	close(fd);
	return known;
}

/* All that is due by now. */
static inline void range_signals(struct range_board *board, int64_t now_ns)
{
	while (board->rise_ns + board->width_ns <= now_ns) {
		range_edge(board, 0, board->rise_ns, true);
		range_edge(board, 0, board->rise_ns + board->width_ns, false);
		board->rise_ns += RANGE_PERIOD_NS;
		board->width_ns = board->next_width_ns;
	}
	if (board->down_ns != 0 && board->down_ns <= now_ns) {
		range_switch(board, board->rises_up ? 2 : 1, board->down_ns, false);
		board->down_ns = 0;
	}
	if (board->up_ns != 0 && board->up_ns <= now_ns) {
		range_switch(board, board->rises_up ? 1 : 2, board->up_ns, true);
		board->up_ns = 0;
	}
}

static inline void range_move(struct range_board *board, bool up)
{
	int64_t now_ns = range_now();
	int64_t width_ns = up ? 1500000 : 500000;

	if (board->defect == RANGE_NEVER_MOVES || board->next_width_ns == width_ns)
		return;
	board->next_width_ns = board->defect == RANGE_HALF_WAY ? 1000000 : width_ns;
	board->rises_up = up;
	board->down_ns = now_ns + 50 * NS_PER_MS;
	board->up_ns = board->defect == RANGE_HALF_WAY ? 0 : now_ns + 100 * NS_PER_MS;
}

static inline void range_serve(struct range_board *board)
{
	char line[PEER_LINE], answer[256];
	const char *type = "pong";
	int fd = peer_accept(board->listener, NULL);
	ssize_t n = peer_recv(fd, line, sizeof(line));

	if (n <= 0) {
		close(fd);
		return;
	}
	if (strstr(line, "stand_up") != NULL)
		type = "standing";
	else if (strstr(line, "lay_down") != NULL)
		type = "down";
	snprintf(answer, sizeof(answer),
		 "{\"type\": \"%s\", \"id\": \"m\", \"data\": {\"status\": \"alive\"}}\n", type);
	if (board->defect == RANGE_SPLIT && strcmp(type, "standing") == 0)
		send(fd, answer, 12, MSG_NOSIGNAL);
	else
		send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	peer_end_of(fd);
	close(fd);
	if (strcmp(type, "pong") != 0)
		range_move(board, strcmp(type, "standing") == 0);
	if (board->defect == RANGE_TWICE && !board->again && strcmp(type, "standing") == 0) {
		board->again = true;
		range_register(board);
	}
	if (board->defect == RANGE_CHIP_GONE)
		gpio_fake_unplug(board->chip);
}

static inline void *range_thread(void *context)
{
	struct range_board *board = context;
	bool known = board->defect == RANGE_SILENT;

	while (!board->stop) {
		struct pollfd ready = { .fd = board->listener, .events = POLLIN };
		range_signals(board, range_now());
		/* The rig listens by now, or soon. */
		if (!known)
			known = range_register(board);
		if (poll(&ready, 1, 2) > 0)
			range_serve(board);
	}
	return NULL;
}

static inline void range_board_start(struct range_board *board)
{
	board->width_ns = board->next_width_ns = 500000;
	board->rise_ns = range_now();
	board->chip->line[2].level = true; /* it lies */
	board->listener = board->defect == RANGE_DEAF || board->defect == RANGE_SILENT
				  ? -1
				  : peer_listen(board->ip, board->port);
	pthread_create(&board->thread, NULL, range_thread, board);
}

static inline void range_board_stop(struct range_board *board)
{
	board->stop = true;
	pthread_join(board->thread, NULL);
	if (board->listener >= 0)
		close(board->listener);
}

#endif

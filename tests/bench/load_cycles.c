#include "tests/bench/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct cycle {
	int fd;
	bool asked;
	uint32_t target;
	size_t got;
};

struct line {
	uint16_t len;
	char text[LINE_MAX_BYTES];
};

struct cycles {
	const struct plan *plan;
	const struct side *side;
	int epoll;
	uint32_t at_once, next;
	struct sockaddr_in *addresses;
	struct line *lines;
	struct cycle slots[];
};

struct cycles *cycles_new(const struct plan *plan, const struct side *side)
{
	struct cycles *cycles =
		calloc(1, sizeof(*cycles) + plan->connections * sizeof(cycles->slots[0]));

	if (!cycles)
		die(errno, "memory");
	cycles->plan = plan;
	cycles->side = side;
	cycles->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (cycles->epoll < 0)
		die(errno, "epoll_create1");
	cycles->addresses = calloc(plan->addresses, sizeof(cycles->addresses[0]));
	cycles->lines = calloc(plan->addresses, sizeof(cycles->lines[0]));
	if (!cycles->addresses || !cycles->lines)
		die(errno, "memory");
	for (uint32_t i = 0; i < plan->addresses; i++) {
		cycles->addresses[i] = endpoint_at(&side->at, i);
		cycles->lines[i].len = (uint16_t)ping_line(cycles->lines[i].text, i);
	}
	return cycles;
}

static void bind_source(int fd, uint32_t source)
{
	const struct endpoint at = { .base = source };
	struct sockaddr_in address = endpoint_at(&at, 0);
	int on = 1;

	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(errno, "bind to the source address");
}

static bool ask(const struct cycles *cycles, struct cycle *cycle)
{
	const struct line *line = &cycles->lines[cycle->target];

	cycle->asked = send(cycle->fd, line->text, line->len, MSG_NOSIGNAL) == (ssize_t)line->len;
	return cycle->asked;
}

/*
 * Edge-triggered, in and out at once: the connection costs one epoll_ctl, and its two events are
 * "connected" and "answered".
 */
static void begin(struct cycles *cycles, struct cycle *cycle)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = cycle };
	uint32_t target = cycles->next;

	cycles->next = target + 1 < cycles->plan->addresses ? target + 1 : 0;
	cycle->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (cycle->fd < 0)
		die(errno, "socket");
	if (cycles->plan->source)
		bind_source(cycle->fd, cycles->plan->source);
	cycle->asked = false;
	cycle->got = 0;
	cycle->target = target;
	if (connect(cycle->fd, (struct sockaddr *)&cycles->addresses[target],
		    sizeof(cycles->addresses[target])) < 0 &&
	    errno != EINPROGRESS)
		die(errno, "connect to target %u", target);
	/* On loopback the handshake is over when connect() returns, though it says EINPROGRESS. */
	if (cycles->plan->eager && ask(cycles, cycle))
		event.events = EPOLLIN | EPOLLET;
	if (epoll_ctl(cycles->epoll, EPOLL_CTL_ADD, cycle->fd, &event) < 0)
		die(errno, "epoll_ctl");
	cycles->at_once++;
}

static void end(struct cycles *cycles, struct cycle *cycle, struct meter *meter)
{
	close(cycle->fd);
	cycles->at_once--;
	if (meter->phase != METER_DRAINING)
		begin(cycles, cycle);
}

static void step(struct cycles *cycles, struct cycle *cycle, uint32_t events, struct meter *meter)
{
	if (!cycle->asked) {
		if (!ask(cycles, cycle)) {
			meter->counters.failed++;
			end(cycles, cycle, meter);
		}
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		char buf[4096];
		ssize_t n = recv(cycle->fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			meter->counters.failed++;
		else if (!answer_ends(meter, cycles->plan, cycles->side, buf, (size_t)n,
				      &cycle->got))
			return;
		end(cycles, cycle, meter);
	}
}

void cycles_slice(struct cycles *cycles, struct meter *meter)
{
	static struct epoll_event events[LOAD_EVENTS];

	for (uint32_t i = 0; i < cycles->plan->connections; i++)
		begin(cycles, &cycles->slots[i]);
	while (cycles->at_once) {
		int n = epoll_wait(cycles->epoll, events, LOAD_EVENTS, LOAD_SILENCE_MS);

		/* EINTR: stopped and continued by the driver, between two windows. */
		if (n <= 0 && !(n < 0 && errno == EINTR))
			die(n < 0 ? errno : ETIMEDOUT, "%u answers did not come", cycles->at_once);
		meter_turn(meter);
		for (int i = 0; i < n; i++)
			step(cycles, events[i].data.ptr, events[i].events, meter);
	}
}

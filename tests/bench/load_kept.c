#include "tests/bench/load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct kept_conn {
	int fd;
	uint16_t line_len;
	size_t got; /* bytes of an answer that came in pieces */
	int64_t sent_ns;
	char line[LINE_MAX_BYTES];
};

struct kept {
	const struct plan *plan;
	const struct side *side;
	int epoll;
	uint32_t in_flight;
	struct kept_conn conns[];
};

struct kept *kept_new(const struct plan *plan, const struct side *side)
{
	struct kept *kept = calloc(1, sizeof(*kept) + plan->connections * sizeof(kept->conns[0]));

	if (!kept)
		die(errno, "memory");
	kept->plan = plan;
	kept->side = side;
	kept->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (kept->epoll < 0)
		die(errno, "epoll_create1");
	return kept;
}

void kept_connect(struct kept *kept, uint32_t i)
{
	struct sockaddr_in address = endpoint_at(&kept->side->at, i % kept->plan->addresses);
	struct kept_conn *conn = &kept->conns[i];
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = conn };

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		die(errno, "socket %u", i);
	if (connect(conn->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(errno, "connect %u", i);
	if (epoll_ctl(kept->epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
		die(errno, "epoll_ctl");
	conn->line_len = (uint16_t)ping_line(conn->line, i % kept->plan->addresses);
}

static void ask(struct kept *kept, struct kept_conn *conn, int64_t now)
{
	conn->sent_ns = now;
	if (send(conn->fd, conn->line, conn->line_len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)conn->line_len)
		die(errno, "send on a kept connection");
	kept->in_flight++;
}

static void take(struct kept *kept, struct kept_conn *conn, struct meter *meter)
{
	char buf[4096];
	ssize_t n = recv(conn->fd, buf, sizeof(buf), MSG_DONTWAIT);
	int64_t now;

	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		die(n < 0 ? errno : 0, "a kept connection was closed by its server");
	}
	if (!answer_ends(meter, kept->plan, kept->side, buf, (size_t)n, &conn->got))
		return;
	now = now_ns();
	kept->in_flight--;
	if (meter->phase == METER_MEASURING)
		hist_add(&meter->latency, now - conn->sent_ns);
	if (meter->phase != METER_DRAINING)
		ask(kept, conn, now);
}

void kept_slice(struct kept *kept, struct meter *meter)
{
	static struct epoll_event events[LOAD_EVENTS];

	for (uint32_t i = 0; i < kept->plan->connections; i++)
		ask(kept, &kept->conns[i], now_ns());
	while (kept->in_flight) {
		int n = epoll_wait(kept->epoll, events, LOAD_EVENTS, LOAD_SILENCE_MS);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			die(n < 0 ? errno : ETIMEDOUT, "%u answers did not come", kept->in_flight);
		meter_turn(meter);
		for (int i = 0; i < n; i++)
			take(kept, events[i].data.ptr, meter);
	}
}

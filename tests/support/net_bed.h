/*
 * A bed for tests of connections: a loop, a net and a listener on it, and what each connection saw.
 *
 * Purpose: WAIT() runs the loop until a condition holds, without sleeping: every call of a handler
 * looks again. A peer is another connection of the same net, or a plain blocking socket.
 * Ownership: bed_release() closes all. Errors: fails the test. Threads: one.
 */
#ifndef TEST_NET_BED_H
#define TEST_NET_BED_H

#include "emulator/base/net.h"
#include "emulator/base/units.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK UINT32_C(0x7f000001)
#define BED_SIDES 320
#define BED_PATIENCE_NS (20 * NS_PER_S)

struct bed;

/* What one connection saw. */
struct side {
	struct bed *bed;
	struct net_conn *conn;
	char *got; /* what was taken */
	size_t got_len, got_cap, rest_len, last_len;
	int opened, calls, ended, closed;
	int error;
	/* What it does. NULL: takes all. */
	size_t (*take)(struct side *side, const char *bytes, size_t len, size_t fresh);
	void (*on_open)(struct side *side);
	void (*on_end)(struct side *side);
};

struct bed {
	struct loop loop;
	struct net *net;
	struct net_listener *listener;
	struct side side[BED_SIDES]; /* in the order in which they began */
	size_t sides;
	/* For the connections that are accepted next. */
	const struct net_handler *handler;
	size_t (*take)(struct side *side, const char *bytes, size_t len, size_t fresh);
	void (*on_accept)(struct side *side);
	void (*on_end)(struct side *side);
	bool refuse;
	struct loop_deferred look;
	bool looking;
	struct timer patience, tick;
	int64_t tick_ns; /* 0: only handlers make it look again */
	bool out_of_patience;
};

static inline struct side *side_of(struct net_conn *conn)
{
	return *(struct side **)(void *)conn->session;
}

static inline void bed_look(struct loop_deferred *look)
{
	struct bed *bed = (struct bed *)((char *)look - offsetof(struct bed, look));

	bed->looking = false;
	loop_stop(&bed->loop);
}

/* At the turn's end, when all of its events were handled. */
static inline void bed_note(struct bed *bed)
{
	if (!bed->looking)
		loop_defer(&bed->loop, &bed->look);
	bed->looking = true;
}

static inline void side_opened(struct net_conn *conn)
{
	struct side *side = side_of(conn);

	side->opened++;
	bed_note(side->bed);
	if (side->on_open != NULL)
		side->on_open(side);
}

static inline void side_keep(struct side *side, const char *bytes, size_t len)
{
	if (side->got_len + len >= side->got_cap) {
		side->got_cap = 2 * (side->got_len + len + 1);
		side->got = realloc(side->got, side->got_cap);
		cr_assert_not_null(side->got);
	}
	memcpy(side->got + side->got_len, bytes, len);
	side->got_len += len;
	side->got[side->got_len] = '\0';
}

static inline size_t side_received(struct net_conn *conn, const char *bytes, size_t len,
				   size_t fresh)
{
	struct side *side = side_of(conn);

	side->calls++;
	side->last_len = len;
	bed_note(side->bed);
	cr_assert_eq(side->closed, 0, "nothing comes behind closed()");
	cr_assert_eq(fresh, side->rest_len, "fresh begins where the rest ended");
	cr_assert_gt(len, fresh, "something is new");
	size_t taken = side->take != NULL ? side->take(side, bytes, len, fresh) : len;
	side_keep(side, bytes, taken);
	side->rest_len = len - taken;
	return taken;
}

static inline void side_ended(struct net_conn *conn, const char *rest, size_t len)
{
	struct side *side = side_of(conn);

	side->ended++;
	bed_note(side->bed);
	cr_assert_eq(len, side->rest_len);
	side_keep(side, rest != NULL ? rest : "", len);
	if (side->on_end != NULL)
		side->on_end(side);
}

static inline void side_closed(struct net_conn *conn, int error)
{
	struct side *side = side_of(conn);

	side->closed++;
	side->error = error;
	side->conn = NULL;
	bed_note(side->bed);
}

/* Without `ended`, the end of what the peer sends closes. */
static const struct net_handler side_handler = { .opened = side_opened,
						 .received = side_received,
						 .closed = side_closed };
static const struct net_handler ending_handler = {
	.opened = side_opened, .received = side_received, .ended = side_ended, .closed = side_closed
};

static inline struct side *bed_side(struct bed *bed, struct net_conn *conn)
{
	cr_assert_lt(bed->sides, BED_SIDES);
	struct side *side = &bed->side[bed->sides++];

	side->bed = bed;
	side->conn = conn;
	memcpy(conn->session, &side, sizeof(void *));
	return side;
}

static inline bool bed_accepted(struct net_listener *listener, struct net_conn *conn)
{
	struct bed *bed = listener->owner;

	conn->handler = bed->handler != NULL ? bed->handler : &side_handler;
	struct side *side = bed_side(bed, conn);
	side->take = bed->take;
	side->on_end = bed->on_end;
	bed_note(bed);
	if (bed->on_accept != NULL)
		bed->on_accept(side);
	return !bed->refuse;
}

static inline void bed_loses_patience(struct timer *timer, int64_t now_ns)
{
	struct bed *bed = (struct bed *)((char *)timer - offsetof(struct bed, patience));

	(void)now_ns;
	bed->out_of_patience = true;
	bed_note(bed);
}

static inline void bed_ticks(struct timer *timer, int64_t now_ns)
{
	struct bed *bed = (struct bed *)((char *)timer - offsetof(struct bed, tick));

	(void)now_ns;
	bed_note(bed);
}

static inline void bed_turn(struct bed *bed)
{
	bed->loop.stopping = false;
	if (bed->tick_ns > 0)
		loop_timer(&bed->loop, &bed->tick, bed->tick_ns);
	cr_assert_eq(loop_run(&bed->loop, TIMERS_NEVER), 0);
	timer_cancel(&bed->loop.timers, &bed->tick);
}

#define WAIT(bed, condition)                                                                       \
	do {                                                                                       \
		loop_timer(&(bed)->loop, &(bed)->patience, BED_PATIENCE_NS);                       \
		while (!(condition)) {                                                             \
			bed_turn(bed);                                                             \
			cr_assert(!(bed)->out_of_patience, "waited in vain for %s", #condition);   \
		}                                                                                  \
		timer_cancel(&(bed)->loop.timers, &(bed)->patience);                               \
	} while (0)

static inline void bed_init(struct bed *bed, size_t connections, size_t buffer_bytes)
{
	const struct net_socket_limits limits = { connections, 8, buffer_bytes };

	memset(bed, 0, sizeof(*bed));
	bed->look.run = bed_look;
	bed->patience.fire = bed_loses_patience;
	bed->tick.fire = bed_ticks;
	cr_assert_eq(loop_init(&bed->loop), 0);
	cr_assert_eq(net_socket_new(&bed->loop, &limits, &bed->net), 0);
	cr_assert_eq(net_listen(bed->net, (struct net_addr){ LOOPBACK, 0 }, &bed->listener), 0);
	cr_assert_neq(bed->listener->local.port, 0, "it knows the port that it got");
	bed->listener->accepted = bed_accepted;
	bed->listener->owner = bed;
}

static inline void bed_release(struct bed *bed)
{
	net_socket_free(bed->net);
	cr_expect_eq(bed->loop.timers.count, 0, "no timer is left");
	loop_release(&bed->loop);
	for (size_t i = 0; i < bed->sides; i++)
		free(bed->side[i].got);
}

/* A connection of this net to `to`. */
static inline struct side *bed_connect(struct bed *bed, struct net_addr to,
				       const struct net_handler *handler)
{
	struct net_conn *conn;

	int rc = net_connect(bed->net, (struct net_addr){ 0, 0 }, to, handler, &conn);
	cr_assert_eq(rc, 0, "connect: %s", strerror(-rc));
	return bed_side(bed, conn);
}

/* ---- plain sockets, blocking, with a limit to their patience ---- */

static inline struct sockaddr_in plain_addr(struct net_addr at)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(at.port),
				     .sin_addr.s_addr = htonl(at.ip) };
}

static inline int plain_socket(void)
{
	struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static inline int plain_connect(struct net_addr at)
{
	struct sockaddr_in in = plain_addr(at);
	int fd = plain_socket();

	cr_assert_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0, "%s", strerror(errno));
	return fd;
}

static inline int plain_listen(struct net_addr *ret_at)
{
	struct sockaddr_in in = plain_addr((struct net_addr){ LOOPBACK, 0 });
	socklen_t len = sizeof(in);
	int fd = plain_socket();

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	*ret_at = (struct net_addr){ LOOPBACK, ntohs(in.sin_port) };
	return fd;
}

static inline void plain_send(int fd, const void *bytes, size_t len)
{
	cr_assert_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len, "%s", strerror(errno));
}

/* Exactly these bytes come. */
static inline void plain_expect(int fd, const char *text)
{
	char got[4096];
	size_t len = strlen(text);

	cr_assert_lt(len, sizeof(got));
	cr_assert_eq(recv(fd, got, len, MSG_WAITALL), (ssize_t)len, "%s", strerror(errno));
	cr_expect(memcmp(got, text, len) == 0, "got \"%.*s\"", (int)len, got);
}

static inline void plain_expect_end(int fd)
{
	char byte;

	cr_expect_eq(recv(fd, &byte, 1, 0), 0, "an orderly end");
}

/* Our own end of the connection that a plain socket is the other end of. */
static inline int plain_other_end(int fd)
{
	struct sockaddr_in here = { 0 }, there = { 0 };

	for (int other = 3; other < 256; other++) {
		socklen_t here_len = sizeof(here), there_len = sizeof(there);
		if (getsockname(fd, (struct sockaddr *)&here, &here_len) == 0 &&
		    getpeername(other, (struct sockaddr *)&there, &there_len) == 0 &&
		    here.sin_port == there.sin_port &&
		    here.sin_addr.s_addr == there.sin_addr.s_addr)
			return other;
	}
	cr_assert_fail("no other end");
	return -1;
}

static inline void plain_reset(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

#endif

/*
 * Connections in trouble: holes, handlers that close, and every kind of having no more.
 */
#include "emulator/base/pool.h"
#include "tests/support/net_bed.h"

#include <sys/resource.h>

static struct bed bed;

static void teardown(void)
{
	bed_release(&bed);
}

TestSuite(net_trouble, .fini = teardown, .timeout = 60);

static int plain_peer(struct side **ret)
{
	size_t before = bed.sides;
	int fd = plain_connect(bed.listener->local);

	WAIT(&bed, bed.sides > before);
	*ret = &bed.side[before];
	return fd;
}

/* ---- holes ---- */

Test(net_trouble, a_listener_in_a_hole_sees_nobody)
{
	struct net_listener *other;

	bed_init(&bed, 10, 1 << 20);
	cr_expect_eq(net_hole(bed.listener, false), 0, "it is in none: harmless");
	cr_assert_eq(net_hole(bed.listener, true), 0);
	cr_assert_eq(net_hole(bed.listener, true), 0, "twice is once");
	struct side *lost = bed_connect(&bed, bed.listener->local, &side_handler);
	/* The loopback device is fast: what another connection has done, this one had time for. */
	cr_assert_eq(net_listen(bed.net, (struct net_addr){ LOOPBACK, 0 }, &other), 0);
	other->accepted = bed_accepted;
	other->owner = &bed;
	struct side *fine = bed_connect(&bed, other->local, &side_handler);
	WAIT(&bed, fine->opened && bed.sides == 3);
	cr_expect_eq(net_send(fine->conn, "x", 1), 0);
	WAIT(&bed, bed.side[2].got_len == 1);
	cr_expect(lost->opened == 0 && lost->closed == 0);
	cr_assert_eq(net_hole(bed.listener, false), 0);
	WAIT(&bed, lost->opened && bed.sides == 4); /* the SYN comes again after a second */
}

Test(net_trouble, a_connection_in_a_hole_catches_up)
{
	struct side *server;

	bed_init(&bed, 10, 1 << 20);
	int fd = plain_peer(&server);
	plain_send(fd, "before ", 7);
	WAIT(&bed, server->got_len == 7);
	cr_expect_eq(net_hole_conn(server->conn, false), 0);
	cr_assert_eq(net_hole_conn(server->conn, true), 0);
	plain_send(fd, "within ", 7);
	struct side *other;
	int other_fd = plain_peer(&other);
	plain_send(other_fd, "x", 1);
	WAIT(&bed, other->got_len == 1);
	cr_expect_eq(server->got_len, 7, "nothing passes");
	cr_assert_eq(net_hole_conn(server->conn, false), 0);
	plain_send(fd, "after", 5);
	WAIT(&bed, server->got_len == 19);
	cr_expect_str_eq(server->got, "before within after");
	net_close(server->conn);
	cr_expect_eq(net_hole_conn(server->conn, true), -EPIPE);
	close(fd);
	close(other_fd);
}

/* ---- handlers that close ---- */

static bool by_reset;

static void close_it(struct side *side)
{
	if (by_reset)
		net_reset(side->conn);
	else
		net_close(side->conn);
	net_close(side->conn); /* harmless */
	cr_expect_eq(net_send(side->conn, "x", 1), -EPIPE);
	cr_expect_eq(net_hole_conn(side->conn, true), -EPIPE);
	cr_expect_eq(side->conn->local.ip, LOOPBACK, "its memory lives until the turn ends");
}

static size_t close_at_ten(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)fresh;
	if (len < 10)
		return 0;
	close_it(side);
	cr_expect(memcmp(bytes, "0123456789", 10) == 0, "and so do its bytes");
	return 10;
}

Test(net_trouble, closing_from_received)
{
	bed_init(&bed, 10, 1 << 20);
	bed.take = close_at_ten;
	for (int i = 0; i < 4; i++) {
		struct side *server;
		by_reset = i % 2 != 0;
		int fd = plain_peer(&server);
		if (i < 2) { /* from a rest, not from the read itself */
			plain_send(fd, "01234", 5);
			WAIT(&bed, server->calls == 1);
			plain_send(fd, "56789 and more", 14);
		} else {
			plain_send(fd, "0123456789 and more", 19);
			shutdown(fd, SHUT_WR); /* the end is not told any more */
		}
		WAIT(&bed, server->got_len == 10);
		cr_expect(server->closed == 0 && server->ended == 0);
		cr_expect_eq(bed.net->stats.open, 0);
		close(fd);
	}
}

Test(net_trouble, closing_from_opened)
{
	bed_init(&bed, 10, 1 << 20);
	struct side *client = bed_connect(&bed, bed.listener->local, &side_handler);
	client->on_open = close_it;
	client->conn->local.ip = LOOPBACK;
	WAIT(&bed, bed.sides == 2 && bed.side[1].closed);
	cr_expect_eq(client->closed, 0);
	cr_expect_eq(bed.net->stats.open, 0);
}

Test(net_trouble, closing_from_ended)
{
	struct side *server;

	bed_init(&bed, 10, 1 << 20);
	bed.handler = &ending_handler;
	bed.on_end = close_it;
	int fd = plain_peer(&server);
	plain_send(fd, "x", 1);
	shutdown(fd, SHUT_WR);
	WAIT(&bed, server->ended);
	cr_expect_eq(server->closed, 0);
	cr_expect_eq(bed.net->stats.open, 0);
	plain_expect_end(fd);
	close(fd);
}

static void expect_refused(void)
{
	size_t n = bed.sides;
	char byte;
	int fd = plain_connect(bed.listener->local);

	WAIT(&bed, bed.sides > n);
	cr_expect(recv(fd, &byte, 1, 0) <= 0, "it is closed");
	cr_expect(bed.side[n].closed == 0, "without a word");
	cr_expect_eq(bed.net->stats.open, 0);
	close(fd);
}

Test(net_trouble, accepted_says_no)
{
	bed_init(&bed, 10, 1 << 20);
	bed.refuse = true;
	expect_refused();
	bed.on_accept = close_it; /* and has closed it already */
	expect_refused();
	bed.refuse = false; /* closed, but not refused */
	expect_refused();
	cr_expect_eq(bed.net->stats.accepted, 3);
}

static void unlisten(struct side *side)
{
	(void)side;
	net_unlisten(bed.listener);
	net_unlisten(bed.listener); /* harmless */
}

Test(net_trouble, accepted_ends_the_listener)
{
	struct side *server;

	bed_init(&bed, 10, 1 << 20);
	bed.on_accept = unlisten;
	struct net_addr at = bed.listener->local;
	int fd = plain_peer(&server);
	plain_send(fd, "x", 1);
	WAIT(&bed, server->got_len == 1);
	struct side *late = bed_connect(&bed, at, &side_handler);
	WAIT(&bed, late->closed);
	cr_expect_eq(late->error, -ECONNREFUSED);
	cr_assert_eq(net_listen(bed.net, at, &bed.listener), 0, "the address is free again");
	close(fd);
}

/* ---- nothing left ---- */

Test(net_trouble, no_connection_left)
{
	struct side *a, *b;
	char byte;

	bed_init(&bed, 2, 1 << 20);
	int first = plain_peer(&a), second = plain_peer(&b);
	int third = plain_connect(bed.listener->local);
	bed.tick_ns = NS_PER_MS;
	WAIT(&bed, bed.net->stats.refused_full == 1);
	cr_expect(recv(third, &byte, 1, 0) <= 0, "it is closed");
	struct net_conn *conn;
	cr_expect_eq(net_connect(bed.net, (struct net_addr){ 0, 0 }, bed.listener->local,
				 &side_handler, &conn),
		     -ENOBUFS);
	cr_expect(bed.net->stats.open == 2 && bed.net->stats.accepted == 2);
	close(first);
	WAIT(&bed, a->closed);
	struct side *c;
	int fourth = plain_peer(&c); /* there is room again */
	plain_send(fourth, "x", 1);
	WAIT(&bed, c->got_len == 1);
	close(second);
	close(third);
	close(fourth);
}

Test(net_trouble, no_listener_left)
{
	struct net_listener *listener;
	int rc = 0;

	bed_init(&bed, 2, 1 << 20);
	for (int i = 0; i < 7; i++)
		cr_assert_eq(net_listen(bed.net, (struct net_addr){ LOOPBACK, 0 }, &listener), 0);
	rc = net_listen(bed.net, (struct net_addr){ LOOPBACK, 0 }, &listener);
	cr_expect_eq(rc, -ENOBUFS);
	rc = net_listen(bed.net, bed.listener->local, &listener);
	cr_expect_eq(rc, -EADDRINUSE);
}

static void limit_descriptors(rlim_t soft)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft != 0 ? soft : limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

Test(net_trouble, no_descriptor_left)
{
	struct side *served;

	bed_init(&bed, 10, 1 << 20);
	int fd = plain_peer(&served), waiting = plain_connect(bed.listener->local);
	int next = dup(0);
	close(next);
	limit_descriptors((rlim_t)next);
	bed.tick_ns = NS_PER_MS;
	uint64_t turns = bed.loop.turns;
	WAIT(&bed, bed.net->stats.refused_full == 1);
	for (int i = 0; i < 20; i++) {
		plain_send(fd, "x", 1);
		WAIT(&bed, served->got_len > (size_t)i); /* the others are served meanwhile */
		bed_turn(&bed);
	}
	cr_expect(bed.loop.turns - turns < 500, "%llu turns: it spins on the listener",
		  (unsigned long long)(bed.loop.turns - turns));
	cr_expect_eq(bed.sides, 1);
	struct net_conn *conn;
	cr_expect_eq(net_connect(bed.net, (struct net_addr){ 0, 0 }, bed.listener->local,
				 &side_handler, &conn),
		     -EMFILE);
	limit_descriptors(0);
	WAIT(&bed, bed.sides == 2); /* it tries again on its own */
	plain_send(waiting, "y", 1);
	WAIT(&bed, bed.side[1].got_len == 1);
	close(fd);
	close(waiting);
}

Test(net_trouble, freed_while_it_accepts_no_more)
{
	bed_init(&bed, 10, 1 << 20);
	int waiting = plain_connect(bed.listener->local), next = dup(0);
	close(next);
	limit_descriptors((rlim_t)next);
	bed.tick_ns = NS_PER_MS;
	WAIT(&bed, bed.net->stats.refused_full == 1);
	limit_descriptors(0);
	net_unlisten(bed.listener);
	close(waiting);
}

static size_t none(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)side;
	(void)bytes;
	(void)len;
	(void)fresh;
	return 0;
}

enum { ALL = 2 * BUFFERS_CLASSES };

Test(net_trouble, no_buffer_left_to_keep_a_rest)
{
	struct side *server[ALL + 1];
	int fd[ALL + 1];

	bed_init(&bed, ALL + 2, 0); /* two a class */
	bed.take = none;
	for (int i = 0; i < ALL; i++) {
		fd[i] = plain_peer(&server[i]);
		plain_send(fd[i], "half a line", 11);
		WAIT(&bed, server[i]->rest_len == 11);
	}
	fd[ALL] = plain_peer(&server[ALL]);
	plain_send(fd[ALL], "half a line", 11);
	WAIT(&bed, server[ALL]->closed);
	cr_expect_eq(server[ALL]->error, -ENOBUFS);
	cr_expect_eq(bed.net->stats.buffers_short, 1);
	for (int i = 0; i < ALL; i++)
		cr_expect_eq(server[i]->closed, 0);
	close(fd[0]);
	WAIT(&bed, server[0]->closed);
	fd[0] = plain_peer(&server[0]);
	plain_send(fd[0], "half a line", 11);
	WAIT(&bed, server[0]->rest_len == 11); /* its buffer came back */
	for (int i = 0; i <= ALL; i++)
		close(fd[i]);
}

/* A peer that asks and asks and never reads. */
Test(net_trouble, no_buffer_left_to_send_from)
{
	struct side *server;
	char block[30000] = { 0 };
	int rc = 0;

	bed_init(&bed, 10, 1 << 20);
	int fd = plain_peer(&server);
	for (int i = 0; rc == 0 && i < 10000; i++)
		rc = net_send(server->conn, block, sizeof(block));
	cr_assert_eq(rc, -ENOBUFS);
	cr_expect_eq(server->closed, 0, "not from within the call");
	cr_expect_eq(net_send(server->conn, "x", 1), -ENOBUFS, "it stays broken");
	WAIT(&bed, server->closed);
	cr_expect_eq(server->error, -ENOBUFS);
	cr_expect_eq(bed.net->stats.buffers_short, 1);
	cr_expect_eq(bed.net->stats.open, 0);
	close(fd);
}

/* ---- many at once ---- */

static size_t flood_at_the_byte;

static size_t note_the_flood(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)fresh;
	if (bytes[0] == '!')
		flood_at_the_byte = bed.side[0].got_len + bed.side[1].got_len - side->got_len;
	return len;
}

Test(net_trouble, a_flood_does_not_starve_the_others)
{
	struct side *a, *b;
	char *block = calloc(1, 1 << 20);
	size_t flood = 0;
	ssize_t n;

	bed_init(&bed, 10, 1 << 20);
	bed.take = note_the_flood;
	int one = plain_peer(&a), other = plain_peer(&b), large = 8 << 20;
	setsockopt(one, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large));
	setsockopt(plain_other_end(one), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
	while (flood < 6 << 20 && (n = send(one, block, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		flood += (size_t)n;
	plain_send(other, "!", 1);
	WAIT(&bed, b->got_len == 1);
	cr_expect(flood_at_the_byte <= 16 * 65536, "%zu bytes first", flood_at_the_byte);
	if (flood > 2 << 20) /* as much as this system lets one send */
		cr_expect_lt(a->got_len, flood, "its turn came in between");
	WAIT(&bed, a->got_len == flood); /* nothing of it is forgotten */
	close(one);
	close(other);
	free(block);
}

/* A read stops in front of urgent data: what lies behind it must come all the same. */
Test(net_trouble, urgent_data_hides_nothing)
{
	struct side *server;

	bed_init(&bed, 10, 1 << 20);
	bed.handler = &ending_handler;
	for (int end = 0; end < 2; end++) {
		int fd = plain_peer(&server);
		plain_send(fd, "before", 6);
		cr_assert_eq(send(fd, "!", 1, MSG_OOB), 1);
		plain_send(fd, "behind", 6);
		if (end)
			shutdown(fd, SHUT_WR);
		WAIT(&bed, server->got_len >= 12);
		cr_expect_str_eq(server->got, "beforebehind");
		if (end)
			WAIT(&bed, server->ended);
		close(fd);
	}
}

Test(net_trouble, many_connections_come_and_go)
{
	int fd[30];

	bed_init(&bed, 30, 1 << 20);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 30; i++) {
			fd[i] = plain_connect(bed.listener->local);
			plain_send(fd[i], "data before it is accepted", 26);
		}
		WAIT(&bed, bed.net->stats.bytes_in == (uint64_t)(round + 1) * 30 * 26);
		for (int i = 0; i < 30; i++)
			close(fd[(i * 7) % 30]);
		bed.tick_ns = NS_PER_MS;
		WAIT(&bed, bed.net->stats.open == 0);
	}
	cr_expect(bed.net->stats.accepted == 60 && bed.net->stats.closed == 60);
	cr_expect_eq(bed.net->stats.open_max, 30);
	cr_expect_eq(bed.net->stats.refused_full, 0);
}

static void fires_never(struct timer *timer, int64_t now_ns)
{
	(void)timer;
	(void)now_ns;
	cr_expect_fail("the timer of a dead connection");
}

/* What ASan and the count of timers see: all is closed, nothing is lost. */
Test(net_trouble, freed_with_everything_open)
{
	struct side *a, *b;
	struct net_addr at;
	char byte;

	bed_init(&bed, 10, 1 << 20);
	bed.take = none;
	int one = plain_peer(&a), other = plain_peer(&b), silent = plain_listen(&at);
	plain_send(one, "a rest", 6);
	WAIT(&bed, a->rest_len == 6);
	a->conn->timer.fire = fires_never;
	loop_timer(&bed.loop, &a->conn->timer, 1);
	struct side *connecting = bed_connect(&bed, at, &side_handler);
	connecting->conn->timer.fire = fires_never;
	loop_timer(&bed.loop, &connecting->conn->timer, NS_PER_S);
	net_close(b->conn); /* dead, but this turn has not ended */
	bed_release(&bed);
	cr_expect(a->closed == 0 && connecting->closed == 0);
	cr_expect(recv(one, &byte, 1, 0) <= 0);
	plain_expect_end(other);
	close(one);
	close(other);
	close(silent);
	bed_init(&bed, 1, 0);
}

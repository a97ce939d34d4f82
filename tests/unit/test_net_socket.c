/*
 * Connections over the loopback device: what is sent, how it is cut, how it ends.
 */
#include "tests/support/net_bed.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

static struct bed bed;

static void setup(void)
{
	bed_init(&bed, 40, 1 << 22);
}

static void teardown(void)
{
	bed_release(&bed);
}

TestSuite(net_socket, .init = setup, .fini = teardown, .timeout = 60);

/* A connection from a plain socket; *ret is our end of it. */
static int plain_peer(struct side **ret)
{
	size_t before = bed.sides;
	int fd = plain_connect(bed.listener->local);

	WAIT(&bed, bed.sides > before);
	*ret = &bed.side[before];
	return fd;
}

/* ---- units there and back ---- */

static size_t echo(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)fresh;
	cr_assert_eq(net_send(side->conn, bytes, len), 0);
	return len;
}

static void greet(struct side *side)
{
	cr_expect_eq(net_send(side->conn, "hello\n", 6), 0);
}

Test(net_socket, units_between_two_of_our_own)
{
	bed.take = echo;
	struct side *client = bed_connect(&bed, bed.listener->local, &side_handler);
	client->on_open = greet;
	cr_expect_eq(net_send(client->conn, "x", 1), -EPIPE, "it is not open yet");
	cr_expect_eq(client->opened, 0, "never before the call returns");
	WAIT(&bed, client->got_len == 6);
	cr_expect_str_eq(client->got, "hello\n");
	cr_expect_eq(client->opened, 1);
	struct side *server = &bed.side[1];
	cr_expect_str_eq(server->got, "hello\n");
	cr_expect_eq(server->opened, 0, "accepted ones are announced by their listener");
	cr_expect(server->conn->local.port == bed.listener->local.port &&
		  server->conn->local.ip == LOOPBACK);
	cr_expect(client->conn->peer.port == bed.listener->local.port &&
		  client->conn->peer.ip == LOOPBACK);
	cr_expect(server->conn->peer.ip == LOOPBACK && server->conn->peer.port != 0);
	const struct net_stats *stats = &bed.net->stats;
	cr_expect(stats->accepted == 1 && stats->connected == 1 && stats->open == 2);
	cr_expect(stats->bytes_in == 12 && stats->bytes_out == 12);
	net_close(client->conn);
	WAIT(&bed, server->closed);
	cr_expect_eq(server->error, 0);
	cr_expect_eq(client->closed, 0, "no closed() behind our own close");
	cr_expect(stats->open == 0 && stats->closed == 2 && stats->open_max == 2);
}

Test(net_socket, from_an_address_of_its_own)
{
	const struct net_addr from = { UINT32_C(0x7f010203), 0 };
	struct net_conn *conn;

	cr_assert_eq(net_connect(bed.net, from, bed.listener->local, &side_handler, &conn), 0);
	bed_side(&bed, conn);
	WAIT(&bed, bed.sides == 2);
	cr_expect_eq(bed.side[1].conn->peer.ip, from.ip);
}

static void expect_no_delay(int plain)
{
	int no_delay = 0;
	socklen_t len = sizeof(no_delay);

	cr_assert_eq(getsockopt(plain_other_end(plain), IPPROTO_TCP, TCP_NODELAY, &no_delay, &len),
		     0);
	cr_expect(no_delay, "units wait for the ACK of those before");
}

/* The 40 ms of Nagle's algorithm and a delayed ACK would be measured as the target's. */
Test(net_socket, units_leave_at_once)
{
	struct net_addr at;
	int listener = plain_listen(&at), fd;
	struct side *server;

	fd = plain_peer(&server);
	expect_no_delay(fd);
	close(fd);
	struct side *client = bed_connect(&bed, at, &side_handler);
	WAIT(&bed, client->opened);
	fd = accept(listener, NULL, NULL);
	for (int i = 0; i < 2; i++) /* the first has nothing to wait for */
		cr_assert_eq(net_send(client->conn, "x", 1), 0);
	expect_no_delay(fd);
	close(fd);
	close(listener);
}

/* ---- what is not taken ---- */

/* Takes whole lines. */
static size_t lines(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	const char *last = memrchr(bytes, '\n', len);

	(void)side;
	(void)fresh; /* checked by the bed */
	return last != NULL ? (size_t)(last - bytes) + 1 : 0;
}

Test(net_socket, what_is_not_taken_comes_again)
{
	static const char *const parts[] = { "a", "bc", "d\nef", "g\n\n", "h", "\ni\nj" };
	struct side *server;

	bed.take = lines;
	bed.handler = &ending_handler;
	int fd = plain_peer(&server);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		int calls = server->calls;
		plain_send(fd, parts[i], strlen(parts[i]));
		WAIT(&bed, server->calls > calls);
	}
	cr_expect_str_eq(server->got, "abcd\nefg\n\nh\ni\n");
	cr_expect_eq(server->rest_len, 1);
	shutdown(fd, SHUT_WR);
	WAIT(&bed, server->ended);
	cr_expect_str_eq(server->got, "abcd\nefg\n\nh\ni\nj", "ended() has the rest");
	close(fd);
}

/* A reader of lines behind a sender that does not stop: every read is full, none ends a line. */
Test(net_socket, a_rest_before_full_reads)
{
	enum { LINE = 101, LINES = 30000 };
	struct side *server;
	char line[LINE];
	size_t sent = 0, total = (size_t)LINE * LINES;

	memset(line, 'x', sizeof(line));
	line[LINE - 1] = '\n';
	bed.take = lines;
	int fd = plain_peer(&server);
	while (sent < total) {
		size_t at = sent % LINE;
		ssize_t n = send(fd, line + at, LINE - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			sent += (size_t)n;
			continue;
		}
		cr_assert_eq(errno, EAGAIN, "%s", strerror(errno));
		size_t before = server->got_len;
		WAIT(&bed, server->got_len > before || server->closed);
		cr_assert_eq(server->closed, 0, "%s", strerror(-server->error));
	}
	WAIT(&bed, server->got_len == total || server->closed);
	cr_assert_eq(server->closed, 0, "%s", strerror(-server->error));
	cr_expect(server->last_len <= 65536);
	for (size_t i = 0; i < total; i++)
		cr_assert_eq(server->got[i] == '\n', i % LINE == LINE - 1, "byte %zu", i);
	close(fd);
}

static size_t none(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)side;
	(void)bytes;
	(void)len;
	(void)fresh;
	return 0;
}

Test(net_socket, who_takes_nothing_is_ended_at_64_kilobytes)
{
	struct side *server;
	char block[4096] = { 0 };

	bed.take = none;
	int fd = plain_peer(&server);
	for (int i = 0; i < 15; i++) {
		plain_send(fd, block, sizeof(block));
		WAIT(&bed, server->rest_len == (size_t)(i + 1) * sizeof(block));
	}
	plain_send(fd, block, sizeof(block) - 1);
	WAIT(&bed, server->rest_len == 65535);
	cr_expect_eq(server->closed, 0);
	plain_send(fd, "x", 1);
	WAIT(&bed, server->closed);
	cr_expect_eq(server->error, -ENOBUFS);
	cr_expect_eq(bed.net->stats.buffers_short, 1);
	close(fd);
}

Test(net_socket, whose_messages_are_longer_keeps_more)
{
	struct side *server;
	char *block = calloc(1, NET_REST_DEFAULT);

	bed.take = none;
	int fd = plain_peer(&server);
	server->conn->rest_max = 2 * NET_REST_DEFAULT;
	plain_send(fd, block, NET_REST_DEFAULT);
	WAIT(&bed, server->rest_len == NET_REST_DEFAULT);
	plain_send(fd, block, NET_REST_DEFAULT - 1);
	WAIT(&bed, server->rest_len == 2 * NET_REST_DEFAULT - 1);
	cr_expect_eq(server->closed, 0);
	plain_send(fd, "x", 1);
	WAIT(&bed, server->closed);
	cr_expect_eq(server->error, -ENOBUFS);
	free(block);
	close(fd);
}

/* ---- much ---- */

enum { MEGABYTE = 1 << 20, CHUNK = 60000 };

static size_t pumped;
static char *ocean;

/* Sends as long as the other side gives back: no more than a buffer's worth is under way. */
static void pump_behind(struct side *side, size_t back)
{
	while (pumped < MEGABYTE && pumped < back + CHUNK) {
		size_t n = MEGABYTE - pumped < 20000 ? MEGABYTE - pumped : 20000;
		cr_assert_eq(net_send(side->conn, ocean + pumped, n), 0);
		pumped += n;
	}
}

static void pump(struct side *side)
{
	pump_behind(side, 0);
}

static size_t take_and_pump(struct side *side, const char *bytes, size_t len, size_t fresh)
{
	(void)bytes;
	(void)fresh;
	pump_behind(side, side->got_len + len);
	return len;
}

static void fill_ocean(void)
{
	ocean = malloc(MEGABYTE);
	for (uint32_t i = 0; i < MEGABYTE; i++)
		ocean[i] = (char)(i * 2654435761u >> 24);
}

Test(net_socket, a_megabyte_there_and_back)
{
	fill_ocean();
	bed.take = echo;
	struct side *client = bed_connect(&bed, bed.listener->local, &side_handler);
	client->on_open = pump;
	client->take = take_and_pump;
	WAIT(&bed, client->got_len == MEGABYTE);
	cr_expect(memcmp(client->got, ocean, MEGABYTE) == 0);
	cr_expect(memcmp(bed.side[1].got, ocean, MEGABYTE) == 0);
	free(ocean);
}

/* What came by now. */
static size_t drain(int fd, char *got, size_t *len, size_t cap)
{
	ssize_t n;

	while (*len < cap && (n = recv(fd, got + *len, cap - *len, MSG_DONTWAIT)) > 0)
		*len += (size_t)n;
	return *len;
}

/* A peer that reads late: the kernel takes a part of a unit, the rest follows in order. */
static void expect_order(struct side *side, int fd)
{
	int small = 4096, in_kernel, at_peer;
	size_t len = 0, sent = 0;
	char *got = malloc(MEGABYTE);

	fill_ocean();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(plain_other_end(fd), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (; sent < 200000; sent += 10000) {
		cr_assert_eq(net_send(side->conn, ocean + sent, 10000), 0);
		ioctl(plain_other_end(fd), SIOCOUTQ, &in_kernel);
		ioctl(fd, FIONREAD, &at_peer);
		if ((size_t)in_kernel + (size_t)at_peer < sent)
			break; /* more than a unit waits with us, and one was cut */
	}
	sent += 10000;
	cr_assert_lt(sent, 200000, "the kernel took it all");
	for (int i = 0; i < 10; i++, sent += 100)
		cr_assert_eq(net_send(side->conn, ocean + sent, 100), 0);
	bed.tick_ns = NS_PER_MS;
	WAIT(&bed, drain(fd, got, &len, MEGABYTE) >= sent);
	cr_expect_eq(len, sent);
	cr_expect(memcmp(got, ocean, sent) == 0);
	/* The buffer went back: what follows goes straight to the kernel. */
	cr_assert_eq(net_send(side->conn, "after\n", 6), 0);
	plain_expect(fd, "after\n");
	free(ocean);
	free(got);
}

Test(net_socket, partial_writes_of_a_server)
{
	struct side *server;
	int fd = plain_peer(&server);

	expect_order(server, fd);
	close(fd);
}

Test(net_socket, partial_writes_of_a_client)
{
	struct net_addr at;
	int listener = plain_listen(&at);
	struct side *client = bed_connect(&bed, at, &side_handler);

	WAIT(&bed, client->opened);
	int fd = accept(listener, NULL, NULL);
	expect_order(client, fd);
	close(fd);
	close(listener);
}

/* ---- how it ends ---- */

static void answer_and_close(struct side *side)
{
	cr_expect_eq(net_send(side->conn, "bye", 3), 0);
	net_close(side->conn);
	side->conn = NULL;
}

Test(net_socket, a_half_closed_peer_is_answered)
{
	struct side *server;

	bed.handler = &ending_handler;
	bed.on_end = answer_and_close;
	int fd = plain_peer(&server);
	plain_send(fd, "question", 8);
	shutdown(fd, SHUT_WR); /* both arrive together */
	WAIT(&bed, server->ended);
	cr_expect_str_eq(server->got, "question");
	cr_expect_eq(server->closed, 0);
	plain_expect(fd, "bye");
	plain_expect_end(fd);
	close(fd);
}

Test(net_socket, a_half_closed_peer_is_answered_later)
{
	struct side *server;

	bed.handler = &ending_handler;
	int fd = plain_peer(&server);
	shutdown(fd, SHUT_WR);
	WAIT(&bed, server->ended);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(net_send(server->conn, "later ", 6), 0);
		plain_expect(fd, "later ");
	}
	answer_and_close(server);
	plain_expect(fd, "bye");
	plain_expect_end(fd);
	close(fd);
}

Test(net_socket, a_server_that_half_closes)
{
	struct net_addr at;
	int listener = plain_listen(&at);
	struct side *client = bed_connect(&bed, at, &ending_handler);

	WAIT(&bed, client->opened);
	int fd = accept(listener, NULL, NULL);
	plain_send(fd, "all", 3);
	shutdown(fd, SHUT_WR);
	WAIT(&bed, client->ended);
	cr_expect_str_eq(client->got, "all");
	cr_expect_eq(net_send(client->conn, "still", 5), 0);
	plain_expect(fd, "still");
	net_close(client->conn);
	plain_expect_end(fd);
	close(fd);
	close(listener);
}

/* Without ended() the end closes, behind all that came before it. */
Test(net_socket, data_and_end_together)
{
	struct side *server;
	char block[200000];

	memset(block, 'z', sizeof(block));
	for (size_t len = 1; len <= sizeof(block); len = len * 7 + 3) {
		int fd = plain_connect(bed.listener->local);
		plain_send(fd, block, len < 100000 ? len : 100000); /* before it is accepted */
		close(fd);
		size_t n = bed.sides;
		WAIT(&bed, bed.sides > n);
		server = &bed.side[n];
		WAIT(&bed, server->closed);
		cr_expect_eq(server->error, 0);
		cr_expect_eq(server->got_len, len < 100000 ? len : 100000);
	}
}

Test(net_socket, our_reset_is_one)
{
	struct side *server;
	char byte;

	int fd = plain_peer(&server);
	net_reset(server->conn);
	net_reset(server->conn); /* harmless */
	cr_expect_eq(recv(fd, &byte, 1, 0), -1);
	cr_expect_eq(errno, ECONNRESET);
	cr_expect_eq(server->closed, 0);
	close(fd);
}

static void expect_reset(const struct net_handler *handler, const char *before)
{
	struct side *server;

	bed.handler = handler;
	int fd = plain_peer(&server);
	if (before[0] != '\0')
		plain_send(fd, before, strlen(before));
	plain_reset(fd);
	WAIT(&bed, server->closed);
	cr_expect_eq(server->error, -ECONNRESET, "%s", strerror(-server->error));
	cr_expect_eq(server->ended, 0, "a reset is no end");
	cr_expect_eq(server->got_len, strlen(before), "what came before it counts");
}

Test(net_socket, a_reset_by_the_peer)
{
	expect_reset(&side_handler, "");
	expect_reset(&ending_handler, "");
	expect_reset(&side_handler, "data before");
	expect_reset(&ending_handler, "data before");
}

/* A send that meets the reset first takes its error from the kernel: closed() has it all the same.
 */
Test(net_socket, a_reset_that_a_send_finds)
{
	const struct net_handler *const handlers[] = { &side_handler, &ending_handler };
	struct side *server;

	for (int i = 0; i < 2; i++) {
		bed.handler = handlers[i];
		int fd = plain_peer(&server);
		plain_reset(fd);
		cr_expect_eq(net_send(server->conn, "x", 1), -ECONNRESET);
		cr_expect_eq(server->closed, 0, "not from within");
		cr_expect(net_send(server->conn, "x", 1) < 0);
		WAIT(&bed, server->closed);
		cr_expect_eq(server->error, -ECONNRESET, "%s", strerror(-server->error));
		cr_expect_eq(server->ended, 0);
	}
}

Test(net_socket, a_reset_behind_an_end)
{
	struct side *server;

	bed.handler = &ending_handler;
	int fd = plain_peer(&server);
	shutdown(fd, SHUT_WR);
	WAIT(&bed, server->ended);
	plain_reset(fd);
	WAIT(&bed, server->closed);
	cr_expect(server->error == -ECONNRESET || server->error == -EPIPE, "%s",
		  strerror(-server->error));
}

Test(net_socket, a_refused_connection)
{
	struct net_addr at;
	int listener = plain_listen(&at);

	close(listener);
	struct side *client = bed_connect(&bed, at, &ending_handler);
	cr_expect_eq(client->closed, 0, "not before net_connect() returns");
	WAIT(&bed, client->closed);
	cr_expect_eq(client->error, -ECONNREFUSED);
	cr_expect_eq(client->opened, 0);
	const struct net_stats *stats = &bed.net->stats;
	cr_expect(stats->connect_failed == 1 && stats->connected == 0 && stats->open == 0);
}

/*
 * Connections that are ready in the same turn: read, handled, and answered together.
 */
#include "tests/support/net_bed.h"

#include <stdio.h>

#define CONNS 300 /* more than a batch takes, and than a turn reports */

static struct bed bed;
static int peer[CONNS];
static struct side *side[CONNS];
static size_t order[2 * CONNS], ordered; /* which handler ran when */

static void setup(void)
{
	bed_init(&bed, CONNS + 4, 1 << 22);
	ordered = 0;
}

static void teardown(void)
{
	bed_release(&bed);
}

TestSuite(net_batch, .init = setup, .fini = teardown, .timeout = 60);

static size_t index_of(const struct side *what)
{
	size_t i = 0;

	while (side[i] != what)
		i++;
	return i;
}

static void connect_all(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t before = bed.sides;
		peer[i] = plain_connect(bed.listener->local);
		WAIT(&bed, bed.sides > before);
		side[i] = &bed.side[before];
	}
	/* A turn for what is ready as it begins: that the last of them can be written to. */
	bed.tick_ns = 1;
	bed_turn(&bed);
	bed.tick_ns = 0;
}

static void close_all(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (peer[i] >= 0)
			close(peer[i]);
}

/* What each says is there before the loop looks. */
static void all_say(size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		plain_send(peer[i], text, strlen(text));
}

static size_t answer(struct side *what, const char *bytes, size_t len, size_t fresh)
{
	(void)bytes;
	(void)fresh;
	order[ordered++] = index_of(what);
	cr_expect_eq(net_send(what->conn, "yes\n", 4), 0);
	return len;
}

Test(net_batch, all_are_answered_in_the_order_in_which_they_spoke)
{
	bed.take = answer;
	connect_all(CONNS);
	all_say(CONNS, "well?\n");
	WAIT(&bed, ordered == CONNS);
	for (size_t i = 0; i < CONNS; i++) {
		cr_expect_eq(order[i], i);
		plain_expect(peer[i], "yes\n");
	}
	cr_expect_eq(bed.net->stats.reads, CONNS);
	cr_expect_eq(bed.net->stats.writes, CONNS);
	close_all(CONNS);
}

Test(net_batch, the_order_holds_around_one_that_ends)
{
	bed.take = answer;
	connect_all(5);
	for (size_t i = 0; i < 5; i++) {
		plain_send(peer[i], "well?\n", 6);
		if (i == 2)
			shutdown(peer[i], SHUT_WR);
	}
	WAIT(&bed, ordered == 5 && side[2]->closed);
	for (size_t i = 0; i < 5; i++) {
		cr_expect_eq(order[i], i);
		plain_expect(peer[i], "yes\n");
	}
	plain_expect_end(peer[2]);
	close_all(5);
}

static size_t answer_and_close(struct side *what, const char *bytes, size_t len, size_t fresh)
{
	answer(what, bytes, len, fresh);
	net_close(what->conn);
	return len;
}

Test(net_batch, an_answer_leaves_before_its_connection_is_closed)
{
	bed.take = answer_and_close;
	connect_all(8);
	all_say(8, "well?\n");
	WAIT(&bed, ordered == 8);
	for (size_t i = 0; i < 8; i++) {
		plain_expect(peer[i], "yes\n");
		plain_expect_end(peer[i]);
	}
	close_all(8);
}

static size_t close_the_next(struct side *what, const char *bytes, size_t len, size_t fresh)
{
	size_t i = index_of(what);

	answer(what, bytes, len, fresh);
	if (i % 2 == 0)
		net_close(side[i + 1]->conn);
	return len;
}

Test(net_batch, one_that_another_closed_hears_nothing)
{
	bed.take = close_the_next;
	connect_all(6);
	all_say(6, "well?\n");
	WAIT(&bed, ordered >= 3);
	cr_expect_eq(ordered, 3);
	for (size_t i = 0; i < 6; i += 2) {
		cr_expect_eq(order[i / 2], i);
		plain_expect(peer[i], "yes\n");
	}
	cr_expect_eq(bed.net->stats.open, 3);
	close_all(6);
}

/* To oneself and to others, small and large: each connection gets its bytes as they were sent. */
static char large[9000];

static size_t tell_all(struct side *what, const char *bytes, size_t len, size_t fresh)
{
	size_t i = index_of(what);
	char text[16];

	(void)bytes;
	(void)fresh;
	order[ordered++] = i;
	snprintf(text, sizeof(text), "from %zu\n", i);
	for (size_t to = 0; to < 3; to++)
		cr_expect_eq(net_send(side[to]->conn, text, strlen(text)), 0);
	if (i == 1)
		cr_expect_eq(net_send(what->conn, large, sizeof(large)), 0);
	cr_expect_eq(net_send(what->conn, "end\n", 4), 0);
	return len;
}

Test(net_batch, answers_and_what_others_send_keep_their_order)
{
	char got[sizeof(large)];

	memset(large, 'x', sizeof(large));
	bed.take = tell_all;
	connect_all(3);
	all_say(3, "go\n");
	WAIT(&bed, ordered == 3);
	plain_expect(peer[0], "from 0\nend\nfrom 1\nfrom 2\n");
	plain_expect(peer[1], "from 0\nfrom 1\n");
	cr_assert_eq(recv(peer[1], got, sizeof(got), MSG_WAITALL), (ssize_t)sizeof(got));
	cr_expect(memcmp(got, large, sizeof(got)) == 0);
	plain_expect(peer[1], "end\nfrom 2\n");
	plain_expect(peer[2], "from 0\nfrom 1\nfrom 2\nend\n");
	close_all(3);
}

/* More for one than the answers of a batch have room for. */
static size_t answer_at_length(struct side *what, const char *bytes, size_t len, size_t fresh)
{
	char text[1024];

	(void)bytes;
	(void)fresh;
	ordered++;
	for (int i = 0; i < 100; i++) {
		memset(text, 'a' + i % 26, sizeof(text));
		cr_expect_eq(net_send(what->conn, text, sizeof(text)), 0);
	}
	return len;
}

Test(net_batch, more_answers_than_a_batch_holds)
{
	char got[1024];

	bed.take = answer_at_length;
	connect_all(2);
	all_say(2, "go\n");
	WAIT(&bed, ordered == 2);
	for (size_t p = 0; p < 2; p++) {
		for (int i = 0; i < 100; i++) {
			cr_assert_eq(recv(peer[p], got, sizeof(got), MSG_WAITALL), 1024);
			cr_expect(got[0] == 'a' + i % 26 && got[1023] == got[0], "%d", i);
		}
	}
	close_all(2);
}

/* The peer of the first is gone by the time the answers leave. */
static size_t answer_one_that_left(struct side *what, const char *bytes, size_t len, size_t fresh)
{
	if (index_of(what) == 0) {
		plain_reset(peer[0]);
		peer[0] = -1;
	}
	return answer(what, bytes, len, fresh);
}

Test(net_batch, an_answer_that_finds_a_reset_ends_its_connection_alone)
{
	bed.take = answer_one_that_left;
	connect_all(4);
	all_say(4, "well?\n");
	WAIT(&bed, ordered == 4 && side[0]->closed);
	cr_expect_eq(side[0]->error, -ECONNRESET, "%s", strerror(-side[0]->error));
	for (size_t i = 1; i < 4; i++) {
		plain_expect(peer[i], "yes\n");
		cr_expect_eq(side[i]->closed, 0);
	}
	close_all(4);
}

static size_t stop(struct side *what, const char *bytes, size_t len, size_t fresh)
{
	answer(what, bytes, len, fresh);
	loop_stop(&bed.loop);
	return len;
}

Test(net_batch, behind_a_stop_nothing_is_handled_and_nothing_is_lost)
{
	bed.take = stop;
	connect_all(3);
	all_say(3, "well?\n");
	bed_turn(&bed);
	cr_expect_eq(ordered, 1);
	plain_expect(peer[0], "yes\n");
	/* It comes with what is said next, as any rest. */
	for (size_t i = 1; i < 3; i++) {
		side[i]->take = NULL;
		side[i]->rest_len = 6;
		plain_send(peer[i], "now\n", 4);
		WAIT(&bed, side[i]->got_len > 0);
		cr_expect_str_eq(side[i]->got, "well?\nnow\n");
	}
	close_all(3);
}

/* Small and large reads of one connection by turns: nothing is held back or mixed up. */
Test(net_batch, small_and_large_reads_of_one_connection)
{
	static char big[20000];
	size_t total = 0;

	connect_all(2);
	for (int i = 0; i < 50; i++) {
		size_t len = i % 3 == 0 ? sizeof(big) : i % 3 == 1 ? 1024 : 100;
		memset(big, 'a' + i % 26, len);
		plain_send(peer[0], big, len);
		plain_send(peer[1], "x", 1);
		total += len;
		WAIT(&bed, side[0]->got_len == total && side[1]->got_len == (size_t)i + 1);
		cr_expect(side[0]->got[total - len] == 'a' + i % 26 &&
			  side[0]->got[total - 1] == 'a' + i % 26);
	}
	close_all(2);
}

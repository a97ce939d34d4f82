/* Faults at the proxy: what each does to a unit that goes by. */
#include "tests/support/sniff_bed.h"

#include <poll.h>

TestSuite(sniff_faults, .init = bed_begin, .fini = bed_end);

#define ANSWER "{\"type\": \"pong\", \"id\": \"msg_1\", \"data\": {\"status\": \"alive\"}}\n"
#define SECOND "{\"type\": \"standing\", \"id\": \"msg_2\"}\n"

static char line[PEER_LINE];

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* All that comes until so much is there, or the end; how many reads it took. */
static size_t gather(int fd, char *buf, size_t want)
{
	size_t len = 0, reads = 0;

	while (len < want) {
		ssize_t n = recv(fd, buf + len, want - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
		reads++;
	}
	buf[len] = '\0';
	return reads;
}

/* ---- what becomes of the bytes ---- */

static const struct changed {
	const char *fault, *expected;
} changed[] = {
	{ "upper_type",
	  "{\"type\": \"PONG\", \"id\": \"msg_1\", \"data\": {\"status\": \"alive\"}}\n" },
	{ "bad_utf8",
	  "{\"type\": \"pong\", \"id\": \"msg_1\", \"data\": {\"status\": \"\377live\"}}\n" },
	{ "cut_json", "{\"type\": \"pong\", \"id\": \"msg_1\"\n" },
	{ "cut_json, factor 0", "\n" },
	{ "no_newline",
	  "{\"type\": \"pong\", \"id\": \"msg_1\", \"data\": {\"status\": \"alive\"}}" },
	{ "duplicate", ANSWER ANSWER },
	{ "close_middle, factor 0.25", "{\"type\": \"pong\"" },
	{ "delay, time 0", ANSWER },
	{ "delay, probability 0", ANSWER },
	{ "drop, for 1ns", ANSWER },
};

Test(sniff_faults, the_bytes)
{
	for (size_t i = 0; i < sizeof(changed) / sizeof(*changed); i++) {
		const struct changed *c = &changed[i];
		SNIFF("snyper", "--fault", c->fault);
		bed_connect();
		if (strstr(c->fault, "1ns") != NULL) /* let its time pass: a loop turn does */
			peer_say(bed.client, ANSWER), peer_line(bed.server, line);
		peer_say(bed.server, ANSWER);
		close(bed.server);
		bed.server = -1;
		gather(bed.client, line, sizeof(line) - 1); /* and no more */
		cr_expect_str_eq(line, c->expected, "%s: %s", c->fault, line);
		close(bed.client);
		bed.client = -1;
		bed_stop(0);
		e2e_forget(bed.emu);
	}
}

Test(sniff_faults, garbage_is_as_long_as_asked_and_the_seed_decides)
{
	char first[64], again[64];

	for (int i = 0; i < 3; i++) {
		SNIFF("snyper", "--fault", "garbage, bytes 40", "--seed", i == 2 ? "8" : "7");
		bed_connect();
		peer_say(bed.server, ANSWER);
		gather(bed.client, i == 0 ? first : again, 40);
		if (i > 0)
			cr_expect_eq(memcmp(first, again, 40) == 0, i == 1, "run %d", i);
		close(bed.client);
		close(bed.server);
		bed.client = bed.server = -1;
		bed_stop(0);
		e2e_forget(bed.emu);
	}
}

Test(sniff_faults, stale_is_the_one_before)
{
	SNIFF("snyper", "--fault", "stale");
	bed_connect();
	peer_say(bed.server, ANSWER);
	peer_line(bed.client, line);
	cr_expect_str_eq(line, ANSWER, "there is none before the first");
	peer_say(bed.server, SECOND);
	peer_line(bed.client, line);
	cr_expect_str_eq(line, ANSWER);
	bed_stop(0);
	emu_expect_prints(bed.emu, "[fault stale]");
	emu_expect_prints(bed.emu, "1 faults struck");
}

Test(sniff_faults, on_the_client_what_the_client_sends)
{
	SNIFF("snyper", "--fault", "upper_type", "--on", "client", "--record", "@D/rec.jsonl");
	bed_connect();
	peer_say(bed.client, SECOND);
	peer_line(bed.server, line);
	cr_expect_str_eq(line, "{\"type\": \"STANDING\", \"id\": \"msg_2\"}\n");
	peer_say(bed.server, ANSWER);
	peer_line(bed.client, line);
	cr_expect_str_eq(line, ANSWER);
	bed_stop(0);
	char *text = bed_slurp("@D/rec.jsonl", NULL);
	cr_expect_not_null(strstr(text,
				  "\"ev\": \"fault\", \"text\": \"upper_type\", \"was_utf8\": "
				  "\"{\\\"type\\\": \\\"standing\\\""),
			   "%s", text);
	cr_expect_not_null(strstr(text, "\"bytes_utf8\": \"{\\\"type\\\": \\\"STANDING\\\""), "%s",
			   text);
	free(text);
}

/* ---- when, and in what pieces ---- */

Test(sniff_faults, delay_keeps_the_order)
{
	SNIFF("snyper", "--fault", "delay, time 150ms");
	bed_connect();
	int64_t start = now_ms();
	peer_say(bed.server, ANSWER);
	peer_say(bed.server, SECOND);
	gather(bed.client, line, strlen(ANSWER SECOND));
	cr_expect_str_eq(line, ANSWER SECOND);
	cr_expect_geq(now_ms() - start, 149);
	bed_stop(0);
}

Test(sniff_faults, split_and_trickle_and_bandwidth_take_their_time)
{
	static const struct {
		const char *fault;
		size_t reads;
		int64_t ms;
	} paced[] = {
		{ "split, count 3, time 30ms", 3, 59 },
		{ "trickle, bytes 20, time 20ms", (sizeof(ANSWER) - 1 + 19) / 20, 39 },
		{ "bandwidth, bytes 500", (sizeof(ANSWER) - 1 + 9) / 10, 99 },
	};

	for (size_t i = 0; i < 3; i++) {
		SNIFF("snyper", "--fault", paced[i].fault);
		bed_connect();
		int64_t start = now_ms();
		peer_say(bed.server, ANSWER);
		size_t reads = gather(bed.client, line, strlen(ANSWER));
		cr_expect_str_eq(line, ANSWER);
		/* Under load two pieces may be found in one read, never one in two. */
		cr_expect_leq(reads, paced[i].reads, "%s: %zu", paced[i].fault, reads);
		cr_expect_gt(reads, 1, "%s", paced[i].fault);
		cr_expect_geq(now_ms() - start, paced[i].ms, "%s", paced[i].fault);
		close(bed.client);
		close(bed.server);
		bed.client = bed.server = -1;
		bed_stop(0);
		e2e_forget(bed.emu);
	}
}

Test(sniff_faults, coalesce_makes_one_of_two)
{
	SNIFF("snyper", "--fault", "coalesce, time 20s");
	bed_connect();
	peer_say(bed.server, ANSWER);
	/* The first is held: nothing comes, and the second takes it along. */
	struct pollfd silent = { bed.client, POLLIN, 0 };
	cr_expect_eq(poll(&silent, 1, 100), 0);
	peer_say(bed.server, SECOND);
	cr_expect_eq(peer_recv(bed.client, line, sizeof(line)), (ssize_t)strlen(ANSWER SECOND));
	cr_expect_str_eq(line, ANSWER SECOND);
	bed_stop(0);
}

/* ---- how it ends ---- */

Test(sniff_faults, instead_of_the_answer)
{
	static const struct {
		const char *fault;
		int end;
	} ends[] = { { "close_before", 0 }, { "reset", -ECONNRESET } };

	for (size_t i = 0; i < 2; i++) {
		SNIFF("snyper", "--fault", ends[i].fault);
		bed_connect();
		peer_say(bed.server, ANSWER);
		cr_expect_eq(peer_end_of(bed.client), ends[i].end, "%s", ends[i].fault);
		close(bed.client);
		close(bed.server);
		bed.client = bed.server = -1;
		bed_stop(0);
		e2e_forget(bed.emu);
	}
}

Test(sniff_faults, dropped_and_the_connection_stays)
{
	SNIFF("snyper", "--fault", "drop, probability 0.5, seed 3");
	bed_connect();
	for (int i = 0; i < 40; i++) {
		char numbered[80];
		snprintf(numbered, sizeof(numbered), "{\"type\": \"pong\", \"id\": %d}\n", i);
		peer_say(bed.server, numbered);
		peer_say(bed.client, SECOND); /* one by one: a unit each */
		peer_line(bed.server, line);
	}
	close(bed.server);
	bed.server = -1;
	size_t len = 0;
	for (ssize_t n; (n = recv(bed.client, line + len, sizeof(line) - 1 - len, 0)) > 0;)
		len += (size_t)n;
	line[len] = '\0';
	size_t came = bed_count(line, "\n");
	cr_expect(came > 5 && came < 35, "%zu of 40", came);
	bed_stop(0);
	emu_expect_prints(bed.emu, "[fault drop]");
}

Test(sniff_faults, a_frame_is_cut_with_its_length)
{
	SNIFF("framed", "--fault", "cut_json");
	bed_connect();
	peer_send(bed.server, "\0\0\0\x10{\"type\": \"pong\"}", 20);
	cr_expect_eq(peer_recv(bed.client, line, sizeof(line)), 12);
	cr_expect_eq(memcmp(line, "\0\0\0\x08{\"type\":", 12), 0);
	bed_stop(0);
}

Test(sniff_faults, what_makes_no_sense_is_refused)
{
	static const char *const wrong[][3] = {
		{ "snyper", "jam", "is nothing that a proxy could do; it can: silent, delay" },
		{ "agent", "cut_json", "makes no sense for a proxy of the wire \"agent\"" },
		{ "http", "no_newline", "makes no sense for a proxy of the wire \"http\"" },
		{ "snyper", "dely", "did you mean \"delay\"" },
		{ "snyper", "delay, time soon", "\"soon\"" },
		{ "snyper", "delay, count 3", "has no such parameter; it takes: time" },
		{ "snyper", "delay, probability 2", "out of range" },
		{ "snyper", "delay, every 3s", "needs `for`" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct process *emu = EMU("sniff", wrong[i][0], "--listen", "@A.3.1:@P", "--to",
					  "@A.0.1:@Q", "--fault", wrong[i][1]);
		emu_expect_code(emu, 2);
		emu_expect_says(emu, wrong[i][2]);
		e2e_forget(emu);
	}
}

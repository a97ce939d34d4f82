/* Captures: the bytes of ours, and what is read out of anybody's. */
#include "emulator/sniff/capture.h"
#include "emulator/sniff/pcapng_write.h"
#include "emulator/sniff/streams.h"
#include "tests/support/guard.h"
#include "tests/support/hex.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLIENT ((struct net_addr){ 0x0a000001, 1000 })
#define SERVER ((struct net_addr){ 0x0a000002, 8081 })

/* ---- what is told ---- */

static char told[4096];
static size_t told_len;

static void tell(void *owner, const struct happened *h)
{
	static const char *const kinds[] = { "open",  "",        "eof",  "reset",
					     "close", "refused", "lost", "fault" };
	char text[128] = "";

	(void)owner;
	if (h->kind == HAPPENED_BYTES)
		snprintf(text, sizeof(text), "%.*s", (int)h->bytes.len, h->bytes.at);
	else if (h->text != NULL)
		snprintf(text, sizeof(text), "%s %s", kinds[h->kind], h->text);
	else
		snprintf(text, sizeof(text), "%s", kinds[h->kind]);
	told_len += (size_t)snprintf(told + told_len, sizeof(told) - told_len, "%u%s%s|", h->conn,
				     h->way == TO_SERVER ? ">" : "<", text);
}

static struct streams *streams;

static void begin(void)
{
	told_len = 0;
	told[0] = '\0';
	cr_assert_eq(streams_new(tell, NULL, &streams), 0);
}

static void end(void)
{
	streams_free(streams);
}

/* flags: of S, A, F, R. */
static void segment(bool from_client, const char *flags, uint32_t seq, const char *bytes,
		    size_t missing)
{
	struct net_addr from = from_client ? CLIENT : SERVER, to = from_client ? SERVER : CLIENT;
	struct segment s = { .from_ip = from.ip,
			     .to_ip = to.ip,
			     .from_port = from.port,
			     .to_port = to.port,
			     .seq = seq,
			     .syn = strchr(flags, 'S') != NULL,
			     .ack = strchr(flags, 'A') != NULL,
			     .fin = strchr(flags, 'F') != NULL,
			     .rst = strchr(flags, 'R') != NULL,
			     .bytes = bytes,
			     .len = strlen(bytes),
			     .missing = missing };

	streams_segment(streams, &s, 0);
}

static void shake(uint32_t client_seq, uint32_t server_seq)
{
	segment(true, "S", client_seq, "", 0);
	segment(false, "SA", server_seq, "", 0);
	segment(true, "A", client_seq + 1, "", 0);
}

TestSuite(streams, .init = begin, .fini = end);

Test(streams, in_order_out_of_order_and_twice)
{
	shake(UINT32_MAX - 3, 500); /* the numbers wrap in the first bytes */
	segment(true, "A", UINT32_MAX - 2, "ab", 0);
	segment(true, "A", 1, "efg", 0); /* before its turn */
	segment(true, "A", UINT32_MAX - 2, "ab", 0);
	segment(true, "A", UINT32_MAX, "cdef", 0); /* overlaps both */
	segment(false, "A", 501, "yes", 0);
	segment(false, "A", 500, "?", 0); /* a keep-alive's old byte */
	segment(true, "FA", 4, "", 0);
	segment(false, "FA", 504, "!", 0);
	segment(true, "A", 5, "", 0);
	streams_end(streams, 0);
	cr_expect_str_eq(told, "1>open|1>ab|1>cdef|1>g|1<yes|1>eof|1<!|1<eof|1>close|");
}

Test(streams, what_is_not_there_is_said)
{
	shake(100, 500);
	segment(true, "A", 101, "ab", 0);
	segment(true, "A", 106, "gh", 0);
	segment(false, "A", 501, "12", 3); /* cut off by the capture */
	segment(false, "A", 506, "6", 0);
	streams_end(streams, 0);
	cr_expect_str_eq(told, "1>open|1>ab|1<12|1<lost 3 bytes were cut off by the capture|1<6|"
			       "1>lost 3 bytes are not in the capture|1>gh|1>close|");
}

Test(streams, a_hole_is_given_up_when_much_waits_behind_it)
{
	shake(100, 500);
	for (uint32_t i = 0; i < 300; i++)
		segment(true, "A", 111 + i, "x", 0);
	cr_expect_not_null(strstr(told, "lost 10 bytes are not in the capture"));
	streams_end(streams, 0);
}

Test(streams, refused_reset_and_the_same_ports_again)
{
	segment(true, "S", 7, "", 0);
	segment(false, "RA", 0, "", 0);
	shake(100, 500);
	segment(true, "S", 100, "", 0); /* once more, late */
	segment(true, "A", 101, "a", 0);
	segment(true, "RA", 102, "", 0);
	shake(900, 800);
	segment(true, "A", 901, "b", 0);
	shake(40000, 80); /* without an end before it */
	streams_end(streams, 0);
	cr_expect_str_eq(told, "1>open|1<refused Connection refused|2>open|2>a|2>reset|2>close|"
			       "3>open|3>b|3>close|4>open|4>close|");
}

Test(streams, a_capture_that_begins_in_the_middle)
{
	segment(false, "A", 700, "answer", 0); /* port 8081 is the server's */
	segment(true, "A", 90, "ask", 0);
	segment(true, "A", 93, "", 0);
	streams_end(streams, 0);
	cr_expect_str_eq(told, "1>open|1<answer|1>ask|1>close|");
}

Test(streams, an_end_in_front_of_what_came)
{
	shake(100, 500);
	segment(true, "A", 101, "abcdef", 0);
	segment(true, "FA", 102, "", 0); /* a lie */
	segment(true, "A", 200, "z", 0);
	streams_end(streams, 0);
	cr_expect_not_null(strstr(told, "1>abcdef|"));
	cr_expect_not_null(strstr(told, "1>close|"));
}

/* ---- frames ---- */

static const char ip_tcp[] = "45000029 00004000 40060000 0a000001 0a000002"
			     "03e81f91 00000001 00000002 50180000 00000000 78";

static void link_is(uint16_t link, const char *head, enum segment_kind expected)
{
	char hex[512], bytes[256];
	struct segment segment;

	snprintf(hex, sizeof(hex), "%s%s", head, ip_tcp);
	size_t len = hex_bytes(hex, bytes);
	char *copy = guard_copy(bytes, len);
	struct captured packet = { .link = link, .bytes = (unsigned char *)copy, .len = len };
	packet.whole = len;
	cr_assert_eq(segment_of(&packet, &segment), expected, "link %u", link);
	if (expected == SEGMENT_TCP) {
		cr_expect_eq(segment.from_ip, 0x0a000001);
		cr_expect_eq(segment.to_port, 8081);
		cr_expect(segment.len == 1 && segment.bytes[0] == 'x' && segment.missing == 0);
	}
	guard_free(copy, len);
	/* Cut anywhere it is malformed, or has bytes missing; never read past. */
	for (size_t cut = 0; cut < len; cut++) {
		copy = guard_copy(bytes, cut);
		packet.bytes = (unsigned char *)copy;
		packet.len = cut;
		enum segment_kind kind = segment_of(&packet, &segment);
		cr_expect(kind != SEGMENT_TCP || segment.missing + segment.len == 1, "cut at %zu",
			  cut);
		guard_free(copy, cut);
	}
}

Test(frames, of_every_link)
{
	link_is(101, "", SEGMENT_TCP);
	link_is(228, "", SEGMENT_TCP);
	link_is(0, "02000000", SEGMENT_TCP);
	link_is(1, "000000000000 000000000000 0800", SEGMENT_TCP);
	link_is(1, "000000000000 000000000000 8100 0005 0800", SEGMENT_TCP);
	link_is(1, "000000000000 000000000000 0806", SEGMENT_OTHER);
	link_is(113, "0000 0304 0006 0000000000000000 0800", SEGMENT_TCP);
	link_is(276, "0800 0000 00000001 0304 00 06 0000000000000000", SEGMENT_TCP);
}

/* ---- ours, to the byte ---- */

static void write_and_read(char *bytes, size_t cap, size_t *ret_len, const struct happened *all,
			   size_t n)
{
	char path[] = "/tmp/sniff_capture_XXXXXX";
	int fd = mkstemp(path);
	static struct out_file out;
	struct pcapng_conn conn = { .open = false };

	cr_assert(fd >= 0 && out_open(&out, path) == 0);
	pcapng_begin(&out, "test");
	for (size_t i = 0; i < n; i++)
		pcapng_put(&out, &conn, &all[i], 1000000000);
	cr_assert_eq(out_close(&out), 0);
	ssize_t len = read(fd, bytes, cap);
	cr_assert_gt(len, 0);
	*ret_len = (size_t)len;
	close(fd);
	unlink(path);
}

Test(pcapng, the_blocks_of_an_empty_capture)
{
	static const char expected[] =
		"0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff 0400 0400 74657374"
		"00000000 28000000"
		"01000000 2c000000 6500 0000 00000000 0200 0800 7175696e7461696e"
		"0900 0100 09000000 00000000 2c000000";
	char bytes[256], wanted[256];
	size_t len, wanted_len = hex_bytes(expected, wanted);

	write_and_read(bytes, sizeof(bytes), &len, NULL, 0);
	cr_assert_eq(len, wanted_len);
	cr_expect_eq(memcmp(bytes, wanted, len), 0);
}

Test(pcapng, what_was_written_is_read)
{
	static char bytes[200000], large[70000];
	const struct happened all[] = {
		{ .kind = HAPPENED_OPEN, .conn = 1, .client = CLIENT, .to = SERVER },
		{ .kind = HAPPENED_BYTES, .conn = 1, .t_ns = 5, .bytes = { "ask", 3 } },
		{ .kind = HAPPENED_FAULT, .conn = 1, .text = "drop", .bytes = { "no", 2 } },
		{ .kind = HAPPENED_BYTES, .way = TO_CLIENT, .conn = 1, .bytes = { large, 70000 } },
		{ .kind = HAPPENED_EOF, .conn = 1 },
		{ .kind = HAPPENED_EOF, .way = TO_CLIENT, .conn = 1 },
		{ .kind = HAPPENED_CLOSE, .conn = 1 },
	};
	struct capture capture;
	struct captured packet;
	struct qn_fault fault;
	struct segment segment;
	size_t len, packets = 0, back = 0;

	memset(large, 'y', sizeof(large));
	write_and_read(bytes, sizeof(bytes), &len, all, sizeof(all) / sizeof(*all));
	char *copy = guard_copy(bytes, len);
	cr_assert(capture_open(&capture, copy, len));
	while (capture_next(&capture, &packet, &fault) == CAPTURE_PACKET) {
		cr_assert_eq(segment_of(&packet, &segment), SEGMENT_TCP);
		cr_expect_eq(packet.at_ns / 1000, 1000000);
		if (segment.from_port == 8081)
			back += segment.len;
		packets++;
	}
	cr_expect_eq(back, 70000);
	cr_expect_eq(packets, 3 + 1 + 1 + 2 + 2 + 1);
	guard_free(copy, len);
	/* A file that breaks off says so, wherever that is. */
	for (size_t cut = 1; cut < 300; cut++) {
		copy = guard_copy(bytes, cut);
		size_t n = 0;
		enum capture_step step = CAPTURE_BROKEN;
		if (capture_open(&capture, copy, cut))
			while ((step = capture_next(&capture, &packet, &fault)) == CAPTURE_PACKET)
				n++;
		cr_expect(n <= 4);
		cr_expect(step == CAPTURE_BROKEN || cut == 40 || cut == 84 || (cut - 84) % 4 == 0,
			  "cut at %zu", cut);
		guard_free(copy, cut);
	}
}

Test(pcap, classic_of_both_byte_orders_and_resolutions)
{
	static const struct {
		const char *head, *record;
		int64_t at_ns;
	} files[] = {
		{ "d4c3b2a1 0200 0400 00000000 00000000 ffff0000 65000000",
		  "02000000 03000000 29000000 29000000", 2000003000 },
		{ "4d3cb2a1 0200 0400 00000000 00000000 ffff0000 65000000",
		  "02000000 03000000 29000000 29000000", 2000000003 },
		{ "a1b2c3d4 0002 0004 00000000 00000000 0000ffff 00000065",
		  "00000002 00000003 00000029 00000029", 2000003000 },
	};

	for (size_t i = 0; i < 3; i++) {
		char hex[512], bytes[256];
		struct capture capture;
		struct captured packet;
		struct qn_fault fault;
		struct segment segment;
		snprintf(hex, sizeof(hex), "%s%s%s", files[i].head, files[i].record, ip_tcp);
		size_t len = hex_bytes(hex, bytes);
		char *copy = guard_copy(bytes, len);
		cr_assert(capture_open(&capture, copy, len));
		cr_assert_eq(capture_next(&capture, &packet, &fault), CAPTURE_PACKET, "%zu", i);
		cr_expect_eq(packet.at_ns, files[i].at_ns);
		cr_expect_eq(segment_of(&packet, &segment), SEGMENT_TCP);
		cr_expect_eq(capture_next(&capture, &packet, &fault), CAPTURE_END);
		guard_free(copy, len);
	}
}

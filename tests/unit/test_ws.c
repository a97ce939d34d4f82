/*
 * WebSocket frames: one table of streams, each fed whole, byte by byte and cut at every byte, up to
 * a guard page; what comes out is written down as a line of text.
 */
#include "proto/ws/ws.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 20000

static struct qn_ws_shared shared;
static void *memory;

static void set_up(void)
{
	memory = malloc(qn_ws_shared_bytes(MESSAGE_MAX, 2));
	REQUIRE(memory != NULL);
	REQUIRE(qn_ws_shared_init(&shared, memory, MESSAGE_MAX, 2));
}

static void tear_down(void)
{
	qn_ws_shared_release(&shared);
	free(memory);
}

TestSuite(ws, .init = set_up, .fini = tear_down);

struct bytes {
	const char *at;
	size_t len;
};
#define B(literal)                                                                                 \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

struct frames_case {
	struct bytes in;
	enum qn_ws_role role; /* ours */
	bool deflate;
	const char *out;
};

/* RFC 6455, 5.7, and its sentences one by one. */
static const struct frames_case cases[] = {
	{ B("\x81\x05Hello"), QN_WS_CLIENT, false, "text(Hello) " },
	{ B("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), QN_WS_SERVER, false, "text(Hello) " },
	{ B("\x01\x03Hel\x80\x02lo"), QN_WS_CLIENT, false, "text(Hello) " },
	{ B("\x89\x05Hello\x8a\x05Hello"), QN_WS_CLIENT, false, "ping(Hello) pong(Hello) " },
	{ B("\x82\x02\xff\x00"), QN_WS_CLIENT, false, "binary(\\xff\\x00) " },
	{ B("\x81\x00\x82\x00\x89\x00\x8a\x00"), QN_WS_CLIENT, false,
	  "text() binary() ping() pong() " },
	/* A control frame between the fragments of a message. */
	{ B("\x01\x03Hel\x89\x01p\x00\x00\x80\x02lo\x81\x01x"), QN_WS_CLIENT, false,
	  "ping(p) text(Hello) text(x) " },
	{ B("\x01\x00\x80\x00"), QN_WS_CLIENT, false, "text() " },
	/* 126 and 127 where the length needs no such. */
	{ B("\x81\x7e\x00\x05Hello"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x81\x7f\x00\x00\x00\x00\x00\x00\x20\x00"), QN_WS_CLIENT, false, "fail 1002 " },
	/* 5.1: the mask. */
	{ B("\x81\x05Hello"), QN_WS_SERVER, false, "fail 1002 " },
	{ B("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), QN_WS_CLIENT, false, "fail 1002 " },
	/* 5.2: reserved bits and opcodes. */
	{ B("\xc1\x05Hello"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\xa1\x05Hello"), QN_WS_CLIENT, true, "fail 1002 " },
	{ B("\x91\x05Hello"), QN_WS_CLIENT, true, "fail 1002 " },
	{ B("\x83\x00"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x87\x00"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x8b\x00"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x8f\x00"), QN_WS_CLIENT, false, "fail 1002 " },
	/* 5.4: the order of fragments. */
	{ B("\x80\x01x"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x01\x01x\x81\x01y"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x01\x01x\x80\x01y\x80\x01z"), QN_WS_CLIENT, false, "text(xy) fail 1002 " },
	/* 5.5: control frames are whole and short. */
	{ B("\x09\x01x"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x89\x7e\x00\x7e"), QN_WS_CLIENT, false, "fail 1002 " },
	/* 5.5.1 and 7.4: close codes. */
	{ B("\x88\x00"), QN_WS_CLIENT, false, "close 1005() " },
	{ B("\x88\x01\x03"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x02\x03\xe8"), QN_WS_CLIENT, false, "close 1000() " },
	{ B("\x88\x05\x03\xe9"
	    "bye"),
	  QN_WS_CLIENT, false, "close 1001(bye) " },
	{ B("\x88\x02\x0f\xa0\x81\x01x"), QN_WS_CLIENT, false, "close 4000() " },
	{ B("\x88\x02\x03\xe7"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x02\x03\xec"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x02\x03\xed"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x02\x03\xee"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x02\x03\xf7"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x02\x07\xd0"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x02\x13\x88"), QN_WS_CLIENT, false, "fail 1002 " },
	{ B("\x88\x03\x03\xe8\xff"), QN_WS_CLIENT, false, "fail 1007 " },
	/* 8.1: UTF-8, whole messages and fragments; a character may be cut in two. */
	{ B("\x81\x02\xc3\xa4"), QN_WS_CLIENT, false, "text(\\xc3\\xa4) " },
	{ B("\x01\x01\xc3\x80\x01\xa4"), QN_WS_CLIENT, false, "text(\\xc3\\xa4) " },
	{ B("\x01\x01\xf0\x00\x01\x9f\x00\x01\x91\x80\x01\x8d"), QN_WS_CLIENT, false,
	  "text(\\xf0\\x9f\\x91\\x8d) " },
	{ B("\x81\x01\xc3"), QN_WS_CLIENT, false, "fail 1007 " },
	{ B("\x01\x01\xc3\x80\x01x"), QN_WS_CLIENT, false, "fail 1007 " },
	{ B("\x01\x04\xff"
	    "abc"),
	  QN_WS_CLIENT, false, "fail 1007 " }, /* at once, not at its end */
	{ B("\x81\x03\xed\xa0\x80"), QN_WS_CLIENT, false, "fail 1007 " },
	/* Longer than any may be: by its head alone. */
	{ B("\x82\x7e\x4e\x21"), QN_WS_CLIENT, false, "fail 1009 " },
	{ B("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), QN_WS_CLIENT, false, "fail 1009 " },
	/* RFC 7692, 7.2.3: one block; fragments; no context kept; stored; BFINAL; two blocks. */
	{ B("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), QN_WS_CLIENT, true, "text(Hello)z " },
	{ B("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), QN_WS_CLIENT, true, "text(Hello)z " },
	{ B("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), QN_WS_CLIENT, true,
	  "text(Hello)z " },
	{ B("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), QN_WS_CLIENT, true, "text(Hello)z " },
	{ B("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), QN_WS_CLIENT, true,
	  "text(Hello)z " },
	{ B("\xc1\x01\x00"), QN_WS_CLIENT, true, "text()z " },
	{ B("\x81\x05Hello"), QN_WS_CLIENT, true, "text(Hello) " },
	/* 7.2.3.2: it points back into the message before it, which nobody keeps. */
	{ B("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"), QN_WS_CLIENT, true,
	  "text(Hello)z fail 1007 " },
	{ B("\xc1\x03\xff\xff\xff"), QN_WS_CLIENT, true, "fail 1007 " },
	{ B("\xc9\x00"), QN_WS_CLIENT, true, "fail 1002 " },
	{ B("\x01\x01x\xc0\x01y"), QN_WS_CLIENT, true, "fail 1002 " },
	/* Halves are no events. */
	{ B("\x81"), QN_WS_CLIENT, false, "" },
	{ B("\x81\x05Hell"), QN_WS_CLIENT, false, "" },
	{ B("\x01\x05Hello"), QN_WS_CLIENT, false, "" },
};

static void say(char *out, size_t cap, const char *text)
{
	size_t len = strlen(out);

	snprintf(out + len, cap - len, "%s", text);
}

static void say_bytes(char *out, size_t cap, struct qn_text text)
{
	char piece[8];

	say(out, cap, "(");
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		snprintf(piece, sizeof(piece), c >= 32 && c < 127 ? "%c" : "\\x%02x", c);
		say(out, cap, piece);
	}
	say(out, cap, ")");
}

static void say_event(char *out, size_t cap, enum qn_ws_step step, const struct qn_ws_event *event)
{
	static const char *const names[] = { [QN_WS_TEXT] = "text",
					     [QN_WS_BINARY] = "binary",
					     [QN_WS_PING] = "ping",
					     [QN_WS_PONG] = "pong" };
	char code[32];

	if (step == QN_WS_FAIL || step == QN_WS_CLOSED) {
		snprintf(code, sizeof(code), "%s %u", step == QN_WS_FAIL ? "fail" : "close",
			 event->code);
		say(out, cap, code);
		if (step == QN_WS_CLOSED)
			say_bytes(out, cap, event->payload);
	} else {
		say(out, cap, names[step]);
		say_bytes(out, cap, event->payload);
		if (event->compressed)
			say(out, cap, "z");
	}
	say(out, cap, " ");
}

/* Hands over what is there, as the net does: the rest comes again with more behind it. */
static void feed(const struct frames_case *c, size_t cut, size_t piece, char *out, size_t cap)
{
	struct qn_ws ws;
	size_t start = 0, have = 0;

	out[0] = '\0';
	qn_ws_init(&ws, c->role, c->deflate);
	while (have < c->in.len) {
		have = piece > 0 ? have + piece : have == 0 && cut > 0 ? cut : c->in.len;
		char *there = guard_copy(c->in.at + start, have - start);
		size_t done = 0;
		for (;;) {
			struct qn_ws_event event = { 0 };
			size_t taken = 0;
			enum qn_ws_step step = qn_ws_next(&ws, &shared, there + done,
							  have - start - done, &taken, &event);
			REQUIRE(taken <= have - start - done);
			done += taken;
			if (step == QN_WS_MORE)
				break;
			say_event(out, cap, step, &event);
		}
		guard_free(there, have - start);
		start += done;
	}
	qn_ws_drop(&ws, &shared);
	REQUIRE(shared.assemblies_used == 0);
}

Test(ws, streams_however_they_are_cut)
{
	char out[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct frames_case *c = &cases[i];
		for (size_t cut = 0; cut <= c->in.len; cut++) {
			feed(c, cut, cut == c->in.len ? 1 : 0, out, sizeof(out));
			if (strcmp(out, c->out) != 0) {
				cr_expect_fail("case %zu cut at %zu: \"%s\", not \"%s\"", i, cut,
					       out, c->out);
				break;
			}
		}
	}
}

/* What one end writes, the other reads: every length at which the head changes, and odd cuts. */
static void round_trip(size_t len, enum qn_ws_role writer, size_t piece)
{
	static char payload[MESSAGE_MAX], wire[MESSAGE_MAX + QN_WS_HEADER_MAX];
	struct qn_ws ws;
	size_t start = 0, have = 0, messages = 0;

	for (size_t i = 0; i < len; i++)
		payload[i] = (char)(i * 7 % 251);
	struct qn_ws_out out = { .opcode = WSLAY_BINARY_FRAME,
				 .payload = { payload, len },
				 .mask = 0xa1b2c3d4 };
	size_t total = qn_ws_write(&shared, writer, &out, wire, sizeof(wire));
	REQUIRE(total > len);
	REQUIRE(qn_ws_write(&shared, writer, &out, wire, len) == 0);
	qn_ws_init(&ws, writer == QN_WS_CLIENT ? QN_WS_SERVER : QN_WS_CLIENT, false);
	while (have < total) {
		have = total - have < piece ? total : have + piece;
		char *there = guard_copy(wire + start, have - start);
		struct qn_ws_event event = { 0 };
		size_t taken = 0;
		enum qn_ws_step step = qn_ws_next(&ws, &shared, there, have - start, &taken,
						  &event);
		if (step == QN_WS_BINARY) {
			REQUIRE(event.payload.len == len);
			cr_assert(len == 0 || memcmp(event.payload.at, payload, len) == 0,
				  "%zu bytes by %d in pieces of %zu", len, writer, piece);
			messages++;
		} else {
			REQUIRE(step == QN_WS_MORE);
		}
		guard_free(there, have - start);
		start += taken;
	}
	REQUIRE(messages == 1);
	cr_assert_eq(shared.assemblies_used, 0);
}

Test(ws, lengths)
{
	static const size_t lengths[] = { 0,    1,    125,  126,  127,   4079,
					  4080, 4081, 4096, 8192, 16383, MESSAGE_MAX };
	static const size_t pieces[] = { 1, 7, 1000, 4096, 65536 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (size_t j = 0; j < sizeof(pieces) / sizeof(*pieces); j++) {
			round_trip(lengths[i], QN_WS_CLIENT, pieces[j]);
			round_trip(lengths[i], QN_WS_SERVER, pieces[j]);
		}
}

/* The thread's room for messages in pieces is bounded, and comes back. */
Test(ws, no_room_for_a_third)
{
	struct qn_ws ws[3];
	struct qn_ws_event event = { 0 };
	size_t taken;

	for (int i = 0; i < 3; i++) {
		qn_ws_init(&ws[i], QN_WS_CLIENT, false);
		enum qn_ws_step step = qn_ws_next(&ws[i], &shared, "\x01\x01x", 3, &taken, &event);
		cr_expect_eq(step, i < 2 ? QN_WS_MORE : QN_WS_FAIL);
	}
	cr_expect_eq(event.code, QN_WS_TRY_LATER);
	cr_expect_eq(shared.assemblies_short, 1);
	qn_ws_drop(&ws[0], &shared);
	qn_ws_init(&ws[2], QN_WS_CLIENT, false);
	cr_expect_eq(qn_ws_next(&ws[2], &shared, "\x01\x01x", 3, &taken, &event), QN_WS_MORE);
	qn_ws_drop(&ws[1], &shared);
	qn_ws_drop(&ws[2], &shared);
	cr_expect_eq(shared.assemblies_used, 0);
}

/* A message that ends in the middle of a long frame leaves no trace in the next one's parser. */
Test(ws, dropped_inside_a_long_frame)
{
	static char half[3000];
	struct qn_ws ws;
	struct qn_ws_event event = { 0 };
	size_t taken;

	for (int i = 0; i < 3; i++) {
		memcpy(half, "\x82\x7e\x20\x00", 4);
		qn_ws_init(&ws, QN_WS_CLIENT, false);
		cr_expect_eq(qn_ws_next(&ws, &shared, half, sizeof(half), &taken, &event),
			     QN_WS_MORE);
		cr_expect_eq(taken, sizeof(half));
		qn_ws_drop(&ws, &shared);
		round_trip(8192, QN_WS_SERVER, 1000);
	}
}

Test(ws, fragments_longer_than_a_message_may_be)
{
	static char piece[4004];
	struct qn_ws ws;
	struct qn_ws_event event = { 0 };
	size_t taken;
	int count = 0;

	memcpy(piece, "\x02\x7e\x0f\xa0", 4);
	qn_ws_init(&ws, QN_WS_CLIENT, false);
	while (qn_ws_next(&ws, &shared, piece, sizeof(piece), &taken, &event) == QN_WS_MORE) {
		piece[0] = 0;
		count++;
	}
	cr_expect_eq(count, MESSAGE_MAX / 4000);
	cr_expect_eq(event.code, QN_WS_TOO_BIG);
}

static enum qn_ws_step read_deflated(const char *text, size_t len, size_t *ret_wire,
				     struct qn_ws_event *ret)
{
	static char packed[2 * MESSAGE_MAX], wire[2 * MESSAGE_MAX + 64];
	struct qn_ws ws;
	size_t taken;
	size_t n = qn_ws_deflate(&shared, (struct qn_text){ text, len }, packed, sizeof(packed));

	*ret_wire = n;
	if (n == 0)
		return QN_WS_MORE;
	struct qn_ws_out out = { .opcode = WSLAY_TEXT_FRAME,
				 .compressed = true,
				 .payload = { packed, n } };
	size_t total = qn_ws_write(&shared, QN_WS_SERVER, &out, wire, sizeof(wire));
	qn_ws_init(&ws, QN_WS_CLIENT, true);
	return qn_ws_next(&ws, &shared, wire, total, &taken, ret);
}

Test(ws, deflated_and_back)
{
	static char text[2 * MESSAGE_MAX];
	struct qn_ws_event event = { 0 };
	size_t wire;

	memset(text, 'a', sizeof(text));
	for (int again = 0; again < 2; again++) {
		cr_assert_eq(read_deflated(text, MESSAGE_MAX, &wire, &event), QN_WS_TEXT);
		cr_expect_eq(event.payload.len, MESSAGE_MAX);
		cr_expect_eq(memcmp(event.payload.at, text, MESSAGE_MAX), 0);
		cr_expect_lt(wire, 200);
	}
	/* One more than may be, as a bomb is. */
	cr_expect_eq(read_deflated(text, MESSAGE_MAX + 1, &wire, &event), QN_WS_FAIL);
	cr_expect_eq(event.code, QN_WS_TOO_BIG);
	/* What would not become shorter goes out as it is. */
	cr_expect_eq(read_deflated("xyz", 3, &wire, &event), QN_WS_MORE);
}

Test(ws, closing)
{
	char out[QN_WS_HEADER_MAX + QN_WS_CONTROL_MAX], reason[200];

	cr_expect_eq(qn_ws_write_close(&shared, QN_WS_SERVER, 1000, "", 0, out, sizeof(out)), 4);
	cr_expect_eq(memcmp(out, "\x88\x02\x03\xe8", 4), 0);
	cr_expect_eq(qn_ws_write_close(&shared, QN_WS_SERVER, 0, "x", 0, out, sizeof(out)), 2);
	cr_expect_eq(memcmp(out, "\x88\x00", 2), 0);
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	cr_expect_eq(qn_ws_write_close(&shared, QN_WS_CLIENT, 4999, reason, 1, out, sizeof(out)),
		     6 + QN_WS_CONTROL_MAX);
}

/* Faults write what must not be. */
Test(ws, wrong_on_purpose)
{
	char out[64];
	struct qn_ws_out frame = { .opcode = WSLAY_TEXT_FRAME,
				   .wrong_mask = true,
				   .payload = { "Hi", 2 } };

	cr_expect_eq(qn_ws_write(&shared, QN_WS_SERVER, &frame, out, sizeof(out)), 8);
	cr_expect_eq((unsigned char)out[1], 0x82);
	cr_expect_eq(qn_ws_write(&shared, QN_WS_CLIENT, &frame, out, sizeof(out)), 4);
	cr_expect_eq(memcmp(out, "\x81\x02Hi", 4), 0);
	frame = (struct qn_ws_out){ .opcode = WSLAY_TEXT_FRAME,
				    .rsv = WSLAY_RSV2_BIT,
				    .payload = { "Hi", 2 } };
	cr_expect_eq(qn_ws_write(&shared, QN_WS_SERVER, &frame, out, sizeof(out)), 4);
	cr_expect_eq(memcmp(out, "\xa1\x02Hi", 4), 0);
}

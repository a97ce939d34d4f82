/*
 * WebSocket frames of any bytes, however they are cut, against the same bytes in one piece; and
 * what is read as a message, written and read again.
 *
 * Input: a byte of options (role, deflate), one for the size of the reads, then the stream. The
 * events must be the same, the bytes taken add up, no text is anything but UTF-8, no message longer
 * than may be, and no room is kept when it is over.
 */
#include "proto/utf8.h"
#include "proto/ws/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define MESSAGE_MAX 20000

static struct qn_ws_shared shared;

struct digest {
	uint64_t hash;
	size_t events;
};

static void add(struct digest *digest, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		digest->hash = (digest->hash ^ at[i]) * 0x100000001b3;
}

/* What one end writes the other reads, whole. */
static void round_trip(enum qn_ws_step step, const struct qn_ws_event *event)
{
	static char wire[MESSAGE_MAX + 64], copy[MESSAGE_MAX];
	struct qn_ws ws;
	struct qn_ws_event again = { 0 };
	struct qn_ws_out out = { .opcode = step == QN_WS_TEXT ? 1 : 2,
				 .payload = { copy, event->payload.len },
				 .mask = 0x12345678 };
	size_t taken = 0, done = 0;

	memcpy(copy, event->payload.at, event->payload.len);
	size_t len = qn_ws_write(&shared, QN_WS_CLIENT, &out, wire, sizeof(wire));
	REQUIRE(len > 0);
	qn_ws_init(&ws, QN_WS_SERVER, false);
	REQUIRE(qn_ws_next(&ws, &shared, wire, len, &taken, &again) == step);
	done = taken;
	REQUIRE(done == len && again.payload.len == out.payload.len);
	REQUIRE(memcmp(again.payload.at, copy, out.payload.len) == 0);
	qn_ws_drop(&ws, &shared);
}

static struct digest read_in(const char *bytes, size_t len, size_t unit, uint8_t options)
{
	struct digest digest = { 0xcbf29ce484222325, 0 };
	struct qn_ws ws;
	size_t start = 0, have = 0;

	qn_ws_init(&ws, options & 1 ? QN_WS_CLIENT : QN_WS_SERVER, options & 2);
	while (have < len) {
		have = len - have < unit ? len : have + unit;
		char *there = malloc(have - start);
		REQUIRE(there != NULL);
		memcpy(there, bytes + start, have - start);
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
			digest.events++;
			add(&digest, &step, sizeof(step));
			add(&digest, &event.code, sizeof(event.code));
			add(&digest, event.payload.at, event.payload.len);
			REQUIRE(event.payload.len <= MESSAGE_MAX);
			if (step == QN_WS_TEXT)
				REQUIRE(qn_utf8_valid_len(event.payload.at, event.payload.len) ==
					event.payload.len);
			if (step == QN_WS_FAIL)
				REQUIRE(event.why != NULL && qn_ws_code_valid(event.code));
			if (step == QN_WS_TEXT || step == QN_WS_BINARY)
				round_trip(step, &event);
		}
		free(there);
		start += done;
	}
	qn_ws_drop(&ws, &shared);
	REQUIRE(shared.assemblies_used == 0);
	return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char memory[8 * (MESSAGE_MAX + 1024)] __attribute__((aligned(16)));

	if (shared.assemblies == 0) {
		REQUIRE(qn_ws_shared_bytes(MESSAGE_MAX, 2) <= sizeof(memory));
		REQUIRE(qn_ws_shared_init(&shared, memory, MESSAGE_MAX, 2));
	}
	if (size < 2)
		return 0;
	const char *bytes = (const char *)data + 2;
	struct digest whole = read_in(bytes, size - 2, size, data[0]);
	struct digest cut = read_in(bytes, size - 2, data[1] + (size_t)1, data[0]);

	REQUIRE(whole.events == cut.events && whole.hash == cut.hash);
	return 0;
}

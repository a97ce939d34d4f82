/*
 * A stream of frames on any bytes, in reads of any size: each is answered, and every answer must be
 * a frame of JSON that reads as what it says it is, no longer than it may become.
 *
 * Input: a byte for the size of the reads, then the stream.
 */
#include "proto/framed/message.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define LIMIT 4096
static const struct qn_framed_server server = { .clients = 1,
						.stamp = "1970-01-01T00:00:00",
						.stamp_len = 19 };
static const struct qn_text me = { "127.0.0.1:1", 11 };
static char out[QN_FRAMED_GROWTH * LIMIT + 512];

static enum qn_framed_type answer_to(enum qn_framed_type type)
{
	switch (type) {
	case QN_FRAMED_TEXT:
	case QN_FRAMED_VALUE: return QN_FRAMED_ECHO;
	case QN_FRAMED_PING: return QN_FRAMED_PONG;
	case QN_FRAMED_ECHO: return QN_FRAMED_ECHO_RESPONSE;
	case QN_FRAMED_BROADCAST: return QN_FRAMED_BROADCAST_SENT;
	case QN_FRAMED_GET_STATS: return QN_FRAMED_SERVER_STATS;
	default: return QN_FRAMED_RESPONSE;
	}
}

static void answer(struct qn_text text)
{
	struct qn_framed_message message, again;
	struct qn_fault fault;
	struct qn_text said;
	size_t taken;

	if (qn_framed_read(text, &message, &fault) != QN_OK)
		return;
	size_t len = qn_framed_answer(&server, &message, me, out, sizeof(out));
	REQUIRE(len > 0);
	REQUIRE(qn_framed_next(out, len, UINT32_MAX, &said, &taken) == QN_OK && taken == len);
	REQUIRE(qn_framed_read(said, &again, &fault) == QN_OK ||
		fault.code == QN_E_DEPTH); /* one level more than it came with */
	if (fault.code != QN_E_DEPTH)
		REQUIRE(again.type == answer_to(message.type));
	if (message.type == QN_FRAMED_BROADCAST)
		REQUIRE(qn_framed_pass_on(&server, &message, me, out, sizeof(out)) > 0);
	qn_framed_member(&message, "content");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	size_t unit = data[0] + (size_t)1, len = size - 1, have = 0, start = 0;
	const char *bytes = (const char *)data + 1;

	while (have < len) {
		struct qn_text text;
		size_t taken;
		enum qn_code code;
		have = len - have < unit ? len : have + unit;
		char *there = malloc(have - start);
		REQUIRE(there != NULL);
		memcpy(there, bytes + start, have - start);
		size_t done = 0;
		while ((code = qn_framed_next(there + done, have - start - done, LIMIT, &text,
					      &taken)) == QN_OK) {
			REQUIRE(taken == text.len + QN_FRAMED_HEAD);
			answer(text);
			done += taken;
		}
		start += done;
		free(there);
		if (code == QN_E_TOO_LONG)
			break;
	}
	return 0;
}

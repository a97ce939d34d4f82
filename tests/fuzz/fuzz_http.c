/*
 * HTTP requests and answers out of any bytes: however they are cut, the same comes of them.
 *
 * Input: a byte whose lowest bit says requests (0) or an answer (1) and the rest the size of the
 * reads, then the stream. A request that is taken holds what RFC 9112 wants of it: one length, and
 * not a length and chunks.
 */
#include "proto/http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static const struct qn_http_limits limits = {
	.target_bytes = 256, .head_bytes = 1024, .headers = 16, .body_bytes = 512
};

/* What came of it, as numbers that two readings can compare. */
struct seen {
	size_t requests, taken, body;
	unsigned refused;
	uint64_t sum;
};

static uint64_t mix(uint64_t sum, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void look(struct seen *seen, const struct qn_http_message *m)
{
	unsigned lengths = 0, codings = 0;

	seen->requests++;
	seen->body += m->body.len;
	seen->sum = mix(seen->sum, m->target.at, m->target.len);
	seen->sum = mix(seen->sum, m->body.at, m->body.len);
	REQUIRE(m->minor <= 1 && m->target.len > 0 && m->target.len <= limits.target_bytes);
	REQUIRE(m->body.len <= limits.body_bytes && m->n_headers <= limits.headers);
	for (uint16_t i = 0; i < m->n_headers; i++) {
		struct qn_text name = m->headers[i].name;
		REQUIRE(name.len > 0);
		lengths += name.len == 14 && strncasecmp(name.at, "Content-Length", 14) == 0;
		codings += name.len == 17 && strncasecmp(name.at, "Transfer-Encoding", 17) == 0;
		seen->sum = mix(seen->sum, m->headers[i].value.at, m->headers[i].value.len);
	}
	REQUIRE(lengths + codings <= 1);
}

static struct seen read_requests(const char *bytes, size_t len, size_t unit)
{
	struct qn_http_reader reader;
	struct seen seen = { 0 };
	size_t start = 0, have = 0;
	char space[512];

	qn_http_reader_init(&reader);
	while (have < len && seen.refused == 0) {
		have = len - have < unit ? len : have + unit;
		char *there = malloc(have - start);
		REQUIRE(there != NULL);
		memcpy(there, bytes + start, have - start);
		size_t done = 0;
		for (;;) {
			struct qn_http_message message;
			struct qn_http_refusal refusal;
			size_t taken;
			enum qn_http_step step = qn_http_reader_next(
				&reader, &limits, there + done, have - start - done, &taken, space,
				sizeof(space), &message, &refusal);
			REQUIRE(taken <= have - start - done);
			done += taken;
			if (step == QN_HTTP_STEP_REQUEST)
				look(&seen, &message);
			if (step == QN_HTTP_STEP_REFUSE)
				seen.refused = refusal.status;
			if (step == QN_HTTP_STEP_MORE || step == QN_HTTP_STEP_REFUSE)
				break;
		}
		start += done;
		free(there);
	}
	if (seen.refused == 0)
		seen.taken = start;
	return seen;
}

static enum qn_code read_reply(const char *bytes, size_t len, size_t unit, struct seen *seen)
{
	struct qn_http_reply reply;
	struct qn_http_message message;
	enum qn_code code = QN_MORE;
	size_t have = 0;
	char space[256];

	qn_http_reply_init(&reply, 2048);
	while (code == QN_MORE && have < len) {
		size_t taken;
		have = len - have < unit ? len : have + unit;
		char *there = malloc(have);
		REQUIRE(there != NULL);
		memcpy(there, bytes, have);
		code = qn_http_reply_read(&reply, there, have, &taken, space, sizeof(space),
					  &message);
		REQUIRE(taken <= have);
		free(there);
	}
	if (code == QN_MORE)
		code = qn_http_reply_closed(&reply, bytes, len, space, sizeof(space), &message);
	*seen = (struct seen){ 0 };
	if (code == QN_OK) {
		seen->requests = message.status;
		seen->body = message.body.len;
		seen->sum = mix(0, message.body.at, message.body.len);
	}
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, pieces;

	if (size < 2)
		return 0;
	const char *bytes = (const char *)data + 1;
	size_t len = size - 1, unit = (size_t)(data[0] >> 1) + 1;

	if (data[0] & 1) {
		enum qn_code code = read_reply(bytes, len, unit, &pieces);
		/* One read of more than the limit is taken if the answer ends in it. */
		if (len <= 2048 && code == QN_OK) {
			REQUIRE(read_reply(bytes, len, len, &whole) == QN_OK);
			REQUIRE(memcmp(&whole, &pieces, sizeof(whole)) == 0);
		}
		return 0;
	}
	whole = read_requests(bytes, len, len);
	pieces = read_requests(bytes, len, unit);
	REQUIRE(whole.requests == pieces.requests && whole.sum == pieces.sum);
	REQUIRE(whole.taken == pieces.taken && (whole.refused == 0) == (pieces.refused == 0));
	return 0;
}

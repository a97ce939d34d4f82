/*
 * Requests, upgrades and the answers to them, of any bytes.
 *
 * Input: a byte that says how long the first read is, then the stream. A request that is whole in a
 * part of the bytes is the same in all of them; its parts lie inside; what is refused has a status.
 */
#include "proto/http/intake.h"

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

#define BODY_MAX 1000

static void inside(struct qn_text part, const char *at, size_t len)
{
	REQUIRE(part.len == 0 || (part.at >= at && part.at + part.len <= at + len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char room[BODY_MAX], answer[2048];
	struct qn_http_intake in, part;
	struct qn_http_answered answered;
	struct qn_ws_head head;
	size_t taken = 0, part_taken = 0;
	unsigned status = 0;

	if (size < 1)
		return 0;
	size_t len = size - 1, cut = data[0] < len ? data[0] : len;
	const char *bytes = (const char *)data + 1;
	char *first = malloc(cut);
	REQUIRE(first != NULL);
	memcpy(first, bytes, cut);
	enum qn_code cut_code = qn_http_intake_read(first, cut, BODY_MAX, room, &part, &part_taken);
	if (cut_code == QN_OK) {
		REQUIRE(part_taken <= cut);
		inside(part.path, first, cut);
		inside(part.ws.key, first, cut);
	}
	free(first);
	enum qn_code code = qn_http_intake_read(bytes, len, BODY_MAX, room, &in, &taken);
	if (cut_code == QN_OK)
		REQUIRE(code == QN_OK && taken == part_taken);
	if (code == QN_OK) {
		REQUIRE(taken <= len && in.status == 0 && in.body.len <= BODY_MAX);
		inside(in.path, bytes, len);
		inside(in.query, bytes, len);
		inside(in.authorization, bytes, len);
		struct qn_ws_agreed agreed = qn_ws_accept(&in.ws, true, "jsonrpc");
		REQUIRE((agreed.status == 101) == (agreed.why == NULL));
		if (agreed.status == 101)
			REQUIRE(qn_ws_write_accept(&in.ws, &agreed, answer, sizeof(answer)) > 0);
	} else if (code != QN_MORE) {
		REQUIRE(in.status >= 400 && in.status < 600);
	}
	size_t n = qn_http_answer_head(bytes, len, &status, &head);
	REQUIRE(n <= len);
	if (qn_http_answer_whole(bytes, len, true, BODY_MAX, room, &answered, &taken) == QN_OK)
		REQUIRE(taken <= len && answered.body.len <= BODY_MAX);
	return 0;
}

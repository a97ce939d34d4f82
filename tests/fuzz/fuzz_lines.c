/*
 * Lines on any bytes, however they are cut, against a splitter that sees all of them at once.
 *
 * Input: a byte for the limit, one for the size of the reads, then the stream. The lines must be
 * the same, the bytes taken add up, and a line that is too long must be seen as soon as it is.
 */
#include "proto/line/line.h"

#include <stdint.h>
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

/* The line that begins at `start`; *ret_next is where the one after it does. False: there is none.
 */
static int expect(const char *bytes, size_t len, size_t start, struct qn_text *ret,
		  size_t *ret_next)
{
	for (size_t i = start; i < len; i++)
		if (bytes[i] == '\n') {
			size_t end = i > start && bytes[i - 1] == '\r' ? i - 1 : i;
			*ret = (struct qn_text){ bytes + start, end - start };
			*ret_next = i + 1;
			return 1;
		}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t limit = data[0], unit = data[1] + (size_t)1, len = size - 2;
	const char *bytes = (const char *)data + 2;
	size_t start = 0, have = 0, scanned = 0;

	while (have < len) {
		size_t before = have;
		have = len - have < unit ? len : have + unit;
		scanned = before > start ? before - start : 0;
		/* What is there, and not one byte more. */
		char *there = malloc(have - start);
		REQUIRE(there != NULL);
		memcpy(there, bytes + start, have - start);
		size_t done = 0;
		for (;;) {
			struct qn_text line = { NULL, 0 }, expected = { NULL, 0 };
			size_t taken = 0, next = 0;
			enum qn_code code = qn_line_next(there + done, have - start - done, scanned,
							 limit, &line, &taken);
			int whole = expect(bytes, have, start + done, &expected, &next);
			size_t raw = whole ? next - 1 - start - done : have - start - done;
			REQUIRE((code == QN_E_TOO_LONG) == (raw > limit));
			if (code == QN_E_TOO_LONG) {
				free(there);
				return 0;
			}
			REQUIRE((code == QN_OK) == whole);
			if (code != QN_OK) {
				REQUIRE(code == QN_MORE && taken == 0);
				break;
			}
			REQUIRE(line.at == there + done && line.len == expected.len);
			REQUIRE(line.len == 0 || memcmp(line.at, expected.at, line.len) == 0);
			REQUIRE(taken == next - start - done);
			done += taken;
			scanned = scanned > taken ? scanned - taken : 0;
		}
		start += done;
		free(there);
	}
	return 0;
}

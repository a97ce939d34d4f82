/*
 * Packed frames on any bytes, in reads of any size: nothing longer than the limit comes out, a cut
 * frame is never a whole one, and what came out packs into a frame that unpacks to the same. Each
 * text is also read as what a client may ask for first.
 *
 * Input: a byte for the size of the reads, then the stream.
 */
#include "emulator/base/framed_zip.h"
#include "proto/framed/offer.h"

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
static struct framed_zip *zip;

static void ask(struct qn_text text)
{
	static const struct qn_text token = { "secret", 6 };
	struct qn_framed_message message;

	if (qn_framed_read(text, &message, NULL) != QN_OK)
		return;
	bool right = qn_framed_token_is(&message, token);
	REQUIRE(!right || message.type > QN_FRAMED_VALUE);
	qn_framed_refused(&message);
	qn_framed_agrees_zlib(&message);
	qn_framed_offers_zlib(&message);
}

static void there_and_back(struct qn_text text)
{
	static char before[LIMIT], unit[LIMIT + QN_FRAMED_HEAD];
	struct qn_text again;
	size_t taken;

	memcpy(before, text.at, text.len);
	qn_framed_put_head(unit, (uint32_t)text.len);
	memcpy(unit + QN_FRAMED_HEAD, text.at, text.len);
	size_t len = framed_zip_pack(zip, unit, QN_FRAMED_HEAD + text.len);
	REQUIRE(len <= QN_FRAMED_HEAD + text.len);
	REQUIRE(framed_zip_next(zip, unit, len, LIMIT, &again, &taken) == QN_OK && taken == len);
	REQUIRE(again.len == text.len && memcmp(again.at, before, text.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (zip == NULL)
		REQUIRE(framed_zip_new(LIMIT, 64, &zip) == 0);
	if (size < 1)
		return 0;
	size_t unit = data[0] + (size_t)1, len = size - 1, have = 0, start = 0;
	const char *bytes = (const char *)data + 1;

	while (have < len) {
		struct qn_text text;
		enum qn_code code;
		size_t taken, done = 0;
		have = len - have < unit ? len : have + unit;
		char *there = malloc(have - start);
		REQUIRE(there != NULL);
		memcpy(there, bytes + start, have - start);
		while ((code = framed_zip_next(zip, there + done, have - start - done, LIMIT, &text,
					       &taken)) == QN_OK) {
			REQUIRE(text.len <= LIMIT && taken >= QN_FRAMED_HEAD);
			ask(text);
			there_and_back(text);
			done += taken;
		}
		start += done;
		free(there);
		if (code != QN_MORE)
			break;
	}
	return 0;
}

/* What clients of the wire `framed` ask for first, and packed frames. */
#include "emulator/base/framed_zip.h"
#include "proto/framed/offer.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <stdlib.h>
#include <zlib.h>

#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })
static const struct qn_framed_clock noon = { 43200 * INT64_C(1000000000), 0 };
static const struct qn_framed_server server = { .now = { 43200 * INT64_C(1000000000), 0 } };
#define NOON "\"1970-01-01T12:00:00\""

static char unit[4096];

static struct qn_framed_message read_text(const char *text)
{
	struct qn_framed_message message;
	struct qn_text whole = { text, strlen(text) };

	REQUIRE(qn_framed_read(whole, &message, NULL) == QN_OK);
	return message;
}

static void expect_unit(size_t len, const char *should)
{
	struct qn_text text;
	size_t taken;

	REQUIRE(qn_framed_next(unit, len, UINT32_MAX, &text, &taken) == QN_OK && taken == len);
	cr_expect(text.len == strlen(should) && memcmp(text.at, should, text.len) == 0,
		  "is %.*s\nnot %s", (int)text.len, text.at, should);
}

Test(framed_offer, is_written)
{
	expect_unit(qn_framed_authenticate(&noon, TEXT("a\"\xc3\xa4"), unit, sizeof(unit)),
		    "{\"type\": \"authenticate\", \"timestamp\": " NOON
		    ", \"token\": \"a\\\"\\u00e4\"}");
	expect_unit(qn_framed_negotiate(&noon, unit, sizeof(unit)),
		    "{\"type\": \"negotiate\", \"timestamp\": " NOON
		    ", \"compression\": [\"zlib\"]}");
	expect_unit(qn_framed_auth_response(&server, NULL, unit, sizeof(unit)),
		    "{\"type\": \"auth_response\", \"timestamp\": " NOON ", \"success\": true}");
	expect_unit(qn_framed_auth_response(&server, "no", unit, sizeof(unit)),
		    "{\"type\": \"auth_response\", \"timestamp\": " NOON
		    ", \"success\": false, \"message\": \"no\"}");
	expect_unit(qn_framed_negotiated(&server, true, unit, sizeof(unit)),
		    "{\"type\": \"negotiated\", \"timestamp\": " NOON
		    ", \"compression\": \"zlib\"}");
	expect_unit(qn_framed_negotiated(&server, false, unit, sizeof(unit)),
		    "{\"type\": \"negotiated\", \"timestamp\": " NOON ", \"compression\": null}");
}

Test(framed_offer, longest_token_and_no_room)
{
	char token[QN_FRAMED_TOKEN_MAX], text[8 * QN_FRAMED_TOKEN_MAX];

	memset(token, 1, sizeof(token)); /* \u0001 each */
	struct qn_text whole = { token, sizeof(token) };
	size_t len = qn_framed_authenticate(&noon, whole, unit, sizeof(unit));
	REQUIRE(len > 6 * sizeof(token));
	for (size_t cap = 0; cap < len; cap++)
		cr_expect_eq(qn_framed_authenticate(&noon, whole, unit, cap), 0);
	memcpy(text, unit + QN_FRAMED_HEAD, len - QN_FRAMED_HEAD);
	text[len - QN_FRAMED_HEAD] = '\0';
	struct qn_framed_message message = read_text(text);
	cr_expect(qn_framed_token_is(&message, whole));
	token[254] = 2;
	cr_expect_not(qn_framed_token_is(&message, whole));
}

Test(framed_offer, tokens)
{
	static const struct {
		const char *text;
		bool right;
	} cases[] = {
		{ "{\"type\": \"authenticate\", \"token\": \"abc\"}", true },
		{ "{\"token\": \"x\", \"token\": \"\\u0061bc\"}", true },
		{ "{\"token\": \"ab\"}", false },
		{ "{\"token\": \"abcd\"}", false },
		{ "{\"token\": \"abd\"}", false },
		{ "{\"token\": \"\"}", false },
		{ "{\"token\": null}", false },
		{ "{\"token\": 1}", false },
		{ "{\"token\": [\"abc\"]}", false },
		{ "{}", false },
		{ "plain", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qn_framed_message message = read_text(cases[i].text);
		cr_expect_eq(qn_framed_token_is(&message, TEXT("abc")), cases[i].right, "%s",
			     cases[i].text);
	}
}

Test(framed_offer, what_is_answered)
{
	static const struct {
		const char *text;
		bool refused, offers, agrees;
	} cases[] = {
		{ "{\"type\": \"auth_response\", \"success\": true}", false, false, false },
		{ "{\"type\": \"auth_response\", \"success\": false}", true, false, false },
		{ "{\"type\": \"auth_response\", \"success\": \"true\"}", true, false, false },
		{ "{\"type\": \"auth_response\"}", true, false, false },
		{ "{\"type\": \"response\", \"success\": false}", false, false, false },
		{ "{\"compression\": [\"br\", {\"a\": [1]}, \"zlib\"]}", false, true, false },
		{ "{\"compression\": [\"z\\u006cib\"]}", false, true, false },
		{ "{\"compression\": [[\"zlib\"], {\"zlib\": \"zlib\"}]}", false, false, false },
		{ "{\"compression\": []}", false, false, false },
		{ "{\"compression\": \"zlib\"}", false, false, false },
		{ "{\"type\": \"negotiated\", \"compression\": \"zlib\"}", false, false, true },
		{ "{\"type\": \"negotiated\", \"compression\": null}", false, false, false },
		{ "{\"type\": \"negotiated\", \"compression\": \"zlib2\"}", false, false, false },
		{ "{\"type\": \"negotiated\"}", false, false, false },
		{ "[\"zlib\"]", false, false, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qn_framed_message message = read_text(cases[i].text);
		cr_expect_eq(qn_framed_refused(&message), cases[i].refused, "%s", cases[i].text);
		cr_expect_eq(qn_framed_offers_zlib(&message), cases[i].offers, "%s", cases[i].text);
		cr_expect_eq(qn_framed_agrees_zlib(&message), cases[i].agrees, "%s", cases[i].text);
	}
}

/* ---- packed frames ---- */

#define LIMIT 1000

static struct framed_zip *new_zip(void)
{
	struct framed_zip *zip;

	REQUIRE(framed_zip_new(LIMIT, 100, &zip) == 0);
	return zip;
}

static size_t plain_frame(size_t len)
{
	qn_framed_put_head(unit, (uint32_t)len);
	for (size_t i = 0; i < len; i++)
		unit[QN_FRAMED_HEAD + i] = (char)('a' + i % 7);
	return QN_FRAMED_HEAD + len;
}

Test(framed_zip, there_and_back_and_cut_anywhere)
{
	struct framed_zip *zip = new_zip();

	for (size_t len = 100; len <= LIMIT; len += 225) {
		char before[LIMIT];
		size_t whole = plain_frame(len), taken = 99;
		struct qn_text text = { NULL, 99 };
		memcpy(before, unit + QN_FRAMED_HEAD, len);
		size_t packed = framed_zip_pack(zip, unit, whole);
		cr_assert(packed < whole && (unsigned char)unit[0] == 0x80);
		for (size_t cut = 0; cut < packed; cut++) {
			char *copy = guard_copy(unit, cut);
			cr_assert_eq(framed_zip_next(zip, copy, cut, LIMIT, &text, &taken),
				     QN_MORE);
			guard_free(copy, cut);
		}
		cr_assert(text.len == 99 && taken == 99, "untouched");
		cr_assert_eq(framed_zip_next(zip, unit, packed, LIMIT, &text, &taken), QN_OK);
		cr_expect(taken == packed && text.len == len && memcmp(text.at, before, len) == 0);
		cr_expect_eq(framed_zip_next(NULL, unit, packed, LIMIT, &text, &taken),
			     QN_E_TOO_LONG);
	}
	framed_zip_free(zip);
}

Test(framed_zip, what_is_short_or_grows_stays_as_it_is)
{
	struct framed_zip *zip = new_zip();
	struct qn_text text;
	size_t whole = plain_frame(99), taken;

	cr_expect_eq(framed_zip_pack(zip, unit, whole), whole);
	cr_expect_eq(framed_zip_next(zip, unit, whole, LIMIT, &text, &taken), QN_OK);
	cr_expect(text.len == 99 && taken == whole);
	srand(1);
	whole = plain_frame(500);
	for (size_t i = QN_FRAMED_HEAD; i < whole; i++)
		unit[i] = (char)rand();
	cr_expect_eq(framed_zip_pack(zip, unit, whole), whole);
	cr_expect_eq(framed_zip_pack(NULL, unit, whole), whole);
	framed_zip_free(zip);
}

/* zlib's own stream of so many zeros, and bytes behind it. */
static size_t stream(size_t zeros, size_t behind)
{
	Bytef *from = calloc(1, zeros + 1);
	uLongf len = sizeof(unit) - QN_FRAMED_HEAD - behind;

	REQUIRE(from != NULL &&
		compress2((Bytef *)unit + QN_FRAMED_HEAD, &len, from, zeros, 9) == Z_OK);
	free(from);
	memset(unit + QN_FRAMED_HEAD + len, 'x', behind);
	qn_framed_put_head(unit, (uint32_t)(len + behind) | QN_FRAMED_PACKED);
	return QN_FRAMED_HEAD + len + behind;
}

Test(framed_zip, what_is_no_stream_or_too_much)
{
	struct framed_zip *zip = new_zip();
	struct qn_text text = { NULL, 99 };
	size_t taken = 99, len;

	len = stream(LIMIT + 1, 0);
	cr_expect_eq(framed_zip_next(zip, unit, len, LIMIT, &text, &taken), QN_E_TOO_LONG);
	len = stream(700000, 0);
	cr_expect_eq(framed_zip_next(zip, unit, len, LIMIT, &text, &taken), QN_E_TOO_LONG);
	len = stream(101, 0);
	cr_expect_eq(framed_zip_next(zip, unit, len, 100, &text, &taken), QN_E_TOO_LONG);
	len = stream(10, 1);
	cr_expect_eq(framed_zip_next(zip, unit, len, LIMIT, &text, &taken), QN_E_SYNTAX);
	len = stream(10, 0);
	unit[len - 1] ^= 1; /* its checksum */
	cr_expect_eq(framed_zip_next(zip, unit, len, LIMIT, &text, &taken), QN_E_SYNTAX);
	len = stream(10, 0);
	qn_framed_put_head(unit, (uint32_t)(len - QN_FRAMED_HEAD - 1) | QN_FRAMED_PACKED);
	cr_expect_eq(framed_zip_next(zip, unit, len, LIMIT, &text, &taken), QN_E_SYNTAX);
	qn_framed_put_head(unit, QN_FRAMED_PACKED);
	cr_expect_eq(framed_zip_next(zip, unit, len, LIMIT, &text, &taken), QN_E_SYNTAX);
	cr_assert(text.len == 99 && taken == 99, "untouched");
	/* After all that it still works. */
	len = stream(LIMIT, 0);
	cr_expect_eq(framed_zip_next(zip, unit, len, LIMIT, &text, &taken), QN_OK);
	cr_expect_eq(text.len, LIMIT);
	framed_zip_free(zip);
}

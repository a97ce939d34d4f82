#include "proto/agent/message.h"
#include "proto/agent/command.h"
#include "tests/support/guard.h"
#include "tests/support/hex.h"
#include "tests/support/jsonl.h"

#include <criterion/criterion.h>

#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })

static bool equals(struct qn_text text, const char *expected)
{
	return text.len == strlen(expected) && memcmp(text.at, expected, text.len) == 0;
}

/* Writes a message anew out of what was read of it. */
static size_t rewrite(const struct qn_agent_message *m, char *out, size_t cap)
{
	struct qn_agent_command command;
	struct qn_text why, id, cmdtype = TEXT("?");
	char space[256];

	switch (m->t) {
	case QN_AGENT_HELLO: return qn_agent_write_hello(out, cap, m->id, m->version, m->word);
	case QN_AGENT_MANAGER_HELLO: return qn_agent_write_manager_hello(out, cap, m->version);
	case QN_AGENT_PING:
	case QN_AGENT_PONG: return qn_agent_write_ping(out, cap, (enum qn_agent_t)m->t, m->ping);
	case QN_AGENT_BYE: return qn_agent_write_bye(out, cap, m->word);
	case QN_AGENT_REQUEST:
		cr_assert_eq(qn_agent_read_command(m, &command, &why, space, sizeof(space)), QN_OK);
		id = (struct qn_text){ command.id.at + 2, command.id.len - 2 }; /* str8 */
		cmdtype = command.cmdtype;
		return qn_agent_write_command(out, cap, m->id, id, cmdtype, command.args,
					      command.kwargs);
	case QN_AGENT_RESPONSE:
		return qn_agent_write_response(out, cap, m->id, m->success, m->data);
	default: {
		struct qn_mp_writer writer;
		qn_agent_begin(&writer, out, cap, QN_AGENT_NOTIFICATION, 3);
		qn_mp_write_word(&writer, "type");
		qn_mp_write_str(&writer, m->word);
		qn_mp_write_word(&writer, "data");
		qn_mp_write_raw(&writer, m->data);
		return qn_agent_end(&writer);
	}
	}
}

/* Every unit of the original, read and written again, is equal byte for byte; no cut of it passes.
 */
Test(agent_message, the_originals_units)
{
	struct jsonl *jsonl = jsonl_open("fixtures/transcripts/redpepper_1.jsonl");
	unsigned units = 0, seen = 0;
	char out[1024];

	while (jsonl_next(jsonl)) {
		struct qn_text unit, payload;
		struct qn_agent_message message;
		size_t taken = 0;
		if (jsonl_text(jsonl, "dir").at == NULL || jsonl_text(jsonl, "ev").at != NULL)
			continue;
		cr_assert_eq(jsonl_pieces(jsonl, "bytes", &unit, 1), 1);
		units++;
		char *copy = guard_copy(unit.at, unit.len);
		cr_assert_eq(qn_agent_frame(copy, unit.len, QN_AGENT_PAYLOAD_MAX, &payload, &taken,
					    NULL),
			     QN_OK);
		cr_assert_eq(taken, unit.len);
		cr_assert_eq(qn_agent_read(payload, &message, NULL), QN_OK);
		seen |= 1u << message.t;
		size_t len = rewrite(&message, out, sizeof(out));
		cr_assert(len == unit.len && memcmp(out, copy, len) == 0, "line %u: %s",
			  jsonl_number(jsonl), hex_text(out, len));
		for (size_t cap = 0; cap < len; cap++)
			cr_assert_eq(rewrite(&message, out, cap), 0);
		guard_free(copy, unit.len);
		for (size_t cut = 0; cut < unit.len; cut++) {
			copy = guard_copy(unit.at, cut);
			cr_assert_eq(qn_agent_frame(copy, cut, QN_AGENT_PAYLOAD_MAX, &payload,
						    &taken, NULL),
				     QN_MORE);
			guard_free(copy, cut);
			if (cut < QN_AGENT_HEAD)
				continue;
			copy = guard_copy(unit.at + QN_AGENT_HEAD, cut - QN_AGENT_HEAD);
			payload = (struct qn_text){ copy, cut - QN_AGENT_HEAD };
			cr_assert_neq(qn_agent_read(payload, &message, NULL), QN_OK);
			guard_free(copy, cut - QN_AGENT_HEAD);
		}
	}
	jsonl_close(jsonl);
	cr_assert_eq(units, 30, "%u", units);
	cr_assert_eq(seen, 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 20 |
				   1u << 21 | 1u << 22);
}

Test(agent_message, lengths)
{
	static const struct {
		const char *hex;
		size_t limit;
		enum qn_code code;
		size_t taken;
	} vectors[] = {
		{ "", 100, QN_MORE, 0 },
		{ "000000", 100, QN_MORE, 0 },
		{ "00000000", 100, QN_OK, 4 },
		{ "00000001", 100, QN_MORE, 0 },
		{ "00000001c0", 100, QN_OK, 5 },
		{ "00000001c0c0", 100, QN_OK, 5 },
		{ "00000064", 100, QN_MORE, 0 },
		{ "00000065", 100, QN_E_TOO_LONG, 0 },
		{ "00100000", QN_AGENT_PAYLOAD_MAX, QN_MORE, 0 },
		{ "00100001", QN_AGENT_PAYLOAD_MAX, QN_E_TOO_LONG, 0 },
		{ "ffffffff", QN_AGENT_PAYLOAD_MAX, QN_E_TOO_LONG, 0 },
		{ "80000000", QN_AGENT_PAYLOAD_MAX, QN_E_TOO_LONG, 0 },
		{ "48545450", QN_AGENT_PAYLOAD_MAX, QN_E_TOO_LONG, 0 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char bytes[16];
		struct qn_text payload;
		size_t taken = 0, len = hex_bytes(vectors[i].hex, bytes);
		char *copy = guard_copy(bytes, len);
		cr_expect_eq(qn_agent_frame(copy, len, vectors[i].limit, &payload, &taken, NULL),
			     vectors[i].code, "%s", vectors[i].hex);
		cr_expect_eq(taken, vectors[i].taken, "%s", vectors[i].hex);
		guard_free(copy, len);
	}
}

static enum qn_code read_hex(const char *hex, struct qn_agent_message *message)
{
	static char bytes[1024];
	struct qn_fault fault = { QN_OK, 0, NULL };
	size_t len = hex_bytes(hex, bytes);

	char *copy = guard_copy(bytes, len);
	enum qn_code code = qn_agent_read((struct qn_text){ copy, len }, message, &fault);
	cr_assert_eq(code, fault.code, "%s", hex);
	guard_free(copy, len);
	return qn_agent_read((struct qn_text){ bytes, len }, message, &fault);
}

Test(agent_message, any_order_any_width_and_unknown_fields)
{
	struct qn_agent_message m;

	/* A Ping with data first, an unknown field, str32, uint64, a map32. */
	cr_assert_eq(read_hex("df00000003 db0000000464617461 cf0000000000000007 a178 9101"
			      " d90174 cf000000000000000c",
			      &m),
		     QN_OK);
	cr_assert(m.t == QN_AGENT_PING && m.ping.bits == 7 && !m.ping.negative);
	/* Of two the last one counts, for t as well. */
	cr_assert_eq(read_hex("84 a174 0d a464617461 01 a174 0c a464617461 02", &m), QN_OK);
	cr_assert(m.t == QN_AGENT_PING && m.ping.bits == 2);
	/* 64 bits of either sign. */
	cr_assert_eq(read_hex("82a1740ca464617461cfffffffffffffffff", &m), QN_OK);
	cr_assert(m.ping.bits == UINT64_MAX && !m.ping.negative);
	cr_assert_eq(read_hex("82a1740ca464617461d38000000000000000", &m), QN_OK);
	cr_assert(m.ping.bits == (uint64_t)INT64_MIN && m.ping.negative);
	char out[32];
	size_t len = qn_agent_write_ping(out, sizeof(out), QN_AGENT_PONG, m.ping);
	cr_assert_str_eq(hex_text(out, len), "0000001282a1740da464617461d38000000000000000");
	/* A Notification's data may be anything. */
	cr_assert_eq(read_hex("83a17416a474797065a178a464617461c4020000", &m), QN_OK);
	cr_assert(m.t == QN_AGENT_NOTIFICATION && equals(m.word, "x") && m.data.len == 4);
}

Test(agent_message, what_is_none)
{
	static const struct {
		const char *hex;
		enum qn_code code;
	} vectors[] = {
		{ "", QN_E_SYNTAX },
		{ "c0", QN_E_TYPE },
		{ "90", QN_E_TYPE },
		{ "80", QN_E_MISSING },
		{ "81a1740c", QN_E_MISSING },
		{ "82a1740ca464617461a131", QN_E_TYPE },
		{ "82a1740ca464617461cb3ff0000000000000", QN_E_TYPE },
		{ "82a1740ca464617461c3", QN_E_TYPE },
		{ "82a17463a46461746101", QN_E_UNKNOWN },
		{ "82a174cd010ca46461746101", QN_E_UNKNOWN },
		{ "82a17400a46461746101", QN_E_UNKNOWN },
		{ "82a174f4a46461746101", QN_E_UNKNOWN },
		{ "82a174a23132a46461746101", QN_E_UNKNOWN },
		{ "82c401740ca46461746101", QN_E_TYPE },
		{ "82a1740ca46461746101c0", QN_E_SYNTAX },
		{ "81a17416", QN_E_MISSING },
		/* Request: args that are no strings, kwargs that are no map. */
		{ "85a17414a26964a178a66d6574686f64a179a4617267739101a66b776172677380", QN_E_TYPE },
		{ "85a17414a26964a178a66d6574686f64a179a46172677391 91a178 a66b776172677380",
		  QN_E_TYPE },
		{ "85a17414a26964a178a66d6574686f64a179a46172677380a66b776172677380", QN_E_TYPE },
		{ "85a17414a26964a178a66d6574686f64a179a46172677390a66b776172677390", QN_E_TYPE },
		{ "85a17414a2696401a66d6574686f64a179a46172677390a66b776172677380", QN_E_TYPE },
		/* Response: success that is no truth value. */
		{ "84a17415a26964a178a77375636365737301a464617461c0", QN_E_TYPE },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct qn_agent_message message = { .t = 99 };
		cr_expect_eq(read_hex(vectors[i].hex, &message), vectors[i].code, "%s",
			     vectors[i].hex);
		cr_expect_eq(message.t, 99, "untouched on failure: %s", vectors[i].hex);
	}
}

Test(agent_message, too_long_to_be_written)
{
	static char out[QN_AGENT_PAYLOAD_MAX + 100], reason[QN_AGENT_PAYLOAD_MAX];

	/* 2 map head and t, ..., a head of 5: the payload is exactly the limit. */
	size_t most = QN_AGENT_PAYLOAD_MAX - (1 + 2 + 1 + 7 + 5);
	memset(reason, 'x', sizeof(reason));
	cr_assert_eq(qn_agent_write_bye(out, sizeof(out), (struct qn_text){ reason, most }),
		     QN_AGENT_PAYLOAD_MAX + QN_AGENT_HEAD);
	cr_assert_eq(qn_agent_write_bye(out, sizeof(out), (struct qn_text){ reason, most + 1 }), 0);
}

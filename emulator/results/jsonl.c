#include "emulator/results/jsonl.h"

#include "emulator/base/word.h"
#include "proto/utf8.h"

#include <string.h>

/* Kinds whose value says something even where it is 0. */
#define WITH_VALUE                                                                                 \
	(EVENT_BIT(EVENT_REGISTER_FAILED) | EVENT_BIT(EVENT_ACTIVE) | EVENT_BIT(EVENT_HIT) |       \
	 EVENT_BIT(EVENT_M_OK) | EVENT_BIT(EVENT_M_FAILED) | EVENT_BIT(EVENT_M_LOST) |             \
	 EVENT_BIT(EVENT_M_ROUND) | EVENT_BIT(EVENT_M_ROUND_END))

/* The middle of every line, ready made. */
struct piece {
	const char *text;
	size_t len;
};
#define PIECE(name) ",\"event\":\"" name "\""
#define X(kind, name) [EVENT_##kind] = { PIECE(name), sizeof(PIECE(name)) - 1 },
static const struct piece events[] = { EVENT_KINDS(X) };
#undef X

/*
 * Bytes that are no UTF-8 cannot stand in JSON. Byte for byte they can: U+0080 to U+00FF then mean
 * bytes, which the member "raw" (or "target_raw") says; nothing is lost.
 */
static void put_raw(struct qn_json_writer *writer, const char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	qn_json_put_literal(writer, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];
		char escape[6] = { '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] };
		if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\')
			qn_json_put(writer, text + i, 1);
		else
			qn_json_put(writer, escape, sizeof(escape));
	}
	qn_json_put_literal(writer, "\"");
}

static void put_name(struct qn_json_writer *writer, const char *name)
{
	size_t len = strnlen(name, JSONL_NAME_MAX);

	qn_json_put_literal(writer, ",\"target\":");
	if (qn_utf8_valid_len(name, len) == len) {
		qn_json_put_string(writer, name, len, false);
		return;
	}
	put_raw(writer, name, len);
	qn_json_put_literal(writer, ",\"target_raw\":true");
}

static void put_text(struct qn_json_writer *writer, const struct record *record, const char *text)
{
	qn_json_put_literal(writer, ",\"text\":");
	if (qn_utf8_valid_len(text, record->text_len) == record->text_len) {
		qn_json_put_string(writer, text, record->text_len, false);
	} else {
		put_raw(writer, text, record->text_len);
		qn_json_put_literal(writer, ",\"raw\":true");
	}
	if (record->text_total > record->text_len) {
		qn_json_put_literal(writer, ",\"text_bytes\":");
		qn_json_put_uint(writer, record->text_total);
	}
}

void jsonl_put(struct qn_json_writer *writer, const struct record *record, const char *text)
{
	char *start = writer->at;

	qn_json_put_literal(writer, "{\"t\":");
	qn_json_put_int(writer, record->t_ns);
	qn_json_put(writer, events[record->kind].text, events[record->kind].len);
	if (record->name != NULL)
		put_name(writer, record->name);
	if (record->type != RANGE_NOTHING) {
		const char *type = range_word_name((enum range_word)record->type);
		qn_json_put_literal(writer, ",\"type\":\"");
		qn_json_put(writer, type, strlen(type));
		qn_json_put_literal(writer, "\"");
	}
	if (record->value != 0 || (WITH_VALUE & EVENT_BIT(record->kind))) {
		qn_json_put_literal(writer, ",\"value\":");
		qn_json_put_int(writer, record->value);
	}
	if (record->text_len > 0)
		put_text(writer, record, text);
	qn_json_put_literal(writer, "}\n");
	if (writer->full)
		writer->at = start;
}

void jsonl_put_end(struct qn_json_writer *writer, int64_t t_ns, uint64_t dropped)
{
	qn_json_put_literal(writer, "{\"t\":");
	qn_json_put_int(writer, t_ns);
	qn_json_put_literal(writer, ",\"event\":\"dropped\",\"value\":");
	qn_json_put_uint(writer, dropped);
	qn_json_put_literal(writer, "}\n");
}

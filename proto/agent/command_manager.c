#include "proto/agent/command.h"

#include <string.h>

/* RFC 9562, 5.4: version 4, variant 10. */
void qn_agent_id(uint64_t high, uint64_t low, char id[QN_AGENT_ID_LEN])
{
	static const char digits[] = "0123456789abcdef";

	high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
	low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
	for (int i = 0; i < 16; i++) {
		id[i] = digits[high >> (60 - 4 * i) & 15];
		id[16 + i] = digits[low >> (60 - 4 * i) & 15];
	}
}

static void write_value(struct qn_mp_writer *writer, const char *key, struct qn_text raw)
{
	qn_mp_write_word(writer, key);
	qn_mp_write_raw(writer, raw);
}

size_t qn_agent_write_command(char *buffer, size_t cap, struct qn_text request_id,
			      struct qn_text command_id, struct qn_text cmdtype,
			      struct qn_text args, struct qn_text kwargs)
{
	static const struct qn_text empty_array = { "\x90", 1 }, empty_map = { "\x80", 1 };
	struct qn_mp_writer writer;

	qn_agent_begin(&writer, buffer, cap, QN_AGENT_REQUEST, 5);
	qn_mp_write_word(&writer, "id");
	qn_mp_write_str(&writer, request_id);
	qn_mp_write_word(&writer, "method");
	qn_mp_write_word(&writer, "command");
	write_value(&writer, "args", empty_array);
	qn_mp_write_word(&writer, "kwargs");
	qn_mp_write_map(&writer, 4);
	qn_mp_write_word(&writer, "id");
	qn_mp_write_str(&writer, command_id);
	qn_mp_write_word(&writer, "cmdtype");
	qn_mp_write_str(&writer, cmdtype);
	write_value(&writer, "args", args.len > 0 ? args : empty_array);
	write_value(&writer, "kwargs", kwargs.len > 0 ? kwargs : empty_map);
	return qn_agent_end(&writer);
}

/* ---- what an agent tells ---- */

static bool is_word(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* The value of a key in a checked map; of two the last. False: there is none. */
static bool find(struct qn_text map, const char *name, struct qn_mp_value *ret)
{
	struct qn_mp_reader reader, inner;
	struct qn_mp_value head, key;
	struct qn_text raw;
	bool found = false;

	qn_mp_reader_init(&reader, map.at, map.len);
	qn_mp_next(&reader, &head, NULL);
	if (head.type != QN_MP_MAP)
		return false;
	for (uint32_t i = 0; i < head.count; i++) {
		qn_mp_next(&reader, &key, NULL);
		qn_mp_skip(&reader, &raw, NULL);
		if (!is_word(key.bytes, name))
			continue;
		qn_mp_reader_init(&inner, raw.at, raw.len);
		qn_mp_next(&inner, ret, NULL);
		found = true;
	}
	return found;
}

static bool find_text(struct qn_text map, const char *name, struct qn_text *ret)
{
	struct qn_mp_value value;

	if (!find(map, name, &value) || value.type != QN_MP_STR)
		return false;
	*ret = value.bytes;
	return true;
}

static bool find_bool(struct qn_text map, const char *name, bool *ret)
{
	struct qn_mp_value value;

	if (!find(map, name, &value) || value.type != QN_MP_BOOL)
		return false;
	*ret = value.boolean;
	return true;
}

static bool find_uint(struct qn_text map, const char *name, uint64_t *ret)
{
	struct qn_mp_value value;

	if (!find(map, name, &value) || value.type != QN_MP_UINT)
		return false;
	*ret = value.uint;
	return true;
}

enum qn_code qn_agent_read_result(const struct qn_agent_message *notification,
				  struct qn_agent_result *result)
{
	struct qn_agent_result read;
	struct qn_text data = notification->data;

	if (!is_word(notification->word, "command_result"))
		return QN_E_UNKNOWN;
	if (!find_text(data, "id", &read.id) || !find_bool(data, "success", &read.success) ||
	    !find_bool(data, "changed", &read.changed) || !find_text(data, "output", &read.output))
		return QN_E_TYPE;
	*result = read;
	return QN_OK;
}

enum qn_code qn_agent_read_progress(const struct qn_agent_message *notification,
				    struct qn_agent_progress *progress)
{
	struct qn_agent_progress read;
	struct qn_text data = notification->data;

	if (!is_word(notification->word, "command_progress"))
		return QN_E_UNKNOWN;
	if (!find_text(data, "command_id", &read.id) ||
	    !find_uint(data, "current", &read.current) || !find_uint(data, "total", &read.total) ||
	    !find_text(data, "message", &read.message))
		return QN_E_TYPE;
	*progress = read;
	return QN_OK;
}

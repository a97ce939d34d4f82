#include "proto/jsonrpc/transcode.h"

#include "proto/msgpack/msgpack.h"

/* How many values, or keys, stand in the container whose first token was read last. */
static bool count_of(const struct qn_json_reader *at, uint32_t *ret)
{
	struct qn_json_reader ahead = *at;
	unsigned inside = ahead.depth;
	uint32_t count = 0;
	struct qn_text value;

	for (;;) {
		enum qn_json_token token = qn_json_next(&ahead);
		switch (token) {
		case QN_JSON_ERROR: return false;
		case QN_JSON_KEY:
			count++;
			if (qn_json_value(&ahead, &value) == QN_JSON_ERROR)
				return false;
			break;
		case QN_JSON_OBJECT_END:
		case QN_JSON_ARRAY_END:
			if (ahead.depth < inside) {
				*ret = count;
				return true;
			}
			break;
		case QN_JSON_OBJECT:
		case QN_JSON_ARRAY:
			count++;
			if (!qn_json_skip_rest(&ahead))
				return false;
			break;
		default: count++; break;
		}
	}
}

static void write_string(struct qn_mp_writer *w, struct qn_text text, bool escaped)
{
	if (!escaped) {
		qn_mp_write_str(w, text);
		return;
	}
	size_t len = qn_json_unescape(text, QN_JSON_STRICT, NULL, 0);
	qn_mp_write_str_head(w, (uint32_t)len);
	if (w->failed || (size_t)(w->end - w->at) < len) {
		w->failed = true;
		return;
	}
	qn_json_unescape(text, QN_JSON_STRICT, w->at, len);
	w->at += len;
}

/* Past what an int64_t holds MessagePack still has integers. */
static bool read_uint64(struct qn_text raw, uint64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < raw.len; i++) {
		if (raw.at[i] < '0' || raw.at[i] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(raw.at[i] - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

static void write_number(struct qn_mp_writer *w, struct qn_text raw)
{
	int64_t integer;
	uint64_t large;
	double number = 0;

	if (qn_json_int64(raw, &integer))
		qn_mp_write_int(w, integer);
	else if (read_uint64(raw, &large))
		qn_mp_write_uint(w, large);
	else if (qn_json_double(raw, &number))
		qn_mp_write_double(w, number);
	else
		qn_mp_write_nil(w); /* 1e999 */
}

/* True: there is more to come. */
static bool write_token(struct qn_json_reader *reader, struct qn_mp_writer *w)
{
	uint32_t count;
	enum qn_json_token token = qn_json_next(reader);

	switch (token) {
	case QN_JSON_END: return false;
	case QN_JSON_ERROR: w->failed = true; return false;
	case QN_JSON_OBJECT:
	case QN_JSON_ARRAY:
		if (!count_of(reader, &count))
			w->failed = true;
		else if (token == QN_JSON_OBJECT)
			qn_mp_write_map(w, count);
		else
			qn_mp_write_array(w, count);
		break;
	case QN_JSON_OBJECT_END:
	case QN_JSON_ARRAY_END: break;
	case QN_JSON_KEY:
	case QN_JSON_STRING: write_string(w, reader->text, reader->escaped); break;
	case QN_JSON_NUMBER: write_number(w, reader->raw); break;
	case QN_JSON_TRUE: qn_mp_write_bool(w, true); break;
	case QN_JSON_FALSE: qn_mp_write_bool(w, false); break;
	case QN_JSON_NULL: qn_mp_write_nil(w); break;
	}
	return !w->failed;
}

size_t qn_json_to_msgpack(struct qn_text text, char *buffer, size_t cap)
{
	struct qn_json_reader reader;
	struct qn_mp_writer w;

	qn_json_open(&reader, text.at, text.len, QN_JSON_STRICT, 0);
	qn_mp_writer_init(&w, buffer, cap);
	while (write_token(&reader, &w))
		;
	return qn_mp_written(&w);
}

#include "proto/jsonrpc/transcode.h"

#include "proto/msgpack/msgpack.h"
#include "proto/ws/sha1.h"

#include <math.h>
#include <stdio.h>

/* What is open: values that are still to come, in a map keys and values. */
struct level {
	uint64_t left;
	bool map;
};

static void put_double(struct qn_json_writer *w, double value)
{
	char text[40];

	if (isnan(value) || isinf(value)) {
		qn_json_put_literal(w, "null");
		return;
	}
	int len = snprintf(text, sizeof(text), "%.17g", value);
	qn_json_put(w, text, (size_t)len);
	/* Or it would come back as an integer. */
	if (strcspn(text, ".e") == (size_t)len)
		qn_json_put_literal(w, ".0");
}

static void put_base64(struct qn_json_writer *w, struct qn_text bytes)
{
	size_t len = (bytes.len + 2) / 3 * 4;

	qn_json_put_literal(w, "\"");
	if (w->full || (size_t)(w->end - w->at) < len + 1) {
		w->full = true;
		return;
	}
	qn_base64((const uint8_t *)bytes.at, bytes.len, w->at);
	w->at += len;
	qn_json_put_literal(w, "\"");
}

/* Between two values: a comma, a colon. */
static void put_separator(struct qn_json_writer *w, const struct level *level, bool first)
{
	if (level->map && level->left % 2 == 1)
		qn_json_put_literal(w, ":");
	else if (!first)
		qn_json_put_literal(w, ",");
}

/* False: it has no word in JSON. */
static bool put_scalar(struct qn_json_writer *w, const struct qn_mp_value *value)
{
	switch (value->type) {
	case QN_MP_NIL: qn_json_put_literal(w, "null"); return true;
	case QN_MP_BOOL:
		qn_json_put(w, value->boolean ? "true" : "false", value->boolean ? 4 : 5);
		return true;
	case QN_MP_UINT: qn_json_put_uint(w, value->uint); return true;
	case QN_MP_INT: qn_json_put_int(w, value->sint); return true;
	case QN_MP_FLOAT: put_double(w, value->number); return true;
	case QN_MP_STR:
		qn_json_put_string(w, value->bytes.at, value->bytes.len, false);
		return true;
	case QN_MP_BIN: put_base64(w, value->bytes); return true;
	default: return false;
	}
}

bool qn_msgpack_to_json(struct qn_text bytes, struct qn_json_writer *w)
{
	struct qn_mp_reader reader;
	struct qn_mp_value value;
	struct level levels[QN_MP_DEPTH_MAX];
	unsigned depth = 0;
	bool first = true;

	/* Depth, UTF-8, keys: looked at once, for all of it. */
	if (qn_mp_check(bytes.at, bytes.len, NULL) != QN_OK)
		return false;
	qn_mp_reader_init(&reader, bytes.at, bytes.len);
	do {
		if (qn_mp_next(&reader, &value, NULL) != QN_OK)
			return false;
		if (depth > 0) {
			put_separator(w, &levels[depth - 1], first);
			levels[depth - 1].left--;
		}
		first = value.type == QN_MP_MAP || value.type == QN_MP_ARRAY;
		if (first) {
			bool map = value.type == QN_MP_MAP;
			levels[depth++] = (struct level){ (uint64_t)value.count * (map ? 2 : 1),
							  map };
			qn_json_put(w, map ? "{" : "[", 1);
		} else if (!put_scalar(w, &value)) {
			return false;
		}
		while (depth > 0 && levels[depth - 1].left == 0) {
			qn_json_put(w, levels[--depth].map ? "}" : "]", 1);
			first = false;
		}
	} while (depth > 0 && !w->full);
	return !w->full;
}

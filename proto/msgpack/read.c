#include "proto/msgpack/msgpack.h"

#include "proto/utf8.h"

#include <mpack.h>
#include <string.h>

static enum qn_code refuse(struct qn_fault *fault, enum qn_code code, const char *start,
			   const char *at, const char *text)
{
	if (fault != NULL)
		*fault = (struct qn_fault){ code, (size_t)(at - start), text };
	return code;
}

void qn_mp_reader_init(struct qn_mp_reader *reader, const char *bytes, size_t len)
{
	/* Nothing at all may stand at NULL. */
	*reader = (struct qn_mp_reader){ bytes, bytes, len > 0 ? bytes + len : bytes };
}

static uint64_t bits_of(const mpack_token_t *token)
{
	return (uint64_t)token->data.value.hi << 32 | token->data.value.lo;
}

/* libmpack has told the negative ones from the others; here they get the width of an int64_t. */
static int64_t negative_of(const mpack_token_t *token)
{
	switch (token->length) {
	case 1: return (int8_t)token->data.value.lo;
	case 2: return (int16_t)token->data.value.lo;
	case 4: return (int32_t)token->data.value.lo;
	default: return (int64_t)bits_of(token);
	}
}

static double float_of(const mpack_token_t *token)
{
	uint32_t bits = token->data.value.lo;
	uint64_t wide = bits_of(token);
	float narrow;
	double value;

	if (token->length == sizeof(narrow)) {
		memcpy(&narrow, &bits, sizeof(narrow));
		return (double)narrow;
	}
	memcpy(&value, &wide, sizeof(value));
	return value;
}

/* A string, binary or extension; `at` stands behind its head. False: it is cut short. */
static bool take_bytes(const mpack_token_t *token, enum qn_mp_type type, const char **at,
		       const char *end, struct qn_mp_value *value)
{
	if (token->length > (size_t)(end - *at))
		return false;
	*value = (struct qn_mp_value){ .type = type, .bytes = { *at, token->length } };
	*at += token->length;
	return true;
}

/* Every element has a byte at least: a count beyond that is a lie, told before anybody loops. */
static bool take_count(const mpack_token_t *token, enum qn_mp_type type, const char *at,
		       const char *end, struct qn_mp_value *value)
{
	size_t least = type == QN_MP_MAP ? (size_t)token->length * 2 : token->length;

	if (least > (size_t)(end - at))
		return false;
	*value = (struct qn_mp_value){ .type = type, .count = token->length };
	return true;
}

static bool take(const mpack_token_t *token, const char **at, const char *end,
		 struct qn_mp_value *value)
{
	switch (token->type) {
	case MPACK_TOKEN_NIL: *value = (struct qn_mp_value){ .type = QN_MP_NIL }; return true;
	case MPACK_TOKEN_BOOLEAN:
		*value = (struct qn_mp_value){ .type = QN_MP_BOOL,
					       .boolean = token->data.value.lo != 0 };
		return true;
	case MPACK_TOKEN_UINT:
		*value = (struct qn_mp_value){ .type = QN_MP_UINT, .uint = bits_of(token) };
		return true;
	case MPACK_TOKEN_SINT:
		*value = (struct qn_mp_value){ .type = QN_MP_INT, .sint = negative_of(token) };
		return true;
	case MPACK_TOKEN_FLOAT:
		*value = (struct qn_mp_value){ .type = QN_MP_FLOAT, .number = float_of(token) };
		return true;
	case MPACK_TOKEN_STR: return take_bytes(token, QN_MP_STR, at, end, value);
	case MPACK_TOKEN_BIN: return take_bytes(token, QN_MP_BIN, at, end, value);
	case MPACK_TOKEN_EXT: return take_bytes(token, QN_MP_EXT, at, end, value);
	case MPACK_TOKEN_ARRAY: return take_count(token, QN_MP_ARRAY, *at, end, value);
	case MPACK_TOKEN_MAP: return take_count(token, QN_MP_MAP, *at, end, value);
	case MPACK_TOKEN_CHUNK: break;
	}
	return false;
}

enum qn_code qn_mp_next(struct qn_mp_reader *reader, struct qn_mp_value *value,
			struct qn_fault *fault)
{
	const char *at = reader->at;
	size_t len = (size_t)(reader->end - at);
	mpack_tokbuf_t tokbuf = MPACK_TOKBUF_INITIAL_VALUE;
	mpack_token_t token = { 0 };

	/* Of nothing at all libmpack would read a byte. */
	if (len == 0)
		return refuse(fault, QN_E_SYNTAX, reader->start, at, "the value is missing");
	switch (mpack_read(&tokbuf, &at, &len, &token)) {
	case MPACK_OK: break;
	case MPACK_EOF:
		return refuse(fault, QN_E_SYNTAX, reader->start, reader->at,
			      "the value is cut short");
	default: return refuse(fault, QN_E_SYNTAX, reader->start, reader->at, "no MessagePack");
	}
	if (!take(&token, &at, reader->end, value))
		return refuse(fault, QN_E_SYNTAX, reader->start, reader->at,
			      "the value is cut short");
	reader->at = at;
	return QN_OK;
}

/* ---- whole values ---- */

/* What is still to come at each level. */
struct levels {
	uint64_t left[QN_MP_DEPTH_MAX]; /* values; of a map, keys and values */
	uint64_t maps;                  /* a bit a level */
	unsigned depth;
};
_Static_assert(QN_MP_DEPTH_MAX <= 64, "a bit a level");

static bool key_is_due(const struct levels *levels)
{
	unsigned top = levels->depth - 1;

	return levels->depth > 0 && (levels->maps >> top & 1) != 0 && levels->left[top] % 2 == 0;
}

static bool open_level(struct levels *levels, const struct qn_mp_value *value)
{
	if (levels->depth == QN_MP_DEPTH_MAX)
		return false;
	bool is_map = value->type == QN_MP_MAP;
	levels->left[levels->depth] = is_map ? (uint64_t)value->count * 2 : value->count;
	levels->maps &= ~(UINT64_C(1) << levels->depth);
	levels->maps |= (uint64_t)is_map << levels->depth;
	levels->depth++;
	return true;
}

static void value_done(struct levels *levels)
{
	while (levels->depth > 0 && levels->left[levels->depth - 1] == 0)
		levels->depth--;
}

static enum qn_code skip_one(struct qn_mp_reader *reader, struct levels *levels,
			     struct qn_fault *fault)
{
	const char *at = reader->at;
	bool key = key_is_due(levels);
	struct qn_mp_value value;
	enum qn_code code = qn_mp_next(reader, &value, fault);

	if (code != QN_OK)
		return code;
	if (key && value.type != QN_MP_STR)
		return refuse(fault, QN_E_TYPE, reader->start, at, "a key that is no string");
	if (value.type == QN_MP_STR &&
	    qn_utf8_valid_len(value.bytes.at, value.bytes.len) != value.bytes.len)
		return refuse(fault, QN_E_UTF8, reader->start, at, "a string that is no UTF-8");
	if (levels->depth > 0)
		levels->left[levels->depth - 1]--;
	if ((value.type == QN_MP_ARRAY || value.type == QN_MP_MAP) && !open_level(levels, &value))
		return refuse(fault, QN_E_DEPTH, reader->start, at, "nested too deep");
	value_done(levels);
	return QN_OK;
}

enum qn_code qn_mp_skip(struct qn_mp_reader *reader, struct qn_text *ret, struct qn_fault *fault)
{
	const char *start = reader->at;
	struct levels levels;
	enum qn_code code;

	levels.depth = 0;
	levels.maps = 0;
	do {
		code = skip_one(reader, &levels, fault);
		if (code != QN_OK) {
			reader->at = start;
			return code;
		}
	} while (levels.depth > 0);
	*ret = (struct qn_text){ start, (size_t)(reader->at - start) };
	return QN_OK;
}

enum qn_code qn_mp_check(const char *bytes, size_t len, struct qn_fault *fault)
{
	struct qn_mp_reader reader;
	struct qn_text whole;

	qn_mp_reader_init(&reader, bytes, len);
	enum qn_code code = qn_mp_skip(&reader, &whole, fault);
	if (code == QN_OK && reader.at != reader.end)
		return refuse(fault, QN_E_SYNTAX, bytes, reader.at, "something behind the value");
	return code;
}

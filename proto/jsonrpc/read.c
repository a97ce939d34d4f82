#include "proto/jsonrpc/jsonrpc.h"

#include <string.h>

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* A value that a key promised; the reader has been over the text before, or notices by itself. */
static bool value(struct qn_json_reader *json, enum qn_json_token *ret_token, struct qn_text *ret)
{
	*ret_token = qn_json_value(json, ret);
	return *ret_token != QN_JSON_ERROR;
}

/* {"code": integer, "message": string, "data": anything} */
static bool read_error(struct qn_text object, struct qn_jsonrpc_message *message)
{
	struct qn_text code, text;

	if (qn_jsonrpc_member(object, "code", &code) != QN_JSON_NUMBER ||
	    !qn_json_int64(code, &message->error_code) ||
	    qn_jsonrpc_member(object, "message", &text) != QN_JSON_STRING)
		return false;
	message->error_message = qn_jsonrpc_unquoted(text);
	if (qn_jsonrpc_member(object, "data", &message->error_data) == QN_JSON_END)
		message->error_data = (struct qn_text){ NULL, 0 };
	return true;
}

/* What stood in an object, before it is judged. */
struct members {
	bool version, method, bad_method, params, bad_params, id, bad_id, result, null_result,
		error, bad_error;
};

static bool read_member(struct qn_json_reader *json, struct members *seen,
			struct qn_jsonrpc_message *message)
{
	struct qn_text key = json->text, text;
	enum qn_json_token token;

	if (is(key, "jsonrpc")) {
		if (!value(json, &token, &text))
			return false;
		seen->version = token == QN_JSON_STRING && is(text, "\"2.0\"");
	} else if (is(key, "method")) {
		if (!value(json, &token, &text))
			return false;
		seen->method = true;
		seen->bad_method = token != QN_JSON_STRING;
		if (!seen->bad_method) {
			message->method = qn_jsonrpc_unquoted(text);
			message->method_escaped = memchr(text.at, '\\', text.len) != NULL;
		}
	} else if (is(key, "params")) {
		if (!value(json, &token, &message->params))
			return false;
		seen->params = true;
		seen->bad_params = token != QN_JSON_OBJECT && token != QN_JSON_ARRAY;
	} else if (is(key, "id")) {
		if (!value(json, &token, &message->id))
			return false;
		seen->id = true;
		seen->bad_id = token != QN_JSON_STRING && token != QN_JSON_NUMBER &&
			       token != QN_JSON_NULL;
	} else if (is(key, "format")) {
		if (!value(json, &token, &text))
			return false;
		message->msgpack = is(text, "\"msgpack\"");
	} else if (is(key, "result")) {
		if (!value(json, &token, &message->result))
			return false;
		seen->result = true;
		seen->null_result = token == QN_JSON_NULL;
	} else if (is(key, "error")) {
		if (!value(json, &token, &text))
			return false;
		seen->error = token != QN_JSON_NULL;
		seen->bad_error = token != QN_JSON_OBJECT || !read_error(text, message);
	} else {
		return value(json, &token, &text); /* whatever else it has */
	}
	return true;
}

static enum qn_jsonrpc_kind judge(const struct members *seen, struct qn_jsonrpc_message *message)
{
	if (seen->bad_id)
		message->id = (struct qn_text){ NULL, 0 };
	if (seen->bad_params || !seen->params)
		message->params = (struct qn_text){ NULL, 0 };
	if (!seen->version || seen->bad_id || seen->bad_params || seen->bad_method)
		return QN_JSONRPC_INVALID;
	if (seen->method)
		return seen->result || seen->error ? QN_JSONRPC_INVALID
		       : seen->id                  ? QN_JSONRPC_REQUEST
						   : QN_JSONRPC_NOTIFICATION;
	/* As in JSON-RPC 1.0 many a server sends both, and null is the one that is not meant. */
	bool result = seen->result && !(seen->error && seen->null_result);
	if (!seen->id || result == seen->error || (seen->error && seen->bad_error))
		return QN_JSONRPC_INVALID;
	return result ? QN_JSONRPC_RESULT : QN_JSONRPC_ERROR;
}

/* From its first token on. False: no JSON. */
static bool read_message(struct qn_json_reader *json, enum qn_json_token first,
			 struct qn_jsonrpc_message *message)
{
	struct members seen = { 0 };

	memset(message, 0, sizeof(*message));
	message->kind = QN_JSONRPC_INVALID;
	if (first == QN_JSON_ARRAY)
		return qn_json_skip_rest(json);
	if (first != QN_JSON_OBJECT)
		return true;
	for (;;) {
		enum qn_json_token token = qn_json_next(json);
		if (token == QN_JSON_OBJECT_END)
			break;
		if (token != QN_JSON_KEY || !read_member(json, &seen, message))
			return false;
	}
	message->kind = judge(&seen, message);
	return true;
}

/* ---- texts ---- */

/* Is it JSON at all, and how many elements has it? */
static bool count_elements(const char *text, size_t len, size_t *ret_count,
			   struct qn_fault *ret_fault)
{
	struct qn_json_reader json;
	struct qn_text element;
	size_t count = 0;

	qn_json_open(&json, text, len, QN_JSON_STRICT, 0);
	qn_json_next(&json);
	for (;;) {
		enum qn_json_token token = qn_json_value(&json, &element);
		if (token == QN_JSON_ARRAY_END)
			break;
		if (token == QN_JSON_ERROR)
			goto broken;
		count++;
	}
	if (qn_json_next(&json) != QN_JSON_END)
		goto broken;
	*ret_count = count;
	return true;
broken:
	*ret_fault = json.fault;
	return false;
}

enum qn_jsonrpc_shape qn_jsonrpc_open(struct qn_jsonrpc_reader *reader, const char *text,
				      size_t len, size_t batch_max)
{
	size_t skipped = 0, count;

	reader->done = reader->batch = false;
	while (skipped < len && (text[skipped] == ' ' || text[skipped] == '\t' ||
				 text[skipped] == '\n' || text[skipped] == '\r'))
		skipped++;
	if (skipped == len || text[skipped] != '[') {
		enum qn_code code = qn_json_check(text, len, QN_JSON_STRICT, 0, &reader->fault);
		qn_json_open(&reader->json, text, len, QN_JSON_STRICT, 0);
		return code == QN_OK ? QN_JSONRPC_SINGLE : QN_JSONRPC_BROKEN;
	}
	if (!count_elements(text, len, &count, &reader->fault))
		return QN_JSONRPC_BROKEN;
	if (count == 0)
		return QN_JSONRPC_BATCH_EMPTY;
	if (count > batch_max)
		return QN_JSONRPC_BATCH_LONG;
	reader->batch = true;
	qn_json_open(&reader->json, text, len, QN_JSON_STRICT, 0);
	qn_json_next(&reader->json);
	return QN_JSONRPC_BATCH;
}

bool qn_jsonrpc_next(struct qn_jsonrpc_reader *reader, struct qn_jsonrpc_message *ret)
{
	if (reader->done)
		return false;
	enum qn_json_token token = qn_json_next(&reader->json);
	if (token == QN_JSON_ARRAY_END && reader->batch) {
		reader->done = true;
		return false;
	}
	reader->done = !reader->batch;
	/* It cannot fail: open() has been over all of it. */
	return token != QN_JSON_ERROR && read_message(&reader->json, token, ret);
}

/* ---- parts of values ---- */

enum qn_json_token qn_jsonrpc_member(struct qn_text text, const char *name, struct qn_text *ret)
{
	struct qn_json_reader json;
	enum qn_json_token found = QN_JSON_END;

	if (text.len == 0 || *text.at != '{')
		return QN_JSON_END;
	qn_json_open(&json, text.at, text.len, QN_JSON_STRICT, 0);
	qn_json_next(&json);
	while (qn_json_next(&json) == QN_JSON_KEY) {
		struct qn_text key = json.text, member;
		enum qn_json_token token = qn_json_value(&json, &member);
		if (token == QN_JSON_ERROR)
			break;
		if (!is(key, name))
			continue;
		found = token;
		*ret = member;
	}
	return found;
}

enum qn_json_token qn_jsonrpc_element(struct qn_text text, size_t index, struct qn_text *ret)
{
	struct qn_json_reader json;
	struct qn_text element;

	if (text.len == 0 || *text.at != '[')
		return QN_JSON_END;
	qn_json_open(&json, text.at, text.len, QN_JSON_STRICT, 0);
	qn_json_next(&json);
	for (size_t i = 0;; i++) {
		enum qn_json_token token = qn_json_value(&json, &element);
		if (token == QN_JSON_ARRAY_END || token == QN_JSON_ERROR)
			return QN_JSON_END;
		if (i < index)
			continue;
		*ret = element;
		return token;
	}
}

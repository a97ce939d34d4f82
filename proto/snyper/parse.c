#include "proto/snyper/message.h"

#include <string.h>

static const char *const type_names[QN_SNYPER_TYPES] = {
	[QN_SNYPER_UNKNOWN] = "unknown",
	[QN_SNYPER_REGISTER] = "register",
	[QN_SNYPER_REGISTERED] = "registered",
	[QN_SNYPER_PING] = "ping",
	[QN_SNYPER_PONG] = "pong",
	[QN_SNYPER_STAND_UP] = "stand_up",
	[QN_SNYPER_STANDING] = "standing",
	[QN_SNYPER_LAY_DOWN] = "lay_down",
	[QN_SNYPER_DOWN] = "down",
	[QN_SNYPER_ACTIVATE] = "activate",
	[QN_SNYPER_ACTIVATED] = "activated",
	[QN_SNYPER_ERROR] = "error",
};

const char *qn_snyper_type_name(enum qn_snyper_type type)
{
	return type_names[type];
}

enum qn_snyper_type qn_snyper_type_of(const char *name, size_t len)
{
	char lower[16];

	if (len == 0 || len >= sizeof(lower))
		return QN_SNYPER_UNKNOWN;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	for (int type = QN_SNYPER_REGISTER; type < QN_SNYPER_TYPES; type++) {
		const char *known = type_names[type];
		if (known[0] == lower[0] && strlen(known) == len && memcmp(known, lower, len) == 0)
			return (enum qn_snyper_type)type;
	}
	return QN_SNYPER_UNKNOWN;
}

enum qn_snyper_type qn_snyper_answer_to(enum qn_snyper_type request)
{
	switch (request) {
	case QN_SNYPER_REGISTER: return QN_SNYPER_REGISTERED;
	case QN_SNYPER_PING: return QN_SNYPER_PONG;
	case QN_SNYPER_STAND_UP: return QN_SNYPER_STANDING;
	case QN_SNYPER_LAY_DOWN: return QN_SNYPER_DOWN;
	case QN_SNYPER_ACTIVATE: return QN_SNYPER_ACTIVATED;
	default: return QN_SNYPER_UNKNOWN;
	}
}

enum member {
	MEMBER_OTHER,
	MEMBER_TYPE,
	MEMBER_ID,
	MEMBER_TARGET_ID,
	MEMBER_DATA,
	MEMBER_CLIENT_ID,
	MEMBER_STATUS,
	MEMBER_ERROR,
	MEMBER_DURATION,
};

static bool is(struct qn_text text, const char *name, size_t len)
{
	return text.len == len && memcmp(text.at, name, len) == 0;
}
#define IS(text, literal) is(text, literal, sizeof(literal) - 1)

/* A key that hides behind escapes ("\u0074ype") means the same as one that does not. */
static struct qn_text plain_key(const struct qn_json_reader *json, char *space, size_t cap)
{
	if (!json->escaped)
		return json->text;
	size_t len = qn_json_unescape(json->text, json->dialect, space, cap);
	return (struct qn_text){ space, len <= cap ? len : 0 };
}

static enum member outer_member(struct qn_text key)
{
	switch (key.len) {
	case 2: return IS(key, "id") ? MEMBER_ID : MEMBER_OTHER;
	case 4: return IS(key, "type") ? MEMBER_TYPE : IS(key, "data") ? MEMBER_DATA : MEMBER_OTHER;
	case 9: return IS(key, "target_id") ? MEMBER_TARGET_ID : MEMBER_OTHER;
	default: return MEMBER_OTHER;
	}
}

static enum member data_member(struct qn_text key)
{
	switch (key.len) {
	case 5: return IS(key, "error") ? MEMBER_ERROR : MEMBER_OTHER;
	case 6: return IS(key, "status") ? MEMBER_STATUS : MEMBER_OTHER;
	case 8: return IS(key, "duration") ? MEMBER_DURATION : MEMBER_OTHER;
	case 9: return IS(key, "client_id") ? MEMBER_CLIENT_ID : MEMBER_OTHER;
	default: return MEMBER_OTHER;
	}
}

/* The text of a string token that stands alone in `raw`, or nothing for another value. */
static struct qn_text string_text(enum qn_json_token token, struct qn_text raw)
{
	if (token != QN_JSON_STRING)
		return (struct qn_text){ NULL, 0 };
	return (struct qn_text){ raw.at + 1, raw.len - 2 };
}

/*
 * What an answer repeats must be JSON even where the dialect is laxer: "01", NaN or a raw control
 * character that passed the board's reader would otherwise go out again as they came.
 */
static bool can_be_echoed(const struct qn_json_reader *json, struct qn_text raw)
{
	return json->dialect == QN_JSON_STRICT ||
	       qn_json_check(raw.at, raw.len, QN_JSON_STRICT, 0, NULL) == QN_OK;
}

static bool refuse_echo(struct qn_json_reader *json, struct qn_text raw)
{
	json->fault = (struct qn_fault){ QN_E_SYNTAX, (size_t)(raw.at - json->start),
					 "a value that no answer could repeat" };
	return false;
}

static bool read_data(struct qn_json_reader *json, struct qn_snyper_message *message)
{
	char space[16];

	for (;;) {
		enum qn_json_token token = qn_json_next(json);
		if (token == QN_JSON_OBJECT_END)
			return true;
		if (token != QN_JSON_KEY)
			return false;
		enum member member = data_member(plain_key(json, space, sizeof(space)));
		struct qn_text raw;
		token = qn_json_value(json, &raw);
		if (token == QN_JSON_ERROR)
			return false;
		message->has_data = true;
		switch (member) {
		case MEMBER_CLIENT_ID: message->client_id = string_text(token, raw); break;
		case MEMBER_STATUS: message->status = string_text(token, raw); break;
		case MEMBER_ERROR: message->error = string_text(token, raw); break;
		case MEMBER_DURATION:
			message->duration = (struct qn_text){ NULL, 0 };
			message->duration_s = 5;
			if (token != QN_JSON_NUMBER)
				break;
			if (!can_be_echoed(json, raw) || !qn_json_double(raw, &message->duration_s))
				return refuse_echo(json, raw);
			message->duration = raw;
			break;
		default: break;
		}
	}
}

/* "[]" and "{ }": white space at most; ',' and ':' are that to MicroPython. */
static bool container_is_empty(struct qn_text raw)
{
	size_t i = 1;

	while (i < raw.len && memchr(" \t\n\v\f\r,:", raw.at[i], 8) != NULL)
		i++;
	return i < raw.len && (raw.at[i] == ']' || raw.at[i] == '}');
}

/* An id that Python calls false is none: the answer then gets a fresh one. */
static bool id_is_empty(enum qn_json_token token, struct qn_text raw)
{
	double value;

	switch (token) {
	case QN_JSON_NULL:
	case QN_JSON_FALSE: return true;
	case QN_JSON_STRING: return raw.len == 2;
	case QN_JSON_OBJECT:
	case QN_JSON_ARRAY: return container_is_empty(raw);
	case QN_JSON_NUMBER: return qn_json_double(raw, &value) && value == 0;
	default: return false;
	}
}

struct seen {
	bool type, id, type_is_text;
};

static bool read_data_value(struct qn_json_reader *json, struct qn_snyper_message *message)
{
	/* Of two "data" members the last wins as a whole. */
	message->has_data = false;
	message->client_id = message->status = message->error = message->duration =
		(struct qn_text){ NULL, 0 };
	message->duration_s = 5;

	switch (qn_json_next(json)) {
	case QN_JSON_ERROR: return false;
	case QN_JSON_OBJECT: return read_data(json, message);
	case QN_JSON_ARRAY: return qn_json_skip_rest(json);
	default: return true;
	}
}

static bool read_member(struct qn_json_reader *json, enum member member, struct seen *seen,
			struct qn_snyper_message *message)
{
	struct qn_text raw;

	if (member == MEMBER_DATA)
		return read_data_value(json, message);
	enum qn_json_token token = qn_json_value(json, &raw);
	if (token == QN_JSON_ERROR)
		return false;
	switch (member) {
	case MEMBER_TYPE:
		seen->type = true;
		seen->type_is_text = token == QN_JSON_STRING;
		message->type_text = string_text(token, raw);
		break;
	case MEMBER_ID:
		seen->id = true;
		message->id = id_is_empty(token, raw) ? (struct qn_text){ NULL, 0 } : raw;
		if (message->id.len > 0 && !can_be_echoed(json, raw))
			return refuse_echo(json, raw);
		break;
	case MEMBER_TARGET_ID: message->target_id = string_text(token, raw); break;
	default: break;
	}
	return true;
}

static enum qn_code refuse(struct qn_fault *fault, enum qn_code code, size_t offset,
			   const char *text)
{
	if (fault != NULL)
		*fault = (struct qn_fault){ code, offset, text };
	return code;
}

static enum qn_snyper_type type_of(struct qn_text text, enum qn_json_dialect dialect)
{
	char plain[16];

	if (memchr(text.at, '\\', text.len) == NULL)
		return qn_snyper_type_of(text.at, text.len);
	return qn_snyper_type_of(plain, qn_json_unescape(text, dialect, plain, sizeof(plain)));
}

static enum qn_code parse_as(enum qn_json_dialect dialect, const char *line, size_t len,
			     struct qn_snyper_message *message, struct qn_fault *fault)
{
	struct qn_json_reader json;
	struct seen seen = { false, false, false };
	char space[16];

	*message = (struct qn_snyper_message){ .duration_s = 5 };
	qn_json_open(&json, line, len, dialect, 0);
	enum qn_json_token token = qn_json_next(&json);
	if (token != QN_JSON_OBJECT) {
		if (token == QN_JSON_ARRAY)
			qn_json_skip_rest(&json);
		if (json.fault.code != QN_OK || qn_json_next(&json) != QN_JSON_END)
			return refuse(fault, json.fault.code, json.fault.offset, json.fault.text);
		return refuse(fault, QN_E_TYPE, 0, "a message must be an object");
	}
	while ((token = qn_json_next(&json)) == QN_JSON_KEY) {
		enum member member = outer_member(plain_key(&json, space, sizeof(space)));
		if (!read_member(&json, member, &seen, message))
			break;
	}
	if (token == QN_JSON_OBJECT_END)
		token = qn_json_next(&json);
	if (token != QN_JSON_END || json.fault.code != QN_OK)
		return refuse(fault, json.fault.code, json.fault.offset, json.fault.text);

	if (!seen.type)
		return refuse(fault, QN_E_MISSING, 0, "a message needs a type");
	if (!seen.type_is_text)
		return refuse(fault, QN_E_TYPE, 0, "type must be a string");
	if (!seen.id)
		return refuse(fault, QN_E_MISSING, 0, "a message needs an id");
	message->type = type_of(message->type_text, dialect);
	if (message->type == QN_SNYPER_UNKNOWN)
		return refuse(fault, QN_E_UNKNOWN, 0, "unknown message type");
	return QN_OK;
}

/*
 * What is strict JSON means the same in every dialect but for the odd escape, and the strict reader
 * is the quicker one: the laxer reader sees only what that one refuses.
 */
enum qn_code qn_snyper_parse(const struct qn_snyper_profile *profile, const char *line, size_t len,
			     struct qn_snyper_message *message, struct qn_fault *fault)
{
	enum qn_code code = parse_as(QN_JSON_STRICT, line, len, message, fault);

	if (code != QN_E_SYNTAX || profile->dialect == QN_JSON_STRICT)
		return code;
	return parse_as(profile->dialect, line, len, message, fault);
}

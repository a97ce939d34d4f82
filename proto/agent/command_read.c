#include "proto/agent/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* For exceptions: what does not fit is cut. */
static struct qn_text said(char *space, size_t cap, int len)
{
	size_t n = len < 0 ? 0 : (size_t)len;

	return (struct qn_text){ space, n < cap ? n : cap > 0 ? cap - 1 : 0 };
}
#define SAY(why, space, cap, ...) (*(why) = said(space, cap, snprintf(space, cap, __VA_ARGS__)))
/* Names in exceptions come from the peer: no more of them than this, and whole characters. */
#define NAME_MAX_BYTES 200
static int shown(struct qn_text name)
{
	size_t len = name.len;

	if (len > NAME_MAX_BYTES)
		for (len = NAME_MAX_BYTES; len > 0 && ((unsigned char)name.at[len] & 0xc0) == 0x80;)
			len--;
	return (int)len;
}

static struct qn_mp_value head_of(struct qn_text raw)
{
	struct qn_mp_reader reader;
	struct qn_mp_value value = { .type = QN_MP_NIL };

	qn_mp_reader_init(&reader, raw.at, raw.len);
	qn_mp_next(&reader, &value, NULL);
	return value;
}

/* ---- the call ---- */

enum { ID, CMDTYPE, ARGS, KWARGS, PARAMS };
static const char *const param_names[PARAMS] = { "id", "cmdtype", "args", "kwargs" };

static int param_of(struct qn_text key)
{
	for (int i = 0; i < PARAMS; i++)
		if (is_word(key, param_names[i]))
			return i;
	return -1;
}

static enum qn_code take_positional(const struct qn_agent_message *request,
				    struct qn_text found[PARAMS], struct qn_text *why, char *space,
				    size_t cap)
{
	struct qn_mp_reader reader;
	struct qn_mp_value array;

	qn_mp_reader_init(&reader, request->args.at, request->args.len);
	qn_mp_next(&reader, &array, NULL);
	if (array.count > PARAMS) {
		SAY(why, space, cap,
		    "Agent.handle_command() takes 5 positional arguments but %u were given",
		    array.count + 1);
		return QN_E_TYPE;
	}
	for (uint32_t i = 0; i < array.count; i++)
		qn_mp_skip(&reader, &found[i], NULL);
	return QN_OK;
}

static enum qn_code take_named(const struct qn_agent_message *request, struct qn_text found[PARAMS],
			       struct qn_text *why, char *space, size_t cap)
{
	struct qn_mp_reader reader;
	struct qn_mp_value map, key;
	struct qn_text raw;
	unsigned positional = 0;

	for (int i = 0; i < PARAMS; i++)
		positional |= (found[i].at != NULL ? 1u : 0u) << i;
	qn_mp_reader_init(&reader, request->kwargs.at, request->kwargs.len);
	qn_mp_next(&reader, &map, NULL);
	for (uint32_t i = 0; i < map.count; i++) {
		qn_mp_next(&reader, &key, NULL);
		qn_mp_skip(&reader, &raw, NULL);
		int param = param_of(key.bytes);
		if (param < 0) {
			SAY(why, space, cap,
			    "Agent.handle_command() got an unexpected keyword argument '%.*s'",
			    shown(key.bytes), key.bytes.at);
			return QN_E_TYPE;
		}
		if (positional >> param & 1) {
			SAY(why, space, cap,
			    "Agent.handle_command() got multiple values for argument '%s'",
			    param_names[param]);
			return QN_E_TYPE;
		}
		found[param] = raw;
	}
	return QN_OK;
}

/* "'a'", "'a' and 'b'", "'a', 'b', and 'c'". */
static void say_missing(const struct qn_text found[PARAMS], struct qn_text *why, char *space,
			size_t cap)
{
	char list[64] = "";
	size_t len = 0;
	int missing = 0, nth = 0;

	for (int i = 0; i < PARAMS; i++)
		missing += found[i].at == NULL;
	for (int i = 0; i < PARAMS; i++) {
		if (found[i].at != NULL)
			continue;
		const char *before = nth == 0            ? ""
				     : nth < missing - 1 ? ", "
				     : missing == 2      ? " and "
							 : ", and ";
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s'%s'", before,
					param_names[i]);
		nth++;
	}
	SAY(why, space, cap, "Agent.handle_command() missing %d required positional argument%s: %s",
	    missing, missing == 1 ? "" : "s", list);
}

enum qn_code qn_agent_read_command(const struct qn_agent_message *request,
				   struct qn_agent_command *command, struct qn_text *why,
				   char *space, size_t cap)
{
	struct qn_text found[PARAMS] = { 0 };
	enum qn_code code;

	if (!is_word(request->word, "command")) {
		SAY(why, space, cap, "Method %.*s not found", shown(request->word),
		    request->word.at);
		return QN_E_UNKNOWN;
	}
	code = take_positional(request, found, why, space, cap);
	if (code == QN_OK)
		code = take_named(request, found, why, space, cap);
	if (code != QN_OK)
		return code;
	for (int i = 0; i < PARAMS; i++)
		if (found[i].at == NULL) {
			say_missing(found, why, space, cap);
			return QN_E_MISSING;
		}
	struct qn_mp_value cmdtype = head_of(found[CMDTYPE]);
	*command = (struct qn_agent_command){ .id = found[ID],
					      .args = found[ARGS],
					      .kwargs = found[KWARGS] };
	/* The original fails later, and without telling the manager: here that is an empty name. */
	if (cmdtype.type == QN_MP_STR)
		command->cmdtype = cmdtype.bytes;
	else
		command->cmdtype = (struct qn_text){ "", 0 };
	return QN_OK;
}

/* ---- the operation ---- */

static const char *const op_names[QN_AGENT_OPS] = { "noop.Noop",       "echo.Echo",
						    "target.StandUp",  "target.LayDown",
						    "target.Activate", "target.Ping" };

const char *qn_agent_op_name(enum qn_agent_op op)
{
	return op_names[op];
}

static bool is_identifier(const char *at, size_t len)
{
	if (len == 0 || (at[0] >= '0' && at[0] <= '9'))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)at[i];
		if (c < 0x80 && c != '_' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
		    !(c >= 'A' && c <= 'Z'))
			return false;
	}
	return true;
}

static enum qn_code find_op(struct qn_text cmdtype, enum qn_agent_op *ret, struct qn_text *why,
			    char *space, size_t cap)
{
	const char *dot = cmdtype.len > 0 ? memchr(cmdtype.at, '.', cmdtype.len) : NULL;
	size_t module = dot != NULL ? (size_t)(dot - cmdtype.at) : cmdtype.len;

	for (int op = 0; op < QN_AGENT_OPS; op++)
		if (is_word(cmdtype, op_names[op])) {
			*ret = (enum qn_agent_op)op;
			return QN_OK;
		}
	if (dot == NULL || !is_identifier(cmdtype.at, module) ||
	    !is_identifier(dot + 1, cmdtype.len - module - 1)) {
		SAY(why, space, cap, "ValueError: Invalid operation type");
		return QN_E_TYPE;
	}
	struct qn_text name = { cmdtype.at, module }, cls = { dot + 1, cmdtype.len - module - 1 };
	if (is_word(name, "noop") || is_word(name, "echo") || is_word(name, "target"))
		SAY(why, space, cap,
		    "AttributeError: module 'redpepper.operations.%.*s' has no attribute '%.*s'",
		    shown(name), name.at, shown(cls), cls.at);
	else
		SAY(why, space, cap, "ImportError: Failed to load operation module %.*s",
		    shown(name), name.at);
	return QN_E_UNKNOWN;
}

/* What an operation was given: by position, or by name. */
struct given {
	struct qn_text values[2];
	struct qn_text condition;
};

static const char *const echo_params[] = { "message", "reverse", NULL };
static const char *const activate_params[] = { "duration", NULL };
static const char *const no_params[] = { NULL };

static const char *const *params_of(enum qn_agent_op op)
{
	if (op == QN_AGENT_OP_ECHO)
		return echo_params;
	return op == QN_AGENT_OP_ACTIVATE ? activate_params : no_params;
}

static int index_of(const char *const *params, struct qn_text key)
{
	for (int i = 0; params[i] != NULL; i++)
		if (is_word(key, params[i]))
			return i;
	return -1;
}

static enum qn_code take_values(const struct qn_agent_command *command, enum qn_agent_op op,
				struct given *given, struct qn_text *why, char *space, size_t cap)
{
	const char *const *params = params_of(op);
	const char *cls = strchr(op_names[op], '.') + 1;
	struct qn_mp_value args = head_of(command->args), kwargs = head_of(command->kwargs), key;
	struct qn_mp_reader reader;
	struct qn_text raw;
	uint32_t room = 0;

	while (params[room] != NULL)
		room++;
	if (args.type != QN_MP_ARRAY || kwargs.type != QN_MP_MAP || args.count > room) {
		SAY(why, space, cap,
		    room == 0 ? "TypeError: %s() takes no arguments"
			      : "TypeError: %s() takes other positional arguments",
		    cls);
		return QN_E_TYPE;
	}
	qn_mp_reader_init(&reader, command->args.at, command->args.len);
	qn_mp_next(&reader, &args, NULL);
	for (uint32_t i = 0; i < args.count; i++)
		qn_mp_skip(&reader, &given->values[i], NULL);
	qn_mp_reader_init(&reader, command->kwargs.at, command->kwargs.len);
	qn_mp_next(&reader, &kwargs, NULL);
	for (uint32_t i = 0; i < kwargs.count; i++) {
		qn_mp_next(&reader, &key, NULL);
		qn_mp_skip(&reader, &raw, NULL);
		int param = index_of(params, key.bytes);
		if (is_word(key.bytes, "if")) {
			given->condition = raw;
		} else if (param >= 0 && (uint32_t)param >= args.count) {
			given->values[param] = raw;
		} else {
			SAY(why, space, cap,
			    "TypeError: %s() got an unexpected keyword argument '%.*s'", cls,
			    shown(key.bytes), key.bytes.at);
			return QN_E_TYPE;
		}
	}
	return QN_OK;
}

/* Python's bool(). */
static bool truth_of(struct qn_text raw)
{
	struct qn_mp_value value = head_of(raw);

	switch (value.type) {
	case QN_MP_NIL: return false;
	case QN_MP_BOOL: return value.boolean;
	case QN_MP_UINT: return value.uint != 0;
	case QN_MP_FLOAT: return value.number != 0;
	case QN_MP_STR:
	case QN_MP_BIN: return value.bytes.len > 0;
	case QN_MP_ARRAY:
	case QN_MP_MAP: return value.count > 0;
	default: return true;
	}
}

/* nil, a truth value, "true" and "false" in any case; the original's longer ones are not known. */
static bool read_condition(struct qn_text raw, bool *ret)
{
	struct qn_mp_value value = head_of(raw);

	if (raw.at == NULL || value.type == QN_MP_NIL) {
		*ret = true;
	} else if (value.type == QN_MP_BOOL) {
		*ret = value.boolean;
	} else if (value.type == QN_MP_STR && value.bytes.len == 4 &&
		   strncasecmp(value.bytes.at, "true", 4) == 0) {
		*ret = true;
	} else if (value.type == QN_MP_STR && value.bytes.len == 5 &&
		   strncasecmp(value.bytes.at, "false", 5) == 0) {
		*ret = false;
	} else {
		return false;
	}
	return true;
}

/* A number, or a string that is one: a command line has nothing else. */
static bool read_duration(struct qn_text raw, double *ret)
{
	struct qn_mp_value value = head_of(raw);
	char text[64], *end;

	switch (value.type) {
	case QN_MP_UINT: *ret = (double)value.uint; return true;
	case QN_MP_INT: *ret = (double)value.sint; return true;
	case QN_MP_FLOAT: *ret = value.number; return value.number == value.number;
	case QN_MP_STR: break;
	default: return false;
	}
	if (value.bytes.len == 0 || value.bytes.len >= sizeof(text))
		return false;
	memcpy(text, value.bytes.at, value.bytes.len);
	text[value.bytes.len] = '\0';
	*ret = strtod(text, &end);
	return end == text + value.bytes.len && *ret == *ret;
}

enum qn_code qn_agent_read_operation(const struct qn_agent_command *command,
				     struct qn_agent_operation *operation, struct qn_text *why,
				     char *space, size_t cap)
{
	struct qn_agent_operation op = { .duration_s = 5 };
	struct given given = { 0 };
	enum qn_code code = find_op(command->cmdtype, &op.op, why, space, cap);

	if (code == QN_OK)
		code = take_values(command, op.op, &given, why, space, cap);
	if (code != QN_OK)
		return code;
	if (!read_condition(given.condition, &op.condition)) {
		SAY(why, space, cap, "ValueError: a condition that is not known here");
		return QN_E_TYPE;
	}
	if (op.op == QN_AGENT_OP_ECHO) {
		struct qn_mp_value message = head_of(given.values[0]);
		if (given.values[0].at == NULL || message.type != QN_MP_STR) {
			SAY(why, space, cap,
			    "TypeError: Echo() wants a message, which is a string");
			return QN_E_TYPE;
		}
		op.message = message.bytes;
		op.reverse = given.values[1].at != NULL && truth_of(given.values[1]);
	}
	if (op.op == QN_AGENT_OP_ACTIVATE && given.values[0].at != NULL &&
	    !read_duration(given.values[0], &op.duration_s)) {
		SAY(why, space, cap, "TypeError: Activate() wants a number of seconds");
		return QN_E_TYPE;
	}
	*operation = op;
	return QN_OK;
}

#include "proto/agent/message.h"

#include <string.h>

const char *qn_agent_t_name(unsigned t)
{
	switch (t) {
	case QN_AGENT_HELLO: return "AgentHello";
	case QN_AGENT_MANAGER_HELLO: return "ManagerHello";
	case QN_AGENT_PING: return "Ping";
	case QN_AGENT_PONG: return "Pong";
	case QN_AGENT_BYE: return "Bye";
	case QN_AGENT_REQUEST: return "Request";
	case QN_AGENT_RESPONSE: return "Response";
	case QN_AGENT_NOTIFICATION: return "Notification";
	default: return "?";
	}
}

static enum qn_code refuse(struct qn_fault *fault, enum qn_code code, size_t offset,
			   const char *text)
{
	if (fault != NULL)
		*fault = (struct qn_fault){ code, offset, text };
	return code;
}

/* ---- frames ---- */

enum qn_code qn_agent_frame(const char *bytes, size_t len, size_t limit, struct qn_text *payload,
			    size_t *taken, struct qn_fault *fault)
{
	size_t says = 0;

	if (len < QN_AGENT_HEAD)
		return QN_MORE;
	for (int i = 0; i < QN_AGENT_HEAD; i++)
		says = says << 8 | (unsigned char)bytes[i];
	if (says > limit)
		return refuse(fault, QN_E_TOO_LONG, 0, "a message longer than the limit");
	if (says > len - QN_AGENT_HEAD)
		return QN_MORE;
	*payload = (struct qn_text){ bytes + QN_AGENT_HEAD, says };
	*taken = QN_AGENT_HEAD + says;
	return QN_OK;
}

/* ---- reading ---- */

enum field {
	T,
	ID,
	VERSION,
	CREDENTIALS,
	DATA,
	REASON,
	METHOD,
	ARGS,
	KWARGS,
	SUCCESS,
	TYPE,
	FIELDS
};

static const char *const field_names[FIELDS] = { "t",      "id",      "version", "credentials",
						 "data",   "reason",  "method",  "args",
						 "kwargs", "success", "type" };

/* A field is missing, or what it holds; of two the last one counts. */
struct found {
	bool there;
	struct qn_text raw;
	struct qn_mp_value value;
};

static enum field field_of(struct qn_text key)
{
	for (int i = 0; i < FIELDS; i++)
		if (strlen(field_names[i]) == key.len &&
		    memcmp(field_names[i], key.at, key.len) == 0)
			return (enum field)i;
	return FIELDS;
}

/* The payload was checked: nothing in here can fail. */
static void collect(struct qn_text payload, struct found found[FIELDS])
{
	struct qn_mp_reader reader, inner;
	struct qn_mp_value map, key;
	struct qn_text raw;

	qn_mp_reader_init(&reader, payload.at, payload.len);
	qn_mp_next(&reader, &map, NULL);
	for (uint32_t i = 0; i < map.count; i++) {
		qn_mp_next(&reader, &key, NULL);
		qn_mp_skip(&reader, &raw, NULL);
		enum field field = field_of(key.bytes);
		if (field == FIELDS)
			continue;
		found[field].there = true;
		found[field].raw = raw;
		qn_mp_reader_init(&inner, raw.at, raw.len);
		qn_mp_next(&inner, &found[field].value, NULL);
	}
}

/* What each message must have, a bit a field. */
#define NEED(field) (1u << (field))
static unsigned needs_of(uint64_t t)
{
	switch (t) {
	case QN_AGENT_HELLO: return NEED(ID) | NEED(VERSION) | NEED(CREDENTIALS);
	case QN_AGENT_MANAGER_HELLO: return NEED(VERSION);
	case QN_AGENT_PING:
	case QN_AGENT_PONG: return NEED(DATA);
	case QN_AGENT_BYE: return NEED(REASON);
	case QN_AGENT_REQUEST: return NEED(ID) | NEED(METHOD) | NEED(ARGS) | NEED(KWARGS);
	case QN_AGENT_RESPONSE: return NEED(ID) | NEED(SUCCESS) | NEED(DATA);
	case QN_AGENT_NOTIFICATION: return NEED(TYPE) | NEED(DATA);
	default: return 0;
	}
}

static bool all_strings(struct qn_text array)
{
	struct qn_mp_reader reader;
	struct qn_mp_value value;

	qn_mp_reader_init(&reader, array.at, array.len);
	qn_mp_next(&reader, &value, NULL);
	for (uint32_t left = value.count; left > 0; left--) {
		/* A container's head alone is enough to refuse it. */
		if (qn_mp_next(&reader, &value, NULL) != QN_OK || value.type != QN_MP_STR)
			return false;
	}
	return true;
}

static bool has_type(enum field field, uint64_t t, const struct found *found)
{
	enum qn_mp_type type = found->value.type;

	switch (field) {
	case ARGS: return type == QN_MP_ARRAY && all_strings(found->raw);
	case KWARGS: return type == QN_MP_MAP;
	case SUCCESS: return type == QN_MP_BOOL;
	case DATA:
		return (t != QN_AGENT_PING && t != QN_AGENT_PONG) || type == QN_MP_UINT ||
		       type == QN_MP_INT;
	default: return type == QN_MP_STR;
	}
}

static enum qn_code check_fields(uint64_t t, unsigned needs, struct qn_text payload,
				 const struct found found[FIELDS], struct qn_fault *fault)
{
	for (int field = ID; field < FIELDS; field++) {
		if (!(needs & NEED(field)))
			continue;
		if (!found[field].there)
			return refuse(fault, QN_E_MISSING, 0, "a field of the message is missing");
		if (!has_type((enum field)field, t, &found[field]))
			return refuse(fault, QN_E_TYPE, (size_t)(found[field].raw.at - payload.at),
				      "a field of the message has another type");
	}
	return QN_OK;
}

static void fill(struct qn_agent_message *message, unsigned needs, const struct found found[FIELDS])
{
	static const enum field words[] = { CREDENTIALS, REASON, METHOD, TYPE };

	if (needs & NEED(ID))
		message->id = found[ID].value.bytes;
	if (needs & NEED(VERSION))
		message->version = found[VERSION].value.bytes;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (needs & NEED(words[i]))
			message->word = found[words[i]].value.bytes;
	if (needs & NEED(SUCCESS))
		message->success = found[SUCCESS].value.boolean;
	if (needs & NEED(ARGS))
		message->args = found[ARGS].raw;
	if (needs & NEED(KWARGS))
		message->kwargs = found[KWARGS].raw;
	if (!(needs & NEED(DATA)))
		return;
	message->data = found[DATA].raw;
	if (found[DATA].value.type == QN_MP_INT)
		message->ping = (struct qn_agent_int){ (uint64_t)found[DATA].value.sint, true };
	else if (found[DATA].value.type == QN_MP_UINT)
		message->ping = (struct qn_agent_int){ found[DATA].value.uint, false };
}

enum qn_code qn_agent_read(struct qn_text payload, struct qn_agent_message *message,
			   struct qn_fault *fault)
{
	struct found found[FIELDS] = { 0 };
	enum qn_code code = qn_mp_check(payload.at, payload.len, fault);

	if (code != QN_OK)
		return code;
	struct qn_mp_reader reader;
	struct qn_mp_value top;
	qn_mp_reader_init(&reader, payload.at, payload.len);
	qn_mp_next(&reader, &top, NULL);
	if (top.type != QN_MP_MAP)
		return refuse(fault, QN_E_TYPE, 0, "a message that is no map");
	collect(payload, found);
	if (!found[T].there)
		return refuse(fault, QN_E_MISSING, 0, "a message without t");
	if (found[T].value.type != QN_MP_UINT)
		return refuse(fault, QN_E_UNKNOWN, 0, "a t that is no number of a message");
	uint64_t t = found[T].value.uint;
	unsigned needs = needs_of(t);
	if (needs == 0)
		return refuse(fault, QN_E_UNKNOWN, 0, "a t that nobody defined");
	code = check_fields(t, needs, payload, found, fault);
	if (code != QN_OK)
		return code;
	*message = (struct qn_agent_message){ .t = (uint8_t)t };
	fill(message, needs, found);
	return QN_OK;
}

/* ---- writing ---- */

void qn_agent_begin(struct qn_mp_writer *writer, char *buffer, size_t cap, enum qn_agent_t t,
		    uint32_t fields)
{
	qn_mp_writer_init(writer, buffer, cap);
	qn_mp_write_raw(writer, (struct qn_text){ "\0\0\0", QN_AGENT_HEAD });
	qn_mp_write_map(writer, fields);
	qn_mp_write_word(writer, "t");
	qn_mp_write_uint(writer, t);
}

size_t qn_agent_end(struct qn_mp_writer *writer)
{
	size_t len = qn_mp_written(writer);

	if (len == 0 || len - QN_AGENT_HEAD > QN_AGENT_PAYLOAD_MAX)
		return 0;
	for (int i = 0; i < QN_AGENT_HEAD; i++)
		writer->start[i] = (char)((len - QN_AGENT_HEAD) >> 8 * (QN_AGENT_HEAD - 1 - i));
	return len;
}

static void write_field(struct qn_mp_writer *writer, const char *name, struct qn_text text)
{
	qn_mp_write_word(writer, name);
	qn_mp_write_str(writer, text);
}

size_t qn_agent_write_hello(char *buffer, size_t cap, struct qn_text id, struct qn_text version,
			    struct qn_text credentials)
{
	struct qn_mp_writer writer;

	qn_agent_begin(&writer, buffer, cap, QN_AGENT_HELLO, 4);
	write_field(&writer, "id", id);
	write_field(&writer, "version", version);
	write_field(&writer, "credentials", credentials);
	return qn_agent_end(&writer);
}

size_t qn_agent_write_manager_hello(char *buffer, size_t cap, struct qn_text version)
{
	struct qn_mp_writer writer;

	qn_agent_begin(&writer, buffer, cap, QN_AGENT_MANAGER_HELLO, 2);
	write_field(&writer, "version", version);
	return qn_agent_end(&writer);
}

size_t qn_agent_write_ping(char *buffer, size_t cap, enum qn_agent_t t, struct qn_agent_int data)
{
	struct qn_mp_writer writer;

	qn_agent_begin(&writer, buffer, cap, t, 2);
	qn_mp_write_word(&writer, "data");
	if (data.negative)
		qn_mp_write_int(&writer, (int64_t)data.bits);
	else
		qn_mp_write_uint(&writer, data.bits);
	return qn_agent_end(&writer);
}

size_t qn_agent_write_bye(char *buffer, size_t cap, struct qn_text reason)
{
	struct qn_mp_writer writer;

	qn_agent_begin(&writer, buffer, cap, QN_AGENT_BYE, 2);
	write_field(&writer, "reason", reason);
	return qn_agent_end(&writer);
}

static void begin_response(struct qn_mp_writer *writer, char *buffer, size_t cap, struct qn_text id,
			   bool success)
{
	qn_agent_begin(writer, buffer, cap, QN_AGENT_RESPONSE, 4);
	write_field(writer, "id", id);
	qn_mp_write_word(writer, "success");
	qn_mp_write_bool(writer, success);
	qn_mp_write_word(writer, "data");
}

size_t qn_agent_write_response(char *buffer, size_t cap, struct qn_text id, bool success,
			       struct qn_text data)
{
	struct qn_mp_writer writer;

	begin_response(&writer, buffer, cap, id, success);
	qn_mp_write_raw(&writer, data);
	return qn_agent_end(&writer);
}

size_t qn_agent_write_failure(char *buffer, size_t cap, struct qn_text id, struct qn_text text)
{
	struct qn_mp_writer writer;

	begin_response(&writer, buffer, cap, id, false);
	qn_mp_write_str(&writer, text);
	return qn_agent_end(&writer);
}

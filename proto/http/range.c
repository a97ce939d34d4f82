#include "proto/http/range.h"

#include <string.h>

/* ---- routes ---- */

struct route {
	enum http_method method;
	const char *path;
};
static const struct route routes[] = {
	[QN_HTTP_NOWHERE] = { HTTP_GET, "" },
	[QN_HTTP_READY] = { HTTP_GET, "/" },
	[QN_HTTP_REGISTER] = { HTTP_POST, "/register" },
	[QN_HTTP_HIT] = { HTTP_POST, "/target_hit" },
	[QN_HTTP_PING] = { HTTP_GET, "/ping" },
	[QN_HTTP_STAND_UP] = { HTTP_GET, "/stand_up" },
	[QN_HTTP_LAY_DOWN] = { HTTP_GET, "/lay_down" },
	[QN_HTTP_ACTIVATE] = { HTTP_POST, "/activate" },
};

static enum qn_http_route find(const struct qn_http_message *request, int first, int last,
			       unsigned *ret_status)
{
	*ret_status = 404;
	for (int i = first; i <= last; i++) {
		const struct route *route = &routes[i];
		if (strlen(route->path) != request->path.len ||
		    memcmp(route->path, request->path.at, request->path.len) != 0)
			continue;
		if (request->method == (unsigned)route->method)
			return (enum qn_http_route)i;
		*ret_status = 405;
	}
	return QN_HTTP_NOWHERE;
}

enum qn_http_route qn_http_master_route(const struct qn_http_message *request, unsigned *ret_status)
{
	return find(request, QN_HTTP_READY, QN_HTTP_HIT, ret_status);
}

enum qn_http_route qn_http_target_route(const struct qn_http_message *request, unsigned *ret_status)
{
	return find(request, QN_HTTP_PING, QN_HTTP_ACTIVATE, ret_status);
}

const char *qn_http_route_method(enum qn_http_route route)
{
	return http_method_str(routes[route].method);
}

const char *qn_http_route_path(enum qn_http_route route)
{
	return routes[route].path;
}

/* ---- reading bodies ---- */

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

static struct qn_text *string_of(struct qn_http_body *body, struct qn_text key)
{
	if (is(key, "client_id"))
		return &body->client_id;
	if (is(key, "target_id"))
		return &body->target_id;
	if (is(key, "status"))
		return &body->status;
	if (is(key, "error"))
		return &body->error;
	return NULL;
}

static void read_duration(struct qn_http_body *body, enum qn_json_token token, struct qn_text raw)
{
	body->duration = (struct qn_text){ NULL, 0 };
	body->duration_s = 5;
	body->bad_duration = false;
	if (token == QN_JSON_NULL)
		return;
	if (token != QN_JSON_NUMBER || !qn_json_double(raw, &body->duration_s)) {
		body->bad_duration = true;
		return;
	}
	body->duration = raw;
}

static enum qn_code code_of(const struct qn_json_reader *json)
{
	return json->fault.code != QN_OK ? json->fault.code : QN_E_SYNTAX;
}

enum qn_code qn_http_body_parse(struct qn_text text, enum qn_json_dialect dialect,
				struct qn_http_body *body)
{
	struct qn_json_reader json;
	struct qn_http_body out = { .duration_s = 5 };

	qn_json_open(&json, text.at, text.len, dialect, 0);
	enum qn_json_token token = qn_json_next(&json);
	if (token == QN_JSON_ERROR)
		return code_of(&json);
	if (token != QN_JSON_OBJECT)
		return QN_E_TYPE;
	while ((token = qn_json_next(&json)) == QN_JSON_KEY) {
		struct qn_text key = json.text, raw;
		struct qn_text *string = string_of(&out, key);
		token = qn_json_value(&json, &raw);
		if (token == QN_JSON_ERROR)
			return code_of(&json);
		if (string != NULL)
			*string = token == QN_JSON_STRING
					  ? (struct qn_text){ raw.at + 1, raw.len - 2 }
					  : (struct qn_text){ NULL, 0 };
		else if (is(key, "duration"))
			read_duration(&out, token, raw);
		else if (is(key, "hit_value") &&
			 (token != QN_JSON_NUMBER || !qn_json_int64(raw, &out.hit_value)))
			out.hit_value = 0;
	}
	if (token != QN_JSON_OBJECT_END || qn_json_next(&json) != QN_JSON_END)
		return code_of(&json);
	*body = out;
	return QN_OK;
}

struct words {
	const char *queued, *done;
};
static const struct words statuses[] = {
	[QN_HTTP_PING] = { "alive", "alive" },
	[QN_HTTP_STAND_UP] = { "command_queued", "standing" },
	[QN_HTTP_LAY_DOWN] = { "command_queued", "down" },
	[QN_HTTP_ACTIVATE] = { "activation_queued", "activated" },
};

enum qn_http_said qn_http_said(enum qn_http_route asked, struct qn_text status)
{
	if (status.at == NULL)
		return QN_HTTP_SAID_NONE;
	return is(status, statuses[asked].queued) || is(status, statuses[asked].done)
		       ? QN_HTTP_SAID_SO
		       : QN_HTTP_SAID_OTHER;
}

/* ---- writing bodies ---- */

#define LITERAL(w, text) qn_json_put_literal(w, text)

static size_t written(const struct qn_json_writer *w)
{
	return w->full ? 0 : qn_json_written(w);
}

static void put_string(struct qn_json_writer *w, const char *text)
{
	qn_json_put_string(w, text, strlen(text), true);
}

/* {"status": STATUS, NAME: ID} */
static size_t put_one(const char *head, size_t head_len, struct qn_text text, bool ascii,
		      char *buffer, size_t cap)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, buffer, cap);
	qn_json_put(&w, head, head_len);
	qn_json_put_string(&w, text.at, text.len, ascii);
	LITERAL(&w, "}");
	return written(&w);
}
#define PUT_ONE(head, text, ascii, buffer, cap)                                                    \
	put_one(head, sizeof(head) - 1, text, ascii, buffer, cap)

size_t qn_http_put_client_id(struct qn_text id, bool ascii, char *buffer, size_t cap)
{
	return PUT_ONE("{\"client_id\": ", id, ascii, buffer, cap);
}

size_t qn_http_put_registered(struct qn_text id, bool ascii, char *buffer, size_t cap)
{
	return PUT_ONE("{\"status\": \"registered\", \"client_id\": ", id, ascii, buffer, cap);
}

size_t qn_http_put_error(struct qn_text error, bool ascii, char *buffer, size_t cap)
{
	return PUT_ONE("{\"error\": ", error, ascii, buffer, cap);
}

static size_t put_literal(const char *text, size_t len, char *buffer, size_t cap)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, buffer, cap);
	qn_json_put(&w, text, len);
	return written(&w);
}
#define PUT_LITERAL(text, buffer, cap) put_literal(text, sizeof(text) - 1, buffer, cap)

size_t qn_http_put_ready(char *buffer, size_t cap)
{
	return PUT_LITERAL("{\"status\": \"ready\", \"game\": \"carnival_shooter\"}", buffer, cap);
}

size_t qn_http_put_hit_taken(char *buffer, size_t cap)
{
	return PUT_LITERAL("{\"status\": \"hit_registered\"}", buffer, cap);
}

size_t qn_http_put_hit(struct qn_text id, int64_t value, bool ascii, char *buffer, size_t cap)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, buffer, cap);
	LITERAL(&w, "{\"target_id\": ");
	qn_json_put_string(&w, id.at, id.len, ascii);
	LITERAL(&w, ", \"hit_value\": ");
	qn_json_put_int(&w, value);
	LITERAL(&w, "}");
	return written(&w);
}

static void put_duration(struct qn_json_writer *w, struct qn_text duration)
{
	LITERAL(w, "\"duration\": ");
	if (duration.len > 0)
		qn_json_put(w, duration.at, duration.len);
	else
		LITERAL(w, "5");
}

size_t qn_http_put_duration(struct qn_text duration, char *buffer, size_t cap)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, buffer, cap);
	LITERAL(&w, "{");
	put_duration(&w, duration);
	LITERAL(&w, "}");
	return written(&w);
}

size_t qn_http_put_answer(enum qn_http_route asked, bool done, struct qn_text id,
			  struct qn_text duration, bool ascii, char *buffer, size_t cap)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, buffer, cap);
	LITERAL(&w, "{\"status\": ");
	put_string(&w, done ? statuses[asked].done : statuses[asked].queued);
	LITERAL(&w, ", \"target_id\": ");
	qn_json_put_string(&w, id.at, id.len, ascii);
	if (asked == QN_HTTP_PING)
		LITERAL(&w, ", \"message\": \"Target reporting for duty!\"");
	if (asked == QN_HTTP_ACTIVATE) {
		LITERAL(&w, ", ");
		put_duration(&w, duration);
	}
	LITERAL(&w, "}");
	return written(&w);
}

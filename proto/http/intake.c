#include "proto/http/intake.h"

#include "proto/json/json.h"

#include <string.h>
#include <strings.h>

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static bool has(struct qn_text list, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= list.len; i++)
		if (strncasecmp(list.at + i, word, len) == 0)
			return true;
	return false;
}

static void take_header(struct qn_http_intake *in, struct qn_text name, struct qn_text value)
{
	qn_ws_head_add(&in->ws, name, value);
	if (is(name, "authorization"))
		in->authorization = value;
	else if (is(name, "if-none-match"))
		in->if_none_match = value;
	else if (is(name, "last-event-id"))
		in->last_event_id = value;
	else if (is(name, "content-type"))
		in->content_type = value;
	else if (is(name, "accept-encoding") && has(value, "gzip") && !has(value, "gzip;q=0"))
		in->accepts |= QN_HTTP_GZIP;
	else if (is(name, "accept") &&
		 (has(value, "application/msgpack") || has(value, "application/x-msgpack")))
		in->accepts |= QN_HTTP_MSGPACK;
}

static void sort(const struct qn_http_message *message, struct qn_http_intake *ret)
{
	const char *method = http_method_str((enum http_method)message->method);

	ret->method = (struct qn_text){ method, strlen(method) };
	ret->head_only = message->method == HTTP_HEAD;
	ret->path = message->path;
	ret->query = message->query;
	ret->body = message->body;
	ret->keep_alive = message->keep_alive;
	for (size_t i = 0; i < message->n_headers; i++)
		take_header(ret, message->headers[i].name, message->headers[i].value);
}

enum qn_code qn_http_intake_read(const char *bytes, size_t len, size_t body_max, char *room,
				 struct qn_http_intake *ret, size_t *ret_taken)
{
	struct qn_http_limits limits = { .target_bytes = 4096,
					 .head_bytes = QN_HTTP_HEAD_MAX,
					 .headers = QN_HTTP_HEADERS_MAX,
					 .body_bytes = (uint32_t)body_max };
	struct qn_http_reader reader;
	struct qn_http_message message;
	struct qn_http_refusal refusal;
	size_t done = 0;

	memset(ret, 0, sizeof(*ret));
	qn_http_reader_init(&reader);
	for (;;) {
		size_t taken;
		enum qn_http_step step = qn_http_reader_next(&reader, &limits, bytes + done,
							     len - done, &taken, room, body_max,
							     &message, &refusal);
		done += taken;
		switch (step) {
		case QN_HTTP_STEP_MORE: return QN_MORE;
		case QN_HTTP_STEP_CONTINUE: ret->expects = true; break;
		case QN_HTTP_STEP_REFUSE: ret->status = refusal.status; return QN_E_SYNTAX;
		case QN_HTTP_STEP_REQUEST:
			sort(&message, ret);
			*ret_taken = done;
			return QN_OK;
		}
	}
}

/* ---- the answer to an upgrade ---- */

struct heading {
	struct qn_ws_head *head;
	struct qn_text name, value;
	bool done;
};

static void end_field(struct heading *h)
{
	if (h->value.at != NULL)
		qn_ws_head_add(h->head, h->name, h->value);
	h->name = h->value = (struct qn_text){ NULL, 0 };
}

/* The parser has the whole head at once: pieces of one field touch each other. */
static void extend(struct qn_text *text, const char *at, size_t len)
{
	if (text->at == NULL)
		text->at = at;
	text->len = (size_t)(at + len - text->at);
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct heading *h = parser->data;

	if (h->value.at != NULL)
		end_field(h);
	extend(&h->name, at, len);
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	extend(&((struct heading *)parser->data)->value, at, len);
	return 0;
}

static int on_headers(http_parser *parser)
{
	struct heading *h = parser->data;

	end_field(h);
	h->done = true;
	/* What stands behind it is not HTTP. */
	http_parser_pause(parser, 1);
	return 1;
}

static const http_parser_settings callbacks = { .on_header_field = on_field,
						.on_header_value = on_value,
						.on_headers_complete = on_headers };

size_t qn_http_answer_head(const char *bytes, size_t len, unsigned *ret_status,
			   struct qn_ws_head *ret)
{
	http_parser parser;
	struct qn_ws_head head = { 0 };
	struct heading heading = { .head = &head };
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);

	if (end == NULL)
		return 0;
	size_t size = (size_t)(end - bytes) + 4;
	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = &heading;
	http_parser_execute(&parser, &callbacks, bytes, size);
	if (!heading.done)
		return 0;
	*ret_status = parser.status_code;
	*ret = head;
	return size;
}

enum qn_code qn_http_answer_whole(const char *bytes, size_t len, bool closed, size_t body_max,
				  char *room, struct qn_http_answered *ret, size_t *ret_taken)
{
	struct qn_http_reply reply;
	struct qn_http_message message;
	size_t taken = len;

	qn_http_reply_init(&reply, UINT32_MAX);
	enum qn_code code = qn_http_reply_read(&reply, bytes, len, &taken, room, body_max,
					       &message);
	if (code == QN_MORE && closed) {
		code = qn_http_reply_closed(&reply, bytes, len, room, body_max, &message);
		taken = len;
	}
	if (code != QN_OK)
		return code;
	*ret = (struct qn_http_answered){ message.status, message.body, message.keep_alive };
	*ret_taken = taken;
	return QN_OK;
}

/* ---- answers ---- */

static void put(struct qn_json_writer *w, const char *text)
{
	qn_json_put(w, text, strlen(text));
}

size_t qn_http_page_write(const struct qn_http_page *page, char *buffer, size_t cap)
{
	struct qn_json_writer w; /* an appender that knows its end */

	qn_json_writer_init(&w, buffer, cap);
	put(&w, "HTTP/1.1 ");
	qn_json_put_uint(&w, page->status);
	put(&w, " ");
	put(&w, qn_http_status_text(page->status));
	if (page->type != NULL) {
		put(&w, "\r\nContent-Type: ");
		put(&w, page->type);
	}
	if (page->gzip)
		put(&w, "\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding");
	if (page->etag != NULL) {
		put(&w, "\r\nETag: \"");
		put(&w, page->etag);
		put(&w, "\"\r\nCache-Control: no-cache");
	}
	put(&w, "\r\n");
	if (page->more != NULL)
		put(&w, page->more);
	/* RFC 9110, 8.6: 1xx and 204 have none; that of a 304 would be the 200's. */
	if (!page->endless && page->status >= 200 && page->status != 204 && page->status != 304) {
		put(&w, "Content-Length: ");
		qn_json_put_uint(&w, page->body.len);
		put(&w, "\r\n");
	}
	if (!page->keep_alive && page->status >= 200)
		put(&w, "Connection: close\r\n");
	put(&w, "\r\n");
	if (!page->head_only)
		qn_json_put(&w, page->body.at, page->body.len);
	return w.full ? 0 : qn_json_written(&w);
}

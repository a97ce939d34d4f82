#include "proto/http/intake.h"

#include "proto/json/json.h"

#include <string.h>
#include <strings.h>

struct reading {
	struct qn_http_intake *intake;
	struct qn_text url, name, value;
	const char *block; /* the bytes; heads must not go past QN_HTTP_HEAD_MAX */
	char *room;
	size_t room_len, body_max;
	bool body_moved, too_long, complete, headers_done, twice;
	unsigned hosts, seen;
};

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

static void take_header(struct reading *r)
{
	struct qn_http_intake *in = r->intake;

	if (r->name.len == 0)
		return;
	/* RFC 9112, 5.1: a name with a space behind it. The parser would let it pass for the name.
	 */
	if (memchr(r->name.at, ' ', r->name.len) != NULL)
		in->status = 400;
	qn_ws_head_add(&in->ws, r->name, r->value);
	if (is(r->name, "host"))
		r->hosts++;
	else if (is(r->name, "authorization"))
		in->authorization = r->value;
	else if (is(r->name, "if-none-match"))
		in->if_none_match = r->value;
	else if (is(r->name, "last-event-id"))
		in->last_event_id = r->value;
	else if (is(r->name, "content-type"))
		in->content_type = r->value;
	else if (is(r->name, "accept-encoding") && has(r->value, "gzip") &&
		 !has(r->value, "gzip;q=0"))
		in->accepts |= QN_HTTP_GZIP;
	else if (is(r->name, "accept") &&
		 (has(r->value, "application/msgpack") || has(r->value, "application/x-msgpack")))
		in->accepts |= QN_HTTP_MSGPACK;
	else if (is(r->name, "expect")) {
		in->expects = is(r->value, "100-continue");
		if (!in->expects)
			in->status = 417;
	}
	r->name.len = r->value.len = 0;
}

/* The parser has all bytes at once: pieces of one field touch each other. */
static void extend(struct qn_text *text, const char *at, size_t len)
{
	if (text->len == 0)
		text->at = at;
	text->len = (size_t)(at + len - text->at);
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	extend(&((struct reading *)parser->data)->url, at, len);
	return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct reading *r = parser->data;

	if (r->value.len > 0 || r->value.at != NULL)
		take_header(r);
	r->value.at = NULL;
	extend(&r->name, at, len);
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct reading *r = parser->data;

	if (r->value.at == NULL)
		r->value = (struct qn_text){ at, 0 };
	r->value.len = (size_t)(at + len - r->value.at);
	return 0;
}

static int on_headers(http_parser *parser)
{
	struct reading *r = parser->data;
	struct qn_http_intake *in = r->intake;

	take_header(r);
	r->headers_done = true;
	if (in->status == 0 && (parser->http_major != 1 || parser->http_minor > 1))
		in->status = 505;
	/* RFC 9112, 3.2: one Host, no less and no more. */
	if (in->status == 0 && parser->http_minor == 1 && r->hosts != 1)
		in->status = 400;
	if (in->status == 0 && parser->content_length != UINT64_MAX &&
	    parser->content_length > r->body_max)
		in->status = 413;
	in->method = (struct qn_text){ http_method_str((enum http_method)parser->method), 0 };
	in->method.len = strlen(in->method.at);
	in->head_only = parser->method == HTTP_HEAD;
	in->keep_alive = http_should_keep_alive(parser);
	return in->status != 0 ? -1 : 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct reading *r = parser->data;
	struct qn_text *body = &r->intake->body;

	if (!(parser->flags & F_CHUNKED)) {
		extend(body, at, len);
		return 0;
	}
	if (len > r->body_max - r->room_len) {
		r->intake->status = 413;
		return -1;
	}
	memcpy(r->room + r->room_len, at, len);
	r->room_len += len;
	*body = (struct qn_text){ r->room, r->room_len };
	return 0;
}

static int on_complete(http_parser *parser)
{
	((struct reading *)parser->data)->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings callbacks = { .on_url = on_url,
						.on_header_field = on_field,
						.on_header_value = on_value,
						.on_headers_complete = on_headers,
						.on_body = on_body,
						.on_message_complete = on_complete };

static void split_url(struct reading *r)
{
	const char *mark = r->url.len > 0 ? memchr(r->url.at, '?', r->url.len) : NULL;

	r->intake->path = r->url;
	if (mark == NULL)
		return;
	r->intake->path.len = (size_t)(mark - r->url.at);
	r->intake->query = (struct qn_text){ mark + 1, r->url.len - r->intake->path.len - 1 };
}

static enum qn_code refused(struct qn_http_intake *in, unsigned status, enum qn_code code)
{
	if (in->status == 0)
		in->status = status;
	in->keep_alive = false;
	return code;
}

enum qn_code qn_http_intake_read(const char *bytes, size_t len, size_t body_max, char *room,
				 struct qn_http_intake *ret, size_t *ret_taken)
{
	http_parser parser;
	struct reading r = { .intake = ret, .room = room, .body_max = body_max };

	memset(ret, 0, sizeof(*ret));
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &r;
	size_t done = http_parser_execute(&parser, &callbacks, bytes, len);
	if (!r.headers_done && len > QN_HTTP_HEAD_MAX)
		return refused(ret, 431, QN_E_TOO_LONG);
	enum http_errno error = HTTP_PARSER_ERRNO(&parser);
	if (error != HPE_OK && error != HPE_PAUSED)
		return refused(ret, error == HPE_INVALID_METHOD ? 501 : 400, QN_E_SYNTAX);
	if (ret->status != 0)
		return refused(ret, ret->status, QN_E_SYNTAX);
	if (!r.complete && !parser.upgrade)
		return QN_MORE;
	/* A body behind the head of an upgrade would be taken for frames. */
	if (parser.upgrade && parser.method == HTTP_CONNECT)
		return refused(ret, 501, QN_E_UNKNOWN);
	split_url(&r);
	/* Paused on its last byte, it says so of the byte before. */
	*ret_taken = done;
	return QN_OK;
}

/* ---- the answer to an upgrade ---- */

static int answer_headers(http_parser *parser)
{
	struct reading *r = parser->data;

	take_header(r);
	r->headers_done = true;
	/* What stands behind it is not HTTP. */
	http_parser_pause(parser, 1);
	return 1;
}

static const http_parser_settings answer_callbacks = { .on_header_field = on_field,
						       .on_header_value = on_value,
						       .on_headers_complete = answer_headers };

size_t qn_http_answer_head(const char *bytes, size_t len, unsigned *ret_status,
			   struct qn_ws_head *ret)
{
	http_parser parser;
	struct qn_http_intake in = { 0 };
	struct reading r = { .intake = &in };
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);

	if (end == NULL)
		return 0;
	size_t head = (size_t)(end - bytes) + 4;
	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = &r;
	http_parser_execute(&parser, &answer_callbacks, bytes, head);
	if (!r.headers_done)
		return 0;
	*ret_status = parser.status_code;
	*ret = in.ws;
	return head;
}

static int whole_body(http_parser *parser, const char *at, size_t len)
{
	struct reading *r = parser->data;

	if (len > r->body_max - r->room_len)
		return -1;
	memcpy(r->room + r->room_len, at, len);
	r->room_len += len;
	return 0;
}

static int whole_complete(http_parser *parser)
{
	struct reading *r = parser->data;

	if (parser->status_code / 100 == 1)
		return 0;
	r->intake->keep_alive = http_should_keep_alive(parser);
	r->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings whole_callbacks = { .on_body = whole_body,
						      .on_message_complete = whole_complete };

enum qn_code qn_http_answer_whole(const char *bytes, size_t len, bool closed, size_t body_max,
				  char *room, struct qn_http_answered *ret, size_t *ret_taken)
{
	http_parser parser;
	struct qn_http_intake in = { 0 };
	struct reading r = { .intake = &in, .room = room, .body_max = body_max };

	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = &r;
	size_t done = http_parser_execute(&parser, &whole_callbacks, bytes, len);
	if (!r.complete && closed && HTTP_PARSER_ERRNO(&parser) == HPE_OK)
		http_parser_execute(&parser, &whole_callbacks, NULL, 0);
	if (r.complete) {
		*ret = (struct qn_http_answered){ parser.status_code,
						  { room, r.room_len },
						  in.keep_alive };
		*ret_taken = done;
		return QN_OK;
	}
	return HTTP_PARSER_ERRNO(&parser) == HPE_OK ? QN_MORE : QN_E_SYNTAX;
}

/* ---- answers ---- */

const char *qn_http_status_text(unsigned status)
{
	switch (status) {
#define X(code, name, text)                                                                        \
	case code: return #text;
		HTTP_STATUS_MAP(X)
#undef X
	}
	return "Unknown";
}

static void put(struct qn_json_writer *w, const char *text)
{
	qn_json_put(w, text, strlen(text));
}

size_t qn_http_reply_write(const struct qn_http_reply *reply, char *buffer, size_t cap)
{
	struct qn_json_writer w; /* an appender that knows its end */

	qn_json_writer_init(&w, buffer, cap);
	put(&w, "HTTP/1.1 ");
	qn_json_put_uint(&w, reply->status);
	put(&w, " ");
	put(&w, qn_http_status_text(reply->status));
	if (reply->type != NULL) {
		put(&w, "\r\nContent-Type: ");
		put(&w, reply->type);
	}
	if (reply->gzip)
		put(&w, "\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding");
	if (reply->etag != NULL) {
		put(&w, "\r\nETag: \"");
		put(&w, reply->etag);
		put(&w, "\"\r\nCache-Control: no-cache");
	}
	put(&w, "\r\n");
	if (reply->more != NULL)
		put(&w, reply->more);
	/* RFC 9110, 8.6: 1xx and 204 have none; that of a 304 would be the 200's. */
	if (!reply->endless && reply->status >= 200 && reply->status != 204 &&
	    reply->status != 304) {
		put(&w, "Content-Length: ");
		qn_json_put_uint(&w, reply->body.len);
		put(&w, "\r\n");
	}
	if (!reply->keep_alive && reply->status >= 200)
		put(&w, "Connection: close\r\n");
	put(&w, "\r\n");
	if (!reply->head_only)
		qn_json_put(&w, reply->body.at, reply->body.len);
	return w.full ? 0 : qn_json_written(&w);
}

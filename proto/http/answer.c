#include "proto/http/http.h"

#include <string.h>

/* Answers: http-parser as it is. A peer that is laxer than RFC 9112 is still understood. */

static int message_complete(http_parser *parser)
{
	struct qn_http_answer *answer = parser->data;

	/* RFC 9110, 15.2: a 1xx is no answer yet, asked for or not; but after 101 no other comes.
	 */
	if (parser->status_code / 100 == 1 && parser->status_code != 101)
		return 0;
	answer->complete = true;
	/* What follows is nobody's; parsing on would overwrite the status. */
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings callbacks = { .on_message_complete = message_complete };

void qn_http_answer_init(struct qn_http_answer *answer)
{
	http_parser_init(&answer->parser, HTTP_RESPONSE);
	answer->complete = false;
	answer->parser.data = answer;
}

enum qn_code qn_http_answer_read(struct qn_http_answer *answer, const char *bytes, size_t len)
{
	size_t done = http_parser_execute(&answer->parser, &callbacks, bytes, len);

	if (answer->complete)
		return QN_OK;
	return done == len ? QN_MORE : QN_E_SYNTAX;
}

enum qn_code qn_http_answer_closed(struct qn_http_answer *answer)
{
	http_parser_execute(&answer->parser, &callbacks, NULL, 0);
	return answer->complete ? QN_OK : QN_E_SYNTAX;
}

/* ---- with the body ---- */

struct body {
	char *space;
	size_t len, cap;
};

static int append(http_parser *parser, const char *at, size_t len)
{
	struct body *body = parser->data;
	size_t room = body->cap - body->len;

	if (len > room)
		len = room;
	if (len > 0)
		memcpy(body->space + body->len, at, len);
	body->len += len;
	return 0;
}

static int reply_complete(http_parser *parser)
{
	if (parser->status_code / 100 == 1 && parser->status_code != 101)
		return 0;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings feeding = { .on_message_complete = reply_complete };
/* A 1xx has no body, so what is appended is the final answer's. */
static const http_parser_settings collecting = { .on_body = append,
						 .on_message_complete = reply_complete };

void qn_http_reply_init(struct qn_http_reply *reply, uint32_t limit)
{
	http_parser_init(&reply->parser, HTTP_RESPONSE);
	reply->fed = 0;
	reply->limit = limit;
	reply->complete = false;
}

/* All of it is there: once more from the front, for the body. */
static enum qn_code collect(const struct qn_http_reply *reply, const char *bytes, size_t len,
			    bool closed, char *space, size_t cap, struct qn_http_message *message)
{
	struct body body = { space, 0, cap };
	http_parser again;

	http_parser_init(&again, HTTP_RESPONSE);
	again.data = &body;
	http_parser_execute(&again, &collecting, bytes, len);
	if (closed && HTTP_PARSER_ERRNO(&again) == HPE_OK)
		http_parser_execute(&again, &collecting, NULL, 0);
	message->status = reply->parser.status_code;
	message->minor = (uint8_t)(reply->parser.http_major == 1 ? reply->parser.http_minor : 0);
	message->keep_alive = !closed && http_should_keep_alive(&reply->parser) != 0;
	message->upgrade = reply->parser.status_code == 101;
	message->n_headers = 0;
	message->body = (struct qn_text){ space, body.len };
	return QN_OK;
}

enum qn_code qn_http_reply_read(struct qn_http_reply *reply, const char *bytes, size_t len,
				size_t *taken, char *space, size_t cap,
				struct qn_http_message *message)
{
	*taken = 0;
	size_t fresh = len - reply->fed;
	size_t done = http_parser_execute(&reply->parser, &feeding, bytes + reply->fed, fresh);

	switch (HTTP_PARSER_ERRNO(&reply->parser)) {
	case HPE_PAUSED: break;
	case HPE_OK:
		if (done < fresh) /* another protocol begins */
			break;
		reply->fed = (uint32_t)len;
		return len > reply->limit ? QN_E_TOO_LONG : QN_MORE;
	default: return QN_E_SYNTAX;
	}
	*taken = reply->fed + done;
	return collect(reply, bytes, *taken, false, space, cap, message);
}

enum qn_code qn_http_reply_closed(struct qn_http_reply *reply, const char *bytes, size_t len,
				  char *space, size_t cap, struct qn_http_message *message)
{
	if (HTTP_PARSER_ERRNO(&reply->parser) != HPE_OK)
		return QN_E_SYNTAX;
	http_parser_execute(&reply->parser, &feeding, NULL, 0);
	if (HTTP_PARSER_ERRNO(&reply->parser) != HPE_PAUSED)
		return QN_E_SYNTAX;
	return collect(reply, bytes, len, true, space, cap, message);
}

#include "proto/http/http.h"

#include "proto/json/json.h"

#include <string.h>

static void put(struct qn_json_writer *w, const char *text)
{
	qn_json_put(w, text, strlen(text));
}

size_t qn_http_write_request(const struct qn_http_request *request, char *buffer, size_t cap)
{
	struct qn_json_writer w; /* an appender that knows its end */

	qn_json_writer_init(&w, buffer, cap);
	put(&w, request->method);
	put(&w, " ");
	put(&w, request->path);
	put(&w, " HTTP/1.1\r\nHost: ");
	put(&w, request->host);
	put(&w, "\r\nConnection: close\r\n");
	if (request->body.len > 0) {
		put(&w, "Content-Type: application/json\r\nContent-Length: ");
		qn_json_put_uint(&w, request->body.len);
		put(&w, "\r\n");
	}
	put(&w, "\r\n");
	if (request->body.len > 0)
		qn_json_put(&w, request->body.at, request->body.len);
	return w.full ? 0 : qn_json_written(&w);
}

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

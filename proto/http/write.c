#include "proto/http/http.h"

#include "proto/json/json.h"

#include <string.h>

/* Requests and answers, written. The JSON writer serves as an appender that knows its end. */

static void put(struct qn_json_writer *w, const char *text)
{
	qn_json_put(w, text, strlen(text));
}

size_t qn_http_write_request(const struct qn_http_request *request, char *buffer, size_t cap)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, buffer, cap);
	put(&w, request->method);
	put(&w, " ");
	put(&w, request->path);
	put(&w, request->http_1_0 ? " HTTP/1.0\r\nHost: " : " HTTP/1.1\r\nHost: ");
	put(&w, request->host);
	put(&w, "\r\n");
	if (!request->keep_alive)
		put(&w, "Connection: close\r\n");
	else if (request->http_1_0)
		put(&w, "Connection: keep-alive\r\n");
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

const char *qn_http_status_text(unsigned status)
{
	switch (status) {
#define XX(number, name, string)                                                                   \
	case number: return #string;
		HTTP_STATUS_MAP(XX)
#undef XX
	default: return "Unknown";
	}
}

/* RFC 9112, 9.3: 1.1 is kept unless it says otherwise, 1.0 closed. */
static void put_connection(struct qn_json_writer *w, const struct qn_http_response *response)
{
	if (response->keep_alive && response->minor == 0)
		put(w, "Connection: keep-alive\r\n");
	else if (!response->keep_alive && response->minor > 0)
		put(w, "Connection: close\r\n");
}

size_t qn_http_write_response(const struct qn_http_response *response, char *buffer, size_t cap)
{
	bool interim = response->status < 200;
	struct qn_json_writer w;

	qn_json_writer_init(&w, buffer, cap);
	put(&w, response->minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
	qn_json_put_uint(&w, response->status);
	put(&w, " ");
	put(&w, qn_http_status_text(response->status));
	put(&w, "\r\n");
	if (!interim) {
		if (response->content_type != NULL) {
			put(&w, "Content-Type: ");
			put(&w, response->content_type);
			put(&w, "\r\n");
		}
		/* RFC 9110, 8.6: a 204 has no length. */
		if (!response->no_length && response->status != 204) {
			put(&w, "Content-Length: ");
			qn_json_put_uint(&w, response->body.len);
			put(&w, "\r\n");
		}
		put_connection(&w, response);
	}
	if (response->extra != NULL)
		put(&w, response->extra);
	put(&w, "\r\n");
	if (response->body.len > 0 && !interim)
		qn_json_put(&w, response->body.at, response->body.len);
	return w.full ? 0 : qn_json_written(&w);
}

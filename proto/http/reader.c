#include "proto/http/http.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/*
 * Requests. The head is looked at line by line as it comes; when it is whole http-parser takes it
 * apart. What two readers could see differently is refused (RFC 9112, 11.2): bare line feeds,
 * folded lines, white space in front of a colon, two lengths, a length and chunks, sizes that are
 * none.
 */

const struct qn_http_limits qn_http_limits_default = {
	.target_bytes = 2048,
	.head_bytes = 8192,
	.headers = QN_HTTP_HEADERS_MAX,
	.body_bytes = 24576,
};

#define REQUEST_LINE_MORE 32
#define CHUNK_LINE_MAX 256 /* a size, and extensions that nobody knows */

void qn_http_reader_init(struct qn_http_reader *reader)
{
	*reader = (struct qn_http_reader){ 0 };
}

static enum qn_http_step refuse(struct qn_http_reader *reader, struct qn_http_refusal *refusal,
				unsigned status, const char *why)
{
	reader->closed = true;
	*refusal = (struct qn_http_refusal){ status, why };
	return QN_HTTP_STEP_REFUSE;
}

/* ---- lines ---- */

static bool is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_text(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f)
			return false;
	return true;
}

/* RFC 9112, 5: name, colon at once, value. NULL, or what is wrong. */
static const char *bad_field(const char *line, size_t len)
{
	size_t name = 0;

	if (line[0] == ' ' || line[0] == '\t')
		return "a folded header line";
	while (name < len && is_token(line[name]))
		name++;
	if (name == len || line[name] != ':' || name == 0)
		return name < len && (line[name] == ' ' || line[name] == '\t')
			       ? "white space in front of a header's colon"
			       : "a header line without a name";
	return is_text(line + name + 1, len - name - 1) ? NULL : "a control character in a header";
}

/* RFC 9112, 3: method, space, target, space, version; single spaces, nothing else. */
static const char *bad_request_line(const char *line, size_t len, size_t *ret_target)
{
	size_t method = 0, target;

	while (method < len && is_token(line[method]))
		method++;
	if (method == 0 || method == len || line[method] != ' ')
		return "a request line without a method";
	target = method + 1;
	while (target < len && (unsigned char)line[target] > ' ' &&
	       (unsigned char)line[target] < 0x7f)
		target++;
	*ret_target = target - method - 1;
	if (*ret_target == 0 || target == len || line[target] != ' ')
		return "a request line without a target and a version";
	return is_text(line + target, len - target) ? NULL : "a control character";
}

/*
 * The next line that ends in CRLF: QN_OK and its length without that; QN_MORE; QN_E_SYNTAX for a
 * bare LF or CR. A CR at the very end may be half of a CRLF.
 */
static enum qn_code next_line(const char *at, size_t len, size_t *ret_len)
{
	const char *lf = memchr(at, '\n', len);
	size_t end = lf != NULL ? (size_t)(lf - at) : len;
	const char *cr = memchr(at, '\r', end);

	if (cr != NULL && (size_t)(cr - at) + 1 < end)
		return QN_E_SYNTAX;
	if (lf == NULL)
		return QN_MORE;
	if (cr == NULL)
		return QN_E_SYNTAX;
	*ret_len = end - 1;
	return QN_OK;
}

/* QN_HTTP_STEP_REQUEST: the head is whole. */
static enum qn_http_step scan_head(struct qn_http_reader *reader,
				   const struct qn_http_limits *limits, const char *bytes,
				   size_t len, struct qn_http_refusal *refusal)
{
	for (;;) {
		const char *line = bytes + reader->scanned, *wrong = NULL;
		size_t line_len = 0, target = 0;

		/* TLS by mistake, or another protocol, may never send the end of a line. */
		if (reader->lines == 0 && len > reader->scanned && *line != '\r' && *line != '\n' &&
		    !is_token(*line))
			return refuse(reader, refusal, 400, "a request line without a method");
		enum qn_code code = next_line(line, len - reader->scanned, &line_len);

		if (code == QN_E_SYNTAX)
			return refuse(reader, refusal, 400, "a line that does not end in CRLF");
		size_t head = code == QN_MORE ? len : reader->scanned + line_len + 2;
		if (head > limits->head_bytes)
			return refuse(reader, refusal, 431, "a head longer than the limit");
		/* Room for the longest method and the version besides. */
		if (reader->lines == 0 && head > limits->target_bytes + REQUEST_LINE_MORE)
			return refuse(reader, refusal, 414, "a target longer than the limit");
		if (code == QN_MORE)
			return QN_HTTP_STEP_MORE;
		reader->scanned = (uint32_t)head;
		if (line_len == 0) {
			reader->head = reader->scanned;
			return QN_HTTP_STEP_REQUEST;
		}
		if (reader->lines == 0)
			wrong = bad_request_line(line, line_len, &target);
		else
			wrong = bad_field(line, line_len);
		if (wrong != NULL)
			return refuse(reader, refusal, 400, wrong);
		if (target > limits->target_bytes)
			return refuse(reader, refusal, 414, "a target longer than the limit");
		if (reader->lines++ > limits->headers || reader->lines > QN_HTTP_HEADERS_MAX + 1)
			return refuse(reader, refusal, 431, "more headers than the limit");
	}
}

/* ---- taking the head apart ---- */

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct qn_http_message *message = parser->data;

	message->target = (struct qn_text){ at, len };
	return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct qn_http_message *message = parser->data;

	if (message->n_headers == QN_HTTP_HEADERS_MAX)
		return -1;
	message->headers[message->n_headers++].name = (struct qn_text){ at, len };
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct qn_http_message *message = parser->data;

	while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
		len--;
	message->headers[message->n_headers - 1].value = (struct qn_text){ at, len };
	return 0;
}

static int on_headers(http_parser *parser)
{
	struct qn_http_message *message = parser->data;

	message->keep_alive = http_should_keep_alive(parser) != 0;
	return 0;
}

static const http_parser_settings head_callbacks = { .on_url = on_url,
						     .on_header_field = on_field,
						     .on_header_value = on_value,
						     .on_headers_complete = on_headers };

/* RFC 9112, 3.2.2: what a client says that takes us for its proxy. Where the path begins. */
static void drop_authority(struct qn_http_message *message)
{
	static const char scheme[] = "http://";
	struct qn_text *target = &message->target;
	size_t at = sizeof(scheme) - 1;

	if (target->len < at || strncasecmp(target->at, scheme, at) != 0)
		return;
	while (at < target->len && target->at[at] != '/' && target->at[at] != '?')
		at++;
	*target = at < target->len && target->at[at] == '/'
			  ? (struct qn_text){ target->at + at, target->len - at }
			  : (struct qn_text){ target->at + sizeof(scheme) - 2, 1 }; /* its slash */
}

static void split_target(struct qn_http_message *message)
{
	drop_authority(message);
	const char *mark = memchr(message->target.at, '?', message->target.len);
	size_t path = mark != NULL ? (size_t)(mark - message->target.at) : message->target.len;

	message->path = (struct qn_text){ message->target.at, path };
	if (mark != NULL)
		message->query = (struct qn_text){ mark + 1, message->target.len - path - 1 };
}

static enum qn_http_step parse_head(struct qn_http_reader *reader, const char *bytes,
				    struct qn_http_message *message,
				    struct qn_http_refusal *refusal)
{
	http_parser parser;

	message->n_headers = 0;
	message->status = 0;
	message->target = message->path = message->query = message->body = (struct qn_text){ NULL,
											     0 };
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = message;
	http_parser_execute(&parser, &head_callbacks, bytes, reader->head);
	switch (HTTP_PARSER_ERRNO(&parser)) {
	case HPE_OK: break;
	case HPE_INVALID_METHOD: return refuse(reader, refusal, 501, "a method that nobody knows");
	case HPE_INVALID_VERSION: return refuse(reader, refusal, 505, "no version of HTTP/1");
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return refuse(reader, refusal, 400, "two lengths of one body");
	case HPE_INVALID_TRANSFER_ENCODING:
		return refuse(reader, refusal, 501, "a transfer coding other than chunked");
	default: return refuse(reader, refusal, 400, "no HTTP request");
	}
	if (parser.http_major != 1 || parser.http_minor > 1)
		return refuse(reader, refusal, 505, "no version of HTTP/1");
	message->method = parser.method;
	message->minor = (uint8_t)parser.http_minor;
	message->upgrade = parser.upgrade && parser.method != HTTP_CONNECT;
	if (message->target.at == NULL)
		return refuse(reader, refusal, 400, "no target");
	split_target(message);
	return QN_HTTP_STEP_REQUEST;
}

/* ---- how long the body is ---- */

static bool equals(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static unsigned count_headers(const struct qn_http_message *message, const char *name)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < message->n_headers; i++)
		n += equals(message->headers[i].name, name);
	return n;
}

/* RFC 9112, 6: digits and nothing else. -1: none such; more than the limit: the limit and 1. */
static int64_t parse_length(struct qn_text text, uint32_t limit)
{
	int64_t length = 0;

	if (text.len == 0)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		length = length * 10 + (text.at[i] - '0');
		if (length > limit)
			length = (int64_t)limit + 1;
	}
	return length;
}

/* Chunks: RFC 9112, 6.1: a server may refuse both together, and nobody sends both in good faith. */
static enum qn_http_step find_coding(struct qn_http_reader *reader,
				     const struct qn_http_message *message,
				     struct qn_http_refusal *refusal)
{
	if (count_headers(message, "Content-Length") > 0)
		return refuse(reader, refusal, 400, "a length and a transfer coding");
	if (message->minor == 0)
		return refuse(reader, refusal, 400, "a transfer coding in HTTP/1.0");
	if (count_headers(message, "Transfer-Encoding") > 1 ||
	    !equals(qn_http_header(message, "Transfer-Encoding"), "chunked"))
		return refuse(reader, refusal, 501, "a transfer coding other than chunked");
	reader->chunked = true;
	return QN_HTTP_STEP_REQUEST;
}

static enum qn_http_step find_length(struct qn_http_reader *reader,
				     const struct qn_http_limits *limits,
				     const struct qn_http_message *message,
				     struct qn_http_refusal *refusal)
{
	unsigned lengths = count_headers(message, "Content-Length");

	if (count_headers(message, "Transfer-Encoding") > 0)
		return find_coding(reader, message, refusal);
	if (lengths > 1)
		return refuse(reader, refusal, 400, "two lengths of one body");
	if (lengths == 0)
		return QN_HTTP_STEP_REQUEST;
	int64_t length = parse_length(qn_http_header(message, "Content-Length"),
				      limits->body_bytes);
	if (length < 0)
		return refuse(reader, refusal, 400, "a length that is none");
	if (length > limits->body_bytes)
		return refuse(reader, refusal, 413, "a body longer than the limit");
	reader->body = (uint32_t)length;
	return QN_HTTP_STEP_REQUEST;
}

static enum qn_http_step check_head(struct qn_http_reader *reader,
				    const struct qn_http_limits *limits,
				    const struct qn_http_message *message,
				    struct qn_http_refusal *refusal)
{
	unsigned hosts = count_headers(message, "Host");

	/* RFC 9112, 3.2 */
	if (hosts > 1 || (hosts == 0 && message->minor == 1))
		return refuse(reader, refusal, 400, hosts > 1 ? "two hosts" : "no host");
	enum qn_http_step step = find_length(reader, limits, message, refusal);
	if (step == QN_HTTP_STEP_REFUSE)
		return step;
	struct qn_text expect = qn_http_header(message, "Expect");
	if (expect.at == NULL || message->minor == 0)
		return step;
	if (!equals(expect, "100-continue"))
		return refuse(reader, refusal, 417, "an expectation that nobody knows");
	return reader->body > 0 || reader->chunked ? QN_HTTP_STEP_CONTINUE : step;
}

/* ---- chunks ---- */

/* The size in a chunk's first line; -1: there is none. */
static int64_t chunk_size(const char *line, size_t len, uint32_t limit)
{
	int64_t size = 0;
	size_t i = 0;

	for (; i < len; i++) {
		char c = line[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			break;
		size = size * 16 + digit;
		if (size > limit)
			size = (int64_t)limit + 1;
	}
	/* RFC 9112, 7.1.1: extensions, which one may not understand, begin with a semicolon. */
	if (i == 0 || (i < len && line[i] != ';') || !is_text(line + i, len - i))
		return -1;
	return size;
}

/* QN_HTTP_STEP_REQUEST: they are all there. scanned stands behind the last whole chunk. */
static enum qn_http_step scan_chunks(struct qn_http_reader *reader,
				     const struct qn_http_limits *limits, const char *bytes,
				     size_t len, struct qn_http_refusal *refusal)
{
	for (;;) {
		const char *line = bytes + reader->scanned;
		size_t left = len - reader->scanned, line_len;
		enum qn_code code = next_line(line, left, &line_len);

		if (code == QN_E_SYNTAX)
			return refuse(reader, refusal, 400, "a chunk that does not end in CRLF");
		if ((code == QN_MORE ? left : line_len) > CHUNK_LINE_MAX)
			return refuse(reader, refusal, 400, "a chunk's first line is too long");
		if (reader->scanned - reader->head > 2 * (size_t)limits->body_bytes)
			return refuse(reader, refusal, 413, "a body longer than the limit");
		if (code == QN_MORE)
			return QN_HTTP_STEP_MORE;
		if (reader->trailers) {
			reader->scanned += (uint32_t)line_len + 2;
			if (line_len == 0)
				return QN_HTTP_STEP_REQUEST;
			if (bad_field(line, line_len) != NULL)
				return refuse(reader, refusal, 400, "a trailer that is none");
			continue;
		}
		int64_t size = chunk_size(line, line_len, limits->body_bytes);
		if (size < 0)
			return refuse(reader, refusal, 400, "a chunk without a size");
		if (size + reader->body > limits->body_bytes)
			return refuse(reader, refusal, 413, "a body longer than the limit");
		if (size == 0) {
			reader->trailers = true;
			reader->scanned += (uint32_t)line_len + 2;
			continue;
		}
		size_t end = line_len + 2 + (size_t)size;
		if (left > end && line[end] != '\r')
			return refuse(reader, refusal, 400, "a chunk longer than its size");
		if (left > end + 1 && line[end + 1] != '\n')
			return refuse(reader, refusal, 400, "a chunk longer than its size");
		if (left < end + 2)
			return QN_HTTP_STEP_MORE;
		reader->body += (uint32_t)size;
		reader->scanned += (uint32_t)end + 2;
	}
}

/* They have been looked at: nothing can be wrong with them. */
static size_t join_chunks(const struct qn_http_reader *reader, const char *bytes, char *space)
{
	const char *at = bytes + reader->head;
	size_t n = 0;

	while (n < reader->body) {
		const char *lf = memchr(at, '\n', (size_t)(bytes + reader->scanned - at));
		size_t size = (size_t)chunk_size(at, (size_t)(lf - 1 - at), UINT32_MAX);
		memcpy(space + n, lf + 1, size);
		n += size;
		at = lf + 1 + size + 2;
	}
	return n;
}

/* ---- together ---- */

static enum qn_http_step whole(struct qn_http_reader *reader, const char *bytes, size_t *taken,
			       char *space, size_t cap, struct qn_http_message *message)
{
	if (reader->chunked) {
		assert(reader->body <= cap);
		message->body = (struct qn_text){ space, join_chunks(reader, bytes, space) };
		*taken += reader->scanned;
	} else {
		message->body = (struct qn_text){ bytes + reader->head, reader->body };
		*taken += reader->head + reader->body;
	}
	qn_http_reader_init(reader);
	return QN_HTTP_STEP_REQUEST;
}

/* The head has just become whole: what follows it? */
static enum qn_http_step begin_body(struct qn_http_reader *reader,
				    const struct qn_http_limits *limits, const char *bytes,
				    struct qn_http_message *message,
				    struct qn_http_refusal *refusal)
{
	enum qn_http_step step = parse_head(reader, bytes, message, refusal);

	return step == QN_HTTP_STEP_REQUEST ? check_head(reader, limits, message, refusal) : step;
}

enum qn_http_step qn_http_reader_next(struct qn_http_reader *reader,
				      const struct qn_http_limits *limits, const char *bytes,
				      size_t len, size_t *taken, char *space, size_t cap,
				      struct qn_http_message *message,
				      struct qn_http_refusal *refusal)
{
	enum qn_http_step step;
	bool parsed = false;

	assert(!reader->closed);
	*taken = 0;
	/* RFC 9112, 2.2: blank lines in front of a request are nothing. */
	while (reader->lines == 0 && len >= 2 && bytes[0] == '\r' && bytes[1] == '\n') {
		*taken += 2;
		bytes += 2;
		len -= 2;
	}
	if (reader->head == 0) {
		step = scan_head(reader, limits, bytes, len, refusal);
		if (step == QN_HTTP_STEP_REQUEST)
			step = begin_body(reader, limits, bytes, message, refusal);
		parsed = true;
		/* What a client that waits has sent all the same needs no word. */
		if (step == QN_HTTP_STEP_CONTINUE && len == reader->head && !reader->continued) {
			reader->continued = true;
			return step;
		}
		if (step != QN_HTTP_STEP_REQUEST && step != QN_HTTP_STEP_CONTINUE)
			return step;
	}
	if (reader->chunked) {
		step = scan_chunks(reader, limits, bytes, len, refusal);
		if (step != QN_HTTP_STEP_REQUEST)
			return step;
	} else if (len - reader->head < reader->body) {
		return QN_HTTP_STEP_MORE;
	}
	/* It was whole before the body came: its texts are to point into today's bytes. */
	if (!parsed && parse_head(reader, bytes, message, refusal) == QN_HTTP_STEP_REFUSE)
		return QN_HTTP_STEP_REFUSE;
	return whole(reader, bytes, taken, space, cap, message);
}

/* ---- headers ---- */

struct qn_text qn_http_header(const struct qn_http_message *message, const char *name)
{
	for (uint16_t i = 0; i < message->n_headers; i++)
		if (equals(message->headers[i].name, name))
			return message->headers[i].value;
	return (struct qn_text){ NULL, 0 };
}

bool qn_http_header_has(const struct qn_http_message *message, const char *name, const char *word)
{
	size_t len = strlen(word);

	for (uint16_t i = 0; i < message->n_headers; i++) {
		struct qn_text value = message->headers[i].value;
		if (!equals(message->headers[i].name, name))
			continue;
		for (size_t at = 0; at < value.len;) {
			size_t end = at;
			while (end < value.len && value.at[end] != ',')
				end++;
			size_t from = at, to = end;
			while (from < to && (value.at[from] == ' ' || value.at[from] == '\t'))
				from++;
			while (to > from && (value.at[to - 1] == ' ' || value.at[to - 1] == '\t'))
				to--;
			if (to - from == len && strncasecmp(value.at + from, word, len) == 0)
				return true;
			at = end + 1;
		}
	}
	return false;
}

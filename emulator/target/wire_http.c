#include "emulator/target/wire_http.h"

#include "emulator/target/parts.h"
#include "proto/http/range.h"

#include <stdio.h>

/*
 * The HTTP that the range had before its sockets (PROTOCOL.md "http"): the target registers with a
 * POST and is commanded as a server, one request a connection, or several where both sides keep it.
 */

struct session {
	struct qn_http_reader reader;
	uint8_t minor; /* of the request that is answered */
	bool keep;
	uint16_t status; /* of an error that is answered; 0: 400 */
};
_Static_assert(sizeof(struct session) <= SERVED_WIRE_BYTES, "in place");
_Static_assert(sizeof(struct qn_http_reply) <= SERVED_WIRE_BYTES, "in place");
_Static_assert(sizeof(struct target_http_options) <= TARGET_WIRE_OPTIONS_BYTES, "in a config");

#define REPLY_MAX 16384
#define BODY_MAX 24576

static const struct target_http_options *options_of(const struct target *target)
{
	return target->group->wire_options;
}

/* ---- registering ---- */

static void hello(struct net_conn *conn, struct qn_text name)
{
	struct target *target = served_of(conn)->target;
	bool ascii = target->group->profile->ascii;
	char host[24], body[2048], request[TARGET_LINE_MAX];

	qn_http_reply_init(served_wire(conn), REPLY_MAX);
	struct qn_http_request post = {
		.method = qn_http_route_method(QN_HTTP_REGISTER),
		.path = qn_http_route_path(QN_HTTP_REGISTER),
		.host = net_addr_text(conn->peer, host, sizeof(host)),
		.http_1_0 = options_of(target)->version == 0,
		.body = { body, qn_http_put_client_id(name, ascii, body, sizeof(body)) },
	};
	size_t len = qn_http_write_request(&post, request, sizeof(request));
	if (len > 0)
		net_send(conn, request, len);
}

static enum target_heard judge(struct net_conn *conn, const struct qn_http_message *reply,
			       const char **ret_why)
{
	const struct target *target = served_of(conn)->target;
	struct qn_http_body body;

	if (reply->status != 200) {
		*ret_why = qn_http_status_text(reply->status);
		return TARGET_HEARD_NO;
	}
	*ret_why = "not_a_message";
	if (qn_http_body_parse(reply->body, target->group->profile->dialect, &body) != QN_OK)
		return TARGET_HEARD_NO;
	*ret_why = "wrong_type";
	return body.status.len == 10 && memcmp(body.status.at, "registered", 10) == 0
		       ? TARGET_HEARD_YES
		       : TARGET_HEARD_NO;
}

static enum target_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, const char **ret_why)
{
	struct qn_http_message reply;
	char space[2048];

	(void)fresh;
	switch (qn_http_reply_read(served_wire(conn), bytes, len, ret_taken, space, sizeof(space),
				   &reply)) {
	case QN_MORE: return TARGET_HEARD_MORE;
	case QN_OK: return judge(conn, &reply, ret_why);
	case QN_E_TOO_LONG: *ret_why = "too_long"; return TARGET_HEARD_NO;
	default: *ret_why = "the answer is no HTTP"; return TARGET_HEARD_NO;
	}
}

static enum target_heard heard_end(struct net_conn *conn, const char *rest, size_t len,
				   const char **ret_why)
{
	struct qn_http_message reply;
	char space[2048];

	if (len == 0 || qn_http_reply_closed(served_wire(conn), rest, len, space, sizeof(space),
					     &reply) != QN_OK)
		return TARGET_HEARD_NO; /* the connection closed: *ret_why says so already */
	return judge(conn, &reply, ret_why);
}

/* ---- serving ---- */

static void begin(struct net_conn *conn)
{
	memset(served_wire(conn), 0, sizeof(struct session));
}

static void answer_error(struct net_conn *conn, unsigned status, const char *why)
{
	struct session *session = served_wire(conn);

	session->status = (uint16_t)status;
	target_refuse(conn, (struct qn_text){ NULL, 0 }, why, (struct qn_text){ why, strlen(why) });
	if (!served_of(conn)->gone)
		session->status = 0;
}

static void serve_activate(struct net_conn *conn, const struct qn_http_message *message,
			   struct target_request *request)
{
	const struct target *target = served_of(conn)->target;
	struct qn_http_body body;

	if (qn_http_body_parse(message->body, target->group->profile->dialect, &body) != QN_OK) {
		answer_error(conn, 400, "the body is no JSON object");
		return;
	}
	if (body.bad_duration) {
		answer_error(conn, 400, "duration must be a number");
		return;
	}
	request->duration = body.duration;
	request->duration_s = body.duration_s;
	target_serve(conn, request);
}

static void serve(struct net_conn *conn, const struct qn_http_message *message, struct qn_text text)
{
	static const enum range_word words[] = {
		[QN_HTTP_PING] = RANGE_PING,
		[QN_HTTP_STAND_UP] = RANGE_STAND_UP,
		[QN_HTTP_LAY_DOWN] = RANGE_LAY_DOWN,
		[QN_HTTP_ACTIVATE] = RANGE_ACTIVATE,
	};
	const struct target_http_options *options = options_of(served_of(conn)->target);
	struct session *session = served_wire(conn);
	unsigned status;
	enum qn_http_route route = qn_http_target_route(message, &status);

	session->minor = message->minor < options->version ? message->minor
							   : (uint8_t)options->version;
	session->keep = options->keep && message->keep_alive;
	served_of(conn)->last = !session->keep;
	if (route == QN_HTTP_NOWHERE) {
		answer_error(conn, status, qn_http_status_text(status));
		return;
	}
	struct target_request request = { .word = words[route], .text = text };
	if (route == QN_HTTP_ACTIVATE)
		serve_activate(conn, message, &request);
	else
		target_serve(conn, &request);
}

static void refuse(struct net_conn *conn, const struct qn_http_refusal *refusal)
{
	struct session *session = served_wire(conn);

	session->minor = (uint8_t)options_of(served_of(conn)->target)->version;
	session->keep = false;
	served_of(conn)->last = true;
	answer_error(conn, refusal->status, refusal->why);
}

/* Answers leave in the order of the requests: while one waits for its movement nothing is read. */
static bool may_read(struct net_conn *conn)
{
	const struct served *served = served_of(conn);

	return !served->gone && !served->last && served->late == 0;
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	const struct target_http_options *o = options_of(served_of(conn)->target);
	const struct qn_http_limits limits = { (uint32_t)o->target_bytes, (uint32_t)o->head_bytes,
					       (uint16_t)o->headers, (uint32_t)o->body_bytes };
	struct session *session = served_wire(conn);
	struct qn_http_message message;
	struct qn_http_refusal refusal;
	size_t done = 0;
	char space[BODY_MAX]; /* not env->scratch: answers are spoilt there */

	(void)fresh;
	if (target_deaf(conn, len, &done))
		return done;
	while (may_read(conn)) {
		size_t taken;
		enum qn_http_step step =
			qn_http_reader_next(&session->reader, &limits, bytes + done, len - done,
					    &taken, space, sizeof(space), &message, &refusal);
		struct qn_text text = { bytes + done, taken };
		done += taken;
		switch (step) {
		case QN_HTTP_STEP_MORE: return done;
		case QN_HTTP_STEP_REQUEST: serve(conn, &message, text); break;
		case QN_HTTP_STEP_CONTINUE:
			net_send(conn, QN_HTTP_CONTINUE, sizeof(QN_HTTP_CONTINUE) - 1);
			break;
		case QN_HTTP_STEP_REFUSE: refuse(conn, &refusal); break;
		}
	}
	/* Behind the last answer there is nothing to be read. */
	return served_of(conn)->gone || served_of(conn)->last ? len : done;
}

static size_t put_body(const struct target *target, const struct target_answer *answer, char *body,
		       size_t cap)
{
	static const enum qn_http_route asked[RANGE_WORDS] = {
		[RANGE_PONG] = QN_HTTP_PING,
		[RANGE_STANDING] = QN_HTTP_STAND_UP,
		[RANGE_DOWN] = QN_HTTP_LAY_DOWN,
		[RANGE_ACTIVATED] = QN_HTTP_ACTIVATE,
	};
	bool ascii = target->group->profile->ascii;

	if (answer->word == RANGE_ERROR)
		return qn_http_put_error(answer->error, ascii, body, cap);
	return qn_http_put_answer(asked[answer->word], answer->done, answer->target_id,
				  answer->duration, ascii, body, cap);
}

static size_t write_answer(struct net_conn *conn, const struct target_answer *answer, char *unit,
			   size_t cap)
{
	const struct target *target = served_of(conn)->target;
	const struct session *session = served_wire(conn);
	char body[TARGET_LINE_MAX];
	struct qn_http_response response = {
		.status = answer->word != RANGE_ERROR ? 200
			  : session->status != 0      ? session->status
						      : 400,
		.minor = session->minor,
		.keep_alive = session->keep,
		.content_type = "application/json",
		.body = { body, put_body(target, answer, body, sizeof(body)) },
	};

	return response.body.len > 0 ? qn_http_write_response(&response, unit, cap) : 0;
}

/* ---- faults ---- */

/* Writes a number over the one behind `name`; the unit grows or shrinks by a digit. */
static size_t put_number(char *unit, size_t len, size_t cap, const char *name, unsigned long number)
{
	char *at = memmem(unit, len, name, strlen(name)), digits[24];
	size_t old = 0, more = (size_t)snprintf(digits, sizeof(digits), "%lu", number);

	if (at == NULL)
		return len;
	at += strlen(name);
	while (at + old < unit + len && at[old] >= '0' && at[old] <= '9')
		old++;
	if (len - old + more > cap)
		return len;
	memmove(at + more, at + old, len - (size_t)(at - unit) - old);
	memcpy(at, digits, more);
	return len - old + more;
}

static size_t spoil(struct target *target, const struct fault_spec *spec, char *unit, size_t len,
		    size_t cap)
{
	static const char blank[] = "\r\n\r\n", length[] = "Content-Length: ";
	char *end = memmem(unit, len, blank, 4);

	if (end == NULL) /* garbage by now */
		return len;
	size_t head = (size_t)(end - unit) + 4, body = len - head;
	if (spec->kind == FAULT_HTTP_STATUS)
		return put_number(unit, len, cap, " ", (unsigned long)spec->count);
	if (spec->kind == FAULT_HTTP_LENGTH)
		return put_number(unit, len, cap, length, body + (unsigned long)spec->count);
	/* The length is that of what is there: a client reads all of the broken JSON. */
	body = target_spoil_json(target, spec, unit + head, body, cap - head - 8);
	return put_number(unit, head + body, cap, length, body);
}

/* ---- settings ---- */

static const char *const version_words[] = { "1.0", "1.1", NULL };

#define HTTP(member) offsetof(struct target_http_options, member)
static const struct setting settings[] = {
	{ .name = "version",
	  .kind = SETTING_WORD,
	  .offset = HTTP(version),
	  .def = "1.1",
	  .words = version_words,
	  .help = "what it speaks; a request of 1.0 is answered in 1.0 anyway" },
	{ .name = "keep",
	  .kind = SETTING_BOOL,
	  .offset = HTTP(keep),
	  .def = "false",
	  .help = "keeps a connection for the next request where the client does; false: one "
		  "request a connection, as the range did" },
	{ .name = "target_bytes",
	  .kind = SETTING_INT,
	  .offset = HTTP(target_bytes),
	  .def = "2048",
	  .min = 16,
	  .max = 8192,
	  .help = "the longest target of a request line; more is a 414" },
	{ .name = "head_bytes",
	  .kind = SETTING_INT,
	  .offset = HTTP(head_bytes),
	  .def = "8192",
	  .min = 128,
	  .max = 16384,
	  .help = "request line and headers together; more is a 431" },
	{ .name = "headers",
	  .kind = SETTING_INT,
	  .offset = HTTP(headers),
	  .def = "64",
	  .min = 1,
	  .max = QN_HTTP_HEADERS_MAX,
	  .help = "so many headers; more are a 431" },
	{ .name = "body_bytes",
	  .kind = SETTING_INT,
	  .offset = HTTP(body_bytes),
	  .def = "24576",
	  .min = 0,
	  .max = BODY_MAX,
	  .help = "the longest body; more is a 413" },
	{ .name = NULL },
};
const struct setting_table target_http_table = { .title = "the wire http, at a target",
						 .size = sizeof(struct target_http_options),
						 .settings = settings,
						 .origin_offset = SIZE_MAX };

const struct target_wire target_wire_http = {
	.id = WIRE_HTTP,
	.listens = true,
	.in_order = true,
	.hello = hello,
	.heard = heard,
	.heard_end = heard_end,
	.served = { .received = received, .ended = served_ended, .closed = served_closed },
	.begin = begin,
	.write = write_answer,
	.report_hit = target_report_hit,
	/* It has no ids, no types, and no line to end. */
	.wrong_id = "",
	.faults_without = FAULT_BIT(FAULT_WRONG_ID) | FAULT_BIT(FAULT_UPPER_TYPE) |
			  FAULT_BIT(FAULT_NO_NEWLINE),
	.faults_own = FAULT_BIT(FAULT_HTTP_STATUS) | FAULT_BIT(FAULT_HTTP_LENGTH),
	.spoil = spoil,
};

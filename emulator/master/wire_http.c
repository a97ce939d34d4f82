#include "emulator/master/wire_http.h"

#include "emulator/master/parts.h"
#include "proto/http/range.h"

#include <string.h>

/*
 * The HTTP that the range had before its sockets (PROTOCOL.md "http"): POST /register, GET / and
 * POST /target_hit are served; commands are requests to the target's own server.
 */

struct session {
	struct qn_http_reader reader;
	uint8_t minor;
	bool keep;
};
struct asking {
	struct qn_http_reply reply;
	uint8_t route; /* what was asked */
};
_Static_assert(sizeof(struct session) <= TALK_WIRE_BYTES, "in place");
_Static_assert(sizeof(struct asking) <= TALK_WIRE_BYTES, "in place");
_Static_assert(sizeof(struct master_http_options) <= MASTER_WIRE_OPTIONS_BYTES, "in a config");

#define BODY_MAX 1024
#define REPLY_MAX 60000

static const struct qn_snyper_profile *profile_of(struct net_conn *conn)
{
	return talk_of(conn)->listener->options.profile;
}

static uint8_t version_of(struct net_conn *conn)
{
	const struct master_http_options *options = talk_of(conn)->listener->options.wire_options;

	return options != NULL ? (uint8_t)options->version : 1;
}

/* ---- serving ---- */

static void respond(struct net_conn *conn, unsigned status, const char *body, size_t len)
{
	const struct session *session = talk_wire(conn);
	struct qn_http_response response = { .status = status,
					     .minor = session->minor,
					     .keep_alive = session->keep,
					     .content_type = "application/json",
					     .body = { body, len } };
	char unit[BODY_MAX + 512];
	bool keep = session->keep;

	size_t unit_len = qn_http_write_response(&response, unit, sizeof(unit));
	if (unit_len > 0)
		net_send(conn, unit, unit_len);
	if (!keep)
		talk_close(conn);
}

static void reject(struct net_conn *conn, unsigned status, const char *why)
{
	char body[BODY_MAX];

	master_reject(conn, why, strlen(why));
	respond(conn, status, body,
		qn_http_put_error((struct qn_text){ why, strlen(why) }, true, body, sizeof(body)));
}

static void serve_register(struct net_conn *conn, const struct qn_http_body *request)
{
	char id[sizeof(((struct remote *)0)->id)], body[BODY_MAX];
	const char *why;

	size_t len = request->client_id.at == NULL
			     ? 0
			     : qn_json_unescape(request->client_id, profile_of(conn)->dialect, id,
						sizeof(id));
	struct remote *remote = master_enter(conn, id, len, &why);
	if (remote == NULL) {
		reject(conn, 400, why);
		return;
	}
	respond(conn, 200, body,
		qn_http_put_registered((struct qn_text){ remote->id, remote->id_len },
				       profile_of(conn)->ascii, body, sizeof(body)));
}

static void serve_hit(struct net_conn *conn, const struct qn_http_body *request)
{
	char id[sizeof(((struct remote *)0)->id)], body[BODY_MAX];

	if (request->target_id.at == NULL || request->target_id.len == 0) {
		reject(conn, 400, "target_id must be a name");
		return;
	}
	size_t len = qn_json_unescape(request->target_id, profile_of(conn)->dialect, id,
				      sizeof(id));
	master_hit(conn, id, len < sizeof(id) ? len : sizeof(id), request->hit_value);
	respond(conn, 200, body, qn_http_put_hit_taken(body, sizeof(body)));
}

static void serve(struct net_conn *conn, const struct qn_http_message *message)
{
	struct session *session = talk_wire(conn);
	uint8_t version = version_of(conn);
	struct qn_http_body request;
	unsigned status;
	char body[BODY_MAX];
	enum qn_http_route route = qn_http_master_route(message, &status);

	session->minor = message->minor < version ? message->minor : version;
	session->keep = talk_of(conn)->listener->options.keep && message->keep_alive;
	if (route == QN_HTTP_NOWHERE) {
		reject(conn, status, qn_http_status_text(status));
	} else if (route == QN_HTTP_READY) {
		respond(conn, 200, body, qn_http_put_ready(body, sizeof(body)));
	} else if (qn_http_body_parse(message->body, profile_of(conn)->dialect, &request) !=
		   QN_OK) {
		reject(conn, 400, "the body is no JSON object");
	} else if (route == QN_HTTP_REGISTER) {
		serve_register(conn, &request);
	} else {
		serve_hit(conn, &request);
	}
}

static void refuse(struct net_conn *conn, const struct qn_http_refusal *refusal)
{
	struct session *session = talk_wire(conn);

	session->minor = version_of(conn);
	session->keep = false;
	reject(conn, refusal->status, refusal->why);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct session *session = talk_wire(conn);
	struct qn_http_message message;
	struct qn_http_refusal refusal;
	size_t done = 0;
	char space[24576];

	(void)fresh;
	master_alive(conn);
	while (!talk_of(conn)->gone) {
		size_t taken;
		enum qn_http_step step = qn_http_reader_next(
			&session->reader, &qn_http_limits_default, bytes + done, len - done, &taken,
			space, sizeof(space), &message, &refusal);
		done += taken;
		switch (step) {
		case QN_HTTP_STEP_MORE: return done;
		case QN_HTTP_STEP_REQUEST: serve(conn, &message); break;
		case QN_HTTP_STEP_CONTINUE:
			net_send(conn, QN_HTTP_CONTINUE, sizeof(QN_HTTP_CONTINUE) - 1);
			break;
		case QN_HTTP_STEP_REFUSE: refuse(conn, &refusal); break;
		}
	}
	return len;
}

/* ---- asking ---- */

static enum qn_http_route route_of(enum range_word word)
{
	switch (word) {
	case RANGE_STAND_UP: return QN_HTTP_STAND_UP;
	case RANGE_LAY_DOWN: return QN_HTTP_LAY_DOWN;
	case RANGE_ACTIVATE: return QN_HTTP_ACTIVATE;
	default: return QN_HTTP_PING;
	}
}

static size_t ask(struct net_conn *conn, const struct master_request *request, char *unit,
		  size_t cap)
{
	struct asking *asking = talk_wire(conn);
	enum qn_http_route route = route_of(request->word);
	char host[24], body[128];
	struct qn_http_request out = {
		.method = qn_http_route_method(route),
		.path = qn_http_route_path(route),
		.host = net_addr_text(conn->peer, host, sizeof(host)),
		.http_1_0 = version_of(conn) == 0,
		.keep_alive = talk_of(conn)->listener->options.keep,
	};

	qn_http_reply_init(&asking->reply, REPLY_MAX);
	asking->route = (uint8_t)route;
	if (route == QN_HTTP_ACTIVATE)
		out.body = (struct qn_text){ body, qn_http_put_duration(request->duration, body,
									sizeof(body)) };
	return qn_http_write_request(&out, unit, cap);
}

static enum master_heard bad(struct master_flaw *ret_flaw, const char *why, bool spoke)
{
	*ret_flaw = (struct master_flaw){ why, spoke };
	return MASTER_HEARD_BAD;
}

static enum master_heard judge(struct net_conn *conn, const struct qn_http_message *reply,
			       struct master_flaw *ret_flaw)
{
	const struct asking *asking = talk_wire(conn);
	struct qn_http_body body;

	if (reply->status < 200 || reply->status > 299)
		return bad(ret_flaw, qn_http_status_text(reply->status), true);
	if (qn_http_body_parse(reply->body, profile_of(conn)->dialect, &body) != QN_OK)
		return bad(ret_flaw, "not_a_message", false);
	switch (qn_http_said((enum qn_http_route)asking->route, body.status)) {
	case QN_HTTP_SAID_NONE: return bad(ret_flaw, "no_data", true);
	case QN_HTTP_SAID_OTHER: return bad(ret_flaw, "wrong_type", true);
	case QN_HTTP_SAID_SO: break;
	}
	return reply->keep_alive ? MASTER_HEARD_OK : MASTER_HEARD_LAST;
}

static enum master_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, struct master_flaw *ret_flaw)
{
	struct asking *asking = talk_wire(conn);
	struct qn_http_message reply;
	char space[8192];

	(void)fresh;
	switch (qn_http_reply_read(&asking->reply, bytes, len, ret_taken, space, sizeof(space),
				   &reply)) {
	case QN_MORE: return MASTER_HEARD_MORE;
	case QN_OK: return judge(conn, &reply, ret_flaw);
	case QN_E_TOO_LONG: return bad(ret_flaw, "too_long", false);
	default: return bad(ret_flaw, "the answer is no HTTP", false);
	}
}

static enum master_heard heard_end(struct net_conn *conn, const char *rest, size_t len,
				   struct master_flaw *ret_flaw)
{
	struct asking *asking = talk_wire(conn);
	struct qn_http_message reply;
	char space[8192];

	if (len == 0)
		return MASTER_HEARD_MORE;
	if (qn_http_reply_closed(&asking->reply, rest, len, space, sizeof(space), &reply) != QN_OK)
		return bad(ret_flaw, "cut short", false);
	return judge(conn, &reply, ret_flaw);
}

/* ---- settings ---- */

static const char *const version_words[] = { "1.0", "1.1", NULL };

static const struct setting settings[] = {
	{ .name = "version",
	  .kind = SETTING_WORD,
	  .offset = offsetof(struct master_http_options, version),
	  .def = "1.1",
	  .words = version_words,
	  .help = "what it speaks; a request of 1.0 is answered in 1.0 anyway" },
	{ .name = NULL },
};
const struct setting_table master_http_table = { .title = "the wire http, at a master",
						 .size = sizeof(struct master_http_options),
						 .settings = settings,
						 .origin_offset = SIZE_MAX };

const struct master_wire master_wire_http = {
	.id = WIRE_HTTP,
	.accepted = { .received = received, .closed = talk_closed },
	.ask = ask,
	.heard = heard,
	.heard_end = heard_end,
};

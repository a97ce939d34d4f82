/*
 * What the range said over HTTP (PROTOCOL.md "http"): paths, and the JSON in their bodies.
 *
 * Ownership: a parsed body points into the caller's bytes. Errors: parsing says what is wrong by
 * code; writing returns 0 where the buffer is too small. Threads: no state.
 */
#ifndef QN_HTTP_RANGE_H
#define QN_HTTP_RANGE_H

#include "proto/http/http.h"
#include "proto/json/json.h"

enum qn_http_route {
	QN_HTTP_NOWHERE, /* see qn_http_route_status() */
	/* At a master. */
	QN_HTTP_READY,    /* GET / */
	QN_HTTP_REGISTER, /* POST /register */
	QN_HTTP_HIT,      /* POST /target_hit */
	/* At a target. */
	QN_HTTP_PING,     /* GET /ping */
	QN_HTTP_STAND_UP, /* GET /stand_up */
	QN_HTTP_LAY_DOWN, /* GET /lay_down */
	QN_HTTP_ACTIVATE, /* POST /activate */
};

/* Where a request goes. *ret_status: 404, or 405 where the path is there for another method. */
enum qn_http_route qn_http_master_route(const struct qn_http_message *request,
					unsigned *ret_status);
enum qn_http_route qn_http_target_route(const struct qn_http_message *request,
					unsigned *ret_status);
/* Its method and path, for who asks. */
const char *qn_http_route_method(enum qn_http_route route);
const char *qn_http_route_path(enum qn_http_route route);

/* The members of any body. Strings stand without quotes, escapes not undone; absent: at == NULL. */
struct qn_http_body {
	struct qn_text client_id, target_id, status, error;
	struct qn_text duration; /* as written; absent too where it is null */
	double duration_s;       /* 5, the range's default, where it is absent */
	int64_t hit_value;
	bool bad_duration; /* it is there, and no number */
};

/* QN_OK; QN_E_TYPE: no object; else no JSON in that dialect. The last of duplicate keys wins. */
enum qn_code qn_http_body_parse(struct qn_text text, enum qn_json_dialect dialect,
				struct qn_http_body *body);

/* What a status says of what was asked. */
enum qn_http_said {
	QN_HTTP_SAID_OTHER,
	QN_HTTP_SAID_SO,   /* "alive" of a ping, "command_queued" or "standing" of stand_up, ... */
	QN_HTTP_SAID_NONE, /* there is no status */
};
enum qn_http_said qn_http_said(enum qn_http_route asked, struct qn_text status);

/* Bodies, as their writer writes: ascii as in qn_json_put_string(). */
size_t qn_http_put_client_id(struct qn_text id, bool ascii, char *buffer, size_t cap);
size_t qn_http_put_registered(struct qn_text id, bool ascii, char *buffer, size_t cap);
size_t qn_http_put_ready(char *buffer, size_t cap);
size_t qn_http_put_hit(struct qn_text id, int64_t value, bool ascii, char *buffer, size_t cap);
size_t qn_http_put_hit_taken(char *buffer, size_t cap);
size_t qn_http_put_duration(struct qn_text duration, char *buffer, size_t cap);
size_t qn_http_put_error(struct qn_text error, bool ascii, char *buffer, size_t cap);
/* duration: of activate; empty: 5. done: the movement is over. */
size_t qn_http_put_answer(enum qn_http_route asked, bool done, struct qn_text id,
			  struct qn_text duration, bool ascii, char *buffer, size_t cap);

#endif

#include "emulator/target/parts.h"

#include "proto/http/range.h"

#include <stdio.h>

/*
 * A hit, told to the master's HTTP side (PROTOCOL.md "http"). The range's own wire has no message
 * for it. The target does not wait for the answer; it may crash or lose power meanwhile, but its
 * struct stands as long as the fleet, so the connection may point to it.
 */
struct report {
	struct qn_http_answer answer;
	struct target *target;
};
_Static_assert(sizeof(struct report) <= NET_SESSION_BYTES, "a session fits its connection");

static struct report *report_of(struct net_conn *conn)
{
	return (struct report *)(void *)conn->session;
}

static void told(struct net_conn *conn, bool ok, const char *why)
{
	struct target *target = report_of(conn)->target;

	if (ok) {
		target->env->totals.hits_reported++;
		target_say(target, EVENT_HIT_REPORTED, NULL);
	} else {
		target->env->totals.hit_reports_failed++;
		target_say(target, EVENT_HIT_REPORT_FAILED, why);
	}
}

static void judge(struct net_conn *conn)
{
	unsigned status = report_of(conn)->answer.parser.status_code;
	char why[32];

	snprintf(why, sizeof(why), "HTTP status %u", status);
	told(conn, status >= 200 && status < 300, why);
}

static void report_opened(struct net_conn *conn)
{
	struct target *target = report_of(conn)->target;
	const struct target_group *group = target->group;
	struct qn_text name = { target->name, target->name_len };
	char host[24], body[1024], request[1536];

	struct qn_http_request post = {
		.method = "POST",
		.path = "/target_hit",
		.host = net_addr_text(group->report_to, host, sizeof(host)),
		.body = { body, qn_http_put_hit(name, group->hit_value, group->profile->ascii, body,
						sizeof(body)) },
	};
	size_t len = qn_http_write_request(&post, request, sizeof(request));
	if (len > 0)
		net_send(conn, request, len);
}

static size_t report_received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	(void)fresh;
	switch (qn_http_answer_read(&report_of(conn)->answer, bytes, len)) {
	case QN_MORE: return len;
	case QN_OK: judge(conn); break;
	default: told(conn, false, "the answer is no HTTP"); break;
	}
	net_close(conn);
	return len;
}

static void report_ended(struct net_conn *conn, const char *rest, size_t len)
{
	(void)rest;
	(void)len;
	if (qn_http_answer_closed(&report_of(conn)->answer) == QN_OK)
		judge(conn);
	else
		told(conn, false, "closed without an answer");
	net_close(conn);
}

static void report_closed(struct net_conn *conn, int error)
{
	told(conn, false, error != 0 ? strerror(-error) : "closed without an answer");
}

static void report_expired(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);

	(void)now_ns;
	told(conn, false, "no answer in time");
	net_close(conn);
}

static const struct net_handler report_handler = {
	.opened = report_opened,
	.received = report_received,
	.ended = report_ended,
	.closed = report_closed,
};

void target_report_hit(struct target *target)
{
	struct target_env *env = target->env;
	struct net_conn *conn;
	int rc = net_connect(env->net, (struct net_addr){ target->ip, 0 }, target->group->report_to,
			     &report_handler, &conn);

	if (rc < 0) {
		env->totals.hit_reports_failed++;
		target_say(target, EVENT_HIT_REPORT_FAILED, strerror(-rc));
		return;
	}
	report_of(conn)->target = target;
	qn_http_answer_init(&report_of(conn)->answer);
	conn->timer.fire = report_expired;
	loop_timer(env->loop, &conn->timer, target->group->answer_timeout_ns);
}

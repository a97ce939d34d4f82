#include "proto/agent/session.h"

#include <assert.h>
#include <string.h>

#define S(n) (INT64_C(1000000000) * (n))

const struct qn_agent_options qn_agent_original = {
	.version = { QN_AGENT_VERSION, sizeof(QN_AGENT_VERSION) - 1 },
	.hello_timeout_ns = S(3),
	.ping_interval_ns = S(30),
	.ping_timeout_ns = S(5),
	.payload_max = QN_AGENT_PAYLOAD_MAX,
};

/* When a wait that begins now is over. 0: never. */
static int64_t after(int64_t now_ns, int64_t wait_ns)
{
	int64_t due_ns;

	if (wait_ns == 0 || __builtin_add_overflow(now_ns, wait_ns, &due_ns))
		return QN_AGENT_NEVER;
	return due_ns;
}

void qn_agent_session_init(struct qn_agent_session *session, enum qn_agent_role role,
			   const struct qn_agent_options *options, int64_t now_ns)
{
	*session = (struct qn_agent_session){ .options = options,
					      .role = (uint8_t)role,
					      .state = QN_AGENT_NEW,
					      .due_ns = after(now_ns, options->hello_timeout_ns) };
}

static enum qn_agent_step close_it(struct qn_agent_session *session, struct qn_fault *fault,
				   enum qn_code code, const char *text)
{
	session->state = QN_AGENT_CLOSED;
	session->due_ns = QN_AGENT_NEVER;
	if (text != NULL)
		*fault = (struct qn_fault){ code, 0, text };
	return QN_AGENT_STEP_CLOSE;
}

static void open_it(struct qn_agent_session *session, int64_t now_ns)
{
	session->state = QN_AGENT_OPEN;
	session->pinged = false;
	session->due_ns = after(now_ns, session->options->ping_interval_ns);
}

/* ---- what we say ---- */

size_t qn_agent_session_greet(struct qn_agent_session *session, struct qn_text id,
			      struct qn_text credentials, int64_t now_ns, char *buffer, size_t cap)
{
	assert(session->role == QN_AGENT_ROLE_AGENT && session->state == QN_AGENT_NEW);
	size_t len = qn_agent_write_hello(buffer, cap, id, session->options->version, credentials);
	if (len == 0)
		return 0;
	session->state = QN_AGENT_GREETED;
	session->due_ns = after(now_ns, session->options->hello_timeout_ns);
	return len;
}

size_t qn_agent_session_accept(struct qn_agent_session *session, int64_t now_ns, char *buffer,
			       size_t cap)
{
	assert(session->state == QN_AGENT_JUDGING);
	size_t len = qn_agent_write_manager_hello(buffer, cap, session->options->version);
	if (len > 0)
		open_it(session, now_ns);
	return len;
}

size_t qn_agent_session_bye(struct qn_agent_session *session, struct qn_text reason, char *buffer,
			    size_t cap)
{
	session->state = QN_AGENT_CLOSED;
	session->due_ns = QN_AGENT_NEVER;
	return qn_agent_write_bye(buffer, cap, reason);
}

size_t qn_agent_session_refuse(struct qn_agent_session *session, char *buffer, size_t cap)
{
	static const char reason[] = "authentication failed";

	assert(session->state == QN_AGENT_JUDGING);
	return qn_agent_session_bye(session, (struct qn_text){ reason, sizeof(reason) - 1 }, buffer,
				    cap);
}

/* ---- what we hear ---- */

static struct qn_text major_of(struct qn_text version)
{
	const char *dot = version.len > 0 ? memchr(version.at, '.', version.len) : NULL;

	return (struct qn_text){ version.at,
				 dot != NULL ? (size_t)(dot - version.at) : version.len };
}

static bool same_major(struct qn_text a, struct qn_text b)
{
	a = major_of(a);
	b = major_of(b);
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The agent waits for the manager's hello: anything else ends it. */
static enum qn_agent_step hear_first_as_agent(struct qn_agent_session *session,
					      const struct qn_agent_message *message,
					      int64_t now_ns, struct qn_fault *fault)
{
	if (message->t != QN_AGENT_MANAGER_HELLO)
		return close_it(session, fault, QN_E_UNKNOWN, "the first message is no hello");
	if (!same_major(message->version, session->options->version))
		return close_it(session, fault, QN_E_TYPE, "another major version");
	open_it(session, now_ns);
	return QN_AGENT_STEP_OPENED;
}

static enum qn_agent_step hear_first_as_manager(struct qn_agent_session *session,
						const struct qn_agent_message *message,
						struct qn_fault *fault)
{
	if (message->t != QN_AGENT_HELLO)
		return close_it(session, fault, QN_E_UNKNOWN, "the first message is no hello");
	session->state = QN_AGENT_JUDGING;
	session->due_ns = QN_AGENT_NEVER;
	return QN_AGENT_STEP_HELLO;
}

static enum qn_agent_step hear_pong(struct qn_agent_session *session, struct qn_agent_int data,
				    int64_t now_ns, struct qn_fault *fault)
{
	if (!session->pinged)
		return QN_AGENT_STEP_PASSED;
	/* The original compares, too: a mismatch is a failed ping. */
	if (data.negative || data.bits != session->ping)
		return close_it(session, fault, QN_E_TYPE, "a pong that does not echo the ping");
	session->pinged = false;
	session->due_ns = after(now_ns, session->options->ping_interval_ns);
	return QN_AGENT_STEP_PASSED;
}

static enum qn_agent_step hear(struct qn_agent_session *session,
			       const struct qn_agent_message *message, int64_t now_ns,
			       struct qn_agent_unit *unit, struct qn_fault *fault)
{
	if (message->t == QN_AGENT_BYE && session->state != QN_AGENT_NEW) {
		session->state = QN_AGENT_CLOSED;
		session->due_ns = QN_AGENT_NEVER;
		return QN_AGENT_STEP_BYE;
	}
	if (session->state == QN_AGENT_GREETED)
		return hear_first_as_agent(session, message, now_ns, fault);
	if (session->state == QN_AGENT_NEW && session->role == QN_AGENT_ROLE_MANAGER)
		return hear_first_as_manager(session, message, fault);
	if (session->state != QN_AGENT_OPEN)
		return close_it(session, fault, QN_E_UNKNOWN, "a message out of turn");
	switch (message->t) {
	case QN_AGENT_PING:
		unit->len = qn_agent_write_ping(unit->bytes, sizeof(unit->bytes), QN_AGENT_PONG,
						message->ping);
		return QN_AGENT_STEP_SEND;
	case QN_AGENT_PONG: return hear_pong(session, message->ping, now_ns, fault);
	case QN_AGENT_REQUEST:
	case QN_AGENT_RESPONSE:
	case QN_AGENT_NOTIFICATION: return QN_AGENT_STEP_MESSAGE;
	default: return QN_AGENT_STEP_PASSED; /* a second hello: nobody handles it there either */
	}
}

enum qn_agent_step qn_agent_session_next(struct qn_agent_session *session, const char *bytes,
					 size_t len, int64_t now_ns, size_t *taken,
					 struct qn_agent_message *message,
					 struct qn_agent_unit *unit, struct qn_fault *fault)
{
	struct qn_text payload;
	enum qn_code code;

	*taken = 0;
	if (session->state == QN_AGENT_CLOSED) {
		*taken = len;
		return QN_AGENT_STEP_MORE;
	}
	/* Whatever follows a hello waits until its owner has judged it. */
	if (session->state == QN_AGENT_JUDGING)
		return QN_AGENT_STEP_MORE;
	code = qn_agent_frame(bytes, len, session->options->payload_max, &payload, taken, fault);
	if (code == QN_MORE)
		return QN_AGENT_STEP_MORE;
	if (code == QN_OK)
		code = qn_agent_read(payload, message, fault);
	if (code != QN_OK)
		return close_it(session, fault, code, NULL);
	return hear(session, message, now_ns, unit, fault);
}

/* ---- time ---- */

enum qn_agent_step qn_agent_session_time(struct qn_agent_session *session, int64_t now_ns,
					 uint64_t random, struct qn_agent_unit *unit,
					 struct qn_fault *fault)
{
	struct qn_agent_int data = { 0, false };

	if (now_ns < session->due_ns || session->due_ns == QN_AGENT_NEVER)
		return QN_AGENT_STEP_MORE;
	if (session->state != QN_AGENT_OPEN)
		return close_it(session, fault, QN_E_MISSING, "no hello in time");
	if (session->pinged)
		return close_it(session, fault, QN_E_MISSING, "no pong in time");
	data.bits = random % (QN_AGENT_PING_RANDOM_MAX + 1);
	session->ping = (uint32_t)data.bits;
	session->pinged = true;
	session->due_ns = after(now_ns, session->options->ping_timeout_ns);
	unit->len = qn_agent_write_ping(unit->bytes, sizeof(unit->bytes), QN_AGENT_PING, data);
	return QN_AGENT_STEP_SEND;
}

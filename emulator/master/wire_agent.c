#include "emulator/master/wire_agent.h"

#include "emulator/base/rng.h"
#include "emulator/base/units.h"
#include "emulator/master/parts.h"
#include "proto/agent/command.h"
#include "proto/agent/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The wire `agent` (PROTOCOL.md "agent"), the manager: agents dial in through TLS, say who they
 * are, and are commanded over that connection; the id of a command says whose result has come.
 */

#define CONNECTIONS ((size_t)1 << 17)

struct agent_talk {
	struct qn_agent_session session;
	struct net_conn *next, *prev; /* of those that are linked */
	bool listed;
};
_Static_assert(sizeof(struct agent_talk) <= TALK_WIRE_BYTES, "in place");

struct agent_state {
	struct qn_agent_options options;
	struct tls_context *context;
	struct net *tls; /* NULL: simulated */
	struct net_conn *linked;
};

static struct agent_state *state_of(struct net_conn *conn)
{
	return talk_of(conn)->listener->state;
}

static struct agent_talk *talk(struct net_conn *conn)
{
	return talk_wire(conn);
}

/* ---- a listener's start and end ---- */

static void handshake_failed(void *owner, struct net_addr peer, bool accepted, const char *why)
{
	struct master_listener *listener = owner;
	char text[200], where[24];

	if (!accepted)
		return;
	int len = snprintf(text, sizeof(text), "%s: %s", net_addr_text(peer, where, sizeof(where)),
			   why);
	listener->master->totals.registrations_rejected++;
	master_tell(listener->master, EVENT_M_REJECTED, NULL, 0, 0, text, (size_t)len);
}

static int open_listener(struct master_listener *listener)
{
	const struct master_agent_options *options = listener->options.wire_options;
	struct net_tls_options tls = { .connections = CONNECTIONS,
				       .listeners = 2,
				       .buffer_bytes = 64u << 20,
				       .failed = handshake_failed,
				       .owner = listener };
	struct agent_state *state = calloc(1, sizeof(*state));
	int rc = 0;

	if (state == NULL)
		return -ENOMEM;
	/* How long a hello may take is the listener's own matter. */
	state->options = (struct qn_agent_options){
		.version = { options->version, strlen(options->version) },
		.ping_interval_ns = options->ping_interval_ns,
		.ping_timeout_ns = options->ping_timeout_ns,
		.payload_max = QN_AGENT_PAYLOAD_MAX,
	};
	if (!listener->master->loop->simulated)
		rc = tls_settings_open(&options->tls, listener->net, &tls, &state->context,
				       &state->tls);
	if (rc < 0) {
		free(state);
		return rc;
	}
	if (state->tls != NULL)
		listener->net = state->tls;
	listener->state = state;
	return 0;
}

static void farewell(struct net_conn *conn)
{
	static const char reason[] = "server shutting down";
	char unit[64];

	if (talk(conn)->session.state != QN_AGENT_OPEN)
		return; /* the agent has ended it */
	size_t len = qn_agent_session_bye(&talk(conn)->session,
					  (struct qn_text){ reason, sizeof(reason) - 1 }, unit,
					  sizeof(unit));
	net_send(conn, unit, len);
}

/* To everyone: the original forgets some (it walks a list that it shortens). */
static void close_listener(struct master_listener *listener)
{
	struct agent_state *state = listener->state;

	for (struct net_conn *conn = state->linked; conn != NULL; conn = talk(conn)->next) {
		farewell(conn);
		timer_cancel(&conn->net->loop->timers, &conn->timer);
	}
	if (state->tls != NULL)
		net_tls_free(state->tls);
	tls_context_free(state->context);
	free(state);
	listener->state = NULL;
	listener->net = listener->master->net;
}

/* ---- time ---- */

static void arm(struct net_conn *conn)
{
	const struct qn_agent_session *session = &talk(conn)->session;

	if (session->due_ns == QN_AGENT_NEVER)
		timer_cancel(&conn->net->loop->timers, &conn->timer);
	else if (!timer_armed(&conn->timer) || conn->timer.due_ns != session->due_ns)
		timer_arm(&conn->net->loop->timers, &conn->timer, session->due_ns);
}

static void due(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);
	struct master *master = talk_master(conn);
	uint64_t random = rng_draw(master->options.seed, talk_of(conn)->number, RNG_WIRE,
				   (uint64_t)now_ns);
	struct qn_agent_unit unit;
	struct qn_fault fault;

	switch (qn_agent_session_time(&talk(conn)->session, now_ns, random, &unit, &fault)) {
	case QN_AGENT_STEP_SEND: net_send(conn, unit.bytes, unit.len); break;
	case QN_AGENT_STEP_CLOSE: talk_close(conn); return;
	default: break;
	}
	arm(conn);
}

/* ---- agents ---- */

static void begin(struct net_conn *conn)
{
	qn_agent_session_init(&talk(conn)->session, QN_AGENT_ROLE_MANAGER, &state_of(conn)->options,
			      conn->net->loop->now_ns);
}

static void list(struct net_conn *conn)
{
	struct agent_state *state = state_of(conn);
	struct agent_talk *ours = talk(conn);

	ours->listed = true;
	ours->next = state->linked;
	if (state->linked != NULL)
		talk(state->linked)->prev = conn;
	state->linked = conn;
}

static void end(struct net_conn *conn)
{
	struct agent_state *state = state_of(conn);
	struct agent_talk *ours = talk(conn);

	if (!ours->listed)
		return;
	ours->listed = false;
	if (ours->prev != NULL)
		talk(ours->prev)->next = ours->next;
	else
		state->linked = ours->next;
	if (ours->next != NULL)
		talk(ours->next)->prev = ours->prev;
}

static void refuse(struct net_conn *conn, const char *why)
{
	char unit[64];
	size_t len = qn_agent_session_refuse(&talk(conn)->session, unit, sizeof(unit));

	master_reject(conn, why, strlen(why));
	net_send(conn, unit, len);
	talk_close(conn);
}

static void judge(struct net_conn *conn, const struct qn_agent_message *message)
{
	const struct master_agent_options *options = talk_of(conn)->listener->options.wire_options;
	const char *why = master_agent_judge(options, message->id.at, message->id.len,
					     message->word.at, message->word.len, conn->peer.ip);
	struct remote *remote = NULL;
	char unit[128];

	if (why == NULL)
		remote = master_enter(conn, message->id.at, message->id.len, &why);
	if (remote == NULL) {
		refuse(conn, why);
		return;
	}
	/* Who is nobody yet has no need of more than a hello. */
	conn->rest_max = QN_AGENT_HEAD + QN_AGENT_PAYLOAD_MAX;
	master_link(conn, remote);
	list(conn);
	conn->timer.fire = due;
	size_t len = qn_agent_session_accept(&talk(conn)->session, conn->net->loop->now_ns, unit,
					     sizeof(unit));
	assert(len > 0);
	net_send(conn, unit, len);
}

/* ---- answers ---- */

/* The low half of a command's id says which it is, but for the bits that every UUID has. */
#define NUMBER_MASK (~(UINT64_C(3) << 62))

static bool number_of(struct qn_text id, uint64_t *ret)
{
	uint64_t number = 0;

	if (id.len != QN_AGENT_ID_LEN)
		return false;
	for (size_t i = 16; i < QN_AGENT_ID_LEN; i++) {
		char c = id.at[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = number & NUMBER_MASK;
	return true;
}

static struct command *command_of(struct net_conn *conn, struct qn_text id)
{
	uint64_t number;

	return number_of(id, &number) ? master_command_of_id(conn, number) : NULL;
}

static void failed(struct net_conn *conn, struct command *command, struct qn_text why)
{
	char text[256];
	struct master_flaw flaw = { .why = text, .spoke = true };

	snprintf(text, sizeof(text), "%.*s", (int)(why.len < 250 ? why.len : 250), why.at);
	master_answered(conn, command, &flaw);
}

/* A refused request has no result: the command ends here. */
static void take_response(struct net_conn *conn, const struct qn_agent_message *message)
{
	struct command *command = command_of(conn, message->id);
	struct qn_mp_reader reader;
	struct qn_mp_value value;
	struct qn_text why = { "the request failed", 18 };

	if (command == NULL || message->success)
		return;
	qn_mp_reader_init(&reader, message->data.at, message->data.len);
	if (qn_mp_next(&reader, &value, NULL) == QN_OK && value.type == QN_MP_STR)
		why = value.bytes;
	failed(conn, command, why);
}

static void take_notification(struct net_conn *conn, const struct qn_agent_message *message)
{
	struct qn_agent_result result;
	struct command *command;

	if (qn_agent_read_result(message, &result) != QN_OK)
		return; /* progress, or what nobody asked for */
	command = command_of(conn, result.id);
	if (command == NULL)
		return; /* it came too late, or its id is a fault's */
	if (result.success)
		master_answered(conn, command, NULL);
	else
		failed(conn, command, result.output);
}

/* The original's agents may ask for files; ours has none. */
static void refuse_request(struct net_conn *conn, const struct qn_agent_message *message)
{
	char unit[1024], why[300];
	int shown = (int)(message->word.len < 200 ? message->word.len : 200);
	int len = snprintf(why, sizeof(why), "Method %.*s not found", shown, message->word.at);
	size_t n = qn_agent_write_failure(unit, sizeof(unit), message->id,
					  (struct qn_text){ why, (size_t)len });

	if (n > 0)
		net_send(conn, unit, n);
}

static void take(struct net_conn *conn, const struct qn_agent_message *message)
{
	switch (message->t) {
	case QN_AGENT_RESPONSE: take_response(conn, message); break;
	case QN_AGENT_NOTIFICATION: take_notification(conn, message); break;
	default: refuse_request(conn, message); break;
	}
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct qn_agent_message message;
	struct qn_agent_unit unit;
	struct qn_fault fault;
	size_t done = 0;

	(void)fresh;
	master_alive(conn);
	while (!talk_of(conn)->gone) {
		size_t taken;
		enum qn_agent_step step = qn_agent_session_next(&talk(conn)->session, bytes + done,
								len - done, conn->net->loop->now_ns,
								&taken, &message, &unit, &fault);
		done += taken;
		switch (step) {
		case QN_AGENT_STEP_MORE:
			if (talk_of(conn)->linked)
				arm(conn);
			return done;
		case QN_AGENT_STEP_HELLO: judge(conn, &message); break;
		case QN_AGENT_STEP_SEND: net_send(conn, unit.bytes, unit.len); break;
		case QN_AGENT_STEP_MESSAGE: take(conn, &message); break;
		case QN_AGENT_STEP_BYE: talk_close(conn); break;
		case QN_AGENT_STEP_CLOSE:
			if (!talk_of(conn)->linked)
				master_reject(conn, fault.text, strlen(fault.text));
			talk_close(conn);
			break;
		default: break;
		}
	}
	return done;
}

/* ---- commands ---- */

static const char *cmdtype_of(const struct master_agent_options *options, enum range_word word)
{
	switch (word) {
	case RANGE_STAND_UP: return qn_agent_op_name(QN_AGENT_OP_STAND_UP);
	case RANGE_LAY_DOWN: return qn_agent_op_name(QN_AGENT_OP_LAY_DOWN);
	case RANGE_ACTIVATE: return qn_agent_op_name(QN_AGENT_OP_ACTIVATE);
	default: break;
	}
	switch (options->ping) {
	case MASTER_AGENT_NOOP: return qn_agent_op_name(QN_AGENT_OP_NOOP);
	case MASTER_AGENT_ECHO: return qn_agent_op_name(QN_AGENT_OP_ECHO);
	default: return qn_agent_op_name(QN_AGENT_OP_PING);
	}
}

/* {"duration": 5} */
static size_t write_duration(struct qn_text duration, char *buffer, size_t cap)
{
	struct qn_mp_writer writer;
	char text[64];

	if (duration.len == 0 || duration.len >= sizeof(text))
		return 0;
	memcpy(text, duration.at, duration.len);
	text[duration.len] = '\0';
	double seconds = strtod(text, NULL);
	qn_mp_writer_init(&writer, buffer, cap);
	qn_mp_write_map(&writer, 1);
	qn_mp_write_word(&writer, "duration");
	if (strspn(text, "-0123456789") == duration.len && seconds > -1e15 && seconds < 1e15)
		qn_mp_write_int(&writer, (int64_t)seconds);
	else
		qn_mp_write_double(&writer, seconds);
	return qn_mp_written(&writer);
}

static void make_id(const struct master *master, uint64_t number, uint64_t purpose,
		    char id[QN_AGENT_ID_LEN])
{
	qn_agent_id(rng_draw(master->options.seed, purpose, RNG_WIRE, number), number, id);
}

static size_t ask(struct net_conn *conn, const struct master_request *request, char *unit,
		  size_t cap)
{
	static const struct qn_text hello = { "\x91\xa5hello", 7 };
	const struct master *master = talk_master(conn);
	const struct master_agent_options *options = talk_of(conn)->listener->options.wire_options;
	const char *cmdtype = cmdtype_of(options, request->word);
	struct qn_text args = { NULL, 0 }, kwargs = { NULL, 0 };
	char request_id[QN_AGENT_ID_LEN], command_id[QN_AGENT_ID_LEN], space[64];

	make_id(master, request->id, UINT64_MAX, request_id);
	make_id(master, request->id, UINT64_MAX - 1, command_id);
	if (request->word == RANGE_PING && options->ping == MASTER_AGENT_ECHO)
		args = hello;
	if (request->word == RANGE_ACTIVATE)
		kwargs = (struct qn_text){ space, write_duration(request->duration, space,
								 sizeof(space)) };
	return qn_agent_write_command(unit, cap, (struct qn_text){ request_id, QN_AGENT_ID_LEN },
				      (struct qn_text){ command_id, QN_AGENT_ID_LEN },
				      (struct qn_text){ cmdtype, strlen(cmdtype) }, args, kwargs);
}

const struct master_wire master_wire_agent = {
	.id = WIRE_AGENT,
	.dialled = true,
	.tls = true,
	.open = open_listener,
	.close = close_listener,
	.check = master_agent_check,
	.accepted = { .received = received, .closed = talk_closed },
	.begin = begin,
	.farewell = farewell,
	.end = end,
	.ask = ask,
	.describe = qn_agent_describe,
};

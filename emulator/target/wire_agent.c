#include "emulator/target/parts.h"

#include "emulator/base/tls_settings.h"
#include "emulator/target/wire_agent.h"
#include "proto/agent/command.h"
#include "proto/agent/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The wire `agent` (PROTOCOL.md "agent"): the target dials its manager through TLS, says hello, and
 * is commanded over that connection. A unit of ours may be several messages; each leaves as a TLS
 * record of its own.
 */

_Static_assert(sizeof(struct qn_agent_session) <= SERVED_WIRE_BYTES, "in place");

/* The longest answer: one message up to the limit, and the short ones in front of it. */
#define UNIT_LONG_MAX (QN_AGENT_PAYLOAD_MAX + 4096)
#define CONNECTIONS ((size_t)1 << 17)

/* What finds its way back with an answer: the command's id as it was written, and what it was. */
struct token {
	uint8_t op;
	uint8_t changes;
	char id[94];
};
#define TOKEN_HEAD offsetof(struct token, id)

struct agent_run {
	struct qn_agent_options options;
	struct tls_context *context, *other;
	const char *other_file; /* whose certificate `other` shows */
	struct net *tls;        /* NULL: simulated */
	/* While a command is served. */
	const struct qn_agent_operation *operation;
	struct qn_text token;
	/* Its Response, as long as it has not left: where nothing can go wrong it leaves with the
	 * answer, in one write; a record of its own it is in any case. */
	size_t response_len;
	char response[256];
	char why[160];
	char unit[UNIT_LONG_MAX];
};

static struct agent_run *run_of(const struct target *target)
{
	return target->group->run->wire;
}

static const struct target_agent_options *options_of(const struct target_group *group)
{
	return group->wire_options;
}

static struct qn_text text_of(const char *text)
{
	return (struct qn_text){ text, strlen(text) };
}

/* ---- a group's start and end ---- */

/* A unit is cut where its messages end. What a fault has spoilt is cut anywhere: it is bytes. */
static size_t record_len(const char *bytes, size_t len)
{
	struct qn_text payload;
	size_t taken;

	return qn_agent_frame(bytes, len, len, &payload, &taken, NULL) == QN_OK ? taken : len;
}

static int open_group(struct target_env *env, const struct target_group *group)
{
	const struct target_agent_options *options = options_of(group);
	struct net_tls_options tls = { .connections = CONNECTIONS,
				       .listeners = 1,
				       .buffer_bytes = 64u << 20,
				       .record_len = record_len };
	struct agent_run *run = calloc(1, sizeof(*run));
	int rc = 0;

	if (run == NULL)
		return -ENOMEM;
	run->options = (struct qn_agent_options){ .version = text_of(options->version),
						  .hello_timeout_ns = options->hello_timeout_ns,
						  .ping_interval_ns = options->ping_interval_ns,
						  .ping_timeout_ns = options->ping_timeout_ns,
						  .payload_max = QN_AGENT_PAYLOAD_MAX };
	if (!env->loop->simulated)
		rc = tls_settings_open(&options->tls, env->net, &tls, &run->context, &run->tls);
	if (rc < 0) {
		free(run);
		return rc;
	}
	if (run->tls != NULL)
		group->run->net = run->tls;
	group->run->wire = run;
	return 0;
}

static void close_group(struct target_env *env, const struct target_group *group)
{
	struct agent_run *run = group->run->wire;

	if (run->tls != NULL)
		net_tls_free(run->tls);
	tls_context_free(run->context);
	tls_context_free(run->other);
	free(run);
	group->run->wire = NULL;
	group->run->net = env->net;
}

/* ---- registering ---- */

/* The certificate that the fault shows: of nobody, or out of a file that has its key too. */
static int other_context(struct agent_run *run, const struct target_agent_options *options,
			 const char *file)
{
	struct tls_files files = { options->tls.ca, file, file };
	struct tls_context *context;
	char why[256];

	if (run->other != NULL && strcmp(run->other_file, file) == 0)
		return 0;
	int rc = strcmp(file, "stranger") == 0
			 ? tls_context_new_stranger(options->tls.ca, &context, why, sizeof(why))
			 : tls_context_new(&files, &context, why, sizeof(why));
	if (rc < 0)
		return rc;
	/* Connections that stand hold the old one themselves. */
	tls_context_free(run->other);
	run->other = context;
	run->other_file = file;
	return 0;
}

static int dial(struct target *target, struct net_addr from, const struct net_handler *handler,
		struct net_conn **ret)
{
	struct agent_run *run = run_of(target);
	struct net_tls_trick trick = { .context = NULL };
	const struct fault_spec *spec;

	if (run->tls == NULL)
		return net_connect(target->env->net, from, target->group->master, handler, ret);
	trick.stall = fault_strikes(target, FAULT_TLS_STALL) != NULL;
	if ((spec = fault_strikes(target, FAULT_BAD_CERTIFICATE)) != NULL) {
		int rc = other_context(run, options_of(target->group), spec->text);
		if (rc < 0)
			return rc;
		trick.context = run->other;
	}
	return net_tls_connect(run->tls, from, target->group->master, handler, &trick, ret);
}

/* The secret, with the target's name where the config has "%s". */
static struct qn_text secret_of(const struct target *target, char *space, size_t cap)
{
	const char *pattern = options_of(target->group)->secret, *mark = strstr(pattern, "%s");

	if (mark == NULL)
		return text_of(pattern);
	int len = snprintf(space, cap, "%.*s%s%s", (int)(mark - pattern), pattern, target->name,
			   mark + 2);
	assert(len > 0 && (size_t)len < cap); /* both are bounded by the config */
	return (struct qn_text){ space, (size_t)len };
}

static void hello(struct net_conn *conn, struct qn_text name)
{
	struct target *target = served_of(conn)->target;
	struct agent_run *run = run_of(target);
	struct qn_agent_session *session = served_wire(conn);
	struct qn_agent_options said = run->options;
	int64_t now_ns = target->env->loop->now_ns;
	const struct fault_spec *spec;
	char space[512], unit[1024];

	struct qn_text secret = secret_of(target, space, sizeof(space));
	if ((spec = fault_strikes(target, FAULT_WRONG_SECRET)) != NULL)
		secret = text_of(spec->text);
	if ((spec = fault_strikes(target, FAULT_WRONG_VERSION)) != NULL)
		said.version = text_of(spec->text);
	qn_agent_session_init(session, QN_AGENT_ROLE_AGENT, &said, now_ns);
	size_t len = qn_agent_session_greet(session, name, secret, now_ns, unit, sizeof(unit));
	assert(len > 0);
	session->options = &run->options;
	/* The timer is the registration's; the wire has its own idea of when that is over. */
	if (session->due_ns < conn->timer.due_ns)
		timer_arm(&target->env->loop->timers, &conn->timer, session->due_ns);
	/* Without TLS there is no handshake that could stall: this one says nothing at all. */
	if (run->tls == NULL && fault_strikes(target, FAULT_TLS_STALL))
		return;
	net_send(conn, unit, len);
}

static enum target_heard heard(struct net_conn *conn, const char *bytes, size_t len, size_t fresh,
			       size_t *ret_taken, const char **ret_why)
{
	struct target *target = served_of(conn)->target;
	struct agent_run *run = run_of(target);
	struct qn_agent_message message;
	struct qn_agent_unit unit;
	struct qn_fault fault;
	size_t done = 0;

	(void)fresh;
	conn->rest_max = QN_AGENT_HEAD + QN_AGENT_PAYLOAD_MAX;
	for (;;) {
		size_t taken;
		enum qn_agent_step step = qn_agent_session_next(
			served_wire(conn), bytes + done, len - done, target->env->loop->now_ns,
			&taken, &message, &unit, &fault);
		done += taken;
		*ret_taken = done;
		switch (step) {
		case QN_AGENT_STEP_MORE: return TARGET_HEARD_MORE;
		case QN_AGENT_STEP_OPENED: return TARGET_HEARD_YES;
		case QN_AGENT_STEP_BYE:
			snprintf(run->why, sizeof(run->why), "%.*s", (int)message.word.len,
				 message.word.at);
			*ret_why = run->why;
			return TARGET_HEARD_NO;
		case QN_AGENT_STEP_CLOSE: *ret_why = fault.text; return TARGET_HEARD_NO;
		default: break; /* nothing else is heard before the manager's hello */
		}
	}
}

static const char *why_closed(const struct target *target, int error)
{
	const struct agent_run *run = run_of(target);

	return run->tls != NULL ? net_tls_why(run->tls) : strerror(-error);
}

/*
 * As the original: after every failure twice as long, up to a limit; at once where it had been
 * registered, however the connection ended.
 */
static int64_t redial_ns(const struct target *target, int error)
{
	const struct target_agent_options *options = options_of(target->group);
	int64_t delay = options->retry_first_ns;

	(void)error;
	if (target->tries == 0)
		return 0;
	for (uint32_t i = 1; i < target->tries && delay < options->retry_max_ns; i++)
		delay *= 2;
	return delay < options->retry_max_ns ? delay : options->retry_max_ns;
}

/* ---- time ---- */

static void arm(struct net_conn *conn)
{
	const struct qn_agent_session *session = served_wire(conn);

	if (session->due_ns == QN_AGENT_NEVER)
		timer_cancel(&conn->net->loop->timers, &conn->timer);
	else if (!timer_armed(&conn->timer) || conn->timer.due_ns != session->due_ns)
		timer_arm(&conn->net->loop->timers, &conn->timer, session->due_ns);
}

static void woke(struct net_conn *conn)
{
	struct target *target = served_of(conn)->target;
	int64_t now_ns = target->env->loop->now_ns;
	uint64_t random = rng_draw(target->env->seed, target->number, RNG_WIRE, (uint64_t)now_ns);
	struct qn_agent_unit unit;
	struct qn_fault fault;

	switch (qn_agent_session_time(served_wire(conn), now_ns, random, &unit, &fault)) {
	case QN_AGENT_STEP_SEND: target_send(conn, unit.bytes, unit.len); break;
	case QN_AGENT_STEP_CLOSE:
		target_bad_line(conn, fault.text);
		target_leave(conn, false);
		break;
	default: break;
	}
	if (!served_of(conn)->gone)
		arm(conn);
}

static void due(struct timer *timer, int64_t now_ns)
{
	struct net_conn *conn = OF(timer, struct net_conn, timer);

	(void)now_ns;
	/* A program that stands still looks at its clock when it goes on. */
	if (!fault_active(served_of(conn)->target, FAULT_HANG))
		woke(conn);
}

static void begin(struct net_conn *conn)
{
	conn->timer.fire = due;
	arm(conn);
}

/* ---- commands ---- */

static const enum range_word words[QN_AGENT_OPS] = {
	[QN_AGENT_OP_NOOP] = RANGE_PING,         [QN_AGENT_OP_ECHO] = RANGE_PING,
	[QN_AGENT_OP_PING] = RANGE_PING,         [QN_AGENT_OP_STAND_UP] = RANGE_STAND_UP,
	[QN_AGENT_OP_LAY_DOWN] = RANGE_LAY_DOWN, [QN_AGENT_OP_ACTIVATE] = RANGE_ACTIVATE,
};

static struct qn_text op_text(unsigned op)
{
	return text_of(qn_agent_op_name((enum qn_agent_op)op));
}

/* Lying down while it lies changes nothing; where moves wait, nobody knows yet. */
static bool will_change(const struct target *target, enum qn_agent_op op)
{
	if (target->queue_len > 0)
		return true;
	return op == QN_AGENT_OP_ACTIVATE || target->up != (op == QN_AGENT_OP_STAND_UP);
}

/* What answers a command whatever becomes of it, and cannot be spoilt but by the network. */
static void respond(struct net_conn *conn, const struct qn_agent_message *request)
{
	struct target *target = served_of(conn)->target;
	struct agent_run *run = run_of(target);
	bool plain = target->faults == NULL ||
		     (target->faults->active == 0 && served_of(conn)->held == NULL);

	run->response_len = qn_agent_write_response(run->response, sizeof(run->response),
						    request->id, true,
						    (struct qn_text){ "\xc0", 1 });
	if (plain && run->response_len > 0)
		return;
	if (run->response_len > 0)
		target_send(conn, run->response, run->response_len);
	run->response_len = 0;
}

/* The Response that waits, in front of what answers the command at once. */
static size_t put_response(const struct agent_run *run, char *unit, size_t cap)
{
	if (run->response_len > cap)
		return SIZE_MAX;
	memcpy(unit, run->response, run->response_len);
	return run->response_len;
}

static void fail(struct net_conn *conn, const struct qn_agent_message *request, struct qn_text why)
{
	char unit[1024];
	size_t len = qn_agent_write_failure(unit, sizeof(unit), request->id, why);

	target_bad_line(conn, "a request that is no command");
	if (len > 0 && !served_of(conn)->gone)
		target_send(conn, unit, len);
}

/* It was asked for what cannot be run: "Running", then what is wrong. */
static void report_broken(struct net_conn *conn, const struct qn_agent_command *command,
			  struct qn_text why)
{
	struct agent_run *run = run_of(served_of(conn)->target);
	size_t len = put_response(run, run->unit, sizeof(run->unit));
	size_t first = qn_agent_write_progress(run->unit + len, sizeof(run->unit) - len,
					       command->id, false, command->cmdtype);
	size_t last = first == 0 ? 0
				 : qn_agent_write_broken(run->unit + len + first,
							 sizeof(run->unit) - len - first,
							 command->id, command->cmdtype, why);

	/* A name that is too long to be repeated is answered by the Response alone. */
	if (last > 0)
		len += first + last;
	run->response_len = 0;
	target_bad_line(conn, "a command that cannot be run");
	if (len > 0 && !served_of(conn)->gone)
		target_send(conn, run->unit, len);
}

/* What is done at once: begun, finished, and how it went. */
static size_t write_all(char *unit, size_t cap, struct qn_text id,
			const struct qn_agent_operation *operation,
			const struct qn_agent_outcome *outcome)
{
	struct qn_text name = op_text(operation->op);
	size_t first = qn_agent_write_progress(unit, cap, id, false, name);
	if (first == 0)
		return 0;
	size_t second = qn_agent_write_progress(unit + first, cap - first, id, true, name);
	if (second == 0)
		return 0;
	size_t last = qn_agent_write_result(unit + first + second, cap - first - second, id,
					    operation, outcome);
	return last == 0 ? 0 : first + second + last;
}

/* An echo longer than an answer may be goes round the faults of messages. */
static void echo_at_length(struct net_conn *conn, const struct qn_agent_command *command,
			   const struct qn_agent_operation *operation)
{
	struct agent_run *run = run_of(served_of(conn)->target);
	const struct qn_agent_outcome outcome = { .success = true };
	size_t before = put_response(run, run->unit, UNIT_LONG_MAX);
	size_t len = write_all(run->unit + before, UNIT_LONG_MAX - before, command->id, operation,
			       &outcome);

	if (len > 0) {
		run->response_len = 0;
		target_send(conn, run->unit, before + len);
		return;
	}
	report_broken(conn, command, text_of("MemoryError: the echo would be too long"));
}

/* Echoes up to this long leave as any answer does. */
#define ECHO_MAX 1000

static void serve_operation(struct net_conn *conn, const struct qn_agent_command *command,
			    const struct qn_agent_operation *operation)
{
	struct target *target = served_of(conn)->target;
	struct agent_run *run = run_of(target);
	struct token token = { .op = (uint8_t)operation->op,
			       .changes = will_change(target, operation->op) };
	struct target_request request = { .word = words[operation->op],
					  .duration_s = operation->duration_s,
					  .text = command->cmdtype };

	if (command->id.len > sizeof(token.id)) {
		report_broken(conn, command, text_of("ValueError: an id that is too long"));
		return;
	}
	if (operation->op == QN_AGENT_OP_ECHO && operation->message.len > ECHO_MAX) {
		echo_at_length(conn, command, operation);
		return;
	}
	memcpy(token.id, command->id.at, command->id.len);
	request.id = (struct qn_text){ (const char *)&token, TOKEN_HEAD + command->id.len };
	/* A condition that does not hold: nothing moves, and that is a success. */
	if (!operation->condition)
		request.word = RANGE_PING;
	run->operation = operation;
	run->token = request.id;
	target_serve(conn, &request);
	run->operation = NULL;
	run->response_len = 0;
	run->token = (struct qn_text){ NULL, 0 };
}

static void serve_request(struct net_conn *conn, const struct qn_agent_message *message)
{
	struct target *target = served_of(conn)->target;
	struct agent_run *run = run_of(target);
	struct qn_agent_command command;
	struct qn_agent_operation operation;
	struct qn_text why;
	char space[512];

	if (qn_agent_read_command(message, &command, &why, space, sizeof(space)) != QN_OK) {
		fail(conn, message, why);
		return;
	}
	if (run->tls != NULL)
		net_tls_join(conn, fault_strikes(target, FAULT_TWO_IN_RECORD) != NULL);
	respond(conn, message);
	if (served_of(conn)->gone)
		return;
	if (qn_agent_read_operation(&command, &operation, &why, space, sizeof(space)) != QN_OK)
		report_broken(conn, &command, why);
	else
		serve_operation(conn, &command, &operation);
}

static void leave_in_order(struct net_conn *conn)
{
	served_of(conn)->ended = true; /* the peer has said so */
	target_leave(conn, false);
}

static size_t received(struct net_conn *conn, const char *bytes, size_t len, size_t fresh)
{
	struct target *target = served_of(conn)->target;
	struct qn_agent_message message;
	struct qn_agent_unit unit;
	struct qn_fault fault;
	size_t done = 0;

	(void)fresh;
	if (target_deaf(conn, len, &done))
		return done;
	for (;;) {
		size_t taken;
		enum qn_agent_step step = qn_agent_session_next(
			served_wire(conn), bytes + done, len - done, target->env->loop->now_ns,
			&taken, &message, &unit, &fault);
		done += taken;
		switch (step) {
		case QN_AGENT_STEP_MORE: arm(conn); return done;
		case QN_AGENT_STEP_SEND:
			if (!fault_strikes(target, FAULT_NO_PONG))
				target_send(conn, unit.bytes, unit.len);
			break;
		case QN_AGENT_STEP_MESSAGE:
			if (message.t == QN_AGENT_REQUEST)
				serve_request(conn, &message);
			break;
		case QN_AGENT_STEP_BYE: leave_in_order(conn); return done;
		case QN_AGENT_STEP_CLOSE:
			target_bad_line(conn, fault.text);
			target_leave(conn, false);
			return done;
		default: break; /* nothing to do */
		}
		/* A command can end the target, a fault this connection. */
		if (served_of(conn)->gone)
			return done;
	}
}

/* ---- answers ---- */

static const char *output_of(const struct target_answer *answer)
{
	switch (answer->word) {
	case RANGE_STANDING: return "Target is standing";
	case RANGE_DOWN: return "Target is down";
	case RANGE_ACTIVATED: return "Target is active";
	default: return "Target reporting for duty!";
	}
}

static enum qn_agent_op op_of(const struct target_answer *answer, const struct token *token)
{
	switch (answer->word) {
	case RANGE_STANDING: return QN_AGENT_OP_STAND_UP;
	case RANGE_DOWN: return QN_AGENT_OP_LAY_DOWN;
	case RANGE_ACTIVATED: return QN_AGENT_OP_ACTIVATE;
	/* A fault may have made a pong of another answer. */
	case RANGE_PONG:
		return words[token->op] == RANGE_PING ? (enum qn_agent_op)token->op
						      : QN_AGENT_OP_PING;
	default: return (enum qn_agent_op)token->op;
	}
}

static size_t write_error(const struct target_answer *answer, enum qn_agent_op op,
			  struct qn_text id, char *unit, size_t cap)
{
	size_t first = qn_agent_write_progress(unit, cap, id, false, op_text(op));
	size_t last = first == 0 ? 0
				 : qn_agent_write_broken(unit + first, cap - first, id, op_text(op),
							 answer->error);

	return last == 0 ? 0 : first + last;
}

static size_t write_messages(struct net_conn *conn, const struct target_answer *answer, char *unit,
			     size_t cap)
{
	const struct agent_run *run = run_of(served_of(conn)->target);
	struct qn_text raw = answer->id.len > TOKEN_HEAD ? answer->id : run->token;
	struct token token = { .op = QN_AGENT_OP_PING };
	struct qn_text id = { "\xc0", 1 };

	if (raw.len > TOKEN_HEAD && raw.len <= sizeof(token)) {
		memcpy(&token, raw.at, raw.len);
		id = (struct qn_text){ token.id, raw.len - TOKEN_HEAD };
	}
	enum qn_agent_op op = op_of(answer, &token);
	if (answer->word == RANGE_ERROR)
		return write_error(answer, op, id, unit, cap);
	struct qn_agent_operation operation = { .op = op, .condition = true };
	struct qn_agent_outcome outcome = { .success = true, .output = text_of(output_of(answer)) };
	if (answer->word == RANGE_PONG) {
		if (run->operation != NULL &&
		    (run->operation->op == op || !run->operation->condition))
			operation = *run->operation;
		if (op == QN_AGENT_OP_NOOP)
			outcome.output.len = 0;
		/* What an echo repeats is gone when a late one of its kind is written. */
		if (op == QN_AGENT_OP_ECHO && operation.message.at == NULL)
			operation.message = text_of("");
		return write_all(unit, cap, id, &operation, &outcome);
	}
	if (!answer->done)
		return qn_agent_write_progress(unit, cap, id, false, op_text(op));
	outcome.changed = token.changes != 0;
	size_t first = qn_agent_write_progress(unit, cap, id, true, op_text(op));
	size_t last = first == 0 ? 0
				 : qn_agent_write_result(unit + first, cap - first, id, &operation,
							 &outcome);
	return last == 0 ? 0 : first + last;
}

static size_t write_answer(struct net_conn *conn, const struct target_answer *answer, char *unit,
			   size_t cap)
{
	const struct agent_run *run = run_of(served_of(conn)->target);
	size_t before = answer->done ? 0 : put_response(run, unit, cap);

	if (before == SIZE_MAX)
		return 0;
	size_t len = write_messages(conn, answer, unit + before, cap - before);
	return len == 0 ? 0 : before + len;
}

/* ---- faults ---- */

/* Of the first message in the unit. */
static size_t spoil(struct target *target, const struct fault_spec *spec, char *unit, size_t len,
		    size_t cap)
{
	(void)target;
	(void)cap;
	if (len <= QN_AGENT_HEAD + 4)
		return len;
	if (spec->kind == FAULT_UNKNOWN_T) {
		unit[QN_AGENT_HEAD + 3] = (char)spec->count; /* map, "t" of two bytes, its value */
		return len;
	}
	if (spec->kind != FAULT_LENGTH_LIE)
		return len;
	switch (spec->text[0]) {
	case 's': unit[3]--; break;
	case 'n': memset(unit, 0xff, QN_AGENT_HEAD); break;
	case 'h': memcpy(unit, "\x7f\xff\xff\xff", QN_AGENT_HEAD); break;
	default: unit[2]++; break; /* 256 more than there are */
	}
	return len;
}

const struct target_wire target_wire_agent = {
	.id = WIRE_AGENT,
	.stays = true,
	.tls = true,
	.answers_twice = true,
	.open = open_group,
	.close = close_group,
	.connect = dial,
	.hello = hello,
	.heard = heard,
	.why_closed = why_closed,
	.redial_ns = redial_ns,
	.served = { .received = received, .ended = served_ended, .closed = served_closed },
	.begin = begin,
	.write = write_answer,
	.describe = qn_agent_describe,
	.woke = woke,
	/* target.Ping, and an id that nobody sent. */
	.wrong_id = "\x05\x01\xa6nobody",
	.faults_without = FAULT_BIT(FAULT_REFUSE) | FAULT_BIT(FAULT_UPPER_TYPE) |
			  FAULT_BIT(FAULT_NO_NEWLINE) | FAULT_BIT(FAULT_CUT_JSON) |
			  FAULT_BIT(FAULT_BAD_UTF8) | FAULT_BIT(FAULT_DEEP) |
			  FAULT_BIT(FAULT_OVERSIZED) | FAULT_BIT(FAULT_WRONG_TARGET_ID),
	.faults_own = FAULT_BIT(FAULT_TLS_STALL) | FAULT_BIT(FAULT_BAD_CERTIFICATE) |
		      FAULT_BIT(FAULT_TWO_IN_RECORD) | FAULT_BIT(FAULT_NO_PONG) |
		      FAULT_BIT(FAULT_WRONG_SECRET) | FAULT_BIT(FAULT_WRONG_VERSION) |
		      FAULT_BIT(FAULT_LENGTH_LIE) | FAULT_BIT(FAULT_UNKNOWN_T),
	.spoil = spoil,
};

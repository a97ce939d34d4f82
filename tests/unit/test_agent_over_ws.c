/*
 * The transport of the wire `agent` can be another: the same sessions, agent and manager, over
 * WebSocket. A binary frame carries what a TLS record does: one message with its length. The bytes
 * between the two ends are cut in every way.
 */
#include "proto/agent/command.h"
#include "proto/agent/session.h"
#include "proto/ws/ws.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })
#define S INT64_C(1000000000)

static struct qn_ws_shared shared;
static void *shared_memory;
static int64_t now_ns;

struct end {
	const char *name;
	struct qn_ws ws;
	struct qn_agent_session session;
	struct end *other;
	/* What it has sent and the other has not read; what it has read and not understood. */
	char out[1 << 16], in[1 << 16];
	size_t out_len, in_len;
	unsigned frames, messages; /* sent, heard */
	char heard[4096];          /* in words */
	bool closed;
};
static struct end agent = { .name = "agent" }, manager = { .name = "manager" };

static void note(struct end *end, const char *text, size_t len)
{
	size_t used = strlen(end->heard);

	snprintf(end->heard + used, sizeof(end->heard) - used, "%.*s\n", (int)len, text);
}

static void send_message(struct end *end, const char *unit, size_t len)
{
	struct qn_ws_out out = { .opcode = WSLAY_BINARY_FRAME,
				 .payload = { unit, len },
				 .mask = 0x12345678 };

	cr_assert_gt(len, 0);
	size_t n = qn_ws_write(&shared, (enum qn_ws_role)end->ws.role, &out,
			       end->out + end->out_len, sizeof(end->out) - end->out_len);
	cr_assert_gt(n, len);
	end->out_len += n;
	end->frames++;
}

/* What an agent does with a command, as far as words go. */
static void run_command(struct end *end, const struct qn_agent_message *message)
{
	static char unit[4096];
	char space[256];
	struct qn_agent_command command;
	struct qn_agent_operation op;
	struct qn_agent_outcome outcome = { .success = true };
	struct qn_text why;

	cr_assert_eq(qn_agent_read_command(message, &command, &why, space, sizeof(space)), QN_OK);
	cr_assert_eq(qn_agent_read_operation(&command, &op, &why, space, sizeof(space)), QN_OK);
	send_message(end, unit,
		     qn_agent_write_response(unit, sizeof(unit), message->id, true,
					     (struct qn_text){ "\xc0", 1 }));
	send_message(
		end, unit,
		qn_agent_write_progress(unit, sizeof(unit), command.id, false, command.cmdtype));
	send_message(
		end, unit,
		qn_agent_write_progress(unit, sizeof(unit), command.id, true, command.cmdtype));
	send_message(end, unit,
		     qn_agent_write_result(unit, sizeof(unit), command.id, &op, &outcome));
}

static void hear(struct end *end, const char *bytes, size_t len)
{
	struct qn_agent_message message;
	struct qn_agent_unit unit;
	struct qn_fault fault;
	char space[512], reply[64];
	size_t taken;

	struct qn_text words = qn_agent_describe(bytes, len, space, sizeof(space));
	note(end, words.at, words.len);
	end->messages++;
	enum qn_agent_step step = qn_agent_session_next(&end->session, bytes, len, now_ns, &taken,
							&message, &unit, &fault);
	cr_assert_eq(taken, len, "one message is one frame");
	switch (step) {
	case QN_AGENT_STEP_HELLO:
		cr_assert(message.word.len == 10);
		send_message(end, reply,
			     qn_agent_session_accept(&end->session, now_ns, reply, sizeof(reply)));
		break;
	case QN_AGENT_STEP_SEND: send_message(end, unit.bytes, unit.len); break;
	case QN_AGENT_STEP_MESSAGE:
		if (message.t == QN_AGENT_REQUEST)
			run_command(end, &message);
		break;
	case QN_AGENT_STEP_BYE: end->closed = true; break;
	case QN_AGENT_STEP_CLOSE: cr_assert_fail("%s closes: %s", end->name, fault.text);
	default: break;
	}
}

/* So many bytes of what the other has sent arrive, in one read. */
static void arrive(struct end *end, size_t len)
{
	struct end *from = end->other;

	if (len > from->out_len)
		len = from->out_len;
	memcpy(end->in + end->in_len, from->out, len);
	end->in_len += len;
	memmove(from->out, from->out + len, from->out_len - len);
	from->out_len -= len;
	for (;;) {
		struct qn_ws_event event;
		size_t taken;
		enum qn_ws_step step = qn_ws_next(&end->ws, &shared, end->in, end->in_len, &taken,
						  &event);
		cr_assert_neq(step, QN_WS_FAIL, "%s", event.why);
		if (step == QN_WS_BINARY) {
			/* It may point into what is about to move. */
			char copy[4096];
			cr_assert_leq(event.payload.len, sizeof(copy));
			memcpy(copy, event.payload.at, event.payload.len);
			hear(end, copy, event.payload.len);
		}
		memmove(end->in, end->in + taken, end->in_len - taken);
		end->in_len -= taken;
		if (step == QN_WS_MORE)
			return;
	}
}

static void settle(size_t cut)
{
	while (agent.out_len > 0 || manager.out_len > 0) {
		arrive(&manager, cut);
		arrive(&agent, cut);
	}
}

static void begin(struct end *end, struct end *other, enum qn_ws_role ws, enum qn_agent_role role)
{
	const char *name = end->name;

	memset(end, 0, sizeof(*end));
	end->name = name;
	end->other = other;
	qn_ws_init(&end->ws, ws, false);
	qn_agent_session_init(&end->session, role, &qn_agent_original, now_ns);
}

static void time_passes(struct end *end, int64_t until_ns, uint64_t random)
{
	struct qn_agent_unit unit;
	struct qn_fault fault;

	now_ns = until_ns;
	cr_assert_eq(qn_agent_session_time(&end->session, now_ns, random, &unit, &fault),
		     QN_AGENT_STEP_SEND);
	send_message(end, unit.bytes, unit.len);
}

static void whole_session(size_t cut)
{
	static const struct qn_text args = { "\x91\xa5hello", 7 }, none = { NULL, 0 };
	char unit[512];

	now_ns = 0;
	begin(&agent, &manager, QN_WS_CLIENT, QN_AGENT_ROLE_AGENT);
	begin(&manager, &agent, QN_WS_SERVER, QN_AGENT_ROLE_MANAGER);
	send_message(&agent, unit,
		     qn_agent_session_greet(&agent.session, TEXT("agent_1"), TEXT("notasecret"),
					    now_ns, unit, sizeof(unit)));
	settle(cut);
	cr_assert(agent.session.state == QN_AGENT_OPEN && manager.session.state == QN_AGENT_OPEN);
	send_message(&manager, unit,
		     qn_agent_write_command(unit, sizeof(unit), TEXT("r"), TEXT("c"),
					    TEXT("echo.Echo"), args, none));
	settle(cut);
	time_passes(&agent, 30 * S, 7);
	settle(cut);
	time_passes(&manager, 30 * S, 8);
	settle(cut);
	cr_assert(!agent.session.pinged && !manager.session.pinged);
	cr_assert_eq(agent.session.due_ns, 60 * S);
	send_message(&manager, unit,
		     qn_agent_session_bye(&manager.session, TEXT("server shutting down"), unit,
					  sizeof(unit)));
	settle(cut);
	cr_assert(agent.closed);
	cr_expect_str_eq(manager.heard, "AgentHello agent_1\n"
					"Response success\n"
					"Notification command_progress\n"
					"Notification command_progress\n"
					"Notification command_result\n"
					"Ping\n"
					"Pong\n");
	cr_expect_str_eq(agent.heard, "ManagerHello 0.3.4\n"
				      "Request echo.Echo\n"
				      "Pong\n"
				      "Ping\n"
				      "Bye server shutting down\n");
	cr_expect_eq(agent.frames, manager.messages);
	cr_expect_eq(manager.frames, agent.messages);
	qn_ws_drop(&agent.ws, &shared);
	qn_ws_drop(&manager.ws, &shared);
}

Test(agent_over_ws, a_whole_session_however_it_is_cut)
{
	size_t bytes = qn_ws_shared_bytes(QN_AGENT_PAYLOAD_MAX, 4);

	shared_memory = malloc(bytes);
	cr_assert_not_null(shared_memory);
	cr_assert(qn_ws_shared_init(&shared, shared_memory, QN_AGENT_PAYLOAD_MAX, 4));
	for (size_t cut = 1; cut < 600; cut += cut < 40 ? 1 : 37)
		whole_session(cut);
	qn_ws_shared_release(&shared);
	free(shared_memory);
}

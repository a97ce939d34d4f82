/*
 * A session of the wire `agent` on any stream, cut into reads of one size, against one that sees
 * all of it at once: the steps must be the same, and so must what they answer.
 *
 * Input: a byte for the role and the answer to a hello, one for the size of the reads, the stream.
 */
#include "proto/agent/command.h"
#include "proto/agent/session.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define STEPS 4096
struct trace {
	uint64_t steps[STEPS]; /* step, t, a sum of what was written */
	size_t n;
};

static uint64_t sum(const char *bytes, size_t len)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)bytes[i]) * 1099511628211u;
	return h;
}

/* What an owner would make of a message. */
static uint64_t digest(const struct qn_agent_message *message)
{
	static char out[1 << 16];
	char space[256];
	struct qn_text why = { "", 0 };
	struct qn_agent_command command;
	struct qn_agent_operation op;
	struct qn_agent_outcome outcome = { .success = true };
	struct qn_agent_result result;
	struct qn_agent_progress progress;
	size_t len = 0;

	if (message->t == QN_AGENT_NOTIFICATION)
		return (uint64_t)qn_agent_read_result(message, &result) * 64 +
		       (uint64_t)qn_agent_read_progress(message, &progress);
	if (message->t != QN_AGENT_REQUEST)
		return 0;
	if (qn_agent_read_command(message, &command, &why, space, sizeof(space)) != QN_OK)
		len = qn_agent_write_failure(out, sizeof(out), message->id, why);
	else if (qn_agent_read_operation(&command, &op, &why, space, sizeof(space)) != QN_OK)
		len = qn_agent_write_broken(out, sizeof(out), command.id, command.cmdtype, why);
	else
		len = qn_agent_write_result(out, sizeof(out), command.id, &op, &outcome);
	/* What we write somebody must be able to read. */
	if (len > 0)
		REQUIRE(qn_mp_check(out + QN_AGENT_HEAD, len - QN_AGENT_HEAD, NULL) == QN_OK);
	return sum(out, len);
}

static void note(struct trace *trace, enum qn_agent_step step,
		 const struct qn_agent_message *message, uint64_t more)
{
	if (trace->n < STEPS)
		trace->steps[trace->n++] = ((uint64_t)step << 8 | message->t) ^ more << 16;
}

static void play(const char *bytes, size_t len, uint8_t how, size_t unit_len, struct trace *trace)
{
	struct qn_agent_session session;
	struct qn_agent_options options = qn_agent_original;
	struct qn_agent_unit unit;
	char out[128];
	size_t start = 0, have = 0;

	options.payload_max = 4096;
	trace->n = 0;
	qn_agent_session_init(&session, how & 1 ? QN_AGENT_ROLE_MANAGER : QN_AGENT_ROLE_AGENT,
			      &options, 0);
	if (!(how & 1))
		qn_agent_session_greet(&session, (struct qn_text){ "a", 1 },
				       (struct qn_text){ "b", 1 }, 0, out, sizeof(out));
	while (have < len) {
		have = len - have < unit_len ? len : have + unit_len;
		for (;;) {
			/* What is there, and not one byte more. */
			char *there = malloc(have - start);
			struct qn_agent_message message = { 0 };
			struct qn_fault fault = { QN_OK, 0, NULL };
			size_t taken;
			REQUIRE(there != NULL || have == start);
			if (have > start)
				memcpy(there, bytes + start, have - start);
			enum qn_agent_step step = qn_agent_session_next(
				&session, there, have - start, 0, &taken, &message, &unit, &fault);
			REQUIRE(taken <= have - start);
			start += taken;
			if (step == QN_AGENT_STEP_MORE) {
				free(there);
				break;
			}
			uint64_t more = step == QN_AGENT_STEP_SEND      ? sum(unit.bytes, unit.len)
					: step == QN_AGENT_STEP_MESSAGE ? digest(&message)
									: 0;
			note(trace, step, &message, more);
			REQUIRE((step == QN_AGENT_STEP_CLOSE) == (fault.code != QN_OK));
			free(there);
			if (step == QN_AGENT_STEP_HELLO && how & 2)
				REQUIRE(qn_agent_session_accept(&session, 0, out, sizeof(out)) > 0);
			else if (step == QN_AGENT_STEP_HELLO)
				REQUIRE(qn_agent_session_refuse(&session, out, sizeof(out)) > 0);
			if (session.state == QN_AGENT_CLOSED)
				return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trace whole, pieces;

	if (size < 2)
		return 0;
	const char *bytes = (const char *)data + 2;
	play(bytes, size - 2, data[0], size, &whole);
	play(bytes, size - 2, data[0], data[1] + (size_t)1, &pieces);
	REQUIRE(whole.n == pieces.n);
	REQUIRE(memcmp(whole.steps, pieces.steps, whole.n * sizeof(whole.steps[0])) == 0);
	return 0;
}

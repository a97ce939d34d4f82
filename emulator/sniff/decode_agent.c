#include "emulator/sniff/dialog.h"

#include "proto/agent/command.h"

#include <inttypes.h>

/* The wire `agent` once its TLS is off: pings answer each other by their number, Responses a
 * Request by its id; a hello is answered by the other one. */

#define KEY_HELLO UINT64_C(2)

static uint64_t ping_key(struct qn_agent_int ping)
{
	return ping.bits << 2 | 3;
}

static void add(struct said *said, const char *name, struct qn_text text)
{
	words_add(said, " %s", name);
	words_safe(said, text, 80);
}

/* A notification's or request's own words: which command, how it went. */
static void describe_more(const struct qn_agent_message *message, struct said *said)
{
	struct qn_agent_result result;
	struct qn_agent_progress progress;
	struct qn_agent_command command;
	struct qn_text why;
	char space[256];

	if (message->t == QN_AGENT_REQUEST &&
	    qn_agent_read_command(message, &command, &why, space, sizeof(space)) == QN_OK)
		add(said, "", command.cmdtype);
	if (message->t != QN_AGENT_NOTIFICATION)
		return;
	if (qn_agent_read_progress(message, &progress) == QN_OK) {
		words_add(said, " %" PRIu64 "/%" PRIu64, progress.current, progress.total);
		add(said, "", progress.message);
	} else if (qn_agent_read_result(message, &result) == QN_OK) {
		words_add(said, " %s%s", result.success ? "success" : "failure",
			  result.changed ? ", changed" : "");
		add(said, "", result.output);
	}
}

static void describe(const struct qn_agent_message *message, struct said *said)
{
	words_add(said, "%s", qn_agent_t_name(message->t));
	switch (message->t) {
	case QN_AGENT_HELLO:
		said->role = DIALOG_ASKS;
		said->key = KEY_HELLO;
		add(said, "", message->id);
		add(said, "version=", message->version);
		break;
	case QN_AGENT_MANAGER_HELLO:
		said->role = DIALOG_ANSWERS;
		said->key = KEY_HELLO;
		add(said, "version=", message->version);
		break;
	case QN_AGENT_PING:
	case QN_AGENT_PONG:
		said->role = message->t == QN_AGENT_PING ? DIALOG_ASKS : DIALOG_ANSWERS;
		said->key = ping_key(message->ping);
		if (message->ping.negative)
			words_add(said, " %" PRId64, (int64_t)message->ping.bits);
		else
			words_add(said, " %" PRIu64, message->ping.bits);
		break;
	case QN_AGENT_REQUEST:
	case QN_AGENT_RESPONSE:
		said->role = message->t == QN_AGENT_REQUEST ? DIALOG_ASKS : DIALOG_ANSWERS;
		said->key = dialog_key(message->id) & ~UINT64_C(2);
		if (message->t == QN_AGENT_REQUEST)
			add(said, "", message->word);
		else
			words_add(said, message->success ? " success" : " failure");
		add(said, "id=", message->id);
		break;
	default: add(said, "", message->word); break;
	}
	describe_more(message, said);
}

enum decode_step decode_agent(struct dialog *dialog, enum way way, const char *bytes, size_t len,
			      size_t fresh, bool ended, size_t *taken, struct said *said)
{
	struct qn_agent_message message;
	struct qn_text payload;

	(void)dialog;
	(void)way;
	(void)fresh;
	(void)ended;
	said->code = qn_agent_frame(bytes, len, QN_AGENT_PAYLOAD_MAX, &payload, taken,
				    &said->fault);
	if (said->code == QN_MORE)
		return DECODE_MORE;
	if (said->code != QN_OK) {
		words_add(said, "no frame ");
		words_safe(said, (struct qn_text){ bytes, len }, 16);
		return DECODE_LOST;
	}
	said->code = qn_agent_read(payload, &message, &said->fault);
	if (said->code == QN_OK)
		describe(&message, said);
	else
		words_safe(said, payload, 80);
	return DECODE_SAID;
}

#include "proto/agent/command.h"

#include <stdio.h>

/* What tells one message from another of its kind. */
static struct qn_text detail_of(const struct qn_agent_message *message)
{
	struct qn_agent_command command;
	struct qn_text why;
	char space[64];

	switch (message->t) {
	case QN_AGENT_HELLO: return message->id;
	case QN_AGENT_MANAGER_HELLO: return message->version;
	case QN_AGENT_BYE:
	case QN_AGENT_NOTIFICATION: return message->word;
	case QN_AGENT_REQUEST:
		if (qn_agent_read_command(message, &command, &why, space, sizeof(space)) == QN_OK)
			return command.cmdtype;
		return message->word;
	case QN_AGENT_RESPONSE:
		return message->success ? (struct qn_text){ "success", 7 }
					: (struct qn_text){ "failure", 7 };
	default: return (struct qn_text){ "", 0 };
	}
}

/* Names come from anywhere: no more of them than this. */
#define SHOWN_MAX 64

struct qn_text qn_agent_describe(const char *unit, size_t len, char *space, size_t cap)
{
	struct qn_text payload;
	struct qn_agent_message message;
	size_t used = 0, taken;

	while (len > 0 && used < cap) {
		const char *before = used > 0 ? "; " : "";
		if (qn_agent_frame(unit, len, QN_AGENT_PAYLOAD_MAX, &payload, &taken, NULL) !=
			    QN_OK ||
		    qn_agent_read(payload, &message, NULL) != QN_OK) {
			used += (size_t)snprintf(space + used, cap - used, "%s%zu bytes", before,
						 len);
			break;
		}
		struct qn_text detail = detail_of(&message);
		size_t shown = detail.len < SHOWN_MAX ? detail.len : SHOWN_MAX;
		used += (size_t)snprintf(space + used, cap - used, "%s%s%s%.*s", before,
					 qn_agent_t_name(message.t), shown > 0 ? " " : "",
					 (int)shown, detail.at);
		unit += taken;
		len -= taken;
	}
	return (struct qn_text){ space, used < cap ? used : cap - 1 };
}

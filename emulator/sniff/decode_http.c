#include "emulator/sniff/dialog.h"

/* The wire `http`: requests one way, answers the other, in order. */

static const struct qn_http_limits limits = {
	.target_bytes = 8192, .head_bytes = 32768, .headers = 64, .body_bytes = 1u << 20
};
/* One a thread's turn: bodies are looked at and forgotten. */
static char body_space[1u << 20];

static enum decode_step decode_request(struct dialog *dialog, const char *bytes, size_t len,
				       size_t *taken, struct said *said)
{
	struct qn_http_message message;
	struct qn_http_refusal refusal;
	enum qn_http_step step = QN_HTTP_STEP_CONTINUE;

	while (step == QN_HTTP_STEP_CONTINUE)
		step = qn_http_reader_next(&dialog->request, &limits, bytes, len, taken, body_space,
					   sizeof(body_space), &message, &refusal);
	if (step == QN_HTTP_STEP_MORE)
		return *taken > 0 ? DECODE_SKIP : DECODE_MORE;
	if (step == QN_HTTP_STEP_REFUSE) {
		said->code = QN_E_SYNTAX;
		said->fault = (struct qn_fault){ QN_E_SYNTAX, 0, refusal.why };
		words_add(said, "no request (%u): ", refusal.status);
		words_safe(said, (struct qn_text){ bytes, len }, 80);
		return DECODE_LOST;
	}
	said->role = DIALOG_ASKS;
	words_add(said, "%s ", http_method_str((enum http_method)message.method));
	words_safe(said, message.target, 120);
	if (message.body.len > 0)
		words_add(said, " ");
	words_safe(said, message.body, 160);
	return DECODE_SAID;
}

static enum decode_step decode_answer(struct dialog *dialog, const char *bytes, size_t len,
				      bool ended, size_t *taken, struct said *said)
{
	struct qn_http_message message;

	if (!dialog->reply_open)
		qn_http_reply_init(&dialog->reply, DIALOG_MESSAGE_MAX);
	dialog->reply_open = true;
	enum qn_code code = qn_http_reply_read(&dialog->reply, bytes, len, taken, body_space,
					       sizeof(body_space), &message);
	if (code == QN_MORE && ended) {
		code = qn_http_reply_closed(&dialog->reply, bytes, len, body_space,
					    sizeof(body_space), &message);
		*taken = len;
		if (code != QN_OK)
			return DECODE_MORE; /* dialog_end() says that it is half a message */
	}
	if (code == QN_MORE)
		return DECODE_MORE;
	dialog->reply_open = false;
	if (code != QN_OK) {
		said->code = code;
		said->fault.text = code == QN_E_TOO_LONG ? "an answer longer than 2 MiB"
							 : "no answer of HTTP";
		words_safe(said, (struct qn_text){ bytes, len }, 80);
		return DECODE_LOST;
	}
	said->role = message.status >= 200 || message.status == 101 ? DIALOG_ANSWERS : DIALOG_TELLS;
	words_add(said, "%u %s ", message.status, qn_http_status_text(message.status));
	words_safe(said, message.body, 200);
	return DECODE_SAID;
}

enum decode_step decode_http(struct dialog *dialog, enum way way, const char *bytes, size_t len,
			     size_t fresh, bool ended, size_t *taken, struct said *said)
{
	(void)fresh;
	return way == TO_SERVER ? decode_request(dialog, bytes, len, taken, said)
				: decode_answer(dialog, bytes, len, ended, taken, said);
}

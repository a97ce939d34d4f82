#include "emulator/sniff/dialog.h"

#include "proto/framed/message.h"

/* The wire `framed`: 4 bytes of length and a text. Clients ask, the server answers in order; its
 * welcome and other clients' broadcasts answer nobody. */

static enum dialog_role role_of(enum way way, enum qn_framed_type type)
{
	if (way == TO_SERVER)
		return DIALOG_ASKS;
	return type == QN_FRAMED_WELCOME || type == QN_FRAMED_BROADCAST ? DIALOG_TELLS
									: DIALOG_ANSWERS;
}

enum decode_step decode_framed(struct dialog *dialog, enum way way, const char *bytes, size_t len,
			       size_t fresh, bool ended, size_t *taken, struct said *said)
{
	struct qn_framed_message message;
	struct qn_text text;

	(void)dialog;
	(void)fresh;
	(void)ended;
	switch (qn_framed_next(bytes, len, DIALOG_MESSAGE_MAX - QN_FRAMED_HEAD, &text, taken)) {
	case QN_OK: break;
	case QN_MORE: return DECODE_MORE;
	default:
		said->code = QN_E_TOO_LONG;
		said->fault.text = "its length is more than 2 MiB: no frame of this wire";
		words_add(said, "no frame ");
		words_safe(said, (struct qn_text){ bytes, len }, 16);
		return DECODE_LOST;
	}
	said->code = qn_framed_read(text, &message, &said->fault);
	if (said->code == QN_OK) {
		said->role = role_of(way, message.type);
		if (message.type_text.len > 0)
			words_safe(said, message.type_text, 40);
		else
			words_add(said, "%s", qn_framed_type_name(message.type));
		words_add(said, " ");
	}
	words_safe(said, text, 160);
	return DECODE_SAID;
}

#include "emulator/sniff/dialog.h"

#include "proto/line/line.h"
#include "proto/snyper/message.h"

#include <string.h>

/* The wire `snyper`: a line is a message. Who answers whom goes by the connection, never by ids:
 * all messages of a round share one. */

#define LINE_MAX_BYTES 1048576

static void add_member(struct said *said, const char *name, struct qn_text text)
{
	if (text.at == NULL)
		return;
	words_add(said, " %s", name);
	words_safe(said, text, 80);
}

static enum dialog_role role_of(enum qn_snyper_type type)
{
	if (qn_snyper_answer_to(type) != QN_SNYPER_UNKNOWN)
		return DIALOG_ASKS;
	return type == QN_SNYPER_UNKNOWN ? DIALOG_TELLS : DIALOG_ANSWERS;
}

static void describe(struct said *said, const struct qn_snyper_message *message)
{
	said->role = role_of(message->type);
	words_safe(said, message->type_text, 40);
	add_member(said, "", message->target_id);
	add_member(said, "client_id=", message->client_id);
	add_member(said, "status=", message->status);
	add_member(said, "duration=", message->duration);
	add_member(said, "error=", message->error);
	add_member(said, "id=", message->id);
}

/* What the protocol refuses and boards read all the same is worth knowing. */
static void parse(struct qn_text line, struct said *said)
{
	const struct qn_snyper_profile *strict = qn_snyper_profile(QN_SNYPER_STRICT);
	const struct qn_snyper_profile *pico = qn_snyper_profile(QN_SNYPER_PICO);
	struct qn_snyper_message message;

	said->code = qn_snyper_parse(strict, line.at, line.len, &message, &said->fault);
	if (said->code == QN_OK) {
		describe(said, &message);
		return;
	}
	if (said->code == QN_E_SYNTAX &&
	    qn_snyper_parse(pico, line.at, line.len, &message, NULL) == QN_OK) {
		describe(said, &message);
		words_add(said, " (a board takes this line)");
		return;
	}
	words_safe(said, line, 120);
}

/* Blank lines are allowed. */
static bool is_blank(struct qn_text line)
{
	size_t i = 0;

	while (i < line.len && memchr(" \t\r", line.at[i], 3) != NULL)
		i++;
	return i == line.len;
}

enum decode_step decode_snyper(struct dialog *dialog, enum way way, const char *bytes, size_t len,
			       size_t fresh, bool ended, size_t *taken, struct said *said)
{
	struct qn_text line;
	enum qn_code code = qn_line_next(bytes, len, fresh, LINE_MAX_BYTES, &line, taken);

	(void)dialog;
	(void)way;
	if (code == QN_MORE) {
		/* An answer without its newline is one to the real master; it is said that it was.
		 */
		if (!ended)
			return DECODE_MORE;
		*taken = len;
		parse((struct qn_text){ bytes, len }, said);
		if (said->code != QN_OK)
			return DECODE_MORE;
		said->code = QN_E_SYNTAX;
		said->fault = (struct qn_fault){ QN_E_SYNTAX, len, "a line without its newline" };
		return DECODE_SAID;
	}
	if (code != QN_OK) {
		said->code = code;
		said->fault.text = "a line longer than 1 MiB";
		words_add(said, "no message");
		return DECODE_LOST;
	}
	if (is_blank(line))
		return DECODE_SKIP;
	parse(line, said);
	return DECODE_SAID;
}

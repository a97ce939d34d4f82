#include "proto/framed/range.h"

#include <stdio.h>

#define DURATION_DEFAULT_S 5

bool qn_framed_type_is(const struct qn_framed_message *message, const char *type)
{
	size_t len = strlen(type);

	return message->type == QN_FRAMED_OTHER && message->type_text.len == len &&
	       memcmp(message->type_text.at, type, len) == 0;
}

/* `more` behind type and timestamp, put together here. */
struct more {
	struct qn_json_writer writer;
	char bytes[4096];
};

static void more_begin(struct more *more, const char *target_member, struct qn_text name)
{
	qn_json_writer_init(&more->writer, more->bytes, sizeof(more->bytes));
	qn_json_put(&more->writer, target_member, strlen(target_member));
	qn_json_put_string(&more->writer, name.at, name.len, true);
}

static size_t more_write(const struct more *more, const char *type,
			 const struct qn_framed_clock *clock, char *buffer, size_t cap)
{
	struct qn_text text = { more->bytes, qn_json_written(&more->writer) };

	if (more->writer.full)
		return 0;
	return qn_framed_custom((struct qn_text){ type, strlen(type) }, clock, text, buffer, cap);
}

/* ---- registering ---- */

size_t qn_framed_register(const struct qn_framed_clock *clock, struct qn_text name, char *buffer,
			  size_t cap)
{
	struct more more;

	more_begin(&more, "\"target\": ", name);
	return more_write(&more, QN_FRAMED_REGISTER, clock, buffer, cap);
}

bool qn_framed_registered(const struct qn_framed_message *message)
{
	struct qn_framed_message original;
	struct qn_text text;

	if (message->type != QN_FRAMED_RESPONSE)
		return false;
	text = qn_framed_member(message, "original_message");
	return qn_framed_read(text, &original, NULL) == QN_OK &&
	       qn_framed_type_is(&original, QN_FRAMED_REGISTER);
}

/* ---- commands ---- */

static bool read_object(struct qn_text text, struct qn_framed_command *ret)
{
	struct qn_framed_message content;

	if (qn_framed_read(text, &content, NULL) != QN_OK || content.type <= QN_FRAMED_VALUE)
		return false;
	struct qn_framed_command command = {
		.command = qn_framed_string(&content, "command"),
		.target = qn_framed_string(&content, "target"),
		.duration = qn_framed_member(&content, "duration"),
		.duration_s = DURATION_DEFAULT_S,
	};
	if (command.command.len == 0)
		return false;
	if (!qn_json_double(command.duration, &command.duration_s))
		command.duration = (struct qn_text){ NULL, 0 };
	*ret = command;
	return true;
}

bool qn_framed_read_command(const struct qn_framed_message *message,
			    struct qn_framed_command *command, char *space, size_t cap)
{
	if (message->type != QN_FRAMED_BROADCAST || message->content.len == 0)
		return false;
	if (message->content.at[0] != '"')
		return read_object(message->content, command);
	struct qn_text typed = { message->content.at + 1, message->content.len - 2 };
	size_t len = qn_json_unescape(typed, QN_JSON_STRICT, space, cap);
	return len <= cap && read_object((struct qn_text){ space, len }, command);
}

size_t qn_framed_command(const struct qn_framed_server *server, struct qn_text from_client,
			 const char *command, struct qn_text target, struct qn_text duration,
			 char *buffer, size_t cap)
{
	struct more more;

	qn_json_writer_init(&more.writer, more.bytes, sizeof(more.bytes));
	qn_json_put_literal(&more.writer, "{\"command\": ");
	qn_json_put_string(&more.writer, command, strlen(command), true);
	qn_json_put_literal(&more.writer, ", \"target\": ");
	qn_json_put_string(&more.writer, target.at, target.len, true);
	qn_json_put_literal(&more.writer, ", \"duration\": ");
	if (duration.len > 0)
		qn_json_put(&more.writer, duration.at, duration.len);
	else
		qn_json_put_literal(&more.writer, "null");
	qn_json_put_literal(&more.writer, "}");
	struct qn_framed_message message = {
		.type = QN_FRAMED_BROADCAST,
		.content = { more.bytes, qn_json_written(&more.writer) },
	};
	return more.writer.full ? 0 : qn_framed_pass_on(server, &message, from_client, buffer, cap);
}

/* ---- reports ---- */

size_t qn_framed_report(const struct qn_framed_clock *clock, const struct qn_framed_report *report,
			char *buffer, size_t cap)
{
	struct more more;
	struct qn_json_writer *writer = &more.writer;

	more_begin(&more, "\"target\": ", report->target);
	qn_json_put_literal(writer, ", \"command\": \"");
	qn_json_put(writer, report->command.at, report->command.len);
	qn_json_put_literal(writer, "\", \"data\": {\"status\": ");
	const char *status = report->status != NULL ? report->status : "error";
	qn_json_put_string(writer, status, strlen(status), true);
	if (report->duration.len > 0) {
		qn_json_put_literal(writer, ", \"duration\": ");
		qn_json_put(writer, report->duration.at, report->duration.len);
	}
	if (report->status == NULL) {
		qn_json_put_literal(writer, ", \"error\": ");
		qn_json_put_string(writer, report->error.at, report->error.len, true);
	}
	qn_json_put_literal(writer, "}");
	return more_write(&more, QN_FRAMED_REPORT, clock, buffer, cap);
}

bool qn_framed_read_report(const struct qn_framed_message *message, struct qn_text *command,
			   struct qn_text *target, bool *error)
{
	struct qn_framed_message data;

	if (!qn_framed_type_is(message, QN_FRAMED_REPORT))
		return false;
	if (qn_framed_read(qn_framed_member(message, "data"), &data, NULL) != QN_OK ||
	    data.type <= QN_FRAMED_VALUE)
		return false;
	struct qn_text status = qn_framed_string(&data, "status");
	*command = qn_framed_string(message, "command");
	*target = qn_framed_string(message, "target");
	*error = status.len == 0 || (status.len == 5 && memcmp(status.at, "error", 5) == 0);
	return true;
}

size_t qn_framed_hit(const struct qn_framed_clock *clock, struct qn_text name, int64_t value,
		     char *buffer, size_t cap)
{
	struct more more;

	more_begin(&more, "\"target\": ", name);
	qn_json_put_literal(&more.writer, ", \"hit_value\": ");
	qn_json_put_int(&more.writer, value);
	return more_write(&more, QN_FRAMED_HIT, clock, buffer, cap);
}

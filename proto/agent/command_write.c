#include "proto/agent/command.h"

#include <string.h>

static struct qn_text word(const char *text)
{
	return (struct qn_text){ text, strlen(text) };
}

/* A string that comes in parts. */
static void write_parts(struct qn_mp_writer *writer, const struct qn_text *parts, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	if (len > QN_AGENT_PAYLOAD_MAX) {
		writer->failed = true;
		return;
	}
	qn_mp_write_str_head(writer, (uint32_t)len);
	for (size_t i = 0; i < n; i++)
		qn_mp_write_raw(writer, parts[i]);
}

static void begin_notification(struct qn_mp_writer *writer, char *buffer, size_t cap,
			       const char *type, uint32_t fields)
{
	qn_agent_begin(writer, buffer, cap, QN_AGENT_NOTIFICATION, 3);
	qn_mp_write_word(writer, "type");
	qn_mp_write_word(writer, type);
	qn_mp_write_word(writer, "data");
	qn_mp_write_map(writer, fields);
}

size_t qn_agent_write_progress(char *buffer, size_t cap, struct qn_text id, bool finished,
			       struct qn_text cmdtype)
{
	struct qn_mp_writer writer;
	const struct qn_text parts[] = { word(finished ? "Finished " : "Running "), cmdtype,
					 word(finished ? "" : "...") };

	begin_notification(&writer, buffer, cap, "command_progress", 4);
	qn_mp_write_word(&writer, "command_id");
	qn_mp_write_raw(&writer, id);
	qn_mp_write_word(&writer, "current");
	qn_mp_write_uint(&writer, finished);
	qn_mp_write_word(&writer, "total");
	qn_mp_write_uint(&writer, 1);
	qn_mp_write_word(&writer, "message");
	write_parts(&writer, parts, 3);
	return qn_agent_end(&writer);
}

/* ---- results ---- */

static void begin_result(struct qn_mp_writer *writer, char *buffer, size_t cap, struct qn_text id,
			 bool success, bool changed)
{
	begin_notification(writer, buffer, cap, "command_result", 4);
	qn_mp_write_word(writer, "id");
	qn_mp_write_raw(writer, id);
	qn_mp_write_word(writer, "success");
	qn_mp_write_bool(writer, success);
	qn_mp_write_word(writer, "changed");
	qn_mp_write_bool(writer, changed);
	qn_mp_write_word(writer, "output");
}

/* How long the character is that ends right before `end`. The text is valid UTF-8. */
static size_t last_len(const char *start, const char *end)
{
	size_t len = 1;

	while (end - len > start && ((unsigned char)end[-(ptrdiff_t)len] & 0xc0) == 0x80)
		len++;
	return len;
}

/* What Python's str.strip() takes for white space. */
static bool is_space(const char *at, size_t len)
{
	static const char *const wide[] = { "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
					    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
					    "\xe2\x81\x9f", "\xe3\x80\x80" };
	unsigned char c = (unsigned char)*at;

	if (len == 1)
		return c == ' ' || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f);
	if (len == 3 && memcmp(at, "\xe2\x80", 2) == 0 && (unsigned char)at[2] >= 0x80 &&
	    (unsigned char)at[2] <= 0x8a)
		return true;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (strlen(wide[i]) == len && memcmp(wide[i], at, len) == 0)
			return true;
	return false;
}

static struct qn_text strip_end(struct qn_text text)
{
	while (text.len > 0) {
		size_t len = last_len(text.at, text.at + text.len);
		if (!is_space(text.at + text.len - len, len))
			break;
		text.len -= len;
	}
	return text;
}

static size_t char_len(char first)
{
	unsigned char c = (unsigned char)first;

	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* What stands at the front comes out at the end, where it is dropped. */
static struct qn_text strip_front(struct qn_text text)
{
	while (text.len > 0 && is_space(text.at, char_len(*text.at))) {
		size_t len = char_len(*text.at);
		text = (struct qn_text){ text.at + len, text.len - len };
	}
	return text;
}

static void write_reversed(struct qn_mp_writer *writer, struct qn_text text)
{
	while (text.len > 0) {
		size_t len = last_len(text.at, text.at + text.len);
		text.len -= len;
		qn_mp_write_raw(writer, (struct qn_text){ text.at + text.len, len });
	}
}

static void write_echo(struct qn_mp_writer *writer, const struct qn_agent_operation *op)
{
	struct qn_text out = op->reverse ? strip_front(op->message) : strip_end(op->message);
	const struct qn_text parts[] = { word("Operation echo.Echo(\""), op->message, word("\""),
					 word(op->reverse ? " reverse" : ""),
					 word(") succeeded:\n") };
	size_t len = out.len;

	for (int i = 0; i < 5; i++)
		len += parts[i].len;
	if (len > QN_AGENT_PAYLOAD_MAX) {
		writer->failed = true;
		return;
	}
	qn_mp_write_str_head(writer, (uint32_t)len);
	for (int i = 0; i < 5; i++)
		qn_mp_write_raw(writer, parts[i]);
	if (op->reverse)
		write_reversed(writer, out);
	else
		qn_mp_write_raw(writer, out);
}

size_t qn_agent_write_result(char *buffer, size_t cap, struct qn_text id,
			     const struct qn_agent_operation *operation,
			     const struct qn_agent_outcome *outcome)
{
	struct qn_mp_writer writer;
	bool conditional = !operation->condition;
	/* The operation has a name of its own; where it did not run, the result has the type's. */
	const char *name = operation->op == QN_AGENT_OP_NOOP && !conditional
				   ? "no-op"
				   : qn_agent_op_name(operation->op);
	struct qn_text output = conditional ? word("Condition not met")
					    : strip_end(outcome->output);
	const struct qn_text parts[] = { word("Operation "),
					 word(name),
					 word(outcome->success ? " succeeded" : " failed"),
					 word(outcome->changed ? " (changed)" : ""),
					 word(":\n"),
					 output };

	begin_result(&writer, buffer, cap, id, outcome->success, outcome->changed);
	if (operation->op == QN_AGENT_OP_ECHO && !conditional && outcome->success)
		write_echo(&writer, operation);
	else
		write_parts(&writer, parts, 6);
	return qn_agent_end(&writer);
}

size_t qn_agent_write_broken(char *buffer, size_t cap, struct qn_text id, struct qn_text cmdtype,
			     struct qn_text why)
{
	struct qn_mp_writer writer;
	const struct qn_text parts[] = { word("Operation "),
					 cmdtype,
					 word(" failed:\nFailed to execute command '"),
					 cmdtype,
					 word("':\n"),
					 strip_end(why) };

	begin_result(&writer, buffer, cap, id, false, false);
	write_parts(&writer, parts, 6);
	return qn_agent_end(&writer);
}

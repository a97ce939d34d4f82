#include "proto/agent/command.h"
#include "tests/support/hex.h"

#include <criterion/criterion.h>

#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })

static char space[512], out[4096];
static struct qn_text why;

static bool equals(struct qn_text text, const char *expected)
{
	return text.len == strlen(expected) && memcmp(text.at, expected, text.len) == 0;
}

/* A Request whose args and kwargs are given in hexadecimal digits. */
static enum qn_code request(const char *method, const char *args, const char *kwargs,
			    struct qn_agent_command *command)
{
	static char bytes[2][2048];
	struct qn_agent_message message = {
		.t = QN_AGENT_REQUEST,
		.id = TEXT("r"),
		.word = { method, strlen(method) },
		.args = { bytes[0], hex_bytes(args, bytes[0]) },
		.kwargs = { bytes[1], hex_bytes(kwargs, bytes[1]) },
	};

	why = (struct qn_text){ "", 0 };
	return qn_agent_read_command(&message, command, &why, space, sizeof(space));
}

Test(agent_command, the_call)
{
	struct qn_agent_command command;

	cr_assert_eq(
		request("command", "90",
			"84a26964a178a7636d6474797065a96e6f6f702e4e6f6f70a46172677390a66b776172"
			"677380",
			&command),
		QN_OK);
	cr_assert(equals(command.cmdtype, "noop.Noop") && command.args.len == 1);
	cr_assert_str_eq(hex_text(command.id.at, command.id.len), "a178");
	/* By position, too; an id that is no string is repeated as it is. */
	cr_assert_eq(request("command", "92a178a96e6f6f702e4e6f6f70",
			     "82a46172677390a66b776172677380", &command),
		     QN_OK);
	cr_assert(equals(command.cmdtype, "noop.Noop"));
}

Test(agent_command, calls_that_are_none)
{
	static const struct {
		const char *method, *args, *kwargs, *why;
	} vectors[] = {
		{ "commands", "90", "80", "Method commands not found" },
		{ "", "90", "80", "Method  not found" },
		{ "command", "90", "80",
		  "Agent.handle_command() missing 4 required positional arguments: 'id', "
		  "'cmdtype', 'args', and 'kwargs'" },
		{ "command", "92a178a179", "80",
		  "Agent.handle_command() missing 2 required positional arguments: 'args' and "
		  "'kwargs'" },
		{ "command", "93a178a179a17a", "80",
		  "Agent.handle_command() missing 1 required positional argument: 'kwargs'" },
		{ "command", "95a178a179a17aa17aa17a", "80",
		  "Agent.handle_command() takes 5 positional arguments but 6 were given" },
		{ "command", "91a178", "81a26964a178",
		  "Agent.handle_command() got multiple values for argument 'id'" },
		{ "command", "90", "81a178c0",
		  "Agent.handle_command() got an unexpected keyword argument 'x'" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct qn_agent_command command;
		cr_expect_neq(
			request(vectors[i].method, vectors[i].args, vectors[i].kwargs, &command),
			QN_OK);
		cr_expect(equals(why, vectors[i].why), "%.*s", (int)why.len, why.at);
	}
}

/* A peer's name is cut where it is shown, and between characters. */
Test(agent_command, a_long_name_is_cut)
{
	struct qn_agent_command command;
	char method[3 * 150 + 1];

	for (size_t i = 0; i < sizeof(method) - 1; i++)
		method[i] = "\xe2\x82\xac"[i % 3];
	method[sizeof(method) - 1] = '\0';
	request(method, "90", "80", &command);
	cr_assert_eq(why.len, strlen("Method  not found") + 198);
}

static enum qn_code operation(const char *cmdtype, const char *args, const char *kwargs,
			      struct qn_agent_operation *op)
{
	static char bytes[2][2048];
	struct qn_agent_command command = {
		.cmdtype = { cmdtype, strlen(cmdtype) },
		.args = { bytes[0], hex_bytes(args, bytes[0]) },
		.kwargs = { bytes[1], hex_bytes(kwargs, bytes[1]) },
	};

	why = (struct qn_text){ "", 0 };
	return qn_agent_read_operation(&command, op, &why, space, sizeof(space));
}

Test(agent_command, operations)
{
	struct qn_agent_operation op;

	for (int i = 0; i < QN_AGENT_OPS; i++) {
		if (i == QN_AGENT_OP_ECHO)
			continue;
		cr_assert_eq(operation(qn_agent_op_name((enum qn_agent_op)i), "90", "80", &op),
			     QN_OK);
		cr_assert(op.op == (enum qn_agent_op)i && op.condition);
	}
	cr_assert_eq(op.duration_s, 5);
	cr_assert_eq(operation("target.Activate", "9103", "80", &op), QN_OK);
	cr_assert_eq(op.duration_s, 3);
	cr_assert_eq(
		operation("target.Activate", "90", "81a86475726174696f6ecb3fe0000000000000", &op),
		QN_OK);
	cr_assert_eq(op.duration_s, 0.5);
	cr_assert_eq(operation("target.Activate", "91a3312e35", "80", &op), QN_OK);
	cr_assert_eq(op.duration_s, 1.5);
	cr_assert_eq(operation("target.Activate", "91ff", "80", &op), QN_OK);
	cr_assert_eq(op.duration_s, -1);
	cr_assert_eq(operation("echo.Echo", "92a26869c3", "80", &op), QN_OK);
	cr_assert(equals(op.message, "hi") && op.reverse);
	cr_assert_eq(
		operation("echo.Echo", "91a26869", "82a772657665727365c2a26966a546616c7365", &op),
		QN_OK);
	cr_assert(!op.reverse && !op.condition);
}

Test(agent_command, operations_that_are_none)
{
	static const struct {
		const char *cmdtype, *args, *kwargs, *why;
	} vectors[] = {
		{ "", "90", "80", "ValueError: Invalid operation type" },
		{ "noop", "90", "80", "ValueError: Invalid operation type" },
		{ "noop.", "90", "80", "ValueError: Invalid operation type" },
		{ ".Noop", "90", "80", "ValueError: Invalid operation type" },
		{ "noop.No.op", "90", "80", "ValueError: Invalid operation type" },
		{ "1noop.Noop", "90", "80", "ValueError: Invalid operation type" },
		{ "command.Run", "90", "80",
		  "ImportError: Failed to load operation module command" },
		{ "target.Jump", "90", "80",
		  "AttributeError: module 'redpepper.operations.target' has no attribute 'Jump'" },
		{ "noop.Noop", "91a178", "80", "TypeError: Noop() takes no arguments" },
		{ "noop.Noop", "c0", "80", "TypeError: Noop() takes no arguments" },
		{ "noop.Noop", "90", "c0", "TypeError: Noop() takes no arguments" },
		{ "noop.Noop", "90", "81a178c0",
		  "TypeError: Noop() got an unexpected keyword argument 'x'" },
		{ "noop.Noop", "90", "81a2696601",
		  "ValueError: a condition that is not known here" },
		{ "echo.Echo", "90", "80", "TypeError: Echo() wants a message, which is a string" },
		{ "echo.Echo", "9101", "80",
		  "TypeError: Echo() wants a message, which is a string" },
		{ "echo.Echo", "91a178", "81a76d657373616765a179",
		  "TypeError: Echo() got an unexpected keyword argument 'message'" },
		{ "target.Activate", "91c0", "80",
		  "TypeError: Activate() wants a number of seconds" },
		{ "target.Activate", "91a2317a", "80",
		  "TypeError: Activate() wants a number of seconds" },
		{ "target.Activate", "91cb7ff8000000000000", "80",
		  "TypeError: Activate() wants a number of seconds" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct qn_agent_operation op;
		cr_expect_neq(
			operation(vectors[i].cmdtype, vectors[i].args, vectors[i].kwargs, &op),
			QN_OK, "%s", vectors[i].cmdtype);
		cr_expect(equals(why, vectors[i].why), "%s: %.*s", vectors[i].cmdtype, (int)why.len,
			  why.at);
	}
}

/* The output of a result that was written, read as a manager reads it. */
static const char *output_of(size_t len, bool success, bool changed)
{
	static char text[2048];
	struct qn_text payload;
	struct qn_agent_message message;
	struct qn_agent_result result;
	size_t taken;

	cr_assert_eq(qn_agent_frame(out, len, QN_AGENT_PAYLOAD_MAX, &payload, &taken, NULL), QN_OK);
	cr_assert_eq(taken, len);
	cr_assert_eq(qn_agent_read(payload, &message, NULL), QN_OK);
	cr_assert_eq(qn_agent_read_result(&message, &result), QN_OK);
	cr_assert(equals(result.id, "x") && result.success == success && result.changed == changed);
	snprintf(text, sizeof(text), "%.*s", (int)result.output.len, result.output.at);
	return text;
}

static const struct qn_text x = { "\xa1x", 2 };

static const char *echo(const char *message, bool reverse)
{
	struct qn_agent_operation op = { .op = QN_AGENT_OP_ECHO,
					 .condition = true,
					 .message = { message, strlen(message) },
					 .reverse = reverse };
	struct qn_agent_outcome outcome = { .success = true };

	return output_of(qn_agent_write_result(out, sizeof(out), x, &op, &outcome), true, false);
}

/* As str.rstrip() and a slice with -1 have it. */
Test(agent_command, echoes)
{
	cr_assert_str_eq(echo("hello", false), "Operation echo.Echo(\"hello\") succeeded:\nhello");
	cr_assert_str_eq(echo("hello", true),
			 "Operation echo.Echo(\"hello\" reverse) succeeded:\nolleh");
	cr_assert_str_eq(echo("", false), "Operation echo.Echo(\"\") succeeded:\n");
	cr_assert_str_eq(echo("a \n\t", false), "Operation echo.Echo(\"a \n\t\") succeeded:\na");
	cr_assert_str_eq(echo(" a\xc2\xa0\xe2\x80\x83", false),
			 "Operation echo.Echo(\" a\xc2\xa0\xe2\x80\x83\") succeeded:\n a");
	cr_assert_str_eq(echo("\xe3\x80\x80 a\xe2\x82\xac", true),
			 "Operation echo.Echo(\"\xe3\x80\x80 a\xe2\x82\xac\" reverse) "
			 "succeeded:\n\xe2\x82\xac"
			 "a");
	cr_assert_str_eq(echo("\xf0\x9f\x91\x8d!", true),
			 "Operation echo.Echo(\"\xf0\x9f\x91\x8d!\" reverse) "
			 "succeeded:\n!\xf0\x9f\x91\x8d");
}

Test(agent_command, results)
{
	struct qn_agent_operation op = { .op = QN_AGENT_OP_STAND_UP, .condition = true };
	struct qn_agent_outcome outcome = { true, true, TEXT("Target is standing\n") };

	cr_assert_str_eq(
		output_of(qn_agent_write_result(out, sizeof(out), x, &op, &outcome), true, true),
		"Operation target.StandUp succeeded (changed):\nTarget is standing");
	outcome.success = outcome.changed = false;
	cr_assert_str_eq(
		output_of(qn_agent_write_result(out, sizeof(out), x, &op, &outcome), false, false),
		"Operation target.StandUp failed:\nTarget is standing");
	op.condition = false;
	outcome.success = true;
	cr_assert_str_eq(
		output_of(qn_agent_write_result(out, sizeof(out), x, &op, &outcome), true, false),
		"Operation target.StandUp succeeded:\nCondition not met");
	cr_assert_str_eq(
		output_of(qn_agent_write_broken(out, sizeof(out), x, TEXT("a.B"),
						TEXT("ImportError: no\n")),
			  false, false),
		"Operation a.B failed:\nFailed to execute command 'a.B':\nImportError: no");
	/* Whatever does not fit is not written at all. */
	size_t whole = qn_agent_write_result(out, sizeof(out), x, &op, &outcome);
	for (size_t cap = 0; cap < whole; cap++)
		cr_assert_eq(qn_agent_write_result(out, cap, x, &op, &outcome), 0);
}

Test(agent_command, notifications_that_are_no_results)
{
	static const char *const data[] = { "c0", "80", "81a26964a178", "90",
					    "84a2696401a773756363657373c3a76368616e676564c3a66f7574"
					    "707574a0" };
	char bytes[256];
	struct qn_agent_result result;
	struct qn_agent_progress progress;

	for (int i = 0; i < 5; i++) {
		struct qn_agent_message message = { .t = QN_AGENT_NOTIFICATION,
						    .word = TEXT("command_result"),
						    .data = { bytes, hex_bytes(data[i], bytes) } };
		cr_assert_eq(qn_agent_read_result(&message, &result), QN_E_TYPE, "%s", data[i]);
		message.word = TEXT("command_progress");
		cr_assert_eq(qn_agent_read_result(&message, &result), QN_E_UNKNOWN);
		cr_assert_eq(qn_agent_read_progress(&message, &progress), QN_E_TYPE);
		message.word = TEXT("something else");
		cr_assert_eq(qn_agent_read_progress(&message, &progress), QN_E_UNKNOWN);
	}
}

Test(agent_command, ids_are_as_a_uuid_has_them)
{
	char id[QN_AGENT_ID_LEN + 1] = "";

	qn_agent_id(0, 0, id);
	cr_assert_str_eq(id, "00000000000040008000000000000000");
	qn_agent_id(UINT64_MAX, UINT64_MAX, id);
	cr_assert_str_eq(id, "ffffffffffff4fffbfffffffffffffff");
}

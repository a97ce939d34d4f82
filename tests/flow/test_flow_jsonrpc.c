/*
 * The wire jsonrpc: targets in their three shapes, a master that calls, is dialled, falls back to
 * POST or keeps clients, and a client of our own that commands a target; tokens, late answers,
 * cancelling, batches, faults.
 */
#include "emulator/master/jsonrpc_options.h"
#include "emulator/rpc/client.h"
#include "emulator/target/jsonrpc_options.h"
#include "tests/support/range.h"
#include "tests/support/require.h"

#include <stdio.h>
#include <string.h>

static struct range range;
static struct target_jsonrpc own;
static struct master_jsonrpc masters;
static struct rpc_client *client;
static char heard[4096];
static int finished;

static void start(bool dial, bool registers)
{
	range_init(&range, QN_SNYPER_PICO);
	own = (struct target_jsonrpc){ .dial = dial,
				       .registers = registers,
				       .deflate = true,
				       .token = "",
				       .message_max = 65536,
				       .events = 16,
				       .ping_ns = 30 * NS_PER_S };
	masters = (struct master_jsonrpc){ .fallback = true,
					   .deflate = true,
					   .token = "",
					   .message_max = 65536,
					   .ping_ns = 30 * NS_PER_S,
					   .pool = 1,
					   .batch = 1,
					   .attempts = 5,
					   .first_ns = NS_PER_S,
					   .breaker_failures = 5,
					   .breaker_open_ns = 30 * NS_PER_S };
	range.group.wire = target_wire(WIRE_JSONRPC)->choose(&own);
	range.group.wire_options = &own;
	range.options.listen.wire = WIRE_JSONRPC;
	range.options.listen.wire_options = &masters;
	heard[0] = '\0';
	finished = 0;
	client = NULL;
}

static void finish(void)
{
	rpc_client_free(client);
	range_release(&range);
}

static void done(struct master *master, uint32_t number, enum range_word command,
		 enum master_outcome outcome, void *context)
{
	static const char *const words[] = { "ok", "failed", "lost" };
	size_t len = strlen(heard);

	(void)master;
	(void)number;
	(void)context;
	snprintf(heard + len, sizeof(heard) - len, "%s:%s ", range_word_name(command),
		 words[outcome]);
	finished++;
}

static const char *said(void)
{
	static char copy[sizeof(heard)];

	memcpy(copy, heard, sizeof(heard));
	heard[0] = '\0';
	return copy;
}

static void command(enum range_word word)
{
	struct qn_text duration = { "0.1", 3 };

	REQUIRE(master_command(range.master, 0, word, range.loop.now_ns,
			       word == RANGE_ACTIVATE ? duration : (struct qn_text){ NULL, 0 },
			       done, NULL) == 0);
}

static void every_command(const char *expected)
{
	command(RANGE_PING);
	command(RANGE_STAND_UP);
	command(RANGE_LAY_DOWN);
	command(RANGE_ACTIVATE);
	range_pass(&range, 5000);
	cr_expect_str_eq(said(), expected);
}

#define ALL_OK "ping:ok stand_up:ok lay_down:ok activate:ok "

/* ---- a master ---- */

static void with_master(void)
{
	range_master(&range);
	target_power_on(range_target(&range));
	range_pass(&range, 100);
	REQUIRE(master_known(range.master) == 1);
}

Test(flow_jsonrpc, a_server_registers_and_is_called)
{
	start(false, true);
	with_master();
	cr_expect(range.targets[0].listener != NULL);
	cr_expect_eq(range.targets[0].connections, 0);
	every_command(ALL_OK);
	finish();
}

Test(flow_jsonrpc, over_kept_clients)
{
	start(false, true);
	range.options.listen.keep = true;
	masters.batch = 4;
	with_master();
	every_command(ALL_OK);
	cr_expect_eq(range.targets[0].connections, 1);
	finish();
}

Test(flow_jsonrpc, one_that_dials_is_commanded_over_its_connection)
{
	start(true, true);
	with_master();
	cr_expect(range.targets[0].listener == NULL);
	cr_expect(range.targets[0].link != NULL);
	every_command(ALL_OK);
	/* Its connection is its registration. */
	target_power_off(&range.targets[0]);
	range_pass(&range, 100);
	cr_expect_eq(master_known(range.master), 0);
	finish();
}

Test(flow_jsonrpc, the_master_shows_its_token)
{
	start(false, true);
	own.token = masters.token = "secret";
	with_master();
	every_command(ALL_OK);
	masters.token = "secreT";
	command(RANGE_PING);
	range_pass(&range, 100);
	cr_expect_str_eq(said(), "ping:failed ");
	finish();
}

Test(flow_jsonrpc, the_breaker_of_a_target_that_is_off_the_net)
{
	start(false, true);
	range.options.listen.keep = true;
	masters.breaker_failures = 2;
	masters.attempts = 1;
	with_master();
	target_power_off(&range.targets[0]);
	for (int i = 0; i < 3; i++) {
		command(RANGE_PING);
		range_pass(&range, 6000);
	}
	cr_expect_str_eq(said(), "ping:lost ping:failed ping:failed ");
	cr_expect_eq(master_totals(range.master)->refused, 2);
	finish();
}

Test(flow_jsonrpc, errors_and_wrong_answers_are_failures)
{
	static const struct fault_spec wrong_type = { .kind = FAULT_WRONG_TYPE, .probability = 1 };
	static const struct fault_spec error = { .kind = FAULT_ERROR_LINE,
						 .probability = 1,
						 .text = "no" };
	static const struct fault_spec wrong_id = { .kind = FAULT_WRONG_ID, .probability = 1 };

	start(false, true);
	REQUIRE(target_env_reserve_faults(&range.env, 4) == 0);
	with_master();
	REQUIRE(target_fault_on(&range.targets[0], &wrong_type));
	command(RANGE_PING);
	range_pass(&range, 100);
	target_fault_off(&range.targets[0], FAULT_WRONG_TYPE);
	REQUIRE(target_fault_on(&range.targets[0], &error));
	command(RANGE_PING);
	range_pass(&range, 100);
	cr_expect_str_eq(said(), "ping:failed ping:failed ");
	cr_expect_eq(master_totals(range.master)->bad_answers, 2);
	target_fault_off(&range.targets[0], FAULT_ERROR_LINE);
	/* An answer that nobody asked for is passed over: the time runs out. */
	REQUIRE(target_fault_on(&range.targets[0], &wrong_id));
	command(RANGE_PING);
	range_pass(&range, 6000);
	cr_expect_str_eq(said(), "ping:lost ");
	finish();
}

Test(flow_jsonrpc, frames_that_may_not_be_fail_the_command)
{
	static const struct fault_spec wrong_mask = { .kind = FAULT_WRONG_MASK, .probability = 1 };
	static const struct fault_spec bad_close = { .kind = FAULT_BAD_CLOSE,
						     .probability = 1,
						     .count = 1005 };
	static const struct fault_spec half = { .kind = FAULT_HALF_FRAME,
						.probability = 1,
						.factor = 0.5 };
	static const struct fault_spec *const all[] = { &wrong_mask, &bad_close, &half };

	start(false, true);
	REQUIRE(target_env_reserve_faults(&range.env, 4) == 0);
	with_master();
	for (size_t i = 0; i < 3; i++) {
		REQUIRE(target_fault_on(&range.targets[0], all[i]));
		command(RANGE_PING);
		range_pass(&range, 8000);
		cr_expect_str_eq(said(), i < 2 ? "ping:failed " : "ping:lost ", "%zu", i);
		target_fault_off(&range.targets[0], (enum fault_kind)all[i]->kind);
		command(RANGE_PING);
		range_pass(&range, 100);
		cr_expect_str_eq(said(), "ping:ok ");
	}
	finish();
}

/* ---- a client of our own ---- */

static void told(void *context, struct qn_text method, struct qn_text params)
{
	size_t len = strlen(heard);
	struct qn_text state;

	(void)context;
	(void)method;
	if (qn_jsonrpc_member(params, "state", &state) == QN_JSON_STRING)
		snprintf(heard + len, sizeof(heard) - len, "%.*s ", (int)state.len - 2,
			 state.at + 1);
}

static void answered(void *context, const struct rpc_answer *answer)
{
	static const char *const words[] = { "ok", "error", "lost", "broken", "refused" };
	size_t len = strlen(heard);
	struct qn_text status = answer->text;

	(void)context;
	qn_jsonrpc_member(answer->text, "status", &status);
	snprintf(heard + len, sizeof(heard) - len, "%s(%.*s) ", words[answer->outcome],
		 (int)status.len, status.at);
}

static void with_client(unsigned batch)
{
	struct rpc_client_options options = rpc_client_defaults;

	target_power_on(range_target(&range));
	range_pass(&range, 10);
	options.to = (struct net_addr){ RANGE_IP(0), RANGE_PORT };
	options.told = told;
	options.batch_max = batch;
	REQUIRE(rpc_client_new(&range.loop, range.net, &options, &client) == 0);
	range_pass(&range, 10);
	heard[0] = '\0';
}

static void ask(const char *method, const char *params)
{
	REQUIRE(rpc_client_call(client, method, (struct qn_text){ params, strlen(params) },
				answered, NULL) == 0);
	loop_settle(&range.loop);
}

Test(flow_jsonrpc, a_server_alone_is_there_for_everybody)
{
	start(false, false);
	with_client(1);
	cr_expect_eq(range.env.totals.registered, 1);
	ask("target.standUp", "{}");
	range_pass(&range, 1000);
	cr_expect_str_eq(said(), "ok(\"command_queued\") rising standing ");
	ask("target.activate", "[-1]");
	range_pass(&range, 5000);
	cr_expect(strncmp(said(), "ok(\"activation_queued\") ", 24) == 0);
	ask("target.activate", "{\"duration\":\"5\"}");
	ask("target.fly", "{}");
	range_pass(&range, 10);
	cr_expect_str_eq(said(), "error(Invalid params) error(Method not found) ");
	rpc_client_notify(client, "target.standUp", (struct qn_text){ NULL, 0 });
	range_pass(&range, 1000);
	cr_expect_str_eq(said(), "rising standing ");
	finish();
}

/* reply = "done": the batch is answered when its last movement is over. */
Test(flow_jsonrpc, a_batch_of_answers_that_wait)
{
	start(false, false);
	range.group.reply = TARGET_REPLY_DONE;
	with_client(3);
	REQUIRE(rpc_client_call(client, "target.standUp", (struct qn_text){ NULL, 0 }, answered,
				NULL) == 0);
	REQUIRE(rpc_client_call(client, "target.ping", (struct qn_text){ NULL, 0 }, answered,
				NULL) == 0);
	ask("target.layDown", "{}");
	range_pass(&range, 900);
	cr_expect_str_eq(said(), "rising standing falling ");
	range_pass(&range, 200);
	cr_expect_str_eq(said(), "down ok(\"alive\") ok(\"standing\") ok(\"down\") ");
	finish();
}

Test(flow_jsonrpc, cancelling_what_waits)
{
	start(false, false);
	range.group.reply = TARGET_REPLY_DONE;
	with_client(1);
	ask("target.standUp", "{}");
	range_pass(&range, 100);
	rpc_client_notify(client, "$/cancelRequest", (struct qn_text){ "{\"id\":1}", 8 });
	range_pass(&range, 100);
	cr_expect_str_eq(said(), "rising error(Request cancelled) ");
	range_pass(&range, 1000);
	cr_expect_str_eq(said(), "standing ");
	finish();
}

/* An answer that a fault has swallowed, or given another id, does not hold up the rest of its
 * batch. */
Test(flow_jsonrpc, faults_inside_a_batch)
{
	static const struct fault_spec drop = { .kind = FAULT_DROP, .probability = 1 };
	static const struct fault_spec wrong_id = { .kind = FAULT_WRONG_ID, .probability = 1 };

	start(false, false);
	REQUIRE(target_env_reserve_faults(&range.env, 4) == 0);
	with_client(2);
	REQUIRE(target_fault_on(&range.targets[0], &drop));
	REQUIRE(rpc_client_call(client, "target.ping", (struct qn_text){ NULL, 0 }, answered,
				NULL) == 0);
	ask("target.fly", "{}");
	range_pass(&range, 10);
	cr_expect_str_eq(said(), "error(Method not found) ");
	target_fault_off(&range.targets[0], FAULT_DROP);
	REQUIRE(target_fault_on(&range.targets[0], &wrong_id));
	REQUIRE(rpc_client_call(client, "target.ping", (struct qn_text){ NULL, 0 }, answered,
				NULL) == 0);
	ask("target.fly", "{}");
	range_pass(&range, 10);
	cr_expect_str_eq(said(), "error(Method not found) ");
	target_fault_off(&range.targets[0], FAULT_WRONG_ID);
	ask("target.ping", "{}");
	range_pass(&range, 10);
	cr_expect_str_eq(said(), "ok(\"alive\") ");
	finish();
}

/* A target that is switched off while answers wait leaves nothing behind. */
Test(flow_jsonrpc, switched_off_inside_a_batch)
{
	start(false, false);
	range.group.reply = TARGET_REPLY_DONE;
	with_client(2);
	REQUIRE(rpc_client_call(client, "target.standUp", (struct qn_text){ NULL, 0 }, answered,
				NULL) == 0);
	ask("target.layDown", "{}");
	range_pass(&range, 100);
	target_power_off(&range.targets[0]);
	range_pass(&range, 10);
	cr_expect_str_eq(said(),
			 "rising broken(the connection broke) broken(the connection broke) ");
	target_power_on(&range.targets[0]);
	range_pass(&range, 2000);
	ask("target.ping", "{}");
	range_pass(&range, 3000);
	cr_expect_str_eq(said(), "ok(\"alive\") ");
	finish();
}

Test(flow_jsonrpc, a_full_queue_is_an_error_of_its_own)
{
	start(false, false);
	range.group.queue_max = 1;
	with_client(1);
	ask("target.standUp", "{}");
	ask("target.layDown", "{}");
	range_pass(&range, 10);
	cr_expect_str_eq(said(), "ok(\"command_queued\") rising error(Command queue full) ");
	finish();
}

#include "proto/agent/session.h"
#include "tests/support/guard.h"
#include "tests/support/hex.h"

#include <criterion/criterion.h>

#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })
#define MS INT64_C(1000000)

static struct qn_agent_session session;
static struct qn_agent_message message;
static struct qn_agent_unit unit;
static struct qn_fault fault;
static size_t taken;

static enum qn_agent_step hear(const char *bytes, size_t len, int64_t now_ns)
{
	char *copy = guard_copy(bytes, len);

	memset(&message, 0, sizeof(message));
	fault = (struct qn_fault){ QN_OK, 0, NULL };
	enum qn_agent_step step = qn_agent_session_next(&session, copy, len, now_ns, &taken,
							&message, &unit, &fault);
	guard_free(copy, len);
	return step;
}

static enum qn_agent_step hear_hex(const char *hex, int64_t now_ns)
{
	char bytes[1024];

	return hear(bytes, hex_bytes(hex, bytes), now_ns);
}

static void greet(int64_t now_ns)
{
	char out[128];

	qn_agent_session_init(&session, QN_AGENT_ROLE_AGENT, &qn_agent_original, now_ns);
	size_t len = qn_agent_session_greet(&session, TEXT("agent_1"), TEXT("notasecret"), now_ns,
					    out, sizeof(out));
	cr_assert_str_eq(hex_text(out, len),
			 "0000003484a1740aa26964a76167656e745f31a776657273696f6ea5302e332e34ab63"
			 "726564656e7469616c73aa6e6f7461736563726574");
}

#define MANAGER_HELLO(version_hex) "82a1740ba776657273696f6e" version_hex
#define GOOD "00000012" MANAGER_HELLO("a5302e332e34")

static void open_agent(int64_t now_ns)
{
	greet(now_ns);
	cr_assert_eq(hear_hex(GOOD, now_ns), QN_AGENT_STEP_OPENED);
	cr_assert_eq(taken, 22);
}

static void open_manager(int64_t now_ns)
{
	char out[64];

	qn_agent_session_init(&session, QN_AGENT_ROLE_MANAGER, &qn_agent_original, now_ns);
	cr_assert_eq(hear_hex("0000001c84a1740aa26964a161a776657273696f6ea131ab63726564656e7469616c"
			      "73a173",
			      now_ns),
		     QN_AGENT_STEP_CLOSE); /* its length lies: one byte short */
	qn_agent_session_init(&session, QN_AGENT_ROLE_MANAGER, &qn_agent_original, now_ns);
	cr_assert_eq(hear_hex("0000002184a1740aa26964a161a776657273696f6ea131ab63726564656e7469616c"
			      "73a173",
			      now_ns),
		     QN_AGENT_STEP_HELLO);
	size_t len = qn_agent_session_accept(&session, now_ns, out, sizeof(out));
	cr_assert_str_eq(hex_text(out, len), GOOD);
}

Test(agent_session, the_agents_hello)
{
	open_agent(5 * MS);
	cr_assert_eq(session.state, QN_AGENT_OPEN);
	cr_assert_eq(session.due_ns, 30005 * MS);
	/* A minor version is accepted, another major one is not; nor is no version at all. */
	greet(0);
	cr_assert_eq(hear_hex("00000012" MANAGER_HELLO("a5302e392e39"), 0), QN_AGENT_STEP_OPENED);
	greet(0);
	cr_assert_eq(hear_hex("00000012" MANAGER_HELLO("a5312e332e34"), 0), QN_AGENT_STEP_CLOSE);
	cr_assert_str_eq(fault.text, "another major version");
	greet(0);
	cr_assert_eq(hear_hex("0000000d" MANAGER_HELLO("a0"), 0), QN_AGENT_STEP_CLOSE);
	greet(0);
	cr_assert_eq(hear_hex("0000000e" MANAGER_HELLO("a130"), 0), QN_AGENT_STEP_OPENED);
}

Test(agent_session, every_cut_of_a_hello)
{
	char bytes[64];
	size_t len = hex_bytes(GOOD, bytes);

	for (size_t cut = 0; cut < len; cut++) {
		greet(0);
		cr_assert_eq(hear(bytes, cut, 0), QN_AGENT_STEP_MORE, "%zu", cut);
		cr_assert_eq(taken, 0);
		cr_assert_eq(hear(bytes, len, 0), QN_AGENT_STEP_OPENED);
	}
}

Test(agent_session, no_hello_in_time)
{
	greet(1000 * MS);
	cr_assert_eq(session.due_ns, 4000 * MS);
	cr_assert_eq(qn_agent_session_time(&session, 4000 * MS - 1, 0, &unit, &fault),
		     QN_AGENT_STEP_MORE);
	cr_assert_eq(qn_agent_session_time(&session, 4000 * MS, 0, &unit, &fault),
		     QN_AGENT_STEP_CLOSE);
	cr_assert_str_eq(fault.text, "no hello in time");
	cr_assert_eq(session.due_ns, QN_AGENT_NEVER);
	/* It is closed for good. */
	cr_assert_eq(hear_hex(GOOD, 0), QN_AGENT_STEP_MORE);
	cr_assert_eq(taken, 22);
}

Test(agent_session, first_messages_that_are_no_hello)
{
	greet(0);
	cr_assert_eq(hear_hex("0000000a82a1740ca46461746101", 0), QN_AGENT_STEP_CLOSE);
	greet(0);
	cr_assert_eq(hear_hex("0000000d82a1740ea6726561736f6ea16e", 0), QN_AGENT_STEP_BYE);
	cr_assert(message.word.len == 1);
	qn_agent_session_init(&session, QN_AGENT_ROLE_MANAGER, &qn_agent_original, 0);
	cr_assert_eq(hear_hex("0000000a82a1740ca46461746101", 0), QN_AGENT_STEP_CLOSE);
	qn_agent_session_init(&session, QN_AGENT_ROLE_MANAGER, &qn_agent_original, 0);
	cr_assert_eq(hear_hex("0000000d82a1740ea6726561736f6ea16e", 0), QN_AGENT_STEP_CLOSE);
	qn_agent_session_init(&session, QN_AGENT_ROLE_MANAGER, &qn_agent_original, 0);
	cr_assert_eq(hear_hex(GOOD, 0), QN_AGENT_STEP_CLOSE);
}

Test(agent_session, the_manager_judges_before_it_reads_on)
{
	char out[64];
	const char *both = "0000002184a1740aa26964a161a776657273696f6ea131ab63726564656e7469616c"
			   "73a1730000000a82a1740ca46461746101";

	qn_agent_session_init(&session, QN_AGENT_ROLE_MANAGER, &qn_agent_original, 0);
	cr_assert_eq(hear_hex(both, 0), QN_AGENT_STEP_HELLO);
	cr_assert_eq(taken, 37);
	cr_assert_eq(hear_hex(both + 2 * 37, 0), QN_AGENT_STEP_MORE);
	cr_assert_eq(taken, 0);
	cr_assert_gt(qn_agent_session_accept(&session, 0, out, sizeof(out)), 0);
	cr_assert_eq(hear_hex(both + 2 * 37, 0), QN_AGENT_STEP_SEND);
	cr_assert_str_eq(hex_text(unit.bytes, unit.len), "0000000a82a1740da46461746101");
	qn_agent_session_init(&session, QN_AGENT_ROLE_MANAGER, &qn_agent_original, 0);
	cr_assert_eq(hear_hex(both, 0), QN_AGENT_STEP_HELLO);
	size_t len = qn_agent_session_refuse(&session, out, sizeof(out));
	cr_assert_str_eq(hex_text(out, len),
			 "0000002182a1740ea6726561736f6eb561757468656e7469636174"
			 "696f6e206661696c6564");
	cr_assert_eq(session.state, QN_AGENT_CLOSED);
}

Test(agent_session, pings)
{
	open_manager(0);
	cr_assert_eq(session.due_ns, 30000 * MS);
	cr_assert_eq(qn_agent_session_time(&session, 29999 * MS, 7, &unit, &fault),
		     QN_AGENT_STEP_MORE);
	cr_assert_eq(qn_agent_session_time(&session, 30000 * MS, 2000009, &unit, &fault),
		     QN_AGENT_STEP_SEND);
	cr_assert_str_eq(hex_text(unit.bytes, unit.len), "0000000a82a1740ca46461746107",
			 "0 to 1000000, both included");
	cr_assert_eq(session.due_ns, 35000 * MS);
	/* The next one is an interval after the Pong, not after the Ping. */
	cr_assert_eq(hear_hex("0000000a82a1740da46461746107", 30200 * MS), QN_AGENT_STEP_PASSED);
	cr_assert_eq(session.due_ns, 60200 * MS);
	/* An unasked one changes nothing. */
	cr_assert_eq(hear_hex("0000000a82a1740da46461746107", 31000 * MS), QN_AGENT_STEP_PASSED);
	cr_assert_eq(session.due_ns, 60200 * MS);
	cr_assert_eq(qn_agent_session_time(&session, 60200 * MS, 1000000, &unit, &fault),
		     QN_AGENT_STEP_SEND);
	cr_assert_str_eq(hex_text(unit.bytes, unit.len), "0000000e82a1740ca464617461ce000f4240");
	/* The peer's own ping in between does not count as an answer. */
	cr_assert_eq(hear_hex("0000000a82a1740ca46461746107", 60300 * MS), QN_AGENT_STEP_SEND);
	cr_assert_eq(qn_agent_session_time(&session, 65200 * MS, 0, &unit, &fault),
		     QN_AGENT_STEP_CLOSE);
	cr_assert_str_eq(fault.text, "no pong in time");
}

Test(agent_session, a_pong_that_lies)
{
	static const char *const wrong[] = { "0000000a82a1740da46461746108",
					     "0000000a82a1740da464617461f9",
					     "0000001282a1740da464617461cf0000000100000007" };

	for (int i = 0; i < 3; i++) {
		open_manager(0);
		cr_assert_eq(qn_agent_session_time(&session, 30000 * MS, 7, &unit, &fault),
			     QN_AGENT_STEP_SEND);
		cr_assert_eq(hear_hex(wrong[i], 30001 * MS), QN_AGENT_STEP_CLOSE, "%s", wrong[i]);
		cr_assert_str_eq(fault.text, "a pong that does not echo the ping");
	}
}

Test(agent_session, what_ends_it_and_what_does_not)
{
	open_manager(0);
	cr_assert_eq(hear_hex("0000000d83a17416a474797065a178a464617461c0", 0),
		     QN_AGENT_STEP_CLOSE); /* 13 says the length, 17 it has */
	open_manager(0);
	cr_assert_eq(hear_hex("0000001183a17416a474797065a178a464617461c0", 0),
		     QN_AGENT_STEP_MESSAGE);
	cr_assert_eq(hear_hex(GOOD, 0), QN_AGENT_STEP_PASSED);
	cr_assert_eq(hear_hex("0000000a82a17463a46461746107", 0), QN_AGENT_STEP_CLOSE);
	open_manager(0);
	cr_assert_eq(hear_hex("ffffffff", 0), QN_AGENT_STEP_CLOSE);
	open_manager(0);
	cr_assert_eq(hear_hex("00000000", 0), QN_AGENT_STEP_CLOSE);
	open_manager(0);
	cr_assert_eq(hear_hex("0000000d82a1740ea6726561736f6ea16e", 0), QN_AGENT_STEP_BYE);
	char out[64];
	open_agent(0);
	size_t len = qn_agent_session_bye(&session, TEXT("server shutting down"), out, sizeof(out));
	cr_assert_str_eq(
		hex_text(out, len),
		"0000002082a1740ea6726561736f6eb4736572766572207368757474696e6720646f776e");
	cr_assert_eq(session.due_ns, QN_AGENT_NEVER);
}

Test(agent_session, waits_that_never_end)
{
	struct qn_agent_options options = qn_agent_original;
	char out[64];

	options.hello_timeout_ns = 0;
	options.ping_interval_ns = 0;
	qn_agent_session_init(&session, QN_AGENT_ROLE_AGENT, &options, 0);
	cr_assert_eq(session.due_ns, QN_AGENT_NEVER);
	cr_assert_eq(qn_agent_session_greet(&session, TEXT("a"), TEXT("b"), 0, out, 8), 0);
	cr_assert_eq(session.state, QN_AGENT_NEW, "what did not fit was not said");
	cr_assert_gt(qn_agent_session_greet(&session, TEXT("a"), TEXT("b"), 0, out, sizeof(out)),
		     0);
	cr_assert_eq(hear_hex(GOOD, 0), QN_AGENT_STEP_OPENED);
	cr_assert_eq(session.due_ns, QN_AGENT_NEVER);
	cr_assert_eq(qn_agent_session_time(&session, INT64_MAX - 1, 0, &unit, &fault),
		     QN_AGENT_STEP_MORE);
}

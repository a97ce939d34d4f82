/*
 * The wire `agent` in simulated time, without TLS: when it dials, waits, pings and gives up; and
 * the original's transcript, met by both of our sides.
 */
#include "emulator/target/wire_agent.h"
#include "emulator/master/wire_agent.h"
#include "proto/agent/command.h"
#include "proto/agent/session.h"
#include "tests/support/hex.h"
#include "tests/support/jsonl.h"
#include "tests/support/range.h"

#include <criterion/criterion.h>

#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })
#define PORT 7051

static struct range range;
static struct target_agent_options options;
static struct stranger manager;

static void setup(void)
{
	range_init(&range, QN_SNYPER_PICO);
	options = (struct target_agent_options){
		.secret = "notasecret",
		.version = "0.3.4",
		.hello_timeout_ns = 3 * NS_PER_S,
		.ping_interval_ns = 30 * NS_PER_S,
		.ping_timeout_ns = 5 * NS_PER_S,
		.retry_first_ns = 2 * NS_PER_S,
		.retry_max_ns = 64 * NS_PER_S,
	};
	range.group.wire = target_wire(WIRE_AGENT);
	range.group.wire_options = &options;
	range.group.master.port = PORT;
	range.group.attempts = 0;
}

static void teardown(void)
{
	range_release(&range);
}

TestSuite(flow_agent, .init = setup, .fini = teardown);

static void expect_hex(struct guest *guest, const char *hex)
{
	cr_assert_str_eq(hex_text(guest->got, guest->got_len), hex);
	guest->got_len = 0;
}

static void say_hex(struct guest *guest, const char *hex)
{
	char bytes[2048];

	guest_send_bytes(guest, bytes, hex_bytes(hex, bytes));
}

#define HELLO                                                                                      \
	"0000003584a1740aa26964a87461726765745f31a776657273696f6ea5302e332e34ab63726564656e7469"   \
	"616c73aa6e6f7461736563726574"
#define WELCOME "0000001282a1740ba776657273696f6ea5302e332e34"
#define BYE "0000002082a1740ea6726561736f6eb4736572766572207368757474696e6720646f776e"

/* ---- when an agent dials ---- */

Test(flow_agent, pauses_double_and_end_at_64_s)
{
	struct target *target = range_target(&range);
	/* Nobody listens: refused at once. After 2, 4, 8, 16, 32, 64, 64 s. */
	static const double at[] = { 0, 2, 6, 14, 30, 62, 126, 190, 254 };

	target_power_on(target);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		range_until(&range, at[i] * 1000 - 1);
		cr_expect_eq(range.env.totals.register_failures, i, "before %g s", at[i]);
		range_until(&range, at[i] * 1000);
		cr_expect_eq(range.env.totals.register_failures, i + 1, "at %g s", at[i]);
	}
}

Test(flow_agent, at_once_after_a_clean_end)
{
	struct target *target = range_target(&range);

	stranger_listen(&range, &manager, range.group.master);
	target_power_on(target);
	range_pass(&range, 1);
	cr_assert_eq(manager.n, 1);
	expect_hex(&manager.guests[0], HELLO);
	say_hex(&manager.guests[0], WELCOME);
	range_pass(&range, 1);
	cr_expect(target->registered);
	say_hex(&manager.guests[0], BYE);
	range_pass(&range, 0);
	cr_expect_eq(manager.n, 2, "at the same instant");
	/* A reset is no other end than a Bye to one that was welcome. */
	say_hex(&manager.guests[1], WELCOME);
	range_pass(&range, 1);
	guest_reset(&manager.guests[1]);
	range_pass(&range, 0);
	cr_expect_eq(manager.n, 3);
	/* But this one was not. */
	say_hex(&manager.guests[2], BYE);
	range_pass(&range, 1999);
	cr_expect_eq(manager.n, 3);
	range_pass(&range, 1);
	cr_expect_eq(manager.n, 4);
	stranger_stop(&manager);
}

Test(flow_agent, waits_three_seconds_for_a_hello)
{
	struct target *target = range_target(&range);

	stranger_listen(&range, &manager, range.group.master);
	target_power_on(target);
	range_until(&range, 2999);
	cr_expect(!manager.guests[0].closed && !manager.guests[0].ended);
	range_until(&range, 3000);
	cr_expect(manager.guests[0].closed || manager.guests[0].ended);
	range_until(&range, 4999);
	cr_expect_eq(manager.n, 1);
	range_until(&range, 5000);
	cr_expect_eq(manager.n, 2);
	stranger_stop(&manager);
}

/* ---- pings ---- */

Test(flow_agent, pings_every_thirty_seconds)
{
	struct target *target = range_target(&range);
	struct guest *guest = &manager.guests[0];

	stranger_listen(&range, &manager, range.group.master);
	target_power_on(target);
	range_pass(&range, 100);
	expect_hex(guest, HELLO);
	say_hex(guest, WELCOME);
	for (int i = 0; i < 3; i++) {
		double due = i == 0 ? 30100 : 100 + i * 30000.0 + i * 2000.0 + 30000;
		range_until(&range, due - 1);
		cr_assert_eq(guest->got_len, 0, "%d", i);
		range_until(&range, due);
		cr_assert_gt(guest->got_len, 10, "%d", i);
		/* The same bytes, but for the type: a Pong. */
		char pong[64];
		memcpy(pong, guest->got, guest->got_len);
		cr_assert_eq(pong[7], QN_AGENT_PING);
		pong[7] = QN_AGENT_PONG;
		size_t len = guest->got_len;
		guest->got_len = 0;
		range_pass(&range, 2000);
		guest_send_bytes(guest, pong, len);
	}
	/* And one that is not answered: 5 s, and it dials again. */
	range_pass(&range, 30000);
	cr_assert_gt(guest->got_len, 10);
	range_pass(&range, 4999);
	cr_expect_eq(manager.n, 1);
	range_pass(&range, 1);
	cr_expect_eq(manager.n, 2);
	cr_expect(guest->closed || guest->ended);
	stranger_stop(&manager);
}

/* ---- the transcript ---- */

struct unit {
	char bytes[512];
	size_t len;
	bool to_manager;
};
static struct unit units[64];
static size_t n_units;

static void load(void)
{
	struct jsonl *jsonl = jsonl_open("fixtures/transcripts/redpepper_1.jsonl");
	struct qn_text unit;

	n_units = 0;
	while (jsonl_next(jsonl)) {
		if (jsonl_text(jsonl, "dir").at == NULL || jsonl_text(jsonl, "ev").at != NULL)
			continue;
		cr_assert_eq(jsonl_pieces(jsonl, "bytes", &unit, 1), 1);
		cr_assert_lt(unit.len, sizeof(units[0].bytes));
		memcpy(units[n_units].bytes, unit.at, unit.len);
		units[n_units].len = unit.len;
		units[n_units++].to_manager = strcmp(jsonl_must(jsonl, "dir").at, "a>m") == 0;
	}
	jsonl_close(jsonl);
	cr_assert_eq(n_units, 30);
}

static enum qn_agent_t type_of(const struct unit *unit)
{
	return (enum qn_agent_t)unit->bytes[7];
}

/*
 * Our agent meets the real manager: what that one said is said to it, and all that the real agent
 * said to it must come back, in order, byte for byte. Pings of its own are at other times.
 */
Test(flow_agent, our_agent_meets_the_real_manager)
{
	struct target *target = range_target(&range);
	struct guest *guest = &manager.guests[0];
	unsigned compared = 0;

	load();
	target->name = "agent_1";
	target->name_len = 7;
	stranger_listen(&range, &manager, range.group.master);
	target_power_on(target);
	range_pass(&range, 1);
	for (size_t i = 0; i < n_units; i++) {
		const struct unit *unit = &units[i];
		if (!unit->to_manager) {
			/* A Pong answers a Ping that this run has not sent. */
			guest_send_bytes(guest, unit->bytes, unit->len);
			range_pass(&range, 1);
			continue;
		}
		if (type_of(unit) == QN_AGENT_PING)
			continue;
		cr_assert_geq(guest->got_len, unit->len, "unit %zu", i);
		cr_assert(memcmp(guest->got, unit->bytes, unit->len) == 0, "unit %zu: %s", i,
			  hex_text(guest->got, unit->len));
		memmove(guest->got, guest->got + unit->len, guest->got_len - unit->len);
		guest->got_len -= unit->len;
		compared++;
	}
	cr_expect_eq(compared, 16, "%u", compared);
	cr_expect_eq(guest->got_len, 0, "and nothing else");
	stranger_stop(&manager);
}

/* Our manager meets the real agent: its noop is the real one's but for the ids, which are its own.
 */
Test(flow_agent, our_manager_meets_the_real_agent)
{
	static struct master_agent_entry entry = { .id = "agent_1",
						   .secret = "notasecret",
						   .secret_hash = "" };
	static const char *addresses[] = { "127.0.0.0/8" };
	static struct master_agent_options agent = { .version = "0.3.4",
						     .ping_interval_ns = 0,
						     .ping_timeout_ns = 5 * NS_PER_S };
	static struct guest guest;
	char expected[1024], ids[2][QN_AGENT_ID_LEN];
	size_t i = 0;

	load();
	entry.addresses = (struct setting_strings){ addresses, 1 };
	agent.agents = (struct setting_list){ &entry, 1 };
	range.options.listen.wire = WIRE_AGENT;
	range.options.listen.at.port = PORT;
	range.options.listen.wire_options = &agent;
	range_master(&range);
	guest_connect(&range, &guest, RANGE_IP(0), range.options.listen.at);
	range_pass(&range, 1);
	guest_send_bytes(&guest, units[0].bytes, units[0].len); /* the real AgentHello */
	range_pass(&range, 1);
	expect_hex(&guest, WELCOME);
	cr_assert_eq(master_known(range.master), 1);
	cr_assert_eq(master_command(range.master, 0, RANGE_PING, range.loop.now_ns, TEXT(""), NULL,
				    NULL),
		     0);
	range_pass(&range, 1);
	while (type_of(&units[i]) != QN_AGENT_REQUEST)
		i++;
	/* The ids stand where the real ones do. */
	cr_assert_eq(guest.got_len, units[i].len);
	memcpy(expected, units[i].bytes, units[i].len);
	size_t at[2] = { 13, 0 };
	at[1] = (size_t)((const char *)memmem(units[i].bytes + 60, units[i].len - 60,
					      "\xa2id\xd9\x20", 5) -
			 units[i].bytes) +
		5;
	for (int n = 0; n < 2; n++) {
		memcpy(ids[n], guest.got + at[n], QN_AGENT_ID_LEN);
		memcpy(expected + at[n], ids[n], QN_AGENT_ID_LEN);
	}
	cr_assert(memcmp(expected, guest.got, guest.got_len) == 0, "%s",
		  hex_text(guest.got, guest.got_len));
	cr_assert(memcmp(ids[0], ids[1], 16) != 0, "two ids");
	guest.got_len = 0;
	/* The real Response, progress and result, with our ids in the place of its own. */
	for (i++; type_of(&units[i]) != QN_AGENT_REQUEST; i++) {
		char unit[512];
		bool response = type_of(&units[i]) == QN_AGENT_RESPONSE;
		memcpy(unit, units[i].bytes, units[i].len);
		char *id = memmem(unit, units[i].len, "\xd9\x20", 2);
		cr_assert_not_null(id);
		memcpy(id + 2, ids[response ? 0 : 1], QN_AGENT_ID_LEN);
		cr_assert_eq(master_totals(range.master)->ok, 0, "not before its result");
		guest_send_bytes(&guest, unit, units[i].len);
		range_pass(&range, 1);
	}
	cr_expect_eq(master_totals(range.master)->ok, 1);
	/* Its ping is answered as the real one was. */
	while (type_of(&units[i]) != QN_AGENT_PING || !units[i].to_manager)
		i++;
	guest_send_bytes(&guest, units[i].bytes, units[i].len);
	range_pass(&range, 1);
	expect_hex(&guest, "0000000e82a1740da464617461ce00040669");
	/* And Bye, as the real one said it. */
	master_stop(range.master);
	range_pass(&range, 1);
	expect_hex(&guest, BYE);
	cr_expect(guest.closed || guest.ended);
}

/* ---- our own ---- */

Test(flow_agent, a_full_queue_is_a_command_that_fails)
{
	struct target *target = range_target(&range);
	struct guest *guest = &manager.guests[0];
	char unit[512];

	range.group.queue_max = 2;
	stranger_listen(&range, &manager, range.group.master);
	target_power_on(target);
	range_pass(&range, 1);
	say_hex(guest, WELCOME);
	guest->got_len = 0;
	for (int i = 0; i < 3; i++) {
		size_t len = qn_agent_write_command(
			unit, sizeof(unit), TEXT("r"), TEXT("c"), TEXT("target.StandUp"),
			(struct qn_text){ NULL, 0 }, (struct qn_text){ NULL, 0 });
		guest_send_bytes(guest, unit, len);
	}
	range_pass(&range, 1);
	guest->got[guest->got_len] = '\0';
	cr_expect_not_null(memmem(guest->got, guest->got_len, "Command queue full", 18));
	cr_expect_null(memmem(guest->got, guest->got_len, "Finished", 8));
	guest->got_len = 0;
	range_pass(&range, 1100);
	char *finished = memmem(guest->got, guest->got_len, "Finished", 8);
	cr_assert_not_null(finished);
	cr_expect_not_null(memmem(
		finished + 8, guest->got_len - (size_t)(finished + 8 - guest->got), "Finished", 8));
	stranger_stop(&manager);
}

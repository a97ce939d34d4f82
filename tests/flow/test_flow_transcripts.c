/*
 * Transcripts of real systems, replayed against both of our sides on a simulated clock that stands
 * where the real one stood: every line of ours must equal the real one, byte for byte.
 *
 * Our targets meet the real master's lines; our master meets the real targets' lines.
 */
#include "emulator/target/faults.h"
#include "tests/support/jsonl.h"
#include "tests/support/range.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNS 64
#define EVENTS 256
#define REAL_PORT 28081
#define REAL_MASTER_IP UINT32_C(0x7f4d0009)                         /* 127.77.0.9 */
#define REAL_IP(number) (UINT32_C(0x7f4d0200) + (uint32_t)(number)) /* 127.77.2.1 ... */

enum what { WHAT_OPEN, WHAT_LINE, WHAT_END, WHAT_CLOSE, WHAT_REFUSED };

struct entry {
	double t_ms;
	int conn;
	int number; /* of the target */
	bool registration, to_target;
	enum what what;
	char line[512];
};

struct transcript {
	const char *name;
	enum qn_snyper_profile_id profile;
	struct entry entries[EVENTS];
	size_t n;
};

static struct transcript transcript;

static int number_of_ip(const char *text)
{
	uint32_t ip = 0;

	cr_assert(net_ip_parse(text, strcspn(text, ":"), &ip));
	return (int)(ip & 0xff);
}

static enum what what_of(struct jsonl *jsonl)
{
	const char *event = jsonl_text(jsonl, "ev").at;

	if (event == NULL)
		return WHAT_LINE;
	if (strcmp(event, "open") == 0)
		return WHAT_OPEN;
	if (strcmp(event, "eof") == 0)
		return WHAT_END;
	if (strcmp(event, "close") == 0)
		return WHAT_CLOSE;
	cr_assert_str_eq(event, "refused");
	return WHAT_REFUSED;
}

static void load(const char *name, enum qn_snyper_profile_id profile)
{
	int numbers[CONNS] = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "fixtures/transcripts/%s.jsonl", name);
	struct jsonl *jsonl = jsonl_open(path);
	transcript.name = name;
	transcript.profile = profile;
	transcript.n = 0;
	while (jsonl_next(jsonl)) {
		if (jsonl_text(jsonl, "meta").at != NULL)
			continue;
		cr_assert_lt(transcript.n, EVENTS);
		struct entry *entry = &transcript.entries[transcript.n++];
		*entry = (struct entry){ .t_ms = jsonl_double(jsonl, "t_ms"),
					 .conn = (int)jsonl_double(jsonl, "conn"),
					 .what = what_of(jsonl) };
		const char *route = jsonl_must(jsonl, "route").at;
		const char *dir = jsonl_text(jsonl, "dir").at;
		entry->registration = strcmp(route, "reg") == 0;
		entry->to_target = dir != NULL && strcmp(dir, "m>t") == 0;
		if (entry->what == WHAT_OPEN)
			numbers[entry->conn] = number_of_ip(
				jsonl_must(jsonl, entry->registration ? "client" : "to").at);
		entry->number = numbers[entry->conn];
		cr_assert(entry->number > 0);
		if (entry->what == WHAT_LINE)
			snprintf(entry->line, sizeof(entry->line), "%s",
				 jsonl_must(jsonl, "bytes_utf8").at);
	}
	jsonl_close(jsonl);
	cr_assert_gt(transcript.n, 40);
}

/* The next line that goes the other way on the same connection; NULL where none does. */
static const struct entry *answer_to(const struct entry *request)
{
	const struct entry *end = transcript.entries + transcript.n;

	for (const struct entry *entry = request + 1; entry < end; entry++)
		if (entry->conn == request->conn && entry->what == WHAT_LINE &&
		    entry->to_target != request->to_target)
			return entry;
	return NULL;
}

static int64_t timestamp_of(const char *line)
{
	const char *at = line != NULL ? strstr(line, "\"timestamp\": ") : NULL;
	char *end;

	cr_assert_not_null(at);
	int64_t ns = strtoll(at + 13, &end, 10) * NS_PER_S;
	if (*end == '.') {
		int64_t unit = NS_PER_S / 10;
		for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
			ns += (*end - '0') * unit;
	}
	return ns;
}

static void range_of(struct range *range)
{
	range_init(range, transcript.profile);
	range->group.master = (struct net_addr){ REAL_MASTER_IP, REAL_PORT };
	range->group.port = REAL_PORT;
	range->options.listen.at = range->group.master;
}

static void expect_line(const char *is, const char *expected, size_t i)
{
	cr_expect_str_eq(is, expected, "%s, entry %zu:\n  is %s  should %s", transcript.name, i, is,
			 expected);
}

/* ---- our targets meet the real master ---- */

struct meeting {
	struct range range;
	struct stranger strangers[4]; /* [0]: the master; else the targets by number */
	struct guest guests[CONNS];   /* by connection: the end that is not ours */
	unsigned lines;
};
static struct meeting meeting;

/* The master's end of a registration, in the order of the targets' connecting. */
static struct guest *registering(struct meeting *m, int number)
{
	struct stranger *master = &m->strangers[0];

	for (uint32_t i = master->n; i-- > 0;)
		if (master->guests[i].conn != NULL &&
		    master->guests[i].conn->peer.ip == REAL_IP(number))
			return &master->guests[i];
	cr_assert_fail("target_%d did not register", number);
	return NULL;
}

static void registration_entry(struct meeting *m, const struct entry *entry, size_t i)
{
	struct target *target = &m->range.targets[entry->number - 1];

	if (entry->what != WHAT_LINE)
		return;
	if (entry->to_target) {
		guest_send(registering(m, entry->number), entry->line);
		range_pass(&m->range, 0);
		cr_expect(target->registered && target->state == TARGET_DOWN);
		return;
	}
	m->range.loop.wall_ns = timestamp_of(entry->line);
	target_power_on(target);
	range_pass(&m->range, 0);
	expect_line(guest_take(registering(m, entry->number)), entry->line, i);
	m->lines++;
}

static void command_entry(struct meeting *m, const struct entry *entry, size_t i)
{
	struct guest *guest = &m->guests[entry->conn];

	switch (entry->what) {
	case WHAT_OPEN:
		guest_connect(&m->range, guest, REAL_MASTER_IP,
			      (struct net_addr){ REAL_IP(entry->number), REAL_PORT });
		range_pass(&m->range, 0);
		break;
	case WHAT_LINE:
		if (!entry->to_target) {
			expect_line(guest_take(guest), entry->line, i);
			cr_expect_eq(guest->reads, 1, "one write, one read");
			m->lines++;
			break;
		}
		cr_assert(guest->opened);
		m->range.loop.wall_ns = timestamp_of(answer_to(entry)->line);
		guest_send(guest, entry->line);
		range_pass(&m->range, 0);
		break;
	case WHAT_END:
		if (entry->to_target)
			pipe_shutdown(guest->conn);
		range_pass(&m->range, 0);
		break;
	case WHAT_CLOSE:
		cr_expect(guest->ended && !guest->closed, "it closes when the master has");
		break;
	case WHAT_REFUSED:
		cr_expect(guest->closed && !guest->opened);
		cr_expect_eq(guest->error, -ECONNREFUSED);
		break;
	}
}

static void meet_master(const char *name, enum qn_snyper_profile_id profile, bool dies)
{
	static const struct fault_spec crash = { .kind = FAULT_CRASH_ACTIVE, .probability = 1 };
	struct meeting *m = &meeting;

	load(name, profile);
	range_of(&m->range);
	stranger_listen(&m->range, &m->strangers[0],
			(struct net_addr){ REAL_MASTER_IP, REAL_PORT });
	cr_assert_eq(target_env_reserve_faults(&m->range.env, 3), 0);
	for (int number = 1; number <= 3; number++) {
		range_target(&m->range)->ip = REAL_IP(number);
		if (dies)
			cr_assert(target_fault_on(&m->range.targets[number - 1], &crash));
	}
	for (size_t i = 0; i < transcript.n; i++) {
		const struct entry *entry = &transcript.entries[i];
		range_until(&m->range, entry->t_ms);
		if (entry->registration)
			registration_entry(m, entry, i);
		else
			command_entry(m, entry, i);
	}
	cr_expect_geq(m->lines, 9u);
	cr_expect_eq(m->range.env.totals.bad_lines, 0u);
	range_release(&m->range);
}

Test(flow_transcripts, our_targets_meet_a_master_on_cpython)
{
	meet_master("snyper_cpython", QN_SNYPER_CPYTHON, false);
}

Test(flow_transcripts, our_targets_meet_a_master_on_micropython)
{
	meet_master("snyper_micropython", QN_SNYPER_UNIX, false);
}

/* The firmware as it is: after an activation its targets are gone. */
Test(flow_transcripts, our_targets_die_as_the_firmware_does)
{
	meet_master("snyper_micropython_nostub", QN_SNYPER_UNIX, true);
}

/* ---- our master meets the real targets ---- */

static const char *const commands[] = { "ping", "stand_up", "lay_down", "activate" };

static enum range_word command_of(const char *line)
{
	for (size_t i = 0; i < 4; i++) {
		char member[32];
		snprintf(member, sizeof(member), "\"type\": \"%s\"", commands[i]);
		if (strstr(line, member) != NULL)
			return range_word_of(commands[i], strlen(commands[i]));
	}
	return RANGE_NOTHING;
}

static enum master_outcome outcomes[CONNS];
static bool over[CONNS];

static void command_over(struct master *master, uint32_t number, enum range_word command,
			 enum master_outcome outcome, void *context)
{
	int conn = (int)(intptr_t)context;

	(void)master;
	(void)number;
	(void)command;
	outcomes[conn] = outcome;
	over[conn] = true;
}

static void real_target_registers(struct meeting *m, const struct entry *entry, size_t i)
{
	struct guest *guest = &m->guests[entry->conn];

	switch (entry->what) {
	case WHAT_OPEN:
		guest_connect(&m->range, guest, REAL_IP(entry->number),
			      (struct net_addr){ REAL_MASTER_IP, REAL_PORT });
		range_pass(&m->range, 0);
		break;
	case WHAT_LINE:
		if (entry->to_target) {
			expect_line(guest_take(guest), entry->line, i);
			m->lines++;
			break;
		}
		m->range.loop.wall_ns = timestamp_of(answer_to(entry)->line);
		guest_send(guest, entry->line);
		range_pass(&m->range, 0);
		stranger_listen(&m->range, &m->strangers[entry->number],
				(struct net_addr){ REAL_IP(entry->number), REAL_PORT });
		break;
	case WHAT_END:
		if (!entry->to_target)
			pipe_shutdown(guest->conn);
		range_pass(&m->range, 0);
		break;
	case WHAT_CLOSE: cr_expect(guest->ended || guest->closed); break;
	case WHAT_REFUSED: cr_assert_fail("a registration was refused"); break;
	}
}

static void send_command(struct meeting *m, const struct entry *entry, enum range_word type)
{
	struct master *master = m->range.master;
	char id[16];

	snprintf(id, sizeof(id), "target_%d", entry->number);
	int64_t number = master_find(master, id, strlen(id));
	cr_assert_geq(number, 0);
	cr_assert_eq(master_command(master, (uint32_t)number, type, m->range.loop.now_ns,
				    (struct qn_text){ "1", 1 }, command_over,
				    (void *)(intptr_t)entry->conn),
		     0);
	range_pass(&m->range, 0);
}

static struct guest *commanded(struct meeting *m, const struct entry *entry)
{
	struct stranger *target = &m->strangers[entry->number];

	cr_assert_gt(target->n, 0u);
	return &target->guests[target->n - 1];
}

static void real_target_is_commanded(struct meeting *m, const struct entry *entry, size_t i)
{
	switch (entry->what) {
	case WHAT_LINE: {
		if (entry->to_target) {
			m->range.loop.wall_ns = timestamp_of(entry->line);
			send_command(m, entry, command_of(entry->line));
			expect_line(guest_take(commanded(m, entry)), entry->line, i);
			m->lines++;
			break;
		}
		cr_expect_not(over[entry->conn]);
		guest_send(commanded(m, entry), entry->line);
		range_pass(&m->range, 0);
		cr_expect(over[entry->conn] && outcomes[entry->conn] == MASTER_OK);
		cr_expect(commanded(m, entry)->ended, "the master closes when it has its answer");
		break;
	}
	case WHAT_REFUSED:
		stranger_stop(&m->strangers[entry->number]);
		send_command(m, entry, RANGE_PING);
		cr_expect(over[entry->conn] && outcomes[entry->conn] == MASTER_FAILED);
		break;
	case WHAT_OPEN:
	case WHAT_END:
	case WHAT_CLOSE: break;
	}
}

static void meet_targets(const char *name, enum qn_snyper_profile_id profile, uint64_t ok,
			 uint64_t refused)
{
	struct meeting *m = &meeting;

	load(name, profile);
	range_of(&m->range);
	range_master(&m->range);
	for (size_t i = 0; i < transcript.n; i++) {
		const struct entry *entry = &transcript.entries[i];
		range_until(&m->range, entry->t_ms);
		if (entry->registration)
			real_target_registers(m, entry, i);
		else
			real_target_is_commanded(m, entry, i);
	}
	const struct master_totals *totals = master_totals(m->range.master);
	cr_expect_eq(totals->registrations, 3u);
	cr_expect_eq(totals->ok, ok);
	cr_expect_eq(totals->refused, refused);
	cr_expect_eq(totals->sent, ok + refused);
	cr_expect_eq(m->lines, 3 + ok);
	range_release(&m->range);
}

Test(flow_transcripts, our_master_meets_targets_on_cpython)
{
	meet_targets("snyper_cpython", QN_SNYPER_CPYTHON, 12, 0);
}

Test(flow_transcripts, our_master_meets_targets_on_micropython)
{
	meet_targets("snyper_micropython", QN_SNYPER_UNIX, 12, 0);
}

Test(flow_transcripts, our_master_meets_targets_that_die)
{
	meet_targets("snyper_micropython_nostub", QN_SNYPER_UNIX, 6, 3);
}

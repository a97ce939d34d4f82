/*
 * An agent of a fleet, or a manager, and a test that plays the other side over TLS.
 *
 * Purpose: a config that asks for one thing, and the messages that follow, record by record.
 * Ownership: agent_begin() and agent_end() are a suite's .init and .fini. Errors: fail the test.
 * Threads: one.
 */
#ifndef TEST_AGENT_BED_H
#define TEST_AGENT_BED_H

#include "proto/agent/command.h"
#include "proto/agent/session.h"
#include "tests/support/certs.h"
#include "tests/support/e2e.h"
#include "tests/support/peer.h"
#include "tests/support/tls_peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT(literal) ((struct qn_text){ literal, sizeof(literal) - 1 })

struct agent_bed {
	struct process *emu;
	int listener;
	struct tls_peer peer;
	char record[1 << 17]; /* the last one, and what was left of the one before */
	size_t len, messages; /* so many messages were in the record */
	struct qn_agent_message message;
};

static struct agent_bed bed;

static inline void agent_begin(void)
{
	e2e_begin();
	certs_make();
	memset(&bed, 0, sizeof(bed));
	bed.listener = -1;
}

static inline void agent_end(void)
{
	certs_remove();
	e2e_end();
}

static inline bool text_is(struct qn_text text, const char *expected)
{
	return text.len == strlen(expected) && memcmp(text.at, expected, text.len) == 0;
}

/* A fleet of agents; group and agent: settings more. */
static inline void agent_fleet_alone(const char *group, const char *agent)
{
	char config[4096];
	int n = snprintf(config, sizeof(config),
			 "fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0;\n"
			 "  groups = ( { addresses = \"@A.1.1-@A.1.9\"; wire = \"agent\";\n"
			 "    rise = \"50ms\"; fall = \"50ms\"; %s\n"
			 "    agent = { secret = \"secret of %%s\"; retry_first = \"20ms\"; %s\n"
			 "      tls = { ca = \"%s\"; cert = \"%s\"; key = \"%s\";\n"
			 "        hostname = \"localhost\"; }; }; } ); };\n",
			 group, agent, certs_file("ca.pem"), certs_file("agent.pem"),
			 certs_file("agent.key"));

	cr_assert(n > 0 && (size_t)n < sizeof(config));
	e2e_file("agents.cfg", config);
	bed.emu = EMU("run", "@D/agents.cfg", "--quiet", "--log", "/dev/stderr");
}

/* The same; the manager that they dial is the test. */
static inline void agent_fleet(const char *group, const char *agent)
{
	bed.listener = peer_listen(e2e_ip(0, 1), e2e_port('P'));
	agent_fleet_alone(group, agent);
}

static inline void agent_accept(void)
{
	tls_peer_accept(&bed.peer, bed.listener, "manager.pem", "manager.key");
	cr_assert_not_null(bed.peer.ssl, "%s", bed.peer.why);
}

/* The next record must be whole messages; the first is in bed.message. */
static inline void agent_record(void)
{
	size_t at = 0;

	ssize_t n = tls_peer_read(&bed.peer, bed.record, sizeof(bed.record), NULL);
	cr_assert_gt(n, 0, "%s", bed.peer.why);
	bed.len = (size_t)n;
	bed.messages = 0;
	while (at < bed.len) {
		struct qn_agent_message message;
		struct qn_text payload;
		size_t taken;
		cr_assert_eq(qn_agent_frame(bed.record + at, bed.len - at, QN_AGENT_PAYLOAD_MAX,
					    &payload, &taken, NULL),
			     QN_OK);
		cr_assert_eq(qn_agent_read(payload, &message, NULL), QN_OK);
		if (bed.messages++ == 0)
			bed.message = message;
		at += taken;
	}
}

/* A record of exactly one message of that kind, and of that word where it has one. */
static inline void agent_expect(enum qn_agent_t t, const char *word)
{
	agent_record();
	cr_assert_eq(bed.messages, 1, "%zu messages in one record", bed.messages);
	cr_assert_eq(bed.message.t, t, "%s", qn_agent_t_name(bed.message.t));
	if (word != NULL)
		cr_assert(text_is(bed.message.word, word), "%.*s", (int)bed.message.word.len,
			  bed.message.word.at);
}

static inline void agent_say(const char *unit, size_t len)
{
	cr_assert_gt(len, 0);
	tls_peer_send(&bed.peer, unit, len);
}

static inline void agent_welcome(void)
{
	char unit[64];

	agent_accept();
	agent_expect(QN_AGENT_HELLO, "secret of target_1");
	agent_say(unit, qn_agent_write_manager_hello(unit, sizeof(unit), TEXT("0.3.4")));
}

static inline void agent_ask(const char *cmdtype, struct qn_text args, struct qn_text kwargs)
{
	static char unit[1 << 17];

	agent_say(unit, qn_agent_write_command(unit, sizeof(unit), TEXT("request"), TEXT("command"),
					       (struct qn_text){ cmdtype, strlen(cmdtype) }, args,
					       kwargs));
}

/* Response, then a progress that says it has begun. */
static inline void agent_begins(void)
{
	struct qn_agent_progress progress;

	agent_expect(QN_AGENT_RESPONSE, NULL);
	cr_assert(bed.message.success && text_is(bed.message.id, "request"));
	agent_expect(QN_AGENT_NOTIFICATION, "command_progress");
	cr_assert_eq(qn_agent_read_progress(&bed.message, &progress), QN_OK);
	cr_assert(progress.current == 0 && progress.total == 1 && text_is(progress.id, "command"));
}

static inline void agent_result(bool success, const char *output)
{
	struct qn_agent_result result;

	agent_expect(QN_AGENT_NOTIFICATION, "command_result");
	cr_assert_eq(qn_agent_read_result(&bed.message, &result), QN_OK);
	cr_assert_eq(result.success, success);
	cr_assert(text_is(result.id, "command"));
	cr_assert(text_is(result.output, output), "%.*s", (int)result.output.len, result.output.at);
}

static inline void agent_finishes(const char *output)
{
	struct qn_agent_progress progress;

	agent_expect(QN_AGENT_NOTIFICATION, "command_progress");
	cr_assert_eq(qn_agent_read_progress(&bed.message, &progress), QN_OK);
	cr_assert(progress.current == 1 && progress.total == 1);
	agent_result(true, output);
}

/* It closes; with or without an error. */
static inline void agent_gone(void)
{
	cr_assert_leq(tls_peer_read(&bed.peer, bed.record, sizeof(bed.record), NULL), 0);
	tls_peer_close(&bed.peer);
}

/* 1: somebody was not registered in the end. */
static inline void agent_stop_with(int code)
{
	emu_signal(bed.emu, SIGTERM);
	emu_expect_code(bed.emu, code);
	if (bed.peer.ssl != NULL)
		tls_peer_close(&bed.peer);
	if (bed.listener >= 0)
		close(bed.listener);
}

static inline void agent_stop(void)
{
	agent_stop_with(0);
}

#endif

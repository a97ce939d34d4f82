/* A master against targets of plain sockets: every outcome is counted, and counted right. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(emu_master, .init = e2e_begin, .fini = e2e_end);

#define REST(id) "\"id\": \"" id "\", \"timestamp\": 1, \"target_id\": \"t\", "
#define PONG "{\"type\": \"pong\", " REST("1") "\"data\": {\"status\": \"alive\"}}\n"

/* It waits for so many targets; what it sends, and one setting more. */
static struct process *start_master(unsigned targets, const char *rounds, const char *set)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "master = { listen = { host = \"@A.0.1\"; port = @P; };\n"
		 "  wait = { targets = %u; timeout = \"1h\"; }; answer_timeout = \"1h\";\n"
		 "  rounds = ( %s ); };\n",
		 targets, rounds);
	e2e_file("master.cfg", config);
	struct process *master = EMU("run", "@D/master.cfg", "--json", "--log", "/dev/stderr",
				     "--set", set != NULL ? set : "title=x");
	emu_listens(master, e2e_ip(0, 1), e2e_port('P'));
	return master;
}

static void register_from(unsigned number, const char *id)
{
	peer_register(e2e_ip(1, number), e2e_ip(0, 1), e2e_port('P'), id);
}

/* A target on @A.1.number: listens, then registers. */
static int start_target(unsigned number)
{
	char id[16];
	int listener = peer_listen(e2e_ip(1, number), e2e_port('P'));

	snprintf(id, sizeof(id), "t%02u", number);
	register_from(number, id);
	return listener;
}

/* The connection on which a command of that type came. */
static int commanded(int listener, const char *type)
{
	char line[PEER_LINE], expected[32];
	uint32_t from;
	int fd = peer_accept(listener, &from);

	cr_expect(from == e2e_ip(0, 1), "called from %08x", from);
	peer_line(fd, line);
	snprintf(expected, sizeof(expected), "\"type\": \"%s\"", type);
	cr_expect(strstr(line, expected) != NULL && strstr(line, "\"from\": \"master\"") != NULL,
		  "%s", line);
	return fd;
}

/* Once more through its loop: what was sent before, it has read. */
static void go_round(void)
{
	int fd = peer_connect(e2e_ip(0, 8), e2e_ip(0, 1), e2e_port('P'));
	char line[PEER_LINE];

	peer_say(fd, "{\"type\": \"ping\", \"id\": \"1\"}\n");
	peer_line(fd, line);
	close(fd);
}

/* ---- outcomes ---- */

enum behaviour { OK, SPLIT_IN_TWO, SAYS, CLOSES, RESETS, REFUSES };

static void behave(int listener, enum behaviour behaviour, const char *says)
{
	if (behaviour == REFUSES)
		return;
	int fd = commanded(listener, "ping");
	switch (behaviour) {
	case OK: peer_say(fd, PONG); break;
	case SPLIT_IN_TWO:
		peer_send(fd, PONG, 20);
		peer_expect_end(fd); /* the first piece was its answer */
		break;
	case SAYS: peer_say(fd, says); break;
	case RESETS: peer_reset(fd); return;
	case CLOSES:
	case REFUSES: break;
	}
	close(fd);
}

Test(emu_master, every_outcome_is_counted)
{
	static const struct {
		enum behaviour behaviour;
		const char *says;
	} targets[] = {
		{ OK, NULL },
		{ SAYS, "{\"type\": \"standing\", " REST("1") "\"data\": {\"status\": \"x\"}}\n" },
		{ SAYS, "{\"type\": \"error\", " REST("1") "\"data\": {\"error\": \"no\"}}\n" },
		{ SAYS, "{\"type\": \"pong\", \"data\": {\"status\": \"x\"}}\n" }, /* no id */
		{ SAYS, "what?\n" },
		{ SAYS, "{\"type\": \"pong\", \"id\": \"1\", \"timestamp\": 1}\n" }, /* no data */
		{ SAYS, PONG PONG },
		{ SPLIT_IN_TWO, NULL },
		{ CLOSES, NULL },
		{ RESETS, NULL },
		{ REFUSES, NULL },
		{ OK, NULL },
	};
	const unsigned n = sizeof(targets) / sizeof(targets[0]);
	int listeners[sizeof(targets) / sizeof(targets[0])];
	struct process *master = start_master(n, "{ command = \"ping\"; }", NULL);

	for (unsigned i = 0; i < n; i++) {
		listeners[i] = -1;
		if (targets[i].behaviour == REFUSES)
			register_from(i, "t_shut");
		else
			listeners[i] = start_target(i);
	}
	for (unsigned i = 0; i < n; i++)
		behave(listeners[i], targets[i].behaviour, targets[i].says);
	emu_expect_code(master, 1);
	const char *json = emu_json(master);
	EXPECT_JSON(json, "master.registrations", n);
	EXPECT_JSON(json, "master.sent", n);
	EXPECT_JSON(json, "master.ok", 2);
	EXPECT_JSON(json, "master.failed", 10);
	EXPECT_JSON(json, "master.lost", 0);
	EXPECT_JSON(json, "master.unfinished", 0);
	EXPECT_JSON(json, "master.failed_by_reason.bad_answer", 7);
	EXPECT_JSON(json, "master.failed_by_reason.closed", 1);
	EXPECT_JSON(json, "master.failed_by_reason.reset", 1);
	EXPECT_JSON(json, "master.failed_by_reason.refused", 1);
	EXPECT_JSON(json, "master.lost_targets", 10);
	/* Who answered a message stays known, be it an error, another type or one without data. */
	EXPECT_JSON(json, "master.forgotten", 7);
	EXPECT_JSON(json, "master.targets", 5);
	emu_expect_prints(master, "0 commands lost, 10 failed");
	emu_expect_prints(master, "refused 1, reset 1, closed without an answer 1, bad answers 7");
	emu_expect_prints(master, "t01 t02 t03 t04 t05 t06 t07 t08 ...");
	for (unsigned i = 0; i < n; i++)
		if (listeners[i] >= 0)
			close(listeners[i]);
}

Test(emu_master, silence_is_lost)
{
	struct process *master = start_master(2, "{ command = \"ping\"; }",
					      "master.answer_timeout=200ms");
	int listeners[2] = { start_target(0), start_target(1) };
	int fds[2] = { commanded(listeners[0], "ping"), commanded(listeners[1], "ping") };

	/* It is the master that gives up, on the one that says nothing and on half an answer. */
	cr_expect(peer_end_of(fds[0]) == 0);
	cr_expect(peer_end_of(fds[1]) == 0);
	emu_expect_code(master, 1);
	const char *json = emu_json(master);
	EXPECT_JSON(json, "master.sent", 2);
	EXPECT_JSON(json, "master.lost", 2);
	EXPECT_JSON(json, "master.failed", 0);
	EXPECT_JSON(json, "master.lost_targets", 2);
	emu_expect_prints(master, "2 commands lost, 0 failed");
	cr_expect(json_number(json, "seconds") >= 0.2);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(listeners[i]);
	}
}

Test(emu_master, a_connection_that_never_comes_through_is_lost)
{
	struct process *master = start_master(1, "{ command = \"ping\"; }",
					      "master.connect_timeout=200ms");
	int listener = peer_listen(e2e_ip(1, 1), e2e_port('P')), fds[2];

	/* A queue that is full: the kernel drops what comes, as a board does that is out of reach.
	 */
	cr_assert(listen(listener, 0) == 0);
	fds[0] = peer_connect(e2e_ip(0, 8), e2e_ip(1, 1), e2e_port('P'));
	register_from(1, "full");
	emu_expect_code(master, 1);
	EXPECT_JSON(emu_json(master), "master.sent", 1);
	EXPECT_JSON(emu_json(master), "master.lost", 1);
	close(fds[0]);
	close(listener);
}

/* ---- answers ---- */

Test(emu_master, strictly_an_answer_may_come_in_pieces)
{
	struct process *master = start_master(1, "{ command = \"stand_up\"; }",
					      "master.profile=strict");
	int listener = start_target(1), fd = commanded(listener, "stand_up");

	peer_say(fd, "{\"type\": \"stan");
	go_round();
	peer_say(fd, "ding\", " REST("1") "\"data\": {\"status\": \"standing\"}}");
	go_round();
	peer_say(fd, "\n");
	cr_expect(peer_end_of(fd) == 0);
	emu_expect_code(master, 0);
	EXPECT_JSON(emu_json(master), "master.ok", 1);
	close(fd);
	close(listener);
}

Test(emu_master, odd_answers_that_the_real_master_takes)
{
	static const char *const answers[] = {
		PONG,
		"{\"type\": \"pong\", " REST("another") "\"data\": {\"status\": \"alive\"}}\n",
		"{\"type\":\"pong\",\"id\":\"1\",\"target_id\":\"x\",\"data\":{\"a\":0}}\n",
		"\n\n" PONG,
		"{\"type\": \"PoNG\", " REST("1") "\"data\": {\"status\": \"alive\"}}\r\n",
		"{\"type\": \"pong\", " REST("1") "\"data\": {\"status\": \"alive\"}}",
	};
	const unsigned n = sizeof(answers) / sizeof(answers[0]);
	int listeners[sizeof(answers) / sizeof(answers[0])];
	struct process *master = start_master(n, "{ command = \"ping\"; }", NULL);

	for (unsigned i = 0; i < n; i++)
		listeners[i] = start_target(i);
	for (unsigned i = 0; i < n; i++) {
		behave(listeners[i], SAYS, answers[i]);
		close(listeners[i]);
	}
	emu_expect_code(master, 0);
	EXPECT_JSON(emu_json(master), "master.ok", n);
}

Test(emu_master, one_command_after_the_other_where_asked)
{
	struct process *master = start_master(2, "{ command = \"ping\"; }", "master.concurrency=1");
	int listeners[2] = { start_target(0), start_target(1) };
	struct pollfd second = { listeners[1], POLLIN, 0 };
	int fd = commanded(listeners[0], "ping");

	go_round();
	cr_expect(poll(&second, 1, 0) == 0, "two at the same time");
	peer_say(fd, PONG);
	close(fd);
	behave(listeners[1], OK, NULL);
	emu_expect_code(master, 0);
	EXPECT_JSON(emu_json(master), "master.ok", 2);
	close(listeners[0]);
	close(listeners[1]);
}

Test(emu_master, kept_connections_are_used_again)
{
	struct process *master = start_master(
		1,
		"{ command = \"ping\"; times = 3; }, { command = \"activate\"; duration = -1.5; }",
		"master.connections=kept");
	int listener = start_target(1), fd = commanded(listener, "ping");
	struct pollfd another = { listener, POLLIN, 0 };
	char line[PEER_LINE];

	for (int i = 0; i < 3; i++) {
		peer_say(fd, PONG);
		peer_line(fd, line);
	}
	cr_expect(strstr(line, "\"data\": {\"duration\": -1.5, \"from\": \"master\"}") != NULL,
		  "%s", line);
	cr_expect(poll(&another, 1, 0) == 0, "another connection");
	peer_say(fd, "{\"type\": \"activated\", " REST("1") "\"data\": {\"duration\": -1.5}}\n");
	peer_expect_end(fd);
	emu_expect_code(master, 0);
	EXPECT_JSON(emu_json(master), "master.ok", 4);
	close(fd);
	close(listener);
}

Test(emu_master, a_connection_for_each_message)
{
	struct process *master = start_master(1, "{ command = \"lay_down\"; times = 3; }", NULL);
	int listener = start_target(1);

	for (int i = 0; i < 3; i++) {
		int fd = commanded(listener, "lay_down");
		peer_say(fd,
			 "{\"type\": \"down\", " REST("1") "\"data\": {\"status\": \"down\"}}\n");
		cr_expect(peer_end_of(fd) == 0); /* the master closes */
		close(fd);
	}
	emu_expect_code(master, 0);
	EXPECT_JSON(emu_json(master), "master.ok", 3);
	close(listener);
}

/* ---- registrations ---- */

Test(emu_master, registering_again_overwrites_the_address)
{
	struct process *master = start_master(2, "{ command = \"ping\"; targets = \"t01\"; }",
					      NULL);
	int before = start_target(1), after = peer_listen(e2e_ip(1, 2), e2e_port('P'));
	struct pollfd old = { before, POLLIN, 0 };

	register_from(2, "t01");
	register_from(9, "another");
	behave(after, OK, NULL);
	emu_expect_code(master, 0);
	cr_expect(poll(&old, 1, 0) == 0, "called where it was before");
	EXPECT_JSON(emu_json(master), "master.registrations", 3);
	EXPECT_JSON(emu_json(master), "master.targets", 2);
	EXPECT_JSON(emu_json(master), "master.ok", 1);
	close(before);
	close(after);
}

static void expect_rejected(const char *request, const char *error)
{
	char line[PEER_LINE];
	int fd = peer_connect(e2e_ip(1, 1), e2e_ip(0, 1), e2e_port('P'));

	peer_say(fd, request);
	if (error == NULL) {
		peer_expect_end(fd);
	} else {
		peer_line(fd, line);
		cr_expect(strstr(line, "\"type\": \"error\"") != NULL &&
				  strstr(line, error) != NULL,
			  "%s", line);
	}
	close(fd);
}

#define REGISTER(id) "{\"type\": \"register\", \"id\": \"1\", \"data\": {\"client_id\": " id "}}\n"

Test(emu_master, registrations_that_are_none)
{
	struct process *master = start_master(1, "{ command = \"ping\"; }", "master.targets_max=1");
	char longest[256], id[70];

	expect_rejected("{\"type\": \"register\", \"id\": \"1\"}\n", "client_id must be a name");
	expect_rejected(REGISTER("\"\""), "client_id must be a name");
	expect_rejected(REGISTER("\"a\\u0000b\""), "client_id must be a name");
	memset(id, 'x', 64);
	id[64] = '\0';
	snprintf(longest, sizeof(longest), REGISTER("\"%s\""), id);
	expect_rejected(longest, "longer than 63 bytes");
	expect_rejected("{\"type\": \"ping\", \"id\": \"1\"}\n", "Unsupported message type: ping");
	expect_rejected("GET / HTTP/1.0\n", NULL);
	/* One that is, with the longest name that there is room for. */
	id[63] = '\0';
	int listener = peer_listen(e2e_ip(1, 1), e2e_port('P'));
	register_from(1, id);
	behave(listener, OK, NULL);
	emu_expect_code(master, 0);
	EXPECT_JSON(emu_json(master), "master.registrations", 1);
	EXPECT_JSON(emu_json(master), "master.registrations_rejected", 6);
	EXPECT_JSON(emu_json(master), "master.ok", 1);
	close(listener);
}

Test(emu_master, more_targets_than_it_can_know)
{
	struct process *master = start_master(1, "{ command = \"ping\"; after = \"1h\"; }",
					      "master.targets_max=1");

	register_from(1, "one");
	expect_rejected(REGISTER("\"two\""), "no room for another target");
	register_from(2, "one");
	emu_signal(master, SIGTERM);
	emu_expect_code(master, 1); /* its rounds were not done */
	EXPECT_JSON(emu_json(master), "master.targets", 1);
	EXPECT_JSON(emu_json(master), "master.registrations", 2);
}

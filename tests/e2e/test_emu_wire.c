/* A fleet against a master of plain sockets that does what the real one does, and worse. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(emu_wire, .init = e2e_begin, .fini = e2e_end);

static struct {
	struct process *fleet;
	int master; /* listens */
} wire;

#define PING(id)                                                                                   \
	"{\"type\": \"ping\", \"id\": \"" id "\", \"timestamp\": 1.5, "                            \
	"\"target_id\": \"target_1\", \"data\": {\"from\": \"master\"}}\n"
#define COMMAND(type, id, data)                                                                    \
	"{\"type\": \"" type "\", \"id\": \"" id "\", \"timestamp\": 1.5, \"data\": {" data        \
	"\"from\": \"master\"}}\n"
#define PONG(id)                                                                                   \
	"{\"timestamp\": #, \"type\": \"pong\", \"data\": {\"message\": "                          \
	"\"Target reporting for duty!\", \"status\": \"alive\"}, \"id\": \"" id                    \
	"\", \"target_id\": \"target_1\"}\n"

static void start_fleet(const char *group)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "fleet = { master = { host = \"@A.0.1\"; port = @P; };\n"
		 "  groups = ( { count = 1; addresses = \"@A.1.1\"; %s } ); };\n",
		 group);
	e2e_file("fleet.cfg", config);
	wire.master = peer_listen(e2e_ip(0, 1), e2e_port('P'));
	wire.fleet = EMU("run", "@D/fleet.cfg", "--json", "--log", "/dev/stderr");
}

/* Takes its registration; the line goes to buf. */
static int registering(char buf[PEER_LINE])
{
	uint32_t ip;
	int fd = peer_accept(wire.master, &ip);

	cr_assert(ip == e2e_ip(1, 1), "registered from %08x", ip);
	peer_line(fd, buf);
	return fd;
}

static void welcome(int fd)
{
	peer_say(fd, "{\"type\": \"registered\", \"id\": \"msg_1\", \"timestamp\": 1.5, "
		     "\"target_id\": \"target_1\", \"data\": {\"status\": \"registered\"}}\n");
	/* It is the target that closes. */
	cr_expect(peer_end_of(fd) == 0);
	close(fd);
	emu_hears(wire.fleet, "event=listening ", 1);
}

static void in_service(const char *group)
{
	char line[PEER_LINE];

	start_fleet(group);
	welcome(registering(line));
}

static int call(void)
{
	return peer_connect(e2e_ip(0, 1), e2e_ip(1, 1), e2e_port('P'));
}

static const char *stop(int code)
{
	close(wire.master);
	emu_signal(wire.fleet, SIGTERM);
	emu_expect_code(wire.fleet, code);
	return emu_json(wire.fleet);
}

/* Still answers, on a connection of its own. */
static void expect_alive(void)
{
	char line[PEER_LINE];
	int fd = call();

	peer_say(fd, PING("alive"));
	peer_line(fd, line);
	cr_expect(strstr(line, "\"pong\"") != NULL && strstr(line, "\"id\": \"alive\"") != NULL,
		  "%s", line);
	close(fd);
}

/* ---- registering ---- */

Test(emu_wire, registers_as_the_board_does)
{
	char line[PEER_LINE];

	start_fleet("");
	int fd = registering(line);
	EXPECT_MATCH(line, "{\"timestamp\": #, \"type\": \"register\", \"data\": {\"client_id\": "
			   "\"target_1\"}, \"id\": \"msg_#\", \"target_id\": \"target_1\"}\n");
	/* Not answered yet: nobody listens there. */
	cr_expect(peer_try_connect(e2e_ip(0, 1), e2e_ip(1, 1), e2e_port('P')) == -ECONNREFUSED);
	welcome(fd);
	expect_alive();
	EXPECT_JSON(stop(0), "fleet.registrations", 1);
}

Test(emu_wire, registers_as_cpython_does)
{
	char line[PEER_LINE];

	start_fleet("profile = \"cpython\"; name = \"b\\xc3\\xb8rd\";");
	int fd = registering(line);
	EXPECT_MATCH(line, "{\"type\": \"register\", \"id\": \"msg_#\", \"timestamp\": #.#, "
			   "\"target_id\": \"b\\u00f8rd\", \"data\": {\"client_id\": "
			   "\"b\\u00f8rd\"}}\n");
	welcome(fd);
	stop(0);
}

Test(emu_wire, an_answer_that_is_none_is_no_registration)
{
	static const char *const answers[] = {
		"{\"type\": \"error\", \"id\": \"1\", \"data\": {\"error\": \"no\"}}\n",
		"{\"type\": \"pong\", \"id\": \"1\", \"timestamp\": 1, \"data\": {\"a\": 1}}\n",
		"hello\n",
	};
	char line[PEER_LINE];

	start_fleet("");
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		int fd = registering(line);
		peer_say(fd, answers[i]);
		peer_expect_end(fd);
		close(fd);
		emu_hears(wire.fleet, "event=register_failed", 1);
	}
	int fd = registering(line); /* closed without an answer */
	close(fd);
	emu_hears(wire.fleet, "event=register_failed", 1);
	welcome(registering(line));
	const char *json = stop(0);
	EXPECT_JSON(json, "fleet.register_failures", 4);
	EXPECT_JSON(json, "fleet.registrations", 1);
}

/* ---- commands ---- */

Test(emu_wire, answers_as_the_board_does)
{
	static const struct {
		const char *command, *answer;
	} cases[] = {
		{ PING("msg_1"), PONG("msg_1") },
		{ COMMAND("stand_up", "2", ""),
		  "{\"timestamp\": #, \"type\": \"standing\", \"data\": {\"message\": "
		  "\"Stand up command queued\", \"status\": \"command_queued\"}, \"id\": \"2\", "
		  "\"target_id\": \"target_1\"}\n" },
		{ COMMAND("lay_down", "3", ""),
		  "{\"timestamp\": #, \"type\": \"down\", \"data\": {\"message\": "
		  "\"Lay down command queued\", \"status\": \"command_queued\"}, \"id\": \"3\", "
		  "\"target_id\": \"target_1\"}\n" },
		{ COMMAND("activate", "4", "\"duration\": 0.25, "),
		  "{\"timestamp\": #, \"type\": \"activated\", \"data\": {\"duration\": 0.25, "
		  "\"message\": \"Activation command queued\", \"status\": \"activation_queued\"}, "
		  "\"id\": \"4\", \"target_id\": \"target_1\"}\n" },
		{ "{\"id\":7,\"TYPE\":0,\"type\":\"PiNg\"}\n",
		  "{\"timestamp\": #, \"type\": \"pong\", \"data\": {\"message\": "
		  "\"Target reporting for duty!\", \"status\": \"alive\"}, \"id\": 7, "
		  "\"target_id\": \"target_1\"}\n" },
		{ COMMAND("register", "5", ""),
		  "{\"timestamp\": #, \"type\": \"error\", \"data\": {\"error\": "
		  "\"Unsupported command: register\"}, \"id\": \"5\", \"target_id\": "
		  "\"target_1\"}\n" },
	};
	char line[PEER_LINE];

	in_service("");
	/* A connection for each message, as the real master has it; then all over one. */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = call();
		peer_say(fd, cases[i].command);
		peer_line(fd, line);
		EXPECT_MATCH(line, cases[i].answer);
		close(fd);
	}
	int fd = call();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		peer_say(fd, cases[i].command);
		peer_line(fd, line);
		EXPECT_MATCH(line, cases[i].answer);
	}
	close(fd);
	const char *json = stop(0);
	EXPECT_JSON(json, "fleet.commands.ping", 4);
	EXPECT_JSON(json, "fleet.commands.stand_up", 2);
	EXPECT_JSON(json, "fleet.commands.activate", 2);
	EXPECT_JSON(json, "fleet.answers", 10);
	EXPECT_JSON(json, "fleet.errors_answered", 2);
}

Test(emu_wire, lines_however_they_come)
{
	char lines[2 * PEER_LINE];

	in_service("");
	int fd = call();
	peer_say(fd, PING("one") PING("two")); /* in one segment */
	peer_lines(fd, lines, sizeof(lines), 2);
	EXPECT_MATCH(lines, PONG("one") PONG("two"));
	peer_say(fd, "\n\r\n  \n{\"type\": \"ping\", \"id\": \"crlf\"}\r\n");
	peer_line(fd, lines);
	EXPECT_MATCH(lines, PONG("crlf"));
	peer_say(fd, "{\"type\": \"pi");
	peer_say(fd, "ng\", \"id\": \"in");
	peer_say(fd, " pieces\"}");
	peer_say(fd, "\n");
	peer_line(fd, lines);
	EXPECT_MATCH(lines, PONG("in pieces"));
	close(fd);
	EXPECT_JSON(stop(0), "fleet.bad_lines", 0);
}

Test(emu_wire, a_half_closed_connection_is_answered)
{
	char line[PEER_LINE];

	in_service("");
	int fd = call();
	peer_say(fd, PING("last"));
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	peer_line(fd, line);
	EXPECT_MATCH(line, PONG("last"));
	cr_expect(peer_end_of(fd) == 0);
	close(fd);
	/* Without its newline it is no line. */
	fd = call();
	peer_say(fd, "{\"type\": \"ping\", \"id\": \"1\"}");
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	cr_expect(peer_end_of(fd) == 0);
	close(fd);
	EXPECT_JSON(stop(0), "fleet.commands.ping", 1);
}

Test(emu_wire, a_half_closed_connection_waits_for_what_is_done)
{
	char line[PEER_LINE];

	in_service("reply = \"done\"; rise = \"60ms\";");
	int fd = call();
	peer_say(fd, COMMAND("stand_up", "1", ""));
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	peer_line(fd, line);
	cr_expect(strstr(line, "\"status\": \"standing\"") != NULL, "%s", line);
	cr_expect(peer_end_of(fd) == 0);
	close(fd);
	/* Gone before its answer: the move is made all the same. */
	fd = call();
	peer_say(fd, COMMAND("lay_down", "2", ""));
	emu_hears(wire.fleet, "event=falling ", 1);
	peer_reset(fd);
	emu_hears(wire.fleet, "event=down ", 1);
	expect_alive();
	EXPECT_JSON(stop(0), "fleet.moves", 2);
}

static void say_long(int fd, size_t len)
{
	static char pad[65536];

	memset(pad, 'x', sizeof(pad));
	peer_say(fd, "{\"type\": \"ping\", \"id\": \"long\", \"pad\": \"");
	peer_send(fd, pad, len);
	peer_say(fd, "\"}\n");
}

Test(emu_wire, long_lines)
{
	char line[PEER_LINE];

	in_service("");
	int fd = call();
	for (int i = 0; i < 3; i++) {
		say_long(fd, 20000);
		peer_line(fd, line);
		EXPECT_MATCH(line, PONG("long"));
	}
	say_long(fd, 40000); /* past fleet.groups[].line_limit */
	peer_expect_end(fd);
	close(fd);
	expect_alive();
	EXPECT_JSON(stop(0), "fleet.bad_lines", 1);
}

Test(emu_wire, a_full_queue_answers_an_error)
{
	char line[PEER_LINE];

	in_service("queue = 2; rise = \"1h\";");
	int fd = call();
	peer_say(fd, COMMAND("stand_up", "1", ""));
	peer_line(fd, line);
	peer_say(fd, COMMAND("lay_down", "2", ""));
	peer_line(fd, line);
	peer_say(fd, COMMAND("stand_up", "3", ""));
	peer_line(fd, line);
	cr_expect(strstr(line, "\"error\": \"Command queue full\"") != NULL, "%s", line);
	peer_say(fd, PING("still there"));
	peer_line(fd, line);
	EXPECT_MATCH(line, PONG("still there"));
	close(fd);
	EXPECT_JSON(stop(0), "fleet.queue_full", 1);
}

Test(emu_wire, more_connections_than_it_takes_are_closed)
{
	char line[PEER_LINE];
	int fds[3];

	in_service("connections = 3;");
	for (int i = 0; i < 3; i++)
		fds[i] = call();
	int fourth = call();
	peer_expect_end(fourth);
	close(fourth);
	for (int i = 0; i < 3; i++) {
		peer_say(fds[i], PING("mine"));
		peer_line(fds[i], line);
		EXPECT_MATCH(line, PONG("mine"));
		close(fds[i]);
	}
	EXPECT_JSON(stop(0), "fleet.conn_refused", 1);
}

/* ---- bad lines ---- */

enum reaction { CLOSES, IGNORES, ANSWERS, TELLS };

static const struct bad_line {
	const char *line;
	size_t len;
	enum reaction pico, cpython, strict;
} bad_lines[] = {
#define LINE(text) text, sizeof(text) - 1
	{ LINE("hello\n"), CLOSES, IGNORES, TELLS },
	{ LINE("{\"type\": \"ping\", \"id\": \"1\0\"}\n"), CLOSES, IGNORES, TELLS },
	{ LINE("{\"id\": \"1\"}\n"), CLOSES, IGNORES, TELLS },
	{ LINE("{\"type\": \"ping\"}\n"), CLOSES, IGNORES, TELLS },
	{ LINE("{\"type\": \"dance\", \"id\": \"1\"}\n"), CLOSES, IGNORES, TELLS },
	{ LINE("{\"type\": \"ping\", \"id\": \"1\",}\n"), ANSWERS, IGNORES, TELLS },
	{ LINE("{\"type\" \"ping\", \"id\": \"1\"}\n"), ANSWERS, IGNORES, TELLS },
	{ LINE("[1, 2]\n"), CLOSES, CLOSES, TELLS },
	{ LINE("5\n"), CLOSES, CLOSES, TELLS },
	{ LINE("null\n"), CLOSES, CLOSES, TELLS },
	{ LINE("{\"type\": 5, \"id\": \"1\"}\n"), CLOSES, CLOSES, TELLS },
	{ LINE("{\"type\": \"ping\", \"id\": \"\xff\"}\n"), CLOSES, CLOSES, TELLS },
#undef LINE
};

static void expect_reaction(const struct bad_line *bad, enum reaction reaction)
{
	char line[PEER_LINE];
	int fd = call();

	peer_send(fd, bad->line, bad->len);
	if (reaction == CLOSES) {
		peer_expect_end(fd);
		close(fd);
		return;
	}
	if (reaction != IGNORES) {
		peer_line(fd, line);
		cr_expect(strstr(line, reaction == TELLS ? "\"error\"" : "\"pong\"") != NULL,
			  "%s: %s", bad->line, line);
	}
	/* The connection stays, and what comes next is this answer. */
	peer_say(fd, PING("next"));
	peer_line(fd, line);
	cr_expect(strstr(line, "\"pong\"") != NULL && strstr(line, "\"next\"") != NULL, "%s: %s",
		  bad->line, line);
	close(fd);
}

static void expect_reactions(const char *group, size_t offset)
{
	const size_t n = sizeof(bad_lines) / sizeof(bad_lines[0]);
	size_t bad = 0;

	in_service(group);
	for (size_t i = 0; i < n; i++) {
		enum reaction reaction;
		memcpy(&reaction, (const char *)&bad_lines[i] + offset, sizeof(reaction));
		expect_reaction(&bad_lines[i], reaction);
		bad += reaction != ANSWERS;
	}
	expect_alive();
	EXPECT_JSON(stop(0), "fleet.bad_lines", bad);
}

Test(emu_wire, bad_lines_as_the_board)
{
	expect_reactions("", offsetof(struct bad_line, pico));
}

Test(emu_wire, bad_lines_as_cpython)
{
	expect_reactions("profile = \"cpython\";", offsetof(struct bad_line, cpython));
}

Test(emu_wire, bad_lines_strictly)
{
	expect_reactions("profile = \"strict\";", offsetof(struct bad_line, strict));
}

Test(emu_wire, half_a_character_at_the_end_of_a_read)
{
	in_service("");
	int fd = call();
	peer_say(fd, "{\"type\": \"ping\", \"id\": \"\xc3");
	peer_expect_end(fd);
	close(fd);
	stop(0);
}

/*
 * The program for a real board (fixtures/pico/main.py) against our master and against bad lines,
 * under CPython with pins that are files. Without Python this is a skip, and counted as one.
 */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(pico_program, .init = e2e_begin, .fini = e2e_end, .timeout = 60);

static struct process board;
static char line[PEER_LINE];

static void start_board(const char *more)
{
	char config[512], script[512], shim[512];
	const char *source = getenv("QN_SOURCE_DIR");

	if (system("/usr/bin/python3 -c 'import asyncio' 2>/dev/null") != 0) {
		printf("no python3 here\n");
		fflush(stdout);
		e2e_end();
		cr_skip("no python3 here");
	}
	source = source != NULL ? source : ".";
	snprintf(config, sizeof(config),
		 "{\"ssid\": \"range\", \"password\": \"secret\", \"master\": \"@A.0.1\", "
		 "\"master_port\": @P, \"port\": @Q, \"move_ms\": 30%s}",
		 more);
	const char *path = e2e_file("config.json", config);
	snprintf(script, sizeof(script), "%s/fixtures/pico/main.py", source);
	snprintf(shim, sizeof(shim), "%s/tests/support/pico", source);
	setenv("PYTHONPATH", shim, 1);
	setenv("PYTHONUNBUFFERED", "1", 1);
	setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	setenv("PICO_PINS", e2e_text("@D"), 1);
	const char *const argv[] = { "/usr/bin/python3", script, path, NULL };
	process_start(&board, argv, NULL);
}

static void says(const char *text)
{
	struct process *const all[] = { &board };

	while (strstr(board.out.text, text) == NULL) {
		cr_assert(!process_ended(&board) && process_pump(all, 1, PATIENCE_MS),
			  "no \"%s\":\n%s\n%s", text, board.out.text, board.err.text);
		e2e_pump();
	}
}

/* In this order, with whatever in between. */
static void said_in_order(const char *text, const char *const lines[])
{
	for (size_t i = 0; lines[i] != NULL; i++) {
		const char *at = strstr(text, lines[i]);
		cr_assert(at != NULL, "no \"%s\" where it should be:\n%s\n%s", lines[i],
			  board.out.text, board.err.text);
		text = at + strlen(lines[i]);
	}
}

static int connect_to_board(void)
{
	return peer_connect(e2e_ip(0, 1), 0x7f000001, e2e_port('Q'));
}

static void say(int fd, const char *text)
{
	peer_send(fd, text, strlen(text));
}

static const char *hear(int fd)
{
	size_t len = 0;

	do {
		ssize_t n = read(fd, line + len, 1);
		cr_assert(n == 1, "an answer");
	} while (line[len++] != '\n');
	line[len] = '\0';
	return line;
}

static void expect(int fd, const char *part)
{
	cr_expect(strstr(hear(fd), part) != NULL, "%s has no %s", line, part);
}

#define ONE "targets = \"target_1\";"

Test(pico_program, serves_our_master)
{
	e2e_file(
		"master.cfg",
		"master = { listen = { host = \"@A.0.1\"; port = @P; }; target_port = @Q; wait = { "
		"targets = 2; }; rounds = ( { command = \"ping\"; times = 2; " ONE
		" }, { command = "
		"\"stand_up\"; " ONE " }, { command = \"lay_down\"; after = \"100ms\"; " ONE " }, "
		"{ command = \"activate\"; duration = 0.05; after = \"100ms\"; " ONE " }, "
		"{ command = \"ping\"; after = \"20ms\"; " ONE " }, { command = \"ping\"; after = "
		"\"300ms\"; " ONE " } ); };\n");
	struct process *master = EMU("run", "@D/master.cfg", "--json");
	emu_listens(master, e2e_ip(0, 1), e2e_port('P'));
	start_board("");
	/* It registers before it listens: what the master has to wait for is a second registration.
	 */
	says("listening");
	peer_register(e2e_ip(0, 9), e2e_ip(0, 1), e2e_port('P'), "gate");
	emu_expect_code(master, 0);
	const char *json = emu_json(master);
	EXPECT_JSON(json, "master.ok", 7);
	EXPECT_JSON(json, "master.registrations", 2);
	says("miss");
	said_in_order(board.out.text,
		      (const char *const[]){
			      "target_1: starting\n", "target_1: joining the Wi-Fi\n",
			      "target_1: address 127.0.0.1\n", "target_1: registering\n",
			      "target_1: registered\n", "target_1: listening\n",
			      "target_1: stand_up\n", "target_1: rising\n", "target_1: standing\n",
			      "target_1: lay_down\n", "target_1: falling\n", "target_1: down\n",
			      "target_1: activate\n", "target_1: rising\n", "target_1: standing\n",
			      "target_1: active\n", "target_1: miss\n", NULL });
	said_in_order(board.err.text, (const char *const[]){ "servo 16 50 Hz 500000 ns\n",
							     "servo 16 50 Hz 1500000 ns\n",
							     "servo 16 50 Hz 500000 ns\n",
							     "servo 16 50 Hz 1500000 ns\n", NULL });
}

/* Registers with a master that is this test, and listens only then. */
static void registered(const char *more)
{
	int listener = peer_listen(e2e_ip(0, 1), e2e_port('P'));

	start_board(more);
	int fd = peer_accept(listener, NULL);
	hear(fd);
	cr_expect(strstr(line, "\"type\": \"register\"") != NULL, "%s", line);
	cr_expect(strstr(line, "\"data\": {\"client_id\": \"target_1\"}") != NULL, "%s", line);
	cr_expect(strstr(board.out.text, "listening") == NULL);
	say(fd, "{\"type\": \"registered\", \"id\": \"x\", \"data\": {}}\n");
	close(fd);
	close(listener);
	says("listening");
}

Test(pico_program, lines_as_they_come)
{
	static char big[20100];

	registered("");
	int fd = connect_to_board();
	say(fd, "{\"type\": \"PING\", \"id\": \"a\"}\r\n\n{\"type\": \"ping\", \"id\": 7}\n");
	expect(fd, "\"id\": \"a\"");
	expect(fd, "\"id\": 7");
	say(fd, "{\"type\": \"pi");
	say(fd, "ng\", \"id\": null}\n");
	expect(fd, "\"id\": \"msg_");
	memset(big, ' ', 20000);
	strcpy(big + 20000, "{\"type\": \"ping\", \"id\": \"big\"}\n");
	say(fd, big);
	expect(fd, "Target reporting for duty!");
	say(fd, "{\"type\": \"activate\", \"id\": \"b\", \"data\": {\"duration\": -1.5}}\n");
	expect(fd, "\"duration\": -1.5");
	say(fd, "{\"type\": \"ping\", \"id\": \"last\"}\n{\"type\": \"ping\", \"id\": \"half");
	shutdown(fd, SHUT_WR);
	expect(fd, "\"id\": \"last\"");
	peer_expect_end(fd);
	close(fd);
}

Test(pico_program, a_bad_line_ends_its_connection_alone)
{
	static const char *const bad[] = {
		"nonsense\n",
		"{\"type\": \"ping\"}\n",
		"{\"id\": \"a\"}\n",
		"{\"type\": \"jump\", \"id\": \"a\"}\n",
		"{\"type\": 5, \"id\": \"a\"}\n",
		"[1]\n",
		"7\n",
		"null\n",
		"\"\xff\xfe\"\n",
	};

	registered("");
	int other = connect_to_board();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = connect_to_board();
		say(fd, bad[i]);
		peer_expect_end(fd);
		close(fd);
	}
	say(other, "{\"type\": \"ping\", \"id\": \"still\"}\n");
	expect(other, "\"id\": \"still\"");
	close(other);
}

Test(pico_program, a_hit_ends_the_activation_and_a_full_queue_is_told)
{
	registered("");
	int fd = connect_to_board();

	say(fd, "{\"type\": \"activate\", \"id\": \"a\", \"data\": {\"duration\": 50}}\n");
	expect(fd, "\"duration\": 50");
	says("active\n");
	for (int i = 0; i < 7; i++) {
		say(fd, "{\"type\": \"lay_down\", \"id\": \"a\"}\n");
		expect(fd, "Lay down command queued");
	}
	say(fd, "{\"type\": \"lay_down\", \"id\": \"a\"}\n");
	expect(fd, "Command queue full");
	e2e_file("adc26", "");
	says("hit\n");
	says("falling\n");
	close(fd);
}

Test(pico_program, switches_say_when_a_move_is_over)
{
	registered(", \"switch_up_pin\": 14, \"switch_down_pin\": 15, \"move_ms\": 400");
	int fd = connect_to_board();

	say(fd, "{\"type\": \"stand_up\", \"id\": \"a\"}\n");
	hear(fd);
	says("rising\n");
	e2e_file("pin14", "");
	says("standing\n");
	say(fd, "{\"type\": \"lay_down\", \"id\": \"a\"}\n");
	hear(fd);
	says("stuck\n"); /* nothing ever closes the other one */
	cr_expect(strstr(board.out.text, ": down\n") == NULL);
	close(fd);
}

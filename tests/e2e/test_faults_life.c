/* Faults of a target's life, as its master and its clients see them: docs/FAULTS.md "Its life". */
#include "tests/support/faulty.h"

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;

/* Nobody else registers within so long. */
static void no_more(int ms)
{
	faulty_quiet(f.master, ms);
}

/* It takes its time until another target's answer ends the fault. */
Test(faults, never_register)
{
	faulty_start(&f, "", "count = 2;",
		     "{ do = \"fault\"; at = \"0s\"; targets = \"target_1\";"
		     "  fault = { kind = \"never_register\"; }; },"
		     "{ do = \"clear\"; after = \"target_2 answers\"; }");
	cr_expect(faulty_registers(&f) == e2e_ip(1, 2));
	no_more(300);
	cr_expect(peer_try_connect(0, e2e_ip(1, 1), e2e_port('P')) == -ECONNREFUSED);
	int fd = faulty_call_to(&f, 2);
	peer_say(fd, PING("go"));
	cr_expect(faulty_registers(&f) == e2e_ip(1, 1));
	close(fd);
	fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, register_late)
{
	faulty_start(&f, "", "count = 2;",
		     "{ do = \"fault\"; at = \"0s\"; targets = \"target_1\";"
		     "  fault = { kind = \"register_late\"; time = \"800ms\"; }; }");
	cr_expect(faulty_registers(&f) == e2e_ip(1, 2));
	cr_expect(faulty_registers(&f) == e2e_ip(1, 1));
	cr_expect(faulty_ms() - f.started_ms >= 800);
	faulty_stop(&f, 0);
}

Test(faults, register_twice)
{
	faulty_start(&f, "{ kind = \"register_twice\"; }", "", "");
	for (int i = 0; i < 2; i++)
		cr_expect(faulty_registers(&f) == e2e_ip(1, 1));
	no_more(300);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "registered") == 2);
}

Test(faults, register_as)
{
	char line[PEER_LINE];

	faulty_start(&f, "{ kind = \"register_as\"; text = \"target_2\"; }", "", "");
	faulty_welcome(faulty_asks(&f, line, NULL));
	EXPECT_MATCH(line, "{\"timestamp\": #, \"type\": \"register\", \"data\": {\"client_id\": "
			   "\"target_2\"}, \"id\": \"msg_#\", \"target_id\": \"target_2\"}\n");
	/* It is called what it is called all the same. */
	int fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
}

/* The longest there may be, each character of it six bytes on the wire, twice in the line. */
Test(faults, register_as_in_ascii)
{
	char fault[512], line[PEER_LINE], *text = fault;

	text += sprintf(text, "{ kind = \"register_as\"; text = \"");
	for (int i = 0; i < 127; i++)
		text += sprintf(text, "\xc3\xb8");
	strcpy(text, "x\"; }");
	faulty_start(&f, fault, "profile = \"cpython\";", "");
	faulty_welcome(faulty_asks(&f, line, NULL));
	cr_expect(faulty_count(line, "\\u00f8") == 254, "%s", line);
	faulty_stop(&f, 0);
}

Test(faults, register_from)
{
	faulty_start(&f, "{ kind = \"register_from\"; address = \"@A.3.3\"; }", "", "");
	cr_expect(faulty_registers(&f) == e2e_ip(3, 3));
	int fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	cr_expect(peer_try_connect(0, e2e_ip(3, 3), e2e_port('P')) == -ECONNREFUSED);
	faulty_stop(&f, 0);
}

Test(faults, register_storm)
{
	faulty_start(&f, "{ kind = \"register_storm\"; count = 6; time = \"40ms\"; }", "", "");
	for (int i = 0; i < 6; i++)
		cr_expect(faulty_registers(&f) == e2e_ip(1, 1));
	cr_expect(faulty_ms() - f.started_ms >= 200);
	no_more(300);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "registered") == 6);
}

/* In service already: it begins at once. */
Test(faults, register_storm_in_service)
{
	faulty_in_service(&f, "", "",
			  "{ do = \"fault\"; after = \"target_1 answers\"; fault = {"
			  "  kind = \"register_storm\"; count = 3; time = \"10ms\"; }; }");
	int fd = faulty_call(&f);
	faulty_expect_pong(fd);
	for (int i = 0; i < 3; i++)
		faulty_registers(&f);
	no_more(200);
	close(fd);
	faulty_stop(&f, 0);
}

/* In the middle of a move whose answer is still to come: it is lost with all the rest. */
Test(faults, reboot)
{
	char line[PEER_LINE];

	faulty_in_service(
		&f, "", "reply = \"done\"; rise = \"1h\";",
		"{ do = \"fault\"; after = \"target_1 rises\"; times = 1;"
		"  fault = { kind = \"reboot\"; every = \"150ms\"; for = \"400ms\"; }; }");
	int fd = faulty_call(&f);
	peer_say(fd, MOVE("stand_up", "1"));
	cr_expect(peer_end_of(fd) == -ECONNRESET);
	close(fd);
	faulty_registers(&f);
	int second = faulty_asks(&f, line, NULL); /* once more, and then the time is over */
	faulty_welcome(second);
	fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "power_off") == 2 && faulty_logged(&f, "power_on") == 3);
}

Test(faults, crash_after_activation)
{
	char line[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"crash_after_activation\"; }", "", "");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	faulty_ask(fd, ACTIVATE("0.3"), line);
	cr_expect(strstr(line, "\"activated\"") != NULL, "%s", line);
	cr_expect(peer_end_of(fd) == -ECONNRESET);
	/* Standing up, the activation, lying down. */
	cr_expect(faulty_ms() - start >= 399);
	cr_expect(peer_try_connect(0, e2e_ip(1, 1), e2e_port('P')) == -ECONNREFUSED);
	close(fd);
	no_more(200);
	faulty_stop(&f, 1); /* a target is gone */
	cr_expect(faulty_logged(&f, "crashed") == 1);
}

/* Connections are made, nothing is read; afterwards all is answered, in order, nothing is lost. */
Test(faults, hang)
{
	char lines[PEER_LINE];

	faulty_in_service(&f, "", "",
			  "{ do = \"fault\"; after = \"target_1 answers\";"
			  "  fault = { kind = \"hang\"; for = \"1500ms\"; }; }");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	faulty_expect_pong(fd);
	peer_say(fd, PING("1"));
	peer_say(fd, PING("2"));
	int halved = faulty_call(&f), given_up = faulty_call(&f);
	peer_say(halved, PING("3"));
	cr_assert(shutdown(halved, SHUT_WR) == 0);
	peer_say(given_up, PING("4"));
	peer_reset(given_up);
	faulty_quiet(fd, 300);
	faulty_quiet(halved, 200);
	peer_say(fd, PING("5"));
	peer_lines(fd, lines, sizeof(lines), 3);
	cr_expect(faulty_ms() - start >= 1499);
	EXPECT_MATCH(lines, PONG("1") PONG("2") PONG("5"));
	peer_line(halved, lines);
	EXPECT_MATCH(lines, PONG("3"));
	cr_expect(peer_end_of(halved) == 0);
	close(halved);
	close(fd);
	faulty_stop(&f, 0);
}

/* In the middle of a move and of an activation: they take so much longer. */
Test(faults, hang_while_it_moves)
{
	char line[PEER_LINE];

	faulty_in_service(&f, "", "reply = \"done\";",
			  "{ do = \"fault\"; after = \"target_1 rises\";"
			  "  fault = { kind = \"hang\"; for = \"500ms\"; }; }");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	faulty_ask(fd, MOVE("stand_up", "1"), line);
	cr_expect(faulty_ms() - start >= 499);
	cr_expect(strstr(line, "\"status\": \"standing\"") != NULL, "%s", line);
	close(fd);
	faulty_stop(&f, 0);
}

/* Its program stands still while it registers: the answer waits for it. */
Test(faults, hang_while_it_registers)
{
	char line[PEER_LINE];
	uint32_t ip;

	faulty_start(&f, "", "",
		     "{ do = \"fault\"; after = \"target_1 registering\";"
		     "  fault = { kind = \"hang\"; for = \"500ms\"; }; }");
	/* The connection is there; what it has to say comes when it wakes up. */
	int fd = peer_accept(f.master, &ip);
	peer_line(fd, line);
	cr_expect(faulty_ms() - f.started_ms >= 500);
	faulty_welcome(fd);
	fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "register_failed") == 0);
}

Test(faults, out_of_memory)
{
	faulty_in_service(&f, "{ kind = \"out_of_memory\"; count = 3; }", "", "");
	int fd = faulty_call(&f), other = faulty_call(&f);
	for (int i = 0; i < 3; i++)
		faulty_expect_pong(fd);
	peer_say(fd, PING("one too many"));
	cr_expect(peer_end_of(fd) == -ECONNRESET);
	cr_expect(peer_end_of(other) == -ECONNRESET);
	cr_expect(peer_try_connect(0, e2e_ip(1, 1), e2e_port('P')) == -ECONNREFUSED);
	close(fd);
	close(other);
	faulty_stop(&f, 1);
	emu_expect_says(f.fleet, "event=crashed target=\"target_1\" text=\"out of memory\"");
}

/* Faults of the network, as a client of plain sockets sees them: docs/FAULTS.md "The network". */
#include "tests/support/faulty.h"

#include <fcntl.h>
#include <netinet/in.h>

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;

/* Switched on while it serves: who is connected stays so, nobody else gets in. */
Test(faults, refuse)
{
	char line[PEER_LINE];

	faulty_in_service(&f, "", "",
			  "{ do = \"fault\"; after = \"target_1 answers\";"
			  "  fault = { kind = \"refuse\"; }; },"
			  "{ do = \"clear\"; after = \"target_1 lies\"; }");
	int fd = faulty_call(&f);
	faulty_expect_pong(fd);
	faulty_refuses(&f);
	cr_expect(peer_try_connect(0, e2e_ip(1, 1), e2e_port('P')) == -ECONNREFUSED);
	faulty_ask(fd, MOVE("lay_down", "1"), line);
	close(fd);
	fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
}

/* From the start: it registers, and cannot be reached; a power cycle changes nothing. */
Test(faults, refuse_from_the_start)
{
	faulty_in_service(&f, "{ kind = \"refuse\"; }", "",
			  "{ do = \"reboot\"; after = \"target_1 registers\"; }");
	faulty_registers(&f);
	emu_hears(f.fleet, "event=registered ", 2);
	cr_expect(peer_try_connect(0, e2e_ip(1, 1), e2e_port('P')) == -ECONNREFUSED);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "listening") == 0);
}

Test(faults, silent)
{
	faulty_in_service(&f, "{ kind = \"silent\"; }", "", "");
	int fd = faulty_call(&f);
	peer_say(fd, PING("1"));
	peer_say(fd, PING("2"));
	faulty_quiet(fd, 300);
	/* It reads: an end is noticed. */
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	cr_expect(peer_end_of(fd) == 0);
	close(fd);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "command") == 0);
}

Test(faults, delay)
{
	char lines[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"delay\"; time = \"700ms\"; }", "", "");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	peer_say(fd, PING("first") PING("second"));
	faulty_quiet(fd, 250);
	peer_lines(fd, lines, sizeof(lines), 2);
	cr_expect(faulty_ms() - start >= 699);
	EXPECT_MATCH(lines, PONG("first") PONG("second"));
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, drop)
{
	faulty_in_service(&f, "{ kind = \"drop\"; }", "",
			  "{ do = \"clear\"; after = \"target_1 stands\"; }");
	int fd = faulty_call(&f);
	peer_say(fd, PING("1"));
	peer_say(fd, MOVE("stand_up", "2")); /* done, though nobody is told */
	faulty_quiet(fd, 300);
	/* The connection is the same as ever. */
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "standing") == 1);
	cr_expect(faulty_logged(&f, "answer") == 1);
}

Test(faults, close_before)
{
	faulty_in_service(&f, "{ kind = \"close_before\"; }", "", "");
	for (int i = 0; i < 3; i++) {
		int fd = faulty_call(&f);
		peer_say(fd, PING("1"));
		cr_expect(peer_end_of(fd) == 0);
		close(fd);
	}
	faulty_stop(&f, 0);
}

Test(faults, close_middle)
{
	char got[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"close_middle\"; factor = 0.25; }", "", "");
	int fd = faulty_call(&f);
	peer_say(fd, PING("middle"));
	faulty_read_all(fd, got, sizeof(got));
	cr_expect(strlen(got) == PONG_LEN("middle") / 4, "%zu bytes: %s", strlen(got), got);
	cr_expect(strncmp(got, "{\"timestamp\": ", 14) == 0, "%s", got);
	close(fd);
	faulty_stop(&f, 0);
}

/* With other network faults: the end comes late, behind the pieces. */
Test(faults, close_middle_in_pieces)
{
	char got[PEER_LINE];

	faulty_in_service(&f,
			  "{ kind = \"close_middle\"; },"
			  "{ kind = \"delay\"; time = \"100ms\"; },"
			  "{ kind = \"split\"; count = 2; time = \"200ms\"; }",
			  "", "");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	peer_say(fd, PING("middle"));
	faulty_read_all(fd, got, sizeof(got));
	cr_expect(faulty_ms() - start >= 299);
	cr_expect(strlen(got) == PONG_LEN("middle") / 2, "%zu bytes: %s", strlen(got), got);
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, reset)
{
	faulty_in_service(&f, "{ kind = \"reset\"; }", "", "");
	int fd = faulty_call(&f);
	peer_say(fd, PING("1"));
	cr_expect(peer_end_of(fd) == -ECONNRESET);
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, trickle)
{
	char line[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"trickle\"; bytes = 8; time = \"20ms\"; }", "", "");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	peer_say(fd, PING("slowly"));
	unsigned reads = faulty_read(fd, line, sizeof(line), PONG_LEN("slowly"));
	int64_t gaps = (PONG_LEN("slowly") + 7) / 8 - 1;
	cr_expect(faulty_ms() - start >= gaps * 20 - 1, "%lld ms",
		  (long long)(faulty_ms() - start));
	cr_expect(reads > 1 && reads <= gaps + 1, "%u reads", reads);
	EXPECT_MATCH(line, PONG("slowly"));
	close(fd);
	faulty_stop(&f, 0);
}

/* Its reader may be late, and find two pieces in one: never anything but whole pieces. */
Test(faults, split)
{
	const size_t len = PONG_LEN("split"), first = (len + 2) / 3, second = first + (len + 1) / 3;
	char line[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"split\"; count = 3; time = \"300ms\"; }", "", "");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	peer_say(fd, PING("split"));
	for (size_t done = 0; done < len;) {
		ssize_t n = peer_recv(fd, line + done, sizeof(line) - done);
		cr_assert(n > 0 && (done > 0 || (size_t)n < len), "at once");
		done += (size_t)n;
		cr_expect(done == first || done == second || done == len, "%zu bytes", done);
	}
	cr_expect(faulty_ms() - start >= 599);
	EXPECT_MATCH(line, PONG("split"));
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, coalesce)
{
	char lines[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"coalesce\"; time = \"1s\"; }", "", "");
	int fd = faulty_call(&f);
	peer_say(fd, PING("one"));
	faulty_quiet(fd, 100);
	peer_say(fd, PING("two"));
	cr_assert(peer_recv(fd, lines, sizeof(lines)) > 0);
	EXPECT_MATCH(lines, PONG("one") PONG("two"));
	/* Nothing comes to join it: alone, after the time; and an end waits for it. */
	int64_t start = faulty_ms();
	peer_say(fd, PING("alone"));
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	peer_line(fd, lines);
	EXPECT_MATCH(lines, PONG("alone"));
	cr_expect(faulty_ms() - start >= 999);
	cr_expect(peer_end_of(fd) == 0);
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, bandwidth)
{
	char line[PEER_LINE];

	faulty_in_service(&f, "{ kind = \"bandwidth\"; bytes = 400; }", "", "");
	int fd = faulty_call(&f);
	int64_t start = faulty_ms();
	peer_say(fd, PING("narrow"));
	faulty_read(fd, line, sizeof(line), PONG_LEN("narrow"));
	int64_t took = faulty_ms() - start, least = (int64_t)PONG_LEN("narrow") * 1000 / 400;
	cr_expect(took >= least - 1, "%lld ms instead of %lld", (long long)took, (long long)least);
	EXPECT_MATCH(line, PONG("narrow"));
	close(fd);
	faulty_stop(&f, 0);
}

/* ---- outage ---- */

static int begin_connect(unsigned target)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(e2e_port('P')),
				  .sin_addr.s_addr = htonl(e2e_ip(1, target)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0);
	cr_assert(connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 && errno == EINPROGRESS);
	return fd;
}

static bool connected(int fd, int timeout_ms)
{
	struct pollfd poller = { fd, POLLOUT, 0 };
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&poller, 1, timeout_ms) == 0)
		return false;
	cr_assert(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0, "%s",
		  strerror(error));
	fcntl(fd, F_SETFL, 0);
	return true;
}

/* All of the group at once. What was said meanwhile is heard afterwards: TCP repeats it. */
Test(faults, outage)
{
	char line[PEER_LINE];

	faulty_start(&f, "", "count = 3; reply = \"done\";",
		     "{ do = \"fault\"; after = \"target_1 rises\";"
		     "  fault = { kind = \"outage\"; for = \"3s\"; }; }");
	for (int i = 0; i < 3; i++)
		faulty_registers(&f);
	int moving = faulty_call(&f), second = faulty_call_to(&f, 2);
	faulty_expect_pong(moving);
	int64_t start = faulty_ms();
	peer_say(moving, MOVE("stand_up", "late"));
	emu_hears(f.fleet, "event=fault_on", 3);
	/* The move was over long ago; its answer does not come through either. */
	peer_say(second, PING("lost"));
	int third = begin_connect(3);
	cr_expect(!connected(third, 300), "a packet came through");
	faulty_quiet(second, 300);
	faulty_quiet(moving, 100);

	peer_line(moving, line);
	cr_expect(faulty_ms() - start >= 2999);
	cr_expect(strstr(line, "\"id\": \"late\"") != NULL, "%s", line);
	peer_line(second, line);
	cr_expect(strstr(line, "\"id\": \"lost\"") != NULL, "%s", line);
	cr_expect(connected(third, PATIENCE_MS));
	faulty_ask(third, PING("3"), line);
	close(moving);
	close(second);
	close(third);
	faulty_stop(&f, 0);
}

/* Without a network it cannot register, and tries again until there is one. */
Test(faults, outage_before_it_registers)
{
	faulty_start(&f, "{ kind = \"outage\"; for = \"600ms\"; }", "", "");
	faulty_registers(&f);
	cr_expect(faulty_ms() - f.started_ms >= 600);
	int fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
	emu_expect_says(f.fleet, "text=\"no network\"");
}

/* It has just connected: what it has to say waits for the end. */
Test(faults, outage_while_it_connects)
{
	char line[PEER_LINE];

	faulty_start(&f, "", "",
		     "{ do = \"fault\"; after = \"target_1 registering\";"
		     "  fault = { kind = \"outage\"; for = \"700ms\"; }; }");
	int fd = faulty_asks(&f, line, NULL);
	cr_expect(faulty_ms() - f.started_ms >= 700);
	faulty_welcome(fd);
	fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "register_failed") == 0);
}

/* The master's answer is lost, and TCP repeats it. */
Test(faults, outage_while_it_waits_for_its_registration)
{
	char line[PEER_LINE];

	faulty_start(&f, "", "",
		     "{ do = \"fault\"; after = \"target_1 registering\"; wait = \"200ms\";"
		     "  fault = { kind = \"outage\"; for = \"1500ms\"; }; }");
	int fd = faulty_asks(&f, line, NULL);
	emu_hears(f.fleet, "event=fault_on", 1);
	faulty_welcome(fd);
	cr_expect(faulty_ms() - f.started_ms >= 1700);
	fd = faulty_call(&f);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "register_failed") == 0);
}

/* Peers that flood, hang, or talk rubbish: they are dropped or borne, and all others are served. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(emu_abuse, .init = e2e_begin, .fini = e2e_end);

#define TARGETS 100

static struct {
	struct process *fleet, *master;
} range;

/* A fleet in service; the master waits for one more before it pings all, three times. */
static void start_range(const char *set)
{
	e2e_file("fleet.cfg",
		 "fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0;\n"
		 "  groups = ( { count = 100; addresses = \"@A.1.0-@A.1.255\"; } ); };\n");
	e2e_file("master.cfg",
		 "master = { listen = { host = \"@A.0.1\"; port = @P; };\n"
		 "  wait = { targets = 101; timeout = \"1h\"; }; rounds = (\n"
		 "  { command = \"ping\"; times = 3; targets = \"target_[1-100]\"; } ); };\n");
	range.fleet = EMU("run", "@D/fleet.cfg", "--json", "--log", "/dev/stderr", "--set", set);
	range.master = EMU("run", "@D/master.cfg", "--json");
	emu_hears(range.fleet, "event=listening ", TARGETS);
}

/* The master pings, all answer. Then the fleet ends, and its counters are given. */
static const char *expect_all_served(void)
{
	peer_register(e2e_ip(0, 9), e2e_ip(0, 1), e2e_port('P'), "gate");
	emu_expect_code(range.master, 0);
	EXPECT_JSON(emu_json(range.master), "master.sent", 3 * TARGETS);
	EXPECT_JSON(emu_json(range.master), "master.ok", 3 * TARGETS);
	emu_signal(range.fleet, SIGTERM);
	emu_expect_code(range.fleet, 0);
	EXPECT_JSON(emu_json(range.fleet), "fleet.by_state.down", TARGETS);
	return emu_json(range.fleet);
}

static int call(unsigned target)
{
	return peer_connect(e2e_ip(0, 7), e2e_ip(1, target % TARGETS), e2e_port('P'));
}

/* Sends until the other side has had enough. False: it took them all. */
static bool is_cut(int fd, const char *bytes, size_t len, size_t times)
{
	for (size_t i = 0; i < times; i++)
		for (size_t sent = 0; sent < len;) {
			struct pollfd room = { fd, POLLOUT, 0 };
			cr_assert(poll(&room, 1, PATIENCE_MS) == 1, "neither taken nor cut");
			ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0 && errno == EAGAIN)
				continue;
			if (n < 0)
				return errno == EPIPE || errno == ECONNRESET;
			sent += (size_t)n;
		}
	return false;
}

/* ---- connections ---- */

/* How many descriptors this process may have, up to `wanted`. */
static size_t room_for(size_t wanted)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	/* The fleet has the same limit, and 100 listeners. */
	cr_assert(limit.rlim_max > 1000, "needs 1,000 descriptors and more");
	return limit.rlim_max < wanted + 600 ? (size_t)limit.rlim_max - 600 : wanted;
}

Test(emu_abuse, thousands_that_say_nothing)
{
	size_t n = room_for(5000);
	int *fds = calloc(n, sizeof(*fds));

	cr_assert(fds != NULL);
	start_range("title=x");
	for (size_t i = 0; i < n; i++) {
		fds[i] = call((unsigned)i);
		if (i % 2 == 0)
			peer_say(fds[i], "{\"type\": \"pi"); /* and never the rest */
	}
	const char *json = expect_all_served();
	EXPECT_JSON(json, "fleet.conn_refused", 0);
	EXPECT_JSON(json, "fleet.bad_lines", 0);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
}

Test(emu_abuse, more_than_there_are_connections_for)
{
	enum { MANY = 600 };
	int fds[MANY], last;
	char line[PEER_LINE];
	ssize_t n;

	room_for(MANY);
	start_range("fleet.connections=200");
	for (unsigned i = 0; i < MANY; i++)
		fds[i] = call(i);
	/* Those past the limit are closed at once, not left hanging. */
	for (unsigned i = 300; i < MANY; i++)
		peer_expect_end(fds[i]);
	for (unsigned i = 0; i < MANY; i++)
		close(fds[i]);
	/* It sees them go; then there is room again. */
	do {
		last = call(0);
		if (send(last, "{\"type\": \"ping\", \"id\": \"1\"}\n", 28, MSG_NOSIGNAL) < 0)
			n = -errno;
		else
			n = peer_recv(last, line, sizeof(line));
		close(last);
	} while (n <= 0);
	expect_all_served();
}

/* ---- lines ---- */

Test(emu_abuse, lines_that_never_end)
{
	enum { MANY = 40 };
	static char chunk[65536];
	int fds[MANY];

	memset(chunk, ' ', sizeof(chunk));
	memcpy(chunk, "{\"type\": \"ping\",", 16);
	start_range("title=x");
	for (unsigned i = 0; i < MANY; i++)
		fds[i] = call(i);
	for (unsigned i = 0; i < MANY; i++) {
		if (!is_cut(fds[i], chunk, sizeof(chunk), 16)) /* 1 MB: the kernel may hold it */
			peer_expect_end(fds[i]);
		close(fds[i]);
	}
	EXPECT_JSON(expect_all_served(), "fleet.bad_lines", MANY);
}

static void fill_with_rubbish(char *bytes, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bytes[i] = (char)(seed >> 56);
	}
}

static void talk_rubbish(const char *profile)
{
	static char rubbish[32768], answers[4096];

	start_range(profile);
	for (unsigned i = 0; i < TARGETS; i++) {
		int fd = call(i);
		fill_with_rubbish(rubbish, sizeof(rubbish), i);
		if (!is_cut(fd, rubbish, sizeof(rubbish), 1))
			shutdown(fd, SHUT_WR);
		while (peer_recv(fd, answers, sizeof(answers)) > 0)
			;
		close(fd);
		e2e_pump(); /* its log goes through a pipe of 64 kB */
	}
	cr_expect(json_number(expect_all_served(), "fleet.bad_lines") >= TARGETS);
}

Test(emu_abuse, rubbish)
{
	talk_rubbish("fleet.groups[0].profile=pico");
}

Test(emu_abuse, rubbish_answered_strictly)
{
	talk_rubbish("fleet.groups[0].profile=strict");
}

/* As fast as they can be written, and all answered, in order. */
Test(emu_abuse, thousands_of_lines_at_once)
{
	enum { LINES = 5000 };
	static char line[PEER_LINE], pings[LINES * 32], pongs[LINES * 160];
	size_t len = 0, got = 0, sent = 0, answered = 0;

	start_range("title=x");
	for (int i = 0; i < LINES; i++)
		len += (size_t)sprintf(pings + len, "{\"type\":\"ping\",\"id\":%d}\n", i + 1);
	int fd = call(0);
	while (answered < LINES) {
		struct pollfd poller = { fd, sent < len ? POLLIN | POLLOUT : POLLIN, 0 };
		cr_assert(poll(&poller, 1, PATIENCE_MS) == 1, "%zu of them answered", answered);
		if (poller.revents & POLLIN) {
			ssize_t n = peer_recv(fd, pongs + got, sizeof(pongs) - got);
			cr_assert(n > 0, "cut after %zu answers", answered);
			for (ssize_t i = 0; i < n; i++)
				answered += pongs[got + (size_t)i] == '\n';
			got += (size_t)n;
		}
		if (sent < len && (poller.revents & POLLOUT)) {
			ssize_t n = send(fd, pings + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
			cr_assert(n > 0);
			sent += (size_t)n;
		}
	}
	const char *at = pongs;
	for (int i = 0; i < LINES; i++, at = strchr(at, '\n') + 1) {
		sprintf(line, "\"id\": %d,", i + 1);
		const char *id = strstr(at, line);
		cr_assert(id != NULL && id < strchr(at, '\n'), "answer %d is another one", i);
	}
	close(fd);
	EXPECT_JSON(expect_all_served(), "fleet.commands.ping", LINES + 3 * TARGETS);
}

/* Sends until nobody takes any more for a while: how much that was. */
static size_t fill(int fd, const char *bytes, size_t len, size_t times)
{
	size_t sent = 0;

	while (sent < len * times) {
		struct pollfd room = { fd, POLLOUT, 0 };
		if (poll(&room, 1, 300) == 0)
			break;
		ssize_t n = send(fd, bytes + sent % len, len - sent % len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		cr_assert(n > 0 || errno == EAGAIN, "cut off: %s", strerror(errno));
		sent += n > 0 ? (size_t)n : 0;
	}
	return sent;
}

/* As the firmware, which waits for room before it reads on: it gets no more of the memory than its
 * share, others are served, and when it reads at last it finds all its answers. */
Test(emu_abuse, one_that_asks_and_does_not_read_for_long)
{
	static char pings[28 * 1000 + 1], answers[65536];

	for (int i = 0; i < 1000; i++)
		memcpy(pings + 28 * i, "{\"type\": \"ping\", \"id\": \"1\"}\n", 28);
	start_range("title=x");
	int fd = call(0), other = call(1);
	size_t sent = fill(fd, pings, 28 * 1000, 4000), lines = 0;
	cr_expect_lt(sent, (size_t)112000000, "112 MB of pings were taken");
	peer_say(other, "{\"type\": \"ping\", \"id\": \"1\"}\n");
	peer_line(other, answers);
	close(other);
	while (lines < sent / 28) {
		ssize_t n = peer_recv(fd, answers, sizeof(answers));
		cr_assert(n > 0, "%zu answers of %zu", lines, sent / 28);
		for (ssize_t i = 0; i < n; i++)
			lines += answers[i] == '\n';
	}
	close(fd);
	EXPECT_JSON(expect_all_served(), "fleet.commands.ping", (double)(lines + 1 + 3 * TARGETS));
}

/* ---- the master ---- */

Test(emu_abuse, of_the_master)
{
	static char chunk[65536];
	size_t silent = room_for(1000);
	int *fds = calloc(silent, sizeof(*fds));

	cr_assert(fds != NULL);
	start_range("title=x");
	for (size_t i = 0; i < silent; i++)
		fds[i] = peer_connect(e2e_ip(0, 7), e2e_ip(0, 1), e2e_port('P'));
	for (unsigned i = 0; i < 10; i++) {
		int fd = peer_connect(e2e_ip(0, 7), e2e_ip(0, 1), e2e_port('P'));
		fill_with_rubbish(chunk, sizeof(chunk), i);
		if (i % 2 == 0) /* one line without an end, or many that are none */
			memset(chunk, 'x', sizeof(chunk));
		if (!is_cut(fd, chunk, sizeof(chunk), 16))
			peer_expect_end(fd);
		close(fd);
	}
	expect_all_served();
	EXPECT_JSON(emu_json(range.master), "master.registrations_rejected", 10);
	EXPECT_JSON(emu_json(range.master), "master.registrations", 101);
	for (size_t i = 0; i < silent; i++)
		close(fds[i]);
	free(fds);
}

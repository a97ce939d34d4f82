/*
 * A fleet with faults, and who sees them: a master and clients of plain sockets.
 *
 * Purpose: one config line asks for a fault, the test says what is seen on the wire. The group has
 * moves of 50 ms (unless its settings say `rise`) and as many targets, at @A.1.1 and up, as its
 * settings say; the master is @A.0.1. What must begin or end at a moment does so `after` an event:
 * a timeline's step that an answer sets off is done before the next line is read, however slow the
 * machine is. Units: ms, bytes. Ownership: descriptors are the caller's. Errors: fail the test.
 * Threads: one.
 */
#ifndef TEST_FAULTY_H
#define TEST_FAULTY_H

#include "tests/support/e2e.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PING(id) "{\"type\": \"ping\", \"id\": \"" id "\"}\n"
#define MOVE(type, id) "{\"type\": \"" type "\", \"id\": \"" id "\"}\n"
#define ACTIVATE(duration)                                                                         \
	"{\"type\": \"activate\", \"id\": \"1\", \"data\": {\"duration\": " duration "}}\n"
#define PONG(id)                                                                                   \
	"{\"timestamp\": #, \"type\": \"pong\", \"data\": {\"message\": "                          \
	"\"Target reporting for duty!\", \"status\": \"alive\"}, \"id\": \"" id                    \
	"\", \"target_id\": \"target_1\"}\n"
/* Its length: the timestamp has ten digits for the next 250 years. */
#define PONG_LEN(id) (sizeof(PONG(id)) - 1 + 9)

struct faulty {
	struct process *fleet;
	int master; /* listens */
	int64_t started_ms;
};

static inline int64_t faulty_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* faults, timeline: list elements in braces; group: settings. All may be "". */
static inline void faulty_start(struct faulty *f, const char *faults, const char *group,
				const char *timeline)
{
	char config[4096];
	const char *moves = strstr(group, "rise") == NULL ? "rise = \"50ms\"; fall = \"50ms\";"
							  : "";
	int n = snprintf(config, sizeof(config),
			 "fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0;\n"
			 "  retry = { first = \"20ms\"; max = \"40ms\"; };\n"
			 "  groups = ( { addresses = \"@A.1.1-@A.1.9\"; %s %s\n"
			 "    faults = ( %s ); } ); };\n"
			 "scenario = { timeline = ( %s ); };\n",
			 moves, group, faults, timeline);

	cr_assert(n > 0 && (size_t)n < sizeof(config));
	e2e_file("faulty.cfg", config);
	f->master = peer_listen(e2e_ip(0, 1), e2e_port('P'));
	f->started_ms = faulty_ms();
	f->fleet = EMU("run", "@D/faulty.cfg", "--quiet", "--log", "/dev/stderr");
}

/* Takes the next registration, line to buf, and does not answer it. */
static inline int faulty_asks(struct faulty *f, char buf[PEER_LINE], uint32_t *ret_ip)
{
	int fd = peer_accept(f->master, ret_ip);

	peer_line(fd, buf);
	cr_assert(strstr(buf, "\"type\": \"register\"") != NULL, "%s", buf);
	return fd;
}

static inline void faulty_welcome(int fd)
{
	peer_say(fd, "{\"type\": \"registered\", \"id\": \"msg_1\", \"timestamp\": 1, "
		     "\"target_id\": \"target_1\", \"data\": {\"status\": \"registered\"}}\n");
	cr_expect(peer_end_of(fd) == 0);
	close(fd);
}

/* Takes the next registration and answers it; whence it came. */
static inline uint32_t faulty_registers(struct faulty *f)
{
	char line[PEER_LINE];
	uint32_t ip;

	faulty_welcome(faulty_asks(f, line, &ip));
	return ip;
}

static inline void faulty_in_service(struct faulty *f, const char *faults, const char *group,
				     const char *timeline)
{
	faulty_start(f, faults, group, timeline);
	faulty_registers(f);
}

/* A connection to target number i, from 1: it listens a moment after its registration is over. */
static inline int faulty_call_to(struct faulty *f, unsigned i)
{
	int64_t deadline = faulty_ms() + PATIENCE_MS;
	struct process *const all[] = { f->fleet };

	for (;;) {
		int fd = peer_try_connect(e2e_ip(0, 1), e2e_ip(1, i), e2e_port('P'));
		if (fd >= 0)
			return fd;
		cr_assert(fd == -ECONNREFUSED && faulty_ms() < deadline && !process_ended(f->fleet),
			  "connect: %s", strerror(-fd));
		process_pump(all, 1, 2);
	}
}

static inline int faulty_call(struct faulty *f)
{
	return faulty_call_to(f, 1);
}

/* Waits until nobody listens there any more. */
static inline void faulty_refuses(struct faulty *f)
{
	int64_t deadline = faulty_ms() + PATIENCE_MS;
	struct process *const all[] = { f->fleet };
	int fd;

	while ((fd = peer_try_connect(e2e_ip(0, 1), e2e_ip(1, 1), e2e_port('P'))) >= 0) {
		close(fd);
		cr_assert(faulty_ms() < deadline, "still listens");
		process_pump(all, 1, 2);
	}
	cr_assert(fd == -ECONNREFUSED || fd == -ECONNRESET, "%s", strerror(-fd));
}

/* Nothing comes, not even the end, for so long: that is what is to be seen. */
static inline void faulty_quiet(int fd, int ms)
{
	struct pollfd poller = { fd, POLLIN, 0 };

	cr_assert(poll(&poller, 1, ms) == 0, "it was not quiet");
}

/* Asks, and one read brings one answer. */
static inline void faulty_ask(int fd, const char *request, char answer[PEER_LINE])
{
	peer_say(fd, request);
	peer_line(fd, answer);
}

static inline void faulty_expect_pong(int fd)
{
	char line[PEER_LINE];

	faulty_ask(fd, PING("still right"), line);
	EXPECT_MATCH(line, PONG("still right"));
}

/* Reads to the end of the connection, an orderly one; how many reads it took. */
static inline unsigned faulty_read_all(int fd, char *buf, size_t cap)
{
	unsigned reads = 0;
	size_t len = 0;
	ssize_t n;

	while ((n = peer_recv(fd, buf + len, cap - len)) > 0) {
		len += (size_t)n;
		reads++;
	}
	cr_assert(n == 0, "%s", strerror((int)-n));
	return reads;
}

/* Reads until that many bytes are there; how many reads it took. */
static inline unsigned faulty_read(int fd, char *buf, size_t cap, size_t wanted)
{
	unsigned reads = 0;
	size_t len = 0;

	while (len < wanted) {
		ssize_t n = peer_recv(fd, buf + len, cap - len);
		cr_assert(n > 0, "%zu of %zu bytes, then %s", len, wanted, strerror((int)-n));
		len += (size_t)n;
		reads++;
	}
	cr_assert(len == wanted, "%zu bytes instead of %zu: %s", len, wanted, buf);
	return reads;
}

static inline unsigned faulty_count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		n++;
	return n;
}

static inline void faulty_stop(struct faulty *f, int code)
{
	close(f->master);
	emu_signal(f->fleet, SIGTERM);
	emu_expect_code(f->fleet, code);
}

/* After faulty_stop(): how often the log tells of target_1 that. */
static inline unsigned faulty_logged(const struct faulty *f, const char *event)
{
	char text[64];

	snprintf(text, sizeof(text), "event=%s target=\"target_1\"", event);
	return faulty_count(f->fleet->err.text, text);
}

#endif

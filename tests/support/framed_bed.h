/*
 * Both ends of the wire `framed` for tests of quintain-emu: its server with plain sockets as
 * clients, its targets with a plain socket as their server.
 *
 * Ownership: as e2e.h. Errors: fail the test. Threads: one; one test at a time.
 */
#ifndef TEST_FRAMED_BED_H
#define TEST_FRAMED_BED_H

#include "proto/framed/frame.h"
#include "tests/support/e2e.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAMP "\"#-#-#T#:#:#.#\""

static inline void say(int fd, const char *text)
{
	char unit[PEER_LINE];
	size_t len = strlen(text);

	qn_framed_put_head(unit, (uint32_t)len);
	memcpy(unit + QN_FRAMED_HEAD, text, len);
	peer_send(fd, unit, QN_FRAMED_HEAD + len);
}

/* One frame, in as many reads as it takes and not a byte more. */
static inline const char *hear(int fd, char buf[PEER_LINE])
{
	char head[QN_FRAMED_HEAD];
	struct qn_text text = { NULL, 0 };
	size_t taken;

	for (size_t have = 0; have < sizeof(head);) {
		ssize_t n = read(fd, head + have, sizeof(head) - have);
		cr_assert(n > 0, "the head of a frame");
		have += (size_t)n;
	}
	uint32_t len = (uint32_t)(unsigned char)head[2] << 8 | (unsigned char)head[3];
	cr_assert(qn_framed_next(head, 4, PEER_LINE - 1, &text, &taken) != QN_E_TOO_LONG);
	for (size_t have = 0; have < len;) {
		ssize_t n = read(fd, buf + have, len - have);
		cr_assert(n > 0, "the text of a frame");
		have += (size_t)n;
	}
	buf[len] = '\0';
	return buf;
}

static char line[PEER_LINE] __attribute__((unused));

/* ---- our server ---- */

static struct process *server __attribute__((unused));

static inline void start_server(const char *more)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "master = { wire = \"framed\"; listen = { host = \"@A.0.1\"; port = @P; };\n"
		 "  then = \"stay\"; %s };\n",
		 more);
	e2e_file("server.cfg", config);
	server = EMU("run", "@D/server.cfg", "--json", "--log", "/dev/stderr");
	emu_listens(server, e2e_ip(0, 1), e2e_port('P'));
}

static inline int client(unsigned number)
{
	int fd = peer_connect(e2e_ip(1, number), e2e_ip(0, 1), e2e_port('P'));

	EXPECT_MATCH(hear(fd, line),
		     "{\"type\": \"welcome\", \"client_id\": \"#.#.#.#:#\", "
		     "\"message\": \"Welcome to TCP Server!\", \"timestamp\": " STAMP "}");
	return fd;
}

static inline void stop_server(void)
{
	emu_signal(server, SIGTERM);
	emu_expect_code(server, 0);
}

/* ---- our targets ---- */

static struct process *fleet __attribute__((unused));
static int listener __attribute__((unused));

static inline int dialled(void)
{
	return peer_accept(listener, NULL);
}

static inline int start_fleet(const char *group)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "fleet = { master = { host = \"@A.0.1\"; port = @P; };\n retry = { first = "
		 "\"10ms\"; max = \"20ms\"; };\n groups = ( { wire = \"framed\"; count = 1; "
		 "addresses = \"@A.1.1\"; rise = \"1ms\"; fall = \"1ms\"; %s } ); };\n",
		 group);
	e2e_file("fleet.cfg", config);
	listener = peer_listen(e2e_ip(0, 1), e2e_port('P'));
	fleet = EMU("run", "@D/fleet.cfg", "--json", "--log", "/dev/stderr");
	return dialled();
}

static inline void welcome(int fd)
{
	say(fd, "{\"type\": \"welcome\", \"client_id\": \"x\"}");
	EXPECT_MATCH(hear(fd, line), "{\"type\": \"target_register\", \"timestamp\": " STAMP
				     ", \"target\": \"target_1\"}");
	say(fd, "{\"type\": \"response\", \"original_message\": {\"type\": \"target_register\"}, "
		"\"timestamp\": \"T\", \"from_server\": true}");
	emu_hears(fleet, "event=registered ", 1);
}

static inline void stop_fleet(void)
{
	emu_signal(fleet, SIGTERM);
	emu_expect_code(fleet, 0);
	close(listener);
}

#define BROADCAST(content)                                                                         \
	"{\"type\": \"broadcast\", \"from_client\": \"1.2.3.4:5\", \"content\": " content          \
	", \"timestamp\": \"T\"}"

#endif

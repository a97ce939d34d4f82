/*
 * Ports: pseudo-terminals and tcp://, their locks, their deadlines, and their ends.
 */
#include "hil/serial/lock.h"
#include "hil/serial/port.h"
#include "tests/support/hil_bed.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define HOST UINT32_C(0x7f2e0101) /* 127.46.1.1 */

static struct serial_port *port;
static struct serial_trouble trouble;
static char got[300000];
static size_t got_len;
static struct serial_span span, first_span;
static int opened, gone_error;
static bool is_gone, stop_on_bytes = true, close_on_bytes;
static size_t stop_at;

static void on_opened(void *owner)
{
	(void)owner;
	opened++;
	loop_stop(&bed.loop);
}

static void on_received(void *owner, const char *bytes, size_t len, struct serial_span when)
{
	(void)owner;
	REQUIRE(got_len + len <= sizeof(got));
	memcpy(got + got_len, bytes, len);
	if (got_len == 0)
		first_span = when;
	got_len += len;
	span = when;
	cr_expect_leq(when.after_ns, when.read_ns);
	if (close_on_bytes)
		serial_close(port);
	if (stop_on_bytes && got_len >= stop_at)
		loop_stop(&bed.loop);
}

static void on_gone(void *owner, int error)
{
	(void)owner;
	cr_expect_not(is_gone, "once");
	is_gone = true;
	gone_error = error;
	loop_stop(&bed.loop);
}

static const struct serial_handler handler = { on_opened, on_received, on_gone };

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int open_at(const char *path, const struct serial_options *options)
{
	return serial_open(&bed.loop, path, options, &handler, NULL, &port, &trouble);
}

static int master, slave;
static char slave_path[64];

static void open_pair(void)
{
	bed_start();
	REQUIRE(openpty(&master, &slave, slave_path, NULL, NULL) == 0);
	cr_assert_eq(open_at(slave_path, NULL), 0, "%s", trouble.text);
	cr_expect_eq(opened, 0, "never from within the call");
	bed_run();
	cr_expect_eq(opened, 1);
}

static void say(const char *text)
{
	REQUIRE(write(master, text, strlen(text)) == (ssize_t)strlen(text));
}

Test(serial_port, pty)
{
	struct termios tio;
	char buf[64];

	open_pair();
	cr_expect_eq(serial_port_kind(port), SERIAL_PTY);
	cr_expect_str_eq(serial_port_path(port), slave_path);
	REQUIRE(tcgetattr(slave, &tio) == 0);
	cr_expect_eq(tio.c_lflag & (ECHO | ICANON | ISIG), 0, "raw: \\x03 is a byte");
	cr_expect_eq(serial_write(port, "\r\x03\x04", 3), 0);
	cr_expect_eq(read(master, buf, sizeof(buf)), 3);
	cr_expect_eq(memcmp(buf, "\r\x03\x04", 3), 0);
	int64_t before = now();
	say("hello");
	int64_t after = now();
	bed_run();
	cr_expect(got_len == 5 && memcmp(got, "hello", 5) == 0);
	cr_expect_leq(span.after_ns, after, "it holds the moment at which it was said");
	cr_expect_geq(span.read_ns, before);
	cr_expect_eq(serial_port_stats(port).bytes_in, 5);
	cr_expect_eq(serial_port_stats(port).bytes_out, 3);
	serial_close(port);
	bed_end();
}

/* Looked at often, a byte's time is known better. */
Test(serial_port, watched)
{
	open_pair();
	int64_t begun = now();
	say("a");
	bed_run();
	cr_expect_leq(span.after_ns, begun, "nobody has looked since it was opened");
	serial_watch(port, NS_PER_MS);
	int64_t mark = now();
	cr_expect_not(bed_run_for(20));
	int64_t before = now();
	say("b");
	bed_run();
	cr_expect_gt(span.after_ns, mark);
	cr_expect_geq(span.read_ns, before);
	serial_watch(port, 0);
	serial_close(port);
	bed_end();
}

Test(serial_port, unplugged)
{
	open_pair();
	say("last words");
	close(master);
	close(slave);
	stop_on_bytes = false;
	bed_run();
	cr_expect(is_gone);
	cr_expect_eq(gone_error, -ENODEV);
	cr_expect_eq(serial_write(port, "x", 1), -ENOTCONN);
	serial_close(port);
	bed_end();
}

Test(serial_port, unplugged_while_writing)
{
	open_pair();
	close(master);
	cr_expect_eq(serial_write(port, "x", 1), -ENOTCONN);
	cr_expect_not(is_gone, "never from within the call");
	bed_run();
	cr_expect_eq(gone_error, -ENODEV);
	serial_close(port);
	bed_end();
}

Test(serial_port, closed_by_its_own_handler)
{
	open_pair();
	close_on_bytes = true;
	serial_watch(port, NS_PER_MS);
	say("x");
	bed_run();
	cr_expect_not(bed_run_for(10));
	cr_expect_not(is_gone);
	bed_end();
}

Test(serial_port, locked)
{
	struct serial_port *second = NULL;
	char text[100];

	open_pair();
	int rc = serial_open(&bed.loop, slave_path, NULL, &handler, NULL, &second, &trouble);
	cr_expect_eq(rc, -EBUSY);
	snprintf(text, sizeof(text), "%s is held by", slave_path);
	cr_expect_eq(strncmp(trouble.text, text, strlen(text)), 0, "%s", trouble.text);
	serial_close(port);
	cr_expect_eq(open_at(slave_path, NULL), 0, "%s", trouble.text);
	serial_close(port);
	bed_end();
}

Test(serial_port, by_a_symlink)
{
	char link[] = "/tmp/quintain-link-XXXXXX";

	bed_start();
	REQUIRE(openpty(&master, &slave, slave_path, NULL, NULL) == 0);
	close(mkstemp(link));
	unlink(link);
	REQUIRE(symlink(slave_path, link) == 0);
	cr_expect_eq(open_at(link, NULL), 0, "%s", trouble.text);
	cr_expect_str_eq(serial_port_path(port), slave_path);
	serial_close(port);
	unlink(link);
	bed_end();
}

Test(serial_port, what_is_no_port)
{
	static const struct {
		const char *path;
		int rc;
		const char *text;
	} cases[] = {
		{ "/dev/ttyACM99", -ENOENT, "No such file" },
		{ "/dev/null", -ENOTTY, "is no serial port" },
		{ "/etc/hostname", -ENOTTY, "is no serial port" },
		{ "tcp://", -EINVAL, "expected tcp://HOST:PORT" },
		{ "tcp://127.0.0.1", -EINVAL, "expected tcp://HOST:PORT" },
		{ "tcp://127.0.0.1:0", -EINVAL, "expected" },
		{ "tcp://127.0.0.1:65536", -EINVAL, "expected" },
		{ "tcp://127.0.0.1:4000/x", -EINVAL, "expected" },
		{ "tcp://127.0.0.1: 400", -EINVAL, "expected" },
		{ "tcp://:4000", -EINVAL, "expected" },
	};

	bed_start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = open_at(cases[i].path, NULL);
		cr_expect_eq(rc, cases[i].rc, "%s: %s (%s)", cases[i].path, strerror(-rc),
			     trouble.text);
		cr_expect_not_null(strstr(trouble.text, cases[i].text), "%s", trouble.text);
	}
	bed_end();
}

/* Every place at which a descriptor may be refused. */
Test(serial_port, out_of_descriptors)
{
	struct rlimit limit;

	bed_start();
	REQUIRE(openpty(&master, &slave, slave_path, NULL, NULL) == 0);
	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	int next = dup(0);
	close(next);
	struct rlimit tight = { (rlim_t)next, limit.rlim_max };
	REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
	cr_expect_eq(open_at(slave_path, NULL), -EMFILE, "%s", trouble.text);
	cr_expect_eq(open_at("tcp://127.46.1.1:4", NULL), -EMFILE, "%s", trouble.text);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	cr_expect_eq(open_at(slave_path, NULL), 0, "%s", trouble.text);
	serial_close(port);
	bed_end();
}

/* ---- tcp:// ---- */

static int listener, peer;

static void open_tcp(const struct serial_options *options)
{
	struct sockaddr_in at = { .sin_port = 0 };
	socklen_t len = sizeof(at);
	char path[64];

	bed_start();
	listener = peer_listen(HOST, 0);
	REQUIRE(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	snprintf(path, sizeof(path), "tcp://127.46.1.1:%d", ntohs(at.sin_port));
	cr_assert_eq(open_at(path, options), 0, "%s", trouble.text);
	cr_expect_eq(serial_write(port, "x", 1), -ENOTCONN);
	bed_run();
	cr_assert_eq(opened, 1);
	peer = peer_accept(listener, NULL);
}

static void close_tcp(void)
{
	serial_close(port);
	close(peer);
	close(listener);
	bed_end();
}

Test(serial_port, tcp)
{
	open_tcp(NULL);
	cr_expect_eq(serial_port_kind(port), SERIAL_TCP);
	peer_say(peer, "hello");
	bed_run();
	cr_expect(got_len == 5 && memcmp(got, "hello", 5) == 0);
	shutdown(peer, SHUT_WR);
	bed_run();
	cr_expect(is_gone && gone_error == 0);
	close_tcp();
}

Test(serial_port, tcp_reset)
{
	open_tcp(NULL);
	peer_reset(peer);
	bed_run();
	cr_expect(is_gone && gone_error == -ECONNRESET, "%s", strerror(-gone_error));
	peer = dup(0);
	close_tcp();
}

Test(serial_port, tcp_by_name)
{
	int local = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t len = sizeof(at);
	char path[64];

	bed_start();
	REQUIRE(bind(local, (struct sockaddr *)&at, len) == 0 && listen(local, 1) == 0);
	REQUIRE(getsockname(local, (struct sockaddr *)&at, &len) == 0);
	snprintf(path, sizeof(path), "tcp://localhost:%d", ntohs(at.sin_port));
	int rc = open_at(path, NULL);
	cr_expect(rc == 0 || rc == -ECONNREFUSED, "%s", trouble.text);
	if (rc == 0) {
		bed_run();
		/* Refused where localhost is ::1 first. */
		cr_expect(opened == 1 || (is_gone && gone_error == -ECONNREFUSED));
		serial_close(port);
	}
	rc = open_at("tcp://no.such.name.invalid:4000", NULL);
	cr_expect(rc == -EHOSTUNREACH || rc == -ETIMEDOUT, "%s", trouble.text);
	close(local);
	bed_end();
}

/* Both sides of a slow reader: in order, bounded, and given up in the end. */
Test(serial_port, output_that_waits)
{
	struct serial_options options = { .out_max = 100000, .stuck_after_ns = 20 * NS_PER_S };
	static char block[10000], all[20000000];
	size_t sent = 0, read_len = 0;

	open_tcp(&options);
	int rc = 0;
	while (sent + sizeof(block) < sizeof(all)) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)((sent + i) * 31 / 7);
		rc = serial_write(port, block, sizeof(block));
		if (rc < 0)
			break;
		sent += sizeof(block);
	}
	cr_expect_eq(rc, -ENOBUFS);
	cr_expect_gt(serial_unsent(port), 90000);
	cr_expect_leq(serial_port_stats(port).unsent_max, 100000);
	while (read_len < sent) {
		ssize_t n = recv(peer, all + read_len, sizeof(all) - read_len, MSG_DONTWAIT);
		if (n > 0)
			read_len += (size_t)n;
		else
			bed_run_for(1);
	}
	for (size_t i = 0; i < sent; i++)
		REQUIRE(all[i] == (char)(i * 31 / 7));
	cr_expect_eq(serial_unsent(port), 0);
	cr_expect_not(is_gone);
	close_tcp();
}

Test(serial_port, output_that_nobody_takes)
{
	struct serial_options options = { .stuck_after_ns = 50 * NS_PER_MS };
	static char block[10000];

	open_tcp(&options);
	while (serial_write(port, block, sizeof(block)) == 0)
		;
	bed_run();
	cr_expect(is_gone && gone_error == -ETIMEDOUT);
	close_tcp();
}

/* What a full read left behind may have been there before it: its time begins no later. */
Test(serial_port, a_full_read_moves_no_time)
{
	static char block[20000];

	open_tcp(NULL);
	peer_send(peer, block, sizeof(block));
	stop_at = sizeof(block);
	bed_run();
	cr_expect_eq(got_len, sizeof(block));
	cr_expect_gt(serial_port_stats(port).reads, 1);
	cr_expect_eq(span.after_ns, first_span.after_ns);
	close_tcp();
}

Test(serial_port, holders)
{
	struct serial_holder holders[2];

	REQUIRE(openpty(&master, &slave, slave_path, NULL, NULL) == 0);
	cr_expect_eq(serial_holders(slave_path, holders, 2), 0, "not ourselves");
	cr_expect_eq(serial_holders("/dev/nope", holders, 2), 0);
	pid_t child = fork();
	if (child == 0) {
		for (;;)
			pause();
	}
	cr_expect_eq(serial_holders(slave_path, holders, 2), 1);
	cr_expect_eq(holders[0].pid, child);
	cr_expect_str_eq(holders[0].program, "test_serial_por");
	kill(child, SIGKILL);
}

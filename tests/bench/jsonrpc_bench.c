/*
 * What the wire jsonrpc does: requests a second over one connection and over many, latency at a
 * fixed rate, time to connect, memory of idle connections, and how soon a client is back after the
 * server was started anew.
 *
 * The server is rpc_echo beside this program, on an address of its own. The bare reference answers
 * the same bytes with the same bytes and reads nothing in them: the operating system's price.
 * Latency counts from when a request was due. Usage: jsonrpc_bench [IP [SECONDS]]. Prints a line a
 * figure and writes jsonrpc.json beside itself; exits with 1 when a floor is missed.
 */
#include "emulator/base/units.h"
#include "emulator/rpc/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 5000
#define WINDOW 64

static const char *ip = "127.44.200.1";
static double seconds = 2;
static char folder[PATH_MAX];
static FILE *json;
static unsigned missed;

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* floor 0: none. What must stay below is said with a negative floor. */
static void say(const char *name, double value, const char *unit, double floor)
{
	bool bad = floor > 0 ? value < floor : floor < 0 && value > -floor;

	printf("%-34s %12.1f %s%s\n", name, value, unit, bad ? "   MISSED" : "");
	fprintf(json, "%s\n  \"%s\": %.3f", ftell(json) > 2 ? "," : "", name, value);
	missed += bad;
}

/* ---- processes ---- */

static pid_t start_server(uint16_t port)
{
	char program[PATH_MAX], text[8];
	int out[2];

	if (pipe(out) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		snprintf(program, sizeof(program), "%.4000s/rpc_echo", folder);
		snprintf(text, sizeof(text), "%u", port);
		execl(program, program, ip, text, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	char line[64];
	if (pid < 0 || read(out[0], line, sizeof(line)) <= 0)
		die("rpc_echo");
	close(out[0]);
	return pid;
}

static void stop_server(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static struct sockaddr_in address(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &in.sin_addr);
	return in;
}

/* Bytes in, bytes out: so many of each. */
static pid_t start_bare(uint16_t port, size_t request, const char *answer, size_t answer_len,
			size_t per_connection)
{
	struct sockaddr_in in = address(port);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static char in_bytes[65536], out_bytes[1 << 20];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(listener, 1024) < 0)
		die("bare server");
	pid_t pid = fork();
	if (pid != 0) {
		close(listener);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (size_t i = 0; i < sizeof(out_bytes); i++)
		out_bytes[i] = answer[i % answer_len];
	int epoll = epoll_create1(0);
	size_t *rest = calloc(per_connection + 64, sizeof(*rest));
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, events[64];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				event.data.fd = accept(listener, NULL, NULL);
				rest[event.data.fd] = 0;
				epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
				continue;
			}
			ssize_t got = read(fd, in_bytes, sizeof(in_bytes));
			if (got <= 0) {
				close(fd);
				continue;
			}
			rest[fd] += (size_t)got;
			size_t count = rest[fd] / request;
			rest[fd] %= request;
			if (count > 0 && write(fd, out_bytes, count * answer_len) < 0)
				close(fd);
		}
	}
}

/* ---- one connection of the client ---- */

static int dial(uint16_t port)
{
	struct sockaddr_in in = address(port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void upgrade(int fd, const char *more)
{
	char text[1024];
	size_t len = 0;
	int n = snprintf(
		text, sizeof(text),
		"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		"%s\r\n",
		more);

	if (write(fd, text, (size_t)n) != n)
		die("write");
	while (len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0) {
		ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			die("no upgrade");
		len += (size_t)got;
	}
}

/* A masked text frame; a mask of zeros costs the server as much as any. */
static size_t put_frame(char *out, const char *text)
{
	size_t len = strlen(text), head = len < 126 ? 6 : 8;

	memset(out, 0, head);
	out[0] = (char)0x81;
	out[1] = (char)(0x80 | (len < 126 ? len : 126));
	if (head == 8) {
		out[2] = (char)(len >> 8);
		out[3] = (char)len;
	}
	memcpy(out + head, text, len);
	return head + len;
}

static void read_exactly(int fd, char *buffer, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, buffer, len < 65536 ? len : 65536);
		if (n <= 0)
			die("read");
		len -= (size_t)n;
	}
}

/* ---- throughput ---- */

#define ASK "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[1],\"id\":1}"
#define ANSWER "\x81\x26{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":1}"

struct exchange {
	char *request;
	size_t request_len, answer_len, calls;
};

/* Requests a second: `window` units in flight on each of n connections. */
static double throughput(uint16_t port, bool bare, const struct exchange *x, int n, unsigned window)
{
	static char room[1 << 20];
	int fds[256], epoll = epoll_create1(EPOLL_CLOEXEC);
	size_t rest[256] = { 0 };
	char *units = malloc(x->request_len * window);
	uint64_t done = 0;

	for (unsigned i = 0; i < window; i++)
		memcpy(units + i * x->request_len, x->request, x->request_len);
	for (int i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		fds[i] = dial(port);
		if (!bare)
			upgrade(fds[i], "");
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
	}
	int64_t begin = now_ns(), end = begin + (int64_t)(seconds * 1e9);
	for (int i = 0; i < n; i++)
		if (write(fds[i], units, x->request_len * window) < 0)
			die("write");
	while (now_ns() < end) {
		struct epoll_event events[64];
		int ready = epoll_wait(epoll, events, 64, 1000);
		for (int i = 0; i < ready; i++) {
			uint32_t k = events[i].data.u32;
			ssize_t got = read(fds[k], room, sizeof(room));
			if (got <= 0)
				die("the server closed");
			rest[k] += (size_t)got;
			size_t answers = rest[k] / x->answer_len;
			rest[k] %= x->answer_len;
			done += answers;
			/* Whoever has had so many answers asks so many anew. */
			if (answers > 0 && write(fds[k], units, x->request_len * answers) < 0)
				die("write");
		}
	}
	double rate = (double)(done * x->calls) * 1e9 / (double)(now_ns() - begin);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	close(epoll);
	free(units);
	return rate;
}

/* One exchange by hand: how long its answer is. */
static struct exchange try_exchange(uint16_t port, const char *text, size_t calls, char *answer)
{
	struct exchange x = { .request = malloc(strlen(text) + 16), .calls = calls };
	int fd = dial(port);

	x.request_len = put_frame(x.request, text);
	upgrade(fd, "");
	if (write(fd, x.request, x.request_len) < 0)
		die("write");
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	while (poll(&ready, 1, 100) > 0) {
		ssize_t n = read(fd, answer + x.answer_len, 65536);
		if (n <= 0)
			die("no answer");
		x.answer_len += (size_t)n;
	}
	close(fd);
	return x;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure_pair(uint16_t port, const char *name, const struct exchange *x,
			 const char *answer, int connections, unsigned window, double floor)
{
	char key[64];
	double ours[5], ratios[5];
	pid_t bare = start_bare((uint16_t)(port + 1), x->request_len, answer, x->answer_len, 1024);

	for (int i = 0; i < 5; i++) {
		double reference = throughput((uint16_t)(port + 1), true, x, connections, window);
		ours[i] = throughput(port, false, x, connections, window);
		ratios[i] = ours[i] / reference;
	}
	stop_server(bare);
	qsort(ours, 5, sizeof(*ours), by_value);
	qsort(ratios, 5, sizeof(*ratios), by_value);
	snprintf(key, sizeof(key), "%s_per_s", name);
	say(key, ours[2], "requests/s", floor);
	snprintf(key, sizeof(key), "%s_ratio", name);
	say(key, ratios[2], "of bare bytes", 0);
}

static void measure_throughput(uint16_t port)
{
	static char answer[1 << 20], batch[8192] = "[";

	struct exchange one = try_exchange(port, ASK, 1, answer);
	measure_pair(port, "pipelined_1", &one, answer, 1, WINDOW, 10000);
	measure_pair(port, "pipelined_100", &one, answer, 100, WINDOW / 4, 0);
	for (int i = 0; i < 50; i++)
		strcat(strcat(batch, i > 0 ? "," : ""), ASK);
	strcat(batch, "]");
	struct exchange many = try_exchange(port, batch, 50, answer);
	measure_pair(port, "batches_100", &many, answer, 100, 2, 100000);
}

/* ---- latency at a fixed rate ---- */

/* Sorted, in ms from when each was due. */
static double *latencies(uint16_t port, bool bare, const struct exchange *x, size_t total)
{
	static char room[1 << 16];
	const int64_t gap = NS_PER_S / 10000;
	int fd = dial(port);
	size_t sent = 0, heard = 0, rest = 0;
	double *latency = calloc(total, sizeof(*latency));

	if (!bare)
		upgrade(fd, "");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	int64_t begin = now_ns() + NS_PER_MS;
	while (heard < total) {
		int64_t now = now_ns();
		while (sent < total && now >= begin + (int64_t)sent * gap) {
			if (write(fd, x->request, x->request_len) < 0)
				break;
			sent++;
		}
		ssize_t got = read(fd, room, sizeof(room));
		now = now_ns();
		if (got == 0 || (got < 0 && errno != EAGAIN))
			die("the server closed");
		rest += got > 0 ? (size_t)got : 0;
		for (; rest >= x->answer_len && heard < total; rest -= x->answer_len) {
			latency[heard] = (double)(now - begin - (int64_t)heard * gap) / 1e6;
			heard++;
		}
	}
	qsort(latency, total, sizeof(*latency), by_value);
	close(fd);
	return latency;
}

static void measure_latency(uint16_t port)
{
	static char answer[1 << 16];
	struct exchange x = try_exchange(port, ASK, 1, answer);
	size_t total = (size_t)(seconds * 10000);
	double p50[5], p99[5], bare_p99[5];
	pid_t bare = start_bare((uint16_t)(port + 1), x.request_len, answer, x.answer_len, 1024);

	for (int i = 0; i < 5; i++) {
		double *reference = latencies((uint16_t)(port + 1), true, &x, total);
		double *ours = latencies(port, false, &x, total);
		p50[i] = ours[total / 2];
		p99[i] = ours[total / 100 * 99];
		bare_p99[i] = reference[total / 100 * 99];
		free(reference);
		free(ours);
	}
	stop_server(bare);
	qsort(p50, 5, sizeof(*p50), by_value);
	qsort(p99, 5, sizeof(*p99), by_value);
	qsort(bare_p99, 5, sizeof(*bare_p99), by_value);
	say("p50_ms_at_10000_per_s", p50[2], "ms", 0);
	/* On a machine that is late by itself no server is sooner. */
	say("p99_ms_at_10000_per_s", p99[2], "ms", bare_p99[2] < 5 ? -10 : 0);
	say("p99_ms_of_bare_bytes", bare_p99[2], "ms", 0);
}

/* ---- connecting, and what connections weigh ---- */

static double rss_mb(pid_t pid)
{
	char path[64], line[256];
	double kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		die(path);
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "VmRSS: %lf", &kb) == 1)
			break;
	fclose(file);
	return kb / 1024;
}

static void measure_connections(uint16_t port, pid_t server)
{
	static double times[CONNECTIONS];
	static int fds[CONNECTIONS];
	static char long_text[3000], frame[4096], room[8192];
	double before = rss_mb(server);

	for (int i = 0; i < CONNECTIONS; i++) {
		int64_t begin = now_ns();
		fds[i] = dial(port);
		upgrade(fds[i], "Sec-WebSocket-Extensions: permessage-deflate\r\n");
		times[i] = (double)(now_ns() - begin) / 1e6;
	}
	qsort(times, CONNECTIONS, sizeof(*times), by_value);
	say("connect_ms_p50", times[CONNECTIONS / 2], "ms", 0);
	say("connect_ms_p99", times[CONNECTIONS / 100 * 99], "ms", -100);
	/* An answer past 1 kB on each: it is deflated, by state that all share. */
	snprintf(long_text, sizeof(long_text),
		 "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"%02000d\"],\"id\":1}", 0);
	size_t len = put_frame(frame, long_text);
	for (int i = 0; i < CONNECTIONS; i++) {
		if (write(fds[i], frame, len) < 0)
			die("write");
		read_exactly(fds[i], room, 2);
		read_exactly(fds[i], room, (size_t)room[1] & 0x7f);
	}
	double after = rss_mb(server);
	say("memory_mb_5000_connections", after, "MB", -50);
	say("memory_kb_per_connection", (after - before) * 1024 / CONNECTIONS, "kB", 0);
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
}

/* ---- the server is started anew ---- */

struct recovery {
	struct loop loop;
	struct rpc_client *client;
	struct timer ask, stop;
	uint64_t asked, ok, broken, other;
	int64_t up_ns, back_ns; /* the server is there again; a call is answered again */
};

static void recovery_done(void *context, const struct rpc_answer *answer)
{
	struct recovery *r = context;

	if (answer->outcome == RPC_OK)
		r->ok++;
	else if (answer->outcome == RPC_BROKEN)
		r->broken++;
	else
		r->other++;
	if (answer->outcome == RPC_OK && r->up_ns > 0 && r->back_ns == 0)
		r->back_ns = r->loop.now_ns;
}

static void recovery_ask(struct timer *timer, int64_t now)
{
	struct recovery *r = (struct recovery *)((char *)timer - offsetof(struct recovery, ask));

	(void)now;
	if (rpc_client_call(r->client, "echo", (struct qn_text){ "[1]", 3 }, recovery_done, r) == 0)
		r->asked++;
	loop_timer(&r->loop, &r->ask, NS_PER_MS);
}

static void recovery_stop(struct timer *timer, int64_t now)
{
	struct recovery *r = (struct recovery *)((char *)timer - offsetof(struct recovery, stop));

	(void)now;
	loop_stop(&r->loop);
}

static void run_for(struct recovery *r, int64_t ns)
{
	loop_read_clocks(&r->loop);
	r->loop.stopping = false;
	loop_timer(&r->loop, &r->stop, ns);
	loop_run(&r->loop, INT64_MAX);
}

static void measure_recovery(uint16_t port)
{
	static struct recovery r;
	struct net_socket_limits limits = { 16, 1, 1 << 20 };
	struct rpc_client_options options = rpc_client_defaults;
	struct net *net;
	pid_t server = start_server(port);

	if (loop_init(&r.loop) < 0 || net_socket_new(&r.loop, &limits, &net) < 0)
		die("loop");
	net_ip_parse(ip, strlen(ip), &options.to.ip);
	options.to.port = port;
	options.calls = 8192;
	r.ask.fire = recovery_ask;
	r.stop.fire = recovery_stop;
	if (rpc_client_new(&r.loop, net, &options, &r.client) < 0)
		die("client");
	loop_timer(&r.loop, &r.ask, NS_PER_MS);
	run_for(&r, NS_PER_S / 2);
	stop_server(server);
	run_for(&r, NS_PER_S / 2);
	server = start_server(port);
	loop_read_clocks(&r.loop);
	r.up_ns = r.loop.now_ns;
	run_for(&r, 5 * NS_PER_S);
	double recovered = r.back_ns > 0 ? (double)(r.back_ns - r.up_ns) / 1e9 : 99;
	say("recovered_s_after_restart", recovered, "s", -5);
	timer_cancel(&r.loop.timers, &r.ask);
	rpc_client_free(r.client);
	say("calls_without_an_outcome", (double)(r.asked - r.ok - r.broken - r.other), "calls",
	    -0.5);
	say("calls_broken_by_the_restart", (double)r.broken, "calls", 0);
	say("calls_answered", (double)r.ok, "calls", 0);
	net_socket_free(net);
	loop_release(&r.loop);
	stop_server(server);
}

int main(int argc, char **argv)
{
	char self[PATH_MAX] = "", out[PATH_MAX];
	struct rlimit files = { 20000, 20000 };
	const uint16_t port = 19130;

	if (argc > 1)
		ip = argv[1];
	if (argc > 2)
		seconds = atof(argv[2]) / 10;
	if (seconds > 0.5)
		seconds = 0.5;
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		die("/proc/self/exe");
	snprintf(folder, sizeof(folder), "%s", dirname(self));
	snprintf(out, sizeof(out), "%.4000s/jsonrpc.json", folder);
	json = fopen(out, "w");
	if (json == NULL)
		die(out);
	fputs("{", json);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	pid_t server = start_server(port);
	measure_throughput(port);
	measure_latency(port);
	stop_server(server);
	server = start_server(port);
	measure_connections(port, server);
	stop_server(server);
	measure_recovery(port);
	fputs("\n}\n", json);
	fclose(json);
	return missed > 0;
}

/*
 * The wire `framed` under load: echoes a second with 32 in flight on each connection, small and of
 * 16 kB, beside a bare echo of the same frames in the same run; what a kept connection costs; how
 * long a broadcast takes to reach everybody.
 *
 * One client process (this one) holds connections to both and alternates between them in slices. A
 * figure is the median of the pairs.
 */
#include "proto/framed/frame.h"
#include "tests/bench/children.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OURS "127.62.0.1"
#define BARE "127.62.0.2"
#define CONNECTIONS 16
#define IN_FLIGHT 32
#define PAIRS 7
#define SLICE_NS (NS_PER_S / 4)
#define CROWD 10000
#define ENVELOPE 92 /* bytes that an echo's answer has more than its request, about */

struct peer {
	int fd;
	size_t len;
	char in[131072];
};

struct load {
	int epoll;
	struct peer peers[CONNECTIONS];
};

static struct load ours, bare;
static char request[20000], burst[IN_FLIGHT * 20000];
static size_t request_len;
static unsigned missed;

static int connect_to(const char *text)
{
	struct endpoint at = endpoint_parse(text);
	struct sockaddr_in address = endpoint_at(&at, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(errno, "connect to %s", text);
	return fd;
}

static void read_exactly(int fd, char *at, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = recv(fd, at + have, len - have, 0);
		if (n <= 0)
			die(n < 0 ? errno : 0, "a connection ended");
		have += (size_t)n;
	}
}

/* Takes one frame, whatever it says. */
static void skip_frame(int fd)
{
	unsigned char head[QN_FRAMED_HEAD];
	char text[65536];

	read_exactly(fd, (char *)head, sizeof(head));
	read_exactly(fd, text, (size_t)head[2] << 8 | head[3]);
}

static void open_load(struct load *load, const char *at, bool greets)
{
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct peer *peer = &load->peers[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
		peer->fd = connect_to(at);
		if (greets)
			skip_frame(peer->fd);
		epoll_ctl(load->epoll, EPOLL_CTL_ADD, peer->fd, &event);
	}
}

static void make_request(size_t content)
{
	size_t len = QN_FRAMED_HEAD;

	len += (size_t)sprintf(request + len, "{\"type\": \"echo\", \"content\": \"");
	memset(request + len, 'x', content);
	len += content;
	len += (size_t)sprintf(request + len, "\", \"timestamp\": \"2026-11-21T15:48:36.474270\"}");
	qn_framed_put_head(request, (uint32_t)(len - QN_FRAMED_HEAD));
	request_len = len;
	for (size_t i = 0; i < IN_FLIGHT; i++)
		memcpy(burst + i * len, request, len);
}

static void ask(struct peer *peer, size_t times)
{
	size_t len = times * request_len;

	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(peer->fd, burst + sent, len - sent, MSG_NOSIGNAL);
		if (n < 0)
			die(errno, "send");
		sent += (size_t)n;
	}
}

/* How many answers were whole. */
static size_t take(struct peer *peer)
{
	size_t done = 0, taken, answers = 0;
	struct qn_text text;
	ssize_t n = recv(peer->fd, peer->in + peer->len, sizeof(peer->in) - peer->len,
			 MSG_DONTWAIT);

	if (n <= 0)
		die(n < 0 ? errno : 0, "a connection ended under load");
	peer->len += (size_t)n;
	while (qn_framed_next(peer->in + done, peer->len - done, 1 << 20, &text, &taken) == QN_OK) {
		if (text.len < request_len)
			die(0, "an answer is too short: %.*s", (int)text.len, text.at);
		done += taken;
		answers++;
	}
	peer->len -= done;
	memmove(peer->in, peer->in + done, peer->len);
	return answers;
}

/* Answers a second in one slice; nothing is under way before or after it. */
static double slice(struct load *load)
{
	struct epoll_event events[CONNECTIONS];
	size_t under_way = (size_t)CONNECTIONS * IN_FLIGHT, answered = 0;
	int64_t start = now_ns(), now = start;

	for (int i = 0; i < CONNECTIONS; i++)
		ask(&load->peers[i], IN_FLIGHT);
	while (under_way > 0) {
		int n = epoll_wait(load->epoll, events, CONNECTIONS, 10000);
		if (n <= 0)
			die(n < 0 ? errno : ETIMEDOUT, "answers did not come");
		for (int i = 0; i < n; i++) {
			size_t answers = take(events[i].data.ptr);
			under_way -= answers;
			if (now - start >= SLICE_NS)
				continue;
			answered += answers;
			ask(events[i].data.ptr, answers);
			under_way += answers;
		}
		now = now - start < SLICE_NS ? now_ns() : now;
	}
	return (double)answered * 1e9 / (double)(now - start);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *samples)
{
	qsort(samples, PAIRS, sizeof(*samples), by_value);
	return samples[PAIRS / 2];
}

static void verdict(const char *what, double value, const char *unit, double limit, bool at_least)
{
	bool reached = at_least ? value >= limit : value <= limit;

	printf("%-34s %12.*f %-8s %s %g  %s\n", what, value < 100 ? 3 : 0, value, unit,
	       at_least ? ">=" : "<=", limit, reached ? "ok" : "MISSED");
	missed += !reached;
}

static void echoes(const char *name, size_t content, double floor_per_s, double floor_ratio)
{
	double a[PAIRS], b[PAIRS], ratio[PAIRS];
	char what[64];

	make_request(content);
	for (int i = 0; i < PAIRS; i++) {
		bool first = i % 2 == 0;
		a[i] = first ? slice(&ours) : 0;
		b[i] = slice(&bare);
		a[i] = first ? a[i] : slice(&ours);
		ratio[i] = a[i] / b[i];
	}
	snprintf(what, sizeof(what), "framed_%s_per_s", name);
	verdict(what, median(a), "/s", floor_per_s, true);
	snprintf(what, sizeof(what), "framed_%s_ratio", name);
	printf("  bare echo %.0f /s\n", median(b));
	verdict(what, median(ratio), "", floor_ratio, true);
}

/* Anonymous memory of a process, in bytes: what its connections cost in user space. */
static double memory(pid_t pid)
{
	char path[64], line[256];
	double kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		die(errno, "%s", path);
	while (fgets(line, sizeof(line), file) != NULL)
		sscanf(line, "RssAnon: %lf", &kb);
	fclose(file);
	return kb * 1024;
}

static void crowd(const char *at, pid_t server)
{
	static int fds[CROWD];
	double before = memory(server), took[PAIRS];
	char text[] = "{\"type\": \"broadcast\", \"content\": \"all of you\"}";
	char unit[sizeof(text) + QN_FRAMED_HEAD];

	for (int i = 0; i < CROWD; i++) {
		fds[i] = connect_to(at);
		skip_frame(fds[i]);
	}
	verdict("framed_kept_bytes", (memory(server) - before) / CROWD, "bytes", 1024, false);
	qn_framed_put_head(unit, sizeof(text) - 1);
	memcpy(unit + QN_FRAMED_HEAD, text, sizeof(text) - 1);
	for (int round = 0; round < PAIRS; round++) {
		int64_t start = now_ns();
		if (send(fds[0], unit, QN_FRAMED_HEAD + sizeof(text) - 1, 0) < 0)
			die(errno, "send");
		skip_frame(fds[0]); /* "broadcast_sent": all the others have theirs in the kernel */
		took[round] = (double)(now_ns() - start) / 1e6;
		for (int i = 1; i < CROWD; i++)
			skip_frame(fds[i]);
		for (int i = 0; i < CONNECTIONS; i++)
			skip_frame(ours.peers[i].fd);
	}
	verdict("framed_broadcast_ms", median(took), "ms", 100, false);
}

static void run_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int main(int argc, char **argv)
{
	char self[PATH_MAX] = "", program[PATH_MAX], reference[PATH_MAX];
	struct child emu, echo;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int server_cpu = cpus > 1 ? 1 : -1;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		die(errno, "/proc/self/exe");
	const char *dir = dirname(self);
	snprintf(program, sizeof(program), "%.250s/../bin/quintain-emu", dir);
	snprintf(reference, sizeof(reference), "%.250s/bare_framed", dir);
	if (raise_open_files() < CROWD + 100)
		die(0, "%d connections need as many open files", CROWD);
	setvbuf(stdout, NULL, _IOLBF, 0);
	children_init();
	const char *const emu_args[] = { argc > 1 ? argv[1] : program, "run",
					 BENCH_SOURCE_DIR "/framed/server.cfg", NULL };
	const char *const echo_args[] = { reference, BARE ":18082", "92", NULL };
	child_start(&emu, "framed server", server_cpu, "/dev/null", emu_args);
	child_start(&echo, "bare echo", server_cpu, NULL, echo_args);
	child_line(&echo, 5000);
	nap_ms(500); /* the other says nothing that could be waited for but its port */
	if (server_cpu >= 0)
		run_on(0);
	open_load(&ours, OURS ":18082", true);
	open_load(&bare, BARE ":18082", false);
	echoes("small", 30, 95000, 0.6);
	echoes("16k", 16000, 25000, 0);
	crowd(OURS ":18082", emu.pid);
	child_stop(&echo);
	child_stop(&emu);
	if (missed > 0)
		printf("%u of the floors missed\n", missed);
	return missed > 0;
}

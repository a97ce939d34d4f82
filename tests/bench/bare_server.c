/*
 * The bare reference of a fleet: as many listeners, the same answer length, and nothing parsed.
 *
 * Every read is answered with one write of a canned line; a connection ends when the peer closes
 * it. What stands between this and a fleet's figures is what the fleet does with the bytes.
 *
 * --edge takes connections edge-triggered: leaner yet (4 to 8 % with kept connections), since the
 * kernel does not look again at what was served.
 *
 * It is also the bare master that a fleet registers at: --answer gives the canned line, --announce
 * N prints "registered N" at the N-th message.
 *
 * stdout: "ready" when all listen; on SIGUSR1 and on SIGTERM one JSON line of counters. SIGTERM
 * ends.
 */
#include "tests/bench/common.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Measured: 1 to 4 % faster than 1,024. */
#define EVENTS 256

enum kind { CONNECTION, LISTENER, SIGNALS };

struct slot {
	int fd;
	enum kind kind;
};

struct server {
	struct endpoint at;
	uint32_t count;
	int epoll;
	struct slot *slots; /* by fd */
	size_t n_slots;
	char answer[4096];
	size_t answer_len;
	uint32_t conn_events;
	uint64_t messages, connections, announce;
};

/* A pong that a master accepts, `len` bytes with its newline; too short for one: filler. */
static void make_answer(struct server *server, size_t len)
{
	static const char head[] = "{\"timestamp\": 1795274926, \"type\": \"pong\", \"data\": "
				   "{\"message\": \"Target reporting for duty!\", \"status\": "
				   "\"alive\"}, \"id\": \"msg_1795274926000\", \"target_id\": \"";
	static const char tail[] = "\"}\n";
	size_t fixed = sizeof(head) - 1 + sizeof(tail) - 1;

	memset(server->answer, 'x', len);
	server->answer[len - 1] = '\n';
	if (len >= fixed) {
		memcpy(server->answer, head, sizeof(head) - 1);
		memcpy(server->answer + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	}
	server->answer_len = len;
}

static void watch(struct server *server, int fd, enum kind kind)
{
	struct slot *slot;
	struct epoll_event event = { .events = kind == CONNECTION ? server->conn_events : EPOLLIN };

	if ((size_t)fd >= server->n_slots)
		die(EMFILE, "fd %d", fd);
	slot = &server->slots[fd];
	*slot = (struct slot){ .fd = fd, .kind = kind };
	event.data.ptr = slot;
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die(errno, "epoll_ctl");
}

static void open_listener(struct server *server, uint32_t i)
{
	struct sockaddr_in address = endpoint_at(&server->at, i);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		die(errno, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		die(errno, "SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(errno, "bind to address %u, port %u", i, server->at.port);
	if (listen(fd, SOMAXCONN) < 0)
		die(errno, "listen");
	watch(server, fd, LISTENER);
}

static void open_signals(struct server *server)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		die(errno, "signalfd");
	watch(server, fd, SIGNALS);
}

static void print_counters(const struct server *server)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("{\"messages\": %llu, \"connections\": %llu, \"cpu_user_us\": %lld, "
	       "\"cpu_sys_us\": %lld, \"at_ns\": %lld}\n",
	       (unsigned long long)server->messages, (unsigned long long)server->connections,
	       used.ru_utime.tv_sec * 1000000LL + used.ru_utime.tv_usec,
	       used.ru_stime.tv_sec * 1000000LL + used.ru_stime.tv_usec, (long long)now_ns());
	fflush(stdout);
}

/* False: the server has been told to end. */
static bool take_signal(struct server *server, int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return true;
	print_counters(server);
	return info.ssi_signo != SIGTERM;
}

static void accept_one(struct server *server, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED)
			die(errno, "accept4");
		return;
	}
	server->connections++;
	watch(server, fd, CONNECTION);
}

static void answer_read(struct server *server, int fd, uint32_t events)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close(fd);
		return;
	}
	/* One message is in flight on each: a full socket buffer is a client that breaks the rule.
	 */
	if (send(fd, server->answer, server->answer_len, MSG_NOSIGNAL) !=
	    (ssize_t)server->answer_len) {
		close(fd);
		return;
	}
	if (++server->messages == server->announce) {
		printf("registered %llu\n", (unsigned long long)server->messages);
		fflush(stdout);
	}
	if (events &
	    EPOLLRDHUP) /* only with --edge: its end came with it, and does not come again */
		close(fd);
}

static void serve(struct server *server)
{
	static struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(server->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			const struct slot *slot = events[i].data.ptr;

			switch (slot->kind) {
			case CONNECTION: answer_read(server, slot->fd, events[i].events); break;
			case LISTENER: accept_one(server, slot->fd); break;
			case SIGNALS:
				if (!take_signal(server, slot->fd))
					return;
				break;
			}
		}
	}
}

static void options(struct server *server, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "at", required_argument, NULL, 'a' },
		{ "count", required_argument, NULL, 'c' },
		{ "length", required_argument, NULL, 'l' },
		{ "answer", required_argument, NULL, 'A' },
		{ "announce", required_argument, NULL, 'n' },
		{ "edge", no_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'a': server->at = endpoint_parse(optarg); break;
		case 'c': server->count = (uint32_t)number_parse(optarg, 1, 1e6, "count"); break;
		case 'l':
			make_answer(server, (size_t)number_parse(optarg, 1, 4096, "length"));
			break;
		case 'A':
			server->answer_len = (size_t)snprintf(
				server->answer, sizeof(server->answer), "%s\n", optarg);
			break;
		case 'n':
			server->announce = (uint64_t)number_parse(optarg, 1, 1e9, "announce");
			break;
		case 'e': server->conn_events = EPOLLIN | EPOLLRDHUP | EPOLLET; break;
		default: exit(2);
		}
	}
	if (!server->at.port)
		die(0, "usage: --at ADDRESS:PORT [--count N] [--length BYTES | --answer LINE] "
		       "[--announce N] [--edge]");
}

int main(int argc, char **argv)
{
	static struct server server = { .count = 1, .conn_events = EPOLLIN };

	make_answer(&server, 165);
	options(&server, argc, argv);
	server.n_slots = raise_open_files();
	server.slots = calloc(server.n_slots, sizeof(*server.slots));
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!server.slots || server.epoll < 0)
		die(errno, "start");
	open_signals(&server);
	for (uint32_t i = 0; i < server.count; i++)
		open_listener(&server, i);
	puts("ready");
	fflush(stdout);
	serve(&server);
	return 0;
}

/*
 * Who holds a port: found in /proc for sockets of our own, told in words.
 */
#include "emulator/base/fds.h"
#include "emulator/base/ports.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK UINT32_C(0x7f000001)
#define OTHER UINT32_C(0x7f00002a)

static int listen_at(uint32_t ip, uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(ip) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0 &&
		  listen(fd, 4) == 0 && getsockname(fd, (struct sockaddr *)&in, &len) == 0);
	*ret_port = ntohs(in.sin_port);
	return fd;
}

static void expect_us(const struct port_holder *holder)
{
	char name[32] = "";
	FILE *comm = fopen("/proc/self/comm", "r");

	cr_assert(comm != NULL && fgets(name, sizeof(name), comm) != NULL);
	fclose(comm);
	name[strcspn(name, "\n")] = '\0';
	cr_expect_eq(holder->pid, getpid());
	cr_expect_str_eq(holder->name, name);
}

Test(ports, found_on_its_address)
{
	struct port_holder holder = { .pid = -7 };
	uint16_t port;
	int fd = listen_at(LOOPBACK, 0, &port);

	cr_expect(!port_find_holder((struct net_addr){ OTHER, port }, &holder));
	cr_expect_eq(holder.pid, -7, "untouched");
	cr_assert(port_find_holder((struct net_addr){ LOOPBACK, port }, &holder));
	cr_expect(holder.at.ip == LOOPBACK && holder.at.port == port);
	expect_us(&holder);
	cr_expect(port_find_holder((struct net_addr){ 0, port }, &holder),
		  "it keeps us from every address");
	close(fd);
	cr_expect(!port_find_holder((struct net_addr){ LOOPBACK, port }, &holder));
}

Test(ports, found_on_every_address)
{
	struct port_holder holder;
	uint16_t port;
	int fd = listen_at(INADDR_ANY, 0, &port);

	cr_assert(port_find_holder((struct net_addr){ OTHER, port }, &holder));
	cr_expect_eq(holder.at.ip, 0);
	expect_us(&holder);
	close(fd);
}

Test(ports, a_connection_is_no_listener)
{
	struct port_holder holder;
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	uint16_t port;
	int fd = listen_at(LOOPBACK, 0, &port), client = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_port = htons(port);
	in.sin_addr.s_addr = htonl(LOOPBACK);
	cr_assert_eq(connect(client, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(getsockname(client, (struct sockaddr *)&in, &len), 0);
	cr_expect(!port_find_holder((struct net_addr){ LOOPBACK, ntohs(in.sin_port) }, &holder));
	close(fd);
	close(client);
}

Test(ports, found_where_ipv6_takes_it_too)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	struct port_holder holder;
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		cr_skip_test("no IPv6 here");
	cr_assert(listen(fd, 4) == 0 && getsockname(fd, (struct sockaddr *)&in, &len) == 0);
	uint16_t port = ntohs(in.sin6_port);
	cr_assert(port_find_holder((struct net_addr){ LOOPBACK, port }, &holder));
	cr_expect_eq(holder.at.ip, 0);
	expect_us(&holder);
	close(fd);
}

Test(ports, words)
{
	const struct net_addr at = { LOOPBACK, 8081 };
	struct port_holder holder = { .at = at, .pid = 4711, .name = "python3" };
	char text[160];

	cr_expect_str_eq(port_holder_text(at, &holder, text, sizeof(text)),
			 "127.0.0.1:8081 is taken by python3 (pid 4711)");
	holder.at.ip = 0;
	cr_expect_str_eq(port_holder_text(at, &holder, text, sizeof(text)),
			 "127.0.0.1:8081 is taken by python3 (pid 4711), which listens on every "
			 "address");
	holder = (struct port_holder){ .at = at };
	cr_expect_str_eq(port_holder_text(at, &holder, text, sizeof(text)),
			 "127.0.0.1:8081 is taken by a process that is not ours to see");
}

Test(ports, words_that_do_not_fit)
{
	const struct net_addr at = { LOOPBACK, 8081 };
	struct port_holder holder = { .pid = 4711, .name = "python3" };
	char whole[160], cut[161];

	port_holder_text(at, &holder, whole, sizeof(whole));
	for (size_t cap = 1; cap < sizeof(whole); cap++) {
		memset(cut, '#', sizeof(cut));
		port_holder_text(at, &holder, cut, cap);
		for (size_t i = cap; i < sizeof(cut); i++)
			cr_assert_eq(cut[i], '#', "%zu written past %zu", i, cap);
		cr_assert_lt(strlen(cut), cap);
		cr_assert(strncmp(cut, whole, strlen(cut)) == 0);
	}
}

/* A name that its process chose: no way to a terminal. */
Test(ports, a_hostile_name_is_made_harmless)
{
	const struct net_addr at = { LOOPBACK, 8081 };
	struct port_holder holder = { .at = at, .pid = 1, .name = "a\x1b[2J\n\x7f" };
	char text[160];

	cr_expect_str_eq(port_holder_text(at, &holder, text, sizeof(text)),
			 "127.0.0.1:8081 is taken by a?[2J?? (pid 1)");
}

Test(fds, raised_as_far_as_it_goes)
{
	struct rlimit limit;
	size_t n = 0;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 64;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(fds_raise(&n), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(limit.rlim_cur, limit.rlim_max);
	cr_expect(n == limit.rlim_cur || limit.rlim_cur == RLIM_INFINITY);
	cr_expect_gt(n, 64);
}

#include "tests/support/peer.h"

#include "tests/support/process.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(ip) };
}

static void wait_for(int fd, short events, const char *what)
{
	struct pollfd poller = { fd, events, 0 };
	int rc;

	do
		rc = poll(&poller, 1, PATIENCE_MS);
	while (rc < 0 && errno == EINTR);
	cr_assert(rc == 1, "waited in vain for %s", what);
}

int peer_listen(uint32_t ip, uint16_t port)
{
	struct sockaddr_in in = address(ip, port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	cr_assert(bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0, "bind: %s", strerror(errno));
	cr_assert(listen(fd, 1024) == 0);
	return fd;
}

int peer_accept(int listener, uint32_t *ret_ip)
{
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);

	wait_for(listener, POLLIN, "a connection");
	int fd = accept4(listener, (struct sockaddr *)&in, &len, SOCK_CLOEXEC);
	cr_assert(fd >= 0, "accept: %s", strerror(errno));
	if (ret_ip != NULL)
		*ret_ip = ntohl(in.sin_addr.s_addr);
	return fd;
}

int peer_try_connect(uint32_t from, uint32_t to, uint16_t port)
{
	struct sockaddr_in source = address(from, 0), in = address(to, port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0, "socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (from != 0)
		cr_assert(bind(fd, (struct sockaddr *)&source, sizeof(source)) == 0);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	int error = errno;
	close(fd);
	return -error;
}

int peer_connect(uint32_t from, uint32_t to, uint16_t port)
{
	int fd = peer_try_connect(from, to, port);

	cr_assert(fd >= 0, "connect: %s", strerror(-fd));
	return fd;
}

void peer_send(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		wait_for(fd, POLLOUT, "room to send");
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		cr_assert(n > 0, "send: %s", strerror(errno));
		bytes += n;
		len -= (size_t)n;
	}
}

void peer_say(int fd, const char *text)
{
	peer_send(fd, text, strlen(text));
}

ssize_t peer_recv(int fd, char *buf, size_t cap)
{
	wait_for(fd, POLLIN, "an answer");
	ssize_t n = recv(fd, buf, cap - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return n < 0 ? -errno : n;
}

void peer_line(int fd, char buf[PEER_LINE])
{
	ssize_t n = peer_recv(fd, buf, PEER_LINE);

	cr_assert(n > 0, "no line but %s", n == 0 ? "the end" : strerror((int)-n));
	cr_assert(strlen(buf) == (size_t)n && strchr(buf, '\n') == buf + n - 1,
		  "one read brought no whole line alone: %s", buf);
}

void peer_lines(int fd, char *buf, size_t cap, size_t lines)
{
	size_t len = 0, found = 0;

	while (found < lines) {
		ssize_t n = peer_recv(fd, buf + len, cap - len);
		cr_assert(n > 0, "%zu of %zu lines: %s", found, lines, buf);
		for (ssize_t i = 0; i < n; i++)
			found += buf[len + (size_t)i] == '\n';
		len += (size_t)n;
	}
	cr_assert(found == lines && buf[len - 1] == '\n', "more than %zu lines: %s", lines, buf);
}

int peer_end_of(int fd)
{
	char buf[PEER_LINE];
	ssize_t n = peer_recv(fd, buf, sizeof(buf));

	cr_assert(n <= 0, "an answer where none was expected: %s", buf);
	return (int)n;
}

void peer_expect_end(int fd)
{
	int rc = peer_end_of(fd);

	cr_assert(rc == 0 || rc == -ECONNRESET, "%s", strerror(-rc));
}

void peer_reset(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

void peer_register(uint32_t from, uint32_t master, uint16_t port, const char *id)
{
	char line[PEER_LINE];
	int fd = peer_connect(from, master, port);

	snprintf(line, sizeof(line),
		 "{\"type\": \"register\", \"id\": \"msg_1\", \"timestamp\": 1.5, "
		 "\"target_id\": \"%s\", \"data\": {\"client_id\": \"%s\"}}\n",
		 id, id);
	peer_say(fd, line);
	peer_line(fd, line);
	cr_assert(strstr(line, "\"type\": \"registered\"") != NULL, "%s", line);
	close(fd);
}

bool peer_matches(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern != '#') {
			if (*text++ != *pattern)
				return false;
			continue;
		}
		if (!isdigit((unsigned char)*text))
			return false;
		while (isdigit((unsigned char)*text))
			text++;
	}
	return *text == '\0';
}

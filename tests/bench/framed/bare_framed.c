/*
 * The bare reference of a framed server: it finds frames by their heads, gives each back with as
 * many bytes more as an answer has, and looks at no byte of any text. What one read brought leaves
 * in one write.
 *
 * usage: bare_framed ADDRESS:PORT MORE
 */
#include "tests/bench/common.h"

#include "proto/framed/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define ROOM (1 << 20)

struct client {
	int fd;
	size_t len;
	char in[65536];
};

static char out[2 * ROOM];
static size_t more;

static void answer(struct client *client)
{
	size_t done = 0, out_len = 0, taken;
	struct qn_text text;

	while (qn_framed_next(client->in + done, client->len - done, ROOM, &text, &taken) ==
	       QN_OK) {
		qn_framed_put_head(out + out_len, (uint32_t)(text.len + more));
		memcpy(out + out_len + QN_FRAMED_HEAD, text.at, text.len);
		out_len += QN_FRAMED_HEAD + text.len + more;
		done += taken;
	}
	client->len -= done;
	memmove(client->in, client->in + done, client->len);
	/* Its client reads all the time: waiting here for room is short. */
	for (size_t sent = 0; sent < out_len;) {
		ssize_t n = send(client->fd, out + sent, out_len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		sent += n > 0 ? (size_t)n : 0;
	}
}

static void serve(struct client *client)
{
	ssize_t n = recv(client->fd, client->in + client->len, sizeof(client->in) - client->len, 0);

	if (n > 0) {
		client->len += (size_t)n;
		answer(client);
	} else if (n == 0 || errno != EAGAIN) {
		close(client->fd);
		free(client);
	}
}

static void accept_one(int epoll, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *client = fd >= 0 ? malloc(sizeof(*client)) : NULL;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

	if (client == NULL)
		return;
	client->fd = fd;
	client->len = 0;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), on = 1;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event events[EVENTS], event = { .events = EPOLLIN };

	if (argc != 3)
		die(0, "usage: bare_framed ADDRESS:PORT MORE");
	struct endpoint at = endpoint_parse(argv[1]);
	struct sockaddr_in address = endpoint_at(&at, 0);
	more = (size_t)number_parse(argv[2], 0, 4096, "MORE");
	raise_open_files();
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, SOMAXCONN) < 0)
		die(errno, "%s", argv[1]);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_one(epoll, listener);
			else
				serve(events[i].data.ptr);
		}
	}
}

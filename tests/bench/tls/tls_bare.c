/*
 * Bare OpenSSL: connections on memory BIOs and nothing around them, to be compared with.
 */
#include "tests/bench/tls/tls_common.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 50

/* ---- memory ---- */

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[128];
	long kb = 0, n;

	if (file == NULL)
		die(errno, "/proc/self/smaps_rollup");
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Private_Dirty: %ld", &n) == 1)
			kb = n;
	fclose(file);
	return kb;
}

/* What one side wrote becomes what the other reads. */
static void carry(SSL *from, SSL *to)
{
	char bytes[4096];
	int n;

	while ((n = BIO_read(SSL_get_wbio(from), bytes, sizeof(bytes))) > 0)
		if (BIO_write(SSL_get_rbio(to), bytes, n) != n)
			die(0, "a memory BIO takes no more");
}

static SSL *on_memory(SSL_CTX *ctx, bool server)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL)
		die(0, "no memory for another connection");
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

/* The client's end of a connection that has shaken hands and echoed; the other end is gone. */
static SSL *one_client(SSL_CTX *client_ctx, SSL_CTX *server_ctx)
{
	SSL *client = on_memory(client_ctx, false), *server = on_memory(server_ctx, true);
	char byte;

	while (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)) {
		SSL_do_handshake(client);
		carry(client, server);
		SSL_do_handshake(server);
		carry(server, client);
	}
	SSL_write(client, "x", 1);
	carry(client, server);
	if (SSL_read(server, &byte, 1) != 1 || SSL_write(server, &byte, 1) != 1)
		die(0, "the echo failed");
	carry(server, client);
	if (SSL_read(client, &byte, 1) != 1)
		die(0, "the echo failed");
	SSL_free(server);
	return client;
}

int bare_memory(const char *folder, unsigned connections)
{
	SSL_CTX *client = tls_context(folder, "agent", false);
	SSL_CTX *server = tls_context(folder, "manager", true);
	SSL **all = calloc(connections + FIRST, sizeof(SSL *));
	long before = 0;

	if (all == NULL)
		die(ENOMEM, "connections");
	for (unsigned i = 0; i < connections + FIRST; i++) {
		if (i == FIRST)
			before = resident_kb();
		all[i] = one_client(client, server);
	}
	printf("{\"bytes_each\": %.1f}\n", (double)(resident_kb() - before) * 1024 / connections);
	fflush(stdout);
	_exit(0); /* what stands is the point: nobody waits for it to be taken down */
}

/* ---- the echo ---- */

struct echo {
	SSL *ssl;
	int fd;
	size_t left; /* of the request under way */
};

static size_t request_len, answer_len[NOOP_ANSWERS];

static void send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0)
			die(errno, "send");
		bytes += n;
		len -= (size_t)n;
	}
}

/* All that the connection has to say, in one write. */
static void flush(struct echo *echo)
{
	char bytes[65536];
	int n = BIO_read(SSL_get_wbio(echo->ssl), bytes, sizeof(bytes));

	if (n > 0)
		send_all(echo->fd, bytes, (size_t)n);
}

static void answer(struct echo *echo)
{
	static const char text[1024];

	for (int i = 0; i < NOOP_ANSWERS; i++)
		if (SSL_write(echo->ssl, text, (int)answer_len[i]) <= 0)
			die(0, "SSL_write");
	flush(echo);
}

static void serve(struct echo *echo)
{
	char bytes[65536], plain[16384];
	ssize_t n = recv(echo->fd, bytes, sizeof(bytes), 0);

	if (n <= 0)
		exit(0); /* the client is done */
	BIO_write(SSL_get_rbio(echo->ssl), bytes, (int)n);
	for (;;) {
		int len = SSL_read(echo->ssl, plain, sizeof(plain));
		if (len <= 0)
			break;
		echo->left -= (size_t)len;
		if (echo->left == 0) {
			echo->left = request_len;
			answer(echo);
		}
	}
}

static void dial(struct echo *echo, SSL_CTX *ctx, const struct endpoint *to)
{
	struct sockaddr_in in = endpoint_at(to, 0);
	char bytes[16384];
	int one = 1;

	echo->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (echo->fd < 0 || connect(echo->fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		die(errno, "connect");
	setsockopt(echo->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	echo->ssl = on_memory(ctx, false);
	echo->left = request_len;
	while (SSL_do_handshake(echo->ssl) != 1) {
		flush(echo);
		ssize_t n = recv(echo->fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			die(errno, "the handshake failed");
		BIO_write(SSL_get_rbio(echo->ssl), bytes, (int)n);
	}
	flush(echo);
}

int bare_echo(const char *folder, const char *to, unsigned connections, const char *lengths)
{
	SSL_CTX *ctx = tls_context(folder, "agent", false);
	struct endpoint at = endpoint_parse(to);
	struct echo *all = calloc(connections, sizeof(*all));
	struct epoll_event events[64];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (all == NULL || epoll < 0 ||
	    sscanf(lengths, "%zu,%zu,%zu,%zu,%zu", &request_len, &answer_len[0], &answer_len[1],
		   &answer_len[2], &answer_len[3]) != 1 + NOOP_ANSWERS)
		die(errno, "bare echo");
	for (unsigned i = 0; i < connections; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &all[i] };
		dial(&all[i], ctx, &at);
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
	}
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++)
			serve(events[i].data.ptr);
	}
}

/*
 * Registers targets at a master, each from its own address: one line, one answer, closed.
 *
 *     register --to MASTER:PORT --from ADDRESS:0 --count N
 *
 * One after the other: it prepares a measurement and is none. Dies when an answer is no
 * `registered`.
 */
#include "tests/bench/common.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void register_one(const struct endpoint *master, const struct endpoint *from, uint32_t i)
{
	struct sockaddr_in to = endpoint_at(master, 0), own = endpoint_at(from, i);
	const struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	char line[LINE_MAX_BYTES], answer[1024];
	ssize_t n;
	int len = snprintf(line, sizeof(line),
			   "{\"type\": \"register\", \"id\": \"msg_1795274924522\", "
			   "\"timestamp\": 1795274924.5229137, \"target_id\": \"target_%u\", "
			   "\"data\": {\"client_id\": \"target_%u\"}}\n",
			   i + 1, i + 1);

	if (fd < 0)
		die(errno, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		die(errno, "bind to the address of target %u", i + 1);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(errno, "connect to the master");
	if (send(fd, line, (size_t)len, MSG_NOSIGNAL) != len)
		die(errno, "send");
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	if (n <= 0)
		die(n < 0 ? errno : 0, "no answer for target %u", i + 1);
	answer[n] = '\0';
	if (!strstr(answer, "\"registered\""))
		die(0, "target %u was answered %s", i + 1, answer);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "to", required_argument, NULL, 't' },
		{ "from", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	struct endpoint master = { 0 }, from = { 0 };
	uint32_t count = 1;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 't': master = endpoint_parse(optarg); break;
		case 'f': from = endpoint_parse(optarg); break;
		case 'c': count = (uint32_t)number_parse(optarg, 1, 1e6, "count"); break;
		default: exit(2);
		}
	}
	if (!master.port || !from.base)
		die(0, "usage: --to MASTER:PORT --from ADDRESS:0 [--count N]");
	for (uint32_t i = 0; i < count; i++)
		register_one(&master, &from, i);
	return 0;
}

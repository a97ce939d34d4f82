/* Faults of the wire jsonrpc alone, as a client of plain sockets reads them: docs/FAULTS.md
 * "JSON-RPC". */
#include "tests/support/faulty.h"

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;
static char bytes[65536];

#define UPGRADE                                                                                    \
	"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"             \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
/* Masked by zeros, so that it can be read here. */
#define ASK "\x81\xaf\0\0\0\0{\"jsonrpc\":\"2.0\",\"method\":\"target.ping\",\"id\":1}"
#define ASK_LEN (sizeof(ASK) - 1)
/* In a bare frame with a head of two bytes. */
#define ANSWER                                                                                     \
	"{\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"alive\",\"target_id\":\"target_1\"},\"id\":1}"
#define ANSWER_LEN (sizeof(ANSWER) - 1)

static int websocket(const char *fault)
{
	faulty_start(&f, fault, "wire = \"jsonrpc\"; jsonrpc = { register = false; };", "");
	int fd = faulty_call(&f);

	peer_say(fd, UPGRADE);
	size_t len = 0;
	while (len < 4 || memcmp(bytes + len - 4, "\r\n\r\n", 4) != 0) {
		ssize_t n = peer_recv(fd, bytes + len, sizeof(bytes) - len);
		cr_assert(n > 0);
		len += (size_t)n;
	}
	cr_assert(strncmp(bytes, "HTTP/1.1 101 ", 13) == 0, "%s", bytes);
	return fd;
}

static void done(int fd)
{
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, wrong_mask)
{
	int fd = websocket("{ kind = \"wrong_mask\"; }");
	peer_send(fd, ASK, ASK_LEN);
	faulty_read(fd, bytes, sizeof(bytes), ANSWER_LEN + 6);
	cr_expect_eq((unsigned char)bytes[0], 0x81);
	cr_expect_eq((unsigned char)bytes[1], 0x80 | ANSWER_LEN);
	for (size_t i = 0; i < ANSWER_LEN; i++)
		bytes[6 + i] = (char)(bytes[6 + i] ^ bytes[2 + i % 4]);
	cr_expect(memcmp(bytes + 6, ANSWER, ANSWER_LEN) == 0, "%s", bytes + 6);
	faulty_quiet(fd, 100);
	done(fd);
}

Test(faults, bad_close)
{
	int fd = websocket("{ kind = \"bad_close\"; count = 1006; }");
	peer_send(fd, ASK, ASK_LEN);
	faulty_read(fd, bytes, sizeof(bytes), 4);
	cr_expect(memcmp(bytes, "\x88\x02\x03\xee", 4) == 0);
	faulty_quiet(fd, 100);
	done(fd);
}

Test(faults, half_frame)
{
	int fd = websocket("{ kind = \"half_frame\"; }");
	peer_send(fd, ASK, ASK_LEN);
	size_t half = (ANSWER_LEN + 2) / 2;
	faulty_read(fd, bytes, sizeof(bytes), (unsigned)half);
	cr_expect_eq((unsigned char)bytes[1], ANSWER_LEN);
	cr_expect(memcmp(bytes + 2, ANSWER, half - 2) == 0);
	faulty_quiet(fd, 200);
	done(fd);
}

/* The stream begins; what happens then happens in silence, and another connection is told of it. */
Test(faults, sse_stall)
{
	faulty_start(&f, "{ kind = \"sse_stall\"; }",
		     "wire = \"jsonrpc\"; jsonrpc = { register = false; };", "");
	int stream = faulty_call(&f), fd = faulty_call(&f);

	peer_say(stream, "GET /api/v1/stream/events HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect(peer_recv(stream, bytes, sizeof(bytes)) > 0);
	cr_expect(strstr(bytes, "text/event-stream") != NULL, "%s", bytes);
	peer_say(fd, "POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
		     "{\"jsonrpc\":\"2.0\",\"method\":\"target.standUp\",\"id\":1}");
	ssize_t n = peer_recv(fd, bytes, sizeof(bytes));
	cr_expect(n > 0 && strstr(bytes, "command_queued") != NULL, "%s", bytes);
	faulty_quiet(stream, 300);
	close(stream);
	done(fd);
}

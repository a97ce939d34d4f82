/*
 * What independent clients sent to another server, sent to ours: fixtures/transcripts. Our answers
 * to requests must be that server's, byte for byte; where it answered what is no request (a POST
 * without an id) ours says nothing, as the specification has it.
 */
#include "tests/support/jsonl.h"
#include "tests/support/rpc_bed.h"

static struct jsonl *file;

static bool has(struct qn_text text, const char *what)
{
	return text.at != NULL && memmem(text.at, text.len, what, strlen(what)) != NULL;
}

/* The server's next answer, where the next line is one. */
static bool next_answer(struct qn_text *ret)
{
	if (!jsonl_next(file))
		return false;
	*ret = jsonl_must(file, "dir");
	if (!has(*ret, "s>c"))
		return false;
	*ret = jsonl_must(file, "bytes_utf8");
	return true;
}

static void send_frame(struct qn_text text)
{
	char copy[1024];

	REQUIRE(text.len < sizeof(copy));
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	frame(copy);
}

static void send_post(struct qn_text text)
{
	char request[2048];
	int len = snprintf(request, sizeof(request),
			   "POST /rpc HTTP/1.1\r\nhost: x\r\ncontent-type: application/json; "
			   "charset=utf-8\r\nconnection: keep-alive\r\ncontent-length: %zu\r\n\r\n"
			   "%.*s",
			   text.len, (int)text.len, text.at);

	feed(request, (size_t)len);
}

/* What the answer is, without HTTP or a frame around it. */
static const char *body(bool post)
{
	static char text[4096];

	if (!post) {
		snprintf(text, sizeof(text), "%s", said());
		text[strcspn(text, "\n")] = '\0';
		return text;
	}
	sent[sent_len] = '\0';
	const char *at = strstr(sent, "\r\n\r\n");
	REQUIRE(at != NULL);
	snprintf(text, sizeof(text), "%s", at + 4);
	sent_len = 0;
	return text;
}

/* Line by line: who upgrades begins a WebSocket, who posts another connection. */
Test(rpc_transcript, independent_clients)
{
	struct rpc_options options = small();
	size_t requests = 0, notifications = 0, upgrades = 0, streams = 0;
	bool again = false;

	bed_start(&options);
	file = jsonl_open("fixtures/transcripts/jsonrpc_clients.jsonl");
	while (again || jsonl_next(file)) {
		struct qn_text dir = jsonl_text(file, "dir"), ev = jsonl_text(file, "ev");
		struct qn_text url = jsonl_text(file, "url"), bytes, answer;
		char message[1024];
		again = false;
		if (has(ev, "upgrade")) {
			rpc_session_end(&session);
			bed_connect();
			upgrade("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
				"\r\n");
			upgrades++;
			continue;
		}
		if (has(url, "/events")) {
			rpc_session_end(&session);
			bed_connect();
			feed_text("GET /events HTTP/1.1\r\nhost: x\r\nlast-event-id: 7\r\n\r\n");
			expect_http("HTTP/1.1 200 OK\r\n", "retry: 1000\n\n");
			streams++;
			continue;
		}
		if (!has(dir, "c>s"))
			continue;
		bytes = jsonl_must(file, "bytes_utf8");
		REQUIRE(bytes.len < sizeof(message));
		memcpy(message, bytes.at, bytes.len);
		bytes.at = message;
		bool post = has(ev, "http");
		if (post && session.state != RPC_HTTP) {
			rpc_session_end(&session);
			bed_connect();
		}
		if (post)
			send_post(bytes);
		else
			send_frame(bytes);
		const char *ours = body(post);
		if (!has(bytes, "\"id\"") || has(bytes, "$/cancelRequest")) {
			cr_expect_str_eq(ours, "", "to %s", message);
			notifications++;
			continue;
		}
		again = !next_answer(&answer);
		REQUIRE(!again);
		/* One of a batch had no id, and that server answered it all the same. */
		size_t wanted = answer.len;
		if (has(answer, ",{\"jsonrpc\":\"2.0\",\"result\":\"b\"}]"))
			wanted -= strlen(",{\"jsonrpc\":\"2.0\",\"result\":\"b\"}]");
		cr_expect(strncmp(ours, answer.at, wanted) == 0, "line %u: ours %s, theirs %.*s",
			  jsonl_number(file), ours, (int)answer.len, answer.at);
		requests++;
	}
	jsonl_close(file);
	cr_expect_eq(requests, 11, "%zu", requests);
	cr_expect_eq(notifications, 4, "%zu", notifications);
	cr_expect_eq(upgrades, 3);
	cr_expect_eq(streams, 2);
	bed_finish();
}

/*
 * The RPC server by hand: requests, batches, cancelling, closing, time, tokens, rates, REST,
 * streams.
 */
#include "tests/support/rpc_bed.h"

#define RESULT(result, id) "{\"jsonrpc\":\"2.0\",\"result\":" result ",\"id\":" id "}"
#define ERROR(code, text, id)                                                                      \
	"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":" code ",\"message\":\"" text "\"},\"id\":" id "}"

Test(rpc, requests_over_a_websocket)
{
	struct rpc_options options = small();

	bed_start(&options);
	upgrade("");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"hi\"],\"id\":0}");
	cr_expect_str_eq(said(), RESULT("\"hi\"", "0") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}");
	cr_expect_str_eq(said(), "");
	cr_expect_eq(calls, 2);
	frame("{");
	cr_expect_str_eq(said(), ERROR("-32700", "Parse error", "null") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"\\u0065cho\",\"id\":\"\\u00e4\"}");
	cr_expect_str_eq(said(), RESULT("null", "\"\\u00e4\"") "\n");
	feed("\x89\x81\0\0\0\0p", 7);
	cr_expect_str_eq(said(), "p\n");
	bed_finish();
}

Test(rpc, a_batch_waits_for_its_last_answer)
{
	struct rpc_options options = small();

	bed_start(&options);
	upgrade("");
	frame("[{\"jsonrpc\":\"2.0\",\"method\":\"late\",\"id\":1},"
	      "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":2},"
	      "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}]");
	cr_expect_str_eq(said(), "");
	/* What comes behind a batch under way is not lost, only later. */
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":3}");
	cr_expect_str_eq(said(), "");
	rpc_answer(&session, (struct qn_text){ kept, kept_len }, (struct qn_text){ "7", 1 });
	cr_expect_str_eq(said(), "[" RESULT("null", "2") "," RESULT("7", "1") "]\n" RESULT(
					 "null", "3") "\n");
	cr_expect_eq(server.batches.used, 0);
	bed_finish();
}

Test(rpc, batches_are_bounded)
{
	struct rpc_options options = small();

	bed_start(&options);
	upgrade("");
	frame("[1,2,3,4,5,6]");
	cr_expect_str_eq(said(), ERROR("-32600", "Invalid Request", "null") "\n");
	frame("[]");
	cr_expect_str_eq(said(), ERROR("-32600", "Invalid Request", "null") "\n");
	/* The only room is taken, by a session that then goes away and gives it back. */
	frame("[{\"jsonrpc\":\"2.0\",\"method\":\"late\",\"id\":1}]");
	cr_expect_eq(server.batches.used, 1);
	rpc_session_end(&session);
	cr_expect_eq(server.batches.used, 0);
	bed_finish();
}

Test(rpc, no_room_for_a_second_batch)
{
	struct rpc_options options = small();
	static struct rpc_session other;

	bed_start(&options);
	upgrade("");
	frame("[{\"jsonrpc\":\"2.0\",\"method\":\"late\",\"id\":1}]");
	/* The session that keeps it moves out of the way. */
	other.server = &server;
	other.batch = session.batch;
	session.batch = NULL;
	rpc_session_end(&session);
	bed_connect();
	upgrade("");
	frame("[{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}]");
	cr_expect_str_eq(said(), ERROR("-32003", "Out of memory", "null") "\n");
	pool_put(&server.batches, other.batch);
	bed_finish();
}

Test(rpc, batch_execute)
{
	struct rpc_options options = small();

	bed_start(&options);
	upgrade("");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"batch.execute\",\"params\":{\"operations\":["
	      "{\"method\":\"echo\",\"params\":[1]},{\"method\":\"x\"},{\"params\":[]},"
	      "{\"method\":\"batch.execute\",\"params\":{\"operations\":[]}}]},\"id\":\"b\"}");
	cr_expect_str_eq(
		said(),
		RESULT("[{\"index\":0,\"result\":1},"
		       "{\"index\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}},"
		       "{\"index\":2,\"error\":{\"code\":-32600,\"message\":\"Invalid Request\"}},"
		       "{\"index\":3,\"error\":{\"code\":-32600,\"message\":\"Invalid Request\"}}]",
		       "\"b\"") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"batch.execute\",\"params\":{\"operations\":[]},"
	      "\"id\":1}");
	cr_expect_str_eq(said(), RESULT("[]", "1") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"batch.execute\",\"id\":1}");
	cr_expect_str_eq(said(), ERROR("-32602", "Invalid params", "1") "\n");
	frame("[{\"jsonrpc\":\"2.0\",\"method\":\"batch.execute\",\"params\":{\"operations\":[]},"
	      "\"id\":1}]");
	cr_expect_str_eq(said(), "[" ERROR("-32600", "No batch inside a batch", "1") "]\n");
	cr_expect_eq(server.batches.used, 0);
	bed_finish();
}

Test(rpc, cancelling)
{
	struct rpc_options options = small();

	bed_start(&options);
	upgrade("");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"late\",\"id\":\"x\"}");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":\"y\"}}");
	cr_expect_str_eq(said(), "");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":\"x\"}}");
	cr_expect_str_eq(said(), ERROR("-32800", "Request cancelled", "\"x\"") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\"}");
	cr_expect_str_eq(said(), "");
	bed_finish();
}

Test(rpc, closing_from_either_side)
{
	struct rpc_options options = small();

	bed_start(&options);
	upgrade("");
	feed("\x88\x82\0\0\0\0\x03\xe9", 8);
	cr_expect_str_eq(said(), "close 1001\n");
	cr_expect(gone);
	bed_connect();
	upgrade("");
	rpc_close(&session, 1000, "enough");
	cr_expect_str_eq(said(), "close 1000\n");
	/* Behind our close frame nothing is answered. */
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":3}");
	cr_expect_str_eq(said(), "");
	cr_expect_not(gone);
	loop_run(&loop, loop.now_ns + options.close_ns + 1);
	cr_expect(gone);
	bed_connect();
	upgrade("");
	frame("x");
	said();
	feed("\x81\x01x", 3);
	cr_expect_str_eq(said(), "close 1002\n");
	bed_finish();
}

Test(rpc, pings_and_their_deadlines)
{
	struct rpc_options options = small();

	bed_start(&options);
	upgrade("");
	sent_len = 0;
	loop_run(&loop, options.ping_ns + 1);
	cr_expect(sent_len == 2 && (unsigned char)sent[0] == 0x89);
	feed("\x8a\x80\0\0\0\0", 6);
	loop_run(&loop, loop.now_ns + options.pong_ns + 1);
	cr_expect_not(gone);
	cr_expect_eq(server.stats.pongs_missed, 0);
	loop_run(&loop, loop.now_ns + options.ping_ns + options.pong_ns + options.close_ns + 3);
	cr_expect(gone);
	cr_expect_eq(server.stats.pongs_missed, 1);
	bed_finish();
}

Test(rpc, who_says_nothing_is_left)
{
	struct rpc_options options = small();

	bed_start(&options);
	feed_text("GET / HT");
	loop_run(&loop, options.handshake_ns + 1);
	cr_expect(gone);
	bed_finish();
}

Test(rpc, authentication)
{
	struct rpc_options options = small();
	char text[256];

	options.token = "secret";
	bed_start(&options);
	upgrade("");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}");
	cr_expect_str_eq(said(), ERROR("-32001", "Not authenticated", "1") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"auth.authenticate\",\"params\":{\"token\":"
	      "\"secreT\"},\"id\":1}");
	cr_expect_str_eq(said(), ERROR("-32001", "Not authenticated", "1") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"auth.authenticate\",\"id\":1}");
	cr_expect_str_eq(said(), ERROR("-32602", "Invalid params", "1") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"auth.authenticate\",\"params\":{\"token\":"
	      "\"secret\",\"clientInfo\":{}},\"id\":1}");
	const char *answer = said(), *at = strstr(answer, "\"refreshToken\":\"");
	REQUIRE(at != NULL);
	snprintf(text, sizeof(text),
		 "{\"jsonrpc\":\"2.0\",\"method\":\"auth.refresh\",\"params\":{\"refreshToken\":"
		 "\"%.32s\"},\"id\":2}",
		 at + 16);
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}");
	cr_expect_str_eq(said(), RESULT("null", "1") "\n");
	/* Its time is over; then it goes on, on another connection too. */
	loop.now_ns += options.token_life_ns;
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}");
	cr_expect_str_eq(said(), ERROR("-32001", "Not authenticated", "1") "\n");
	rpc_session_end(&session);
	bed_connect();
	upgrade("");
	frame(text);
	cr_expect(strstr(said(), "\"authenticated\":true") != NULL);
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}");
	cr_expect_str_eq(said(), RESULT("null", "1") "\n");
	/* A refresh token serves once. */
	frame(text);
	cr_expect_str_eq(said(), ERROR("-32001", "Not authenticated", "2") "\n");
	rpc_session_end(&session);
	bed_connect();
	feed_text("GET /api/v1/west/dashboard HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_http("HTTP/1.1 401 Unauthorized\r\n", "}");
	feed_text(
		"GET /api/v1/west/dashboard HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n"
		"\r\n");
	expect_http("HTTP/1.1 200 OK\r\n", "}");
	bed_finish();
}

Test(rpc, rate)
{
	struct rpc_options options = small();
	int good = 0;

	options.rate = 10;
	bed_start(&options);
	upgrade("");
	for (int i = 0; i < 30; i++) {
		frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}");
		good += strcmp(said(), RESULT("null", "1") "\n") == 0;
	}
	cr_expect_eq(good, 10);
	cr_expect_eq(server.stats.limited, 20);
	loop.now_ns += NS_PER_S / 10;
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}");
	cr_expect_str_eq(said(), RESULT("null", "1") "\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}");
	cr_expect_str_eq(said(), ERROR("-32002", "Too many requests", "1") "\n");
	bed_finish();
}

#define POST(body, len) "POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: " len "\r\n\r\n" body

Test(rpc, posts)
{
	struct rpc_options options = small();

	bed_start(&options);
	feed_text(POST("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}", "40"));
	expect_http("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
		    "\r\n\r\n" RESULT("null", "1"));
	feed_text(POST("{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}", "33"));
	expect_http("HTTP/1.1 204 No Content\r\n\r\n", "");
	feed_text(POST("[{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}]", "35"));
	expect_http("HTTP/1.1 204 No Content\r\n\r\n", "");
	feed_text(POST("{", "1"));
	expect_http("HTTP/1.1 200 OK\r\n", ERROR("-32700", "Parse error", "null"));
	/* Late, with the next request already there: in order. */
	feed_text(POST("{\"jsonrpc\":\"2.0\",\"method\":\"late\",\"id\":1}", "40")
			  POST("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":2}", "40"));
	cr_expect_eq(sent_len, 0);
	rpc_answer(&session, (struct qn_text){ kept, kept_len }, (struct qn_text){ "7", 1 });
	sent[sent_len] = '\0';
	const char *first = strstr(sent, RESULT("7", "1")),
		   *second = strstr(sent, RESULT("null", "2"));
	cr_expect(first != NULL && second > first, "%s", sent);
	bed_finish();
}

Test(rpc, rest)
{
	struct rpc_options options = small();
	char request[256];

	bed_start(&options);
	feed_text("GET /api/v1/west/dashboard HTTP/1.1\r\nHost: x\r\n\r\n");
	sent[sent_len] = '\0';
	const char *etag = strstr(sent, "ETag: ");
	REQUIRE(etag != NULL);
	snprintf(request, sizeof(request),
		 "GET /api/v1/multi/dashboard HTTP/1.1\r\nHost: x\r\nIf-None-Match: %.18s\r\n\r\n",
		 etag + 6);
	feed_text(request);
	expect_http("HTTP/1.1 304 Not Modified\r\n", "\r\n\r\n");
	calls++; /* something changed */
	feed_text(request);
	expect_http("HTTP/1.1 200 OK\r\n", "}");
	feed_text("HEAD /api/v1/west/dashboard HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_http("HTTP/1.1 200 OK\r\n", "\r\n\r\n");
	feed_text("GET /api/v1/east/dashboard HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_http("HTTP/1.1 404 Not Found\r\n", "}");
	feed_text("PUT /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	expect_http("HTTP/1.1 405 Method Not Allowed\r\n", "}");
	feed_text("POST /api/v1/west/action HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\n"
		  "{\"method\":\"echo\",\"params\":[[7]]}");
	expect_http("HTTP/1.1 200 OK\r\n", "\r\n\r\n[7]");
	feed_text("POST /api/v1/west/action HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n"
		  "{\"action\":1}");
	expect_http("HTTP/1.1 400 Bad Request\r\n", "}");
	feed_text("POST /api/v1/west/action HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n"
		  "{\"action\":\"none\"}");
	expect_http("HTTP/1.1 404 Not Found\r\n", "}");
	bed_finish();
}

/* Two readers that could disagree: refused, and the connection is not used again. */
Test(rpc, smuggling)
{
	struct rpc_options options = small();

	bed_start(&options);
	feed_text("POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"
		  "\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_http("HTTP/1.1 400 Bad Request\r\n", "}");
	feed_text("GET /api/v1/west/dashboard HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_eq(sent_len, 0);
	loop_run(&loop, loop.now_ns + options.close_ns + 1);
	cr_expect(gone);
	bed_finish();
}

Test(rpc, streams_resume_and_say_what_is_gone)
{
	struct rpc_options options = small();
	struct qn_text params = { "{\"n\":1}", 7 };

	bed_start(&options);
	for (int i = 0; i < 6; i++)
		rpc_publish(&server, RPC_EVENTS, 0, "x", params);
	feed_text("GET /api/v1/stream/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 1\r\n\r\n");
	sent[sent_len] = '\0';
	cr_expect(strstr(sent, "Content-Type: text/event-stream\r\n") != NULL);
	cr_expect(strstr(sent, "retry: 1000\n\nevent: lost\ndata: {\"events\":1}\n\n"
			       "id: 3\nevent: x\ndata: {\"n\":1}\n\nid: 4\n") != NULL,
		  "%s", sent);
	sent_len = 0;
	rpc_push(&session, rpc_publish(&server, RPC_LOGS, 0, "x", params));
	cr_expect_eq(sent_len, 0);
	rpc_push(&session, rpc_publish(&server, RPC_EVENTS, 0, "y", params));
	expect_http("id: 8\nevent: y\ndata: {\"n\":1}\n\n", "");
	rpc_session_end(&session);
	bed_connect();
	/* A number from a life before this one. */
	feed_text("GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 900\r\n\r\n");
	expect_http("HTTP/1.1 200 OK\r\n", "retry: 1000\n\n");
	rpc_session_end(&session);
	bed_connect();
	feed_text("GET /api/v1/stream/logs/nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_http("HTTP/1.1 404 Not Found\r\n", "}");
	bed_finish();
}

Test(rpc, long_answers_are_deflated)
{
	static char text[1000];
	struct rpc_options options = small();

	options.deflate_min = 100;
	bed_start(&options);
	upgrade("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
	snprintf(text, sizeof(text),
		 "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"%0600d\"],"
		 "\"id\":1}",
		 0);
	frame(text);
	cr_expect_lt(sent_len, 200);
	cr_expect_eq((unsigned char)sent[0], 0xc1);
	cr_expect_gt(strlen(said()), 600);
	bed_finish();
}

Test(rpc, an_answer_longer_than_may_be)
{
	struct rpc_options options = small();
	static char result[90000];

	bed_start(&options);
	upgrade("");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"late\",\"id\":1}");
	memset(result, '1', sizeof(result));
	rpc_answer(&session, (struct qn_text){ kept, kept_len },
		   (struct qn_text){ result, sizeof(result) });
	cr_expect_str_eq(said(), ERROR("-32003", "The answer is too long", "1") "\n");
	bed_finish();
}

Test(rpc, what_a_websocket_is_told)
{
	struct rpc_options options = small();
	struct qn_text params = { "{}", 2 };

	bed_start(&options);
	upgrade("");
	rpc_push(&session, rpc_publish(&server, RPC_LOGS, 0, "logs.update", params));
	cr_expect_eq(sent_len, 0);
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"stream.subscribe\",\"params\":{\"streams\":"
	      "[\"logs\"]},\"id\":1}");
	cr_expect_str_eq(said(), RESULT("[\"logs\"]", "1") "\n");
	rpc_push(&session, rpc_publish(&server, RPC_LOGS, 0, "logs.update", params));
	rpc_push(&session, rpc_publish(&server, RPC_EVENTS, 0, "news", params));
	cr_expect_str_eq(said(),
			 "{\"jsonrpc\":\"2.0\",\"method\":\"logs.update\",\"params\":{}}\n");
	frame("{\"jsonrpc\":\"2.0\",\"method\":\"stream.subscribe\",\"params\":{\"streams\":"
	      "[\"gossip\"]},\"id\":1}");
	cr_expect_str_eq(said(), ERROR("-32602", "Invalid params", "1") "\n");
	bed_finish();
}

/*
 * HTTP's asking side: the bytes of a request; answers whole, byte by byte and cut at every byte,
 * each read up to a guard page.
 */
#include "proto/http/http.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <string.h>

#define BODY "{\"target_id\": \"target_1\", \"hit_value\": 1}"

Test(http, request_with_a_body)
{
	static const char expected[] = "POST /target_hit HTTP/1.1\r\n"
				       "Host: 127.0.0.1:8080\r\n"
				       "Connection: close\r\n"
				       "Content-Type: application/json\r\n"
				       "Content-Length: 41\r\n"
				       "\r\n" BODY;
	struct qn_http_request request = {
		.method = "POST",
		.path = "/target_hit",
		.host = "127.0.0.1:8080",
		.body = { BODY, sizeof(BODY) - 1 },
	};
	size_t len = sizeof(expected) - 1;
	char *room = guard_copy(expected, len);

	memset(room, '#', len);
	cr_expect_eq(qn_http_write_request(&request, room, len), len);
	cr_expect_eq(memcmp(room, expected, len), 0, "%.*s", (int)len, room);
	for (size_t cap = 0; cap < len; cap++)
		REQUIRE(qn_http_write_request(&request, room, cap) == 0);
	guard_free(room, len);
}

Test(http, request_without_a_body)
{
	static const char expected[] = "GET /ping HTTP/1.1\r\n"
				       "Host: 127.1.0.1:8080\r\n"
				       "Connection: close\r\n"
				       "\r\n";
	struct qn_http_request request = { .method = "GET",
					   .path = "/ping",
					   .host = "127.1.0.1:8080" };
	char room[256];

	cr_expect_eq(qn_http_write_request(&request, room, sizeof(room)), sizeof(expected) - 1);
	cr_expect_eq(memcmp(room, expected, sizeof(expected) - 1), 0);
}

struct answer_case {
	const char *bytes;
	bool closes; /* the peer closes behind them */
	enum qn_code code;
	unsigned status;
};

static const struct answer_case cases[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false, QN_OK, 200 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, QN_OK, 200 },
	{ "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}", true, QN_OK, 200 },
	{ "HTTP/1.0 404 Not Found\r\n\r\n", true, QN_OK, 404 },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, QN_OK, 204 },
	{ "HTTP/1.1 500 \r\nContent-Length: 1\r\n\r\nx", false, QN_OK, 500 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
	  false, QN_OK, 200 },
	/* RFC 9110, 15.2: answers before the answer are passed over. */
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false,
	  QN_OK, 201 },
	{ "HTTP/1.1 100 Continue\r\n\r\n", false, QN_MORE, 0 },
	{ "HTTP/1.1 100 Continue\r\n\r\n", true, QN_E_SYNTAX, 0 },
	/* What follows the answer belongs to nobody. */
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 Late\r\nContent-Length: "
	  "0\r\n\r\n",
	  false, QN_OK, 200 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}rubbish", false, QN_OK, 200 },
	{ "", false, QN_MORE, 0 },
	{ "", true, QN_E_SYNTAX, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", false, QN_MORE, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", true, QN_E_SYNTAX, 0 },
	{ "HTTP/1.0 200 OK\r\n\r\n{}", false, QN_MORE, 0 },
	{ "HTTP/1.1 200 OK\r\n", true, QN_E_SYNTAX, 0 },
	{ "{\"status\": \"registered\"}\n", false, QN_E_SYNTAX, 0 },
	{ "HTTP/1.1 abc OK\r\n\r\n", false, QN_E_SYNTAX, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, QN_E_SYNTAX, 0 },
	{ "GET / HTTP/1.1\r\n\r\n", false, QN_E_SYNTAX, 0 },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", false,
	  QN_OK, 101 },
};

/* Feeds until a result other than QN_MORE, as a caller does, who then closes. */
static enum qn_code read_pieces(const struct answer_case *c, size_t cut, size_t piece,
				struct qn_http_answer *answer)
{
	size_t len = strlen(c->bytes), done = 0;
	enum qn_code code = QN_MORE;

	qn_http_answer_init(answer);
	while (code == QN_MORE && done < len) {
		size_t n = piece > 0 ? piece : done < cut ? cut : len - done;
		char *bytes = guard_copy(c->bytes + done, n);
		code = qn_http_answer_read(answer, bytes, n);
		guard_free(bytes, n);
		done += n;
	}
	if (code == QN_MORE && c->closes)
		code = qn_http_answer_closed(answer);
	return code;
}

/* One failure of a case tells enough. */
static bool check_answer(const struct answer_case *c, size_t cut, size_t piece)
{
	struct qn_http_answer answer;
	enum qn_code code = read_pieces(c, cut, piece, &answer);

	if (code != c->code)
		cr_expect_fail("%.60s cut at %zu: %s, not %s", c->bytes, cut, qn_code_name(code),
			       qn_code_name(c->code));
	else if (code == QN_OK && answer.parser.status_code != c->status)
		cr_expect_fail("%.60s cut at %zu: status %u", c->bytes, cut,
			       answer.parser.status_code);
	else
		return true;
	return false;
}

Test(http, answers)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t cut = 0, len = strlen(cases[i].bytes);
		while (cut <= len && check_answer(&cases[i], cut, 0))
			cut++;
		check_answer(&cases[i], 0, 1);
	}
}

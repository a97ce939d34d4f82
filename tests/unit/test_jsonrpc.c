/*
 * JSON-RPC 2.0: one table of texts and what a server answers to them, the specification's examples
 * first; each text ends at a guard page.
 */
#include "proto/jsonrpc/jsonrpc.h"
#include "tests/support/guard.h"
#include "tests/support/require.h"

#include <stdio.h>

/* A server whose methods are those of the specification's examples. */
static void call(const struct qn_jsonrpc_message *m, struct qn_json_writer *w)
{
	char name[32];
	struct qn_text a, b;
	int64_t x, y;
	size_t len = m->method_escaped ? qn_json_unescape(m->method, QN_JSON_STRICT, name, 31)
				       : (size_t)snprintf(name, sizeof(name), "%.*s",
							  (int)m->method.len, m->method.at);

	name[len < 31 ? len : 31] = '\0';
	if (strcmp(name, "subtract") == 0) {
		bool good = (qn_jsonrpc_element(m->params, 0, &a) == QN_JSON_NUMBER &&
			     qn_jsonrpc_element(m->params, 1, &b) == QN_JSON_NUMBER) ||
			    (qn_jsonrpc_member(m->params, "minuend", &a) == QN_JSON_NUMBER &&
			     qn_jsonrpc_member(m->params, "subtrahend", &b) == QN_JSON_NUMBER);
		if (!good || !qn_json_int64(a, &x) || !qn_json_int64(b, &y)) {
			qn_jsonrpc_put_error(w, m->id, QN_JSONRPC_BAD_PARAMS, NULL,
					     (struct qn_text){ NULL, 0 });
			return;
		}
		qn_jsonrpc_begin_result(w);
		qn_json_put_int(w, x - y);
		qn_jsonrpc_end_result(w, m->id);
	} else if (strcmp(name, "get_data") == 0) {
		qn_jsonrpc_begin_result(w);
		qn_json_put_literal(w, "[\"hello\",5]");
		qn_jsonrpc_end_result(w, m->id);
	} else if (strcmp(name, "nothing") == 0) {
		qn_jsonrpc_begin_result(w);
		qn_json_put_literal(w, "null");
		qn_jsonrpc_end_result(w, m->id);
	} else {
		qn_jsonrpc_put_error(w, m->id, QN_JSONRPC_NO_METHOD, NULL,
				     (struct qn_text){ NULL, 0 });
	}
}

static void answer(const char *text, size_t len, struct qn_json_writer *w)
{
	static const struct qn_text none = { NULL, 0 };
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message m;
	enum qn_jsonrpc_shape shape = qn_jsonrpc_open(&reader, text, len, 5);
	size_t answers = 0;

	if (shape == QN_JSONRPC_BROKEN || shape == QN_JSONRPC_BATCH_EMPTY ||
	    shape == QN_JSONRPC_BATCH_LONG) {
		qn_jsonrpc_put_error(w, none,
				     shape == QN_JSONRPC_BROKEN ? QN_JSONRPC_PARSE
								: QN_JSONRPC_INVALID_REQUEST,
				     NULL, none);
		REQUIRE(!(shape == QN_JSONRPC_BROKEN) || reader.fault.code != QN_OK);
		return;
	}
	while (qn_jsonrpc_next(&reader, &m)) {
		if (m.kind == QN_JSONRPC_NOTIFICATION)
			continue;
		if (shape == QN_JSONRPC_BATCH)
			qn_json_put(w, answers++ == 0 ? "[" : ",", 1);
		if (m.kind == QN_JSONRPC_REQUEST)
			call(&m, w);
		else if (m.kind == QN_JSONRPC_INVALID)
			qn_jsonrpc_put_error(w, m.id, QN_JSONRPC_INVALID_REQUEST, NULL, none);
		else
			qn_json_put_literal(w, "answer");
	}
	if (answers > 0)
		qn_json_put(w, "]", 1);
	REQUIRE(!qn_jsonrpc_next(&reader, &m));
}

#define INVALID                                                                                    \
	"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"Invalid Request\"},\"id\":null}"
#define PARSE                                                                                      \
	"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse error\"},\"id\":null}"
#define RESULT(result, id) "{\"jsonrpc\":\"2.0\",\"result\":" result ",\"id\":" id "}"
#define ERROR(code, text, id)                                                                      \
	"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":" code ",\"message\":\"" text "\"},\"id\":" id "}"

static const struct {
	const char *in, *out;
} cases[] = {
	/* The specification, 7. */
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42, 23], \"id\": 1}",
	  RESULT("19", "1") },
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [23, 42], \"id\": 2}",
	  RESULT("-19", "2") },
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"subtrahend\": 23, "
	  "\"minuend\": 42}, \"id\": 3}",
	  RESULT("19", "3") },
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"update\", \"params\": [1,2,3,4,5]}", "" },
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}", "" },
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}",
	  ERROR("-32601", "Method not found", "\"1\"") },
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]", PARSE },
	{ "{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", INVALID },
	{ "[{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], \"id\": \"1\"},"
	  "{\"jsonrpc\": \"2.0\", \"method\"]",
	  PARSE },
	{ "[]", INVALID },
	{ "[1]", "[" INVALID "]" },
	{ "[1,2,3]", "[" INVALID "," INVALID "," INVALID "]" },
	{ "[{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]},"
	  "{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42,23], \"id\": \"2\"},"
	  "{\"foo\": \"boo\"},"
	  "{\"jsonrpc\": \"2.0\", \"method\": \"foo.get\", \"params\": {\"name\": \"myself\"}, "
	  "\"id\": \"5\"},"
	  "{\"jsonrpc\": \"2.0\", \"method\": \"get_data\", \"id\": \"9\"}]",
	  "[" RESULT("19", "\"2\"") "," INVALID "," ERROR(
		  "-32601", "Method not found", "\"5\"") "," RESULT("[\"hello\",5]", "\"9\"") "]" },
	{ "[{\"jsonrpc\": \"2.0\", \"method\": \"notify_sum\", \"params\": [1,2,4]},"
	  "{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]}]",
	  "" },
	/* Ids of every type, byte for byte. */
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":0}", RESULT("null", "0") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":-0}", RESULT("null", "-0") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":1.50}", RESULT("null", "1.50") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":1e3}", RESULT("null", "1e3") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":123456789012345678901234567890}",
	  RESULT("null", "123456789012345678901234567890") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":\"\\u00e4\\/\"}",
	  RESULT("null", "\"\\u00e4\\/\"") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":\"\"}", RESULT("null", "\"\"") },
	/* An id of null is one: a request, not a notification. */
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":null}", RESULT("null", "null") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":[1]}", INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":{}}", INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":true}", INVALID },
	/* Not to the letter, but with an id that can be told. */
	{ "{\"jsonrpc\":\"1.0\",\"method\":\"nothing\",\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":2.0,\"method\":\"nothing\",\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"method\":\"nothing\",\"id\":7}", ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"id\":7}", ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"params\":null,\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"params\":3,\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"subtract\",\"params\":[1],\"id\":7}",
	  ERROR("-32602", "Invalid params", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"subtract\",\"id\":7}",
	  ERROR("-32602", "Invalid params", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"noth\\u0069ng\",\"id\":7}", RESULT("null", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"foo\",\"method\":\"nothing\",\"id\":6,\"id\":7}",
	  RESULT("null", "7") },
	{ "{\"id\":7,\"x\":{\"id\":8,\"method\":\"foo\"},\"method\":\"nothing\",\"jsonrpc\":\"2."
	  "0\"}",
	  RESULT("null", "7") },
	{ " \t\r\n{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":7}\n", RESULT("null", "7") },
	{ " [ {\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":7} ] ",
	  "[" RESULT("null", "7") "]" },
	/* No JSON. */
	{ "", PARSE },
	{ "  ", PARSE },
	{ "x", PARSE },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":7}x", PARSE },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":7", PARSE },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":07}", PARSE },
	{ "[{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":7},]", PARSE },
	{ "[{\"jsonrpc\":\"2.0\",\"method\":\"nothing\",\"id\":7}]]", PARSE },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":7}", PARSE },
	/* JSON, and nothing that a request can be. */
	{ "null", INVALID },
	{ "7", INVALID },
	{ "\"x\"", INVALID },
	{ "{}", INVALID },
	{ "[[]]", "[" INVALID "]" },
	{ "[{}]", "[" INVALID "]" },
	{ "[1,2,3,4,5,6]", INVALID }, /* more than may be */
	/* Answers, to requests that we may have sent. */
	{ "{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":7}", "answer" },
	{ "{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":null}", "answer" },
	{ "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-1,\"message\":\"x\"},\"id\":7}", "answer" },
	/* Both, as JSON-RPC 1.0 has it: null is not meant. */
	{ "{\"jsonrpc\":\"2.0\",\"result\":1,\"error\":null,\"id\":7}", "answer" },
	{ "{\"jsonrpc\":\"2.0\",\"error\":null,\"result\":null,\"id\":7}", "answer" },
	{ "{\"jsonrpc\":\"2.0\",\"result\":null,\"error\":{\"code\":1,\"message\":\"x\"},\"id\":7}",
	  "answer" },
	{ "{\"jsonrpc\":\"2.0\",\"error\":null,\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1.5,\"message\":\"x\"},\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1},\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"error\":\"x\",\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"result\":1}", INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"result\":1,\"error\":{\"code\":1,\"message\":\"\"},\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
	{ "{\"jsonrpc\":\"2.0\",\"result\":1,\"method\":\"nothing\",\"id\":7}",
	  ERROR("-32600", "Invalid Request", "7") },
};

Test(jsonrpc, texts_and_their_answers)
{
	char out[1024];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct qn_json_writer w;
		size_t len = strlen(cases[i].in);
		char *text = guard_copy(cases[i].in, len);
		qn_json_writer_init(&w, out, sizeof(out) - 1);
		answer(text, len, &w);
		REQUIRE(!w.full);
		*w.at = '\0';
		guard_free(text, len);
		cr_expect_str_eq(out, cases[i].out, "%s", cases[i].in);
	}
}

/* Nothing that is cut anywhere is taken for a whole. */
Test(jsonrpc, cut_at_every_byte)
{
	static const char whole[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[1],\"id\":7}";
	struct qn_jsonrpc_reader reader;

	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *text = guard_copy(whole, len);
		REQUIRE(qn_jsonrpc_open(&reader, text, len, 5) == QN_JSONRPC_BROKEN);
		guard_free(text, len);
	}
	REQUIRE(qn_jsonrpc_open(&reader, whole, sizeof(whole) - 1, 5) == QN_JSONRPC_SINGLE);
}

Test(jsonrpc, nested_deeper_than_may_be)
{
	char text[256];
	struct qn_jsonrpc_reader reader;

	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	cr_expect_eq(qn_jsonrpc_open(&reader, text, 130, 5), QN_JSONRPC_BROKEN);
	cr_expect_eq(reader.fault.code, QN_E_DEPTH);
	cr_expect_eq(qn_jsonrpc_open(&reader, text + 1, 128, 5), QN_JSONRPC_BATCH);
}

Test(jsonrpc, an_error_s_parts)
{
	static const char text[] =
		"{\"jsonrpc\":\"2.0\",\"error\":{\"data\":[1, 2],\"code\":-32601,"
		"\"message\":\"no\\n\"},\"id\":\"x\"}";
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message m;

	REQUIRE(qn_jsonrpc_open(&reader, text, sizeof(text) - 1, 1) == QN_JSONRPC_SINGLE);
	REQUIRE(qn_jsonrpc_next(&reader, &m));
	cr_expect_eq(m.kind, QN_JSONRPC_ERROR);
	cr_expect_eq(m.error_code, QN_JSONRPC_NO_METHOD);
	cr_expect(m.error_message.len == 4 && memcmp(m.error_message.at, "no\\n", 4) == 0);
	cr_expect(m.error_data.len == 6 && memcmp(m.error_data.at, "[1, 2]", 6) == 0);
	cr_expect(m.id.len == 3 && memcmp(m.id.at, "\"x\"", 3) == 0);
}

Test(jsonrpc, what_we_ask)
{
	char out[256];
	struct qn_json_writer w;

	qn_json_writer_init(&w, out, sizeof(out));
	qn_jsonrpc_put_request(&w, "target.activate", (struct qn_text){ "{\"duration\":5}", 14 },
			       (struct qn_text){ "12", 2 });
	qn_jsonrpc_put_request(&w, "a", (struct qn_text){ NULL, 0 }, (struct qn_text){ "0", 1 });
	qn_jsonrpc_put_notification(&w, "b", (struct qn_text){ "[]", 2 });
	*w.at = '\0';
	cr_expect_str_eq(out, "{\"jsonrpc\":\"2.0\",\"method\":\"target.activate\",\"params\":"
			      "{\"duration\":5},\"id\":12}{\"jsonrpc\":\"2.0\",\"method\":\"a\","
			      "\"id\":0}{\"jsonrpc\":\"2.0\",\"method\":\"b\",\"params\":[]}");
}

Test(jsonrpc, format)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":1,\"format\":"
				   "\"msgpack\"}";
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message m;

	REQUIRE(qn_jsonrpc_open(&reader, text, sizeof(text) - 1, 1) == QN_JSONRPC_SINGLE);
	REQUIRE(qn_jsonrpc_next(&reader, &m) && m.kind == QN_JSONRPC_REQUEST);
	cr_expect(m.msgpack);
}

/*
 * JSON-RPC messages of any bytes: as JSON, and as MessagePack that becomes JSON and goes back.
 *
 * Every part of a message lies inside the text, ids are what ids may be, what a request is made of
 * can be written and read again; what MessagePack becomes is JSON, and comes back the same.
 */
#include "proto/jsonrpc/jsonrpc.h"
#include "proto/jsonrpc/transcode.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void inside(struct qn_text part, const char *text, size_t len)
{
	REQUIRE(part.len == 0 || (part.at >= text && part.at + part.len <= text + len));
}

static void check_message(const struct qn_jsonrpc_message *m, const char *text, size_t len)
{
	inside(m->id, text, len);
	inside(m->method, text, len);
	inside(m->params, text, len);
	inside(m->result, text, len);
	inside(m->error_message, text, len);
	inside(m->error_data, text, len);
	if (m->id.len > 0)
		REQUIRE(strchr("\"-0123456789n", *m->id.at) != NULL);
	if (m->params.len > 0)
		REQUIRE(*m->params.at == '[' || *m->params.at == '{');
	if (m->kind == QN_JSONRPC_REQUEST)
		REQUIRE(m->id.len > 0 && m->method.at != NULL);
	if (m->kind == QN_JSONRPC_NOTIFICATION)
		REQUIRE(m->id.len == 0 && m->method.at != NULL);
}

/* An answer to it is a message, with that id. */
static void answer(const struct qn_jsonrpc_message *m)
{
	size_t cap = m->id.len + 256;
	char *out = malloc(cap);
	struct qn_json_writer w;
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message again;

	REQUIRE(out != NULL);
	qn_json_writer_init(&w, out, cap);
	qn_jsonrpc_put_error(&w, m->id, QN_JSONRPC_NO_METHOD, NULL, (struct qn_text){ NULL, 0 });
	REQUIRE(!w.full);
	REQUIRE(qn_jsonrpc_open(&reader, out, qn_json_written(&w), 1) == QN_JSONRPC_SINGLE);
	REQUIRE(qn_jsonrpc_next(&reader, &again) && again.kind == QN_JSONRPC_ERROR);
	REQUIRE(again.error_code == QN_JSONRPC_NO_METHOD);
	if (m->id.len > 0)
		REQUIRE(again.id.len == m->id.len && memcmp(again.id.at, m->id.at, m->id.len) == 0);
	free(out);
}

static void read_text(const char *text, size_t len)
{
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message m;
	enum qn_jsonrpc_shape shape = qn_jsonrpc_open(&reader, text, len, 100);
	size_t count = 0;

	if (shape != QN_JSONRPC_SINGLE && shape != QN_JSONRPC_BATCH)
		return;
	while (qn_jsonrpc_next(&reader, &m)) {
		count++;
		check_message(&m, text, len);
		answer(&m);
	}
	REQUIRE(count >= 1 && (shape == QN_JSONRPC_BATCH || count == 1));
}

static void transcode(const char *bytes, size_t len)
{
	size_t cap = len * 24 + 64;
	char *json = malloc(cap), *packed = malloc(cap), *again = malloc(cap * 2);
	struct qn_json_writer w, second;

	REQUIRE(json != NULL && packed != NULL && again != NULL);
	qn_json_writer_init(&w, json, cap);
	if (qn_msgpack_to_json((struct qn_text){ bytes, len }, &w)) {
		struct qn_text text = { json, qn_json_written(&w) };
		REQUIRE(qn_json_check(text.at, text.len, QN_JSON_STRICT, 64, NULL) == QN_OK);
		size_t n = qn_json_to_msgpack(text, packed, cap);
		REQUIRE(n > 0);
		qn_json_writer_init(&second, again, cap * 2);
		REQUIRE(qn_msgpack_to_json((struct qn_text){ packed, n }, &second));
		REQUIRE(qn_json_written(&second) == text.len);
		REQUIRE(memcmp(again, text.at, text.len) == 0);
		read_text(text.at, text.len);
	}
	free(json);
	free(packed);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] == 'm')
		transcode((const char *)data + 1, size - 1);
	else
		read_text((const char *)data + 1, size - 1);
	return 0;
}

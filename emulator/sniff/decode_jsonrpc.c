#include "emulator/sniff/dialog.h"

#include "proto/jsonrpc/jsonrpc.h"
#include "proto/jsonrpc/transcode.h"

#include <stdlib.h>

/* The wire `jsonrpc`: HTTP, until it is a WebSocket; then messages of JSON-RPC, or MessagePack in
 * binary frames. An answer belongs to the request with its id, whoever asked. */

#define ASSEMBLIES 64
#define BATCH_MAX 1000

/* Of all connections of this process: it reads one at a time. */
static struct qn_ws_shared shared;
static char json_space[DIALOG_MESSAGE_MAX];

static bool shared_ready(void)
{
	static bool tried, ready;

	if (!tried) {
		void *memory = malloc(qn_ws_shared_bytes(DIALOG_MESSAGE_MAX, ASSEMBLIES));
		tried = true;
		ready = memory != NULL &&
			qn_ws_shared_init(&shared, memory, DIALOG_MESSAGE_MAX, ASSEMBLIES);
	}
	return ready;
}

void dialog_drop_websocket(struct dialog *dialog)
{
	for (enum way way = TO_SERVER; dialog->upgraded && way <= TO_CLIENT; way++)
		qn_ws_drop(&dialog->ws[way], &shared);
	dialog->upgraded = false;
}

static void describe(const struct qn_jsonrpc_message *message, struct said *said)
{
	switch (message->kind) {
	case QN_JSONRPC_REQUEST: said->role = DIALOG_ASKS; break;
	case QN_JSONRPC_RESULT:
	case QN_JSONRPC_ERROR: said->role = DIALOG_ANSWERS; break;
	case QN_JSONRPC_INVALID:
		said->code = QN_E_TYPE;
		said->fault.text = "no request of JSON-RPC 2.0";
		break;
	default: break;
	}
	said->key = message->id.len > 0 ? dialog_key(message->id) : 0;
	words_safe(said, message->method, 60);
	if (message->kind == QN_JSONRPC_ERROR)
		words_add(said, "error %lld ", (long long)message->error_code);
	words_safe(said, message->error_message, 80);
	if (message->kind == QN_JSONRPC_RESULT)
		words_add(said, "result ");
	words_safe(said, message->result, 120);
	if (message->params.len > 0)
		words_add(said, " ");
	words_safe(said, message->params, 120);
	if (message->id.len > 0)
		words_add(said, " id=");
	words_safe(said, message->id, 40);
}

static void describe_text(struct qn_text text, struct said *said)
{
	struct qn_jsonrpc_reader reader;
	struct qn_jsonrpc_message message;
	enum qn_jsonrpc_shape shape = qn_jsonrpc_open(&reader, text.at, text.len, BATCH_MAX);

	if (shape == QN_JSONRPC_SINGLE && qn_jsonrpc_next(&reader, &message)) {
		describe(&message, said);
		return;
	}
	if (shape == QN_JSONRPC_BROKEN) {
		said->code = QN_E_SYNTAX;
		said->fault = reader.fault;
	}
	if (shape == QN_JSONRPC_BATCH)
		words_add(said, "batch ");
	words_safe(said, text, 200);
}

static void describe_binary(struct qn_text bytes, struct said *said)
{
	struct qn_json_writer w;

	qn_json_writer_init(&w, json_space, sizeof(json_space));
	if (qn_msgpack_to_json(bytes, &w)) {
		words_add(said, "(MessagePack, %zu bytes) ", bytes.len);
		describe_text((struct qn_text){ json_space, qn_json_written(&w) }, said);
		/* Data that a request asked for comes without an envelope. */
		said->code = QN_OK;
		return;
	}
	said->code = QN_E_SYNTAX;
	said->fault.text = "a binary frame that is no MessagePack";
	words_add(said, "%zu bytes", bytes.len);
}

static enum decode_step decode_frame(struct dialog *dialog, enum way way, const char *bytes,
				     size_t len, size_t *taken, struct said *said)
{
	struct qn_ws_event event = { .why = NULL };

	switch (qn_ws_next(&dialog->ws[way], &shared, bytes, len, taken, &event)) {
	case QN_WS_MORE: return *taken > 0 ? DECODE_SKIP : DECODE_MORE;
	case QN_WS_TEXT: describe_text(event.payload, said); break;
	case QN_WS_BINARY: describe_binary(event.payload, said); break;
	case QN_WS_PING: words_add(said, "[ping]"); break;
	case QN_WS_PONG: words_add(said, "[pong]"); break;
	case QN_WS_CLOSED:
		words_add(said, "[close %u] ", event.code);
		words_safe(said, event.payload, 80);
		break;
	case QN_WS_FAIL:
		said->code = QN_E_SYNTAX;
		said->fault.text = event.why;
		words_add(said, "no frame");
		return DECODE_LOST;
	}
	return DECODE_SAID;
}

enum decode_step decode_jsonrpc(struct dialog *dialog, enum way way, const char *bytes, size_t len,
				size_t fresh, bool ended, size_t *taken, struct said *said)
{
	if (dialog->upgraded)
		return decode_frame(dialog, way, bytes, len, taken, said);
	enum decode_step step = decode_http(dialog, way, bytes, len, fresh, ended, taken, said);
	if (step == DECODE_SAID && way == TO_CLIENT && dialog->reply.parser.status_code == 101 &&
	    shared_ready()) {
		dialog->upgraded = true;
		/* Each way is read as the one to whom it goes would read it. */
		qn_ws_init(&dialog->ws[TO_SERVER], QN_WS_SERVER, true);
		qn_ws_init(&dialog->ws[TO_CLIENT], QN_WS_CLIENT, true);
	}
	return step;
}

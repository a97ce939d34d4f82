#include "proto/jsonrpc/jsonrpc.h"

const char *qn_jsonrpc_code_text(int64_t code)
{
	switch (code) {
	case QN_JSONRPC_PARSE: return "Parse error";
	case QN_JSONRPC_INVALID_REQUEST: return "Invalid Request";
	case QN_JSONRPC_NO_METHOD: return "Method not found";
	case QN_JSONRPC_BAD_PARAMS: return "Invalid params";
	case QN_JSONRPC_INTERNAL: return "Internal error";
	case QN_JSONRPC_QUEUE_FULL: return "Command queue full";
	case QN_JSONRPC_UNAUTHORIZED: return "Not authenticated";
	case QN_JSONRPC_RATE_LIMITED: return "Too many requests";
	case QN_JSONRPC_NO_ROOM: return "Out of memory";
	case QN_JSONRPC_CANCELLED: return "Request cancelled";
	}
	return "Server error";
}

static void put_call(struct qn_json_writer *w, const char *method, struct qn_text params)
{
	qn_json_put_literal(w, "{\"jsonrpc\":\"2.0\",\"method\":");
	qn_json_put_string(w, method, strlen(method), false);
	if (params.len > 0) {
		qn_json_put_literal(w, ",\"params\":");
		qn_json_put(w, params.at, params.len);
	}
}

void qn_jsonrpc_put_request(struct qn_json_writer *w, const char *method, struct qn_text params,
			    struct qn_text id)
{
	put_call(w, method, params);
	qn_jsonrpc_end_result(w, id);
}

void qn_jsonrpc_put_notification(struct qn_json_writer *w, const char *method,
				 struct qn_text params)
{
	put_call(w, method, params);
	qn_json_put_literal(w, "}");
}

void qn_jsonrpc_begin_result(struct qn_json_writer *w)
{
	qn_json_put_literal(w, "{\"jsonrpc\":\"2.0\",\"result\":");
}

void qn_jsonrpc_end_result(struct qn_json_writer *w, struct qn_text id)
{
	qn_json_put_literal(w, ",\"id\":");
	if (id.len > 0)
		qn_json_put(w, id.at, id.len);
	else
		qn_json_put_literal(w, "null");
	qn_json_put_literal(w, "}");
}

void qn_jsonrpc_put_error_object(struct qn_json_writer *w, int64_t code, const char *message,
				 struct qn_text data)
{
	qn_json_put_literal(w, "{\"code\":");
	qn_json_put_int(w, code);
	qn_json_put_literal(w, ",\"message\":");
	if (message == NULL)
		message = qn_jsonrpc_code_text(code);
	qn_json_put_string(w, message, strlen(message), false);
	if (data.len > 0) {
		qn_json_put_literal(w, ",\"data\":");
		qn_json_put(w, data.at, data.len);
	}
	qn_json_put_literal(w, "}");
}

void qn_jsonrpc_put_error(struct qn_json_writer *w, struct qn_text id, int64_t code,
			  const char *message, struct qn_text data)
{
	qn_json_put_literal(w, "{\"jsonrpc\":\"2.0\",\"error\":");
	qn_jsonrpc_put_error_object(w, code, message, data);
	qn_jsonrpc_end_result(w, id);
}

#include "proto/framed/offer.h"

#include "proto/framed/range.h"

static size_t write_custom(const char *type, const struct qn_framed_clock *clock,
			   const struct qn_json_writer *more, char *buffer, size_t cap)
{
	struct qn_text text = { more->start, qn_json_written(more) };

	if (more->full)
		return 0;
	return qn_framed_custom((struct qn_text){ type, strlen(type) }, clock, text, buffer, cap);
}

/* A string's characters; *ret_len is more than cap where they are too many, 0 of no string. */
static void plain_string(struct qn_text value, char *out, size_t cap, size_t *ret_len)
{
	*ret_len = 0;
	if (value.len < 2 || value.at[0] != '"')
		return;
	struct qn_text inside = { value.at + 1, value.len - 2 };
	*ret_len = qn_json_unescape(inside, QN_JSON_CPYTHON, out, cap);
}

/* ---- tokens ---- */

size_t qn_framed_authenticate(const struct qn_framed_clock *clock, struct qn_text token,
			      char *buffer, size_t cap)
{
	struct qn_json_writer more;
	char bytes[6 * QN_FRAMED_TOKEN_MAX + 32];

	qn_json_writer_init(&more, bytes, sizeof(bytes));
	qn_json_put_literal(&more, "\"token\": ");
	qn_json_put_string(&more, token.at, token.len, true);
	return write_custom(QN_FRAMED_AUTHENTICATE, clock, &more, buffer, cap);
}

bool qn_framed_token_is(const struct qn_framed_message *message, struct qn_text token)
{
	char said[QN_FRAMED_TOKEN_MAX + 1] = "";
	size_t len;

	plain_string(qn_framed_member(message, "token"), said, sizeof(said), &len);
	/* Every byte of ours is looked at, whatever was said: time tells nothing of where a guess
	 * went wrong. What is too long was cut, and its length gives it away. */
	volatile unsigned char differs = len != token.len;
	for (size_t i = 0; i < token.len; i++)
		differs |= (unsigned char)(token.at[i] ^ said[i < sizeof(said) ? i : 0]);
	return differs == 0;
}

size_t qn_framed_auth_response(const struct qn_framed_server *server, const char *why, char *buffer,
			       size_t cap)
{
	struct qn_json_writer more;
	char bytes[256];

	qn_json_writer_init(&more, bytes, sizeof(bytes));
	if (why == NULL) {
		qn_json_put_literal(&more, "\"success\": true");
	} else {
		qn_json_put_literal(&more, "\"success\": false, \"message\": ");
		qn_json_put_string(&more, why, strlen(why), true);
	}
	return write_custom(QN_FRAMED_AUTH_RESPONSE, &server->now, &more, buffer, cap);
}

bool qn_framed_refused(const struct qn_framed_message *message)
{
	if (!qn_framed_type_is(message, QN_FRAMED_AUTH_RESPONSE))
		return false;
	struct qn_text success = qn_framed_member(message, "success");
	return success.len != 4 || memcmp(success.at, "true", 4) != 0;
}

/* ---- packing ---- */

size_t qn_framed_negotiate(const struct qn_framed_clock *clock, char *buffer, size_t cap)
{
	static const char more[] = "\"compression\": [\"zlib\"]";

	return qn_framed_custom((struct qn_text){ QN_FRAMED_NEGOTIATE, 9 }, clock,
				(struct qn_text){ more, sizeof(more) - 1 }, buffer, cap);
}

static bool is_zlib(struct qn_text value)
{
	char name[8];
	size_t len;

	plain_string(value, name, sizeof(name), &len);
	return len == 4 && memcmp(name, "zlib", 4) == 0;
}

bool qn_framed_offers_zlib(const struct qn_framed_message *message)
{
	struct qn_text list = qn_framed_member(message, "compression"), value;
	struct qn_json_reader reader;

	qn_json_open(&reader, list.at, list.len, QN_JSON_CPYTHON, QN_JSON_DEPTH_MAX);
	if (list.len == 0 || qn_json_next(&reader) != QN_JSON_ARRAY)
		return false;
	for (;;) {
		enum qn_json_token token = qn_json_value(&reader, &value);
		if (token == QN_JSON_ARRAY_END || token == QN_JSON_ERROR || token == QN_JSON_END)
			return false;
		if (token == QN_JSON_STRING && is_zlib(value))
			return true;
	}
}

size_t qn_framed_negotiated(const struct qn_framed_server *server, bool zlib, char *buffer,
			    size_t cap)
{
	const char *more = zlib ? "\"compression\": \"zlib\"" : "\"compression\": null";

	return qn_framed_custom((struct qn_text){ QN_FRAMED_NEGOTIATED, 10 }, &server->now,
				(struct qn_text){ more, strlen(more) }, buffer, cap);
}

bool qn_framed_agrees_zlib(const struct qn_framed_message *message)
{
	return qn_framed_type_is(message, QN_FRAMED_NEGOTIATED) &&
	       is_zlib(qn_framed_member(message, "compression"));
}

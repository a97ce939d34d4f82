#include "proto/ws/handshake.h"

#include "proto/json/json.h"
#include "proto/ws/sha1.h"

#include <string.h>
#include <strings.h>

/* ---- header values: lists of tokens (RFC 9110, 5.6) ---- */

static bool is(struct qn_text text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static struct qn_text trimmed(struct qn_text text)
{
	while (text.len > 0 && (*text.at == ' ' || *text.at == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Takes the next item off a list; false at its end. */
static bool next_item(struct qn_text *list, char separator, struct qn_text *ret)
{
	if (list->len == 0)
		return false;
	const char *end = memchr(list->at, separator, list->len);
	size_t len = end != NULL ? (size_t)(end - list->at) : list->len;
	size_t past = end != NULL ? len + 1 : len;
	*ret = trimmed((struct qn_text){ list->at, len });
	list->at += past;
	list->len -= past;
	return true;
}

static bool has_token(struct qn_text list, const char *token)
{
	struct qn_text item;

	while (next_item(&list, ',', &item))
		if (is(item, token))
			return true;
	return false;
}

static void once(struct qn_ws_head *head, struct qn_text *at, struct qn_text value)
{
	if (at->at != NULL)
		head->twice = true;
	*at = value;
}

void qn_ws_head_add(struct qn_ws_head *head, struct qn_text name, struct qn_text value)
{
	value = trimmed(value);
	if (is(name, "upgrade"))
		head->upgrade = value;
	else if (is(name, "connection"))
		head->connection_upgrade |= has_token(value, "upgrade");
	else if (is(name, "sec-websocket-version"))
		once(head, &head->version, value);
	else if (is(name, "sec-websocket-key"))
		once(head, &head->key, value);
	else if (is(name, "sec-websocket-accept"))
		once(head, &head->accept, value);
	else if (is(name, "sec-websocket-protocol"))
		head->protocol = value;
	else if (is(name, "sec-websocket-extensions") && head->extension_count < 4)
		head->extensions[head->extension_count++] = value;
}

bool qn_ws_head_asks(const struct qn_ws_head *head)
{
	return has_token(head->upgrade, "websocket");
}

/* ---- permessage-deflate ---- */

enum { PARAM_S_TAKEOVER = 1, PARAM_C_TAKEOVER = 2, PARAM_S_BITS = 4, PARAM_C_BITS = 8 };

/* The value of a ...max_window_bits: 8 to 15, perhaps in quotes; 0: none of these. */
static unsigned window_bits(struct qn_text value)
{
	if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
		value = (struct qn_text){ value.at + 1, value.len - 2 };
	if (value.len == 1 && (*value.at == '8' || *value.at == '9'))
		return (unsigned)(*value.at - '0');
	if (value.len == 2 && value.at[0] == '1' && value.at[1] >= '0' && value.at[1] <= '5')
		return 10 + (unsigned)(value.at[1] - '0');
	return 0;
}

/* Which parameters an offer (or an answer) has; -1: one that nobody knows, twice, or out of range.
 * The server's window must be the whole one: zlib's state is set up once. */
static int deflate_params(struct qn_text params, bool answer)
{
	int seen = 0;
	struct qn_text item;

	while (next_item(&params, ';', &item)) {
		struct qn_text value = item, name = { NULL, 0 };
		bool valued = memchr(item.at, '=', item.len) != NULL;
		int bit;
		if (!next_item(&value, '=', &name))
			return -1;
		value = trimmed(value);
		if (is(name, "server_no_context_takeover") && !valued)
			bit = PARAM_S_TAKEOVER;
		else if (is(name, "client_no_context_takeover") && !valued)
			bit = PARAM_C_TAKEOVER;
		else if (is(name, "server_max_window_bits") && window_bits(value) > 0 &&
			 (answer || window_bits(value) == 15))
			bit = PARAM_S_BITS;
		else if (is(name, "client_max_window_bits") &&
			 (valued ? window_bits(value) > 0 : !answer))
			bit = PARAM_C_BITS;
		else
			return -1;
		if (seen & bit)
			return -1;
		seen |= bit;
	}
	return seen;
}

/* The first offer that can be taken. */
static bool takes_deflate(const struct qn_ws_head *head)
{
	for (unsigned i = 0; i < head->extension_count; i++) {
		struct qn_text list = head->extensions[i], offer, name;
		while (next_item(&list, ',', &offer))
			if (next_item(&offer, ';', &name) && is(name, "permessage-deflate") &&
			    deflate_params(offer, false) >= 0)
				return true;
	}
	return false;
}

/* ---- keys ---- */

void qn_ws_accept_key(struct qn_text key, char *out)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[QN_WS_KEY_LEN + sizeof(guid) - 1];
	uint8_t digest[20];
	size_t len = key.len < QN_WS_KEY_LEN ? key.len : QN_WS_KEY_LEN;

	memcpy(text, key.at, len);
	memcpy(text + len, guid, sizeof(guid) - 1);
	qn_sha1(text, len + sizeof(guid) - 1, digest);
	qn_base64(digest, sizeof(digest), out);
}

void qn_ws_key(const uint8_t nonce[16], char *out)
{
	qn_base64(nonce, 16, out);
}

/* 16 bytes in base64: 22 digits, of which the last has four bits to spare, and "==". */
static bool is_key(struct qn_text key)
{
	if (key.len != QN_WS_KEY_LEN || key.at[22] != '=' || key.at[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++) {
		char c = key.at[i];
		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '+' || c == '/'))
			return false;
	}
	return true;
}

/* ---- the server ---- */

static struct qn_ws_agreed refused(unsigned status, const char *why)
{
	return (struct qn_ws_agreed){ .status = status, .why = why };
}

struct qn_ws_agreed qn_ws_accept(const struct qn_ws_head *head, bool allow_deflate,
				 const char *protocol)
{
	struct qn_ws_agreed agreed = { .status = 101 };

	if (!qn_ws_head_asks(head) || !head->connection_upgrade)
		return refused(400, "no upgrade to websocket");
	if (head->twice)
		return refused(400, "a header of the handshake stands twice");
	if (!is(head->version, "13"))
		return refused(426, "only version 13 of WebSocket");
	if (!is_key(head->key))
		return refused(400, "Sec-WebSocket-Key must be 16 bytes in base64");
	agreed.deflate = allow_deflate && takes_deflate(head);
	struct qn_text list = head->protocol, item;
	while (next_item(&list, ',', &item))
		if (item.len == strlen(protocol) && memcmp(item.at, protocol, item.len) == 0)
			agreed.protocol = item;
	return agreed;
}

static void put(struct qn_json_writer *w, const char *text)
{
	qn_json_put(w, text, strlen(text));
}

size_t qn_ws_write_accept(const struct qn_ws_head *head, const struct qn_ws_agreed *agreed,
			  char *buffer, size_t cap)
{
	struct qn_json_writer w; /* an appender that knows its end */
	char accept[QN_WS_ACCEPT_LEN];

	qn_ws_accept_key(head->key, accept);
	qn_json_writer_init(&w, buffer, cap);
	put(&w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: ");
	qn_json_put(&w, accept, sizeof(accept));
	if (agreed->protocol.len > 0) {
		put(&w, "\r\nSec-WebSocket-Protocol: ");
		qn_json_put(&w, agreed->protocol.at, agreed->protocol.len);
	}
	if (agreed->deflate)
		put(&w, "\r\nSec-WebSocket-Extensions: permessage-deflate; "
			"server_no_context_takeover; client_no_context_takeover");
	put(&w, "\r\n\r\n");
	return w.full ? 0 : qn_json_written(&w);
}

/* ---- the client ---- */

size_t qn_ws_write_request(const struct qn_ws_request *request, char *buffer, size_t cap)
{
	struct qn_json_writer w;
	char key[QN_WS_KEY_LEN];

	qn_ws_key(request->nonce, key);
	qn_json_writer_init(&w, buffer, cap);
	put(&w, "GET ");
	put(&w, request->path);
	put(&w, " HTTP/1.1\r\nHost: ");
	put(&w, request->host);
	put(&w, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: ");
	qn_json_put(&w, key, sizeof(key));
	if (request->protocol != NULL) {
		put(&w, "\r\nSec-WebSocket-Protocol: ");
		put(&w, request->protocol);
	}
	if (request->deflate)
		put(&w, "\r\nSec-WebSocket-Extensions: permessage-deflate; "
			"server_no_context_takeover; client_no_context_takeover");
	put(&w, "\r\n\r\n");
	return w.full ? 0 : qn_json_written(&w);
}

struct qn_ws_agreed qn_ws_accepted(const struct qn_ws_request *request, unsigned status,
				   const struct qn_ws_head *head)
{
	struct qn_ws_agreed agreed = { .status = 101, .protocol = head->protocol };
	char key[QN_WS_KEY_LEN], accept[QN_WS_ACCEPT_LEN];

	if (status != 101)
		return refused(0, "no upgrade");
	if (!is(head->upgrade, "websocket") || !head->connection_upgrade)
		return refused(0, "101, and no WebSocket");
	qn_ws_key(request->nonce, key);
	qn_ws_accept_key((struct qn_text){ key, sizeof(key) }, accept);
	if (head->twice || head->accept.len != sizeof(accept) ||
	    memcmp(head->accept.at, accept, sizeof(accept)) != 0)
		return refused(0, "Sec-WebSocket-Accept does not fit the key");
	if (head->protocol.len > 0 &&
	    (request->protocol == NULL || !is(head->protocol, request->protocol)))
		return refused(0, "a subprotocol that was not asked for");
	for (unsigned i = 0; i < head->extension_count; i++) {
		struct qn_text list = head->extensions[i], item, name;
		while (next_item(&list, ',', &item)) {
			int params = -1;
			if (next_item(&item, ';', &name) && is(name, "permessage-deflate"))
				params = deflate_params(item, true);
			/* A server that keeps its context would need ours kept as well. */
			if (params < 0 || !request->deflate || agreed.deflate ||
			    !(params & PARAM_S_TAKEOVER))
				return refused(0, "an extension that was not asked for");
			agreed.deflate = true;
		}
	}
	return agreed;
}

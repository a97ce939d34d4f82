#include "emulator/target/jsonrpc_options.h"
#include "emulator/target/parts.h"

#include "emulator/rpc/rpc.h"

/* What faults do to a WebSocket frame, and to the JSON inside of it. */

/* A frame of ours: where its payload is, and how it was masked. */
struct frame {
	size_t head, len;
	bool masked, plain; /* plain: text, not deflated */
	uint8_t key[4];
};

/* False: it is no whole frame, but an HTTP answer or a part of a batch. */
static bool read_frame(const char *unit, size_t len, struct frame *ret)
{
	const unsigned char *at = (const unsigned char *)unit;

	if (len < 2 || (at[0] & 0x80) == 0)
		return false;
	size_t extended = (at[1] & 0x7f) == 126 ? 2 : (at[1] & 0x7f) == 127 ? 8 : 0;
	size_t payload = extended == 0 ? at[1] & 0x7f : 0;
	*ret = (struct frame){ .masked = at[1] >> 7, .plain = at[0] == 0x81 };
	ret->head = 2 + extended + (ret->masked ? 4 : 0);
	if (len < ret->head)
		return false;
	for (size_t i = 0; i < extended; i++)
		payload = payload << 8 | at[2 + i];
	if (ret->masked)
		memcpy(ret->key, at + 2 + extended, 4);
	ret->len = payload;
	return payload <= len - ret->head;
}

static size_t copy_payload(const char *unit, const struct frame *frame, char *out, size_t cap)
{
	size_t len = frame->len < cap ? frame->len : cap;

	memcpy(out, unit + frame->head, len);
	if (frame->masked)
		for (size_t i = 0; i < len; i++)
			out[i] = (char)(out[i] ^ (char)frame->key[i % 4]);
	return len;
}

struct qn_text target_jsonrpc_describe(const char *unit, size_t len, char *space, size_t cap)
{
	struct frame frame;
	const char *body;

	if (len > 5 && memcmp(unit, "HTTP/", 5) == 0) {
		body = memmem(unit, len, "\r\n\r\n", 4);
		return body != NULL ? (struct qn_text){ body + 4, (size_t)(unit + len - body - 4) }
				    : (struct qn_text){ unit, len };
	}
	if (!read_frame(unit, len, &frame))
		return (struct qn_text){ unit, len };
	if (!frame.plain) {
		static const char other[] = "(a binary or deflated frame)";
		return (struct qn_text){ other, sizeof(other) - 1 };
	}
	return (struct qn_text){ space, copy_payload(unit, &frame, space, cap) };
}

/* Bytes behind `"result":{`, as the first member. */
static size_t insert(char *text, size_t len, size_t cap, const char *head, char fill, size_t fills,
		     const char *tail)
{
	static const char where[] = "\"result\":{";
	char *at = memmem(text, len, where, sizeof(where) - 1);
	size_t head_len = strlen(head), tail_len = strlen(tail);
	size_t more = head_len + fills + tail_len;

	if (at == NULL || more > cap - len)
		return len;
	at += sizeof(where) - 1;
	memmove(at + more, at, len - (size_t)(at - text));
	memcpy(at, head, head_len);
	memset(at + head_len, fill, fills);
	memcpy(at + head_len + fills, tail, tail_len);
	return len + more;
}

static size_t spoil_text(const struct fault_spec *spec, char *text, size_t len, size_t cap)
{
	char *at;

	switch (spec->kind) {
	case FAULT_BAD_UTF8:
		at = memmem(text, len, "\"status\":\"", 10);
		if (at == NULL)
			at = memmem(text, len, "\"message\":\"", 11);
		if (at != NULL && at + 12 < text + len)
			at[11] = (char)0xff;
		return len;
	case FAULT_OVERSIZED:
		if ((size_t)spec->bytes > len + 13)
			return insert(text, len, cap, "\"padding\":\"", 'x',
				      (size_t)spec->bytes - len - 13, "\",");
		return len;
	case FAULT_DEEP: {
		size_t depth = (size_t)spec->count;
		len = insert(text, len, cap, "\"deep\":", ']', depth * 2, ",");
		at = memmem(text, len, "\"deep\":]", 8);
		if (at != NULL)
			memset(at + 7, '[', depth);
		return len;
	}
	case FAULT_CUT_JSON: return (size_t)((double)len * spec->factor);
	default: return len;
	}
}

static size_t rewrite(struct target *target, const struct frame *frame, char *text, size_t len,
		      bool wrong_mask, char *unit, size_t cap)
{
	struct rpc_server *server = target->group->run->wire;
	enum qn_ws_role role = target->group->wire->stays ? QN_WS_CLIENT : QN_WS_SERVER;
	struct qn_ws_out out = { .opcode = WSLAY_TEXT_FRAME,
				 .wrong_mask = wrong_mask,
				 .payload = { text, len } };

	rpc_random(server, &out.mask, sizeof(out.mask));
	(void)frame;
	size_t written = qn_ws_write(&server->ws, role, &out, unit, cap);
	return written > 0 ? written : len;
}

/* A close frame that no peer may send. */
static size_t bad_close(struct target *target, const struct fault_spec *spec, char *unit,
			size_t cap)
{
	struct rpc_server *server = target->group->run->wire;
	char code[2] = { (char)(spec->count >> 8), (char)spec->count };
	struct qn_ws_out out = { .opcode = WSLAY_CONNECTION_CLOSE, .payload = { code, 2 } };

	rpc_random(server, &out.mask, sizeof(out.mask));
	return qn_ws_write(&server->ws, target->group->wire->stays ? QN_WS_CLIENT : QN_WS_SERVER,
			   &out, unit, cap);
}

size_t target_jsonrpc_spoil(struct target *target, const struct fault_spec *spec, char *unit,
			    size_t len, size_t cap)
{
	static char text[65536];
	struct frame frame;

	if (!read_frame(unit, len, &frame)) {
		/* A member of a batch is bare JSON; of an HTTP answer the length would be wrong. */
		return len > 0 && unit[0] == '{' ? spoil_text(spec, unit, len, cap) : len;
	}
	if (spec->kind == FAULT_HALF_FRAME)
		return (size_t)((double)len * spec->factor);
	if (spec->kind == FAULT_BAD_CLOSE)
		return bad_close(target, spec, unit, cap);
	if (!frame.plain)
		return len;
	size_t n = copy_payload(unit, &frame, text, sizeof(text));
	if (spec->kind != FAULT_WRONG_MASK)
		n = spoil_text(spec, text, n, sizeof(text) - QN_WS_HEADER_MAX);
	return rewrite(target, &frame, text, n, spec->kind == FAULT_WRONG_MASK, unit, cap);
}

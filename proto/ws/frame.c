#include "proto/ws/ws.h"

#include "proto/utf8.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>

/*
 * wslay's parser stands between two frames whenever it is shared: it is only handed whole frames.
 * A frame that is longer than its buffer has a parser of its own, with the room for its message.
 */

#define RSV1 WSLAY_RSV1_BIT

/* ---- wslay's callbacks ---- */

static ssize_t take_bytes(uint8_t *buffer, size_t len, int flags, void *context)
{
	struct qn_ws_shared *shared = context;
	struct qn_ws_source *source = &shared->source;
	size_t n = len < source->len ? len : source->len;

	(void)flags;
	if (n == 0)
		return -1; /* wslay's "nothing there": it keeps its state */
	memcpy(buffer, source->at, n);
	source->at += n;
	source->len -= n;
	return (ssize_t)n;
}

static ssize_t put_bytes(const uint8_t *bytes, size_t len, int flags, void *context)
{
	struct qn_ws_sink *sink = &((struct qn_ws_shared *)context)->sink;

	(void)flags;
	assert((size_t)(sink->end - sink->at) >= len); /* qn_ws_write() looked before */
	memcpy(sink->at, bytes, len);
	sink->at += len;
	return (ssize_t)len;
}

static int put_mask(uint8_t *buffer, size_t len, void *context)
{
	const struct qn_ws_shared *shared = context;

	assert(len == sizeof(shared->sink.mask));
	memcpy(buffer, &shared->sink.mask, len);
	return 0;
}

static const struct wslay_frame_callbacks callbacks = { .send_callback = put_bytes,
							.recv_callback = take_bytes,
							.genmask_callback = put_mask };

/* A parser that met a broken frame stands somewhere inside of it. */
static bool renew(wslay_frame_context_ptr *frames, struct qn_ws_shared *shared)
{
	if (*frames != NULL)
		wslay_frame_context_free(*frames);
	if (wslay_frame_context_init(frames, &callbacks, shared) == 0)
		return true;
	*frames = NULL;
	return false;
}

/* ---- what a thread's connections share ---- */

static size_t rounded(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

size_t qn_ws_shared_bytes(size_t message_max, unsigned assemblies)
{
	return rounded(2 * sizeof(z_stream)) + rounded(assemblies * sizeof(struct qn_ws_assembly)) +
	       (assemblies + (size_t)1) * rounded(message_max + 1);
}

bool qn_ws_shared_init(struct qn_ws_shared *shared, void *memory, size_t message_max,
		       unsigned assemblies)
{
	char *at = memory;

	memset(shared, 0, sizeof(*shared));
	shared->message_max = message_max;
	shared->assemblies = assemblies;
	z_stream *streams = memory;
	memset(streams, 0, 2 * sizeof(z_stream));
	at += rounded(2 * sizeof(z_stream));
	shared->all = (struct qn_ws_assembly *)(void *)at;
	at += rounded(assemblies * sizeof(struct qn_ws_assembly));
	shared->inflated = at;
	bool good = renew(&shared->frames, shared) && renew(&shared->bare, shared) &&
		    renew(&shared->masking, shared);
	for (unsigned i = 0; i < assemblies; i++) {
		struct qn_ws_assembly *assembly = &shared->all[i];
		at += rounded(message_max + 1);
		*assembly = (struct qn_ws_assembly){ .room = at, .next = shared->free_list };
		shared->free_list = assembly;
		good = good && renew(&assembly->frames, shared);
	}
	/* Raw deflate with the whole window, which no peer need be told of. */
	if (good && inflateInit2(&streams[0], -MAX_WBITS) == Z_OK)
		shared->inflate = &streams[0];
	if (good && deflateInit2(&streams[1], Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, 8,
				 Z_DEFAULT_STRATEGY) == Z_OK)
		shared->deflate = &streams[1];
	if (shared->inflate != NULL && shared->deflate != NULL)
		return true;
	qn_ws_shared_release(shared);
	return false;
}

void qn_ws_shared_release(struct qn_ws_shared *shared)
{
	for (unsigned i = 0; i < shared->assemblies; i++)
		if (shared->all[i].frames != NULL)
			wslay_frame_context_free(shared->all[i].frames);
	wslay_frame_context_ptr ours[] = { shared->frames, shared->bare, shared->masking };
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (ours[i] != NULL)
			wslay_frame_context_free(ours[i]);
	if (shared->inflate != NULL)
		inflateEnd(shared->inflate);
	if (shared->deflate != NULL)
		deflateEnd(shared->deflate);
	memset(shared, 0, sizeof(*shared));
}

/* ---- messages in pieces ---- */

static struct qn_ws_assembly *take_room(struct qn_ws_shared *shared)
{
	struct qn_ws_assembly *assembly = shared->free_list;

	if (assembly == NULL || (assembly->frames == NULL && !renew(&assembly->frames, shared))) {
		shared->assemblies_short++;
		return NULL;
	}
	shared->free_list = assembly->next;
	shared->assemblies_used++;
	assembly->len = assembly->checked = 0;
	return assembly;
}

void qn_ws_drop(struct qn_ws *ws, struct qn_ws_shared *shared)
{
	struct qn_ws_assembly *assembly = ws->assembly;

	ws->over = true;
	if (assembly == NULL)
		return;
	if (ws->long_frame)
		renew(&assembly->frames, shared);
	assembly->next = shared->free_list;
	shared->free_list = assembly;
	shared->assemblies_used--;
	ws->assembly = NULL;
}

void qn_ws_init(struct qn_ws *ws, enum qn_ws_role role, bool deflate)
{
	memset(ws, 0, sizeof(*ws));
	ws->role = (uint8_t)role;
	ws->deflate = deflate;
}

static enum qn_ws_step fail(struct qn_ws *ws, struct qn_ws_shared *shared, struct qn_ws_event *ret,
			    unsigned code, const char *why)
{
	qn_ws_drop(ws, shared);
	*ret = (struct qn_ws_event){ .code = (uint16_t)code, .why = why };
	return QN_WS_FAIL;
}

/* ---- control frames ---- */

bool qn_ws_code_valid(unsigned code)
{
	if (code >= 3000)
		return code <= 4999;
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

static enum qn_ws_step read_close(struct qn_ws *ws, struct qn_ws_shared *shared,
				  struct qn_text payload, struct qn_ws_event *ret)
{
	const unsigned char *at = (const unsigned char *)payload.at;

	if (payload.len == 1)
		return fail(ws, shared, ret, QN_WS_PROTOCOL_ERROR, "half a close code");
	*ret = (struct qn_ws_event){ .code = QN_WS_NO_CODE };
	if (payload.len >= 2) {
		ret->code = (uint16_t)(at[0] << 8 | at[1]);
		ret->payload = (struct qn_text){ payload.at + 2, payload.len - 2 };
		if (!qn_ws_code_valid(ret->code))
			return fail(ws, shared, ret, QN_WS_PROTOCOL_ERROR,
				    "a close code that must not be sent");
		if (qn_utf8_valid_len(ret->payload.at, ret->payload.len) != ret->payload.len)
			return fail(ws, shared, ret, QN_WS_BAD_DATA, "a reason that is no UTF-8");
	}
	qn_ws_drop(ws, shared);
	return QN_WS_CLOSED;
}

static enum qn_ws_step read_control(struct qn_ws *ws, struct qn_ws_shared *shared, uint8_t opcode,
				    struct qn_text payload, struct qn_ws_event *ret)
{
	*ret = (struct qn_ws_event){ .payload = payload };
	switch (opcode) {
	case WSLAY_PING: return QN_WS_PING;
	case WSLAY_PONG: return QN_WS_PONG;
	default: return read_close(ws, shared, payload, ret);
	}
}

/* ---- data frames ---- */

static enum qn_ws_step inflate_message(struct qn_ws *ws, struct qn_ws_shared *shared,
				       struct qn_text *payload, struct qn_ws_event *ret)
{
	/* RFC 7692, 7.2.2: what the sender cut off the end of its last block. */
	static const unsigned char tail[4] = { 0x00, 0x00, 0xff, 0xff };
	z_stream *z = shared->inflate;

	inflateReset(z);
	z->next_in = (Bytef *)(uintptr_t)payload->at;
	z->avail_in = (uInt)payload->len;
	z->next_out = (Bytef *)shared->inflated;
	z->avail_out = (uInt)shared->message_max + 1; /* one more: it is too long */
	int rc = inflate(z, Z_SYNC_FLUSH);
	if ((rc == Z_OK || rc == Z_BUF_ERROR) && z->avail_in == 0 && z->avail_out > 0) {
		z->next_in = (Bytef *)(uintptr_t)tail;
		z->avail_in = sizeof(tail);
		rc = inflate(z, Z_SYNC_FLUSH);
	}
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return fail(ws, shared, ret, QN_WS_BAD_DATA, "no deflate stream");
	/* A bomb stops where the room ends. */
	if (z->avail_out == 0)
		return fail(ws, shared, ret, QN_WS_TOO_BIG, "too long when inflated");
	*payload = (struct qn_text){ shared->inflated, shared->message_max + 1 - z->avail_out };
	return QN_WS_MORE;
}

/* All of it: compressed bytes, or what was sent. */
static enum qn_ws_step whole_message(struct qn_ws *ws, struct qn_ws_shared *shared,
				     struct qn_text payload, struct qn_ws_event *ret)
{
	uint8_t opcode = ws->opcode;
	bool compressed = ws->compressed;

	if (compressed) {
		enum qn_ws_step step = inflate_message(ws, shared, &payload, ret);
		if (step != QN_WS_MORE)
			return step;
	}
	if (opcode == WSLAY_TEXT_FRAME) {
		size_t known = ws->assembly != NULL && !compressed ? ws->assembly->checked : 0;
		if (qn_utf8_valid_len(payload.at + known, payload.len - known) !=
		    payload.len - known)
			return fail(ws, shared, ret, QN_WS_BAD_DATA, "a text that is no UTF-8");
	}
	/* The room goes back, and its bytes stay until somebody else takes it: the next call. */
	if (ws->assembly != NULL) {
		qn_ws_drop(ws, shared);
		ws->over = false;
	}
	ws->opcode = 0;
	*ret = (struct qn_ws_event){ .payload = payload, .compressed = compressed };
	return opcode == WSLAY_TEXT_FRAME ? QN_WS_TEXT : QN_WS_BINARY;
}

/* Bytes that are no text end a message as soon as they are there, not at its end. */
static bool still_text(struct qn_ws *ws)
{
	struct qn_ws_assembly *assembly = ws->assembly;

	if (ws->opcode != WSLAY_TEXT_FRAME || ws->compressed)
		return true;
	assembly->checked += qn_utf8_valid_len(assembly->room + assembly->checked,
					       assembly->len - assembly->checked);
	return assembly->len - assembly->checked < 4; /* a character that is cut */
}

static enum qn_ws_step add_piece(struct qn_ws *ws, struct qn_ws_shared *shared,
				 const uint8_t *bytes, size_t len, struct qn_ws_event *ret)
{
	if (ws->assembly == NULL)
		ws->assembly = take_room(shared);
	struct qn_ws_assembly *assembly = ws->assembly;
	if (assembly == NULL)
		return fail(ws, shared, ret, QN_WS_TRY_LATER, "no room for another long message");
	if (len > shared->message_max - assembly->len)
		return fail(ws, shared, ret, QN_WS_TOO_BIG, "too long a message");
	if (len > 0)
		memcpy(assembly->room + assembly->len, bytes, len);
	assembly->len += len;
	if (!still_text(ws))
		return fail(ws, shared, ret, QN_WS_BAD_DATA, "a text that is no UTF-8");
	return QN_WS_MORE;
}

/* ---- a frame's head ---- */

/* What its first bytes say. */
struct head {
	size_t size; /* of the head itself */
	uint64_t payload;
	uint8_t opcode;
	bool fin, masked, rsv1, rsv23;
};

/* False: there is less than a head. */
static bool peek(const char *bytes, size_t len, struct head *ret)
{
	const unsigned char *at = (const unsigned char *)bytes;

	if (len < 2)
		return false;
	size_t extended = (at[1] & 0x7f) == 126 ? 2 : (at[1] & 0x7f) == 127 ? 8 : 0;
	bool masked = at[1] >> 7;
	size_t size = 2 + extended + (masked ? 4 : 0);
	if (len < size)
		return false;
	uint64_t payload = extended == 0 ? at[1] & 0x7fu : 0;
	for (size_t i = 0; i < extended; i++)
		payload = payload << 8 | at[2 + i];
	*ret = (struct head){ .size = size,
			      .payload = payload,
			      .opcode = at[0] & 0x0f,
			      .fin = at[0] >> 7,
			      .masked = masked,
			      .rsv1 = at[0] & 0x40,
			      .rsv23 = at[0] & 0x30 };
	return true;
}

/* What may be said of a frame by its first two bytes, so that nobody waits for a bad one. */
static const char *bad_start(const struct qn_ws *ws, const char *bytes)
{
	unsigned first = (unsigned char)bytes[0], opcode = first & 0x0f;
	bool masked = (unsigned char)bytes[1] >> 7;

	if (masked != (ws->role == QN_WS_SERVER))
		return masked ? "a masked frame from a server" : "a bare frame from a client";
	if (first & 0x30)
		return "reserved bits";
	if ((first & 0x40) && (!ws->deflate || opcode == 0 || opcode >= 8))
		return "a compressed frame where none may be";
	if ((opcode > 2 && opcode < 8) || opcode > 10)
		return "an opcode that nobody defined";
	if (opcode >= 8 && (!(first & 0x80) || ((unsigned char)bytes[1] & 0x7f) > 125))
		return "a control frame that is cut or too long";
	if (opcode == 0 && ws->opcode == 0)
		return "a continuation of nothing";
	if (opcode > 0 && opcode < 8 && ws->opcode != 0)
		return "a message inside another";
	return NULL;
}

static void begin_message(struct qn_ws *ws, const struct head *head)
{
	if (head->opcode == 0)
		return;
	ws->opcode = head->opcode;
	ws->compressed = head->rsv1;
}

/* ---- frames ---- */

static enum qn_ws_step broken(struct qn_ws *ws, struct qn_ws_shared *shared,
			      wslay_frame_context_ptr *frames, struct qn_ws_event *ret)
{
	if (!renew(frames, shared))
		return fail(ws, shared, ret, QN_WS_INTERNAL, "no memory for another frame");
	return fail(ws, shared, ret, QN_WS_PROTOCOL_ERROR, "a length that is not its shortest");
}

/* A whole frame, by the shared parser. */
static enum qn_ws_step short_frame(struct qn_ws *ws, struct qn_ws_shared *shared,
				   const struct head *head, const char *bytes,
				   struct qn_ws_event *ret)
{
	struct wslay_frame_iocb frame = { 0 };

	if (shared->frames == NULL && !renew(&shared->frames, shared))
		return fail(ws, shared, ret, QN_WS_INTERNAL, "no memory for another frame");
	shared->source = (struct qn_ws_source){ bytes, head->size + (size_t)head->payload };
	ssize_t n = wslay_frame_recv(shared->frames, &frame);
	if (n < 0 || frame.data_length != head->payload)
		return broken(ws, shared, &shared->frames, ret);
	struct qn_text payload = { (const char *)frame.data, frame.data_length };
	if (head->opcode >= 8)
		return read_control(ws, shared, head->opcode, payload, ret);
	begin_message(ws, head);
	if (head->fin && ws->assembly == NULL) {
		if (payload.len > shared->message_max)
			return fail(ws, shared, ret, QN_WS_TOO_BIG, "too long a message");
		return whole_message(ws, shared, payload, ret);
	}
	enum qn_ws_step step = add_piece(ws, shared, frame.data, frame.data_length, ret);
	if (step != QN_WS_MORE || !head->fin)
		return step;
	return whole_message(ws, shared, (struct qn_text){ ws->assembly->room, ws->assembly->len },
			     ret);
}

/* A long frame, or more of it, by the parser of its message. */
static enum qn_ws_step long_frame(struct qn_ws *ws, struct qn_ws_shared *shared, const char *bytes,
				  size_t len, size_t *ret_taken, struct qn_ws_event *ret)
{
	shared->source = (struct qn_ws_source){ bytes, len };
	while (ws->frame_left > 0 && shared->source.len > 0) {
		struct wslay_frame_iocb frame = { 0 };
		ssize_t n = wslay_frame_recv(ws->assembly->frames, &frame);
		if (n == WSLAY_ERR_WANT_READ)
			break;
		if (n < 0) {
			ws->long_frame = false; /* broken() makes the parser anew */
			return broken(ws, shared, &ws->assembly->frames, ret);
		}
		ws->frame_left -= frame.data_length;
		enum qn_ws_step step = add_piece(ws, shared, frame.data, frame.data_length, ret);
		if (step != QN_WS_MORE)
			return step;
	}
	*ret_taken += len - shared->source.len;
	if (ws->frame_left > 0)
		return QN_WS_MORE;
	ws->long_frame = false;
	if (!ws->long_fin)
		return QN_WS_MORE;
	return whole_message(ws, shared, (struct qn_text){ ws->assembly->room, ws->assembly->len },
			     ret);
}

static enum qn_ws_step begin_long_frame(struct qn_ws *ws, struct qn_ws_shared *shared,
					const struct head *head, struct qn_ws_event *ret)
{
	size_t have = ws->assembly != NULL ? ws->assembly->len : 0;

	begin_message(ws, head);
	/* By its head alone: nobody takes in a gigabyte to say that it was one. */
	if (head->payload > shared->message_max - have)
		return fail(ws, shared, ret, QN_WS_TOO_BIG, "too long a message");
	if (ws->assembly == NULL)
		ws->assembly = take_room(shared);
	if (ws->assembly == NULL)
		return fail(ws, shared, ret, QN_WS_TRY_LATER, "no room for another long message");
	if (ws->assembly->frames == NULL && !renew(&ws->assembly->frames, shared))
		return fail(ws, shared, ret, QN_WS_INTERNAL, "no memory for another frame");
	ws->long_frame = true;
	ws->long_fin = head->fin;
	ws->frame_left = head->payload;
	return QN_WS_MORE;
}

/* As much of the long frame as is there and belongs to it: the parser reads ahead. */
static size_t of_long_frame(const struct qn_ws *ws, size_t head_size, size_t len)
{
	uint64_t most = ws->frame_left + head_size;

	return len < most ? len : (size_t)most;
}

enum qn_ws_step qn_ws_next(struct qn_ws *ws, struct qn_ws_shared *shared, const char *bytes,
			   size_t len, size_t *ret_taken, struct qn_ws_event *ret)
{
	size_t done = 0;
	enum qn_ws_step step = QN_WS_MORE;

	while (step == QN_WS_MORE && done < len && !ws->over) {
		struct head head = { 0 };
		if (!ws->long_frame) {
			if (len - done < 2)
				break;
			const char *why = bad_start(ws, bytes + done);
			if (why != NULL) {
				step = fail(ws, shared, ret, QN_WS_PROTOCOL_ERROR, why);
				break;
			}
			if (!peek(bytes + done, len - done, &head))
				break;
			if (head.payload <= QN_WS_WHOLE_MAX) {
				if (len - done < head.size + head.payload)
					break;
				step = short_frame(ws, shared, &head, bytes + done, ret);
				done += head.size + (size_t)head.payload;
				continue;
			}
			step = begin_long_frame(ws, shared, &head, ret);
			if (step != QN_WS_MORE)
				break;
		}
		step = long_frame(ws, shared, bytes + done,
				  of_long_frame(ws, head.size, len - done), &done, ret);
	}
	/* After the end what comes is nobody's, and must not be kept. */
	*ret_taken = ws->over ? len : done;
	return step;
}

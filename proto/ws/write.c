#include "proto/ws/ws.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>

size_t qn_ws_write(struct qn_ws_shared *shared, enum qn_ws_role role, const struct qn_ws_out *out,
		   char *buffer, size_t cap)
{
	bool masked = (role == QN_WS_CLIENT) != out->wrong_mask;
	size_t len = out->payload.len;
	struct wslay_frame_iocb frame = { .fin = !out->not_fin,
					  .rsv = (uint8_t)(out->rsv |
							   (out->compressed ? WSLAY_RSV1_BIT : 0)),
					  .opcode = out->opcode,
					  .payload_length = len,
					  .mask = masked,
					  .data = (const uint8_t *)out->payload.at,
					  .data_length = len };

	if (cap < QN_WS_HEADER_MAX || len > cap - QN_WS_HEADER_MAX)
		return 0;
	wslay_frame_context_ptr frames = masked ? shared->masking : shared->bare;
	shared->sink = (struct qn_ws_sink){ .at = buffer, .end = buffer + cap, .mask = out->mask };
	/* It sends the head and what its buffer takes, then the rest of the payload. */
	do {
		ssize_t n = wslay_frame_send(frames, &frame);
		assert(n >= 0); /* the sink never fails, and the frame is ours */
		frame.data += n;
		frame.data_length -= (size_t)n;
	} while (frame.data_length > 0);
	return (size_t)(shared->sink.at - buffer);
}

size_t qn_ws_write_close(struct qn_ws_shared *shared, enum qn_ws_role role, unsigned code,
			 const char *reason, uint32_t mask, char *buffer, size_t cap)
{
	char payload[QN_WS_CONTROL_MAX];
	size_t len = 0;

	if (code != 0 && code != QN_WS_NO_CODE) {
		payload[0] = (char)(code >> 8);
		payload[1] = (char)code;
		len = strnlen(reason, sizeof(payload) - 2);
		memcpy(payload + 2, reason, len);
		len += 2;
	}
	struct qn_ws_out out = { .opcode = WSLAY_CONNECTION_CLOSE,
				 .payload = { payload, len },
				 .mask = mask };
	return qn_ws_write(shared, role, &out, buffer, cap);
}

size_t qn_ws_deflate(struct qn_ws_shared *shared, struct qn_text text, char *buffer, size_t cap)
{
	z_stream *z = shared->deflate;

	deflateReset(z); /* no context takeover: every message begins anew */
	z->next_in = (Bytef *)(uintptr_t)text.at;
	z->avail_in = (uInt)text.len;
	z->next_out = (Bytef *)buffer;
	z->avail_out = (uInt)cap;
	int rc = deflate(z, Z_SYNC_FLUSH);
	/* Room left says that the flush was whole (zlib.h), so its four last bytes are the marker.
	 */
	if (rc != Z_OK || z->avail_in > 0 || z->avail_out == 0)
		return 0;
	size_t len = cap - z->avail_out;
	assert(len >= 4);
	return len - 4 < text.len ? len - 4 : 0;
}

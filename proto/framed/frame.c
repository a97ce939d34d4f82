#include "proto/framed/frame.h"

enum qn_code qn_framed_next(const char *bytes, size_t len, uint32_t limit, struct qn_text *text,
			    size_t *taken)
{
	const unsigned char *head = (const unsigned char *)bytes;

	if (len < QN_FRAMED_HEAD)
		return QN_MORE;
	uint32_t text_len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 |
			    (uint32_t)head[2] << 8 | head[3];
	if (text_len > limit)
		return QN_E_TOO_LONG;
	if (len - QN_FRAMED_HEAD < text_len)
		return QN_MORE;
	*text = (struct qn_text){ bytes + QN_FRAMED_HEAD, text_len };
	*taken = QN_FRAMED_HEAD + (size_t)text_len;
	return QN_OK;
}

void qn_framed_put_head(char head[QN_FRAMED_HEAD], uint32_t text_len)
{
	head[0] = (char)(text_len >> 24);
	head[1] = (char)(text_len >> 16);
	head[2] = (char)(text_len >> 8);
	head[3] = (char)text_len;
}

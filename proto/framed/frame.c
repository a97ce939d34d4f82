#include "proto/framed/frame.h"

static inline uint32_t length_in(const char *bytes)
{
	const unsigned char *head = (const unsigned char *)bytes;

	return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

static inline enum qn_code next(const char *bytes, size_t len, uint32_t text_len, uint32_t limit,
				struct qn_text *text, size_t *taken)
{
	if (text_len > limit)
		return QN_E_TOO_LONG;
	if (len - QN_FRAMED_HEAD < text_len)
		return QN_MORE;
	*text = (struct qn_text){ bytes + QN_FRAMED_HEAD, text_len };
	*taken = QN_FRAMED_HEAD + (size_t)text_len;
	return QN_OK;
}

enum qn_code qn_framed_next(const char *bytes, size_t len, uint32_t limit, struct qn_text *text,
			    size_t *taken)
{
	if (len < QN_FRAMED_HEAD)
		return QN_MORE;
	return next(bytes, len, length_in(bytes), limit, text, taken);
}

enum qn_code qn_framed_next_packed(const char *bytes, size_t len, uint32_t limit,
				   struct qn_text *text, size_t *taken, bool *packed)
{
	if (len < QN_FRAMED_HEAD)
		return QN_MORE;
	uint32_t said = length_in(bytes);
	enum qn_code code = next(bytes, len, said & ~QN_FRAMED_PACKED, limit, text, taken);
	if (code == QN_OK)
		*packed = (said & QN_FRAMED_PACKED) != 0;
	return code;
}

void qn_framed_put_head(char head[QN_FRAMED_HEAD], uint32_t text_len)
{
	head[0] = (char)(text_len >> 24);
	head[1] = (char)(text_len >> 16);
	head[2] = (char)(text_len >> 8);
	head[3] = (char)text_len;
}

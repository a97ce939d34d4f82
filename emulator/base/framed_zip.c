#include "emulator/base/framed_zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
/* Its inputs are const. */
#define ZLIB_CONST
#include <zlib.h>

struct framed_zip {
	z_stream out, in;
	uint32_t limit, from;
	char *packed;   /* `limit` bytes: what does not fit is not worth it */
	char *unpacked; /* one more than `limit`: a stream that fills it is too long */
};

int framed_zip_new(uint32_t limit, uint32_t from, struct framed_zip **ret)
{
	struct framed_zip *zip = calloc(1, sizeof(*zip) + 2 * (size_t)limit + 1);

	if (zip == NULL)
		return -ENOMEM;
	zip->limit = limit;
	zip->from = from;
	zip->packed = (char *)(zip + 1);
	zip->unpacked = zip->packed + limit;
	if (deflateInit(&zip->out, Z_BEST_SPEED) != Z_OK)
		goto fail;
	if (inflateInit(&zip->in) != Z_OK) {
		deflateEnd(&zip->out);
		goto fail;
	}
	*ret = zip;
	return 0;
fail:
	free(zip);
	return -ENOMEM;
}

void framed_zip_free(struct framed_zip *zip)
{
	if (zip == NULL)
		return;
	deflateEnd(&zip->out);
	inflateEnd(&zip->in);
	free(zip);
}

static enum qn_code unpack(struct framed_zip *zip, uint32_t limit, struct qn_text *text)
{
	z_stream *in = &zip->in;
	uint32_t most = limit < zip->limit ? limit : zip->limit;

	inflateReset(in);
	in->next_in = (const Bytef *)text->at;
	in->avail_in = (uInt)text->len;
	in->next_out = (Bytef *)zip->unpacked;
	in->avail_out = most + 1;
	int rc = inflate(in, Z_FINISH);
	size_t len = most + 1 - in->avail_out;
	/* Some kilobytes can hold gigabytes: it ends with the room for it. */
	if (len > most)
		return QN_E_TOO_LONG;
	if (rc != Z_STREAM_END || in->avail_in > 0)
		return QN_E_SYNTAX;
	*text = (struct qn_text){ zip->unpacked, len };
	return QN_OK;
}

enum qn_code framed_zip_next(struct framed_zip *zip, const char *bytes, size_t len, uint32_t limit,
			     struct qn_text *text, size_t *taken)
{
	bool packed = false;

	if (zip == NULL)
		return qn_framed_next(bytes, len, limit, text, taken);
	struct qn_text found;
	size_t length;
	enum qn_code code = qn_framed_next_packed(bytes, len, limit, &found, &length, &packed);
	if (code == QN_OK && packed)
		code = unpack(zip, limit, &found);
	if (code != QN_OK)
		return code;
	*text = found;
	*taken = length;
	return QN_OK;
}

const char *framed_zip_why(enum qn_code code)
{
	return code == QN_E_SYNTAX ? "a packed message that is no zlib stream"
				   : "a message that is too long";
}

size_t framed_zip_pack(struct framed_zip *zip, char *unit, size_t len)
{
	if (zip == NULL || len < QN_FRAMED_HEAD + (size_t)zip->from || len > UINT32_MAX)
		return len;
	size_t text_len = len - QN_FRAMED_HEAD, room = text_len - 1;
	z_stream *out = &zip->out;

	deflateReset(out);
	out->next_in = (const Bytef *)unit + QN_FRAMED_HEAD;
	out->avail_in = (uInt)text_len;
	out->next_out = (Bytef *)zip->packed;
	out->avail_out = room < zip->limit ? (uInt)room : zip->limit;
	if (deflate(out, Z_FINISH) != Z_STREAM_END)
		return len;
	size_t packed_len = out->total_out;
	memcpy(unit + QN_FRAMED_HEAD, zip->packed, packed_len);
	qn_framed_put_head(unit, (uint32_t)packed_len | QN_FRAMED_PACKED);
	return QN_FRAMED_HEAD + packed_len;
}

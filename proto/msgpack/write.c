#include "proto/msgpack/msgpack.h"

#include <mpack.h>
#include <string.h>

void qn_mp_writer_init(struct qn_mp_writer *writer, char *buffer, size_t cap)
{
	*writer = (struct qn_mp_writer){ buffer, buffer, buffer + cap, false };
}

size_t qn_mp_written(const struct qn_mp_writer *writer)
{
	return writer->failed ? 0 : (size_t)(writer->at - writer->start);
}

void qn_mp_write_raw(struct qn_mp_writer *writer, struct qn_text bytes)
{
	if (writer->failed || bytes.len > (size_t)(writer->end - writer->at)) {
		writer->failed = true;
		return;
	}
	if (bytes.len > 0)
		memcpy(writer->at, bytes.at, bytes.len);
	writer->at += bytes.len;
}

static void write_token(struct qn_mp_writer *writer, mpack_token_t token)
{
	char head[MPACK_MAX_TOKEN_LEN];
	char *at = head;
	size_t room = sizeof(head);
	mpack_tokbuf_t tokbuf = MPACK_TOKBUF_INITIAL_VALUE;

	if (mpack_write(&tokbuf, &at, &room, &token) != MPACK_OK)
		writer->failed = true; /* no head is longer than that */
	qn_mp_write_raw(writer, (struct qn_text){ head, (size_t)(at - head) });
}

void qn_mp_write_nil(struct qn_mp_writer *writer)
{
	write_token(writer, mpack_pack_nil());
}

void qn_mp_write_bool(struct qn_mp_writer *writer, bool value)
{
	write_token(writer, mpack_pack_boolean(value));
}

void qn_mp_write_uint(struct qn_mp_writer *writer, uint64_t value)
{
	write_token(writer, mpack_pack_uint(value));
}

static void write_big_endian(struct qn_mp_writer *writer, unsigned char head, uint64_t bits,
			     size_t len)
{
	char bytes[9] = { (char)head };

	for (size_t i = 0; i < len; i++)
		bytes[1 + i] = (char)(bits >> 8 * (len - 1 - i));
	qn_mp_write_raw(writer, (struct qn_text){ bytes, 1 + len });
}

/*
 * libmpack 1.0.5 takes a width too small for -129, -32769 and others (-4294967297 comes out as -1):
 * negative ones are written here.
 */
void qn_mp_write_int(struct qn_mp_writer *writer, int64_t value)
{
	uint64_t bits = (uint64_t)value;

	if (value >= 0)
		qn_mp_write_uint(writer, bits);
	else if (value >= -32)
		write_big_endian(writer, (unsigned char)bits, 0, 0);
	else if (value >= INT8_MIN)
		write_big_endian(writer, 0xd0, bits, 1);
	else if (value >= INT16_MIN)
		write_big_endian(writer, 0xd1, bits, 2);
	else if (value >= INT32_MIN)
		write_big_endian(writer, 0xd2, bits, 4);
	else
		write_big_endian(writer, 0xd3, bits, 8);
}

/* libmpack would take 32 bits where they suffice; the peers' library never does. */
void qn_mp_write_double(struct qn_mp_writer *writer, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	write_big_endian(writer, 0xcb, bits, 8);
}

void qn_mp_write_str_head(struct qn_mp_writer *writer, uint32_t len)
{
	write_token(writer, mpack_pack_str(len));
}

void qn_mp_write_str(struct qn_mp_writer *writer, struct qn_text text)
{
	if (text.len > UINT32_MAX) {
		writer->failed = true;
		return;
	}
	qn_mp_write_str_head(writer, (uint32_t)text.len);
	qn_mp_write_raw(writer, text);
}

void qn_mp_write_word(struct qn_mp_writer *writer, const char *word)
{
	qn_mp_write_str(writer, (struct qn_text){ word, strlen(word) });
}

void qn_mp_write_bin(struct qn_mp_writer *writer, struct qn_text bytes)
{
	if (bytes.len > UINT32_MAX) {
		writer->failed = true;
		return;
	}
	write_token(writer, mpack_pack_bin((mpack_uint32_t)bytes.len));
	qn_mp_write_raw(writer, bytes);
}

void qn_mp_write_array(struct qn_mp_writer *writer, uint32_t count)
{
	write_token(writer, mpack_pack_array(count));
}

void qn_mp_write_map(struct qn_mp_writer *writer, uint32_t count)
{
	write_token(writer, mpack_pack_map(count));
}

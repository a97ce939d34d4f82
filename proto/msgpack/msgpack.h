/*
 * MessagePack: strict in what is a value, generous in how wide it was written; minimal in writing.
 *
 * Purpose: read a value that is wholly in memory, element by element, and write one. Heads are read
 * and written by libmpack (a package), which keeps no memory; what it gets wrong or leaves open is
 * decided here: sizes, depth, UTF-8, what may be a key, negative integers.
 * Units: bytes. Ownership: values point into the caller's bytes.
 * Errors: enum qn_code and a fault with the offset; after an error a reader stays where it was.
 * Threads: no state.
 * Source: the MessagePack specification (2013 form: str, bin, ext); PROTOCOL.md "MessagePack".
 */
#ifndef QN_MSGPACK_H
#define QN_MSGPACK_H

#include "proto/fault.h"

#include <stdbool.h>
#include <stdint.h>

/* Containers within each other; the outermost one counts. */
#define QN_MP_DEPTH_MAX 64

enum qn_mp_type {
	QN_MP_NIL,
	QN_MP_BOOL,
	QN_MP_UINT, /* 0 and more, however it was written */
	QN_MP_INT,  /* less than 0 */
	QN_MP_FLOAT,
	QN_MP_STR,
	QN_MP_BIN,
	QN_MP_EXT,
	QN_MP_ARRAY,
	QN_MP_MAP,
};

struct qn_mp_value {
	enum qn_mp_type type;
	union {
		bool boolean;
		uint64_t uint;
		int64_t sint;
		double number;
		struct qn_text bytes; /* STR (UTF-8 once checked), BIN, EXT */
		uint32_t count;       /* ARRAY: elements, MAP: pairs; they follow */
	};
};

/* ---- reading ---- */

struct qn_mp_reader {
	const char *start, *at, *end;
};

void qn_mp_reader_init(struct qn_mp_reader *reader, const char *bytes, size_t len);
/*
 * The next value; of a container its head alone. QN_E_SYNTAX: the bytes end within it, or 0xc1.
 * A container never claims more elements than there are bytes left.
 */
enum qn_code qn_mp_next(struct qn_mp_reader *reader, struct qn_mp_value *value,
			struct qn_fault *fault);
/*
 * Passes over the next value whole and says where it stands, so that it can be kept or repeated as
 * it was written. QN_E_DEPTH, QN_E_UTF8 (a STR that is no UTF-8), QN_E_TYPE (a key that is no STR).
 */
enum qn_code qn_mp_skip(struct qn_mp_reader *reader, struct qn_text *ret, struct qn_fault *fault);
/* Exactly one value from end to end, all that qn_mp_skip() asks. After QN_OK reading cannot fail.
 */
enum qn_code qn_mp_check(const char *bytes, size_t len, struct qn_fault *fault);

/* ---- writing ---- */

/* What does not fit sets `failed`, and nothing is written from then on. */
struct qn_mp_writer {
	char *start, *at, *end;
	bool failed;
};

void qn_mp_writer_init(struct qn_mp_writer *writer, char *buffer, size_t cap);
/* Bytes written, 0 where something did not fit. */
size_t qn_mp_written(const struct qn_mp_writer *writer);
void qn_mp_write_nil(struct qn_mp_writer *writer);
void qn_mp_write_bool(struct qn_mp_writer *writer, bool value);
void qn_mp_write_uint(struct qn_mp_writer *writer, uint64_t value);
void qn_mp_write_int(struct qn_mp_writer *writer, int64_t value);
void qn_mp_write_double(struct qn_mp_writer *writer, double value); /* always 64 bits */
void qn_mp_write_str(struct qn_mp_writer *writer, struct qn_text text);
void qn_mp_write_bin(struct qn_mp_writer *writer, struct qn_text bytes);
void qn_mp_write_array(struct qn_mp_writer *writer, uint32_t count);
void qn_mp_write_map(struct qn_mp_writer *writer, uint32_t count);
/* Heads and pieces: a string whose bytes come in parts is its head, then so many raw bytes. */
void qn_mp_write_str_head(struct qn_mp_writer *writer, uint32_t len);
void qn_mp_write_raw(struct qn_mp_writer *writer, struct qn_text bytes);

/* A terminated text as a STR: keys, mostly. */
void qn_mp_write_word(struct qn_mp_writer *writer, const char *word);

#endif

/*
 * JSON, strict (RFC 8259), in place, without allocation: a pull reader and a writer.
 *
 * Purpose: the one JSON of the whole program, and the hot path of every wire. The reader walks a
 * complete text that the caller holds and gives back slices of it; nothing is copied, numbers stay
 * as they were written. The writer appends to the caller's buffer.
 * Ownership: every slice points into the caller's text and lives as long as that.
 * Errors: the reader stops at the first fault and keeps it: after that every call returns
 * QN_JSON_ERROR. Offsets count bytes from the start of the text.
 * Threads: no global state; one reader or writer belongs to one thread at a time.
 *
 * Formats: RFC 8259; the dialects are the laxities of real peers: DIALECTS.md, beside this file.
 */
#ifndef QN_JSON_H
#define QN_JSON_H

#include "proto/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Nesting that a reader can be asked to allow: one bit of state a level. */
#define QN_JSON_DEPTH_MAX 512
#define QN_JSON_DEPTH_DEFAULT 64

enum qn_json_dialect {
	QN_JSON_STRICT,      /* RFC 8259 and nothing else */
	QN_JSON_CPYTHON,     /* json.loads: NaN, Infinity, -Infinity too, as numbers */
	QN_JSON_MICROPYTHON, /* json.loads of MicroPython 1.25: see DIALECTS.md */
};

/*
 * In every dialect the tokens come well formed: containers nest and close, and in an object each
 * KEY is followed by its value. QN_JSON_MICROPYTHON leaves out what the board drops (a key without
 * a value) and adds what the board does without (the end of the outermost container, raw.len 0).
 */
enum qn_json_token {
	QN_JSON_ERROR = 0, /* see reader->fault */
	QN_JSON_END,       /* the text is complete and nothing but white space follows */
	QN_JSON_OBJECT,    /* '{' */
	QN_JSON_OBJECT_END,
	QN_JSON_ARRAY, /* '[' */
	QN_JSON_ARRAY_END,
	QN_JSON_KEY,    /* a member's name, as a string token */
	QN_JSON_STRING, /* raw: with its quotes; text: without */
	QN_JSON_NUMBER,
	QN_JSON_TRUE,
	QN_JSON_FALSE,
	QN_JSON_NULL,
};

struct qn_json_reader {
	/* Read only for the caller: what the last token was. */
	struct qn_text raw;  /* the token as written; a string with its quotes */
	struct qn_text text; /* a string or key inside its quotes, as written; else empty */
	unsigned depth;      /* objects and arrays that are open after this token */
	bool escaped;        /* text holds a backslash: qn_json_unescape() before use */

	/* Private. Up to `start` it is what every token touches: one cache line. */
	uint8_t expect;
	bool carried;
	bool carry_escaped;
	const char *at, *end, *start;
	enum qn_json_dialect dialect;
	unsigned max_depth;
	uint64_t in_object[QN_JSON_DEPTH_MAX / 64];

	/* Read only for the caller: why QN_JSON_ERROR. */
	struct qn_fault fault;

	/* Private: QN_JSON_MICROPYTHON, a key that still waits for its value. */
	struct qn_text carry_raw, carry_text;
};

/*
 * Starts reading `len` bytes at `text`. The text need not be terminated; not one byte after its end
 * is touched. max_depth 0 means QN_JSON_DEPTH_DEFAULT; more than QN_JSON_DEPTH_MAX is cut to it.
 */
void qn_json_open(struct qn_json_reader *reader, const char *text, size_t len,
		  enum qn_json_dialect dialect, unsigned max_depth);

/*
 * The next token. Faults: QN_E_SYNTAX; QN_E_DEPTH at the bracket that is one too many; QN_E_UTF8 at
 * the first byte of what is no character inside a string, in every dialect. The offset is that of
 * the first byte that cannot stand where it does, or the length of a text that ends too early.
 * After QN_JSON_END it stays QN_JSON_END.
 */
enum qn_json_token qn_json_next(struct qn_json_reader *reader);

/*
 * After a key or where a value starts: reads that whole value, checks it, and sets *value to the
 * bytes it was written with (white space around it not included). Returns its first token, or
 * QN_JSON_ERROR. After a QN_JSON_OBJECT or QN_JSON_ARRAY token use qn_json_skip_rest() instead.
 * Where no value comes (the end of an array or of the text) it gives back that one token.
 */
enum qn_json_token qn_json_value(struct qn_json_reader *reader, struct qn_text *value);

/* After QN_JSON_OBJECT or QN_JSON_ARRAY: skips to the end of that value. False on a fault. */
bool qn_json_skip_rest(struct qn_json_reader *reader);

/* Checks a whole text. QN_OK, or the fault's code with *fault filled when it is not NULL. */
enum qn_code qn_json_check(const char *text, size_t len, enum qn_json_dialect dialect,
			   unsigned max_depth, struct qn_fault *fault);

/*
 * Undoes the escapes of a string's text (without quotes) into out. Writes at most cap bytes, no
 * terminator, and returns the whole length: a result larger than cap means it was cut. The result
 * is never longer than the text; out must not overlap it.
 * Surrogate pairs become one character; a lone surrogate becomes U+FFFD. In QN_JSON_MICROPYTHON
 * each half of a pair becomes three bytes that are no UTF-8 (that is what the board does).
 */
size_t qn_json_unescape(struct qn_text text, enum qn_json_dialect dialect, char *out, size_t cap);

/*
 * A number token as a double, rounded to nearest, in any locale; false where it does not fit
 * (1e999) or is none (NaN, Infinity). Needs no terminator.
 */
bool qn_json_double(struct qn_text raw, double *value);
/* A number token as an integer; false for fractions, exponents and what does not fit. */
bool qn_json_int64(struct qn_text raw, int64_t *value);

/* ---- writing ---- */

/*
 * An append-only writer on the caller's buffer. It writes what it is told, separators included: the
 * wires differ in them. A put that does not fit leaves nothing of itself behind and sets `full`;
 * after that nothing more is written.
 */
struct qn_json_writer {
	char *at, *end;
	char *start;
	bool full;
};

static inline void qn_json_writer_init(struct qn_json_writer *writer, char *buffer, size_t cap)
{
	writer->at = writer->start = buffer;
	writer->end = buffer + cap;
	writer->full = false;
}
static inline size_t qn_json_written(const struct qn_json_writer *writer)
{
	return (size_t)(writer->at - writer->start);
}
/* Bytes as they are. */
static inline void qn_json_put(struct qn_json_writer *writer, const char *bytes, size_t len)
{
	if (writer->full || (size_t)(writer->end - writer->at) < len) {
		writer->full = true;
		return;
	}
	if (len > 0)
		memcpy(writer->at, bytes, len);
	writer->at += len;
}
#define qn_json_put_literal(writer, literal) qn_json_put(writer, literal, sizeof(literal) - 1)
/*
 * A quoted string out of plain UTF-8. ascii: as CPython writes, all but printable ASCII as \uXXXX
 * (lone surrogates too, other bytes that are no UTF-8 as \ufffd); else as MicroPython does: escapes
 * only for quote, backslash and control characters, all other bytes as they are.
 */
void qn_json_put_string(struct qn_json_writer *writer, const char *text, size_t len, bool ascii);
void qn_json_put_int(struct qn_json_writer *writer, int64_t value);
void qn_json_put_uint(struct qn_json_writer *writer, uint64_t value);

#endif

/*
 * What the readers of all dialects share. Internal to proto/json.
 *
 * Purpose: the states of a reader, how tokens and faults leave it, and the scan of a string. The
 * functions are inline and take the dialect's laxity as a constant: each reader gets its own copy
 * without a branch for the other.
 * Errors: qn_json_fail() notes the fault in the reader; scans then return NULL.
 */
#ifndef QN_JSON_SCAN_H
#define QN_JSON_SCAN_H

#include "proto/json/json.h"
#include "proto/swar.h"
#include "proto/utf8.h"

/* What may come next. A value's state says what follows it: see qn_json_after_value(). */
enum qn_json_expect {
	EXPECT_TEXT,         /* the one value of the text */
	EXPECT_FIRST_ITEM,   /* after '[': a value or ']' */
	EXPECT_ITEM,         /* a value of an array */
	EXPECT_FIRST_KEY,    /* after '{': a key or '}' */
	EXPECT_KEY,          /* after ',' in an object */
	EXPECT_COLON,        /* after a key whose ':' is not read yet */
	EXPECT_MEMBER,       /* the value of a key */
	EXPECT_AFTER_ITEM,   /* ',' or ']' */
	EXPECT_AFTER_MEMBER, /* ',' or '}' */
	EXPECT_NOTHING,      /* the text is complete */
	EXPECT_FAILED,
};

/* Notes a fault at `at` and ends the reading. Always QN_JSON_ERROR. */
enum qn_json_token qn_json_fail(struct qn_json_reader *reader, enum qn_code code, const char *at,
				const char *text);
/* The text ends where something is still missing. */
enum qn_json_token qn_json_ends_early(struct qn_json_reader *reader);
/* A byte that cannot stand at `at`, where a value was expected. */
enum qn_json_token qn_json_no_value(struct qn_json_reader *reader, const char *at);
/* true, false, null and (QN_JSON_CPYTHON) the numbers that are none; `word` is what must be. */
const char *qn_json_bad_word(struct qn_json_reader *reader, const char *at, const char *word);

enum qn_json_token qn_json_next_micropython(struct qn_json_reader *reader);

static inline bool qn_json_is_digit(char c)
{
	return (unsigned char)(c - '0') <= 9;
}

/* The token from `at` up to `next` that is no string. */
static inline enum qn_json_token qn_json_emit(struct qn_json_reader *reader,
					      enum qn_json_token token, const char *at,
					      const char *next)
{
	reader->raw = (struct qn_text){ at, (size_t)(next - at) };
	reader->text = (struct qn_text){ at, 0 };
	reader->escaped = false;
	reader->at = next;
	return token;
}

/* Enters an object or array: `at` is its bracket. */
static inline enum qn_json_token qn_json_enter(struct qn_json_reader *reader, const char *at)
{
	bool object = *at == '{';
	unsigned level = reader->depth;

	if (level >= reader->max_depth)
		return qn_json_fail(reader, QN_E_DEPTH, at, "nested too deep");
	/* A word is cleared when its first level opens: opening a reader clears none. */
	if (level % 64 == 0)
		reader->in_object[level / 64] = 0;
	uint64_t bit = UINT64_C(1) << level % 64;
	uint64_t *word = &reader->in_object[level / 64];
	*word = object ? *word | bit : *word & ~bit;
	reader->depth = level + 1;
	reader->expect = object ? EXPECT_FIRST_KEY : EXPECT_FIRST_ITEM;
	return qn_json_emit(reader, object ? QN_JSON_OBJECT : QN_JSON_ARRAY, at, at + 1);
}

/* Whether the innermost open container is an object. */
static inline bool qn_json_in_object(const struct qn_json_reader *reader)
{
	unsigned level = reader->depth - 1;

	return reader->in_object[level / 64] >> level % 64 & 1;
}

/*
 * The end of a word of four or five letters at `at`, NULL after noting the fault. The letters are
 * compared with one load where the text has room for it.
 */
static inline const char *qn_json_word(struct qn_json_reader *reader, const char *at,
				       const char *word, size_t len)
{
	if ((size_t)(reader->end - at) >= len && memcmp(at, word, len) == 0)
		return at + len;
	return qn_json_bad_word(reader, at, word);
}

/* Past the digits at `at`. */
static inline const char *qn_json_digits(const char *at, const char *end)
{
	while (end - at >= 8) {
		uint64_t mask = qn_swar_not_digit(qn_swar_load(at));
		if (mask != 0)
			return at + qn_swar_first(mask);
		at += 8;
	}
	while (at < end && qn_json_is_digit(*at))
		at++;
	return at;
}

/* Past what follows a backslash at `at`; NULL after noting the fault. */
const char *qn_json_escape(struct qn_json_reader *reader, const char *at);
const char *qn_json_escape_lax(struct qn_json_reader *reader, const char *at);

/* From the byte after the opening quote to the closing one; NULL after noting the fault. */
static inline const char *qn_json_scan_string(struct qn_json_reader *reader, const char *at,
					      bool *ret_escaped, bool lax)
{
	const char *end = reader->end;
	bool escaped = false;

	for (;;) {
		while (end - at >= 8) {
			uint64_t mask = qn_swar_special(qn_swar_load(at));
			if (mask != 0) {
				at += qn_swar_first(mask);
				goto special;
			}
			at += 8;
		}
		while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at - 0x20u < 0x60)
			at++;
		if (at == end) {
			qn_json_fail(reader, QN_E_SYNTAX, end, "a string without its end");
			return NULL;
		}
	special:
		if (*at == '"') {
			*ret_escaped = escaped;
			return at;
		}
		if (*at == '\\') {
			escaped = true;
			at = lax ? qn_json_escape_lax(reader, at + 1)
				 : qn_json_escape(reader, at + 1);
			if (at == NULL)
				return NULL;
		} else if ((unsigned char)*at >= 0x80) {
			const char *next = qn_utf8_skip(at, end);
			if (next < end && (unsigned char)*next >= 0x80) {
				qn_json_fail(reader, QN_E_UTF8, next, "not UTF-8");
				return NULL;
			}
			at = next;
		} else {
			/* RFC 8259 section 7. The board lets all pass but NUL, its end mark. */
			if (!lax || *at == '\0') {
				qn_json_fail(reader, QN_E_SYNTAX, at,
					     "a control character in a string");
				return NULL;
			}
			at++;
		}
	}
}

/* The string whose opening quote is at `at`. */
static inline enum qn_json_token qn_json_string(struct qn_json_reader *reader,
						enum qn_json_token token, const char *at, bool lax)
{
	bool escaped;
	const char *quote = qn_json_scan_string(reader, at + 1, &escaped, lax);

	if (__builtin_expect(quote == NULL, 0))
		return QN_JSON_ERROR;
	reader->raw = (struct qn_text){ at, (size_t)(quote + 1 - at) };
	reader->text = (struct qn_text){ at + 1, (size_t)(quote - (at + 1)) };
	reader->escaped = escaped;
	reader->at = quote + 1;
	return token;
}

#endif

/*
 * The reader of QN_JSON_MICROPYTHON: what json.loads of MicroPython 1.25 makes of a text, laxities
 * and all (DIALECTS.md). Written from its observed behaviour.
 */
#include "proto/json/json.h"
#include "proto/json/scan.h"

/* Commas and colons say nothing to the board. */
static const bool separator[256] = {
	[' '] = true, [','] = true, [':'] = true, ['\n'] = true, ['\r'] = true, ['\t'] = true,
};

static inline const char *skip_separators(const char *at, const char *end)
{
	while (at < end && separator[(unsigned char)*at])
		at++;
	return at;
}

/* NUL is how the board's reader knows the end: what follows one is never looked at. */
static inline bool is_end(const struct qn_json_reader *reader, const char *at)
{
	return at == reader->end || *at == '\0';
}

/* Leaves the innermost container; len is that of its bracket: 0 where the text ended instead. */
static enum qn_json_token leave(struct qn_json_reader *reader, const char *at, size_t len)
{
	bool object = qn_json_in_object(reader);

	if (--reader->depth == 0)
		reader->expect = EXPECT_NOTHING;
	else
		reader->expect = qn_json_in_object(reader) ? EXPECT_KEY : EXPECT_ITEM;
	return qn_json_emit(reader, object ? QN_JSON_OBJECT_END : QN_JSON_ARRAY_END, at, at + len);
}

__attribute__((cold)) static enum qn_json_token after_text(struct qn_json_reader *reader)
{
	const char *at = reader->at, *end = reader->end;

	while (at < end && (*at == ' ' || (*at >= '\t' && *at <= '\r')))
		at++;
	if (!is_end(reader, at))
		return qn_json_fail(reader, QN_E_SYNTAX, at, "something follows the text");
	/* The line was made a string, and so checked, before the board's reader saw its NUL. */
	size_t left = (size_t)(end - at), valid = qn_utf8_valid_len(at, left);
	if (valid < left)
		return qn_json_fail(reader, QN_E_UTF8, at + valid, "not UTF-8");
	return qn_json_emit(reader, QN_JSON_END, at, at);
}

/* The end of the text before its value is complete. The board forgives one missing bracket. */
static enum qn_json_token at_end(struct qn_json_reader *reader, const char *at)
{
	if (reader->expect == EXPECT_FAILED)
		return QN_JSON_ERROR;
	if (reader->depth == 1)
		return leave(reader, at, 0);
	if (at < reader->end)
		return qn_json_fail(reader, QN_E_SYNTAX, at, "a NUL ends the text too early");
	return qn_json_ends_early(reader);
}

/*
 * What int() and float() of the board take: digits with leading zeros, a point without digits on
 * either side, even none at all before an exponent ("-e5"); one sign in front and one in the
 * exponent, which needs a digit.
 */
static inline const char *scan_number(struct qn_json_reader *reader, const char *at)
{
	const char *end = reader->end;

	if (*at == '-')
		at++;
	const char *digits = at;
	at = qn_json_digits(at, end);
	bool some = at > digits;
	if (at < end && *at == '.') {
		some = true;
		at = qn_json_digits(at + 1, end);
	}
	if (at < end && (*at | 0x20) == 'e') {
		if (++at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at = qn_json_digits(at, end);
		some = at > digits;
	}
	/* The board gathers all of these before it looks what they mean. */
	bool more = at < end && (*at == '+' || *at == '-' || *at == '.' || (*at | 0x20) == 'e');
	if (some && !more)
		return at;
	qn_json_fail(reader, QN_E_SYNTAX, at, "not a number");
	return NULL;
}

/* A string, number or word, which may be a key as well. The caller sets what is expected next. */
static inline enum qn_json_token read_primitive(struct qn_json_reader *reader, const char *at)
{
	const char *next;
	enum qn_json_token token;

	switch (*at) {
	case '"': return qn_json_string(reader, QN_JSON_STRING, at, true);
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		token = QN_JSON_NUMBER;
		next = scan_number(reader, at);
		break;
	case 't':
		token = QN_JSON_TRUE;
		next = qn_json_word(reader, at, "true", 4);
		break;
	case 'f':
		token = QN_JSON_FALSE;
		next = qn_json_word(reader, at, "false", 5);
		break;
	case 'n':
		token = QN_JSON_NULL;
		next = qn_json_word(reader, at, "null", 4);
		break;
	default: return qn_json_no_value(reader, at);
	}
	if (__builtin_expect(next == NULL, 0))
		return QN_JSON_ERROR;
	return qn_json_emit(reader, token, at, next);
}

/* The key that a closed object left behind gets the next item of whichever object reads one. */
__attribute__((cold)) static enum qn_json_token carried_key(struct qn_json_reader *reader,
							    const char *at)
{
	reader->raw = reader->carry_raw;
	reader->text = reader->carry_text;
	reader->escaped = reader->carry_escaped;
	reader->carried = false;
	reader->at = at;
	reader->expect = EXPECT_MEMBER;
	return QN_JSON_KEY;
}

/* A key with nothing after it is not told: it is carried on, and the object ends. */
__attribute__((cold)) static enum qn_json_token carry_key(struct qn_json_reader *reader,
							  const char *at)
{
	reader->carry_raw = reader->raw;
	reader->carry_text = reader->text;
	reader->carry_escaped = reader->escaped;
	reader->carried = true;
	return is_end(reader, at) ? at_end(reader, at) : leave(reader, at, 1);
}

static inline enum qn_json_token read_key(struct qn_json_reader *reader, const char *at)
{
	if (reader->carried)
		return carried_key(reader, at);
	if (*at == '{' || *at == '[')
		return qn_json_fail(reader, QN_E_SYNTAX, at, "a container as a key");
	if (read_primitive(reader, at) == QN_JSON_ERROR)
		return QN_JSON_ERROR;
	at = skip_separators(reader->at, reader->end);
	if (is_end(reader, at) || *at == '}' || *at == ']')
		return carry_key(reader, at);
	reader->at = at;
	reader->expect = EXPECT_MEMBER;
	return QN_JSON_KEY;
}

enum qn_json_token qn_json_next_micropython(struct qn_json_reader *reader)
{
	if (reader->expect == EXPECT_NOTHING)
		return after_text(reader);
	const char *at = skip_separators(reader->at, reader->end);
	if (is_end(reader, at))
		return at_end(reader, at);
	if (*at == '}' || *at == ']') {
		/* Either closes either. */
		if (reader->depth == 0)
			return qn_json_no_value(reader, at);
		return leave(reader, at, 1);
	}

	uint8_t after;
	switch (reader->expect) {
	case EXPECT_FIRST_KEY:
	case EXPECT_KEY: return read_key(reader, at);
	case EXPECT_MEMBER: after = EXPECT_KEY; break;
	case EXPECT_TEXT: after = EXPECT_NOTHING; break;
	default: after = EXPECT_ITEM; break;
	}
	if (*at == '{' || *at == '[')
		return qn_json_enter(reader, at);
	enum qn_json_token token = read_primitive(reader, at);
	if (token != QN_JSON_ERROR)
		reader->expect = after;
	return token;
}

/*
 * Past what follows a backslash. An unknown escape is the byte itself, a NUL as well. \u takes the
 * next four bytes whatever they are, the closing quote included; should they cut a character in
 * two, its rest is found to be no UTF-8 by the scan, which is what the board says too.
 */
const char *qn_json_escape_lax(struct qn_json_reader *reader, const char *at)
{
	const char *end = reader->end;

	if (at == end)
		goto early;
	if (*at != 'u')
		return (unsigned char)*at < 0x80 ? at + 1 : at;
	at++;
	if (end - at < 4)
		goto early;
	size_t valid = qn_utf8_valid_len(at, (size_t)(end - at) < 8 ? (size_t)(end - at) : 8);
	if (valid < 4) {
		qn_json_fail(reader, QN_E_UTF8, at + valid, "not UTF-8");
		return NULL;
	}
	return at + 4;
early:
	qn_json_fail(reader, QN_E_SYNTAX, end, "a string without its end");
	return NULL;
}

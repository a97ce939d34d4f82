#include "proto/json/json.h"
#include "proto/json/scan.h"

#include <assert.h>

void qn_json_open(struct qn_json_reader *reader, const char *text, size_t len,
		  enum qn_json_dialect dialect, unsigned max_depth)
{
	if (len == 0)
		text = "";
	if (max_depth == 0)
		max_depth = QN_JSON_DEPTH_DEFAULT;
	else if (max_depth > QN_JSON_DEPTH_MAX)
		max_depth = QN_JSON_DEPTH_MAX;
	reader->raw = reader->text = (struct qn_text){ text, 0 };
	reader->depth = 0;
	reader->escaped = false;
	reader->expect = EXPECT_TEXT;
	reader->carried = false;
	reader->at = reader->start = text;
	reader->end = text + len;
	reader->dialect = dialect;
	reader->max_depth = max_depth;
	reader->fault.code = QN_OK;
	reader->fault.offset = 0;
	reader->fault.text = "";
}

/* ---- faults: off the hot path ---- */

__attribute__((cold, noinline)) enum qn_json_token
qn_json_fail(struct qn_json_reader *reader, enum qn_code code, const char *at, const char *text)
{
	reader->fault = (struct qn_fault){ code, (size_t)(at - reader->start), text };
	reader->raw = reader->text = (struct qn_text){ at, 0 };
	reader->escaped = false;
	/* At the end of the text every reader asks for the state first. */
	reader->at = reader->end;
	reader->expect = EXPECT_FAILED;
	return QN_JSON_ERROR;
}

__attribute__((cold)) enum qn_json_token qn_json_ends_early(struct qn_json_reader *reader)
{
	const char *text = "the text ends too early";

	if (reader->expect == EXPECT_TEXT)
		text = "no value";
	return qn_json_fail(reader, QN_E_SYNTAX, reader->end, text);
}

__attribute__((cold)) enum qn_json_token qn_json_no_value(struct qn_json_reader *reader,
							  const char *at)
{
	static const char bom[] = "\xef\xbb\xbf";
	bool first = at == reader->start;

	if (first && reader->end - at >= 3 && memcmp(at, bom, 3) == 0)
		return qn_json_fail(reader, QN_E_SYNTAX, at, "a byte order mark");
	return qn_json_fail(reader, QN_E_SYNTAX, at, "no value can start like this");
}

__attribute__((cold)) const char *qn_json_bad_word(struct qn_json_reader *reader, const char *at,
						   const char *word)
{
	while (at < reader->end && *at == *word) {
		at++;
		word++;
	}
	qn_json_fail(reader, QN_E_SYNTAX, at, "an unknown word");
	return NULL;
}

__attribute__((cold)) static enum qn_json_token unexpected(struct qn_json_reader *reader,
							   const char *at)
{
	const char *text;

	switch (reader->expect) {
	case EXPECT_FIRST_KEY: text = "neither a key nor '}'"; break;
	case EXPECT_KEY: text = "no key after ','"; break;
	case EXPECT_COLON: text = "no ':' after a key"; break;
	case EXPECT_AFTER_ITEM: text = "neither ',' nor ']'"; break;
	case EXPECT_AFTER_MEMBER: text = "neither ',' nor '}'"; break;
	default: text = "something follows the text"; break;
	}
	return qn_json_fail(reader, QN_E_SYNTAX, at, text);
}

__attribute__((cold)) static enum qn_json_token at_end(struct qn_json_reader *reader)
{
	if (reader->expect == EXPECT_NOTHING)
		return qn_json_emit(reader, QN_JSON_END, reader->end, reader->end);
	if (reader->expect == EXPECT_FAILED)
		return QN_JSON_ERROR;
	return qn_json_ends_early(reader);
}

const char *qn_json_escape(struct qn_json_reader *reader, const char *at)
{
	const char *end = reader->end;

	if (at == end)
		goto early;
	switch (*at) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't': return at + 1;
	case 'u': break;
	default: qn_json_fail(reader, QN_E_SYNTAX, at, "an unknown escape"); return NULL;
	}
	at++;
	for (int i = 0; i < 4; i++, at++) {
		if (at == end)
			goto early;
		unsigned char letter = (unsigned char)((*at | 0x20) - 'a');
		if (!qn_json_is_digit(*at) && letter > 5) {
			qn_json_fail(reader, QN_E_SYNTAX, at, "no hexadecimal digit");
			return NULL;
		}
	}
	return at;
early:
	qn_json_fail(reader, QN_E_SYNTAX, end, "a string without its end");
	return NULL;
}

/* ---- RFC 8259, and CPython's three numbers ---- */

/* RFC 8259 section 6. Past the number at `at`, NULL after noting the fault. */
static inline const char *scan_number(struct qn_json_reader *reader, const char *at)
{
	const char *start = at, *end = reader->end;

	if (*at == '-' && ++at == end)
		goto fail;
	if (*at == '0')
		at++;
	else if (qn_json_is_digit(*at))
		at = qn_json_digits(at + 1, end);
	else
		goto fail;
	if (at < end && *at == '.') {
		if (++at == end || !qn_json_is_digit(*at))
			goto fail;
		at = qn_json_digits(at + 1, end);
	}
	if (at < end && (*at | 0x20) == 'e') {
		if (++at < end && (*at == '+' || *at == '-'))
			at++;
		if (at == end || !qn_json_is_digit(*at))
			goto fail;
		at = qn_json_digits(at + 1, end);
	}
	return at;
fail:
	if (at == start + 1 && at < end && *at == 'I' && reader->dialect == QN_JSON_CPYTHON)
		return qn_json_word(reader, at, "Infinity", 8);
	qn_json_fail(reader, QN_E_SYNTAX, at, "a number lacks a digit");
	return NULL;
}

static enum qn_json_token not_finite(struct qn_json_reader *reader, const char *at, uint8_t after)
{
	const char *next;

	if (reader->dialect != QN_JSON_CPYTHON)
		return qn_json_no_value(reader, at);
	if (*at == 'N')
		next = qn_json_word(reader, at, "NaN", 3);
	else
		next = qn_json_word(reader, at, "Infinity", 8);
	if (next == NULL)
		return QN_JSON_ERROR;
	reader->expect = after;
	return qn_json_emit(reader, QN_JSON_NUMBER, at, next);
}

/* The value at `at`, after which `after` is expected. */
static inline enum qn_json_token read_value(struct qn_json_reader *reader, const char *at,
					    uint8_t after)
{
	const char *next;
	enum qn_json_token token;

	switch (*at) {
	case '"':
		token = qn_json_string(reader, QN_JSON_STRING, at, false);
		if (token != QN_JSON_ERROR)
			reader->expect = after;
		return token;
	case '{':
	case '[': return qn_json_enter(reader, at);
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
	case 'N':
	case 'I': return not_finite(reader, at, after);
	default: return qn_json_no_value(reader, at);
	}
	if (__builtin_expect(next == NULL, 0))
		return QN_JSON_ERROR;
	reader->expect = after;
	return qn_json_emit(reader, token, at, next);
}

static inline enum qn_json_token read_key(struct qn_json_reader *reader, const char *at)
{
	if (*at != '"')
		return unexpected(reader, at);
	enum qn_json_token token = qn_json_string(reader, QN_JSON_KEY, at, false);
	if (__builtin_expect(token == QN_JSON_ERROR, 0))
		return token;
	/* Nearly always the ':' stands right here: one state less to go through. */
	if (reader->at < reader->end && *reader->at == ':') {
		reader->at++;
		reader->expect = EXPECT_MEMBER;
	} else {
		reader->expect = EXPECT_COLON;
	}
	return token;
}

static inline enum qn_json_token leave(struct qn_json_reader *reader, const char *at,
				       enum qn_json_token token)
{
	if (--reader->depth == 0)
		reader->expect = EXPECT_NOTHING;
	else
		reader->expect = qn_json_in_object(reader) ? EXPECT_AFTER_MEMBER
							   : EXPECT_AFTER_ITEM;
	return qn_json_emit(reader, token, at, at + 1);
}

static inline const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

/* Past a separator and the white space after it; the end of the text where nothing follows. */
static inline const char *past(const struct qn_json_reader *reader, const char *at)
{
	return skip_space(at + 1, reader->end);
}

enum qn_json_token qn_json_next(struct qn_json_reader *reader)
{
	if (reader->dialect == QN_JSON_MICROPYTHON)
		return qn_json_next_micropython(reader);

	const char *at = skip_space(reader->at, reader->end);
	if (at == reader->end)
		return at_end(reader);

	switch (reader->expect) {
	case EXPECT_AFTER_MEMBER:
		if (*at == '}')
			return leave(reader, at, QN_JSON_OBJECT_END);
		if (*at != ',')
			return unexpected(reader, at);
		reader->expect = EXPECT_KEY;
		at = past(reader, at);
		if (at == reader->end)
			return qn_json_ends_early(reader);
		return read_key(reader, at);
	case EXPECT_FIRST_KEY:
		if (*at == '}')
			return leave(reader, at, QN_JSON_OBJECT_END);
		return read_key(reader, at);
	case EXPECT_COLON:
		if (*at != ':')
			return unexpected(reader, at);
		reader->expect = EXPECT_MEMBER;
		at = past(reader, at);
		if (at == reader->end)
			return qn_json_ends_early(reader);
		return read_value(reader, at, EXPECT_AFTER_MEMBER);
	case EXPECT_MEMBER: return read_value(reader, at, EXPECT_AFTER_MEMBER);
	case EXPECT_AFTER_ITEM:
		if (*at == ']')
			return leave(reader, at, QN_JSON_ARRAY_END);
		if (*at != ',')
			return unexpected(reader, at);
		at = past(reader, at);
		if (at == reader->end)
			return qn_json_ends_early(reader);
		return read_value(reader, at, EXPECT_AFTER_ITEM);
	case EXPECT_FIRST_ITEM:
		if (*at == ']')
			return leave(reader, at, QN_JSON_ARRAY_END);
		return read_value(reader, at, EXPECT_AFTER_ITEM);
	case EXPECT_TEXT: return read_value(reader, at, EXPECT_NOTHING);
	default: return unexpected(reader, at);
	}
}

/* ---- whole values ---- */

bool qn_json_skip_rest(struct qn_json_reader *reader)
{
	assert(reader->depth > 0 || reader->expect == EXPECT_FAILED);
	unsigned outside = reader->depth - 1;

	while (reader->expect != EXPECT_FAILED && reader->depth > outside)
		qn_json_next(reader);
	return reader->expect != EXPECT_FAILED;
}

enum qn_json_token qn_json_value(struct qn_json_reader *reader, struct qn_text *value)
{
	enum qn_json_token token = qn_json_next(reader);
	const char *first = reader->raw.at;

	if (token == QN_JSON_ERROR)
		return token;
	if ((token == QN_JSON_OBJECT || token == QN_JSON_ARRAY) && !qn_json_skip_rest(reader))
		return QN_JSON_ERROR;
	*value = (struct qn_text){ first, (size_t)(reader->raw.at + reader->raw.len - first) };
	return token;
}

enum qn_code qn_json_check(const char *text, size_t len, enum qn_json_dialect dialect,
			   unsigned max_depth, struct qn_fault *fault)
{
	struct qn_json_reader reader;
	enum qn_json_token token;

	qn_json_open(&reader, text, len, dialect, max_depth);
	do
		token = qn_json_next(&reader);
	while (token != QN_JSON_END && token != QN_JSON_ERROR);
	if (token == QN_JSON_END)
		return QN_OK;
	if (fault != NULL)
		*fault = reader.fault;
	return reader.fault.code;
}

/*
 * The reader against vectors: fixtures/json/accept/NAME.json must be read, reject/NAME.json must
 * fail as reject/NAME.fault says ("CODE OFFSET"). Each is read whole and cut at every byte, always
 * right up to a guard page.
 */
#include "proto/json/json.h"
#include "tests/support/guard.h"
#include "tests/support/json_trace.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct file {
	char *bytes;
	size_t len;
};

static void path_of(char *path, size_t cap, const char *folder, const char *name)
{
	const char *source = getenv("QN_SOURCE_DIR");

	cr_assert(source != NULL, "QN_SOURCE_DIR is not set");
	snprintf(path, cap, "%s/fixtures/json/%s/%s", source, folder, name);
}

static struct file read_file(const char *folder, const char *name)
{
	struct file file = { malloc(1 << 16), 0 };
	char path[512];

	path_of(path, sizeof(path), folder, name);
	FILE *stream = fopen(path, "rb");
	cr_assert(stream != NULL, "cannot open %s", path);
	file.len = fread(file.bytes, 1, 1 << 16, stream);
	cr_assert(file.len < 1 << 16, "%s is too long", path);
	fclose(stream);
	return file;
}

/* Calls check() with every .json file of a folder. Returns how many there were. */
static unsigned each_vector(const char *folder, void (*check)(const char *name, struct file file))
{
	char path[512];
	unsigned count = 0;

	path_of(path, sizeof(path), folder, "");
	DIR *dir = opendir(path);
	cr_assert(dir != NULL, "cannot open %s", path);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		const char *suffix = strrchr(entry->d_name, '.');
		if (suffix == NULL || strcmp(suffix, ".json") != 0)
			continue;
		struct file file = read_file(folder, entry->d_name);
		check(entry->d_name, file);
		free(file.bytes);
		count++;
	}
	closedir(dir);
	return count;
}

static enum qn_code check_at_guard(const char *text, size_t len, enum qn_json_dialect dialect,
				   struct qn_fault *fault)
{
	char *copy = guard_copy(text, len);
	enum qn_code code = qn_json_check(copy, len, dialect, 0, fault);

	guard_free(copy, len);
	return code;
}

/* ---- texts that must be read ---- */

/* A number is the one value whose beginning may be a value too. */
static bool is_number(const char *text, size_t len)
{
	static regex_t grammar;
	static bool compiled;
	char line[1024];

	if (!compiled) {
		cr_assert(regcomp(&grammar,
				  "^[ \t\n\r]*-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?"
				  "[ \t\n\r]*$",
				  REG_EXTENDED | REG_NOSUB) == 0);
		compiled = true;
	}
	if (len >= sizeof(line) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(line, text, len);
	line[len] = '\0';
	return regexec(&grammar, line, 0, NULL, 0) == 0;
}

static size_t trimmed_len(struct file file)
{
	size_t len = file.len;

	while (len > 0 && strchr(" \t\n\r", file.bytes[len - 1]) != NULL)
		len--;
	return len;
}

static void check_accepted(const char *name, struct file file)
{
	struct qn_fault fault = { QN_OK, 0, "" };
	size_t complete = trimmed_len(file);

	for (size_t len = 0; len <= file.len; len++) {
		bool valid = len >= complete || is_number(file.bytes, len);
		enum qn_code code = check_at_guard(file.bytes, len, QN_JSON_STRICT, &fault);
		cr_expect(code == (valid ? QN_OK : fault.code) && (code == QN_OK) == valid,
			  "%s, %zu of %zu bytes: %s at %zu", name, len, file.len,
			  qn_code_name(code), fault.offset);
		cr_expect(valid || fault.offset <= len, "%s, %zu bytes: fault outside", name, len);
		code = check_at_guard(file.bytes, len, QN_JSON_CPYTHON, NULL);
		cr_expect((code == QN_OK) == valid, "%s, %zu bytes: cpython %d", name, len, code);
		/* The board takes more: here it must only survive, and take what is valid. */
		code = check_at_guard(file.bytes, len, QN_JSON_MICROPYTHON, NULL);
		cr_expect(code == QN_OK || !valid, "%s, %zu bytes: micropython", name, len);
	}
}

Test(json_vectors, accepted)
{
	unsigned count = each_vector("accept", check_accepted);

	cr_expect(count >= 100, "only %u vectors", count);
}

/* ---- texts that must fail ---- */

static bool cpython_takes(const char *name)
{
	static const char *const names[] = { "number_infinity", "number_minus_infinity",
					     "number_nan", "number_nan_in_array" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strncmp(name, names[i], strlen(names[i])) == 0 &&
		    strcmp(name + strlen(names[i]), ".json") == 0)
			return true;
	}
	return false;
}

static void read_expected(const char *name, char *code, size_t *offset)
{
	char fault_name[256];

	snprintf(fault_name, sizeof(fault_name), "%.*s.fault", (int)(strlen(name) - 5), name);
	struct file file = read_file("reject", fault_name);
	file.bytes[file.len] = '\0';
	cr_assert(sscanf(file.bytes, "%15s %zu", code, offset) == 2, "%s", fault_name);
	free(file.bytes);
}

static void check_rejected(const char *name, struct file file)
{
	struct qn_fault fault = { QN_OK, 0, "" };
	char expected[16];
	size_t offset;

	read_expected(name, expected, &offset);
	/* Whatever follows the fault changes nothing; before it the text may be valid. */
	for (size_t len = 0; len <= file.len; len++) {
		enum qn_code code = check_at_guard(file.bytes, len, QN_JSON_STRICT, &fault);
		if (len == file.len || len > offset)
			cr_expect(strcmp(qn_code_name(code), expected) == 0 && fault.code == code &&
					  fault.offset == offset,
				  "%s, %zu of %zu bytes: %s at %zu, expected %s at %zu", name, len,
				  file.len, qn_code_name(code), fault.offset, expected, offset);
		check_at_guard(file.bytes, len, QN_JSON_MICROPYTHON, NULL);
	}
	cr_expect(fault.text != NULL && fault.text[0] != '\0', "%s: no phrase", name);
	enum qn_code cpython = check_at_guard(file.bytes, file.len, QN_JSON_CPYTHON, NULL);
	cr_expect((cpython == QN_OK) == cpython_takes(name), "%s: cpython %d", name, cpython);
}

Test(json_vectors, rejected)
{
	unsigned count = each_vector("reject", check_rejected);

	cr_expect(count >= 100, "only %u vectors", count);
}

/* ---- depth ---- */

static char *nested(const char *open, const char *close, unsigned depth, size_t *ret_len)
{
	size_t open_len = strlen(open), close_len = strlen(close);
	char *text = malloc(depth * (open_len + close_len) + 1), *at = text;

	for (unsigned i = 0; i < depth; i++, at += open_len)
		memcpy(at, open, open_len);
	for (unsigned i = 0; i < depth; i++, at += close_len)
		memcpy(at, close, close_len);
	*ret_len = (size_t)(at - text);
	return text;
}

static enum qn_code check_nested(const char *open, const char *close, unsigned depth,
				 enum qn_json_dialect dialect, unsigned max_depth, size_t *offset)
{
	struct qn_fault fault = { QN_OK, 0, "" };
	size_t len;
	char *text = nested(open, close, depth, &len);
	char *copy = guard_copy(text, len);
	enum qn_code code = qn_json_check(copy, len, dialect, max_depth, &fault);

	guard_free(copy, len);
	free(text);
	*offset = fault.offset;
	return code;
}

Test(json_depth, every_limit_in_every_dialect)
{
	static const unsigned limits[] = { 1, 2, 63, 64, 65, 128, 511, 512 };
	size_t offset;

	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_MICROPYTHON; dialect++) {
		for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
			unsigned limit = limits[i];
			cr_expect(check_nested("[", "]", limit, dialect, limit, &offset) == QN_OK);
			cr_expect(check_nested("[", "]", limit + 1, dialect, limit, &offset) ==
				  QN_E_DEPTH);
			cr_expect(offset == limit, "limit %u: offset %zu", limit, offset);
			cr_expect(check_nested("[{\"a\":", "}]", (limit + 2) / 2, dialect, limit,
					       &offset) == QN_E_DEPTH);
		}
		cr_expect(check_nested("[", "]", 64, dialect, 0, &offset) == QN_OK);
		cr_expect(check_nested("[", "]", 65, dialect, 0, &offset) == QN_E_DEPTH);
		cr_expect(check_nested("[", "]", 512, dialect, 100000, &offset) == QN_OK);
		cr_expect(check_nested("[", "]", 513, dialect, 100000, &offset) == QN_E_DEPTH);
		cr_expect(check_nested("[", "]", 100000, dialect, 512, &offset) == QN_E_DEPTH);
		cr_expect(offset == 512);
	}
}

/* Objects and arrays mixed over the words that remember them: closers must match at each level. */
Test(json_depth, kinds_are_remembered)
{
	size_t len;
	char *text = nested("[{\"a\":[", "]}]", 170, &len);

	cr_assert(qn_json_check(text, len, QN_JSON_STRICT, 512, NULL) == QN_OK);
	for (size_t i = 170 * 7; i < len; i++) {
		struct qn_fault fault;
		char was = text[i];
		text[i] = was == ']' ? '}' : ']';
		cr_expect(qn_json_check(text, len, QN_JSON_STRICT, 512, &fault) == QN_E_SYNTAX &&
				  fault.offset == i,
			  "closer %zu", i);
		text[i] = was;
	}
	free(text);
}

/* ---- the reader's contract ---- */

static void expect_trace(const char *text, const char *expected)
{
	char got[1024];

	json_trace(text, strlen(text), QN_JSON_STRICT, 0, got, sizeof(got));
	cr_expect(strcmp(got, expected) == 0, "%s\n  gave     %s\n  expected %s", text, got,
		  expected);
}

Test(json_reader, tokens)
{
	expect_trace("{\"a\": [1, -2.50e+3, \"x\\n\"], \"b\": {}, \"c\": null}",
		     "{ k\"a\" [ n1 n-2.50e+3 s\"x\\n\" ] k\"b\" { } k\"c\" N } .");
	expect_trace(" [ true , false , [ ] ] ", "[ T F [ ] ] .");
	expect_trace("\"\"", "s\"\" .");
	expect_trace("{\"a\":1 \"b\"", "{ k\"a\" n1 !syntax@7");
	expect_trace("[1,2", "[ n1 n2 !syntax@4");
}

Test(json_reader, slices_and_flags)
{
	const char *text = "{\"k\\u0065y\": \"v\", \"n\": 12 }";
	struct qn_json_reader reader;

	qn_json_open(&reader, text, strlen(text), QN_JSON_STRICT, 0);
	cr_assert(reader.depth == 0);
	cr_assert(qn_json_next(&reader) == QN_JSON_OBJECT);
	cr_expect(reader.depth == 1 && reader.raw.at == text && reader.raw.len == 1);
	cr_expect(reader.text.len == 0 && !reader.escaped);
	cr_assert(qn_json_next(&reader) == QN_JSON_KEY);
	cr_expect(reader.raw.at == text + 1 && reader.raw.len == 10 && reader.escaped);
	cr_expect(reader.text.at == text + 2 && reader.text.len == 8);
	cr_assert(qn_json_next(&reader) == QN_JSON_STRING);
	cr_expect(reader.text.len == 1 && *reader.text.at == 'v' && !reader.escaped);
	cr_assert(qn_json_next(&reader) == QN_JSON_KEY);
	cr_assert(qn_json_next(&reader) == QN_JSON_NUMBER);
	cr_expect(reader.raw.len == 2 && memcmp(reader.raw.at, "12", 2) == 0);
	cr_expect(reader.text.len == 0);
	cr_assert(qn_json_next(&reader) == QN_JSON_OBJECT_END);
	cr_expect(reader.depth == 0);
	for (int i = 0; i < 3; i++)
		cr_expect(qn_json_next(&reader) == QN_JSON_END);
	cr_expect(reader.fault.code == QN_OK);
}

Test(json_reader, stays_at_its_first_fault)
{
	struct qn_json_reader reader;

	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_MICROPYTHON; dialect++) {
		qn_json_open(&reader, "[[\"a\xff\"]]", 8, dialect, 0);
		cr_assert(qn_json_next(&reader) == QN_JSON_ARRAY);
		cr_assert(qn_json_next(&reader) == QN_JSON_ARRAY);
		for (int i = 0; i < 3; i++) {
			struct qn_text value = { NULL, 7 };
			cr_expect(qn_json_next(&reader) == QN_JSON_ERROR);
			cr_expect(qn_json_value(&reader, &value) == QN_JSON_ERROR);
			cr_expect(value.at == NULL && value.len == 7, "an output was touched");
			cr_expect(!qn_json_skip_rest(&reader));
			cr_expect(reader.fault.code == QN_E_UTF8 && reader.fault.offset == 4);
		}
	}
}

static void check_string_byte(size_t len, size_t place, int byte)
{
	struct qn_fault fault = { QN_OK, 0, "" };
	char text[24];

	memset(text, 'x', sizeof(text));
	text[0] = text[len + 1] = '"';
	text[1 + place] = (char)byte;
	enum qn_code strict = check_at_guard(text, len + 2, QN_JSON_STRICT, &fault);
	enum qn_code lax = check_at_guard(text, len + 2, QN_JSON_MICROPYTHON, NULL);
	enum qn_code expected = byte >= 0x80 ? QN_E_UTF8 : byte >= 0x20 ? QN_OK : QN_E_SYNTAX;
	cr_assert(strict == expected, "%02x at %zu of %zu", byte, place, len);
	cr_assert(strict == QN_OK || fault.offset == 1 + place, "%02x: %zu", byte, fault.offset);
	cr_assert(lax == (byte > 0 && byte < 0x20 ? QN_OK : expected), "%02x: %d", byte, lax);
}

/* Strings are looked at in words of eight bytes: each byte has its turn at each place. */
Test(json_reader, every_byte_at_every_place_of_a_string)
{
	for (size_t len = 1; len <= 20; len++) {
		for (size_t place = 0; place < len; place++) {
			for (int byte = 0; byte < 256; byte++) {
				if (byte != '"' && byte != '\\')
					check_string_byte(len, place, byte);
			}
		}
	}
}

static void check_number_byte(size_t len, size_t place, int byte)
{
	struct qn_fault fault = { QN_OK, 0, "" };
	char text[24];

	memset(text, '7', sizeof(text));
	text[place] = (char)byte;
	enum qn_code code = check_at_guard(text, len, QN_JSON_STRICT, &fault);
	bool last = place + 1 == len;
	bool digit = byte >= '0' && byte <= '9';
	bool space = byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
	bool joins = byte == '.' || byte == 'e' || byte == 'E';
	bool valid = digit || (joins && !last) || (space && last);
	cr_assert((code == QN_OK) == valid, "%02x at %zu of %zu", byte, place, len);
	cr_assert(valid || fault.offset == place + (joins || space), "%02x at %zu: %zu", byte,
		  place, fault.offset);
}

/* As are digits. */
Test(json_reader, every_byte_at_every_place_of_a_number)
{
	for (size_t len = 2; len <= 20; len++) {
		for (size_t place = 1; place < len; place++) {
			for (int byte = 0; byte < 256; byte++)
				check_number_byte(len, place, byte);
		}
	}
}

Test(json_reader, whole_values)
{
	const char *text = "{\"a\": [1, {\"x\": \"]\"}] , \"b\" : \"s\",\"c\":-1}";
	struct qn_json_reader reader;
	struct qn_text value;

	qn_json_open(&reader, text, strlen(text), QN_JSON_STRICT, 0);
	cr_assert(qn_json_next(&reader) == QN_JSON_OBJECT);
	cr_assert(qn_json_next(&reader) == QN_JSON_KEY);
	cr_assert(qn_json_value(&reader, &value) == QN_JSON_ARRAY);
	cr_expect(value.at == text + 6 && value.len == 15, "%.*s", (int)value.len, value.at);
	cr_expect(reader.depth == 1);
	cr_assert(qn_json_next(&reader) == QN_JSON_KEY);
	cr_assert(qn_json_value(&reader, &value) == QN_JSON_STRING);
	cr_expect(value.len == 3 && memcmp(value.at, "\"s\"", 3) == 0);
	cr_assert(qn_json_next(&reader) == QN_JSON_KEY);
	cr_assert(qn_json_value(&reader, &value) == QN_JSON_NUMBER);
	cr_expect(value.len == 2 && memcmp(value.at, "-1", 2) == 0);
	cr_assert(qn_json_value(&reader, &value) == QN_JSON_OBJECT_END);
	cr_assert(qn_json_value(&reader, &value) == QN_JSON_END);

	qn_json_open(&reader, " [[1], 2] ", 10, QN_JSON_STRICT, 0);
	cr_assert(qn_json_value(&reader, &value) == QN_JSON_ARRAY);
	cr_expect(value.len == 8 && qn_json_next(&reader) == QN_JSON_END);

	qn_json_open(&reader, "[[1], 2", 7, QN_JSON_STRICT, 0);
	cr_expect(qn_json_value(&reader, &value) == QN_JSON_ERROR);
}

Test(json_reader, skipping)
{
	const char *text = "[[1, [2], {\"a\": []}], 3]";
	struct qn_json_reader reader;

	qn_json_open(&reader, text, strlen(text), QN_JSON_STRICT, 0);
	cr_assert(qn_json_next(&reader) == QN_JSON_ARRAY);
	cr_assert(qn_json_next(&reader) == QN_JSON_ARRAY);
	cr_assert(qn_json_next(&reader) == QN_JSON_NUMBER);
	cr_expect(qn_json_skip_rest(&reader) && reader.depth == 1);
	cr_assert(qn_json_next(&reader) == QN_JSON_NUMBER);
	cr_expect(qn_json_skip_rest(&reader) && reader.depth == 0);
	cr_expect(qn_json_next(&reader) == QN_JSON_END);

	qn_json_open(&reader, "[[1, }]", 7, QN_JSON_STRICT, 0);
	cr_assert(qn_json_next(&reader) == QN_JSON_ARRAY);
	cr_expect(!qn_json_skip_rest(&reader) && reader.fault.offset == 5);
}

Test(json_reader, nothing_at_all)
{
	struct qn_fault fault;

	for (int dialect = QN_JSON_STRICT; dialect <= QN_JSON_MICROPYTHON; dialect++) {
		cr_expect(qn_json_check(NULL, 0, dialect, 0, &fault) == QN_E_SYNTAX);
		cr_expect(fault.offset == 0);
	}
}

Test(json_reader, code_names)
{
	for (int a = QN_OK; a <= QN_E_UNKNOWN; a++) {
		for (int b = QN_OK; b < a; b++)
			cr_expect(strcmp(qn_code_name(a), qn_code_name(b)) != 0, "%d %d", a, b);
	}
	cr_expect(strcmp(qn_code_name(QN_OK), "ok") == 0);
	cr_expect(strcmp(qn_code_name(QN_E_UTF8), "utf8") == 0);
	cr_expect(strcmp(qn_code_name((enum qn_code)99), "invalid") == 0);
}

/*
 * MessagePack on any bytes: what passes the check can be read to its end, and written anew it is a
 * value that passes too, is no longer, and comes out the same when it is written once more.
 */
#include "proto/msgpack/msgpack.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* An extension has no writer: a binary stands for it. Floats of 32 bits grow to 64. */
static size_t rewrite(const char *bytes, size_t len, char *out, size_t cap, size_t *floats)
{
	struct qn_mp_reader reader;
	struct qn_mp_writer writer;
	struct qn_mp_value value;

	qn_mp_reader_init(&reader, bytes, len);
	qn_mp_writer_init(&writer, out, cap);
	*floats = 0;
	while (reader.at < reader.end) {
		REQUIRE(qn_mp_next(&reader, &value, NULL) == QN_OK);
		switch (value.type) {
		case QN_MP_NIL: qn_mp_write_nil(&writer); break;
		case QN_MP_BOOL: qn_mp_write_bool(&writer, value.boolean); break;
		case QN_MP_UINT: qn_mp_write_uint(&writer, value.uint); break;
		case QN_MP_INT:
			REQUIRE(value.sint < 0);
			qn_mp_write_int(&writer, value.sint);
			break;
		case QN_MP_FLOAT:
			++*floats;
			qn_mp_write_double(&writer, value.number);
			break;
		case QN_MP_STR: qn_mp_write_str(&writer, value.bytes); break;
		case QN_MP_BIN:
		case QN_MP_EXT: qn_mp_write_bin(&writer, value.bytes); break;
		case QN_MP_ARRAY: qn_mp_write_array(&writer, value.count); break;
		case QN_MP_MAP: qn_mp_write_map(&writer, value.count); break;
		}
	}
	return qn_mp_written(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qn_fault fault = { QN_OK, 0, NULL };
	struct qn_mp_reader reader;
	struct qn_text raw;
	char *there = malloc(size);
	size_t cap = 2 * size + 16, floats, again_floats;

	REQUIRE(there != NULL || size == 0);
	if (size > 0)
		memcpy(there, data, size);
	enum qn_code code = qn_mp_check(there, size, &fault);
	REQUIRE(fault.code == code && fault.offset <= size);
	REQUIRE(code == QN_OK || fault.text != NULL);
	qn_mp_reader_init(&reader, there, size);
	enum qn_code skipped = qn_mp_skip(&reader, &raw, NULL);
	/* The check is a skip and nothing behind it. */
	REQUIRE((code == QN_OK) == (skipped == QN_OK && raw.len == size));
	if (code == QN_OK) {
		char *once = malloc(cap), *twice = malloc(cap);
		REQUIRE(once != NULL && twice != NULL);
		size_t len = rewrite(there, size, once, cap, &floats);
		REQUIRE(len > 0 && len <= size + 4 * floats);
		REQUIRE(qn_mp_check(once, len, NULL) == QN_OK);
		size_t again = rewrite(once, len, twice, cap, &again_floats);
		REQUIRE(again == len && memcmp(once, twice, len) == 0);
		free(once);
		free(twice);
	}
	free(there);
	return 0;
}

#include "proto/msgpack/msgpack.h"
#include "tests/support/guard.h"
#include "tests/support/hex.h"

#include <criterion/criterion.h>
#include <math.h>

/* What qn_mp_check() says of bytes that end at a guard page, and of every cut of them. */
static enum qn_code check(const char *hex, size_t *offset)
{
	char bytes[1 << 12];
	size_t len = hex_bytes(hex, bytes);
	struct qn_fault fault = { QN_OK, 0, NULL };

	for (size_t cut = 0; cut < len; cut++) {
		char *copy = guard_copy(bytes, cut);
		qn_mp_check(copy, cut, NULL);
		guard_free(copy, cut);
	}
	char *copy = guard_copy(bytes, len);
	enum qn_code code = qn_mp_check(copy, len, &fault);
	guard_free(copy, len);
	if (offset != NULL)
		*offset = fault.offset;
	return code;
}

static struct qn_mp_value only(const char *hex)
{
	static char bytes[1 << 12];
	struct qn_mp_reader reader;
	struct qn_mp_value value = { .type = QN_MP_NIL };
	size_t len = hex_bytes(hex, bytes);

	cr_assert_eq(check(hex, NULL), QN_OK, "%s", hex);
	for (size_t cut = 0; cut < len; cut++)
		cr_assert_neq(qn_mp_check(bytes, cut, NULL), QN_OK, "%s cut at %zu", hex, cut);
	qn_mp_reader_init(&reader, bytes, len);
	cr_assert_eq(qn_mp_next(&reader, &value, NULL), QN_OK, "%s", hex);
	return value;
}

Test(msgpack, integers_of_any_width)
{
	static const struct {
		const char *hex;
		int64_t value;
	} vectors[] = {
		{ "00", 0 },
		{ "7f", 127 },
		{ "cc05", 5 },
		{ "cd0005", 5 },
		{ "ce00000005", 5 },
		{ "cf0000000000000005", 5 },
		{ "d005", 5 },
		{ "d10005", 5 },
		{ "d200000005", 5 },
		{ "d30000000000000005", 5 },
		{ "d300000000ffffffff", 4294967295 },
		{ "cc80", 128 },
		{ "ccff", 255 },
		{ "ff", -1 },
		{ "e0", -32 },
		{ "d0ff", -1 },
		{ "d1ffff", -1 },
		{ "d2ffffffff", -1 },
		{ "d3ffffffffffffffff", -1 },
		{ "d0df", -33 },
		{ "d080", -128 },
		{ "d1ff7f", -129 },
		{ "d18000", -32768 },
		{ "d2ffff7fff", -32769 },
		{ "d280000000", INT32_MIN },
		{ "d3ffffffff7fffffff", INT64_C(-2147483649) },
		{ "d3ffffffff00000000", INT64_C(-4294967296) },
		{ "d3fffffffeffffffff", INT64_C(-4294967297) },
		{ "d38000000000000000", INT64_MIN },
		{ "cf7fffffffffffffff", INT64_MAX },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct qn_mp_value value = only(vectors[i].hex);
		if (vectors[i].value < 0) {
			cr_assert_eq(value.type, QN_MP_INT, "%s", vectors[i].hex);
			cr_assert_eq(value.sint, vectors[i].value, "%s: %lld", vectors[i].hex,
				     (long long)value.sint);
		} else {
			cr_assert_eq(value.type, QN_MP_UINT, "%s", vectors[i].hex);
			cr_assert_eq(value.uint, (uint64_t)vectors[i].value, "%s", vectors[i].hex);
		}
	}
	cr_assert_eq(only("cfffffffffffffffff").uint, UINT64_MAX);
}

Test(msgpack, other_values)
{
	cr_assert_eq(only("c0").type, QN_MP_NIL);
	cr_assert(only("c3").boolean);
	cr_assert(!only("c2").boolean);
	cr_assert_eq(only("ca3fc00000").number, 1.5);
	cr_assert_eq(only("cb3fb999999999999a").number, 0.1);
	cr_assert(isnan(only("cb7ff8000000000000").number));
	cr_assert_eq(only("d90568656c6c6f").bytes.len, 5);
	cr_assert_eq(only("da000568656c6c6f").bytes.len, 5);
	cr_assert_eq(only("db0000000568656c6c6f").type, QN_MP_STR);
	cr_assert_eq(only("a0").bytes.len, 0);
	cr_assert_eq(only("c403fffefd").type, QN_MP_BIN);
	cr_assert_eq(only("c500020000").bytes.len, 2);
	cr_assert_eq(only("d4ff00").type, QN_MP_EXT);
	cr_assert_eq(only("d8ff00112233445566778899aabbccddeeff").bytes.len, 16);
	cr_assert_eq(only("c70305616263").bytes.len, 3);
	cr_assert_eq(only("90").count, 0);
	cr_assert_eq(only("dc0002c0c0").count, 2);
	cr_assert_eq(only("dd00000002c0c0").count, 2);
	cr_assert_eq(only("81a161c0").count, 1);
	cr_assert_eq(only("de0001a161c0").count, 1);
	cr_assert_eq(only("df00000001d90161c0").count, 1);
}

Test(msgpack, what_is_none)
{
	static const struct {
		const char *hex;
		enum qn_code code;
		size_t offset;
	} vectors[] = {
		{ "", QN_E_SYNTAX, 0 },
		{ "c1", QN_E_SYNTAX, 0 },
		{ "92c0c1", QN_E_SYNTAX, 2 },
		{ "c0c0", QN_E_SYNTAX, 1 },
		{ "d905616263", QN_E_SYNTAX, 0 },
		{ "dbffffffff61", QN_E_SYNTAX, 0 },
		{ "c6ffffffff61", QN_E_SYNTAX, 0 },
		{ "c9ffffffff0161", QN_E_SYNTAX, 0 },
		{ "ddffffffffc0", QN_E_SYNTAX, 0 },
		{ "dfffffffffa161c0", QN_E_SYNTAX, 0 },
		{ "df80000000a161c0", QN_E_SYNTAX, 0 },
		{ "81c40161c0", QN_E_TYPE, 1 },
		{ "8101c0", QN_E_TYPE, 1 },
		{ "81c0c0", QN_E_TYPE, 1 },
		{ "8190c0", QN_E_TYPE, 1 },
		{ "81a16181c40162c0", QN_E_TYPE, 4 },
		{ "82a161c001c0", QN_E_TYPE, 4 },
		{ "a1ff", QN_E_UTF8, 0 },
		{ "a2c080", QN_E_UTF8, 0 },
		{ "a3eda080", QN_E_UTF8, 0 },
		{ "81a1ffc0", QN_E_UTF8, 1 },
		{ "91a1c3", QN_E_UTF8, 1 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t offset = 99;
		cr_expect_eq(check(vectors[i].hex, &offset), vectors[i].code, "%s", vectors[i].hex);
		cr_expect_eq(offset, vectors[i].offset, "%s: %zu", vectors[i].hex, offset);
	}
}

Test(msgpack, depth)
{
	char bytes[QN_MP_DEPTH_MAX + 2];

	memset(bytes, 0x91, sizeof(bytes));
	bytes[QN_MP_DEPTH_MAX - 1] = (char)0x90;
	cr_assert_eq(qn_mp_check(bytes, QN_MP_DEPTH_MAX, NULL), QN_OK);
	bytes[QN_MP_DEPTH_MAX - 1] = (char)0x91;
	bytes[QN_MP_DEPTH_MAX] = (char)0x90;
	cr_assert_eq(qn_mp_check(bytes, QN_MP_DEPTH_MAX + 1, NULL), QN_E_DEPTH);
	/* Side by side is not deep. */
	bytes[0] = (char)0xdc;
	bytes[1] = 0;
	bytes[2] = QN_MP_DEPTH_MAX - 1;
	memset(bytes + 3, 0x90, QN_MP_DEPTH_MAX - 1);
	cr_assert_eq(qn_mp_check(bytes, QN_MP_DEPTH_MAX + 2, NULL), QN_OK);
}

Test(msgpack, skipping_says_where_it_stood)
{
	char bytes[64];
	size_t len = hex_bytes("92 82a161920102a16281a163c0 05", bytes);
	struct qn_mp_reader reader;
	struct qn_mp_value value;
	struct qn_text raw;

	qn_mp_reader_init(&reader, bytes, len);
	cr_assert_eq(qn_mp_next(&reader, &value, NULL), QN_OK);
	cr_assert_eq(qn_mp_skip(&reader, &raw, NULL), QN_OK);
	cr_assert_str_eq(hex_text(raw.at, raw.len), "82a161920102a16281a163c0");
	cr_assert_eq(qn_mp_next(&reader, &value, NULL), QN_OK);
	cr_assert_eq(value.uint, 5);
	/* A reader that was refused stays where it was. */
	len = hex_bytes("93c0c0c1", bytes);
	qn_mp_reader_init(&reader, bytes, len);
	cr_assert_eq(qn_mp_skip(&reader, &raw, NULL), QN_E_SYNTAX);
	cr_assert_eq(reader.at, bytes);
}

/* ---- writing ---- */

#define WRITTEN(expected, call)                                                                    \
	do {                                                                                       \
		char space[64];                                                                    \
		struct qn_mp_writer writer;                                                        \
		for (size_t cap = 0; cap <= sizeof(space); cap++) {                                \
			char *room = guard_copy(space, cap);                                       \
			qn_mp_writer_init(&writer, room, cap);                                     \
			call;                                                                      \
			size_t len = qn_mp_written(&writer);                                       \
			if (cap < strlen(expected) / 2)                                            \
				cr_assert_eq(len, 0, "%s in %zu", expected, cap);                  \
			else                                                                       \
				cr_assert_str_eq(hex_text(room, len), expected);                   \
			guard_free(room, cap);                                                     \
		}                                                                                  \
	} while (0)

Test(msgpack, writes_the_least)
{
	WRITTEN("c0", qn_mp_write_nil(&writer));
	WRITTEN("c3", qn_mp_write_bool(&writer, true));
	WRITTEN("c2", qn_mp_write_bool(&writer, false));
	WRITTEN("7f", qn_mp_write_uint(&writer, 127));
	WRITTEN("cc80", qn_mp_write_uint(&writer, 128));
	WRITTEN("cd0100", qn_mp_write_uint(&writer, 256));
	WRITTEN("ce00010000", qn_mp_write_uint(&writer, 65536));
	WRITTEN("cf0000000100000000", qn_mp_write_uint(&writer, UINT64_C(1) << 32));
	WRITTEN("cfffffffffffffffff", qn_mp_write_uint(&writer, UINT64_MAX));
	WRITTEN("05", qn_mp_write_int(&writer, 5));
	WRITTEN("cb3ff8000000000000", qn_mp_write_double(&writer, 1.5));
	WRITTEN("a568656c6c6f", qn_mp_write_word(&writer, "hello"));
	WRITTEN("c40161", qn_mp_write_bin(&writer, (struct qn_text){ "a", 1 }));
	WRITTEN("9f", qn_mp_write_array(&writer, 15));
	WRITTEN("dc0010", qn_mp_write_array(&writer, 16));
	WRITTEN("dd00010000", qn_mp_write_array(&writer, 65536));
	WRITTEN("8f", qn_mp_write_map(&writer, 15));
	WRITTEN("de0010", qn_mp_write_map(&writer, 16));
	WRITTEN("d920", qn_mp_write_str_head(&writer, 32));
	WRITTEN("da0100", qn_mp_write_str_head(&writer, 256));
	WRITTEN("db00010000", qn_mp_write_str_head(&writer, 65536));
}

static void there_and_back(int64_t number)
{
	char space[16];
	struct qn_mp_writer writer;
	struct qn_mp_reader reader;
	struct qn_mp_value value;
	size_t least = number < -INT64_C(0x80000000) ? 9
		       : number < -0x8000            ? 5
		       : number < -0x80              ? 3
		       : number < -32                ? 2
						     : 1;

	qn_mp_writer_init(&writer, space, sizeof(space));
	qn_mp_write_int(&writer, number);
	size_t len = qn_mp_written(&writer);
	if (number < 0)
		cr_assert_eq(len, least, "%lld takes %zu", (long long)number, len);
	qn_mp_reader_init(&reader, space, len);
	cr_assert_eq(qn_mp_next(&reader, &value, NULL), QN_OK);
	cr_assert_eq(reader.at, reader.end);
	if (number < 0)
		cr_assert(value.type == QN_MP_INT && value.sint == number, "%lld",
			  (long long)number);
	else
		cr_assert(value.type == QN_MP_UINT && value.uint == (uint64_t)number, "%lld",
			  (long long)number);
}

Test(msgpack, integers_there_and_back)
{
	for (int64_t i = -70000; i <= 70000; i++)
		there_and_back(i);
	for (int bit = 16; bit < 64; bit++)
		for (int64_t i = -3; i <= 3; i++) {
			there_and_back((int64_t)((UINT64_C(1) << bit) + (uint64_t)i));
			there_and_back((int64_t)(-(UINT64_C(1) << bit) + (uint64_t)i));
		}
}

/*
 * The REPL against what real firmware said, and against what a real tool sent to it: MicroPython
 * 1.25 and mpremote 1.24.1, recorded. Every byte of ours must be the recorded one, and every answer
 * must be taken for what it is, whole and byte by byte.
 */
#include "hil/pico/repl.h"
#include "tests/support/guard.h"
#include "tests/support/jsonl.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 8192

struct bench {
	struct repl repl;
	char console[MAX], out[MAX], err[MAX], sent[MAX];
	size_t console_len, out_len, err_len, sent_len;
	int done;
	enum repl_status status;
};

static void add(char *buf, size_t *used, const char *bytes, size_t len)
{
	cr_assert_lt(*used + len, MAX);
	memcpy(buf + *used, bytes, len);
	*used += len;
	buf[*used] = '\0';
}

static void on_output(void *owner, enum repl_stream stream, const char *bytes, size_t len)
{
	struct bench *b = owner;

	if (stream == REPL_STDOUT)
		add(b->out, &b->out_len, bytes, len);
	else if (stream == REPL_STDERR)
		add(b->err, &b->err_len, bytes, len);
	else
		add(b->console, &b->console_len, bytes, len);
}

static void on_done(void *owner, enum repl_status status)
{
	struct bench *b = owner;

	b->done++;
	b->status = status;
}

static const struct repl_handler handler = { on_output, on_done };

static void pump(struct bench *b)
{
	const char *bytes;
	size_t len;

	while ((len = repl_out(&b->repl, 0, &bytes)) > 0)
		add(b->sent, &b->sent_len, bytes, len);
}

/* The bytes end at a guard page, all at once or each alone. */
static void feed(struct bench *b, const char *bytes, size_t len, bool singly)
{
	size_t step = singly ? 1 : len;

	for (size_t at = 0; at < len; at += step) {
		char *copy = guard_copy(bytes + at, step);
		repl_received(&b->repl, copy, step, 0);
		guard_free(copy, step);
		pump(b);
	}
}

static size_t from_hex(const char *hex, size_t len, char *bytes)
{
	for (size_t i = 0; i < len / 2; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
		bytes[i] = (char)strtoul(pair, NULL, 16);
	}
	return len / 2;
}

/* ---- one exchange each, with the firmware ---- */

enum doing { ENTER, TYPE, PASTE, RESET, LEAVE, START };

static const struct {
	const char *name;
	enum doing doing;
	enum repl_status status;
	const char *out, *err; /* err: its last line */
} cases[] = {
	{ "raw_print_1", TYPE, REPL_OK, "1\r\n", "" },
	{ "raw_no_output", TYPE, REPL_OK, "", "" },
	{ "raw_two_lines", TYPE, REPL_OK, "5\r\n6\r\n", "" },
	{ "raw_crlf_lines", TYPE, REPL_OK, "5\r\n6\r\n", "" },
	{ "raw_block", TYPE, REPL_OK, "0\r\n1\r\n2\r\n", "" },
	{ "raw_zero_division", TYPE, REPL_RAISED, "", "ZeroDivisionError: divide by zero\r\n" },
	{ "raw_syntax_error", TYPE, REPL_RAISED, "", "SyntaxError: invalid syntax\r\n" },
	{ "raw_name_error", TYPE, REPL_RAISED, "", "NameError: name 'nope' isn't defined\r\n" },
	{ "raw_error_in_line_2", TYPE, REPL_RAISED, "a\r\n", "ValueError: bad value\r\n" },
	{ "raw_unicode", TYPE, REPL_OK, "\xc3\xa9\xf0\x9f\x91\x8d\r\n", "" },
	{ "raw_bytes_print", TYPE, REPL_BROKEN, "a", "b" },
	{ "raw_system_exit", TYPE, REPL_EXITED, "", "" },
	{ "raw_paste_print", PASTE, REPL_OK, "2\r\n", "" },
	{ "raw_paste_long", PASTE, REPL_OK, "3\r\n", "" },
	{ "raw_paste_error", PASTE, REPL_RAISED, "", "ZeroDivisionError: divide by zero\r\n" },
	{ "raw_paste_syntax_error", PASTE, REPL_RAISED, "", "SyntaxError: invalid syntax\r\n" },
	{ "raw_soft_reset", RESET, REPL_OK, "", "" },
	{ "exit_raw", LEAVE, REPL_OK, "", "" },
	{ "friendly_soft_reset", START, REPL_OK, "", "" },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static void begin(struct bench *b, enum doing doing, const char *code, size_t len)
{
	b->repl.state = doing == START ? REPL_FRIENDLY : REPL_RAW;
	b->repl.no_paste = doing == TYPE;
	switch (doing) {
	case TYPE:
	case PASTE: repl_exec(&b->repl, code, len, 0, INT64_MAX); break;
	case RESET: repl_reset_raw(&b->repl, 0, INT64_MAX); break;
	case LEAVE: repl_leave(&b->repl, 0, INT64_MAX); break;
	case START: repl_start_app(&b->repl, 0, INT64_MAX); break;
	case ENTER: repl_enter(&b->repl, 0, INT64_MAX); break;
	}
	pump(b);
}

/* Time stands still but for the plain raw mode's pace. */
static void let_it_type(struct bench *b)
{
	const char *bytes;
	size_t len;

	while (b->repl.state == REPL_TYPING) {
		int64_t now_ns = repl_due_ns(&b->repl);
		while ((len = repl_out(&b->repl, now_ns, &bytes)) > 0)
			add(b->sent, &b->sent_len, bytes, len);
	}
}

static void play_case(struct jsonl *jsonl, size_t index, bool singly)
{
	static struct bench b;
	static char sent[MAX], received[MAX];
	struct qn_text hex = jsonl_must(jsonl, "sent_hex");
	size_t sent_len = from_hex(hex.at, hex.len, sent);
	size_t head = cases[index].doing == PASTE ? 3 : 0;

	hex = jsonl_must(jsonl, "recv_hex");
	size_t received_len = from_hex(hex.at, hex.len, received);
	memset(&b, 0, sizeof(b));
	repl_init(&b.repl, &handler, &b);
	char *code = guard_copy(sent + head, sent_len - head - 1);
	begin(&b, cases[index].doing, code, sent_len - head - 1);
	let_it_type(&b);
	/* Of a paste the recording has only the answers together, not what they answer. */
	feed(&b, received, received_len, singly || cases[index].doing == PASTE);
	const char *name = cases[index].name;
	cr_expect_eq(b.done, 1, "%s: done %d times", name, b.done);
	cr_expect_eq(b.status, cases[index].status, "%s: %s", name, repl_status_text(b.status));
	cr_expect_str_eq(b.out, cases[index].out, "%s: output \"%s\"", name, b.out);
	size_t err_len = strlen(cases[index].err);
	cr_expect(b.err_len >= err_len && (err_len > 0) == (b.err_len > 0) &&
			  strcmp(b.err + b.err_len - err_len, cases[index].err) == 0,
		  "%s: traceback \"%s\"", name, b.err);
	/* The recorder left raw mode without the \r that ends a line somebody may have begun. */
	size_t ours = cases[index].doing == LEAVE ? 1 : 0;
	cr_expect(b.sent_len - ours == sent_len && memcmp(b.sent + ours, sent, sent_len) == 0,
		  "%s: sent \"%s\"", name, b.sent);
	enum repl_state state = cases[index].status == REPL_BROKEN ? REPL_UNKNOWN
				: cases[index].doing == LEAVE || cases[index].doing == START
					? REPL_FRIENDLY
					: REPL_RAW;
	cr_expect_eq(b.repl.state, state, "%s: %s", name, repl_state_text(b.repl.state));
	guard_free(code, sent_len - head - 1);
}

Test(repl_transcripts, firmware)
{
	for (int singly = 0; singly < 2; singly++) {
		struct jsonl *jsonl = jsonl_open("fixtures/transcripts/repl_qemu_cortexm.jsonl");
		size_t played = 0;
		while (jsonl_next(jsonl)) {
			const char *name = jsonl_must(jsonl, "case").at;
			for (size_t i = 0; i < CASES; i++)
				if (strcmp(cases[i].name, name) == 0) {
					play_case(jsonl, i, singly);
					played++;
				}
		}
		cr_expect_eq(played, CASES, "played %zu of %zu", played, CASES);
		jsonl_close(jsonl);
	}
}

/* What the firmware says on the way in, from each place that we may find it in. */
Test(repl_transcripts, entering)
{
	static const char *const names[] = { "enter_raw", "re_enter_raw", "enter_raw_again",
					     "enter_raw_4" };

	for (int singly = 0; singly < 2; singly++) {
		struct jsonl *jsonl = jsonl_open("fixtures/transcripts/repl_qemu_cortexm.jsonl");
		size_t played = 0;
		while (jsonl_next(jsonl)) {
			static struct bench b;
			static char received[MAX];
			const char *name = jsonl_must(jsonl, "case").at;
			for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
				if (strcmp(names[i], name) != 0)
					continue;
				struct qn_text hex = jsonl_must(jsonl, "recv_hex");
				memset(&b, 0, sizeof(b));
				repl_init(&b.repl, &handler, &b);
				repl_enter(&b.repl, 0, INT64_MAX);
				pump(&b);
				size_t len = from_hex(hex.at, hex.len, received);
				feed(&b, received, len, singly);
				cr_expect(b.done == 1 && b.status == REPL_OK &&
						  b.repl.state == REPL_RAW,
					  "%s: %s", name, repl_state_text(b.repl.state));
				cr_expect_eq(b.console_len, len, "all of it is the console's");
				played++;
			}
		}
		cr_expect_eq(played, sizeof(names) / sizeof(names[0]));
		jsonl_close(jsonl);
	}
}

/* ---- a whole day of mpremote's ---- */

struct unit {
	bool ours;
	char bytes[512];
	size_t len;
};
static struct unit units[400];
static size_t unit_count;

static void read_units(void)
{
	struct jsonl *jsonl = jsonl_open("fixtures/transcripts/mpremote_qemu.jsonl");

	unit_count = 0;
	while (jsonl_next(jsonl)) {
		struct unit *unit = &units[unit_count];
		struct qn_text dir = jsonl_text(jsonl, "dir");
		struct qn_text text = jsonl_text(jsonl, "bytes_utf8");
		struct qn_text hex = jsonl_text(jsonl, "bytes_hex");
		if (dir.at == NULL || (text.at == NULL && hex.at == NULL))
			continue;
		unit->ours = dir.at[0] == 'h';
		unit->len = text.at != NULL ? text.len : from_hex(hex.at, hex.len, unit->bytes);
		if (text.at != NULL)
			memcpy(unit->bytes, text.at, text.len);
		cr_assert_lt(++unit_count, sizeof(units) / sizeof(units[0]));
	}
	jsonl_close(jsonl);
}

/* The code that mpremote pasted from unit `at` on: up to \x04. */
static size_t code_from(size_t at, char *code)
{
	size_t len = 0;

	for (; at < unit_count; at++)
		for (size_t i = 0; units[at].ours && i < units[at].len; i++) {
			if (units[at].bytes[i] == '\x04')
				return len;
			code[len++] = units[at].bytes[i];
		}
	cr_assert_fail("a paste without an end");
	return 0;
}

static void act_as_mpremote(struct bench *b, size_t at)
{
	static char code[MAX];
	const struct unit *unit = &units[at];

	if (unit->len == 2 && memcmp(unit->bytes, "\r\x03", 2) == 0)
		repl_enter(&b->repl, 0, INT64_MAX);
	else if (unit->len == 1 && unit->bytes[0] == '\x04')
		repl_reset_raw(&b->repl, 0, INT64_MAX);
	else if (unit->len == 3 && unit->bytes[0] == '\x05')
		repl_exec(&b->repl, code, code_from(at + 1, code), 0, INT64_MAX);
	else if (unit->len == 2 && memcmp(unit->bytes, "\r\x02", 2) == 0)
		repl_leave(&b->repl, 0, INT64_MAX);
	else
		cr_assert_fail("unit %zu begins nothing that is known", at);
}

static void replay_mpremote(bool singly)
{
	static struct bench b;
	int began = 0;

	memset(&b, 0, sizeof(b));
	repl_init(&b.repl, &handler, &b);
	for (size_t at = 0; at < unit_count; at++) {
		const struct unit *unit = &units[at];
		if (!unit->ours) {
			feed(&b, unit->bytes, unit->len, singly);
			continue;
		}
		if (!b.repl.busy && b.sent_len == 0) {
			act_as_mpremote(&b, at);
			began++;
		}
		pump(&b);
		cr_assert(b.sent_len >= unit->len && memcmp(b.sent, unit->bytes, unit->len) == 0,
			  "unit %zu: we have sent \"%.*s\"", at, (int)b.sent_len, b.sent);
		memmove(b.sent, b.sent + unit->len, b.sent_len - unit->len);
		b.sent_len -= unit->len;
	}
	cr_expect_eq(b.sent_len, 0);
	cr_expect_eq(b.done, began);
	cr_expect_gt(began, 20, "it is a long day: %d", began);
	cr_expect_eq(b.status, REPL_OK);
	cr_expect_str_eq(b.out, "1\r\n3\r\nresumed\r\nline 0 5\r\nline 1 5\r\nline 2 5\r\n");
	cr_expect_not_null(strstr(b.err, "ZeroDivisionError"));
}

Test(repl_transcripts, mpremote)
{
	read_units();
	replay_mpremote(false);
	replay_mpremote(true);
}

/*
 * The REPL and boards that do not do as they should, on a clock that the test moves.
 */
#include "hil/pico/repl.h"

#include <criterion/criterion.h>
#include <string.h>

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define RAW "raw REPL; CTRL-B to exit\r\n>"

struct bench {
	struct repl repl;
	int64_t now;
	char sent[8192], out[4096], err[4096];
	size_t sent_len, out_len, err_len, units;
	int done;
	enum repl_status status;
};
static struct bench b;

static void on_output(void *owner, enum repl_stream stream, const char *bytes, size_t len)
{
	(void)owner;
	if (stream == REPL_STDOUT && b.out_len + len < sizeof(b.out)) {
		memcpy(b.out + b.out_len, bytes, len);
		b.out_len += len;
	} else if (stream == REPL_STDERR && b.err_len + len < sizeof(b.err)) {
		memcpy(b.err + b.err_len, bytes, len);
		b.err_len += len;
	}
}

static void on_done(void *owner, enum repl_status status)
{
	(void)owner;
	b.done++;
	b.status = status;
}

static const struct repl_handler handler = { on_output, on_done };

static void pump(void)
{
	const char *bytes;
	size_t len;

	while ((len = repl_out(&b.repl, b.now, &bytes)) > 0) {
		cr_assert_lt(b.sent_len + len, sizeof(b.sent));
		memcpy(b.sent + b.sent_len, bytes, len);
		b.sent_len += len;
		b.units++;
	}
	b.sent[b.sent_len] = '\0';
}

static void say_bytes(const char *bytes, size_t len)
{
	repl_received(&b.repl, bytes, len, b.now);
	pump();
}
#define SAY(text) say_bytes(text, sizeof(text) - 1)

/* Moves the clock to whatever is due next, up to `until`. */
static void run_until(int64_t until)
{
	for (int64_t due; (due = repl_due_ns(&b.repl)) <= until;) {
		b.now = due > b.now ? due : b.now;
		repl_tick(&b.repl, b.now);
		pump();
	}
	b.now = until;
}

static void start(void)
{
	memset(&b, 0, sizeof(b));
	repl_init(&b.repl, &handler, NULL);
}

static void start_raw(void)
{
	start();
	repl_enter(&b.repl, 0, S);
	pump();
	SAY("\r\n" RAW);
	cr_assert(b.done == 1 && b.repl.state == REPL_RAW);
	b.done = 0;
	b.sent_len = b.units = 0;
}

static void exec(const char *code, int64_t within)
{
	repl_exec(&b.repl, code, strlen(code), b.now, b.now + within);
	pump();
}

#define EXPECT_SENT(text)                                                                          \
	cr_expect(b.sent_len == sizeof(text) - 1 && memcmp(b.sent, text, b.sent_len) == 0,         \
		  "sent %zu bytes: \"%s\"", b.sent_len, b.sent)
#define EXPECT_END(what, where)                                                                    \
	cr_expect(b.done == 1 && b.status == (what) && b.repl.state == (where), "%d: %s, %s",      \
		  b.done, repl_status_text(b.status), repl_state_text(b.repl.state))

Test(repl_trouble, never_answers)
{
	start();
	repl_enter(&b.repl, 0, 2 * S);
	pump();
	cr_expect_eq(b.units, 2, "two writes, as other tools make them");
	EXPECT_SENT("\r\x03\r\x01");
	run_until(2 * S - 1);
	cr_expect_eq(b.done, 0);
	cr_expect_eq(b.units, 8, "asked again every half second: %zu", b.units);
	run_until(2 * S);
	EXPECT_END(REPL_TIMEOUT, REPL_UNKNOWN);
	cr_expect_eq(repl_due_ns(&b.repl), INT64_MAX);
}

/* Two questions are answered twice: the second answer must not be taken for the code's. */
Test(repl_trouble, late_answers_are_waited_for)
{
	start();
	repl_enter(&b.repl, 0, 5 * S);
	pump();
	run_until(600 * MS);
	SAY("\r\n" RAW);
	cr_expect_eq(b.done, 0);
	run_until(650 * MS);
	SAY(RAW);
	run_until(749 * MS);
	cr_expect_eq(b.done, 0);
	run_until(750 * MS);
	EXPECT_END(REPL_OK, REPL_RAW);
}

Test(repl_trouble, answers_to_a_question_that_was_given_up)
{
	start();
	repl_enter(&b.repl, 0, 400 * MS);
	pump();
	run_until(400 * MS);
	EXPECT_END(REPL_TIMEOUT, REPL_UNKNOWN);
	b.done = 0;
	repl_enter(&b.repl, b.now, b.now + 5 * S);
	pump();
	SAY(RAW); /* of the first time */
	cr_expect_eq(b.done, 0);
	SAY(RAW);
	run_until(b.now + 100 * MS);
	EXPECT_END(REPL_OK, REPL_RAW);
}

/* Nor is what an answer that could not be understood had behind it. */
Test(repl_trouble, after_trouble_it_must_be_quiet)
{
	start_raw();
	exec("x", S);
	SAY("R\x01\x80\x00\x01hello");
	EXPECT_END(REPL_BROKEN, REPL_UNKNOWN);
	b.done = 0;
	repl_enter(&b.repl, b.now, b.now + 5 * S);
	pump();
	SAY(RAW);
	cr_expect_eq(b.done, 0);
	run_until(b.now + 100 * MS);
	EXPECT_END(REPL_OK, REPL_RAW);
}

Test(repl_trouble, an_echo_is_no_answer)
{
	start();
	repl_enter(&b.repl, 0, S);
	pump();
	SAY("\r\x03\r\x01");
	run_until(S);
	EXPECT_END(REPL_TIMEOUT, REPL_UNKNOWN);
	start_raw();
	exec("print(1)", S);
	SAY("\x05"
	    "A\x01");
	EXPECT_END(REPL_BROKEN, REPL_UNKNOWN);
}

Test(repl_trouble, old_firmware)
{
	start_raw();
	exec("print(1)", S);
	EXPECT_SENT("\x05"
		    "A\x01");
	SAY("ra");
	SAY("w REPL; CTRL-B to exit\r\n>");
	EXPECT_SENT("\x05"
		    "A\x01"
		    "print(1)");
	run_until(10 * MS);
	EXPECT_SENT("\x05"
		    "A\x01"
		    "print(1)\x04");
	SAY("OK1\r\n\x04\x04>");
	EXPECT_END(REPL_OK, REPL_RAW);
	b.done = 0;
	b.sent_len = 0;
	exec("x", S);
	cr_expect_eq(b.sent[0], 'x', "it is not asked again");
}

/* As the recorded firmware answers a letter that it does not know; and as the letter r alone. */
Test(repl_trouble, no_paste)
{
	start_raw();
	exec("print(1)", S);
	SAY("R\0");
	cr_expect_eq(b.repl.state, REPL_QUERY, "the prompt is waited for");
	SAY(">");
	cr_expect_eq(b.repl.state, REPL_TYPING);
	start_raw();
	exec("print(1)", S);
	SAY(RAW);
	cr_expect_eq(b.repl.state, REPL_TYPING);
}

Test(repl_trouble, typing_is_paced)
{
	static char code[1000];

	memset(code, '#', sizeof(code) - 1);
	start_raw();
	b.repl.no_paste = true;
	exec(code, S);
	for (size_t i = 1; i <= 3; i++) {
		cr_expect_eq(b.sent_len, 256 * i);
		run_until((int64_t)i * 10 * MS - 1);
		cr_expect_eq(b.sent_len, 256 * i, "nothing before its time");
		run_until((int64_t)i * 10 * MS);
	}
	cr_expect_eq(b.sent_len, 999);
	run_until(40 * MS);
	cr_expect_eq(b.sent_len, 1000);
	cr_expect_eq(b.sent[999], '\x04');
	SAY("OK\x04\x04>");
	EXPECT_END(REPL_OK, REPL_RAW);
}

Test(repl_trouble, window_is_kept_to)
{
	static char code[700];

	memset(code, '#', sizeof(code) - 1);
	start_raw();
	exec(code, S);
	b.sent_len = 0;
	SAY("R\x01\x80\x00");
	cr_expect_eq(b.sent_len, 128);
	SAY("\x01");
	cr_expect_eq(b.sent_len, 256);
	SAY("\x01\x01");
	cr_expect_eq(b.sent_len, 512);
	SAY("\x01\x01\x01\x01\x01\x01");
	cr_expect_eq(b.sent_len, 700, "all, and its end: %zu", b.sent_len);
	cr_expect_eq(b.sent[699], '\x04');
	SAY("\x01"); /* of the last bytes */
	SAY("\x04\x04\x04>");
	EXPECT_END(REPL_OK, REPL_RAW);
}

Test(repl_trouble, window_of_nothing)
{
	start_raw();
	exec("print(1)", S);
	SAY("R\x01\x00\x00");
	EXPECT_END(REPL_BROKEN, REPL_UNKNOWN);
}

/* pyexec.c: it then reads until our \x04 and reports what was wrong. */
Test(repl_trouble, the_device_gives_up)
{
	static char code[700];

	memset(code, '(', sizeof(code) - 1);
	start_raw();
	exec(code, S);
	b.sent_len = 0;
	SAY("R\x01\x80\x00\x01");
	SAY("\x04");
	cr_expect_eq(b.sent_len, 257, "one \\x04, and no more code");
	cr_expect_eq(b.sent[256], '\x04');
	SAY("\x04MemoryError: \r\n\x04>");
	EXPECT_END(REPL_RAISED, REPL_RAW);
	cr_expect_str_eq(b.err, "MemoryError: \r\n");
}

Test(repl_trouble, another_program_prints_into_the_paste)
{
	start_raw();
	exec("print(1)", S);
	SAY("R\x01\x80\x00\x01hello");
	EXPECT_END(REPL_BROKEN, REPL_UNKNOWN);
}

Test(repl_trouble, output_with_the_end_mark)
{
	/* In the output: what follows is taken for a traceback, which ends with no newline. */
	start_raw();
	exec("x", S);
	SAY("R\x01\x80\x00\x01\x04"
	    "a\x04"
	    "b\x04>");
	EXPECT_END(REPL_BROKEN, REPL_UNKNOWN);
	start_raw();
	exec("x", S);
	SAY("R\x01\x80\x00\x01\x04"
	    "a\x04"
	    "b\x04\x04>");
	EXPECT_END(REPL_BROKEN, REPL_UNKNOWN);
	/* Twice, and a '>' after it: for one moment it is a whole result. The rest gives it away.
	 */
	start_raw();
	exec("x", S);
	SAY("R\x01\x80\x00\x01\x04"
	    "a\x04\x04>rest\x04\x04>");
	cr_expect_eq(b.status, REPL_OK);
	cr_expect_eq(b.repl.state, REPL_UNKNOWN, "the next code finds out");
}

Test(repl_trouble, code_past_its_deadline_is_interrupted)
{
	start_raw();
	exec("while 1:pass", S);
	SAY("R\x01\x80\x00\x01\x04started\r\n");
	b.sent_len = 0;
	run_until(S);
	EXPECT_SENT("\x03");
	cr_expect_eq(b.done, 0);
	SAY("\x04Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n\x04>");
	EXPECT_END(REPL_TIMEOUT, REPL_RAW);
	cr_expect_eq(b.out_len, 9);
}

Test(repl_trouble, code_that_does_not_let_go)
{
	start_raw();
	exec("while 1:pass", S);
	SAY("R\x01\x80\x00\x01\x04");
	b.sent_len = 0;
	run_until(3 * S - 1);
	EXPECT_SENT("\x03\x03\x03\x03");
	cr_expect_eq(b.done, 0);
	run_until(3 * S);
	EXPECT_END(REPL_TIMEOUT, REPL_UNKNOWN);
}

Test(repl_trouble, no_answer_to_the_query)
{
	start_raw();
	exec("x", S);
	run_until(S);
	EXPECT_END(REPL_TIMEOUT, REPL_UNKNOWN);
}

Test(repl_trouble, code_that_cannot_be_sent)
{
	for (char c = 1; c <= 5; c++) {
		char code[3] = { 'x', c, '\0' };
		start_raw();
		exec(code, S);
		EXPECT_END(REPL_BAD_CODE, REPL_RAW);
		cr_expect_eq(b.sent_len, 0);
	}
	start_raw();
	exec("", S);
	EXPECT_END(REPL_BAD_CODE, REPL_RAW);
	start();
	exec("x", S);
	EXPECT_END(REPL_BAD_STATE, REPL_UNKNOWN);
}

Test(repl_trouble, code_that_does_not_come_back)
{
	start_raw();
	repl_exec_no_wait(&b.repl, "import machine;machine.reset()", 30, 0, 5 * S);
	pump();
	SAY("R\x01\x80\x00\x01\x04");
	cr_expect_eq(b.done, 0);
	run_until(500 * MS);
	EXPECT_END(REPL_OK, REPL_UNKNOWN);
	/* But where it does, its error is told. */
	start_raw();
	repl_exec_no_wait(&b.repl, "import machine;machine.reset()", 30, 0, 5 * S);
	pump();
	SAY("R\x01\x80\x00\x01\x04\x04ImportError: no module named 'machine'\r\n\x04>");
	EXPECT_END(REPL_RAISED, REPL_RAW);
}

Test(repl_trouble, a_prompt_without_a_reboot)
{
	start_raw();
	repl_reset_raw(&b.repl, 0, S);
	pump();
	EXPECT_SENT("\x04");
	SAY(RAW);
	EXPECT_END(REPL_BROKEN, REPL_UNKNOWN);
}

Test(repl_trouble, the_port_goes)
{
	start_raw();
	exec("x", S);
	repl_abandon(&b.repl);
	EXPECT_END(REPL_CANCELLED, REPL_UNKNOWN);
	repl_abandon(&b.repl);
	cr_expect_eq(b.done, 1);
	cr_expect_eq(repl_due_ns(&b.repl), INT64_MAX);
}

/* boot.py may print for as long as it likes. */
Test(repl_trouble, noise_before_the_banner)
{
	start();
	repl_enter(&b.repl, 0, S);
	pump();
	for (int i = 0; i < 5000; i++)
		SAY("raw REPL; CTRL-B to exit, says the application\r\n");
	cr_expect_eq(b.done, 0);
	SAY(RAW);
	EXPECT_END(REPL_OK, REPL_RAW);
}

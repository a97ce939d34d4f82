/*
 * A board's jobs, against a board that is played on a pseudo-terminal and over tcp://.
 */
#include "hil/pico/board.h"
#include "hil/pico/identity.h"
#include "tests/support/fake_board.h"
#include "tests/support/hil_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WITHIN (20 * NS_PER_S)

static struct fake_board *fake;
static struct board *board;
static struct {
	int calls;
	enum board_status status;
	char text[400], traceback[4096];
	char output[FAKE_FILE_MAX];
	size_t len, lost;
	int gone;
} end;

static void done(void *owner, const struct board_result *result)
{
	(void)owner;
	end.calls++;
	end.status = result->status;
	snprintf(end.text, sizeof(end.text), "%s", result->text);
	snprintf(end.traceback, sizeof(end.traceback), "%s", result->traceback);
	cr_assert_lt(result->output_len, sizeof(end.output));
	memcpy(end.output, result->output, result->output_len + 1);
	end.len = result->output_len;
	end.lost = result->output_lost;
	cr_expect_leq(result->began_ns, result->ended_ns);
	loop_stop(&bed.loop);
}

static void gone(void *owner, int error)
{
	(void)owner;
	end.gone = error;
	loop_stop(&bed.loop);
}

static void open_board(struct fake_board *on)
{
	struct board_options options = { .port = on->path, .gone = gone, .output_max = 60000 };

	fake = on;
	memset(&end, 0, sizeof(end));
	REQUIRE(board_new(&bed.loop, NULL, &options, &board) == 0);
}

static void start(void)
{
	bed_start();
	open_board(fake_board_new(&bed.loop));
}

static void stop(void)
{
	board_free(board);
	fake_board_free(fake);
	bed_end();
}

/* Runs a job to its end. */
#define JOB(call)                                                                                  \
	do {                                                                                       \
		end.calls = 0;                                                                     \
		int rc_ = (call);                                                                  \
		cr_assert_eq(rc_, 0, "%s", strerror(-rc_));                                        \
		cr_expect_eq(end.calls, 0, "never from within the call");                          \
		bed_run();                                                                         \
		cr_assert_eq(end.calls, 1);                                                        \
	} while (0)
#define EXEC(code, within) JOB(board_exec(board, code, strlen(code), within, done, NULL))
#define EXPECT_STATUS(what)                                                                        \
	cr_expect_eq(end.status, what, "%s: %s\n%s", board_status_text(end.status), end.text,      \
		     end.traceback)

static void exec_and_again(void)
{
	EXEC("print('hello')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	cr_expect_str_eq(end.output, "hello\r\n");
	EXEC("1/0", WITHIN);
	EXPECT_STATUS(BOARD_RAISED);
	cr_expect_not_null(strstr(end.traceback, "\nZeroDivisionError: divide by zero\n"));
	cr_expect_str_eq(end.output, "");
	EXEC("print('again')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	cr_expect_str_eq(end.output, "again\r\n");
	cr_expect_str_eq(end.traceback, "");
}

Test(board, exec)
{
	for (enum fake_paste paste = FAKE_PASTE; paste <= FAKE_PASTE_OLD; paste++) {
		start();
		fake->paste = paste;
		exec_and_again();
		cr_expect_eq(board_state(board), REPL_RAW);
		stop();
	}
}

/* Nothing else asks for the friendly prompt: the next job neither interrupts nor enters anew. */
Test(board, the_next_job_finds_the_raw_prompt)
{
	static const char paste[] = "\x05"
				    "A\x01print('b')\x04";

	start();
	EXEC("print('a')", WITHIN);
	size_t before = fake->seen_len;
	EXEC("print('b')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	cr_expect_eq(fake->seen_len - before, sizeof(paste) - 1);
	cr_expect_arr_eq(fake->seen + before, paste, sizeof(paste) - 1);
	stop();
}

Test(board, exec_over_tcp)
{
	bed_start();
	open_board(fake_board_new_tcp(&bed.loop));
	exec_and_again();
	stop();
}

Test(board, system_exit_is_an_end)
{
	start();
	EXEC("raise SystemExit", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	cr_expect_not_null(strstr(end.text, "soft reboot"));
	EXEC("print('x')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	stop();
}

Test(board, output_with_the_end_mark_is_broken_and_mended)
{
	start();
	EXEC("dirty", WITHIN);
	EXPECT_STATUS(BOARD_BROKEN);
	EXEC("print('clean')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	cr_expect_str_eq(end.output, "clean\r\n");
	stop();
}

Test(board, code_past_its_deadline)
{
	start();
	EXEC("forever", 300 * NS_PER_MS);
	EXPECT_STATUS(BOARD_TIMEOUT);
	cr_expect_str_eq(end.output, "started\r\n", "what it said until then is kept");
	cr_expect_eq(board_state(board), REPL_RAW, "it was interrupted");
	EXEC("print('next')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	stop();
}

Test(board, silence)
{
	start();
	fake->silent = true;
	EXEC("print('x')", 200 * NS_PER_MS);
	EXPECT_STATUS(BOARD_TIMEOUT);
	fake->silent = false;
	EXEC("print('x')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	stop();
}

Test(board, echo)
{
	start();
	fake->echoes = true;
	EXEC("print('x')", 200 * NS_PER_MS);
	EXPECT_STATUS(BOARD_TIMEOUT);
	stop();
}

Test(board, a_lost_question_is_asked_again)
{
	start();
	fake->swallow_first = true;
	EXEC("print('x')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	stop();
}

Test(board, the_device_gives_up)
{
	static char code[2000];

	memset(code, '(', sizeof(code) - 1);
	start();
	fake->give_up_after = 300;
	EXEC(code, WITHIN);
	EXPECT_STATUS(BOARD_RAISED);
	cr_expect_not_null(strstr(end.traceback, "MemoryError"));
	fake->give_up_after = 0;
	EXEC("print('x')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	stop();
}

Test(board, unplugged)
{
	start();
	EXEC("print('x')", WITHIN);
	fake->unplug_after = fake->seen_len + 8;
	EXEC("print('y')", WITHIN);
	EXPECT_STATUS(BOARD_GONE);
	cr_expect_not(board_is_open(board));
	cr_expect_eq(end.gone, 0, "the job has told it");
	EXEC("print('z')", 200 * NS_PER_MS);
	EXPECT_STATUS(BOARD_ABSENT);
	stop();
}

Test(board, unplugged_between_jobs)
{
	start();
	EXEC("print('x')", WITHIN);
	fake_board_unplug(fake);
	bed_run();
	cr_expect_eq(end.gone, -ENODEV);
	cr_expect_not(board_is_open(board));
	stop();
}

Test(board, the_peer_resets_the_connection)
{
	bed_start();
	open_board(fake_board_new_tcp(&bed.loop));
	EXEC("print('x')", WITHIN);
	fake->unplug_after = fake->seen_len + 2;
	EXEC("print('y')", WITHIN);
	EXPECT_STATUS(BOARD_GONE);
	stop();
}

Test(board, one_job_at_a_time)
{
	start();
	REQUIRE(board_exec(board, "print('x')", 10, WITHIN, done, NULL) == 0);
	cr_expect_eq(board_exec(board, "print('y')", 10, WITHIN, done, NULL), -EBUSY);
	cr_expect_eq(board_put(board, "a", "", 0, WITHIN, done, NULL), -EBUSY);
	cr_expect(board_is_busy(board));
	board_cancel(board);
	cr_expect_eq(end.calls, 1);
	EXPECT_STATUS(BOARD_CANCELLED);
	EXEC("print('z')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	cr_expect_str_eq(end.output, "z\r\n");
	stop();
}

/* ---- files ---- */

static char content[60000];

static void fill(size_t len)
{
	for (size_t i = 0; i < len; i++)
		content[i] = (char)(i * 7 + i / 256);
}

Test(board, put_and_get)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 257, 5000 };

	start();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(sizes[i]);
		JOB(board_put(board, "main.py", content, sizes[i], WITHIN, done, NULL));
		EXPECT_STATUS(BOARD_OK);
		struct fake_file *file = fake_board_file(fake, "main.py");
		cr_assert_not_null(file);
		cr_expect(file->len == sizes[i] && memcmp(file->bytes, content, sizes[i]) == 0);
		cr_expect_null(fake_board_file(fake, "main.py.tmp"));
		JOB(board_get(board, "main.py", WITHIN, done, NULL));
		EXPECT_STATUS(BOARD_OK);
		cr_expect(end.len == sizes[i] && memcmp(end.output, content, sizes[i]) == 0);
	}
	stop();
}

/* Whatever goes wrong, the old file stays, and nothing is left behind. */
static void expect_old_file(enum board_status status)
{
	EXPECT_STATUS(status);
	struct fake_file *file = fake_board_file(fake, "main.py");
	cr_assert_not_null(file);
	cr_expect(file->len == 3 && memcmp(file->bytes, "old", 3) == 0);
	cr_expect_null(fake_board_file(fake, "main.py.tmp"));
}

Test(board, put_with_a_wrong_hash)
{
	start();
	fake_board_store(fake, "main.py", "old", 3);
	fake->hash_is_wrong = true;
	JOB(board_put(board, "main.py", content, 1000, WITHIN, done, NULL));
	expect_old_file(BOARD_MISMATCH);
	JOB(board_get(board, "main.py", WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_MISMATCH);
	stop();
}

Test(board, put_without_room)
{
	start();
	fake_board_store(fake, "main.py", "old", 3);
	fake->room = 700;
	JOB(board_put(board, "main.py", content, 1000, WITHIN, done, NULL));
	expect_old_file(BOARD_FULL);
	cr_expect_not_null(strstr(end.traceback, "ENOSPC"), "%s", end.traceback);
	cr_expect_not_null(strstr(end.text, "byte 768 of 1000"), "%s", end.text);
	stop();
}

Test(board, put_on_fat)
{
	start();
	fake->fat = true;
	fake_board_store(fake, "main.py", "old", 3);
	JOB(board_put(board, "main.py", "new!", 4, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	struct fake_file *file = fake_board_file(fake, "main.py");
	cr_expect(file != NULL && file->len == 4);
	cr_expect_null(fake_board_file(fake, "main.py.tmp"));
	stop();
}

Test(board, put_and_the_cable)
{
	start();
	EXEC("print('x')", WITHIN);
	fake->unplug_after = fake->seen_len + 3000;
	JOB(board_put(board, "main.py", content, 5000, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_GONE);
	stop();
}

Test(board, get_what_is_not_there)
{
	start();
	JOB(board_get(board, "nope.py", WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_RAISED);
	cr_expect_not_null(strstr(end.traceback, "ENOENT"));
	JOB(board_remove(board, "nope.py", WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_RAISED);
	fake_board_store(fake, "yes.py", "1", 1);
	JOB(board_remove(board, "yes.py", WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	cr_expect_null(fake_board_file(fake, "yes.py"));
	stop();
}

Test(board, get_more_than_asked_for)
{
	static char large[FAKE_FILE_MAX];

	start();
	fake_board_store(fake, "large", large, 61000);
	JOB(board_get(board, "large", WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_TOO_LARGE);
	stop();
}

Test(board, names_that_cannot_be_sent)
{
	static const char *const names[] = { "", "a'b", "a\\b", "a\nb", "\x04", "caf\xc3\xa9" };
	char longest[SNIPPET_NAME_MAX + 2];

	start();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cr_expect_eq(board_put(board, names[i], "", 0, WITHIN, done, NULL), -EINVAL);
		cr_expect_eq(board_get(board, names[i], WITHIN, done, NULL), -EINVAL);
		cr_expect_eq(board_remove(board, names[i], WITHIN, done, NULL), -EINVAL);
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_eq(board_get(board, longest, WITHIN, done, NULL), -EINVAL);
	cr_expect_eq(fake->seen_len, 0);
	stop();
}

/* ---- the application, identity, resets ---- */

Test(board, application)
{
	struct console_line line;

	start();
	JOB(board_start_app(board, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	cr_expect_eq(fake->reboots, 1);
	cr_expect_eq(board_state(board), REPL_FRIENDLY);
	while (!(
		console_line(board_console(board), console_here(board_console(board)) - 1, &line) &&
		line.len == 18 && memcmp(line.text, "main.py says hello", 18) == 0))
		cr_assert(!bed_run_for(10));
	EXEC("print('after')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	JOB(board_interrupt(board, true, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	cr_expect_eq(fake->reboots, 2);
	stop();
}

Test(board, identity)
{
	struct identity identity;
	char why[200];

	start();
	JOB(board_identify(board, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	REQUIRE(identity_parse(end.output, end.len, &identity) == 0);
	cr_expect_str_eq(identity.unique_id, "e66058388310322c");
	cr_expect_str_eq(identity.machine, "Raspberry Pi Pico W with RP2040");
	struct identity_wanted wanted = { .unique_id = "E66058388310322C", .version = "1.25" };
	cr_expect(identity_matches(&identity, &wanted, why, sizeof(why)));
	wanted.version = "1.2";
	cr_expect_not(identity_matches(&identity, &wanted, why, sizeof(why)));
	cr_expect_str_eq(why, "version is \"1.25.0\", expected \"1.2\"");
	stop();
}

Test(board, reset_of_a_port_that_stays)
{
	start();
	JOB(board_machine_reset(board, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	cr_expect_eq(board_state(board), REPL_UNKNOWN);
	fake->silent = false;
	fake->raw = false;
	fake->mode = FAKE_FRIENDLY;
	EXEC("print('up')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	JOB(board_bootloader(board, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_BAD_INPUT);
	stop();
}

static char pulls[200];
static int pull_fails_at;

static int set_pin(void *owner, enum board_pin pin, bool low)
{
	(void)owner;
	strcat(pulls, pin == BOARD_PIN_RUN ? "RUN" : "BOOTSEL");
	strcat(pulls, low ? " low, " : " free, ");
	return pull_fails_at > 0 && --pull_fails_at == 0 ? -EIO : 0;
}

Test(board, reset_by_pins)
{
	const struct board_pins pins = { set_pin, NULL };

	start();
	JOB(board_reset_by_pins(board, &pins, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	cr_expect_str_eq(pulls, "RUN low, RUN free, ");
	pulls[0] = '\0';
	pull_fails_at = 1;
	JOB(board_reset_by_pins(board, &pins, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_REFUSED);
	cr_expect_str_eq(pulls, "RUN low, RUN free, BOOTSEL free, ", "%s", pulls);
	cr_expect_eq(board_bootsel_by_pins(board, &pins, WITHIN, done, NULL), -EINVAL);
	stop();
}

/* ---- the port ---- */

Test(board, held_by_another_program)
{
	int ready[2], hold[2];

	start();
	REQUIRE(pipe(ready) == 0 && pipe(hold) == 0);
	pid_t child = fork();
	if (child == 0) {
		char byte = 0;
		close(hold[1]);
		int fd = open(fake->path, O_RDWR | O_NOCTTY);
		flock(fd, LOCK_EX);
		if (write(ready[1], &byte, 1) == 1 && read(hold[0], &byte, 1) <= 0)
			_exit(0);
		_exit(1);
	}
	char byte, wanted[64];
	close(hold[0]);
	REQUIRE(read(ready[0], &byte, 1) == 1);
	JOB(board_open(board, 200 * NS_PER_MS, done, NULL));
	EXPECT_STATUS(BOARD_REFUSED);
	snprintf(wanted, sizeof(wanted), "held by pid %d (test_board", (int)child);
	cr_expect_not_null(strstr(end.text, wanted), "%s", end.text);
	close(hold[1]);
	int status;
	REQUIRE(waitpid(child, &status, 0) == child && status == 0);
	JOB(board_open(board, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_OK);
	stop();
}

Test(board, nobody_listens)
{
	bed_start();
	struct board_options options = { .port = "tcp://127.46.0.9:9" };
	memset(&end, 0, sizeof(end));
	REQUIRE(board_new(&bed.loop, NULL, &options, &board) == 0);
	JOB(board_open(board, WITHIN, done, NULL));
	EXPECT_STATUS(BOARD_REFUSED);
	cr_expect_not_null(strstr(end.text, "Connection refused"), "%s", end.text);
	board_free(board);
	options.port = "e66058388310322c";
	cr_expect_eq(board_new(&bed.loop, NULL, &options, &board), -EINVAL);
	bed_end();
}

/* A board that prints without end: jobs go on, memory does not grow, what is lost is counted. */
Test(board, storm)
{
	static char storm[64];

	start();
	EXEC("print('x')", WITHIN);
	memset(storm, 'w', sizeof(storm));
	storm[sizeof(storm) - 1] = '\n';
	for (int i = 0; i < 20000; i++)
		fake_board_say(fake, storm, sizeof(storm));
	EXEC("print('y')", WITHIN);
	cr_expect_eq(end.status, BOARD_BROKEN, "its output stands where the answer should");
	EXEC("print('z')", WITHIN);
	EXPECT_STATUS(BOARD_OK);
	cr_expect_str_eq(end.output, "z\r\n");
	struct console_stats stats = console_stats(board_console(board));
	cr_expect_geq(stats.lines, 20000);
	cr_expect_geq(stats.overwritten, 20000 - 1024);
	stop();
}

static void free_in_done(void *owner, const struct board_result *result)
{
	(void)owner;
	end.status = result->status;
	end.calls++;
	board_free(board);
	loop_stop(&bed.loop);
}

Test(board, freed_in_its_own_call)
{
	start();
	JOB(board_exec(board, "print('x')", 10, WITHIN, free_in_done, NULL));
	cr_expect_eq(end.status, BOARD_OK);
	fake_board_free(fake);
	bed_end();
}

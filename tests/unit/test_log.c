/*
 * The log: its lines, hostile text, floods, a disk that is full.
 */
#include "emulator/base/log.h"
#include "emulator/base/units.h"
#include "emulator/base/word.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop loop;
static struct log *file;
static char path[] = "/tmp/quintain_log_XXXXXX";

static void open_at(const char *where, size_t targets)
{
	loop_init_simulated(&loop, 0);
	loop.now_ns = 5 * NS_PER_S;
	cr_assert_eq(log_open(where, &loop, targets, &file), 0);
}

static void setup(void)
{
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	close(fd);
	open_at(path, 4);
}

static void teardown(void)
{
	log_free(file);
	loop_release(&loop);
	unlink(path);
}

TestSuite(log, .init = setup, .fini = teardown, .timeout = 60);

/* All that is in the file. The caller frees it. */
static char *written(void)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;

	cr_assert_not_null(in);
	ssize_t len = getdelim(&text, &cap, EOF, in);
	fclose(in);
	if (len < 0)
		*(text = realloc(text, 1)) = '\0';
	return text;
}

static void expect_written(const char *expected)
{
	char *text = written();

	cr_expect_str_eq(text, expected, "%s", text);
	free(text);
}

static void tell(const struct event *event)
{
	log_sink(file)->event(log_sink(file), event);
}

Test(log, lines)
{
	const struct event events[] = {
		{ .t_ns = 5 * NS_PER_S, .kind = EVENT_NOTE, .target = EVENT_NO_TARGET },
		{ .t_ns = 17345678000, .kind = EVENT_STANDING, .target = 2, .name = "target_3" },
		{ .t_ns = 17345678999,
		  .kind = EVENT_COMMAND,
		  .target = 2,
		  .name = "target_3",
		  .type = RANGE_PING,
		  .value = -7,
		  .text = "{\"type\": \"x\"}\n",
		  .text_len = 14 },
	};

	cr_expect_eq(log_sink(file)->mask, EVENT_ALL);
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		tell(&events[i]);
	loop.now_ns = 6 * NS_PER_S;
	log_note(file, "fleet \"started\"", "targets=3 seed=7");
	log_note(file, "alone", NULL);
	expect_written("");
	log_flush(file);
	expect_written("t=0.000000 event=note\n"
		       "t=12.345678 event=standing target=\"target_3\"\n"
		       "t=12.345679 event=command target=\"target_3\" type=ping value=-7 "
		       "text=\"{\\\"type\\\": \\\"x\\\"}\"\n"
		       "t=1.000000 note=\"fleet \\\"started\\\"\" targets=3 seed=7\n"
		       "t=1.000000 note=\"alone\"\n");
	cr_expect_eq(log_lost(file), 0);
}

Test(log, closing_flushes)
{
	log_note(file, "last words", NULL);
	log_free(file);
	expect_written("t=0.000000 note=\"last words\"\n");
	cr_expect_eq(loop.timers.count, 0);
	log_free(NULL); /* harmless */
	open_at(path, 4);
	log_flush(file);
	expect_written(""); /* opening starts anew */
}

Test(log, flushes_now_and_then)
{
	log_note(file, "soon", NULL);
	loop_run(&loop, 5 * NS_PER_S + NS_PER_S / 4);
	expect_written("");
	loop_run(&loop, 6 * NS_PER_S);
	expect_written("t=0.000000 note=\"soon\"\n");
}

/* ---- hostile text ---- */

/* One line, of printable ASCII, whose quotes pair. */
static void expect_harmless(const char *text, const char *what)
{
	size_t len = strlen(text);

	cr_assert(len > 0 && text[len - 1] == '\n', "%s: no whole line", what);
	cr_assert_leq(len, 2048);
	unsigned quotes = 0;
	for (size_t i = 0; i + 1 < len; i++) {
		cr_assert(text[i] >= 0x20 && text[i] < 0x7f, "%s: byte %02x", what,
			  (unsigned char)text[i]);
		if (text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quotes++;
	}
	cr_expect_eq(quotes % 2, 0, "%s", what);
}

Test(log, hostile_text_stays_in_its_line)
{
	char *all = malloc(100000);

	log_free(file);
	for (int fill = 0; fill < 256; fill++) {
		open_at(path, 4);
		memset(all, fill, 100000);
		for (size_t len = 1; len < 5000; len = len * 3 + 1)
			tell(&(struct event){ .kind = EVENT_BAD_LINE,
					      .target = EVENT_NO_TARGET,
					      .name = "x",
					      .type = RANGE_ACTIVATE,
					      .value = INT64_MIN,
					      .t_ns = INT64_MAX,
					      .text = all,
					      .text_len = len });
		log_free(file);
		char *lines = written();
		for (char *at = lines, *end; *at != '\0'; at = end + 1) {
			end = strchr(at, '\n');
			cr_assert_not_null(end);
			char *line = strndup(at, (size_t)(end - at) + 1);
			expect_harmless(line, "filled");
			free(line);
		}
		free(lines);
	}
	open_at(path, 4);
	free(all);
}

Test(log, escapes)
{
	static const char hostile[] = "a\"b\\c\nd\r\t\x1b[2J\x7f\xc3\xa9\0e\n";

	tell(&(struct event){ .t_ns = 5 * NS_PER_S,
			      .kind = EVENT_BAD_LINE,
			      .target = 0,
			      .name = "n\" event=hit\nt=1",
			      .text = hostile,
			      .text_len = sizeof(hostile) - 1 });
	log_note(file, "a\nb\"", NULL);
	log_flush(file);
	expect_written("t=0.000000 event=bad_line target=\"n\\\" event=hit\\x0at=1\" "
		       "text=\"a\\\"b\\\\c\\x0ad\\x0d\\x09\\x1b[2J\\x7f\\xc3\\xa9\\x00e\"\n"
		       "t=0.000000 note=\"a\\x0ab\\\"\"\n");
}

Test(log, names_and_notes_of_any_length)
{
	char *name = malloc(5000);

	memset(name, '\\', 4999);
	name[4999] = '\0';
	tell(&(struct event){ .t_ns = 5 * NS_PER_S,
			      .kind = EVENT_M_ROUND_END,
			      .target = 1,
			      .name = name,
			      .text = name,
			      .text_len = 4999 });
	log_note(file, name, name);
	memset(name, 'x', 4999);
	log_note(file, name, name);
	log_flush(file);
	char *text = written();
	int lines = 0;
	for (char *at = text; *at != '\0'; at = strchr(at, '\n') + 1, lines++)
		cr_assert_leq(strchr(at, '\n') - at, 2047);
	cr_expect_eq(lines, 3);
	free(text);
	free(name);
}

/* ---- floods ---- */

static void flood(uint32_t target, int64_t second, int lines)
{
	for (int i = 0; i < lines; i++)
		tell(&(struct event){
			.t_ns = second * NS_PER_S + i, .kind = EVENT_MISS, .target = target });
}

static int count(const char *what)
{
	int n = 0;

	log_flush(file);
	char *text = written();
	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	free(text);
	return n;
}

Test(log, a_flood_is_cut_and_said)
{
	flood(1, 7, LOG_LINES_PER_S);
	cr_expect_eq(count("\n"), LOG_LINES_PER_S);
	flood(1, 7, 23);
	cr_expect_eq(count("\n"), LOG_LINES_PER_S, "no more of this one in this second");
	flood(2, 7, 5);
	cr_expect_eq(count("\n"), LOG_LINES_PER_S + 5, "others have their own");
	flood(EVENT_NO_TARGET, 7, 300);
	flood(4, 7, 300); /* not of this fleet */
	cr_expect_eq(count("\n"), LOG_LINES_PER_S + 605, "the run itself has none");
	cr_expect_eq(count("suppressed"), 0);
	flood(1, 8, 2);
	cr_expect_eq(count("suppressed=23\n"), 1, "in the next line of the same target");
	cr_expect_eq(count("suppressed"), 1);
	flood(2, 8, 1);
	cr_expect_eq(count("suppressed"), 1, "who left out nothing says nothing");
}

Test(log, a_flood_larger_than_sixteen_bits)
{
	flood(1, 7, LOG_LINES_PER_S + 70000);
	flood(1, 8, 1);
	cr_expect_eq(count("suppressed=70000\n"), 1);
}

/* A target that floods and then falls silent: what was left out is said at the end. */
Test(log, a_flood_at_the_end_is_said)
{
	flood(1, 7, LOG_LINES_PER_S + 5);
	flood(3, 7, LOG_LINES_PER_S + 7);
	log_free(file);
	char *text = written();
	const char *last = strstr(text, "suppressed=");
	cr_assert_not_null(last);
	cr_expect_str_eq(last, "suppressed=12\n");
	free(text);
	open_at(path, 4);
}

/* ---- no room ---- */

Test(log, a_full_disk_loses_lines_not_the_run)
{
	char line[1000];

	log_free(file);
	cr_assert_not_null(freopen("/dev/null", "w", stderr));
	open_at("/dev/full", 4);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 200; i++)
		log_note(file, line, NULL);
	log_flush(file);
	cr_expect_eq(log_lost(file), 200);
	log_note(file, "again", NULL);
	log_flush(file);
	cr_expect_eq(log_lost(file), 201);
	log_flush(file);
	cr_expect_eq(log_lost(file), 201, "nothing new to lose");
}

Test(log, cannot_be_opened)
{
	struct log *other = NULL;

	cr_expect_eq(log_open("/no/such/folder/log", &loop, 4, &other), -ENOENT);
	cr_expect_eq(log_open("/tmp", &loop, 4, &other), -EISDIR);
	cr_expect_null(other);
	cr_expect_eq(loop.timers.count, 1, "the timer of the one that is open");
}

/* A reader that sleeps must not stop the loop: its lines wait, then are lost and counted. */
Test(log, a_pipe_that_nobody_reads)
{
	char *line = malloc(1000), *got = malloc(1 << 22);
	struct loop real;
	struct log *pipe_log;
	size_t len = 0;
	ssize_t n;

	unlink(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert(freopen("/dev/null", "w", stderr) != NULL && reader >= 0);
	cr_assert_eq(loop_init(&real), 0);
	cr_assert_eq(log_open(path, &real, 4, &pipe_log), 0);
	memset(line, 'x', 999);
	line[999] = '\0';
	for (int i = 0; i < 3000; i++)
		log_note(pipe_log, line, NULL);
	log_flush(pipe_log);
	cr_expect_gt(log_lost(pipe_log), 0);
	while ((n = read(reader, got + len, (1 << 22) - len)) > 0 || log_lost(pipe_log) == 0)
		len += (size_t)n;
	log_flush(pipe_log);
	uint64_t lost = log_lost(pipe_log);
	log_free(pipe_log);
	while ((n = read(reader, got + len, (1 << 22) - len)) > 0)
		len += (size_t)n;
	uint64_t lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += got[i] == '\n';
	cr_expect_eq(lines + lost, 3000, "%llu came, %llu were lost", (unsigned long long)lines,
		     (unsigned long long)lost);
	cr_expect(len > 0 && got[len - 1] == '\n', "none is cut");
	close(reader);
	loop_release(&real);
	free(line);
	free(got);
}

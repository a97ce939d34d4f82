/* events.jsonl in real time: the thread, its queue, and disks that take no more. */
#include "emulator/results/jsonl.h"
#include "emulator/results/stream.h"
#include "emulator/base/word.h"
#include "tests/support/require.h"
#include "tests/support/results_dir.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct results_dir dir;

static void make(void)
{
	results_dir_make(&dir);
}

static void clean(void)
{
	results_dir_remove(dir.path);
}

TestSuite(stream, .init = make, .fini = clean);

static int open_file(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/events.jsonl", dir.path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	cr_assert(fd >= 0);
	return fd;
}

static struct stream *open_stream(int fd, size_t queue, bool in_place, struct events *events)
{
	struct stream *stream;

	cr_assert(stream_open(fd, queue, in_place, &stream) == 0);
	events_add(events, stream_sink(stream));
	return stream;
}

static void tell(const struct events *events, int64_t value, const char *text, size_t len)
{
	static const char name[] = "target_3";
	const struct event event = { .t_ns = 1000 + value,
				     .kind = EVENT_M_OK,
				     .name = name,
				     .type = RANGE_PING,
				     .value = value,
				     .text = text,
				     .text_len = len };

	events_deliver(events, &event);
}

/* Every line is JSON and ends. Returns how many. */
static size_t check_lines(const char *text, size_t len)
{
	size_t lines = 0;

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		REQUIRE(end != NULL);
		REQUIRE(qn_json_check(text, (size_t)(end - text), QN_JSON_STRICT, 0, NULL) ==
			QN_OK);
		len -= (size_t)(end + 1 - text);
		text = end + 1;
		lines++;
	}
	return lines;
}

static void expect_lines(const char *expected)
{
	char *text = results_dir_read(dir.path, "events.jsonl", NULL);

	cr_expect_str_eq(text, expected);
	free(text);
}

static void write_samples(struct events *events, struct stream *stream)
{
	static const char name_raw[] = "t\xed\xa0\x80";
	const struct event note = {
		.t_ns = 1007, .kind = EVENT_NOTE, .text = "a\n", .text_len = 2
	};
	const struct event raw = { .t_ns = 1008,
				   .kind = EVENT_DOWN,
				   .name = name_raw,
				   .text = "\xff\"\\\x01z\xc3\xbc",
				   .text_len = 7 };

	stream_start(stream, 1000);
	tell(events, 0, NULL, 0);
	tell(events, -5, "\xc3\xbc\"", 3);
	events_deliver(events, &note);
	events_deliver(events, &raw);
	stream_finish(stream, 2000);
}

static const char samples[] =
	"{\"t\":0,\"event\":\"m_ok\",\"target\":\"target_3\",\"type\":\"ping\",\"value\":0}\n"
	"{\"t\":-5,\"event\":\"m_ok\",\"target\":\"target_3\",\"type\":\"ping\",\"value\":-5,"
	"\"text\":\"\xc3\xbc\\\"\"}\n"
	"{\"t\":7,\"event\":\"note\",\"text\":\"a\\n\"}\n"
	"{\"t\":8,\"event\":\"down\",\"target\":\"t\\u00ed\\u00a0\\u0080\",\"target_raw\":true,"
	"\"text\":\"\\u00ff\\u0022\\u005c\\u0001z\\u00c3\\u00bc\",\"raw\":true}\n"
	"{\"t\":1000,\"event\":\"dropped\",\"value\":0}\n";

Test(stream, lines_by_the_thread)
{
	struct events events = { 0 };
	struct stream *stream = open_stream(open_file(), 0, false, &events);

	write_samples(&events, stream);
	cr_expect(stream_written(stream) == 4);
	cr_expect(stream_dropped(stream) == 0);
	stream_free(stream);
	expect_lines(samples);
}

Test(stream, the_same_lines_in_place)
{
	struct events events = { 0 };
	struct stream *stream = open_stream(open_file(), 0, true, &events);

	write_samples(&events, stream);
	cr_expect(stream_written(stream) == 4);
	stream_free(stream);
	expect_lines(samples);
}

Test(stream, all_kinds_by_their_names)
{
	struct events events = { 0 };
	struct stream *stream = open_stream(open_file(), 0, false, &events);
	char expected[128];

	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		const struct event event = { .kind = (enum event_kind)kind, .value = 7 };
		events_deliver(&events, &event);
	}
	stream_finish(stream, 0);
	stream_free(stream);
	char *text = results_dir_read(dir.path, "events.jsonl", NULL), *at = text;
	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		int len = snprintf(expected, sizeof(expected),
				   "{\"t\":0,\"event\":\"%s\",\"value\":7}\n",
				   event_name((enum event_kind)kind));
		cr_expect(strncmp(at, expected, (size_t)len) == 0, "%.60s", at);
		at += len;
	}
	free(text);
}

Test(stream, a_long_text_is_cut_at_a_character)
{
	struct events events = { 0 };
	struct stream *stream = open_stream(open_file(), 1 << 20, false, &events);
	size_t len = JSONL_TEXT_MAX + 100;
	char *text = malloc(len);

	memset(text, 'x', len);
	memcpy(text + JSONL_TEXT_MAX - 2, "\xf0\x9f\x8e\xaf", 4);
	tell(&events, 1, text, JSONL_TEXT_MAX - 2);
	tell(&events, 2, text, len);
	memset(text, 0x01, len); /* six times as long in the file */
	tell(&events, 3, text, len);
	memset(text, 0x80, len); /* nothing but bytes that go on */
	tell(&events, 4, text, len);
	stream_finish(stream, 0);
	cr_expect(stream_written(stream) == 4);
	stream_free(stream);
	free(text);
	text = results_dir_read(dir.path, "events.jsonl", &len);
	cr_expect(check_lines(text, len) == 5);
	cr_expect(strstr(text, "x\",\"text_bytes\":65636}") != NULL);
	cr_expect(strstr(text, "\xf0") == NULL);
	free(text);
}

Test(stream, many_events_come_in_order)
{
	struct events events = { 0 };
	struct stream *stream = open_stream(open_file(), 64 << 20, false, &events);
	size_t len, lines = 0;

	for (int i = 0; i < 200000; i++)
		tell(&events, i, "{\"type\": \"ping\", \"id\": \"x\"}\n", 28);
	stream_finish(stream, 0);
	cr_expect(stream_dropped(stream) == 0);
	cr_expect(stream_written(stream) == 200000);
	stream_free(stream);
	char *text = results_dir_read(dir.path, "events.jsonl", &len);
	/* Bounded looks alone: under strict_string_checks strchr() and its like read to the text's
	 * end. */
	for (const char *at = text; lines < 200000;
	     at = (char *)memchr(at, '\n', (size_t)(text + len - at)) + 1) {
		char head[32];
		int len_head = snprintf(head, sizeof(head), "{\"t\":%lld,",
					1000 + (long long)lines);
		REQUIRE(memcmp(at, head, (size_t)len_head) == 0);
		lines++;
	}
	cr_expect(check_lines(text, len) == lines + 1);
	free(text);
}

/* ---- what cannot be written ---- */

struct reader {
	int fd;
	char *text;
	size_t len;
};

static void *read_all(void *context)
{
	struct reader *reader = context;

	for (ssize_t n; (n = read(reader->fd, reader->text + reader->len, 65536)) > 0;)
		reader->len += (size_t)n;
	return NULL;
}

/* A pipe that nobody reads holds the thread up; what the queue cannot take is dropped, counted, and
 * told in the last line. */
Test(stream, a_full_queue_drops_and_counts)
{
	struct events events = { 0 };
	int ends[2];
	cr_assert(pipe(ends) == 0);
	struct reader reader = { .fd = ends[0], .text = malloc(8 << 20) };
	struct stream *stream = open_stream(ends[1], 4096, false, &events);
	pthread_t thread;
	int64_t told = 0;

	while (stream_dropped(stream) < 1000 && told < 1000000)
		tell(&events, told++, "some text", 9);
	cr_assert(stream_dropped(stream) >= 1000, "the queue was never full");
	cr_assert(pthread_create(&thread, NULL, read_all, &reader) == 0);
	stream_finish(stream, 0);
	pthread_join(thread, NULL);
	uint64_t dropped = stream_dropped(stream), written = stream_written(stream);
	cr_expect(dropped + written == (uint64_t)told);
	cr_expect(check_lines(reader.text, reader.len) == written + 1);
	char last[64];
	int len = snprintf(last, sizeof(last), "\"event\":\"dropped\",\"value\":%llu}\n",
			   (unsigned long long)dropped);
	cr_expect(memcmp(reader.text + reader.len - (size_t)len, last, (size_t)len) == 0);
	stream_free(stream);
	close(ends[0]);
	free(reader.text);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void check_full_disk(bool in_place)
{
	struct events events = { 0 };
	struct stream *stream = open_stream(open_file(), 0, in_place, &events);
	size_t len;

	/* Small enough that the test's report to its runner is not concerned: that is no file. */
	limit_files(10000);
	for (int i = 0; i < 5000; i++)
		tell(&events, i, "some text", 9);
	stream_finish(stream, 0);
	uint64_t written = stream_written(stream);
	cr_expect(written > 50 && written < 200, "%llu", (unsigned long long)written);
	cr_expect(stream_dropped(stream) + written == 5000);
	stream_free(stream);
	char *text = results_dir_read(dir.path, "events.jsonl", &len);
	cr_expect(len <= 10000);
	size_t lines = check_lines(text, len);
	cr_expect(lines == written || lines == written + 1);
	free(text);
}

Test(stream, a_full_disk_loses_whole_lines)
{
	check_full_disk(false);
}

Test(stream, a_full_disk_loses_whole_lines_in_place)
{
	check_full_disk(true);
}

/* Space comes back: what follows is written again, after whole lines. */
Test(stream, goes_on_when_there_is_space_again)
{
	struct events events = { 0 };
	struct stream *stream = open_stream(open_file(), 0, true, &events);
	size_t len;

	limit_files(10000);
	for (int i = 0; i < 3000; i++)
		tell(&events, i, "some text", 9);
	limit_files(RLIM_INFINITY);
	for (int i = 0; i < 3000; i++)
		tell(&events, i, "some text", 9);
	stream_finish(stream, 0);
	uint64_t written = stream_written(stream);
	cr_expect(written > 3000 && written < 6000);
	cr_expect(stream_dropped(stream) + written == 6000);
	stream_free(stream);
	char *text = results_dir_read(dir.path, "events.jsonl", &len);
	cr_expect(check_lines(text, len) == written + 1);
	free(text);
}

Test(stream, a_device_that_is_full)
{
	struct events events = { 0 };
	int fd = open("/dev/full", O_WRONLY | O_APPEND | O_CLOEXEC);

	cr_assert(fd >= 0);
	struct stream *stream = open_stream(fd, 0, false, &events);
	for (int i = 0; i < 1000; i++)
		tell(&events, i, "some text", 9);
	stream_finish(stream, 0);
	cr_expect(stream_written(stream) == 0);
	cr_expect(stream_dropped(stream) == 1000);
	stream_free(stream);
}

/* ---- the thread's life ---- */

static unsigned threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;

	cr_assert(tasks != NULL);
	while (readdir(tasks) != NULL)
		n++;
	closedir(tasks);
	return n - 2;
}

Test(stream, the_thread_ends_with_the_stream)
{
	struct events events = { 0 };
	unsigned before = threads();
	struct stream *stream = open_stream(open_file(), 0, false, &events);

	cr_expect(threads() == before + 1);
	stream_finish(stream, 0);
	cr_expect(threads() == before);
	stream_finish(stream, 0);
	tell(&events, 1, NULL, 0); /* too late: ignored */
	stream_free(stream);

	/* Without a finish: a run that could not start. What was told is in the file. */
	events = (struct events){ 0 };
	stream = open_stream(open_file(), 0, false, &events);
	stream_start(stream, 1000);
	tell(&events, 0, NULL, 0);
	stream_free(stream);
	cr_expect(threads() == before);
	expect_lines("{\"t\":0,\"event\":\"m_ok\",\"target\":\"target_3\",\"type\":\"ping\","
		     "\"value\":0}\n");
}

/* The files of a run: where they go, that they are whole, that a seed gives the same bytes. */
#include "emulator/results/jsonl.h"
#include "tests/support/json_path.h"
#include "tests/support/require.h"
#include "tests/support/results_dir.h"
#include "tests/support/results_run.h"

#include <errno.h>
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

TestSuite(results, .init = make, .fini = clean);

static const char *const documents[] = { "summary.json", "junit.xml", "report.html" };

static const struct results_end passed = { .verdict = "PASS", .why = "" };

static struct results_options simulated(const char *path)
{
	return (struct results_options){ .dir = path,
					 .events = true,
					 .title = "a title",
					 .config_path = "configs/some.cfg",
					 .seed = 7,
					 .simulated = true };
}

/* Plays a run into that directory. */
static int play(struct results_options options, int64_t for_ns, const struct results_end *end)
{
	struct results_run *run = malloc(sizeof(*run));

	results_run_open(run, options);
	results_run_play(run, for_ns);
	int rc = results_finish(run->results, end);
	cr_expect(results_dropped(run->results) == 0);
	results_run_close(run);
	free(run);
	return rc;
}

static int try_open(const char *path)
{
	struct results_options options = simulated(path);
	struct events events = { 0 };
	struct results *results = NULL;
	struct loop loop;

	loop_init_simulated(&loop, 0);
	int rc = results_open(&options, &loop, &events, NULL, NULL, &results);
	cr_expect((rc == 0) == (results != NULL));
	results_free(results);
	cr_expect(events.sinks == NULL);
	loop_release(&loop);
	return rc;
}

/* ---- the directory ---- */

Test(results, folders_are_made)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/a/b//c/", dir.path);
	cr_expect(try_open(path) == 0);
	cr_expect(results_dir_has(path, "events.jsonl"));
	cr_expect(try_open(path) == 0);
}

Test(results, what_is_no_folder_is_refused)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file", dir.path);
	FILE *file = fopen(path, "w");
	cr_assert(file != NULL);
	fclose(file);
	cr_expect(try_open(path) == -ENOTDIR);
	snprintf(path, sizeof(path), "%s/file/below", dir.path);
	cr_expect(try_open(path) == -ENOTDIR);
	cr_expect(try_open("") == -ENOENT);
}

Test(results, a_folder_that_may_not_be_written_is_refused)
{
	cr_assert(chmod(dir.path, 0555) == 0);
	/* root may write anywhere. */
	if (geteuid() == 0)
		cr_assert(seteuid(65534) == 0);
	int rc = try_open(dir.path);
	if (getuid() == 0)
		cr_assert(seteuid(0) == 0);
	cr_expect(rc == -EACCES, "%s", strerror(-rc));
}

Test(results, files_of_an_earlier_run_go)
{
	static const char *const old[] = { "events.jsonl", "summary.json",          "junit.xml",
					   "report.html",  "latency-activate.hgrm", "mine.txt" };
	char path[128];

	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir.path, old[i]);
		FILE *file = fopen(path, "w");
		cr_assert(file != NULL);
		fputs("old\n", file);
		fclose(file);
	}
	cr_expect(try_open(dir.path) == 0);
	for (size_t i = 1; i < 5; i++)
		cr_expect(!results_dir_has(dir.path, old[i]), "%s", old[i]);
	cr_expect(results_dir_has(dir.path, "mine.txt"));
}

/* ---- what is in them ---- */

static size_t check_lines(const char *text)
{
	size_t lines = 0;

	for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1, lines++)
		REQUIRE(qn_json_check(text, (size_t)(end - text), QN_JSON_STRICT, 0, NULL) ==
			QN_OK);
	cr_expect(*text == '\0', "the last line does not end");
	return lines;
}

Test(results, all_files_of_a_run)
{
	size_t len;

	cr_assert(play(simulated(dir.path), 20 * NS_PER_S, &passed) == 0);
	char *text = results_dir_read(dir.path, "events.jsonl", &len);
	size_t lines = check_lines(text);
	cr_expect(lines > 10000);
	static const char last[] = "}\n{\"t\":20000000000,\"event\":\"dropped\",\"value\":0}\n";
	cr_expect_str_eq(text + len - (sizeof(last) - 1), last);
	free(text);

	text = results_dir_read(dir.path, "summary.json", &len);
	cr_expect(qn_json_check(text, len, QN_JSON_STRICT, 0, NULL) == QN_OK, "%s", text);
	EXPECT_JSON(text, "events", lines - 1);
	EXPECT_JSON(text, "dropped", 0);
	EXPECT_JSON(text, "seed", 7);
	EXPECT_JSON(text, "seconds", 20);
	cr_expect(json_is(text, "verdict", "PASS"));
	cr_expect(json_is(text, "config", "some.cfg"));
	cr_expect(json_is(text, "title", "a title"));
	cr_expect(strstr(text, "\"simulated\": true") != NULL);
	cr_expect(strstr(text, "\"verdicts\": []") != NULL);
	cr_expect(strstr(text, "started") == NULL);
	free(text);

	/* One for each command that was sent. */
	text = results_dir_read(dir.path, "latency-ping.hgrm", NULL);
	cr_expect(strstr(text, "Percentile TotalCount 1/(1-Percentile)") != NULL);
	cr_expect(strstr(text, "#[Max ") != NULL);
	free(text);
	cr_expect(results_dir_has(dir.path, "latency-stand_up.hgrm"));
	for (int i = 0; i < 3; i++)
		cr_expect(results_dir_has(dir.path, documents[i]));
}

Test(results, only_what_was_sent_has_a_histogram)
{
	struct results_options options = simulated(dir.path);

	options.events = false;
	cr_assert(play(options, 5 * NS_PER_S, &passed) == 0);
	cr_expect(results_dir_has(dir.path, "latency-ping.hgrm"));
	cr_expect(!results_dir_has(dir.path, "latency-activate.hgrm"));
	cr_expect(!results_dir_has(dir.path, "events.jsonl"));
	char *text = results_dir_read(dir.path, "summary.json", NULL);
	cr_expect(strstr(text, "\"events\"") == NULL);
	EXPECT_JSON(text, "dropped", 0);
	free(text);
}

static void put_summary(void *context, FILE *out)
{
	fputs(context, out);
}

static char *summary_of(const char *given)
{
	struct results_end end = passed;

	end.summary = put_summary;
	end.context = (void *)(uintptr_t)given;
	cr_assert(play(simulated(dir.path), NS_PER_S, &end) == 0);
	return results_dir_read(dir.path, "summary.json", NULL);
}

Test(results, the_callers_summary_comes_first)
{
	char *text = summary_of(" {\"verdict\": \"FAIL\", \"master\": {\"sent\": 3, \"x\": "
				"[1,2, {\"a\":null}]},\"dropped\": 5}\n");

	cr_expect(strncmp(text,
			  "{\n  \"verdict\": \"FAIL\",\n"
			  "  \"master\": {\"sent\": 3, \"x\": [1, 2, {\"a\": null}]},\n"
			  "  \"dropped\": 5,\n  \"why\": \"\",\n",
			  100) == 0,
		  "%s", text);
	/* What it has already is not said twice. */
	cr_expect(strstr(strstr(text, "\"dropped\"") + 1, "\"dropped\"") == NULL);
	EXPECT_JSON(text, "dropped", 5);
	EXPECT_JSON(text, "seed", 7);
	free(text);
}

Test(results, a_summary_that_is_no_object_is_left_out)
{
	static const char *const bad[] = { "", "{\"a\": ", "[1]", "{} {}", "{}" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = summary_of(bad[i]);
		cr_expect(qn_json_check(text, strlen(text), QN_JSON_STRICT, 0, NULL) == QN_OK,
			  "%s gave %s", bad[i], text);
		cr_expect(json_is(text, "verdict", "PASS"));
		free(text);
	}
}

Test(results, verdicts_with_hostile_texts)
{
	const struct verdict verdict = { .name = "a \"name\" \xff\x01",
					 .that = "x < 1\n",
					 .mode = NULL,
					 .outcome = VERDICT_FAIL,
					 .seen = "\\",
					 .at_ns = 1500000000,
					 .targets_total = 12,
					 .targets_count = 2,
					 .targets = { "t\"1", "\xed\xa0\x80" },
					 .file = "a/b/c.cfg",
					 .line = 3 };
	const struct verdict *const all[] = { &verdict };
	struct results_end end = {
		.verdict = "FAIL", .why = "\x1b[2J", .verdicts = all, .verdict_count = 1
	};
	size_t len;

	cr_assert(play(simulated(dir.path), NS_PER_S, &end) == 0);
	char *text = results_dir_read(dir.path, "summary.json", &len);
	cr_expect(qn_json_check(text, len, QN_JSON_STRICT, 0, NULL) == QN_OK, "%s", text);
	cr_expect(strstr(text, "\"at_seconds\": 1.500000,") != NULL);
	cr_expect(strstr(text, "\"targets_total\": 12,") != NULL);
	cr_expect(strstr(text, "\"file\": \"c.cfg\",") != NULL);
	cr_expect(strstr(text, "\"outcome\": \"FAIL\",") != NULL);
	free(text);
}

/* ---- the same seed, the same bytes ---- */

static void expect_same_files(const char *one, const char *other)
{
	static const char *const names[] = { "events.jsonl",      "summary.json",
					     "junit.xml",         "report.html",
					     "latency-ping.hgrm", "latency-activate.hgrm" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len[2];
		char *text[2] = { results_dir_read(one, names[i], &len[0]),
				  results_dir_read(other, names[i], &len[1]) };
		cr_expect(len[0] == len[1] && memcmp(text[0], text[1], len[0]) == 0, "%s differs",
			  names[i]);
		free(text[0]);
		free(text[1]);
	}
}

Test(results, simulated_runs_are_the_same_byte_for_byte)
{
	char path[2][128];

	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%d", dir.path, i);
		struct results_options options = simulated(path[i]);
		options.config_path = i == 0 ? "some.cfg" : "/elsewhere/some.cfg";
		cr_assert(play(options, 50 * NS_PER_S, &passed) == 0);
	}
	expect_same_files(path[0], path[1]);
	struct results_options options = simulated(path[1]);
	options.seed = 8;
	cr_assert(play(options, 50 * NS_PER_S, &passed) == 0);
	char *one = results_dir_read(path[0], "events.jsonl", NULL);
	char *other = results_dir_read(path[1], "events.jsonl", NULL);
	cr_expect(strcmp(one, other) != 0, "the seed decides nothing");
	free(one);
	free(other);
}

/* ---- in real time ---- */

Test(results, a_real_run_says_when_and_where)
{
	struct results_options options = simulated(dir.path);
	struct events events = { 0 };
	struct results *results;
	struct loop loop;

	options.simulated = false;
	cr_assert(loop_init(&loop) == 0);
	loop.wall_ns = INT64_C(1763740800) * NS_PER_S;
	cr_assert(results_open(&options, &loop, &events, NULL, NULL, &results) == 0);
	results_start(results);
	const struct event note = {
		.t_ns = loop.now_ns + 5, .kind = EVENT_NOTE, .text = "x", .text_len = 1
	};
	events_deliver(&events, &note);
	cr_expect(results_finish(results, &passed) == 0);
	cr_expect(results_finish(results, &passed) == 0); /* a second time is harmless */
	results_free(results);
	cr_expect(events.sinks == NULL);
	events_deliver(&events, &note); /* nobody is left to hear it */
	loop_release(&loop);

	char *text = results_dir_read(dir.path, "summary.json", NULL);
	cr_expect(json_is(text, "started", "2025-11-21T16:00:00Z"), "%s", text);
	cr_expect(json_is(text, "config", "configs/some.cfg"));
	free(text);
	text = results_dir_read(dir.path, "events.jsonl", NULL);
	cr_expect_str_eq(text, "{\"t\":5,\"event\":\"note\",\"text\":\"x\"}\n"
			       "{\"t\":0,\"event\":\"dropped\",\"value\":0}\n");
	free(text);
}

/* The disk is full at the end: what does not fit is not there at all, and the caller is told. */
Test(results, a_file_is_whole_or_not_there)
{
	struct results_run *run = malloc(sizeof(*run));
	struct rlimit limit = { 4096, RLIM_INFINITY }, before;

	results_run_open(run, simulated(dir.path));
	results_run_play(run, 10 * NS_PER_S);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	int rc = results_finish(run->results, &passed);
	cr_assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
	cr_expect(rc == -EFBIG, "%s", strerror(-rc));
	cr_expect_str_eq(results_trouble(run->results), "report.html");
	cr_expect(results_dir_has(dir.path, "summary.json"));
	cr_expect(!results_dir_has(dir.path, "report.html"));
	cr_expect(!results_dir_has(dir.path, "report.html.part"));
	results_run_close(run);
	free(run);
}

/* A run that could not start: nothing was begun, nothing is finished. */
Test(results, freed_without_a_beginning)
{
	cr_expect(try_open(dir.path) == 0);
	results_free(NULL);
}

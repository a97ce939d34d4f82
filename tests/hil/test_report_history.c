/*
 * The history: what comes out is what went in, and nothing that was acknowledged is ever lost.
 */
#include "hil/report/history.h"
#include "hil/report/reports.h"
#include "hil/report/writers.h"

#include "emulator/base/rng.h"
#include "tests/hil/hil_run.h"
#include "tests/support/results_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct record record, loaded;
static struct results_dir dir;
static char path[128];

static void set_up(void)
{
	results_dir_make(&dir);
	snprintf(path, sizeof(path), "%s/deep/er/history.db", dir.path);
}

static void tear_down(void)
{
	results_dir_remove(dir.path);
}

static struct history *open_history(void)
{
	struct history *history = NULL;
	int rc = history_open(path, &history);

	cr_assert(rc == 0, "%d %s", rc, history != NULL ? history_error(history) : "");
	return history;
}

static struct history *open_read(void)
{
	struct history *history = NULL;

	cr_assert(history_open_read(path, &history) == 0);
	return history;
}

static void store(struct history *history, const struct record *of)
{
	cr_assert(history_begin(history, of) == 0, "%s", history_error(history));
	for (uint32_t i = 0; i < of->step_count; i++)
		cr_assert(history_step(history, &of->steps[i], record_excerpt(of, i)) == 0, "%s",
			  history_error(history));
}

static int64_t number(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;

	cr_assert(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	cr_assert(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
		  sqlite3_errmsg(db));
	cr_assert(sqlite3_step(statement) == SQLITE_ROW);
	int64_t value = strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0
				? 1
				: sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

/* ---- in and out ---- */

static void same_reports(void (*put)(const struct record *record, FILE *out))
{
	char *before = text_of(put, &record, NULL), *after = text_of(put, &loaded, NULL);

	size_t i = 0;
	while (before[i] == after[i] && before[i] != '\0')
		i++;
	cr_expect(before[i] == after[i], "they part at \"%.60s\" and \"%.60s\"", before + i,
		  after + i);
	free(before);
	free(after);
}

static void round_trip(void)
{
	struct history *history = open_history();

	store(history, &record);
	cr_assert(history_end(history, &record) == 0);
	history_close(history);
	history = open_read();
	struct history_run run;
	cr_assert(history_find(history, "last", &run) == 0 && run.ended);
	cr_assert(history_load(history, run.number, &loaded) == 0, "%s", history_error(history));
	history_close(history);
	/* Left-out events are of the timeline, which the history has not. */
	loaded.events_left_out = record.events_left_out;
	same_reports(json_put);
	same_reports(csv_put);
	same_reports(junit_put);
	same_reports(html_put);
	record_release(&record);
	record_release(&loaded);
}

Test(history, gives_back_what_it_got, .init = set_up, .fini = tear_down)
{
	made_up(&record, 5, 12);
	round_trip();
}

Test(history, hostile_texts_are_only_texts, .init = set_up, .fini = tear_down)
{
	hostile_run(&record);
	round_trip();
	cr_expect(number("SELECT count(*) FROM run") == 1);
}

static bool count_runs(const struct history_run *run, void *context)
{
	(void)run;
	return ++*(int *)context < 2;
}

Test(history, runs_are_found, .init = set_up, .fini = tear_down)
{
	struct history *history = open_history();
	struct history_run run;
	int n = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct synthetic options = { .seed = i,
					     .boards = 1,
					     .repeats = 1 + i,
					     .start_wall_ns = INT64_C(1763755200000000000) +
							      i * INT64_C(1000000000) };
		cr_assert(synthetic_run(&options, &record, NULL, NULL, NULL) == 0);
		store(history, &record);
		if (i != 1)
			cr_assert(history_end(history, &record) == 0);
		record_release(&record);
	}
	cr_assert(history_runs(history, count_runs, &n) == 0 && n == 2);
	cr_assert(history_find(history, "last", &run) == 0 && run.number == 3);
	cr_assert(history_find(history, "last-2", &run) == 0 && run.number == 1);
	cr_expect(run.ended && run.boards == 1 && run.synthetic && run.steps[VERDICT_PASS] == 3);
	cr_assert(history_find(history, "2", &run) == 0 && run.number == 2 && !run.ended);
	cr_expect(run.verdict == VERDICT_PASS && run.duration_ns > 0, "the worst so far");
	cr_expect(history_find(history, "20251121T2000", &run) == -EEXIST);
	cr_assert(history_find(history, "20251121T200002", &run) == 0 && run.number == 3);
	static const char *const none[] = { "4",     "last-3", "",  "lastly",
					    "last-", "last-x", "%", "99999999999999999999",
					    "2x",    "-1" };
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cr_expect(history_find(history, none[i], &run) == -ENOENT, "\"%s\"", none[i]);
	history_close(history);
}

/* ---- files that are none of ours ---- */

Test(history, what_is_not_there_is_not_made_by_reading, .init = set_up, .fini = tear_down)
{
	struct history *history = NULL;

	cr_expect(history_open_read(path, &history) == -ENOENT);
	history_close(history);
	cr_expect(access(path, F_OK) < 0);
}

static void expect_refused(int wanted, const char *words)
{
	struct history *history = NULL;
	int rc = history_open(path, &history);

	cr_expect(rc == wanted, "%d", rc);
	cr_expect(history != NULL && strstr(history_error(history), words) != NULL, "%s",
		  history_error(history));
	history_close(history);
	cr_expect(history_open_read(path, &history) == wanted);
	history_close(history);
}

Test(history, a_newer_schema_is_left_alone, .init = set_up, .fini = tear_down)
{
	history_close(open_history());
	sqlite3 *db;
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	cr_assert(sqlite3_exec(db, "PRAGMA user_version=77", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	expect_refused(-EPROTO, "too old");
	cr_expect(number("PRAGMA user_version") == 77);
}

Test(history, the_database_of_another_program_is_left_alone, .init = set_up, .fini = tear_down)
{
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/other.db", dir.path);
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	cr_assert(sqlite3_exec(db, "CREATE TABLE bookmarks(x)", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	expect_refused(-EINVAL, "another program");
	cr_expect(number("SELECT count(*) FROM sqlite_master") == 1);
}

Test(history, a_file_that_is_no_database, .init = set_up, .fini = tear_down)
{
	snprintf(path, sizeof(path), "%s/text.db", dir.path);
	FILE *out = fopen(path, "w");
	for (int i = 0; i < 200; i++)
		fputs("this is no database at all\n", out);
	fclose(out);
	expect_refused(-EINVAL, "not a database");
}

Test(history, a_folder_that_cannot_be_made, .init = set_up, .fini = tear_down)
{
	struct history *history = NULL;

	snprintf(path, sizeof(path), "/proc/nowhere/history.db");
	cr_expect(history_open(path, &history) < 0);
	history_close(history);
}

/* ---- SIGKILL ---- */

#define KILLS 50

/* Steps, each acknowledged on `fd` once it is stored; until somebody ends this process. */
static void write_forever(int fd, bool by_thread)
{
	static struct step_room room;
	struct record_limits small = { 200000, 10, 10, 1000, 1000, 1 };
	struct reports_options options = { .history_path = path, .quiet = true };
	struct limit limit = { .has_max = true, .max = 10 };
	struct history *history = NULL;
	struct reports *reports = NULL;

	if (record_init(&record, &small, 0, 1) < 0 ||
	    record_add_board(&record, &(struct record_board){ .name = "a" }) != 0)
		_exit(1);
	if (by_thread
		    ? reports_open(&options, &record, &reports) < 0 || reports_start(reports, 0) < 0
		    : history_open(path, &history) < 0 || history_begin(history, &record) < 0)
		_exit(2);
	uint64_t told = 0;
	for (uint32_t i = 0;; i++) {
		step_begin(&room, 0, "p", "s", i, 0, i);
		for (int m = 0; m < 3; m++)
			step_measure(&room, "m", UNIT_COUNT, i % 20, NULL, 0, &limit);
		if (by_thread)
			reports_step_end(reports, &room.step);
		else if (history_step(history, &room.step, NULL) < 0)
			_exit(3);
		uint64_t stored = by_thread ? reports_stored(reports) : i + 1;
		if (stored > told && write(fd, &stored, sizeof(stored)) != sizeof(stored))
			_exit(4);
		told = stored;
	}
}

/* Lets it get to a random step, and a random part of a step beyond, then kills it. Returns how many
 * steps were acknowledged. */
static uint64_t kill_one(uint64_t seed, bool by_thread)
{
	uint64_t stored = 0, until = rng_below(rng_draw(seed, 1, RNG_GENERATE, 0), 12);
	int64_t more_ns = (int64_t)rng_below(rng_draw(seed, 2, RNG_GENERATE, 0), 8000000);
	int fds[2], status;

	cr_assert(pipe2(fds, O_CLOEXEC) == 0);
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		close(fds[0]);
		write_forever(fds[1], by_thread);
	}
	close(fds[1]);
	while (stored < until && read(fds[0], &stored, sizeof(stored)) == sizeof(stored))
		;
	/* When it strikes is what this test is about: no event stands for it. */
	struct timespec wait = { .tv_nsec = more_ns };
	ppoll(NULL, 0, &wait, NULL);
	kill(child, SIGKILL);
	cr_assert(waitpid(child, &status, 0) == child);
	cr_expect(WIFSIGNALED(status), "it ended by itself with %d", WEXITSTATUS(status));
	/* What it had said before it died counts too. */
	while (read(fds[0], &stored, sizeof(stored)) == sizeof(stored))
		;
	close(fds[0]);
	return stored;
}

static void kill_many(bool by_thread)
{
	uint64_t in_all = 0;

	for (int64_t i = 1; i <= KILLS; i++) {
		uint64_t stored = kill_one((uint64_t)i + (by_thread ? 1000 : 0), by_thread);
		if (access(path, F_OK) < 0)
			continue; /* it never got that far */
		cr_assert(number("PRAGMA integrity_check") == 1);
		char sql[200];
		/* Of the last run; one that was killed before its beginning is not there. */
		snprintf(sql, sizeof(sql),
			 "SELECT count(*) FROM step WHERE run=(SELECT max(number) FROM run)");
		if (stored > 0)
			cr_assert(number(sql) >= (int64_t)stored, "%lld steps of %llu",
				  (long long)number(sql), (unsigned long long)stored);
		in_all += stored;
	}
	cr_expect(in_all > KILLS, "too few steps got through: the test tests nothing");
	cr_expect(number("SELECT count(*) FROM step") >= (int64_t)in_all);
	cr_expect(number("SELECT count(*) FROM step WHERE (SELECT count(*) FROM measurement WHERE"
			 " step=step.id) != 3") == 0,
		  "half a step");
	struct history *history = open_read();
	struct history_run run;
	cr_assert(history_find(history, "last", &run) == 0 && !run.ended);
	cr_assert(history_load(history, run.number, &loaded) == 0);
	history_close(history);
	record_release(&loaded);
}

Test(history, killed_at_any_moment, .init = set_up, .fini = tear_down, .timeout = 110)
{
	kill_many(false);
}

Test(history, killed_at_any_moment_with_its_thread, .init = set_up, .fini = tear_down,
     .timeout = 110)
{
	kill_many(true);
}

/* ---- a full disk ---- */

/* A mount of our own, where the kernel lets us. */
static bool small_disk(const char *where)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return mount("none", where, "tmpfs", 0, "size=512k") == 0;
}

Test(history, a_full_disk_is_said_and_got_over, .init = set_up, .fini = tear_down)
{
	char filler[200], block[4096] = "x";
	int rc = 0;
	uint32_t stored = 0;

	if (!small_disk(dir.path))
		cr_skip_test("no mount of our own here");
	made_up(&record, 2, 4);
	struct history *history = open_history();
	cr_assert(history_begin(history, &record) == 0);
	cr_assert(history_step(history, &record.steps[0], NULL) == 0);
	snprintf(filler, sizeof(filler), "%s/filler", dir.path);
	int fd = open(filler, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	for (uint32_t i = 1; i < record.step_count && rc == 0; i++) {
		rc = history_step(history, &record.steps[i], NULL);
		stored = i;
	}
	cr_expect(rc == -ENOSPC, "%d %s", rc, history_error(history));
	cr_expect(strstr(history_error(history), "full") != NULL, "%s", history_error(history));
	/* Space again: the next step is stored. */
	unlink(filler);
	cr_expect(history_step(history, &record.steps[stored], NULL) == 0, "%s",
		  history_error(history));
	cr_expect(history_end(history, &record) == 0);
	history_close(history);
	cr_expect(number("PRAGMA integrity_check") == 1);
	cr_expect(number("SELECT count(*) FROM step") == (int64_t)stored + 1);
	record_release(&record);
	umount(dir.path);
}

Test(history, a_limit_on_files_makes_the_run_an_error_and_not_its_end, .init = set_up,
     .fini = tear_down)
{
	struct reports_options options = { .history_path = path, .quiet = true };
	struct reports *reports;

	made_up(&loaded, 2, 20);
	struct record_limits small = { 500, 5000, 50000, 100, 10000, 5 };
	cr_assert(record_init(&record, &small, 0, 1) == 0);
	cr_assert(record_add_board(&record, &loaded.boards[0]) == 0);
	cr_assert(record_add_board(&record, &loaded.boards[1]) == 1);
	cr_assert(reports_open(&options, &record, &reports) == 0);
	cr_assert(reports_start(reports, 0) == 0);
	struct rlimit limit = { 300000, 300000 };
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	for (uint32_t i = 0; i < loaded.step_count; i++)
		reports_step_end(reports, &loaded.steps[i]);
	reports_finish(reports, 1);
	cr_expect(reports_exit_code(reports) == 3);
	cr_expect(strstr(reports_trouble(reports), "history") != NULL &&
			  strstr(reports_trouble(reports), "lacks steps") != NULL,
		  "%s", reports_trouble(reports));
	cr_expect(record.step_count == loaded.step_count, "the run went on");
	uint64_t stored = reports_stored(reports);
	cr_expect(stored > 0 && stored < record.step_count);
	reports_free(reports);
	cr_expect(number("SELECT count(*) FROM step") == (int64_t)stored);
	record_release(&record);
	record_release(&loaded);
}

/* ---- two at once ---- */

Test(history, two_rigs_share_one, .init = set_up, .fini = tear_down)
{
	struct history *a = open_history(), *b = open_history();

	made_up(&record, 1, 3);
	hostile_run(&loaded);
	cr_assert(history_begin(a, &record) == 0 && history_begin(b, &loaded) == 0);
	for (uint32_t i = 0; i < 4; i++) {
		cr_assert(history_step(a, &record.steps[i], NULL) == 0);
		cr_assert(history_step(b, &loaded.steps[i], NULL) == 0);
	}
	struct history *reader = open_read();
	struct history_run run;
	cr_assert(history_find(reader, "2", &run) == 0);
	cr_expect(run.steps[VERDICT_ERROR] == 4);
	history_close(reader);
	history_close(a);
	history_close(b);
	record_release(&record);
	record_release(&loaded);
}

/*
 * The door to all reports: files, history and exit codes of a run as quintain-hil run makes them.
 */
#include "hil/report/reports.h"

#include "hil/report/history.h"
#include "tests/hil/hil_run.h"
#include "tests/support/results_dir.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static struct record record, made;
static struct results_dir dir;
static char out_dir[100], path[100];

static void set_up(void)
{
	results_dir_make(&dir);
	snprintf(out_dir, sizeof(out_dir), "%s/out", dir.path);
	snprintf(path, sizeof(path), "%s/history.db", dir.path);
	made_up(&made, 2, 5);
	cr_assert(record_init(&record, NULL, 1000, INT64_C(1763755200000000000)) == 0);
	for (unsigned i = 0; i < 2; i++)
		cr_assert(record_add_board(&record, &made.boards[i]) == (int)i);
}

static void tear_down(void)
{
	record_release(&record);
	record_release(&made);
	results_dir_remove(dir.path);
}

static struct reports *open_reports(const struct reports_options *options)
{
	struct reports *reports = NULL;

	cr_assert(reports_open(options, &record, &reports) == 0);
	return reports;
}

static void run(struct reports *reports)
{
	for (uint32_t i = 0; i < made.step_count; i++) {
		reports_step_begin(reports, &made.steps[i]);
		reports_step_end(reports, &made.steps[i]);
		reports_tick(reports, made.steps[i].end_ns);
	}
}

Test(reports, all_of_a_run, .init = set_up, .fini = tear_down)
{
	struct reports_options options = { .out_dir = out_dir,
					   .history_path = path,
					   .quiet = true };
	struct reports *reports = open_reports(&options);
	struct history *history;
	struct history_run found;

	cr_assert(reports_start(reports, 1000) == 0);
	run(reports);
	cr_assert(reports_finish(reports, 99000) == 0, "%s", reports_trouble(reports));
	cr_expect(reports_exit_code(reports) == 0 && reports_trouble(reports)[0] == '\0');
	cr_expect(reports_stored(reports) == made.step_count);
	reports_free(reports);
	static const char *const files[] = { "report.html", "junit.xml", "result.json",
					     "result.csv", "run.vcd" };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		cr_expect(results_dir_has(out_dir, files[i]), "%s", files[i]);
	cr_assert(history_open_read(path, &history) == 0);
	cr_assert(history_find(history, "last", &found) == 0 && found.ended);
	cr_expect(strcmp(found.id, record.run.id) == 0);
	history_close(history);
}

/* A plan that wants a step on the disk before it goes on waits for the descriptor. */
Test(reports, tells_when_a_step_is_stored, .init = set_up, .fini = tear_down)
{
	struct reports_options options = { .history_path = path, .quiet = true };
	struct reports *reports = open_reports(&options);

	cr_assert(reports_start(reports, 1000) == 0);
	struct pollfd fd = { .fd = reports_fd(reports), .events = POLLIN };
	cr_assert(fd.fd >= 0 && poll(&fd, 1, 0) == 0);
	reports_step_end(reports, &made.steps[0]);
	cr_assert(poll(&fd, 1, 40000) == 1);
	cr_expect(reports_stored(reports) == 1);
	reports_free(reports);
}

/* More than the queue holds, as fast as it goes: none is lost, the loop waits. */
Test(reports, a_full_queue_waits, .init = set_up, .fini = tear_down)
{
	struct reports_options options = { .history_path = path, .quiet = true };
	struct reports *reports = open_reports(&options);

	cr_assert(reports_start(reports, 1000) == 0);
	for (unsigned i = 0; i < 10; i++)
		run(reports);
	cr_assert(reports_finish(reports, 99000) == 0);
	cr_expect(reports_stored(reports) == 10 * made.step_count && made.step_count > 6);
	reports_free(reports);
}

Test(reports, exit_codes, .init = set_up, .fini = tear_down)
{
	struct reports_options options = { .quiet = true };
	struct reports *reports = open_reports(&options);
	static struct step_room room;

	cr_expect(reports_exit_code(reports) == 0);
	step_begin(&room, 0, "p", "s", 0, 0, 0);
	step_verdict(&room, VERDICT_INCONCLUSIVE, "who knows");
	reports_step_end(reports, &room.step);
	cr_expect(reports_exit_code(reports) == 1);
	record.run.interrupted = true;
	cr_expect(reports_exit_code(reports) == 3);
	record.run.interrupted = false;
	record_error(&record, "the rig");
	cr_expect(reports_exit_code(reports) == 3);
	cr_expect(reports_finish(reports, 5) == 0 && reports_fd(reports) == -1);
	reports_free(reports);
}

/* A history that cannot be opened never ends a run: it is said, and the exit code tells. */
Test(reports, without_a_history_the_run_goes_on, .init = set_up, .fini = tear_down)
{
	struct reports_options options = { .out_dir = out_dir,
					   .history_path = "/proc/none/history.db",
					   .quiet = true };
	struct reports *reports = open_reports(&options);

	cr_assert(reports_start(reports, 1000) == 0);
	run(reports);
	cr_assert(reports_finish(reports, 99000) == 0);
	cr_expect(reports_exit_code(reports) == 3);
	cr_expect(strstr(reports_trouble(reports), "/proc/none/history.db") != NULL);
	cr_expect(results_dir_has(out_dir, "report.html"));
	reports_free(reports);
}

Test(reports, files_of_an_earlier_run_do_not_stay, .init = set_up, .fini = tear_down)
{
	struct reports_options options = { .out_dir = out_dir, .quiet = true };
	char name[160];

	cr_assert(mkdir(out_dir, 0777) == 0);
	snprintf(name, sizeof(name), "%s/junit.xml", out_dir);
	FILE *old = fopen(name, "w");
	cr_assert(old != NULL && fputs("old", old) >= 0 && fclose(old) == 0);
	struct reports *reports = open_reports(&options);
	cr_expect(!results_dir_has(out_dir, "junit.xml"));
	reports_free(reports);
	cr_expect(!results_dir_has(out_dir, "junit.xml"), "it was never finished");
}

Test(reports, no_folder_is_an_error_at_once, .init = set_up, .fini = tear_down)
{
	struct reports_options options = { .out_dir = "/proc/nowhere", .quiet = true };
	struct reports *reports = NULL;

	cr_expect(reports_open(&options, &record, &reports) < 0 && reports == NULL);
}

Test(reports, where_the_history_is)
{
	char buf[100], small[10];

	setenv("XDG_STATE_HOME", "/x/state", 1);
	setenv("HOME", "/home/a", 1);
	cr_expect(reports_history_path(buf, sizeof(buf)));
	cr_expect_str_eq(buf, "/x/state/quintain/history.db");
	cr_expect(!reports_history_path(small, sizeof(small)));
	setenv("XDG_STATE_HOME", "relative", 1);
	cr_expect(reports_history_path(buf, sizeof(buf)));
	cr_expect_str_eq(buf, "/home/a/.local/state/quintain/history.db");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	cr_expect(!reports_history_path(buf, sizeof(buf)));
}

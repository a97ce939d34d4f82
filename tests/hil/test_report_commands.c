/*
 * history and compare, as somebody types them.
 */
#include "hil/report/commands.h"
#include "hil/report/history.h"

#include "tests/hil/hil_run.h"
#include "tests/support/results_dir.h"

#include "proto/json/json.h"

#include <fcntl.h>
#include <unistd.h>

static struct results_dir dir;
static char path[100], out_path[100];
static char *said;

static void store(unsigned seed, int64_t slower_ns, bool ended)
{
	static struct record record;
	struct synthetic options = { .seed = seed,
				     .boards = 3,
				     .repeats = 30,
				     .slower_ns = slower_ns,
				     .start_wall_ns = INT64_C(1763755200000000000) +
						      seed * INT64_C(3600000000000) };
	struct history *history;

	cr_assert(synthetic_run(&options, &record, NULL, NULL, NULL) == 0);
	cr_assert(history_open(path, &history) == 0 && history_begin(history, &record) == 0);
	for (uint32_t i = 0; i < record.step_count; i++)
		cr_assert(history_step(history, &record.steps[i], record_excerpt(&record, i)) == 0);
	cr_assert(!ended || history_end(history, &record) == 0);
	history_close(history);
	record_release(&record);
}

/* In memory where there is such a place: hundreds of commits wait for no disk there. */
static void set_up(void)
{
	strcpy(dir.path,
	       access("/dev/shm", W_OK) == 0 ? "/dev/shm/quintain-XXXXXX" : "/tmp/quintain-XXXXXX");
	cr_assert(mkdtemp(dir.path) != NULL);
	snprintf(path, sizeof(path), "%s/history.db", dir.path);
	snprintf(out_path, sizeof(out_path), "%s/said", dir.path);
	store(1, 0, true);
	store(2, 0, true);
	store(3, 12000000, false);
}

static void tear_down(void)
{
	free(said);
	results_dir_remove(dir.path);
}

/* Runs it with --history, keeps what it says on stdout. */
static int run(int (*command)(int, char **), const char *const *words)
{
	char *argv[16] = { NULL };
	int argc = 0, saved, fd;

	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	argv[argc++] = (char *)(uintptr_t) "--history";
	argv[argc++] = path;
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	fd = open(out_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	cr_assert(saved >= 0 && fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
	int code = command(argc, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	free(said);
	said = results_dir_read(dir.path, "said", NULL);
	return code;
}
#define RUN(command, ...) run(command, (const char *const[]){ __VA_ARGS__, NULL })

Test(commands, list, .init = set_up, .fini = tear_down)
{
	cr_assert(RUN(cmd_history, "history") == 0);
	cr_expect(strstr(said, "(did not end)") != NULL && strstr(said, "[made up]") != NULL);
	cr_assert(RUN(cmd_history, "history", "list", "--json", "--last", "2") == 0);
	unsigned lines = 0;
	for (char *line = strtok(said, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++)
		cr_expect(qn_json_check(line, strlen(line), QN_JSON_STRICT, 0, NULL) == QN_OK);
	cr_expect(lines == 2);
}

Test(commands, show, .init = set_up, .fini = tear_down)
{
	cr_assert(RUN(cmd_history, "history", "show", "last") == 0);
	cr_expect(strstr(said, "what went wrong:") != NULL && strstr(said, "charlie") != NULL);
	cr_expect(strstr(said, "Made up by a generator") != NULL);
	cr_assert(RUN(cmd_history, "history", "show", "1", "--json") == 0);
	cr_expect(qn_json_check(said, strlen(said), QN_JSON_STRICT, 0, NULL) == QN_OK);
}

Test(commands, nothing_got_slower, .init = set_up, .fini = tear_down)
{
	cr_expect(RUN(cmd_compare, "compare", "1", "2") == 0);
	cr_expect(strstr(said, "SLOWER") == NULL && strstr(said, ", 0 got worse") != NULL, "%s",
		  said);
}

Test(commands, it_got_slower, .init = set_up, .fini = tear_down)
{
	cr_expect(RUN(cmd_compare, "compare", "1", "last") == 1);
	cr_expect(strstr(said, "SLOWER") != NULL);
	cr_expect(RUN(cmd_history, "history", "compare", "last", "1") == 0, "faster is not worse");
	cr_expect(strstr(said, "faster") != NULL && strstr(said, "SLOWER") == NULL);
	cr_expect(RUN(cmd_compare, "compare", "1", "3", "--board", "alpha", "--measurement",
		      "due to servo") == 1);
	cr_expect(strstr(said, "bravo") == NULL && strstr(said, "2 compared, 2 got worse") != NULL,
		  "%s", said);
	cr_expect(RUN(cmd_compare, "compare", "1", "3", "--board", "nobody") == 3);
}

Test(commands, trends_and_flaky, .init = set_up, .fini = tear_down)
{
	cr_assert(RUN(cmd_history, "history", "trends", "--board", "alpha", "--measurement",
		      "stand_up: due to servo") == 0);
	cr_expect(strncmp(said, "alpha, stand_up: due to servo", 29) == 0, "%s", said);
	cr_assert(RUN(cmd_history, "history", "flaky") == 0);
	cr_expect(strstr(said, "charlie") != NULL && strstr(said, "alpha") == NULL, "%s", said);
}

Test(commands, export, .init = set_up, .fini = tear_down)
{
	char to[160];

	snprintf(to, sizeof(to), "%s/again", dir.path);
	cr_assert(RUN(cmd_history, "history", "export", "2", "--out", to) == 0);
	static const char *const files[] = { "report.html", "junit.xml", "result.json",
					     "result.csv" };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		cr_expect(results_dir_has(to, files[i]), "%s", files[i]);
	cr_expect(RUN(cmd_history, "history", "export", "2", "--out", "/proc/nowhere") == 3);
}

Test(commands, mistakes, .init = set_up, .fini = tear_down)
{
	cr_expect(RUN(cmd_history, "history", "shwo") == 2);
	cr_expect(RUN(cmd_history, "history", "show") == 2);
	cr_expect(RUN(cmd_history, "history", "show", "77") == 2);
	cr_expect(RUN(cmd_history, "history", "export", "1") == 2);
	cr_expect(RUN(cmd_history, "history", "trends", "1") == 2);
	cr_expect(RUN(cmd_history, "history", "--last", "0") == 2);
	cr_expect(RUN(cmd_history, "history", "--last", "x") == 2);
	cr_expect(RUN(cmd_history, "history", "--nonsense") == 2);
	cr_expect(RUN(cmd_history, "history", "--board", "left") == 2, "not left out unsaid");
	cr_expect(RUN(cmd_compare, "compare", "1") == 2);
	cr_expect(RUN(cmd_compare, "compare", "1", "20251121T2") == 2, "more than one");
	cr_expect(RUN(cmd_compare, "compare", "--help") == 0 && strstr(said, "usage:") != NULL);
	cr_expect(RUN(cmd_history, "history", "-h") == 0 && strstr(said, "flaky") != NULL);
	unlink(path);
	cr_expect(RUN(cmd_history, "history") == 3);
	cr_expect(access(path, F_OK) < 0, "reading makes no file");
}

#include "hil/rig/calibrate.h"
#include "hil/rig/lock.h"
#include "hil/rig/rig.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the rig keeps on disk: a lock that ends with its holder, a calibration that is whole. */

static char folder[64], path[128];
static struct bench bench;

static void begin(void)
{
	strcpy(folder, "/tmp/qn-rig-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	bench = (struct bench){ .name = "b", .lock = path, .calibration.file = path };
}

static void end(void)
{
	unlink(path);
	rmdir(folder);
}

TestSuite(rig_files, .init = begin, .fini = end);

Test(rig_files, a_lock_says_who_has_it)
{
	struct rig_fault fault = { .text = "" };
	char holder[300];

	cr_expect(!bench_lock_holder(&bench, holder, sizeof(holder)));
	int lock = bench_lock(&bench, "run of a.cfg", NULL, &fault);
	cr_assert_geq(lock, 0, "%s", fault.text);
	cr_assert(bench_lock_holder(&bench, holder, sizeof(holder)));
	cr_expect_not_null(strstr(holder, "run of a.cfg by pid "), "%s", holder);
	cr_expect_eq(bench_lock(&bench, "run of b.cfg", NULL, &fault), -EBUSY);
	cr_expect_not_null(strstr(fault.text, "bench b is in use: run of a.cfg by pid"), "%s",
			   fault.text);
	bench_unlock(lock);
	lock = bench_lock(&bench, "run of b.cfg", NULL, &fault);
	cr_expect_geq(lock, 0);
	bench_unlock(lock);
}

static int told;

static void waiting(const char *text)
{
	told++;
	cr_expect_not_null(strstr(text, "child"));
}

/* Killed at any moment: the kernel lets go of it. */
Test(rig_files, a_lock_ends_with_its_holder)
{
	struct rig_fault fault = { .text = "" };
	int ready[2], go[2];
	char byte = 0;

	cr_assert_eq(pipe(ready), 0);
	cr_assert_eq(pipe(go), 0);
	pid_t child = fork();
	if (child == 0) {
		if (bench_lock(&bench, "child", NULL, &fault) < 0)
			_exit(1);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		usleep(300000); /* the other side is at its wait by now, or takes it at once */
		kill(getpid(), SIGKILL);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	bench.lock_timeout_ns = 30 * NS_PER_S;
	cr_assert_eq(write(go[1], &byte, 1), 1);
	int lock = bench_lock(&bench, "parent", waiting, &fault);
	cr_expect_geq(lock, 0, "%s", fault.text);
	cr_expect_eq(told, 1, "for whom it waits is said once");
	bench_unlock(lock);
	waitpid(child, NULL, 0);
}

Test(rig_files, nobodys_link_is_followed)
{
	struct rig_fault fault = { .text = "" };
	char victim[160];

	snprintf(victim, sizeof(victim), "%s/victim", folder);
	cr_assert_eq(symlink(victim, path), 0);
	cr_expect_lt(bench_lock(&bench, "x", NULL, &fault), 0);
	cr_expect_neq(access(victim, F_OK), 0, "nothing was made behind the link");
}

static const struct calibration sample = {
	.wall_ns = 1700000000000000000,
	.edge = { 200, 52000, 900, 50000, 61000 },
	.send = { 100, 7000, 300, 6000, 9000 },
	.clock_ns = 40,
	.realtime_ns = 80,
	.usb_ns = 1000000,
	.edges = 200,
	.edges_lost = 1,
};

/* Member by member: there is padding between them. */
static bool same_latency(const struct latency *a, const struct latency *b)
{
	return a->n == b->n && a->mean_ns == b->mean_ns && a->sd_ns == b->sd_ns &&
	       a->min_ns == b->min_ns && a->max_ns == b->max_ns;
}

static bool same(const struct calibration *a, const struct calibration *b)
{
	return a->wall_ns == b->wall_ns && same_latency(&a->edge, &b->edge) &&
	       same_latency(&a->send, &b->send) && a->clock_ns == b->clock_ns &&
	       a->realtime_ns == b->realtime_ns && a->usb_ns == b->usb_ns && a->edges == b->edges &&
	       a->edges_lost == b->edges_lost;
}

Test(rig_files, a_calibration_comes_back)
{
	struct calibration back = { 0 };

	snprintf(path, sizeof(path), "%s/file", folder);
	cr_assert_eq(calibration_store(path, &bench, &sample), 0);
	cr_assert_eq(calibration_load(path, &bench, &back), 0);
	cr_expect(same(&back, &sample));
	struct bench other = { .name = "other" };
	cr_expect_eq(calibration_load(path, &other, &back), -EINVAL, "another bench's");
	cr_expect_eq(calibration_load("/nonexistent/x", &bench, &back), -ENOENT);
}

Test(rig_files, folders_are_made_and_a_full_place_is_said)
{
	char deep[200];

	snprintf(deep, sizeof(deep), "%s/a/b/c.json", folder);
	cr_expect_eq(calibration_store(deep, &bench, &sample), 0);
	cr_expect_eq(access(deep, R_OK), 0);
	unlink(deep);
	snprintf(deep, sizeof(deep), "%s/a/b", folder);
	rmdir(deep);
	snprintf(deep, sizeof(deep), "%s/a", folder);
	rmdir(deep);
	cr_expect_lt(calibration_store("/dev/full/x", &bench, &sample), 0);
}

Test(rig_files, what_is_no_calibration_is_refused)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"bench\": \"b\"}",
		"{\"wall_ns\": 5}",
		"{\"bench\": \"b\", \"wall_ns\": -5}",
		"{\"bench\": \"b\", \"wall_ns\": 5, \"edge_n\": 5000000000}",
		"{\"bench\": \"b\", \"wall_ns\": 1e99}",
		"{\"bench\": \"b\", \"wall_ns\": 5} x",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct calibration back = sample;
		FILE *out = fopen(path, "w");
		fputs(texts[i], out);
		fclose(out);
		cr_expect_eq(calibration_load(path, &bench, &back), -EINVAL, "%s", texts[i]);
		cr_expect(same(&back, &sample), "untouched: %s", texts[i]);
	}
}

Test(rig_files, a_width_a_little_below_none_has_no_sign)
{
	struct bench_servo servo = { .up_ns = 1500000, .down_ns = 500000 };
	char text[48];

	cr_expect_str_eq(width_text(&servo, 499000, text, sizeof(text)), "0.499 ms (0 deg)");
	cr_expect_str_eq(width_text(&servo, 490000, text, sizeof(text)), "0.490 ms (-1 deg)");
	cr_expect_str_eq(width_text(&servo, 1500000, text, sizeof(text)), "1.500 ms (90 deg)");
}

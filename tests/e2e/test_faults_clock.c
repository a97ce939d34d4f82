/* Faults of the clock, as the timestamp of an answer shows them: docs/FAULTS.md "The clock". */
#include "tests/support/faulty.h"

#include <stdlib.h>

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;

static double wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A ping's timestamp, and between which two moments of the true clock it was made. */
struct sample {
	double before, stamp, after;
};

static struct sample ask(int fd)
{
	char line[PEER_LINE];
	struct sample sample = { .before = wall() };

	faulty_ask(fd, PING("1"), line);
	sample.after = wall();
	const char *at = strstr(line, "\"timestamp\": ");
	cr_assert(at != NULL, "%s", line);
	sample.stamp = strtod(at + 13, NULL);
	return sample;
}

/* The clock is read at the beginning of a turn of the loop: a little before the answer. */
#define SLACK 0.1

static void expect_off_by(struct sample sample, double by)
{
	cr_expect(sample.stamp >= sample.before + by - SLACK &&
			  sample.stamp <= sample.after + by + SLACK,
		  "off by %f instead of %f", sample.stamp - sample.after, by);
}

static int start(const char *fault)
{
	faulty_in_service(&f, fault, "profile = \"cpython\";", "");
	return faulty_call(&f);
}

static void done(int fd)
{
	close(fd);
	faulty_stop(&f, 0);
}

Test(faults, clock_offset)
{
	int fd = start("{ kind = \"clock_offset\"; by = \"-2h\"; }");
	expect_off_by(ask(fd), -7200);
	done(fd);
}

/* Before 1970: the wire has no such time. */
Test(faults, clock_offset_before_all_time)
{
	int fd = start("{ kind = \"clock_offset\"; by = \"-24000h\"; },"
		       "{ kind = \"clock_jump\"; by = \"-24000h\"; every = \"1ms\"; }");
	int64_t deadline = faulty_ms() + PATIENCE_MS;
	double stamp;
	while ((stamp = ask(fd).stamp) > 0)
		cr_assert(faulty_ms() < deadline, "still %f", stamp);
	cr_expect(stamp >= 0);
	done(fd);
}

/* Twice as fast as it should be. */
Test(faults, clock_drift)
{
	int fd = start("{ kind = \"clock_drift\"; factor = 1000000; }");
	struct sample first = ask(fd);
	faulty_quiet(fd, 300);
	struct sample second = ask(fd);
	double least = second.before - first.after, most = second.after - first.before;
	double gone = second.stamp - first.stamp;
	cr_expect(gone >= 2 * least - SLACK && gone <= 2 * most + SLACK,
		  "%f s went by on it, %f to %f in truth", gone, least, most);
	cr_expect(gone > most, "it does not run fast");
	done(fd);
}

Test(faults, clock_jump)
{
	int fd = start("{ kind = \"clock_jump\"; by = \"1h\"; every = \"200ms\"; }");
	int64_t deadline = faulty_ms() + PATIENCE_MS;
	int jumps = 0;

	while (jumps < 3) {
		struct sample sample = ask(fd);
		jumps = (int)((sample.stamp - sample.before + 60) / 3600);
		expect_off_by(sample, jumps * 3600);
		cr_assert(faulty_ms() < deadline, "%d jumps", jumps);
		faulty_quiet(fd, 20);
	}
	cr_expect(faulty_ms() - f.started_ms >= 600);
	done(fd);
}

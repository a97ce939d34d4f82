/*
 * Faults of the mechanics: docs/FAULTS.md "The mechanics". With reply = "done" the answer's time
 * tells how long a move took; what moved at all is in the log.
 */
#include "tests/support/faulty.h"

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;
static char line[PEER_LINE];

/* One command; how many ms until its answer came. */
static int64_t answered_in(int fd, const char *request)
{
	int64_t start = faulty_ms();

	faulty_ask(fd, request, line);
	return faulty_ms() - start;
}

static int start(const char *fault, const char *group)
{
	faulty_in_service(&f, fault, group, "");
	return faulty_call(&f);
}

static void done(int fd)
{
	close(fd);
	faulty_stop(&f, 0);
}

static void expect_times(const char *event, unsigned times)
{
	cr_expect(faulty_logged(&f, event) == times, "%s: %u times", event,
		  faulty_logged(&f, event));
}

/* The firmware cannot see it: it answers as ever, after the usual time. */
Test(faults, jam)
{
	int fd = start("{ kind = \"jam\"; }", "reply = \"done\";");
	cr_expect(answered_in(fd, MOVE("stand_up", "1")) >= 49);
	cr_expect(strstr(line, "\"status\": \"standing\"") != NULL, "%s", line);
	answered_in(fd, ACTIVATE("0.05"));
	answered_in(fd, MOVE("lay_down", "2"));
	cr_expect(strstr(line, "\"status\": \"down\"") != NULL, "%s", line);
	done(fd);
	expect_times("rising", 0);
	expect_times("standing", 0);
	expect_times("falling", 0);
	expect_times("hit", 0);
}

/* Jammed when it stands: it stays up. */
Test(faults, jam_upright)
{
	faulty_in_service(&f, "", "reply = \"done\";",
			  "{ do = \"fault\"; after = \"target_1 stands\";"
			  "  fault = { kind = \"jam\"; }; }");
	int fd = faulty_call(&f);
	answered_in(fd, MOVE("stand_up", "1"));
	answered_in(fd, MOVE("lay_down", "2"));
	answered_in(fd, ACTIVATE("0"));
	answered_in(fd, MOVE("stand_up", "3"));
	done(fd);
	expect_times("standing", 1);
	expect_times("falling", 0);
	expect_times("down", 0);
}

Test(faults, slow)
{
	int fd = start("{ kind = \"slow\"; factor = 6; }", "reply = \"done\";");
	cr_expect(answered_in(fd, MOVE("stand_up", "1")) >= 299);
	cr_expect(answered_in(fd, MOVE("lay_down", "2")) >= 299);
	done(fd);
}

Test(faults, bounce)
{
	int fd = start("{ kind = \"bounce\"; count = 2; time = \"60ms\"; }", "reply = \"done\";");
	/* Up, and twice down and up again. */
	cr_expect(answered_in(fd, MOVE("stand_up", "1")) >= 50 + 4 * 60 - 1);
	/* It stands: there is nothing to bounce. */
	answered_in(fd, MOVE("stand_up", "2"));
	answered_in(fd, MOVE("lay_down", "3"));
	done(fd);
	expect_times("rising", 3);
	expect_times("standing", 4);
	expect_times("falling", 3);
	expect_times("down", 3);
}

Test(faults, silent_move)
{
	int fd = start("{ kind = \"silent_move\"; }", "");
	peer_say(fd, MOVE("stand_up", "1"));
	faulty_expect_pong(fd); /* and no other answer before it */
	emu_hears(f.fleet, "event=standing", 1);
	faulty_quiet(fd, 100);
	done(fd);
}

Test(faults, silent_move_that_would_be_answered_when_done)
{
	int fd = start("{ kind = \"silent_move\"; }", "reply = \"done\";");
	peer_say(fd, MOVE("stand_up", "1"));
	emu_hears(f.fleet, "event=standing", 1);
	faulty_expect_pong(fd);
	done(fd);
}

Test(faults, no_move)
{
	int fd = start("{ kind = \"no_move\"; }", "rise = \"1h\";");
	for (int i = 0; i < 20; i++) { /* more than fit the queue */
		answered_in(fd, MOVE("stand_up", "1"));
		cr_expect(strstr(line, "\"status\": \"command_queued\"") != NULL, "%s", line);
	}
	done(fd);
	expect_times("rising", 0);
}

Test(faults, late_move)
{
	int fd = start("{ kind = \"late_move\"; time = \"400ms\"; }", "reply = \"done\";");
	cr_expect(answered_in(fd, MOVE("stand_up", "1")) >= 449);
	cr_expect(answered_in(fd, MOVE("lay_down", "2")) >= 449);
	done(fd);
}

Test(faults, wear)
{
	int fd = start("{ kind = \"wear\"; factor = 2; }", "reply = \"done\";");
	for (int i = 0; i < 4; i++) {
		int64_t took = answered_in(fd, i % 2 == 0 ? MOVE("stand_up", "1")
							  : MOVE("lay_down", "2"));
		cr_expect(took >= 50 + i * 100 - 1, "move %d: %lld ms", i, (long long)took);
	}
	done(fd);
}

/*
 * Faults of the sensor, as a server for hit reports sees them: docs/FAULTS.md "The sensor". The
 * range's own wire has no message for a hit.
 */
#include "tests/support/faulty.h"

TestSuite(faults, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;
static int server;

static void start(const char *fault, const char *hit)
{
	char group[256];

	snprintf(group, sizeof(group),
		 "hit = { %s report = \"http\"; report_to = { host = \"@A.0.2\"; port = @Q; }; };",
		 hit);
	server = peer_listen(e2e_ip(0, 2), e2e_port('Q'));
	faulty_in_service(&f, fault, group, "");
}

static void activate(const char *request)
{
	char line[PEER_LINE];
	int fd = faulty_call(&f);

	faulty_ask(fd, request, line);
	cr_expect(strstr(line, "\"activated\"") != NULL, "%s", line);
	close(fd);
}

/* Takes a report of one hit. */
static void reported(void)
{
	char request[PEER_LINE];
	size_t len = 0;
	int fd = peer_accept(server, NULL);

	do {
		ssize_t n = peer_recv(fd, request + len, sizeof(request) - len);
		cr_assert(n > 0, "half a report: %s", request);
		len += (size_t)n;
	} while (request[len - 1] != '}');
	cr_expect(strncmp(request, "POST /target_hit HTTP/1.1\r\n", 27) == 0, "%s", request);
	peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	peer_expect_end(fd);
	close(fd);
}

static void done(void)
{
	close(server);
	faulty_stop(&f, 0);
}

/* Certain to be hit at once, and it feels nothing; nor what a scenario does to it. */
Test(faults, sensor_dead)
{
	start("{ kind = \"sensor_dead\"; }", "probability = 1.0; after = \"0ms\";");
	activate(ACTIVATE("0.2"));
	emu_hears(f.fleet, "event=miss", 1);
	emu_hears(f.fleet, "event=down", 1);
	faulty_quiet(server, 100);
	done();
	cr_expect(faulty_logged(&f, "hit") == 0);
}

/* Nobody hits it, and it feels a hit each time at once. */
Test(faults, sensor_stuck)
{
	start("{ kind = \"sensor_stuck\"; }", "probability = 0.0;");
	for (int i = 0; i < 2; i++) {
		activate(ACTIVATE("3600"));
		reported();
	}
	done();
	cr_expect(faulty_logged(&f, "hit") == 2 && faulty_logged(&f, "miss") == 0);
}

Test(faults, ghost_hit)
{
	start("{ kind = \"ghost_hit\"; time = \"300ms\"; }", "probability = 0.0;");
	int64_t began = faulty_ms();
	activate(ACTIVATE("3600"));
	reported();
	/* Standing up, the time, lying down. */
	cr_expect(faulty_ms() - began >= 399);
	/* Over before the ghost comes. */
	activate(ACTIVATE("0.1"));
	emu_hears(f.fleet, "event=miss", 1);
	done();
}

Test(faults, hit_while_down)
{
	start("{ kind = \"hit_while_down\"; every = \"150ms\"; }", "probability = 0.0;");
	int64_t began = faulty_ms();
	for (int i = 0; i < 3; i++)
		reported();
	cr_expect(faulty_ms() - began >= 299);
	done();
	cr_expect(faulty_logged(&f, "active") == 0);
}

/* When a fault strikes, who has it and how it is asked for: docs/FAULTS.md "How to ask for one". */
#include "emulator/base/wires.h"
#include "tests/support/faulty.h"

#include <stdlib.h>

TestSuite(faults_when, .init = e2e_begin, .fini = e2e_end);

static struct faulty f;

#define PINGS 32

/* Which of so many pings on one connection are answered: 1 or 0 each. */
static void which_answered(const char *fault, char answered[PINGS + 1])
{
	char requests[PINGS * 48] = "", answers[PINGS * 256], id[32];

	faulty_in_service(&f, fault, "", "");
	int fd = faulty_call(&f);
	for (int i = 0; i < PINGS; i++)
		sprintf(requests + strlen(requests), "{\"type\": \"ping\", \"id\": \"%d.\"}\n", i);
	peer_say(fd, requests);
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	answers[0] = '\0';
	faulty_read_all(fd, answers, sizeof(answers));
	close(fd);
	for (int i = 0; i < PINGS; i++) {
		sprintf(id, "\"%d.\"", i);
		answered[i] = strstr(answers, id) != NULL ? '1' : '0';
	}
	answered[PINGS] = '\0';
	faulty_stop(&f, 0);
	e2e_forget(f.fleet);
}

static void drops(const char *more, char answered[PINGS + 1])
{
	char fault[128];

	snprintf(fault, sizeof(fault), "{ kind = \"drop\"; %s }", more);
	which_answered(fault, answered);
}

Test(faults_when, probability)
{
	char never[PINGS + 1], always[PINGS + 1], half[PINGS + 1];

	drops("probability = 0.0;", never);
	cr_expect(strchr(never, '0') == NULL, "%s", never);
	drops("probability = 1.0;", always);
	cr_expect(strchr(always, '1') == NULL, "%s", always);
	drops("probability = 0.5;", half);
	cr_expect(faulty_count(half, "1") > 4 && faulty_count(half, "0") > 4, "%s", half);
}

Test(faults_when, probability_by_a_seed)
{
	char first[PINGS + 1], again[PINGS + 1], other[PINGS + 1];

	drops("probability = 0.5; seed = 42;", first);
	drops("probability = 0.5; seed = 42;", again);
	drops("probability = 0.5; seed = 43;", other);
	cr_expect_str_eq(first, again);
	cr_expect(strcmp(first, other) != 0, "%s", first);
}

/* Each target has dice of its own. */
Test(faults_when, probability_for_each_target)
{
	unsigned answered = 0, dropped = 0;

	faulty_start(&f, "{ kind = \"close_before\"; probability = 0.5; seed = 1; }", "count = 8;",
		     "");
	for (int i = 0; i < 8; i++)
		faulty_registers(&f);
	for (unsigned i = 1; i <= 8; i++) {
		char line[PEER_LINE];
		int fd = faulty_call_to(&f, i);
		peer_say(fd, PING("1"));
		ssize_t n = peer_recv(fd, line, sizeof(line));
		answered += n > 0;
		dropped += n == 0;
		close(fd);
	}
	cr_expect(answered > 0 && dropped > 0 && answered + dropped == 8, "%u and %u", answered,
		  dropped);
	faulty_stop(&f, 0);
}

/* An outage that is only likely comes to the whole group or to nobody. */
Test(faults_when, an_outage_is_one_for_all)
{
	unsigned on = 0;

	faulty_start(&f, "", "count = 9;",
		     "{ do = \"fault\"; at = \"0s\"; times = 1; fault = {"
		     "  kind = \"outage\"; probability = 0.5; for = \"100ms\"; }; }");
	for (int i = 0; i < 9; i++)
		faulty_registers(&f);
	faulty_stop(&f, 0);
	on = faulty_count(f.fleet->err.text, "event=fault_on");
	cr_expect(on == 0 || on == 9, "%u of 9", on);
}

/* Says a ping and looks for an answer, again and again until there is one, or until there is none.
 */
static void ping_until(int fd, bool answered)
{
	int64_t deadline = faulty_ms() + PATIENCE_MS;
	struct pollfd poller = { fd, POLLIN, 0 };
	char lines[65536];

	do {
		cr_assert(faulty_ms() < deadline, "always %s", answered ? "dropped" : "answered");
		peer_say(fd, PING("again"));
		/* An answer comes at once, or not at all. */
		if (poll(&poller, 1, 200) > 0)
			cr_assert(peer_recv(fd, lines, sizeof(lines)) > 0);
		else
			poller.revents = 0;
	} while ((poller.revents != 0) != answered);
}

Test(faults_when, for_some_time)
{
	faulty_in_service(&f, "{ kind = \"drop\"; for = \"1s\"; }", "", "");
	int fd = faulty_call(&f);
	ping_until(fd, true);
	cr_expect(faulty_ms() - f.started_ms >= 1000);
	faulty_expect_pong(fd);
	close(fd);
	faulty_stop(&f, 0);
	cr_expect(faulty_logged(&f, "fault_on") == 1 && faulty_logged(&f, "fault_off") == 1);
}

Test(faults_when, every_so_often)
{
	faulty_in_service(&f, "{ kind = \"drop\"; every = \"500ms\"; for = \"500ms\"; }", "", "");
	int fd = faulty_call(&f);
	ping_until(fd, true); /* the first time is after the first pause */
	for (int i = 0; i < 2; i++) {
		ping_until(fd, false);
		ping_until(fd, true);
	}
	cr_expect(faulty_ms() - f.started_ms >= 4 * 500);
	close(fd);
	faulty_stop(&f, 0);
}

/* Out of the timeline: the same, from that moment on, to those whom it is for. */
Test(faults_when, by_the_timeline)
{
	char line[PEER_LINE];

	faulty_start(&f, "", "count = 2;",
		     "{ do = \"fault\"; after = \"target_1 answers\"; targets = \"target_1\";"
		     "  fault = { kind = \"wrong_id\"; }; },"
		     "{ do = \"fault\"; after = \"target_1 answers\"; targets = \"target_1\";"
		     "  fault = { kind = \"upper_type\"; }; },"
		     "{ do = \"clear\"; after = \"target_1 stands\"; targets = \"target_1\";"
		     "  fault = { kind = \"wrong_id\"; }; },"
		     "{ do = \"clear\"; after = \"target_1 lies\"; targets = \"all\"; }");
	for (int i = 0; i < 2; i++)
		faulty_registers(&f);
	int fd = faulty_call(&f), other = faulty_call_to(&f, 2);
	faulty_expect_pong(fd);
	faulty_ask(fd, PING("both"), line);
	cr_expect(strstr(line, "\"PONG\"") != NULL && strstr(line, "msg_0") != NULL, "%s", line);
	faulty_ask(other, PING("neither"), line);
	cr_expect(strstr(line, "\"pong\"") != NULL && strstr(line, "neither") != NULL, "%s", line);
	faulty_ask(fd, MOVE("stand_up", "1"), line);
	emu_hears(f.fleet, "event=standing", 1);
	faulty_ask(fd, PING("one"), line);
	cr_expect(strstr(line, "\"PONG\"") != NULL && strstr(line, "\"one\"") != NULL, "%s", line);
	faulty_ask(fd, MOVE("lay_down", "1"), line);
	emu_hears(f.fleet, "event=down", 1);
	faulty_expect_pong(fd);
	close(fd);
	close(other);
	faulty_stop(&f, 0);
}

/* ---- configs that are wrong ---- */

Test(faults_when, wrong_configs)
{
	static const struct {
		const char *fault, *says;
	} cases[] = {
		{ "kind = \"delay\"; count = 3;",
		  ".faults[0].count: the fault \"delay\" has no such parameter; it takes: time\n" },
		{ "kind = \"trickle\"; factor = 0.5;",
		  "the fault \"trickle\" has no such parameter; it takes: time, bytes\n" },
		{ "kind = \"reset\"; time = \"1s\";",
		  "the fault \"reset\" has no such parameter; it takes: none of its own\n" },
		{ "kind = \"clock_jump\"; address = \"127.0.0.1\";",
		  "the fault \"clock_jump\" has no such parameter; it takes: by\n" },
		{ "kind = \"rest\";", "(did you mean \"reset\"?)" },
		{ "time = \"1s\";", "kind" },
		{ "kind = \"drop\"; probability = 1.5;", "expected 0 .. 1\n" },
		{ "kind = \"drop\"; every = \"1s\";",
		  ".faults[0].every: a fault that comes again needs `for`: how long it stays each "
		  "time\n" },
		{ "kind = \"reboot\"; every = \"0s\";",
		  ".faults[0].every: expected more than 0\n" },
		{ "kind = \"cut_json\"; factor = 1.5;",
		  ".faults[0].factor: expected a share, 0 .. 1\n" },
		{ "kind = \"close_middle\"; factor = -0.5;",
		  ".faults[0].factor: expected a share, 0 .. 1\n" },
		{ "kind = \"slow\"; factor = -1;", ".faults[0].factor: expected 0 or more\n" },
		{ "kind = \"deep\"; count = 30001;", ".faults[0].count: expected at most 30000\n" },
		{ "kind = \"register_from\";",
		  ".faults[0]: the fault \"register_from\" needs `address`\n" },
		{ "kind = \"register_from\"; address = \"here\";",
		  ".faults[0].address: \"here\" is no IPv4 address\n" },
		{ "kind = \"split\"; count = 0;", "expected 1 .. " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char config[512];
		snprintf(config, sizeof(config),
			 "fleet = { groups = ( { faults = ( { %s } ); } ); };\n", cases[i].fault);
		e2e_file("wrong.cfg", config);
		struct process *emu = EMU("check", "@D/wrong.cfg");
		emu_expect_code(emu, 2);
		emu_expect_says(emu, cases[i].says);
		e2e_forget(emu);
	}
}

Test(faults_when, wrong_configs_of_the_timeline)
{
	char config[1024], text[300];

	memset(text, 'x', 256);
	text[256] = '\0';
	snprintf(config, sizeof(config),
		 "fleet = { groups = ( { } ); };\n"
		 "scenario = { timeline = (\n"
		 "{ do = \"fault\"; at = \"1s\"; fault = { kind = \"hang\"; bytes = 3; }; },\n"
		 "{ do = \"fault\"; at = \"1s\"; fault = { kind = \"register_as\"; text = \"%s\"; "
		 "}; },\n"
		 "{ do = \"fault\"; at = \"1s\"; } ); };\n",
		 text);
	e2e_file("wrong.cfg", config);
	struct process *emu = EMU("run", "@D/wrong.cfg");
	emu_expect_code(emu, 2);
	emu_expect_says(emu,
			"wrong.cfg:3: scenario.timeline[0].fault.bytes: the fault \"hang\" has "
			"no such parameter; it takes: none of its own\n");
	emu_expect_says(emu, "wrong.cfg:4: scenario.timeline[1].fault.text: expected at most 255 "
			     "bytes\n");
	emu_expect_says(emu, "wrong.cfg:5: scenario.timeline[2].do: \"fault\" needs");
}

/* Each "- `{ kind = ...; }`" of docs/FAULTS.md is one that the program takes. */
Test(faults_when, lines_to_copy)
{
	char path[512], line[512], steps[16384];
	size_t len = 0, n = 0;

	snprintf(path, sizeof(path), "%s/docs/FAULTS.md", getenv("QN_SOURCE_DIR"));
	FILE *page = fopen(path, "re");
	cr_assert(page != NULL, "%s", path);
	while (fgets(line, sizeof(line), page) != NULL) {
		char *end = strrchr(line, '`');
		if (strncmp(line, "- `{ kind = ", 12) != 0)
			continue;
		cr_assert(end > line + 3);
		len += (size_t)snprintf(steps + len, sizeof(steps) - len,
					"%s\n{ do = \"fault\"; at = \"1s\"; fault = %.*s; }",
					n++ > 0 ? "," : "", (int)(end - line - 3), line + 3);
		cr_assert(len < sizeof(steps));
	}
	fclose(page);
	cr_assert(n >= 40, "only %zu of them", n);
	/* A target on each wire: some faults make sense on one of them alone. */
	char *config = NULL, groups[1024];
	size_t groups_len = 0;
	for (int i = 0; wire_names[i] != NULL; i++)
		groups_len += (size_t)snprintf(groups + groups_len, sizeof(groups) - groups_len,
					       "%s{ wire = \"%s\"; name = \"%s\"; }",
					       i > 0 ? ", " : "", wire_names[i], wire_names[i]);
	cr_assert(asprintf(&config,
			   "fleet = { groups = ( %s ); };\nscenario = { timeline = ( %s ); };\n",
			   groups, steps) > 0);
	e2e_file("copied.cfg", config);
	free(config);
	emu_expect_code(EMU("check", "@D/copied.cfg"), 0);
}

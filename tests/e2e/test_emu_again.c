/* A master that is not there yet, goes away, comes back: targets try again, and say so. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(emu_again, .init = e2e_begin, .fini = e2e_end);

#define FLEET(more)                                                                                \
	"fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0; " more "\n"             \
	"  groups = ( { count = 3; addresses = \"@A.1.1-@A.1.3\"; } ); };\n"

static struct process *start_fleet(const char *config)
{
	e2e_file("fleet.cfg", config);
	return EMU("run", "@D/fleet.cfg", "--json", "--log", "/dev/stderr");
}

static int master_comes(void)
{
	return peer_listen(e2e_ip(0, 1), e2e_port('P'));
}

/* Each of the three once, from its own address. */
static void take_registrations(int master)
{
	unsigned seen = 0;
	char line[PEER_LINE];
	uint32_t ip;

	for (int i = 0; i < 3; i++) {
		int fd = peer_accept(master, &ip);
		peer_line(fd, line);
		cr_expect(strstr(line, "\"type\": \"register\"") != NULL, "%s", line);
		peer_say(fd, "{\"type\": \"registered\", \"id\": \"1\", \"data\": {\"status\": "
			     "\"registered\"}}\n");
		peer_expect_end(fd);
		close(fd);
		seen |= 1u << (ip - e2e_ip(1, 1));
	}
	cr_expect(seen == 7, "%x", seen);
}

static void expect_all_answer(void)
{
	char line[PEER_LINE];

	for (unsigned i = 1; i <= 3; i++) {
		int fd = peer_connect(e2e_ip(0, 1), e2e_ip(1, i), e2e_port('P'));
		peer_say(fd, "{\"type\": \"ping\", \"id\": \"1\"}\n");
		peer_line(fd, line);
		cr_expect(strstr(line, "\"pong\"") != NULL, "%s", line);
		close(fd);
	}
}

/* The pause that the log tells with the n-th failure of a target, in ms. */
static double pause_ms(const struct process *fleet, const char *target, int n)
{
	char wanted[64];
	const char *at = fleet->err.text;

	snprintf(wanted, sizeof(wanted), "event=register_failed target=\"%s\" value=", target);
	for (int i = 0; i <= n; i++) {
		at = strstr(at, wanted);
		cr_assert(at != NULL, "no failure %d of %s: %s", n, target, fleet->err.text);
		at += strlen(wanted);
	}
	return strtod(at, NULL) / 1e6;
}

Test(emu_again, a_master_that_is_not_there_yet)
{
	struct process *fleet =
		start_fleet(FLEET("retry = { first = \"20ms\"; max = \"100ms\"; };"));

	emu_hears(fleet, "event=register_failed", 15);
	emu_expect_says(fleet, "text=\"Connection refused\"");
	emu_expect_says(fleet, "cannot register with @A.0.1:@P: Connection refused; trying again");
	const char *said = strstr(fleet->err.text, "cannot register with");
	cr_expect(strstr(said + 1, "cannot register with") == NULL, "said once: %s",
		  fleet->err.text);
	/* Doubled, half of it drawn, and never past the longest. */
	static const double longest[] = { 20, 40, 80, 100 };
	for (int i = 0; i < 4; i++) {
		double ms = pause_ms(fleet, "target_1", i);
		cr_expect(ms >= longest[i] / 2 && ms <= longest[i], "pause %d: %g ms", i, ms);
	}
	int master = master_comes();
	take_registrations(master);
	emu_hears(fleet, "event=listening ", 3);
	expect_all_answer();
	emu_signal(fleet, SIGINT);
	emu_expect_code(fleet, 0);
	EXPECT_JSON(emu_json(fleet), "fleet.registrations", 3);
	EXPECT_JSON(emu_json(fleet), "fleet.registered", 3);
	cr_expect(json_number(emu_json(fleet), "fleet.register_failures") >= 15);
	emu_expect_prints(fleet, "registrations: 3 done, ");
	close(master);
}

Test(emu_again, as_often_as_the_firmware_tries)
{
	struct process *fleet = start_fleet(FLEET("retry = { attempts = 1; };"));

	emu_hears(fleet, "event=gave_up", 3);
	emu_signal(fleet, SIGINT);
	emu_expect_code(fleet, 1);
	emu_expect_prints(fleet, "3 targets are gone");
	EXPECT_JSON(emu_json(fleet), "fleet.register_failures", 3);
	EXPECT_JSON(emu_json(fleet), "fleet.by_state.gone", 3);
}

Test(emu_again, a_master_that_never_answers)
{
	struct process *fleet = start_fleet(
		FLEET("answer_timeout = \"100ms\"; retry = { attempts = 2; first = \"10ms\"; };"));
	int master = master_comes();

	emu_hears(fleet, "event=gave_up", 3);
	emu_expect_says(fleet, "text=\"no answer in time\"");
	emu_signal(fleet, SIGINT);
	emu_expect_code(fleet, 1);
	EXPECT_JSON(emu_json(fleet), "fleet.register_failures", 6);
	close(master);
}

Test(emu_again, a_master_that_goes_and_comes_back)
{
	struct process *fleet =
		start_fleet(FLEET("reregister = { silence = \"200ms\"; };"
				  "retry = { first = \"20ms\"; max = \"50ms\"; };"));
	int master = master_comes();

	take_registrations(master);
	emu_hears(fleet, "event=listening ", 3);
	close(master);
	emu_hears(fleet, "event=register_failed", 3);
	expect_all_answer(); /* without a master, too */
	master = master_comes();
	take_registrations(master);
	emu_hears(fleet, "event=registered ", 3);
	expect_all_answer();
	emu_signal(fleet, SIGINT);
	emu_expect_code(fleet, 0);
	cr_expect(json_number(emu_json(fleet), "fleet.registrations") >= 6);
	EXPECT_JSON(emu_json(fleet), "fleet.registered", 3);
	EXPECT_JSON(emu_json(fleet), "fleet.lost", 0);
	close(master);
}

/* The same with a master of ours, started twice: the second knows nothing of the first's targets.
 */
Test(emu_again, a_master_that_is_started_again)
{
	struct process *fleet =
		start_fleet(FLEET("reregister = { silence = \"200ms\"; };"
				  "retry = { first = \"20ms\"; max = \"50ms\"; };"));

	e2e_file("master.cfg", "master = { listen = { host = \"@A.0.1\"; port = @P; };\n"
			       "  wait = { targets = 3; timeout = \"1h\"; };\n"
			       "  rounds = ( { command = \"ping\"; times = 5; } ); };\n");
	struct process *first = EMU("run", "@D/master.cfg", "--set", "master.rounds[0].after=1h");
	emu_hears(fleet, "event=listening ", 3);
	emu_signal(first, SIGKILL);
	emu_expect_code(first, 128 + SIGKILL);
	struct process *second = EMU("run", "@D/master.cfg", "--json");
	emu_expect_code(second, 0);
	EXPECT_JSON(emu_json(second), "master.targets", 3);
	EXPECT_JSON(emu_json(second), "master.ok", 15);
	emu_signal(fleet, SIGINT);
	emu_expect_code(fleet, 0);
}

Test(emu_again, registering_every_so_often)
{
	struct process *fleet = start_fleet(FLEET("reregister = { every = \"50ms\"; };"));
	int master = master_comes();

	take_registrations(master);
	emu_hears(fleet, "event=listening ", 3);
	for (int i = 0; i < 9; i++) {
		char line[PEER_LINE];
		int fd = peer_accept(master, NULL);
		peer_line(fd, line);
		peer_say(fd, "{\"type\": \"registered\", \"id\": \"1\", \"data\": {\"status\": "
			     "\"registered\"}}\n");
		close(fd);
	}
	expect_all_answer();
	emu_signal(fleet, SIGINT);
	emu_expect_code(fleet, 0);
	cr_expect(json_number(emu_json(fleet), "fleet.registrations") >= 11);
	close(master);
}

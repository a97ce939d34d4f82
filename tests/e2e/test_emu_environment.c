/* What the machine does not allow: exit code 3, or going on, and always words that help. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(emu_environment, .init = e2e_begin, .fini = e2e_end);

#define FLEET(group)                                                                               \
	"fleet = { master = { host = \"@A.0.1\"; port = @P; }; ramp = 0.0;\n"                      \
	"  groups = ( { " group " } ); };\n"
#define MASTER "master = { listen = { host = \"@A.0.1\"; port = @P; }; };\n"

/* "NAME (pid N)" of this very process. */
static const char *ourselves(void)
{
	char comm[32], text[64];
	FILE *file = fopen("/proc/self/comm", "re");

	cr_assert(file != NULL && fgets(comm, sizeof(comm), file) != NULL);
	fclose(file);
	comm[strcspn(comm, "\n")] = '\0';
	snprintf(text, sizeof(text), "%s (pid %d)", comm, getpid());
	return e2e_text(text);
}

static void expect_says_us(const struct process *emu, const char *format)
{
	char text[256];

	snprintf(text, sizeof(text), format, ourselves());
	emu_expect_says(emu, text);
}

/* ---- ports ---- */

Test(emu_environment, master_port_taken)
{
	int holder = peer_listen(e2e_ip(0, 1), e2e_port('P'));

	e2e_file("master.cfg", MASTER);
	struct process *emu = EMU("run", "@D/master.cfg");
	emu_expect_code(emu, 3);
	expect_says_us(emu, "master.listen: @A.0.1:@P is taken by %s\n");
	close(holder);
}

Test(emu_environment, target_port_taken_by_one_that_listens_everywhere)
{
	int holder = peer_listen(0, e2e_port('P'));

	e2e_file("fleet.cfg", FLEET("count = 3; addresses = \"@A.1.1-@A.1.3\";"));
	struct process *emu = EMU("run", "@D/fleet.cfg");
	emu_expect_code(emu, 3);
	expect_says_us(emu, "@A.1.1:@P is taken by %s, which listens on every address\n");
	emu_expect_says(emu, "a real master on this host must share the port with the targets");
	emu_expect_says(emu, "ip netns add range");
	emu_expect_says(emu, "fleet.port");
	close(holder);
}

Test(emu_environment, port_of_a_later_target_taken)
{
	int holder = peer_listen(e2e_ip(1, 3), e2e_port('P'));

	e2e_file("fleet.cfg", FLEET("count = 3; addresses = \"@A.1.1-@A.1.3\";"));
	struct process *emu = EMU("run", "@D/fleet.cfg");
	emu_expect_code(emu, 3);
	expect_says_us(emu, "@A.1.3:@P is taken by %s\n");
	close(holder);
}

/* Taken between the start and the registration: the one target is gone, the others serve. */
Test(emu_environment, target_port_taken_meanwhile)
{
	char line[PEER_LINE];
	int master = peer_listen(e2e_ip(0, 1), e2e_port('P'));

	e2e_file("fleet.cfg", FLEET("count = 2; addresses = \"@A.1.1-@A.1.2\";"));
	struct process *emu = EMU("run", "@D/fleet.cfg", "--json", "--log", "/dev/stderr");
	int fds[2] = { peer_accept(master, NULL), peer_accept(master, NULL) };
	int holder = peer_listen(e2e_ip(1, 1), e2e_port('P'));
	for (int i = 0; i < 2; i++) {
		peer_line(fds[i], line);
		peer_say(fds[i], "{\"type\": \"registered\", \"id\": \"1\", \"data\": {\"status\": "
				 "\"registered\"}}\n");
		close(fds[i]);
	}
	emu_hears(emu, "event=listening ", 1);
	emu_signal(emu, SIGINT);
	emu_expect_code(emu, 1);
	expect_says_us(emu, "target_1 cannot listen: @A.1.1:@P is taken by %s\n");
	emu_expect_prints(emu, "1 targets are gone");
	EXPECT_JSON(emu_json(emu), "fleet.listen_failed", 1);
	EXPECT_JSON(emu_json(emu), "fleet.by_state.gone", 1);
	EXPECT_JSON(emu_json(emu), "fleet.by_state.down", 1);
	close(holder);
	close(master);
}

static bool low_ports_are_free(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	int start = 1024;

	if (file != NULL) {
		if (fscanf(file, "%d", &start) != 1)
			start = 1024;
		fclose(file);
	}
	return start <= 80;
}

Test(emu_environment, no_right_to_low_ports)
{
	const struct process_options options = { .no_low_ports = true };

	if (low_ports_are_free()) {
		e2e_end();
		cr_skip("this machine gives ports below 1024 to everybody");
	}
	e2e_file("master.cfg", "master = { listen = { host = \"@A.0.1\"; port = 80; }; };");
	struct process *master = EMU_WITH(&options, "run", "@D/master.cfg");
	emu_expect_code(master, 3);
	emu_expect_says(master, "master.listen: @A.0.1:80: Permission denied; ports below 1024 are "
				"root's: choose a higher one, or setcap cap_net_bind_service=ep");
	e2e_file("fleet.cfg", "fleet = { port = 80; groups = ( { addresses = \"@A.1.1\"; } ); };");
	struct process *fleet = EMU_WITH(&options, "run", "@D/fleet.cfg");
	emu_expect_code(fleet, 3);
	emu_expect_says(fleet, "@A.1.1:80: Permission denied; ports below 1024 are root's");
}

/* ---- addresses ---- */

Test(emu_environment, addresses_of_another_host)
{
	e2e_file("fleet.cfg", FLEET("count = 1; addresses = \"192.0.2.1\";"));
	struct process *fleet = EMU("run", "@D/fleet.cfg");
	emu_expect_code(fleet, 3);
	emu_expect_says(fleet,
			"target_1 cannot live on 192.0.2.1: Cannot assign requested address; "
			"give the host that address (ip address add 192.0.2.1/32 dev IFACE), "
			"or use a range in 127.0.0.0/8\n");
	e2e_file("master.cfg", "master = { listen = { host = \"192.0.2.1\"; port = @P; }; };");
	struct process *master = EMU("run", "@D/master.cfg");
	emu_expect_code(master, 3);
	emu_expect_says(master,
			"master.listen: 192.0.2.1:@P: Cannot assign requested address; this "
			"host has no such address");
}

/* ---- descriptors ---- */

Test(emu_environment, too_few_descriptors)
{
	const struct process_options options = { .fds_soft = 200, .fds_hard = 200 };

	e2e_file("fleet.cfg", FLEET("count = 500; addresses = \"@A.1.0-@A.9.255\";"));
	struct process *emu = EMU_WITH(&options, "run", "@D/fleet.cfg");
	emu_expect_code(emu, 3);
	emu_expect_says(emu, "this config needs 821 file descriptors (500 listeners, 256 "
			     "connections), the limit is 200: raise it with `ulimit -n 821`");
}

Test(emu_environment, a_low_soft_limit_is_raised)
{
	const struct process_options options = { .fds_soft = 64 };
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (limit.rlim_max < 1400) {
		e2e_end();
		cr_skip("the hard limit here is below 1,400");
	}
	e2e_file("both.cfg", FLEET("count = 500; addresses = \"@A.1.0-@A.9.255\";") MASTER);
	struct process *emu = EMU_WITH(&options, "run", "@D/both.cfg", "--json", "--log",
				       "/dev/stderr");
	emu_hears(emu, "event=listening ", 500);
	emu_signal(emu, SIGINT);
	emu_expect_code(emu, 0);
	EXPECT_JSON(emu_json(emu), "fleet.by_state.down", 500);
}

Test(emu_environment, hardly_any_descriptors)
{
	/* Three are open, one is the loop's: there is none for the signals. */
	const struct process_options options = { .fds_soft = 4, .fds_hard = 4 };

	e2e_file("master.cfg", MASTER);
	struct process *emu = EMU_WITH(&options, "run", "@D/master.cfg");
	emu_expect_code(emu, 3);
	emu_expect_says(emu, "Too many open files");
}

/* ---- the log ---- */

/* Waits for the fleet's targets and the gate, then stand_up and pings to the former. */
#define BUSY_MASTER                                                                                \
	"master = { listen = { host = \"@A.0.1\"; port = @P; }; wait = { timeout = \"1h\"; };\n"   \
	"  rounds = ( { command = \"stand_up\"; targets = \"target_[1-99]\"; },\n"                 \
	"    { command = \"ping\"; times = 30; targets = \"target_[1-99]\"; } ); };\n"

/* The log cannot say that all listen: asks them. Then lets the master begin. */
static void let_go(struct process *emu, unsigned targets)
{
	for (unsigned i = 0; i < targets; i++)
		emu_listens(emu, e2e_ip(1, i), e2e_port('P'));
	peer_register(e2e_ip(0, 9), e2e_ip(0, 1), e2e_port('P'), "gate");
}

Test(emu_environment, a_full_disk_under_the_log)
{
	e2e_file("both.cfg",
		 FLEET("count = 5; addresses = \"@A.1.0-@A.1.9\"; reply = \"done\";") BUSY_MASTER);
	struct process *emu = EMU("run", "@D/both.cfg", "--json", "--log", "/dev/full", "--set",
				  "master.wait.targets=6", "--set", "master.rounds[1].times=20");

	emu_hears(emu, "No space left on device", 1);
	let_go(emu, 5);
	emu_expect_code(emu, 0);
	emu_expect_says(emu, "/dev/full: No space left on device");
	cr_expect(strstr(emu->err.text + emu->seen, "No space left") == NULL, "said once: %s",
		  emu->err.text);
	EXPECT_JSON(emu_json(emu), "master.ok", 105);
	/* Each of these commands is four events: sent, come, answered, taken. */
	cr_expect(json_number(emu_json(emu), "log_lines_lost") > 420, "%s", emu_json(emu));
	emu_expect_prints(emu, "lines were lost");
}

Test(emu_environment, a_log_that_cannot_be_written)
{
	e2e_file("master.cfg", MASTER);
	struct process *nowhere = EMU("run", "@D/master.cfg", "--log", "@D/no/such/folder/x.log");
	struct process *folder = EMU("run", "@D/master.cfg", "--log", "@D");

	emu_expect_code(nowhere, 3);
	emu_expect_says(nowhere, "--log @D/no/such/folder/x.log: No such file or directory\n");
	emu_expect_code(folder, 3);
	emu_expect_says(folder, "--log @D: Is a directory\n");
}

Test(emu_environment, a_log_that_nobody_reads)
{
	const char *path = e2e_text("@D/fifo");

	cr_assert(mkfifo(path, 0600) == 0);
	e2e_file("both.cfg", FLEET("count = 50; addresses = \"@A.1.0-@A.1.99\";") BUSY_MASTER);
	struct process *emu = EMU("run", "@D/both.cfg", "--log", path);
	emu_expect_code(emu, 3); /* not waiting for a reader for ever */
	emu_expect_says(emu, "--log @D/fifo: ");

	/* One that has it open and never reads. */
	int reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	emu = EMU("run", "@D/both.cfg", "--json", "--log", path, "--set", "master.wait.targets=51");
	emu_listens(emu, e2e_ip(0, 1), e2e_port('P'));
	while (write(reader, "", 1) == 1)
		;
	let_go(emu, 50);
	emu_expect_code(emu, 0);
	EXPECT_JSON(emu_json(emu), "master.ok", 1550);
	emu_expect_says(emu, "log @D/fifo: who reads it is too slow; lines are lost");
	cr_expect(json_number(emu_json(emu), "log_lines_lost") > 1000, "%s", emu_json(emu));
	close(reader);
}

/* ---- stdout ---- */

static void expect_stdout_matters(const struct process_options *options, const char *says)
{
	static const char *const commands[][4] = {
		{ "run", "@D/master.cfg", "--for=1ms", NULL },
		{ "run", "@D/master.cfg", "--for=1ms", "--json" },
		{ "check", "@D/master.cfg", NULL, NULL },
		{ "settings", NULL, NULL, NULL },
		{ "--help", NULL, NULL, NULL },
		{ "--version", NULL, NULL, NULL },
	};

	e2e_file("master.cfg", MASTER);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct process *emu = EMU_WITH(options, commands[i][0], commands[i][1],
					       commands[i][2], commands[i][3]);
		emu_expect_code(emu, 3);
		emu_expect_says(emu, says);
		e2e_forget(emu);
	}
}

Test(emu_environment, stdout_on_a_full_disk)
{
	struct process_options options = { .out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC) };

	cr_assert(options.out_fd > 0);
	expect_stdout_matters(&options, "standard output: No space left on device\n");
	close(options.out_fd);
}

Test(emu_environment, stdout_closed)
{
	const struct process_options options = { .out_closed = true };

	expect_stdout_matters(&options, "standard output: Bad file descriptor\n");
}

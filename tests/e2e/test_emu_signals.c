/* Signals: the first ends a run with its summary, the second at once. */
#include "tests/support/e2e.h"
#include "tests/support/json_path.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(emu_signals, .init = e2e_begin, .fini = e2e_end);

static const char both[] = "fleet = { master = { host = \"@A.0.1\"; port = @P; };"
			   "  groups = ( { count = 3; addresses = \"@A.1.0-@A.1.9\"; } ); };\n"
			   "master = { listen = { host = \"@A.0.1\"; port = @P; }; };\n";

static void one_signal(int signal, const char *name)
{
	e2e_file("both.cfg", both);
	struct process *emu = EMU("run", "@D/both.cfg", "--json", "--log", "/dev/stderr");

	emu_hears(emu, "event=listening ", 3);
	emu_signal(emu, signal);
	emu_expect_code(emu, 0);
	emu_expect_prints(emu, "PASS");
	emu_expect_prints(emu, name);
	cr_expect(json_is(emu_json(emu), "verdict", "PASS"));
	EXPECT_JSON(emu_json(emu), "fleet.registered", 3);
	EXPECT_JSON(emu_json(emu), "master.registrations", 3);
}

Test(emu_signals, sigint_ends_with_a_summary)
{
	one_signal(SIGINT, "Interrupt");
}

Test(emu_signals, sigterm_ends_with_a_summary)
{
	one_signal(SIGTERM, "Terminated");
}

Test(emu_signals, sighup_ends_with_a_summary)
{
	one_signal(SIGHUP, "Hangup");
}

/* A stdout that takes nothing: the summary of the first signal cannot be written. */
static struct process *emu_with_a_stuck_stdout(int pipe_fds[2])
{
	cr_assert(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) == 0);
	while (write(pipe_fds[1], "", 1) == 1)
		;
	cr_assert(errno == EAGAIN);
	fcntl(pipe_fds[1], F_SETFL, 0);
	e2e_file("both.cfg", both);
	struct process *emu = EMU_WITH(&(struct process_options){ .out_fd = pipe_fds[1] }, "run",
				       "@D/both.cfg", "--log", "/dev/stderr");
	emu_hears(emu, "event=listening ", 3);
	return emu;
}

Test(emu_signals, another_signal_ends_at_once)
{
	int fds[2];
	struct process *emu = emu_with_a_stuck_stdout(fds);

	emu_signal(emu, SIGINT);
	emu_signal(emu, SIGTERM);
	emu_expect_code(emu, 128 + SIGTERM);
	close(fds[0]);
	close(fds[1]);
}

Test(emu_signals, the_same_signal_again_ends_at_once)
{
	int fds[2];
	struct process *emu = emu_with_a_stuck_stdout(fds);
	struct pollfd end = { emu->pidfd, POLLIN, 0 };

	/* Two that are pending together are one: again, until one came after the first was taken.
	 */
	do
		emu_signal(emu, SIGINT);
	while (poll(&end, 1, 20) == 0);
	emu_expect_code(emu, 128 + SIGINT);
	close(fds[0]);
	close(fds[1]);
}

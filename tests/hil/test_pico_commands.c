/*
 * The commands for a person at the bench, whole: arguments in, output, messages and exit code out,
 * against a board in another process.
 */
#include "hil/pico/commands.h"
#include "proto/json/json.h"
#include "tests/support/fake_board.h"
#include "tests/support/hil_bed.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>
#include <unistd.h>

static char port[64];
static pid_t board_pid;

/* A board in a process of its own, until the test ends. */
static void start_board(bool silent)
{
	int pipes[2];

	REQUIRE(pipe(pipes) == 0);
	board_pid = fork();
	if (board_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bed_start();
		struct fake_board *fake = fake_board_new_tcp(&bed.loop);
		fake->silent = silent;
		fake_board_store(fake, "boot.py", "hello\n", 6);
		if (write(pipes[1], fake->path, sizeof(fake->path)) > 0)
			loop_run(&bed.loop, TIMERS_NEVER);
		_exit(1);
	}
	REQUIRE(read(pipes[0], port, sizeof(port)) == sizeof(port));
	close(pipes[0]);
	close(pipes[1]);
}

static void stop_board(void)
{
	kill(board_pid, SIGKILL);
	waitpid(board_pid, NULL, 0);
}

static char out[20000], err[20000];
static size_t out_len;

static size_t take(int fd, char *buf)
{
	lseek(fd, 0, SEEK_SET);
	ssize_t n = read(fd, buf, 19999);
	REQUIRE(n >= 0);
	buf[n] = '\0';
	close(fd);
	return (size_t)n;
}

static int open_temporary(void)
{
	FILE *file = tmpfile();

	REQUIRE(file != NULL);
	return fcntl(fileno(file), F_DUPFD_CLOEXEC, 10);
}

/* A command, with what it says in `out` and `err`. */
static int run_command(int (*command)(int, char **), const char *const texts[])
{
	char *argv[12] = { NULL };
	int argc = 0, fds[2] = { open_temporary(), open_temporary() };
	int before[2] = { fcntl(1, F_DUPFD_CLOEXEC, 10), fcntl(2, F_DUPFD_CLOEXEC, 10) };

	for (; texts[argc] != NULL; argc++)
		argv[argc] = strdup(texts[argc]);
	fflush(NULL);
	dup2(fds[0], 1);
	dup2(fds[1], 2);
	optind = 0;
	int code = command(argc, argv);
	fflush(NULL);
	dup2(before[0], 1);
	dup2(before[1], 2);
	close(before[0]);
	close(before[1]);
	out_len = take(fds[0], out);
	take(fds[1], err);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return code;
}

#define run(command, ...) run_command(command, (const char *const[]){ __VA_ARGS__, NULL })
#define EXPECT(code_, call)                                                                        \
	do {                                                                                       \
		int got_ = (call);                                                                 \
		cr_expect_eq(got_, code_, "exit %d: %s", got_, err);                               \
	} while (0)

Test(commands, exec)
{
	start_board(false);
	EXPECT(0, run(cmd_exec, "exec", port, "print('hello')"));
	cr_expect_str_eq(out, "hello\r\n", "%s", out);
	cr_expect_str_eq(err, "");
	EXPECT(1, run(cmd_exec, "exec", port, "1/0", "--within", "5s"));
	cr_expect_str_eq(out, "");
	cr_expect_str_eq(err, "Traceback (most recent call last):\n  File \"<stdin>\", line 1, in "
			      "<module>\nZeroDivisionError: divide by zero\n");
	EXPECT(0, run(cmd_exec, "exec", port, "--fresh", "--app", "print('x')"));
	EXPECT(3, run(cmd_exec, "exec", port, "forever", "--within", "100ms"));
	cr_expect_str_eq(out, "started\r\n");
	cr_expect_not_null(strstr(err, "no answer in time"), "%s", err);
	stop_board();
}

Test(commands, no_board)
{
	start_board(true);
	EXPECT(3, run(cmd_exec, "exec", port, "print('x')", "--within", "100ms"));
	stop_board();
	EXPECT(3, run(cmd_exec, "exec", port, "print('x')"));
	cr_expect_not_null(strstr(err, "Connection refused"), "%s", err);
	EXPECT(3, run(cmd_exec, "exec", "no-such-serial", "x", "--within", "50ms"));
	cr_expect_not_null(strstr(err, "no-such-serial"), "%s", err);
	cr_expect_not_null(strstr(err, "quintain-hil list"), "%s", err);
	EXPECT(3, run(cmd_repl, "repl", port));
	EXPECT(2, run(cmd_flash, "flash", "usb:9-9", "/dev/null", "--within", "50ms"));
}

Test(commands, usage)
{
	static int (*const commands[])(int, char **) = { cmd_exec,  cmd_put,     cmd_get,
							 cmd_reset, cmd_bootsel, cmd_repl,
							 cmd_flash, cmd_list };
	static const char *const names[] = { "exec",    "put",  "get",   "reset",
					     "bootsel", "repl", "flash", "list" };
	char wanted[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		EXPECT(0, run(commands[i], names[i], "--help"));
		snprintf(wanted, sizeof(wanted), "usage: quintain-hil %s", names[i]);
		cr_expect_eq(strncmp(out, wanted, strlen(wanted)), 0, "%s", out);
		EXPECT(2, run(commands[i], names[i], "--nonsense"));
		snprintf(wanted, sizeof(wanted), "try: quintain-hil %s --help\n", names[i]);
		cr_expect_not_null(strstr(err, wanted), "%s", err);
		EXPECT(2, run(commands[i], names[i], "a", "b", "c", "d", "e"));
		cr_expect_str_eq(out, "");
	}
	EXPECT(2, run(cmd_exec, "exec", "port", "code", "--within", "0s"));
	EXPECT(2, run(cmd_exec, "exec", "port", "code", "--within", "soon"));
	EXPECT(2, run(cmd_exec, "exec", "port", "--file", "/no/such/file"));
	EXPECT(2, run(cmd_bootsel, "bootsel", "port", "--hard"));
	EXPECT(2, run(cmd_flash, "flash", "port", "/etc/hostname"));
}

Test(commands, put_and_get)
{
	char folder[] = "/tmp/quintain-files-XXXXXX", path[80], back[80];
	FILE *file;

	start_board(false);
	REQUIRE(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/main.py", folder);
	snprintf(back, sizeof(back), "%s/back.py", folder);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		putc(i % 256, file);
	fclose(file);
	EXPECT(0, run(cmd_put, "put", port, path));
	EXPECT(0, run(cmd_get, "get", port, "main.py", "-"));
	cr_expect(out_len == 1000 && (unsigned char)out[999] == 999 % 256 && out[0] == 0);
	EXPECT(0, run(cmd_get, "get", port, "boot.py", back));
	char text[10] = "";
	file = fopen(back, "r");
	REQUIRE(file != NULL && fgets(text, sizeof(text), file) != NULL);
	fclose(file);
	cr_expect_str_eq(text, "hello\n");
	EXPECT(1, run(cmd_get, "get", port, "nope.py", back));
	cr_expect_not_null(strstr(err, "ENOENT"), "%s", err);
	EXPECT(2, run(cmd_put, "put", port, path, "it's"));
	EXPECT(2, run(cmd_put, "put", port, folder));
	EXPECT(2, run(cmd_put, "put", path, "/dev/zero", "name"));
	cr_expect_not_null(strstr(err, "PORT comes first"), "%s", err);
	EXPECT(3, run(cmd_get, "get", port, "boot.py", "/no/such/folder/x"));
	unlink(path);
	unlink(back);
	cr_expect_eq(rmdir(folder), 0, "nothing else was left there");
	stop_board();
}

Test(commands, reset)
{
	start_board(false);
	EXPECT(0, run(cmd_reset, "reset", port));
	cr_expect_str_eq(out, "soft reboot into the application\n");
	EXPECT(0, run(cmd_reset, "reset", port, "--raw"));
	EXPECT(2, run(cmd_bootsel, "bootsel", port));
	cr_expect_not_null(strstr(err, "no USB path"), "%s", err);
	EXPECT(0, run(cmd_reset, "reset", port, "--hard"));
	stop_board();
}

Test(commands, list)
{
	struct qn_fault fault;
	char *line, *rest = out;

	EXPECT(0, run(cmd_list, "list", "--all"));
	EXPECT(0, run(cmd_list, "list", "--all", "--json"));
	/* Whatever this machine has: a line each, each an object. */
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0')
		cr_expect_eq(qn_json_check(line, strlen(line), QN_JSON_STRICT, 0, &fault), QN_OK,
			     "%s", line);
}

/* ---- a terminal ---- */

static void expect_said(int fd, const char *wanted)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (strstr(out, wanted) == NULL) {
		cr_assert(poll(&poll_fd, 1, PATIENCE_MS) > 0, "heard only \"%s\"", out);
		ssize_t n = read(fd, out + len, sizeof(out) - 1 - len);
		cr_assert_gt(n, 0, "heard only \"%s\"", out);
		len += (size_t)n;
		out[len] = '\0';
	}
	out[0] = '\0';
}

static int code_of(pid_t pid)
{
	int status = 0;

	REQUIRE(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static pid_t start_terminal(int *ret_master, int *ret_slave)
{
	char name[] = "repl", *argv[] = { name, port, NULL };

	REQUIRE(openpty(ret_master, ret_slave, NULL, NULL, NULL) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(*ret_master);
		login_tty(*ret_slave);
		optind = 0;
		int code = cmd_repl(2, argv);
		fflush(NULL);
		_exit(code);
	}
	return pid;
}

static bool is_raw(int fd)
{
	struct termios tio;

	REQUIRE(tcgetattr(fd, &tio) == 0);
	return (tio.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

Test(commands, repl)
{
	int master, slave;

	start_board(false);
	pid_t pid = start_terminal(&master, &slave);
	expect_said(master, "Ctrl-] leaves\r\n");
	cr_expect(is_raw(slave));
	REQUIRE(write(master, "\r", 1) == 1);
	expect_said(master, ">>> ");
	REQUIRE(write(master, "\x03", 1) == 1);
	expect_said(master, ">>> "); /* the board's Ctrl-C, not ours */
	REQUIRE(write(master, "\x01print('raw')\x04", 14) == 14);
	expect_said(master, "OKraw\r\n\x04\x04>");
	REQUIRE(write(master, "abc\x1d", 4) == 4);
	cr_expect_eq(code_of(pid), 0);
	cr_expect_not(is_raw(slave), "as it was");
	stop_board();
}

Test(commands, repl_ended_from_outside)
{
	int master, slave;

	start_board(false);
	pid_t pid = start_terminal(&master, &slave);
	expect_said(master, "Ctrl-] leaves\r\n");
	kill(pid, SIGTERM);
	cr_expect_eq(code_of(pid), 3);
	cr_expect_not(is_raw(slave));
	pid = start_terminal(&master, &slave);
	expect_said(master, "Ctrl-] leaves\r\n");
	stop_board();
	expect_said(master, "quintain-hil repl: "); /* reset or closed: as the kernel has it */
	cr_expect_eq(code_of(pid), 3);
	cr_expect_not(is_raw(slave));
}

Test(commands, repl_with_a_pipe)
{
	int pipes[2];

	start_board(false);
	REQUIRE(pipe(pipes) == 0);
	/* Enter, Enter as a pipe has it, and in the way of other systems. */
	REQUIRE(write(pipes[1],
		      "\r"
		      "x\n"
		      "\r\n",
		      5) == 5);
	close(pipes[1]);
	dup2(pipes[0], 0);
	EXPECT(0, run(cmd_repl, "repl", port));
	cr_expect_str_eq(out, "\r\n>>> x\r\n>>> \r\n>>> ", "%s", out);
	dup2(open("/etc/hostname", O_RDONLY), 0);
	EXPECT(2, run(cmd_repl, "repl", port));
	stop_board();
}

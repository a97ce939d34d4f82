#include "tests/bench/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 8

static struct child *live[CHILDREN_MAX];
static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	interrupted = signal_number;
}

static void stop_all(void)
{
	/* The last first: a client must not see its server go. */
	for (size_t i = CHILDREN_MAX; i > 0; i--) {
		if (live[i - 1])
			child_stop(live[i - 1]);
	}
}

void children_init(void)
{
	struct sigaction action = { .sa_handler = interrupt };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	atexit(stop_all);
}

static void check_interrupt(void)
{
	if (interrupted)
		die(0, "interrupted");
}

/*
 * Where it is allowed, the measured processes go before whatever else the machine does. Linux
 * shares the processors out by sessions first ("autogroup", sched(7)): nice alone counts within one
 * only.
 */
static void go_first(void)
{
	FILE *autogroup;

	setsid();
	setpriority(PRIO_PROCESS, 0, -20);
	autogroup = fopen("/proc/self/autogroup", "w");
	if (autogroup) {
		fputs("-20", autogroup);
		fclose(autogroup);
	}
}

static void become(const struct child *child, int cpu, pid_t driver, int in, int out, int err,
		   const char *const argv[])
{
	cpu_set_t cpus;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != driver)
		_exit(1);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	if (err >= 0)
		dup2(err, STDERR_FILENO);
	go_first();
	if (cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((size_t)cpu, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	execv(argv[0], (char *const *)(uintptr_t)argv);
	die(errno, "%s: cannot run %s", child->name, argv[0]);
}

void child_start(struct child *child, const char *name, int cpu, const char *log_path,
		 const char *const argv[])
{
	pid_t driver = getpid();
	int in[2], out[2], log = -1;
	size_t i = 0;

	check_interrupt();
	memset(child, 0, sizeof(*child));
	child->name = name;
	while (i < CHILDREN_MAX && live[i])
		i++;
	if (i == CHILDREN_MAX)
		die(0, "too many children");
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die(errno, "pipe");
	if (log_path) {
		snprintf(child->log, sizeof(child->log), "%s", log_path);
		log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (log < 0)
			die(errno, "%s", log_path);
	}
	child->pid = fork();
	if (child->pid < 0)
		die(errno, "fork");
	if (child->pid == 0)
		become(child, cpu, driver, in[0], log < 0 ? out[1] : log, log, argv);
	live[i] = child;
	close(in[0]);
	close(out[1]);
	if (log >= 0)
		close(log);
	child->in = in[1];
	child->out = out[0];
}

void child_tell(struct child *child, const char *text)
{
	if (write(child->in, text, strlen(text)) != (ssize_t)strlen(text))
		die(errno, "%s", child->name);
}

static void forget(struct child *child)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (live[i] == child)
			live[i] = NULL;
	}
	close(child->in);
	close(child->out);
	child->pid = 0;
}

static void died(struct child *child)
{
	if (child->log[0])
		die(0, "%s ended; what it said is in %s", child->name, child->log);
	die(0, "%s ended", child->name);
}

/* What the last call returned is dropped; a line that has come already is taken. */
static char *line_end(struct child *child)
{
	size_t last = strnlen(child->buf, child->len);

	if (last < child->len) {
		child->len -= last + 1;
		memmove(child->buf, child->buf + last + 1, child->len);
	}
	return memchr(child->buf, '\n', child->len);
}

const char *child_try_line(struct child *child, int timeout_ms)
{
	int64_t deadline = now_ns() + timeout_ms * (NS_PER_S / 1000);
	char *end = line_end(child);

	while (!end) {
		struct pollfd fd = { .fd = child->out, .events = POLLIN };
		int64_t left_ms = (deadline - now_ns()) / (NS_PER_S / 1000);
		ssize_t n;

		check_interrupt();
		if (left_ms <= 0 || child->len == sizeof(child->buf))
			return NULL;
		if (poll(&fd, 1, (int)left_ms) <= 0)
			continue;
		n = read(child->out, child->buf + child->len, sizeof(child->buf) - child->len);
		if (n <= 0)
			died(child);
		child->len += (size_t)n;
		end = memchr(child->buf, '\n', child->len);
	}
	*end = '\0';
	return child->buf;
}

const char *child_line(struct child *child, int timeout_ms)
{
	const char *line = child_try_line(child, timeout_ms);

	if (!line)
		die(0, "%s: no line within %d ms", child->name, timeout_ms);
	return line;
}

/* True: it has ended and been waited for. */
static bool ended(struct child *child, int timeout_ms, int *ret_status)
{
	int64_t deadline = now_ns() + timeout_ms * (NS_PER_S / 1000);
	struct timespec pause = { .tv_nsec = 2000000 };

	while (waitpid(child->pid, ret_status, WNOHANG) != child->pid) {
		if (now_ns() > deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void child_check(struct child *child)
{
	int status;

	if (ended(child, 0, &status)) {
		forget(child);
		died(child);
	}
}

void child_wait(struct child *child, int timeout_ms)
{
	int status;

	if (!ended(child, timeout_ms, &status))
		die(0, "%s did not end within %d ms", child->name, timeout_ms);
	forget(child);
	if (status)
		died(child);
}

void child_stop(struct child *child)
{
	int status;

	if (child->pid <= 0)
		return;
	kill(child->pid, SIGTERM);
	kill(child->pid, SIGCONT);
	if (!ended(child, 3000, &status)) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, &status, 0);
	}
	forget(child);
}

void nap_ms(int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
	check_interrupt();
}

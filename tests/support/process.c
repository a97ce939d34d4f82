#include "tests/support/process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- in the child ---- */

static void limit_fds(const struct process_options *options)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		_exit(126);
	if (options->fds_hard > 0)
		limit.rlim_max = options->fds_hard;
	if (options->fds_soft > 0)
		limit.rlim_cur = options->fds_soft;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		_exit(126);
}

static void become(const char *const argv[], const struct process_options *options, int out,
		   int err)
{
	sigset_t none;
	int in = open(options->in_path != NULL ? options->in_path : "/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	if (options->out_closed)
		close(1);
	/* A bounding set without it takes the right from root at the exec; others have none. */
	if (options->no_low_ports)
		prctl(PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE, 0, 0, 0);
	close_range(3, ~0u, 0);
	limit_fds(options);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* ---- in the test ---- */

void process_start(struct process *process, const char *const argv[],
		   const struct process_options *options)
{
	static const struct process_options plain;
	int out[2], err[2];
	pid_t parent = getpid();

	if (options == NULL)
		options = &plain;
	*process = (struct process){ .code = -1 };
	cr_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	process->pid = fork();
	cr_assert(process->pid >= 0);
	if (process->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(126);
		become(argv, options, options->out_fd > 0 ? options->out_fd : out[1], err[1]);
	}
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	cr_assert(process->pidfd >= 0);
	process->out = (struct output){ .fd = out[0], .text = calloc(1, 1), .cap = 1 };
	process->err = (struct output){ .fd = err[0], .text = calloc(1, 1), .cap = 1 };
	cr_assert(process->out.text != NULL && process->err.text != NULL);
}

static void take(struct output *output)
{
	while (output->fd >= 0) {
		if (output->cap - output->len < 65536) {
			output->cap = output->cap * 2 + 65536;
			output->text = realloc(output->text, output->cap);
			cr_assert(output->text != NULL);
		}
		ssize_t n = read(output->fd, output->text + output->len,
				 output->cap - output->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			close(output->fd);
			output->fd = -1;
			break;
		}
		output->len += (size_t)n;
	}
	output->text[output->len] = '\0';
}

static void reap(struct process *process)
{
	siginfo_t info;

	cr_assert(waitid(P_PID, (id_t)process->pid, &info, WEXITED) == 0);
	process->code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	close(process->pidfd);
	process->pidfd = -1;
	take(&process->out);
	take(&process->err);
	cr_expect(strstr(process->err.text, "Sanitizer") == NULL &&
			  strstr(process->err.text, "runtime error:") == NULL,
		  "%s", process->err.text);
}

bool process_ended(const struct process *process)
{
	return process->pidfd < 0;
}

bool process_pump(struct process *const all[], size_t n, int timeout_ms)
{
	struct pollfd fds[3 * PROCESSES_MAX]; /* poll() passes over negative descriptors */

	cr_assert(n <= PROCESSES_MAX);
	for (size_t i = 0; i < n; i++) {
		fds[3 * i] = (struct pollfd){ all[i]->out.fd, POLLIN, 0 };
		fds[3 * i + 1] = (struct pollfd){ all[i]->err.fd, POLLIN, 0 };
		fds[3 * i + 2] = (struct pollfd){ all[i]->pidfd, POLLIN, 0 };
	}
	int ready = poll(fds, 3 * n, timeout_ms);
	cr_assert(ready >= 0 || errno == EINTR);
	if (ready <= 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (fds[3 * i].revents != 0)
			take(&all[i]->out);
		if (fds[3 * i + 1].revents != 0)
			take(&all[i]->err);
		if (fds[3 * i + 2].revents != 0)
			reap(all[i]);
	}
	return true;
}

void process_free(struct process *process)
{
	if (!process_ended(process)) {
		kill(process->pid, SIGKILL);
		reap(process);
	}
	if (process->out.fd >= 0)
		close(process->out.fd);
	if (process->err.fd >= 0)
		close(process->err.fd);
	free(process->out.text);
	free(process->err.text);
}

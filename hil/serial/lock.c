#include "hil/serial/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hil/serial/console.h"

int serial_lock(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* Of use against programs that take no lock; a device that knows no TIOCEXCL has the other.
	 */
	if (isatty(fd) && ioctl(fd, TIOCEXCL) < 0 && errno == EIO) {
		flock(fd, LOCK_UN);
		return -EIO;
	}
	return 0;
}

void serial_unlock(int fd)
{
	ioctl(fd, TIOCNXCL);
	flock(fd, LOCK_UN);
}

static void program_of(const char *pid, char *buf, size_t cap)
{
	char path[64], raw[32] = "";

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, raw, sizeof(raw) - 1) : 0;
	if (fd >= 0)
		close(fd);
	while (n > 0 && raw[n - 1] == '\n')
		n--;
	/* A program names itself as it likes. */
	console_print_safe(raw, n > 0 ? (size_t)n : 0, buf, cap);
}

static bool has_open(const char *pid, const char *device)
{
	char path[64], target[PATH_MAX];
	bool found = false;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return false; /* not ours to look into, or gone meanwhile */
	while (!found && (entry = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		found = strcmp(target, device) == 0;
	}
	closedir(dir);
	return found;
}

size_t serial_holders(const char *path, struct serial_holder *holders, size_t cap)
{
	char device[PATH_MAX];
	size_t n = 0;
	struct dirent *entry;

	if (realpath(path, device) == NULL)
		return 0;
	DIR *proc = opendir("/proc");
	if (proc == NULL)
		return 0;
	while ((entry = readdir(proc)) != NULL) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (*end != '\0' || pid <= 0 || pid == (long)getpid() ||
		    !has_open(entry->d_name, device))
			continue;
		if (n < cap) {
			holders[n].pid = (pid_t)pid;
			program_of(entry->d_name, holders[n].program, sizeof(holders[n].program));
		}
		n++;
	}
	closedir(proc);
	return n;
}

void serial_holders_text(const char *path, char *buf, size_t cap)
{
	struct serial_holder holders[4];
	size_t n = serial_holders(path, holders, 4);

	if (n == 0) {
		snprintf(buf, cap, "held by another program");
		return;
	}
	size_t used = (size_t)snprintf(buf, cap, "held by");
	for (size_t i = 0; i < n && i < 4 && used < cap; i++)
		used += (size_t)snprintf(buf + used, cap - used, "%s pid %d (%s)", i > 0 ? "," : "",
					 (int)holders[i].pid, holders[i].program);
}

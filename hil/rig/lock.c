#include "hil/rig/lock.h"

#include "hil/rig/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AGAIN_NS (100 * NS_PER_MS)

/* All users of the machine must meet at one place: /run/lock where one may write there. */
void bench_lock_path(const struct bench *bench, char *buf, size_t cap)
{
	const char *temporary = getenv("TMPDIR");

	if (bench->lock[0] != '\0')
		snprintf(buf, cap, "%s", bench->lock);
	else if (access("/run/lock", W_OK | X_OK) == 0)
		snprintf(buf, cap, "/run/lock/quintain-hil-%s.lock", bench->name);
	else
		snprintf(buf, cap, "%s/quintain-hil-%s.lock",
			 temporary != NULL ? temporary : "/tmp", bench->name);
}

static void read_holder(int fd, char *buf, size_t cap)
{
	ssize_t n = pread(fd, buf, cap - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	for (char *at = buf; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
			*at = '?';
	if (buf[0] == '\0')
		snprintf(buf, cap, "another quintain-hil");
}

static void write_holder(int fd, const char *what)
{
	const char *user = getenv("USER");
	char text[300], at[40];
	time_t now = time(NULL);
	struct tm tm;

	strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
	int len = snprintf(text, sizeof(text), "%.120s by pid %d (%.40s), since %s\n", what,
			   (int)getpid(), user != NULL ? user : "?", at);
	/* For people; the lock is the lock whether or not this arrives. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) < 0)
		return;
}

static int open_file(const char *path)
{
	/* In a folder where others may write, nobody's link is followed (open(2), O_NOFOLLOW). */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd >= 0)
		fchmod(fd, 0666); /* another user's rig must be able to wait for it */
	if (fd < 0 && errno == EACCES)
		/* A sticky folder may keep others from O_CREAT on it (fs.protected_regular). */
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int bench_lock(const struct bench *bench, const char *what, void (*waiting)(const char *text),
	       struct rig_fault *fault)
{
	int64_t deadline_ns = rig_clock_ns() + bench->lock_timeout_ns;
	char path[4096], holder[300];
	bool told = false;

	bench_lock_path(bench, path, sizeof(path));
	int fd = open_file(path);
	if (fd < 0) {
		snprintf(fault->text, sizeof(fault->text), "the bench's lock %.300s: %s", path,
			 strerror(-fd));
		return fd;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		struct timespec pause = { 0, AGAIN_NS };
		int error = errno;
		read_holder(fd, holder, sizeof(holder));
		if (error == EINTR || (error == EWOULDBLOCK && rig_clock_ns() < deadline_ns)) {
			if (!told && waiting != NULL)
				waiting(holder);
			told = true;
			nanosleep(&pause, NULL);
			continue;
		}
		if (error == EWOULDBLOCK)
			snprintf(fault->text, sizeof(fault->text),
				 "bench %s is in use: %.290s (bench.lock_timeout lets one wait)",
				 bench->name, holder);
		else
			snprintf(fault->text, sizeof(fault->text), "the bench's lock %.300s: %s",
				 path, strerror(error));
		close(fd);
		return error == EWOULDBLOCK ? -EBUSY : -error;
	}
	write_holder(fd, what);
	return fd;
}

bool bench_lock_holder(const struct bench *bench, char *buf, size_t cap)
{
	char path[4096];

	bench_lock_path(bench, path, sizeof(path));
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool held = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (held)
		read_holder(fd, buf, cap);
	close(fd);
	return held;
}

void bench_unlock(int fd)
{
	if (fd < 0)
		return;
	if (ftruncate(fd, 0) < 0) {
		/* The text is for people only. */
	}
	close(fd);
}

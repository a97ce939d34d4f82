#include "emulator/base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_make(const char *path)
{
	char part[4096];
	size_t len = strlen(path);

	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0777) < 0 && errno != EEXIST && errno != EISDIR)
			return -errno;
	}
	return 0;
}

int folder_open(const char *path)
{
	int rc = folder_make(path);
	int fd = rc < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (rc < 0)
		return rc;
	if (fd < 0)
		return -errno;
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int folder_write(int dir_fd, const char *name, void (*write)(FILE *out, void *context),
		 void *context)
{
	char part[NAME_MAX + 1];
	int rc = 0;

	if (snprintf(part, sizeof(part), "%s.part", name) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	int fd = openat(dir_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	if (out == NULL) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	errno = 0;
	write(out, context);
	if (fflush(out) != 0 || ferror(out))
		rc = errno != 0 ? -errno : -EIO;
	if (fclose(out) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(dir_fd, part, dir_fd, name) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(dir_fd, part, 0);
	return rc;
}

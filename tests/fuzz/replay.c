/*
 * Runs a fuzz target over the files of a folder: its corpus, as a test without libFuzzer.
 *
 * Each input lies in memory of exactly its size, so that the sanitizer sees a read past its end.
 * Usage: replay_NAME FOLDER. Exits 0 when all went through, 1 when the folder is empty or
 * unreadable.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(int fd, uint8_t *bytes, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t got = read(fd, bytes + have, size - have);
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		have += (size_t)got;
	}
	return 0;
}

/* 1: it ran, 0: it is no file, else -errno. */
static int replay_file(int folder, const char *name)
{
	struct stat status;
	uint8_t *bytes = NULL;
	int rc;

	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		rc = -errno;
		goto out;
	}
	rc = 0;
	if (!S_ISREG(status.st_mode))
		goto out;
	size_t size = (size_t)status.st_size;
	bytes = malloc(size);
	if (bytes == NULL && size > 0) {
		rc = -ENOMEM;
		goto out;
	}
	rc = read_all(fd, bytes, size);
	if (rc < 0)
		goto out;
	LLVMFuzzerTestOneInput(bytes, size);
	rc = 1;
out:
	free(bytes);
	close(fd);
	return rc;
}

int main(int argc, char **argv)
{
	unsigned count = 0;
	int rc = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	DIR *dir = opendir(argv[1]);
	if (dir == NULL) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (struct dirent *entry; rc >= 0 && (entry = readdir(dir)) != NULL;) {
		rc = replay_file(dirfd(dir), entry->d_name);
		if (rc < 0)
			fprintf(stderr, "%s/%s: %s\n", argv[1], entry->d_name, strerror(-rc));
		else
			count += (unsigned)rc;
	}
	closedir(dir);
	if (rc >= 0 && count == 0)
		fprintf(stderr, "%s: no inputs\n", argv[1]);
	printf("%u inputs\n", count);
	return rc >= 0 && count > 0 ? 0 : 1;
}

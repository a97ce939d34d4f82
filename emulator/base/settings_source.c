/* Reads a config file and the files that it includes, bounded. */
#include "emulator/base/settings_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCLUDE_DEPTH_MAX 16

static int read_all(int fd, size_t max, char **ret_text, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		if (cap - len < 2) {
			size_t larger = cap ? cap * 2 : 16384;
			char *moved = realloc(text, larger);

			if (!moved)
				abort();
			text = moved;
			cap = larger;
		}
		ssize_t n = read(fd, text + len, cap - len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (size_t)n > max - len) {
			int error = n < 0 ? -errno : -EFBIG;

			free(text);
			return error;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}

/* Room for one more file; its text is the caller's to fill. */
static struct settings_file *add_file(struct settings_source *source, const char *name)
{
	struct settings_file *files = realloc(source->files,
					      (source->n_files + 1) * sizeof(*source->files));

	if (!files)
		abort();
	source->files = files;
	files += source->n_files++;
	*files = (struct settings_file){ .name = settings_format("%s", name) };
	return files;
}

static bool is_open(const struct settings_source *source, uint16_t file, const struct stat *info)
{
	for (;; file = source->files[file].parent) {
		const struct settings_file *at = &source->files[file];

		if (at->inode == info->st_ino && at->device == info->st_dev)
			return true;
		if (file == 0)
			return false;
	}
}

int settings_source_open(struct settings_source *source, const char *path, const char *name,
			 uint16_t parent)
{
	bool included = source->n_files > 0;
	bool standard_input = !included && strcmp(path, "-") == 0;
	/* Nobody writes to a FIFO that a config names by mistake: do not wait for that. */
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (included ? O_NONBLOCK : 0);
	int fd = standard_input ? STDIN_FILENO : open(path, flags);
	struct stat info;
	char *text = NULL;
	size_t len = 0;
	int ret;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &info) < 0)
		ret = -errno;
	else if (S_ISDIR(info.st_mode))
		ret = -EISDIR;
	else if (included && !S_ISREG(info.st_mode))
		ret = -EINVAL;
	else if (included && is_open(source, parent, &info))
		ret = -ELOOP;
	else
		ret = read_all(fd, SETTINGS_BYTES_MAX - source->bytes, &text, &len);
	if (!standard_input)
		close(fd);
	if (ret < 0)
		return ret;
	struct settings_file *file = add_file(source, name);

	file->text = text;
	file->len = len;
	file->device = info.st_dev;
	file->inode = info.st_ino;
	file->parent = parent;
	source->bytes += len;
	return 0;
}

int settings_source_add_text(struct settings_source *source, const char *text, size_t len,
			     const char *name)
{
	if (len > SETTINGS_BYTES_MAX)
		return -EFBIG;
	struct settings_file *file = add_file(source, name);

	file->text = malloc(len + 1);
	if (!file->text)
		abort();
	memcpy(file->text, text, len);
	file->text[len] = '\0';
	file->len = len;
	source->bytes += len;
	return 0;
}

const char *settings_source_error(int error)
{
	switch (error) {
	case -EFBIG: return "larger than 16 MiB, with all that is included";
	case -EISDIR: return "is a folder, not a file";
	case -ELOOP: return "includes itself";
	case -EINVAL: return "is no regular file";
	case -ENOENT: return "no such file";
	default: return strerror(-error);
	}
}

static unsigned include_depth(const struct settings_source *source, uint16_t file)
{
	unsigned depth = 0;

	for (; file != 0; file = source->files[file].parent)
		depth++;
	return depth;
}

void settings_source_include(struct settings_source *source, uint16_t file, uint32_t line,
			     const char *path)
{
	const char *from = source->files[file].name;
	const char *slash = strrchr(from, '/');
	int folder = *path == '/' || !slash ? 0 : (int)(slash - from) + 1;
	char shown[SETTINGS_SHOWN];

	settings_show(path, strlen(path), '"', shown, sizeof(shown));
	if (include_depth(source, file) == INCLUDE_DEPTH_MAX ||
	    source->n_files == SETTINGS_FILES_MAX) {
		settings_fault(source, file, line,
			       "@include %s: too many files; at most %d inside each other and %u "
			       "in all are taken",
			       shown, INCLUDE_DEPTH_MAX, SETTINGS_FILES_MAX);
		return;
	}
	char *full = settings_format("%.*s%s", folder, from, path);
	int ret = settings_source_open(source, full, full, file);

	if (ret == 0) {
		settings_lex(source, (uint16_t)(source->n_files - 1));
	} else {
		char name[SETTINGS_SHOWN];

		settings_show(full, strlen(full), 0, name, sizeof(name));
		settings_fault(source, file, line, "@include %s: %s: %s", shown, name,
			       settings_source_error(ret));
	}
	free(full);
}

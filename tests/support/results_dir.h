/*
 * A directory for the files of one test, and what is in them.
 *
 * Ownership: results_dir_make() and results_dir_remove() as a pair; results_dir_read() gives memory
 * to be freed, terminated. Errors: fails the test. Threads: none.
 */
#ifndef TEST_RESULTS_DIR_H
#define TEST_RESULTS_DIR_H

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct results_dir {
	char path[64];
};

static inline void results_dir_make(struct results_dir *dir)
{
	strcpy(dir->path, "/tmp/quintain-results-XXXXXX");
	cr_assert(mkdtemp(dir->path) != NULL);
}

/* Everything in it is a file, or a folder like it. */
static inline void results_dir_remove(const char *path)
{
	DIR *dir = opendir(path);
	char *name;

	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		cr_assert(asprintf(&name, "%s/%s", path, entry->d_name) > 0);
		if (entry->d_type == DT_DIR)
			results_dir_remove(name);
		else
			unlink(name);
		free(name);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

static inline char *results_dir_read(const char *path, const char *name, size_t *ret_len)
{
	char file[512];
	snprintf(file, sizeof(file), "%s/%s", path, name);
	FILE *in = fopen(file, "r");
	cr_assert(in != NULL, "%s is not there", file);
	fseek(in, 0, SEEK_END);
	long len = ftell(in);
	rewind(in);
	char *text = malloc((size_t)len + 1);
	cr_assert(text != NULL && fread(text, 1, (size_t)len, in) == (size_t)len);
	text[len] = '\0';
	fclose(in);
	if (ret_len != NULL)
		*ret_len = (size_t)len;
	return text;
}

static inline bool results_dir_has(const char *path, const char *name)
{
	char file[512];

	snprintf(file, sizeof(file), "%s/%s", path, name);
	return access(file, F_OK) == 0;
}

#endif

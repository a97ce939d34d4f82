/*
 * Folders of results: made, opened, and filled with files that are whole or not there.
 *
 * Purpose: what writes several files of one run shares. A file is written beside its place, as
 * NAME.part, and renamed when it is complete: a reader never sees half of it.
 * Ownership: the descriptor of folder_open() is the caller's to close. Errors: 0 (or a descriptor)
 * or -errno; of a file that fails nothing stays. Threads: no state.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdio.h>

/* Like mkdir -p: folders that are there are fine. */
int folder_make(const char *path);
/* Made where it is not there, its parents too; -EACCES where nothing can be written into it. */
int folder_open(const char *path);
/* What `write` says becomes `name`, in place of what was there. */
int folder_write(int dir_fd, const char *name, void (*write)(FILE *out, void *context),
		 void *context);

#endif

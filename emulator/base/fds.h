/*
 * The limit of open descriptors: raised as far as it goes, before anything is opened.
 *
 * Errors: 0 or -errno. Threads: before they start. Source: getrlimit(2).
 */
#ifndef FDS_H
#define FDS_H

#include <stddef.h>

/* Raises the soft limit to the hard one; *ret_limit is what then holds. */
int fds_raise(size_t *ret_limit);

#endif

/*
 * A file that grows while others wait: what does not fit on the disk is said once, and costs the
 * recording, never the connections.
 *
 * Ownership: out_close() what out_open() gave. Errors: kept in `error` (-errno); after the first
 * nothing more is written, and what was written stays as it is. Threads: one.
 */
#ifndef SNIFF_OUT_FILE_H
#define SNIFF_OUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out_file {
	const char *path; /* "-": standard output */
	int fd;           /* -1: not open */
	int error;
	bool told; /* the caller has said the error */
	size_t len;
	uint64_t bytes;
	char buffer[1 << 16];
};

/* Replaces what is there. 0 or -errno. */
int out_open(struct out_file *out, const char *path);
void out_put(struct out_file *out, const void *bytes, size_t len);
void out_printf(struct out_file *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void out_flush(struct out_file *out);
/* 0, or the first error. */
int out_close(struct out_file *out);

#endif

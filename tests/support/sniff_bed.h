/*
 * A proxy between two plain sockets of a test.
 *
 * Purpose: SNIFF(wire, more options ...) listens on @A.3.1:@P and leads to @A.0.1:@Q, where the
 * test listens; bed_connect() is a client (from @A.1.1) and what the server then accepts.
 * Ownership: descriptors are closed by bed_end(). Errors: fail the test. Threads: one.
 */
#ifndef TEST_SNIFF_BED_H
#define TEST_SNIFF_BED_H

#include "tests/support/e2e.h"
#include "tests/support/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct sniff_bed {
	struct process *emu;
	int listener, client, server;
} bed;

static inline void bed_begin(void)
{
	e2e_begin();
	bed = (struct sniff_bed){ NULL, -1, -1, -1 };
	bed.listener = peer_listen(e2e_ip(0, 1), e2e_port('Q'));
}

static inline void bed_end(void)
{
	int *const fds[] = { &bed.listener, &bed.client, &bed.server };

	for (size_t i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	e2e_end();
}

#define SNIFF(wire, ...)                                                                           \
	do {                                                                                       \
		bed.emu = EMU("sniff", wire, "--listen", "@A.3.1:@P", "--to", "@A.0.1:@Q",         \
			      __VA_ARGS__);                                                        \
		emu_hears(bed.emu, "leads to", 1); /* a probe would be a connection */             \
	} while (0)

static inline void bed_connect(void)
{
	uint32_t from;

	bed.client = peer_connect(e2e_ip(1, 1), e2e_ip(3, 1), e2e_port('P'));
	bed.server = peer_accept(bed.listener, &from);
	cr_assert_eq(from, e2e_ip(1, 1), "the server sees the client's own address");
}

static inline void bed_stop(int code)
{
	emu_signal(bed.emu, SIGINT);
	emu_expect_code(bed.emu, code);
}

/* A file in the test's folder, whole and terminated; free() it. */
static inline char *bed_slurp(const char *path, size_t *ret_len)
{
	FILE *file = fopen(e2e_text(path), "re");
	struct stat st;

	cr_assert_not_null(file, "%s", path);
	cr_assert_eq(fstat(fileno(file), &st), 0);
	char *text = calloc(1, (size_t)st.st_size + 1);
	cr_assert_not_null(text);
	cr_assert_eq(fread(text, 1, (size_t)st.st_size, file), (size_t)st.st_size);
	fclose(file);
	if (ret_len != NULL)
		*ret_len = (size_t)st.st_size;
	return text;
}

static inline size_t bed_count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

#endif

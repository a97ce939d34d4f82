/*
 * The other end of a wire, played by a test with plain blocking sockets: a master, a target, a
 * client. Nothing of quintain is in it.
 *
 * Units: addresses in host byte order. Ownership: descriptors are the caller's to close().
 * Errors: what must not happen, and any wait past PATIENCE_MS, fail the test. Threads: no state.
 */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of one write or read, newline included, terminated. */
#define PEER_LINE 4096

int peer_listen(uint32_t ip, uint16_t port);
/* Where the other side comes from; ret_ip may be NULL. */
int peer_accept(int listener, uint32_t *ret_ip);
/* from 0: any. A descriptor, or -errno. */
int peer_try_connect(uint32_t from, uint32_t to, uint16_t port);
/* The same where it must succeed. */
int peer_connect(uint32_t from, uint32_t to, uint16_t port);

void peer_send(int fd, const char *bytes, size_t len);
void peer_say(int fd, const char *text);
/* One recv(): its length, 0 at the end, -errno. Terminates what it read. */
ssize_t peer_recv(int fd, char *buf, size_t cap);
/* One recv() must bring exactly one line. */
void peer_line(int fd, char buf[PEER_LINE]);
/* As many recv() as it takes to that many lines; no more may come with them. */
void peer_lines(int fd, char *buf, size_t cap, size_t lines);
/* The other side closes or resets, and says nothing before. */
void peer_expect_end(int fd);
/* Whether it ends without a word: an orderly end 0, else -errno. */
int peer_end_of(int fd);
/* Closes with a RST. */
void peer_reset(int fd);

/* Registers at a master as a board does, from that address, and takes the answer. */
void peer_register(uint32_t from, uint32_t master, uint16_t port, const char *id);

/* Text matches a pattern in which '#' stands for one or more digits and all else for itself. */
bool peer_matches(const char *text, const char *pattern);
#define EXPECT_MATCH(text, pattern)                                                                \
	cr_expect(peer_matches(text, pattern), "got      %s\nexpected %s", text, pattern)

#endif

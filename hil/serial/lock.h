/*
 * Who may use a serial device: one program at a time.
 *
 * Purpose: flock() stops those who ask for it (libserialport 0.1.2, pyserial's exclusive mode,
 * ourselves), TIOCEXCL those who do not, root excepted; both end with the descriptor. Who holds a
 * device is read from /proc, for the sentence that a person gets.
 * Ownership: the descriptor stays the caller's. Errors: 0 or -errno. Threads: any.
 * Source: flock(2), tty_ioctl(4), proc(5).
 */
#ifndef SERIAL_LOCK_H
#define SERIAL_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* -EBUSY: another program has it. TIOCEXCL is tried on a terminal only. */
int serial_lock(int fd);
void serial_unlock(int fd);

struct serial_holder {
	pid_t pid;
	char program[32];
};

/* The other processes that have this device open and that we may look into: up to `cap`; returns
 * how many there are. */
size_t serial_holders(const char *path, struct serial_holder *holders, size_t cap);

/* "held by pid 812 (mpremote)", "held by another program", always terminated. */
void serial_holders_text(const char *path, char *buf, size_t cap);

#endif

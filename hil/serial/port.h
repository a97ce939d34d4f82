/*
 * One serial port on the loop: a board's USB serial, a pseudo-terminal, or tcp://host:port.
 *
 * Purpose: bytes in with the interval in which they arrived, bytes out in order, and one call when
 * the other end has gone. Nothing here waits: reads are done when the loop says so, what the kernel
 * does not take is queued, and whatever could last has a deadline.
 * Units: int64_t nanoseconds of CLOCK_MONOTONIC; sizes in bytes.
 * Ownership: serial_open() allocates, serial_close() frees. serial_close() may be called from
 * within the port's own handler: the memory goes at the end of the loop's turn. `path` is copied.
 * Errors: 0 or -errno, with a sentence for people in struct serial_trouble. -EBUSY: somebody else
 * holds the port, and the sentence says who. After gone() the port is dead: only serial_close() is
 * of use.
 * Threads: the loop's.
 * Source: libserialport 0.1.1 and 0.1.2, termios(3), tty_ioctl(4), epoll(7).
 *
 * Real ports are opened and configured by libserialport; its descriptor stands on the loop (its own
 * waits use select(), which is undefined past descriptor 1023). It refuses /dev/pts/N, and 0.1.1
 * refuses symlinks: a symlink is resolved first, a pseudo-terminal is a plain descriptor.
 */
#ifndef SERIAL_PORT_H
#define SERIAL_PORT_H

#include "emulator/base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serial_port;

enum serial_kind {
	SERIAL_TTY, /* a real port, through libserialport */
	SERIAL_PTY, /* the slave of a pseudo-terminal */
	SERIAL_TCP,
};

/* When the bytes of one read arrived: not before `after_ns`, when nothing more was there, and not
 * after `read_ns`, when they had been read. Its width is the uncertainty of every time taken from
 * it; serial_watch() narrows it. */
struct serial_span {
	int64_t after_ns, read_ns;
};

struct serial_handler {
	/* The port can be used. Never called from within serial_open(). */
	void (*opened)(void *owner);
	/* The bytes are valid during the call. */
	void (*received)(void *owner, const char *bytes, size_t len, struct serial_span span);
	/*
	 * Unplugged, closed by the other end, or stuck: -errno. -ENODEV: unplugged, or the other
	 * side of a pseudo-terminal closed; -ECONNRESET and the like: tcp://, 0 where the peer
	 * closed in order; -ETIMEDOUT: a connect, or output that nobody took, past its deadline.
	 * The last call.
	 */
	void (*gone)(void *owner, int error);
};

struct serial_options {
	unsigned baud;             /* 0: 115200; means nothing over USB, but the Pico is told */
	size_t out_max;            /* bytes that may wait to be written; 0: 64 KiB */
	int64_t connect_within_ns; /* tcp://, name lookup included; 0: 5 s */
	int64_t stuck_after_ns;    /* output of which nothing is taken for so long; 0: 5 s */
	/* A real port that another program has open without a lock is refused, since two readers
	 * get half of the bytes each. This lets it pass. */
	bool shared;
};

/* What went wrong, for a person: "/dev/ttyACM0 is held by pid 812 (mpremote)". */
struct serial_trouble {
	char text[200];
};

/*
 * path: "/dev/ttyACM0", a symlink to one, "/dev/pts/4", "tcp://127.0.0.1:4000", "tcp://[::1]:4000".
 * Takes the lock (flock and TIOCEXCL) on a device, sets it raw, 8N1, without flow control, and
 * raises DTR and RTS. options may be NULL; trouble may not. handler and owner must outlive the
 * port. On failure nothing is left open.
 */
int serial_open(struct loop *loop, const char *path, const struct serial_options *options,
		const struct serial_handler *handler, void *owner, struct serial_port **ret,
		struct serial_trouble *trouble);

/*
 * Drops DTR (or the Pico goes on believing that a host listens, and each print may then block for
 * 500 ms), throws away what was not sent (or close() may wait for 30 s), gives the lock back. NULL
 * is fine. No call of the handler follows.
 */
void serial_close(struct serial_port *port);

/* All of it, in order, or nothing: -ENOBUFS when out_max would be passed, -ENOTCONN before opened()
 * and after gone(). */
int serial_write(struct serial_port *port, const char *bytes, size_t len);
/* Bytes of serial_write() that the kernel has not taken yet. */
size_t serial_unsent(const struct serial_port *port);

/* Looks for bytes at least so often, so that no span is wider than that and a turn of the loop;
 * 0: only when the loop says that there are some (the default). */
void serial_watch(struct serial_port *port, int64_t every_ns);

enum serial_kind serial_port_kind(const struct serial_port *port);
/* As it was opened: with symlinks resolved. */
const char *serial_port_path(const struct serial_port *port);

struct serial_stats {
	uint64_t reads, bytes_in, bytes_out;
	size_t unsent_max;
};
struct serial_stats serial_port_stats(const struct serial_port *port);

/* Whether this names a port rather than a serial number: it has a '/' in it. */
bool serial_is_path(const char *spec);

#endif

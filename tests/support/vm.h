/*
 * The rig's side of a virtual bench, without the rig: lines, a serial port, a master, the truth
 * log.
 *
 * Purpose: tests of the bench itself must not lean on what will be tested on it: this speaks to the
 * kernel's own interfaces (GPIO character device v2, ttys, sockets) and to nothing of the rig.
 * Units: ns of CLOCK_MONOTONIC. Ownership: descriptors are the caller's.
 * Errors: what must be there and is not ends the program with a word (vm_die). Threads: one.
 */
#ifndef TEST_VM_H
#define TEST_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_MS INT64_C(1000000)
#define VM_S INT64_C(1000000000)

void vm_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
#define VM_MUST(condition, ...)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			vm_die(__VA_ARGS__);                                                       \
	} while (0)

int64_t vm_now(void);
void vm_sleep(int64_t ns);

/* ---- lines ---- */

struct vm_edge {
	int64_t t_ns;
	bool rising;
	uint32_t seqno;
};

/* The chip with that label, or -1. */
int vm_chip(const char *label);
/* The offset of a line by its name, or -1. */
int vm_line(int chip, const char *name);
/* Both edges of an input. */
int vm_edges(int chip, unsigned offset);
bool vm_edge(int edges, struct vm_edge *ret, int64_t timeout_ns);
bool vm_level(int line);
int vm_output(int chip, unsigned offset, bool open_drain, bool level);
void vm_set(int output, bool level);

/* ---- serial ---- */

/* The tty of the USB device with that serial number, opened raw; -1 when none shows in time. */
int vm_serial(const char *serial, int64_t timeout_ns);
/* The name of that tty, "ttyACM0"; false where there is none. */
bool vm_serial_name(const char *serial, char *ret, size_t cap);
void vm_write(int fd, const char *bytes, size_t len);
/* Reads until nothing came for so long. Returns how many bytes; buf ends in NUL. */
size_t vm_read(int fd, char *buf, size_t cap, int64_t quiet_ns);
/* Reads until so much came, and a moment longer: what comes too much is seen. */
size_t vm_read_so_much(int fd, char *buf, size_t cap, size_t wanted, int64_t timeout_ns);
/* Reads until `text` came; false at the deadline. buf has all that was read. */
bool vm_expect(int fd, const char *text, char *buf, size_t cap, int64_t timeout_ns);

/* ---- the master ---- */

int vm_listen(void);
/* Takes one registration: the number of the board that it came from, 0 at the deadline. Its
 * target's id goes to ret_id. */
unsigned vm_registration(int listener, char *ret_id, size_t cap, int64_t timeout_ns);
/* Sends a command to 127.0.1.BOARD, reads to the end of the line. False: no answer in time. */
struct vm_answer {
	int64_t sent_ns, first_ns, last_ns; /* of its first and last bytes */
	size_t reads;
	char text[1024];
};
/* It stays so long after the answer, for what comes too much. Default: 0. */
extern int64_t vm_linger_ns;
bool vm_command(unsigned board, const char *type, const char *data, struct vm_answer *ret,
		int64_t timeout_ns);

/* ---- the truth ---- */

/* The first line at or after from_ns that has both texts, waited for up to a second; its t_ns, or
 * -1.
 */
int64_t vm_truth(const char *path, unsigned board, const char *what, const char *with,
		 int64_t from_ns);

#endif

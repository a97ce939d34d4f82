/*
 * New firmware for a board in BOOTSEL: by picotool where it is installed, else by its disk.
 *
 * Purpose: flash the board on one USB socket, and no other: in BOOTSEL every RP2040 has the same
 * serial number.
 * Units: nanoseconds. Ownership: flash_start() takes what it needs of `uf2` at once; the struct is
 * the caller's until done(). Errors: 0 or -errno, and a text. Threads: the loop's.
 *
 * Untested on hardware: no Pico was at hand. The parts that need none (the file, the search for the
 * disk, the copy, the child process and its deadline) have tests.
 *
 * Everything that may block (mounting, writing, fsync, picotool) happens in a child process with a
 * deadline. The disk is used where it is mounted; where it is not, udisksctl is asked to mount it.
 */
#ifndef PICO_FLASH_H
#define PICO_FLASH_H

#include "emulator/base/loop.h"
#include "hil/serial/hotplug.h"
#include "hil/serial/port.h"

#include <sys/types.h>

enum flash_way { FLASH_AUTO, FLASH_PICOTOOL, FLASH_DISK };

struct flash {
	/* 0; -EINVAL: the file is not right for this chip; -ENODEV: no board in BOOTSEL there;
	 * -ENOENT: neither picotool nor a mounted disk; -ETIMEDOUT; -EIO: it failed, see text. The
	 * board has then reset itself and will come back as what the firmware makes it. */
	void (*done)(struct flash *flash, int error, const char *text);
	void *owner;
	/* private */
	struct loop *loop;
	struct hotplug *hotplug;
	const char *mounts;
	enum flash_way way;
	enum { FLASH_IDLE, FLASH_WAITING, FLASH_MOUNTING, FLASH_WRITING } stage;
	bool for_rp2040, for_rp2350;
	char usb_path[32], file[1024], disk[64];
	unsigned bus, address;
	int64_t deadline_ns;
	struct hotplug_wait wait;
	struct loop_watch child_watch, said_watch;
	struct timer timer;
	pid_t child;
	int child_fd, said_fd; /* -1: none */
	size_t said_len;
	char said[400];
};

/* Validates `file` (a path), waits for the board at `usb_path`, flashes it. `mounts`: NULL for
 * /proc/self/mountinfo. A refusal is returned, and its text is in `trouble`; no call follows then.
 */
int flash_start(struct flash *flash, struct loop *loop, struct hotplug *hotplug, const char *file,
		const char *usb_path, enum flash_way way, const char *mounts, int64_t within_ns,
		struct serial_trouble *trouble);
/* Ends the child. No call follows. Harmless when nothing is under way. */
void flash_cancel(struct flash *flash);

/* Whether the file is a UF2 that any Pico takes: 0, or -errno and a text. */
int flash_check(const char *file, struct serial_trouble *trouble);

/* Where a disk is mounted; false: nowhere. */
bool flash_mount_point(const char *mounts, const char *disk, char *ret, size_t cap);

#endif

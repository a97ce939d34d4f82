/*
 * Which serial ports and USB boards are plugged in.
 *
 * Purpose: a board keeps its serial number and its USB path (hub and socket) while its tty changes
 * name at every re-enumeration; this finds the one by the other. A Pico in BOOTSEL has no tty but a
 * disk, and an RP2040 there shows the same serial number on every board: it is followed by its USB
 * path.
 * Ownership: plain structs, the caller's. Errors: 0 or -errno. Threads: any.
 * Source: sysfs: /sys/bus/usb/devices, /sys/class/tty; Documentation/ABI/testing/sysfs-bus-usb.
 */
#ifndef SERIAL_FIND_H
#define SERIAL_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIND_MAX 128 /* devices that are looked at; more than any bench has */

/* A serial port, or a USB device without one. Texts are printable ASCII, whatever the device says:
 * other bytes are '?'. */
struct found {
	char path[64]; /* "/dev/ttyACM0"; "" where there is none (BOOTSEL) */
	char disk[64]; /* "/dev/sda1", or "/dev/sda" without partitions; "" where there is none */
	bool usb;      /* what follows is set */
	uint16_t vid, pid;
	unsigned bus, address; /* of the USB device, as picotool wants them */
	char usb_path[32];     /* "1-1.4": stays while it is in the same socket */
	char serial[64], product[64], manufacturer[64];
};

/* What to look for; what is NULL or 0 does not matter. */
struct find_match {
	const char *serial;   /* the case of letters does not matter */
	const char *usb_path; /* exactly */
	const char *path;     /* the tty, exactly */
	uint16_t vid, pid;
	bool with_tty, with_disk;
	bool bootsel; /* a Pico in BOOTSEL, of either chip */
};

/* What a Pico's USB device is, by VID 2e8a and PID. */
enum pico_usb {
	PICO_USB_NONE, /* not one of theirs */
	PICO_USB_BOOTSEL_RP2040,
	PICO_USB_BOOTSEL_RP2350,
	PICO_USB_MICROPYTHON,
	PICO_USB_SDK,
	PICO_USB_CIRCUITPYTHON,
	PICO_USB_PROBE,
	PICO_USB_OTHER,
};

/* Up to `cap`, by USB path, then by tty; ret_n how many. `sys`: NULL for "/sys"; tests have their
 * own. -ENOENT: there is no sysfs. */
int find_all(const char *sys, struct found *found, size_t cap, size_t *ret_n);
/* The same among those: 0, -ENODEV, -EEXIST. */
int find_among(const struct found *found, size_t n, const struct find_match *match,
	       const struct found **ret);
bool find_matches(const struct found *found, const struct find_match *match);
/* 0, -ENODEV: none, -EEXIST: more than one fits (the first is in *ret). */
int find_one(const char *sys, const struct find_match *match, struct found *ret);

/*
 * What a person types: "/dev/ttyACM0", "tcp://host:port", "usb:1-1.4", or a serial number, with
 * "serial:" before it or not. A path comes back as it is. 0 and the path to open, -ENODEV, -EEXIST.
 */
int find_port(const char *sys, const char *spec, char *ret_path, size_t cap);
/* The match that such a text means; its pointers are into `spec`. A path: that tty. */
struct find_match find_spec(const char *spec);

enum pico_usb pico_usb_of(uint16_t vid, uint16_t pid);
const char *pico_usb_text(enum pico_usb usb); /* "MicroPython", "BOOTSEL (RP2040)", ... */

#endif

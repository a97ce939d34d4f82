#include "hil/serial/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "hil/serial/port.h"

#define VID_RASPBERRY 0x2e8a
#define CLASS_HUB 0x09

/* A device names itself: nothing but printable ASCII gets in. */
static void keep_text(const char *raw, size_t len, char *buf, size_t cap)
{
	size_t n = 0;

	while (len > 0 && (raw[len - 1] == '\n' || raw[len - 1] == ' '))
		len--;
	for (; n < len && n + 1 < cap; n++)
		buf[n] = raw[n] >= ' ' && raw[n] <= '~' ? raw[n] : '?';
	buf[n] = '\0';
}

static bool read_attribute(const char *dir, const char *name, char *buf, size_t cap)
{
	char path[PATH_MAX], raw[256];

	buf[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, raw, sizeof(raw));
	close(fd);
	if (n > 0)
		keep_text(raw, (size_t)n, buf, cap);
	return n >= 0;
}

static unsigned read_number(const char *dir, const char *name, int base)
{
	char text[32];

	return read_attribute(dir, name, text, sizeof(text)) ? (unsigned)strtoul(text, NULL, base)
							     : 0;
}

static bool read_usb_device(const char *dir, const char *name, struct found *ret)
{
	char text[8];
	struct found found = { .usb = true };

	if (strlen(name) >= sizeof(found.usb_path) ||
	    !read_attribute(dir, "idVendor", text, sizeof(text)) ||
	    read_number(dir, "bDeviceClass", 16) == CLASS_HUB)
		return false;
	strcpy(found.usb_path, name);
	found.vid = (uint16_t)read_number(dir, "idVendor", 16);
	found.pid = (uint16_t)read_number(dir, "idProduct", 16);
	found.bus = read_number(dir, "busnum", 10);
	found.address = read_number(dir, "devnum", 10);
	read_attribute(dir, "serial", found.serial, sizeof(found.serial));
	read_attribute(dir, "product", found.product, sizeof(found.product));
	read_attribute(dir, "manufacturer", found.manufacturer, sizeof(found.manufacturer));
	*ret = found;
	return true;
}

struct search {
	const char *sys;
	struct found *found;
	size_t n, cap;
};

static int each_entry(struct search *search, const char *below,
		      void (*visit)(struct search *search, const char *dir, const char *name))
{
	char path[PATH_MAX];
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%s", search->sys, below);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			visit(search, path, entry->d_name);
	closedir(dir);
	return 0;
}

static void visit_usb(struct search *search, const char *dir, const char *name)
{
	char path[PATH_MAX];

	/* "1-1.4:1.0" is an interface, "usb1" a root hub. */
	if (search->n == search->cap || strchr(name, ':') != NULL ||
	    snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return;
	if (read_usb_device(path, name, &search->found[search->n]))
		search->n++;
}

/* As udev names it: a '!' of sysfs stands for a '/'. */
static void device_path(const char *name, char *buf, size_t cap)
{
	snprintf(buf, cap, "/dev/%.50s", name);
	for (char *c = buf; *c != '\0'; c++)
		if (*c == '!')
			*c = '/';
}

/* The USB device that this folder of sysfs stands below. */
static struct found *usb_above(struct search *search, char *path)
{
	for (;;) {
		char *slash = strrchr(path, '/');
		if (slash == NULL || slash == path)
			return NULL;
		for (size_t i = 0; i < search->n; i++)
			if (search->found[i].usb &&
			    strcmp(search->found[i].usb_path, slash + 1) == 0)
				return &search->found[i];
		*slash = '\0';
	}
}

static void visit_tty(struct search *search, const char *dir, const char *name)
{
	char path[PATH_MAX], real[PATH_MAX], text[16];

	if (snprintf(path, sizeof(path), "%s/%s/device", dir, name) >= (int)sizeof(path) ||
	    strlen(name) > 50 || realpath(path, real) == NULL)
		return; /* a console or a virtual terminal: no device behind it */
	struct found *found = usb_above(search, real);
	if (found == NULL || found->path[0] != '\0') {
		/* The kernel offers a ttyS for every UART that a PC could have: type 0 is none. */
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (search->n == search->cap ||
		    (found == NULL && read_attribute(path, "type", text, sizeof(text)) &&
		     strcmp(text, "0") == 0))
			return;
		struct found *copy = &search->found[search->n++];
		if (found != NULL)
			*copy = *found;
		else
			memset(copy, 0, sizeof(*copy));
		found = copy;
	}
	device_path(name, found->path, sizeof(found->path));
}

static void visit_block(struct search *search, const char *dir, const char *name)
{
	char path[PATH_MAX], real[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
	    strlen(name) > 50 || realpath(path, real) == NULL)
		return;
	struct found *found = usb_above(search, real);
	/* "sda1" rather than "sda", whichever comes first; and the first partition. */
	char disk[sizeof(found->disk)];
	device_path(name, disk, sizeof(disk));
	if (found == NULL)
		return;
	size_t now = strlen(found->disk), then = strlen(disk);
	if (now == 0 || then > now || (then == now && strcmp(disk, found->disk) < 0))
		strcpy(found->disk, disk);
}

static int by_place(const void *a, const void *b)
{
	const struct found *left = a, *right = b;
	int order = strverscmp(left->usb_path, right->usb_path);

	return order != 0 ? order : strverscmp(left->path, right->path);
}

int find_all(const char *sys, struct found *found, size_t cap, size_t *ret_n)
{
	struct search search = { sys != NULL ? sys : "/sys", found, 0, cap };

	/* No USB at all is fine. */
	each_entry(&search, "bus/usb/devices", visit_usb);
	int rc = each_entry(&search, "class/tty", visit_tty);
	if (rc < 0)
		return rc;
	each_entry(&search, "class/block", visit_block);
	size_t n = 0;
	for (size_t i = 0; i < search.n; i++)
		if (found[i].path[0] != '\0' ||
		    pico_usb_of(found[i].vid, found[i].pid) != PICO_USB_NONE)
			found[n++] = found[i];
	qsort(found, n, sizeof(*found), by_place);
	*ret_n = n;
	return 0;
}

bool find_matches(const struct found *found, const struct find_match *match)
{
	enum pico_usb usb = pico_usb_of(found->vid, found->pid);

	return (match->serial == NULL || (found->usb && found->serial[0] != '\0' &&
					  strcasecmp(match->serial, found->serial) == 0)) &&
	       (match->usb_path == NULL ||
		(found->usb && strcmp(match->usb_path, found->usb_path) == 0)) &&
	       (match->path == NULL || strcmp(match->path, found->path) == 0) &&
	       (match->vid == 0 || match->vid == found->vid) &&
	       (match->pid == 0 || match->pid == found->pid) &&
	       (!match->with_tty || found->path[0] != '\0') &&
	       (!match->with_disk || found->disk[0] != '\0') &&
	       (!match->bootsel || usb == PICO_USB_BOOTSEL_RP2040 ||
		usb == PICO_USB_BOOTSEL_RP2350);
}

int find_among(const struct found *found, size_t n, const struct find_match *match,
	       const struct found **ret)
{
	const struct found *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!find_matches(&found[i], match))
			continue;
		if (first != NULL) {
			*ret = first;
			return -EEXIST;
		}
		first = &found[i];
	}
	if (first == NULL)
		return -ENODEV;
	*ret = first;
	return 0;
}

int find_one(const char *sys, const struct find_match *match, struct found *ret)
{
	struct found found[FIND_MAX];
	const struct found *one = NULL;
	size_t n = 0;
	int rc = find_all(sys, found, FIND_MAX, &n);

	if (rc == 0)
		rc = find_among(found, n, match, &one);
	if (one != NULL)
		*ret = *one;
	return rc;
}

struct find_match find_spec(const char *spec)
{
	struct find_match match = { .with_tty = true };

	if (serial_is_path(spec))
		match.path = spec;
	else if (strncmp(spec, "usb:", 4) == 0)
		match.usb_path = spec + 4;
	else
		match.serial = strncmp(spec, "serial:", 7) == 0 ? spec + 7 : spec;
	return match;
}

int find_port(const char *sys, const char *spec, char *ret_path, size_t cap)
{
	struct found found;
	const char *path = spec;
	int rc = 0;

	if (!serial_is_path(spec)) {
		struct find_match match = find_spec(spec);
		rc = find_one(sys, &match, &found);
		path = found.path;
	}
	if (rc == 0 && strlen(path) >= cap)
		rc = -ENAMETOOLONG;
	if (rc == 0)
		strcpy(ret_path, path);
	return rc;
}

enum pico_usb pico_usb_of(uint16_t vid, uint16_t pid)
{
	if (vid != VID_RASPBERRY)
		return PICO_USB_NONE;
	switch (pid) {
	case 0x0003: return PICO_USB_BOOTSEL_RP2040;
	case 0x000f: return PICO_USB_BOOTSEL_RP2350;
	case 0x0005: return PICO_USB_MICROPYTHON;
	case 0x0009:
	case 0x000a: return PICO_USB_SDK;
	case 0x000b: return PICO_USB_CIRCUITPYTHON;
	case 0x000c: return PICO_USB_PROBE;
	default: return PICO_USB_OTHER;
	}
}

const char *pico_usb_text(enum pico_usb usb)
{
	switch (usb) {
	case PICO_USB_BOOTSEL_RP2040: return "BOOTSEL (RP2040)";
	case PICO_USB_BOOTSEL_RP2350: return "BOOTSEL (RP2350)";
	case PICO_USB_MICROPYTHON: return "MicroPython";
	case PICO_USB_SDK: return "Pico SDK";
	case PICO_USB_CIRCUITPYTHON: return "CircuitPython";
	case PICO_USB_PROBE: return "Debug Probe";
	case PICO_USB_OTHER: return "Raspberry Pi";
	case PICO_USB_NONE: break;
	}
	return "";
}

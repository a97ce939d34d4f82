#include "hil/rig/doctor.h"

#include "hil/gpio/gpio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

const char doctor_rules[] =
	"# Boards and lines for the rig of quintain: written by quintain-hil doctor --write-rules.\n"
	"# Raspberry Pi Pico boards: for members of dialout, never probed as a modem, never put to "
	"sleep.\n"
	"ACTION!=\"remove\", SUBSYSTEM==\"tty\", ATTRS{idVendor}==\"2e8a\", GROUP=\"dialout\", "
	"MODE=\"0660\", ENV{ID_MM_DEVICE_IGNORE}=\"1\", ENV{ID_MM_PORT_IGNORE}=\"1\"\n"
	"ACTION!=\"remove\", SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", "
	"ATTR{idVendor}==\"2e8a\", GROUP=\"dialout\", MODE=\"0660\", "
	"ENV{ID_MM_DEVICE_IGNORE}=\"1\", TEST==\"power/control\", ATTR{power/control}=\"on\"\n"
	"# GPIO chips: for members of gpio.\n"
	"SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip[0-9]*\", GROUP=\"gpio\", MODE=\"0660\"\n";

#define TO_GROUP(group)                                                                            \
	"sudo quintain-hil doctor --write-rules; sudo usermod -aG " group                          \
	" \"$USER\"; then log in again"

void doctor_say(struct doctor *doctor, enum doctor_state state, const char *name,
		const char *remedy, const char *format, ...)
{
	char seen[600];
	va_list args;

	va_start(args, format);
	vsnprintf(seen, sizeof(seen), format, args);
	va_end(args);
	if (state > doctor->worst)
		doctor->worst = state;
	doctor->say(doctor->owner, state, name, seen, state == DOCTOR_FINE ? "" : remedy);
}

/* A small file, its end trimmed; false: it cannot be read. */
static bool read_small(const struct doctor *doctor, const char *path, char *buf, size_t cap)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", doctor->root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, buf, cap - 1);
	close(fd);
	if (n < 0)
		return false;
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\0'))
		n--;
	buf[n] = '\0';
	return true;
}

/* ---- lines ---- */

static void look_at_chips(struct doctor *doctor)
{
	struct gpio gpio;
	struct gpio_chip_info *chips;
	struct gpio_fault fault = { .text = "" };
	size_t n, closed = 0;

	gpio_init(&gpio);
	const struct gpio_abi *abi = gpio_abi(&gpio);
	/* Version 1 of the kernel's interface loses edges without a word. */
	doctor_say(doctor, abi->sequence_numbers ? DOCTOR_FINE : DOCTOR_ODD, "libgpiod",
		   "nothing to be done; Debian 13 has libgpiod 2", "%s, kernel interface v%u: %s",
		   abi->library, abi->kernel_abi, abi->meaning);
	if (gpio_chips(&gpio, &chips, &n, &fault) < 0) {
		doctor_say(doctor, DOCTOR_BAD, "gpio chips", "see dmesg", "%s", fault.text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (chips[i].error < 0) {
			closed++;
			doctor_say(doctor, DOCTOR_BAD, "gpio chips", TO_GROUP("gpio"), "%s: %s",
				   chips[i].path, strerror(-chips[i].error));
		}
	if (n == 0)
		doctor_say(doctor, DOCTOR_BAD, "gpio chips",
			   "use a machine with GPIO; the virtual bench has some (fixtures/bench)",
			   "there is none on this machine");
	else if (closed == 0)
		doctor_say(doctor, DOCTOR_FINE, "gpio chips", "", "%zu, all can be opened", n);
	free(chips);
}

/* ---- kernel ---- */

static void look_at_kernel(struct doctor *doctor)
{
	struct utsname name;
	char model[120];
	unsigned major = 0, minor = 0, patch = 0;

	uname(&name);
	if (sscanf(name.release, "%u.%u.%u", &major, &minor, &patch) < 2)
		major = 0;
	bool pi = read_small(doctor, "/proc/device-tree/model", model, sizeof(model)) &&
		  strstr(model, "Raspberry Pi") != NULL;
	if (major < 5 || (major == 5 && minor < 11))
		doctor_say(doctor, DOCTOR_BAD, "kernel", "upgrade the kernel",
			   "%s is older than 5.11", name.release);
	else if (pi && strstr(model, "Raspberry Pi 5") == NULL &&
		 (major < 6 || (major == 6 && minor == 1 && patch < 30)))
		doctor_say(doctor, DOCTOR_ODD, "kernel", "sudo apt full-upgrade",
			   "%s on %s: before May 2023 the BCM283x could lose edges", name.release,
			   model);
	else
		doctor_say(doctor, DOCTOR_FINE, "kernel", "", "%s%s%s", name.release,
			   pi ? " on " : "", pi ? model : "");
}

static void look_at_clock(struct doctor *doctor)
{
	static const char *const good[] = { "tsc", "arch_sys_counter", "kvm-clock", "timer",
					    "hyperv_clocksource_tsc_page" };
	char source[64];

	if (!read_small(doctor, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
			source, sizeof(source))) {
		doctor_say(doctor, DOCTOR_FINE, "clock source", "", "the kernel does not say");
		return;
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (strcmp(source, good[i]) == 0) {
			doctor_say(doctor, DOCTOR_FINE, "clock source", "", "%s", source);
			return;
		}
	doctor_say(doctor, DOCTOR_ODD, "clock source",
		   "cat /sys/devices/system/clocksource/clocksource0/available_clocksource",
		   "%s: reading it is slow or coarse, and every U grows by that", source);
}

/* ---- USB ---- */

static void look_at_ttys(struct doctor *doctor)
{
	char pattern[512];
	glob_t found;
	size_t closed = 0;

	snprintf(pattern, sizeof(pattern), "%s/dev/ttyACM*", doctor->root);
	if (glob(pattern, 0, NULL, &found) != 0) {
		doctor_say(doctor, DOCTOR_ODD, "serial ports", "plug a board in; see dmesg",
			   "there is no /dev/ttyACM*");
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (access(found.gl_pathv[i], R_OK | W_OK) < 0) {
			closed++;
			doctor_say(doctor, DOCTOR_BAD, "serial ports", TO_GROUP("dialout"),
				   "%s: %s", found.gl_pathv[i], strerror(errno));
		}
	if (closed == 0)
		doctor_say(doctor, DOCTOR_FINE, "serial ports", "", "%zu, all can be opened",
			   found.gl_pathc);
	globfree(&found);
}

static bool rules_ignore_modems(const struct doctor *doctor)
{
	static const char *const folders[] = { "/etc/udev/rules.d", "/run/udev/rules.d",
					       "/usr/lib/udev/rules.d", "/lib/udev/rules.d" };
	char pattern[512], text[16384];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		glob_t found;
		snprintf(pattern, sizeof(pattern), "%s%s/*.rules", doctor->root, folders[i]);
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		bool there = false;
		for (size_t f = 0; f < found.gl_pathc && !there; f++)
			there = read_small(doctor, found.gl_pathv[f] + strlen(doctor->root), text,
					   sizeof(text)) &&
				strstr(text, "2e8a") != NULL &&
				strstr(text, "ID_MM_DEVICE_IGNORE") != NULL;
		globfree(&found);
		if (there)
			return true;
	}
	return false;
}

/* Is a process of that name there? */
static bool runs(const struct doctor *doctor, const char *name)
{
	char path[512], comm[64];
	bool there = false;

	snprintf(path, sizeof(path), "%s/proc", doctor->root);
	DIR *proc = opendir(path);
	if (proc == NULL)
		return false;
	for (struct dirent *entry; !there && (entry = readdir(proc)) != NULL;) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		there = read_small(doctor, path, comm, sizeof(comm)) && strcmp(comm, name) == 0;
	}
	closedir(proc);
	return there;
}

static void look_at_modems(struct doctor *doctor)
{
	bool ignored = rules_ignore_modems(doctor);

	/* The kernel cuts names at 15 bytes. */
	if (!runs(doctor, "ModemManager"))
		doctor_say(doctor, DOCTOR_FINE, "ModemManager", "", "it does not run");
	else if (ignored)
		doctor_say(doctor, DOCTOR_FINE, "ModemManager", "",
			   "it runs, and a udev rule keeps it away from 2e8a");
	else
		doctor_say(
			doctor, DOCTOR_BAD, "ModemManager",
			"sudo quintain-hil doctor --write-rules",
			"it runs, and talks to every new port for seconds: answers of boards will "
			"be mixed up");
}

static void look_at_sleep(struct doctor *doctor)
{
	char pattern[512], text[64];
	size_t boards = 0, asleep = 0;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/sys/bus/usb/devices/*/idVendor", doctor->root);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			const char *path = found.gl_pathv[i] + strlen(doctor->root);
			char control[512];
			if (!read_small(doctor, path, text, sizeof(text)) ||
			    strcmp(text, "2e8a") != 0)
				continue;
			boards++;
			snprintf(control, sizeof(control), "%.*s/power/control",
				 (int)(strlen(path) - strlen("/idVendor")), path);
			asleep += read_small(doctor, control, text, sizeof(text)) &&
				  strcmp(text, "auto") == 0;
		}
		globfree(&found);
	}
	if (asleep > 0)
		doctor_say(doctor, DOCTOR_ODD, "autosuspend",
			   "sudo quintain-hil doctor --write-rules",
			   "%zu of %zu boards may be put to sleep: their first answer then comes "
			   "late",
			   asleep, boards);
	else
		doctor_say(doctor, DOCTOR_FINE, "autosuspend", "",
			   "of %zu boards none is put to sleep", boards);
}

/* ---- disk ---- */

static void look_at_disk(struct doctor *doctor)
{
	const char *home = getenv("XDG_STATE_HOME");
	struct statvfs fs;

	if (home == NULL || home[0] != '/')
		home = getenv("HOME");
	if (home == NULL || statvfs(home, &fs) < 0) {
		doctor_say(doctor, DOCTOR_ODD, "disk", "set HOME or XDG_STATE_HOME",
			   "there is no folder for the history");
		return;
	}
	if (fs.f_flag & ST_RDONLY) {
		doctor_say(doctor, DOCTOR_BAD, "disk", "--history FILE elsewhere, or --no-history",
			   "%s is read-only", home);
		return;
	}
	unsigned long long mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
	doctor_say(doctor,
		   mib < 50    ? DOCTOR_BAD
		   : mib < 500 ? DOCTOR_ODD
			       : DOCTOR_FINE,
		   "disk", "make room, or --history FILE elsewhere", "%llu MiB free in %s", mib,
		   home);
}

void doctor_look(struct doctor *doctor)
{
	look_at_kernel(doctor);
	look_at_clock(doctor);
	look_at_chips(doctor);
	look_at_ttys(doctor);
	look_at_modems(doctor);
	look_at_sleep(doctor);
	look_at_disk(doctor);
	if (doctor->bench != NULL)
		doctor_look_at_bench(doctor);
}

/* What went wrong with a chip or a line, and what to do about it, in words for a person. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hil/gpio/gpio_internal.h"

void gpio_say(struct gpio_fault *fault, const char *format, ...)
{
	va_list args;

	if (fault == NULL)
		return;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
}

void gpio_place(const struct gpio_chip_info *chip, const struct gpio_line_info *line, char *text,
		size_t size)
{
	if (line->name[0] != '\0')
		snprintf(text, size, "%s (offset %u of %s, %s)", line->name, line->offset,
			 chip->label, chip->path);
	else
		snprintf(text, size, "offset %u of %s (%s)", line->offset, chip->label, chip->path);
}

static void say_denied(struct gpio_fault *fault, const char *path)
{
	struct stat st;
	const struct group *group = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;

	if (group != NULL && st.st_gid != 0 && (st.st_mode & S_IRGRP) && (st.st_mode & S_IWGRP))
		gpio_say(fault,
			 "no permission for %s: it is for the group \"%s\"; join it with "
			 "\"sudo usermod -aG %s $USER\" and log in anew",
			 path, group->gr_name, group->gr_name);
	else
		gpio_say(
			fault,
			"no permission for %s: it is for root alone; a udev rule such as "
			"SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip*\", GROUP=\"gpio\", MODE=\"0660\" "
			"gives it to the group \"gpio\"",
			path);
}

void gpio_say_chip(struct gpio_fault *fault, const char *path, int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM: say_denied(fault, path); break;
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		/* libgpiod 2 says the same of what is there but belongs to another subsystem. */
		if (access(path, F_OK) == 0)
			gpio_say(fault, "%s is no GPIO chip", path);
		else if (error == -ENOENT)
			gpio_say(fault, "there is no %s", path);
		else
			gpio_say(fault, "%s is gone: was its adapter unplugged?", path);
		break;
	case -ENOTTY:
	case -EINVAL: gpio_say(fault, "%s is no GPIO chip", path); break;
	default: gpio_say(fault, "%s: %s", path, strerror(-error)); break;
	}
}

void gpio_say_line(struct gpio_fault *fault, const struct gpio_chip_info *chip,
		   const struct gpio_line_info *line, int error)
{
	char place[GPIO_PLACE_SIZE], name[GPIO_NAME_SIZE], process[GPIO_NAME_SIZE + 32] = "";
	int pid;

	if (fault == NULL)
		return;
	gpio_place(chip, line, place, sizeof(place));
	switch (error) {
	case -EBUSY:
		if (gpio_holder(chip->name, line->offset, &pid, name, sizeof(name)))
			snprintf(process, sizeof(process), " (process %d, %s)", pid, name);
		if (line->consumer[0] != '\0')
			gpio_say(fault, "line %s is in use by \"%s\"%s: end that first", place,
				 line->consumer, process);
		else
			gpio_say(fault, "line %s is in use by somebody who gave no name%s", place,
				 process);
		break;
	case -ENODEV:
	case -ENXIO:
		gpio_say(fault, "line %s: its chip is gone: was the adapter unplugged?", place);
		break;
	case -EACCES:
	case -EPERM:
		gpio_say(fault, "line %s: not permitted: %s", place,
			 error == -EPERM ? "it is no output of ours" : "see who may use the chip");
		break;
	case -EINVAL:
	case -ENOTSUP:
		gpio_say(
			fault,
			"line %s: the chip refuses what was asked of it (bias, open drain and edges "
			"are not possible on every line)",
			place);
		break;
	case -EMFILE:
		gpio_say(fault, "line %s: too many open files; see \"ulimit -n\"", place);
		break;
	default: gpio_say(fault, "line %s: %s", place, strerror(-error)); break;
	}
}

/* --- who holds a line ---------------------------------------------------------------------------
 */

static bool info_names_line(const char *path, const char *chip_name, unsigned offset)
{
	char text[128], chip[GPIO_NAME_SIZE] = "";
	FILE *file = fopen(path, "re");
	bool found = false;
	unsigned line;

	if (file == NULL)
		return false;
	while (!found && fgets(text, sizeof(text), file) != NULL) {
		if (sscanf(text, "gpio-chip: %63s", chip) == 1)
			continue;
		found = sscanf(text, "gpio-line: %u", &line) == 1 && line == offset &&
			strcmp(chip, chip_name) == 0;
	}
	fclose(file);
	return found;
}

static bool process_holds(const char *pid, const char *chip_name, unsigned offset)
{
	char path[600], target[64];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	DIR *fds = opendir(path);
	if (fds == NULL)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(fds)) != NULL;) {
		snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", pid, entry->d_name);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strncmp(target, "anon_inode:gpio", 15) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s", pid, entry->d_name);
		found = info_names_line(path, chip_name, offset);
	}
	closedir(fds);
	return found;
}

bool gpio_holder(const char *chip_name, unsigned offset, int *ret_pid, char *name, size_t size)
{
	DIR *proc = opendir("/proc");
	bool found = false;

	if (proc == NULL)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(proc)) != NULL;) {
		char path[64], text[GPIO_NAME_SIZE] = "?";

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_holds(entry->d_name, chip_name, offset))
			continue;
		found = true;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		FILE *comm = fopen(path, "re");
		if (comm != NULL) {
			if (fgets(text, sizeof(text), comm) != NULL)
				text[strcspn(text, "\n")] = '\0';
			fclose(comm);
		}
		*ret_pid = atoi(entry->d_name);
		snprintf(name, size, "%s", text);
	}
	closedir(proc);
	return found;
}

/* What chips and lines there are, and which of them a name means. */
#include "hil/gpio/gpio.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/base/settings.h"
#include "hil/gpio/gpio_internal.h"

#define CHIPS_MAX 64 /* far more than any machine has; the rest is not looked at */
#define NUMBER_NONE (-1L)

void gpio_init(struct gpio *gpio)
{
	gpio->backend = &gpio_library;
	gpio->dev = "/dev";
}

const struct gpio_abi *gpio_abi(const struct gpio *gpio)
{
	return &gpio->backend->abi;
}

const char *gpio_bias_name(enum gpio_bias bias)
{
	static const char *const names[] = { "as-is", "none", "pull-up", "pull-down" };

	return (size_t)bias < sizeof(names) / sizeof(names[0]) ? names[bias] : "?";
}

static long number_of(const char *text)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) || strlen(text) > 9)
		return NUMBER_NONE;
	long number = strtol(text, &end, 10);
	return *end == '\0' ? number : NUMBER_NONE;
}

/* --- chips --------------------------------------------------------------------------------------
 */

static long chip_number(const char *name)
{
	return strncmp(name, "gpiochip", 8) == 0 ? number_of(name + 8) : NUMBER_NONE;
}

static int by_number(const void *a, const void *b)
{
	long left = *(const long *)a, right = *(const long *)b;

	return (left > right) - (left < right);
}

/* The numbers of the chips in the folder, sorted. A link to a chip is not one more. */
static int chip_numbers(const char *dev, long *numbers, size_t *ret_count)
{
	size_t count = 0;
	DIR *folder = opendir(dev);

	if (folder == NULL)
		return errno > 0 ? -errno : -EIO;
	for (struct dirent *entry; count < CHIPS_MAX && (entry = readdir(folder)) != NULL;) {
		long number = chip_number(entry->d_name);
		if (number != NUMBER_NONE && entry->d_type != DT_LNK)
			numbers[count++] = number;
	}
	closedir(folder);
	qsort(numbers, count, sizeof(*numbers), by_number);
	*ret_count = count;
	return 0;
}

/* Opens the chip at info->path and fills in the rest; the chip stays open if ret_chip is given. */
static int ask_chip(const struct gpio *gpio, struct gpio_chip_info *info, void **ret_chip)
{
	void *chip;
	int rc = gpio->backend->open(info->path, &chip);

	if (rc < 0)
		return rc;
	rc = gpio->backend->chip_info(chip, info);
	if (rc == 0 && ret_chip != NULL)
		*ret_chip = chip;
	else
		gpio->backend->close(chip);
	return rc;
}

int gpio_chips(const struct gpio *gpio, struct gpio_chip_info **ret_chips, size_t *ret_count,
	       struct gpio_fault *fault)
{
	long numbers[CHIPS_MAX];
	size_t count = 0;
	int rc = chip_numbers(gpio->dev, numbers, &count);

	if (rc < 0) {
		gpio_say(fault, "%s: %s", gpio->dev, strerror(-rc));
		return rc;
	}
	struct gpio_chip_info *chips = calloc(count > 0 ? count : 1, sizeof(*chips));
	if (chips == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		snprintf(chips[i].name, sizeof(chips[i].name), "gpiochip%ld", numbers[i]);
		snprintf(chips[i].path, sizeof(chips[i].path), "%.40s/%.20s", gpio->dev,
			 chips[i].name);
		chips[i].error = ask_chip(gpio, &chips[i], NULL);
	}
	*ret_chips = chips;
	*ret_count = count;
	return 0;
}

static bool chip_is(const struct gpio_chip_info *chip, const char *name)
{
	long number = number_of(name);

	return strcmp(chip->label, name) == 0 || strcmp(chip->name, name) == 0 ||
	       (number != NUMBER_NONE && number == chip_number(chip->name));
}

/* Names every chip, as far as there is room. */
static void list_chips(const struct gpio_chip_info *chips, size_t count, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++) {
		int n = snprintf(text + used, size - used, "%s\"%s\" (%s)", i > 0 ? ", " : "",
				 chips[i].label, chips[i].path);
		used += n > 0 ? (size_t)n : 0;
	}
}

static int no_such_chip(const struct gpio_chip_info *chips, size_t count, const char *name,
			struct gpio_fault *fault)
{
	const char *known[2 * CHIPS_MAX + 1];
	char list[300];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (chips[i].error == -EACCES || chips[i].error == -EPERM) {
			gpio_say_chip(fault, chips[i].path, chips[i].error);
			return -EACCES; /* the one that was meant may be among them */
		}
		if (chips[i].label[0] != '\0')
			known[n++] = chips[i].label;
		known[n++] = chips[i].name;
	}
	known[n] = NULL;
	const char *nearest = settings_nearest(name, known);
	list_chips(chips, count, list, sizeof(list));
	if (count == 0)
		gpio_say(
			fault,
			"no GPIO chip \"%s\": this machine has none at all; is the adapter plugged "
			"in, and its driver loaded?",
			name);
	else if (nearest != NULL)
		gpio_say(fault, "no GPIO chip \"%s\"; did you mean \"%s\"? There are: %s", name,
			 nearest, list);
	else
		gpio_say(fault, "no GPIO chip \"%s\"; there are: %s", name, list);
	return -ENOENT;
}

/* The one chip that the name means. */
static int find_chip(const struct gpio *gpio, const char *name, struct gpio_chip_info *ret_chip,
		     struct gpio_fault *fault)
{
	struct gpio_chip_info info = { 0 }, *chips;
	const struct gpio_chip_info *found = NULL;
	size_t count, matches = 0;
	int rc;

	if (strchr(name, '/') != NULL) {
		snprintf(info.path, sizeof(info.path), "%s", name);
		rc = ask_chip(gpio, &info, NULL);
		if (rc < 0)
			gpio_say_chip(fault, name, rc);
		else
			*ret_chip = info;
		return rc;
	}
	rc = gpio_chips(gpio, &chips, &count, fault);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		if (chip_is(&chips[i], name)) {
			matches++;
			found = &chips[i];
		}
	if (matches > 1) {
		gpio_say(
			fault,
			"%zu GPIO chips are called \"%s\", the last of them %s: name it by its path",
			matches, name, found->path);
		rc = -ENOTUNIQ;
	} else if (matches == 0) {
		rc = no_such_chip(chips, count, name, fault);
	} else if (found->error < 0) {
		gpio_say_chip(fault, found->path, found->error);
		rc = found->error;
	} else {
		*ret_chip = *found;
	}
	free(chips);
	return rc;
}

/* --- lines --------------------------------------------------------------------------------------
 */

static int chip_lines(const struct gpio *gpio, struct gpio_chip_info *chip,
		      struct gpio_line_info **ret_lines, struct gpio_fault *fault)
{
	struct gpio_line_info *lines = NULL;
	void *handle = NULL;
	int rc = ask_chip(gpio, chip, &handle);

	if (rc < 0) {
		gpio_say_chip(fault, chip->path, rc);
		return rc;
	}
	lines = calloc(chip->lines > 0 ? chip->lines : 1, sizeof(*lines));
	if (lines == NULL)
		rc = -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < chip->lines; i++)
		rc = gpio->backend->line_info(handle, i, &lines[i]);
	gpio->backend->close(handle);
	if (rc < 0) {
		gpio_say_chip(fault, chip->path, rc);
		free(lines);
		return rc;
	}
	*ret_lines = lines;
	return 0;
}

int gpio_lines(const struct gpio *gpio, const char *chip, struct gpio_chip_info *ret_chip,
	       struct gpio_line_info **ret_lines, size_t *ret_count, struct gpio_fault *fault)
{
	struct gpio_chip_info info = { 0 };
	int rc = find_chip(gpio, chip, &info, fault);

	if (rc == 0)
		rc = chip_lines(gpio, &info, ret_lines, fault);
	if (rc < 0)
		return rc;
	*ret_chip = info;
	*ret_count = info.lines;
	return 0;
}

static void no_such_line(const struct gpio_chip_info *chip, const struct gpio_line_info *lines,
			 const char *name, struct gpio_fault *fault)
{
	const char **known = calloc(chip->lines + 1, sizeof(*known));
	const char *nearest = NULL;
	size_t n = 0;

	for (unsigned i = 0; known != NULL && i < chip->lines; i++)
		if (lines[i].name[0] != '\0')
			known[n++] = lines[i].name;
	if (n > 0)
		nearest = settings_nearest(name, known);
	if (nearest != NULL)
		gpio_say(fault, "%s (%s) has no line \"%s\"; did you mean \"%s\"?", chip->label,
			 chip->path, name, nearest);
	else
		gpio_say(fault, "%s (%s) has no line \"%s\": it has %u lines, offsets 0 to %u, %s",
			 chip->label, chip->path, name, chip->lines,
			 chip->lines > 0 ? chip->lines - 1 : 0,
			 n > 0 ? "and no name that is near" : "none of them with a name");
	free(known);
}

static int line_on(const struct gpio_chip_info *chip, const struct gpio_line_info *lines,
		   const char *name, struct gpio_line_info *ret_line, struct gpio_fault *fault)
{
	const struct gpio_line_info *found = NULL;
	long offset = number_of(name);

	if (offset != NUMBER_NONE && (unsigned long)offset < chip->lines)
		found = &lines[offset];
	for (unsigned i = 0; offset == NUMBER_NONE && i < chip->lines; i++) {
		if (strcmp(lines[i].name, name) != 0)
			continue;
		if (found != NULL) {
			gpio_say(fault,
				 "%s (%s) has several lines called \"%s\", offsets %u and %u among "
				 "them: name it by its offset",
				 chip->label, chip->path, name, found->offset, i);
			return -ENOTUNIQ;
		}
		found = &lines[i];
	}
	if (found == NULL) {
		no_such_line(chip, lines, name, fault);
		return -ENXIO;
	}
	*ret_line = *found;
	return 0;
}

/* A line's name on whatever chip: on one of them, and once. */
static int line_anywhere(const struct gpio *gpio, const char *name, struct gpio_chip_info *ret_chip,
			 struct gpio_line_info *ret_line, struct gpio_fault *fault)
{
	struct gpio_chip_info *chips, chip = { 0 };
	struct gpio_line_info line = { 0 };
	size_t count, found = 0;
	int rc = gpio_chips(gpio, &chips, &count, fault), denied = 0;

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		struct gpio_line_info *lines, here;

		rc = chips[i].error < 0 ? chips[i].error
					: chip_lines(gpio, &chips[i], &lines, NULL);
		if (rc < 0) {
			if (rc == -EACCES || rc == -EPERM)
				denied = (int)i + 1;
			continue;
		}
		rc = line_on(&chips[i], lines, name, &here, fault);
		free(lines);
		if (rc == -ENOTUNIQ)
			goto out;
		if (rc == 0) {
			found++;
			chip = chips[i];
			line = here;
		}
	}
	rc = found == 1 ? 0 : found > 1 ? -ENOTUNIQ : denied > 0 ? -EACCES : -ENXIO;
	if (found > 1)
		gpio_say(fault,
			 "%zu chips have a line \"%s\", %s among them: name the chip as well",
			 found, name, chip.label);
	else if (rc == -EACCES)
		gpio_say_chip(fault, chips[denied - 1].path, -EACCES);
	else if (rc == -ENXIO && count != 1) /* of one chip the nearest name has been told */
		gpio_say(fault, "no GPIO chip of %zu has a line \"%s\"", count, name);
out:
	free(chips);
	if (rc == 0) {
		*ret_chip = chip;
		*ret_line = line;
	}
	return rc;
}

int gpio_find(const struct gpio *gpio, const char *chip, const char *line,
	      struct gpio_chip_info *ret_chip, struct gpio_line_info *ret_line,
	      struct gpio_fault *fault)
{
	struct gpio_chip_info info = { 0 };
	struct gpio_line_info *lines = NULL;

	if (chip == NULL) {
		if (number_of(line) == NUMBER_NONE)
			return line_anywhere(gpio, line, ret_chip, ret_line, fault);
		gpio_say(fault, "line %s is an offset: name its chip as well", line);
		return -EINVAL;
	}
	int rc = find_chip(gpio, chip, &info, fault);
	if (rc == 0)
		rc = chip_lines(gpio, &info, &lines, fault);
	if (rc != 0)
		return rc;
	rc = line_on(&info, lines, line, ret_line, fault);
	free(lines);
	if (rc == 0)
		*ret_chip = info;
	return rc;
}

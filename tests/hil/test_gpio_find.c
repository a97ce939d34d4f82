/* Names: which chip and which line a config means, and what a person is told when it is none. */
#include "hil/gpio/gpio_internal.h"
#include "tests/support/gpio_fake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct gpio_fake fake;
static struct gpio_fault fault;
static struct gpio_chip_info chip;
static struct gpio_line_info info;
static struct gpio_line line;

static void setup(void)
{
	static const char *const pi[] = { "ID_SDA", "GPIO16", "GPIO17", "GPIO17", "" };
	static const char *const usb[] = { "servo", "up", "down", "GPIO16" };

	gpio_fake_init(&fake, 2);
	gpio_fake_chip(&fake, "pinctrl-bcm2711", 5, pi);
	gpio_fake_chip(&fake, "mcp2221_gpio", 4, usb);
	gpio_fake_chip(&fake, "twin", 2, NULL);
	gpio_fake_chip(&fake, "twin", 1, NULL);
}

static void teardown(void)
{
	cr_assert_eq(fake.chips_open, 0, "every chip that was opened is closed");
	gpio_fake_release(&fake);
}

TestSuite(gpio_find, .init = setup, .fini = teardown);

static int find(const char *chip_name, const char *line_name)
{
	fault.text[0] = '\0';
	return gpio_find(&fake.gpio, chip_name, line_name, &chip, &info, &fault);
}

static void told(const char *part)
{
	cr_assert(strstr(fault.text, part) != NULL, "\"%s\" is not in: %s", part, fault.text);
}

Test(gpio_find, by_label_name_number_and_path)
{
	char path[128];

	cr_assert_eq(find("mcp2221_gpio", "up"), 0, "%s", fault.text);
	cr_assert_eq(info.offset, 1);
	cr_assert_str_eq(chip.name, "gpiochip1");
	cr_assert_eq(find("gpiochip1", "2"), 0);
	cr_assert_str_eq(info.name, "down");
	cr_assert_eq(find("1", "0"), 0);
	cr_assert_str_eq(info.name, "servo");
	snprintf(path, sizeof(path), "%s/gpiochip3", fake.dev);
	cr_assert_eq(find(path, "0"), 0);
	cr_assert_str_eq(chip.path, path);
	cr_assert_eq(chip.lines, 1);
}

Test(gpio_find, a_line_on_whatever_chip)
{
	cr_assert_eq(find(NULL, "servo"), 0);
	cr_assert_str_eq(chip.label, "mcp2221_gpio");
	cr_assert_eq(find(NULL, "GPIO16"), -ENOTUNIQ);
	told("2 chips have a line \"GPIO16\"");
	cr_assert_eq(find(NULL, "GPIO17"), -ENOTUNIQ, "twice on one chip");
	cr_assert_eq(find(NULL, "16"), -EINVAL);
	told("name its chip");
	cr_assert_eq(find(NULL, "nowhere"), -ENXIO);
	told("no GPIO chip of 4 has a line \"nowhere\"");
}

Test(gpio_find, a_chip_that_is_not_there)
{
	cr_assert_eq(find("mcp2221_gpoi", "up"), -ENOENT);
	told("did you mean \"mcp2221_gpio\"?");
	told("\"pinctrl-bcm2711\" (");
	cr_assert_eq(find("xyzzy", "up"), -ENOENT);
	cr_assert(strstr(fault.text, "did you mean") == NULL);
	cr_assert_eq(find("/dev/null/no", "up"), -ENOENT);
	told("there is no /dev/null/no");
	cr_assert_eq(find("9", "up"), -ENOENT);
	fake.chips = 0;
	fake.gpio.dev = "/proc/self/fdinfo"; /* a folder without chips */
	cr_assert_eq(find("pinctrl-bcm2711", "up"), -ENOENT);
	told("this machine has none at all");
	fake.gpio.dev = "/nonexistent";
	cr_assert_eq(find("pinctrl-bcm2711", "up"), -ENOENT);
	fake.gpio.dev = fake.dev;
	fake.chips = 4;
}

Test(gpio_find, two_chips_of_one_label)
{
	cr_assert_eq(find("twin", "0"), -ENOTUNIQ);
	told("2 GPIO chips are called \"twin\"");
	told("gpiochip3: name it by its path");
}

Test(gpio_find, a_line_that_is_not_there)
{
	cr_assert_eq(find("mcp2221_gpio", "dwon"), -ENXIO);
	told("has no line \"dwon\"; did you mean \"down\"?");
	cr_assert_eq(find("gpiochip2", "x"), -ENXIO);
	told("offsets 0 to 1, none of them with a name");
	cr_assert_eq(find("mcp2221_gpio", "4"), -ENXIO);
	told("offsets 0 to 3");
	cr_assert_eq(find("pinctrl-bcm2711", "GPIO17"), -ENOTUNIQ);
	told("offsets 2 and 3");
}

Test(gpio_find, no_permission_and_the_remedy)
{
	fake.chip[1].open_error = -EACCES;
	cr_assert_eq(find("gpiochip1", "up"), -EACCES);
	told("no permission for ");
	told("udev rule");
	/* The label cannot be read: it may be the one that was meant. */
	cr_assert_eq(find("mcp2221_gpio", "up"), -EACCES);
	cr_assert_eq(find("pinctrl-bcm2711", "GPIO16"), 0);
	cr_assert_eq(find(NULL, "servo"), -EACCES);
	cr_assert_eq(find(NULL, "ID_SDA"), 0);
}

Test(gpio_find, lists_for_a_person)
{
	struct gpio_chip_info *chips;
	struct gpio_line_info *lines;
	char link[128];
	size_t count;

	/* A link to a chip is not one more chip. */
	snprintf(link, sizeof(link), "%s/gpiochip7", fake.dev);
	cr_assert_eq(symlink("gpiochip0", link), 0);
	fake.chip[2].open_error = -EACCES;
	cr_assert_eq(gpio_chips(&fake.gpio, &chips, &count, &fault), 0);
	unlink(link);
	cr_assert_eq(count, 4);
	cr_assert_str_eq(chips[0].label, "pinctrl-bcm2711");
	cr_assert_eq(chips[2].error, -EACCES);
	cr_assert_str_eq(chips[2].name, "gpiochip2");
	free(chips);
	cr_assert_eq(gpio_lines(&fake.gpio, "mcp2221_gpio", &chip, &lines, &count, &fault), 0);
	cr_assert_eq(count, 4);
	cr_assert_str_eq(lines[3].name, "GPIO16");
	free(lines);
	cr_assert_eq(gpio_lines(&fake.gpio, "gpiochip2", &chip, &lines, &count, &fault), -EACCES);
}

/* --- lines that are ours ------------------------------------------------------------------------
 */

static int request(enum gpio_use use, const char *name)
{
	const struct gpio_request wanted = { .chip = "mcp2221_gpio", .line = name, .use = use };

	return gpio_line_request(&line, &fake.gpio, &wanted, &fault);
}

Test(gpio_find, an_output_is_held_until_it_is_released)
{
	const struct gpio_request wanted = {
		.chip = "mcp2221_gpio",
		.line = "up",
		.use = GPIO_OUTPUT,
		.open_drain = true,
		.bias = GPIO_BIAS_PULL_UP,
		.level = true,
	};
	struct gpio_fake_line *up = &fake.chip[1].line[1];
	char text[200];

	cr_assert_eq(gpio_line_request(&line, &fake.gpio, &wanted, &fault), 0, "%s", fault.text);
	cr_assert(up->held && up->level && up->request.open_drain);
	cr_assert_str_eq(up->info.consumer, "quintain-hil");
	cr_assert_eq(up->sets, 0, "the request itself set the level");
	cr_assert_eq(gpio_line_set(&line, false), 0);
	cr_assert_eq(gpio_line_get(&line), 0);
	gpio_line_describe(&line, text, sizeof(text));
	cr_assert(strncmp(text, "up (offset 1 of mcp2221_gpio, /", 31) == 0, "%s", text);
	gpio_line_release(&line);
	cr_assert_not(up->held);
	gpio_line_release(&line);
	cr_assert_eq(gpio_line_set(&line, true), -EBADF);
	cr_assert_eq(gpio_line_get(&line), -EBADF);
}

Test(gpio_find, a_busy_line_says_by_whom)
{
	struct gpio_line second;
	const struct gpio_request again = { .chip = "1", .line = "servo", .use = GPIO_INPUT };

	cr_assert_eq(request(GPIO_INPUT, "servo"), 0);
	cr_assert_eq(gpio_line_request(&second, &fake.gpio, &again, &fault), -EBUSY);
	told("is in use by \"quintain-hil\"");
	told("servo (offset 0 of mcp2221_gpio");
	cr_assert_null(second.handle);
	gpio_line_release(&second);
	gpio_line_release(&line);
	fake.chip[1].line[0].request_error = -EBUSY;
	cr_assert_eq(request(GPIO_INPUT, "servo"), -EBUSY);
	told("somebody who gave no name");
	fake.chip[1].line[0].request_error = -EINVAL;
	cr_assert_eq(request(GPIO_INPUT, "servo"), -EINVAL);
	told("refuses what was asked");
}

Test(gpio_find, requests_that_contradict_themselves)
{
	struct gpio_request wanted = { .chip = "1", .line = "up", .use = GPIO_EDGES };

	wanted.open_drain = true;
	cr_assert_eq(gpio_line_request(&line, &fake.gpio, &wanted, &fault), -EINVAL);
	told("open drain is for outputs");
	wanted.open_drain = false;
	wanted.buffer_edges = 1025;
	cr_assert_eq(gpio_line_request(&line, &fake.gpio, &wanted, &fault), -EINVAL);
	told("at most 1024");
	wanted.line = "";
	cr_assert_eq(gpio_line_request(&line, &fake.gpio, &wanted, &fault), -EINVAL);
	cr_assert_eq(gpio_line_request(&line, &fake.gpio, &wanted, NULL), -EINVAL);
	cr_assert_eq(request(GPIO_INPUT, "up"), 0);
	cr_assert_eq(gpio_line_set(&line, true), -EPERM);
	struct edge edges[16];
	cr_assert_eq(gpio_line_read(&line, edges, 16), -EBADF);
	gpio_line_release(&line);
}

Test(gpio_find, edges_are_read_without_blocking)
{
	struct edge edges[32];

	cr_assert_eq(request(GPIO_EDGES, "up"), 0);
	cr_assert_eq(line.buffer_edges, 256);
	cr_assert(fcntl(line.fd, F_GETFL) & O_NONBLOCK);
	cr_assert_eq(gpio_line_read(&line, edges, 32), 0);
	for (int i = 0; i < 20; i++)
		gpio_fake_edge(&fake.chip[1].line[1], i, i % 2 == 0);
	cr_assert_eq(gpio_line_read(&line, edges, 32), 20);
	cr_assert_eq(edges[19].seq, 20);
	cr_assert_eq(edges[19].flags, 0, "v2: a loss would show as a gap");
	gpio_fake_unplug(&fake.chip[1]);
	cr_assert_eq(gpio_line_read(&line, edges, 32), -ENODEV);
	gpio_line_explain(&line, -ENODEV, &fault);
	told("its chip is gone");
	gpio_line_release(&line);
}

Test(gpio_find, a_full_v1_buffer_is_marked)
{
	struct edge edges[32];

	fake.backend.abi.kernel_abi = 1;
	fake.backend.abi.buffer_edges = 16;
	fake.backend.abi.buffer_settable = fake.backend.abi.sequence_numbers = false;
	cr_assert_eq(request(GPIO_EDGES, "up"), 0);
	cr_assert_eq(line.buffer_edges, 16);
	for (int i = 0; i < 15; i++)
		gpio_fake_edge(&fake.chip[1].line[1], i, i % 2 == 0);
	cr_assert_eq(gpio_line_read(&line, edges, 32), 15);
	cr_assert_eq(edges[14].flags, 0);
	for (int i = 0; i < 16; i++)
		gpio_fake_edge(&fake.chip[1].line[1], i, i % 2 == 0);
	cr_assert_eq(gpio_line_read(&line, edges, 32), 16);
	cr_assert_eq(edges[14].flags, 0);
	cr_assert_eq(edges[15].flags, EDGE_FULL);
	gpio_line_release(&line);
}

Test(gpio_find, the_library_says_what_it_is)
{
	struct gpio real;

	gpio_init(&real);
	const struct gpio_abi *abi = gpio_abi(&real);
	cr_assert(strncmp(abi->library, "libgpiod ", 9) == 0);
	cr_assert_eq(abi->kernel_abi, abi->library[9] == '1' ? 1 : 2);
	cr_assert_eq(abi->sequence_numbers, abi->kernel_abi == 2);
	cr_assert_gt(strlen(abi->meaning), 40);
	cr_assert_str_eq(real.dev, "/dev");
}

Test(gpio_find, what_is_no_chip_is_told_as_such)
{
	struct gpio real;
	struct gpio_fault why;

	gpio_init(&real);
	int rc = gpio_find(&real, "/dev/null", "0", &chip, &info, &why);
	cr_assert_lt(rc, 0);
	cr_assert_str_eq(why.text, "/dev/null is no GPIO chip");
	rc = gpio_find(&real, "/dev/nothing-here", "0", &chip, &info, &why);
	cr_assert_eq(rc, -ENOENT);
	cr_assert_str_eq(why.text, "there is no /dev/nothing-here");
}

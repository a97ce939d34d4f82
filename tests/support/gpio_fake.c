#include "tests/support/gpio_fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct gpio_fake *the_fake; /* the table has no place for it */

static void must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "gpio_fake: %s: %s\n", what, strerror(errno));
		abort();
	}
}

static struct gpio_fake_chip *chip_at(const char *path)
{
	const char *number = strrchr(path, 'p');
	size_t n = number != NULL ? strtoul(number + 1, NULL, 10) : GPIO_FAKE_CHIPS;

	return n < the_fake->chips ? &the_fake->chip[n] : NULL;
}

static int fake_open(const char *path, void **ret_chip)
{
	struct gpio_fake_chip *chip = access(path, F_OK) == 0 ? chip_at(path) : NULL;

	if (chip == NULL)
		return -ENOENT;
	if (chip->open_error != 0)
		return chip->open_error;
	the_fake->chips_open++;
	*ret_chip = chip;
	return 0;
}

static void fake_close(void *chip)
{
	(void)chip;
	the_fake->chips_open--;
}

static int fake_chip_info(void *handle, struct gpio_chip_info *ret_info)
{
	const struct gpio_fake_chip *chip = handle;

	snprintf(ret_info->name, sizeof(ret_info->name), "gpiochip%td", chip - the_fake->chip);
	memcpy(ret_info->label, chip->label, sizeof(ret_info->label));
	ret_info->lines = chip->lines;
	return 0;
}

static int fake_line_info(void *handle, unsigned offset, struct gpio_line_info *ret_info)
{
	const struct gpio_fake_chip *chip = handle;

	if (offset >= chip->lines)
		return -EINVAL;
	*ret_info = chip->line[offset].info;
	return 0;
}

static int fake_request(const char *path, unsigned offset, const struct gpio_request *request,
			void **ret_handle, int *ret_fd)
{
	struct gpio_fake_chip *chip = chip_at(path);

	if (chip == NULL || chip->open_error != 0)
		return chip == NULL ? -ENOENT : chip->open_error;
	struct gpio_fake_line *line = &chip->line[offset];
	if (line->request_error != 0)
		return line->request_error;
	if (line->held)
		return -EBUSY;
	line->held = line->info.used = true;
	line->request = *request;
	if (request->use == GPIO_OUTPUT)
		line->level = request->level;
	snprintf(line->info.consumer, sizeof(line->info.consumer), "%s", request->consumer);
	line->fds[0] = line->fds[1] = -1;
	if (request->use == GPIO_EDGES)
		must(pipe2(line->fds, O_CLOEXEC) == 0, "pipe2");
	*ret_handle = line;
	*ret_fd = line->fds[0];
	return 0;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void fake_release(void *handle)
{
	struct gpio_fake_line *line = handle;

	line->held = line->info.used = false;
	line->info.consumer[0] = '\0';
	close_end(&line->fds[0]);
	close_end(&line->fds[1]);
}

static int fake_get(void *handle)
{
	const struct gpio_fake_line *line = handle;

	return line->get_error != 0 ? line->get_error : line->level;
}

static int fake_set(void *handle, bool level)
{
	struct gpio_fake_line *line = handle;

	if (line->set_error != 0)
		return line->set_error;
	line->level = level;
	line->sets++;
	return 0;
}

static int fake_read(void *handle, struct edge *edges, size_t max)
{
	const struct gpio_fake_line *line = handle;
	size_t most = the_fake->backend.abi.kernel_abi == 1 && max > 16 ? 16 : max;
	ssize_t n = read(line->fds[0], edges, most * sizeof(*edges));

	if (n < 0)
		return -errno;
	return n == 0 ? -ENODEV : (int)((size_t)n / sizeof(*edges));
}

void gpio_fake_init(struct gpio_fake *fake, unsigned kernel_abi)
{
	memset(fake, 0, sizeof(*fake));
	snprintf(fake->dev, sizeof(fake->dev), "/tmp/quintain-gpio.XXXXXX");
	must(mkdtemp(fake->dev) != NULL, "mkdtemp");
	fake->backend = (struct gpio_backend){
		.abi = {
			.library = "fake",
			.kernel_abi = kernel_abi,
			.buffer_edges = kernel_abi == 1 ? 16 : 1024,
			.buffer_settable = kernel_abi != 1,
			.sequence_numbers = kernel_abi != 1,
			.meaning = "made of memory",
		},
		.open = fake_open,
		.close = fake_close,
		.chip_info = fake_chip_info,
		.line_info = fake_line_info,
		.request = fake_request,
		.release = fake_release,
		.get = fake_get,
		.set = fake_set,
		.read = fake_read,
	};
	fake->gpio.backend = &fake->backend;
	fake->gpio.dev = fake->dev;
	the_fake = fake;
}

struct gpio_fake_chip *gpio_fake_chip(struct gpio_fake *fake, const char *label, unsigned lines,
				      const char *const *names)
{
	struct gpio_fake_chip *chip = &fake->chip[fake->chips];
	char path[128];

	must(fake->chips < GPIO_FAKE_CHIPS && lines <= GPIO_FAKE_LINES, "too many");
	snprintf(path, sizeof(path), "%s/gpiochip%zu", fake->dev, fake->chips++);
	int fd = open(path, O_CREAT | O_CLOEXEC | O_WRONLY, 0600);
	must(fd >= 0, path);
	close(fd);
	snprintf(chip->label, sizeof(chip->label), "%s", label);
	chip->lines = lines;
	for (unsigned i = 0; i < lines; i++) {
		chip->line[i].info.offset = i;
		chip->line[i].fds[0] = chip->line[i].fds[1] = -1;
		snprintf(chip->line[i].info.name, sizeof(chip->line[i].info.name), "%s",
			 names != NULL ? names[i] : "");
	}
	return chip;
}

void gpio_fake_release(struct gpio_fake *fake)
{
	char path[128];

	for (size_t i = 0; i < fake->chips; i++) {
		snprintf(path, sizeof(path), "%s/gpiochip%zu", fake->dev, i);
		unlink(path);
	}
	rmdir(fake->dev);
	the_fake = NULL;
}

void gpio_fake_edge(struct gpio_fake_line *line, int64_t t_ns, bool level)
{
	struct edge edge = { .t_ns = t_ns, .level = level };

	line->seq++;
	if (the_fake->backend.abi.sequence_numbers)
		edge.seq = line->seq;
	line->level = level;
	must(write(line->fds[1], &edge, sizeof(edge)) == sizeof(edge), "an edge into the pipe");
}

void gpio_fake_skip(struct gpio_fake_line *line, unsigned edges)
{
	line->seq += edges;
}

void gpio_fake_unplug(struct gpio_fake_chip *chip)
{
	chip->open_error = -ENODEV;
	for (unsigned i = 0; i < chip->lines; i++) {
		chip->line[i].get_error = chip->line[i].set_error = -ENODEV;
		close_end(&chip->line[i].fds[1]);
	}
}

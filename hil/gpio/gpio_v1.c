/*
 * libgpiod 1.x (Debian 12): the kernel's v1 interface. A line that is requested belongs to the
 * gpiod_chip that it was found on, so each request keeps a chip of its own.
 */
#include <errno.h>
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hil/gpio/gpio_backend.h"

#define V1_EVENTS 16 /* what the kernel buffers, and what one call reads */

struct v1_request {
	struct gpiod_chip *chip;
	struct gpiod_line *line;
	int fd;
};

static int failure(void)
{
	return errno > 0 ? -errno : -EIO;
}

static int v1_open(const char *path, void **ret_chip)
{
	errno = 0;
	struct gpiod_chip *chip = gpiod_chip_open(path);
	if (chip == NULL)
		return failure();
	*ret_chip = chip;
	return 0;
}

static void v1_close(void *chip)
{
	gpiod_chip_close(chip);
}

static int v1_chip_info(void *chip, struct gpio_chip_info *ret_info)
{
	snprintf(ret_info->name, sizeof(ret_info->name), "%s", gpiod_chip_name(chip));
	snprintf(ret_info->label, sizeof(ret_info->label), "%s", gpiod_chip_label(chip));
	ret_info->lines = gpiod_chip_num_lines(chip);
	return 0;
}

static enum gpio_bias bias_of(int bias)
{
	switch (bias) {
	case GPIOD_LINE_BIAS_DISABLE: return GPIO_BIAS_NONE;
	case GPIOD_LINE_BIAS_PULL_UP: return GPIO_BIAS_PULL_UP;
	case GPIOD_LINE_BIAS_PULL_DOWN: return GPIO_BIAS_PULL_DOWN;
	default: return GPIO_BIAS_AS_IS;
	}
}

static int v1_line_info(void *chip, unsigned offset, struct gpio_line_info *ret_info)
{
	struct gpio_line_info info = { .offset = offset };

	errno = 0;
	struct gpiod_line *line = gpiod_chip_get_line(chip, offset);
	if (line == NULL || gpiod_line_update(line) < 0)
		return failure();
	const char *name = gpiod_line_name(line), *consumer = gpiod_line_consumer(line);
	snprintf(info.name, sizeof(info.name), "%s", name != NULL ? name : "");
	snprintf(info.consumer, sizeof(info.consumer), "%s", consumer != NULL ? consumer : "");
	info.used = gpiod_line_is_used(line);
	info.output = gpiod_line_direction(line) == GPIOD_LINE_DIRECTION_OUTPUT;
	info.active_low = gpiod_line_active_state(line) == GPIOD_LINE_ACTIVE_STATE_LOW;
	info.open_drain = gpiod_line_is_open_drain(line);
	info.open_source = gpiod_line_is_open_source(line);
	info.bias = bias_of(gpiod_line_bias(line));
	*ret_info = info;
	return 0;
}

static int flags_of(const struct gpio_request *request)
{
	int flags = 0;

	if (request->active_low)
		flags |= GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW;
	if (request->open_drain)
		flags |= GPIOD_LINE_REQUEST_FLAG_OPEN_DRAIN;
	if (request->bias == GPIO_BIAS_NONE)
		flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE;
	else if (request->bias == GPIO_BIAS_PULL_UP)
		flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP;
	else if (request->bias == GPIO_BIAS_PULL_DOWN)
		flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN;
	return flags;
}

static void v1_release(void *handle)
{
	struct v1_request *held = handle;

	gpiod_chip_close(held->chip); /* its line goes with it */
	free(held);
}

static int v1_request(const char *path, unsigned offset, const struct gpio_request *request,
		      void **ret_handle, int *ret_fd)
{
	static const int types[] = {
		[GPIO_INPUT] = GPIOD_LINE_REQUEST_DIRECTION_INPUT,
		[GPIO_EDGES] = GPIOD_LINE_REQUEST_EVENT_BOTH_EDGES,
		[GPIO_OUTPUT] = GPIOD_LINE_REQUEST_DIRECTION_OUTPUT,
	};
	const struct gpiod_line_request_config config = {
		.consumer = request->consumer,
		.request_type = types[request->use],
		.flags = flags_of(request),
	};
	struct v1_request *held = calloc(1, sizeof(*held));
	int rc;

	if (held == NULL)
		return -ENOMEM;
	errno = 0;
	held->chip = gpiod_chip_open(path);
	if (held->chip == NULL) {
		rc = failure();
		free(held);
		return rc;
	}
	held->line = gpiod_chip_get_line(held->chip, offset);
	if (held->line == NULL || gpiod_line_request(held->line, &config, request->level) < 0) {
		rc = failure();
		v1_release(held);
		return rc;
	}
	held->fd = request->use == GPIO_EDGES ? gpiod_line_event_get_fd(held->line) : -1;
	*ret_handle = held;
	*ret_fd = held->fd;
	return 0;
}

static int v1_get(void *handle)
{
	struct v1_request *held = handle;

	errno = 0;
	int value = gpiod_line_get_value(held->line);
	return value < 0 ? failure() : value;
}

static int v1_set(void *handle, bool level)
{
	struct v1_request *held = handle;

	errno = 0;
	return gpiod_line_set_value(held->line, level) < 0 ? failure() : 0;
}

static int v1_read(void *handle, struct edge *edges, size_t max)
{
	struct v1_request *held = handle;
	struct gpiod_line_event events[V1_EVENTS];
	unsigned want = max < V1_EVENTS ? (unsigned)max : V1_EVENTS;

	errno = 0;
	int n = gpiod_line_event_read_fd_multiple(held->fd, events, want);
	if (n < 0)
		return failure();
	for (int i = 0; i < n; i++)
		edges[i] = (struct edge){
			.t_ns = (int64_t)events[i].ts.tv_sec * 1000000000 + events[i].ts.tv_nsec,
			.level = events[i].event_type == GPIOD_LINE_EVENT_RISING_EDGE,
		};
	return n;
}

const struct gpio_backend gpio_library = {
	.abi = {
		.library = "libgpiod " GPIO_LIBRARY_VERSION,
		.kernel_abi = 1,
		.buffer_edges = V1_EVENTS,
		.meaning = "16 edges a line are buffered, later ones are lost without a number to show "
			   "it: losses are told by a full buffer and by impossible levels",
	},
	.open = v1_open,
	.close = v1_close,
	.chip_info = v1_chip_info,
	.line_info = v1_line_info,
	.request = v1_request,
	.release = v1_release,
	.get = v1_get,
	.set = v1_set,
	.read = v1_read,
};

/*
 * libgpiod 2.x (Debian 13): the kernel's v2 interface. A request stands on its own: the chip is
 * closed as soon as the line is ours.
 */
#include <errno.h>
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hil/gpio/gpio_backend.h"

#define V2_EVENTS 64       /* what one call reads: a whole second of a servo is 100 */
#define V2_BUFFER_MAX 1024 /* the kernel's: GPIO_V2_LINES_MAX * 16 */

struct v2_request {
	struct gpiod_line_request *request;
	struct gpiod_edge_event_buffer *buffer;
	unsigned offset;
};

static int failure(void)
{
	return errno > 0 ? -errno : -EIO;
}

static int v2_open(const char *path, void **ret_chip)
{
	errno = 0;
	struct gpiod_chip *chip = gpiod_chip_open(path);
	if (chip == NULL)
		return failure();
	*ret_chip = chip;
	return 0;
}

static void v2_close(void *chip)
{
	gpiod_chip_close(chip);
}

static int v2_chip_info(void *chip, struct gpio_chip_info *ret_info)
{
	errno = 0;
	struct gpiod_chip_info *info = gpiod_chip_get_info(chip);
	if (info == NULL)
		return failure();
	snprintf(ret_info->name, sizeof(ret_info->name), "%s", gpiod_chip_info_get_name(info));
	snprintf(ret_info->label, sizeof(ret_info->label), "%s", gpiod_chip_info_get_label(info));
	ret_info->lines = (unsigned)gpiod_chip_info_get_num_lines(info);
	gpiod_chip_info_free(info);
	return 0;
}

static enum gpio_bias bias_of(enum gpiod_line_bias bias)
{
	switch (bias) {
	case GPIOD_LINE_BIAS_DISABLED: return GPIO_BIAS_NONE;
	case GPIOD_LINE_BIAS_PULL_UP: return GPIO_BIAS_PULL_UP;
	case GPIOD_LINE_BIAS_PULL_DOWN: return GPIO_BIAS_PULL_DOWN;
	default: return GPIO_BIAS_AS_IS;
	}
}

static int v2_line_info(void *chip, unsigned offset, struct gpio_line_info *ret_info)
{
	struct gpio_line_info result = { .offset = offset };

	errno = 0;
	struct gpiod_line_info *info = gpiod_chip_get_line_info(chip, offset);
	if (info == NULL)
		return failure();
	const char *name = gpiod_line_info_get_name(info);
	const char *consumer = gpiod_line_info_get_consumer(info);
	enum gpiod_line_drive drive = gpiod_line_info_get_drive(info);
	snprintf(result.name, sizeof(result.name), "%s", name != NULL ? name : "");
	snprintf(result.consumer, sizeof(result.consumer), "%s", consumer != NULL ? consumer : "");
	result.used = gpiod_line_info_is_used(info);
	result.output = gpiod_line_info_get_direction(info) == GPIOD_LINE_DIRECTION_OUTPUT;
	result.active_low = gpiod_line_info_is_active_low(info);
	result.open_drain = drive == GPIOD_LINE_DRIVE_OPEN_DRAIN;
	result.open_source = drive == GPIOD_LINE_DRIVE_OPEN_SOURCE;
	result.bias = bias_of(gpiod_line_info_get_bias(info));
	gpiod_line_info_free(info);
	*ret_info = result;
	return 0;
}

static int apply(struct gpiod_line_settings *settings, const struct gpio_request *request)
{
	static const enum gpiod_line_bias biases[] = {
		[GPIO_BIAS_AS_IS] = GPIOD_LINE_BIAS_AS_IS,
		[GPIO_BIAS_NONE] = GPIOD_LINE_BIAS_DISABLED,
		[GPIO_BIAS_PULL_UP] = GPIOD_LINE_BIAS_PULL_UP,
		[GPIO_BIAS_PULL_DOWN] = GPIOD_LINE_BIAS_PULL_DOWN,
	};
	bool output = request->use == GPIO_OUTPUT;

	gpiod_line_settings_set_active_low(settings, request->active_low);
	if (gpiod_line_settings_set_direction(settings, output ? GPIOD_LINE_DIRECTION_OUTPUT
							       : GPIOD_LINE_DIRECTION_INPUT) < 0 ||
	    gpiod_line_settings_set_bias(settings, biases[request->bias]) < 0)
		return failure();
	if (output) {
		if (gpiod_line_settings_set_output_value(
			    settings, request->level ? GPIOD_LINE_VALUE_ACTIVE
						     : GPIOD_LINE_VALUE_INACTIVE) < 0 ||
		    gpiod_line_settings_set_drive(
			    settings, request->open_drain ? GPIOD_LINE_DRIVE_OPEN_DRAIN
							  : GPIOD_LINE_DRIVE_PUSH_PULL) < 0)
			return failure();
	} else if (request->use == GPIO_EDGES) {
		if (gpiod_line_settings_set_edge_detection(settings, GPIOD_LINE_EDGE_BOTH) < 0 ||
		    gpiod_line_settings_set_event_clock(settings, GPIOD_LINE_CLOCK_MONOTONIC) < 0)
			return failure();
	}
	return 0;
}

static struct gpiod_line_request *request_line(struct gpiod_chip *chip, unsigned offset,
					       const struct gpio_request *request)
{
	struct gpiod_line_settings *settings = gpiod_line_settings_new();
	struct gpiod_line_config *lines = gpiod_line_config_new();
	struct gpiod_request_config *config = gpiod_request_config_new();
	struct gpiod_line_request *result = NULL;

	if (settings == NULL || lines == NULL || config == NULL) {
		errno = ENOMEM;
	} else if (apply(settings, request) == 0 &&
		   gpiod_line_config_add_line_settings(lines, &offset, 1, settings) == 0) {
		gpiod_request_config_set_consumer(config, request->consumer);
		gpiod_request_config_set_event_buffer_size(config, request->buffer_edges);
		result = gpiod_chip_request_lines(chip, config, lines);
	}
	int error = errno;
	gpiod_request_config_free(config);
	gpiod_line_config_free(lines);
	gpiod_line_settings_free(settings);
	errno = error;
	return result;
}

static void v2_release(void *handle)
{
	struct v2_request *held = handle;

	gpiod_edge_event_buffer_free(held->buffer);
	gpiod_line_request_release(held->request);
	free(held);
}

static int v2_request(const char *path, unsigned offset, const struct gpio_request *request,
		      void **ret_handle, int *ret_fd)
{
	struct v2_request *held = calloc(1, sizeof(*held));
	int rc = 0;

	if (held == NULL)
		return -ENOMEM;
	held->offset = offset;
	errno = 0;
	struct gpiod_chip *chip = gpiod_chip_open(path);
	if (chip == NULL) {
		rc = failure();
		free(held);
		return rc;
	}
	held->request = request_line(chip, offset, request);
	if (held->request == NULL)
		rc = failure();
	gpiod_chip_close(chip);
	if (rc < 0) {
		free(held);
		return rc;
	}
	if (request->use == GPIO_EDGES) {
		held->buffer = gpiod_edge_event_buffer_new(V2_EVENTS);
		if (held->buffer == NULL) {
			v2_release(held);
			return -ENOMEM;
		}
	}
	*ret_handle = held;
	*ret_fd = request->use == GPIO_EDGES ? gpiod_line_request_get_fd(held->request) : -1;
	return 0;
}

static int v2_get(void *handle)
{
	struct v2_request *held = handle;

	errno = 0;
	enum gpiod_line_value value = gpiod_line_request_get_value(held->request, held->offset);
	return value == GPIOD_LINE_VALUE_ERROR ? failure() : value == GPIOD_LINE_VALUE_ACTIVE;
}

static int v2_set(void *handle, bool level)
{
	struct v2_request *held = handle;

	errno = 0;
	return gpiod_line_request_set_value(held->request, held->offset,
					    level ? GPIOD_LINE_VALUE_ACTIVE
						  : GPIOD_LINE_VALUE_INACTIVE) < 0
		       ? failure()
		       : 0;
}

static int v2_read(void *handle, struct edge *edges, size_t max)
{
	struct v2_request *held = handle;
	size_t want = max < V2_EVENTS ? max : V2_EVENTS;

	errno = 0;
	int n = gpiod_line_request_read_edge_events(held->request, held->buffer, want);
	if (n < 0)
		return failure();
	for (int i = 0; i < n; i++) {
		struct gpiod_edge_event *event =
			gpiod_edge_event_buffer_get_event(held->buffer, (unsigned long)i);

		edges[i] = (struct edge){
			.t_ns = (int64_t)gpiod_edge_event_get_timestamp_ns(event),
			.seq = (uint32_t)gpiod_edge_event_get_line_seqno(event),
			.level = gpiod_edge_event_get_event_type(event) ==
				 GPIOD_EDGE_EVENT_RISING_EDGE,
		};
	}
	return n;
}

const struct gpio_backend gpio_library = {
	.abi = {
		.library = "libgpiod " GPIO_LIBRARY_VERSION,
		.kernel_abi = 2,
		.buffer_edges = V2_BUFFER_MAX,
		.buffer_settable = true,
		.sequence_numbers = true,
		.meaning = "the size of the buffer is asked for, the oldest edges are lost when it is "
			   "full, and every loss shows as a gap in the numbers",
	},
	.open = v2_open,
	.close = v2_close,
	.chip_info = v2_chip_info,
	.line_info = v2_line_info,
	.request = v2_request,
	.release = v2_release,
	.get = v2_get,
	.set = v2_set,
	.read = v2_read,
};

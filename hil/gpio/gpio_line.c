/* A line that is ours: requested, set, read, let go. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "hil/gpio/gpio_internal.h"

#define BUFFER_EDGES_DEFAULT 256

static int check(const struct gpio_request *request, const struct gpio_abi *abi,
		 struct gpio_fault *fault)
{
	if (request->line == NULL || request->line[0] == '\0') {
		gpio_say(fault, "a line needs a name or an offset");
		return -EINVAL;
	}
	if (request->open_drain && request->use != GPIO_OUTPUT) {
		gpio_say(fault, "line %s: open drain is for outputs", request->line);
		return -EINVAL;
	}
	if (abi->buffer_settable && request->buffer_edges > abi->buffer_edges) {
		gpio_say(fault, "line %s: the kernel buffers at most %u edges, not %u",
			 request->line, abi->buffer_edges, request->buffer_edges);
		return -EINVAL;
	}
	return 0;
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int gpio_line_request(struct gpio_line *line, const struct gpio *gpio,
		      const struct gpio_request *request, struct gpio_fault *fault)
{
	struct gpio_line result = { .gpio = gpio, .fd = -1, .use = request->use };
	struct gpio_request wanted = *request;
	const struct gpio_backend *backend = gpio->backend;

	*line = (struct gpio_line){ .gpio = gpio, .fd = -1 };
	int rc = check(request, &backend->abi, fault);
	if (rc == 0)
		rc = gpio_find(gpio, request->chip, request->line, &result.chip, &result.info,
			       fault);
	if (rc < 0)
		return rc;
	if (wanted.consumer == NULL)
		wanted.consumer = GPIO_CONSUMER;
	if (wanted.buffer_edges == 0)
		wanted.buffer_edges = BUFFER_EDGES_DEFAULT;
	if (request->use == GPIO_EDGES)
		result.buffer_edges = backend->abi.buffer_settable ? wanted.buffer_edges
								   : backend->abi.buffer_edges;
	rc = backend->request(result.chip.path, result.info.offset, &wanted, &result.handle,
			      &result.fd);
	if (rc == 0 && result.fd >= 0) {
		rc = set_nonblocking(result.fd);
		if (rc < 0)
			backend->release(result.handle);
	}
	if (rc < 0) {
		gpio_say_line(fault, &result.chip, &result.info, rc);
		return rc;
	}
	*line = result;
	return 0;
}

void gpio_line_release(struct gpio_line *line)
{
	if (line->handle != NULL)
		line->gpio->backend->release(line->handle);
	line->handle = NULL;
	line->fd = -1;
}

int gpio_line_set(struct gpio_line *line, bool level)
{
	if (line->handle == NULL)
		return -EBADF;
	return line->use == GPIO_OUTPUT ? line->gpio->backend->set(line->handle, level) : -EPERM;
}

int gpio_line_get(struct gpio_line *line)
{
	return line->handle != NULL ? line->gpio->backend->get(line->handle) : -EBADF;
}

int gpio_line_read(struct gpio_line *line, struct edge *edges, size_t max)
{
	const struct gpio_abi *abi = &line->gpio->backend->abi;

	if (line->handle == NULL || line->use != GPIO_EDGES)
		return -EBADF;
	int n = line->gpio->backend->read(line->handle, edges, max);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n > 0 && !abi->sequence_numbers && (unsigned)n >= abi->buffer_edges)
		edges[n - 1].flags |= EDGE_FULL;
	if (n > 0)
		line->seq = edges[n - 1].seq;
	return n;
}

void gpio_line_describe(const struct gpio_line *line, char *text, size_t size)
{
	gpio_place(&line->chip, &line->info, text, size);
}

void gpio_line_explain(const struct gpio_line *line, int error, struct gpio_fault *ret_fault)
{
	gpio_say_line(ret_fault, &line->chip, &line->info, error);
}

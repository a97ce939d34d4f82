/*
 * What a GPIO library does for gpio.c: the smallest table that libgpiod 1.x, 2.x and a test's fake
 * all fill.
 *
 * Purpose: one call of the library each, no decisions: what is worth testing stands above it.
 * Ownership: a chip is closed by whoever opened it; a request opens the chip for itself.
 * Errors: 0 or -errno as the kernel said it. Threads: none of its own.
 */
#ifndef GPIO_BACKEND_H
#define GPIO_BACKEND_H

#include "hil/gpio/gpio.h"

struct gpio_backend {
	struct gpio_abi abi;
	int (*open)(const char *path, void **ret_chip);
	void (*close)(void *chip);
	/* name, label, lines; path and error are the caller's. */
	int (*chip_info)(void *chip, struct gpio_chip_info *ret_info);
	int (*line_info)(void *chip, unsigned offset, struct gpio_line_info *ret_info);
	/* ret_fd: for GPIO_EDGES, and set non-blocking by the caller. */
	int (*request)(const char *path, unsigned offset, const struct gpio_request *request,
		       void **ret_handle, int *ret_fd);
	void (*release)(void *handle);
	int (*get)(void *handle);
	int (*set)(void *handle, bool level);
	/* At most max edges, 0 to max, or -errno (-EAGAIN: none). t_ns, level, seq; flags 0. */
	int (*read)(void *handle, struct edge *edges, size_t max);
};

extern const struct gpio_backend gpio_library;

#endif

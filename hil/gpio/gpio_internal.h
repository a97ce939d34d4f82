/*
 * What the parts of gpio share: words for what went wrong.
 *
 * Ownership: a fault is the caller's and may be NULL everywhere.
 * Errors: none. Threads: no state.
 */
#ifndef GPIO_INTERNAL_H
#define GPIO_INTERNAL_H

#include "hil/gpio/gpio_backend.h"

#define GPIO_CONSUMER "quintain-hil"
#define GPIO_PLACE_SIZE 256 /* of gpio_place() */

void gpio_say(struct gpio_fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "GPIO17 (offset 17 of pinctrl-bcm2835, /dev/gpiochip0)" */
void gpio_place(const struct gpio_chip_info *chip, const struct gpio_line_info *line, char *text,
		size_t size);
/* Why the chip at `path` could not be opened or asked. */
void gpio_say_chip(struct gpio_fault *fault, const char *path, int error);
/* Why a line could not be requested, set or read. */
void gpio_say_line(struct gpio_fault *fault, const struct gpio_chip_info *chip,
		   const struct gpio_line_info *line, int error);
/*
 * The process that holds the line, as /proc/PID/fdinfo tells of v2 requests since Linux 6.0, and
 * only of processes that we may look at: false when nothing is found.
 */
bool gpio_holder(const char *chip_name, unsigned offset, int *ret_pid, char *name, size_t size);

#endif

/*
 * Chips and their lines for a person or a program to read.
 *
 * Purpose: what `quintain-hil list` says of GPIO. Ownership: nothing is kept. Errors: -errno where
 * the chips cannot be listed at all; one that cannot be opened is told in its place. Threads: none
 * of its own.
 */
#ifndef GPIO_LIST_H
#define GPIO_LIST_H

#include "hil/gpio/gpio.h"

#include <stdio.h>

/* A paragraph a chip: its name, label, and the names of its lines with who uses them; as JSON an
 * object a line. *ret_count: how many chips there are. */
int gpio_list(const struct gpio *gpio, bool json, FILE *out, size_t *ret_count,
	      struct gpio_fault *fault);

#endif

/*
 * GPIO chips made of memory and pipes, behind the table that libgpiod fills otherwise.
 *
 * Purpose: tests of all that stands above the library: chips with labels and named lines, lines
 * that are busy, forbidden, or gone, and edges that a test feeds. One of them at a time in a
 * process.
 * Ownership: gpio_fake_init() makes a folder with the chips' files in it, gpio_fake_release()
 * removes it.
 * Errors: aborts; this is test code. Threads: one.
 */
#ifndef TEST_GPIO_FAKE_H
#define TEST_GPIO_FAKE_H

#include "hil/gpio/gpio_backend.h"

#define GPIO_FAKE_CHIPS 4
#define GPIO_FAKE_LINES 8

struct gpio_fake_line {
	struct gpio_line_info info;
	struct gpio_request request; /* the last that was granted */
	bool held, level;
	int fds[2]; /* the edges' pipe */
	uint32_t seq;
	int request_error, get_error, set_error; /* what the next call gives; 0: it works */
	unsigned sets;
};

struct gpio_fake_chip {
	char label[GPIO_NAME_SIZE];
	unsigned lines;
	int open_error;
	struct gpio_fake_line line[GPIO_FAKE_LINES];
};

struct gpio_fake {
	struct gpio gpio;
	char dev[64];
	struct gpio_backend backend;
	struct gpio_fake_chip chip[GPIO_FAKE_CHIPS];
	size_t chips;
	size_t chips_open; /* 0 when everything was closed */
};

/* kernel_abi 1 or 2 decides what gpio_abi() says, and whether edges have numbers. */
void gpio_fake_init(struct gpio_fake *fake, unsigned kernel_abi);
void gpio_fake_release(struct gpio_fake *fake);
/* names: one for each line, "" for none. */
struct gpio_fake_chip *gpio_fake_chip(struct gpio_fake *fake, const char *label, unsigned lines,
				      const char *const *names);
/* An edge arrives. seq goes on by itself; gpio_fake_skip() makes a gap. */
void gpio_fake_edge(struct gpio_fake_line *line, int64_t t_ns, bool level);
void gpio_fake_skip(struct gpio_fake_line *line, unsigned edges);
/* The chip is unplugged: reading says ENODEV, polling HUP. */
void gpio_fake_unplug(struct gpio_fake_chip *chip);

#endif

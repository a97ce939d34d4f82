/*
 * GPIO: chips and lines of this machine, requested by name and held.
 *
 * Purpose: one header over libgpiod 1.x (gpio_v1.c) and 2.x (gpio_v2.c); the build takes the one
 * that pkg-config finds. A line is one request with one descriptor in either. Everything that can
 * be decided without the kernel (names, nearest names, texts) stands in gpio.c, above a table of
 * functions that a test may replace.
 * Units: t_ns CLOCK_MONOTONIC. Levels are logical: active_low turns them round on both ways.
 * Ownership: gpio_line_release() what gpio_line_request() took. The kernel lets go of an output
 * when its holder ends: a held line must stay requested for as long as its state is wanted. Lists
 * are freed with free().
 * Errors: 0 or -errno, and, if the caller hands in a struct gpio_fault, a text for a person that
 * names the chip and the line, says what is wrong and what to do. Outputs stay untouched.
 *     -ENOENT no such chip (nearest names)     -ENXIO  no such line (nearest names)
 *     -ENOTUNIQ the name fits several          -EBUSY  somebody holds the line (who)
 *     -EACCES no permission (the remedy)       -ENODEV the chip is gone
 *     -EINVAL what the request asks for contradicts itself, or the kernel refuses it
 * Threads: no state but what is handed in; one thread a line.
 * Source: libgpiod's gpiod.h (1.6 and 2.2), the kernel's Documentation/userspace-api/gpio.
 */
#ifndef GPIO_H
#define GPIO_H

#include "hil/gpio/ring.h"

#define GPIO_NAME_SIZE 64 /* the kernel's own limit is 32, its NUL included */

struct gpio_fault {
	char text[480];
};

/* --- which library, and what follows from it ---------------------------------------------------
 */

struct gpio_abi {
	const char *library;   /* "libgpiod 1.6.3" */
	unsigned kernel_abi;   /* 1 or 2: the kernel interface that this library speaks */
	unsigned buffer_edges; /* what the kernel buffers a line at most before it loses edges */
	bool buffer_settable;  /* gpio_request.buffer_edges counts */
	bool sequence_numbers; /* lost edges show as gaps; otherwise by parity and full buffers only
				*/
	const char *meaning; /* one sentence for a report: what may be lost, and whether it shows */
};

struct gpio_backend; /* gpio_backend.h */

/* Where lines come from. gpio_init() means the real ones: /dev and the library. */
struct gpio {
	const struct gpio_backend *backend;
	const char *dev; /* the folder that holds gpiochipN */
};

void gpio_init(struct gpio *gpio);
const struct gpio_abi *gpio_abi(const struct gpio *gpio);

/* --- what there is ------------------------------------------------------------------------------
 */

enum gpio_bias {
	GPIO_BIAS_AS_IS, /* as the chip has it; in gpio_line_info: unknown */
	GPIO_BIAS_NONE,  /* switched off */
	GPIO_BIAS_PULL_UP,
	GPIO_BIAS_PULL_DOWN,
};
const char *gpio_bias_name(enum gpio_bias bias); /* "as-is", "none", "pull-up", "pull-down" */

struct gpio_chip_info {
	char path[GPIO_NAME_SIZE];  /* "/dev/gpiochip0" */
	char name[GPIO_NAME_SIZE];  /* "gpiochip0": may change from boot to boot */
	char label[GPIO_NAME_SIZE]; /* "pinctrl-bcm2835": what a config should name */
	unsigned lines;
	int error; /* 0, or why it could not be asked (-EACCES...): then label is "", lines 0 */
};

struct gpio_line_info {
	unsigned offset;
	char name[GPIO_NAME_SIZE];     /* "" when it has none */
	char consumer[GPIO_NAME_SIZE]; /* used by: what its holder calls itself; "" when it has not
					  said */
	bool used;                     /* by a program, or by the kernel */
	bool output, active_low, open_drain, open_source;
	enum gpio_bias bias;
};

/* All chips, by number; none is no error. One that cannot be opened is listed with its error. */
int gpio_chips(const struct gpio *gpio, struct gpio_chip_info **ret_chips, size_t *ret_count,
	       struct gpio_fault *fault);
/* All lines of the chip: a label, a name ("gpiochip0"), a number ("0") or a path. */
int gpio_lines(const struct gpio *gpio, const char *chip, struct gpio_chip_info *ret_chip,
	       struct gpio_line_info **ret_lines, size_t *ret_count, struct gpio_fault *fault);
/* Where a line is, without requesting it; chip NULL: the line's name, on whatever chip. For doctor.
 */
int gpio_find(const struct gpio *gpio, const char *chip, const char *line,
	      struct gpio_chip_info *ret_chip, struct gpio_line_info *ret_line,
	      struct gpio_fault *fault);

/* --- a line that is ours ------------------------------------------------------------------------
 */

enum gpio_use {
	GPIO_INPUT,
	GPIO_EDGES,  /* an input whose edges of both directions are kept by the kernel for us */
	GPIO_OUTPUT, /* driven from the request on, until the release */
};

struct gpio_request {
	const char *chip; /* label, name, number or path; NULL: the line's name must be unique */
	const char *line; /* its name, or its offset in digits */
	const char *consumer; /* what others see as "used by"; NULL: "quintain-hil" */
	enum gpio_use use;
	enum gpio_bias bias;
	bool active_low;
	bool open_drain; /* GPIO_OUTPUT: drives low, and lets go instead of driving high */
	bool level;      /* GPIO_OUTPUT: the first level, set by the request itself, logical */
	unsigned buffer_edges; /* GPIO_EDGES: kernel buffer asked for; 0: 256. See gpio_abi */
};

struct gpio_line {
	const struct gpio *gpio;
	void *handle; /* the library's; NULL: not requested */
	int fd;       /* GPIO_EDGES: poll it for EPOLLIN; non-blocking. Otherwise -1 */
	enum gpio_use use;
	struct gpio_chip_info chip;
	struct gpio_line_info info; /* as it was before the request, name and offset above all */
	unsigned buffer_edges;      /* what the kernel will buffer at least: 16 under v1 */
	uint32_t seq;               /* of the last edge that was read; 0: none yet, or no numbers */
};

/* gpio must outlive the line. After a failure the line is as gpio_line_release() leaves it. */
int gpio_line_request(struct gpio_line *line, const struct gpio *gpio,
		      const struct gpio_request *request, struct gpio_fault *fault);
/* Lets go: an output falls back to whatever the chip makes of it. Harmless on a released line, and
 * on one that is all zero. */
void gpio_line_release(struct gpio_line *line);

/* 0, -ENODEV when the chip is gone, -EPERM for an input, or another -errno. */
int gpio_line_set(struct gpio_line *line, bool level);
/* 0 or 1, or -errno. Of an output: what it is told, or with open drain what the wire is, as the
 * chip reports it. */
int gpio_line_get(struct gpio_line *line);

/*
 * Reads what the kernel holds of a GPIO_EDGES line, at most `max`: the number of edges, 0 when
 * there are none, -ENODEV when the chip is gone, another -errno. Never blocks. Under v1 a read that
 * brought all that the kernel buffers marks its last edge EDGE_FULL; v2 shows a loss as a gap.
 * max: 16 or more.
 */
int gpio_line_read(struct gpio_line *line, struct edge *edges, size_t max);

/* "gpio17 (offset 17 of pinctrl-bcm2835, /dev/gpiochip0)" */
void gpio_line_describe(const struct gpio_line *line, char *text, size_t size);
/* What -errno from set, get, read means for this line, in words for a person. */
void gpio_line_explain(const struct gpio_line *line, int error, struct gpio_fault *ret_fault);

#endif

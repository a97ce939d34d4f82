#include "tests/support/vm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/gpio.h>

#define PORT 8081
#define BOARDS_AT UINT32_C(0x7f000100)
#define RIG_AT UINT32_C(0x7f000001)

void vm_die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "FAILED: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

int64_t vm_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * VM_S + now.tv_nsec;
}

void vm_sleep(int64_t ns)
{
	if (ns <= 0)
		return;
	struct timespec pause = { .tv_sec = ns / VM_S, .tv_nsec = ns % VM_S };

	nanosleep(&pause, NULL);
}

static bool readable(int fd, int64_t timeout_ns)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct timespec timeout = { .tv_sec = timeout_ns / VM_S, .tv_nsec = timeout_ns % VM_S };

	return timeout_ns > 0 && ppoll(&poll_fd, 1, &timeout, NULL) == 1;
}

/* ---- lines ---- */

int vm_chip(const char *label)
{
	for (int i = 0; i < 16; i++) {
		struct gpiochip_info info;
		char path[32];
		snprintf(path, sizeof(path), "/dev/gpiochip%d", i);
		int fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (ioctl(fd, GPIO_GET_CHIPINFO_IOCTL, &info) == 0 &&
		    strcmp(info.label, label) == 0)
			return fd;
		close(fd);
	}
	return -1;
}

int vm_line(int chip, const char *name)
{
	struct gpiochip_info chip_info;

	if (ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &chip_info) < 0)
		return -1;
	for (unsigned i = 0; i < chip_info.lines; i++) {
		struct gpio_v2_line_info info = { .offset = i };
		if (ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &info) == 0 &&
		    strcmp(info.name, name) == 0)
			return (int)i;
	}
	return -1;
}

static int request(int chip, unsigned offset, uint64_t flags, bool level)
{
	struct gpio_v2_line_request line = { .num_lines = 1, .event_buffer_size = 4096 };

	line.offsets[0] = offset;
	line.config.flags = flags;
	strcpy(line.consumer, "bench-check");
	if (flags & GPIO_V2_LINE_FLAG_OUTPUT) {
		line.event_buffer_size = 0;
		line.config.num_attrs = 1;
		line.config.attrs[0].mask = 1;
		line.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
		line.config.attrs[0].attr.values = level;
	}
	VM_MUST(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &line) == 0, "line %u: %s", offset,
		strerror(errno));
	return line.fd;
}

int vm_edges(int chip, unsigned offset)
{
	return request(chip, offset,
		       GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING |
			       GPIO_V2_LINE_FLAG_EDGE_FALLING,
		       false);
}

bool vm_edge(int edges, struct vm_edge *ret, int64_t timeout_ns)
{
	struct gpio_v2_line_event event;

	if (!readable(edges, timeout_ns) || read(edges, &event, sizeof(event)) != sizeof(event))
		return false;
	*ret = (struct vm_edge){ .t_ns = (int64_t)event.timestamp_ns,
				 .rising = event.id == GPIO_V2_LINE_EVENT_RISING_EDGE,
				 .seqno = event.line_seqno };
	return true;
}

int vm_output(int chip, unsigned offset, bool open_drain, bool level)
{
	return request(chip, offset,
		       GPIO_V2_LINE_FLAG_OUTPUT | (open_drain ? GPIO_V2_LINE_FLAG_OPEN_DRAIN : 0),
		       level);
}

bool vm_level(int line)
{
	struct gpio_v2_line_values values = { .mask = 1 };

	VM_MUST(ioctl(line, GPIO_V2_LINE_GET_VALUES_IOCTL, &values) == 0, "get: %s",
		strerror(errno));
	return values.bits & 1;
}

void vm_set(int output, bool level)
{
	struct gpio_v2_line_values values = { .bits = level, .mask = 1 };

	VM_MUST(ioctl(output, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) == 0, "set: %s",
		strerror(errno));
}

/* ---- serial ---- */

bool vm_serial_name(const char *serial, char *ret, size_t cap)
{
	DIR *dir = opendir("/sys/class/tty");
	struct dirent *entry;
	bool found = false;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		char path[400], text[64] = "";
		if (strncmp(entry->d_name, "ttyACM", 6) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/class/tty/%s/device/../serial", entry->d_name);
		FILE *file = fopen(path, "re");
		found = file != NULL && fgets(text, sizeof(text), file) != NULL &&
			strncasecmp(text, serial, strlen(serial)) == 0;
		if (file != NULL)
			fclose(file);
		if (found)
			snprintf(ret, cap, "%.32s", entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

int vm_serial(const char *serial, int64_t timeout_ns)
{
	int64_t until = vm_now() + timeout_ns;
	struct termios modes;
	char name[40], path[64];

	while (!vm_serial_name(serial, name, sizeof(name))) {
		if (vm_now() > until)
			return -1;
		vm_sleep(5 * VM_MS);
	}
	snprintf(path, sizeof(path), "/dev/%s", name);
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	VM_MUST(fd >= 0 && tcgetattr(fd, &modes) == 0, "%s: %s", path, strerror(errno));
	cfmakeraw(&modes);
	tcsetattr(fd, TCSANOW, &modes);
	return fd;
}

void vm_write(int fd, const char *bytes, size_t len)
{
	VM_MUST(write(fd, bytes, len) == (ssize_t)len, "write: %s", strerror(errno));
}

size_t vm_read(int fd, char *buf, size_t cap, int64_t quiet_ns)
{
	size_t len = 0;

	while (len + 1 < cap && readable(fd, quiet_ns)) {
		ssize_t n = read(fd, buf + len, cap - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return len;
}

size_t vm_read_so_much(int fd, char *buf, size_t cap, size_t wanted, int64_t timeout_ns)
{
	int64_t until = vm_now() + timeout_ns;
	size_t len = 0;

	while (len < wanted && vm_now() < until)
		len += vm_read(fd, buf + len, cap - len, 10 * VM_MS);
	return len + vm_read(fd, buf + len, cap - len, 10 * VM_MS);
}

bool vm_expect(int fd, const char *text, char *buf, size_t cap, int64_t timeout_ns)
{
	int64_t until = vm_now() + timeout_ns;
	size_t len = 0;

	buf[0] = '\0';
	while (strstr(buf, text) == NULL) {
		if (len + 1 >= cap || !readable(fd, until - vm_now()))
			return false;
		ssize_t n = read(fd, buf + len, cap - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		buf[len] = '\0';
	}
	return true;
}

/* ---- the master ---- */

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(ip) };
}

int vm_listen(void)
{
	struct sockaddr_in at = address(RIG_AT, PORT);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	VM_MUST(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 64) == 0,
		"listen: %s", strerror(errno));
	return fd;
}

unsigned vm_registration(int listener, char *ret_id, size_t cap, int64_t timeout_ns)
{
	static const char answer[] =
		"{\"type\": \"registered\", \"id\": \"r\", \"timestamp\": 1.0, "
		"\"data\": {\"status\": \"registered\"}}\n";
	struct sockaddr_in from = { .sin_family = AF_INET };
	socklen_t from_len = sizeof(from);
	char line[512];

	if (!readable(listener, timeout_ns))
		return 0;
	int fd = accept(listener, (struct sockaddr *)&from, &from_len);
	ssize_t n = fd >= 0 && readable(fd, 5 * VM_S) ? read(fd, line, sizeof(line) - 1) : -1;
	VM_MUST(n > 0, "a connection without a registration");
	line[n] = '\0';
	const char *id = strstr(line, "\"client_id\": \"");
	VM_MUST(id != NULL, "no registration: %s", line);
	id += strlen("\"client_id\": \"");
	snprintf(ret_id, cap, "%.*s", (int)strcspn(id, "\""), id);
	VM_MUST(write(fd, answer, sizeof(answer) - 1) == (ssize_t)sizeof(answer) - 1, "write: %s",
		strerror(errno));
	close(fd);
	return ntohl(from.sin_addr.s_addr) - BOARDS_AT;
}

int64_t vm_linger_ns;

bool vm_command(unsigned board, const char *type, const char *data, struct vm_answer *ret,
		int64_t timeout_ns)
{
	struct sockaddr_in at = address(BOARDS_AT + board, PORT);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t until = vm_now() + timeout_ns;
	char line[256];
	size_t len = 0;

	*ret = (struct vm_answer){ .reads = 0 };
	int n = snprintf(line, sizeof(line),
			 "{\"type\": \"%s\", \"id\": \"m\", \"timestamp\": 1.0, "
			 "\"data\": {\"from\": \"master\"%s}}\n",
			 type, data);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		goto out;
	ret->sent_ns = vm_now();
	if (write(fd, line, (size_t)n) != n)
		goto out;
	while (len + 1 < sizeof(ret->text)) {
		bool whole = strchr(ret->text, '\n') != NULL;
		ssize_t got = readable(fd, whole ? vm_linger_ns : until - vm_now())
				      ? read(fd, ret->text + len, sizeof(ret->text) - 1 - len)
				      : -1;
		if (got <= 0)
			break;
		len += (size_t)got;
		ret->text[len] = '\0';
		ret->last_ns = vm_now();
		if (ret->reads++ == 0)
			ret->first_ns = ret->last_ns;
	}
out:
	close(fd);
	return strchr(ret->text, '\n') != NULL;
}

/* ---- the truth ---- */

static int64_t find_truth(const char *path, unsigned board, const char *what, const char *with,
			  int64_t from_ns)
{
	char line[512], start[64], name[64];
	int64_t found = -1;
	FILE *file = fopen(path, "re");

	VM_MUST(file != NULL, "%s: %s", path, strerror(errno));
	snprintf(name, sizeof(name), "\"what\": \"%s\"", what);
	snprintf(start, sizeof(start), "\"board\": %u,", board);
	while (found < 0 && fgets(line, sizeof(line), file) != NULL) {
		int64_t t_ns = strtoll(line + strlen("{\"t_ns\": "), NULL, 10);
		if (t_ns >= from_ns && strstr(line, start) != NULL && strstr(line, name) != NULL &&
		    strstr(line, with) != NULL)
			found = t_ns;
	}
	fclose(file);
	return found;
}

int64_t vm_truth(const char *path, unsigned board, const char *what, const char *with,
		 int64_t from_ns)
{
	int64_t found = -1, until = vm_now() + VM_S;

	/* It is written down behind the deed: in real time a reader may be quicker. */
	while ((found = find_truth(path, board, what, with, from_ns)) < 0 && vm_now() < until)
		vm_sleep(VM_MS);
	return found;
}

/*
 * Lines of a real kernel: gpio-sim, which wants root and a kernel that has it, as the virtual bench
 * does. Elsewhere every case is skipped.
 *
 * In the bench time is virtual: a pulse is as long as it was asked for, but for what the process
 * that makes it takes between two system calls.
 */
#include "hil/gpio/contact.h"
#include "hil/gpio/loopback.h"
#include "hil/gpio/servo.h"
#include "hil/gpio/watch.h"
#include "tests/support/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIM "/sys/kernel/config/gpio-sim"
#define MS INT64_C(1000000)
#define US INT64_C(1000)
#define LINES 4
#define OFF_NS (200 * US) /* that a pulse may be longer or shorter than asked for */

static const char *const names[LINES] = { "servo", "up", "reset", "" };
static char label[32], pulls[LINES][180], values[LINES][180];
static struct gpio gpio;
static struct gpio_line line;
static struct gpio_fault fault;

/* --- the simulated chip -------------------------------------------------------------------------
 */

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static void get(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static void must_put(const char *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void must_put(const char *text, const char *format, ...)
{
	char path[200];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	MUST_SAY(put(path, text), "%s into %s: %s", text, path, strerror(errno));
}

static void make_chip(const char *chip_label, unsigned lines)
{
	char path[160], device[64], name[64];

	snprintf(path, sizeof(path), SIM "/%s", chip_label);
	MUST_SAY(mkdir(path, 0755) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), SIM "/%s/bank0", chip_label);
	MUST(mkdir(path, 0755) == 0);
	snprintf(name, sizeof(name), "%u", lines);
	must_put(name, SIM "/%s/bank0/num_lines", chip_label);
	must_put(chip_label, SIM "/%s/bank0/label", chip_label);
	for (unsigned i = 0; i < lines && names[i][0] != '\0'; i++) {
		snprintf(path, sizeof(path), SIM "/%s/bank0/line%u", chip_label, i);
		MUST(mkdir(path, 0755) == 0);
		must_put(names[i], "%s/name", path);
	}
	must_put("1", SIM "/%s/live", chip_label);
	snprintf(path, sizeof(path), SIM "/%s/dev_name", chip_label);
	get(path, device, sizeof(device));
	snprintf(path, sizeof(path), SIM "/%s/bank0/chip_name", chip_label);
	get(path, name, sizeof(name));
	for (unsigned i = 0; i < lines; i++) {
		snprintf(pulls[i], sizeof(pulls[i]), "/sys/devices/platform/%s/%s/sim_gpio%u/pull",
			 device, name, i);
		snprintf(values[i], sizeof(values[i]),
			 "/sys/devices/platform/%s/%s/sim_gpio%u/value", device, name, i);
	}
}

static void unplug(const char *chip_label)
{
	must_put("0", SIM "/%s/live", chip_label);
}

static void remove_chip(const char *chip_label)
{
	char path[160];

	snprintf(path, sizeof(path), SIM "/%s/live", chip_label);
	put(path, "0");
	for (unsigned i = 0; i < LINES; i++) {
		snprintf(path, sizeof(path), SIM "/%s/bank0/line%u", chip_label, i);
		rmdir(path);
	}
	snprintf(path, sizeof(path), SIM "/%s/bank0", chip_label);
	rmdir(path);
	snprintf(path, sizeof(path), SIM "/%s", chip_label);
	rmdir(path);
}

static void pull(unsigned offset, bool up)
{
	MUST_SAY(put(pulls[offset], up ? "pull-up" : "pull-down"), "%s: %s", pulls[offset],
		 strerror(errno));
}

static bool value(unsigned offset)
{
	char text[8];

	get(values[offset], text, sizeof(text));
	MUST_SAY(text[0] != '\0', "%s", values[offset]);
	return text[0] == '1';
}

/* Each case has a chip of its own, named by its process. */
static void name_chip(pid_t pid)
{
	snprintf(label, sizeof(label), "sim-%d", (int)pid);
}

static void setup(void)
{
	if (access(SIM, W_OK) < 0)
		SKIP("no gpio-sim on this machine");
	name_chip(getpid());
	make_chip(label, LINES);
	gpio_init(&gpio);
}

static void teardown(pid_t pid)
{
	name_chip(pid);
	remove_chip(label);
}

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void sleep_until(int64_t until_ns)
{
	const struct timespec until = { until_ns / 1000000000, until_ns % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static void request(enum gpio_use use, const char *name, struct gpio_request more)
{
	more.chip = label;
	more.line = name;
	more.use = use;
	int rc = gpio_line_request(&line, &gpio, &more, &fault);
	MUST_SAY(rc == 0, "%s", fault.text);
}

/* --- names and levels ---------------------------------------------------------------------------
 */

static void chips_and_lines_are_listed(void)
{
	struct gpio_chip_info *chips, chip;
	struct gpio_line_info *lines, info;
	size_t count, ours = 0;

	MUST_SAY(gpio_chips(&gpio, &chips, &count, &fault) == 0, "%s", fault.text);
	for (size_t i = 0; i < count; i++)
		ours += strcmp(chips[i].label, label) == 0 && chips[i].lines == LINES;
	free(chips);
	MUST(ours == 1);
	request(GPIO_OUTPUT, "reset", (struct gpio_request){ .consumer = "a test" });
	MUST_SAY(gpio_lines(&gpio, label, &chip, &lines, &count, &fault) == 0, "%s", fault.text);
	MUST(count == LINES);
	MUST(strcmp(lines[0].name, "servo") == 0);
	MUST(!lines[0].used && !lines[0].output);
	MUST(lines[2].used && lines[2].output);
	MUST(strcmp(lines[2].consumer, "a test") == 0);
	MUST(strcmp(lines[3].name, "") == 0);
	free(lines);
	MUST(gpio_find(&gpio, NULL, "resett", &chip, &info, &fault) == -ENXIO);
	MUST(gpio_find(&gpio, label, "resett", &chip, &info, &fault) == -ENXIO);
	MUST_SAY(strstr(fault.text, "did you mean \"reset\"?") != NULL, "%s", fault.text);
}

static void inputs_their_bias_and_active_low(void)
{
	request(GPIO_INPUT, "up", (struct gpio_request){ .bias = GPIO_BIAS_PULL_UP });
	MUST(gpio_line_get(&line) == 1);
	pull(1, false);
	MUST(gpio_line_get(&line) == 0);
	MUST(gpio_line_set(&line, true) == -EPERM);
	gpio_line_release(&line);
	request(GPIO_INPUT, "up", (struct gpio_request){ .bias = GPIO_BIAS_PULL_DOWN });
	MUST(gpio_line_get(&line) == 0);
	gpio_line_release(&line);
	request(GPIO_INPUT, "1", (struct gpio_request){ .active_low = true });
	MUST(gpio_line_get(&line) == 1);
	pull(1, true);
	MUST(gpio_line_get(&line) == 0);
}

static void an_output_is_what_it_is_told_and_held(void)
{
	request(GPIO_OUTPUT, "reset", (struct gpio_request){ .level = true });
	MUST_SAY(value(2), "from the request on");
	MUST(gpio_line_set(&line, false) == 0);
	MUST(!value(2));
	MUST(gpio_line_get(&line) == 0);
	MUST(gpio_line_set(&line, true) == 0);
	MUST(value(2));
	gpio_line_release(&line);
	request(GPIO_OUTPUT, "2", (struct gpio_request){ .active_low = true, .level = true });
	MUST(!value(2));
	MUST(gpio_line_set(&line, false) == 0);
	MUST(value(2));
}

static void open_drain_drives_low_and_lets_go(void)
{
	pull(2, true);
	request(GPIO_OUTPUT, "reset", (struct gpio_request){ .open_drain = true, .level = true });
	MUST(gpio_line_set(&line, false) == 0);
	MUST(!value(2));
	MUST(gpio_line_set(&line, true) == 0);
	struct gpio_chip_info chip;
	struct gpio_line_info info;
	MUST(gpio_find(&gpio, label, "reset", &chip, &info, &fault) == 0);
	MUST(info.used && info.open_drain);
	MUST_SAY(value(2), "let go, its pull-up takes it");
}

static void a_busy_line_says_by_whom(void)
{
	int ready[2];
	char byte, expected[64];

	MUST(pipe(ready) == 0);
	pid_t holder = fork();
	if (holder == 0) {
		const struct gpio_request wanted = {
			.chip = label, .line = "reset", .use = GPIO_OUTPUT, .consumer = "the other"
		};
		if (gpio_line_request(&line, &gpio, &wanted, &fault) == 0 &&
		    write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	MUST(read(ready[0], &byte, 1) == 1);
	const struct gpio_request wanted = { .chip = label, .line = "reset", .use = GPIO_OUTPUT };
	int rc = gpio_line_request(&line, &gpio, &wanted, &fault);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	MUST(rc == -EBUSY);
	MUST_SAY(strstr(fault.text, "in use by \"the other\"") != NULL, "%s", fault.text);
	snprintf(expected, sizeof(expected), "(process %d, ", (int)holder);
	if (gpio_abi(&gpio)->kernel_abi == 2)
		MUST_SAY(strstr(fault.text, expected) != NULL, "%s", fault.text);
	/* Its holder has ended: the kernel has let go. */
	MUST_SAY(gpio_line_request(&line, &gpio, &wanted, &fault) == 0, "%s", fault.text);
}

static void no_permission_and_the_remedy(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		const struct gpio_request wanted = { .chip = label, .line = "up" };
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		int rc = gpio_line_request(&line, &gpio, &wanted, &fault);
		_exit(rc == -EACCES && strstr(fault.text, "no permission for /dev/gpiochip") ? 0
											     : 1);
	}
	waitpid(child, &status, 0);
	MUST_SAY(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

/* --- edges --------------------------------------------------------------------------------------
 */

static struct loop loop;
static struct edge_watch watch;
static struct watch_line watched;
static struct timer end;
static int failure;

static void on_end(struct timer *timer, int64_t now_ns)
{
	(void)timer;
	(void)now_ns;
	loop_stop(&loop);
}

static void on_failed(struct watch_line *of, int error)
{
	(void)of;
	failure = error;
	loop_stop(&loop);
}

static void begin_watch(const char *name, unsigned buffer_edges)
{
	request(GPIO_EDGES, name, (struct gpio_request){ .buffer_edges = buffer_edges });
	MUST(loop_init(&loop) == 0);
	MUST(edge_watch_init(&watch, &loop, 0) == 0);
	watched = (struct watch_line){ .line = &line, .failed = on_failed };
	MUST(edge_ring_init(&watched.ring, 1024, 0) == 0);
	MUST(watch_add(&watch, &watched) == 0);
	end.fire = on_end;
	sleep_until(clock_ns() + MS); /* virtual time may stand still between two calls */
}

static void run_for(int64_t ns)
{
	loop_read_clocks(&loop);
	loop.stopping = false;
	loop_timer(&loop, &end, ns);
	MUST(loop_run(&loop, INT64_MAX) == 0);
	timer_cancel(&loop.timers, &end);
}

static void end_watch(void)
{
	edge_watch_release(&watch);
	edge_ring_release(&watched.ring);
	loop_release(&loop);
}

/* A process that makes count pulses, 20 ms apart, of width_ns, then as many of another. */
static pid_t start_pwm(unsigned offset, unsigned count, int64_t width_ns, int64_t then_ns)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	int64_t rise_ns = clock_ns() + 20 * MS;
	for (unsigned i = 0; i < 2 * count; i++, rise_ns += 20 * MS) {
		sleep_until(rise_ns);
		put(pulls[offset], "pull-up");
		sleep_until(rise_ns + (i < count ? width_ns : then_ns));
		put(pulls[offset], "pull-down");
	}
	_exit(0);
}

static void a_servo_is_decoded(void)
{
	struct servo servo;
	struct servo_frame frame;
	struct edge edge;
	uint64_t cursor = 0, changes = 0;

	pull(0, false);
	begin_watch("servo", 0);
	MUST(servo_init(&servo, NULL) == 0);
	pid_t child = start_pwm(0, 50, 500 * US, 1500 * US);
	watch.stats.since_ns = clock_ns();
	run_for(2100 * MS);
	double wakeups = edge_watch_wakeups_per_s(&watch, clock_ns());
	waitpid(child, NULL, 0);
	edge_watch_read(&watch);
	while (edge_ring_next(&watched.ring, &cursor, &edge)) {
		if (!servo_edge(&servo, &edge, &frame))
			continue;
		int64_t asked_ns = frame.number <= 50 ? 500 * US : 1500 * US;
		MUST_SAY((frame.flags & (SERVO_SUSPECT | SERVO_WRONG)) == 0, "frame %d: %x",
			 (int)frame.number, frame.flags);
		MUST_SAY(frame.width_ns > asked_ns - OFF_NS && frame.width_ns < asked_ns + OFF_NS,
			 "frame %d: %lld ns", (int)frame.number, (long long)frame.width_ns);
		changes += (frame.flags & SERVO_CHANGED) != 0;
		if (changes == 2 && (frame.flags & SERVO_CHANGED))
			MUST(frame.number == 51);
	}
	MUST(servo.counts.frames == 100);
	MUST(changes == 2);
	MUST(servo.settled);
	MUST(wakeups <= 60);
	MUST(wakeups > 20);
	printf("%s: 100 frames, %.1f wake-ups/s, width %lld to %lld ns, %llu edges at once at most\n",
	       gpio_abi(&gpio)->library, wakeups, (long long)servo.width_ns_min,
	       (long long)servo.width_ns_max, (unsigned long long)watch.stats.edges_max);
	end_watch();
}

static void a_full_kernel_buffer_never_goes_unnoticed(void)
{
	static const struct edge_counts none;

	pull(1, false);
	begin_watch("up", 16);
	for (int i = 0; i < 20; i++) { /* 40 edges, and nobody reads */
		pull(1, true);
		sleep_until(clock_ns() + MS);
		pull(1, false);
		sleep_until(clock_ns() + MS);
	}
	run_for(100 * MS);
	pull(1, true); /* v2 shows what was lost by the next number, v1 by the full buffer */
	run_for(100 * MS);
	const struct edge_counts *counts = &watched.ring.counts;
	MUST(edge_counts_suspect(&none, counts) > 0);
	if (gpio_abi(&gpio)->kernel_abi == 1) {
		MUST_SAY(counts->edges == 17, "%d edges", (int)counts->edges);
		MUST(counts->full == 1);
	} else {
		MUST(counts->gaps == 1);
		MUST(counts->lost + counts->edges == 41);
	}
	end_watch();
}

static void a_large_buffer_keeps_all_under_v2(void)
{
	static const struct edge_counts none;

	pull(1, false);
	begin_watch("up", 256);
	if (gpio_abi(&gpio)->kernel_abi == 1)
		SKIP("libgpiod 1.x cannot ask for a buffer");
	for (int i = 0; i < 100; i++) {
		pull(1, i % 2 == 0);
		sleep_until(clock_ns() + MS);
	}
	run_for(100 * MS);
	MUST(watched.ring.counts.edges == 100);
	MUST(edge_counts_suspect(&none, &watched.ring.counts) == 0);
	end_watch();
}

static void active_low_edges_are_logical(void)
{
	struct edge edges[16];

	pull(1, true);
	request(GPIO_EDGES, "up", (struct gpio_request){ .active_low = true });
	pull(1, false);
	sleep_until(clock_ns() + 20 * MS);
	MUST(gpio_line_read(&line, edges, 16) == 1);
	MUST(edges[0].level);
	MUST(gpio_line_get(&line) == 1);
	MUST(gpio_line_read(&line, edges, 16) == 0);
}

static void a_bouncing_switch(void)
{
	struct contact contact;
	struct contact_change change;
	struct edge edge;
	uint64_t cursor = 0;

	pull(1, false);
	begin_watch("up", 0);
	contact_init(&contact, 5 * MS);
	contact_start(&contact, watched.ring.start_level);
	int64_t before_ns = clock_ns();
	for (int i = 0; i < 7; i++) {
		pull(1, i % 2 == 0);
		sleep_until(clock_ns() + MS);
	}
	run_for(200 * MS);
	while (edge_ring_next(&watched.ring, &cursor, &edge))
		MUST(!contact_edge(&contact, &edge, &change));
	MUST(contact_tick(&contact, watched.complete_ns, &change));
	MUST(change.level && !change.suspect);
	MUST(change.bounces == 6);
	MUST(change.first_ns >= before_ns && change.first_ns < before_ns + OFF_NS);
	end_watch();
}

static void a_chip_that_goes_while_it_is_watched(void)
{
	begin_watch("up", 0);
	run_for(100 * MS);
	MUST(failure == 0);
	unplug(label);
	run_for(5000 * MS);
	MUST(failure == -ENODEV);
	MUST(watched.watch == NULL);
	MUST(gpio_line_get(&line) == -ENODEV);
	gpio_line_explain(&line, failure, &fault);
	MUST_SAY(strstr(fault.text, "its chip is gone") != NULL, "%s", fault.text);
	end_watch();
}

static void an_output_whose_chip_goes(void)
{
	request(GPIO_OUTPUT, "reset", (struct gpio_request){ .level = true });
	unplug(label);
	MUST(gpio_line_set(&line, false) == -ENODEV);
	MUST(gpio_line_get(&line) == -ENODEV);
}

/* --- calibration --------------------------------------------------------------------------------
 */

static void calibration_of_a_loop(void)
{
	struct gpio_chip_info chip;
	struct gpio_line_info info;
	struct gpio_line input = { 0 };
	struct loopback_result result;
	const struct gpio_request out = { .chip = "loop", .line = "0", .use = GPIO_OUTPUT };
	const struct gpio_request in = { .chip = "loop", .line = "1", .use = GPIO_EDGES };
	bool ours = gpio_find(&gpio, "loop", "0", &chip, &info, &fault) < 0;

	if (ours)
		make_chip("loop", 2);
	MUST_SAY(gpio_line_request(&line, &gpio, &out, &fault) == 0, "%s", fault.text);
	MUST_SAY(gpio_line_request(&input, &gpio, &in, &fault) == 0, "%s", fault.text);
	int rc = loopback_run(&line, &input, NULL, NULL, &result, &fault);
	gpio_line_release(&input);
	gpio_line_release(&line);
	if (ours)
		remove_chip("loop");
	if (rc == -ENOTCONN) /* a kernel whose gpio-sim joins nothing */
		SKIP("this gpio-sim joins no lines");
	MUST_SAY(rc == 0, "%s", fault.text);
	MUST(result.toggles == 200);
	MUST(result.lost + result.extra == 0);
	MUST(result.latency.min_ns >= 0);
	MUST(result.latency.max_ns < MS);
	MUST(result.usable_hz > 400);
	printf("%s: latency %lld/%lld/%lld ns, stamp +-%lld ns, up to %.0f edges/s\n",
	       gpio_abi(&gpio)->library, (long long)result.latency.min_ns,
	       (long long)result.latency.median_ns, (long long)result.latency.max_ns,
	       (long long)result.stamp_u_ns, result.usable_hz);
}

int main(void)
{
	static const struct plain_case cases[] = {
		PLAIN_CASE(chips_and_lines_are_listed),
		PLAIN_CASE(inputs_their_bias_and_active_low),
		PLAIN_CASE(an_output_is_what_it_is_told_and_held),
		PLAIN_CASE(open_drain_drives_low_and_lets_go),
		PLAIN_CASE(a_busy_line_says_by_whom),
		PLAIN_CASE(no_permission_and_the_remedy),
		PLAIN_CASE(a_servo_is_decoded),
		PLAIN_CASE(a_full_kernel_buffer_never_goes_unnoticed),
		PLAIN_CASE(a_large_buffer_keeps_all_under_v2),
		PLAIN_CASE(active_low_edges_are_logical),
		PLAIN_CASE(a_bouncing_switch),
		PLAIN_CASE(a_chip_that_goes_while_it_is_watched),
		PLAIN_CASE(an_output_whose_chip_goes),
		PLAIN_CASE(calibration_of_a_loop),
	};

	return plain_main(cases, sizeof(cases) / sizeof(cases[0]), setup, teardown);
}
